//! `exportctl ledger serve`: the home's ledger and policy engine, for hosts elsewhere.

use std::sync::Arc;

use export_evidence_http::{BASE, LedgerService, router};
use serde_json::json;
use tokio::sync::watch;

use super::door::{Offered, Served};
use super::{listener, stop};
use crate::cli::LedgerServeArgs;
use crate::failure::Failed;
use crate::output::Output;
use crate::settings::{Settings, home_ports};

/// Serves until it is asked to stop.
pub(crate) async fn execute(
    settings: &Settings,
    output: &Output,
    args: &LedgerServeArgs,
) -> Result<u8, Failed> {
    let home = settings.open_home()?;
    let (ports, _) = home_ports(&home);
    let served = Served::open(
        settings,
        &ports,
        &args.listen,
        &args.authority,
        Offered::LEDGER,
    )
    .await?;
    let service = LedgerService::new(
        home.ledger(),
        served.authority,
        Arc::clone(&ports.gate),
        Arc::clone(&ports.clock),
        Arc::clone(&ports.ids),
    );
    let url = &served.url;
    let mut text = format!(
        "Export Center serves the ledger at {url}{BASE}\n  home       {}\n",
        home.path().display()
    );
    if served.dev {
        text.push_str(&format!(
            "  authority  the dev authority: it gives a token to whoever asks on this machine.\n             \
             For anything else, name yours with --jwks.\nTry:  exportctl --server {url} login\n"
        ));
    }
    let value = json!({
        "url": url,
        "listen": served.bound,
        "home": home.path(),
        "dev_authority": served.dev,
    });
    output.result(&text, &value);

    let (stopping, stopped) = watch::channel(false);
    let router = router(service).merge(served.metadata).merge(served.beside);
    let serving = tokio::spawn(listener::serve(served.listener, router, stopped));
    let fatal = stop::wait(None).await;
    output.note("stopping: what has begun is finished, nothing new is begun");
    let _ = stopping.send(true);
    let _ = serving.await;
    match fatal {
        Some(failed) => Err(failed),
        None => Ok(0),
    }
}
