//! Evidence of another tenant, over HTTP: only with an approval that this tenant signed.

use std::collections::BTreeMap;

use export_api::http::ServiceConfig;
use export_approval::{Approval, ApprovalPolicy, SCHEMA, create};
use export_model::{ProfileKind, Timestamp};
use export_scenarios::SMALL;
use export_signing::SigningKey;
use serde_json::{Value, json};

use crate::support::{Api, run};

/// An approval by globex for acme that never ends, changed by `change`.
fn approval(key: &SigningKey, nonce: &str, change: impl FnOnce(&mut Approval)) -> Value {
    let mut approval = Approval {
        schema: SCHEMA.into(),
        nonce: nonce.to_owned(),
        grantor: "globex".parse().unwrap(),
        grantee: "acme".parse().unwrap(),
        profile_kinds: vec![ProfileKind::JsonRaw],
        selectors: None,
        not_before: None,
        expires_at: Timestamp(4_000_000_000_000),
        once: false,
    };
    change(&mut approval);
    serde_json::from_slice(&create(&approval, key).unwrap()).unwrap()
}

fn asked(approvals: &[Value]) -> Value {
    json!({
        "profile": "json:raw",
        "selectors": { "tenants": ["acme", "globex"] },
        "options": { "approval": approvals },
    })
}

fn allowed(key: &SigningKey) -> ServiceConfig {
    ServiceConfig {
        approvals: ApprovalPolicy {
            enabled: true,
            keys: BTreeMap::from([("globex".parse().unwrap(), vec![key.public_key().clone()])]),
        },
        ..ServiceConfig::default()
    }
}

#[test]
fn an_approval_opens_the_door_once_if_it_says_so() {
    run(async {
        let key = SigningKey::generate().unwrap();
        let api = Api::with(&SMALL, 2, allowed(&key)).await;
        let caller = api.caller("acme");
        let once = approval(&key, "audit-7", |approval| approval.once = true);
        let body = asked(std::slice::from_ref(&once));
        let run = caller.post("/runs", &body).await.ok(202);
        api.finish(&run).await;
        let path = format!("/runs/{}", run["run_id"].as_str().unwrap());
        let ended = caller.get(&path).await.ok(200);
        assert_eq!(ended["status"], "completed");
        assert_eq!(ended["tenants"], json!(["acme", "globex"]));
        assert_eq!(ended["approvals"][0]["nonce"], "audit-7");
        // The other tenant gave its evidence, not a view of acme's run.
        api.caller("globex")
            .get(&path)
            .await
            .refused(404, "ERR_UNKNOWN_RUN");
        // Used up, also at the other replica.
        let other = caller.on(api.at[1]);
        let reply = other.post("/runs", &body).await;
        let problem = reply.refused(409, "ERR_APPROVAL_USED");
        assert!(problem["detail"].as_str().unwrap().contains("audit-7"));
    });
}

#[test]
fn what_was_not_approved_is_refused() {
    run(async {
        let key = SigningKey::generate().unwrap();
        let api = Api::with(&SMALL, 1, allowed(&key)).await;
        let caller = api.caller("acme");
        let refused = async |approvals: &[Value], code: &str| {
            let reply = caller.post("/runs", &asked(approvals)).await;
            let problem = reply.refused(403, code);
            assert!(problem["errors"][0]["field"].is_string(), "{problem}");
        };
        refused(&[], "ERR_CROSS_TENANT").await;
        let expired = approval(&key, "a", |approval| approval.expires_at = Timestamp(1));
        refused(&[expired], "ERR_APPROVAL_TIME").await;
        let others = approval(&key, "b", |approval| {
            approval.grantee = "initech".parse().unwrap();
        });
        refused(&[others], "ERR_APPROVAL_SCOPE").await;
        let narrow = approval(&key, "c", |approval| {
            approval.selectors = Some(serde_json::from_value(json!({ "kinds": ["vex"] })).unwrap());
        });
        refused(&[narrow], "ERR_APPROVAL_SCOPE").await;
        let stranger = SigningKey::generate().unwrap();
        let forged = approval(&stranger, "d", |_| {});
        refused(&[forged], "ERR_APPROVAL_SIGNATURE").await;
        assert_eq!(caller.get("/runs").await.ok(200)["runs"], json!([]));

        // Where the feature is off, not even a good one helps.
        let closed = Api::new(&SMALL).await;
        let good = approval(&key, "e", |_| {});
        let reply = closed.caller("acme").post("/runs", &asked(&[good])).await;
        reply.refused(403, "ERR_CROSS_TENANT");
    });
}
