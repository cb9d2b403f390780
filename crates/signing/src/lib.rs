//! Keys, ECDSA P-256 signatures, DSSE envelopes and Sigstore bundles.
//!
//! An export carries two signatures: one over the bytes of `export.json` (a detached `.sig` file and a Sigstore bundle
//! with a message signature), and one over its provenance statement (a Sigstore bundle with a DSSE envelope). This
//! crate makes and checks those files; it never reads a file, a clock or the environment.
//!
//! Where the private key lives decides how a signature is made. A key management service receives a 32-byte digest; a
//! key file signs the message itself. Every step is therefore split in three, and only the middle one depends on the
//! key:
//!
//! 1. [`to_sign`] gives the exact bytes to sign, and their digest;
//! 2. a signer turns them into a [`Signature`]: [`SigningKey::sign`] for a key file, [`Signature::from_der`] over the
//!    answer of a service;
//! 3. [`detached::write`], [`bundle::message_bundle`] and [`bundle::dsse_bundle`] put the finished signature into its
//!    file.
//!
//! ECDSA signatures are randomised: the same input gives other bytes each time. Signature files are never part of a
//! comparison of two runs.
//!
//! Signatures use P-256 with SHA-256 only, because every tool that reads these files (cosign, openssl, the Sigstore
//! clients, AWS KMS) supports it, and because a second algorithm would need a rule about which one is trusted.

mod algorithm;
pub mod bundle;
pub mod detached;
pub mod dsse;
pub mod fingerprint;
pub mod key;
pub mod public;
pub mod signature;
pub mod to_sign;
pub mod verify;

pub use fingerprint::Fingerprint;
pub use key::{KeyError, SigningKey};
pub use public::{PublicKey, PublicKeyError};
pub use signature::Signature;
pub use verify::{VerifyError, verify_dsse_bundle, verify_message_bundle};
