//! `exportctl serve`: the API, the workers and the tick on one home, in one process or in several.

mod dev;
mod door;
mod ledger;
mod listener;
mod stop;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use export_adapter::Registry;
use export_api::http::{Service, ServiceConfig, router};
use export_embedded::Home;
use export_model::{ErrorCode, Limits, Tenant};
use export_ports::Ports;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) use ledger::execute as ledger;

use self::door::{Offered, Served};
use crate::cli::{Role, ServeArgs, default_workers};
use crate::failure::Failed;
use crate::host::{Host, HostConfig};
use crate::output::Output;
use crate::settings::{Settings, approval_policy, key_failed, ports};

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
    let served = Served::open(home, ports, &args.listen, &args.authority, Offered::API).await?;
    let service = Service::new(ports, registry, served.authority, config(home, args)?);
    Ok(Api {
        listener: served.listener,
        router: router(service.clone()).merge(served.beside),
        service,
        url: served.url,
        bound: served.bound,
        dev: served.dev,
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
