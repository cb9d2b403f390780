//! When a document says that it was last changed: each format says it elsewhere.

use export_canonical::record::{member_path, string_value};
use export_model::Timestamp;

/// The modification time that the document `raw` of `format` states. None where it states none, or
/// not as RFC 3339 has it: a publisher's slip there is no reason to refuse evidence.
pub(super) fn of(format: &str, raw: &[u8]) -> Option<Timestamp> {
    let paths: &[&[&str]] = match format {
        "OSV" => &[&["modified"]],
        "CycloneDX" | "CycloneDX-VEX" => &[&["metadata", "timestamp"]],
        "SPDX" => &[&["creationInfo", "created"]],
        "CSAF" => &[&["document", "tracking", "current_release_date"]],
        "OpenVEX" => &[&["last_updated"], &["timestamp"]],
        _ => &[],
    };
    paths
        .iter()
        .find_map(|path| string_value(member_path(raw, path)?)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_states_it_in_its_own_place() {
        let time = "2024-09-18T16:00:00.000Z";
        for (format, raw) in [
            ("OSV", r#"{"id":"X","modified":"T"}"#),
            ("CycloneDX", r#"{"metadata":{"timestamp":"T"}}"#),
            ("CycloneDX-VEX", r#"{"metadata":{"timestamp":"T"}}"#),
            ("SPDX", r#"{"creationInfo":{"created":"T"}}"#),
            (
                "CSAF",
                r#"{"document":{"tracking":{"current_release_date":"T"}}}"#,
            ),
            (
                "OpenVEX",
                r#"{"last_updated":"T","timestamp":"2020-01-01T00:00:00Z"}"#,
            ),
            ("OpenVEX", r#"{"timestamp":"T"}"#),
        ] {
            let raw = raw.replace("\"T\"", &format!("\"{time}\""));
            assert_eq!(
                of(format, raw.as_bytes()),
                time.parse().ok(),
                "{format}: {raw}"
            );
        }
        assert_eq!(of("OSV", br#"{"modified":"soon"}"#), None);
        assert_eq!(of("OSV", b"{}"), None);
        assert_eq!(of("CSAF", br#"{"document":7}"#), None);
    }
}
