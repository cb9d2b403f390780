//! OSV entries, and what is shaped like them: GitHub's advisories, and those of distributions.

mod document;
mod events;
#[cfg(test)]
mod release_tests;
#[cfg(test)]
mod tests;

use crate::row::{Cvss, Detail, Unmapped};
use crate::source::Origin;

use self::document::{Affected, Document, Severity};
use super::distribution::{self, Family, Release};
use super::fixes::{Fix, Fixes};
use super::identity::Identity;
use super::interval::{self, End};
use super::language::Language;
use super::lenient::{List, Object};
use super::purl::Purl;
use super::ranges::Ranges;
use super::record::Envelope;
use super::sink::{Sink, description};
use super::{cvss, date, lenient, severity};

/// Where a package's advisories go.
enum Target {
    Language(Language),
    Release(Release),
}

pub(super) fn map(envelope: &Envelope, raw: &str, sink: &mut Sink<'_>) {
    let (document, wrong) = match lenient::read::<Document>(raw) {
        Ok(read) => read,
        Err(error) => return sink.unmapped(Unmapped::Malformed, &error.to_string()),
    };
    if wrong > 0 {
        let detail = format!("{wrong} members of a wrong type");
        sink.unmapped(Unmapped::Malformed, &detail);
    }
    let withdrawn = document.withdrawn.trim_ascii();
    if !withdrawn.is_empty() {
        return sink.unmapped(Unmapped::Withdrawn, withdrawn);
    }
    if document.id.is_empty() {
        return sink.unmapped(Unmapped::BadKey, "the entry has no id");
    }
    date::keep_newest(&mut sink.rows().modified, &document.modified);
    let origin = Origin {
        id: &document.id,
        vendor: &envelope.vendor,
        stream: &envelope.stream,
    };

    let mut ranges = Ranges::default();
    let mut fixes = Fixes::default();
    let mut family = None;
    let mut has_language = false;
    for affected in document.affected.iter() {
        match target(affected) {
            Ok(Target::Language(language)) => {
                has_language = true;
                language_package(sink, &mut ranges, language, affected);
            }
            Ok(Target::Release(release)) => {
                family.get_or_insert(release.family);
                release_package(sink, &mut fixes, &release, affected);
            }
            Err((reason, detail)) => sink.unmapped(reason, &detail),
        }
    }
    if document.affected.is_empty() {
        sink.unmapped(Unmapped::NoVersions, "nothing is affected");
    }

    let same = document.aliases.iter().chain(document.upstream.iter());
    let related = document.related.iter().filter(|_| family.is_some());
    let mut identity = Identity::of(&document.id, same.map(|id| &**id), related.map(|id| &**id));
    let more = identity.bound();
    if more > 0 {
        sink.unmapped(Unmapped::Limit, &format!("{more} more ids"));
    }
    let family = family.filter(|_| !has_language);
    let (source, precedence) = origin.detail_source(family);
    let detail = detail(&document, &source);
    let severity = detail.vendor_severity.get(&source).copied().unwrap_or(0);
    let by_advisory = family.is_some_and(Family::is_by_advisory);
    ranges.emit(sink, &origin, &identity);
    fixes.emit(sink, &origin, &identity, &|_| severity);
    let ids = if by_advisory {
        Identity::own(&document.id).ids
    } else {
        identity.ids
    };
    for id in &ids {
        sink.detail(id, precedence, &detail);
    }
}

fn target(affected: &Affected) -> Result<Target, (Unmapped, String)> {
    let package = &affected.package;
    let ecosystem = package.ecosystem.trim_ascii();
    let only_git = !affected.ranges.is_empty()
        && affected
            .ranges
            .iter()
            .all(|range| range.kind.eq_ignore_ascii_case("GIT"));
    if ecosystem.is_empty() && package.purl.is_empty() && only_git {
        return Err((Unmapped::OnlyGit, package.name.0.clone()));
    }
    if let Some(language) = Language::named(ecosystem) {
        return Ok(Target::Language(language));
    }
    let (name, release) = ecosystem.split_once(':').unwrap_or((ecosystem, ""));
    if let Some(family) = distribution::family(name) {
        return family.release(release).map(Target::Release).ok_or_else(|| {
            let detail = format!("{} of {ecosystem}", &*package.name);
            (Unmapped::UnknownRelease, detail)
        });
    }
    Purl::parse(&package.purl)
        .and_then(|purl| Language::of_purl(&purl))
        .map(Target::Language)
        .ok_or_else(|| {
            let detail = format!("{} of {ecosystem}", &*package.name);
            (Unmapped::UnknownEcosystem, detail)
        })
}

fn language_package(
    sink: &mut Sink<'_>,
    ranges: &mut Ranges,
    language: Language,
    affected: &Affected,
) {
    let mut name = affected.package.name.0.clone();
    if name.trim_ascii().is_empty()
        && let Some(purl) = Purl::parse(&affected.package.purl)
    {
        name = language.name_in(&purl);
    }
    if name.trim_ascii().is_empty() {
        return sink.unmapped(Unmapped::BadKey, "a package has no name");
    }
    let read = events::intervals(affected, language.scheme());
    let has_problems = !read.problems.is_empty();
    for (reason, detail) in read.problems {
        sink.unmapped(reason, &format!("{name} {detail}"));
    }
    let versions: Vec<String> = affected
        .versions
        .iter()
        .filter(|version| !version.is_empty())
        .map(|version| version.0.clone())
        .collect();
    if read.intervals.is_empty() && versions.is_empty() {
        if !has_problems {
            sink.unmapped(nothing(affected), &name);
        }
        return;
    }
    let affected = interval::Affected {
        intervals: read.intervals,
        versions,
    };
    ranges.add(language, &name, affected);
}

/// Why an item has no range that says anything.
fn nothing(affected: &Affected) -> Unmapped {
    let is_git = |kind: &str| kind.eq_ignore_ascii_case("GIT");
    if affected.ranges.iter().any(|range| is_git(&range.kind)) {
        Unmapped::OnlyGit
    } else {
        Unmapped::NoVersions
    }
}

fn release_package(sink: &mut Sink<'_>, fixes: &mut Fixes, release: &Release, affected: &Affected) {
    let name = affected.package.name.trim_ascii();
    if name.is_empty() {
        return sink.unmapped(Unmapped::BadKey, "a package has no name");
    }
    let scheme = release.family.scheme();
    let read = events::intervals(affected, scheme);
    let has_problems = !read.problems.is_empty();
    for (reason, detail) in read.problems {
        sink.unmapped(reason, &format!("{name} {detail}"));
    }
    if read.intervals.is_empty() {
        if !has_problems {
            sink.unmapped(nothing(affected), &format!("{name} of {}", release.bucket));
        }
        return;
    }
    let urgency = severity::of_urgency(&affected.ecosystem_specific.urgency);
    let severity = if release.family == Family::Debian {
        urgency
    } else {
        0
    };
    for interval in read.intervals {
        let from = interval.from.map(|point| (point.text, point.version));
        let fixed = match interval.end {
            End::Fixed(point) => Some((point.text, point.version)),
            End::Open => None,
            // What comes after is not affected, and has no name: the scanner has no words for that.
            End::Last(point) => {
                let detail = format!("{name} up to {} of {}", point.text, release.bucket);
                sink.unmapped(Unmapped::NotFixed, &detail);
                continue;
            }
        };
        let fix = Fix {
            fixed,
            from,
            severity,
            ..Fix::default()
        };
        let binaries = &affected.ecosystem_specific.binaries;
        if !release.family.is_by_advisory() || binaries.is_empty() || fix.fixed.is_none() {
            fixes.add(sink, release, name, fix);
            continue;
        }
        // SUSE names the source package; the scanner looks for its binary ones, which are listed.
        for (binary, version) in binaries.iter().flat_map(|binaries| binaries.0.iter()) {
            match scheme.parse(version) {
                Ok(parsed) => {
                    let fixed = Some((version.0.clone(), parsed));
                    let fix = Fix {
                        fixed,
                        ..Fix::default()
                    };
                    fixes.add(sink, release, binary, fix);
                }
                Err(_) => {
                    let detail = format!("{binary} {}", &**version);
                    sink.unmapped(Unmapped::UnparsableVersion, &detail);
                }
            }
        }
    }
}

fn detail(document: &Document, source: &str) -> Detail {
    let specific = &document.database_specific;
    let references = document
        .references
        .iter()
        .map(|reference| &*reference.url)
        .chain([&*specific.url]);
    let names = specific.cwe_ids.iter().map(|id| &**id);
    let cwes = names
        .chain(specific.cwes.iter().map(|cwe| cwe.name.as_str()))
        .chain(document.affected.iter().flat_map(|affected| {
            let specific = &affected.database_specific;
            let names = specific.cwe_ids.iter().map(|id| &**id);
            names.chain(specific.cwes.iter().map(|cwe| cwe.name.as_str()))
        }));
    let mut detail = Detail {
        title: description(document.summary.trim_ascii()),
        description: description(document.details.trim_ascii()),
        cwe_ids: cwes
            .filter(|id| id.starts_with("CWE-"))
            .map(str::to_owned)
            .collect(),
        references: references
            .filter(|url| url.contains("://") && !url.contains(char::is_whitespace))
            .map(str::to_owned)
            .collect(),
        published_date: date::normalised(&document.published),
        last_modified_date: date::normalised(&document.modified),
        ..Detail::default()
    };
    let mut scores = Cvss::default();
    let mut stated = severity::of_word(&specific.severity);
    let mut read = |severities: &List<Object<Severity>>| {
        for entry in severities.iter() {
            // Ubuntu and others state a word where a vector is expected.
            if !cvss::add(&mut scores, &entry.score) && stated == 0 {
                stated = severity::of_word(&entry.score);
            }
        }
    };
    read(&document.severity);
    for affected in document.affected.iter() {
        read(&affected.severity);
    }
    for affected in document.affected.iter() {
        cvss::add(&mut scores, &affected.database_specific.cvss);
        for specific in [&affected.ecosystem_specific, &affected.database_specific] {
            if stated == 0 {
                stated = severity::of_word(&specific.severity);
            }
        }
        if stated == 0 {
            stated = severity::of_urgency(&affected.ecosystem_specific.urgency);
        }
    }
    severity::set(&mut detail, source, stated, scores);
    detail
}
