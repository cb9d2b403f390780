//! The signature algorithms that are accepted, for tokens and for proofs.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaParameters, VerificationAlgorithm,
};

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1). All are asymmetric: with a symmetric one, whoever can check a
/// signature can make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519, named `EdDSA` or (RFC 9864) `Ed25519`.
    EdDsa,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

/// Why a named algorithm is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnusableAlgorithm {
    /// `none`.
    Unsigned,
    /// An HMAC.
    Symmetric,
    /// Anything else.
    Unknown,
}

impl Algorithm {
    /// Every accepted algorithm, the preferred ones first.
    pub const ALL: [Self; 5] = [
        Self::Es256,
        Self::EdDsa,
        Self::Es384,
        Self::Ps256,
        Self::Rs256,
    ];

    /// The name in `alg`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self, UnusableAlgorithm> {
        match name {
            "Ed25519" => Ok(Self::EdDsa),
            "HS256" | "HS384" | "HS512" => Err(UnusableAlgorithm::Symmetric),
            name if name.eq_ignore_ascii_case("none") => Err(UnusableAlgorithm::Unsigned),
            name => Self::ALL
                .into_iter()
                .find(|algorithm| algorithm.as_str() == name)
                .ok_or(UnusableAlgorithm::Unknown),
        }
    }

    /// The verifier of algorithms whose key is one string of bytes.
    pub(super) fn of_point(self) -> Option<&'static dyn VerificationAlgorithm> {
        match self {
            Self::Es256 => Some(&ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Some(&ECDSA_P384_SHA384_FIXED),
            Self::EdDsa => Some(&ED25519),
            Self::Ps256 | Self::Rs256 => None,
        }
    }

    /// The verifier of RSA algorithms.
    pub(super) fn of_rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
            Self::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::Es256 | Self::Es384 | Self::EdDsa => None,
        }
    }
}
