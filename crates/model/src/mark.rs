//! Marks: small facts that are true for a while.
//!
//! That a request was seen, that an approval was used, how much of a day's quota is gone: each is a
//! row that is written in the same transaction as what it is about, by compare-and-set, so that two
//! replicas cannot both be first. A mark that has expired is not there, whether or not anybody has
//! removed it yet.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{RunId, Sha256Digest, Tenant, Timestamp};

/// What a mark is about, unique within its tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "lowercase")]
pub enum MarkKey {
    /// A request that must not be carried out twice.
    Idempotency {
        /// The key that the client chose.
        key: String,
    },
    /// An occasion on which a rule outside asked for a run.
    Rule {
        /// The rule's name of the occasion.
        request: String,
    },
    /// An approval that can be used once.
    Approval {
        /// The tenant that gave it.
        grantor: Tenant,
        /// The nonce in it.
        nonce: String,
    },
    /// What was used of a day's quota.
    Usage {
        /// Of one profile alone; none for the whole tenant.
        profile: Option<String>,
        /// The day in UTC, such as `2026-11-26`.
        day: String,
    },
}

/// The mark's key in a store: plain text, unique within the tenant. Days and tenants contain no
/// colon, so no two keys have one text.
impl fmt::Display for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idempotency { key } => write!(f, "idempotency:{key}"),
            Self::Rule { request } => write!(f, "rule:{request}"),
            Self::Approval { grantor, nonce } => write!(f, "approval:{grantor}:{nonce}"),
            Self::Usage { profile: None, day } => write!(f, "usage:{day}"),
            Self::Usage {
                profile: Some(profile),
                day,
            } => write!(f, "usage:{day}:{profile}"),
        }
    }
}

/// What a mark says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "says", rename_all = "lowercase")]
pub enum MarkValue {
    /// The request was accepted.
    Idempotency {
        /// Digest of the request, to tell a repetition from another request under the same key.
        request: Sha256Digest,
        /// The run that it became.
        run: RunId,
    },
    /// The approval was used.
    Approval {
        /// By this run.
        run: RunId,
    },
    /// So much was used.
    Usage {
        /// Runs that were submitted.
        runs: u64,
        /// Bytes of archives that were finished.
        bytes: u64,
    },
}

/// A mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Who owns it.
    pub tenant: Tenant,
    /// What it is about.
    pub key: MarkKey,
    /// From when on it is not there any more; none for never.
    pub until: Option<Timestamp>,
    /// What it says.
    pub value: MarkValue,
    /// The row's version, 0 before it is stored.
    #[serde(default)]
    pub rev: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart() {
        let usage = |profile: Option<&str>| MarkKey::Usage {
            profile: profile.map(str::to_owned),
            day: "2026-11-26".to_owned(),
        };
        let approval = |grantor: &str, nonce: &str| MarkKey::Approval {
            grantor: grantor.parse().unwrap(),
            nonce: nonce.to_owned(),
        };
        let keys = [
            usage(None),
            usage(Some("nightly")),
            approval("acme", "b:c"),
            approval("acme", "c"),
            MarkKey::Idempotency {
                key: "usage:2026-11-26".to_owned(),
            },
        ];
        let texts: std::collections::BTreeSet<_> = keys.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), keys.len(), "{texts:?}");
    }
}
