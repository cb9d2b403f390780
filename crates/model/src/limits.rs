//! Quotas: how much a tenant, or one of its profiles, may ask for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ErrorCode, FieldError, Timestamp};

/// What a tenant may use. None is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Runs that it may submit in a day (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_per_day: Option<u64>,
    /// Bytes of archives after which it may submit no more runs in a day (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_day: Option<u64>,
    /// Requests that it may make in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
}

/// What one profile may use, besides what its tenant may. None is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileLimits {
    /// Runs that may be submitted in a day (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_per_day: Option<u64>,
    /// Bytes of archives after which no more runs may be submitted in a day (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_day: Option<u64>,
}

impl ProfileLimits {
    /// What is wrong with them; `config.limits` is where they stand in a profile.
    pub(crate) fn errors(&self) -> Vec<FieldError> {
        let members = [
            ("runs_per_day", self.runs_per_day),
            ("bytes_per_day", self.bytes_per_day),
        ];
        let zero = members.into_iter().filter(|(_, limit)| *limit == Some(0));
        zero.map(|(name, _)| FieldError {
            field: format!("config.limits.{name}"),
            message: "must be at least 1; leave it out for no limit".to_owned(),
        })
        .collect()
    }
}

/// Which quota it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaName {
    /// The tenant's runs of a day.
    TenantRuns,
    /// The tenant's bytes of a day.
    TenantBytes,
    /// The profile's runs of a day.
    ProfileRuns,
    /// The profile's bytes of a day.
    ProfileBytes,
    /// The tenant's requests of a minute.
    Requests,
}

impl QuotaName {
    /// The quota's name, as headers and messages give it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TenantRuns => "tenant-runs",
            Self::TenantBytes => "tenant-bytes",
            Self::ProfileRuns => "profile-runs",
            Self::ProfileBytes => "profile-bytes",
            Self::Requests => "requests",
        }
    }

    /// The code of a request that is refused for it.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::TenantRuns | Self::ProfileRuns => ErrorCode::QuotaRuns,
            Self::TenantBytes | Self::ProfileBytes => ErrorCode::QuotaBytes,
            Self::Requests => ErrorCode::QuotaRequests,
        }
    }
}

/// How much of a quota is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaState {
    /// Which one.
    pub name: QuotaName,
    /// How much there is, in runs, bytes or requests.
    pub limit: u64,
    /// How much of it is left.
    pub remaining: u64,
    /// When there is all of it again.
    pub reset_at: Timestamp,
}

impl QuotaState {
    /// The state of a quota of `limit`, of which `used` is gone.
    #[must_use]
    pub fn new(name: QuotaName, limit: u64, used: u64, reset_at: Timestamp) -> Self {
        Self {
            name,
            limit,
            remaining: limit.saturating_sub(used),
            reset_at,
        }
    }
}
