//! `exportctl ledger …`

use export_canonical::record::Limits;
use export_intake::admit;
use export_intake::generate::generate;
use export_model::ErrorCode;
use export_ports::LedgerWriter;
use serde_json::json;

use super::import;
use crate::cli::LedgerCommand;
use crate::failure::Failed;
use crate::output::{Output, grouped, size, table};
use crate::settings::{Settings, importing_tenant};

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    command: LedgerCommand,
) -> Result<u8, Failed> {
    match command {
        LedgerCommand::Import(args) => import::execute(settings, output, args).await,
        LedgerCommand::Stats => stats(settings, output).await,
        LedgerCommand::Generate {
            records,
            seed,
            tenant,
        } => {
            let tenant = importing_tenant(tenant.as_deref())?;
            let home = settings.open_home()?;
            let owner = tenant.clone();
            let make = move |batches: &mut import::Batches| {
                let mut bytes = 0;
                for line in generate(records, seed, &owner) {
                    bytes += line.len() as u64;
                    admit(&line, Some(&owner), &Limits::default())
                        .and_then(|admitted| batches.add(admitted))
                        .map_err(|refusal| Failed::new(refusal.code, refusal.detail))?;
                }
                Ok(bytes)
            };
            let (bytes, _, imported) = import::store(&*home.ledger(), home.clock().now(), make).await?;
            let appended = imported.records;
            let text = format!(
                "made {} records ({}) for {tenant}: {} new, {} already there",
                grouped(records),
                size(bytes),
                grouped(appended.added),
                grouped(appended.present)
            );
            let value = json!({
                "records": records,
                "seed": seed,
                "tenant": tenant,
                "bytes": bytes,
                "added": appended.added,
                "present": appended.present,
            });
            output.result(&text, &value);
            Ok(0)
        }
    }
}

async fn stats(settings: &Settings, output: &Output) -> Result<u8, Failed> {
    let Some(path) = settings.existing_home() else {
        let detail = format!("there is no home at {}", settings.home_path()?.display());
        return Err(Failed::new(ErrorCode::Io, detail));
    };
    let stats = settings.open_home()?.ledger().stats().await?;
    let header = ["TENANT", "KIND", "SOURCE", "RECORDS", "SUPERSEDED", "BYTES"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let (mut records, mut bytes) = (0, 0);
    for source in &stats.sources {
        records += source.records;
        bytes += source.bytes;
        rows.push(vec![
            source.tenant.to_string(),
            source.kind.to_string(),
            source.source.to_string(),
            grouped(source.records),
            grouped(source.superseded),
            size(source.bytes),
        ]);
    }
    let mut text = format!(
        "{}: {} records, {}, watermark {}\n{}",
        path.display(),
        grouped(records),
        size(bytes),
        stats.watermark,
        table(&rows)
    );
    for (tenant, id, frozen) in &stats.snapshots {
        let state = if *frozen { "frozen" } else { "open" };
        text.push_str(&format!("policy snapshot {id} of {tenant} ({state})\n"));
    }
    let sources: Vec<_> = stats
        .sources
        .iter()
        .map(|s| {
            json!({
                "tenant": s.tenant,
                "kind": s.kind,
                "vendor": s.source.vendor,
                "stream": s.source.stream,
                "records": s.records,
                "superseded": s.superseded,
                "bytes": s.bytes,
            })
        })
        .collect();
    let snapshots: Vec<_> = stats
        .snapshots
        .iter()
        .map(|(tenant, id, frozen)| {
            json!({ "tenant": tenant, "policy_snapshot_id": id, "frozen": frozen })
        })
        .collect();
    let value = json!({
        "records": records,
        "bytes": bytes,
        "watermark": stats.watermark,
        "sources": sources,
        "snapshots": snapshots,
    });
    output.result(&text, &value);
    Ok(0)
}
