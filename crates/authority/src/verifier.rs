//! From a request to who it is from.

use export_model::{Sha256Digest, Timestamp};

use crate::access_token::{AccessTokens, TokenError};
use crate::denied::Denied;
use crate::jose::base64url;
use crate::keys::{JwksSource, KeyCache, Keys};
use crate::principal::Principal;
use crate::proof::{Binding, DpopProof, Expected, ProofError};
use crate::public_url::PublicUrl;
use crate::request::{RequestParts, access_token};
use crate::token_cache::TokenCache;

/// Who a request is from, if its proof was not used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Who.
    pub principal: Principal,
    /// What to remember the proof by. If it is remembered already, the request is refused with
    /// [`ProofError::Replayed`].
    pub replay: Sha256Digest,
    /// How long to remember it.
    pub replay_until: Timestamp,
}

/// The checks, without any I/O: the key set comes in, a verdict goes out.
///
/// It remembers tokens that were found good, for at most a minute, so that a token that comes again costs the check of
/// its proof only.
pub struct Checks {
    tokens: AccessTokens,
    public: PublicUrl,
    known: TokenCache,
}

impl Checks {
    /// Checks against these rules, for a service that its clients reach at `public`.
    #[must_use]
    pub fn new(tokens: AccessTokens, public: PublicUrl) -> Self {
        Self {
            tokens,
            public,
            known: TokenCache::default(),
        }
    }

    /// Checks a request: its credentials, then its token, then its proof.
    ///
    /// # Errors
    /// [`Denied`]: the first check that failed.
    pub fn authenticate(
        &self,
        keys: &Keys,
        request: &RequestParts<'_>,
        now: Timestamp,
    ) -> Result<Authenticated, Denied> {
        let token = access_token(request.authorization)?;
        let digest = Sha256Digest::of(token.as_bytes());
        let principal = match self.known.get(keys.digest(), &digest, now) {
            Some(known) => Principal::clone(&known),
            None => {
                let verified = self.tokens.check(token, keys, now)?;
                self.known.put(keys.digest(), digest, &verified, now);
                verified.principal
            }
        };
        let expected = Expected {
            method: request.method,
            url: &self.public.at(request.url_path).ok_or(ProofError::Url)?,
            token: Some(Binding {
                hash: &base64url(digest.0),
                jkt: &principal.jkt,
            }),
        };
        let proof = DpopProof::verify(request.dpop, &expected, now)?;
        Ok(Authenticated {
            principal,
            replay: proof.replay,
            replay_until: proof.replay_until,
        })
    }
}

/// The checks with the Authority's keys.
pub struct Verifier<S> {
    checks: Checks,
    keys: KeyCache<S>,
}

impl<S: JwksSource> Verifier<S> {
    /// Checks requests with keys from `source`, which is asked when the first request comes.
    pub fn new(checks: Checks, source: S) -> Self {
        Self {
            checks,
            keys: KeyCache::new(source),
        }
    }

    /// The key set, for instance to see at start or in a health check whether it can be had.
    pub fn keys(&self) -> &KeyCache<S> {
        &self.keys
    }
}

/// Finds out who a request is from. Waits only where the key set has to be fetched.
///
/// # Errors
/// [`Denied`]: the first check that failed.
pub async fn authenticate<S: JwksSource>(
    verifier: &Verifier<S>,
    request: &RequestParts<'_>,
    now: Timestamp,
) -> Result<Authenticated, Denied> {
    let keys = verifier.keys.current(now).await?;
    match verifier.checks.authenticate(&keys, request, now) {
        // The Authority may have a new key since.
        Err(Denied::Token(TokenError::UnknownKey)) => {
            match verifier.keys.newer_than(&keys, now).await {
                Some(newer) => verifier.checks.authenticate(&newer, request, now),
                None => Err(TokenError::UnknownKey.into()),
            }
        }
        verdict => verdict,
    }
}
