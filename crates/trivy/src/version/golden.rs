//! What the libraries themselves say.
//!
//! `golden.tsv` has, a line each, a scheme, `cmp` or `con`, two arguments (versions; or constraints and a
//! version), and the answer of the library at the version that the scanner links: `<`, `=`, `>` or
//! `err`; `yes`, `no`, `badc` (no constraint) or `badv` (no version). `TRIVY_VERSIONS` names a larger
//! file of the same shape.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::Scheme;

fn scheme(name: &str) -> Scheme {
    match name {
        "pep440" => Scheme::Pep440,
        "npm" => Scheme::Npm,
        "generic" => Scheme::Generic,
        "maven" => Scheme::Maven,
        "rubygems" => Scheme::RubyGems,
        "bitnami" => Scheme::Bitnami,
        "dpkg" => Scheme::Dpkg,
        "rpm" => Scheme::Rpm,
        "apk" => Scheme::Apk,
        other => panic!("{other}"),
    }
}

fn answer(scheme: Scheme, kind: &str, a: &str, b: &str) -> &'static str {
    if kind == "cmp" {
        let (Ok(a), Ok(b)) = (scheme.parse(a), scheme.parse(b)) else {
            return "err";
        };
        return match a.cmp(&b) {
            Ordering::Less => "<",
            Ordering::Equal => "=",
            Ordering::Greater => ">",
        };
    }
    if scheme.constraint(a).is_err() {
        return "badc";
    }
    if scheme.parse(b).is_err() {
        return "badv";
    }
    if scheme.matches(&[a.to_owned()], b).unwrap() {
        "yes"
    } else {
        "no"
    }
}

#[test]
fn as_the_libraries() {
    let file = std::env::var_os("TRIVY_VERSIONS");
    let text = match &file {
        Some(path) => std::fs::read_to_string(path).unwrap(),
        None => include_str!("golden.tsv").to_owned(),
    };
    let mut refused = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut same = 0;
    for line in text.lines() {
        let parts: Vec<&str> = line.split('\t').collect();
        let [name, kind, a, b, expected] = parts.as_slice() else {
            panic!("{line}");
        };
        let found = answer(scheme(name), kind, a, b);
        if found == *expected {
            same += 1;
            continue;
        }
        // Taking less than the library does is safe: it is left out, and counted.
        let is_refusal = matches!(found, "err" | "badc" | "badv");
        if is_refusal {
            let held: &mut Vec<&str> = refused.entry((*name, *kind, found)).or_default();
            held.push(line);
        } else {
            wrong.push(format!("{line} but {found}"));
        }
    }
    for (which, lines) in &refused {
        println!(
            "{which:?}: {} refused, as {:?}",
            lines.len(),
            &lines[..lines.len().min(12)]
        );
    }
    for line in wrong.iter().take(60) {
        println!("{line}");
    }
    assert!(wrong.is_empty(), "{} differ", wrong.len());
    let lines = text.lines().count();
    assert!(
        lines > 2_000 && same * 100 > lines * 80,
        "{same} of {lines}"
    );
}
