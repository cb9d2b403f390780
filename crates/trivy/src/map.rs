//! From a record to rows: what a document says, in the scanner's words.
//!
//! Mapping looks at one record and nothing else, so records may be mapped in any order, by anyone, and
//! give the same rows. It never fails: what has no place in the scanner's databases is a row too, with
//! its reason. `docs/trivy-mapping.md` says which format and ecosystem goes where.

mod csaf;
mod cvss;
mod cyclonedx_vex;
mod date;
pub(crate) mod distribution;
mod fixes;
mod identity;
mod interval;
mod jars;
pub(crate) mod language;
mod lenient;
mod openvex;
mod order;
mod osv;
mod purl;
mod ranges;
mod record;
mod repositories;
mod severity;
mod sink;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use crate::row::{Rows, Unmapped};

use self::sink::Sink;

/// Adds what a canonical ledger record of kind `advisory` or `vex` gives to a vulnerability database.
pub fn map_database(record: &[u8], rows: &mut Rows) {
    let (envelope, raw) = match record::read(record) {
        Ok(read) => read,
        Err((id, error)) => return Sink::new(rows, id).unmapped(Unmapped::Malformed, &error),
    };
    let mut sink = Sink::new(rows, envelope.id.clone());
    match envelope.format.as_str() {
        "OSV" => osv::map(&envelope, raw, &mut sink),
        "CSAF" => csaf::map(&envelope, raw, &mut sink),
        "OpenVEX" => openvex::map(&envelope, raw, &mut sink),
        "CycloneDX-VEX" | "CycloneDX" => cyclonedx_vex::map(&envelope, raw, &mut sink),
        format => sink.unmapped(Unmapped::Format, format),
    }
}

/// Adds what a canonical ledger record of kind `sbom`, or an imported Maven index, gives to an index of
/// jars.
pub fn map_java(record: &[u8], rows: &mut Rows) {
    let (envelope, raw) = match record::read(record) {
        Ok(read) => read,
        Err((id, error)) => return Sink::new(rows, id).unmapped(Unmapped::Malformed, &error),
    };
    let mut sink = Sink::new(rows, envelope.id);
    match envelope.format.as_str() {
        "CycloneDX" | "CycloneDX-VEX" => jars::cyclonedx(raw, &mut sink),
        "SPDX" => jars::spdx(raw, &mut sink),
        "MavenIndex" => jars::index(raw, &mut sink),
        format => sink.unmapped(Unmapped::Format, format),
    }
}
