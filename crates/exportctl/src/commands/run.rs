//! `exportctl run` on a home

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use export_adapter::Registry;
use export_api::views::RunView;
use export_api::{RunRequest, SubmitContext};
use export_model::{AsOf, ErrorCode, RunId, RunOptions, Selectors, Tenant};

use super::approval::approvals;
use super::archive_file::ArchiveFile;
use super::is_standard_input;
use super::selecting::{invalid, selectors};
use super::shown::{completed, result_value, summary};
use crate::backends::Stored;
use crate::cli::{RunArgs, default_workers};
use crate::failure::Failed;
use crate::host::Host;
use crate::output::Output;
use crate::progress::follow;
use crate::settings::{Settings, approval_policy, user};

/// What is read of an object at once.
const PIECE: u64 = 8 << 20;

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
    let backends = settings.backends().await?;
    let tenant = backends.only_tenant(args.tenant.tenant.as_deref()).await?;
    include_tenants(&mut request.selectors, &tenant, &args.include_tenants)?;
    let policy = approval_policy(&settings.keys()?, args.cross_tenant)?;
    let ports = &backends.ports;
    backends.open_key()?;
    let registry = Arc::new(Registry::default());
    let context = SubmitContext::default();
    let run = export_api::submit(
        ports,
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

    if args.detach {
        let view = RunView::of(&run, ports.clock.now());
        output.result(&summary(output, &view, None), &result_value(&view, None));
        return Ok(0);
    }
    let host = Host::start(ports, &registry, &backends.host(workers)).await?;
    let ended = follow(ports, &host, &run.key, output).await;
    let only = backends.has_others().then_some(&run.key);
    let drained = match ended {
        Ok(_) => host.drain(only).await,
        Err(_) => Ok(()),
    };
    host.stop().await;
    let run = ended?;
    drained?;

    let view = RunView::of(&run, ports.clock.now());
    completed(&view)?;
    let stored = backends.stored_archive(&run)?;
    match &args.out {
        Some(out) => bundle_to(output, &view, &stored, out).await?,
        None => output.result(
            &summary(output, &view, stored.path()),
            &result_value(&view, stored.path()),
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
            schema_version: args.schema_version,
            base_export_id: args.base.as_deref().map(base).transpose()?,
            encrypt_to: args.encrypt_to.clone(),
            approval: approvals(&args.approvals)?,
        },
    })
}

/// Gives the archive to the user, and says so.
pub(super) async fn bundle_to(
    output: &Output,
    run: &RunView,
    stored: &Stored,
    out: &Path,
) -> Result<(), Failed> {
    if is_standard_input(out) {
        if output.is_json() {
            let detail = "--json and --out - both want standard output";
            return Err(Failed::new(ErrorCode::Usage, detail));
        }
        copy(stored, |bytes| {
            io::stdout()
                .write_all(bytes)
                .map_err(|e| Failed::io("writing standard output", &e))
        })
        .await?;
        io::stdout()
            .flush()
            .map_err(|e| Failed::io("writing standard output", &e))?;
        output.result_aside(&summary(output, run, stored.path()));
    } else {
        let mut file = ArchiveFile::create(out)?;
        match stored {
            Stored::File(path) => {
                let mut source = File::open(path).map_err(|e| Failed::read(path, &e))?;
                file.copy(&mut source)?;
            }
            object @ Stored::Object { .. } => copy(object, |bytes| file.write(bytes)).await?,
        }
        file.finish()?;
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

fn base(text: &str) -> Result<RunId, Failed> {
    text.parse()
        .map_err(|_| invalid("--base", format!("`{text}` is no run's id")))
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

/// Hands every byte of an archive to `write`, a piece at a time.
async fn copy(
    stored: &Stored,
    mut write: impl FnMut(&[u8]) -> Result<(), Failed>,
) -> Result<(), Failed> {
    match stored {
        Stored::File(path) => {
            let mut file = File::open(path).map_err(|e| Failed::read(path, &e))?;
            let mut buffer = vec![0; 1 << 20];
            loop {
                let count = file.read(&mut buffer).map_err(|e| Failed::read(path, &e))?;
                let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                    return Ok(());
                };
                write(bytes)?;
            }
        }
        Stored::Object { objects, archive } => {
            let mut read = 0;
            while read < archive.size {
                let bytes = objects.read(&archive.object, read..read + PIECE).await?;
                if bytes.is_empty() {
                    let detail = format!("{} ends after {read} bytes", archive.object);
                    return Err(Failed::new(ErrorCode::Storage, detail));
                }
                read += bytes.len() as u64;
                write(&bytes)?;
            }
            Ok(())
        }
    }
}
