//! The payload's other files.

use serde_json::{Value, json};

use crate::row::{Rows, Unmapped};
use crate::test_rows::{build, not_affected, small_set, unmapped};

#[test]
fn the_summary_says_what_is_in_it() {
    let built = build(small_set());
    let bytes = built.stored("payload/summary.json");
    let mut summary: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(export_canonical::jcs::to_jcs(&summary).unwrap(), bytes);
    let members = summary["members"].take();
    assert_eq!(members[0]["name"], "trivy.db");
    let database = std::fs::read(built.database()).unwrap();
    assert_eq!(members[0]["size"], database.len());
    let counts =
        |advisories: u64| json!({"advisories": advisories, "conflicting": 0, "superseded": 0});
    let ecosystem = |advisories: u64, severities: Value| json!({"advisories": advisories, "packages": advisories, "severities": severities});
    let unknown = json!({"critical": 0, "high": 0, "low": 0, "medium": 0, "unknown": 1});
    assert_eq!(
        summary,
        json!({
            "ecosystems": {
                "debian 12": ecosystem(1, unknown.clone()),
                "npm": ecosystem(1, unknown),
                "pip": ecosystem(
                    2,
                    json!({"critical": 1, "high": 0, "low": 0, "medium": 1, "unknown": 0})
                ),
            },
            "feeds": {
                "debian 12": counts(1),
                "npm::Feed": counts(1),
                "pip::GitHub Security Advisory pip": counts(2),
            },
            "members": null,
            "schema_version": 2,
            "unmapped": {"only_git": 1},
            "vex_statements": 1,
            "vulnerabilities": {"unused": 1, "without_details": 2, "written": 2},
        })
    );
}

#[test]
fn what_was_not_mapped_is_listed_once_and_sorted() {
    let built = build(Rows {
        unmapped: vec![
            unmapped(Unmapped::Withdrawn, "b", ""),
            unmapped(Unmapped::NoVersions, "b", "pkg \"x\""),
            unmapped(Unmapped::NoVersions, "a", "z"),
            unmapped(Unmapped::NoVersions, "b", "pkg \"x\""),
        ],
        ..Rows::default()
    });
    let listing = String::from_utf8(built.stored("payload/unmapped.jsonl")).unwrap();
    assert_eq!(
        listing,
        concat!(
            r#"{"detail":"z","reason":"no_versions","record":"a"}"#,
            "\n",
            r#"{"detail":"pkg \"x\"","reason":"no_versions","record":"b"}"#,
            "\n",
            r#"{"detail":"","reason":"withdrawn","record":"b"}"#,
            "\n",
        )
    );
}

#[test]
fn statements_become_one_document() {
    let mut other = not_affected("CVE-1", "pkg:pypi/a@1");
    other.aliases = vec!["GHSA-1".to_owned()];
    other.subcomponents = vec!["pkg:pypi/b@1".to_owned()];
    other.timestamp = "2024-05-01T13:00:00+02:00".to_owned();
    other.justification = String::new();
    other.impact_statement = "Never called.".to_owned();
    let mut again = not_affected("CVE-2", "pkg:pypi/a@1");
    again.record = "another record".to_owned();
    let mut timeless = not_affected("CVE-3", "pkg:pypi/a@1");
    timeless.timestamp = "last week".to_owned();
    let built = build(Rows {
        vex: vec![
            timeless,
            not_affected("CVE-2", "pkg:pypi/a@1"),
            again,
            other,
        ],
        ..Rows::default()
    });
    let bytes = built.stored("payload/vex/openvex.json");
    let mut document: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(export_canonical::jcs::to_jcs(&document).unwrap(), bytes);
    let id = document["@id"].take();
    assert!(
        id.as_str()
            .unwrap()
            .starts_with("https://export-center.dev/vex/sha256:")
    );
    let justified = |name: &str| {
        json!({
            "justification": "vulnerable_code_not_present",
            "products": [{"@id": "pkg:pypi/a@1"}],
            "status": "not_affected",
            "vulnerability": {"name": name},
        })
    };
    let mut timed = justified("CVE-2");
    timed["timestamp"] = json!("2024-05-01T10:00:00Z");
    assert_eq!(
        document,
        json!({
            "@context": "https://openvex.dev/ns/v0.2.0",
            "@id": null,
            "author": "Export Center",
            "statements": [
                {
                    "impact_statement": "Never called.",
                    "products": [
                        {"@id": "pkg:pypi/a@1", "subcomponents": [{"@id": "pkg:pypi/b@1"}]}
                    ],
                    "status": "not_affected",
                    "timestamp": "2024-05-01T13:00:00+02:00",
                    "vulnerability": {"aliases": ["GHSA-1"], "name": "CVE-1"},
                },
                timed,
                justified("CVE-3"),
            ],
            "timestamp": "2024-05-01T11:00:00Z",
            "version": 1,
        })
    );
}

#[test]
fn a_cancelled_assembly_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.run");
    let run = crate::test_rows::write_run(&path, vec![small_set()], 1 << 20);
    let stopped = crate::assemble_database(&[run], folder.path(), &|| false);
    assert!(matches!(stopped, Err(crate::TrivyError::Cancelled)));
}
