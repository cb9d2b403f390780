#![allow(clippy::unwrap_used)]

use super::{Plain, RedHat};
use crate::row::{Advisory, RedHatEntry};
use crate::test_rows::{fixed, ranges};
use crate::version::Scheme;

fn entry(version: &str, arch: &str, vendor: &str) -> Advisory {
    Advisory {
        fixed_version: version.to_owned(),
        arches: vec![arch.to_owned()],
        vendor_ids: vec![vendor.to_owned()],
        ..Advisory::default()
    }
}

#[test]
fn ranges_keep_the_order_of_their_first_appearance() {
    let mut winner = Plain::new(ranges(&["<9.2", ">=10, <10.1"], &["9.2", "10.1"]));
    let other = ranges(&[">=10, <10.1", ">=11, <11.3", ">=11, <11.3"], &["11.3"]);
    assert!(winner.add(other, Scheme::Dpkg));
    // The second says more, so no version is called patched any more.
    let united = ranges(&["<9.2", ">=10, <10.1", ">=11, <11.3"], &[]);
    assert_eq!(winner.finish(), united);
}

#[test]
fn what_one_row_calls_patched_another_may_call_affected() {
    let mut united = Plain::new(ranges(&["<0.33.1"], &["0.33.1"]));
    assert!(united.add(ranges(&[">=0.33.1, <0.34.2"], &["0.34.2"]), Scheme::Generic));
    let advisory = united.finish();
    assert_eq!(
        advisory.vulnerable_versions,
        ["<0.33.1", ">=0.33.1, <0.34.2"]
    );
    assert!(advisory.patched_versions.is_empty());

    // Two rows that say the same keep what is patched.
    let same = ranges(&["<0.33.1"], &["0.33.1"]);
    let mut united = Plain::new(same.clone());
    assert!(united.add(same.clone(), Scheme::Generic));
    assert_eq!(united.finish(), same);
}

#[test]
fn of_two_fixes_the_later_is_taken_and_nothing_is_mixed() {
    for (first, second, later) in [
        ("1.9-3", "1.10-1", "1.10-1"),
        ("1.10-1", "1.9-3", "1.10-1"),
        // A notice that there is a fix comes after one that there is none.
        ("", "1.2-3", "1.2-3"),
        ("1.2-3", "", "1.2-3"),
        ("not a version", "1.2-3", "1.2-3"),
    ] {
        let with_vendor = |version: &str| {
            let mut advisory = fixed(version);
            advisory.vendor_ids.push(format!("DSA of {version}"));
            advisory
        };
        let mut winner = Plain::new(with_vendor(first));
        assert!(!winner.add(with_vendor(second), Scheme::Dpkg));
        assert_eq!(winner.finish(), with_vendor(later));
    }
}

#[test]
fn what_the_winner_does_not_say_is_taken_from_the_other() {
    let mut winner = Plain::new(fixed("1.2-3"));
    let mut other = fixed("1.2-3");
    other.severity = 3;
    other.status = 2;
    other.vendor_ids.push("DSA-1".to_owned());
    assert!(winner.add(other.clone(), Scheme::Dpkg));
    let mut lower = other.clone();
    lower.severity = 1;
    assert!(winner.add(lower, Scheme::Dpkg));
    assert_eq!(winner.finish(), other);
}

#[test]
fn fixes_by_architecture_are_united_whatever_the_outer_fix_is() {
    let mut winner = fixed("1-1");
    winner.entries = vec![entry("1-1", "x86_64", "RLSA-1")];
    let mut other = fixed("1-2");
    other.entries = vec![
        entry("1-1", "x86_64", "RLSA-2"),
        entry("1-2", "aarch64", "RLSA-2"),
    ];
    let mut united = Plain::new(winner);
    assert!(united.add(other, Scheme::Dpkg));
    let winner = united.finish();
    assert_eq!(winner.fixed_version, "1-1");
    assert_eq!(winner.entries.len(), 2);
    let [first, second] = winner.entries.as_slice() else {
        unreachable!()
    };
    assert_eq!(first.vendor_ids, ["RLSA-1", "RLSA-2"]);
    assert_eq!(second, &entry("1-2", "aarch64", "RLSA-2"));
}

#[test]
fn entries_that_differ_in_products_only_become_one() {
    let entry = |cpe: &str, severity| RedHatEntry {
        fixed_version: "1-1".to_owned(),
        cpes: [cpe.to_owned()].into(),
        cves: vec![("CVE-1".to_owned(), severity)],
        ..RedHatEntry::default()
    };
    let mut united = RedHat::default();
    united.add(vec![entry("cpe:/a", 2)]);
    united.add(vec![entry("cpe:/b", 2), entry("cpe:/c", 3)]);
    let winner = united.finish();
    assert_eq!(winner.len(), 2);
    let first = winner.first().unwrap();
    assert_eq!(
        first.cpes,
        ["cpe:/a".to_owned(), "cpe:/b".to_owned()].into()
    );
}
