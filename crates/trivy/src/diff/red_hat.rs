//! Comparing Red Hat's advisories, whose products are numbers that differ between databases.

use std::fs::File;

use export_bolt::{Database, ReadError};
use serde_json::Value;

/// Products by number, of one database.
#[derive(Debug)]
pub(super) struct Products(Vec<Option<String>>);

/// Numbers that are looked up; what is beyond compares as a number.
const MAX_PRODUCTS: usize = 1_000_000;

impl Products {
    /// Reads `Red Hat CPE/cpe`; of a database without it there are none.
    pub(super) fn of(database: &Database<File>) -> Result<Self, ReadError> {
        let mut products = Vec::new();
        let Some(bucket) = database.bucket(&[b"Red Hat CPE", b"cpe"])? else {
            return Ok(Self(products));
        };
        for entry in bucket.entries() {
            let entry = entry?;
            let number = std::str::from_utf8(entry.key())
                .ok()
                .and_then(|text| text.parse::<usize>().ok())
                .filter(|number| *number < MAX_PRODUCTS);
            let name = entry
                .value()
                .and_then(|value| serde_json::from_slice(value).ok());
            if let (Some(number), Some(name)) = (number, name) {
                if products.len() <= number {
                    products.resize(number + 1, None);
                }
                if let Some(slot) = products.get_mut(number) {
                    *slot = Some(name);
                }
            }
        }
        Ok(Self(products))
    }

    /// The advisory with its products' names in place of their numbers, sorted; `None` for what is no
    /// JSON.
    pub(super) fn named(&self, advisory: &[u8]) -> Option<Value> {
        let mut value: Value = serde_json::from_slice(advisory).ok()?;
        let entries = value.get_mut("Entries").and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            let Some(Value::Array(affected)) = entry.get_mut("Affected") else {
                continue;
            };
            for product in affected.iter_mut() {
                let name = product
                    .as_u64()
                    .and_then(|number| usize::try_from(number).ok())
                    .and_then(|number| self.0.get(number)?.clone());
                if let Some(name) = name {
                    *product = Value::String(name);
                }
            }
            affected.sort_by_cached_key(ToString::to_string);
        }
        Some(value)
    }
}
