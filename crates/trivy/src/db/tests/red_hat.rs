//! Red Hat's buckets.

use serde_json::json;

use crate::row::{AdvisoryRow, AdvisoryValue, RedHatEntry, RepositoryRow, Rows};
use crate::test_rows::{advisory, build, detail, fixed, titled};

fn red_hat(package: &str, id: &str, entries: Vec<RedHatEntry>) -> AdvisoryRow {
    AdvisoryRow {
        ecosystem: "Red Hat".to_owned(),
        value: AdvisoryValue::RedHat(entries),
        ..advisory("Red Hat", package, id, fixed(""))
    }
}

fn entry(version: &str, cpes: &[&str], cves: &[(&str, u8)]) -> RedHatEntry {
    RedHatEntry {
        fixed_version: version.to_owned(),
        cpes: cpes.iter().map(ToString::to_string).collect(),
        arches: Vec::new(),
        status: u8::from(version.is_empty()) * 5,
        cves: cves
            .iter()
            .map(|(cve, severity)| ((*cve).to_owned(), *severity))
            .collect(),
    }
}

fn repository(content_set: &str, cpe: &str) -> RepositoryRow {
    RepositoryRow {
        content_set: content_set.to_owned(),
        cpe: cpe.to_owned(),
    }
}

#[test]
fn products_are_numbered_by_their_place_among_all() {
    let mut second = red_hat(
        "curl",
        "RHSA-1",
        vec![entry("2-1", &["cpe:/b"], &[("CVE-1", 3)])],
    );
    second.record = "another".to_owned();
    let built = build(Rows {
        advisories: vec![
            red_hat(
                "curl",
                "RHSA-1",
                vec![entry("2-1", &["cpe:/c"], &[("CVE-1", 3)])],
            ),
            second,
            red_hat(
                "curl",
                "CVE-2",
                vec![entry("", &["cpe:/b"], &[("CVE-2", 1)])],
            ),
        ],
        details: vec![
            detail("CVE-1", 1, titled("one", &[("redhat", 3)])),
            detail("RHSA-1", 1, titled("of no finding", &[])),
        ],
        repositories: vec![
            repository("rhel-8", "cpe:/c"),
            repository("rhel-8", "cpe:/a"),
            repository("rhel-8", "cpe:/a"),
            repository("rhel-9", "cpe:/b"),
        ],
        ..Rows::default()
    });
    let tree = built.tree();
    assert_eq!(
        tree["Red Hat/curl/RHSA-1"],
        json!({"Entries": [
            {"FixedVersion": "2-1", "Affected": [1, 2], "Cves": [{"ID": "CVE-1", "Severity": 3}]}
        ]})
    );
    assert_eq!(
        tree["Red Hat/curl/CVE-2"],
        json!({"Entries": [{"Affected": [1], "Status": 5, "Cves": [{"Severity": 1}]}]})
    );
    assert_eq!(tree["Red Hat CPE/repository/rhel-8"], json!([0, 2]));
    assert_eq!(tree["Red Hat CPE/repository/rhel-9"], json!([1]));
    assert_eq!(tree["Red Hat CPE/cpe/0"], "cpe:/a");
    assert_eq!(tree["Red Hat CPE/cpe/2"], "cpe:/c");
    assert!(tree.contains_key("Red Hat CPE/nvr/"));
    assert!(tree.contains_key("vulnerability/CVE-1"));
    assert!(!tree.contains_key("vulnerability/RHSA-1"));
    let crate::Summary::Database(summary) = &built.assembled.summary else {
        unreachable!()
    };
    let severities = &summary.ecosystems["Red Hat"].severities;
    assert_eq!((severities.high, severities.low), (1, 1));
}

#[test]
fn numbers_of_two_digits_are_in_the_order_of_their_digits() {
    let cpes: Vec<String> = (0..12).map(|number| format!("cpe:/{number:02}")).collect();
    let names: Vec<&str> = cpes.iter().map(String::as_str).collect();
    let tree = build(Rows {
        advisories: vec![red_hat(
            "a",
            "CVE-1",
            vec![entry("1", &names, &[("CVE-1", 1)])],
        )],
        ..Rows::default()
    })
    .tree();
    assert_eq!(tree["Red Hat CPE/cpe/11"], "cpe:/11");
    assert_eq!(tree["Red Hat CPE/cpe/9"], "cpe:/09");
}
