//! A ledger or a policy engine behind HTTP.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;

use export_authority::client::{ProofKey, Secret};
use export_evidence_http::{ClientCredentials, ClientSettings, FileToken, HttpLedger, TokenSource};
use export_ports::{Clock, Ids, PortError, PortErrorKind};

use crate::chosen::{Chosen, Tokens};

/// The most bytes of a password.
const LARGEST: u64 = 64 << 10;

/// The ledger at `url`, with tokens as the settings say.
pub(crate) fn remote(
    url: &str,
    chosen: &Chosen,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
) -> Result<Arc<HttpLedger>, PortError> {
    let invalid = |error: export_evidence_http::InvalidSettings| {
        PortError::because(PortErrorKind::Invalid, "using a ledger behind HTTP", error)
    };
    let tokens: Arc<dyn TokenSource> = match &chosen.tokens {
        None => {
            let doing = "reading evidence without a token";
            return Err(PortError::new(PortErrorKind::Invalid, doing));
        }
        Some(Tokens::File(path)) => Arc::new(FileToken::new(path)),
        Some(Tokens::Authority { endpoint, client }) => {
            let client = match client {
                None => None,
                Some((id, secret)) => Some((id.clone(), secret_in(secret)?)),
            };
            let (clock, ids) = (Arc::clone(clock), Arc::clone(ids));
            let tokens = ClientCredentials::new(endpoint, client, key()?, clock, ids);
            Arc::new(tokens.map_err(invalid)?)
        }
    };
    let settings = ClientSettings {
        trust_admission: chosen.trust_admission,
        ..ClientSettings::new(url)
    };
    HttpLedger::new(&settings, tokens, Arc::clone(clock), Arc::clone(ids))
        .map(Arc::new)
        .map_err(invalid)
}

/// A key of this process's own, to which its tokens are bound.
fn key() -> Result<ProofKey, PortError> {
    ProofKey::generate().map_err(|error| {
        PortError::because(PortErrorKind::Unavailable, "making a key for proofs", error)
    })
}

/// The password in a file, without the line end that editors add.
fn secret_in(file: &str) -> Result<Secret, PortError> {
    let doing = || format!("reading the client's password in {file}");
    let mut text = String::new();
    File::open(file)
        .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
        .map_err(|error| PortError::because(PortErrorKind::Unavailable, doing(), error))?;
    let text = Secret::new(text);
    let inner = text.expose().trim_end_matches(['\r', '\n']);
    Ok(Secret::new(inner.to_owned()))
}
