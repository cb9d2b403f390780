#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use export_model::{ProfileKind, Timestamp};

use super::*;
use crate::chain::TreeCounts;

fn id(number: u8) -> RunId {
    format!("0192f000-0000-7000-8000-0000000000{number:02x}")
        .parse()
        .unwrap()
}

fn tree(number: u8) -> Sha256Digest {
    Sha256Digest([number; 32])
}

/// Version `number` was made by export `number`, at ten times that watermark.
fn entry(number: u8) -> Entry {
    Entry {
        schema: Entry::schema(),
        version: number.into(),
        applied_at: Timestamp(0),
        export_id: id(number),
        tenant: "acme".parse().unwrap(),
        profile: "mirror:full".into(),
        kind: ProfileKind::MirrorFull,
        watermark: u64::from(number) * 10,
        manifest_sha256: tree(100 + number),
        tree_digest: tree(number),
        base: None,
        key: export_signing::Fingerprint::of_spki(b"key"),
        repinned: false,
        rolled_back: false,
        counts: TreeCounts::default(),
        policy_snapshot: None,
        derived: BTreeMap::new(),
    }
}

fn full(number: u8) -> Claim {
    Claim {
        export_id: id(number),
        tenant: "acme".parse().unwrap(),
        profile: "mirror:full".into(),
        kind: ProfileKind::MirrorFull,
        config: ProfileConfig::default(),
        selectors: Selectors::default(),
        watermark: u64::from(number) * 10,
        tree_digest: tree(number),
        base: None,
    }
}

fn delta(from: u8, to: u8) -> Claim {
    Claim {
        profile: "mirror:delta".into(),
        kind: ProfileKind::MirrorDelta,
        base: Some(MirrorBase {
            export_id: id(from),
            manifest_sha256: tree(100 + from),
            tree_digest: tree(from),
            watermark: u64::from(from) * 10,
        }),
        ..full(to)
    }
}

fn on(chain: &[u8], claim: &Claim) -> Result<Way, Refusal> {
    let chain: Vec<_> = chain.iter().map(|number| entry(*number)).collect();
    decide(claim, &chain, false)
}

fn decide(claim: &Claim, chain: &[Entry], allow_rollback: bool) -> Result<Way, Refusal> {
    let contents = Contents {
        selectors: &Selectors::default(),
        config: &ProfileConfig::default(),
    };
    judge(claim, chain, contents, allow_rollback)
}

#[test]
fn what_continues_is_let_in() {
    assert_eq!(on(&[], &full(3)), Ok(Way::Full));
    assert_eq!(on(&[1, 2], &full(3)), Ok(Way::Full));
    assert_eq!(on(&[1, 2], &delta(2, 3)), Ok(Way::Delta));
    assert_eq!(on(&[1, 2], &full(2)), Ok(Way::Same));
    // A delta of nothing: the same tree at a later watermark.
    let mut nothing = delta(2, 3);
    nothing.tree_digest = tree(2);
    assert_eq!(on(&[1, 2], &nothing), Ok(Way::Delta));
    // Another export of the same tree is the same base.
    let mut other = delta(2, 3);
    other.base.as_mut().unwrap().export_id = id(77);
    assert_eq!(on(&[1, 2], &other), Ok(Way::Delta));
}

#[test]
fn a_delta_of_another_state_says_which_and_what_to_do() {
    let refused = |chain: &[u8], claim: &Claim| {
        let refusal = on(chain, claim).unwrap_err();
        (refusal.code(), refusal.to_string())
    };
    let (code, text) = refused(&[], &delta(1, 2));
    assert_eq!(code, ErrorCode::MirrorGap);
    assert!(
        text.contains("full export first") && text.contains(id(1).as_str()),
        "{text}"
    );

    let (code, text) = refused(&[1, 2], &delta(3, 4));
    assert_eq!(code, ErrorCode::MirrorGap);
    assert!(
        text.contains(&format!("apply export {} first", id(3))),
        "{text}"
    );
    assert!(
        text.contains("version 2") && text.contains("watermark 20"),
        "{text}"
    );

    let (code, text) = refused(&[1, 2], &delta(1, 3));
    assert_eq!(code, ErrorCode::MirrorFork);
    assert!(text.contains("version 1 of this mirror"), "{text}");
    assert!(
        text.contains(&format!("whose base is export {}", id(2))),
        "{text}"
    );

    let mut unrelated = delta(2, 4);
    let base = unrelated.base.as_mut().unwrap();
    (base.export_id, base.tree_digest, base.watermark) = (id(50), tree(50), 15);
    let (code, text) = refused(&[1, 2], &unrelated);
    assert_eq!(code, ErrorCode::MirrorFork);
    assert!(text.contains("never was in"), "{text}");

    let (code, text) = refused(&[1, 2, 3], &delta(1, 2));
    assert_eq!(code, ErrorCode::MirrorReplay);
    assert!(text.contains("as version 2"), "{text}");
}

#[test]
fn going_back_takes_a_full_export_and_permission() {
    let chain: Vec<_> = [3, 4].iter().map(|number| entry(*number)).collect();
    let refusal = decide(&full(2), &chain, false).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::MirrorRollback);
    assert_eq!(decide(&full(2), &chain, true), Ok(Way::Full));
    // A delta of an older line that happens to begin with the tree that is here.
    let mut old = delta(4, 2);
    old.export_id = id(60);
    let refusal = decide(&old, &chain, true).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::MirrorRollback);
}

#[test]
fn another_tenant_profile_or_selection_is_another_mirror() {
    let mut tenant = full(3);
    tenant.tenant = "globex".parse().unwrap();
    let mut profile = delta(2, 3);
    profile.config.kinds = Some(vec![export_model::Kind::Vex]);
    let mut selection = delta(2, 3);
    selection.selectors.sources = Some(vec!["nvd".into()]);
    for claim in [tenant, profile, selection] {
        assert_eq!(
            on(&[1, 2], &claim).unwrap_err().code(),
            ErrorCode::MirrorOther
        );
    }
}
