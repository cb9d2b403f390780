//! `metadata.json`, which stands beside each database. Source: `aquasecurity/trivy-db`, `pkg/metadata`.

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::TrivyError;
use crate::runs::rfc3339;

/// The version of the vulnerability database's schema that is written here.
pub const DATABASE_SCHEMA: u32 = 2;
/// The version of the index of jars' schema that is written here.
pub const JAVA_SCHEMA: u32 = 1;

/// When nothing says when.
const EPOCH: &str = "1970-01-01T00:00:00Z";
/// Never: Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The document, with Go's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Metadata {
    /// The version of the schema.
    pub version: u32,
    /// When a scanner should look for a newer one, RFC 3339.
    pub next_update: String,
    /// How new the database is, RFC 3339.
    pub updated_at: String,
    /// When it was downloaded, RFC 3339; the scanner writes it.
    pub downloaded_at: String,
}

impl Metadata {
    /// Of a database from documents of which the newest was modified at `modified`.
    pub(crate) fn new(
        version: u32,
        modified: Option<&str>,
        fresh_for: Duration,
    ) -> Result<Self, TrivyError> {
        let updated = parse(modified.unwrap_or(EPOCH))?;
        Ok(Self {
            version,
            next_update: rfc3339(updated.saturating_add(fresh_for)),
            updated_at: rfc3339(updated),
            downloaded_at: NEVER.to_owned(),
        })
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, TrivyError> {
        serde_json::to_vec(self).map_err(TrivyError::Serialise)
    }
}

/// Reads an RFC 3339 time.
pub(crate) fn parse(text: &str) -> Result<OffsetDateTime, TrivyError> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TrivyError::Time {
        text: text.to_owned(),
    })
}
