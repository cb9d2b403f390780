//! Uniting what rows of one feed say of one package and vulnerability.

use std::collections::BTreeSet;

use crate::row::{Advisory, RedHatEntry};

/// Adds what `other` says to `winner`; `false` where the two contradict each other, and `winner` is as
/// it was.
///
/// Two rows agree unless they name different fixes. Lists keep the order of their first appearance:
/// the scanner shows them as they are.
pub(super) fn plain(winner: &mut Advisory, other: Advisory) -> bool {
    let by_architecture = !winner.entries.is_empty() && !other.entries.is_empty();
    let same_fix = winner.fixed_version == other.fixed_version
        && winner.affected_version == other.affected_version;
    if !same_fix && !by_architecture {
        return false;
    }
    append(&mut winner.vendor_ids, other.vendor_ids);
    append(&mut winner.vulnerable_versions, other.vulnerable_versions);
    append(&mut winner.patched_versions, other.patched_versions);
    for entry in other.entries {
        let same = winner.entries.iter_mut().find(|known| {
            known.fixed_version == entry.fixed_version && known.arches == entry.arches
        });
        match same {
            Some(known) => append(&mut known.vendor_ids, entry.vendor_ids),
            None => winner.entries.push(entry),
        }
    }
    if winner.severity == 0 {
        winner.severity = other.severity;
    }
    if winner.status == 0 {
        winner.status = other.status;
    }
    true
}

/// Adds the entries of another row. Entries that differ in their products only become one.
pub(super) fn red_hat(winner: &mut Vec<RedHatEntry>, other: Vec<RedHatEntry>) {
    for entry in other {
        let same = winner.iter_mut().find(|known| {
            known.fixed_version == entry.fixed_version
                && known.arches == entry.arches
                && known.status == entry.status
                && known.cves == entry.cves
        });
        match same {
            Some(known) => known.cpes.extend(entry.cpes),
            None => winner.push(entry),
        }
    }
}

/// Appends what is not there yet, in time linear in both.
fn append(to: &mut Vec<String>, from: Vec<String>) {
    if from.is_empty() {
        return;
    }
    let known: BTreeSet<&str> = to.iter().map(String::as_str).collect();
    let fresh: Vec<String> = {
        let mut seen = known;
        let mut keep = vec![false; from.len()];
        for (item, keep) in from.iter().zip(&mut keep) {
            *keep = seen.insert(item);
        }
        drop(seen);
        from.into_iter()
            .zip(keep)
            .filter_map(|(item, keep)| keep.then_some(item))
            .collect()
    };
    to.extend(fresh);
}

#[cfg(test)]
#[path = "unite_tests.rs"]
mod tests;
