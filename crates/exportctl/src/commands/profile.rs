//! `exportctl profile …`

use export_api::NewProfile;
use export_api::views::{ProfileList, ProfileView};
use export_model::{ErrorCode, ProfileConfig, Tenant};
use export_ports::Ports;
use reqwest::header::{ETAG, IF_MATCH};
use serde_json::{Value, json};

use super::request;
use crate::cli::{ProfileCommand, TenantArg};
use crate::failure::Failed;
use crate::output::{Output, table};
use crate::remote::{Client, segment};
use crate::settings::Settings;

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    command: ProfileCommand,
) -> Result<u8, Failed> {
    match command {
        ProfileCommand::List(tenant) => {
            let profiles = Profiles::open(settings, &tenant).await?.list().await?;
            let mut rows = vec![row(["NAME", "KIND", "REVISION", "DESCRIPTION"])];
            for profile in &profiles {
                rows.push(vec![
                    profile.name.clone(),
                    profile.kind.to_string(),
                    profile.revision.to_string(),
                    profile.description.clone(),
                ]);
            }
            let values: Vec<_> = profiles.iter().map(value).collect();
            output.result(&table(&rows), &json!({ "profiles": values }));
        }
        ProfileCommand::Show {
            name,
            revision,
            tenant,
        } => {
            let profiles = Profiles::open(settings, &tenant).await?;
            show(output, &profiles.find(&name, revision).await?)?;
        }
        ProfileCommand::Create { file, tenant } => {
            let profiles = Profiles::open(settings, &tenant).await?;
            let new: NewProfile = request(&file, "profile")?;
            show(output, &profiles.create(new).await?)?;
        }
        ProfileCommand::Update {
            name,
            description,
            config,
            tenant,
        } => {
            if description.is_none() && config.is_none() {
                let detail = "nothing to update: give --description or --config";
                return Err(Failed::new(ErrorCode::Usage, detail));
            }
            let profiles = Profiles::open(settings, &tenant).await?;
            let config: Option<ProfileConfig> = config
                .map(|file| request(&file, "profile configuration"))
                .transpose()?;
            show(output, &profiles.update(&name, description, config).await?)?;
        }
        ProfileCommand::Retire { name, tenant } => {
            let profiles = Profiles::open(settings, &tenant).await?;
            let retired = profiles.retire(&name).await?;
            let text = format!(
                "profile {name} is retired; nothing is run with it any more, and past runs keep it"
            );
            output.result(&text, &value(&retired));
        }
    }
    Ok(0)
}

/// A tenant's profiles, on a home or at a service.
enum Profiles {
    Home { ports: Ports, tenant: Tenant },
    Server(Client),
}

impl Profiles {
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

    async fn list(&self) -> Result<Vec<ProfileView>, Failed> {
        match self {
            Self::Home { ports, tenant } => {
                let profiles = export_api::list_profiles(ports, tenant).await?;
                Ok(profiles.iter().map(ProfileView::from).collect())
            }
            Self::Server(client) => {
                let list: ProfileList = client.ask(&client.get("/profiles")).await?;
                Ok(list.profiles)
            }
        }
    }

    async fn find(&self, name: &str, revision: Option<u32>) -> Result<ProfileView, Failed> {
        match self {
            Self::Home { ports, tenant } => {
                let found = export_api::find_profile(ports, tenant, name, revision).await?;
                Ok(ProfileView::from(&found))
            }
            Self::Server(client) => {
                let mut path = path(name)?;
                if let Some(revision) = revision {
                    path.push_str(&format!("?revision={revision}"));
                }
                Ok(client.ask(&client.get(&path)).await?)
            }
        }
    }

    async fn create(&self, new: NewProfile) -> Result<ProfileView, Failed> {
        match self {
            Self::Home { ports, tenant } => {
                let made = export_api::create_profile(ports, tenant, new).await?;
                Ok(ProfileView::from(&made))
            }
            Self::Server(client) => Ok(client.ask(&client.post("/profiles").json(&new)?).await?),
        }
    }

    async fn update(
        &self,
        name: &str,
        description: Option<String>,
        config: Option<ProfileConfig>,
    ) -> Result<ProfileView, Failed> {
        match self {
            Self::Home { ports, tenant } => {
                let update =
                    export_api::update_profile(ports, tenant, name, description, config, None);
                Ok(ProfileView::from(&update.await?))
            }
            Self::Server(client) => {
                let (_, etag) = newest(client, name).await?;
                let mut change = json!({});
                if let Some(description) = description {
                    change["description"] = description.into();
                }
                if let Some(config) = config {
                    change["config"] = json!(config);
                }
                let ask = client.patch(&path(name)?).with(IF_MATCH, etag);
                Ok(client.ask(&ask.json(&change)?).await?)
            }
        }
    }

    async fn retire(&self, name: &str) -> Result<ProfileView, Failed> {
        match self {
            Self::Home { ports, tenant } => {
                let retired = export_api::retire_profile(ports, tenant, name, None).await?;
                Ok(ProfileView::from(&retired))
            }
            Self::Server(client) => {
                let (profile, etag) = newest(client, name).await?;
                let ask = client.delete(&path(name)?).with(IF_MATCH, etag);
                client.send(&ask).await?;
                self.find(name, Some(profile.revision)).await
            }
        }
    }
}

/// A profile of a service, and the tag by which a change names it.
async fn newest(client: &Client, name: &str) -> Result<(ProfileView, String), Failed> {
    let path = path(name)?;
    let response = client.send(&client.get(&path)).await?;
    let etag = response
        .headers()
        .get(ETAG)
        .and_then(|etag| etag.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let profile = crate::remote::document(&path, response).await?;
    Ok((profile, etag))
}

fn path(name: &str) -> Result<String, Failed> {
    segment(name)
        .map(|name| format!("/profiles/{name}"))
        .ok_or_else(|| {
            let detail = format!("there is no profile `{name}`");
            Failed::new(ErrorCode::UnknownProfile, detail)
        })
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

fn value(profile: &ProfileView) -> Value {
    json!(profile)
}

fn show(output: &Output, profile: &ProfileView) -> Result<(), Failed> {
    let config = serde_json::to_string_pretty(&profile.config)
        .map_err(|e| Failed::new(ErrorCode::Internal, format!("printing a profile: {e}")))?;
    let made = profile
        .created_at
        .map_or_else(|| "built in".to_owned(), |time| time.to_string());
    let mut rows = vec![
        row(["name", &profile.name]),
        row(["kind", profile.kind.as_str()]),
        row(["revision", &profile.revision.to_string()]),
        row(["made", &made]),
    ];
    if let Some(retired) = profile.retired_at {
        rows.push(row(["retired", &retired.to_string()]));
    }
    rows.push(row(["description", &profile.description]));
    output.result(&format!("{}{config}", table(&rows)), &value(profile));
    Ok(())
}
