//! What a vulnerability is called.

use std::collections::HashSet;

/// How many ids an advisory stands under; kernels' have hundreds.
const MOST_IDS: usize = 4096;

/// The ids that advisories stand under, and other names of the same flaw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// CVEs where there are any, else the document's own id. At least one, unless that is empty.
    pub(super) ids: Vec<String>,
    /// Everything else.
    pub(super) vendor_ids: Vec<String>,
}

/// The CVE in an id: itself, or what follows a database's prefix (`DEBIAN-CVE-2024-1`).
fn cve(id: &str) -> Option<&str> {
    if id.starts_with("CVE-") {
        return Some(id);
    }
    let at = id.find("-CVE-")?;
    id.get(at + 1..)
}

/// A list in which each id stands once.
#[derive(Default)]
struct Unique<'a> {
    ids: Vec<String>,
    known: HashSet<&'a str>,
}

impl<'a> Unique<'a> {
    fn add(&mut self, id: &'a str) {
        if !id.is_empty() && self.known.insert(id) {
            self.ids.push(id.to_owned());
        }
    }
}

impl Identity {
    /// From the document's own id and the names that it gives, the first ones that have a CVE being
    /// believed: what is merely related is asked last.
    pub(super) fn of<'a>(
        own: &'a str,
        same: impl Iterator<Item = &'a str> + Clone,
        related: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut cves = Unique::default();
        let mut others = Unique::default();
        for id in same.chain([own]) {
            match cve(id) {
                Some(cve) => cves.add(cve),
                None => others.add(id),
            }
        }
        if cves.ids.is_empty() {
            related.filter_map(cve).for_each(|cve| cves.add(cve));
        }
        if cves.ids.is_empty() {
            others.ids.retain(|id| id != own);
            cves.add(own);
        }
        Self {
            ids: cves.ids,
            vendor_ids: others.ids,
        }
    }

    /// Leaves out what is beyond the most ids that an advisory stands under; says how many.
    pub(super) fn bound(&mut self) -> usize {
        let more = self.ids.len().saturating_sub(MOST_IDS);
        self.ids.truncate(MOST_IDS);
        self.vendor_ids.truncate(MOST_IDS);
        more
    }

    /// Under the document's own id, whatever it is about.
    pub(super) fn own(id: &str) -> Self {
        Self {
            ids: vec![id.to_owned()],
            vendor_ids: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(own: &str, same: &[&str], related: &[&str]) -> (Vec<String>, Vec<String>) {
        let identity = Identity::of(own, same.iter().copied(), related.iter().copied());
        (identity.ids, identity.vendor_ids)
    }

    #[test]
    fn names() {
        let list = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            of("GO-1", &["CVE-1", "GHSA-a", "CVE-2"], &["CVE-3"]),
            (list(&["CVE-1", "CVE-2"]), list(&["GHSA-a", "GO-1"]))
        );
        assert_eq!(
            of("GHSA-a", &["PYSEC-1"], &[]),
            (list(&["GHSA-a"]), list(&["PYSEC-1"]))
        );
        assert_eq!(
            of("ALSA-1", &[], &["CVE-3"]),
            (list(&["CVE-3"]), list(&["ALSA-1"]))
        );
        assert_eq!(
            of("DEBIAN-CVE-2024-1", &[], &[]),
            (list(&["CVE-2024-1"]), list(&[]))
        );
        assert_eq!(of("", &[], &[]), (list(&[]), list(&[])));
    }
}
