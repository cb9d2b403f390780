//! Deriving keys: HKDF with SHA-256 (RFC 5869), as both formats use it.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// `N` bytes out of the secret `from`. An empty `salt` is the RFC's "not provided".
pub(crate) fn derive<const N: usize>(
    from: &[u8],
    salt: &[u8],
    info: &[&[u8]],
) -> Result<Zeroizing<[u8; N]>, Unspecified> {
    let mut key = Zeroizing::new([0; N]);
    Salt::new(HKDF_SHA256, salt)
        .extract(from)
        .expand(info, Length(N))?
        .fill(&mut key[..])?;
    Ok(key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_rfc() {
        // RFC 5869, A.1 and A.3.
        let key = derive::<42>(
            &[0x0b; 22],
            &hex::decode("000102030405060708090a0b0c").unwrap(),
            &[
                &hex::decode("f0f1f2f3f4").unwrap(),
                &hex::decode("f5f6f7f8f9").unwrap(),
            ],
        );
        assert_eq!(
            hex::encode(&key.unwrap()[..]),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
        let key = derive::<42>(&[0x0b; 22], b"", &[]).unwrap();
        assert_eq!(
            hex::encode(&key[..]),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        );
    }
}
