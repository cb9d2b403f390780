//! `exportctl login` and `logout`.

use std::io::Read as _;
use std::path::Path;

use export_authority::client::{ClientGrant, NoToken, ProofKey, Secret, ask_for_token};
use export_model::{ErrorCode, Tenant};
use serde_json::json;

use super::address::Address;
use super::credentials::{self, Credentials, key_failed, read_token};
use super::http::{Client, connections, now};
use super::{discovery, random};
use crate::cli::LoginArgs;
use crate::commands::is_standard_input;
use crate::failure::Failed;
use crate::output::{Output, table};
use crate::settings::{DEFAULT_TENANT, user};

/// The most bytes of a file with a token or a password.
const LARGEST: u64 = 64 << 10;

pub(crate) async fn login(
    address: &Address,
    output: &Output,
    args: &LoginArgs,
) -> Result<u8, Failed> {
    if args.new_key {
        return new_key(address, output);
    }
    let (credentials, given) = match &args.token {
        Some(file) => (with_token(address, file)?, true),
        None => (obtain(address, args).await?, false),
    };
    if let Some(end) = credentials.identity.expires_at
        && end <= now()
    {
        let detail = format!("the token ended at {}; obtain another", end.whole_seconds());
        return Err(Failed::new(ErrorCode::TokenExpired, detail));
    }
    // Whether the service takes it is better known now than at the first command.
    if let Some(client) = Client::with(address, credentials.clone())? {
        let asked = match client.send(&client.get("/adapters")).await {
            // A ledger that is served has no API.
            Err(trouble) if trouble.failed.code == ErrorCode::NoSuchResource => {
                client.send(&client.ledger()).await
            }
            asked => asked,
        };
        match asked {
            Ok(_) => {}
            // Not this, but something.
            Err(trouble) if trouble.failed.code == ErrorCode::ScopeMissing => {}
            Err(trouble) => return Err(trouble.into()),
        }
    }
    let path = credentials::save(address, &credentials)?;
    tell(address, output, &credentials, &path, given)?;
    Ok(0)
}

/// Makes a key for a token that an Authority gives elsewhere.
fn new_key(address: &Address, output: &Output) -> Result<u8, Failed> {
    let key = ProofKey::generate().map_err(key_failed)?;
    let path = credentials::save(address, &Credentials::new(address, &key)?)?;
    let thumbprint = key.thumbprint();
    let text = format!(
        "{thumbprint}\n\nThe thumbprint (RFC 7638) of a new key in {}.\nObtain a token that is \
         bound to it (`cnf.jkt`), and give it with\n  exportctl --server {} login --token FILE",
        path.display(),
        address.as_str()
    );
    let value = json!({
        "server": address.as_str(),
        "thumbprint": thumbprint,
        "credentials": path,
    });
    output.result(&text, &value);
    Ok(0)
}

/// The credentials of `login --new-key`, with the token that was made for them.
fn with_token(address: &Address, file: &Path) -> Result<Credentials, Failed> {
    let token = secret(file)?;
    let mut credentials = credentials::load(address)?.ok_or_else(|| {
        let detail = format!(
            "there is no key yet that the token could be bound to; begin with \
             exportctl --server {} login --new-key",
            address.as_str()
        );
        Failed::new(ErrorCode::Usage, detail)
    })?;
    let key = credentials.key()?;
    let (identity, jkt) = read_token(token.expose()).unwrap_or_default();
    if jkt.as_deref().is_some_and(|jkt| jkt != key.thumbprint()) {
        let detail = format!(
            "the token is bound to another key than the one of this login, whose thumbprint is {}",
            key.thumbprint()
        );
        return Err(Failed::new(ErrorCode::TokenInvalid, detail));
    }
    credentials.identity = identity;
    credentials.access_token = Some(token);
    Ok(credentials)
}

/// A new key, and a token for it from the service's Authority.
async fn obtain(address: &Address, args: &LoginArgs) -> Result<Credentials, Failed> {
    if let Some(tenant) = &args.tenant {
        crate::settings::tenant(tenant)?;
    }
    let endpoint = match &args.token_endpoint {
        Some(url) => discovery::secure(url).map_err(|_| {
            let detail = format!(
                "--token-endpoint {url}: has to begin with https:// (http:// is for this \
                     machine only)"
            );
            Failed::new(ErrorCode::Usage, detail)
        })?,
        None => discovery::token_endpoint(address).await?,
    };
    let client = match &args.client_id {
        None => None,
        Some(id) => {
            let password = args.client_secret_file.as_deref().map(secret).transpose()?;
            Some((id.as_str(), password))
        }
    };
    // A registered client is who it is; a dev authority has to be told.
    let dev = client.is_none();
    let subject = user();
    let grant = ClientGrant {
        client,
        tenant: args.tenant.as_deref().or(dev.then_some(DEFAULT_TENANT)),
        subject: args.subject.as_deref().or(dev.then_some(subject.as_str())),
        scopes: &args.scopes,
    };
    let key = ProofKey::generate().map_err(key_failed)?;
    let http = connections(&endpoint)?;
    let jti = random::hex::<16>()?;
    let given = ask_for_token(&http, &endpoint, &key, &grant, now(), &jti)
        .await
        .map_err(no_token)?;
    let mut credentials = Credentials::new(address, &key)?;
    let (mut identity, _) = read_token(given.access_token.expose()).unwrap_or_default();
    if identity.expires_at.is_none() {
        let seconds = given
            .expires_in
            .map(|seconds| seconds.saturating_mul(1_000));
        identity.expires_at = seconds.map(|millis| now().plus_millis(millis));
    }
    // RFC 6749 §5.1: what was given may be less than what was asked for.
    identity.scope = given.scope.or(identity.scope);
    credentials.identity = identity;
    credentials.access_token = Some(given.access_token);
    Ok(credentials)
}

fn no_token(error: NoToken) -> Failed {
    let code = match &error {
        NoToken::Key(error) => return key_failed(*error),
        NoToken::Lost { .. } | NoToken::Strange { .. } => ErrorCode::ServerUnreachable,
        NoToken::Refused { .. } => ErrorCode::Unauthenticated,
        NoToken::NotBound { .. } => ErrorCode::TokenInvalid,
    };
    Failed::new(code, error.to_string())
}

fn tell(
    address: &Address,
    output: &Output,
    credentials: &Credentials,
    path: &Path,
    given: bool,
) -> Result<(), Failed> {
    let identity = &credentials.identity;
    let scopes: Vec<_> = credentials
        .scopes()
        .iter()
        .map(|scope| scope.as_str())
        .collect();
    let unknown = || "as the token says".to_owned();
    let row = |name: &str, value: String| vec![format!("  {name}"), value];
    let rows = vec![
        row(
            "tenant",
            identity
                .tenant
                .as_ref()
                .map_or_else(unknown, Tenant::to_string),
        ),
        row("subject", identity.subject.clone().unwrap_or_else(unknown)),
        row(
            "scopes",
            if scopes.is_empty() {
                unknown()
            } else {
                scopes.join(", ")
            },
        ),
        row(
            "until",
            identity
                .expires_at
                .map_or_else(unknown, |end| end.whole_seconds().to_string()),
        ),
        row("kept in", path.display().to_string()),
    ];
    let how = if given { " with the token given" } else { "" };
    let text = format!("logged in at {}{how}\n{}", address.as_str(), table(&rows));
    let value = json!({
        "server": address.as_str(),
        "tenant": identity.tenant,
        "subject": identity.subject,
        "scopes": scopes,
        "expires_at": identity.expires_at,
        "thumbprint": credentials.key()?.thumbprint(),
        "credentials": path,
    });
    output.result(&text, &value);
    Ok(())
}

/// `exportctl logout`: the token stays good until it ends, but here nobody has it any more.
pub(crate) fn logout(address: &Address, output: &Output) -> Result<u8, Failed> {
    let removed = credentials::remove(address)?;
    let text = if removed {
        format!("logged out at {}", address.as_str())
    } else {
        format!("nobody was logged in at {}", address.as_str())
    };
    let value = json!({ "server": address.as_str(), "logged_out": removed });
    output.result(&text, &value);
    Ok(0)
}

/// A token or a password from a file, or from standard input.
fn secret(path: &Path) -> Result<Secret, Failed> {
    let mut text = String::new();
    let read = if is_standard_input(path) {
        std::io::stdin()
            .lock()
            .take(LARGEST)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_string(&mut text))
    };
    let text = Secret::new(text);
    read.map_err(|error| Failed::read(path, &error))?;
    let inner = text.expose().trim();
    if inner.is_empty() || inner.contains(char::is_control) {
        let detail = format!("{} has to hold one line of text", path.display());
        return Err(Failed::new(ErrorCode::Usage, detail));
    }
    Ok(Secret::new(inner.to_owned()))
}
