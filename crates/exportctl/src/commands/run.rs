//! `exportctl run` on a home

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use export_adapter::Registry;
use export_api::views::RunView;
use export_api::{RunRequest, SubmitContext};
use export_embedded::Home;
use export_model::{AsOf, ErrorCode, Run, RunOptions, Selectors, Tenant};

use super::approval::approvals;
use super::archive_file::ArchiveFile;
use super::is_standard_input;
use super::selecting::{invalid, selectors};
use super::shown::{completed, result_value, summary};
use crate::cli::{RunArgs, default_workers};
use crate::failure::Failed;
use crate::host::{Host, HostConfig};
use crate::output::Output;
use crate::progress::follow;
use crate::settings::{Settings, approval_policy, key_failed, only_tenant, ports, user};

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    args: RunArgs,
) -> Result<u8, Failed> {
    let mut request = request(output, &args)?;
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

    let host = Host::start(&ports, &registry, &HostConfig::home(workers)).await?;
    let ended = follow(&ports, &host, &run.key, output).await;
    let only = home.has_other_hosts().then_some(&run.key);
    let drained = match ended {
        Ok(_) => host.drain(only).await,
        Err(_) => Ok(()),
    };
    host.stop().await;
    let run = ended?;
    drained?;

    let view = RunView::of(&run, ports.clock.now());
    completed(&view)?;
    let stored = stored_archive(&home, &run)?;
    match &args.out {
        Some(out) => bundle_to(output, &view, &stored, out)?,
        None => output.result(
            &summary(output, &view, Some(&stored)),
            &result_value(&view, Some(&stored)),
        ),
    }
    Ok(0)
}

/// What the command line asks for, of a home or of a service.
pub(crate) fn request(output: &Output, args: &RunArgs) -> Result<RunRequest, Failed> {
    if args.out.as_deref().is_some_and(is_standard_input) && output.is_json() {
        let detail = "--json and --out - both want standard output";
        return Err(Failed::new(ErrorCode::Usage, detail));
    }
    Ok(RunRequest {
        profile: args.profile.clone(),
        selectors: selectors(&args.selecting)?,
        options: RunOptions {
            policy_snapshot_id: args.policy_snapshot.clone(),
            as_of: args.as_of.as_deref().map(as_of).transpose()?,
            approval: approvals(&args.approvals)?,
        },
    })
}

/// Gives the archive at `stored` to the user, and says so.
pub(super) fn bundle_to(
    output: &Output,
    run: &RunView,
    stored: &Path,
    out: &Path,
) -> Result<(), Failed> {
    if is_standard_input(out) {
        if output.is_json() {
            let detail = "--json and --out - both want standard output";
            return Err(Failed::new(ErrorCode::Usage, detail));
        }
        stream(stored, &mut io::stdout().lock())?;
        output.result_aside(&summary(output, run, Some(stored)));
    } else {
        write_archive(stored, out)?;
        output.result(
            &summary(output, run, Some(out)),
            &result_value(run, Some(out)),
        );
    }
    Ok(())
}

/// The run's own tenant and those that were named beside it.
pub(crate) fn include_tenants(
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

/// Where the home keeps a run's archive, if it has one.
pub(super) fn archive_path(home: &Home, run: &Run) -> Option<PathBuf> {
    let archive = run.archive.as_ref()?;
    Some(home.object_path(&archive.object))
}

/// The same for a run that has to have one.
pub(super) fn stored_archive(home: &Home, run: &Run) -> Result<PathBuf, Failed> {
    archive_path(home, run).ok_or_else(|| match &run.pruned {
        Some(pruned) => {
            let detail = format!(
                "the bundle of run {} was removed at {}: {}",
                run.key.run, pruned.at, pruned.reason
            );
            Failed::new(ErrorCode::Pruned, detail)
        }
        None => {
            let detail = format!("run {} has no archive", run.key.run);
            Failed::new(ErrorCode::NotReady, detail)
        }
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

/// Copies the archive into a file of the user's.
fn write_archive(from: &Path, to: &Path) -> Result<(), Failed> {
    let mut source = File::open(from).map_err(|e| Failed::read(from, &e))?;
    let mut file = ArchiveFile::create(to)?;
    file.copy(&mut source)?;
    file.finish()
}
