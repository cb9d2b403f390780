//! The routes: which handler, what it is for, with which codes it refuses.

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::{delete_with, get_with, patch_with, post_with};
use aide::transform::TransformOperation;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use export_http::{nothing_here, observe, wrong_method};
use export_model::ErrorCode as E;

use super::answer::Answer;
use super::caller::{Caller, Read};
use super::openapi::{DOCUMENT, also_as, answers, describe, finish, frame, header, takes};
use super::{BASE, Problem, Service, download, events, health, profiles, runs, schedules, verify};
use crate::views::{AdapterList, AdapterView, SigningKeyView};

/// The API's routes and the two health checks, for a host to mount at its root.
pub fn router(service: Service) -> Router {
    let mut api = frame();
    let routes = documented().finish_api(&mut api);
    let document: Arc<str> = finish(&api).to_string().into();
    routes
        .route(
            &format!("{BASE}/openapi.json"),
            axum::routing::get(move || {
                let document = Arc::clone(&document);
                async move {
                    let mut response = Response::new(Body::from(document.as_bytes().to_vec()));
                    let json = HeaderValue::from_static("application/json");
                    response.headers_mut().insert(CONTENT_TYPE, json);
                    response
                }
            }),
        )
        .route("/health/live", axum::routing::get(health::live))
        .route("/health/ready", axum::routing::get(health::ready))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(service.door().clone(), observe))
        .with_state(service)
}

/// The OpenAPI 3.1 document of the API.
#[must_use]
pub fn openapi_document() -> serde_json::Value {
    let mut api = frame();
    let _: Router<Service> = documented().finish_api(&mut api);
    finish(&api)
}

async fn adapters(_: Caller<Read>, State(service): State<Service>) -> Answer<AdapterList> {
    let adapters = service.registry().adapters();
    Answer::new(AdapterList {
        adapters: adapters.iter().map(AdapterView::from).collect(),
    })
}

async fn key(
    _: Caller<Read>,
    State(service): State<Service>,
) -> Result<Answer<SigningKeyView>, Problem> {
    let public_key = service.ports().signer.public_key_pem().await?;
    let keys = service.public_keys().await?;
    let fingerprint = keys
        .first()
        .map(|key| key.fingerprint().to_string())
        .unwrap_or_default();
    Ok(Answer::new(SigningKeyView {
        public_key,
        fingerprint,
    }))
}

const PROFILE: &[E] = &[E::UnknownProfile];
const RUN: &[E] = &[E::UnknownRun];
const BUNDLE: &[E] = &[
    E::UnknownRun,
    E::NotReady,
    E::Pruned,
    E::PreconditionFailed,
    E::RangeNotSatisfiable,
];
const QUERY: &[E] = &[E::InvalidRequest];

fn documented() -> ApiRouter<Service> {
    ApiRouter::new().nest(
        BASE,
        profile_routes()
            .merge(run_routes())
            .merge(bundle_routes())
            .merge(schedule_routes())
            .merge(service_routes()),
    )
}

fn profile_routes() -> ApiRouter<Service> {
    ApiRouter::new()
        .api_route(
            "/profiles",
            get_with(profiles::list, |op| {
                let words = (
                    "listProfiles",
                    "profiles",
                    "List profiles, built-in ones first",
                );
                describe(op, words, &[])
            })
            .post_with(profiles::create, |op| {
                let words = ("createProfile", "profiles", "Make a profile of one's own");
                describe(op, words, &[DOCUMENT, &[E::ProfileExists]])
            }),
        )
        .api_route(
            "/profiles/{id}",
            get_with(profiles::show, |op| {
                let words = ("getProfile", "profiles", "Read a profile");
                describe(op, words, &[PROFILE, QUERY, &[E::ProfileRetired]])
            })
            .merge(patch_with(profiles::change, |op| {
                let words = (
                    "updateProfile",
                    "profiles",
                    "Change a profile: its description in place, its configuration into a new \
                     revision",
                );
                let op = header(op, "If-Match", false, "The profile's ETag; required (428).");
                let codes = [
                    E::BuiltinProfile,
                    E::ProfileRetired,
                    E::PreconditionRequired,
                    E::PreconditionFailed,
                ];
                describe(op, words, &[PROFILE, DOCUMENT, &codes])
            }))
            .merge(delete_with(profiles::retire, |op| {
                let words = (
                    "retireProfile",
                    "profiles",
                    "Retire a profile; past runs keep it",
                );
                let op = header(op, "If-Match", false, "The profile's ETag.");
                let codes = [E::BuiltinProfile, E::ProfileRetired, E::PreconditionFailed];
                describe(op, words, &[PROFILE, &codes])
            })),
        )
        .api_route(
            "/schemas/profiles/{kind}",
            get_with(profiles::schema, |op| {
                let words = (
                    "getProfileSchema",
                    "profiles",
                    "The JSON Schema of the configuration of a kind of profile",
                );
                describe(op, words, &[&[E::NoSuchResource]])
            }),
        )
}

fn run_routes() -> ApiRouter<Service> {
    ApiRouter::new()
        .api_route(
            "/runs",
            get_with(runs::list, |op| {
                describe(
                    op,
                    ("listRuns", "runs", "List runs, newest first"),
                    &[QUERY],
                )
            })
            .post_with(runs::create, |op| {
                let op = header(
                    op,
                    "Idempotency-Key",
                    false,
                    "The same request under the same key within 24 hours is one run.",
                );
                let codes = [
                    E::UnknownProfile,
                    E::ProfileRetired,
                    E::UnknownVariant,
                    E::TrivySchema,
                    E::UnknownSnapshot,
                    E::AsOfUnknown,
                    E::CrossTenant,
                    E::ApprovalInvalid,
                    E::ApprovalSignature,
                    E::ApprovalTime,
                    E::ApprovalScope,
                    E::ApprovalUsed,
                    E::IdempotencyConflict,
                    E::IdempotencyMismatch,
                    E::QuotaRuns,
                    E::QuotaBytes,
                ];
                describe(
                    op,
                    ("createRun", "runs", "Submit a run"),
                    &[DOCUMENT, &codes],
                )
            }),
        )
        .api_route(
            "/runs/{id}",
            get_with(runs::show, |op| {
                let words = (
                    "getRun",
                    "runs",
                    "Read a run: status, progress, what it made",
                );
                describe(op, words, &[RUN])
            }),
        )
        .api_route(
            "/runs/{id}/events",
            get_with(events::events, |op| {
                let op = header(
                    op,
                    "Last-Event-ID",
                    false,
                    "The id of the last event that was seen; the stream goes on after it.",
                );
                let op = op.response::<200, Answer<crate::views::EventPage>>();
                let op = also_as(op, 200, "text/event-stream");
                let op = answers(op, 204, "The run has ended and every event was seen", &[]);
                let words = (
                    "followRun",
                    "runs",
                    "Follow a run's events: a stream, or a page where the client accepts JSON only",
                );
                describe(op, words, &[RUN, QUERY, &[E::NotAcceptable]])
            }),
        )
        .api_route(
            "/runs/{id}/cancel",
            post_with(runs::cancel, |op| {
                let words = (
                    "cancelRun",
                    "runs",
                    "Cancel a run; nothing of its payload is kept",
                );
                describe(op, words, &[RUN, &[E::RunEnded]])
            }),
        )
        .api_route(
            "/runs/{id}/retry",
            post_with(runs::retry, |op| {
                let words = ("retryRun", "runs", "Hand an undelivered run over again");
                describe(op, words, &[RUN, &[E::RunEnded, E::Pruned]])
            }),
        )
}

/// An operation that sends bytes, whole or in part.
fn bytes<'a>(
    op: TransformOperation<'a>,
    whole: &str,
    media_types: &[&str],
) -> TransformOperation<'a> {
    let conditions = [
        (
            "Range",
            "One range of bytes, such as `bytes=1000-`; several are not looked at.",
        ),
        (
            "If-Range",
            "An ETag: the range is of this representation, else the whole is sent.",
        ),
        ("If-Match", "ETags: only one of these is wanted (412)."),
        (
            "If-None-Match",
            "ETags: one of these is there already (304).",
        ),
    ];
    let op = conditions
        .into_iter()
        .fold(op, |op, (name, meaning)| header(op, name, false, meaning));
    let op = answers(op, 200, whole, media_types);
    let op = answers(op, 206, "The range that was asked for", media_types);
    let op = answers(op, 304, "The client has it already", &[]);
    answers(
        op,
        307,
        "Where the service does not carry it itself: a link to it in the store (`Location`), good \
         for 5 minutes. The store's `ETag` is then its own",
        &[],
    )
}

fn bundle_routes() -> ApiRouter<Service> {
    ApiRouter::new()
        .api_route(
            "/runs/{id}/download",
            get_with(download::archive, |op| {
                let op = bytes(op, "The archive", &["application/x-tar"]);
                let words = (
                    "downloadRun",
                    "bundles",
                    "Download the bundle as one archive",
                );
                describe(op, words, &[BUNDLE])
            }),
        )
        .api_route(
            "/runs/{id}/files/{*path}",
            get_with(download::member, |op| {
                let types = [
                    "application/json",
                    "application/zstd",
                    "application/octet-stream",
                ];
                let op = bytes(op, "The member", &types);
                let words = (
                    "downloadMember",
                    "bundles",
                    "Download one member of the bundle",
                );
                describe(op, words, &[BUNDLE, &[E::NoSuchResource]])
            }),
        )
        .api_route(
            "/runs/{id}/manifest",
            get_with(download::manifest, |op| {
                let op = bytes(
                    op,
                    "The document, byte for byte as signed",
                    &["application/json"],
                );
                let words = (
                    "getManifest",
                    "bundles",
                    "The manifest `export.json`, as signed",
                );
                describe(op, words, &[BUNDLE, QUERY, &[E::NoSuchResource]])
            }),
        )
        .api_route(
            "/runs/{id}/provenance",
            get_with(download::provenance, |op| {
                let op = bytes(
                    op,
                    "The document, byte for byte as signed",
                    &["application/json"],
                );
                let words = (
                    "getProvenance",
                    "bundles",
                    "The provenance `provenance.json`, as signed",
                );
                describe(op, words, &[BUNDLE, QUERY, &[E::NoSuchResource]])
            }),
        )
}

fn schedule_routes() -> ApiRouter<Service> {
    ApiRouter::new()
        .api_route(
            "/schedules",
            get_with(schedules::list, |op| {
                let words = ("listSchedules", "schedules", "List schedules, oldest first");
                describe(op, words, &[QUERY])
            })
            .post_with(schedules::create, |op| {
                let words = ("createSchedule", "schedules", "Start runs at times");
                let codes = [
                    E::UnknownProfile,
                    E::ProfileRetired,
                    E::UnknownVariant,
                    E::CrossTenant,
                ];
                describe(op, words, &[DOCUMENT, &codes])
            }),
        )
        .api_route(
            "/schedules/{id}",
            get_with(schedules::show, |op| {
                let words = ("getSchedule", "schedules", "Read a schedule");
                describe(op, words, &[&[E::UnknownSchedule]])
            })
            .merge(delete_with(schedules::delete, |op| {
                let words = ("deleteSchedule", "schedules", "Remove a schedule");
                describe(op, words, &[&[E::UnknownSchedule]])
            })),
        )
}

fn service_routes() -> ApiRouter<Service> {
    ApiRouter::new()
        .api_route(
            "/adapters",
            get_with(adapters, |op| {
                describe(
                    op,
                    ("listAdapters", "service", "What the service can produce"),
                    &[],
                )
            }),
        )
        .api_route(
            "/key",
            get_with(key, |op| {
                let words = (
                    "getKey",
                    "service",
                    "The public key that bundles are signed with",
                );
                describe(op, words, &[&[E::KeyUnreadable]])
            }),
        )
        .api_route(
            "/verify",
            post_with(verify::verify, |op| {
                let words = (
                    "verifyManifest",
                    "service",
                    "Whether a manifest, the body, is signed by this service",
                );
                let types = ["application/json", "application/octet-stream"];
                let op = takes(op, "The manifest, byte for byte; at most 64 MiB.", &types);
                describe(op, words, &[DOCUMENT])
            }),
        )
}
