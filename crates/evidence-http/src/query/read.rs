//! From parameters to a scan.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use export_model::{
    CompiledSelectors, Criteria, Kind, Position, ProductPattern, RecordedWindow, Revisions, Tenant,
    Timestamp,
};
use export_ports::Scan;

use super::{
    ECOSYSTEMS, EMPTY, IDENTIFIERS, KINDS, PRODUCTS, RECORDED, RECORDED_FROM, RECORDED_TO,
    SBOM_SUBJECTS, SOURCES,
};
use crate::cursor;

/// The most nested sets of one name, as selectors have it.
const MAX_SETS: usize = 10_000;

/// A parameter that is wrong, and what is expected of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) parameter: String,
    pub(crate) message: String,
}

fn wrong(parameter: &str, message: impl Into<String>) -> Wrong {
    Wrong {
        parameter: parameter.chars().take(100).collect(),
        message: message.into(),
    }
}

/// The parameters of a request, taken one after the other; what is left at the end is refused.
pub(crate) struct Parameters<'a>(BTreeMap<Cow<'a, str>, Vec<Cow<'a, str>>>);

impl<'a> Parameters<'a> {
    /// Reads percent-encoded parameters.
    pub(crate) fn parse(text: &'a [u8]) -> Self {
        let mut values: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            values.entry(name).or_default().push(value);
        }
        Self(values)
    }

    /// Refuses what nobody has asked for.
    pub(crate) fn finish(self) -> Result<(), Wrong> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(wrong(&name, "is no parameter of this request")),
        }
    }

    /// A parameter that is there at most once.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Wrong> {
        match self.0.remove(name).as_deref() {
            None => Ok(None),
            Some([one]) => Ok(Some(one.clone().into_owned())),
            Some(_) => Err(wrong(name, "is given more than once")),
        }
    }

    /// A parameter that has to be there.
    pub(crate) fn required(&mut self, name: &str) -> Result<String, Wrong> {
        self.text(name)?.ok_or_else(|| wrong(name, "is missing"))
    }

    pub(crate) fn parsed<T: FromStr>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, Wrong> {
        self.text(name)?
            .map(|text| text.parse().map_err(|_| wrong(name, expected)))
            .transpose()
    }

    pub(crate) fn tenant(&mut self) -> Result<Tenant, Wrong> {
        let tenant = self.parsed("tenant", "is no tenant")?;
        tenant.ok_or_else(|| wrong("tenant", "is missing"))
    }

    pub(crate) fn watermark(&mut self) -> Result<u64, Wrong> {
        let watermark = self.parsed("watermark", "is no number")?;
        watermark.ok_or_else(|| wrong("watermark", "is missing"))
    }

    pub(crate) fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Wrong> {
        self.parsed(name, "is no time (RFC 3339)")
    }

    pub(crate) fn position(&mut self, name: &str) -> Result<Option<Position>, Wrong> {
        self.text(name)?
            .map(|text| cursor::decode(&text).ok_or_else(|| wrong(name, "is no cursor")))
            .transpose()
    }

    /// Positions, at least one and at most `most`, each after the one before it.
    pub(crate) fn positions(&mut self, name: &str, most: usize) -> Result<Vec<Position>, Wrong> {
        let cursors = self.0.remove(name).unwrap_or_default();
        if !(1..=most).contains(&cursors.len()) {
            let expected = format!("has to be given 1 to {most} times, not {}", cursors.len());
            return Err(wrong(name, expected));
        }
        let mut positions: Vec<Position> = Vec::with_capacity(cursors.len());
        for (number, cursor) in (1..).zip(cursors) {
            let position = cursor::decode(&cursor)
                .ok_or_else(|| wrong(name, format!("number {number} is no cursor")))?;
            if positions.last().is_some_and(|last| *last >= position) {
                let why = format!("number {number} does not come after the one before it");
                return Err(wrong(name, why));
            }
            positions.push(position);
        }
        Ok(positions)
    }

    /// A count of at least one, and at most `most` whatever is asked for.
    pub(crate) fn count(&mut self, name: &str, most: usize) -> Result<usize, Wrong> {
        let expected = "has to be a number, at least 1";
        match self.parsed::<u64>(name, expected)? {
            None => Ok(most),
            Some(0) => Err(wrong(name, expected)),
            Some(count) => Ok(usize::try_from(count).map_or(most, |count| count.min(most))),
        }
    }

    /// A scan of a tenant's records of a kind.
    pub(crate) fn scan(&mut self, kind: Kind) -> Result<Scan, Wrong> {
        let tenant = self.tenant()?;
        let watermark = self.watermark()?;
        let revisions = match self.text("revisions")?.as_deref() {
            None | Some("newest") => Revisions::Newest,
            Some("all") => Revisions::All,
            Some(_) => return Err(wrong("revisions", "has to be newest or all")),
        };
        let policy_snapshot_id = self.text("policy_snapshot")?;
        let mut empty = self.0.remove(EMPTY).unwrap_or_default();
        let selectors = CompiledSelectors {
            base: self.criteria("", &mut empty)?,
            include: self.sets("include", &mut empty)?,
            exclude: self.sets("exclude", &mut empty)?,
            tenants: Vec::new(),
        };
        if let Some(name) = empty.first() {
            return Err(wrong(EMPTY, format!("`{name}` is no list, or has values")));
        }
        Ok(Scan {
            tenant,
            kind,
            watermark,
            revisions,
            selectors,
            policy_snapshot_id,
        })
    }

    fn sets(&mut self, name: &str, empty: &mut Vec<Cow<'a, str>>) -> Result<Vec<Criteria>, Wrong> {
        let expected = "has to be the number of its sets, 1 to 10000";
        let Some(count) = self.parsed::<usize>(name, expected)? else {
            return Ok(Vec::new());
        };
        if !(1..=MAX_SETS).contains(&count) {
            return Err(wrong(name, expected));
        }
        (0..count)
            .map(|number| self.criteria(&format!("{name}.{number}."), empty))
            .collect()
    }

    fn criteria(&mut self, prefix: &str, empty: &mut Vec<Cow<'a, str>>) -> Result<Criteria, Wrong> {
        let mut there_but_empty = |name: &str| {
            let name = format!("{prefix}{name}");
            let at = empty.iter().position(|listed| **listed == name);
            at.map(|at| empty.swap_remove(at)).is_some()
        };
        let recorded = there_but_empty(RECORDED);
        let mut list = |name: &str| {
            let values = self.0.remove(format!("{prefix}{name}").as_str());
            values.or_else(|| there_but_empty(name).then(Vec::new))
        };
        let owned = |values: Option<Vec<Cow<'_, str>>>| {
            values.map(|values| values.into_iter().map(Cow::into_owned).collect())
        };
        let kinds = list(KINDS)
            .map(|kinds| kinds.iter().map(|kind| kind.parse()).collect())
            .transpose()
            .map_err(|error: export_model::UnknownKind| {
                wrong(&format!("{prefix}{KINDS}"), error.to_string())
            })?;
        let products = list(PRODUCTS).map(|products| {
            let products = products
                .into_iter()
                .map(|text| match text.strip_suffix('*') {
                    Some(prefix) => ProductPattern::Prefix(prefix.to_owned()),
                    None => ProductPattern::Exact(text.into_owned()),
                });
            products.collect()
        });
        let sources = list(SOURCES).map(|sources| {
            let sources = sources.into_iter().map(|text| match text.split_once('/') {
                Some((vendor, stream)) => (vendor.to_owned(), Some(stream.to_owned())),
                None => (text.into_owned(), None),
            });
            sources.collect()
        });
        let (ecosystems, sbom_subjects, identifiers) = (
            owned(list(ECOSYSTEMS)),
            owned(list(SBOM_SUBJECTS)),
            owned(list(IDENTIFIERS)),
        );
        let window = RecordedWindow {
            from: self.time(&format!("{prefix}{RECORDED_FROM}"))?,
            to: self.time(&format!("{prefix}{RECORDED_TO}"))?,
        };
        let has_window = recorded || window != RecordedWindow::default();
        Ok(Criteria {
            kinds,
            ecosystems,
            products,
            sbom_subjects,
            identifiers,
            sources,
            recorded: has_window.then_some(window),
        })
    }
}
