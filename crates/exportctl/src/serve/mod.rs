//! `exportctl serve`: the API, the workers and the tick on one home, in one process or in several.

mod dev;
mod listener;
mod stop;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use export_adapter::Registry;
use export_api::http::{Authority, Service, ServiceConfig, router};
use export_authority::dev::TokenEndpoint;
use export_authority::keys::{FileJwks, HttpJwks, JwksSource};
use export_authority::{AccessTokens, Checks, DEFAULT_LEEWAY_SECONDS, PublicUrl, Verifier};
use export_embedded::Home;
use export_model::{ErrorCode, Limits, Tenant};
use export_ports::Ports;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::cli::{Role, ServeArgs, default_workers};
use crate::failure::Failed;
use crate::host::{Host, HostConfig};
use crate::output::Output;
use crate::settings::{Settings, approval_policy, key_failed, ports};

/// How long a token of the dev authority is good.
const DEV_TOKEN_SECONDS: u32 = 3_600;

/// Serves until it is asked to stop.
pub(crate) async fn execute(
    settings: &Settings,
    output: &Output,
    args: ServeArgs,
) -> Result<u8, Failed> {
    let home = settings.open_home()?;
    let (ports, signer) = ports(&home);
    // A missing password is better told now than when the first run is to be signed.
    signer.open().map_err(key_failed)?;
    let registry = Arc::new(Registry::default());
    let (stopping, stop) = watch::channel(false);

    let api = match args.role {
        Role::Worker => None,
        Role::Api | Role::All => Some(mount(&home, &ports, &registry, &args).await?),
    };
    let workers = match args.role {
        Role::Api => None,
        Role::Worker | Role::All => {
            let count = args.workers.unwrap_or_else(default_workers);
            Some(Host::start(&ports, &registry, &HostConfig::home(count)).await?)
        }
    };
    announce(output, &home, &args, api.as_ref());

    let service = api.as_ref().map(|api| api.service.clone());
    let serving = api.map(|api| tokio::spawn(listener::serve(api.listener, api.router, stop)));
    let fatal = stop::wait(workers.as_ref()).await;
    output.note("stopping: what has begun is finished, nothing new is begun");
    let _ = stopping.send(true);
    if let Some(service) = service {
        service.stop();
    }
    // Both at once: while answers end, no new step of a run is begun.
    let answers_end = async {
        if let Some(serving) = serving {
            let _ = serving.await;
        }
    };
    let steps_end = async {
        if let Some(workers) = workers {
            workers.stop().await;
        }
    };
    tokio::join!(answers_end, steps_end);
    match fatal {
        Some(failed) => Err(failed),
        None => Ok(0),
    }
}

/// The API, ready to be served.
struct Api {
    listener: TcpListener,
    router: Router,
    service: Service,
    url: String,
    /// What it really listens on, which a proxy in front of it has to know.
    bound: SocketAddr,
    dev: bool,
}

async fn mount(
    home: &Home,
    ports: &Ports,
    registry: &Arc<Registry>,
    args: &ServeArgs,
) -> Result<Api, Failed> {
    let usage = |detail: String| Failed::new(ErrorCode::Usage, detail);
    let address: SocketAddr = args.listen.parse().map_err(|_| {
        usage(format!(
            "--listen {}: not an address and a port",
            args.listen
        ))
    })?;
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
    let public = PublicUrl::parse(&url).map_err(|e| usage(format!("--public-url {url}: {e}")))?;
    let url = public.as_str().to_owned();

    let issuer = args
        .issuer
        .clone()
        .unwrap_or_else(|| format!("{url}{}", dev::BASE));
    let audience = args.audience.clone().unwrap_or_else(|| url.clone());
    let mut extra = dev::resource_metadata(&url, &issuer);
    let source: Arc<dyn JwksSource> = match &args.jwks {
        None => {
            let authority = dev::authority(&home.keys())?;
            let keys = dev::DevKeys(authority.jwks());
            let endpoint = TokenEndpoint {
                issuer: issuer.clone(),
                audience: audience.clone(),
                public: public.clone(),
                url_path: format!("{}/token", dev::BASE),
                ttl_seconds: DEV_TOKEN_SECONDS,
            };
            extra = extra.merge(dev::routes(authority, endpoint, ports));
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
    let service = Service::new(ports, registry, authority, config(home, args)?);
    Ok(Api {
        listener,
        router: router(service.clone()).merge(extra),
        service,
        url,
        bound,
        dev,
    })
}

fn config(home: &Home, args: &ServeArgs) -> Result<ServiceConfig, Failed> {
    let limits = Limits {
        runs_per_day: args.runs_per_day,
        bytes_per_day: args.bytes_per_day,
        requests_per_minute: args.requests_per_minute,
    };
    let tenant_limits = match &args.tenant_limits {
        None => BTreeMap::new(),
        Some(path) => read_limits(path)?,
    };
    Ok(ServiceConfig {
        limits,
        tenant_limits,
        approvals: approval_policy(home, args.cross_tenant)?,
        former_keys: trusted_keys(&home.keys().join("trusted"))?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        carried: None,
    })
}

fn read_limits(path: &Path) -> Result<BTreeMap<Tenant, Limits>, Failed> {
    let text = std::fs::read(path).map_err(|e| Failed::read(path, &e))?;
    serde_json::from_slice(&text).map_err(|e| {
        let detail = format!("{} is no map of tenants to limits: {e}", path.display());
        Failed::new(ErrorCode::InvalidRequest, detail)
    })
}

/// The public keys that the home trusts, PEM.
fn trusted_keys(folder: &Path) -> Result<Vec<String>, Failed> {
    let listed = std::fs::read_dir(folder).map_err(|e| Failed::read(folder, &e))?;
    let mut keys = Vec::new();
    for entry in listed {
        let path = entry.map_err(|e| Failed::read(folder, &e))?.path();
        if path.extension().is_some_and(|extension| extension == "pub") {
            keys.push(std::fs::read_to_string(&path).map_err(|e| Failed::read(&path, &e))?);
        }
    }
    Ok(keys)
}

/// Says how to reach the service: what a person types next, or one JSON line for scripts.
fn announce(output: &Output, home: &Home, args: &ServeArgs, api: Option<&Api>) {
    let url = api.map(|api| api.url.as_str());
    let mut text = match url {
        Some(url) => format!("Export Center serves {url}/api/export\n"),
        None => "Export Center works, without an API\n".to_owned(),
    };
    text.push_str(&format!("  home       {}\n", home.path().display()));
    text.push_str(&format!("  role       {}\n", args.role.as_str()));
    if let Some(api) = api {
        if api.dev {
            text.push_str(
                "  authority  the dev authority: it gives a token to whoever asks on this \
                 machine.\n             For anything else, name yours with --jwks.\n",
            );
        }
        text.push_str(&format!(
            "Try:  exportctl --server {} login\n      exportctl --server {} run json:raw --out \
             bundle.tar\n",
            api.url, api.url
        ));
    }
    let value = json!({
        "url": url,
        "listen": api.map(|api| api.bound),
        "role": args.role.as_str(),
        "home": home.path(),
        "dev_authority": api.is_some_and(|api| api.dev),
    });
    output.result(&text, &value);
}
