//! Rows made by hand, runs of them, and what is in the files that come of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use export_bolt::{Database, Step};
use serde_json::Value;

use crate::layer::{LayerKind, UnpackLimits, unpack};
use crate::row::{
    Advisory, AdvisoryRow, AdvisoryValue, DataSource, Detail, DetailRow, JavaRow, Rows, Unmapped,
    UnmappedRow, VexRow,
};
use crate::runs::RunWriter;
use crate::{Assembled, assemble_database};

pub(crate) const PIP: &str = "pip::GitHub Security Advisory pip";

pub(crate) fn source(id: &str) -> DataSource {
    DataSource {
        id: id.to_owned(),
        name: format!("Feed {id}"),
        url: format!("https://feeds.test/{id}"),
    }
}

/// A row of the feed `ghsa`, of rank 10, in the ecosystem of the bucket.
pub(crate) fn advisory(bucket: &str, package: &str, id: &str, value: Advisory) -> AdvisoryRow {
    AdvisoryRow {
        ecosystem: bucket.split("::").next().unwrap().to_owned(),
        bucket: bucket.to_owned(),
        package: package.to_owned(),
        id: id.to_owned(),
        data_source: source("ghsa"),
        precedence: 10,
        record: format!("record of {package} {id}"),
        value: AdvisoryValue::Plain(value),
    }
}

pub(crate) fn ranges(vulnerable: &[&str], patched: &[&str]) -> Advisory {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    Advisory {
        vulnerable_versions: owned(vulnerable),
        patched_versions: owned(patched),
        ..Advisory::default()
    }
}

pub(crate) fn fixed(version: &str) -> Advisory {
    Advisory {
        fixed_version: version.to_owned(),
        ..Advisory::default()
    }
}

pub(crate) fn detail(id: &str, precedence: u16, value: Detail) -> DetailRow {
    DetailRow {
        id: id.to_owned(),
        precedence,
        record: format!("record of {id} by {precedence}"),
        value,
    }
}

pub(crate) fn titled(title: &str, severities: &[(&str, u8)]) -> Detail {
    Detail {
        title: title.to_owned(),
        vendor_severity: severities
            .iter()
            .map(|(source, severity)| ((*source).to_owned(), *severity))
            .collect(),
        ..Detail::default()
    }
}

pub(crate) fn not_affected(vulnerability: &str, product: &str) -> VexRow {
    VexRow {
        vulnerability: vulnerability.to_owned(),
        aliases: Vec::new(),
        product: product.to_owned(),
        subcomponents: Vec::new(),
        status: "not_affected".to_owned(),
        justification: "vulnerable_code_not_present".to_owned(),
        impact_statement: String::new(),
        timestamp: "2024-05-01T10:00:00Z".to_owned(),
        record: format!("vex of {vulnerability}"),
    }
}

pub(crate) fn jar(digest: u8, group: &str, artifact: &str, version: &str) -> JavaRow {
    JavaRow {
        sha1: [digest; 20],
        group: group.to_owned(),
        artifact: artifact.to_owned(),
        version: version.to_owned(),
        classified: false,
        record: format!("sbom {digest}"),
    }
}

pub(crate) fn unmapped(reason: Unmapped, record: &str, detail: &str) -> UnmappedRow {
    UnmappedRow {
        reason,
        record: record.to_owned(),
        detail: detail.to_owned(),
    }
}

/// A bit of everything that a database has.
pub(crate) fn small_set() -> Rows {
    Rows {
        advisories: vec![
            advisory(
                PIP,
                "requests",
                "CVE-2023-0001",
                ranges(&[">=2.0, <2.31.0"], &["2.31.0"]),
            ),
            advisory(
                PIP,
                "django",
                "CVE-2023-0002",
                ranges(&["<4.0.4"], &["4.0.4"]),
            ),
            advisory(
                "npm::Feed",
                "requests",
                "CVE-2023-0003",
                ranges(&["<1.0.0"], &["1.0.0"]),
            ),
            advisory("debian 12", "openssl", "CVE-2023-0004", fixed("3.0.11-1")),
        ],
        details: vec![
            detail(
                "CVE-2023-0001",
                5,
                titled("one", &[("ghsa", 2), ("nvd", 3)]),
            ),
            detail("CVE-2023-0002", 5, titled("two", &[("ghsa", 4)])),
            detail("CVE-2023-9999", 5, titled("of nothing", &[("ghsa", 4)])),
        ],
        vex: vec![not_affected("CVE-2023-0002", "pkg:pypi/django@4.0.1")],
        java: vec![jar(7, "org.example", "lib", "1.0")],
        unmapped: vec![unmapped(Unmapped::OnlyGit, "osv:1", "a range of commits")],
        modified: Some("2024-06-01T12:00:00Z".to_owned()),
        ..Rows::default()
    }
}

/// Writes a run of all `parts`, pushed one by one.
pub(crate) fn write_run(path: &Path, parts: Vec<Rows>, budget: usize) -> PathBuf {
    let mut writer = RunWriter::new(File::create(path).unwrap(), budget).unwrap();
    for rows in parts {
        writer.push(rows).unwrap();
    }
    writer.finish().unwrap();
    path.to_owned()
}

/// A folder with one run, and the database that is made of it.
pub(crate) struct Built {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) assembled: Assembled,
}

pub(crate) fn build(rows: Rows) -> Built {
    let folder = tempfile::tempdir().unwrap();
    let run = write_run(&folder.path().join("a.run"), vec![rows], 1 << 20);
    let scratch = folder.path().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let assembled = assemble_database(&[run], &scratch, &|| true).unwrap();
    Built { folder, assembled }
}

impl Built {
    pub(crate) fn stored(&self, path: &str) -> Vec<u8> {
        let file = self.assembled.files.iter().find(|file| file.path == path);
        std::fs::read(&file.unwrap().stored).unwrap()
    }

    /// The path of `trivy.db`, laid out as in a cache.
    pub(crate) fn database(&self) -> PathBuf {
        let layer = self.stored("payload/db.tar");
        let cache = self.folder.path().join("cache");
        unpack(
            LayerKind::Database,
            layer.as_slice(),
            &cache,
            UnpackLimits::default(),
        )
        .unwrap()
        .database
    }

    /// Everything in the database: path of names, and value.
    pub(crate) fn tree(&self) -> BTreeMap<String, Value> {
        tree(&self.database())
    }
}

pub(crate) fn tree(path: &Path) -> BTreeMap<String, Value> {
    let database = Database::open(std::fs::read(path).unwrap()).unwrap();
    assert!(database.check().unwrap().problems.is_empty());
    let mut tree = BTreeMap::new();
    let mut names: Vec<String> = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for step in database.walk() {
        match step.unwrap() {
            Step::Enter { entry, .. } => {
                names.push(text(entry.key()));
                tree.insert(format!("{}/", names.join("/")), Value::Null);
            }
            Step::Leave => {
                names.pop();
            }
            Step::Key(entry) => {
                let path = format!("{}/{}", names.join("/"), text(entry.key()));
                let value = serde_json::from_slice(entry.value().unwrap()).unwrap();
                tree.insert(path, value);
            }
        }
    }
    tree
}
