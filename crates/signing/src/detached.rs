//! The `.sig` file: the base64 of a DER signature, as `cosign sign-blob` writes it and `openssl` can check it.
//!
//! There is no newline at the end when we write; many editors and tools add one, so one is accepted when we read.

use crate::signature::{Signature, SignatureFormatError};

/// The most bytes that are read: a signature and a line end.
pub const MAX_FILE_BYTES: usize = Signature::MAX_BASE64_CHARS + 2;

/// The content of a `.sig` file: padded standard base64 without a newline.
#[must_use]
pub fn write(signature: &Signature) -> String {
    signature.to_base64()
}

/// Reads the content of a `.sig` file, with or without one LF or CRLF at its end.
///
/// # Errors
/// [`SignatureFormatError`] if the content is too long, is not base64, or holds no signature.
pub fn parse(content: &[u8]) -> Result<Signature, SignatureFormatError> {
    if content.len() > MAX_FILE_BYTES {
        return Err(SignatureFormatError::TooLong {
            bytes: content.len(),
            limit: MAX_FILE_BYTES,
        });
    }
    let text = std::str::from_utf8(content).map_err(|_| SignatureFormatError::Base64)?;
    let line = text
        .strip_suffix('\n')
        .map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    Signature::from_base64(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::tests::SMALLEST;

    #[test]
    fn one_line_end_is_tolerated() {
        let signature = Signature::from_der(SMALLEST).unwrap();
        assert_eq!(write(&signature), "MAYCAQECAQI=");
        for content in ["MAYCAQECAQI=", "MAYCAQECAQI=\n", "MAYCAQECAQI=\r\n"] {
            assert_eq!(
                parse(content.as_bytes()).as_ref(),
                Ok(&signature),
                "{content:?}"
            );
        }
        for content in [
            "MAYCAQECAQI=\n\n",
            " MAYCAQECAQI=",
            "MAYCAQECAQI=\r",
            "\u{feff}MAYCAQECAQI=",
        ] {
            assert_eq!(
                parse(content.as_bytes()),
                Err(SignatureFormatError::Base64),
                "{content:?}"
            );
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert_eq!(parse(b"\xff\xfe"), Err(SignatureFormatError::Base64));
        assert_eq!(parse(b""), Err(SignatureFormatError::Der { bytes: 0 }));
        assert_eq!(
            parse(b"aGVsbG8="),
            Err(SignatureFormatError::Der { bytes: 5 })
        );
        assert_eq!(
            parse(&[b'A'; 99]),
            Err(SignatureFormatError::TooLong {
                bytes: 99,
                limit: 98
            })
        );
    }
}
