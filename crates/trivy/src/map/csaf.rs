//! CSAF: advisories and VEX statements of vendors.
//!
//! Products that are part of an operating system become its packages' fixes; products with a purl of a
//! language ecosystem become its ranges; what is not affected, or fixed, and is no system's package,
//! becomes a VEX statement. A system's packages make no statements: a purl does not say of which
//! release it is, so "not affected in 9" would silence 8.

mod document;
mod products;
#[cfg(test)]
mod tests;
mod vers;

use std::collections::{BTreeSet, HashMap};

use crate::row::{Cvss, Detail, Unmapped, VexRow};
use crate::source::Origin;

use self::document::{Document, Vulnerability};
use self::products::{Products, Resolved};
use super::distribution::Family;
use super::fixes::{Fix, Fixes};
use super::identity::Identity;
use super::interval::Affected;
use super::language::Language;
use super::lenient::{List, Text};
use super::purl::Purl;
use super::ranges::Ranges;
use super::record::Envelope;
use super::sink::{Sink, description};
use super::{cvss, date, lenient, severity};

/// What a vulnerability's members say of each product.
struct Remarks<'a> {
    /// Red Hat's state of what has no fix.
    status: HashMap<&'a str, u8>,
    /// The advisory that has the fix.
    advisory: HashMap<&'a str, &'a str>,
    justification: HashMap<&'a str, &'a str>,
    impact: HashMap<&'a str, &'a str>,
}

impl<'a> Remarks<'a> {
    fn of(vulnerability: &'a Vulnerability) -> Self {
        let mut remarks = Self {
            status: HashMap::new(),
            advisory: HashMap::new(),
            justification: HashMap::new(),
            impact: HashMap::new(),
        };
        for remediation in vulnerability.remediations.iter() {
            let status = match (&*remediation.category, &*remediation.details) {
                (_, "Will not fix") => 5,
                (_, "Fix deferred") => 6,
                (_, "Out of support scope") => 7,
                ("no_fix_planned", _) => 5,
                ("none_available", _) => 2,
                _ => 0,
            };
            let last = remediation.url.rsplit('/').next().unwrap_or_default();
            let is_erratum = ["RHSA-", "RHBA-", "RHEA-"]
                .iter()
                .any(|prefix| last.starts_with(prefix));
            for id in remediation.product_ids.iter() {
                if status > 0 {
                    remarks.status.insert(id, status);
                }
                if is_erratum {
                    remarks.advisory.insert(id, last);
                }
            }
        }
        for flag in vulnerability.flags.iter() {
            for id in flag.product_ids.iter() {
                remarks.justification.insert(id, &flag.label);
            }
        }
        for threat in vulnerability.threats.iter() {
            if &*threat.category == "impact" {
                for id in threat.product_ids.iter() {
                    remarks.impact.insert(id, &threat.details);
                }
            }
        }
        remarks
    }
}

/// Everything that is the same for all vulnerabilities of a document.
struct Context<'a> {
    document: &'a Document,
    products: Products<'a>,
    origin: Origin<'a>,
    /// Products without a purl, each told once.
    nameless: BTreeSet<&'a str>,
    /// Of families whose rows stand under the document's id.
    shared: Fixes,
    family: Option<Family>,
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
    let tracking = &document.document.tracking;
    if &*tracking.status == "withdrawn" {
        return sink.unmapped(Unmapped::Withdrawn, &tracking.id);
    }
    if document.vulnerabilities.is_empty() {
        return sink.unmapped(Unmapped::Format, "the document names no vulnerability");
    }
    date::keep_newest(&mut sink.rows().modified, &tracking.current_release_date);
    let mut context = Context {
        document: &document,
        products: Products::of(&document.product_tree),
        origin: Origin {
            id: &tracking.id,
            vendor: &envelope.vendor,
            stream: &envelope.stream,
        },
        nameless: BTreeSet::new(),
        shared: Fixes::default(),
        family: None,
    };
    let mut details = Vec::new();
    for vulnerability in document.vulnerabilities.iter() {
        let Some(id) = name(vulnerability, &tracking.id, document.vulnerabilities.len()) else {
            sink.unmapped(Unmapped::BadKey, "a vulnerability has no id");
            continue;
        };
        one(&mut context, id, vulnerability, sink);
        details.push((id, vulnerability));
    }
    for product in &context.nameless {
        sink.unmapped(Unmapped::NoPurl, context.products.label(product));
    }
    let (source, precedence) = context.origin.detail_source(context.family);
    for (id, vulnerability) in details {
        if sink.is_spent() {
            break;
        }
        let detail = detail(&document, vulnerability, &source);
        sink.detail(id, precedence, &detail);
    }
    if context.family.is_some_and(Family::is_by_advisory) {
        let mut detail = Detail {
            title: description(&document.document.title),
            published_date: date::normalised(&tracking.initial_release_date),
            last_modified_date: date::normalised(&tracking.current_release_date),
            references: urls(&document.document.references),
            ..Detail::default()
        };
        let stated = severity::of_word(&document.document.aggregate_severity.text);
        severity::set(&mut detail, &source, stated, Cvss::default());
        sink.detail(&tracking.id, precedence, &detail);
    }
    let identity = Identity::own(&tracking.id);
    let origin = context.origin;
    context.shared.emit(sink, &origin, &identity, &|_| 0);
}

/// The vulnerability's id: its CVE, else the first that its finder gave it, else the document's if it
/// is about nothing else.
fn name<'a>(vulnerability: &'a Vulnerability, document: &'a str, count: usize) -> Option<&'a str> {
    let given = vulnerability.ids.iter().map(|id| id.text.trim_ascii());
    [vulnerability.cve.trim_ascii()]
        .into_iter()
        .chain(given)
        .chain([document].into_iter().filter(|_| count == 1))
        .find(|id| !id.is_empty())
}

fn one<'a>(
    context: &mut Context<'a>,
    id: &'a str,
    vulnerability: &'a Vulnerability,
    sink: &mut Sink<'_>,
) {
    let remarks = Remarks::of(vulnerability);
    let rating = impact(vulnerability);
    let mut ranges = Ranges::default();
    let mut fixes = Fixes::default();
    let status = &vulnerability.product_status;
    let lists: [(&'a List<Text>, State); 8] = [
        (&status.fixed, State::Fixed),
        (&status.first_fixed, State::Fixed),
        (&status.recommended, State::Recommended),
        (&status.known_affected, State::Affected),
        (&status.first_affected, State::Affected),
        (&status.last_affected, State::Affected),
        (&status.known_not_affected, State::NotAffected),
        (&status.under_investigation, State::Unknown),
    ];
    for (products, state) in lists {
        for product in products.iter() {
            if sink.is_spent() {
                return;
            }
            let resolved = context.products.resolve(product);
            if let Some(release) = resolved.release.clone() {
                let family = release.family;
                context.family.get_or_insert(family);
                let into = if family == Family::RedHat || family.is_by_advisory() {
                    &mut context.shared
                } else {
                    &mut fixes
                };
                let about = About {
                    id,
                    rating,
                    product,
                    state,
                };
                package(&resolved, &about, &remarks, into, sink);
                continue;
            }
            if resolved.purl.is_empty() {
                context.nameless.insert(product);
                continue;
            }
            match state {
                State::Affected => language(&resolved, &mut ranges, sink),
                State::Fixed | State::NotAffected => {
                    let tracking = &context.document.document.tracking;
                    sink.vex(VexRow {
                        vulnerability: id.to_owned(),
                        aliases: Vec::new(),
                        product: resolved.purl.to_owned(),
                        subcomponents: Vec::new(),
                        status: if state == State::Fixed {
                            "fixed"
                        } else {
                            "not_affected"
                        }
                        .to_owned(),
                        justification: remarks
                            .justification
                            .get(&**product)
                            .map_or_else(String::new, |label| (*label).to_owned()),
                        impact_statement: remarks
                            .impact
                            .get(&**product)
                            .map_or_else(String::new, |text| description(text)),
                        timestamp: date::normalised(&tracking.current_release_date)
                            .unwrap_or_default(),
                        record: String::new(),
                    });
                }
                State::Recommended | State::Unknown => {}
            }
        }
    }
    let identity = Identity::of(context.origin.id, [id].into_iter(), std::iter::empty());
    ranges.emit(sink, &context.origin, &identity);
    fixes.emit(sink, &context.origin, &identity, &|_| rating);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fixed,
    /// SUSE's word for the packages that have the fix.
    Recommended,
    Affected,
    NotAffected,
    Unknown,
}

struct About<'a> {
    id: &'a str,
    rating: u8,
    product: &'a str,
    state: State,
}

fn package(
    resolved: &Resolved<'_>,
    about: &About<'_>,
    remarks: &Remarks<'_>,
    fixes: &mut Fixes,
    sink: &mut Sink<'_>,
) {
    let Some(release) = &resolved.release else {
        return;
    };
    if about.state == State::NotAffected {
        return;
    }
    let scheme = release.family.scheme();
    let Some(package) = resolved.package(scheme) else {
        let reason = if resolved.purl.is_empty() {
            Unmapped::NoPurl
        } else {
            Unmapped::UnknownEcosystem
        };
        return sink.unmapped(reason, about.product);
    };
    // Advisories name the source package beside the binary ones; only those are installed.
    if package.arch == "src" {
        return;
    }
    let name = if resolved.module.is_empty() {
        package.name
    } else {
        format!("{}::{}", resolved.module, package.name)
    };
    let mut fix = Fix {
        cve: (release.family == Family::RedHat).then(|| (about.id.to_owned(), about.rating)),
        ..Fix::default()
    };
    if matches!(about.state, State::Fixed | State::Recommended) {
        if package.version.is_empty() {
            return sink.unmapped(Unmapped::NoVersions, &name);
        }
        let Ok(version) = scheme.parse(&package.version) else {
            let detail = format!("{name} {}", package.version);
            return sink.unmapped(Unmapped::UnparsableVersion, &detail);
        };
        fix.fixed = Some((package.version, version));
        if !package.arch.is_empty() {
            fix.arches.insert(package.arch);
        }
        let advisory = remarks.advisory.get(about.product);
        fix.advisory = advisory.map_or_else(String::new, |id| (*id).to_owned());
    } else {
        let stated = remarks.status.get(about.product).copied();
        let default = if about.state == State::Unknown { 4 } else { 2 };
        fix.status = stated.unwrap_or(default);
    }
    fixes.add(sink, release, &name, fix);
}

fn language(resolved: &Resolved<'_>, ranges: &mut Ranges, sink: &mut Sink<'_>) {
    let Some(purl) = Purl::parse(resolved.purl) else {
        return sink.unmapped(Unmapped::NoPurl, resolved.purl);
    };
    let Some(language) = Language::of_purl(&purl) else {
        return sink.unmapped(Unmapped::UnknownEcosystem, resolved.purl);
    };
    let affected = if !resolved.range.is_empty() {
        match vers::read(resolved.range, language.scheme()) {
            Ok(affected) => affected,
            Err((reason, detail)) => return sink.unmapped(reason, &detail),
        }
    } else if purl.version.is_empty() {
        return sink.unmapped(Unmapped::NoVersions, resolved.purl);
    } else {
        Affected {
            versions: vec![purl.version.clone()],
            ..Affected::default()
        }
    };
    ranges.add(language, &language.name_in(&purl), affected);
}

/// The vendor's severity of the vulnerability.
fn impact(vulnerability: &Vulnerability) -> u8 {
    let threats = vulnerability.threats.iter();
    threats
        .filter(|threat| &*threat.category == "impact")
        .map(|threat| severity::of_word(&threat.details))
        .find(|severity| *severity > 0)
        .unwrap_or(0)
}

fn urls(references: &List<lenient::Object<document::Reference>>) -> BTreeSet<String> {
    references
        .iter()
        .map(|reference| &*reference.url)
        .filter(|url| url.contains("://") && !url.contains(char::is_whitespace))
        .map(str::to_owned)
        .collect()
}

fn detail(document: &Document, vulnerability: &Vulnerability, source: &str) -> Detail {
    let about = &document.document;
    let title = if vulnerability.title.is_empty() {
        &about.title
    } else {
        &vulnerability.title
    };
    let note = ["description", "summary"].iter().find_map(|category| {
        let mut notes = vulnerability.notes.iter();
        notes.find(|note| *note.category == **category)
    });
    let mut references = urls(&about.references);
    references.append(&mut urls(&vulnerability.references));
    let published = if vulnerability.release_date.is_empty() {
        &about.tracking.initial_release_date
    } else {
        &vulnerability.release_date
    };
    let mut detail = Detail {
        title: description(title.trim_ascii()),
        description: note.map_or_else(String::new, |note| description(note.text.trim_ascii())),
        cwe_ids: [&vulnerability.cwe]
            .into_iter()
            .chain(vulnerability.cwes.iter())
            .map(|cwe| &*cwe.id)
            .filter(|id| id.starts_with("CWE-"))
            .map(str::to_owned)
            .collect(),
        references,
        published_date: date::normalised(published),
        last_modified_date: date::normalised(&about.tracking.current_release_date),
        ..Detail::default()
    };
    let mut scores = Cvss::default();
    let mut stated = impact(vulnerability);
    let contents = vulnerability.metrics.iter().map(|metric| &metric.content);
    for score in vulnerability.scores.iter().chain(contents) {
        for vector in [&score.cvss_v3, &score.cvss_v4, &score.cvss_v2] {
            let known = cvss::add(&mut scores, &vector.vector_string);
            if !known && stated == 0 {
                stated = severity::of_word(&vector.base_severity)
                    .max(vector.base_score.0.map_or(0, cvss::rating));
            }
        }
    }
    severity::set(&mut detail, source, stated, scores);
    detail
}
