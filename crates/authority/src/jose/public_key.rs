//! Public keys as JSON (RFC 7517), and their thumbprints (RFC 7638).

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use export_model::Sha256Digest;
use serde_json::{Map, Value};

use super::{Algorithm, base64url, from_base64url};

/// The largest RSA modulus: 4096 bits. Larger ones cost more to check than a request may.
const MAX_MODULUS_BYTES: usize = 512;
const MIN_MODULUS_BYTES: usize = 256;

/// A key that checks signatures of exactly one algorithm.
pub(crate) struct PublicKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
    thumbprint: String,
}

/// Why a JSON object is not a key that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JwkError {
    /// A type, curve or algorithm that is not supported.
    Unsupported,
    /// A member is missing or wrong, or the numbers are no key.
    Malformed,
    /// The key is for another algorithm than the wanted one.
    OtherAlgorithm,
}

/// What the members of a key say, before any cryptography.
struct Members<'a> {
    kind: Kind,
    thumbprint: String,
    first: &'a str,
    second: Option<&'a str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    P256,
    P384,
    Ed25519,
    Rsa,
}

impl Kind {
    /// The algorithms for keys of this kind; the first is meant where the key does not say.
    fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Self::P256 => &[Algorithm::Es256],
            Self::P384 => &[Algorithm::Es384],
            Self::Ed25519 => &[Algorithm::EdDsa],
            Self::Rsa => &[Algorithm::Rs256, Algorithm::Ps256],
        }
    }
}

impl PublicKey {
    /// Reads a key for the `wanted` algorithm, or else for the one that it names, or else for the usual one of its
    /// kind.
    pub(crate) fn from_jwk(
        jwk: &Map<String, Value>,
        wanted: Option<Algorithm>,
    ) -> Result<Self, JwkError> {
        let members = Members::read(jwk)?;
        let stated = match jwk.get("alg") {
            None => None,
            Some(name) => {
                let name = name.as_str().ok_or(JwkError::Malformed)?;
                Some(Algorithm::named(name).map_err(|_| JwkError::Unsupported)?)
            }
        };
        let possible = members.kind.algorithms();
        let algorithm = wanted.or(stated).unwrap_or(possible[0]);
        if !possible.contains(&algorithm) || stated.is_some_and(|stated| stated != algorithm) {
            return Err(JwkError::OtherAlgorithm);
        }
        Ok(Self {
            algorithm,
            key: members.key(algorithm).ok_or(JwkError::Malformed)?,
            thumbprint: members.thumbprint,
        })
    }

    /// The one algorithm that this key checks.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The RFC 7638 thumbprint: SHA-256, in base64url.
    pub(crate) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether `signature` over `signed` was made with this key's other half.
    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(signed, signature).is_ok()
    }
}

impl<'a> Members<'a> {
    fn read(jwk: &'a Map<String, Value>) -> Result<Self, JwkError> {
        let text = |name: &str| match jwk.get(name) {
            Some(Value::String(text)) => Ok(text.as_str()),
            _ => Err(JwkError::Malformed),
        };
        let (kind, first, second) = match text("kty")? {
            "EC" => {
                let kind = match text("crv")? {
                    "P-256" => Kind::P256,
                    "P-384" => Kind::P384,
                    _ => return Err(JwkError::Unsupported),
                };
                (kind, text("x")?, Some(text("y")?))
            }
            "OKP" if text("crv")? == "Ed25519" => (Kind::Ed25519, text("x")?, None),
            "RSA" => (Kind::Rsa, text("n")?, Some(text("e")?)),
            _ => return Err(JwkError::Unsupported),
        };
        Ok(Self {
            thumbprint: thumbprint_of(kind, first, second.unwrap_or_default()),
            kind,
            first,
            second,
        })
    }

    fn key(&self, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        let first = from_base64url(self.first)?;
        let second = self.second.map_or(Some(Vec::new()), from_base64url)?;
        if let Some(rsa) = algorithm.of_rsa() {
            // aws-lc refuses exponents that are even or too large.
            let plausible = (MIN_MODULUS_BYTES..=MAX_MODULUS_BYTES).contains(&first.len())
                && (1..=8).contains(&second.len());
            let key = RsaPublicKeyComponents {
                n: first,
                e: second,
            };
            return plausible.then(|| key.to_parsed_public_key(rsa).ok())?;
        }
        let bytes = match self.kind {
            Kind::P256 => uncompressed_point(&first, &second, 32)?,
            Kind::P384 => uncompressed_point(&first, &second, 48)?,
            Kind::Ed25519 if first.len() == 32 => first,
            Kind::Ed25519 | Kind::Rsa => return None,
        };
        ParsedPublicKey::new(algorithm.of_point()?, bytes).ok()
    }
}

/// RFC 7518 §6.2.1: coordinates have the full length, with leading zeros.
fn uncompressed_point(x: &[u8], y: &[u8], length: usize) -> Option<Vec<u8>> {
    (x.len() == length && y.len() == length).then(|| [&[4][..], x, y].concat())
}

/// The required members in lexicographic order, without white space (RFC 7638 §3). They are base64url (or refused
/// later), so no character needs escaping.
fn thumbprint_of(kind: Kind, first: &str, second: &str) -> String {
    let ec = |curve| format!(r#"{{"crv":"{curve}","kty":"EC","x":"{first}","y":"{second}"}}"#);
    let json = match kind {
        Kind::P256 => ec("P-256"),
        Kind::P384 => ec("P-384"),
        Kind::Ed25519 => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{first}"}}"#),
        Kind::Rsa => format!(r#"{{"e":"{second}","kty":"RSA","n":"{first}"}}"#),
    };
    base64url(Sha256Digest::of(json.as_bytes()).0)
}

/// Whether a key carries members of its private half, or is a secret (RFC 7518 §6.2.2, §6.3.2, §6.4).
pub(crate) fn has_private_members(jwk: &Map<String, Value>) -> bool {
    ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]
        .iter()
        .any(|name| jwk.contains_key(*name))
}

/// The RFC 7638 thumbprint of a public key in JSON: SHA-256, in base64url, 43 characters.
///
/// `None` when `jwk` is not a key of a supported kind ([`Algorithm`]).
#[must_use]
pub fn thumbprint(jwk: &[u8]) -> Option<String> {
    let jwk: Map<String, Value> = serde_json::from_slice(jwk).ok()?;
    PublicKey::from_jwk(&jwk, None)
        .ok()
        .map(|key| key.thumbprint)
}
