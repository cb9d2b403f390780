#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::tests::{entry, events, plain, reasons};
use crate::map::testing::database;
use crate::row::{AdvisoryValue, Unmapped};

#[test]
fn every_distribution() {
    for (id, ecosystem, bucket, fixed) in [
        ("DSA-1-1", "Debian:12", "debian 12", "1.2-3+deb12u1"),
        (
            "USN-1-1",
            "Ubuntu:22.04:LTS",
            "ubuntu 22.04",
            "1.2-3ubuntu1",
        ),
        (
            "USN-1-1",
            "Ubuntu:Pro:16.04:LTS",
            "ubuntu 16.04-ESM",
            "1.2-3ubuntu1+esm1",
        ),
        (
            "ALPINE-CVE-2024-1",
            "Alpine:v3.18",
            "alpine 3.18",
            "1.2.3-r4",
        ),
        ("CGA-1", "Wolfi", "wolfi", "1.2.3-r4"),
        ("CGA-1", "Chainguard", "chainguard", "1.2.3-r4"),
        ("ALSA-2023:1", "AlmaLinux:8", "alma 8", "1:1.2-3.el8"),
        (
            "ALAS2-2023-1",
            "Amazon Linux:2",
            "amazon linux 2",
            "1.2-3.amzn2",
        ),
        ("PHSA-1", "Photon OS:4.0", "Photon OS 4.0", "1.2-3.ph4"),
        ("AZL-1", "Azure Linux:3", "Azure Linux 3.0", "1.2-3.azl3"),
        ("AZL-1", "CBL-Mariner:2.0", "CBL-Mariner 2.0", "1.2-3.cm2"),
    ] {
        let given = format!(r#"{{"introduced":"0"}},{{"fixed":"{fixed}"}}"#);
        let rows = entry(id, ecosystem, "openssl", &events(&given));
        assert_eq!(reasons(&rows), [], "{ecosystem}");
        let row = &rows.advisories[0];
        assert_eq!(
            (&*row.ecosystem, &*row.bucket, &*row.package, &*row.id),
            (bucket, bucket, "openssl", "CVE-2024-1")
        );
        assert_eq!(plain(row).fixed_version, fixed);
        assert!(plain(row).vulnerable_versions.is_empty());
    }
}

#[test]
fn by_architecture() {
    for (ecosystem, bucket) in [
        ("Rocky Linux:8", "rocky 8"),
        ("Oracle Linux:8", "Oracle Linux 8"),
    ] {
        let rows = entry(
            "RLSA-2023:1",
            ecosystem,
            "bind",
            &events(r#"{"introduced":"0"},{"fixed":"32:9.11-1.el8"}"#),
        );
        assert_eq!(rows.advisories[0].bucket, bucket);
        let advisory = plain(&rows.advisories[0]);
        assert_eq!(advisory.fixed_version, "32:9.11-1.el8");
        assert_eq!(advisory.entries[0].fixed_version, "32:9.11-1.el8");
        assert_eq!(advisory.entries[0].vendor_ids, ["RLSA-2023:1"]);
        assert!(advisory.entries[0].arches.contains(&"x86_64".to_owned()));
    }
}

#[test]
fn suse_by_advisory_and_binary() {
    let rows = database(
        "OSV",
        r#"{"id":"SUSE-SU-2023:4044-1","related":["CVE-1"],"affected":[{"package":{"ecosystem":"SUSE:Linux Enterprise Server 15 SP4","name":"curl"},
          "ecosystem_specific":{"binaries":[{"curl":"7.79-1","libcurl4":"7.79-1"}]},
          "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"7.79-1"}]}]},
          {"package":{"ecosystem":"openSUSE:Leap 15.4","name":"curl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"7.79-1"}]}]}],
          "summary":"update"}"#,
    );
    let found: Vec<_> = rows
        .advisories
        .iter()
        .map(|row| (&*row.bucket, &*row.package, &*row.id))
        .collect();
    let id = "SUSE-SU-2023:4044-1";
    assert_eq!(
        found,
        [
            ("SUSE Linux Enterprise 15.4", "curl", id),
            ("SUSE Linux Enterprise 15.4", "libcurl4", id),
            ("openSUSE Leap 15.4", "curl", id),
        ]
    );
    assert_eq!(rows.details[0].id, id);
}

#[test]
fn red_hat() {
    let rows = database(
        "OSV",
        r#"{"id":"RHSA-2023:1","upstream":["CVE-1","CVE-2"],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
          "affected":[
          {"package":{"ecosystem":"Red Hat:enterprise_linux:8::baseos","name":"bind"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"32:9.11-1.el8"}]}]},
          {"package":{"ecosystem":"Red Hat:enterprise_linux:8::appstream","name":"bind"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"32:9.11-1.el8"}]}]}]}"#,
    );
    let row = &rows.advisories[0];
    assert_eq!(
        (&*row.bucket, &*row.package, &*row.id),
        ("Red Hat", "bind", "RHSA-2023:1")
    );
    let AdvisoryValue::RedHat(entries) = &row.value else {
        panic!("{row:?}");
    };
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].cpes.len(), 2);
    let cves = [("CVE-1".to_owned(), 4), ("CVE-2".to_owned(), 4)];
    assert!(
        entries
            .iter()
            .all(|entry| entry.cves == cves && entry.fixed_version == "32:9.11-1.el8")
    );
    assert!(
        rows.repositories
            .iter()
            .any(|row| row.content_set == "rhel-8-for-x86_64-baseos-rpms")
    );
    assert_eq!(rows.details.len(), 2);
}

#[test]
fn without_a_fix() {
    let open = events(r#"{"introduced":"0"}"#);
    for (ecosystem, reported) in [
        ("Debian:12", true),
        ("Ubuntu:22.04:LTS", true),
        ("Alpine:v3.18", true),
        ("Azure Linux:3", true),
        ("AlmaLinux:8", false),
        ("Rocky Linux:8", false),
        ("Wolfi", false),
        ("Photon OS:4.0", false),
    ] {
        let rows = entry("X-1", ecosystem, "p", &open);
        assert_eq!(rows.advisories.len(), usize::from(reported), "{ecosystem}");
        assert_eq!(rows.unmapped.len(), usize::from(!reported), "{ecosystem}");
        assert!(
            rows.unmapped
                .iter()
                .all(|row| row.reason == Unmapped::NotFixed)
        );
    }
    let last = entry(
        "X-1",
        "Debian:12",
        "p",
        &events(r#"{"introduced":"0"},{"last_affected":"1.0-1"}"#),
    );
    assert_eq!(reasons(&last), [Unmapped::NotFixed]);
}

#[test]
fn details_of_releases() {
    let rows = database(
        "OSV",
        r#"{"id":"DEBIAN-CVE-2024-2","affected":[{"package":{"ecosystem":"Debian:12","name":"x"},"ecosystem_specific":{"urgency":"medium"},
          "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}"#,
    );
    assert_eq!(rows.advisories[0].id, "CVE-2024-2");
    assert_eq!(plain(&rows.advisories[0]).severity, 2);
    assert_eq!(rows.details[0].value.vendor_severity["debian"], 2);
    let rows = database(
        "OSV",
        r#"{"id":"UBUNTU-CVE-2024-2","severity":[{"type":"Ubuntu","score":"negligible"}],"affected":[{"package":{"ecosystem":"Ubuntu:22.04:LTS","name":"x"},
          "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}"#,
    );
    assert_eq!(rows.details[0].value.vendor_severity["ubuntu"], 1);
    let rows = entry(
        "ALPINE-CVE-2024-1",
        "Alpine:v3.18",
        "p",
        &events(r#"{"introduced":"1.0-r0"},{"fixed":"1.2-r1"}"#),
    );
    assert_eq!(plain(&rows.advisories[0]).affected_version, "1.0-r0");
}
