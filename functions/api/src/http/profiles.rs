//! `/profiles`: what can be exported, and how.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ETAG, IF_MATCH, LOCATION};
use export_model::{ErrorCode, Profile, ProfileConfig, ProfileKind};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Done};
use super::caller::{Caller, Manage, Read};
use super::extract::{Document, Params, Segments};
use super::{BASE, Problem, Service};
use crate::views::{ProfileList, ProfileView};
use crate::{
    NewProfile, create_profile, find_profile, list_profiles, retire_profile, update_profile,
};

/// A profile, named in the path.
#[derive(Deserialize, JsonSchema)]
pub(super) struct ProfilePath {
    /// The profile's name.
    id: String,
}

/// Which revision to read.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevisionQuery {
    /// The revision; the newest where it is left out.
    revision: Option<u32>,
}

/// What to change of a profile.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileChange {
    /// The new description, in place.
    description: Option<String>,
    /// The new configuration, which makes a new revision.
    config: Option<ProfileConfig>,
}

/// A kind of profile, named in the path.
#[derive(Deserialize, JsonSchema)]
pub(super) struct KindPath {
    /// The kind, such as `json:raw`.
    kind: String,
}

fn etag(profile: &Profile) -> String {
    format!("\"{}.{}\"", profile.revision, profile.rev)
}

fn answer<const STATUS: u16>(profile: &Profile) -> Answer<ProfileView, STATUS> {
    Answer::new(ProfileView::from(profile)).with(ETAG, &etag(profile))
}

pub(super) async fn list(
    caller: Caller<Read>,
    State(service): State<Service>,
) -> Result<Answer<ProfileList>, Problem> {
    let profiles = list_profiles(service.ports(), caller.tenant()).await?;
    let profiles = profiles.iter().map(ProfileView::from).collect();
    Ok(Answer::new(ProfileList { profiles }))
}

pub(super) async fn create(
    caller: Caller<Manage>,
    State(service): State<Service>,
    request: Document<NewProfile>,
) -> Result<Answer<ProfileView, 201>, Problem> {
    let profile = create_profile(service.ports(), caller.tenant(), request.value).await?;
    let stored = find_profile(service.ports(), caller.tenant(), &profile.name, None).await?;
    let location = format!("{BASE}/profiles/{}", stored.name);
    Ok(answer(&stored).with(LOCATION, &location))
}

pub(super) async fn show(
    caller: Caller<Read>,
    State(service): State<Service>,
    Segments(path): Segments<ProfilePath>,
    Params(query): Params<RevisionQuery>,
) -> Result<Answer<ProfileView>, Problem> {
    let ports = service.ports();
    let profile = find_profile(ports, caller.tenant(), &path.id, query.revision).await?;
    Ok(answer(&profile))
}

pub(super) async fn change(
    caller: Caller<Manage>,
    State(service): State<Service>,
    Segments(path): Segments<ProfilePath>,
    headers: HeaderMap,
    request: Document<ProfileChange>,
) -> Result<Answer<ProfileView>, Problem> {
    let ports = service.ports();
    let expected = expected(&headers)?;
    let ProfileChange {
        description,
        config,
    } = request.value;
    update_profile(
        ports,
        caller.tenant(),
        &path.id,
        description,
        config,
        Some(expected),
    )
    .await?;
    let stored = find_profile(ports, caller.tenant(), &path.id, None).await?;
    Ok(answer(&stored))
}

/// The revision that `If-Match` names.
fn expected(headers: &HeaderMap) -> Result<(u32, u64), Problem> {
    let mut tags = headers.get_all(IF_MATCH).iter();
    let Some(tag) = tags.next() else {
        let detail = "say with If-Match which revision is to be changed: its ETag";
        return Err(Problem::new(ErrorCode::PreconditionRequired, detail));
    };
    let parsed = tag
        .to_str()
        .ok()
        .and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"'))
        .and_then(|tag| tag.split_once('.'))
        .and_then(|(revision, rev)| Some((revision.parse().ok()?, rev.parse().ok()?)));
    match (parsed, tags.next()) {
        (Some(expected), None) => Ok(expected),
        _ => {
            let detail = "If-Match is not the ETag of a profile";
            Err(Problem::new(ErrorCode::PreconditionFailed, detail))
        }
    }
}

pub(super) async fn retire(
    caller: Caller<Manage>,
    State(service): State<Service>,
    Segments(path): Segments<ProfilePath>,
    headers: HeaderMap,
) -> Result<Done, Problem> {
    let expected = match headers.contains_key(IF_MATCH) {
        true => Some(expected(&headers)?),
        false => None,
    };
    retire_profile(service.ports(), caller.tenant(), &path.id, expected).await?;
    Ok(Done)
}

/// The JSON Schema of the configuration of profiles of a kind.
pub(super) async fn schema(
    _: Caller<Read>,
    Segments(path): Segments<KindPath>,
) -> Result<Answer<serde_json::Value>, Problem> {
    let kind: ProfileKind = path.kind.parse().map_err(|_| {
        let detail = format!("there is no kind `{}`", path.kind);
        Problem::new(ErrorCode::NoSuchResource, detail)
    })?;
    Ok(Answer::new(config_schema(kind)))
}

/// The JSON Schema (2020-12) of the configuration of profiles of `kind`.
#[must_use]
pub fn config_schema(kind: ProfileKind) -> serde_json::Value {
    let mut schema = schemars::schema_for!(ProfileConfig).to_value();
    schema["title"] = format!("Configuration of {kind}").into();
    schema["$id"] = format!("https://export-center.dev/schemas/profiles/{kind}").into();
    // Which kinds of records there are depends on what is produced.
    let kinds: Vec<_> = kind.kinds().iter().map(|kind| kind.as_str()).collect();
    let list = json!({ "type": "array", "minItems": 1, "items": { "enum": kinds } });
    if let Some(members) = schema["properties"]["kinds"].as_object_mut() {
        members.retain(|name, _| name == "description");
        members.insert("anyOf".to_owned(), json!([list, { "type": "null" }]));
    }
    // So does whether a scanner has a say; which version is written is told when a run is asked for.
    if let Some(members) = schema["properties"].as_object_mut() {
        if kind.schema_version().is_none() {
            members.remove("schema_version");
        } else if let Some(version) = members.get_mut("schema_version") {
            version["minimum"] = 1.into();
        }
    }
    schema
}
