//! `exportctl run` at a service

use export_api::views::RunView;
use export_model::ErrorCode;

use super::address::Address;
use super::download::download;
use super::follow::follow;
use super::http::{Client, IDEMPOTENCY_KEY};
use super::random;
use crate::cli::RunArgs;
use crate::commands::is_standard_input;
use crate::commands::run::{include_tenants, request};
use crate::commands::shown::{completed, result_value, summary};
use crate::failure::Failed;
use crate::output::Output;
use crate::settings::Settings;

pub(crate) async fn execute(
    settings: &Settings,
    server: Address,
    output: &Output,
    args: RunArgs,
) -> Result<u8, Failed> {
    let usage = |detail: &str| Err(Failed::new(ErrorCode::Usage, detail));
    if args.workers.is_some() {
        return usage("--workers: how many parts are written at once is the service's own matter");
    }
    if settings.given().cross_tenant {
        return usage(
            "--cross-tenant: whether runs may name other tenants is the service's choice",
        );
    }
    let mut request = request(output, &args)?;
    let client = Client::open(server)?;
    client.only_tenant(args.tenant.tenant.as_deref())?;
    if !args.include_tenants.is_empty() {
        let Some(own) = client.tenant() else {
            return usage("--include-tenant: the token does not say which tenant it is for");
        };
        include_tenants(&mut request.selectors, own, &args.include_tenants)?;
    }
    // Under a key of its own the request may be sent again where its answer was lost: it is one
    // run, however often it arrives.
    let ask = client
        .post("/runs")
        .with(IDEMPOTENCY_KEY, random::hex::<16>()?)
        .json(&request)?;
    let run: RunView = client.ask(&ask).await?;
    output.note(&format!(
        "run {} of {} for {}",
        run.run_id, args.profile, run.tenant
    ));
    if args.detach {
        output.result(&summary(output, &run, None), &result_value(&run, None));
        return Ok(0);
    }
    let run = follow(&client, &run, output).await?;
    completed(&run)?;
    finish(&client, output, &run, args.out.as_deref()).await?;
    Ok(0)
}

/// Downloads the bundle where that is wanted, and shows the run.
pub(super) async fn finish(
    client: &Client,
    output: &Output,
    run: &RunView,
    out: Option<&std::path::Path>,
) -> Result<(), Failed> {
    let file = out.filter(|out| !is_standard_input(out));
    if out.is_some() {
        download(client, run, file, output).await?;
    }
    let text = summary(output, run, file);
    if out.is_some() && file.is_none() {
        output.result_aside(&text);
    } else {
        output.result(&text, &result_value(run, file));
    }
    Ok(())
}
