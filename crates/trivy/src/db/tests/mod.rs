#![allow(clippy::unwrap_used, clippy::panic)]

mod bytes;
mod collisions;
mod documents;
mod red_hat;

use serde_json::json;

use crate::row::Rows;
use crate::test_rows::{build, small_set};

#[test]
fn the_tree_is_the_one_that_scanners_read() {
    let tree = build(small_set()).tree();
    let expected = json!({
        "data-source/": null,
        "data-source/debian 12": {"ID": "ghsa", "Name": "Feed ghsa", "URL": "https://feeds.test/ghsa"},
        "data-source/npm::Feed": {"ID": "ghsa", "Name": "Feed ghsa", "URL": "https://feeds.test/ghsa"},
        "data-source/pip::GitHub Security Advisory pip":
            {"ID": "ghsa", "Name": "Feed ghsa", "URL": "https://feeds.test/ghsa"},
        "debian 12/": null,
        "debian 12/openssl/": null,
        "debian 12/openssl/CVE-2023-0004": {"FixedVersion": "3.0.11-1"},
        "npm::Feed/": null,
        "npm::Feed/requests/": null,
        "npm::Feed/requests/CVE-2023-0003":
            {"VulnerableVersions": ["<1.0.0"], "PatchedVersions": ["1.0.0"]},
        "pip::GitHub Security Advisory pip/": null,
        "pip::GitHub Security Advisory pip/django/": null,
        "pip::GitHub Security Advisory pip/django/CVE-2023-0002":
            {"VulnerableVersions": ["<4.0.4"], "PatchedVersions": ["4.0.4"]},
        "pip::GitHub Security Advisory pip/requests/": null,
        "pip::GitHub Security Advisory pip/requests/CVE-2023-0001":
            {"VulnerableVersions": [">=2.0, <2.31.0"], "PatchedVersions": ["2.31.0"]},
        "vulnerability/": null,
        "vulnerability/CVE-2023-0001":
            {"Title": "one", "Severity": "HIGH", "VendorSeverity": {"ghsa": 2, "nvd": 3}},
        "vulnerability/CVE-2023-0002":
            {"Title": "two", "Severity": "CRITICAL", "VendorSeverity": {"ghsa": 4}},
    });
    assert_eq!(serde_json::to_value(tree).unwrap(), expected);
}

#[test]
fn of_nothing_there_is_a_database_that_opens() {
    let built = build(Rows::default());
    let tree = built.tree();
    let names: Vec<&str> = tree.keys().map(String::as_str).collect();
    assert_eq!(names, ["data-source/", "vulnerability/"]);
    let metadata = built.folder.path().join("cache/db/metadata.json");
    assert_eq!(
        std::fs::read_to_string(metadata).unwrap(),
        r#"{"Version":2,"NextUpdate":"1970-01-02T00:00:00Z","UpdatedAt":"1970-01-01T00:00:00Z","DownloadedAt":"0001-01-01T00:00:00Z"}"#
    );
    let paths: Vec<&str> = built
        .assembled
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "payload/db.tar",
            "payload/summary.json",
            "payload/unmapped.jsonl"
        ]
    );
}
