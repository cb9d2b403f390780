//! Who a request is from.
//!
//! Every request to the API carries an access token that the Authority signed, and a proof (DPoP, RFC 9449) that its
//! sender holds the key which the token is bound to. So a token that is read on the way, or in a log, is of no use to
//! whoever reads it. This crate finds out who sent a request, or says in one sentence why it does not.
//!
//! Everything is a function of values: header fields, method, path and the time come in, a verdict goes out
//! ([`Checks`]). What is outside is behind two seams:
//!
//! - the Authority's keys come from a [`JwksSource`](keys::JwksSource) and are kept by a
//!   [`KeyCache`](keys::KeyCache); [`Verifier`] puts it and the checks together;
//! - that a proof was not used before is known only to a store that all replicas share. The verdict carries what to
//!   remember and how long ([`Authenticated`]); the caller asks its state port, and refuses with
//!   [`ProofError::Replayed`].
//!
//! What must hold:
//!
//! - Nothing in a token or proof chooses how it is checked. A key of the Authority checks one algorithm, and every
//!   algorithm is asymmetric.
//! - A token counts only with a proof; there is no way to send one as `Bearer`.
//! - The URL in a proof is compared with the configured one, never with anything the request says about itself.
//! - Every refusal has its own variant ([`Denied`]), and its text holds nothing that the sender wrote.
//! - Tokens and keys appear in no message and no `Debug` form.
//!
//! The signatures are checked by aws-lc; form and claims are read here, because the order of these checks and their
//! reasons are the point, and because a reader of one's own sees what others drop (private members of a key, critical
//! extensions) and takes the time as a value.
//!
//! [`client`] is the other side: a key, and a proof for each request. [`dev`] is an issuer of tokens for development.

mod access_token;
mod claims;
pub mod client;
mod denied;
pub mod dev;
mod jose;
pub mod keys;
mod principal;
mod proof;
mod public_url;
mod request;
mod scope;
mod signing_key;
mod token_cache;
mod verifier;

pub use access_token::{AccessTokens, DEFAULT_LEEWAY_SECONDS, MAX_TOKEN_BYTES, TokenError};
pub use denied::Denied;
pub use jose::{Algorithm, thumbprint};
pub use principal::Principal;
pub use proof::{Binding, DpopProof, Expected, MAX_JTI_CHARS, MAX_PROOF_BYTES, ProofError};
pub use public_url::{InvalidPublicUrl, PublicUrl};
pub use request::{CredentialsError, RequestParts};
pub use scope::{Scope, Scopes, UnknownScope};
pub use signing_key::KeyError;
pub use verifier::{Authenticated, Checks, Verifier, authenticate};
