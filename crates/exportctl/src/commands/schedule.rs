//! `exportctl schedule …`

use std::sync::Arc;

use export_adapter::Registry;
use export_api::NewSchedule;
use export_api::http::{SchedulePage, ScheduleView};
use export_model::{ErrorCode, ScheduleId, Tenant};
use export_ports::Ports;
use serde_json::json;

use super::request;
use crate::cli::{ScheduleCommand, TenantArg};
use crate::failure::Failed;
use crate::output::{Output, table};
use crate::remote::{Client, segment};
use crate::settings::{Settings, user};

const PAGE: usize = 100;

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    command: ScheduleCommand,
) -> Result<u8, Failed> {
    match command {
        ScheduleCommand::List(tenant) => {
            let schedules = Schedules::open(settings, &tenant).await?.list().await?;
            let header = ["SCHEDULE", "NAME", "PROFILE", "WHEN", "NEXT", ""];
            let mut rows = vec![header.map(str::to_owned).to_vec()];
            for schedule in &schedules {
                rows.push(vec![
                    schedule.id.clone(),
                    schedule.name.clone(),
                    schedule.profile.clone(),
                    schedule.when.clone(),
                    schedule.next_at.whole_seconds().to_string(),
                    state(schedule),
                ]);
            }
            output.result(&table(&rows), &json!({ "schedules": schedules }));
        }
        ScheduleCommand::Create { file, tenant } => {
            let schedules = Schedules::open(settings, &tenant).await?;
            let new: NewSchedule = request(&file, "schedule")?;
            show(output, &schedules.create(new).await?);
        }
        ScheduleCommand::Show { id, tenant } => {
            let schedules = Schedules::open(settings, &tenant).await?;
            show(output, &schedules.find(&id).await?);
        }
        ScheduleCommand::Delete { id, tenant } => {
            Schedules::open(settings, &tenant)
                .await?
                .delete(&id)
                .await?;
            let text = format!("schedule {id} is removed; runs that it started go on");
            output.result(&text, &json!({ "id": id, "deleted": true }));
        }
    }
    Ok(0)
}

/// A tenant's schedules, on a home or at a service.
enum Schedules {
    Home { ports: Ports, tenant: Tenant },
    Server(Client),
}

impl Schedules {
    async fn open(settings: &Settings, tenant: &TenantArg) -> Result<Self, Failed> {
        let named = tenant.tenant.as_deref();
        if let Some(server) = settings.server()? {
            let client = Client::open(server)?;
            client.only_tenant(named)?;
            return Ok(Self::Server(client));
        }
        let backends = settings.backends().await?;
        let tenant = backends.only_tenant(named).await?;
        let ports = backends.ports.clone();
        Ok(Self::Home { ports, tenant })
    }

    async fn list(&self) -> Result<Vec<ScheduleView>, Failed> {
        let mut all: Vec<ScheduleView> = Vec::new();
        match self {
            Self::Home { ports, tenant } => {
                let mut after: Option<ScheduleId> = None;
                loop {
                    let page = export_api::list_schedules(ports, tenant, after.as_ref(), PAGE);
                    let page = page.await?;
                    all.extend(page.iter().map(ScheduleView::from));
                    match page.last() {
                        Some(last) if page.len() == PAGE => after = Some(last.id.clone()),
                        _ => return Ok(all),
                    }
                }
            }
            Self::Server(client) => {
                let mut path = "/schedules".to_owned();
                loop {
                    let page: SchedulePage = client.ask(&client.get(&path)).await?;
                    all.extend(page.schedules);
                    match page.next_cursor {
                        Some(cursor) => path = format!("/schedules?cursor={cursor}"),
                        None => return Ok(all),
                    }
                }
            }
        }
    }

    async fn create(&self, new: NewSchedule) -> Result<ScheduleView, Failed> {
        match self {
            Self::Home { ports, tenant } => {
                let registry = Arc::new(Registry::default());
                let made =
                    export_api::create_schedule(ports, &registry, tenant, &user(), new).await?;
                Ok(ScheduleView::from(&made))
            }
            Self::Server(client) => Ok(client.ask(&client.post("/schedules").json(&new)?).await?),
        }
    }

    async fn find(&self, id: &str) -> Result<ScheduleView, Failed> {
        match self {
            Self::Home { ports, tenant } => {
                let found = export_api::find_schedule(ports, tenant, id).await?;
                Ok(ScheduleView::from(&found))
            }
            Self::Server(client) => Ok(client.ask(&client.get(&path(id)?)).await?),
        }
    }

    async fn delete(&self, id: &str) -> Result<(), Failed> {
        match self {
            Self::Home { ports, tenant } => {
                Ok(export_api::delete_schedule(ports, tenant, id).await?)
            }
            Self::Server(client) => {
                client.send(&client.delete(&path(id)?)).await?;
                Ok(())
            }
        }
    }
}

fn path(id: &str) -> Result<String, Failed> {
    segment(id)
        .map(|id| format!("/schedules/{id}"))
        .ok_or_else(|| {
            let detail = format!("there is no schedule `{id}`");
            Failed::new(ErrorCode::UnknownSchedule, detail)
        })
}

fn state(schedule: &ScheduleView) -> String {
    match &schedule.last_error {
        Some(error) => error.clone(),
        None if !schedule.enabled => "not in force".to_owned(),
        None => String::new(),
    }
}

fn show(output: &Output, schedule: &ScheduleView) {
    let mut rows = Vec::new();
    let mut add = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    add("schedule", schedule.id.clone());
    add("name", schedule.name.clone());
    add("profile", schedule.profile.clone());
    add("when", schedule.when.clone());
    add("next", schedule.next_at.whole_seconds().to_string());
    add("made by", schedule.created_by.clone());
    if let Some(run) = &schedule.last_run {
        add("last run", run.to_string());
    }
    let state = state(schedule);
    if !state.is_empty() {
        add("state", state);
    }
    add("description", schedule.description.clone());
    output.result(&table(&rows), &json!(schedule));
}
