//! Names of tenants, runs and objects.
//!
//! A store query or an object key cannot be written without a tenant, because the only ways to
//! make a [`RunKey`] or an [`ObjectKey`] take one.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// A name that cannot be used, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{name}` is not a {what}: {rule}")]
pub struct InvalidName {
    name: String,
    what: &'static str,
    rule: &'static str,
}

fn checked(
    name: &str,
    what: &'static str,
    rule: &'static str,
    limit: usize,
    allowed: impl Fn(u8) -> bool,
) -> Result<String, InvalidName> {
    let first_is_plain = name
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    if first_is_plain && name.len() <= limit && name.bytes().all(allowed) {
        Ok(name.to_owned())
    } else {
        Err(InvalidName {
            name: name.chars().take(80).collect(),
            what,
            rule,
        })
    }
}

/// Who owns records, profiles and runs: 1 to 63 of `a-z 0-9 . _ -`, beginning with a letter or a
/// digit, so that it is safe in every store's keys and every file system's paths.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Tenant(String);

impl Tenant {
    /// The tenant's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tenant {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        checked(
            name,
            "tenant",
            "expected 1 to 63 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or a digit",
            63,
            |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'),
        )
        .map(Self)
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A run's id: a UUID (version 7, so that ids sort by submission), in lower case with hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RunId(String);

impl RunId {
    /// The id of no run (RFC 9562, 5.9).
    #[must_use]
    pub fn nil() -> Self {
        Self("00000000-0000-0000-0000-000000000000".to_owned())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        checked(
            name,
            "run id",
            "expected the id that `run` printed, such as 0199f0c2-7a51-7c3e-9d7e-3a1f6f0e9b52",
            64,
            |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-',
        )
        .map(Self)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A schedule's id, of the same form as a run's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ScheduleId(String);

impl ScheduleId {
    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScheduleId {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        checked(
            name,
            "schedule id",
            "expected an id such as 0199f0c2-7a51-7c3e-9d7e-3a1f6f0e9b52",
            64,
            |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-',
        )
        .map(Self)
    }
}

impl fmt::Display for ScheduleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// New ids are of one form, whatever they name.
impl From<RunId> for ScheduleId {
    fn from(id: RunId) -> Self {
        Self(id.0)
    }
}

impl From<ScheduleId> for RunId {
    fn from(id: ScheduleId) -> Self {
        Self(id.0)
    }
}

macro_rules! deserialize_checked {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
deserialize_checked!(Tenant, RunId, ScheduleId);

/// A run, with the tenant it belongs to.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct RunKey {
    /// Who owns the run.
    pub tenant: Tenant,
    /// The run's id.
    pub run: RunId,
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.run)
    }
}

/// Where an object lies: `<tenant>/<run>/<writer's token>/<path>`.
///
/// The token is the lease under which the object was written, so two writers of one thing never
/// share a key and the row that points at the winner decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The key of `path`, written for `run` under the lease `token`.
    ///
    /// # Errors
    /// When `token` or `path` has an empty, `.` or `..` component, or characters other than
    /// letters, digits, `.`, `_` and `-`.
    pub fn new(run: &RunKey, token: &str, path: &str) -> Result<Self, InvalidName> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let rule = "expected plain components of letters, digits, `.`, `_` and `-`";
        for component in std::iter::once(token).chain(path.split('/')) {
            checked(component, "object key", rule, 128, plain)?;
        }
        Ok(Self(format!("{}/{}/{token}/{path}", run.tenant, run.run)))
    }

    /// The whole key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set of objects: everything of one run, or everything that one writer wrote for it. Always
/// ends with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPrefix(String);

impl ObjectPrefix {
    /// Every object of `run`.
    #[must_use]
    pub fn run(run: &RunKey) -> Self {
        Self(format!("{}/{}/", run.tenant, run.run))
    }

    /// Every object that was written for `run` under the lease `token`.
    #[must_use]
    pub fn writer(run: &RunKey, token: &str) -> Self {
        Self(format!("{}/{}/{token}/", run.tenant, run.run))
    }

    /// The prefix's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A key that a store listed under this prefix.
    ///
    /// # Errors
    /// When `key` does not lie under the prefix.
    pub fn listed(&self, key: &str) -> Result<ObjectKey, InvalidName> {
        if key.starts_with(&self.0) {
            Ok(ObjectKey(key.to_owned()))
        } else {
            Err(InvalidName {
                name: key.to_owned(),
                what: "object key",
                rule: "it lies outside the prefix that was listed",
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> RunKey {
        RunKey {
            tenant: "acme".parse().unwrap(),
            run: "0199f0c2".parse().unwrap(),
        }
    }

    #[test]
    fn tenants_are_plain() {
        for bad in ["", "Acme", "../x", "a/b", ".a", &"a".repeat(64)] {
            assert!(bad.parse::<Tenant>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Tenant>("\"a/b\"").is_err());
    }

    #[test]
    fn object_keys_stay_inside_their_run() {
        let key = ObjectKey::new(&run(), "t1", "payload/advisory/part-00000.jsonl.zst").unwrap();
        assert!(key.as_str().starts_with("acme/0199f0c2/t1/payload/"));
        for bad in ["../x", "a//b", "/a", "a/..", "a b"] {
            assert!(ObjectKey::new(&run(), "t1", bad).is_err(), "{bad}");
        }
        assert!(
            ObjectPrefix::run(&run())
                .listed("globex/0199f0c2/t/x")
                .is_err()
        );
    }
}
