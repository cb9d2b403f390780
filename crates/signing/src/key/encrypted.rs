//! The body of an encrypted key file, as cosign defines it: JSON that names the key derivation, the cipher and their
//! parameters around a PKCS#8 key.
//!
//! The body is untrusted: its parameters decide how much memory and time opening takes, and the `sigstore` crate panics
//! on a nonce of the wrong length. So it is checked here first, and the crate sees only what it can handle.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pem::{EncodeConfig, LineEnding, Pem};
use serde::Deserialize;
use sigstore::crypto::signing_key::{SIGSTORE_PRIVATE_KEY_PEM_LABEL, kdf};
use zeroize::Zeroizing;

use super::KeyError;

const SUPPORTED_KDF: &str = "scrypt with N=32768 or N=65536, r=8, p=1";
const SUPPORTED_CIPHER: &str = "the cipher nacl/secretbox";
/// Salts are 32 bytes; a longer one only costs time.
const MAX_SALT_BYTES: usize = 1024;

#[derive(Deserialize)]
struct Body {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Deserialize)]
struct Kdf {
    name: String,
    params: Scrypt,
    salt: String,
}

#[derive(Deserialize)]
struct Scrypt {
    #[serde(rename = "N")]
    n: u64,
    r: u64,
    p: u64,
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// Checks that the `sigstore` crate can open this body, given the right password.
pub(super) fn check(body: &[u8]) -> Result<(), KeyError> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|_| KeyError::not_a_key("its content is not the JSON of an encrypted key"))?;
    check_kdf(&body.kdf)?;
    if body.cipher.name != kdf::NAME_SECRET_BOX {
        return Err(KeyError::UnsupportedEncryption {
            found: format!("the cipher {}", shown(&body.cipher.name)),
            supported: SUPPORTED_CIPHER,
        });
    }
    let salt = decode(&body.kdf.salt, "salt")?;
    if salt.is_empty() || salt.len() > MAX_SALT_BYTES {
        return Err(KeyError::not_a_key(format!(
            "its salt has {} bytes, expected 1 to {MAX_SALT_BYTES}",
            salt.len()
        )));
    }
    let nonce = decode(&body.cipher.nonce, "nonce")?;
    if nonce.len() != kdf::BOX_NONCE_SIZE as usize {
        return Err(KeyError::not_a_key(format!(
            "its nonce has {} bytes, expected {}",
            nonce.len(),
            kdf::BOX_NONCE_SIZE
        )));
    }
    decode(&body.ciphertext, "ciphertext").map(drop)
}

fn check_kdf(kdf: &Kdf) -> Result<(), KeyError> {
    let unsupported = |found| KeyError::UnsupportedEncryption {
        found,
        supported: SUPPORTED_KDF,
    };
    if kdf.name != kdf::NAME_SCRYPT {
        return Err(unsupported(format!(
            "the key derivation {}",
            shown(&kdf.name)
        )));
    }
    let Scrypt { n, r, p } = kdf.params;
    let n_known = n == u64::from(kdf::SCRYPT_N_LOW) || n == u64::from(kdf::SCRYPT_N_HIGH);
    if !n_known || r != u64::from(kdf::SCRYPT_R) || p != u64::from(kdf::SCRYPT_P) {
        return Err(unsupported(format!("scrypt with N={n}, r={r}, p={p}")));
    }
    Ok(())
}

fn decode(text: &str, field: &str) -> Result<Vec<u8>, KeyError> {
    STANDARD
        .decode(text)
        .map_err(|_| KeyError::not_a_key(format!("its {field} is not base64")))
}

/// An algorithm name from the file, short and on one line.
fn shown(name: &str) -> String {
    name.chars().take(40).flat_map(char::escape_debug).collect()
}

/// Opens a body that [`check`] accepted; gives the PKCS#8 key.
pub(super) fn open(body: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    // After `check`, the authentication of the ciphertext is the one step that depends on the input.
    kdf::decrypt(body, password)
        .map(Zeroizing::new)
        .map_err(|_| KeyError::WrongPassword)
}

/// Encrypts a PKCS#8 key; gives the PEM file.
pub(super) fn seal(pkcs8: &[u8], password: &[u8]) -> Result<Zeroizing<String>, KeyError> {
    let body =
        kdf::encrypt(pkcs8, password).map_err(KeyError::library("encrypt the private key"))?;
    let block = Pem::new(SIGSTORE_PRIVATE_KEY_PEM_LABEL, body);
    Ok(Zeroizing::new(pem::encode_config(
        &block,
        EncodeConfig::new().set_line_ending(LineEnding::LF),
    )))
}
