//! The API as a Lambda function behind a REST API.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use export_adapter::Registry;
use export_api::http::{Authority, Carried, Service, ServiceConfig, router};
use export_approval::ApprovalPolicy;
use export_authority::keys::{FileJwks, HttpJwks, JwksSource};
use export_authority::{AccessTokens, Checks, DEFAULT_LEEWAY_SECONDS, PublicUrl, Scope, Verifier};
use export_http::resource_metadata;
use export_lambda::{Invalid, Opened, serve_http, variable};
use export_model::{Limits, Tenant};

/// A response of a function has at most 6 MB, and an object travels in base64 ("Lambda quotas").
const CARRIED_BYTES: u64 = 4_000_000;
/// A gateway waits 29 s for a response ("Amazon API Gateway quotas", Integration timeout).
const CARRIED_STREAM: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    serve_http(|| {
        let api = Arc::new(Api::read()?);
        Ok(move |opened: &Opened<'_>| {
            let registry = Arc::new(Registry::default());
            let authority = api.authority();
            let service = Service::new(opened.ports, &registry, authority, api.config.clone());
            router(service).merge(resource_metadata(
                api.public.as_str(),
                &api.tokens.issuer,
                &Scope::API,
                Some("/api/export/openapi.json"),
            ))
        })
    })
}

/// What this function is told beside its backends.
struct Api {
    public: PublicUrl,
    tokens: AccessTokens,
    source: Arc<dyn JwksSource>,
    config: ServiceConfig,
}

impl Api {
    fn read() -> Result<Self, Invalid> {
        let url = required(
            "EXPORT_PUBLIC_URL",
            "proofs name the URL that a client asked",
        )?;
        let public = PublicUrl::parse(&url)
            .map_err(|error| Invalid::new(format!("EXPORT_PUBLIC_URL: {error}")))?;
        let jwks = required(
            "EXPORT_JWKS",
            "without the Authority's keys nobody is known",
        )?;
        let source: Arc<dyn JwksSource> = if jwks.starts_with("http") {
            let source = HttpJwks::new(&jwks);
            Arc::new(source.map_err(|error| Invalid::new(format!("EXPORT_JWKS: {error}")))?)
        } else {
            Arc::new(FileJwks::new(jwks.into()))
        };
        let tokens = AccessTokens {
            issuer: required("EXPORT_ISSUER", "tokens of others are refused")?,
            audience: required("EXPORT_AUDIENCE", "tokens for others are refused")?,
            leeway_seconds: number("EXPORT_LEEWAY")?.unwrap_or(DEFAULT_LEEWAY_SECONDS),
        };
        let config = ServiceConfig {
            limits: Limits {
                runs_per_day: number("EXPORT_RUNS_PER_DAY")?,
                bytes_per_day: number("EXPORT_BYTES_PER_DAY")?,
                requests_per_minute: number("EXPORT_REQUESTS_PER_MINUTE")?,
            },
            tenant_limits: tenant_limits()?,
            // Approvals are judged by keys in a folder, which a function does not have.
            approvals: ApprovalPolicy::default(),
            former_keys: Vec::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            carried: Some(Carried {
                bytes: CARRIED_BYTES,
                stream: CARRIED_STREAM,
            }),
        };
        Ok(Self {
            public,
            tokens,
            source,
            config,
        })
    }

    fn authority(&self) -> Authority {
        let checks = Checks::new(self.tokens.clone(), self.public.clone());
        Verifier::new(checks, Arc::clone(&self.source))
    }
}

fn tenant_limits() -> Result<BTreeMap<Tenant, Limits>, Invalid> {
    let Some(text) = variable("EXPORT_TENANT_LIMITS") else {
        return Ok(BTreeMap::new());
    };
    let bytes = if text.trim_start().starts_with('{') {
        text.into_bytes()
    } else {
        std::fs::read(&text)
            .map_err(|error| Invalid::new(format!("EXPORT_TENANT_LIMITS: {text}: {error}")))?
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        Invalid::new(format!(
            "EXPORT_TENANT_LIMITS: no map of tenants to limits: {error}"
        ))
    })
}

fn required(name: &str, why: &str) -> Result<String, Invalid> {
    variable(name).ok_or_else(|| Invalid::new(format!("{name} is missing: {why}")))
}

fn number<T: std::str::FromStr>(name: &str) -> Result<Option<T>, Invalid> {
    let Some(text) = variable(name) else {
        return Ok(None);
    };
    let number = text.parse().ok();
    number
        .map(Some)
        .ok_or_else(|| Invalid::new(format!("{name} is `{text}`, which is no number")))
}
