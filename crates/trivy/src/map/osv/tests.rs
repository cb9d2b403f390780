#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::map::testing::database;
use crate::row::{Advisory, AdvisoryRow, AdvisoryValue, Rows, Unmapped};

/// An entry with one affected item, as OSV databases write them.
pub(super) fn entry(id: &str, ecosystem: &str, package: &str, rest: &str) -> Rows {
    database(
        "OSV",
        &format!(
            r#"{{"id":"{id}","modified":"2024-05-06T07:08:09Z","published":"2024-01-02T00:00:00Z","aliases":["CVE-2024-1"],
            "summary":"s","details":"d","affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"{package}"}},{rest}}}]}}"#
        ),
    )
}

pub(super) fn plain(row: &AdvisoryRow) -> &Advisory {
    match &row.value {
        AdvisoryValue::Plain(advisory) => advisory,
        AdvisoryValue::RedHat(_) => panic!("{row:?}"),
    }
}

pub(super) fn reasons(rows: &Rows) -> Vec<Unmapped> {
    rows.unmapped.iter().map(|row| row.reason).collect()
}

pub(super) fn events(events: &str) -> String {
    format!(r#""ranges":[{{"type":"ECOSYSTEM","events":[{events}]}}]"#)
}

const UP_TO_2: &str = r#"{"introduced":"0"},{"fixed":"2.0.0"}"#;

#[test]
fn every_language() {
    for (ecosystem, package, bucket, keys) in [
        (
            "PyPI",
            "Zope_X",
            "pip::GitHub Security Advisory pip",
            &["zope-x"][..],
        ),
        (
            "npm",
            "@A/b",
            "npm::GitHub Security Advisory npm",
            &["@a/b"],
        ),
        (
            "Go",
            "github.com/A/b",
            "go::GitHub Security Advisory Go",
            &["github.com/A/b"],
        ),
        (
            "Maven",
            "org.A:b",
            "maven::GitHub Security Advisory Maven",
            &["org.a:b"],
        ),
        (
            "NuGet",
            "A.B",
            "nuget::GitHub Security Advisory NuGet",
            &["A.B", "a.b"],
        ),
        (
            "Packagist",
            "A/b",
            "composer::GitHub Security Advisory Composer",
            &["a/b"],
        ),
        (
            "RubyGems",
            "Rails",
            "rubygems::GitHub Security Advisory RubyGems",
            &["rails"],
        ),
        (
            "crates.io",
            "Time",
            "cargo::GitHub Security Advisory Rust",
            &["time"],
        ),
        (
            "Hex",
            "phoenix",
            "erlang::GitHub Security Advisory Erlang",
            &["phoenix"],
        ),
        (
            "Pub",
            "http",
            "pub::GitHub Security Advisory Pub",
            &["http"],
        ),
        (
            "SwiftURL",
            "https://github.com/vapor/vapor.git",
            "swift::GitHub Security Advisory Swift",
            &["github.com/vapor/vapor"],
        ),
        (
            "ConanCenter",
            "zlib",
            "conan::GitHub Security Advisory Conan",
            &["zlib"],
        ),
        (
            "Bitnami",
            "Nginx",
            "bitnami::GitHub Security Advisory Bitnami",
            &["nginx"],
        ),
        (
            "Kubernetes",
            "k8s.io/kubelet",
            "k8s::GitHub Security Advisory Kubernetes",
            &["k8s.io/kubelet"],
        ),
        (
            "Julia",
            "HTTP",
            "julia::GitHub Security Advisory Julia",
            &["HTTP"],
        ),
    ] {
        let rows = entry("GHSA-a", ecosystem, package, &events(UP_TO_2));
        assert_eq!(reasons(&rows), [], "{ecosystem}");
        let found: Vec<_> = rows.advisories.iter().map(|row| &*row.package).collect();
        assert_eq!(found, keys, "{ecosystem}");
        for row in &rows.advisories {
            assert_eq!(row.bucket, bucket);
            assert_eq!(row.ecosystem, bucket.split("::").next().unwrap());
            assert_eq!(
                (&*row.id, &*row.record, &*row.data_source.id),
                ("CVE-2024-1", "r:1", "ghsa")
            );
            assert_eq!(plain(row).vulnerable_versions, ["<2.0.0"]);
            assert_eq!(plain(row).patched_versions, ["2.0.0"]);
            assert_eq!(plain(row).vendor_ids, ["GHSA-a"]);
        }
    }
}

#[test]
fn a_swift_package_that_is_a_pod() {
    let rows = entry(
        "GHSA-a",
        "SwiftURL",
        "github.com/Alamofire/Alamofire",
        &events(UP_TO_2),
    );
    let found: Vec<_> = rows
        .advisories
        .iter()
        .map(|row| (&*row.bucket, &*row.package))
        .collect();
    assert_eq!(
        found,
        [
            (
                "swift::GitHub Security Advisory Swift",
                "github.com/Alamofire/Alamofire"
            ),
            ("cocoapods::GitHub Security Advisory Swift", "Alamofire"),
        ]
    );
}

#[test]
fn feeds() {
    for (id, ecosystem, bucket, source) in [
        (
            "GO-2024-1",
            "Go",
            "go::The Go Vulnerability Database",
            "govulndb",
        ),
        (
            "RUSTSEC-2024-1",
            "crates.io",
            "cargo::RustSec Advisory Database",
            "osv",
        ),
        ("PYSEC-2024-1", "PyPI", "pip::PyPA Advisory Database", "osv"),
        (
            "BIT-a-2024-1",
            "Bitnami",
            "bitnami::Bitnami Vulnerability Database",
            "bitnami",
        ),
        (
            "JLSEC-1",
            "Julia",
            "julia::Julia Ecosystem Security Advisories",
            "julia",
        ),
        ("ACME-1", "npm", "npm::v/s", "v"),
    ] {
        let rows = entry(id, ecosystem, "p", &events(UP_TO_2));
        assert_eq!(
            (
                &*rows.advisories[0].bucket,
                &*rows.advisories[0].data_source.id
            ),
            (bucket, source)
        );
    }
}

#[test]
fn ranges() {
    for (ecosystem, given, vulnerable, patched) in [
        (
            "PyPI",
            r#"{"introduced":"1.0"},{"fixed":"1.5"},{"introduced":"2.0"},{"last_affected":"2.3"}"#,
            &[">=1.0, <1.5", ">=2.0, <=2.3"][..],
            &["1.5"][..],
        ),
        (
            "PyPI",
            r#"{"fixed":"1.5"},{"introduced":"1.0"}"#,
            &[">=1.0, <1.5"],
            &["1.5"],
        ),
        (
            "PyPI",
            r#"{"introduced":"2"},{"introduced":"0"},{"fixed":"3"},{"fixed":"1"}"#,
            &["<1", ">=2, <3"],
            &["1", "3"],
        ),
        ("PyPI", r#"{"introduced":"0"}"#, &[">=0"], &[]),
        ("Go", r#"{"introduced":"0"}"#, &[">=0.0.0-0"], &[]),
        (
            "crates.io",
            r#"{"introduced":"0.0.0-0"},{"fixed":"0.9.0"}"#,
            &["<0.9.0"],
            &["0.9.0"],
        ),
        (
            "crates.io",
            r#"{"introduced":"0.0.0-0"}"#,
            &[">=0.0.0-0"],
            &[],
        ),
        (
            "npm",
            r#"{"introduced":"1"},{"last_affected":"1.2"}"#,
            &[">=1.0.0, <=1.2.0"],
            &[],
        ),
        (
            "Maven",
            r#"{"introduced":"2.0-beta9"},{"fixed":"2.15.0"}"#,
            &[">=2.0-beta9, <2.15.0"],
            &["2.15.0"],
        ),
        (
            "RubyGems",
            r#"{"introduced":"1.2"},{"last_affected":"1.2.0"}"#,
            &["=1.2"],
            &[],
        ),
        (
            "PyPI",
            r#"{"introduced":"0"},{"introduced":"2"},{"fixed":"3"}"#,
            &["<3"],
            &["3"],
        ),
        // The fix of one range is affected again by the next.
        (
            "PyPI",
            r#"{"introduced":"0"},{"fixed":"1"},{"introduced":"1"},{"fixed":"2"}"#,
            &["<1", ">=1, <2"],
            &["2"],
        ),
    ] {
        let rows = entry("GHSA-a", ecosystem, "p", &events(given));
        assert_eq!(reasons(&rows), [], "{given}");
        assert_eq!(
            plain(&rows.advisories[0]).vulnerable_versions,
            vulnerable,
            "{given}"
        );
        assert_eq!(
            plain(&rows.advisories[0]).patched_versions,
            patched,
            "{given}"
        );
    }
}

#[test]
fn listed_versions() {
    let range = r#"[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2.0.0"}]}]"#;
    let rows = entry(
        "GHSA-a",
        "PyPI",
        "p",
        &format!(r#""ranges":{range},"versions":["1.0","2.0.0rc1","3.0","3.0","2004d","2005x"]"#),
    );
    assert_eq!(
        plain(&rows.advisories[0]).vulnerable_versions,
        ["<2.0.0", "=3.0"]
    );
    assert_eq!(reasons(&rows), [Unmapped::UnparsableVersion]);
    assert_eq!(rows.unmapped[0].detail, "p 2004d and 1 more versions");
    // npm compares no pre-release with a bound that is none.
    let rows = entry(
        "GHSA-a",
        "npm",
        "p",
        &format!(r#""ranges":{range},"versions":["1.0.0","2.0.0-rc.1"]"#),
    );
    assert_eq!(
        plain(&rows.advisories[0]).vulnerable_versions,
        ["<2.0.0", "=2.0.0-rc.1"]
    );
    // Only commits, but tags too.
    let rows = entry(
        "GHSA-a",
        "npm",
        "p",
        r#""ranges":[{"type":"GIT","events":[{"introduced":"0"}]}],"versions":["1.0.0"]"#,
    );
    assert_eq!(plain(&rows.advisories[0]).vulnerable_versions, ["=1.0.0"]);
}

#[test]
fn last_known_affected() {
    let with = |known: &str, given: &str| {
        entry(
            "GHSA-a",
            "npm",
            "p",
            &format!(
                r#"{},"database_specific":{{"last_known_affected_version_range":"{known}"}}"#,
                events(given)
            ),
        )
    };
    let open = r#"{"introduced":"1.0.0"}"#;
    assert_eq!(
        plain(&with("<= 1.9.0", open).advisories[0]).vulnerable_versions,
        [">=1.0.0, <=1.9.0"]
    );
    assert_eq!(
        plain(&with("< 1.9.0", open).advisories[0]).vulnerable_versions,
        [">=1.0.0, <1.9.0"]
    );
    assert_eq!(
        plain(&with("<= 9.0.0", UP_TO_2).advisories[0]).vulnerable_versions,
        ["<2.0.0"]
    );
    let rows = with("<= 0.5.0", open);
    assert!(rows.advisories.is_empty());
    assert_eq!(reasons(&rows), [Unmapped::ReversedRange]);
}

#[test]
fn several_items_and_cves() {
    let rows = database(
        "OSV",
        r#"{"id":"GHSA-a","aliases":["CVE-1","PYSEC-1"],"upstream":["CVE-2"],"affected":[
          {"package":{"ecosystem":"PyPI","name":"a-b"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1"}]}]},
          {"package":{"ecosystem":"PyPI","name":"A_B"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"3"},{"fixed":"4"}]}]}]}"#,
    );
    let found: Vec<_> = rows
        .advisories
        .iter()
        .map(|row| (&*row.id, &*row.package))
        .collect();
    assert_eq!(found, [("CVE-1", "a-b"), ("CVE-2", "a-b")]);
    let mut versions = plain(&rows.advisories[0]).vulnerable_versions.clone();
    versions.sort();
    assert_eq!(versions, ["<1", ">=3, <4"]);
    assert_eq!(plain(&rows.advisories[0]).vendor_ids, ["PYSEC-1", "GHSA-a"]);
}

#[test]
fn details() {
    let rows = database(
        "OSV",
        r#"{"id":"GHSA-a","modified":"2024-05-06T07:08:09Z","published":"2024-01-02","summary":" title ","details":"text",
          "severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
                      {"type":"CVSS_V4","score":"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}],
          "affected":[{"package":{"ecosystem":"npm","name":"p"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],
            "database_specific":{"cwes":[{"cweId":"CWE-506","name":"x"}]}}],
          "references":[{"type":"WEB","url":"https://b"},{"type":"WEB","url":"https://a"},{"type":"WEB","url":"https://a"},{"url":""}],
          "database_specific":{"severity":"MODERATE","cwe_ids":["CWE-79","no"],"url":"https://c"}}"#,
    );
    let detail = &rows.details[0].value;
    assert_eq!(
        (&*rows.details[0].id, rows.details[0].precedence),
        ("GHSA-a", 20)
    );
    assert_eq!(
        (&*detail.title, &*detail.description, &*detail.severity),
        ("title", "text", "MEDIUM")
    );
    assert_eq!(detail.vendor_severity["ghsa"], 2);
    assert_eq!(detail.cvss["ghsa"].v3_score, Some(9.8));
    assert_eq!(detail.cvss["ghsa"].v40_score, Some(9.3));
    assert_eq!(
        detail.cwe_ids.iter().collect::<Vec<_>>(),
        ["CWE-506", "CWE-79"]
    );
    assert_eq!(
        detail.references.iter().collect::<Vec<_>>(),
        ["https://a", "https://b", "https://c"]
    );
    assert_eq!(
        detail.published_date.as_deref(),
        Some("2024-01-02T00:00:00Z")
    );
    assert_eq!(rows.modified.as_deref(), Some("2024-05-06T07:08:09Z"));
}

#[test]
fn what_has_no_place() {
    for (document, expected) in [
        (
            r#"{"id":"A","withdrawn":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"p"}}]}"#,
            Unmapped::Withdrawn,
        ),
        (r#"{"id":"A"}"#, Unmapped::NoVersions),
        (
            r#"{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"p"}}]}"#,
            Unmapped::NoVersions,
        ),
        (
            r#"{"id":"A","affected":[{"package":{"ecosystem":"Hackage","name":"p"},"versions":["1"]}]}"#,
            Unmapped::UnknownEcosystem,
        ),
        (
            r#"{"id":"A","affected":[{"package":{"ecosystem":"Debian:sid","name":"p"}}]}"#,
            Unmapped::UnknownRelease,
        ),
        (
            r#"{"id":"A","affected":[{"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]}]}"#,
            Unmapped::OnlyGit,
        ),
        (
            r#"{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"p"},"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]}]}"#,
            Unmapped::OnlyGit,
        ),
        (
            r#"{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"p"},"ranges":[{"events":[{"introduced":"2.0.0"},{"fixed":"1.0.0"}]}]}]}"#,
            Unmapped::ReversedRange,
        ),
        (
            r#"{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"p"},"ranges":[{"events":[{"introduced":"0"},{"fixed":"junk"}]}]}]}"#,
            Unmapped::UnparsableVersion,
        ),
        (
            r#"{"id":"A","affected":[{"package":{"ecosystem":"npm","name":""},"versions":["1.0.0"]}]}"#,
            Unmapped::BadKey,
        ),
        (
            r#"{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"a\u0000b"},"versions":["1.0.0"]}]}"#,
            Unmapped::BadKey,
        ),
        (
            r#"{"affected":[{"package":{"ecosystem":"npm","name":"p"},"versions":["1.0.0"]}]}"#,
            Unmapped::BadKey,
        ),
        (
            r#"{"id":"A\u0000","affected":[{"package":{"ecosystem":"npm","name":"p"},"versions":["1.0.0"]}]}"#,
            Unmapped::BadKey,
        ),
        (r#"[1]"#, Unmapped::Malformed),
    ] {
        let rows = database("OSV", document);
        assert!(rows.advisories.is_empty(), "{document}");
        assert_eq!(
            rows.unmapped.first().map(|row| row.reason),
            Some(expected),
            "{document}"
        );
    }
}

#[test]
fn the_rest_of_a_bad_document() {
    let rows = database(
        "OSV",
        r#"{"id":"A","summary":7,"aliases":"CVE-1","references":null,"affected":[5,
          {"package":{"ecosystem":"npm","name":"p"},"versions":["1.0.0",2],
           "ranges":[{"events":[{"introduced":"0"},{"fixed":"1.x"},{"introduced":"2.0.0"},{"fixed":"3.0.0"}]}]}]}"#,
    );
    assert_eq!(
        plain(&rows.advisories[0]).vulnerable_versions,
        [">=2.0.0, <3.0.0", "=1.0.0"]
    );
    assert!(reasons(&rows).contains(&Unmapped::Malformed));
    assert!(reasons(&rows).contains(&Unmapped::UnparsableVersion));
}

#[test]
fn ids_of_any_shape() {
    for id in ["a/b", "a::b", "../x", "ä"] {
        let rows = entry(id, "npm", "p", &events(UP_TO_2));
        assert_eq!(plain(&rows.advisories[0]).vendor_ids, [id]);
    }
    let long = "x".repeat(40_000);
    let rows = entry("GHSA-a", "npm", &long, &events(UP_TO_2));
    assert_eq!(reasons(&rows), [Unmapped::BadKey]);
    assert!(rows.unmapped[0].detail.len() <= 200);
}

#[test]
fn large_documents() {
    let versions: Vec<String> = (0..100_001).map(|n| format!("\"3.{n}.0\"")).collect();
    let rows = entry(
        "GHSA-a",
        "npm",
        "p",
        &format!(r#"{},"versions":[{}]"#, events(UP_TO_2), versions.join(",")),
    );
    assert_eq!(
        plain(&rows.advisories[0]).vulnerable_versions.len(),
        100_001
    );
    assert_eq!(reasons(&rows), [Unmapped::Limit]);

    let text = "ä".repeat(5 << 20);
    let rows = database(
        "OSV",
        &format!(
            r#"{{"id":"A","details":"{text}","affected":[{{"package":{{"ecosystem":"npm","name":"p"}},"versions":["1.0.0"]}}]}}"#
        ),
    );
    assert_eq!(rows.details[0].value.description.len(), 64 * 1024);

    // Many events, none in order.
    let many: Vec<String> = (0..20_000)
        .rev()
        .map(|n| format!(r#"{{"fixed":"1.{n}.5"}},{{"introduced":"1.{n}.0"}}"#))
        .collect();
    let rows = entry("GHSA-a", "npm", "p", &events(&many.join(",")));
    assert_eq!(plain(&rows.advisories[0]).vulnerable_versions.len(), 20_000);

    // Many names of one flaw, each of which would repeat everything.
    let aliases: Vec<String> = (0..2_000).map(|n| format!("\"CVE-2024-{n}\"")).collect();
    let versions: Vec<String> = (0..10_000).map(|n| format!("\"3.{n}.0\"")).collect();
    let rows = database(
        "OSV",
        &format!(
            r#"{{"id":"A","aliases":[{}],"affected":[{{"package":{{"ecosystem":"npm","name":"p"}},"versions":[{}]}}]}}"#,
            aliases.join(","),
            versions.join(",")
        ),
    );
    assert!(rows.advisories.len() > 100 && rows.advisories.len() < 2_000);
    assert_eq!(reasons(&rows), [Unmapped::Limit]);

    // Names and packages that would multiply.
    let aliases: Vec<String> = (0..20_000).map(|n| format!("\"CVE-2024-{n}\"")).collect();
    for ecosystem in ["npm", "Debian:12", "Red Hat:enterprise_linux:8::baseos"] {
        let affected: Vec<String> = (0..5_000)
            .map(|n| format!(r#"{{"package":{{"ecosystem":"{ecosystem}","name":"p{n}"}},"ranges":[{{"events":[{{"introduced":"0"}}]}}]}}"#))
            .collect();
        let rows = database(
            "OSV",
            &format!(
                r#"{{"id":"A","aliases":[{}],"affected":[{}]}}"#,
                aliases.join(","),
                affected.join(",")
            ),
        );
        assert!(rows.advisories.len() < 200_000, "{}", rows.advisories.len());
        assert_eq!(
            reasons(&rows),
            [Unmapped::Limit, Unmapped::Limit],
            "{ecosystem}"
        );
    }
}
