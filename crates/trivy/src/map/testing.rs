//! Records around documents, for tests.

use crate::row::Rows;

use super::{map_database, map_java};

/// A record of `format` from vendor `v`, stream `s`, with the id `r:1`.
pub(super) fn record(format: &str, raw: &str) -> Vec<u8> {
    format!(
        r#"{{"_id":"r:1","content":{{"format":"{format}","raw":{raw},"spec_version":"1"}},"kind":"advisory","source":{{"api":"","stream":"s","vendor":"v"}},"tenant":"acme"}}"#
    )
    .into_bytes()
}

pub(super) fn database(format: &str, raw: &str) -> Rows {
    let mut rows = Rows::default();
    map_database(&record(format, raw), &mut rows);
    rows
}

pub(super) fn java(format: &str, raw: &str) -> Rows {
    let mut rows = Rows::default();
    map_java(&record(format, raw), &mut rows);
    rows
}
