//! One SQLite file: how it is opened, migrated, written and read.
//!
//! One connection writes, a few read; each call runs on a blocking thread and is one transaction.
//! Writers begin with `BEGIN IMMEDIATE`, so that two processes queue for the write lock instead of
//! failing in the middle. `synchronous = FULL` in WAL mode makes every commit durable. Memory is
//! bounded by small page caches and no memory map: a mapped file counts as resident memory.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use export_ports::{PortError, PortErrorKind};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::Semaphore;

use crate::failure::{Failure, io_failed, sql_failed, task_failed};

/// How long a call waits for another process's write.
const BUSY: Duration = Duration::from_secs(30);
/// Most connections that read one file.
const READERS: usize = 4;
/// Prepared statements kept by each connection.
const STATEMENTS: usize = 48;

/// What a file must look like.
pub(crate) struct Schema {
    /// What the file holds, for messages.
    pub(crate) what: &'static str,
    /// SQLite's `application_id`, by which a file is known to be one of ours.
    pub(crate) application_id: i32,
    /// Statements that bring version `i` to version `i + 1`.
    pub(crate) migrations: &'static [&'static str],
    /// Page size in bytes; fixed when the file is made.
    pub(crate) page_size: u32,
    /// Page cache of the writing connection, in KiB.
    pub(crate) writer_cache: u32,
    /// Page cache of each reading connection, in KiB.
    pub(crate) reader_cache: u32,
    /// Pages in the log before it is folded into the file.
    pub(crate) checkpoint_pages: u32,
}

/// One SQLite file. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    schema: &'static Schema,
    writer: Mutex<Connection>,
    /// Waiting for the writer happens here, where it costs no thread.
    turn: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    readers: Arc<Semaphore>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic rolled its transaction back, so what the mutex guards is sound.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// Opens the file, and makes or migrates it where needed. Blocks. The caller makes sure that
    /// one process at a time does this in one home.
    pub(crate) fn open(path: &Path, schema: &'static Schema) -> Result<Self, PortError> {
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match created {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io_failed("creating", path, error)),
        }
        let mut writer = connect(path, schema, schema.writer_cache)
            .map_err(|error| sql_failed("opening tables", path, error))?;
        prepare_file(&mut writer, schema, path)
            .map_err(|failure| failure.within("opening", path))?;
        if writer
            .is_readonly(rusqlite::MAIN_DB)
            .map_err(|error| sql_failed("opening", path, error))?
        {
            return Err(PortError::new(
                PortErrorKind::ReadOnly,
                format!("opening {}", path.display()),
            ));
        }
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                schema,
                writer: Mutex::new(writer),
                turn: Arc::new(Semaphore::new(1)),
                idle: Mutex::new(Vec::new()),
                readers: Arc::new(Semaphore::new(READERS)),
            }),
        })
    }

    /// Runs `work` in one transaction that writes: all of it is durable, or none of it happened.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, PortError> {
        self.write_then(doing, work, |value| value).await
    }

    /// The same; what became durable goes through `then` also where the caller has gone meanwhile.
    pub(crate) async fn write_then<T, U: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
        then: impl FnOnce(T) -> U + Send + 'static,
    ) -> Result<U, PortError> {
        let turn = acquire(&self.inner.turn, doing).await?;
        let store = self.clone();
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            store.write_here(doing, work).map(then)
        })
        .await
        .map_err(|error| task_failed(doing, error))?
    }

    /// Runs `work` in one transaction that writes, on this thread.
    pub(crate) fn write_here<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, PortError> {
        let mut connection = locked(&self.inner.writer);
        let outcome = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Failure::from)
            .and_then(|transaction| {
                let value = work(&transaction)?;
                transaction.commit()?;
                Ok(value)
            });
        outcome.map_err(|failure| failure.within(doing, &self.inner.path))
    }

    /// A number that changes when another process has committed something: `data_version` of the
    /// connection that makes every write of this process.
    pub(crate) async fn changes_of_others(&self) -> Result<i64, PortError> {
        let doing = "looking for changes";
        let turn = acquire(&self.inner.turn, doing).await?;
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            locked(&inner.writer)
                .query_row("PRAGMA data_version", [], |row| row.get(0))
                .map_err(|error| sql_failed(doing, &inner.path, error))
        })
        .await
        .map_err(|error| task_failed(doing, error))?
    }

    /// Runs `work` on one unchanging state of the file.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, PortError> {
        let permit = acquire(&self.inner.readers, doing).await?;
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let idle = locked(&inner.idle).pop();
            let outcome = idle
                .map_or_else(|| inner.reader(), Ok)
                .map_err(Failure::from)
                .and_then(|connection| {
                    let value = {
                        let transaction = connection.unchecked_transaction()?;
                        work(&transaction)?
                    };
                    locked(&inner.idle).push(connection);
                    Ok(value)
                });
            outcome.map_err(|failure| failure.within(doing, &inner.path))
        })
        .await
        .map_err(|error| task_failed(doing, error))?
    }
}

impl Inner {
    fn reader(&self) -> rusqlite::Result<Connection> {
        let connection = connect(&self.path, self.schema, self.schema.reader_cache)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

async fn acquire(
    semaphore: &Arc<Semaphore>,
    doing: &'static str,
) -> Result<tokio::sync::OwnedSemaphorePermit, PortError> {
    Arc::clone(semaphore)
        .acquire_owned()
        .await
        .map_err(|error| PortError::because(PortErrorKind::Unavailable, doing, error))
}

fn connect(path: &Path, schema: &Schema, cache: u32) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -i64::from(cache))?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "wal_autocheckpoint", schema.checkpoint_pages)?;
    // After a checkpoint the log shrinks back to this.
    let log = i64::from(schema.checkpoint_pages) * i64::from(schema.page_size);
    connection.pragma_update(None, "journal_size_limit", log)?;
    Ok(connection)
}

fn prepare_file(connection: &mut Connection, schema: &Schema, path: &Path) -> Result<(), Failure> {
    let number = |connection: &Connection, sql: &str| -> rusqlite::Result<i64> {
        connection.query_row(sql, [], |row| row.get(0))
    };
    let known = schema.migrations.len();
    let application = number(connection, "PRAGMA application_id")?;
    let tables = number(connection, "SELECT count(*) FROM sqlite_schema")?;
    let fresh = application == 0 && tables == 0;
    if !fresh && application != i64::from(schema.application_id) {
        return Err(Failure::Damaged(format!(
            "it is not an Export Center {}",
            schema.what
        )));
    }
    if fresh {
        // Both only take effect while the file is empty.
        connection.pragma_update(None, "page_size", schema.page_size)?;
        connection.pragma_update(None, "auto_vacuum", "NONE")?;
    }
    let version = number(connection, "PRAGMA user_version")?;
    if version > i64::try_from(known).unwrap_or(i64::MAX) {
        return Err(Failure::Port(PortError::because(
            PortErrorKind::Newer,
            format!("opening {}", path.display()),
            format!("it has schema version {version}; this program knows versions up to {known}"),
        )));
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = usize::try_from(number(&transaction, "PRAGMA user_version")?).unwrap_or(known);
    for (done, migration) in schema.migrations.iter().enumerate().skip(version) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(
            None,
            "user_version",
            i64::try_from(done + 1).unwrap_or(i64::MAX),
        )?;
    }
    transaction.pragma_update(None, "application_id", schema.application_id)?;
    transaction.commit()?;
    Ok(())
}
