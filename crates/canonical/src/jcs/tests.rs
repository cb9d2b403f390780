use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::*;

fn text<T: Serialize>(value: &T) -> String {
    String::from_utf8(to_jcs(value).unwrap()).unwrap()
}

#[test]
fn golden_documents() {
    for (value, expected) in [
        (json!(null), "null"),
        (json!({}), "{}"),
        (
            json!([
                1,
                -1,
                0,
                9_007_199_254_740_991_i64,
                -9_007_199_254_740_991_i64
            ]),
            "[1,-1,0,9007199254740991,-9007199254740991]",
        ),
        (
            json!({"b": [true, false], "a": {"d": "x", "c": null}}),
            r#"{"a":{"c":null,"d":"x"},"b":[true,false]}"#,
        ),
        (
            json!({"s": "\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{7f}"}),
            "{\"s\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\"}",
        ),
    ] {
        assert_eq!(text(&value), expected);
        assert_eq!(is_jcs(expected.as_bytes()), Ok(()), "{expected}");
    }
}

/// RFC 8785, section 3.2.3.
#[test]
fn names_are_sorted_by_utf16_code_units() {
    let value = json!({
        "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
        "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "Latin Small Letter O With Diaeresis",
    });
    let expected = "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}";
    assert_eq!(text(&value), expected);
    assert_eq!(is_jcs(expected.as_bytes()), Ok(()));
}

#[test]
fn floats_are_refused_wherever_they_stand() {
    #[derive(Serialize)]
    enum Shape {
        Newtype(f64),
        Tuple(u8, f32),
        Struct { x: f64 },
    }
    #[derive(Serialize)]
    struct Outer<T> {
        a: u8,
        b: Option<T>,
    }
    fn outer<T>(b: T) -> Outer<T> {
        Outer { a: 1, b: Some(b) }
    }
    assert!(matches!(to_jcs(&1.5), Err(JcsError::Float)));
    assert!(matches!(to_jcs(&json!({"a": [1.0]})), Err(JcsError::Float)));
    assert!(matches!(to_jcs(&outer(f64::NAN)), Err(JcsError::Float)));
    assert!(matches!(to_jcs(&outer(-0.0)), Err(JcsError::Float)));
    assert!(matches!(to_jcs(&outer((1, 2.0))), Err(JcsError::Float)));
    assert!(matches!(
        to_jcs(&outer(BTreeMap::from([("k", f32::INFINITY)]))),
        Err(JcsError::Float)
    ));
    assert!(matches!(to_jcs(&Shape::Newtype(1.0)), Err(JcsError::Float)));
    assert!(matches!(
        to_jcs(&Shape::Tuple(1, 1.0)),
        Err(JcsError::Float)
    ));
    assert!(matches!(
        to_jcs(&Shape::Struct { x: 1.0 }),
        Err(JcsError::Float)
    ));
    assert_eq!(text(&outer("x")), r#"{"a":1,"b":"x"}"#);
}

#[test]
fn integers_beyond_a_double_are_refused() {
    for beyond in [
        1_i128 << 53,
        -(1 << 53),
        i128::from(u64::MAX),
        i128::from(i64::MIN),
    ] {
        let error = to_jcs(&BTreeMap::from([("n", beyond)])).unwrap_err();
        assert!(
            matches!(&error, JcsError::Integer(digits) if *digits == beyond.to_string()),
            "{error}"
        );
    }
}

#[test]
fn equal_members_are_refused() {
    #[derive(Serialize)]
    struct Flat {
        name: &'static str,
        #[serde(flatten)]
        more: BTreeMap<&'static str, u8>,
    }
    let value = Flat {
        name: "x",
        more: BTreeMap::from([("name", 1)]),
    };
    assert!(
        matches!(to_jcs(&value), Err(JcsError::Invalid(ParseError::DuplicateMember { name, .. })) if name == "name")
    );
}

#[test]
fn a_value_that_refuses_is_reported() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    let error = to_jcs(&[Refuses]).unwrap_err();
    assert!(matches!(&error, JcsError::Serialise(e) if e.to_string() == "not today"));
    assert!(matches!(
        to_jcs(&BTreeMap::from([((1, 2), 3)])),
        Err(JcsError::Serialise(_))
    ));
}

#[test]
fn every_departure_from_the_form_is_found() {
    for (bytes, expected) in [
        (r#"{"b":1,"a":2}"#, NotJcs::Form { offset: 2 }),
        ("{\"a\":1}\n", NotJcs::Form { offset: 7 }),
        (" 1", NotJcs::Form { offset: 0 }),
        (r#"{"a": 1}"#, NotJcs::Form { offset: 5 }),
        (r#""\u00e9""#, NotJcs::Form { offset: 1 }),
        (r#""\/""#, NotJcs::Form { offset: 1 }),
        (r#""\u000A""#, NotJcs::Form { offset: 2 }),
        ("[1.0]", NotJcs::Number { offset: 1 }),
        ("[1e3]", NotJcs::Number { offset: 1 }),
        ("-0", NotJcs::Number { offset: 0 }),
        ("9007199254740992", NotJcs::Number { offset: 0 }),
        ("99999999999999999999999", NotJcs::Number { offset: 0 }),
        (
            "{\"\u{fb33}\":1,\"\u{1f600}\":2}",
            NotJcs::Form { offset: 2 },
        ),
        (
            r#"{"a":1,"a":1}"#,
            NotJcs::Invalid(ParseError::DuplicateMember {
                offset: 7,
                name: "a".into(),
            }),
        ),
        ("{} x", NotJcs::Invalid(ParseError::Trailing { offset: 3 })),
    ] {
        assert_eq!(is_jcs(bytes.as_bytes()), Err(expected), "{bytes}");
    }
    assert_eq!(
        is_jcs(b"\"\xff\""),
        Err(NotJcs::Invalid(ParseError::InvalidUtf8 { offset: 1 }))
    );
}
