//! `exportctl runs …` on a home

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use export_adapter::Registry;
use export_api::views::RunView;
use export_embedded::Home;
use export_model::{ErrorCode, Event, Run, RunKey};
use export_ports::{Ports, RunFilter};
use serde_json::json;

use super::run::{archive_path, bundle_to, stored_archive};
use super::shown::{self, result_value, summary};
use crate::cli::{RunsCommand, default_workers};
use crate::failure::Failed;
use crate::host::{Host, HostConfig};
use crate::output::Output;
use crate::progress::follow;
use crate::settings::{Settings, any_tenant, only_tenant, ports, user};

const PAGE: usize = 500;
/// How long one wait for a run's next event takes.
const WAIT: Duration = Duration::from_secs(1);

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    command: RunsCommand,
) -> Result<u8, Failed> {
    let home = settings.open_home()?;
    let (ports, _) = ports(&home);
    let view = |run: &Run| RunView::of(run, ports.clock.now());
    match command {
        RunsCommand::List { limit, tenant } => {
            let tenant = only_tenant(&home, tenant.tenant.as_deref()).await?;
            let filter = RunFilter::default();
            let runs = ports.state.runs(&tenant, &filter, None, limit).await?;
            let runs: Vec<(RunView, Option<PathBuf>)> = runs
                .iter()
                .map(|run| (view(run), archive_path(&home, run)))
                .collect();
            let runs = runs.iter().map(|(run, archive)| (run, archive.as_deref()));
            shown::list(output, runs);
        }
        RunsCommand::Show { id, tenant } => {
            let run = find(&home, &ports, tenant.tenant.as_deref(), &id).await?;
            show(output, &home, &ports, &run);
        }
        RunsCommand::Events {
            id,
            follow: false,
            tenant,
        } => {
            let run = find(&home, &ports, tenant.tenant.as_deref(), &id).await?;
            let events = all_events(&ports, &run.key).await?;
            shown::events(output, &run.key.run, &events);
        }
        RunsCommand::Events {
            id,
            follow: true,
            tenant,
        } => {
            let run = find(&home, &ports, tenant.tenant.as_deref(), &id).await?;
            follow_events(output, &ports, &run.key).await?;
        }
        RunsCommand::Download { id, out, tenant } => {
            let run = find(&home, &ports, tenant.tenant.as_deref(), &id).await?;
            let stored = stored_archive(&home, &run)?;
            bundle_to(output, &view(&run), &stored, &out)?;
        }
        RunsCommand::Cancel { id, tenant } => {
            // Cancelling works without another process: this one winds the run down itself if it
            // has to.
            let run = find(&home, &ports, tenant.tenant.as_deref(), &id).await?;
            let run = export_api::cancel_run(&ports, &run.key.tenant, &id, &user()).await?;
            let host =
                Host::start(&ports, &Arc::new(Registry::default()), &HostConfig::home(1)).await?;
            let ended = follow(&ports, &host, &run.key, output).await;
            host.stop().await;
            let ended = ended?;
            let archive = archive_path(&home, &ended);
            shown::cancelled(output, &view(&ended), archive.as_deref());
        }
        RunsCommand::Retry { id, tenant } => {
            let run = find(&home, &ports, tenant.tenant.as_deref(), &id).await?;
            export_lifecycle::retry(&ports, &run.key).await?;
            let host =
                Host::start(&ports, &Arc::new(Registry::default()), &HostConfig::home(1)).await?;
            let ended = follow(&ports, &host, &run.key, output).await;
            host.stop().await;
            let ended = ended?;
            show(output, &home, &ports, &ended);
            return Ok(ended.failure.map_or(0, |f| f.error_code.exit_code()));
        }
        RunsCommand::Resume { workers } => {
            let host = Host::start(
                &ports,
                &Arc::new(Registry::default()),
                &HostConfig::home(workers.unwrap_or_else(default_workers)),
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

fn show(output: &Output, home: &Home, ports: &Ports, run: &Run) {
    let view = RunView::of(run, ports.clock.now());
    let archive = archive_path(home, run);
    output.result(
        &summary(output, &view, archive.as_deref()),
        &result_value(&view, archive.as_deref()),
    );
}

/// A run by its id. Ids are unique, so where no tenant is named all of the ledger's are tried.
async fn find(home: &Home, ports: &Ports, tenant: Option<&str>, id: &str) -> Result<Run, Failed> {
    let owners = any_tenant(home, tenant).await?;
    for owner in &owners {
        match export_api::find_run(ports, owner, id).await {
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
