//! Selectors as query filters.
//!
//! A filter says exactly what [`CompiledSelectors::matches`] says, with two exceptions, in which it
//! lets more through and [`Matcher`], the one that the embedded ledger uses, decides afterwards:
//!
//! - facets that are too large for an entry lie apart ([`LIES_APART`]); such an entry passes every
//!   criterion about facets, and none that leaves records out;
//! - what would make a filter too large or too branched for a query planner is left out of it.

use export_model::{CompiledSelectors, Criteria, Kind, Matcher, ProductPattern, RecordedWindow};
use mongodb::bson::{Bson, Document, Regex, doc};

use super::entry::{LIES_APART, date};

/// Most bytes of values in a filter. A command has at most 16 MiB.
const MAX_BYTES: usize = 4 << 20;
/// Most alternatives of one `$or`, each of which is planned by itself; and most beginnings of purls,
/// each of which is tried on every purl.
const MAX_BRANCHES: usize = 64;

/// What the selectors of a scan come to, for the records of one kind.
pub(super) struct Selection {
    /// Decides what the filter lets through.
    pub(super) matcher: Matcher,
    /// Conditions that all must hold; empty for everything.
    pub(super) conditions: Vec<Document>,
    /// Whether the filter lets through too much, and every entry is asked again.
    pub(super) is_loose: bool,
}

impl Selection {
    pub(super) fn new(selectors: &CompiledSelectors, kind: Kind) -> Self {
        let mut builder = Builder {
            kind,
            room: MAX_BYTES,
            is_loose: false,
        };
        let mut conditions = builder.criteria(&selectors.base, Facets::MayLieApart);
        conditions.extend(builder.include(&selectors.include));
        conditions.extend(builder.exclude(&selectors.exclude));
        Self {
            matcher: Matcher::new(selectors, kind),
            conditions,
            is_loose: builder.is_loose,
        }
    }
}

/// Whether a criterion about facets lets entries through whose facets lie apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Facets {
    MayLieApart,
    AreHere,
}

struct Builder {
    kind: Kind,
    room: usize,
    is_loose: bool,
}

impl Builder {
    /// Takes room for values; where there is none, what they would have said is left out.
    fn fits(&mut self, values: usize, bytes: usize) -> bool {
        // Each value of an array has a type and a number before it, and what ends it.
        let size = bytes + 16 * values;
        match self.room.checked_sub(size) {
            Some(left) => {
                self.room = left;
                true
            }
            None => {
                self.is_loose = true;
                false
            }
        }
    }

    fn includes_kind(&self, criteria: &Criteria) -> bool {
        criteria
            .kinds
            .as_ref()
            .is_none_or(|kinds| kinds.contains(&self.kind))
    }

    fn include(&mut self, include: &[Criteria]) -> Option<Document> {
        if include.len() > MAX_BRANCHES {
            self.is_loose = true;
            return None;
        }
        let mut branches = Vec::new();
        for criteria in include {
            if self.includes_kind(criteria) {
                let conditions = self.criteria(criteria, Facets::MayLieApart);
                if conditions.is_empty() {
                    return None;
                }
                branches.push(all_of(conditions));
            }
        }
        any_of(branches)
    }

    fn exclude(&mut self, exclude: &[Criteria]) -> Option<Document> {
        let mut branches = Vec::new();
        for criteria in exclude {
            if !self.includes_kind(criteria) {
                continue;
            }
            if branches.len() == MAX_BRANCHES {
                self.is_loose = true;
                break;
            }
            // With a condition left out it would exclude too much.
            let was_loose = std::mem::take(&mut self.is_loose);
            let conditions = self.criteria(criteria, Facets::AreHere);
            if !self.is_loose {
                branches.push(all_of(conditions));
                self.is_loose = was_loose;
            }
        }
        (!branches.is_empty()).then(|| doc! { "$nor": branches })
    }

    fn criteria(&mut self, criteria: &Criteria, facets: Facets) -> Vec<Document> {
        let mut conditions = Vec::new();
        for (name, values) in [
            ("ecosystems", &criteria.ecosystems),
            ("sbom_subjects", &criteria.sbom_subjects),
            ("identifiers", &criteria.identifiers),
        ] {
            let Some(values) = values else { continue };
            let bytes = values.iter().map(String::len).sum();
            if self.fits(values.len(), bytes) {
                let values = values.iter().map(Bson::from).collect();
                conditions.push(in_list(name, values, facets));
            }
        }
        if let Some(patterns) = &criteria.products {
            conditions.extend(self.products(patterns, facets));
        }
        if let Some(sources) = &criteria.sources {
            conditions.extend(self.sources(sources));
        }
        if let Some(window) = criteria.recorded {
            conditions.push(doc! { "recorded_at": recorded(window) });
        }
        conditions
    }

    fn products(&mut self, patterns: &[ProductPattern], facets: Facets) -> Option<Document> {
        let is_prefix = |pattern: &&ProductPattern| matches!(pattern, ProductPattern::Prefix(_));
        if patterns.iter().filter(is_prefix).count() > MAX_BRANCHES {
            self.is_loose = true;
            return None;
        }
        let mut values = Vec::with_capacity(patterns.len());
        let mut bytes = 0;
        for pattern in patterns {
            let value = match pattern {
                ProductPattern::Exact(purl) => Some(purl.into()),
                ProductPattern::Prefix(prefix) => beginning_with(prefix),
            };
            let Some(value) = value else {
                self.is_loose = true;
                return None;
            };
            bytes += match pattern {
                ProductPattern::Exact(purl) => purl.len(),
                ProductPattern::Prefix(prefix) => 2 * prefix.len(),
            };
            values.push(value);
        }
        self.fits(patterns.len(), bytes)
            .then(|| in_list("products", values, facets))
    }

    fn sources(&mut self, sources: &[(String, Option<String>)]) -> Option<Document> {
        let bytes = sources
            .iter()
            .map(|(vendor, stream)| vendor.len() + stream.as_ref().map_or(0, String::len))
            .sum();
        let (whole, streams): (Vec<_>, Vec<_>) =
            sources.iter().partition(|(_, stream)| stream.is_none());
        if streams.len() > MAX_BRANCHES {
            self.is_loose = true;
            return None;
        }
        if !self.fits(sources.len(), bytes) {
            return None;
        }
        let mut branches: Vec<_> = streams
            .into_iter()
            .map(|(vendor, stream)| doc! { "vendor": vendor, "stream": stream })
            .collect();
        if !whole.is_empty() || branches.is_empty() {
            let vendors: Vec<_> = whole.into_iter().map(|(vendor, _)| vendor).collect();
            branches.push(doc! { "vendor": { "$in": vendors } });
        }
        any_of(branches)
    }
}

fn in_list(name: &str, mut values: Vec<Bson>, facets: Facets) -> Document {
    if facets == Facets::MayLieApart {
        values.push(LIES_APART);
    }
    doc! { name: { "$in": values } }
}

fn all_of(mut conditions: Vec<Document>) -> Document {
    match conditions.len() {
        0 => Document::new(),
        1 => conditions.remove(0),
        _ => doc! { "$and": conditions },
    }
}

/// None where there are no alternatives at all.
fn any_of(mut branches: Vec<Document>) -> Option<Document> {
    match branches.len() {
        0 => None,
        1 => Some(branches.remove(0)),
        _ => Some(doc! { "$or": branches }),
    }
}

fn recorded(window: RecordedWindow) -> Document {
    let mut range = Document::new();
    if let Some(from) = window.from {
        range.insert("$gte", date(from));
    }
    if let Some(to) = window.to {
        range.insert("$lt", date(to));
    }
    if range.is_empty() {
        // Any time, but a time.
        range.insert("$ne", Bson::Null);
    }
    range
}

/// What matches the strings that begin with `prefix`: an anchored expression without anything but
/// literal characters. Planners read an index between its bounds, and it may stand beside other
/// values of one `$in`, which ranges may not. None where BSON cannot hold it.
fn beginning_with(prefix: &str) -> Option<Bson> {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    pattern.push('^');
    for character in prefix.chars() {
        if "\\^$.|?*+()[]{}".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    Some(Bson::RegularExpression(Regex {
        pattern: pattern.try_into().ok()?,
        options: String::new().try_into().ok()?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_literal() {
        for (prefix, pattern) in [
            ("pkg:npm/a", Some("^pkg:npm/a")),
            ("pkg:npm/%40a/b.c+", Some("^pkg:npm/%40a/b\\.c\\+")),
            ("a\\d|é", Some("^a\\\\d\\|é")),
            ("", Some("^")),
            ("a\0", None),
        ] {
            let made = match beginning_with(prefix) {
                Some(Bson::RegularExpression(regex)) => Some(regex.pattern.as_str().to_owned()),
                _ => None,
            };
            assert_eq!(made.as_deref(), pattern, "{prefix:?}");
        }
    }

    fn of(base: Criteria, include: Vec<Criteria>, exclude: Vec<Criteria>) -> Selection {
        let selectors = CompiledSelectors {
            base,
            include,
            exclude,
            tenants: Vec::new(),
        };
        Selection::new(&selectors, Kind::Vex)
    }

    fn identifiers(number: usize, length: usize) -> Criteria {
        Criteria {
            identifiers: Some((0..number).map(|n| format!("{n:0length$}")).collect()),
            ..Criteria::default()
        }
    }

    #[test]
    fn a_filter_never_outgrows_a_command() {
        let large = identifiers(10_000, 4_096);
        let small = identifiers(10, 10);
        let base = of(large.clone(), vec![], vec![]);
        assert!(base.is_loose && base.conditions.is_empty());
        let include = of(
            Criteria::default(),
            vec![small.clone(), large.clone()],
            vec![],
        );
        assert!(include.is_loose && include.conditions.is_empty());
        // What does not fit excludes nothing; the rest still does.
        let exclude = of(Criteria::default(), vec![], vec![large, small.clone()]);
        assert!(exclude.is_loose);
        assert_eq!(exclude.conditions.len(), 1);
        let many = of(Criteria::default(), vec![small.clone(); 1_000], vec![]);
        assert!(many.is_loose && many.conditions.is_empty());
        let fits = of(small.clone(), vec![small.clone()], vec![small]);
        assert!(!fits.is_loose);
        assert_eq!(fits.conditions.len(), 3);
    }

    #[test]
    fn criteria_of_other_kinds_say_nothing() {
        let other = Criteria {
            kinds: Some(vec![Kind::Sbom]),
            ..identifiers(1, 1)
        };
        let selection = of(Criteria::default(), vec![], vec![other.clone()]);
        assert!(selection.conditions.is_empty());
        let selection = of(Criteria::default(), vec![other], vec![]);
        assert!(selection.matcher.selects_nothing());
    }
}
