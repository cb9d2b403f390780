//! `exportctl adapters`

use export_adapter::Registry;
use export_api::views::{AdapterList, AdapterView};
use serde_json::json;

use crate::failure::Failed;
use crate::output::{Output, table};
use crate::remote::Client;
use crate::settings::Settings;

pub(super) async fn execute(settings: &Settings, output: &Output) -> Result<u8, Failed> {
    let adapters = match settings.server()? {
        Some(server) => {
            let client = Client::open(server)?;
            let list: AdapterList = client.ask(&client.get("/adapters")).await?;
            list.adapters
        }
        None => Registry::default()
            .adapters()
            .iter()
            .map(AdapterView::from)
            .collect(),
    };
    let header = ["ADAPTER", "VERSION", "VARIANTS", "FORMATS"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for adapter in &adapters {
        rows.push(vec![
            adapter.name.clone(),
            adapter.version.clone(),
            adapter.variants.join(", "),
            adapter.formats.join(", "),
        ]);
    }
    output.result(&table(&rows), &json!({ "adapters": adapters }));
    Ok(0)
}
