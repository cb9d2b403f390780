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
use export_model::{ErrorCode, Limits, Tenant};
use export_ports::Ports;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) use ledger::execute as ledger;

use self::door::{Offered, Served};
use crate::backends::Backends;
use crate::cli::{Role, ServeArgs, default_workers};
use crate::failure::Failed;
use crate::host::Host;
use crate::output::Output;
use crate::settings::{Settings, approval_policy};

/// Serves until it is asked to stop.
pub(crate) async fn execute(
    settings: &Settings,
    output: &Output,
    args: ServeArgs,
) -> Result<u8, Failed> {
    let backends = settings.backends().await?;
    let ports = &backends.ports;
    backends.open_key()?;
    let registry = Arc::new(Registry::default());
    let (stopping, stop) = watch::channel(false);

    let api = match args.role {
        Role::Worker => None,
        Role::Api | Role::All | Role::Authority => {
            Some(mount(settings, ports, &registry, &args).await?)
        }
    };
    let workers = match args.role {
        Role::Api | Role::Authority => None,
        Role::Worker | Role::All => {
            let mut config = backends.host(args.workers.unwrap_or_else(default_workers));
            if let Some(messages) = args.messages {
                config.messages = messages;
            }
            if !args.phases.is_empty() {
                config.phases = args.phases.iter().map(|phase| phase.phase()).collect();
            }
            Some(Host::start(ports, &registry, &config).await?)
        }
    };
    announce(output, &backends, &args, api.as_ref());

    let service = api.as_ref().and_then(|api| api.service.clone());
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
    /// None where only the dev authority is served.
    service: Option<Service>,
    url: String,
    /// What it really listens on, which a proxy in front of it has to know.
    bound: SocketAddr,
    dev: bool,
}

async fn mount(
    settings: &Settings,
    ports: &Ports,
    registry: &Arc<Registry>,
    args: &ServeArgs,
) -> Result<Api, Failed> {
    let keys = settings.keys()?;
    let served = Served::open(settings, ports, &args.listen, &args.authority, Offered::API).await?;
    if args.role == Role::Authority {
        if !served.dev {
            let detail = "--role authority is the dev authority; it has no --jwks";
            return Err(Failed::new(ErrorCode::Usage, detail));
        }
        return Ok(Api {
            listener: served.listener,
            router: served.beside,
            service: None,
            url: served.url,
            bound: served.bound,
            dev: true,
        });
    }
    let service = Service::new(ports, registry, served.authority, config(&keys, args)?);
    Ok(Api {
        listener: served.listener,
        router: router(service.clone())
            .merge(served.metadata)
            .merge(served.beside),
        service: Some(service),
        url: served.url,
        bound: served.bound,
        dev: served.dev,
    })
}

fn config(keys: &Path, args: &ServeArgs) -> Result<ServiceConfig, Failed> {
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
        approvals: approval_policy(keys, args.cross_tenant)?,
        former_keys: trusted_keys(&keys.join("trusted"))?,
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
    let listed = match std::fs::read_dir(folder) {
        // There may be no home at all.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(|e| Failed::read(folder, &e))?,
    };
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
fn announce(output: &Output, backends: &Backends, args: &ServeArgs, api: Option<&Api>) {
    let url = api.map(|api| api.url.as_str());
    let mut text = match url {
        Some(url) if args.role == Role::Authority => {
            format!("the dev authority serves {url}{}\n", dev::BASE)
        }
        Some(url) => format!("Export Center serves {url}/api/export\n"),
        None => "Export Center works, without an API\n".to_owned(),
    };
    let home = backends.home().map(export_embedded::Home::path);
    if let Some(home) = home {
        text.push_str(&format!("  home       {}\n", home.display()));
    }
    if let Some(stack) = backends.stack_parts() {
        text.push_str(&format!("  stack      {stack}\n"));
    }
    text.push_str(&format!("  role       {}\n", args.role.as_str()));
    if let Some(api) = api {
        if api.dev {
            text.push_str(
                "  authority  the dev authority: it gives a token to whoever asks on this \
                 machine.\n             For anything else, name yours with --jwks.\n",
            );
        }
        if args.role != Role::Authority {
            text.push_str(&format!(
                "Try:  exportctl --server {} login\n      exportctl --server {} run json:raw --out \
             bundle.tar\n",
                api.url, api.url
            ));
        }
    }
    let value = json!({
        "url": url,
        "listen": api.map(|api| api.bound),
        "role": args.role.as_str(),
        "home": home,
        "stack": backends.stack_parts(),
        "dev_authority": api.is_some_and(|api| api.dev),
    });
    output.result(&text, &value);
}
