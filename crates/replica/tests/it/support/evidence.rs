//! Evidence that changes, seeded.

use std::collections::BTreeMap;

use export_model::{Kind, Sha256Digest};
use serde_json::json;

/// A small generator of numbers (splitmix64), so that each seed is the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

/// Where a document is in canonical order.
pub(crate) type Key = (Kind, String, String);

/// All documents of a state of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence(pub(crate) BTreeMap<Key, Vec<u8>>);

impl Evidence {
    /// So many documents of all kinds.
    pub(crate) fn of(documents: u64) -> Self {
        let mut evidence = Self::default();
        for number in 0..documents {
            evidence.put(number, 0);
        }
        evidence
    }

    /// Sets the document of a number to a revision.
    pub(crate) fn put(&mut self, number: u64, revision: u64) {
        let (key, bytes) = document(number, revision);
        self.0.insert(key, bytes);
    }

    pub(crate) fn remove(&mut self, number: u64) {
        self.0.remove(&document(number, 0).0);
    }

    /// Adds, changes and removes some, among numbers below `range`.
    pub(crate) fn shake(&mut self, seeded: &mut Seeded, range: u64) {
        for _ in 0..seeded.below(range / 4 + 2) {
            let number = seeded.below(range);
            match seeded.below(3) {
                0 => self.remove(number),
                _ => self.put(number, seeded.below(5)),
            }
        }
    }

    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&Key, &Vec<u8>)> {
        self.0.iter().filter(move |((own, ..), _)| *own == kind)
    }
}

/// The document of a number: its kind, place and id are the number's alone.
pub(crate) fn document(number: u64, revision: u64) -> (Key, Vec<u8>) {
    let kind = Kind::ALL[(number % 4) as usize];
    let id = format!("{kind}_raw:Test.Unit:GHSA-{number:05}");
    let subject = format!("CVE-2026-{:05}", number / 3);
    let text = "evidence ".repeat((number * 7 % 90) as usize + revision as usize);
    let value = if kind == Kind::Finding {
        json!({
            "_id": id, "kind": kind, "subject_key": subject, "tenant": "acme",
            "advisory_id": format!("GHSA-{number}"), "vulnerability_id": subject,
            "decision_trace": [{"text": text}], "status": "affected",
            "subject": {"component_purl": format!("pkg:npm/x{}@{revision}", number % 50), "sbom_id": "s"},
        })
    } else {
        let raw = json!({"id": subject, "revision": revision, "text": text});
        json!({
            "_id": id, "kind": kind, "subject_key": subject, "tenant": "acme",
            "source": {"vendor": format!("vendor{}", number % 3), "stream": "unit"},
            "identifiers": {"primary": subject, "aliases": [format!("A-{revision}"), "alias \"q\""],
                "cve": [subject], "ghsa": [format!("GHSA-{number}")]},
            "linkset": {"purls": [format!("pkg:npm/x{}@{revision}", number % 50)], "aliases": []},
            "upstream": {"upstream_id": subject,
                "content_hash": Sha256Digest::of(raw.to_string().as_bytes())},
            "content": {"format": "OSV", "raw": raw},
        })
    };
    ((kind, subject, id), value.to_string().into_bytes())
}
