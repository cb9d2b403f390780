//! Policy snapshots: added once, frozen when a run refers to them.

use export_model::{PolicySnapshot, Tenant};
use export_ports::{PortError, PortErrorKind};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::append::intern_tenant;
use super::tenant_number;
use crate::failure::Failure;

/// A tenant's name as the tables hold it.
pub(super) fn tenant(name: &str) -> Result<Tenant, Failure> {
    name.parse()
        .map_err(|error: export_model::InvalidName| Failure::Damaged(error.to_string()))
}

fn parse(json: &str) -> Result<PolicySnapshot, Failure> {
    serde_json::from_str(json).map_err(|error| Failure::Damaged(error.to_string()))
}

/// A snapshot by its id, or the newest.
pub(super) fn snapshot(
    connection: &Connection,
    tenant: &Tenant,
    id: Option<&str>,
) -> Result<Option<PolicySnapshot>, Failure> {
    let Some(number) = tenant_number(connection, tenant)? else {
        return Ok(None);
    };
    let json: Option<String> = connection
        .prepare_cached(
            "SELECT json FROM snapshots
             WHERE tenant = ?1 AND json IS NOT NULL AND (?2 IS NULL OR id = ?2)
             ORDER BY created_at DESC, id DESC LIMIT 1",
        )?
        .query_row(params![number, id], |row| row.get(0))
        .optional()?;
    json.as_deref().map(parse).transpose()
}

/// Every snapshot that was imported: tenant, id, whether it is frozen.
pub(super) fn all(connection: &Connection) -> Result<Vec<(Tenant, String, bool)>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT t.name, s.id, s.frozen FROM snapshots s JOIN tenants t USING (tenant)
         WHERE s.json IS NOT NULL ORDER BY t.name, s.id",
    )?;
    let mut rows = statement.query([])?;
    let mut snapshots = Vec::new();
    while let Some(row) = rows.next()? {
        snapshots.push((tenant(row.get_ref(0)?.as_str()?)?, row.get(1)?, row.get(2)?));
    }
    Ok(snapshots)
}

/// Freezes a snapshot.
pub(super) fn freeze(connection: &Connection, tenant: &Tenant, id: &str) -> Result<(), Failure> {
    let frozen = match tenant_number(connection, tenant)? {
        None => 0,
        Some(number) => connection.execute(
            "UPDATE snapshots SET frozen = 1 WHERE tenant = ?1 AND id = ?2 AND json IS NOT NULL",
            params![number, id],
        )?,
    };
    if frozen == 0 {
        return Err(Failure::port(
            PortErrorKind::NotFound,
            format!("freezing policy snapshot {id} of {tenant}"),
        ));
    }
    Ok(())
}

/// Adds a snapshot; says whether it is new.
pub(super) fn add(connection: &Connection, snapshot: &PolicySnapshot) -> Result<bool, Failure> {
    let id = &snapshot.policy_snapshot_id;
    let number = intern_tenant(connection, &snapshot.tenant)?;
    let known: Option<Option<String>> = connection
        .prepare_cached("SELECT json FROM snapshots WHERE tenant = ?1 AND id = ?2")?
        .query_row(params![number, id], |row| row.get(0))
        .optional()?;
    let doing = || format!("adding policy snapshot {id} of {}", snapshot.tenant);
    if let Some(Some(known)) = known {
        return if parse(&known)? == *snapshot {
            Ok(false)
        } else {
            Err(Failure::port(PortErrorKind::AlreadyExists, doing()))
        };
    }
    let json = serde_json::to_string(snapshot)
        .map_err(|error| PortError::because(PortErrorKind::Invalid, doing(), error))?;
    connection.execute(
        "INSERT INTO snapshots(tenant, id, created_at, json) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (tenant, id) DO UPDATE SET created_at = ?3, json = ?4",
        params![number, id, snapshot.created_at.0, json],
    )?;
    Ok(true)
}
