#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;

proptest! {
    #[test]
    fn order_is_that_of_the_bytes(a in ".{1,20}", b in ".{1,20}", kinds in (0..4_usize, 0..4_usize)) {
        let [a, b] = [(kinds.0, &a), (kinds.1, &b)]
            .map(|(kind, id)| DocumentPath::of(Kind::ALL[kind], id));
        let by_bytes = a.as_bytes().cmp(b.as_bytes());
        prop_assert_eq!(a.order().cmp(&b.order()).then(by_bytes), by_bytes);
    }
}

#[test]
fn paths_are_these_for_ever() {
    for (kind, id, folder, slug) in [
        (
            Kind::Advisory,
            "advisory_raw:osv.npm:GHSA-aaaa-bbbb-cccc:0123456789ab",
            "data/raw/advisory",
            "advisory_raw-osv.npm-ghsa-aaaa-bbbb-cccc-0123456789ab",
        ),
        (Kind::Finding, "nul.1", "data/policy/finding", "nul-1"),
        (Kind::Sbom, "ééé", "data/raw/sbom", "document"),
        (Kind::Vex, "../../etc/passwd", "data/raw/vex", "etc-passwd"),
    ] {
        let digest: String = Sha256::digest(id.as_bytes())
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let expected = format!("{folder}/{}/{slug}-{digest}.json", &digest[..2]);
        assert_eq!(document(kind, id), expected);
        let mut out = Vec::new();
        write_document(&mut out, kind, id);
        assert_eq!(out, expected.as_bytes());
    }
    assert_eq!(
        document(Kind::Vex, "b"),
        "data/raw/vex/3e/b-3e23e8160039594a33894f6564e1b134.json"
    );
}

#[test]
fn names_that_systems_treat_otherwise_are_made_plain() {
    let slug = |id: &str| {
        let path = document(Kind::Vex, id);
        let name = path.rsplit('/').next().unwrap();
        name[..name.len() - 38].to_owned()
    };
    for (id, expected) in [
        ("CON", "con"),
        ("con.txt", "con-txt"),
        ("Com1.a.b", "com1-a.b"),
        ("lpt10.a", "lpt10.a"),
        ("aux..", "aux"),
        (".hidden", "hidden"),
        ("-rf", "rf"),
        ("a//b::c", "a-b-c"),
        ("a\\b\u{0}c", "a-b-c"),
        ("trailing. ", "trailing"),
        ("日本-x", "x"),
        ("...", "document"),
        ("A+B_C.d", "a+b_c.d"),
    ] {
        assert_eq!(slug(id), expected, "{id:?}");
    }
    assert_eq!(slug(&"x".repeat(500)).len(), 60);
    assert_eq!(slug(&format!("{}.{}", "x".repeat(59), "y")), "x".repeat(59));
}

#[test]
fn a_path_tells_its_kind_and_others_are_none() {
    for kind in Kind::ALL {
        let path = document(kind, "a.b");
        assert_eq!(kind_of(&path), Some(kind));
        for bad in [
            path.to_uppercase(),
            path.replace(".json", ".jsom"),
            path.replace("data/", "data//"),
            format!("{path}/"),
            format!("/{path}"),
            path.replace("a.b-", "../b-"),
            path.replace("a.b-", "-"),
            path.replace("a.b-", "a b-"),
            path.replace("data/", "date/"),
            path.replace("/a.b", "0/a.b"),
        ] {
            assert_eq!(kind_of(&bad), None, "{bad}");
        }
    }
    for bad in [
        "",
        "data",
        "data/raw/advisory/",
        "data/raw/advisory/aa/x.json",
        POLICY_SNAPSHOT,
    ] {
        assert_eq!(kind_of(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn paths_are_safe_on_every_file_system(id in "\\PC{0,300}|[a-zA-Z0-9.:/ _-]{1,200}") {
        for kind in Kind::ALL {
            let path = DocumentPath::of(kind, &id);
            let path = path.as_str();
            prop_assert_eq!(kind_of(path), Some(kind));
            prop_assert!(path.len() <= MOST_BYTES);
            for part in path.split('/') {
                prop_assert!((1..=100).contains(&part.len()));
                prop_assert!(!part.starts_with(['.', '-']) && !part.ends_with(['.', ' ']));
                prop_assert!(part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._+-".contains(&b)));
                prop_assert!(!is_device(part.split('.').next().unwrap().as_bytes()));
            }
            prop_assert!(export_ustar::file_header(path, 1).is_some());
        }
    }

    #[test]
    fn ids_that_differ_have_other_paths(ids in prop::collection::hash_set("[aA.:é]{1,6}", 1..200)) {
        let paths: HashSet<_> = ids.iter().map(|id| document(Kind::Sbom, id)).collect();
        prop_assert_eq!(paths.len(), ids.len());
    }
}
