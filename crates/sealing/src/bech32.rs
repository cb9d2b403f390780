//! Bech32 (BIP 173), in which age writes keys. age's strings may be longer than BIP 173 allows.

use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u32; 5] = [
    0x3b6a_57b2,
    0x2650_8e6d,
    0x1ea1_19fa,
    0x3d42_33dd,
    0x2a14_62b3,
];
const CHECKSUM: usize = 6;

/// The most characters that are looked at.
const MAX_CHARACTERS: usize = 512;

/// Why a string is no Bech32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Bech32Error {
    #[error("it is not in the form of a key")]
    Form,
    #[error("capital and small letters are mixed")]
    MixedCase,
    #[error("it has a character that keys do not have")]
    Character,
    #[error("its checksum is wrong: a character is mistyped or missing")]
    Checksum,
    #[error("it has bits that belong to no byte")]
    Padding,
}

/// Writes `data` in small letters after `prefix`, which has none but small letters.
pub(crate) fn encode(prefix: &str, data: &[u8]) -> Zeroizing<String> {
    let mut symbols = Zeroizing::new(Vec::with_capacity(data.len() * 8 / 5 + 1));
    let (mut bits, mut held) = (0u32, 0);
    for byte in data {
        bits = (bits & 0x1f) << 8 | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            symbols.push(((bits >> held) & 0x1f) as u8);
        }
    }
    if held > 0 {
        symbols.push(((bits << (5 - held)) & 0x1f) as u8);
    }
    let mut sum = Sum::of(prefix);
    for symbol in symbols.iter().chain(&[0; CHECKSUM]) {
        sum.add(*symbol);
    }
    let sum = sum.0 ^ 1;
    let mut text = String::with_capacity(prefix.len() + 1 + symbols.len() + CHECKSUM);
    text.push_str(prefix);
    text.push('1');
    for symbol in symbols.iter() {
        text.push(ALPHABET[usize::from(*symbol)] as char);
    }
    for place in (0..CHECKSUM).rev() {
        text.push(ALPHABET[(sum >> (5 * place)) as usize & 0x1f] as char);
    }
    Zeroizing::new(text)
}

/// Reads `text`, which has to begin with `prefix` in the same case; gives the data.
pub(crate) fn decode(prefix: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, Bech32Error> {
    if text.len() > MAX_CHARACTERS || !text.is_ascii() {
        return Err(Bech32Error::Form);
    }
    let has = |case: fn(&u8) -> bool| text.as_bytes().iter().any(case);
    if has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) {
        return Err(Bech32Error::MixedCase);
    }
    let rest = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('1'))
        .filter(|rest| rest.len() >= CHECKSUM)
        .ok_or(Bech32Error::Form)?;
    let mut sum = Sum::of(&prefix.to_ascii_lowercase());
    let mut symbols = Zeroizing::new(Vec::with_capacity(rest.len()));
    for character in rest.bytes() {
        let small = character.to_ascii_lowercase();
        let symbol = ALPHABET.iter().position(|known| *known == small);
        let symbol = symbol.ok_or(Bech32Error::Character)? as u8;
        sum.add(symbol);
        symbols.push(symbol);
    }
    if sum.0 != 1 {
        return Err(Bech32Error::Checksum);
    }
    let mut data = Zeroizing::new(Vec::with_capacity(rest.len()));
    let (mut bits, mut held) = (0u32, 0);
    for symbol in &symbols[..symbols.len() - CHECKSUM] {
        bits = (bits & 0xff) << 5 | u32::from(*symbol);
        held += 5;
        if held >= 8 {
            held -= 8;
            data.push((bits >> held) as u8);
        }
    }
    if held >= 5 || bits & ((1 << held) - 1) != 0 {
        return Err(Bech32Error::Padding);
    }
    Ok(data)
}

struct Sum(u32);

impl Sum {
    fn of(prefix: &str) -> Self {
        let mut sum = Self(1);
        for byte in prefix.bytes() {
            sum.add(byte >> 5);
        }
        sum.add(0);
        for byte in prefix.bytes() {
            sum.add(byte & 0x1f);
        }
        sum
    }

    fn add(&mut self, symbol: u8) {
        let top = self.0 >> 25;
        self.0 = (self.0 & 0x01ff_ffff) << 5 ^ u32::from(symbol);
        for (bit, generator) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                self.0 ^= generator;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn valid_strings_of_the_standard() {
        for (prefix, text) in [
            ("A", "A12UEL5L"),
            ("a", "a12uel5l"),
            (
                "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio",
                "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
            ),
        ] {
            assert_eq!(*decode(prefix, text).unwrap(), b"", "{text}");
        }
        // Its data parts are not all whole bytes, which keys always are.
        let text = "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w";
        let data = decode("split", text).unwrap();
        assert_eq!(
            hex::encode(&*data),
            "c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d"
        );
        assert_eq!(*encode("split", &data), text);
    }

    #[test]
    fn what_is_none() {
        use Bech32Error::{Character, Checksum, Form, MixedCase};
        for (text, why) in [
            ("", Form),
            ("a", Form),
            ("b12uel5l", Form),
            ("a12uel5", Form),
            ("a1é2uel5l", Form),
            ("a12UEL5L", MixedCase),
            ("A12UEL5L", Form),
            ("a12uel5b", Character),
            ("a12uel5m", Checksum),
            ("a1x2uel5l", Checksum),
        ] {
            assert_eq!(decode("a", text).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn symbols_that_are_no_bytes() {
        // One symbol is no byte, and of two, the last two bits have to be 0.
        for (symbols, is_fine) in [(&[0][..], false), (&[3, 1], false), (&[3, 4], true)] {
            let mut sum = Sum::of("k");
            symbols
                .iter()
                .chain(&[0; CHECKSUM])
                .for_each(|s| sum.add(*s));
            let sum = (0..CHECKSUM)
                .rev()
                .map(|n| ((sum.0 ^ 1) >> (5 * n)) as u8 & 31);
            let text: String = symbols
                .iter()
                .copied()
                .chain(sum)
                .map(|s| ALPHABET[usize::from(s)] as char)
                .collect();
            let read = decode("k", &format!("k1{text}"));
            assert_eq!(
                read.err(),
                (!is_fine).then_some(Bech32Error::Padding),
                "{text}"
            );
        }
    }

    #[test]
    fn every_length() {
        for length in 0..70 {
            let data: Vec<u8> = (0..length).map(|n| (n * 37 + 11) as u8).collect();
            let text = encode("key-", &data);
            assert_eq!(*decode("key-", &text).unwrap(), data);
            let upper = text.to_ascii_uppercase();
            assert_eq!(*decode("KEY-", &upper).unwrap(), data);
        }
    }
}
