#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;

use rusqlite::Connection;

use crate::layer::{LayerKind, UnpackLimits, unpack};
use crate::row::{JavaRow, Rows, Unmapped};
use crate::summary::JavaSummary;
use crate::test_rows::{jar, unmapped, write_run};
use crate::{Summary, assemble_java};

struct Index {
    folder: tempfile::TempDir,
    database: PathBuf,
    layer: Vec<u8>,
    summary: JavaSummary,
}

fn index(java: Vec<JavaRow>, budget: usize) -> Index {
    let folder = tempfile::tempdir().unwrap();
    let rows = Rows {
        java,
        unmapped: vec![unmapped(Unmapped::BadDigest, "sbom", "xyz")],
        modified: Some("2024-06-01T12:00:00Z".to_owned()),
        ..Rows::default()
    };
    let run = write_run(&folder.path().join("a.run"), vec![rows], budget);
    let assembled = assemble_java(&[run], folder.path(), &|| true).unwrap();
    let layer = std::fs::read(&assembled.files[0].stored).unwrap();
    let cache = folder.path().join("cache");
    let unpacked = unpack(
        LayerKind::Java,
        layer.as_slice(),
        &cache,
        UnpackLimits::default(),
    )
    .unwrap();
    let Summary::Java(summary) = assembled.summary else {
        unreachable!()
    };
    Index {
        folder,
        database: unpacked.database,
        layer,
        summary,
    }
}

fn jars() -> Vec<JavaRow> {
    let mut sources = jar(1, "a.first", "sources", "1");
    sources.classified = true;
    vec![
        jar(3, "org.b", "lib", "2.0"),
        sources,
        jar(1, "org.z", "whole", "1"),
        jar(2, "org.b", "lib", "1.0"),
        jar(2, "org.c", "copy", "1.0"),
        jar(4, "org.a", "lib", "1.0"),
    ]
}

type Line = (i64, String, String, String, Vec<u8>, String);

fn lines(index: &Index) -> Vec<Line> {
    let connection = Connection::open(&index.database).unwrap();
    let mut query = connection
        .prepare(
            "SELECT a.id, group_id, a.artifact_id, version, sha1, archive_type
             FROM indices i JOIN artifacts a ON a.id = i.artifact_id ORDER BY i.rowid",
        )
        .unwrap();
    let rows = query
        .query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn jars_are_in_order_and_digests_once() {
    let index = index(jars(), 1 << 20);
    let line = |id, group: &str, artifact: &str, version: &str, digest| {
        let texts = (group.to_owned(), artifact.to_owned(), version.to_owned());
        (
            id,
            texts.0,
            texts.1,
            texts.2,
            vec![digest; 20],
            "jar".to_owned(),
        )
    };
    assert_eq!(
        lines(&index),
        [
            line(1, "org.a", "lib", "1.0", 4),
            line(2, "org.b", "lib", "1.0", 2),
            line(2, "org.b", "lib", "2.0", 3),
            line(3, "org.z", "whole", "1", 1),
        ]
    );
    let summary = &index.summary;
    assert_eq!((summary.artifacts, summary.jars), (3, 4));
    assert_eq!(summary.superseded, 2);
    assert_eq!(summary.unmapped["bad_digest"], 1);
}

#[test]
fn the_file_is_one_that_any_sqlite_opens() {
    let index = index(jars(), 1 << 20);
    let bytes = std::fs::read(&index.database).unwrap();
    assert_eq!(&bytes[..16], b"SQLite format 3\0");
    // Pages of 4096 bytes; no write-ahead log.
    assert_eq!(bytes[16..20], [0x10, 0, 1, 1]);
    let connection = Connection::open(&index.database).unwrap();
    let check: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    let mut query = connection
        .prepare("SELECT sql FROM sqlite_schema ORDER BY rowid")
        .unwrap();
    let schema: Vec<String> = query
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        schema,
        [
            "CREATE TABLE artifacts(id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT)",
            "CREATE TABLE indices(artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT, foreign key (artifact_id) references artifacts(id))",
            "CREATE UNIQUE INDEX artifacts_idx ON artifacts(artifact_id, group_id)",
            "CREATE INDEX indices_artifact_idx ON indices(artifact_id)",
            "CREATE UNIQUE INDEX indices_sha1_idx ON indices(sha1)",
        ]
    );
    let metadata = index.folder.path().join("cache/java-db/metadata.json");
    assert_eq!(
        std::fs::read_to_string(metadata).unwrap(),
        r#"{"Version":1,"NextUpdate":"2024-06-04T12:00:00Z","UpdatedAt":"2024-06-01T12:00:00Z","DownloadedAt":"0001-01-01T00:00:00Z"}"#
    );
}

#[test]
fn many_jars_in_any_order_give_the_same_bytes() {
    let many: Vec<JavaRow> = (0..3_000_u32)
        .map(|number| {
            let group = format!("org.g{}", number % 70);
            let mut row = jar(0, &group, &format!("a{}", number % 11), &number.to_string());
            row.sha1[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_le_bytes());
            row
        })
        .collect();
    let backwards: Vec<JavaRow> = many.iter().rev().cloned().collect();
    let one = index(many, 1 << 20);
    let other = index(backwards, 10_000);
    assert_eq!(one.layer, other.layer);
    assert_eq!(one.summary.jars, 3_000);
}

#[test]
fn of_no_jars_there_is_an_index_that_opens() {
    let index = index(Vec::new(), 1 << 20);
    assert_eq!(lines(&index), []);
}
