//! Uniting what rows of one feed say of one package and vulnerability.
//!
//! Each row costs what is in it, however many there are: what has been seen is looked up.

use std::collections::{BTreeMap, BTreeSet};

use crate::row::{Advisory, RedHatEntry};
use crate::version::Scheme;

/// A list that keeps the order in which things first appear: the scanner shows it as it is.
#[derive(Default)]
struct Distinct {
    seen: BTreeSet<String>,
}

impl Distinct {
    fn of(list: &mut Vec<String>) -> Self {
        let mut distinct = Self::default();
        list.retain(|item| distinct.seen.insert(item.clone()));
        distinct
    }

    /// Whether there was anything new.
    fn append(&mut self, to: &mut Vec<String>, from: Vec<String>) -> bool {
        let before = to.len();
        to.extend(
            from.into_iter()
                .filter(|item| self.seen.insert(item.clone())),
        );
        to.len() > before
    }
}

/// Plain advisories, united.
pub(super) struct Plain {
    advisory: Advisory,
    vendor_ids: Distinct,
    vulnerable: Distinct,
    patched: Distinct,
    /// Whether rows differ in their ranges. What one of them calls patched may be affected by another,
    /// and the scanner believes a patched version before any range. So none is named then: the
    /// scanner shows the ends of the ranges, which are the same versions.
    differ: bool,
    /// Where the entry of a fix and its architectures is, and its vendors' ids.
    entries: BTreeMap<(String, Vec<String>), (usize, Distinct)>,
}

impl Plain {
    /// Of the row that is taken.
    pub(super) fn new(mut advisory: Advisory) -> Self {
        let entries = std::mem::take(&mut advisory.entries);
        let mut united = Self {
            vendor_ids: Distinct::of(&mut advisory.vendor_ids),
            vulnerable: Distinct::of(&mut advisory.vulnerable_versions),
            patched: Distinct::of(&mut advisory.patched_versions),
            differ: false,
            entries: BTreeMap::new(),
            advisory,
        };
        united.add_entries(entries);
        united
    }

    /// Adds what another row says; `false` where the two contradict each other: they name different fixes.
    /// Then the later fix is taken, and nothing of the other row. A notice that a fix was not enough names
    /// a later one; taking the earlier would call what is still vulnerable fixed.
    pub(super) fn add(&mut self, other: Advisory, scheme: Scheme) -> bool {
        let winner = &mut self.advisory;
        let by_architecture = !winner.entries.is_empty() && !other.entries.is_empty();
        let same_fix = winner.fixed_version == other.fixed_version
            && winner.affected_version == other.affected_version;
        if !same_fix && !by_architecture {
            let fix = |advisory: &Advisory| scheme.parse(&advisory.fixed_version).ok();
            if fix(&other) > fix(winner) {
                *self = Self::new(other);
            }
            return false;
        }
        self.vendor_ids
            .append(&mut winner.vendor_ids, other.vendor_ids);
        self.differ |= self
            .vulnerable
            .append(&mut winner.vulnerable_versions, other.vulnerable_versions);
        self.differ |= self
            .patched
            .append(&mut winner.patched_versions, other.patched_versions);
        if winner.severity == 0 {
            winner.severity = other.severity;
        }
        if winner.status == 0 {
            winner.status = other.status;
        }
        self.add_entries(other.entries);
        true
    }

    fn add_entries(&mut self, entries: Vec<Advisory>) {
        for mut entry in entries {
            let key = (entry.fixed_version.clone(), entry.arches.clone());
            let united = &mut self.advisory.entries;
            if let Some((at, vendor_ids)) = self.entries.get_mut(&key) {
                if let Some(known) = united.get_mut(*at) {
                    vendor_ids.append(&mut known.vendor_ids, entry.vendor_ids);
                }
            } else {
                let vendor_ids = Distinct::of(&mut entry.vendor_ids);
                self.entries.insert(key, (united.len(), vendor_ids));
                united.push(entry);
            }
        }
    }

    pub(super) fn finish(mut self) -> Advisory {
        if self.differ && !self.advisory.vulnerable_versions.is_empty() {
            self.advisory.patched_versions.clear();
        }
        self.advisory
    }
}

/// Fix, architectures, state, and CVEs with their severities.
type Said = (String, Vec<String>, u8, Vec<(String, u8)>);

/// Red Hat's entries, united: those that differ in their products only are one.
#[derive(Default)]
pub(super) struct RedHat {
    entries: Vec<RedHatEntry>,
    places: BTreeMap<Said, usize>,
}

impl RedHat {
    pub(super) fn add(&mut self, entries: Vec<RedHatEntry>) {
        for entry in entries {
            let said = (
                entry.fixed_version.clone(),
                entry.arches.clone(),
                entry.status,
                entry.cves.clone(),
            );
            let at = *self.places.entry(said).or_insert(self.entries.len());
            match self.entries.get_mut(at) {
                Some(known) => known.cpes.extend(entry.cpes),
                None => self.entries.push(entry),
            }
        }
    }

    pub(super) fn finish(self) -> Vec<RedHatEntry> {
        self.entries
    }
}

#[cfg(test)]
#[path = "unite_tests.rs"]
mod tests;
