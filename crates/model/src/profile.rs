//! Profiles: what to produce, by name and revision.

use serde::{Deserialize, Serialize};

use crate::{ProfileConfig, ProfileKind, Tenant, Timestamp};

/// One revision of a profile. Its configuration never changes; a change makes a new revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Who owns it.
    pub tenant: Tenant,
    /// Its name, unique within the tenant.
    pub name: String,
    /// What it produces.
    pub kind: ProfileKind,
    /// Counts from 1.
    pub revision: u32,
    /// What it is for, in the owner's words.
    #[serde(default)]
    pub description: String,
    /// Its configuration.
    pub config: ProfileConfig,
    /// When this revision was made; none for the built-in ones.
    pub created_at: Option<Timestamp>,
    /// Since when nothing is run with it any more; only ever on the newest revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
    /// The row's version, 0 before it is stored.
    #[serde(default)]
    pub rev: u64,
}

impl Profile {
    /// Whether it came with the program.
    #[must_use]
    pub fn is_builtin(&self) -> bool {
        self.created_at.is_none()
    }
}

/// The profiles that every tenant has: one a kind, named by it, with the default configuration.
#[must_use]
pub fn builtin_profiles(tenant: &Tenant) -> Vec<Profile> {
    ProfileKind::ALL
        .into_iter()
        .map(|kind| Profile {
            tenant: tenant.clone(),
            name: kind.as_str().to_owned(),
            kind,
            revision: 1,
            description: match kind {
                ProfileKind::JsonRaw => "Raw evidence as JSON lines, as it came".to_owned(),
                ProfileKind::JsonPolicy => {
                    "Raw evidence and policy findings as JSON lines, with their policy snapshot"
                        .to_owned()
                }
                ProfileKind::TrivyDb => {
                    "Advisories as a vulnerability database that Trivy opens, and VEX for it"
                        .to_owned()
                }
                ProfileKind::TrivyJavaDb => {
                    "SBOMs and Maven indexes as the index by which Trivy knows Java archives"
                        .to_owned()
                }
                ProfileKind::MirrorFull => {
                    "A tree of all evidence, one file a document, with indexes".to_owned()
                }
                ProfileKind::MirrorDelta => {
                    "What has changed in such a tree since another export".to_owned()
                }
            },
            config: ProfileConfig::default(),
            created_at: None,
            retired_at: None,
            rev: 0,
        })
        .collect()
}
