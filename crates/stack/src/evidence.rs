//! A ledger or a policy engine behind HTTP.

use std::sync::Arc;

use export_evidence_http::{
    ClientCredentials, ClientSettings, FileToken, HttpLedger, TokenSource,
};
use export_ports::{Clock, Ids, PortError, PortErrorKind};

use crate::chosen::{Chosen, Tokens};

/// The ledger at `url`, with tokens as the settings say.
pub(crate) fn remote(
    url: &str,
    chosen: &Chosen,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
) -> Result<Arc<HttpLedger>, PortError> {
    let invalid = |error: export_evidence_http::InvalidSettings| {
        PortError::because(PortErrorKind::Invalid, "using the ledger behind HTTP", error)
    };
    let tokens: Arc<dyn TokenSource> = match &chosen.tokens {
        Tokens::File(path) => Arc::new(FileToken::new(path)),
        Tokens::Authority { endpoint, client } => {
            let client = match client {
                None => None,
                Some((id, secret)) => Some((id.clone(), secret_in(secret)?)),
            };
            let tokens = ClientCredentials::new(
                endpoint,
                client,
                Arc::clone(clock),
                Arc::clone(ids),
            );
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
