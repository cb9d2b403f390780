//! Profiles: built-in ones, and variants of them that a tenant makes.

use export_model::{
    ErrorCode, FieldError, Profile, ProfileConfig, ProfileKind, Tenant, builtin_profiles,
};
use export_ports::{Ports, Row, Transaction};
use serde::Deserialize;

use crate::ApiError;

/// A profile that somebody wants to make.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewProfile {
    /// Its name.
    pub name: String,
    /// What it produces.
    pub kind: ProfileKind,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Its configuration.
    #[serde(default)]
    pub config: ProfileConfig,
}

/// The newest revision of every profile that `tenant` can run: built-in ones first, then by name.
///
/// # Errors
/// When the state cannot be read.
pub async fn list_profiles(ports: &Ports, tenant: &Tenant) -> Result<Vec<Profile>, ApiError> {
    let mut profiles = builtin_profiles(tenant);
    profiles.extend(ports.state.profiles(tenant).await?);
    Ok(profiles)
}

/// A profile by its name; its newest revision unless another is named.
///
/// # Errors
/// `ERR_UNKNOWN_PROFILE`, or when the state cannot be read.
pub async fn find_profile(
    ports: &Ports,
    tenant: &Tenant,
    name: &str,
    revision: Option<u32>,
) -> Result<Profile, ApiError> {
    let builtin = builtin_profiles(tenant)
        .into_iter()
        .find(|profile| profile.name == name && revision.is_none_or(|r| r == profile.revision));
    if let Some(profile) = builtin {
        return Ok(profile);
    }
    if let Some(profile) = ports.state.profile(tenant, name, revision).await? {
        return Ok(profile);
    }
    let known: Vec<_> = list_profiles(ports, tenant)
        .await?
        .into_iter()
        .map(|profile| profile.name)
        .collect();
    let what = match revision {
        Some(revision) => format!("revision {revision} of profile `{name}`"),
        None => format!("profile `{name}`"),
    };
    Err(ApiError::new(
        ErrorCode::UnknownProfile,
        format!("tenant {tenant} has no {what}; it has {}", known.join(", ")),
    ))
}

/// Makes a profile.
///
/// # Errors
/// `ERR_INVALID_REQUEST` naming every wrong member, `ERR_PROFILE_EXISTS`, or when the state cannot
/// be written.
pub async fn create_profile(
    ports: &Ports,
    tenant: &Tenant,
    new: NewProfile,
) -> Result<Profile, ApiError> {
    let mut errors = new.config.errors(new.kind);
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    let starts_well = new
        .name
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_lowercase());
    if !starts_well || new.name.len() > 63 || !new.name.bytes().all(plain) {
        errors.push(FieldError {
            field: "name".into(),
            message: "must be 1 to 63 of a-z, 0-9, `-` and `_`, beginning with a letter".into(),
        });
    }
    if new.description.len() > 1_000 {
        errors.push(FieldError {
            field: "description".into(),
            message: "must have at most 1,000 bytes".into(),
        });
    }
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    let profile = Profile {
        tenant: tenant.clone(),
        name: new.name,
        kind: new.kind,
        revision: 1,
        description: new.description,
        config: new.config,
        created_at: Some(ports.clock.now()),
        rev: 0,
    };
    let exists = |name: &str| {
        let detail = format!("tenant {tenant} has a profile `{name}` already");
        ApiError::new(ErrorCode::ProfileExists, detail)
    };
    if ports
        .state
        .profile(tenant, &profile.name, None)
        .await?
        .is_some()
    {
        return Err(exists(&profile.name));
    }
    let row = Transaction::new(tenant).put(Row::Profile(profile.clone()));
    match ports.state.commit(row).await {
        Ok(()) => Ok(profile),
        Err(error) if error.is_conflict() => Err(exists(&profile.name)),
        Err(error) => Err(error.into()),
    }
}

/// Changes a profile's description in place, or its configuration into a new revision.
///
/// # Errors
/// `ERR_INVALID_REQUEST`, `ERR_UNKNOWN_PROFILE`, `ERR_BUILTIN_PROFILE`, or when the state cannot be
/// written.
pub async fn update_profile(
    ports: &Ports,
    tenant: &Tenant,
    name: &str,
    description: Option<String>,
    config: Option<ProfileConfig>,
) -> Result<Profile, ApiError> {
    for _ in 0..100 {
        let mut profile = find_profile(ports, tenant, name, None).await?;
        if profile.is_builtin() {
            return Err(ApiError::new(
                ErrorCode::BuiltinProfile,
                format!("profile `{name}` is built in; create one of your own with kind {name}"),
            ));
        }
        if let Some(description) = &description {
            profile.description.clone_from(description);
        }
        if let Some(config) = &config
            && *config != profile.config
        {
            let errors = config.errors(profile.kind);
            if !errors.is_empty() {
                return Err(ApiError::invalid(errors));
            }
            profile.config = config.clone();
            profile.revision += 1;
            profile.created_at = Some(ports.clock.now());
            profile.rev = 0;
        }
        let row = Transaction::new(tenant).put(Row::Profile(profile.clone()));
        match ports.state.commit(row).await {
            Ok(()) => return Ok(profile),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ApiError::new(
        ErrorCode::Storage,
        format!("profile `{name}` is being changed by others all the time; try again"),
    ))
}
