//! Calls of the driver.
//!
//! A future of the driver that is dropped half-way leaves a connection with an answer that nobody
//! has read, or a write of which nobody knows whether it was made. Callers of a port are cancelled
//! all the time (a client that hangs up, a step that lost its lease), so every call runs in a task
//! of its own, and only the waiting for it is given up.

use std::future::Future;

use export_ports::{PortError, PortErrorKind};
use mongodb::bson::Document;
use mongodb::error::Error;
use mongodb::options::{
    Acknowledgment, CollectionOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern,
};
use mongodb::{Collection, Database};

use crate::failure::failed;

/// Makes a call, whole.
pub(crate) async fn whole<T: Send + 'static>(
    doing: &str,
    call: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, PortError> {
    finished(doing, call)
        .await?
        .map_err(|error| failed(doing, error))
}

/// Runs something to its end, and gives what it gives.
pub(crate) async fn finished<T: Send + 'static>(
    doing: &str,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, PortError> {
    tokio::spawn(work)
        .await
        .map_err(|error| PortError::because(PortErrorKind::Unavailable, doing, error))
}

/// What every write is acknowledged by, whatever the connection string says: a promise of the ports.
pub(crate) fn durable() -> WriteConcern {
    WriteConcern::builder()
        .w(Acknowledgment::Majority)
        .journal(true)
        .build()
}

/// A collection, read where it is written.
pub(crate) fn collection(database: &Database, name: &str) -> Collection<Document> {
    let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
    let options = CollectionOptions::builder()
        .write_concern(durable())
        .read_concern(ReadConcern::majority())
        .selection_criteria(primary)
        .build();
    database.collection_with_options(name, options)
}
