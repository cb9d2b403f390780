//! `exportctl run`

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use export_adapter::Registry;
use export_api::{RunRequest, SubmitContext};
use export_embedded::Home;
use export_model::{AsOf, ErrorCode, Kind, Run, RunOptions, RunStatus, Selectors, Tenant};
use serde_json::{Value, json};

use super::approval::{approval_policy, approvals};
use super::is_standard_input;
use super::selecting::{invalid, selectors};
use crate::cli::{RunArgs, default_workers};
use crate::failure::Failed;
use crate::host::Host;
use crate::output::{Output, grouped, size, table};
use crate::progress::follow;
use crate::settings::{Settings, key_failed, only_tenant, ports};

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    args: RunArgs,
) -> Result<u8, Failed> {
    let mut request = RunRequest {
        profile: args.profile.clone(),
        selectors: selectors(&args.selecting)?,
        options: RunOptions {
            policy_snapshot_id: args.policy_snapshot.clone(),
            as_of: args.as_of.as_deref().map(as_of).transpose()?,
            approval: approvals(&args.approvals)?,
        },
    };
    let to_stdout = args.out.as_deref().is_some_and(is_standard_input);
    if to_stdout && output.is_json() {
        let detail = "--json and --out - both want standard output";
        return Err(Failed::new(ErrorCode::Usage, detail));
    }
    let workers = args.workers.unwrap_or_else(default_workers);
    if workers == 0 || workers > 64 {
        return Err(Failed::new(ErrorCode::Usage, "--workers must be 1 to 64"));
    }
    let home = settings.open_home()?;
    let tenant = only_tenant(&home, args.tenant.tenant.as_deref()).await?;
    include_tenants(&mut request.selectors, &tenant, &args.include_tenants)?;
    let policy = approval_policy(&home, args.cross_tenant)?;
    let (ports, signer) = ports(&home);
    // A missing password is better told before the work than after it.
    signer.open().map_err(key_failed)?;
    let registry = Arc::new(Registry::default());
    let context = SubmitContext::default();
    let run = export_api::submit(
        &ports,
        &registry,
        &policy,
        &tenant,
        &user(),
        request,
        context,
    )
    .await?
    .run;
    output.note(&format!(
        "run {} of {} for {tenant}",
        run.key.run, args.profile
    ));

    let host = Host::start(&ports, &registry, workers).await?;
    let ended = follow(&ports, &host, &run.key, output).await;
    let only = home.has_other_hosts().then_some(&run.key);
    let drained = match ended {
        Ok(_) => host.drain(only).await,
        Err(_) => Ok(()),
    };
    host.stop().await;
    let run = ended?;
    drained?;

    match run.status {
        RunStatus::Completed => {}
        RunStatus::Aborted => {
            let detail = format!(
                "run {} was cancelled; nothing of its payload is kept",
                run.key.run
            );
            return Err(Failed::new(ErrorCode::Cancelled, detail));
        }
        status => {
            let (code, detail) = match &run.failure {
                Some(failure) => (failure.error_code, failure.detail.clone()),
                None => (ErrorCode::Internal, format!("the run ended as {status}")),
            };
            let detail = format!("run {}: {detail}", run.key.run);
            return Err(Failed::new(code, detail));
        }
    }
    let stored = archive_path(&home, &run)?;
    if let Some(out) = &args.out {
        if to_stdout {
            stream(&stored, &mut io::stdout().lock())?;
        } else {
            write_archive(&stored, out)?;
        }
    }
    let text = summary(output, &home, &run, args.out.as_deref());
    if to_stdout {
        output.result_aside(&text);
    } else {
        output.result(&text, &result_value(&home, &run, args.out.as_deref()));
    }
    Ok(0)
}

/// Who asks, as far as a command line knows.
pub(super) fn user() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .map(|name| name.chars().filter(|c| !c.is_control()).take(100).collect())
        .unwrap_or_else(|| "exportctl".to_owned())
}

/// The run's own tenant and those that were named beside it.
fn include_tenants(
    selectors: &mut Selectors,
    own: &Tenant,
    others: &[String],
) -> Result<(), Failed> {
    if others.is_empty() {
        return Ok(());
    }
    if selectors.tenants.is_some() {
        let detail = "--include-tenant and `tenants` in --selectors say the same; give one";
        return Err(Failed::new(ErrorCode::Usage, detail));
    }
    let names = std::iter::once(own.to_string()).chain(others.iter().cloned());
    selectors.tenants = Some(names.collect());
    Ok(())
}

fn as_of(text: &str) -> Result<AsOf, Failed> {
    if let Ok(watermark) = text.parse() {
        return Ok(AsOf::Watermark(watermark));
    }
    text.parse().map(AsOf::Time).map_err(|_| {
        let message = format!("`{text}` is neither a watermark nor an RFC 3339 time");
        invalid("--as-of", message)
    })
}

/// Where the home keeps a completed run's archive.
fn archive_path(home: &Home, run: &Run) -> Result<PathBuf, Failed> {
    run.archive
        .as_ref()
        .map(|archive| home.object_path(&archive.object))
        .ok_or_else(|| {
            let detail = format!("run {} has no archive", run.key.run);
            Failed::new(ErrorCode::NotReady, detail)
        })
}

fn stream(from: &Path, to: &mut impl Write) -> Result<(), Failed> {
    let mut file = File::open(from).map_err(|e| Failed::read(from, &e))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).map_err(|e| Failed::read(from, &e))?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        to.write_all(bytes)
            .map_err(|e| Failed::io("writing standard output", &e))?;
    }
    to.flush()
        .map_err(|e| Failed::io("writing standard output", &e))
}

/// Writes the archive beside its final name first, so that it appears whole or not at all.
fn write_archive(from: &Path, to: &Path) -> Result<(), Failed> {
    let folder = match to.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut part = tempfile::Builder::new()
        .prefix(".bundle-")
        .tempfile_in(folder)
        .map_err(|e| Failed::write(to, &e))?;
    let mut source = File::open(from).map_err(|e| Failed::read(from, &e))?;
    io::copy(&mut source, part.as_file_mut()).map_err(|e| Failed::write(to, &e))?;
    part.as_file()
        .sync_all()
        .map_err(|e| Failed::write(to, &e))?;
    open_to_others(part.as_file()).map_err(|e| Failed::write(to, &e))?;
    part.persist(to).map_err(|e| Failed::write(to, &e.error))?;
    Ok(())
}

/// Temporary files are private; an archive is as public as its owner's other files.
#[cfg(unix)]
fn open_to_others(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn open_to_others(_file: &File) -> io::Result<()> {
    Ok(())
}

/// What scripts get of a run.
pub(super) fn result_value(home: &Home, run: &Run, out: Option<&Path>) -> Value {
    let approvals = run.approvals.iter().map(|approval| {
        json!({
            "grantor": approval.grantor,
            "nonce": approval.nonce,
            "key_fingerprint": approval.key_fingerprint,
            "sha256": approval.sha256,
        })
    });
    let archive = run.archive.as_ref();
    let path = out
        .map(Path::to_path_buf)
        .or_else(|| archive.map(|archive| home.object_path(&archive.object)));
    let mut value = json!({
        "run_id": run.key.run,
        "tenant": run.key.tenant,
        "profile": run.profile.name,
        "profile_kind": run.profile.kind,
        "profile_revision": run.profile.revision,
        "status": run.status,
        "submitted_at": run.submitted_at,
        "finished_at": run.finished_at,
        "watermark": run.watermark,
        "policy_snapshot_id": run.policy_snapshot.as_ref().map(|s| &s.policy_snapshot_id),
        "parts": run.parts,
        "records": run.records,
        "records_planned": run.records_planned,
        "bytes": run.bytes,
        "quarantined": run.quarantined,
        "content_digest": run.published.as_ref().map(|set| set.content_digest),
        "manifest_sha256": run.published.as_ref().map(|set| set.manifest_sha256),
        "key_fingerprint": run.published.as_ref().map(|set| &set.key_fingerprint),
        "archive": path,
        "sha256": archive.map(|archive| archive.sha256),
        "size_bytes": archive.map(|archive| archive.size),
        "failure": run.failure,
        "cancellation": run.cancellation,
    });
    if run.is_cross_tenant() {
        value["tenants"] = json!(run.owners());
        value["approvals"] = approvals.collect();
    }
    value
}

/// What people get of a run.
pub(super) fn summary(output: &Output, home: &Home, run: &Run, out: Option<&Path>) -> String {
    let good = run.status == RunStatus::Completed;
    let took = run.finished_at.map_or_else(String::new, |end| {
        let millis = end.millis_since(run.submitted_at);
        format!(" in {}.{} s", millis / 1000, millis % 1000 / 100)
    });
    let head = format!(
        "{} {}{took}",
        run.profile.name,
        output.mark(good, run.status.as_str())
    );
    let mut rows = vec![vec!["run".to_owned(), run.key.run.to_string()]];
    let mut add = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
    for (kind, tally) in &run.sources {
        *kinds.entry(*kind).or_default() += tally.records;
    }
    let kinds: Vec<_> = kinds
        .iter()
        .map(|(kind, records)| format!("{kind} {}", grouped(*records)))
        .collect();
    let records = grouped(run.records);
    add(
        "records",
        if kinds.is_empty() {
            records
        } else {
            format!("{records} ({})", kinds.join(", "))
        },
    );
    if run.is_cross_tenant() {
        let owners: Vec<_> = run.owners().iter().map(ToString::to_string).collect();
        add("of tenants", owners.join(", "));
    }
    for approval in &run.approvals {
        let who = &approval.grantor;
        add("approved by", format!("{who} ({})", approval.nonce));
    }
    if run.quarantined > 0 {
        add("quarantined", grouped(run.quarantined));
    }
    if let Some(watermark) = run.watermark {
        add("watermark", watermark.to_string());
    }
    if let Some(snapshot) = &run.policy_snapshot {
        add("policy", snapshot.policy_snapshot_id.clone());
    }
    if let Some(set) = &run.published {
        add("content digest", set.content_digest.to_string());
        add(
            "signed by",
            format!("{} ({})", set.key_fingerprint, set.key_id),
        );
    }
    if let Some(archive) = &run.archive {
        let path = out
            .filter(|out| !is_standard_input(out))
            .map_or_else(|| home.object_path(&archive.object), Path::to_path_buf);
        add(
            "archive",
            format!("{} ({})", path.display(), size(archive.size)),
        );
        add("archive sha256", archive.sha256.to_string());
    }
    if let Some(failure) = &run.failure {
        add(
            "failed",
            format!("{}: {}", failure.error_code, failure.detail),
        );
    }
    if let Some(cancellation) = &run.cancellation {
        add("cancelled by", cancellation.by.clone());
    }
    let rows: Vec<_> = rows
        .into_iter()
        .map(|mut row| {
            if let Some(name) = row.first_mut() {
                name.insert_str(0, "  ");
            }
            row
        })
        .collect();
    format!("{head}\n{}", table(&rows))
}
