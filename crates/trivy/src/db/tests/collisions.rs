//! Which of several rows are written.

use serde_json::json;

use crate::Summary;
use crate::row::{AdvisoryRow, Detail, DetailRow, Rows};
use crate::summary::{DatabaseSummary, FeedSummary};
use crate::test_rows::{Built, PIP, advisory, build, detail, fixed, ranges, source, titled};

fn summary(built: &Built) -> &DatabaseSummary {
    match &built.assembled.summary {
        Summary::Database(summary) => summary,
        Summary::Java(_) => unreachable!(),
    }
}

fn advisories(rows: Vec<AdvisoryRow>) -> Built {
    build(Rows {
        advisories: rows,
        ..Rows::default()
    })
}

fn from(mut row: AdvisoryRow, feed: &str, precedence: u16, record: &str) -> AdvisoryRow {
    row.data_source = source(feed);
    row.precedence = precedence;
    record.clone_into(&mut row.record);
    row
}

#[test]
fn of_two_feeds_the_one_of_the_smaller_rank_is_taken() {
    let row = |bucket: &str, below: &str| advisory(bucket, "a", "CVE-1", ranges(&[below], &[]));
    let built = advisories(vec![
        from(row("pip::Aaa", "<1"), "osv", 20, "1"),
        from(row("pip::Zzz", "<2"), "ghsa", 10, "2"),
        from(row("pip::Aaa", "<3"), "osv", 20, "3"),
    ]);
    let tree = built.tree();
    assert_eq!(
        tree["pip::Zzz/a/CVE-1"],
        json!({"VulnerableVersions": ["<2"]})
    );
    assert!(!tree.contains_key("pip::Aaa/"));
    assert!(!tree.contains_key("data-source/pip::Aaa"));
    let summary = summary(&built);
    assert_eq!(summary.feeds["pip::Aaa"].superseded, 2);
    assert_eq!(summary.feeds["pip::Zzz"].advisories, 1);
    assert_eq!(summary.ecosystems["pip"].packages, 1);
}

#[test]
fn of_two_feeds_of_one_rank_the_bucket_decides() {
    let row = |bucket: &str, below: &str| advisory(bucket, "a", "CVE-1", ranges(&[below], &[]));
    let tree = advisories(vec![
        from(row("pip::Zzz", "<2"), "ghsa", 10, "1"),
        from(row("pip::Aaa", "<1"), "osv", 10, "2"),
    ])
    .tree();
    assert!(tree.contains_key("pip::Aaa/a/CVE-1"));
    assert!(!tree.contains_key("pip::Zzz/"));
}

#[test]
fn rows_of_one_feed_are_united() {
    let mut first = ranges(&["<1.1"], &["1.1"]);
    first.vendor_ids = vec!["GHSA-b".to_owned()];
    let mut second = ranges(&[">=2, <2.1"], &["2.1"]);
    second.vendor_ids = vec!["GHSA-b".to_owned(), "GHSA-a".to_owned()];
    let built = advisories(vec![
        from(advisory(PIP, "a", "CVE-1", second), "ghsa", 10, "2"),
        from(advisory(PIP, "a", "CVE-1", first), "ghsa", 10, "1"),
    ]);
    assert_eq!(
        built.tree()[&format!("{PIP}/a/CVE-1")],
        json!({
            "VendorIDs": ["GHSA-b", "GHSA-a"],
            "VulnerableVersions": ["<1.1", ">=2, <2.1"],
        })
    );
    let counts = FeedSummary {
        advisories: 1,
        ..FeedSummary::default()
    };
    assert_eq!(summary(&built).feeds[PIP], counts);
}

#[test]
fn of_two_fixes_of_one_feed_the_later_is_taken() {
    let row = |version: &str| advisory("debian 12", "a", "CVE-1", fixed(version));
    let built = advisories(vec![
        from(row("1-10"), "debian", 10, "b"),
        from(row("1-9"), "debian", 10, "a"),
        from(row("1-9"), "debian", 10, "c"),
    ]);
    assert_eq!(
        built.tree()["debian 12/a/CVE-1"],
        json!({"FixedVersion": "1-10"})
    );
    assert_eq!(summary(&built).feeds["debian 12"].conflicting, 2);
}

#[test]
fn one_name_in_two_ecosystems_does_not_collide() {
    let built = advisories(vec![
        advisory(PIP, "requests", "CVE-1", ranges(&["<1"], &[])),
        advisory("npm::x", "requests", "CVE-1", ranges(&["<2"], &[])),
        advisory("debian 12", "requests", "CVE-1", fixed("1")),
        advisory("debian 11", "requests", "CVE-1", fixed("2")),
    ]);
    let tree = built.tree();
    assert_eq!(tree["debian 11/requests/CVE-1"]["FixedVersion"], "2");
    assert_eq!(tree["debian 12/requests/CVE-1"]["FixedVersion"], "1");
    assert_eq!(summary(&built).ecosystems.len(), 4);
    assert!(
        summary(&built)
            .feeds
            .values()
            .all(|feed| feed.superseded == 0)
    );
}

#[test]
fn a_bucket_of_the_database_s_own_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = crate::test_rows::write_run(
        &folder.path().join("a.run"),
        vec![Rows {
            advisories: vec![advisory("vulnerability", "a", "CVE-1", fixed("1"))],
            ..Rows::default()
        }],
        1 << 20,
    );
    let refused = crate::assemble_database(&[run], folder.path(), &|| true);
    assert!(
        matches!(&refused, Err(crate::TrivyError::ReservedBucket { bucket }) if bucket == "vulnerability"),
        "{refused:?}"
    );
}

fn details(rows: Vec<DetailRow>) -> Built {
    build(Rows {
        advisories: vec![
            advisory(PIP, "a", "CVE-1", ranges(&["<1"], &[])),
            advisory(PIP, "b", "CVE-1", ranges(&["<1"], &[])),
            advisory(PIP, "a", "CVE-2", ranges(&["<1"], &[])),
        ],
        details: rows,
        ..Rows::default()
    })
}

#[test]
fn details_are_united_by_rank() {
    let set = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    let mut low = titled("low", &[("ghsa", 1), ("osv", 2)]);
    low.description = "said by the lower".to_owned();
    low.references = set(&["https://b.test", "https://a.test"]);
    low.published_date = Some("2020-01-01T00:00:00Z".to_owned());
    low.severity = "LOW".to_owned();
    let mut high = titled("high", &[("ghsa", 3)]);
    high.cwe_ids = set(&["CWE-79"]);
    high.references = set(&["https://c.test", "https://a.test"]);
    high.severity = "HIGH".to_owned();
    let built = details(vec![detail("CVE-1", 20, low), detail("CVE-1", 10, high)]);
    let tree = built.tree();
    assert_eq!(
        tree["vulnerability/CVE-1"],
        json!({
            "Title": "high",
            "Description": "said by the lower",
            "Severity": "HIGH",
            "CweIDs": ["CWE-79"],
            "VendorSeverity": {"ghsa": 3, "osv": 2},
            "References": ["https://a.test", "https://b.test", "https://c.test"],
            "PublishedDate": "2020-01-01T00:00:00Z",
        })
    );
    let summary = summary(&built);
    let severities = &summary.ecosystems["pip"].severities;
    assert_eq!((severities.high, severities.unknown), (2, 1));
    let counts = &summary.vulnerabilities;
    assert_eq!(
        (counts.written, counts.without_details, counts.unused),
        (1, 1, 0)
    );
}

#[test]
fn nvd_s_severity_is_the_string() {
    let mut mine = titled("", &[("ghsa", 1)]);
    mine.severity = "LOW".to_owned();
    let tree = details(vec![
        detail("CVE-1", 1, mine),
        detail("CVE-1", 9, titled("", &[("nvd", 4)])),
    ])
    .tree();
    assert_eq!(tree["vulnerability/CVE-1"]["Severity"], "CRITICAL");
}

#[test]
fn a_number_that_would_stop_the_scanner_is_left_out() {
    let tree = details(vec![detail(
        "CVE-1",
        1,
        titled("t", &[("nvd", 9), ("ghsa", 0)]),
    )])
    .tree();
    assert_eq!(tree["vulnerability/CVE-1"], json!({"Title": "t"}));
}

#[test]
fn details_of_what_no_advisory_is_about_are_counted() {
    let built = details(vec![
        detail("CVE-0", 1, Detail::default()),
        detail("CVE-0", 2, Detail::default()),
        detail("CVE-1", 1, Detail::default()),
        detail("CVE-3", 1, Detail::default()),
    ]);
    let names: Vec<_> = built.tree().into_keys().collect();
    assert!(names.contains(&"vulnerability/CVE-1".to_owned()));
    assert!(!names.contains(&"vulnerability/CVE-0".to_owned()));
    assert_eq!(summary(&built).vulnerabilities.unused, 2);
    assert_eq!(summary(&built).vulnerabilities.without_details, 1);
}

#[test]
fn twenty_thousand_rows_of_one_package_cost_what_is_in_them() {
    let rows = (0..20_000)
        .map(|number| {
            let mut value = ranges(&[&format!("={number}")], &[]);
            value.vendor_ids = vec![format!("GHSA-{number}")];
            let row = advisory(PIP, "a", "CVE-1", value);
            from(row, "ghsa", 10, &format!("{number:05}"))
        })
        .collect();
    let tree = advisories(rows).tree();
    let written = &tree[&format!("{PIP}/a/CVE-1")];
    assert_eq!(
        written["VulnerableVersions"].as_array().unwrap().len(),
        20_000
    );
    assert_eq!(written["VendorIDs"][19_999], "GHSA-19999");
}
