//! Bundles that do not continue what is here.

use std::fs;

use export_model::ErrorCode;
use export_replica::{Error, Options, Refusal, apply, log, status};
use export_signing::SigningKey;

use crate::support::bundle::{Export, run_id};
use crate::support::evidence::Evidence;
use crate::support::{Site, tree};

/// A full export, and three deltas one after the other.
fn line() -> Vec<Export> {
    let mut evidence = Evidence::of(24);
    let mut line = vec![Export::full(1, 10, &evidence)];
    for number in 2..=4 {
        evidence.put(u64::from(number), 9);
        evidence.put(100 + u64::from(number), 0);
        let base = line.last().unwrap();
        line.push(Export::delta(
            number,
            u64::from(number) * 10,
            base,
            &evidence,
        ));
    }
    line
}

#[test]
fn a_delta_before_its_time_names_what_comes_first() {
    let site = Site::new();
    let line = line();
    let bundles: Vec<_> = line.iter().map(|export| export.bundle(&site.key)).collect();
    let first = run_id(1);
    site.refuses(
        &bundles[1],
        ErrorCode::MirrorGap,
        &["nothing here yet", first.as_str()],
    );
    assert!(!site.dir().exists(), "nothing is made for what is refused");
    site.apply_bytes(&bundles[0]).unwrap();
    let second = run_id(2);
    let says = [
        "version 1",
        "watermark 10",
        &format!("apply export {second} first"),
    ];
    site.refuses(&bundles[2], ErrorCode::MirrorGap, &says);
    site.apply_bytes(&bundles[1]).unwrap();
    site.apply_bytes(&bundles[2]).unwrap();
    site.holds(&line[2].evidence);
}

#[test]
fn the_same_again_is_refused_as_done() {
    let site = Site::new();
    let line = line();
    for export in &line[..3] {
        site.apply(export).unwrap();
    }
    for (at, version) in [(1, "version 2"), (2, "version 3")] {
        let bundle = line[at].bundle(&site.key);
        site.refuses(
            &bundle,
            ErrorCode::MirrorReplay,
            &[version, "nothing to do"],
        );
    }
    // A delta of nothing can be applied once.
    let nothing = Export::delta(9, 90, &line[2], &line[2].evidence);
    site.apply(&nothing).unwrap();
    site.refuses(
        &nothing.bundle(&site.key),
        ErrorCode::MirrorReplay,
        &["version 4"],
    );
    // A full export of what is here.
    let full = Export::full(10, 90, &line[2].evidence);
    site.refuses(
        &full.bundle(&site.key),
        ErrorCode::MirrorReplay,
        &["undamaged"],
    );
}

#[test]
fn forks_are_told_from_gaps() {
    let site = Site::new();
    let line = line();
    for export in &line[..3] {
        site.apply(export).unwrap();
    }
    // Made for version 2, which has gone on.
    let mut other = line[1].evidence.clone();
    other.put(7, 9);
    let fork = Export::delta(20, 50, &line[1], &other);
    let here = run_id(3);
    let says = [
        "version 2 of this mirror",
        "version 3",
        &format!("whose base is export {here}"),
    ];
    site.refuses(&fork.bundle(&site.key), ErrorCode::MirrorFork, &says);
    // Of another line altogether.
    let foreign = Export::full(30, 25, &Evidence::of(5));
    let delta = Export::delta(31, 60, &foreign, &Evidence::of(6));
    site.refuses(
        &delta.bundle(&site.key),
        ErrorCode::MirrorFork,
        &["never was in"],
    );
}

#[test]
fn an_older_full_export_needs_permission() {
    let site = Site::new();
    let line = line();
    for export in &line {
        site.apply(export).unwrap();
    }
    let old = line[0].bundle(&site.key);
    site.refuses(
        &old,
        ErrorCode::MirrorRollback,
        &["watermark 10", "watermark 40"],
    );
    let allowed = Options {
        allow_rollback: true,
        ..site.options()
    };
    let applied = apply(old.as_slice(), &site.dir(), &allowed).unwrap();
    assert!(applied.entry.rolled_back);
    site.holds(&line[0].evidence);
    assert!(site.verify().is_good());
    // From there the line can be gone along again, with new exports only.
    site.refuses(
        &line[1].bundle(&site.key),
        ErrorCode::MirrorReplay,
        &["version 2"],
    );
    let next = Export::delta(40, 50, &line[0], &line[1].evidence);
    site.apply(&next).unwrap();
    site.holds(&line[1].evidence);
}

#[test]
fn another_tenant_or_selection_is_another_mirror() {
    let site = Site::new();
    let line = line();
    site.apply(&line[0]).unwrap();
    let mut tenant = line[1].clone();
    tenant.tenant = "globex".into();
    site.refuses(
        &tenant.bundle(&site.key),
        ErrorCode::MirrorOther,
        &["globex", "acme"],
    );
    let mut selection = line[1].clone();
    selection.selectors.sources = Some(vec!["vendor1".into()]);
    site.refuses(
        &selection.bundle(&site.key),
        ErrorCode::MirrorOther,
        &["other records"],
    );
}

#[test]
fn without_a_key_nothing_is_applied_and_the_first_key_is_held_to() {
    let site = Site::new();
    let line = line();
    let bundle = line[0].bundle(&site.key);
    let keyless = crate::support::options(&[]);
    let error = apply(bundle.as_slice(), &site.dir(), &keyless).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NoKey, "{error}");
    assert!(!site.dir().exists());

    site.apply_bytes(&bundle).unwrap();
    // Later no key has to be given.
    apply(line[1].bundle(&site.key).as_slice(), &site.dir(), &keyless).unwrap();

    let other = SigningKey::generate().unwrap();
    let foreign = line[2].bundle(&other);
    let theirs = other.public_key().fingerprint().to_string();
    let ours = site.key.public_key().fingerprint().to_string();
    site.refuses(&foreign, ErrorCode::WrongKey, &[&theirs, &ours, "--repin"]);
    // Giving the other key does not change what the mirror holds to …
    let keys = [other.public_key().clone()];
    let given = crate::support::options(&keys);
    let error = apply(foreign.as_slice(), &site.dir(), &given).unwrap_err();
    assert!(matches!(error, Error::WrongKey { .. }), "{error}");
    // … but saying so does, and then the old key is the wrong one.
    let repin = Options {
        repin: true,
        ..given
    };
    let applied = apply(foreign.as_slice(), &site.dir(), &repin).unwrap();
    assert!(applied.entry.repinned);
    assert_eq!(status(&site.dir()).unwrap().key.to_string(), theirs);
    let pem = fs::read_to_string(site.dir().join(".mirror/key.pem")).unwrap();
    assert_eq!(pem, other.public_key().to_pem());
    site.refuses(
        &line[3].bundle(&site.key),
        ErrorCode::WrongKey,
        &[&theirs, &ours],
    );
    assert!(site.verify().is_good());
    assert!(
        log(&site.dir())
            .unwrap()
            .iter()
            .all(|link| link.problem.is_none())
    );
}

#[test]
fn a_bundle_of_something_else_is_no_mirror() {
    let site = Site::new();
    let raw = Export::full(1, 10, &Evidence::default()).bundle_with(
        &site.key,
        |manifest| {
            manifest.profile.kind = export_model::ProfileKind::JsonRaw;
            manifest.profile.variant = "raw".into();
            manifest.tree_digest = None;
        },
        |_| {},
    );
    site.refuses(&raw, ErrorCode::NotAMirror, &["json:raw"]);
    site.refuses(b"", ErrorCode::NotABundle, &[]);
    site.refuses(&[7; 4096], ErrorCode::NotABundle, &[]);
}

#[test]
fn a_folder_with_something_else_in_it_is_let_alone() {
    let site = Site::new();
    fs::create_dir_all(site.dir()).unwrap();
    fs::write(site.dir().join("notes.txt"), "mine").unwrap();
    let bundle = Export::full(1, 10, &Evidence::of(3)).bundle(&site.key);
    site.refuses(&bundle, ErrorCode::NoMirror, &["notes.txt"]);
    assert_eq!(fs::read_dir(site.dir()).unwrap().count(), 1);
    assert!(matches!(
        status(&site.dir()),
        Err(Error::NoMirror { .. } | Error::Foreign { .. })
    ));
}

#[test]
fn only_one_apply_at_a_time() {
    let site = Site::new();
    let line = line();
    site.apply(&line[0]).unwrap();
    let second = line[1].bundle(&site.key);
    let (trusted, dir) = (&site.trusted, site.dir());
    let tried = std::sync::Mutex::new(None);
    let observe = |step| {
        if step == export_replica::Step::Judged {
            let other = Options {
                holder: "another test",
                ..crate::support::options(trusted)
            };
            *tried.lock().unwrap() = Some(apply(second.as_slice(), &dir, &other).unwrap_err());
        }
    };
    let observed = crate::support::observed(trusted, &observe);
    apply(second.as_slice(), &dir, &observed).unwrap();
    let error = tried.into_inner().unwrap().unwrap();
    assert_eq!(error.code(), ErrorCode::MirrorBusy);
    assert!(error.to_string().contains("a test"), "{error}");
    site.holds(&line[1].evidence);
}

#[test]
fn refusals_say_what_they_are() {
    let site = Site::new();
    let line = line();
    site.apply(&line[0]).unwrap();
    let error = site.apply(&line[3]).unwrap_err();
    assert!(matches!(
        error,
        Error::Refused(Refusal::Gap { here: Some(_), .. })
    ));
    assert!(tree(&site.dir()).len() > 8);
}
