//! The same rows, the same bytes.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::row::{AdvisoryRow, DetailRow, Rows, Unmapped, UnmappedRow, VexRow};
use crate::test_rows::{
    advisory, build, detail, fixed, not_affected, ranges, small_set, source, titled, unmapped,
    write_run,
};
use crate::{assemble_database, assemble_java};

fn advisories() -> impl Strategy<Value = AdvisoryRow> {
    (
        select(vec![
            "pip::Aaa",
            "pip::Zzz",
            "npm::Aaa",
            "debian 12",
            "alpine 3.18",
        ]),
        select(vec!["a", "b", "a/b", "ä"]),
        select(vec!["CVE-1", "CVE-2", "GHSA-1"]),
        select(vec!["1", "2", "3"]),
        1_u16..4,
        select(vec!["r1", "r2", "r3"]),
        select(vec!["ghsa", "osv"]),
    )
        .prop_map(|(bucket, package, id, version, precedence, record, feed)| {
            let value = if bucket.contains("::") {
                ranges(&[&format!("<{version}")], &[version])
            } else {
                fixed(version)
            };
            AdvisoryRow {
                precedence,
                record: record.to_owned(),
                data_source: source(feed),
                ..advisory(bucket, package, id, value)
            }
        })
}

fn details() -> impl Strategy<Value = DetailRow> {
    (
        select(vec!["CVE-0", "CVE-1", "CVE-2", "CVE-3", "GHSA-1"]),
        1_u16..4,
        select(vec!["", "one", "two"]),
        select(vec!["ghsa", "nvd", "osv"]),
        0_u8..6,
    )
        .prop_map(|(id, precedence, title, source, severity)| {
            detail(id, precedence, titled(title, &[(source, severity)]))
        })
}

fn statements() -> impl Strategy<Value = VexRow> {
    (
        select(vec!["CVE-1", "CVE-2"]),
        select(vec!["pkg:a/b@1", "pkg:a/c@1"]),
    )
        .prop_map(|(vulnerability, product)| not_affected(vulnerability, product))
}

fn unmappable() -> impl Strategy<Value = UnmappedRow> {
    (
        select(vec![Unmapped::OnlyGit, Unmapped::Withdrawn]),
        select(vec!["r1", "r2"]),
    )
        .prop_map(|(reason, record)| unmapped(reason, record, "detail"))
}

/// One row of any kind.
fn rows() -> impl Strategy<Value = Rows> {
    prop_oneof![
        4 => advisories().prop_map(|row| Rows { advisories: vec![row], ..Rows::default() }),
        3 => details().prop_map(|row| Rows { details: vec![row], ..Rows::default() }),
        1 => statements().prop_map(|row| Rows { vex: vec![row], ..Rows::default() }),
        1 => unmappable().prop_map(|row| Rows { unmapped: vec![row], ..Rows::default() }),
        1 => (0_u8..3, any::<bool>(), select(vec!["1", "2"])).prop_map(|(digest, classified, version)| {
            let mut row = crate::test_rows::jar(digest, "g", "a", version);
            row.classified = classified;
            Rows { java: vec![row], ..Rows::default() }
        }),
        1 => select(vec!["2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"]).prop_map(|time| Rows {
            modified: Some(time.to_owned()),
            ..Rows::default()
        }),
    ]
}

type Stored = Vec<(String, Vec<u8>)>;

/// Both payloads, of the rows cut into runs as `to` says.
fn payloads(folder: &Path, rows: &[Rows], to: &[Index], budget: usize) -> Stored {
    let mut parts = vec![Vec::new(), Vec::new(), Vec::new()];
    for (rows, to) in rows.iter().zip(to) {
        let part = to.index(parts.len());
        parts[part].push(rows.clone());
    }
    let runs: Vec<_> = parts
        .into_iter()
        .enumerate()
        .map(|(part, rows)| write_run(&folder.join(format!("{part}.run")), rows, budget))
        .collect();
    let mut stored = Stored::new();
    for (name, assemble) in [
        ("db", assemble_database as fn(_: &[_], _: &_, _: &_) -> _),
        ("java", assemble_java),
    ] {
        let scratch = folder.join(name);
        std::fs::create_dir(&scratch).unwrap();
        let files = assemble(&runs, &scratch, &|| true).unwrap().files;
        // What was needed on the way is gone.
        let left = std::fs::read_dir(&scratch).unwrap().count();
        assert_eq!(left, files.len());
        for file in files {
            let bytes = std::fs::read(&file.stored).unwrap();
            assert_eq!(bytes.len() as u64, file.size);
            stored.push((file.path, bytes));
        }
    }
    stored
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn neither_cutting_nor_order_is_in_the_bytes(
        (one, other) in prop::collection::vec(rows(), 0..60)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        to in prop::collection::vec(any::<Index>(), 60),
        again in prop::collection::vec(any::<Index>(), 60),
        budget in 200_usize..4_000,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let second = folder.path().join("second");
        std::fs::create_dir(&second).unwrap();
        let first = payloads(folder.path(), &one, &to, 1 << 20);
        prop_assert_eq!(first, payloads(&second, &other, &again, budget));
    }
}

#[test]
fn golden() {
    let built = build(small_set());
    let digests: Vec<_> = built
        .assembled
        .files
        .iter()
        .map(|file| {
            (
                file.path.as_str(),
                hex::encode(file.content_sha256),
                hex::encode(file.sha256),
            )
        })
        .collect();
    let golden = include_str!("golden.txt");
    let text: String = digests
        .iter()
        .map(|(path, content, stored)| format!("{path} {content} {stored}\n"))
        .collect();
    assert_eq!(text, golden);
}
