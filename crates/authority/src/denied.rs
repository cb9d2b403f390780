//! Every way in which a request is refused, and how its sender is told.

use export_model::ErrorCode;

use crate::access_token::TokenError;
use crate::jose::Algorithm;
use crate::keys::KeysUnavailable;
use crate::proof::ProofError;
use crate::request::CredentialsError;
use crate::scope::Scope;

/// The most characters of an `error_description`.
const MAX_DESCRIPTION: usize = 200;

/// A refused request. The display text is one plain sentence that holds nothing the sender wrote. That of
/// [`Unavailable`](Self::Unavailable) names the source of the keys, and is for whoever runs the service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No access token, or not in the form of one.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// An access token that is not good here.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A proof that does not hold, or was used before.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// A principal that may do other things.
    #[error("the access token does not carry the scope {0}")]
    Scope(Scope),
    /// Nobody can be recognised at the moment.
    #[error(transparent)]
    Unavailable(#[from] KeysUnavailable),
}

impl Denied {
    /// The status of the response: 401, 403 for a missing scope, 503 when the Authority's keys cannot be had.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self {
            Self::Credentials(_) | Self::Token(_) | Self::Proof(_) => 401,
            Self::Scope(_) => 403,
            Self::Unavailable(_) => 503,
        }
    }

    /// The documented code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Credentials(_) => ErrorCode::Unauthenticated,
            Self::Token(TokenError::Expired) => ErrorCode::TokenExpired,
            Self::Token(_) => ErrorCode::TokenInvalid,
            Self::Proof(ProofError::Replayed) => ErrorCode::DpopReplayed,
            Self::Proof(_) => ErrorCode::DpopInvalid,
            Self::Scope(_) => ErrorCode::ScopeMissing,
            Self::Unavailable(_) => ErrorCode::AuthorityUnreachable,
        }
    }

    /// The value of `WWW-Authenticate` (RFC 9449 §7.1, RFC 6750 §3): printable ASCII on one line. None with 503, where
    /// other credentials would not help.
    #[must_use]
    pub fn www_authenticate(&self) -> Option<String> {
        let error = match self {
            // RFC 6750 §3.1: who sent no credentials is only told what kind is wanted.
            Self::Credentials(CredentialsError::Missing) => return Some(challenge()),
            Self::Credentials(_) | Self::Token(_) => "invalid_token",
            Self::Proof(_) => "invalid_dpop_proof",
            Self::Scope(_) => "insufficient_scope",
            Self::Unavailable(_) => return None,
        };
        let mut value = format!(
            "{}, error=\"{error}\", error_description=\"{}\"",
            challenge(),
            quotable(&self.to_string())
        );
        if let Self::Scope(scope) = self {
            value.push_str(&format!(", scope=\"{scope}\""));
        }
        Some(value)
    }
}

fn challenge() -> String {
    let algorithms: Vec<&str> = Algorithm::ALL.iter().map(|one| one.as_str()).collect();
    format!("DPoP algs=\"{}\"", algorithms.join(" "))
}

/// Text that may stand between quotes in a header (RFC 6750 §3): whatever else a message may come to hold one day.
pub(crate) fn quotable(text: &str) -> String {
    text.chars()
        .take(MAX_DESCRIPTION)
        .map(|c| match c {
            '"' | '\\' => '\'',
            ' '..='~' => c,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_cannot_break_out_of_its_quotes() {
        assert_eq!(quotable("a\"b\\c\r\nX: y\u{e9}\u{7f}"), "a'b'c??X: y??");
        assert_eq!(quotable(&"x".repeat(1000)).len(), MAX_DESCRIPTION);
    }

    #[test]
    fn who_sent_nothing_is_told_what_is_wanted() {
        let denied = Denied::from(CredentialsError::Missing);
        assert_eq!(
            denied.www_authenticate().as_deref(),
            Some(r#"DPoP algs="ES256 EdDSA ES384 PS256 RS256""#)
        );
    }

    #[test]
    fn a_missing_scope_is_named() {
        let denied = Denied::Scope(Scope::Run);
        assert_eq!(
            (denied.http_status(), denied.code()),
            (403, ErrorCode::ScopeMissing)
        );
        assert_eq!(
            denied.www_authenticate().as_deref(),
            Some(
                "DPoP algs=\"ES256 EdDSA ES384 PS256 RS256\", error=\"insufficient_scope\", \
                 error_description=\"the access token does not carry the scope export:run\", \
                 scope=\"export:run\""
            )
        );
    }

    #[test]
    fn an_authority_that_does_not_answer_is_not_the_senders_fault() {
        let denied = Denied::from(KeysUnavailable {
            reason: "nothing listens".to_owned(),
        });
        assert_eq!(
            (denied.http_status(), denied.www_authenticate()),
            (503, None)
        );
    }
}
