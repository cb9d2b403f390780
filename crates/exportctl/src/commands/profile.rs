//! `exportctl profile …`

use export_api::NewProfile;
use export_model::{ErrorCode, Profile, ProfileConfig};
use serde_json::{Value, json};

use super::request;
use crate::cli::ProfileCommand;
use crate::failure::Failed;
use crate::output::{Output, table};
use crate::settings::{Settings, only_tenant, ports};

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    command: ProfileCommand,
) -> Result<u8, Failed> {
    let home = settings.open_home()?;
    let (ports, _) = ports(&home);
    match command {
        ProfileCommand::List(tenant) => {
            let tenant = only_tenant(&home, tenant.tenant.as_deref()).await?;
            let profiles = export_api::list_profiles(&ports, &tenant).await?;
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
            let tenant = only_tenant(&home, tenant.tenant.as_deref()).await?;
            let profile = export_api::find_profile(&ports, &tenant, &name, revision).await?;
            show(output, &profile)?;
        }
        ProfileCommand::Create { file, tenant } => {
            let tenant = only_tenant(&home, tenant.tenant.as_deref()).await?;
            let new: NewProfile = request(&file, "profile")?;
            let profile = export_api::create_profile(&ports, &tenant, new).await?;
            show(output, &profile)?;
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
            let tenant = only_tenant(&home, tenant.tenant.as_deref()).await?;
            let config: Option<ProfileConfig> = config
                .map(|file| request(&file, "profile configuration"))
                .transpose()?;
            let profile =
                export_api::update_profile(&ports, &tenant, &name, description, config, None)
                    .await?;
            show(output, &profile)?;
        }
    }
    Ok(0)
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

fn value(profile: &Profile) -> Value {
    json!({
        "name": profile.name,
        "kind": profile.kind,
        "revision": profile.revision,
        "description": profile.description,
        "config": profile.config,
        "created_at": profile.created_at,
        "builtin": profile.is_builtin(),
    })
}

fn show(output: &Output, profile: &Profile) -> Result<(), Failed> {
    let config = serde_json::to_string_pretty(&profile.config)
        .map_err(|e| Failed::new(ErrorCode::Internal, format!("printing a profile: {e}")))?;
    let made = profile
        .created_at
        .map_or_else(|| "built in".to_owned(), |time| time.to_string());
    let rows = vec![
        row(["name", &profile.name]),
        row(["kind", profile.kind.as_str()]),
        row(["revision", &profile.revision.to_string()]),
        row(["made", &made]),
        row(["description", &profile.description]),
    ];
    output.result(&format!("{}{config}", table(&rows)), &value(profile));
    Ok(())
}
