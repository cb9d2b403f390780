//! Packages of languages: affected versions, feed by feed, package by package.

use std::collections::BTreeMap;

use crate::row::{Advisory, AdvisoryValue, Unmapped};
use crate::source::Origin;

use super::identity::Identity;
use super::interval::Affected;
use super::language::Language;
use super::sink::{Place, Sink};

/// All packages of a record, by ecosystem and key.
#[derive(Debug, Default)]
pub(super) struct Ranges(BTreeMap<(Language, String), Affected>);

impl Ranges {
    /// Takes a package down, under its name as the document writes it.
    pub(super) fn add(&mut self, language: Language, name: &str, affected: Affected) {
        let held = self.0.entry((language, name.to_owned())).or_default();
        held.intervals.extend(affected.intervals);
        held.versions.extend(affected.versions);
    }

    pub(super) fn emit(self, sink: &mut Sink<'_>, origin: &Origin<'_>, identity: &Identity) {
        // Two spellings of one name have one key.
        let mut by_key: BTreeMap<(Language, String), Affected> = BTreeMap::new();
        for ((language, name), affected) in self.0 {
            let mut keys = language.keys(&name);
            let pods = match (language, keys.first()) {
                (Language::Swift, Some(key)) => Language::pods(key),
                _ => &[],
            };
            for pod in pods {
                merge(&mut by_key, Language::CocoaPods, pod, &affected);
            }
            if keys.is_empty() {
                keys.push(name);
            }
            for key in keys {
                merge(&mut by_key, language, &key, &affected);
            }
        }
        for ((language, key), affected) in by_key {
            advisory(sink, origin, identity, (language, &key), &affected);
        }
    }
}

fn merge(
    by_key: &mut BTreeMap<(Language, String), Affected>,
    language: Language,
    key: &str,
    affected: &Affected,
) {
    let held = by_key.entry((language, key.to_owned())).or_default();
    held.intervals.extend_from_slice(&affected.intervals);
    held.versions.extend_from_slice(&affected.versions);
}

fn advisory(
    sink: &mut Sink<'_>,
    origin: &Origin<'_>,
    identity: &Identity,
    (language, key): (Language, &str),
    affected: &Affected,
) {
    // A pseudo-version of Go is a pre-release of the least version.
    let all = if language == Language::Go {
        ">=0.0.0-0"
    } else {
        ">=0"
    };
    let scheme = language.scheme();
    let constraints = affected.constraints(scheme, all);
    for (reason, detail) in &constraints.problems {
        sink.unmapped(*reason, &format!("{key} {detail}"));
    }
    let mut vulnerable_versions = constraints.vulnerable;
    vulnerable_versions.retain(|constraint| {
        let valid = !constraint.is_empty() && scheme.constraint(constraint).is_ok();
        if !valid {
            sink.unmapped(Unmapped::UnparsableVersion, &format!("{key} {constraint}"));
        }
        valid
    });
    if vulnerable_versions.is_empty() {
        return;
    }
    let (data_source, precedence) = origin.language_feed(language);
    let ecosystem = language.prefix();
    let place = Place {
        ecosystem: ecosystem.to_owned(),
        bucket: format!("{ecosystem}::{}", data_source.name),
        data_source,
        precedence,
    };
    let value = AdvisoryValue::Plain(Advisory {
        vendor_ids: identity.vendor_ids.clone(),
        vulnerable_versions,
        patched_versions: constraints.patched,
        ..Advisory::default()
    });
    for id in &identity.ids {
        if sink.is_spent() {
            return;
        }
        sink.advisory(&place, key, id, value.clone());
    }
}
