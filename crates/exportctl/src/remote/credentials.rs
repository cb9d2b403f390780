//! What one is known by at a service: a token, and the key that it is bound to.
//!
//! They are kept in a file of their own for each service, which only its owner can read. The file
//! appears whole or not at all, so that a login that is cut off leaves the former one in place.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use export_authority::client::{ProofKey, Secret};
use export_authority::{KeyError, Scopes};
use export_model::{ErrorCode, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

use super::address::Address;
use crate::failure::Failed;

/// Names the file, instead of one in the platform's configuration folder.
const VARIABLE: &str = "EXPORT_CREDENTIALS";
/// The most bytes of a file of credentials.
const LARGEST: u64 = 64 << 10;

/// Who a token says one is. The token's own text is the Authority's business; what of it can be
/// read is for showing only, and nothing here relies on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Who.
    pub(crate) subject: Option<String>,
    /// Whose things one may see.
    pub(crate) tenant: Option<Tenant>,
    /// What one may do, as the token spells it.
    pub(crate) scope: Option<String>,
    /// Until when.
    pub(crate) expires_at: Option<Timestamp>,
}

/// A file of credentials. Its `Debug` form shows neither token nor key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// The service that they are for; they are sent to no other.
    pub(crate) server: String,
    /// Who the token says one is.
    #[serde(flatten)]
    pub(crate) identity: Identity,
    /// The token; none yet after `login --new-key`.
    pub(crate) access_token: Option<Secret>,
    /// The private key, PKCS#8 in PEM.
    pub(crate) proof_key: Secret,
}

impl Credentials {
    /// Credentials for a new key, which no token is bound to yet.
    pub(crate) fn new(address: &Address, key: &ProofKey) -> Result<Self, Failed> {
        let pem = key.to_pem().map_err(key_failed)?;
        Ok(Self {
            server: address.as_str().to_owned(),
            identity: Identity::default(),
            access_token: None,
            proof_key: Secret::new(pem.to_string()),
        })
    }

    /// The key, ready to make proofs.
    pub(crate) fn key(&self) -> Result<ProofKey, Failed> {
        ProofKey::from_pem(self.proof_key.expose()).map_err(key_failed)
    }

    /// The scopes of this service that the token carries.
    pub(crate) fn scopes(&self) -> Scopes {
        Scopes::from_claim(self.identity.scope.as_deref().unwrap_or_default())
    }
}

/// A proof key that cannot be made or used.
pub(super) fn key_failed(error: KeyError) -> Failed {
    let detail = format!("the key of the login: {error}");
    Failed::new(ErrorCode::KeyUnreadable, detail)
}

/// Where the credentials of a service are.
pub(crate) fn path(address: &Address) -> Result<PathBuf, Failed> {
    if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let Some(config) = dirs::config_dir() else {
        let detail = format!("this platform names no configuration folder; set {VARIABLE}");
        return Err(Failed::new(ErrorCode::Usage, detail));
    };
    Ok(config
        .join("export-center")
        .join("servers")
        .join(address.file_name()))
}

/// The credentials for a service; none where nobody has logged in.
pub(crate) fn load(address: &Address) -> Result<Option<Credentials>, Failed> {
    let path = path(address)?;
    let mut text = String::new();
    let read = fs::File::open(&path).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    let text = Secret::new(text);
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failed::read(&path, &error)),
    }
    let credentials: Credentials = serde_json::from_str(text.expose()).map_err(|error| {
        // The parser's message might quote what it read.
        let (line, column) = (error.line(), error.column());
        let detail = format!(
            "{} is no file of credentials (line {line}, column {column}); log in again",
            path.display()
        );
        Failed::new(ErrorCode::Io, detail)
    })?;
    if credentials.server != address.as_str() {
        let detail = format!(
            "{} has credentials for {}, not for {}",
            path.display(),
            credentials.server,
            address.as_str()
        );
        return Err(Failed::new(ErrorCode::Unauthenticated, detail));
    }
    Ok(Some(credentials))
}

/// Keeps credentials, readable for their owner only; says where.
pub(crate) fn save(address: &Address, credentials: &Credentials) -> Result<PathBuf, Failed> {
    let path = path(address)?;
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    make_private(folder)?;
    let failed = |error: &std::io::Error| Failed::write(&path, error);
    let text = serde_json::to_string_pretty(credentials)
        .map(Secret::new)
        .map_err(|error| Failed::new(ErrorCode::Internal, format!("credentials: {error}")))?;
    // Temporary files are readable for their owner only, and stay so.
    let mut part = tempfile::Builder::new()
        .prefix(".login-")
        .tempfile_in(folder)
        .map_err(|e| failed(&e))?;
    part.write_all(text.expose().as_bytes())
        .and_then(|()| part.write_all(b"\n"))
        .and_then(|()| part.as_file().sync_all())
        .map_err(|e| failed(&e))?;
    part.persist(&path).map_err(|e| failed(&e.error))?;
    Ok(path)
}

/// Forgets the credentials of a service; whether there were any.
pub(crate) fn remove(address: &Address) -> Result<bool, Failed> {
    let path = path(address)?;
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failed::write(&path, &error)),
    }
}

/// Makes a folder, and those above it that are missing, for their owner only.
fn make_private(folder: &Path) -> Result<(), Failed> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|e| Failed::write(folder, &e))
}

/// What a token says of itself, where it is a JWT: identity, and the thumbprint of the key that it
/// is bound to.
pub(crate) fn read_token(token: &str) -> Option<(Identity, Option<String>)> {
    #[derive(Deserialize)]
    struct Claims {
        sub: Option<String>,
        tenant: Option<Tenant>,
        scope: Option<String>,
        exp: Option<f64>,
        cnf: Option<Confirmation>,
    }
    #[derive(Deserialize)]
    struct Confirmation {
        jkt: Option<String>,
    }
    let payload = token.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    #[allow(clippy::cast_possible_truncation)] // A cast to an integer saturates.
    let expires_at = claims
        .exp
        .map(|seconds| Timestamp((seconds * 1_000.0) as i64));
    let identity = Identity {
        subject: claims.sub,
        tenant: claims.tenant,
        scope: claims.scope,
        expires_at,
    };
    Some((identity, claims.cnf.and_then(|bound| bound.jkt)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_token_nor_key_is_shown() {
        let address = Address::parse("https://export.example").unwrap();
        let key = ProofKey::generate().unwrap();
        let mut credentials = Credentials::new(&address, &key).unwrap();
        credentials.access_token = Some(Secret::new("the.secret.token".into()));
        let shown = format!("{credentials:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("PRIVATE"),
            "{shown}"
        );
        assert_eq!(credentials.key().unwrap().thumbprint(), key.thumbprint());
    }

    #[test]
    fn a_token_of_another_form_tells_nothing() {
        for text in ["", "opaque", "a.b.c", "a.e30", "e30.W10.x"] {
            let told = read_token(text).map(|(identity, jkt)| (identity.tenant, jkt));
            assert!(matches!(told, None | Some((None, None))), "{text}");
        }
    }
}
