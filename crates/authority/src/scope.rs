//! What a token allows.

use std::fmt;
use std::str::FromStr;

/// One permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `export:profile:manage`: create and change profiles and schedules.
    ProfileManage,
    /// `export:run`: submit, cancel and retry runs.
    Run,
    /// `export:read`: list and read profiles, runs, events, manifests and provenance.
    Read,
    /// `export:download`: payload bytes.
    Download,
    /// `evidence:read`: read records, findings and policy snapshots of a ledger that is served.
    EvidenceRead,
    /// `evidence:freeze`: freeze policy snapshots.
    EvidenceFreeze,
}

/// A text that names no scope of this service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no scope; there are export:profile:manage, export:run, export:read, export:download, evidence:read and \
     evidence:freeze"
)]
pub struct UnknownScope;

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] = [
        Self::ProfileManage,
        Self::Run,
        Self::Read,
        Self::Download,
        Self::EvidenceRead,
        Self::EvidenceFreeze,
    ];
    /// Those of the API.
    pub const API: [Self; 4] = [Self::ProfileManage, Self::Run, Self::Read, Self::Download];
    /// Those of a ledger.
    pub const EVIDENCE: [Self; 2] = [Self::EvidenceRead, Self::EvidenceFreeze];

    /// The scope as tokens spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProfileManage => "export:profile:manage",
            Self::Run => "export:run",
            Self::Read => "export:read",
            Self::Download => "export:download",
            Self::EvidenceRead => "evidence:read",
            Self::EvidenceFreeze => "evidence:freeze",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(UnknownScope)
    }
}

/// A set of scopes. Displayed as a token's `scope` claim: in the order of [`Scope::ALL`], with single spaces.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope there is.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Reads a `scope` claim (RFC 8693 §4.2): names separated by spaces. Names of other services are passed over,
    /// because one token may be good for several.
    #[must_use]
    pub fn from_claim(claim: &str) -> Self {
        claim
            .split(' ')
            .filter_map(|name| name.parse().ok())
            .collect()
    }

    /// Whether `scope` is among them.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes one by one.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_read_by_whole_names_and_written_back() {
        let scopes = Scopes::from_claim("openid export:read  export:run export:runner EXPORT:READ");
        assert_eq!(scopes.to_string(), "export:run export:read");
        assert!(!scopes.contains(Scope::Download) && !scopes.contains(Scope::ProfileManage));
        assert!(Scopes::from_claim("openid").is_empty());
        assert_eq!(
            Scopes::from_claim(&Scopes::all().to_string()),
            Scopes::all()
        );
    }
}
