//! `exportctl runs …`

use std::sync::Arc;
use std::time::Duration;

use export_adapter::Registry;
use export_embedded::Home;
use export_model::{ErrorCode, Event, Run, RunStatus};
use export_ports::{Ports, RunFilter};
use serde_json::{Value, json};

use super::run::{result_value, summary};
use crate::cli::{RunsCommand, default_workers};
use crate::failure::Failed;
use crate::host::Host;
use crate::output::{Output, table};
use crate::progress::{describe, follow};
use crate::settings::{Settings, any_tenant, only_tenant, ports};

const PAGE: usize = 500;

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    command: RunsCommand,
) -> Result<u8, Failed> {
    let home = settings.open_home()?;
    let (ports, _) = ports(&home);
    match command {
        RunsCommand::List { limit, tenant } => {
            let tenant = only_tenant(&home, tenant.tenant.as_deref()).await?;
            let filter = RunFilter::default();
            let runs = ports.state.runs(&tenant, &filter, None, limit).await?;
            let header = ["RUN", "PROFILE", "STATUS", "SUBMITTED", ""];
            let mut rows = vec![header.map(str::to_owned).to_vec()];
            for run in &runs {
                rows.push(vec![
                    run.key.run.to_string(),
                    run.profile.name.clone(),
                    run.status.to_string(),
                    run.submitted_at.whole_seconds().to_string(),
                    describe(run),
                ]);
            }
            let values: Vec<_> = runs
                .iter()
                .map(|run| result_value(&home, run, None))
                .collect();
            output.result(&table(&rows), &json!({ "runs": values }));
        }
        RunsCommand::Show { id, tenant } => {
            let run = find(&home, &ports, tenant.tenant.as_deref(), &id).await?;
            let text = summary(output, &home, &run, None);
            output.result(&text, &result_value(&home, &run, None));
        }
        RunsCommand::Events { id, tenant } => {
            let run = find(&home, &ports, tenant.tenant.as_deref(), &id).await?;
            let events = all_events(&ports, &run).await?;
            let values: Vec<Value> = events.iter().map(|event| json!(event)).collect();
            let lines: Vec<String> = events.iter().map(line).collect();
            let value = json!({ "run_id": run.key.run, "events": values });
            output.result(&lines.join("\n"), &value);
        }
        RunsCommand::Cancel { id, tenant } => {
            return cancel(output, &home, &ports, tenant.tenant.as_deref(), &id).await;
        }
        RunsCommand::Retry { id, tenant } => {
            let run = find(&home, &ports, tenant.tenant.as_deref(), &id).await?;
            export_lifecycle::retry(&ports, &run.key).await?;
            let host = Host::start(&ports, &Arc::new(Registry::default()), 1).await?;
            let ended = follow(&ports, &host, &run.key, output).await;
            host.stop().await;
            let ended = ended?;
            let code = ended
                .failure
                .as_ref()
                .map_or(0, |f| f.error_code.exit_code());
            output.result(
                &summary(output, &home, &ended, None),
                &result_value(&home, &ended, None),
            );
            return Ok(code);
        }
        RunsCommand::Resume { workers } => {
            let host = Host::start(
                &ports,
                &Arc::new(Registry::default()),
                workers.unwrap_or_else(default_workers),
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

async fn all_events(ports: &Ports, run: &Run) -> Result<Vec<Event>, Failed> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.seq);
        let page = ports
            .state
            .events(&run.key, after, PAGE, Duration::ZERO)
            .await?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page);
    }
}

/// An event for people: its members after the ones that every event has.
fn line(event: &Event) -> String {
    let mut value = json!(event.body);
    let kind = value
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let mut words = Vec::new();
    if let Some(members) = value.as_object_mut() {
        members.remove("type");
        for (name, member) in members.iter() {
            match member {
                Value::Null => {}
                Value::String(text) => words.push(format!("{name}={text}")),
                other => words.push(format!("{name}={other}")),
            }
        }
    }
    format!(
        "{:>4}  {}  {kind:<20} {}",
        event.seq,
        event.at,
        words.join("  ")
    )
}

/// Cancelling works without another process: this one winds the run down itself if it has to.
async fn cancel(
    output: &Output,
    home: &Home,
    ports: &Ports,
    tenant: Option<&str>,
    id: &str,
) -> Result<u8, Failed> {
    let run = find(home, ports, tenant, id).await?;
    let run = export_api::cancel_run(ports, &run.key.tenant, id, &super::run::user()).await?;
    let host = Host::start(ports, &Arc::new(Registry::default()), 1).await?;
    let ended = follow(ports, &host, &run.key, output).await;
    host.stop().await;
    let ended = ended?;
    let text = match ended.status {
        RunStatus::Aborted => format!("run {id} was cancelled; nothing of its payload is kept"),
        other => format!("run {id} is {other}"),
    };
    output.result(&text, &result_value(home, &ended, None));
    Ok(0)
}
