//! The real scanner opens what is built here, in a network namespace with nothing in it.
//!
//! `TRIVY` names its program. Rows are made by hand; what the scanner has to find is said beside them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use export_trivy::layer::{LayerKind, UnpackLimits, unpack};
use export_trivy::row::{
    Advisory, AdvisoryRow, AdvisoryValue, DataSource, Detail, DetailRow, JavaRow, RedHatEntry,
    RepositoryRow, Rows, VexRow,
};
use export_trivy::runs::RunWriter;
use export_trivy::{Assembled, assemble_database, assemble_java};
use serde_json::{Value, json};

/// The program, or why nothing can be tried.
fn trivy() -> Result<OsString, &'static str> {
    let program = std::env::var_os("TRIVY").ok_or("TRIVY does not name it")?;
    let alone = Command::new("unshare").args(["-rn", "true"]).status();
    if alone.is_ok_and(|status| status.success()) {
        Ok(program)
    } else {
        Err("unshare cannot make a network namespace")
    }
}

macro_rules! trivy_or_skip {
    () => {
        match trivy() {
            Ok(program) => program,
            Err(why) => {
                println!("skipped: trivy: {why}");
                return;
            }
        }
    };
}

fn advisory(
    bucket: &str,
    feed: &str,
    package: &str,
    id: &str,
    value: AdvisoryValue,
) -> AdvisoryRow {
    AdvisoryRow {
        ecosystem: bucket.split("::").next().unwrap().to_owned(),
        bucket: bucket.to_owned(),
        package: package.to_owned(),
        id: id.to_owned(),
        data_source: DataSource {
            id: feed.to_owned(),
            name: bucket.to_owned(),
            url: "https://feeds.test/".to_owned(),
        },
        precedence: 10,
        record: "a record".to_owned(),
        value,
    }
}

fn ranges(vulnerable: &str, patched: &str) -> AdvisoryValue {
    AdvisoryValue::Plain(Advisory {
        vulnerable_versions: vec![vulnerable.to_owned()],
        patched_versions: vec![patched.to_owned()],
        ..Advisory::default()
    })
}

fn fixed(version: &str) -> AdvisoryValue {
    AdvisoryValue::Plain(Advisory {
        fixed_version: version.to_owned(),
        vendor_ids: vec!["DSA-1-1".to_owned()],
        ..Advisory::default()
    })
}

fn detail(id: &str, source: &str, severity: u8) -> DetailRow {
    DetailRow {
        id: id.to_owned(),
        precedence: 1,
        record: "a record".to_owned(),
        value: Detail {
            title: format!("Title of {id}"),
            vendor_severity: [(source.to_owned(), severity)].into(),
            published_date: Some("2023-05-01T00:00:00Z".to_owned()),
            ..Detail::default()
        },
    }
}

fn rows() -> Rows {
    let pip = "pip::GitHub Security Advisory pip";
    Rows {
        advisories: vec![
            advisory(
                pip,
                "ghsa",
                "requests",
                "CVE-2023-32681",
                ranges(">=2.3.0, <2.31.0", "2.31.0"),
            ),
            advisory(
                pip,
                "ghsa",
                "jinja2",
                "CVE-2024-22195",
                ranges("<3.1.3", "3.1.3"),
            ),
            advisory(
                pip,
                "ghsa",
                "flask",
                "CVE-2023-30861",
                ranges("<2.2.5", "2.2.5"),
            ),
            advisory(
                "npm::Feed",
                "ghsa",
                "flask",
                "CVE-2000-0001",
                ranges(">=0", "99.0.0"),
            ),
            advisory(
                "debian 12",
                "debian",
                "openssl",
                "CVE-2023-5363",
                fixed("3.0.11-1~deb12u2"),
            ),
            advisory(
                "debian 12",
                "debian",
                "curl",
                "CVE-2023-38545",
                fixed("7.88.1-10+deb12u4"),
            ),
            advisory(
                "Red Hat",
                "redhat",
                "openssl-libs",
                "RHSA-2023:0946",
                AdvisoryValue::RedHat(vec![RedHatEntry {
                    fixed_version: "3.0.1-47.el9_1".to_owned(),
                    cpes: ["cpe:/o:redhat:enterprise_linux:9::baseos".to_owned()].into(),
                    cves: vec![("CVE-2023-0286".to_owned(), 3)],
                    ..RedHatEntry::default()
                }]),
            ),
            advisory(
                "maven::Feed",
                "ghsa",
                "org.example:library",
                "CVE-2022-1000",
                ranges("<1.5", "1.5"),
            ),
        ],
        details: vec![
            detail("CVE-2023-32681", "ghsa", 2),
            detail("CVE-2024-22195", "ghsa", 2),
            detail("CVE-2023-30861", "ghsa", 3),
            detail("CVE-2023-5363", "nvd", 3),
            detail("CVE-2023-0286", "redhat", 3),
            detail("CVE-2022-1000", "ghsa", 4),
        ],
        repositories: ["baseos", "appstream"]
            .iter()
            .map(|part| RepositoryRow {
                content_set: format!("rhel-9-for-x86_64-{part}-rpms"),
                cpe: format!("cpe:/o:redhat:enterprise_linux:9::{part}"),
            })
            .collect(),
        vex: vec![VexRow {
            vulnerability: "CVE-2023-32681".to_owned(),
            aliases: Vec::new(),
            product: "pkg:pypi/requests@2.30.0".to_owned(),
            subcomponents: Vec::new(),
            status: "not_affected".to_owned(),
            justification: "vulnerable_code_not_in_execute_path".to_owned(),
            impact_statement: String::new(),
            timestamp: "2024-05-01T10:00:00Z".to_owned(),
            record: "a statement".to_owned(),
        }],
        modified: Some("2024-06-01T12:00:00Z".to_owned()),
        ..Rows::default()
    }
}

struct Scanner {
    program: OsString,
    folder: tempfile::TempDir,
    database: PathBuf,
    vex: PathBuf,
}

fn stored<'a>(assembled: &'a Assembled, path: &str) -> &'a Path {
    let file = assembled.files.iter().find(|file| file.path == path);
    &file.unwrap().stored
}

impl Scanner {
    fn new(program: OsString, java: Vec<JavaRow>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("a.run");
        let mut writer = RunWriter::new(File::create(&run).unwrap(), 1 << 20).unwrap();
        writer.push(Rows { java, ..rows() }).unwrap();
        writer.finish().unwrap();
        let cache = folder.path().join("cache");
        let lay_out = |kind: LayerKind, path: &Path| {
            unpack(
                kind,
                File::open(path).unwrap(),
                &cache,
                UnpackLimits::default(),
            )
            .unwrap()
        };
        let scratch = folder.path().join("scratch");
        fs::create_dir(&scratch).unwrap();
        let built = assemble_database(std::slice::from_ref(&run), &scratch, &|| true).unwrap();
        let unpacked = lay_out(LayerKind::Database, stored(&built, "payload/db.tar"));
        let scratch = folder.path().join("java scratch");
        fs::create_dir(&scratch).unwrap();
        let index = assemble_java(&[run], &scratch, &|| true).unwrap();
        lay_out(LayerKind::Java, stored(&index, "payload/javadb.tar"));
        Self {
            program,
            vex: stored(&built, "payload/vex/openvex.json").to_owned(),
            database: unpacked.database,
            folder,
        }
    }

    fn scan(&self, kind: &str, target: &Path, more: &[&str]) -> (Value, String) {
        let output = Command::new("unshare")
            .arg("-rn")
            .arg(&self.program)
            .args([
                kind,
                "--skip-db-update",
                "--skip-java-db-update",
                "--offline-scan",
            ])
            .args(["--scanners", "vuln", "--format", "json", "--cache-dir"])
            .arg(self.folder.path().join("cache"))
            .args(more)
            .arg(target)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        for complaint in ["matching error", "Unable to get", "Data source error"] {
            assert!(!said.contains(complaint), "{said}");
        }
        (serde_json::from_slice(&output.stdout).unwrap(), said)
    }
}

/// Package, installed version, id, fix, severity, who says so.
type Finding = (String, String, String, String, String, String);

fn findings(report: &Value) -> BTreeSet<Finding> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let results = report["Results"].as_array().cloned().unwrap_or_default();
    results
        .iter()
        .flat_map(|result| {
            result["Vulnerabilities"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .map(|found| {
            (
                text(&found["PkgName"]),
                text(&found["InstalledVersion"]),
                text(&found["VulnerabilityID"]),
                text(&found["FixedVersion"]),
                text(&found["Severity"]),
                text(&found["SeveritySource"]),
            )
        })
        .collect()
}

fn found(list: &[(&str, &str, &str, &str, &str, &str)]) -> BTreeSet<Finding> {
    list.iter()
        .map(|(a, b, c, d, e, f)| {
            let own = |text: &&str| (*text).to_owned();
            (own(a), own(b), own(c), own(d), own(e), own(f))
        })
        .collect()
}

/// A `CycloneDX` document of operating system packages.
fn sbom(path: &Path, family: &str, version: &str, kind: &str, packages: &[(&str, &str)]) {
    let mut components = vec![json!({
        "bom-ref": "os", "type": "operating-system", "name": family, "version": version,
    })];
    for (name, installed) in packages {
        components.push(json!({
            "bom-ref": format!("{name}@{installed}"),
            "type": "library",
            "name": name,
            "version": installed,
            "purl": format!("pkg:{kind}/{family}/{name}@{installed}?arch=x86_64"),
        }));
    }
    let document = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "components": components,
    });
    fs::write(path, document.to_string()).unwrap();
}

#[test]
fn python_packages_are_found_and_statements_hide_them() {
    let scanner = Scanner::new(trivy_or_skip!(), Vec::new());
    let before = fs::read(&scanner.database).unwrap();
    let project = scanner.folder.path().join("project");
    fs::create_dir(&project).unwrap();
    fs::write(
        project.join("requirements.txt"),
        "requests==2.30.0\nJinja2==3.1.2\nFlask==2.2.5\n",
    )
    .unwrap();
    let (report, _) = scanner.scan("fs", &project, &[]);
    let jinja = (
        "Jinja2",
        "3.1.2",
        "CVE-2024-22195",
        "3.1.3",
        "MEDIUM",
        "ghsa",
    );
    let requests = (
        "requests",
        "2.30.0",
        "CVE-2023-32681",
        "2.31.0",
        "MEDIUM",
        "ghsa",
    );
    assert_eq!(findings(&report), found(&[requests, jinja]));

    let vex = scanner.vex.to_str().unwrap();
    let (report, _) = scanner.scan("fs", &project, &["--vex", vex]);
    assert_eq!(findings(&report), found(&[jinja]));
    // The scanner opens the file for writing, and finds nothing to write.
    assert!(before == fs::read(&scanner.database).unwrap());
}

#[test]
fn debian_packages_are_found() {
    let scanner = Scanner::new(trivy_or_skip!(), Vec::new());
    let target = scanner.folder.path().join("debian.cdx.json");
    let packages = [
        ("openssl", "3.0.11-1~deb12u1"),
        ("curl", "7.88.1-10+deb12u4"),
    ];
    sbom(&target, "debian", "12.4", "deb", &packages);
    let (report, _) = scanner.scan("sbom", &target, &[]);
    let openssl = (
        "openssl",
        "3.0.11-1~deb12u1",
        "CVE-2023-5363",
        "3.0.11-1~deb12u2",
        "HIGH",
        "nvd",
    );
    assert_eq!(findings(&report), found(&[openssl]));
    // Another release is another bucket.
    sbom(&target, "debian", "11.4", "deb", &packages);
    let (report, _) = scanner.scan("sbom", &target, &[]);
    assert_eq!(findings(&report), BTreeSet::new());
}

#[test]
fn red_hat_packages_are_found_by_their_products() {
    let scanner = Scanner::new(trivy_or_skip!(), Vec::new());
    let target = scanner.folder.path().join("redhat.cdx.json");
    for (installed, vulnerable) in [("3.0.1-43.el9_0", true), ("3.0.1-47.el9_1", false)] {
        let packages = [("openssl-libs", installed)];
        sbom(&target, "redhat", "9.1", "rpm", &packages);
        let (report, _) = scanner.scan("sbom", &target, &[]);
        let ids: Vec<String> = findings(&report).into_iter().map(|line| line.2).collect();
        let expected: &[&str] = if vulnerable { &["CVE-2023-0286"] } else { &[] };
        assert_eq!(ids, expected, "{installed}");
    }
}

#[test]
fn a_jar_is_known_by_its_digest() {
    let program = trivy_or_skip!();
    // The smallest zip: an end of central directory, and nothing before it.
    let mut jar = b"PK\x05\x06".to_vec();
    jar.resize(22, 0);
    let Ok(sha1) = Command::new("python3")
        .args([
            "-c",
            "import hashlib; print(hashlib.sha1(b'PK\\x05\\x06' + bytes(18)).hexdigest())",
        ])
        .output()
    else {
        println!("skipped: jars: python3 is not installed");
        return;
    };
    let digest = String::from_utf8(sha1.stdout).unwrap();
    let mut row = JavaRow {
        sha1: [0; 20],
        group: "org.example".to_owned(),
        artifact: "library".to_owned(),
        version: "1.4".to_owned(),
        classified: false,
        record: "a document".to_owned(),
    };
    for (byte, pair) in row.sha1.iter_mut().zip(digest.trim().as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    }
    let scanner = Scanner::new(program, vec![row]);
    let root = scanner.folder.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("whatever.jar"), &jar).unwrap();
    let (report, _) = scanner.scan("rootfs", &root, &[]);
    let library = (
        "org.example:library",
        "1.4",
        "CVE-2022-1000",
        "1.5",
        "CRITICAL",
        "ghsa",
    );
    assert_eq!(findings(&report), found(&[library]));
}

#[test]
fn a_damaged_cache_makes_these_tests_fail() {
    let scanner = Scanner::new(trivy_or_skip!(), Vec::new());
    let project = scanner.folder.path().join("project");
    fs::create_dir(&project).unwrap();
    fs::write(project.join("requirements.txt"), "requests==2.30.0\n").unwrap();
    fs::remove_file(&scanner.database).unwrap();
    let (report, _) = scanner.scan("fs", &project, &[]);
    assert_eq!(findings(&report), BTreeSet::new());
}
