#![allow(clippy::unwrap_used, clippy::panic)]

use super::{ChangeCounts, ChangeKind, Diff};
use crate::TrivyError;
use crate::row::{AdvisoryValue, RedHatEntry, Rows};
use crate::test_rows::{PIP, advisory, build, detail, fixed, ranges, titled};

#[test]
fn changes_are_sorted_and_counted_by_ecosystem() {
    let first = build(Rows {
        advisories: vec![
            advisory(PIP, "same", "CVE-1", ranges(&["<1"], &[])),
            advisory(PIP, "other", "CVE-1", ranges(&["<1"], &[])),
            advisory("debian 12", "gone", "CVE-1", fixed("1")),
        ],
        details: vec![detail("CVE-1", 1, titled("before", &[]))],
        ..Rows::default()
    });
    let second = build(Rows {
        advisories: vec![
            advisory(PIP, "same", "CVE-1", ranges(&["<1"], &[])),
            advisory(PIP, "other", "CVE-1", ranges(&["<2"], &[])),
            advisory(PIP, "other", "CVE-2", ranges(&["<2"], &[])),
        ],
        details: vec![detail("CVE-1", 1, titled("after", &[]))],
        ..Rows::default()
    });
    let diff = Diff::open(&first.database(), &second.database()).unwrap();
    let mut changes = diff.changes();
    let listed: Vec<_> = changes
        .by_ref()
        .map(|change| {
            let change = change.unwrap();
            (change.change, change.ecosystem, change.package, change.id)
        })
        .collect();
    let line = |kind, ecosystem: &str, package: &str, id: &str| {
        (
            kind,
            ecosystem.to_owned(),
            package.to_owned(),
            id.to_owned(),
        )
    };
    assert_eq!(
        listed,
        [
            line(ChangeKind::Removed, "debian 12", "gone", "CVE-1"),
            line(ChangeKind::Changed, "pip", "other", "CVE-1"),
            line(ChangeKind::Added, "pip", "other", "CVE-2"),
        ]
    );
    let counts = ChangeCounts {
        added: 1,
        removed: 0,
        changed: 1,
        unchanged: 1,
    };
    assert_eq!(changes.counts()["pip"], counts);
    assert_eq!(changes.counts()["debian 12"].removed, 1);
}

#[test]
fn products_are_compared_by_name() {
    let red_hat = |id: &str, cpe: &str| {
        let mut row = advisory("Red Hat", "curl", id, fixed(""));
        row.value = AdvisoryValue::RedHat(vec![RedHatEntry {
            fixed_version: "1-1".to_owned(),
            cpes: [cpe.to_owned()].into(),
            cves: vec![(id.to_owned(), 1)],
            ..RedHatEntry::default()
        }]);
        row
    };
    let database = |advisories| {
        build(Rows {
            advisories,
            ..Rows::default()
        })
    };
    let first = database(vec![red_hat("CVE-1", "cpe:/m"), red_hat("CVE-2", "cpe:/n")]);
    // A product before all others moves every number; CVE-2 is about that one now.
    let second = database(vec![red_hat("CVE-1", "cpe:/m"), red_hat("CVE-2", "cpe:/a")]);
    let diff = Diff::open(&first.database(), &second.database()).unwrap();
    let ids: Vec<_> = diff
        .changes()
        .map(|change| change.map(|change| (change.change, change.id)).unwrap())
        .collect();
    assert_eq!(ids, [(ChangeKind::Changed, "CVE-2".to_owned())]);
}

#[test]
fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trivy.db");
    std::fs::write(&path, "text").unwrap();
    let refused = Diff::open(&path, &path);
    assert!(matches!(refused, Err(TrivyError::Bolt { .. })));
}
