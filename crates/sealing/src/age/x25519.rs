//! The X25519 stanza: a file key, encrypted to a Curve25519 key.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::error::Unspecified;
use zeroize::Zeroizing;

use super::encoding::decode;
use super::file_key::FILE_KEY_BYTES;
use super::header::Stanza;
use super::{FileKey, Identity, Recipient};
use crate::OpenErrorKind;
use crate::kdf::derive;

/// The type of these stanzas.
pub(crate) const KIND: &[u8] = b"X25519";

const INFO: &[u8] = b"age-encryption.org/v1/X25519";
const BODY_BYTES: usize = FILE_KEY_BYTES + 16;

/// What a stanza holds.
pub(super) struct Wrapped {
    pub(super) share: [u8; 32],
    pub(super) body: Vec<u8>,
}

/// The public half of a secret.
pub(super) fn public_of(secret: &[u8; 32]) -> Result<[u8; 32], Unspecified> {
    let key = PrivateKey::from_private_key(&X25519, secret).map_err(|_| Unspecified)?;
    let public = key.compute_public_key()?;
    public.as_ref().try_into().map_err(|_| Unspecified)
}

/// What `secret` and `public` have in common. Fails where that would be the same for every secret
/// (RFC 7748, section 6.1): `public` is then no recipient's.
pub(super) fn shared(
    secret: &[u8; 32],
    public: &[u8; 32],
) -> Result<Zeroizing<[u8; 32]>, Unspecified> {
    let secret = PrivateKey::from_private_key(&X25519, secret).map_err(|_| Unspecified)?;
    let public = UnparsedPublicKey::new(&X25519, public);
    agree(&secret, public, Unspecified, |shared| {
        let shared: [u8; 32] = shared.try_into().map_err(|_| Unspecified)?;
        Ok(Zeroizing::new(shared))
    })
}

/// The cipher that wraps a file key. It is used once, so its nonce is always 0.
fn cipher(
    shared: &[u8; 32],
    share: &[u8; 32],
    recipient: &[u8; 32],
) -> Result<LessSafeKey, Unspecified> {
    let mut salt = [0; 64];
    salt[..32].copy_from_slice(share);
    salt[32..].copy_from_slice(recipient);
    let key = derive::<32>(shared, &salt, &[INFO])?;
    Ok(LessSafeKey::new(UnboundKey::new(
        &CHACHA20_POLY1305,
        &key[..],
    )?))
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

pub(super) fn wrap(
    key: &FileKey,
    recipient: &Recipient,
    ephemeral: &[u8; 32],
) -> Result<Wrapped, Unspecified> {
    let share = public_of(ephemeral)?;
    let shared = shared(ephemeral, recipient.as_bytes())?;
    let cipher = cipher(&shared, &share, recipient.as_bytes())?;
    let mut sealed = Zeroizing::new(key.0.to_vec());
    let tag = cipher.seal_in_place_separate_tag(nonce(), Aad::empty(), &mut sealed)?;
    let body = [&sealed[..], tag.as_ref()].concat();
    Ok(Wrapped { share, body })
}

/// The share of a stanza of this type.
///
/// # Errors
/// Where the stanza is malformed, which no writer makes.
fn share(stanza: &Stanza<'_>) -> Result<[u8; 32], OpenErrorKind> {
    let bad = |reason| OpenErrorKind::BadHeader { reason };
    let [share] = stanza.arguments[..] else {
        return Err(bad("an X25519 recipient does not have one argument"));
    };
    let share = decode(share).and_then(|share| share.try_into().ok());
    let share = share.ok_or(bad(
        "an X25519 recipient's argument is not 32 bytes in base64",
    ))?;
    if stanza.body.len() != BODY_BYTES {
        return Err(bad("an X25519 recipient's body is not 32 bytes"));
    }
    Ok(share)
}

/// The file key in `stanza`, if it was wrapped for one of `identities`.
pub(crate) fn unwrap(
    stanza: &Stanza<'_>,
    identities: &[Identity],
) -> Result<Option<FileKey>, OpenErrorKind> {
    let share = share(stanza)?;
    for identity in identities {
        let Ok(shared) = shared(identity.secret(), &share) else {
            return Err(OpenErrorKind::BadHeader {
                reason: "an X25519 recipient's share is a point of low order",
            });
        };
        let opened = cipher(&shared, &share, identity.recipient().as_bytes())
            .and_then(|cipher| {
                let mut body = Zeroizing::new(stanza.body.clone());
                let key = cipher.open_in_place(nonce(), Aad::empty(), &mut body)?;
                FileKey::from_bytes(key).ok_or(Unspecified)
            })
            .ok();
        if opened.is_some() {
            return Ok(opened);
        }
    }
    Ok(None)
}
