//! What every record is checked for on its way out.

use export_canonical::record::{Limits, check};
use export_intake::guardrails;
use export_lifecycle::PhaseError;
use export_model::{ErrorCode, Kind, Sha256Digest};
use export_ports::RecordRef;

/// A record that may not leave, and why.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) code: ErrorCode,
    pub(crate) detail: String,
}

/// Whether a record's bytes have the digest that the index promised.
pub(crate) fn drift(record: &RecordRef, digest: &Sha256Digest) -> Result<(), PhaseError> {
    if *digest == record.record_sha256 {
        return Ok(());
    }
    Err(PhaseError::permanent(
        ErrorCode::InputDrift,
        format!(
            "record {} has the digest {digest}, but the index says {}: the ledger was altered",
            record.id, record.record_sha256
        ),
    ))
}

/// The guardrails. Bytes whose digest passed them at the ledger's door need not pass them again;
/// whatever came in another way must.
pub(crate) fn guardrails(kind: Kind, record: &RecordRef, bytes: &[u8]) -> Result<(), Violation> {
    if record.admitted {
        return Ok(());
    }
    check(bytes, &Limits::default()).map_err(|reason| Violation {
        code: ErrorCode::InvalidRecord,
        detail: format!("it is not in canonical form: {reason}"),
    })?;
    if kind == Kind::Finding {
        return Ok(());
    }
    guardrails::check_raw(bytes).map_err(|violation| Violation {
        code: violation.code,
        detail: violation.detail,
    })
}
