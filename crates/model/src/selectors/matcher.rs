//! Selectors, made fast for a walk over many entries, for every ledger that decides some of a
//! selection itself.
//!
//! Means exactly what [`CompiledSelectors::matches`] means (a property test compares them), but
//! with sets instead of lists: a request may name 10,000 values.

use std::collections::{HashMap, HashSet};

use super::stored::{Field, StoredFacets};
use super::{CompiledSelectors, Criteria, ProductPattern, RecordedWindow};
use crate::{Kind, Source};

type Values = HashSet<Vec<u8>>;

/// Selectors for the records of one kind.
pub struct Matcher {
    base: Option<CriteriaSets>,
    /// Some only where the selectors name any.
    include: Option<Vec<CriteriaSets>>,
    exclude: Vec<CriteriaSets>,
}

/// Criteria that a record of the matcher's kind can meet.
struct CriteriaSets {
    ecosystems: Option<Values>,
    products: Option<Products>,
    sbom_subjects: Option<Values>,
    identifiers: Option<Values>,
    /// Streams by vendor; none for all of them.
    sources: Option<HashMap<String, Option<HashSet<String>>>>,
    recorded: Option<RecordedWindow>,
}

struct Products {
    exact: Values,
    /// Sorted, and none begins with another: then the greatest one that is not after a purl is the
    /// only one that it can begin with.
    prefixes: Vec<Vec<u8>>,
}

impl Matcher {
    /// Makes `selectors` ready to look at records of `kind`.
    #[must_use]
    pub fn new(selectors: &CompiledSelectors, kind: Kind) -> Self {
        let sets = |list: &[Criteria]| -> Vec<_> {
            list.iter()
                .filter_map(|criteria| CriteriaSets::new(criteria, kind))
                .collect()
        };
        Self {
            base: CriteriaSets::new(&selectors.base, kind),
            include: (!selectors.include.is_empty()).then(|| sets(&selectors.include)),
            exclude: sets(&selectors.exclude),
        }
    }

    /// Whether nothing of the kind can be selected.
    #[must_use]
    pub fn selects_nothing(&self) -> bool {
        self.base.is_none() || self.include.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether [`matches`](Self::matches) looks at facets at all.
    #[must_use]
    pub fn needs_facets(&self) -> bool {
        self.all().any(CriteriaSets::needs_facets)
    }

    /// Whether everything of the kind is selected.
    #[must_use]
    pub fn selects_everything(&self) -> bool {
        self.include.is_none()
            && self.exclude.is_empty()
            && self.base.as_ref().is_some_and(CriteriaSets::is_open)
    }

    fn all(&self) -> impl Iterator<Item = &CriteriaSets> {
        self.base
            .iter()
            .chain(self.include.iter().flatten())
            .chain(&self.exclude)
    }

    /// Whether a record is selected. `recorded_at` is in milliseconds since 1970; `facets` may be
    /// empty where they are not needed.
    #[must_use]
    pub fn matches(
        &self,
        source: &Source,
        recorded_at: Option<i64>,
        facets: StoredFacets<'_>,
    ) -> bool {
        let met = |sets: &CriteriaSets| sets.matches(source, recorded_at, facets);
        self.base.as_ref().is_some_and(met)
            && self
                .include
                .as_ref()
                .is_none_or(|include| include.iter().any(met))
            && !self.exclude.iter().any(met)
    }
}

impl CriteriaSets {
    /// The criteria as sets; none when no record of `kind` can meet them.
    fn new(criteria: &Criteria, kind: Kind) -> Option<Self> {
        if criteria
            .kinds
            .as_ref()
            .is_some_and(|kinds| !kinds.contains(&kind))
        {
            return None;
        }
        let values = |list: &Option<Vec<String>>| {
            list.as_ref()
                .map(|list| list.iter().map(|v| v.as_bytes().to_vec()).collect())
        };
        Some(Self {
            ecosystems: values(&criteria.ecosystems),
            products: criteria.products.as_deref().map(Products::new),
            sbom_subjects: values(&criteria.sbom_subjects),
            identifiers: values(&criteria.identifiers),
            sources: criteria.sources.as_deref().map(streams_by_vendor),
            recorded: criteria.recorded,
        })
    }

    fn needs_facets(&self) -> bool {
        self.ecosystems.is_some()
            || self.products.is_some()
            || self.sbom_subjects.is_some()
            || self.identifiers.is_some()
    }

    fn is_open(&self) -> bool {
        !self.needs_facets() && self.sources.is_none() && self.recorded.is_none()
    }

    fn matches(&self, source: &Source, recorded_at: Option<i64>, facets: StoredFacets<'_>) -> bool {
        let any = |wanted: &Option<Values>, field| {
            wanted
                .as_ref()
                .is_none_or(|wanted| facets.values(field).any(|value| wanted.contains(value)))
        };
        self.sources.as_ref().is_none_or(|sources| {
            sources.get(&*source.vendor).is_some_and(|streams| {
                streams
                    .as_ref()
                    .is_none_or(|streams| streams.contains(&*source.stream))
            })
        }) && self.recorded.is_none_or(|window| {
            recorded_at.is_some_and(|time| {
                window.from.is_none_or(|from| time >= from.0)
                    && window.to.is_none_or(|to| time < to.0)
            })
        }) && any(&self.ecosystems, Field::Ecosystems)
            && any(&self.sbom_subjects, Field::SbomSubjects)
            && any(&self.identifiers, Field::Identifiers)
            && self.products.as_ref().is_none_or(|products| {
                facets
                    .values(Field::Products)
                    .any(|purl| products.matches(purl))
            })
    }
}

fn streams_by_vendor(
    sources: &[(String, Option<String>)],
) -> HashMap<String, Option<HashSet<String>>> {
    let mut vendors: HashMap<String, Option<HashSet<String>>> = HashMap::new();
    for (vendor, stream) in sources {
        let streams = vendors
            .entry(vendor.clone())
            .or_insert_with(|| Some(HashSet::new()));
        match stream {
            None => *streams = None,
            Some(stream) => {
                if let Some(streams) = streams {
                    streams.insert(stream.clone());
                }
            }
        }
    }
    vendors
}

impl Products {
    fn new(patterns: &[ProductPattern]) -> Self {
        let mut exact = Values::new();
        let mut prefixes = Vec::new();
        for pattern in patterns {
            match pattern {
                ProductPattern::Exact(purl) => {
                    exact.insert(purl.as_bytes().to_vec());
                }
                ProductPattern::Prefix(prefix) => prefixes.push(prefix.as_bytes().to_vec()),
            }
        }
        prefixes.sort_unstable();
        // After sorting, what begins with a kept prefix comes directly after it.
        prefixes.dedup_by(|next, kept| next.starts_with(kept));
        Self { exact, prefixes }
    }

    fn matches(&self, purl: &[u8]) -> bool {
        let not_after = self
            .prefixes
            .partition_point(|prefix| prefix.as_slice() <= purl);
        self.exact.contains(purl)
            || not_after
                .checked_sub(1)
                .is_some_and(|index| purl.starts_with(&self.prefixes[index]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Facets, Timestamp};

    fn word() -> impl Strategy<Value = String> {
        // Few words, so that selectors and records meet; some begin with others.
        prop::sample::select(vec![
            "a",
            "ab",
            "abc",
            "ac",
            "b",
            "ba",
            "é",
            "pkg:npm/a",
            "pkg:npm/ab",
        ])
        .prop_map(str::to_owned)
    }

    fn words() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(word(), 0..4)
    }

    fn time() -> impl Strategy<Value = Timestamp> {
        (0i64..6).prop_map(Timestamp)
    }

    fn source() -> impl Strategy<Value = Source> {
        (word(), word()).prop_map(|(vendor, stream)| Source {
            vendor: vendor.into(),
            stream: stream.into(),
        })
    }

    prop_compose! {
        fn any_facets()(
            ecosystems in words(), products in words(), sbom_subjects in words(),
            identifiers in words(), recorded_at in prop::option::of(time()),
        ) -> Facets {
            Facets { ecosystems, products, sbom_subjects, identifiers, recorded_at }
        }
    }

    fn pattern() -> impl Strategy<Value = ProductPattern> {
        prop_oneof![
            word().prop_map(ProductPattern::Exact),
            word().prop_map(ProductPattern::Prefix),
        ]
    }

    prop_compose! {
        fn criteria()(
            kinds in prop::option::of(prop::collection::vec(prop::sample::select(Kind::ALL.to_vec()), 1..4)),
            ecosystems in prop::option::of(words()),
            products in prop::option::of(prop::collection::vec(pattern(), 0..4)),
            sbom_subjects in prop::option::of(words()),
            identifiers in prop::option::of(words()),
            sources in prop::option::of(prop::collection::vec((word(), prop::option::of(word())), 0..4)),
            recorded in prop::option::of((prop::option::of(time()), prop::option::of(time()))),
            keep in any::<u8>(),
        ) -> Criteria {
            // Most criteria are dropped again, or nothing would ever match.
            let kept = |bit: u8| keep & (1 << bit) == 0;
            Criteria {
                kinds: kinds.filter(|_| kept(0)),
                ecosystems: ecosystems.filter(|_| kept(1)),
                products: products.filter(|_| kept(2)),
                sbom_subjects: sbom_subjects.filter(|_| kept(3)),
                identifiers: identifiers.filter(|_| kept(4)),
                sources: sources.filter(|_| kept(5)),
                recorded: recorded.filter(|_| kept(6)).map(|(from, to)| RecordedWindow { from, to }),
            }
        }
    }

    prop_compose! {
        fn selectors()(
            base in criteria(),
            include in prop::collection::vec(criteria(), 0..3),
            exclude in prop::collection::vec(criteria(), 0..3),
        ) -> CompiledSelectors {
            CompiledSelectors { base, include, exclude, tenants: Vec::new() }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn means_what_the_model_says(
            selectors in selectors(),
            kind in prop::sample::select(Kind::ALL.to_vec()),
            records in prop::collection::vec((source(), any_facets()), 1..12),
        ) {
            let matcher = Matcher::new(&selectors, kind);
            for (source, facets) in &records {
                let wanted = selectors.matches(kind, source, facets);
                let blob = StoredFacets::encode(facets);
                let stored = if matcher.needs_facets() {
                    StoredFacets::parse(&blob).unwrap()
                } else {
                    StoredFacets::default()
                };
                let time = facets.recorded_at.map(|time| time.0);
                prop_assert_eq!(matcher.matches(source, time, stored), wanted);
                prop_assert!(!wanted || !matcher.selects_nothing());
                prop_assert!(wanted || !matcher.selects_everything());
            }
        }
    }
}
