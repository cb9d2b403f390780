//! `exportctl adapters`

use export_adapter::Registry;
use serde_json::json;

use crate::output::{Output, table};

pub(super) fn execute(output: &Output) -> u8 {
    let registry = Registry::default();
    let header = ["ADAPTER", "VERSION", "VARIANTS", "FORMATS"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for adapter in registry.adapters() {
        rows.push(vec![
            adapter.name.to_owned(),
            adapter.version.to_owned(),
            adapter.variants.join(", "),
            adapter.formats.join(", "),
        ]);
    }
    output.result(&table(&rows), &json!({ "adapters": registry.adapters() }));
    0
}
