use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use export_model::{
    CompiledSelectors, CrossTenant, ErrorCode, ProfileKind, Selectors, Sha256Digest, Tenant,
    Timestamp,
};
use export_signing::{PublicKey, SigningKey};
use serde_json::{Value, json};

use super::*;

fn tenant(name: &str) -> Tenant {
    name.parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn selectors(value: Value) -> Selectors {
    serde_json::from_value(value).unwrap()
}

fn compiled(value: Value) -> CompiledSelectors {
    selectors(value)
        .compile_with(ProfileKind::JsonRaw, CrossTenant::Allowed)
        .unwrap()
}

/// What globex lets acme do with its advisories about npm, in November.
fn approval() -> Approval {
    Approval {
        schema: SCHEMA.into(),
        nonce: "2026-11/audit#1".into(),
        grantor: tenant("globex"),
        grantee: tenant("acme"),
        profile_kinds: vec![ProfileKind::JsonRaw],
        selectors: Some(selectors(
            json!({"kinds": ["advisory"], "ecosystems": ["npm"]}),
        )),
        not_before: Some(time("2026-11-01T00:00:00Z")),
        expires_at: time("2026-12-01T00:00:00Z"),
        once: false,
    }
}

struct World {
    key: SigningKey,
    keys: BTreeMap<Tenant, Vec<PublicKey>>,
    selectors: CompiledSelectors,
    grantee: Tenant,
    kind: ProfileKind,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        let key = SigningKey::generate().unwrap();
        let other = SigningKey::generate().unwrap().public_key().clone();
        let keys = BTreeMap::from([(tenant("globex"), vec![other, key.public_key().clone()])]);
        Self {
            key,
            keys,
            selectors: compiled(json!({
                "tenants": ["acme", "globex"], "kinds": ["advisory"], "ecosystems": ["npm"],
            })),
            grantee: tenant("acme"),
            kind: ProfileKind::JsonRaw,
            now: time("2026-11-15T00:00:00Z"),
        }
    }

    fn signed(&self, approval: &Approval) -> Vec<u8> {
        create(approval, &self.key).unwrap()
    }

    fn request(&self) -> Request<'_> {
        Request {
            grantee: &self.grantee,
            profile_kind: self.kind,
            selectors: &self.selectors,
            now: self.now,
        }
    }

    fn verify(&self, envelope: &[u8]) -> Result<Verified, Refused> {
        verify(envelope, &self.keys, &self.request())
    }
}

#[track_caller]
fn refused(outcome: Result<Verified, Refused>, code: ErrorCode, sentence: &str) {
    let refused = outcome.unwrap_err();
    assert!(refused.to_string().contains(sentence), "{refused}");
    assert_eq!(refused.code(), code, "{refused}");
}

#[test]
fn an_approval_has_these_bytes() {
    assert_eq!(
        String::from_utf8(approval().to_bytes().unwrap()).unwrap(),
        "{\"expires_at\":\"2026-12-01T00:00:00Z\",\"grantee\":\"acme\",\"grantor\":\"globex\",\
         \"nonce\":\"2026-11/audit#1\",\"not_before\":\"2026-11-01T00:00:00Z\",\"once\":false,\
         \"profile_kinds\":[\"json:raw\"],\"schema\":\"export-center/approval/v1\",\
         \"selectors\":{\"ecosystems\":[\"npm\"],\"kinds\":[\"advisory\"]}}"
    );
}

#[test]
fn what_was_approved_is_allowed_to_its_last_instant() {
    let mut world = World::new();
    let envelope = world.signed(&approval());
    let verified = world.verify(&envelope).unwrap();
    assert_eq!(verified.approval, approval());
    assert_eq!(verified.key, world.key.public_key().fingerprint());
    assert_eq!(verified.sha256, Sha256Digest::of(&envelope));
    for now in ["2026-11-01T00:00:00Z", "2026-11-30T23:59:59.999Z"] {
        world.now = time(now);
        world.verify(&envelope).unwrap();
    }
    // However it is spelt on its way, it is the same envelope.
    let spelt: Value = serde_json::from_slice(&envelope).unwrap();
    let spelt = serde_json::to_string_pretty(&spelt).unwrap();
    let again = world.verify(spelt.as_bytes()).unwrap();
    assert_eq!(again.sha256, verified.sha256);
}

#[test]
fn an_approval_without_selectors_bounds_nothing() {
    let mut world = World::new();
    world.selectors = compiled(json!({"tenants": ["globex"]}));
    let all = Approval {
        selectors: None,
        not_before: None,
        ..approval()
    };
    world.verify(&world.signed(&all)).unwrap();
}

#[test]
fn a_signature_that_does_not_fit_is_refused() {
    let mut world = World::new();
    let envelope: Value = serde_json::from_slice(&world.signed(&approval())).unwrap();
    // The grantee allows itself more.
    let mut altered = envelope.clone();
    let wider = Approval {
        selectors: None,
        ..approval()
    };
    altered["payload"] = STANDARD.encode(wider.to_bytes().unwrap()).into();
    refused(
        world.verify(altered.to_string().as_bytes()),
        ErrorCode::ApprovalSignature,
        "the approval `2026-11/audit#1` of tenant globex was not signed as it is: it was altered",
    );
    // Signed by the grantee's own key, which claims nothing, then to be the grantor's.
    let own = SigningKey::generate().unwrap();
    let own_fingerprint = own.public_key().fingerprint().to_string();
    let mut foreign: Value = serde_json::from_slice(&create(&approval(), &own).unwrap()).unwrap();
    refused(
        world.verify(foreign.to_string().as_bytes()),
        ErrorCode::ApprovalSignature,
        &format!("the key {own_fingerprint} is not known to be tenant globex's"),
    );
    foreign["signatures"][0]["keyid"] = world.key.public_key().fingerprint().to_string().into();
    refused(
        world.verify(foreign.to_string().as_bytes()),
        ErrorCode::ApprovalSignature,
        "was not signed as it is",
    );
    // A key counts for its own tenant only.
    world
        .keys
        .insert(tenant("acme"), vec![own.public_key().clone()]);
    refused(
        world.verify(foreign.to_string().as_bytes()),
        ErrorCode::ApprovalSignature,
        "was not signed as it is",
    );
    world.keys.clear();
    let mut unnamed = envelope;
    unnamed["signatures"][0]
        .as_object_mut()
        .unwrap()
        .remove("keyid");
    refused(
        world.verify(unnamed.to_string().as_bytes()),
        ErrorCode::ApprovalSignature,
        "no key is known to be tenant globex's",
    );
}

#[test]
fn a_signature_over_another_kind_of_document_is_refused() {
    let world = World::new();
    let document = approval().to_bytes().unwrap();
    let signature = export_signing::dsse::sign(
        &world.key,
        export_signing::dsse::IN_TOTO_PAYLOAD_TYPE,
        &document,
    )
    .unwrap();
    let key = world.key.public_key().fingerprint();
    refused(
        world.verify(&envelope(&document, &signature, &key)),
        ErrorCode::ApprovalSignature,
        "was not signed as it is",
    );
}

#[test]
fn a_time_outside_is_refused() {
    let mut world = World::new();
    let envelope = world.signed(&approval());
    for (now, sentence) in [
        (
            "2026-12-01T00:00:00Z",
            "the approval `2026-11/audit#1` of tenant globex expired at 2026-12-01T00:00:00Z",
        ),
        (
            "2026-10-31T23:59:59.999Z",
            "the approval `2026-11/audit#1` of tenant globex is not valid before \
             2026-11-01T00:00:00Z",
        ),
    ] {
        world.now = time(now);
        refused(world.verify(&envelope), ErrorCode::ApprovalTime, sentence);
    }
}

#[test]
fn another_grantee_kind_or_selection_is_refused() {
    let with = |edit: &dyn Fn(&mut World)| {
        let mut world = World::new();
        let envelope = world.signed(&approval());
        edit(&mut world);
        world.verify(&envelope)
    };
    let name = "the approval `2026-11/audit#1` of tenant globex";
    refused(
        with(&|world| world.grantee = tenant("initech")),
        ErrorCode::ApprovalScope,
        &format!("{name} was given to acme, not to initech"),
    );
    refused(
        with(&|world| world.kind = ProfileKind::JsonPolicy),
        ErrorCode::ApprovalScope,
        &format!("{name} is not for profiles of the kind json:policy"),
    );
    for (asked, criterion) in [
        (
            json!({"tenants": ["globex"], "ecosystems": ["npm"]}),
            "kinds",
        ),
        (
            json!({"tenants": ["globex"], "kinds": ["advisory"], "ecosystems": ["npm", "golang"]}),
            "ecosystems",
        ),
    ] {
        refused(
            with(&|world| world.selectors = compiled(asked.clone())),
            ErrorCode::ApprovalScope,
            &format!("the request selects more than {name} allows: see its `{criterion}`"),
        );
    }
    refused(
        with(&|world| {
            world.selectors = compiled(json!({
                "tenants": ["initech"], "kinds": ["advisory"], "ecosystems": ["npm"],
            }));
        }),
        ErrorCode::ApprovalScope,
        "is of tenant globex, whose evidence the request does not ask for",
    );
}

#[test]
fn every_other_tenant_needs_an_approval_and_only_one() {
    let mut world = World::new();
    let envelope = world.signed(&approval());
    let all =
        |world: &World, envelopes: &[&[u8]]| verify_all(envelopes, &world.keys, &world.request());
    assert_eq!(all(&world, &[&envelope]).unwrap().len(), 1);
    let missing = all(&world, &[]).unwrap_err();
    assert_eq!(missing.to_string(), "there is no approval of tenant globex");
    assert_eq!(missing.code(), ErrorCode::CrossTenant);
    let twice = all(&world, &[&envelope, &envelope]).unwrap_err();
    assert_eq!(
        twice.to_string(),
        "there are two approvals of tenant globex; give one"
    );
    world.selectors = compiled(json!({
        "tenants": ["globex", "initech", "hooli"], "kinds": ["advisory"], "ecosystems": ["npm"],
    }));
    assert_eq!(
        all(&world, &[&envelope]).unwrap_err().to_string(),
        "there is no approval of tenant hooli, tenant initech"
    );
    world.selectors = compiled(json!({"tenants": ["acme"]}));
    assert_eq!(all(&world, &[]).unwrap(), []);
}

#[test]
fn what_is_no_approval_is_refused() {
    let world = World::new();
    let good: Value = serde_json::from_slice(&world.signed(&approval())).unwrap();
    let with = |edit: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        edit(&mut value);
        value.to_string().into_bytes()
    };
    for (bytes, sentence) in [
        (b"".to_vec(), "EOF"),
        (b"[]".to_vec(), "this is no approval"),
        (
            vec![b' '; MAX_ENVELOPE_BYTES + 1],
            "at most 262144 are read",
        ),
        (with(&|v| v["extra"] = 1.into()), "extra"),
        (with(&|v| v["signatures"][0]["cert"] = "x".into()), "cert"),
        (
            with(&|v| v["payloadType"] = "application/vnd.in-toto+json".into()),
            "its payload type is `application/vnd.in-toto+json`",
        ),
        (
            with(&|v| v["signatures"] = json!([])),
            "it has 0 signatures",
        ),
        (with(&|v| v["signatures"][0]["sig"] = "!".into()), "base64"),
        (with(&|v| v["payload"] = "!".into()), "base64"),
        (
            with(&|v| v["payload"] = STANDARD.encode("{}").into()),
            "schema",
        ),
        (
            with(&|v| v["payload"] = STANDARD.encode(r#"{"a":1,"a":2}"#).into()),
            "this is no approval",
        ),
    ] {
        refused(world.verify(&bytes), ErrorCode::ApprovalInvalid, sentence);
    }
}

#[test]
fn documents_that_break_a_rule_are_neither_made_nor_read() {
    let good: Value = serde_json::from_slice(&approval().to_bytes().unwrap()).unwrap();
    for (member, to, sentence) in [
        ("nonce", json!(""), "`nonce` must be"),
        ("nonce", json!("a b"), "`nonce` must be"),
        ("nonce", json!("x".repeat(129)), "`nonce` must be"),
        ("nonce", json!("\u{e9}"), "`nonce` must be"),
        ("grantee", json!("globex"), "are both globex"),
        ("grantor", json!("Globex"), "is not a tenant"),
        ("profile_kinds", json!([]), "`profile_kinds` must name"),
        (
            "profile_kinds",
            json!(["json:raw", "json:raw"]),
            "`profile_kinds` must name",
        ),
        ("profile_kinds", json!(["json:all"]), "json:all"),
        ("not_before", json!("2026-12-01T00:00:00Z"), "is not before"),
        ("expires_at", json!("soon"), "soon"),
        ("once", json!("yes"), "boolean"),
        (
            "selectors",
            json!({"kinds": []}),
            "selectors.kinds must not be empty",
        ),
        (
            "selectors",
            json!({"tenants": ["x"]}),
            "selectors.tenants has no place",
        ),
        (
            "selectors",
            json!({"include": [{"kinds": ["vex"]}]}),
            "selectors.include has no place",
        ),
        (
            "schema",
            json!("export-center/approval/v2"),
            "its schema is",
        ),
        ("comment", json!("more"), "comment"),
    ] {
        let mut bad = good.clone();
        bad[member] = to;
        let error = Approval::parse(bad.to_string().as_bytes()).unwrap_err();
        assert!(error.to_string().contains(sentence), "{member}: {error}");
    }
    // The one form that is signed.
    let text = good.to_string();
    Approval::parse(text.as_bytes()).unwrap();
    assert!(Approval::parse(text.replacen(':', ": ", 1).as_bytes()).is_err());
    let unmade = Approval {
        nonce: String::new(),
        ..approval()
    };
    let key = SigningKey::generate().unwrap();
    let error = create(&unmade, &key).unwrap_err();
    assert!(error.to_string().starts_with("this cannot be approved"));
}
