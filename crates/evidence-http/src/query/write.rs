//! From a scan to parameters.

use std::fmt::Display;

use export_model::{Criteria, ProductPattern, Revisions, Tenant};
use export_ports::Scan;
use form_urlencoded::byte_serialize;

use super::{
    ECOSYSTEMS, EMPTY, IDENTIFIERS, KINDS, PRODUCTS, RECORDED, RECORDED_FROM, RECORDED_TO,
    SBOM_SUBJECTS, SOURCES,
};

/// A selector that no parameter can spell. Those that a request was compiled from never are.
#[derive(Debug, thiserror::Error)]
#[error("the selector {0} cannot be spelt as a parameter")]
pub(crate) struct Unspeakable(String);

/// Parameters of a request, percent-encoded (`application/x-www-form-urlencoded`).
pub(crate) struct Form(String);

impl Form {
    /// Parameters of a request about a tenant.
    pub(crate) fn of(tenant: &Tenant) -> Self {
        let mut form = Self(String::new());
        form.add("tenant", tenant);
        form
    }

    /// Those of a scan; its kind is part of the path.
    pub(crate) fn scan(scan: &Scan) -> Result<Self, Unspeakable> {
        let mut form = Self::of(&scan.tenant);
        form.add("watermark", scan.watermark);
        if scan.revisions == Revisions::All {
            form.add("revisions", "all");
        }
        if let Some(id) = &scan.policy_snapshot_id {
            form.add("policy_snapshot", id);
        }
        form.criteria("", &scan.selectors.base)?;
        let nested = [
            ("include", &scan.selectors.include),
            ("exclude", &scan.selectors.exclude),
        ];
        for (name, sets) in nested {
            if !sets.is_empty() {
                form.add(name, sets.len());
            }
            for (number, set) in sets.iter().enumerate() {
                form.criteria(&format!("{name}.{number}."), set)?;
            }
        }
        Ok(form)
    }

    pub(crate) fn add(&mut self, name: &str, value: impl Display) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.extend(byte_serialize(name.as_bytes()));
        self.0.push('=');
        self.0.extend(byte_serialize(value.to_string().as_bytes()));
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn criteria(&mut self, prefix: &str, set: &Criteria) -> Result<(), Unspeakable> {
        self.list(prefix, KINDS, set.kinds.as_deref(), |kind| {
            Ok(kind.to_string())
        })?;
        self.texts(prefix, ECOSYSTEMS, set.ecosystems.as_deref())?;
        self.list(
            prefix,
            PRODUCTS,
            set.products.as_deref(),
            |product| match product {
                ProductPattern::Exact(purl) if purl.ends_with('*') => Err(purl.clone()),
                ProductPattern::Exact(purl) => Ok(purl.clone()),
                ProductPattern::Prefix(prefix) => Ok(format!("{prefix}*")),
            },
        )?;
        self.texts(prefix, SBOM_SUBJECTS, set.sbom_subjects.as_deref())?;
        self.texts(prefix, IDENTIFIERS, set.identifiers.as_deref())?;
        self.list(
            prefix,
            SOURCES,
            set.sources.as_deref(),
            |source| match source {
                (vendor, _) if vendor.contains('/') => Err(vendor.clone()),
                (vendor, None) => Ok(vendor.clone()),
                (vendor, Some(stream)) => Ok(format!("{vendor}/{stream}")),
            },
        )?;
        if let Some(window) = set.recorded {
            for (name, time) in [(RECORDED_FROM, window.from), (RECORDED_TO, window.to)] {
                if let Some(time) = time {
                    let text = time.to_string();
                    if text.parse().ok() != Some(time) {
                        return Err(Unspeakable(format!("{prefix}{name}={text}")));
                    }
                    self.add(&format!("{prefix}{name}"), text);
                }
            }
            if window.from.is_none() && window.to.is_none() {
                self.add(EMPTY, format!("{prefix}{RECORDED}"));
            }
        }
        Ok(())
    }

    fn texts(
        &mut self,
        prefix: &str,
        name: &str,
        values: Option<&[String]>,
    ) -> Result<(), Unspeakable> {
        self.list(prefix, name, values, |value| Ok(value.clone()))
    }

    fn list<T>(
        &mut self,
        prefix: &str,
        name: &str,
        values: Option<&[T]>,
        spell: impl Fn(&T) -> Result<String, String>,
    ) -> Result<(), Unspeakable> {
        let Some(values) = values else { return Ok(()) };
        let name = format!("{prefix}{name}");
        if values.is_empty() {
            self.add(EMPTY, &name);
        }
        for value in values {
            let text = spell(value).map_err(|value| Unspeakable(format!("{name}={value}")))?;
            self.add(&name, text);
        }
        Ok(())
    }
}
