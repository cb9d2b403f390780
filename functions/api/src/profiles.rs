//! Profiles: built-in ones, and variants of them that a tenant makes.

use export_lifecycle::check_encryption;
use export_model::{ErrorCode, FieldError, Profile, ProfileConfig, ProfileKind, Tenant};
use export_ports::{Ports, Row, Transaction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ApiError;

/// Attempts at a change: others may be changing the same profile.
const ATTEMPTS: u32 = 100;

/// A profile that somebody wants to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    Ok(export_lifecycle::usable_profiles(ports, tenant).await?)
}

/// A profile by its name; its newest revision unless another is named. Revisions of a retired
/// profile are found by their number only.
///
/// # Errors
/// `ERR_UNKNOWN_PROFILE`, `ERR_PROFILE_RETIRED`, or when the state cannot be read.
pub async fn find_profile(
    ports: &Ports,
    tenant: &Tenant,
    name: &str,
    revision: Option<u32>,
) -> Result<Profile, ApiError> {
    Ok(export_lifecycle::find_profile(ports, tenant, name, revision).await?)
}

fn description_errors(description: &str) -> Option<FieldError> {
    (description.len() > 1_000).then(|| FieldError {
        field: "description".into(),
        message: "must have at most 1,000 bytes".into(),
    })
}

/// Makes a profile.
///
/// # Errors
/// `ERR_INVALID_REQUEST` naming every wrong member, `ERR_PROFILE_EXISTS`, `ERR_PROFILE_RETIRED` (a
/// name is never given again: past runs say which profile they ran by it), or when the state cannot
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
    errors.extend(description_errors(&new.description));
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    check_encryption(ports, tenant, &new.config.encryption).await?;
    let profile = Profile {
        tenant: tenant.clone(),
        name: new.name,
        kind: new.kind,
        revision: 1,
        description: new.description,
        config: new.config,
        created_at: Some(ports.clock.now()),
        retired_at: None,
        rev: 0,
    };
    let exists = |name: &str| {
        let detail = format!("tenant {tenant} has a profile `{name}` already");
        ApiError::new(ErrorCode::ProfileExists, detail)
    };
    if let Some(found) = ports.state.profile(tenant, &profile.name, None).await? {
        return Err(match found.retired_at {
            None => exists(&profile.name),
            Some(since) => ApiError::new(
                ErrorCode::ProfileRetired,
                format!(
                    "tenant {tenant} had a profile `{}` until {since}; choose another name",
                    profile.name
                ),
            ),
        });
    }
    let row = Transaction::new(tenant).put(Row::Profile(profile.clone()));
    match ports.state.commit(row).await {
        Ok(()) => Ok(Profile { rev: 1, ..profile }),
        Err(error) if error.is_conflict() => Err(exists(&profile.name)),
        Err(error) => Err(error.into()),
    }
}

/// A profile that may be changed: its newest revision, if it is the one that `if_match` names.
async fn changeable(
    ports: &Ports,
    tenant: &Tenant,
    name: &str,
    if_match: Option<(u32, u64)>,
) -> Result<Profile, ApiError> {
    let profile = find_profile(ports, tenant, name, None).await?;
    if profile.is_builtin() {
        return Err(ApiError::new(
            ErrorCode::BuiltinProfile,
            format!("profile `{name}` is built in; create one of your own with kind {name}"),
        ));
    }
    if if_match.is_some_and(|seen| seen != (profile.revision, profile.rev)) {
        return Err(ApiError::new(
            ErrorCode::PreconditionFailed,
            format!(
                "profile `{name}` was changed meanwhile; it is at revision {}",
                profile.revision
            ),
        ));
    }
    Ok(profile)
}

fn contended(name: &str) -> ApiError {
    ApiError::new(
        ErrorCode::Storage,
        format!("profile `{name}` is being changed by others all the time; try again"),
    )
}

/// Changes a profile's description in place, or its configuration into a new revision. `if_match`
/// is the revision and the row's version that the change is meant for.
///
/// # Errors
/// `ERR_INVALID_REQUEST`, `ERR_UNKNOWN_PROFILE`, `ERR_PROFILE_RETIRED`, `ERR_BUILTIN_PROFILE`,
/// `ERR_PRECONDITION_FAILED`, or when the state cannot be written.
pub async fn update_profile(
    ports: &Ports,
    tenant: &Tenant,
    name: &str,
    description: Option<String>,
    config: Option<ProfileConfig>,
    if_match: Option<(u32, u64)>,
) -> Result<Profile, ApiError> {
    for _ in 0..ATTEMPTS {
        let stored = changeable(ports, tenant, name, if_match).await?;
        let mut profile = stored.clone();
        let mut errors = Vec::new();
        if let Some(description) = &description {
            errors.extend(description_errors(description));
            profile.description.clone_from(description);
        }
        let mut transaction = Transaction::new(tenant);
        if let Some(config) = &config
            && *config != profile.config
        {
            errors.extend(config.errors(profile.kind));
            // Written as it is: whoever changes or retires that revision now is in conflict.
            transaction = transaction.put(Row::Profile(stored));
            profile.config = config.clone();
            profile.revision += 1;
            profile.created_at = Some(ports.clock.now());
            profile.rev = 0;
        }
        if !errors.is_empty() {
            return Err(ApiError::invalid(errors));
        }
        if config.is_some() {
            check_encryption(ports, tenant, &profile.config.encryption).await?;
        }
        transaction = transaction.put(Row::Profile(profile.clone()));
        match ports.state.commit(transaction).await {
            Ok(()) => {
                profile.rev += 1;
                return Ok(profile);
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended(name))
}

/// Retires a profile: it is listed no more and nothing is run with it. Runs that it had keep it, its
/// revisions can be read by number, and its name is not given again.
///
/// # Errors
/// `ERR_UNKNOWN_PROFILE`, `ERR_PROFILE_RETIRED`, `ERR_BUILTIN_PROFILE`, `ERR_PRECONDITION_FAILED`,
/// or when the state cannot be written.
pub async fn retire_profile(
    ports: &Ports,
    tenant: &Tenant,
    name: &str,
    if_match: Option<(u32, u64)>,
) -> Result<Profile, ApiError> {
    for _ in 0..ATTEMPTS {
        let mut profile = changeable(ports, tenant, name, if_match).await?;
        profile.retired_at = Some(ports.clock.now());
        let row = Transaction::new(tenant).put(Row::Profile(profile.clone()));
        match ports.state.commit(row).await {
            Ok(()) => {
                profile.rev += 1;
                return Ok(profile);
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended(name))
}
