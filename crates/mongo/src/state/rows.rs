//! Rows as documents.
//!
//! A document is `_id`, the columns that questions and validators look at, `rev`, and `row`: the row
//! itself as its JSON form, as native BSON. A row is read back from `row` alone, and must then give
//! the same `_id` and columns again; a document that does not, or whose row has no meaning, was
//! changed by somebody else and is reported, never guessed at.

use export_model::{
    Distribution, DistributionStatus, Event, Mark, MarkKey, Part, Profile, Run, RunKey, Schedule,
    ScheduleId, Slots, Tenant, Timestamp, Work, WorkId,
};
use export_ports::{PortError, PortErrorKind};
use mongodb::bson::{Bson, DateTime, Document, doc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::collections::{
    DISTRIBUTIONS, EVENTS, MARKS, PARTS, PROFILES, RUNS, SCHEDULES, SLOTS, WORK,
};
use crate::document::{to_document, to_object};

/// A type of row.
pub(super) trait Stored: Serialize + DeserializeOwned + Send + 'static {
    /// Where its documents are.
    const COLLECTION: &'static str;

    /// The `_id` of its document.
    fn id(&self) -> String;

    /// What to call it in messages.
    fn name(&self) -> String;

    /// What questions and validators look at, without `rev`. What there is none of is left out.
    fn columns(&self) -> Document;

    /// The version that it has; none for rows that never change.
    fn rev(&self) -> Option<u64>;
}

/// The document of `row` after it is written: one version on.
pub(super) fn document<T: Stored>(row: &T) -> Result<Document, PortError> {
    let invalid = |cause: String| {
        let doing = format!("writing {}", row.name());
        PortError::because(PortErrorKind::Invalid, doing, cause)
    };
    let mut document = doc! { "_id": row.id() };
    document.extend(row.columns());
    if let Some(rev) = row.rev() {
        document.insert("rev", number(rev.saturating_add(1)));
    }
    let Ok(Value::Object(mut members)) = serde_json::to_value(row) else {
        return Err(invalid("it has no JSON form".to_owned()));
    };
    members.remove("rev");
    document.insert("row", to_document(members).map_err(invalid)?);
    Ok(document)
}

/// The row in `document`.
///
/// # Errors
/// `Damaged` when it is not one that was written by [`document`].
pub(super) fn parse<T: Stored>(mut document: Document) -> Result<T, PortError> {
    match read::<T>(&mut document) {
        Ok(row) => Ok(row),
        Err(cause) => Err(damaged(T::COLLECTION, &document, cause)),
    }
}

/// That a document cannot be read back.
pub(super) fn damaged(collection: &str, document: &Document, cause: String) -> PortError {
    let id = document.get("_id").map_or_else(String::new, |id| match id {
        Bson::String(id) => id.clone(),
        other => other.to_string(),
    });
    PortError::because(
        PortErrorKind::Damaged,
        format!("reading document {id} of {collection}"),
        cause,
    )
}

fn read<T: Stored>(document: &mut Document) -> Result<T, String> {
    let Some(Bson::Document(members)) = document.remove("row") else {
        return Err("it has no `row`".to_owned());
    };
    let mut members = to_object(members)?;
    match document.get("rev") {
        Some(Bson::Int64(rev)) => {
            members.insert("rev".to_owned(), Value::from(*rev));
        }
        Some(_) => return Err("its `rev` is no 64-bit integer".to_owned()),
        None => {}
    }
    let row: T =
        serde_json::from_value(Value::Object(members)).map_err(|error| error.to_string())?;
    if row.rev().is_some() && !document.contains_key("rev") {
        return Err("it has no `rev`".to_owned());
    }
    if document.get_str("_id").ok() != Some(row.id().as_str()) {
        return Err("its `row` has another key than its `_id`".to_owned());
    }
    for (name, expected) in row.columns() {
        if document.get(&name) != Some(&expected) {
            return Err(format!("its `{name}` is not that of its `row`"));
        }
    }
    Ok(row)
}

/// A version or a count as BSON holds it.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn date(time: Timestamp) -> DateTime {
    DateTime::from_millis(time.0)
}

/// The `_id`s that begin with `prefix`, which ends with `/` or `:`: from it up to, but without, what
/// begins with the next character.
pub(super) fn within(prefix: &str) -> Document {
    let mut end = prefix.to_owned();
    match end.pop() {
        Some('/') => end.push('0'),
        Some(':') => end.push(';'),
        other => end.extend(other),
    }
    doc! { "$gte": prefix, "$lt": end }
}

/// The prefix of everything in a run. Names of tenants and runs have no `/`.
pub(super) fn prefix(run: &RunKey) -> String {
    format!("{}/{}/", run.tenant, run.run)
}

pub(super) fn run_id(run: &RunKey) -> String {
    format!("{}/{}", run.tenant, run.run)
}

/// Of parts and targets. Ten digits, so that they sort by number.
pub(super) fn numbered(run: &RunKey, index: u32) -> String {
    format!("{}{index:010}", prefix(run))
}

/// Twenty digits hold every number.
pub(super) fn event_id(run: &RunKey, seq: u64) -> String {
    format!("{}{seq:020}", prefix(run))
}

/// The run that an event's `_id` names.
pub(super) fn run_of_event(id: &str) -> Option<RunKey> {
    let (run, _) = id.rsplit_once('/')?;
    let (tenant, run) = run.split_once('/')?;
    Some(RunKey {
        tenant: tenant.parse().ok()?,
        run: run.parse().ok()?,
    })
}

/// Revisions have ten digits and no `/`, so whatever a profile is called, no two have one `_id`.
pub(super) fn profile_id(tenant: &Tenant, name: &str, revision: u32) -> String {
    format!("{tenant}/{name}/{revision:010}")
}

pub(super) fn work_id(tenant: &Tenant, id: &WorkId) -> String {
    format!("{tenant}/{id}")
}

pub(super) fn mark_id(tenant: &Tenant, key: &MarkKey) -> String {
    format!("{tenant}/{key}")
}

pub(super) fn schedule_id(tenant: &Tenant, id: &ScheduleId) -> String {
    format!("{tenant}/{id}")
}

impl Stored for Profile {
    const COLLECTION: &'static str = PROFILES;

    fn id(&self) -> String {
        profile_id(&self.tenant, &self.name, self.revision)
    }

    fn name(&self) -> String {
        let (revision, name, tenant) = (self.revision, &self.name, &self.tenant);
        format!("revision {revision} of profile {name} of {tenant}")
    }

    fn columns(&self) -> Document {
        doc! {
            "tenant": self.tenant.as_str(),
            "name": &self.name,
            "revision": i64::from(self.revision),
        }
    }

    fn rev(&self) -> Option<u64> {
        Some(self.rev)
    }
}

impl Stored for Run {
    const COLLECTION: &'static str = RUNS;

    fn id(&self) -> String {
        run_id(&self.key)
    }

    fn name(&self) -> String {
        format!("run {}", self.key)
    }

    fn columns(&self) -> Document {
        let mut columns = doc! {
            "tenant": self.key.tenant.as_str(),
            "run": self.key.run.as_str(),
            "status": self.status.as_str(),
            "admitted": self.admitted,
            "profile": &self.profile.name,
            "submitted_at": date(self.submitted_at),
        };
        // There only while there is something to prune.
        if let Some(time) = self.next_expiry() {
            columns.insert("expires_at", date(time));
        }
        columns
    }

    fn rev(&self) -> Option<u64> {
        Some(self.rev)
    }
}

impl Stored for Part {
    const COLLECTION: &'static str = PARTS;

    fn id(&self) -> String {
        numbered(&self.run, self.index)
    }

    fn name(&self) -> String {
        format!("part {} of run {}", self.index, self.run)
    }

    fn columns(&self) -> Document {
        doc! {
            "tenant": self.run.tenant.as_str(),
            "run": self.run.run.as_str(),
            "index": i64::from(self.index),
        }
    }

    fn rev(&self) -> Option<u64> {
        Some(self.rev)
    }
}

impl Stored for Distribution {
    const COLLECTION: &'static str = DISTRIBUTIONS;

    fn id(&self) -> String {
        numbered(&self.run, self.index)
    }

    fn name(&self) -> String {
        format!("distribution {} of run {}", self.index, self.run)
    }

    fn columns(&self) -> Document {
        let status = match self.status {
            DistributionStatus::Pending => "pending",
            DistributionStatus::Delivered => "delivered",
            DistributionStatus::Failed => "failed",
        };
        doc! {
            "tenant": self.run.tenant.as_str(),
            "run": self.run.run.as_str(),
            "index": i64::from(self.index),
            "status": status,
        }
    }

    fn rev(&self) -> Option<u64> {
        Some(self.rev)
    }
}

impl Stored for Event {
    const COLLECTION: &'static str = EVENTS;

    fn id(&self) -> String {
        event_id(&self.run, self.seq)
    }

    fn name(&self) -> String {
        format!("event {} of run {}", self.seq, self.run)
    }

    fn columns(&self) -> Document {
        doc! {
            "tenant": self.run.tenant.as_str(),
            "run": self.run.run.as_str(),
            "seq": number(self.seq),
            "at": date(self.at),
        }
    }

    fn rev(&self) -> Option<u64> {
        None
    }
}

impl Stored for Work {
    const COLLECTION: &'static str = WORK;

    fn id(&self) -> String {
        work_id(&self.tenant, &self.id)
    }

    fn name(&self) -> String {
        format!("work {} of {}", self.id, self.tenant)
    }

    fn columns(&self) -> Document {
        let mut columns = doc! {
            "tenant": self.tenant.as_str(),
            "id": self.id.to_string(),
            "due_at": date(self.due_at),
        };
        if let Some(run) = self.id.run() {
            columns.insert("run", run.as_str());
        }
        if let Some(lease) = &self.lease {
            columns.insert("token", &lease.token);
        }
        columns
    }

    fn rev(&self) -> Option<u64> {
        Some(self.rev)
    }
}

impl Stored for Slots {
    const COLLECTION: &'static str = SLOTS;

    fn id(&self) -> String {
        self.tenant.to_string()
    }

    fn name(&self) -> String {
        format!("the slots of {}", self.tenant)
    }

    fn columns(&self) -> Document {
        doc! { "tenant": self.tenant.as_str() }
    }

    fn rev(&self) -> Option<u64> {
        Some(self.rev)
    }
}

impl Stored for Mark {
    const COLLECTION: &'static str = MARKS;

    fn id(&self) -> String {
        mark_id(&self.tenant, &self.key)
    }

    fn name(&self) -> String {
        format!("mark {} of {}", self.key, self.tenant)
    }

    fn columns(&self) -> Document {
        let mut columns = doc! {
            "tenant": self.tenant.as_str(),
            "key": self.key.to_string(),
        };
        if let Some(until) = self.until {
            columns.insert("until", date(until));
        }
        columns
    }

    fn rev(&self) -> Option<u64> {
        Some(self.rev)
    }
}

impl Stored for Schedule {
    const COLLECTION: &'static str = SCHEDULES;

    fn id(&self) -> String {
        schedule_id(&self.tenant, &self.id)
    }

    fn name(&self) -> String {
        format!("schedule {} of {}", self.id, self.tenant)
    }

    fn columns(&self) -> Document {
        let mut columns = doc! {
            "tenant": self.tenant.as_str(),
            "id": self.id.as_str(),
        };
        // There only while it is in force.
        if self.enabled {
            columns.insert("next_at", date(self.next_at));
        }
        columns
    }

    fn rev(&self) -> Option<u64> {
        Some(self.rev)
    }
}
