//! Selectors: which records a run exports.
//!
//! A request's [`Selectors`] are compiled once into [`CompiledSelectors`]; backends turn those into
//! queries, and [`CompiledSelectors::matches`] says what every such query must select.

use std::str::FromStr;

use packageurl::PackageUrl;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Facets, Kind, ProfileKind, Source, Tenant, Timestamp};

mod matcher;
mod stored;
mod wider;

pub use matcher::Matcher;
pub use stored::StoredFacets;

/// Most values that one list may hold.
const MAX_VALUES: usize = 10_000;
/// Longest value, in bytes.
const MAX_VALUE_BYTES: usize = 4_096;

/// A window of recording time: `from` ≤ time < `to`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedWindow {
    /// The first instant that is in; none for the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The first instant that is out; none for the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// Selectors as a request gives them. All are optional and combined by *and*, each list by *or*.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selectors {
    /// Kinds of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    /// purl types, such as `npm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecosystems: Option<Vec<String>>,
    /// purls; one that ends with `*` stands for all that begin so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<Vec<String>>,
    /// SBOMs, by `subject_key` or `_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom_subjects: Option<Vec<String>>,
    /// Identifiers and aliases, such as `CVE-2021-44228`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifiers: Option<Vec<String>>,
    /// Sources, `vendor` or `vendor/stream`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<String>>,
    /// When records were received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<RecordedWindow>,
    /// A record must match one of these too, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include: Option<Vec<Selectors>>,
    /// A record that matches one of these is left out, whatever else says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Vec<Selectors>>,
    /// Whose records: other tenants' need an approval. Only at the top, never in a nested set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<String>>,
}

/// What is wrong with one member of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldError {
    /// The member's path, such as `selectors.products[2]`.
    pub field: String,
    /// What is wrong with it, and what is expected.
    pub message: String,
}

/// A purl, or all purls that begin with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProductPattern {
    /// Exactly this purl.
    Exact(String),
    /// Every purl that begins so.
    Prefix(String),
}

impl ProductPattern {
    fn matches(&self, purl: &str) -> bool {
        match self {
            Self::Exact(exact) => purl == exact,
            Self::Prefix(prefix) => purl.starts_with(prefix.as_str()),
        }
    }
}

/// One set of criteria, combined by *and*; an absent list lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Criteria {
    /// Kinds of records.
    pub kinds: Option<Vec<Kind>>,
    /// purl types.
    pub ecosystems: Option<Vec<String>>,
    /// purls and beginnings of purls.
    pub products: Option<Vec<ProductPattern>>,
    /// SBOMs, by `subject_key` or `_id`.
    pub sbom_subjects: Option<Vec<String>>,
    /// Identifiers.
    pub identifiers: Option<Vec<String>>,
    /// Vendor, and stream where it is named.
    pub sources: Option<Vec<(String, Option<String>)>>,
    /// When records were received.
    pub recorded: Option<RecordedWindow>,
}

impl Criteria {
    /// Whether a record of `kind` from `source` with `facets` meets all criteria.
    #[must_use]
    pub fn matches(&self, kind: Kind, source: &Source, facets: &Facets) -> bool {
        fn any(wanted: Option<&Vec<String>>, have: &[String]) -> bool {
            wanted.is_none_or(|wanted| have.iter().any(|value| wanted.contains(value)))
        }
        self.kinds
            .as_ref()
            .is_none_or(|kinds| kinds.contains(&kind))
            && any(self.ecosystems.as_ref(), &facets.ecosystems)
            && any(self.sbom_subjects.as_ref(), &facets.sbom_subjects)
            && any(self.identifiers.as_ref(), &facets.identifiers)
            && self.products.as_ref().is_none_or(|patterns| {
                facets
                    .products
                    .iter()
                    .any(|purl| patterns.iter().any(|pattern| pattern.matches(purl)))
            })
            && self.sources.as_ref().is_none_or(|sources| {
                sources.iter().any(|(vendor, stream)| {
                    *vendor == *source.vendor
                        && stream
                            .as_ref()
                            .is_none_or(|stream| *stream == *source.stream)
                })
            })
            && self.recorded.is_none_or(|window| {
                facets.recorded_at.is_some_and(|time| {
                    window.from.is_none_or(|from| time >= from)
                        && window.to.is_none_or(|to| time < to)
                })
            })
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Selectors ready to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledSelectors {
    /// What every record must match.
    pub base: Criteria,
    /// Where there are any, a record must match one of them.
    pub include: Vec<Criteria>,
    /// A record that matches one of these is left out.
    pub exclude: Vec<Criteria>,
    /// Whose records, sorted, each once; empty for the run's own tenant alone. Backends do not look
    /// at it: a scan names one tenant.
    pub tenants: Vec<Tenant>,
}

/// Whether selectors may name tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossTenant {
    /// They may not: exports across tenants are off.
    Refused,
    /// They may. Whether an approval covers them is another question.
    Allowed,
}

impl CompiledSelectors {
    /// Whether a record is selected. Backends' queries are tested against this.
    #[must_use]
    pub fn matches(&self, kind: Kind, source: &Source, facets: &Facets) -> bool {
        self.base.matches(kind, source, facets)
            && (self.include.is_empty()
                || self.include.iter().any(|c| c.matches(kind, source, facets)))
            && !self.exclude.iter().any(|c| c.matches(kind, source, facets))
    }

    /// Adds, to every list of SBOMs, what `resolve` gives for its values: the `_id`s of the SBOMs
    /// behind a subject, by which findings refer to them.
    pub fn extend_sbom_subjects(&mut self, resolve: impl Fn(&str) -> Vec<String>) {
        let all = std::iter::once(&mut self.base)
            .chain(&mut self.include)
            .chain(&mut self.exclude);
        for subjects in all.filter_map(|criteria| criteria.sbom_subjects.as_mut()) {
            let more: Vec<_> = subjects
                .iter()
                .flat_map(|subject| resolve(subject))
                .collect();
            subjects.extend(more);
            subjects.sort_unstable();
            subjects.dedup();
        }
    }

    /// Every SBOM that is named anywhere in these selectors, sorted, each once.
    #[must_use]
    pub fn sbom_subjects(&self) -> Vec<String> {
        let mut subjects: Vec<_> = std::iter::once(&self.base)
            .chain(&self.include)
            .chain(&self.exclude)
            .filter_map(|criteria| criteria.sbom_subjects.as_ref())
            .flatten()
            .cloned()
            .collect();
        subjects.sort_unstable();
        subjects.dedup();
        subjects
    }
}

impl Selectors {
    /// Checks these selectors for a profile of `kind` and makes them ready to run.
    ///
    /// # Errors
    /// Every member that is wrong, by its path.
    pub fn compile(&self, kind: ProfileKind) -> Result<CompiledSelectors, Vec<FieldError>> {
        self.compile_with(kind, CrossTenant::Refused)
    }

    /// The same, where `cross_tenant` says whether `tenants` may be named.
    ///
    /// # Errors
    /// Every member that is wrong, by its path.
    pub fn compile_with(
        &self,
        kind: ProfileKind,
        cross_tenant: CrossTenant,
    ) -> Result<CompiledSelectors, Vec<FieldError>> {
        let mut check = Check {
            profile: Some(kind),
            errors: Vec::new(),
        };
        let tenants = match cross_tenant {
            CrossTenant::Allowed => check.tenants(self.tenants.as_deref()),
            CrossTenant::Refused => {
                if self.tenants.is_some() {
                    check.refuse(
                        "selectors.tenants".into(),
                        "exports across tenants are switched off here",
                    );
                }
                Vec::new()
            }
        };
        let compiled = CompiledSelectors {
            base: check.criteria("selectors", self),
            include: check.nested("selectors.include", self.include.as_deref()),
            exclude: check.nested("selectors.exclude", self.exclude.as_deref()),
            tenants,
        };
        check.finish(compiled)
    }

    /// Checks the selectors of an approval, which bound what others may ask for: one set of
    /// criteria and sets to leave out, of any kind of records, without `include` and `tenants`.
    ///
    /// # Errors
    /// Every member that is wrong, by its path.
    pub fn compile_bound(&self) -> Result<CompiledSelectors, Vec<FieldError>> {
        let mut check = Check {
            profile: None,
            errors: Vec::new(),
        };
        for (name, is_there) in [
            ("include", self.include.is_some()),
            ("tenants", self.tenants.is_some()),
        ] {
            if is_there {
                check.refuse(
                    format!("selectors.{name}"),
                    "has no place in an approval; leave it out",
                );
            }
        }
        let compiled = CompiledSelectors {
            base: check.criteria("selectors", self),
            include: Vec::new(),
            exclude: check.nested("selectors.exclude", self.exclude.as_deref()),
            tenants: Vec::new(),
        };
        check.finish(compiled)
    }
}

/// Files of a bundle that stand beside the folders of tenants.
const FILES_BESIDE_TENANTS: [&str; 3] = [
    "inputs.jsonl.zst",
    "policy_snapshot.json",
    "quarantine.jsonl.zst",
];

struct Check {
    /// None for an approval, which is about more than one.
    profile: Option<ProfileKind>,
    errors: Vec<FieldError>,
}

impl Check {
    fn refuse(&mut self, field: String, message: impl Into<String>) {
        self.errors.push(FieldError {
            field,
            message: message.into(),
        });
    }

    fn finish(self, compiled: CompiledSelectors) -> Result<CompiledSelectors, Vec<FieldError>> {
        if self.errors.is_empty() {
            Ok(compiled)
        } else {
            Err(self.errors)
        }
    }

    /// Tenants become folders of the bundle, so a name that no folder can have is refused.
    fn tenants(&mut self, names: Option<&[String]>) -> Vec<Tenant> {
        let parsed = self.list("selectors", "tenants", names, |name| {
            let tenant: Tenant = name
                .parse()
                .map_err(|e: crate::InvalidName| e.to_string())?;
            if name.ends_with('.') || FILES_BESIDE_TENANTS.contains(&name) {
                return Err(format!("`{name}` cannot be a folder of a bundle"));
            }
            Ok(tenant)
        });
        let mut tenants = parsed.unwrap_or_default();
        tenants.sort_unstable();
        tenants.dedup();
        tenants
    }

    fn nested(&mut self, path: &str, sets: Option<&[Selectors]>) -> Vec<Criteria> {
        let Some(sets) = sets else { return Vec::new() };
        if sets.is_empty() {
            self.refuse(path.into(), "must not be empty; leave it out instead");
        }
        let mut compiled = Vec::with_capacity(sets.len().min(MAX_VALUES));
        for (i, set) in sets.iter().enumerate().take(MAX_VALUES) {
            let path = format!("{path}[{i}]");
            for (name, is_there) in [
                ("include", set.include.is_some()),
                ("exclude", set.exclude.is_some()),
                ("tenants", set.tenants.is_some()),
            ] {
                if is_there {
                    self.refuse(format!("{path}.{name}"), "cannot be nested");
                }
            }
            let before = self.errors.len();
            let criteria = self.criteria(&path, set);
            if criteria.is_empty() && self.errors.len() == before {
                self.refuse(path, "selects everything; name at least one criterion");
            }
            compiled.push(criteria);
        }
        compiled
    }

    fn criteria(&mut self, path: &str, set: &Selectors) -> Criteria {
        if let Some(RecordedWindow {
            from: Some(from),
            to: Some(to),
        }) = set.recorded
            && from >= to
        {
            self.refuse(
                format!("{path}.recorded"),
                format!("is reversed or empty: from {from} is not before to {to}"),
            );
        }
        let profile = self.profile;
        Criteria {
            kinds: self.list(path, "kinds", set.kinds.as_deref(), |value| {
                let kind: Kind = value
                    .parse()
                    .map_err(|e: crate::UnknownKind| e.to_string())?;
                match profile {
                    Some(profile) if !profile.kinds().contains(&kind) => {
                        Err(format!("{profile} never contains {kind}"))
                    }
                    _ => Ok(kind),
                }
            }),
            ecosystems: self.list(path, "ecosystems", set.ecosystems.as_deref(), |value| {
                let plain = |b: u8| {
                    b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'+' | b'-')
                };
                if value.bytes().all(plain) {
                    Ok(value.to_owned())
                } else {
                    Err(format!(
                        "`{value}` is not a purl type such as npm or golang"
                    ))
                }
            }),
            products: self.list(path, "products", set.products.as_deref(), product),
            sbom_subjects: self.list(path, "sbom_subjects", set.sbom_subjects.as_deref(), as_is),
            identifiers: self.list(path, "identifiers", set.identifiers.as_deref(), as_is),
            sources: self.list(path, "sources", set.sources.as_deref(), |value| match value
                .split_once('/')
            {
                None => Ok((value.to_owned(), None)),
                Some((vendor, stream)) if !vendor.is_empty() && !stream.is_empty() => {
                    Ok((vendor.to_owned(), Some(stream.to_owned())))
                }
                Some(_) => Err(format!("`{value}` is not `vendor` or `vendor/stream`")),
            }),
            recorded: set.recorded,
        }
    }

    fn list<T>(
        &mut self,
        path: &str,
        name: &str,
        values: Option<&[String]>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let values = values?;
        let path = format!("{path}.{name}");
        if values.is_empty() {
            self.refuse(path.clone(), "must not be empty; leave it out instead");
        }
        if values.len() > MAX_VALUES {
            self.refuse(path.clone(), format!("has more than {MAX_VALUES} values"));
            return None;
        }
        let mut parsed = Vec::with_capacity(values.len());
        for (i, value) in values.iter().enumerate() {
            let outcome = if value.is_empty() || value.len() > MAX_VALUE_BYTES {
                Err(format!("must have 1 to {MAX_VALUE_BYTES} bytes"))
            } else {
                parse(value)
            };
            match outcome {
                Ok(value) => parsed.push(value),
                Err(message) => self.refuse(format!("{path}[{i}]"), message),
            }
        }
        Some(parsed)
    }
}

#[allow(clippy::unnecessary_wraps)] // The shape that `Check::list` takes.
fn as_is(value: &str) -> Result<String, String> {
    Ok(value.to_owned())
}

fn product(value: &str) -> Result<ProductPattern, String> {
    let refused = |why: &str| Err(format!("`{value}` is not a purl: {why}"));
    if let Some(prefix) = value.strip_suffix('*') {
        // A beginning of a purl need not be one itself, but its type must be whole.
        let whole_type = prefix
            .strip_prefix("pkg:")
            .and_then(|rest| rest.split_once('/'))
            .is_some_and(|(kind, _)| !kind.is_empty());
        if !whole_type || prefix.contains('*') {
            return refused("before `*`, expected at least `pkg:type/`");
        }
        return Ok(ProductPattern::Prefix(prefix.to_owned()));
    }
    match PackageUrl::from_str(value) {
        Ok(_) if value.contains('*') => refused("`*` may only stand at its end"),
        Ok(_) => Ok(ProductPattern::Exact(value.to_owned())),
        Err(error) => refused(&error.to_string()),
    }
}

#[cfg(test)]
mod tests;
