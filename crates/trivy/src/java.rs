//! `trivy:java-db`: from sorted runs to the payload's files.
//!
//! The index of jars is an `SQLite` database. Its bytes are a function of the rows, for one version of
//! `SQLite`: rows are inserted in order, indexes are made after that, and what is shipped is a copy
//! that `VACUUM INTO` wrote page by page.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use time::Duration;

use crate::TrivyError;
use crate::assembled::{Assembled, Summary, summary_file};
use crate::db::remove;
use crate::layer::{self, LayerKind};
use crate::listing::Listing;
use crate::merge::{Merge, Proceed};
use crate::metadata::{JAVA_SCHEMA, Metadata};
use crate::runs::encode::Kind;
use crate::runs::key::Fields;
use crate::runs::{Scratch, ScratchSorter};
use crate::settle::open_runs;
use crate::summary::JavaSummary;

/// For how long a scanner takes the index for fresh; upstream's own.
const FRESH_FOR: Duration = Duration::days(3);
/// Bytes of rows that the sorter keeps.
const SORT_BYTES: usize = 8 * 1024 * 1024;

/// How the file is built: nobody else reads it, and a failed one is thrown away.
const PRAGMAS: &str =
    "PRAGMA page_size = 4096; PRAGMA encoding = 'UTF-8'; PRAGMA auto_vacuum = NONE;
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA cache_size = -32000; PRAGMA temp_store = FILE;";
/// The schema of `aquasecurity/trivy-java-db`, `pkg/db`.
const TABLES: &str = "CREATE TABLE artifacts(id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT);
CREATE TABLE indices(artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT, foreign key (artifact_id) references artifacts(id));";
const INDEXES: &str = "CREATE UNIQUE INDEX artifacts_idx ON artifacts(artifact_id, group_id);
CREATE INDEX indices_artifact_idx ON indices(artifact_id);
CREATE UNIQUE INDEX indices_sha1_idx ON indices(sha1);";

/// Makes `payload/javadb.tar`, `payload/summary.json` and `payload/unmapped.jsonl` of runs that
/// [`crate::runs::RunWriter`] wrote.
///
/// Of the coordinates that claim one digest, those without a classifier are taken first, then the
/// smallest by group, artifact and version. For `scratch` and `proceed`, see
/// [`crate::assemble_database`].
///
/// # Errors
/// As [`crate::assemble_database`]; [`TrivyError::Sqlite`] in place of [`TrivyError::Bolt`].
pub fn assemble_java(
    runs: &[PathBuf],
    scratch: &Path,
    proceed: &dyn Fn() -> bool,
) -> Result<Assembled, TrivyError> {
    let (modified, chunks) = open_runs(runs)?;
    let mut summary = JavaSummary::default();
    let mut merge = Merge::open(chunks, scratch, "runs", proceed)?;
    let mut listing = Listing::create(scratch)?;
    let mut jars = Jars::create(scratch)?;
    while let Some((key, _)) = merge.next()? {
        match Kind::of(key).ok_or(TrivyError::Row)? {
            Kind::Java => jars.push(key, &mut summary)?,
            Kind::Unmapped => listing.push(key)?,
            Kind::Advisory | Kind::Repository | Kind::Detail | Kind::Vex => {}
        }
    }
    drop(merge);
    let (unmapped, reasons) = listing.finish()?;
    summary.unmapped = reasons;
    let jars = jars.sorted.finish()?;
    let database = scratch.join(LayerKind::Java.member());
    write(&jars, &database, scratch, &mut summary, proceed)?;
    drop(jars);

    let metadata = Metadata::new(JAVA_SCHEMA, modified.as_deref(), FRESH_FOR)?;
    let (layer, members) = layer::write(
        LayerKind::Java,
        &database,
        &metadata.to_bytes()?,
        scratch.join(LayerKind::Java.file_name()),
        summary.jars,
        proceed,
    )?;
    remove(&database, proceed)?;
    summary.schema_version = JAVA_SCHEMA;
    summary.members = members;
    let files = vec![layer, summary_file(scratch, &summary)?, unmapped];
    Ok(Assembled {
        files,
        summary: Summary::Java(summary),
    })
}

/// Takes rows by digest, and keeps the first of each.
struct Jars {
    digest: Option<[u8; 20]>,
    /// The coordinates that were taken, or left out last, as they stand in keys.
    coordinates: Vec<u8>,
    /// By group, artifact, version and digest.
    sorted: ScratchSorter,
}

impl Jars {
    fn create(scratch: &Path) -> Result<Self, TrivyError> {
        Ok(Self {
            digest: None,
            coordinates: Vec::new(),
            sorted: ScratchSorter::create(scratch.join("jars.rows"), SORT_BYTES)?,
        })
    }

    fn push(&mut self, key: &[u8], summary: &mut JavaSummary) -> Result<(), TrivyError> {
        let mut fields = Fields::new(key, 1);
        let digest: [u8; 20] = fields.bytes().ok_or(TrivyError::Row)?;
        let [_classified] = fields.bytes().ok_or(TrivyError::Row)?;
        let from = fields.position();
        for _ in 0..3 {
            fields.skip().ok_or(TrivyError::Row)?;
        }
        let coordinates = key.get(from..fields.position()).unwrap_or_default();
        if self.digest == Some(digest) {
            if self.coordinates != coordinates {
                summary.superseded += 1;
                self.coordinates.clear();
                self.coordinates.extend_from_slice(coordinates);
            }
            return Ok(());
        }
        self.digest = Some(digest);
        self.coordinates.clear();
        self.coordinates.extend_from_slice(coordinates);
        let mut row = coordinates.to_vec();
        row.extend_from_slice(&digest);
        self.sorted.push(&row, &[])
    }
}

/// Writes `trivy-java.db` to `path`.
fn write(
    jars: &Scratch,
    path: &Path,
    scratch: &Path,
    summary: &mut JavaSummary,
    proceed: Proceed<'_>,
) -> Result<(), TrivyError> {
    let building = scratch.join("building.sqlite");
    let connection = Connection::open(&building).map_err(TrivyError::sqlite("open"))?;
    let run = |doing, sql: &str| {
        connection
            .execute_batch(sql)
            .map_err(TrivyError::sqlite(doing))
    };
    run("set up", PRAGMAS)?;
    run("set up", "BEGIN")?;
    run("set up", TABLES)?;
    insert(&connection, jars, scratch, summary, proceed)?;
    run("sort", INDEXES)?;
    run("write", "COMMIT")?;
    let target = path.to_str().ok_or_else(|| {
        TrivyError::file("create", path)(std::io::ErrorKind::InvalidFilename.into())
    })?;
    connection
        .execute("VACUUM INTO ?1", [target])
        .map_err(TrivyError::sqlite("copy"))?;
    drop(connection);
    std::fs::remove_file(&building).map_err(TrivyError::file("remove", &building))
}

fn insert(
    connection: &Connection,
    jars: &Scratch,
    scratch: &Path,
    summary: &mut JavaSummary,
    proceed: Proceed<'_>,
) -> Result<(), TrivyError> {
    let inserting = || TrivyError::sqlite("fill");
    let mut artifact = connection
        .prepare("INSERT INTO artifacts(id, group_id, artifact_id) VALUES (?1, ?2, ?3)")
        .map_err(inserting())?;
    let mut index = connection
        .prepare(
            "INSERT INTO indices(artifact_id, version, sha1, archive_type)
             VALUES (?1, ?2, ?3, 'jar')",
        )
        .map_err(inserting())?;
    let mut rows = Merge::open(jars.chunks(), scratch, "jars-merge", proceed)?;
    let mut last = (String::new(), String::new());
    let mut id = 0_i64;
    while let Some((key, _)) = rows.next()? {
        let mut fields = Fields::new(key, 0);
        let mut text = || fields.text().ok_or(TrivyError::Row);
        let (pair, version) = ((text()?, text()?), text()?);
        let digest: [u8; 20] = fields.bytes().ok_or(TrivyError::Row)?;
        if id == 0 || pair != last {
            id += 1;
            summary.artifacts += 1;
            artifact
                .execute((id, &pair.0, &pair.1))
                .map_err(inserting())?;
            last = pair;
        }
        summary.jars += 1;
        index
            .execute((id, &version, digest.as_slice()))
            .map_err(inserting())?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "java_tests.rs"]
mod tests;
