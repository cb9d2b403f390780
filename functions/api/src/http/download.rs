//! `/runs/{id}/download`, `/files/{path}`, `/manifest` and `/provenance`: bytes as they were signed.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, HeaderName, HeaderValue, LOCATION, TE, TRAILER,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use export_model::{ErrorCode, ObjectKey, Run, RunStatus, Sha256Digest};
use export_ports::Link;
use schemars::JsonSchema;
use serde::Deserialize;

use super::caller::{Caller, Download, Read};
use super::extract::{Params, Segments};
use super::object_body::ObjectBody;
use super::range::{Selected, select};
use super::runs::RunPath;
use super::service::LINK_VALID;
use super::{Problem, Service};
use crate::find_run;

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const EXPORT_DIGEST: HeaderName = HeaderName::from_static("x-export-digest");
const EXPORT_LENGTH: HeaderName = HeaderName::from_static("x-export-length");
/// How a sealed bundle is sealed: `age` or `aes-gcm`.
const EXPORT_ENCRYPTION: HeaderName = HeaderName::from_static("x-export-encryption");
/// The digest of what was sent, in a trailer (RFC 9530 §2).
const CONTENT_DIGEST: &str = "content-digest";

/// A member of a bundle, named in the path.
#[derive(Deserialize, JsonSchema)]
pub(super) struct MemberPath {
    /// The run's id.
    id: String,
    /// The member's path in the bundle, such as `payload/advisory/part-00000.jsonl.zst`.
    path: String,
}

/// Which form of a signed document.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FormQuery {
    /// `sigstore` for the Sigstore bundle over it; the document itself where it is left out.
    format: Option<DocumentForm>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DocumentForm {
    Sigstore,
}

impl FormQuery {
    /// The member that is wanted of the signed document `name`.
    fn member(&self, name: &str) -> String {
        match self.format {
            None => name.to_owned(),
            Some(DocumentForm::Sigstore) => format!("{name}.sigstore.json"),
        }
    }
}

/// Something that can be sent, whole or in ranges.
struct Representation {
    object: ObjectKey,
    size: u64,
    /// Where it is known; nothing then has to be read to tell it.
    sha256: Option<Sha256Digest>,
    media_type: &'static str,
    /// Under which name it is saved, where it is to be saved.
    file_name: Option<String>,
}

pub(super) async fn archive(
    caller: Caller<Download>,
    State(service): State<Service>,
    Segments(path): Segments<RunPath>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = find_run(service.ports(), caller.tenant(), &path.id).await?;
    let archive = run.archive.clone().ok_or_else(|| not_there(&run))?;
    let representation = Representation {
        object: archive.object,
        size: archive.size,
        sha256: Some(archive.sha256),
        media_type: "application/x-tar",
        file_name: Some(format!("{}.tar", run.key.run)),
    };
    // An archive may be of any size: where not every one can be carried, none is.
    let mut response = send(&service, representation, &method, &headers, Some(0)).await?;
    if response.status().is_success() {
        let size = HeaderValue::from(archive.size);
        response.headers_mut().insert(EXPORT_LENGTH, size);
        let digest = archive.sha256.to_string();
        put(&mut response, EXPORT_DIGEST, &digest);
        if let Some(sealing) = &run.sealing {
            put(&mut response, EXPORT_ENCRYPTION, sealing.mode());
        }
    }
    Ok(response)
}

pub(super) async fn member(
    caller: Caller<Download>,
    State(service): State<Service>,
    Segments(path): Segments<MemberPath>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = find_run(service.ports(), caller.tenant(), &path.id).await?;
    signed(&service, &run, &path.path, &method, &headers).await
}

pub(super) async fn manifest(
    caller: Caller<Read>,
    State(service): State<Service>,
    Segments(path): Segments<RunPath>,
    Params(query): Params<FormQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = find_run(service.ports(), caller.tenant(), &path.id).await?;
    let member = query.member("export.json");
    signed(&service, &run, &member, &method, &headers).await
}

pub(super) async fn provenance(
    caller: Caller<Read>,
    State(service): State<Service>,
    Segments(path): Segments<RunPath>,
    Params(query): Params<FormQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = find_run(service.ports(), caller.tenant(), &path.id).await?;
    let member = query.member("provenance.json");
    signed(&service, &run, &member, &method, &headers).await
}

/// A member of the signed set. Its path is looked up, never made into one of ours.
async fn signed(
    service: &Service,
    run: &Run,
    path: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let set = run.published.as_ref().ok_or_else(|| not_there(run))?;
    let found = set.members.iter().find(|(member, _, _)| member == path);
    let Some((member, object, size)) = found else {
        if run.pruned.is_some() && path.starts_with("payload/") {
            return Err(not_there(run));
        }
        let detail = format!("the bundle of run {} has no such member", run.key.run);
        return Err(Problem::new(ErrorCode::NoSuchResource, detail));
    };
    let media_type = match member.rsplit('.').next() {
        Some("json") => "application/json",
        Some("zst") => "application/zstd",
        _ => "application/octet-stream",
    };
    let representation = Representation {
        object: object.clone(),
        size: *size,
        sha256: (member == "export.json").then_some(set.manifest_sha256),
        media_type,
        file_name: None,
    };
    send(service, representation, method, headers, None).await
}

/// Why a run has nothing to send.
fn not_there(run: &Run) -> Problem {
    if let Some(pruned) = &run.pruned {
        let detail = format!(
            "the bundle of run {} was removed at {}: {}",
            run.key.run, pruned.at, pruned.reason
        );
        return Problem::new(ErrorCode::Pruned, detail);
    }
    let detail = match run.status {
        RunStatus::Failed | RunStatus::Aborted => {
            format!("run {} is {} and has no bundle", run.key.run, run.status)
        }
        status => format!("run {} is {status}; it has no bundle yet", run.key.run),
    };
    Problem::new(ErrorCode::NotReady, detail)
}

fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Sends it, or a link to it where the host can carry no more than so many bytes. `most` is less than
/// what the host can carry.
async fn send(
    service: &Service,
    representation: Representation,
    method: &Method,
    headers: &HeaderMap,
    most: Option<u64>,
) -> Result<Response, Problem> {
    if let Some(carried) = service.carried()
        && method != Method::HEAD
        && representation.size > most.unwrap_or(carried.bytes)
        && let Some(url) = link(service, &representation).await?
    {
        let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
        put(&mut response, LOCATION, &url);
        // The link is a secret, and soon of no use.
        put(&mut response, CACHE_CONTROL, "no-store");
        return Ok(response);
    }
    let Representation {
        object,
        size,
        sha256,
        media_type,
        file_name,
    } = representation;
    // An object is written once under its key, so its key tells it from every other.
    let tag = sha256.unwrap_or_else(|| Sha256Digest::of(object.as_str().as_bytes()));
    let etag = format!(
        "\"{}-{}\"",
        if sha256.is_some() { "sha256" } else { "object" },
        tag.hex()
    );
    let selected = select(method, headers, &etag, size);
    let (first, end, status) = match selected {
        Selected::Whole => (0, size, StatusCode::OK),
        Selected::Part(first, end) => (first, end, StatusCode::PARTIAL_CONTENT),
        Selected::NotModified => (0, 0, StatusCode::NOT_MODIFIED),
        Selected::PreconditionFailed => {
            let detail = format!("the representation has the ETag {etag}");
            return Err(Problem::new(ErrorCode::PreconditionFailed, detail));
        }
        Selected::Unsatisfiable => {
            let detail = format!("the representation has {size} bytes");
            return Err(Problem::new(ErrorCode::RangeNotSatisfiable, detail)
                .with_header(CONTENT_RANGE, &format!("bytes */{size}")));
        }
    };
    let mut response = if status == StatusCode::NOT_MODIFIED {
        status.into_response()
    } else {
        // A length and a trailer exclude each other (RFC 9112 §6.2: trailers need chunks).
        let trailer = status == StatusCode::OK && method != Method::HEAD && wants_trailer(headers);
        let objects = &service.ports().objects;
        let mut body = ObjectBody::new(objects, object, first..end);
        if trailer {
            body = body.with_digest_trailer(CONTENT_DIGEST);
        }
        let body = if method == Method::HEAD {
            Body::empty()
        } else {
            Body::new(body)
        };
        let mut response = Response::new(body);
        if trailer {
            put(&mut response, TRAILER, CONTENT_DIGEST);
        } else {
            let length = HeaderValue::from(end - first);
            response.headers_mut().insert(CONTENT_LENGTH, length);
        }
        response
    };
    *response.status_mut() = status;
    put(&mut response, ETAG, &etag);
    put(&mut response, ACCEPT_RANGES, "bytes");
    // It never changes, but it is one tenant's.
    put(
        &mut response,
        CACHE_CONTROL,
        "private, no-transform, max-age=0",
    );
    if status == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    put(&mut response, CONTENT_TYPE, media_type);
    if let Some(sha256) = sha256 {
        let digest = format!("sha-256=:{}:", STANDARD.encode(sha256.0));
        put(&mut response, REPR_DIGEST, &digest);
    }
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{}/{size}", end - 1);
        put(&mut response, CONTENT_RANGE, &range);
    }
    if let Some(name) = file_name {
        let disposition = format!("attachment; filename=\"{name}\"");
        put(&mut response, CONTENT_DISPOSITION, &disposition);
    }
    Ok(response)
}

async fn link(
    service: &Service,
    representation: &Representation,
) -> Result<Option<String>, Problem> {
    let link = Link {
        valid: LINK_VALID,
        media_type: representation.media_type,
        file_name: representation.file_name.as_deref(),
    };
    let objects = &service.ports().objects;
    Ok(objects.link(&representation.object, link).await?)
}

/// Whether the client said that it reads trailers (RFC 9110 §10.1.4).
fn wants_trailer(headers: &HeaderMap) -> bool {
    headers
        .get_all(TE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}
