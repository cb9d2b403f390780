//! What an approval says.

use export_canonical::jcs::{is_jcs, to_jcs};
use export_model::{CompiledSelectors, FieldError, ProfileKind, Selectors, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

/// The value of `schema`.
pub const SCHEMA: &str = "export-center/approval/v1";

/// The most bytes of a nonce.
pub const MAX_NONCE_BYTES: usize = 128;

/// An approval's document. Signed in its RFC 8785 form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// [`SCHEMA`].
    pub schema: String,
    /// The grantor's own name of it, never given to another one: 1 to 128 printable ASCII
    /// characters without spaces. What is used once is known by it.
    pub nonce: String,
    /// Whose evidence may be exported.
    pub grantor: Tenant,
    /// Who may export it.
    pub grantee: Tenant,
    /// With which kinds of profiles.
    pub profile_kinds: Vec<ProfileKind>,
    /// What a request must stay within; none for everything that the grantor has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selectors: Option<Selectors>,
    /// The first instant at which a run may be submitted; none for any before `expires_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// The first instant at which none may any more.
    pub expires_at: Timestamp,
    /// Whether it is good for one run only.
    pub once: bool,
}

/// Why a document is no approval.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TermsError {
    /// Not JSON of this shape, or not in its canonical form.
    #[error("{0}")]
    Shape(String),
    /// A schema that this version does not know.
    #[error("its schema is `{0}`; known is {SCHEMA}")]
    Schema(String),
    /// A nonce that cannot be one.
    #[error("`nonce` must be 1 to {MAX_NONCE_BYTES} printable ASCII characters without spaces")]
    Nonce,
    /// A tenant that approves its own runs.
    #[error("`grantor` and `grantee` are both {0}; a tenant needs no approval of its own")]
    SameTenant(Tenant),
    /// Nothing that could be run.
    #[error("`profile_kinds` must name at least one kind of profile, and none twice")]
    ProfileKinds,
    /// A time in which it is never valid.
    #[error("`not_before` {not_before} is not before `expires_at` {expires_at}")]
    NeverValid {
        /// When it would begin.
        not_before: Timestamp,
        /// When it would end.
        expires_at: Timestamp,
    },
    /// Selectors that bound nothing, or are wrong.
    #[error("{}", fields(.0))]
    Selectors(Vec<FieldError>),
}

fn fields(errors: &[FieldError]) -> String {
    let texts: Vec<_> = errors
        .iter()
        .map(|error| format!("{} {}", error.field, error.message))
        .collect();
    texts.join("; ")
}

impl Approval {
    /// The document's bytes: RFC 8785, without a line end, times in whole seconds.
    ///
    /// # Errors
    /// The first rule that the approval breaks.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TermsError> {
        let mut written = self.clone();
        written.expires_at = self.expires_at.whole_seconds();
        written.not_before = self.not_before.map(Timestamp::whole_seconds);
        written.check()?;
        to_jcs(&written).map_err(|error| TermsError::Shape(error.to_string()))
    }

    /// Reads a document: canonical, without unknown members.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(bytes: &[u8]) -> Result<Self, TermsError> {
        /// Looked at first, so that a newer document is called newer, not broken.
        #[derive(Deserialize)]
        struct Schema {
            schema: String,
        }
        let shape = |error: serde_json::Error| TermsError::Shape(error.to_string());
        is_jcs(bytes).map_err(|error| TermsError::Shape(error.to_string()))?;
        let Schema { schema } = serde_json::from_slice(bytes).map_err(shape)?;
        if schema != SCHEMA {
            return Err(TermsError::Schema(
                schema
                    .chars()
                    .take(80)
                    .flat_map(char::escape_debug)
                    .collect(),
            ));
        }
        let approval: Self = serde_json::from_slice(bytes).map_err(shape)?;
        approval.check()?;
        Ok(approval)
    }

    /// What a request must stay within, ready to be compared.
    ///
    /// # Errors
    /// Every member that is wrong, by its path.
    pub fn bound(&self) -> Result<CompiledSelectors, TermsError> {
        let selectors = self.selectors.clone().unwrap_or_default();
        selectors.compile_bound().map_err(TermsError::Selectors)
    }

    fn check(&self) -> Result<(), TermsError> {
        let printable = self.nonce.bytes().all(|b| b.is_ascii_graphic());
        if self.nonce.is_empty() || self.nonce.len() > MAX_NONCE_BYTES || !printable {
            return Err(TermsError::Nonce);
        }
        if self.grantor == self.grantee {
            return Err(TermsError::SameTenant(self.grantor.clone()));
        }
        let kinds = &self.profile_kinds;
        let twice = (1..kinds.len()).any(|at| kinds[..at].contains(&kinds[at]));
        if kinds.is_empty() || twice {
            return Err(TermsError::ProfileKinds);
        }
        if let Some(not_before) = self.not_before
            && not_before >= self.expires_at
        {
            return Err(TermsError::NeverValid {
                not_before,
                expires_at: self.expires_at,
            });
        }
        self.bound().map(|_| ())
    }
}
