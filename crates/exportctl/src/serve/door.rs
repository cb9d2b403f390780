//! Where a service listens, and by whose tokens it knows who asks: the Authority that was named, or a
//! dev authority beside it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use export_api::http::Authority;
use export_authority::dev::TokenEndpoint;
use export_authority::keys::{FileJwks, HttpJwks, JwksSource};
use export_authority::{
    AccessTokens, Checks, DEFAULT_LEEWAY_SECONDS, PublicUrl, Scope, Scopes, Verifier,
};
use export_http::resource_metadata;
use export_model::ErrorCode;
use export_ports::Ports;
use tokio::net::TcpListener;

use super::dev;
use crate::cli::AuthorityArgs;
use crate::failure::Failed;
use crate::settings::Settings;

/// How long a token of the dev authority is good.
const DEV_TOKEN_SECONDS: u32 = 3_600;

/// What a service offers, as its metadata tell it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offered {
    /// The scopes that its callers need.
    scopes: &'static [Scope],
    /// The path of its documentation, where it serves one.
    documentation: Option<&'static str>,
}

impl Offered {
    pub(super) const API: Self = Self {
        scopes: &Scope::API,
        documentation: Some("/api/export/openapi.json"),
    };
    pub(super) const LEDGER: Self = Self {
        scopes: &Scope::EVIDENCE,
        documentation: None,
    };

    pub(super) fn scopes(self) -> Scopes {
        self.scopes.iter().copied().collect()
    }

    pub(super) fn names(self) -> Vec<&'static str> {
        self.scopes.iter().map(|scope| scope.as_str()).collect()
    }
}

/// A place to serve at.
pub(super) struct Served {
    pub(super) listener: TcpListener,
    /// What it really listens on, which a proxy in front of it has to know.
    pub(super) bound: SocketAddr,
    /// The URL that clients know.
    pub(super) url: String,
    pub(super) authority: Authority,
    /// The route that tells where tokens come from.
    pub(super) metadata: Router,
    /// The dev authority's routes, where that gives the tokens.
    pub(super) beside: Router,
    /// Whether the authority is the dev authority.
    pub(super) dev: bool,
}

impl Served {
    /// Listens, and prepares to know who asks.
    pub(super) async fn open(
        settings: &Settings,
        ports: &Ports,
        listen: &str,
        args: &AuthorityArgs,
        offered: Offered,
    ) -> Result<Self, Failed> {
        let usage = |detail: String| Failed::new(ErrorCode::Usage, detail);
        let address: SocketAddr = listen
            .parse()
            .map_err(|_| usage(format!("--listen {listen}: not an address and a port")))?;
        let dev = args.jwks.is_none();
        if dev && !address.ip().is_loopback() {
            return Err(usage(format!(
                "--listen {address}: the dev authority gives a token to whoever asks, so it serves \
                 loopback only; name your Authority with --jwks, --issuer and --audience"
            )));
        }
        let listener = TcpListener::bind(address)
            .await
            .map_err(|e| Failed::io(&format!("listening on {address}"), &e))?;
        let bound = listener
            .local_addr()
            .map_err(|e| Failed::io("asking for the address", &e))?;
        let url = match &args.public_url {
            Some(url) => url.clone(),
            None => format!("http://{bound}"),
        };
        let public =
            PublicUrl::parse(&url).map_err(|e| usage(format!("--public-url {url}: {e}")))?;
        let url = public.as_str().to_owned();

        let issuer = args
            .issuer
            .clone()
            .unwrap_or_else(|| format!("{url}{}", dev::BASE));
        let audience = args.audience.clone().unwrap_or_else(|| url.clone());
        let metadata = resource_metadata(&url, &issuer, offered.scopes, offered.documentation);
        let mut beside = Router::new();
        let source: Arc<dyn JwksSource> = match &args.jwks {
            None => {
                let authority = dev::authority(&settings.made_keys()?)?;
                let keys = dev::DevKeys(authority.jwks());
                let endpoint = TokenEndpoint {
                    issuer: issuer.clone(),
                    audience: audience.clone(),
                    public: public.clone(),
                    url_path: format!("{}/token", dev::BASE),
                    ttl_seconds: DEV_TOKEN_SECONDS,
                    scopes: offered.scopes(),
                };
                beside = dev::routes(authority, endpoint, ports, offered);
                Arc::new(keys)
            }
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
                Arc::new(HttpJwks::new(url).map_err(|e| usage(format!("--jwks {url}: {e}")))?)
            }
            Some(file) => Arc::new(FileJwks::new(file.into())),
        };
        let tokens = AccessTokens {
            issuer,
            audience,
            leeway_seconds: args.leeway.unwrap_or(DEFAULT_LEEWAY_SECONDS),
        };
        let authority: Authority = Verifier::new(Checks::new(tokens, public), source);
        Ok(Self {
            listener,
            bound,
            url,
            authority,
            metadata,
            beside,
            dev,
        })
    }
}
