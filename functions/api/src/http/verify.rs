//! `POST /verify`: whether a manifest is signed by one of the service's keys. Nothing is stored.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use export_bundle::manifest::Manifest;
use export_model::{ErrorCode, RunId, Sha256Digest};
use export_signing::{PublicKey, Signature};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::caller::{Caller, Read};
use super::extract::Params;
use super::{Problem, Service, read, wants};

/// The most bytes of a manifest.
const MANIFEST_BYTES: usize = 64 << 20;
/// The most characters of a signature in base64.
const SIGNATURE_CHARACTERS: usize = 256;

/// The signature.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignatureQuery {
    /// The contents of `export.json.sig`: a DER ECDSA signature in base64, also in its form for
    /// URLs.
    signature: String,
}

/// Whether a manifest is one that this service signed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Whether the signature is by one of the service's keys, over exactly these bytes.
    pub valid: bool,
    /// Why not.
    pub reason: Option<String>,
    /// The key that signed it, by its fingerprint over its SPKI DER.
    pub key_fingerprint: Option<String>,
    /// SHA-256 of what was sent.
    pub manifest_sha256: Sha256Digest,
    /// The run that the manifest names. Only where it is valid.
    pub run_id: Option<RunId>,
    /// The content digest that the manifest names. Only where it is valid.
    pub content_digest: Option<Sha256Digest>,
}

pub(super) async fn verify(
    _: Caller<Read>,
    State(service): State<Service>,
    Params(query): Params<SignatureQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer<Verdict>, Problem> {
    wants(&headers, &["application/json", "application/octet-stream"])?;
    let signature = signature(&query.signature)?;
    // Manifests are held whole, so only a few at a time.
    let _turn = service.verifying().await?;
    let manifest = read(body, MANIFEST_BYTES).await?;
    let keys = service.public_keys().await?;
    let verdict = tokio::task::spawn_blocking(move || judge(&manifest, &signature, &keys))
        .await
        .map_err(|error| {
            Problem::new(ErrorCode::Internal, format!("verifying stopped: {error}"))
        })?;
    Ok(Answer::new(verdict))
}

fn signature(text: &str) -> Result<Signature, Problem> {
    // A `+` that was not escaped arrives as a space.
    let text = text.trim().replace(' ', "+");
    let decoded = (text.len() <= SIGNATURE_CHARACTERS)
        .then(|| {
            STANDARD
                .decode(&text)
                .or_else(|_| URL_SAFE_NO_PAD.decode(&text))
        })
        .and_then(Result::ok)
        .and_then(|der| Signature::from_der(der).ok());
    decoded.ok_or_else(|| super::field("signature", "is not a signature in base64"))
}

fn judge(manifest: &[u8], signature: &Signature, keys: &[PublicKey]) -> Verdict {
    let mut verdict = Verdict {
        valid: false,
        reason: None,
        key_fingerprint: None,
        manifest_sha256: Sha256Digest::of(manifest),
        run_id: None,
        content_digest: None,
    };
    let signer = keys
        .iter()
        .find(|key| key.verify(manifest, signature).is_ok());
    let Some(signer) = signer else {
        verdict.reason = Some(
            "the signature is not by a key of this service over exactly these bytes".to_owned(),
        );
        return verdict;
    };
    match Manifest::parse(manifest) {
        Ok(parsed) => {
            verdict.valid = true;
            verdict.key_fingerprint = Some(signer.fingerprint().to_string());
            // Of a sealed bundle it is not told to everybody.
            verdict.content_digest = parsed.sealed.is_none().then_some(parsed.content_digest);
            verdict.run_id = Some(parsed.run.id.clone());
        }
        Err(error) => {
            verdict.reason = Some(format!("what was signed is no manifest: {error}"));
        }
    }
    verdict
}
