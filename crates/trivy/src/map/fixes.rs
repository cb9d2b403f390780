//! Packages of operating systems: the version that has the fix, release by release.
//!
//! Trivy has no ranges for these; a package is vulnerable below the fix. Of several fixes that one
//! record names for a package in one release, the last is taken: nothing vulnerable is missed then.

use std::collections::{BTreeMap, BTreeSet};

use crate::row::{Advisory, AdvisoryValue, RedHatEntry, RepositoryRow, Unmapped};
use crate::source::{Origin, distribution};
use crate::version::Version;

use super::distribution::{Family, Release};
use super::identity::Identity;
use super::repositories;
use super::sink::{Place, Sink};

/// The architectures of Rocky and Oracle Linux, for records that name none: those packages match only
/// an architecture that is named.
const ARCHITECTURES: [&str; 6] = ["aarch64", "i686", "noarch", "ppc64le", "s390x", "x86_64"];

/// What a record says of one package in one release.
#[derive(Clone, Debug, Default)]
pub(super) struct Fix {
    /// Text and version; nothing where there is no fix.
    pub(super) fixed: Option<(String, Version)>,
    /// Alpine: where it began.
    pub(super) from: Option<(String, Version)>,
    pub(super) arches: BTreeSet<String>,
    /// 0 where a package has no severity of its own.
    pub(super) severity: u8,
    /// As [`Advisory::status`]; 0 where nothing is said.
    pub(super) status: u8,
    /// Red Hat: the advisory that has the fix; empty for the document itself.
    pub(super) advisory: String,
    /// Red Hat: the vulnerability and its severity; nothing for all that the document is about.
    pub(super) cve: Option<(String, u8)>,
}

impl Fix {
    fn merge(&mut self, other: Self) {
        let is_later = match (&self.fixed, &other.fixed) {
            (Some((_, held)), Some((_, new))) => new > held,
            (None, Some(_)) => true,
            _ => false,
        };
        if is_later {
            self.fixed = other.fixed;
        }
        // One that begins at the beginning has no beginning.
        self.from = match (self.from.take(), other.from) {
            (Some(a), Some(b)) => Some(if b.1 < a.1 { b } else { a }),
            _ => None,
        };
        self.arches.extend(other.arches);
        self.severity = self.severity.max(other.severity);
        self.status = self.status.max(other.status);
    }
}

/// All packages of a record.
#[derive(Debug, Default)]
pub(super) struct Fixes {
    plain: BTreeMap<(Release, String), Fix>,
    /// By package and advisory.
    red_hat: BTreeMap<(String, String), BTreeMap<State, Products>>,
}

/// What is said of a vulnerability in a Red Hat package. Products of which the same is said make one
/// entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    fixed: String,
    status: u8,
    cve: Option<(String, u8)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Products {
    cpes: BTreeSet<String>,
    arches: BTreeSet<String>,
}

impl Fixes {
    /// Takes a package down, or counts that the scanner would never report it.
    pub(super) fn add(&mut self, sink: &mut Sink<'_>, release: &Release, package: &str, fix: Fix) {
        if fix.fixed.is_none() && !release.family.reports_unfixed() {
            sink.unmapped(
                Unmapped::NotFixed,
                &format!("{package} of {}", release.bucket),
            );
            return;
        }
        if release.family == Family::RedHat {
            let fixed = fix.fixed.map(|(text, _)| text).unwrap_or_default();
            let state = State {
                status: if fixed.is_empty() { fix.status } else { 0 },
                fixed,
                cve: fix.cve,
            };
            let products = self
                .red_hat
                .entry((package.to_owned(), fix.advisory))
                .or_default()
                .entry(state)
                .or_default();
            products.cpes.insert(release.cpe.clone());
            products.arches.extend(fix.arches);
            return;
        }
        match self.plain.entry((release.clone(), package.to_owned())) {
            std::collections::btree_map::Entry::Occupied(mut held) => held.get_mut().merge(fix),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(fix);
            }
        }
    }

    /// Writes the rows. `severities` is what Red Hat says of each of its ids.
    pub(super) fn emit(
        self,
        sink: &mut Sink<'_>,
        origin: &Origin<'_>,
        identity: &Identity,
        severity: &dyn Fn(&str) -> u8,
    ) {
        let precedence = origin.release_rank();
        for ((release, package), fix) in self.plain {
            let place = Place {
                ecosystem: release.bucket.clone(),
                bucket: release.bucket.clone(),
                data_source: distribution(release.family),
                precedence,
            };
            let identity = if release.family.is_by_advisory() {
                &Identity::own(origin.id)
            } else {
                identity
            };
            let value = AdvisoryValue::Plain(plain(&release, fix, identity));
            for id in &identity.ids {
                if sink.is_spent() {
                    return;
                }
                sink.advisory(&place, &package, id, value.clone());
            }
        }
        if self.red_hat.is_empty() {
            return;
        }
        let place = Place {
            ecosystem: "Red Hat".to_owned(),
            bucket: "Red Hat".to_owned(),
            data_source: distribution(Family::RedHat),
            precedence,
        };
        let cves: Vec<(String, u8)> = identity
            .ids
            .iter()
            .map(|id| (id.clone(), severity(id)))
            .collect();
        let mut states = self.red_hat.into_iter().peekable();
        while let Some(((package, advisory), of_advisory)) = states.next() {
            let mut by_id: BTreeMap<String, Vec<RedHatEntry>> = BTreeMap::new();
            let mut next = Some((advisory, of_advisory));
            while let Some((advisory, of_advisory)) = next {
                let own = if advisory.is_empty() {
                    origin.id
                } else {
                    &advisory
                };
                for (id, entry) in entries(of_advisory, &cves, own) {
                    by_id.entry(id).or_default().push(entry);
                }
                next = states
                    .next_if(|((same, _), _)| *same == package)
                    .map(|((_, advisory), of_advisory)| (advisory, of_advisory));
            }
            for (id, entries) in by_id {
                sink.advisory(&place, &package, &id, AdvisoryValue::RedHat(entries));
            }
            if sink.is_spent() {
                break;
            }
        }
        let rows = repositories::DEFAULT
            .iter()
            .map(|(content_set, cpe)| RepositoryRow {
                content_set: (*content_set).to_owned(),
                cpe: (*cpe).to_owned(),
            });
        sink.rows().repositories.extend(rows);
    }
}

/// Entries, each with the id that it stands under: the advisory's where there is a fix, else the
/// vulnerability's.
fn entries(
    states: BTreeMap<State, Products>,
    all: &[(String, u8)],
    advisory: &str,
) -> Vec<(String, RedHatEntry)> {
    let mut found = Vec::new();
    let mut fixed: BTreeMap<(String, Products), Vec<(String, u8)>> = BTreeMap::new();
    for (state, products) in states {
        let cves = match state.cve {
            Some(cve) => vec![cve],
            None => all.to_vec(),
        };
        if !state.fixed.is_empty() {
            let held = fixed.entry((state.fixed, products)).or_default();
            held.extend(cves);
            continue;
        }
        for cve in cves {
            let entry = RedHatEntry {
                cpes: products.cpes.clone(),
                arches: products.arches.iter().cloned().collect(),
                status: state.status,
                cves: vec![cve.clone()],
                ..RedHatEntry::default()
            };
            found.push((cve.0, entry));
        }
    }
    for ((fixed_version, products), mut cves) in fixed {
        cves.sort_unstable();
        cves.dedup();
        let entry = RedHatEntry {
            fixed_version,
            cpes: products.cpes,
            arches: products.arches.into_iter().collect(),
            status: 0,
            cves,
        };
        found.push((advisory.to_owned(), entry));
    }
    found
}

fn plain(release: &Release, fix: Fix, identity: &Identity) -> Advisory {
    let fixed_version = fix.fixed.map(|(text, _)| text).unwrap_or_default();
    let affected_version = match fix.from {
        Some((text, _)) if release.family == Family::Alpine => text,
        _ => String::new(),
    };
    if release.family.is_by_architecture() {
        let arches = if fix.arches.is_empty() {
            ARCHITECTURES
                .iter()
                .map(|arch| (*arch).to_owned())
                .collect()
        } else {
            fix.arches.into_iter().collect()
        };
        return Advisory {
            fixed_version: fixed_version.clone(),
            entries: vec![Advisory {
                fixed_version,
                arches,
                vendor_ids: identity.vendor_ids.clone(),
                ..Advisory::default()
            }],
            ..Advisory::default()
        };
    }
    Advisory {
        vendor_ids: identity.vendor_ids.clone(),
        status: if fixed_version.is_empty() {
            fix.status
        } else {
            0
        },
        severity: fix.severity,
        fixed_version,
        affected_version,
        ..Advisory::default()
    }
}
