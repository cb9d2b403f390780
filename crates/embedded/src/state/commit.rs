//! Committing a transaction: every condition checked, every effect made, in one write of SQLite.

use export_model::{Event, Mark, Profile, RunKey, ScheduleId, Tenant, Timestamp, WorkId};
use export_ports::{PortError, PortErrorKind, Row, Transaction, Write};
use rusqlite::{OptionalExtension as _, ToSql, params};
use serde::Serialize;

use crate::failure::Failure;

type Sql<'a> = rusqlite::Transaction<'a>;

/// Makes every write of `transaction`; the caller rolls back when this fails. `now` decides which
/// marks are there.
pub(super) fn apply(
    sql: &Sql<'_>,
    transaction: Transaction,
    now: Timestamp,
) -> Result<(), Failure> {
    let tenant = &transaction.tenant;
    for write in transaction.writes {
        match write {
            Write::Put(row) => put(sql, tenant, *row, now)?,
            Write::Event(event) => insert_event(sql, tenant, &event)?,
            Write::FinishWork(id, token) => finish(sql, tenant, &id, &token)?,
            Write::RequireLease(id, token) => require_lease(sql, tenant, &id, &token)?,
            Write::DropWork(run, keep) => drop_work(sql, tenant, &run, &keep)?,
            Write::DropParts(run) => {
                owned(tenant, &run.tenant, "dropping the parts of a run")?;
                sql.prepare_cached("DELETE FROM parts WHERE tenant = ?1 AND run = ?2")?
                    .execute([run.tenant.as_str(), run.run.as_str()])?;
            }
            Write::DropSchedule(id) => drop_schedule(sql, tenant, &id)?,
        }
    }
    Ok(())
}

fn owned(transaction: &Tenant, row: &Tenant, doing: &str) -> Result<(), Failure> {
    if transaction == row {
        return Ok(());
    }
    Err(Failure::port(
        PortErrorKind::Invalid,
        format!("{doing} of {row} in a transaction of {transaction}"),
    ))
}

fn conflict(doing: String) -> Failure {
    Failure::port(PortErrorKind::Conflict, doing)
}

fn json(value: &impl Serialize, what: &str) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| {
        PortError::because(PortErrorKind::Invalid, format!("writing {what}"), error).into()
    })
}

/// The version of a row as SQLite holds it.
fn version(rev: u64) -> i64 {
    i64::try_from(rev).unwrap_or(i64::MAX)
}

/// Inserts where `rev` is 0, updates the row that still has `rev` otherwise. Both statements take
/// the old `rev` as `?1`, then `values`.
fn write_row(
    sql: &Sql<'_>,
    rev: u64,
    (insert, update): (&str, &str),
    values: &[&dyn ToSql],
    what: impl Fn() -> String,
) -> Result<(), Failure> {
    let mut all: Vec<&dyn ToSql> = vec![];
    let old = version(rev);
    all.push(&old);
    all.extend(values);
    let statement = if rev == 0 { insert } else { update };
    let changed = match sql.prepare_cached(statement)?.execute(all.as_slice()) {
        Err(error) if is_constraint(&error) => 0,
        other => other?,
    };
    if changed == 1 {
        Ok(())
    } else {
        Err(conflict(format!("writing {}", what())))
    }
}

fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}

fn put(sql: &Sql<'_>, tenant: &Tenant, row: Row, now: Timestamp) -> Result<(), Failure> {
    match row {
        Row::Profile(row) => put_profile(sql, tenant, row),
        Row::Run(mut row) => {
            let what = || format!("run {}", row.key);
            owned(tenant, &row.key.tenant, "writing a run")?;
            let old = row.rev;
            let key = row.key.clone();
            row.rev = old + 1;
            write_row(
                sql,
                old,
                (
                    "INSERT INTO runs(tenant, run, status, admitted, submitted_at, profile,
                            expires_at, json, rev)
                     VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?1 + 1)",
                    "UPDATE runs SET status = ?4, admitted = ?5, submitted_at = ?6, profile = ?7,
                            expires_at = ?8, json = ?9, rev = ?1 + 1
                     WHERE tenant = ?2 AND run = ?3 AND rev = ?1",
                ),
                params![
                    key.tenant.as_str(),
                    key.run.as_str(),
                    row.status.as_str(),
                    row.admitted,
                    row.submitted_at.0,
                    row.profile.name,
                    row.next_expiry().map(|time| time.0),
                    json(&row, &what())?
                ],
                what,
            )
        }
        Row::Part(mut row) => {
            let what = || format!("part {} of run {}", row.index, row.run);
            owned(tenant, &row.run.tenant, "writing a part")?;
            let old = row.rev;
            row.rev = old + 1;
            write_row(
                sql,
                old,
                (
                    "INSERT INTO parts(tenant, run, part, json, rev)
                     VALUES (?2, ?3, ?4, ?5, ?1 + 1)",
                    "UPDATE parts SET json = ?5, rev = ?1 + 1
                     WHERE tenant = ?2 AND run = ?3 AND part = ?4 AND rev = ?1",
                ),
                params![
                    row.run.tenant.as_str(),
                    row.run.run.as_str(),
                    row.index,
                    json(&row, &what())?
                ],
                what,
            )
        }
        Row::Work(mut row) => {
            let what = || format!("work {} of {}", row.id, row.tenant);
            owned(tenant, &row.tenant, "writing work")?;
            let old = row.rev;
            row.rev = old + 1;
            write_row(
                sql,
                old,
                (
                    "INSERT INTO work(tenant, id, run, due_at, token, json, rev)
                     VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?1 + 1)",
                    "UPDATE work SET run = ?4, due_at = ?5, token = ?6, json = ?7, rev = ?1 + 1
                     WHERE tenant = ?2 AND id = ?3 AND rev = ?1",
                ),
                params![
                    row.tenant.as_str(),
                    row.id.to_string(),
                    row.id.run().map(export_model::RunId::as_str),
                    row.due_at.0,
                    row.lease.as_ref().map(|lease| lease.token.as_str()),
                    json(&row, &what())?
                ],
                what,
            )
        }
        Row::Distribution(mut row) => {
            let what = || format!("distribution {} of run {}", row.index, row.run);
            owned(tenant, &row.run.tenant, "writing a distribution")?;
            let old = row.rev;
            row.rev = old + 1;
            write_row(
                sql,
                old,
                (
                    "INSERT INTO distributions(tenant, run, target, json, rev)
                     VALUES (?2, ?3, ?4, ?5, ?1 + 1)",
                    "UPDATE distributions SET json = ?5, rev = ?1 + 1
                     WHERE tenant = ?2 AND run = ?3 AND target = ?4 AND rev = ?1",
                ),
                params![
                    row.run.tenant.as_str(),
                    row.run.run.as_str(),
                    row.index,
                    json(&row, &what())?
                ],
                what,
            )
        }
        Row::Slots(mut row) => {
            let what = || format!("the slots of {}", row.tenant);
            owned(tenant, &row.tenant, "writing the slots")?;
            let old = row.rev;
            row.rev = old + 1;
            write_row(
                sql,
                old,
                (
                    "INSERT INTO slots(tenant, json, rev) VALUES (?2, ?3, ?1 + 1)",
                    "UPDATE slots SET json = ?3, rev = ?1 + 1 WHERE tenant = ?2 AND rev = ?1",
                ),
                params![row.tenant.as_str(), json(&row, &what())?],
                what,
            )
        }
        Row::Mark(row) => put_mark(sql, tenant, row, now),
        Row::Schedule(mut row) => {
            let what = || format!("schedule {} of {}", row.id, row.tenant);
            owned(tenant, &row.tenant, "writing a schedule")?;
            let old = row.rev;
            row.rev = old + 1;
            write_row(
                sql,
                old,
                (
                    "INSERT INTO schedules(tenant, id, next_at, json, rev)
                     VALUES (?2, ?3, ?4, ?5, ?1 + 1)",
                    "UPDATE schedules SET next_at = ?4, json = ?5, rev = ?1 + 1
                     WHERE tenant = ?2 AND id = ?3 AND rev = ?1",
                ),
                params![
                    row.tenant.as_str(),
                    row.id.as_str(),
                    row.enabled.then_some(row.next_at.0),
                    json(&row, &what())?
                ],
                what,
            )
        }
    }
}

/// A mark that has expired is in nobody's way, and cannot be changed any more either.
fn put_mark(sql: &Sql<'_>, tenant: &Tenant, mut row: Mark, now: Timestamp) -> Result<(), Failure> {
    let what = || format!("mark {} of {}", row.key, row.tenant);
    owned(tenant, &row.tenant, "writing a mark")?;
    let old = row.rev;
    row.rev = old + 1;
    write_row(
        sql,
        old,
        (
            "INSERT INTO marks(tenant, id, until, json, rev) VALUES (?2, ?3, ?4, ?5, ?1 + 1)
             ON CONFLICT(tenant, id) DO UPDATE
             SET until = excluded.until, json = excluded.json, rev = excluded.rev
             WHERE until <= ?6",
            "UPDATE marks SET until = ?4, json = ?5, rev = ?1 + 1
             WHERE tenant = ?2 AND id = ?3 AND rev = ?1 AND (until IS NULL OR until > ?6)",
        ),
        params![
            row.tenant.as_str(),
            row.key.to_string(),
            row.until.map(|time| time.0),
            json(&row, &what())?,
            now.0
        ],
        what,
    )
}

fn put_profile(sql: &Sql<'_>, tenant: &Tenant, mut row: Profile) -> Result<(), Failure> {
    let what = || {
        format!(
            "revision {} of profile {} of {}",
            row.revision, row.name, row.tenant
        )
    };
    owned(tenant, &row.tenant, "writing a profile")?;
    let old = row.rev;
    if old > 0 {
        // Runs refer to a revision by its number, so nothing that matters to them may change under it.
        let stored: Option<String> = sql
            .prepare_cached(
                "SELECT json FROM profiles WHERE tenant = ?1 AND name = ?2 AND revision = ?3",
            )?
            .query_row(
                params![row.tenant.as_str(), row.name, row.revision],
                |found| found.get(0),
            )
            .optional()?;
        if let Some(stored) = stored {
            let stored: Profile = super::parse(&stored)?;
            let same = Profile {
                description: row.description.clone(),
                retired_at: row.retired_at,
                rev: row.rev,
                ..stored
            };
            if same != row {
                return Err(Failure::port(
                    PortErrorKind::Invalid,
                    format!("changing {}, which never changes", what()),
                ));
            }
        }
    }
    row.rev = old + 1;
    write_row(
        sql,
        old,
        (
            "INSERT INTO profiles(tenant, name, revision, json, rev)
             VALUES (?2, ?3, ?4, ?5, ?1 + 1)",
            "UPDATE profiles SET json = ?5, rev = ?1 + 1
             WHERE tenant = ?2 AND name = ?3 AND revision = ?4 AND rev = ?1",
        ),
        params![
            row.tenant.as_str(),
            row.name,
            row.revision,
            json(&row, &what())?
        ],
        what,
    )
}

fn insert_event(sql: &Sql<'_>, tenant: &Tenant, event: &Event) -> Result<(), Failure> {
    let what = format!("event {} of run {}", event.seq, event.run);
    owned(tenant, &event.run.tenant, "writing an event")?;
    let inserted = sql
        .prepare_cached("INSERT INTO events(tenant, run, seq, json) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            event.run.tenant.as_str(),
            event.run.run.as_str(),
            version(event.seq),
            json(event, &what)?
        ]);
    match inserted {
        Err(error) if is_constraint(&error) => Err(conflict(format!("writing {what}"))),
        other => Ok(other.map(|_| ())?),
    }
}

fn finish(sql: &Sql<'_>, tenant: &Tenant, id: &WorkId, token: &str) -> Result<(), Failure> {
    let deleted = sql
        .prepare_cached("DELETE FROM work WHERE tenant = ?1 AND id = ?2 AND token = ?3")?
        .execute(params![tenant.as_str(), id.to_string(), token])?;
    if deleted == 1 {
        Ok(())
    } else {
        Err(conflict(format!("finishing work {id} of {tenant}")))
    }
}

fn require_lease(sql: &Sql<'_>, tenant: &Tenant, id: &WorkId, token: &str) -> Result<(), Failure> {
    let held = sql
        .prepare_cached("SELECT 1 FROM work WHERE tenant = ?1 AND id = ?2 AND token = ?3")?
        .exists(params![tenant.as_str(), id.to_string(), token])?;
    if held {
        Ok(())
    } else {
        Err(conflict(format!(
            "checking the lease of work {id} of {tenant}"
        )))
    }
}

fn drop_schedule(sql: &Sql<'_>, tenant: &Tenant, id: &ScheduleId) -> Result<(), Failure> {
    let deleted = sql
        .prepare_cached("DELETE FROM schedules WHERE tenant = ?1 AND id = ?2")?
        .execute([tenant.as_str(), id.as_str()])?;
    if deleted == 1 {
        Ok(())
    } else {
        Err(conflict(format!("deleting schedule {id} of {tenant}")))
    }
}

fn drop_work(sql: &Sql<'_>, tenant: &Tenant, run: &RunKey, keep: &[WorkId]) -> Result<(), Failure> {
    owned(tenant, &run.tenant, "dropping the work of a run")?;
    let keep: Vec<_> = keep.iter().map(ToString::to_string).collect();
    sql.prepare_cached(
        "DELETE FROM work WHERE tenant = ?1 AND run = ?2
         AND id NOT IN (SELECT value FROM json_each(?3))",
    )?
    .execute(params![
        run.tenant.as_str(),
        run.run.as_str(),
        json(&keep, "the work to keep")?
    ])?;
    Ok(())
}
