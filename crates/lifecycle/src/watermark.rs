//! Which state of the ledger a run exports.
//!
//! One number for all owners: the ledger counts the records of all tenants with one counter, so the
//! greatest of their newest watermarks shows each of them whole.

use export_model::{AsOf, Tenant};
use export_ports::{PortError, Ports};

/// The ledger never was in the state that was asked for, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchState(pub String);

/// The watermark at which `owners`' records are read: the newest, or what `as_of` names.
///
/// # Errors
/// When the ledger cannot be read; inside, when it never was in that state.
pub async fn watermark(
    ports: &Ports,
    owners: &[Tenant],
    as_of: Option<AsOf>,
) -> Result<Result<u64, NoSuchState>, PortError> {
    if let Some(AsOf::Time(time)) = as_of {
        let mut found = None;
        for owner in owners {
            found = found.max(ports.ledger.watermark_at(owner, time).await?);
        }
        let unknown = || NoSuchState(format!("names {time}, before the ledger's first import"));
        return Ok(found.ok_or_else(unknown));
    }
    let mut newest = 0;
    for owner in owners {
        newest = newest.max(ports.ledger.watermark(owner).await?);
    }
    Ok(match as_of {
        Some(AsOf::Watermark(wanted)) if wanted > newest => Err(NoSuchState(format!(
            "names watermark {wanted}, but the ledger's newest is {newest}"
        ))),
        Some(AsOf::Watermark(wanted)) => Ok(wanted),
        _ => Ok(newest),
    })
}
