//! Random documents, written canonically by a simple reference (with `serde_json` as the referee
//! for strings) and in disorder by a noisy writer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

const LIMITS: Limits = Limits {
    depth: 512,
    bytes: 1 << 20,
};

#[derive(Debug, Clone)]
enum Value {
    /// A literal or a number, as it is spelt.
    Lexeme(String),
    Text(String),
    Array(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

/// Text in which escapes, order and surrogates matter more often than in real text.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "a", "b", "!", "]", "[", "/", "\"", "\\", "\n", "\0", "\u{8}", "\u{1f}", "\u{7f}",
            "é", "\u{e000}", "\u{fb33}", "\u{1f600}", "\u{10ffff}", "12345678", "a longer run of text",
        ])
        .prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1.10",
            "1e400",
            "1E-5",
            "12345678901234567890",
        ])
        .prop_map(|lexeme| Value::Lexeme(lexeme.to_owned())),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?".prop_map(Value::Lexeme),
        text().prop_map(Value::Text),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            2 => prop::collection::btree_map(text(), inner, 0..6).prop_map(Value::Object),
        ]
    })
}

/// The reference: `String` sorts by UTF-8 bytes, and `serde_json` escapes minimally.
fn reference(value: &Value, out: &mut String) {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    match value {
        Value::Lexeme(lexeme) => out.push_str(lexeme),
        Value::Text(text) => out.push_str(&quoted(text)),
        Value::Array(values) => {
            out.push('[');
            for (i, value) in values.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                reference(value, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (i, (name, value)) in members.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                out.push_str(&quoted(name));
                out.push(':');
                reference(value, out);
            }
            out.push('}');
        }
    }
}

fn written(value: &Value) -> String {
    let mut out = String::new();
    reference(value, &mut out);
    out
}

/// Writes the same document in some other way, chosen by a xorshift sequence.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn space(&mut self, out: &mut String) {
        for _ in 0..self.below(6).saturating_sub(3) {
            out.push([' ', '\t', '\n', '\r'][self.below(4)]);
        }
    }

    fn string(&mut self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match (c, self.below(4)) {
                ('/', 0) => out.push_str("\\/"),
                (_, 1) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let upper = self.below(2) == 0;
                        out.push_str(&if upper {
                            format!("\\u{unit:04X}")
                        } else {
                            format!("\\u{unit:04x}")
                        });
                    }
                }
                _ => out.push_str(serde_json::to_string(&c).unwrap().trim_matches_once('"')),
            }
        }
        out.push('"');
    }

    fn value(&mut self, value: &Value, out: &mut String) {
        self.space(out);
        match value {
            Value::Lexeme(lexeme) => out.push_str(lexeme),
            Value::Text(text) => self.string(text, out),
            Value::Array(values) => {
                out.push('[');
                for (i, value) in values.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    self.value(value, out);
                }
                self.space(out);
                out.push(']');
            }
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                for last in (1..members.len()).rev() {
                    members.swap(last, self.below(last + 1));
                }
                out.push('{');
                for (i, (name, value)) in members.into_iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    self.space(out);
                    self.string(name, out);
                    self.space(out);
                    out.push(':');
                    self.value(value, out);
                }
                self.space(out);
                out.push('}');
            }
        }
        self.space(out);
    }
}

trait TrimOnce {
    fn trim_matches_once(&self, c: char) -> &str;
}

impl TrimOnce for String {
    /// Without one `c` at each end.
    fn trim_matches_once(&self, c: char) -> &str {
        self.strip_prefix(c).unwrap().strip_suffix(c).unwrap()
    }
}

fn noisy(value: &Value, seed: u64) -> String {
    let mut out = String::new();
    Noise(seed | 1).value(value, &mut out);
    out
}

/// What has to hold for any bytes: the fast scanner and the slow path are one and the same form.
fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let slow = rebuild(bytes, &LIMITS);
    let is_canonical = slow.as_deref() == Ok(bytes);
    prop_assert_eq!(check(bytes, &LIMITS).is_ok(), is_canonical);
    match canonicalize(bytes, &LIMITS) {
        Ok(Cow::Borrowed(same)) => prop_assert!(is_canonical && same == bytes),
        Ok(Cow::Owned(other)) => {
            prop_assert!(!is_canonical);
            prop_assert_eq!(check(&other, &LIMITS), Ok(()));
            prop_assert_eq!(slow, Ok(other));
        }
        Err(error) => {
            prop_assert_eq!(check(bytes, &LIMITS), Err(Reason::Invalid(error.clone())));
            prop_assert_eq!(slow, Err(error));
        }
    }
    Ok(())
}

/// `serde_json` as the referee for what is JSON. It accepts lone surrogates and equal members
/// where it ignores the value, so those prove nothing.
fn referee(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        prop_assert!(
            matches!(rebuild(bytes, &LIMITS), Err(ParseError::InvalidUtf8 { .. })),
            "UTF-8"
        );
        return Ok(());
    };
    let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
    match rebuild(bytes, &LIMITS) {
        Ok(_) => prop_assert!(is_json),
        Err(ParseError::LoneSurrogate { .. } | ParseError::DuplicateMember { .. }) => {}
        Err(error) => prop_assert!(!is_json, "{}", error),
    }
    Ok(())
}

fn mutation() -> impl Strategy<Value = (u8, prop::sample::Index, u8)> {
    let byte = prop_oneof![
        3 => prop::sample::select(b"\"\\{}[],: \n\x000019.eE+-aubntf/\x1f\x7f\x80\xc3\xed\xff".to_vec()),
        1 => any::<u8>(),
    ];
    (0..4u8, any::<prop::sample::Index>(), byte)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_way_of_writing_a_document_gives_the_reference(value in value(), seed: u64) {
        let (expected, other) = (written(&value), noisy(&value, seed));
        prop_assert_eq!(check(expected.as_bytes(), &LIMITS), Ok(()));
        let rebuilt = canonicalize(other.as_bytes(), &LIMITS).unwrap();
        prop_assert_eq!(std::str::from_utf8(&rebuilt).unwrap(), &expected);
        agree(expected.as_bytes())?;
        agree(other.as_bytes())?;
    }

    #[test]
    fn damaged_text_is_judged_the_same_by_all_paths(
        value in value(),
        seed in prop::option::of(any::<u64>()),
        mutations in prop::collection::vec(mutation(), 1..4),
    ) {
        let mut bytes = seed.map_or_else(|| written(&value), |seed| noisy(&value, seed)).into_bytes();
        for (kind, index, byte) in mutations {
            let at = index.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(at, byte),
                1 => bytes.truncate(at),
                _ if at == bytes.len() => bytes.push(byte),
                2 => bytes[at] = byte,
                _ => drop(bytes.remove(at)),
            }
        }
        agree(&bytes)?;
        referee(&bytes)?;
        // Whatever they are given, the readers of canonical text come to an end.
        prop_assert!(members(&bytes).count() <= bytes.len());
        let _ = string_value(&bytes);
        let _ = jcs_form(&bytes);
    }

    #[test]
    fn members_are_found_as_written(object in prop::collection::btree_map(text(), value(), 0..12)) {
        let line = written(&Value::Object(object.clone()));
        let expected: Vec<(String, String)> =
            object.iter().map(|(name, value)| (name.clone(), written(value))).collect();
        let pair = |member: Member<'_>| {
            (member.name().unwrap().into_owned(), String::from_utf8(member.value.to_vec()).unwrap())
        };
        prop_assert_eq!(&members(line.as_bytes()).map(pair).collect::<Vec<_>>(), &expected);
        let top = check_record(line.as_bytes(), &LIMITS).unwrap();
        prop_assert_eq!(&top.members().map(pair).collect::<Vec<_>>(), &expected);
        for (outer, value) in &expected {
            let noted: Vec<_> = top.members_of(outer).collect();
            prop_assert_eq!(&noted, &members(value.as_bytes()).collect::<Vec<_>>());
            for member in noted {
                let inner = member.name().unwrap();
                prop_assert_eq!(top.get_in(outer, &inner), Some(member.value));
                prop_assert_eq!(member_path(line.as_bytes(), &[outer.as_str(), &inner]), Some(member.value));
            }
        }
    }

    #[test]
    fn strings_survive(text in text(), seed: u64) {
        let mut spelt = String::new();
        Noise(seed | 1).string(&text, &mut spelt);
        let decoded = string_value(spelt.as_bytes());
        prop_assert_eq!(decoded.as_deref(), Some(text.as_str()));
    }

    #[test]
    fn integer_documents_have_the_form_that_the_jcs_library_writes(
        object in prop::collection::btree_map(text(), prop::collection::btree_map(text(), -9_007_199_254_740_991i64..=9_007_199_254_740_991, 0..5), 0..5),
        seed: u64,
    ) {
        let number = |n: &i64| Value::Lexeme(n.to_string());
        let value = Value::Object(
            object
                .iter()
                .map(|(name, inner)| {
                    let inner = inner.iter().map(|(name, n)| (name.clone(), number(n))).collect();
                    (name.clone(), Value::Object(inner))
                })
                .collect(),
        );
        let library = crate::jcs::to_jcs(&object).unwrap();
        prop_assert_eq!(jcs_form(noisy(&value, seed).as_bytes()), Ok(library.clone()));
        prop_assert_eq!(crate::jcs::is_jcs(&library), Ok(()));
    }
}
