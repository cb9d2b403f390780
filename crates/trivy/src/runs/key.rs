//! Keys whose order as bytes is the order of their fields.
//!
//! A text field ends with `00 01`; a NUL in it is written `00 FF`. A shorter text therefore sorts
//! before every longer one that begins with it, and no text can be mistaken for two.

use memchr::memchr;

const END: [u8; 2] = [0, 1];
const NUL: [u8; 2] = [0, 0xFF];

/// Appends a text field.
pub(crate) fn push(key: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr(0, rest) {
        let (before, after) = rest.split_at(at);
        key.extend_from_slice(before);
        key.extend_from_slice(&NUL);
        rest = after.get(1..).unwrap_or_default();
    }
    key.extend_from_slice(rest);
    key.extend_from_slice(&END);
}

/// Reads fields from the front of a key.
pub(crate) struct Fields<'a> {
    key: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// From `at` on.
    pub(crate) fn new(key: &'a [u8], at: usize) -> Self {
        Self { key, at }
    }

    /// Where the next field begins.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Passes a text field; `None` where there is none.
    pub(crate) fn skip(&mut self) -> Option<()> {
        loop {
            let rest = self.key.get(self.at..)?;
            let nul = memchr(0, rest)?;
            let mark = *rest.get(nul + 1)?;
            self.at += nul + 2;
            match mark {
                1 => return Some(()),
                0xFF => {}
                _ => return None,
            }
        }
    }

    /// The next text field; `None` where there is none, or it is not UTF-8.
    pub(crate) fn text(&mut self) -> Option<String> {
        let start = self.at;
        self.skip()?;
        let mut raw = self.key.get(start..self.at.checked_sub(2)?)?;
        let mut out = Vec::with_capacity(raw.len());
        while let Some(nul) = memchr(0, raw) {
            out.extend_from_slice(raw.get(..=nul)?);
            raw = raw.get(nul + 2..)?;
        }
        out.extend_from_slice(raw);
        String::from_utf8(out).ok()
    }

    /// The next `N` bytes, as they are.
    pub(crate) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = self.key.get(self.at..self.at.checked_add(N)?)?;
        self.at += N;
        bytes.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::{Fields, push};

    proptest! {
        #[test]
        fn the_order_of_keys_is_the_order_of_fields(
            mut rows in prop::collection::vec(("[a\u{0}\u{1}é]{0,4}", "[a\u{0}\u{1}é]{0,4}"), 1..20)
        ) {
            let mut keys: Vec<Vec<u8>> = rows.iter().map(|(a, b)| {
                let mut key = vec![7];
                push(&mut key, a);
                push(&mut key, b);
                key
            }).collect();
            rows.sort_by(|a, b| (a.0.as_bytes(), a.1.as_bytes()).cmp(&(b.0.as_bytes(), b.1.as_bytes())));
            keys.sort();
            for (row, key) in rows.iter().zip(&keys) {
                let mut fields = Fields::new(key, 1);
                prop_assert_eq!(&fields.text().unwrap(), &row.0);
                prop_assert_eq!(&fields.text().unwrap(), &row.1);
                prop_assert_eq!(fields.position(), key.len());
                prop_assert!(fields.text().is_none());
            }
        }

        #[test]
        fn bytes_that_are_no_key_are_refused_without_panic(key in prop::collection::vec(0_u8..3, 0..20)) {
            let mut fields = Fields::new(&key, 0);
            while fields.text().is_some() {}
            prop_assert!(fields.position() <= key.len());
        }
    }
}
