use super::*;

const LIMITS: Limits = Limits {
    depth: 512,
    bytes: 64 << 20,
};

fn canonical(input: &str) -> String {
    String::from_utf8(
        canonicalize(input.as_bytes(), &LIMITS)
            .unwrap()
            .into_owned(),
    )
    .unwrap()
}

fn refused(input: &[u8]) -> ParseError {
    let error = canonicalize(input, &LIMITS).unwrap_err();
    assert_eq!(check(input, &LIMITS), Err(Reason::Invalid(error.clone())));
    error
}

#[test]
fn canonical_texts_are_recognised_and_not_copied() {
    for text in [
        "null",
        "true",
        "false",
        "0",
        "\"\"",
        "[]",
        "{}",
        "[[],{}]",
        "[1.10,-0,1e400,12345678901234567890,1E+5]",
        r#"{"":0," ":1,"A":2,"a":3,"aa":4,"b":{"a":[{"a":1},{"a":1}]},"é":5}"#,
        r##"{"\u0000":0,"\b":1,"\n":2,"\u001f":3,"!":4,"\"":5,"#":6,"[":7,"\\":8,"]":9}"##,
        "\"a/b\u{7f}\u{e9}\u{1f600}\u{ffff}\"",
        "{\"\u{fb33}\":1,\"\u{1f600}\":2}",
    ] {
        assert_eq!(check(text.as_bytes(), &LIMITS), Ok(()), "{text}");
        assert!(
            matches!(canonicalize(text.as_bytes(), &LIMITS), Ok(Cow::Borrowed(_))),
            "{text}"
        );
        assert_eq!(
            rebuild(text.as_bytes(), &LIMITS).as_deref(),
            Ok(text.as_bytes())
        );
    }
}

#[test]
fn golden_rebuilds() {
    for (input, expected) in [
        (" \t\r\n1.10 \n", "1.10"),
        (
            "{ \"b\" : [ 1 , 2 ] ,\n\"a\" : { } }",
            r#"{"a":{},"b":[1,2]}"#,
        ),
        (
            r#"{"c":{"z":1,"y":{"b":2,"a":3}},"b":[{"y":1,"x":2},{"n":-0}],"a":1e400}"#,
            r#"{"a":1e400,"b":[{"x":2,"y":1},{"n":-0}],"c":{"y":{"a":3,"b":2},"z":1}}"#,
        ),
        (
            r#""\/\u002f\u0041\u00e9\ud83d\uDE00\u007f""#,
            "\"//Aé😀\u{7f}\"",
        ),
        (
            r#""\u0022\u005C\u0008\u0009\u000A\u000c\u000D""#,
            r#""\"\\\b\t\n\f\r""#,
        ),
        (r#""\u0000\u001F\u000B""#, r#""\u0000\u001f\u000b""#),
        (r#"{"\u0062":1,"\u0061":2}"#, r#"{"a":2,"b":1}"#),
        (
            r#"{"\\":1,"]":2,"[":3,"\n":4,"a":5}"#,
            r#"{"\n":4,"[":3,"\\":1,"]":2,"a":5}"#,
        ),
        (
            "{\"\u{1f600}\":2,\"\u{fb33}\":1}",
            "{\"\u{fb33}\":1,\"\u{1f600}\":2}",
        ),
        (
            r#"[12345678901234567890, 1.0, 1E400, -0.0]"#,
            "[12345678901234567890,1.0,1E400,-0.0]",
        ),
    ] {
        assert_eq!(canonical(input), expected);
        assert_eq!(check(expected.as_bytes(), &LIMITS), Ok(()), "{expected}");
        assert!(check(input.as_bytes(), &LIMITS).is_err(), "{input}");
    }
}

#[test]
fn control_characters_have_one_spelling_each() {
    for code in 0..0x20u8 {
        let expected = match code {
            8 => r#""\b""#.to_owned(),
            9 => r#""\t""#.to_owned(),
            10 => r#""\n""#.to_owned(),
            12 => r#""\f""#.to_owned(),
            13 => r#""\r""#.to_owned(),
            _ => format!("\"\\u{code:04x}\""),
        };
        assert_eq!(canonical(&format!("\"\\u{code:04X}\"")), expected);
        assert_eq!(
            refused(&[b'"', code, b'"']),
            ParseError::NotJson {
                offset: 1,
                what: "unescaped control character in a string"
            }
        );
    }
}

#[test]
fn what_is_json_but_not_canonical_is_named() {
    for (text, expected) in [
        ("1 ", Reason::WhiteSpace { offset: 1 }),
        ("\n1", Reason::WhiteSpace { offset: 0 }),
        ("{\"a\":1,\n\"b\":2}", Reason::WhiteSpace { offset: 7 }),
        ("{\"a\": 1}", Reason::WhiteSpace { offset: 5 }),
        ("{\"a\" :1}", Reason::WhiteSpace { offset: 4 }),
        ("[ ]", Reason::WhiteSpace { offset: 1 }),
        ("{ }", Reason::WhiteSpace { offset: 1 }),
        (r#"{"b":1,"a":2}"#, Reason::KeyOrder { offset: 8 }),
        (r#"{"ab":1,"a":2}"#, Reason::KeyOrder { offset: 9 }),
        (r#"{"\\":1,"[":2}"#, Reason::KeyOrder { offset: 9 }),
        (r#"{"a":1,"":2}"#, Reason::KeyOrder { offset: 8 }),
        (r#""a\/""#, Reason::Escape { offset: 2 }),
        (r#""\u0041""#, Reason::Escape { offset: 1 }),
        (r#""\u000A""#, Reason::Escape { offset: 1 }),
        (r#""\u001F""#, Reason::Escape { offset: 1 }),
        (r#""\ud83d\ude00""#, Reason::Escape { offset: 1 }),
        (r#"{"\u0061":1}"#, Reason::Escape { offset: 2 }),
    ] {
        assert_eq!(check(text.as_bytes(), &LIMITS), Err(expected), "{text}");
    }
}

#[test]
fn each_error_has_its_place() {
    use ParseError::*;
    for (text, expected) in [
        (
            r#"{"a":1,"b":2,"a":3}"#,
            DuplicateMember {
                offset: 13,
                name: "a".into(),
            },
        ),
        (
            r#"{"a":1,"\u0061":3}"#,
            DuplicateMember {
                offset: 7,
                name: "a".into(),
            },
        ),
        (
            r#"{"\n":1,"b":2,"\u000a":3}"#,
            DuplicateMember {
                offset: 14,
                name: "\n".into(),
            },
        ),
        (
            r#"[{"x":{"":1,"":1}}]"#,
            DuplicateMember {
                offset: 12,
                name: String::new(),
            },
        ),
        (r#""\ud800""#, LoneSurrogate { offset: 1 }),
        (r#""x\udc00\ud800""#, LoneSurrogate { offset: 2 }),
        (r#"{"\ud800\u0041":1}"#, LoneSurrogate { offset: 2 }),
        ("1 2", Trailing { offset: 2 }),
        ("{}}", Trailing { offset: 2 }),
        ("{}\n{}", Trailing { offset: 3 }),
        ("truex", Trailing { offset: 4 }),
        ("01", Number { offset: 1 }),
        ("[1.]", Number { offset: 3 }),
        ("-", Number { offset: 1 }),
        ("1e", Number { offset: 2 }),
    ] {
        assert_eq!(refused(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn broken_grammar_is_placed() {
    for (text, at) in [
        ("", 0),
        (" ", 1),
        ("{", 1),
        ("[", 1),
        ("[1", 2),
        ("[1,", 3),
        ("{\"a\"", 4),
        ("{\"a\":", 5),
        ("{\"a\":1", 6),
        ("{\"a\":1,", 7),
        ("\"a", 2),
        ("\"\\", 1),
        ("\"\\x\"", 1),
        ("\"\\u12\"", 1),
        ("[1,]", 3),
        ("{\"a\":1,}", 7),
        ("{,}", 1),
        ("[,]", 1),
        ("{1:2}", 1),
        ("{\"a\",1}", 4),
        ("[1 2]", 3),
        ("{\"a\":1 \"b\":2}", 7),
        ("[}", 1),
        ("{]", 1),
        ("[1}", 2),
        ("{\"a\":1]", 6),
        ("nul", 0),
        ("NaN", 0),
        ("Infinity", 0),
        ("+1", 0),
        (".5", 0),
        ("'a'", 0),
        ("/**/1", 0),
        ("\u{feff}1", 0),
        ("\0", 0),
        ("[1\0]", 2),
        ("\u{a0}1", 0),
    ] {
        let error = refused(text.as_bytes());
        assert!(
            matches!(error, ParseError::NotJson { offset, .. } if offset == at),
            "{text:?}: {error:?}"
        );
    }
}

#[test]
fn bytes_that_are_not_utf8_are_placed() {
    for (bytes, offset) in [
        (&b"\"\xff\""[..], 1),
        (b"\"ab\xed\xa0\x80\"", 3),
        (b"\"\xc0\xaf\"", 1),
        (b"\"\xf4\x90\x80\x80\"", 1),
        (b"[\"\xc3\xa9\xc3\"]", 4),
        (b"\xef\xbb", 0),
    ] {
        assert_eq!(refused(bytes), ParseError::InvalidUtf8 { offset });
    }
}

#[test]
fn depth_is_limited_and_never_recursed_into() {
    for open in ["[", "{\"a\":"] {
        let nested = |depth: usize| {
            let close = if open == "[" { "]" } else { "}" };
            open.repeat(depth) + "0" + &close.repeat(depth)
        };
        assert_eq!(check(nested(512).as_bytes(), &LIMITS), Ok(()));
        assert_eq!(
            refused(nested(513).as_bytes()),
            ParseError::TooDeep {
                offset: 512 * open.len(),
                limit: 512
            }
        );
        assert!(matches!(
            refused(open.repeat(10_000).as_bytes()),
            ParseError::TooDeep { limit: 512, .. }
        ));

        let deep = Limits {
            depth: 1_000_000,
            ..LIMITS
        };
        assert_eq!(check(nested(1_000_000).as_bytes(), &deep), Ok(()));
        let spaced = nested(1_000_000) + " ";
        assert_eq!(
            canonicalize(spaced.as_bytes(), &deep).unwrap(),
            nested(1_000_000).as_bytes()
        );
    }
    assert_eq!(check(b"0", &Limits { depth: 0, ..LIMITS }), Ok(()));
    assert!(check(b"[]", &Limits { depth: 0, ..LIMITS }).is_err());
}

#[test]
fn size_is_limited() {
    let limits = Limits { bytes: 7, ..LIMITS };
    assert_eq!(check(b"[1,2,3]", &limits), Ok(()));
    let too_large = ParseError::TooLarge { limit: 7, size: 8 };
    assert_eq!(canonicalize(b"[1,2,33]", &limits), Err(too_large.clone()));
    assert_eq!(check(b"[1,2,33]", &limits), Err(Reason::Invalid(too_large)));
}

#[test]
fn long_names_are_cut_in_errors() {
    let name = "é".repeat(1_000);
    let text = format!("{{\"{name}\":1,\"{name}\":2}}");
    let ParseError::DuplicateMember { name: shown, .. } = refused(text.as_bytes()) else {
        panic!()
    };
    assert_eq!(shown, "é".repeat(64));
}

#[test]
fn every_level_out_of_order_is_put_right_in_one_copy() {
    // Quadratic or worse copying would show here as a test that never ends.
    let mut text = "0".to_owned();
    for _ in 0..500 {
        text = format!("{{\"b\":{text},\"a\":1}}");
    }
    let mut expected = "0".to_owned();
    for _ in 0..500 {
        expected = format!("{{\"a\":1,\"b\":{expected}}}");
    }
    assert_eq!(canonical(&text), expected);
}

const RECORD: &str = r#"{"_id":"a:1","content":{"format":"OSV","raw":{"id":"X","k":[{"format":"no"}]},"spec_version":"1.3.1"},"kind":"advisory","list":[{"in_list":1}],"tenant":"acme","upstream":{"content_hash":"sha256:00","signature":{"present":false}}}"#;

#[test]
fn the_members_of_a_record_are_noted() {
    let top = check_record(RECORD.as_bytes(), &LIMITS).unwrap();
    let names: Vec<_> = top
        .members()
        .map(|member| member.name().unwrap().into_owned())
        .collect();
    assert_eq!(
        names,
        ["_id", "content", "kind", "list", "tenant", "upstream"]
    );
    assert_eq!(top.line(), RECORD.as_bytes());
    assert_eq!(top.get("_id"), Some(&b"\"a:1\""[..]));
    assert_eq!(
        top.get("tenant").and_then(string_value).as_deref(),
        Some("acme")
    );
    assert_eq!(top.get("list"), Some(&br#"[{"in_list":1}]"#[..]));
    assert_eq!(top.get("raw"), None);
    let raw = &br#"{"id":"X","k":[{"format":"no"}]}"#[..];
    assert_eq!(top.get_in("content", "raw"), Some(raw));
    assert_eq!(
        top.get_in("content", "spec_version"),
        Some(&b"\"1.3.1\""[..])
    );
    assert_eq!(
        top.get_in("upstream", "signature"),
        Some(&br#"{"present":false}"#[..])
    );
    assert_eq!(top.get_in("upstream", "raw"), None);
    assert_eq!(top.get_in("kind", "advisory"), None);
    assert_eq!(top.get_in("list", "in_list"), None);
    assert_eq!(
        member_path(RECORD.as_bytes(), &["content", "raw"]),
        Some(raw)
    );
    assert_eq!(
        member_path(RECORD.as_bytes(), &["content", "raw", "id"]),
        Some(&b"\"X\""[..])
    );
    assert_eq!(member_path(RECORD.as_bytes(), &[]), Some(RECORD.as_bytes()));
    assert_eq!(
        member_path(RECORD.as_bytes(), &["content", "nothing"]),
        None
    );
    assert_eq!(member_path(RECORD.as_bytes(), &["kind", "x"]), None);
}

#[test]
fn a_record_with_more_members_than_usual_is_noted_whole() {
    let inner: Vec<_> = (0..300).map(|i| format!("\"i{i:03}\":{i}")).collect();
    let line = format!(
        "{{\"a\":{{{}}},{},\"z\":{{\"y\":1}}}}",
        inner.join(","),
        inner.join(",")
    );
    let top = check_record(line.as_bytes(), &LIMITS).unwrap();
    assert_eq!(top.members().count(), 302);
    assert_eq!(top.members_of("a").count(), 300);
    assert_eq!(top.get("i299"), Some(&b"299"[..]));
    assert_eq!(top.get_in("a", "i150"), Some(&b"150"[..]));
    assert_eq!(top.get_in("z", "y"), Some(&b"1"[..]));
}

#[test]
fn a_record_is_an_object_in_canonical_form() {
    for other in ["[]", "1", "\"{}\"", "[{\"a\":1}]"] {
        assert_eq!(
            check_record(other.as_bytes(), &LIMITS).unwrap_err(),
            Reason::NotAnObject
        );
    }
    assert_eq!(
        check_record(b"{} ", &LIMITS).unwrap_err(),
        Reason::WhiteSpace { offset: 2 }
    );
    assert_eq!(check_record(b"{}", &LIMITS).unwrap().members().count(), 0);
}

#[test]
fn names_with_escapes_are_found_by_what_they_mean() {
    let line = br#"{"a\"b":{"\n":1,"c":"]}\"{"},"d":2}"#;
    let top = check_record(line, &LIMITS).unwrap();
    assert_eq!(top.get_in("a\"b", "\n"), Some(&b"1"[..]));
    assert_eq!(member_path(line, &["a\"b", "c"]), Some(&br#""]}\"{""#[..]));
    assert_eq!(member_path(line, &["d"]), Some(&b"2"[..]));
    assert_eq!(top.get("a\\\"b"), None);
}

#[test]
fn strings_are_decoded() {
    for (slice, expected) in [
        (r#""""#, Some("")),
        (r#""abc""#, Some("abc")),
        (
            r#""a\"\\\/\b\f\n\r\té😀\u00e9\ud83d\ude00""#,
            Some("a\"\\/\u{8}\u{c}\n\r\té😀é😀"),
        ),
        (r#""\ud800""#, None),
        (r#""a"b""#, None),
        ("\"a\nb\"", None),
        (r#""\""#, None),
        ("\"", None),
        ("1", None),
        ("", None),
    ] {
        assert_eq!(
            string_value(slice.as_bytes()).as_deref(),
            expected,
            "{slice}"
        );
    }
    assert!(matches!(
        string_value("\"é\"".as_bytes()),
        Some(Cow::Borrowed("é"))
    ));
    assert_eq!(string_value(b"\"\xff\""), None);
}

#[test]
fn members_of_what_is_no_object_are_none_and_broken_text_ends() {
    for text in [
        "",
        "1",
        "[]",
        "{",
        "{\"",
        "{\"a",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":[1",
        "{\"a\":\"",
        "{\"a\":\"\\",
        "{\"\\",
        "{a",
        "{,",
    ] {
        assert_eq!(members(text.as_bytes()).count(), 0, "{text}");
    }
    assert_eq!(members(b"{}").count(), 0);
}

/// RFC 8785, appendix B and section 3.2.2; what no double holds has no such form.
#[test]
fn the_form_of_other_tools() {
    for (raw, expected) in [
        ("1.10", "1.1"),
        ("-0", "0"),
        ("0.0", "0"),
        ("1E30", "1e+30"),
        ("4.50", "4.5"),
        ("2e-3", "0.002"),
        ("0.000000000000000000000000001", "1e-27"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("9007199254740993", "9007199254740992"),
        ("12345678901234567890", "12345678901234567000"),
        ("333333333.33333329", "333333333.3333333"),
        ("1e20", "100000000000000000000"),
        ("1e21", "1e+21"),
        ("1e-7", "1e-7"),
        ("0.000001", "0.000001"),
        ("1e-400", "0"),
        (
            "{\"\u{fb33}\": 1.0, \"\u{1f600}\": [2.50]}",
            "{\"\u{1f600}\":[2.5],\"\u{fb33}\":1}",
        ),
        (r#"{"b":"\u0041\/","a":1e0}"#, r#"{"a":1,"b":"A/"}"#),
    ] {
        assert_eq!(
            jcs_form(raw.as_bytes()).unwrap(),
            expected.as_bytes(),
            "{raw}"
        );
    }
    assert_eq!(
        jcs_form(b"[0,1e400]"),
        Err(JcsFormError::Range { offset: 3 })
    );
    assert_eq!(jcs_form(b"-1e400"), Err(JcsFormError::Range { offset: 0 }));
    assert_eq!(
        jcs_form(b"01"),
        Err(JcsFormError::Invalid(ParseError::Number { offset: 1 }))
    );
}
