//! `payload/quarantine.jsonl.zst`: a line for every record that broke a guardrail and was left
//! out, in canonical order (tenant, then kind, subject and id).

use export_model::QuarantinedRecord;

use super::LineError;

/// The line of a quarantined record, with its line end: canonical, because the type declares its
/// members in their canonical order.
///
/// # Errors
/// Never for values of this type; the serialiser's signature says otherwise.
pub fn to_line(record: &QuarantinedRecord) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    Ok(line)
}

/// Reads a line without its line end.
///
/// # Errors
/// When it is anything else.
pub fn parse(line: &[u8]) -> Result<QuarantinedRecord, LineError> {
    serde_json::from_slice(line).map_err(|source| LineError {
        what: "quarantined record",
        source,
    })
}

#[cfg(test)]
mod tests {
    use export_model::{Kind, Sha256Digest};

    use super::*;

    #[test]
    fn a_line_is_canonical_and_reads_back() {
        let record = QuarantinedRecord {
            id: "advisory:1".into(),
            code: "ERR_AOC_DERIVED_FIELD".into(),
            detail: "`severity`".into(),
            kind: Kind::Advisory,
            record_sha256: Sha256Digest::of(b""),
            subject_key: "CVE-1".into(),
            tenant: None,
        };
        let bytes = to_line(&record).unwrap();
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            "{\"_id\":\"advisory:1\",\"code\":\"ERR_AOC_DERIVED_FIELD\",\"detail\":\"`severity`\",\
             \"kind\":\"advisory\",\"record_sha256\":\
             \"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\
             \"subject_key\":\"CVE-1\"}\n"
        );
        let text = bytes.strip_suffix(b"\n").unwrap();
        export_canonical::record::check(text, &export_canonical::record::Limits::default())
            .unwrap();
        assert_eq!(parse(text).unwrap(), record);
        assert!(parse(b"{}").is_err());
    }
}
