//! The schema of the database: collections, validators and indexes, by version.
//!
//! A migration lists collections as they are from a version on. Applying one creates what is
//! missing and replaces validators; each step does nothing where it is done already, and the version
//! is only ever raised. So it may be run again, run by two at once, and go on where one that died
//! stopped, without a lock that somebody would have to break.
//!
//! Whoever uses the database checks its version once, with the first call and not when it is made:
//! a function that starts needs no network for it.

use std::time::Duration;

use export_ports::{PortError, PortErrorKind};
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::Error;
use tokio::sync::OnceCell;

use crate::call::{collection, finished};
use crate::failure::{code, failed, is_there};
use crate::state::collections;

/// Where the version is kept.
pub(crate) const MIGRATIONS: &str = "export_migrations";
/// The `_id` of the document that says it.
const NAME: &str = "run-state";

/// What each version brings; the first is version 1.
const VERSIONS: &[fn() -> Vec<CollectionSchema>] = &[collections::version_1];

/// How often a step is tried again that another migration is in the way of.
const ATTEMPTS: u32 = 8;
/// Server codes that say so: `WriteConflict`, `ConflictingOperationInProgress`,
/// `BackgroundOperationInProgressForNamespace`.
const IN_THE_WAY: [i32; 3] = [112, 117, 12_587];

/// A collection as it is from a version on.
pub(crate) struct CollectionSchema {
    pub(crate) name: &'static str,
    /// A `$jsonSchema`.
    pub(crate) schema: Document,
    /// As `createIndexes` takes them.
    pub(crate) indexes: Vec<Document>,
}

/// Brings the database to the schema of this program. Safe to run again, and by several at once.
///
/// # Errors
/// `Newer` when a newer program has been here; when the database cannot be reached or refuses.
pub async fn migrate(database: &Database) -> Result<(), PortError> {
    let database = database.clone();
    let doing = "migrating the database";
    finished(doing, async move {
        let stored = stored(&database).await?;
        for (index, collections) in VERSIONS.iter().enumerate().skip(stored) {
            for wanted in collections() {
                apply(&database, wanted).await?;
            }
            let version = number(index + 1);
            let change = doc! {
                "$max": { "version": version },
                "$currentDate": { "at": true },
            };
            collection(&database, MIGRATIONS)
                .update_one(doc! { "_id": NAME }, change)
                .upsert(true)
                .await
                .map_err(|error| failed(doing, error))?;
            tracing::info!(version, "the database was migrated");
        }
        crate::ledger::migrate(&database).await
    })
    .await?
}

/// Whether the database has the schema that this program needs.
///
/// # Errors
/// `Newer` when a newer program has been here; `Unavailable` when it has not been migrated yet, or
/// cannot be reached.
pub async fn check(database: &Database) -> Result<(), PortError> {
    let database = database.clone();
    let stored = finished("asking for the version of the database", async move {
        stored(&database).await
    })
    .await??;
    if stored < VERSIONS.len() {
        return Err(PortError::because(
            PortErrorKind::Unavailable,
            "opening the database",
            format!(
                "its schema has version {stored} and this program needs {}; migrate it first",
                VERSIONS.len()
            ),
        ));
    }
    Ok(())
}

/// Whether the version was checked already.
#[derive(Default)]
pub(crate) struct Checked(OnceCell<()>);

impl Checked {
    /// Checks it, unless that was done.
    pub(crate) async fn once(&self, database: &Database) -> Result<(), PortError> {
        self.0.get_or_try_init(|| check(database)).await.copied()
    }
}

/// The version that is stored: 0 where there is none.
async fn stored(database: &Database) -> Result<usize, PortError> {
    let doing = "asking for the version of the database";
    let found = collection(database, MIGRATIONS)
        .find_one(doc! { "_id": NAME })
        .await
        .map_err(|error| failed(doing, error))?;
    let Some(found) = found else { return Ok(0) };
    let version = match found.get("version") {
        Some(Bson::Int64(version)) => usize::try_from(*version).ok(),
        Some(Bson::Int32(version)) => usize::try_from(*version).ok(),
        _ => None,
    };
    let Some(version) = version else {
        return Err(PortError::because(
            PortErrorKind::Damaged,
            format!("reading document {NAME} of {MIGRATIONS}"),
            "it holds no version",
        ));
    };
    if version > VERSIONS.len() {
        return Err(PortError::because(
            PortErrorKind::Newer,
            "opening the database",
            format!(
                "its schema has version {version} and this program knows {}",
                VERSIONS.len()
            ),
        ));
    }
    Ok(version)
}

async fn apply(database: &Database, wanted: CollectionSchema) -> Result<(), PortError> {
    let name = wanted.name;
    let validator = doc! { "$jsonSchema": wanted.schema };
    let doing = format!("creating collection {name}");
    match command(database, doc! { "create": name }).await {
        Err(error) if !is_there(&error) => return Err(failed(doing, error)),
        _ => {}
    }
    let change = doc! {
        "collMod": name,
        "validator": validator,
        "validationLevel": "strict",
        "validationAction": "error",
    };
    command(database, change)
        .await
        .map_err(|error| failed(format!("setting the validator of {name}"), error))?;
    if !wanted.indexes.is_empty() {
        let indexes = doc! { "createIndexes": name, "indexes": wanted.indexes };
        command(database, indexes)
            .await
            .map_err(|error| failed(format!("creating the indexes of {name}"), error))?;
    }
    Ok(())
}

/// Runs a command that does nothing where it was done before; waits for whoever is in the way.
async fn command(database: &Database, mut command: Document) -> Result<(), Error> {
    command.insert("writeConcern", doc! { "w": "majority" });
    let mut attempt = 0;
    loop {
        match database.run_command(command.clone()).await {
            Err(error)
                if attempt < ATTEMPTS
                    && code(&error).is_some_and(|code| IN_THE_WAY.contains(&code)) =>
            {
                tokio::time::sleep(Duration::from_millis(20 << attempt)).await;
                attempt += 1;
            }
            other => return other.map(|_| ()),
        }
    }
}

fn number(version: usize) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
