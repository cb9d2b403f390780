//! `exportctl runs …` at a service

use std::path::Path;

use export_api::views::{EventPage, RunPage, RunView};
use export_model::{ErrorCode, Event, RunId};
use reqwest::header::ACCEPT;

use super::address::{Address, segment};
use super::follow::{Events, follow};
use super::http::Client;
use super::run::finish;
use super::trouble::Trouble;
use crate::cli::{RunsCommand, TenantArg};
use crate::commands::is_standard_input;
use crate::commands::shown::{self, result_value, summary};
use crate::failure::Failed;
use crate::output::Output;

/// The most runs that a service lists at once.
const PAGE: usize = 500;

pub(crate) async fn execute(
    server: Address,
    output: &Output,
    command: RunsCommand,
) -> Result<u8, Failed> {
    let client = Client::open(server)?;
    let client = &client;
    let only = |tenant: &TenantArg| client.only_tenant(tenant.tenant.as_deref());
    match command {
        RunsCommand::List { limit, tenant } => {
            only(&tenant)?;
            let runs = list(client, limit).await?;
            shown::list(output, runs.iter().map(|run| (run, None::<&Path>)));
        }
        RunsCommand::Show { id, tenant } => {
            only(&tenant)?;
            let run = show(client, &id).await?;
            output.result(&summary(output, &run, None), &result_value(&run, None));
        }
        RunsCommand::Events {
            id,
            follow: false,
            tenant,
        } => {
            only(&tenant)?;
            let (run, events) = events(client, &id).await?;
            shown::events(output, &run, &events);
        }
        RunsCommand::Events {
            id,
            follow: true,
            tenant,
        } => {
            only(&tenant)?;
            let run = show(client, &id).await?.run_id;
            let mut following = Events::new(client, &run);
            let mut events = Vec::new();
            while let Some(event) = following.next().await? {
                output.line(&shown::line(&event));
                events.push(event);
            }
            output.result_of_lines(&shown::events_value(&run, &events));
        }
        RunsCommand::Download { id, out, tenant } => {
            only(&tenant)?;
            if is_standard_input(&out) && output.is_json() {
                let detail = "--json and --out - both want standard output";
                return Err(Failed::new(ErrorCode::Usage, detail));
            }
            let run = show(client, &id).await?;
            finish(client, output, &run, Some(&out)).await?;
        }
        RunsCommand::Cancel { id, tenant } => {
            only(&tenant)?;
            let run = cancel(client, &id).await?;
            let ended = follow(client, &run, output).await?;
            shown::cancelled(output, &ended, None);
        }
        RunsCommand::Retry { id, tenant } => {
            only(&tenant)?;
            let ask = client.post(&format!("{}/retry", path(&id)?));
            let run: RunView = client.ask(&ask).await?;
            let ended = follow(client, &run, output).await?;
            output.result(&summary(output, &ended, None), &result_value(&ended, None));
            return Ok(ended.failure.map_or(0, |f| f.error_code.exit_code()));
        }
        RunsCommand::Resume { .. } => {
            let detail = "runs resume works on a home only";
            return Err(Failed::new(ErrorCode::Usage, detail));
        }
    }
    Ok(0)
}

fn path(id: &str) -> Result<String, Failed> {
    segment(id)
        .map(|id| format!("/runs/{id}"))
        .ok_or_else(|| Failed::new(ErrorCode::UnknownRun, format!("there is no run `{id}`")))
}

/// A run as it is now.
pub(super) async fn show(client: &Client, id: &str) -> Result<RunView, Trouble> {
    client.ask(&client.get(&path(id)?)).await
}

pub(super) async fn cancel(client: &Client, id: &str) -> Result<RunView, Trouble> {
    let ask = client.post(&format!("{}/cancel", path(id)?));
    client.ask(&ask).await
}

async fn list(client: &Client, limit: usize) -> Result<Vec<RunView>, Failed> {
    let mut runs: Vec<RunView> = Vec::new();
    let mut cursor: Option<String> = None;
    let page = limit.min(PAGE);
    while runs.len() < limit {
        let mut path = format!("/runs?limit={page}");
        if let Some(cursor) = &cursor {
            path.push_str(&format!("&cursor={cursor}"));
        }
        let page: RunPage = client.ask(&client.get(&path)).await?;
        runs.extend(page.runs);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    runs.truncate(limit);
    Ok(runs)
}

/// The events so far.
async fn events(client: &Client, id: &str) -> Result<(RunId, Vec<Event>), Failed> {
    let path = path(id)?;
    let mut events = Vec::new();
    let mut after = 0;
    loop {
        let ask = client
            .get(&format!("{path}/events?after={after}"))
            .with(ACCEPT, "application/json");
        let page: EventPage = client.ask(&ask).await?;
        if page.events.is_empty() {
            return Ok((page.run_id, events));
        }
        after = page.after;
        events.extend(page.events);
    }
}
