#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cmp::Ordering;

use proptest::prelude::*;

use super::Scheme;

fn admits(scheme: Scheme, constraint: &str, version: &str) -> bool {
    scheme
        .matches(&[constraint.to_owned()], version)
        .unwrap_or_else(|error| panic!("{constraint} {version}: {error}"))
}

fn ascending(scheme: Scheme, versions: &[&str]) {
    for (at, low) in versions.iter().enumerate() {
        let a = scheme.parse(low).unwrap();
        assert_eq!(a.cmp(&a), Ordering::Equal, "{low}");
        for high in &versions[at + 1..] {
            let b = scheme.parse(high).unwrap();
            assert_eq!(a.cmp(&b), Ordering::Less, "{low} < {high} of {scheme:?}");
            assert_eq!(b.cmp(&a), Ordering::Greater, "{high} > {low} of {scheme:?}");
        }
    }
}

fn equal(scheme: Scheme, a: &str, b: &str) {
    assert_eq!(scheme.parse(a).unwrap(), scheme.parse(b).unwrap());
}

fn refuses(scheme: Scheme, constraints: &[&str], versions: &[&str]) {
    for constraint in constraints {
        scheme.constraint(constraint).expect_err(constraint);
    }
    for version in versions {
        scheme.parse(version).expect_err(version);
    }
}

#[test]
fn python() {
    let s = Scheme::Pep440;
    ascending(
        s,
        &[
            "1.0.dev456",
            "1.0a1",
            "1.0a2.dev456",
            "1.0a12.dev456",
            "1.0a12",
            "1.0b1.dev456",
            "1.0b2",
            "1.0b2.post345.dev456",
            "1.0b2.post345",
            "1.0rc1.dev456",
            "1.0rc1",
            "1.0",
            "1.0+abc.5",
            "1.0+abc.7",
            "1.0+5",
            "1.0.post456.dev34",
            "1.0.post456",
            "1.1.dev1",
            "1!0.1",
        ],
    );
    equal(s, "1.0", "v1.0.0");
    equal(s, "1.0-1", "1.0.post1");
    equal(s, "1.0RC1", "1.0c1");
    for (constraint, version, expected) in [
        ("<4.0.4", "4.0.4rc1", true),
        ("<4.0.4", "4.0.4.dev0", true),
        ("<4.0.4", "4.0.4", false),
        ("<2.0", "1!1.5", false),
        ("1.4", "1.4.0", true),
        ("*", "0.0.1", true),
        ("==1.4.*", "1.4.7", true),
        ("!=1.4.*", "1.4.7", false),
        ("~=1.4.2", "1.4.9", true),
        ("~=1.4.2", "1.5", false),
        (">= 1.0, < 2.0", "1.9", true),
        (">=1.0 <2.0", "2.0", false),
        ("<=1.0", "1.0+local", true),
        (">1.0", "1.0.post1", false),
        ("===1.0", "1.0", true),
    ] {
        assert_eq!(
            admits(s, constraint, version),
            expected,
            "{constraint} {version}"
        );
    }
    refuses(
        s,
        &["^1.0", "", "<1.0RC1", "<1.0+abc", "~1", "[1,2)", "<"],
        &["2004d", "1.0-custom", "", "1..0"],
    );
    assert_eq!(s.bound("1.0RC1").unwrap().0, "1.0rc1");
    assert_eq!(s.bound("2.0+cpu").unwrap().0, "2.0");
    assert_eq!(s.bound("1.0-alpha.2").unwrap().0, "1.0a2");
}

#[test]
fn javascript() {
    let s = Scheme::Npm;
    ascending(
        s,
        &[
            "0.9.0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.10.0",
            "2.0.0",
        ],
    );
    equal(s, "1.0.0+a", "1.0.0+b");
    for (constraint, version, expected) in [
        ("<1.0.0", "1.0.0-beta.1", false),
        ("<1.0.0", "0.9.9-rc.1", false),
        ("<1.0.0", "0.9.9", true),
        (">=0", "1.0.0-rc.1", false),
        (">=0", "1.0.0", true),
        ("<1.0.0-rc.2", "1.0.0-rc.1", true),
        ("<1.0.0-rc.2", "0.9.0", true),
        ("<1.0.0-rc.2", "0.9.0-rc.1", false),
        ("*", "1.2.3", true),
        ("1.2.x", "1.2.9", true),
        ("^1.2.3", "1.9.0", true),
        ("^0.2.3", "0.3.0", false),
        ("~1.2.3", "1.2.9", true),
        ("~1", "1.9.9", true),
        ("<=1.2", "1.2.9", true),
        ("=1.2.3", "1.2.3", true),
        (">=1.0.0 <2.0.0 || >=3.0.0", "3.1.0", true),
    ] {
        assert_eq!(
            admits(s, constraint, version),
            expected,
            "{constraint} {version}"
        );
    }
    refuses(
        s,
        &["!=1.0.0", "1.0.0 - 2.0.0", "~>1.0.0", "<1.2.3.4", "<a"],
        &["1.0", "v1.0.0", "01.0.0", "1.0.0-01", "x"],
    );
    assert_eq!(s.bound("1.2").unwrap().0, "1.2.0");
    assert_eq!(s.bound("v1.2.3-rc.1").unwrap().0, "1.2.3-rc.1");
    assert!(s.bound("1.2.3.4").is_err());
}

#[test]
fn generic() {
    let s = Scheme::Generic;
    ascending(
        s,
        &[
            "0.0.0-0",
            "0.0.0-20190101000000-abcdef123456",
            "0.0.1",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0",
            "1.0.0.1",
            "1.9.0",
            "13.0.1-beta1",
            "13.0.1",
        ],
    );
    equal(s, "v1.9.0+incompatible", "1.9");
    equal(s, "1.0a1", "1.0-a1");
    for (constraint, version, expected) in [
        ("<13.0.1", "13.0.1-beta1", true),
        (">=0", "v0.0.0-20190101000000-abcdef123456", false),
        (">=0.0.0-0", "v0.0.0-20190101000000-abcdef123456", true),
        ("<0.3.8", "v0.0.0-20190101000000-abcdef123456", true),
        ("<1.9.1", "v1.9.0+incompatible", true),
        ("~>1.2.3", "1.2.9", true),
        ("~>1.2", "1.9", true),
        ("~>1.2", "2.0", false),
        ("~1.2", "1.2.9", true),
        ("^1.2", "1.9", true),
        ("^0.0.3", "0.0.4", false),
        ("!=1.0", "1.0.0", false),
        (">= 1.0, < 2.0", "1.5", true),
        (">=1.0<2.0", "2.5", false),
        ("1.0", "1.0.0", true),
    ] {
        assert_eq!(
            admits(s, constraint, version),
            expected,
            "{constraint} {version}"
        );
    }
    refuses(
        s,
        &["*", "[1.0,2.0)", "<1|<2", "", "<1.8.x-dev", "==="],
        &[
            "dev-master",
            "1.8.x-dev",
            "cci.20200101",
            "1.0.Final",
            "99999999999999999999",
        ],
    );
}

#[test]
fn maven() {
    let s = Scheme::Maven;
    ascending(
        s,
        &[
            "1-alpha-1",
            "1-alpha2",
            "1-beta-1",
            "1-milestone",
            "1-rc",
            "1-SNAPSHOT",
            "1",
            "1-sp",
            "1-abc",
            "1-1",
            "1.0.1",
            "1.1",
            "2.0-beta8",
            "2.0-beta9",
            "2.0-rc1",
            "2.3.1-SNAPSHOT",
            "2.3.1",
            "10",
        ],
    );
    equal(s, "1.0.0", "1");
    equal(s, "1.0-ga", "1.0-final");
    equal(s, "1.0-RC1", "1.0-cr1");
    for (constraint, version, expected) in [
        (">=2.0-beta9", "2.0-beta8", false),
        (">=2.0-beta9", "2.0-rc1", true),
        ("<2.3.1", "2.3.1-SNAPSHOT", true),
        ("=1.5", "1.5", true),
        (">=2.13.0,<2.15.0", "2.14.1", true),
        (">=2.13.0, <2.15.0", "2.15.0", false),
        ("<5.3.18.RELEASE", "5.3.17.RELEASE", true),
    ] {
        assert_eq!(
            admits(s, constraint, version),
            expected,
            "{constraint} {version}"
        );
    }
    refuses(s, &["*", "~>1.0", "[1,2)", "", "<"], &["", "1.0 beta", "ä"]);
}

#[test]
fn ruby() {
    let s = Scheme::RubyGems;
    ascending(
        s,
        &[
            "1.0.a",
            "1.0.0.beta1",
            "1.0.0.pre",
            "1.0.0.rc1",
            "1.0.0",
            "1.0.0.1",
            "1.2",
            "1.10",
        ],
    );
    equal(s, "1.0", "1.0.0");
    equal(s, "1.0-rc1", "1.0.pre.rc1");
    for (constraint, version, expected) in [
        ("<5.2.4.3", "5.2.4.2", true),
        ("<2.0", "2.0.rc1", true),
        ("~>5.2.4", "5.2.9", true),
        ("~>5.2.4", "5.3.0", false),
        ("~>5", "5.9", true),
        (">=1.0, <1.10.8", "1.10.7-java", true),
    ] {
        assert_eq!(
            admits(s, constraint, version),
            expected,
            "{constraint} {version}"
        );
    }
    refuses(s, &["^1", "~1", "", "<1_0", "*"], &["a", "1..0", "1.0+1"]);
}

#[test]
fn bitnami() {
    let s = Scheme::Bitnami;
    ascending(
        s,
        &["6.2.0", "6.2.1", "6.2.1-0", "6.2.1-1", "6.2.1-10", "6.2.2"],
    );
    assert!(!admits(s, "<6.2.1", "6.2.1-0"));
    assert!(admits(s, ">=6.2.0, <6.2.2", "6.2.1-3"));
    refuses(s, &["[1,2)", "~>1"], &["1.0", "1"]);
}

#[test]
fn operating_systems() {
    ascending(
        Scheme::Dpkg,
        &[
            "1.0~rc1-1",
            "1.0-1",
            "1.0-1+deb12u1",
            "1.0-1.1",
            "1.0-2",
            "1.0a-1",
            "1.0+dfsg-1",
            "1.2-1",
            "1.10-1",
            "1:0.1-1",
        ],
    );
    equal(Scheme::Dpkg, "0:1.0-0", "1.0");
    ascending(
        Scheme::Rpm,
        &[
            "1.0~rc1-1",
            "1.0-1.el8",
            "1.0-1.el8_4",
            "1.0^git1-1",
            "1.0.1-1",
            "1.2-1",
            "1.10-1",
            "1:0.1-1",
        ],
    );
    equal(Scheme::Rpm, "0:1.0.0-1", "1.0.0-1");
    ascending(
        Scheme::Apk,
        &[
            "1.0_alpha1",
            "1.0_beta",
            "1.0_rc1-r0",
            "1.0",
            "1.0-r1",
            "1.0-r2",
            "1.0_p1",
            "1.0a",
            "1.0.1",
            "1.2",
            "1.10",
        ],
    );
    equal(Scheme::Apk, "1.2.3-r4", "1.2.3-r4");
    refuses(
        Scheme::Dpkg,
        &["<1"],
        &["", "a:1", "abc", "1 2", "<end-of-life>"],
    );
    refuses(Scheme::Rpm, &["<1"], &["", "x:1", "-", "1 2"]);
    refuses(
        Scheme::Apk,
        &["<1"],
        &["", "a", "1.0-4", "1.0_x", "1..0", "0:1"],
    );
}

#[test]
fn an_advisory() {
    let list = |items: &[&str]| {
        items
            .iter()
            .map(|item| (*item).to_owned())
            .collect::<Vec<_>>()
    };
    let s = Scheme::Generic;
    let both = |v: &[&str], p: &[&str], version| s.vulnerable(&list(v), &list(p), version).unwrap();
    assert!(both(&["<1.0"], &["1.0"], "0.9"));
    assert!(!both(&["<1.0"], &["1.0"], "1.0"));
    assert!(both(&[], &["1.0"], "0.9"));
    assert!(!both(&[], &[], "0.9"));
    assert!(both(&[""], &[], "nonsense"));
    assert!(!both(&["<=2.0"], &["1.5"], "1.5"));
    s.vulnerable(&list(&["<1.0", "junk"]), &[], "0.1")
        .unwrap_err();
}

const SCHEMES: [Scheme; 9] = [
    Scheme::Pep440,
    Scheme::Npm,
    Scheme::Generic,
    Scheme::Maven,
    Scheme::RubyGems,
    Scheme::Bitnami,
    Scheme::Dpkg,
    Scheme::Rpm,
    Scheme::Apk,
];

fn version() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}((-|\\.|_)?(a|b|rc|alpha|beta|p|post|dev|final|sp|x)?[.-]?[0-9]{0,2})?(-r?[0-9])?",
        "[0-9.a-z~^_:+-]{0,10}",
        "\\PC{0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// The order is one: what is less is not greater, and less than less is less.
    #[test]
    fn order_is_total(texts in prop::array::uniform3(version()), at in 0..SCHEMES.len()) {
        let scheme = SCHEMES[at];
        let parsed: Vec<_> = texts.iter().filter_map(|text| scheme.parse(text).ok()).collect();
        for a in &parsed {
            prop_assert_eq!(a.cmp(a), Ordering::Equal);
            for b in &parsed {
                prop_assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{:?} {:?}", a, b);
                // Maven's order is not transitive across words, numbers and lists.
                if scheme == Scheme::Maven { continue; }
                for c in &parsed {
                    if a <= b && b <= c {
                        prop_assert!(a <= c, "{:?} {:?} {:?}", a, b, c);
                    }
                }
            }
        }
    }

    /// A bound is always taken in a constraint, and means its version.
    #[test]
    fn bounds_are_valid(text in version(), at in 0..6_usize) {
        let scheme = SCHEMES[at];
        if let Ok((bound, _)) = scheme.bound(&text) {
            for op in ["", "=", "<", "<=", ">", ">="] {
                let constraint = format!("{op}{bound}");
                prop_assert!(scheme.constraint(&constraint).is_ok(), "{}", constraint);
            }
            let pair = format!(">={bound}, <{bound}");
            prop_assert!(scheme.constraint(&pair).is_ok(), "{}", pair);
            let (equal, less) = (format!("={bound}"), format!("<{bound}"));
            prop_assert!(scheme.matches(&[equal], &bound).unwrap());
            prop_assert!(!scheme.matches(&[less], &bound).unwrap());
        }
    }

    #[test]
    fn constraints_never_panic(text in "[<>=~^!|, *x0-9.a-z-]{0,20}", version in version(), at in 0..SCHEMES.len()) {
        let scheme = SCHEMES[at];
        let _ = scheme.matches(std::slice::from_ref(&text), &version);
        prop_assert_eq!(scheme.constraint(&text).is_ok(), scheme.constraint(&format!(" {text} ")).is_ok());
    }
}
