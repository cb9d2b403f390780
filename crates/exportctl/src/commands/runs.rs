//! `exportctl runs …` on a home

use std::sync::Arc;
use std::time::Duration;

use export_adapter::Registry;
use export_api::views::RunView;
use export_model::{ErrorCode, Event, Run, RunKey};
use export_ports::{Ports, RunFilter};
use serde_json::json;

use super::run::bundle_to;
use super::shown::{self, result_value, summary};
use crate::backends::{Backends, Stored};
use crate::cli::{RunsCommand, default_workers};
use crate::failure::Failed;
use crate::host::Host;
use crate::output::Output;
use crate::progress::follow;
use crate::settings::{Settings, user};

const PAGE: usize = 500;
/// How long one wait for a run's next event takes.
const WAIT: Duration = Duration::from_secs(1);

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    command: RunsCommand,
) -> Result<u8, Failed> {
    let backends = settings.backends().await?;
    let ports = &backends.ports;
    let view = |run: &Run| RunView::of(run, ports.clock.now());
    match command {
        RunsCommand::List { limit, tenant } => {
            let tenant = backends.only_tenant(tenant.tenant.as_deref()).await?;
            let filter = RunFilter::default();
            let runs = ports.state.runs(&tenant, &filter, None, limit).await?;
            let runs: Vec<(RunView, Option<Stored>)> = runs
                .iter()
                .map(|run| (view(run), backends.archive(run)))
                .collect();
            let runs = runs
                .iter()
                .map(|(run, archive)| (run, archive.as_ref().and_then(Stored::path)));
            shown::list(output, runs);
        }
        RunsCommand::Show { id, tenant } => {
            let run = find(&backends, tenant.tenant.as_deref(), &id).await?;
            show(output, &backends, &run);
        }
        RunsCommand::Events {
            id,
            follow: false,
            tenant,
        } => {
            let run = find(&backends, tenant.tenant.as_deref(), &id).await?;
            let events = all_events(ports, &run.key).await?;
            shown::events(output, &run.key.run, &events);
        }
        RunsCommand::Events {
            id,
            follow: true,
            tenant,
        } => {
            let run = find(&backends, tenant.tenant.as_deref(), &id).await?;
            follow_events(output, ports, &run.key).await?;
        }
        RunsCommand::Download { id, out, tenant } => {
            let run = find(&backends, tenant.tenant.as_deref(), &id).await?;
            let stored = backends.stored_archive(&run)?;
            bundle_to(output, &view(&run), &stored, &out).await?;
        }
        RunsCommand::Cancel { id, tenant } => {
            // Cancelling works without another process: this one winds the run down itself if it
            // has to.
            let run = find(&backends, tenant.tenant.as_deref(), &id).await?;
            let run = export_api::cancel_run(ports, &run.key.tenant, &id, &user()).await?;
            let host =
                Host::start(ports, &Arc::new(Registry::default()), &backends.host(1)).await?;
            let ended = follow(ports, &host, &run.key, output).await;
            host.stop().await;
            let ended = ended?;
            let archive = backends.archive(&ended);
            let archive = archive.as_ref().and_then(Stored::path);
            shown::cancelled(output, &view(&ended), archive);
        }
        RunsCommand::Retry { id, tenant } => {
            let run = find(&backends, tenant.tenant.as_deref(), &id).await?;
            export_lifecycle::retry(ports, &run.key).await?;
            let host =
                Host::start(ports, &Arc::new(Registry::default()), &backends.host(1)).await?;
            let ended = follow(ports, &host, &run.key, output).await;
            host.stop().await;
            let ended = ended?;
            show(output, &backends, &ended);
            return Ok(ended.failure.map_or(0, |f| f.error_code.exit_code()));
        }
        RunsCommand::Resume { workers } => {
            let host = Host::start(
                ports,
                &Arc::new(Registry::default()),
                &backends.host(workers.unwrap_or_else(default_workers)),
            )
            .await?;
            let drained = host.drain(None).await;
            host.stop().await;
            drained?;
            output.result("nothing is left unfinished", &json!({ "unfinished": 0 }));
        }
    }
    Ok(0)
}

fn show(output: &Output, backends: &Backends, run: &Run) {
    let view = RunView::of(run, backends.ports.clock.now());
    let archive = backends.archive(run);
    let archive = archive.as_ref().and_then(Stored::path);
    output.result(
        &summary(output, &view, archive),
        &result_value(&view, archive),
    );
}

/// A run by its id. Ids are unique, so where no tenant is named all of the ledger's are tried.
async fn find(backends: &Backends, tenant: Option<&str>, id: &str) -> Result<Run, Failed> {
    let owners = backends.any_tenant(tenant).await?;
    for owner in &owners {
        match export_api::find_run(&backends.ports, owner, id).await {
            Err(error) if error.code == ErrorCode::UnknownRun => {}
            found => return Ok(found?),
        }
    }
    let who: Vec<_> = owners.iter().map(ToString::to_string).collect();
    let detail = format!("there is no run `{id}` of {}", who.join(" or "));
    Err(Failed::new(ErrorCode::UnknownRun, detail))
}

async fn all_events(ports: &Ports, run: &RunKey) -> Result<Vec<Event>, Failed> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.seq);
        let page = ports.state.events(run, after, PAGE, Duration::ZERO).await?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page);
    }
}

/// Prints events as they happen, until the run has ended; other processes do the run.
async fn follow_events(output: &Output, ports: &Ports, key: &RunKey) -> Result<(), Failed> {
    let mut all = Vec::new();
    loop {
        let seen = all.last().map_or(0, |event: &Event| event.seq);
        let page = ports.state.events(key, seen, PAGE, WAIT).await?;
        for event in &page {
            output.line(&shown::line(event));
        }
        all.extend(page);
        let run = ports.state.run(key).await?;
        let seen = all.last().map_or(0, |event| event.seq);
        if run.is_none_or(|run| run.status.is_terminal() && seen >= run.last_seq) {
            output.result_of_lines(&shown::events_value(&key.run, &all));
            return Ok(());
        }
    }
}
