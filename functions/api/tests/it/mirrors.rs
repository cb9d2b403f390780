//! Mirrors over HTTP: profiles with indexes, deltas that start from an export, bases that are none.

use std::time::Duration;

use export_scenarios::{BEFORE_CHANGES, CHANGING};
use serde_json::{Value, json};

use crate::support::{Api, Caller, id, run};

const DAY: Duration = Duration::from_secs(86_400);

async fn export(api: &Api, caller: &Caller, body: &Value) -> Value {
    let submitted = caller.post("/runs", body).await.ok(202);
    api.finish(&submitted).await;
    let path = format!("/runs/{}", id(&submitted));
    let done = caller.get(path).await.ok(200);
    assert_eq!(done["status"], "completed", "{done:#}");
    done
}

fn delta(base: &str) -> Value {
    json!({ "profile": "mirror:delta", "options": { "base_export_id": base } })
}

#[test]
fn a_delta_starts_from_the_export_that_is_named() {
    run(async {
        let api = Api::new(&CHANGING).await;
        let caller = api.caller("acme");
        let before = json!({
            "profile": "mirror:full", "options": { "as_of": BEFORE_CHANGES },
        });
        let full = export(&api, &caller, &before).await;
        assert_eq!(full["records"], 8);
        let done = export(&api, &caller, &delta(id(&full))).await;
        assert_eq!(done["records"], 5);
        assert_eq!(done["profile_kind"], "mirror:delta");
        let nothing = export(&api, &caller, &delta(id(&done))).await;
        assert_eq!(nothing["records"], 0);
    });
}

#[test]
fn bases_that_are_none_are_refused() {
    run(async {
        let api = Api::new(&CHANGING).await;
        let caller = api.caller("acme");
        let refused = async |caller: &Caller, body: &Value, code: &str, says: &str| {
            let problem = caller.post("/runs", body).await.refused(422, code);
            let error = &problem["errors"][0];
            assert_eq!(error["field"], "options.base_export_id", "{problem:#}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(says), "{message}");
        };
        let nothing = "01890000-0000-7000-8000-000000000000";
        let code = "ERR_DELTA_BASE";
        refused(&caller, &delta(nothing), code, "has no run").await;
        let raw = export(&api, &caller, &json!({ "profile": "json:raw" })).await;
        refused(&caller, &delta(id(&raw)), code, "json:raw, not a mirror").await;
        let full = export(&api, &caller, &json!({ "profile": "mirror:full" })).await;
        let mut other = delta(id(&full));
        other["selectors"] = json!({ "kinds": ["advisory"] });
        refused(&caller, &other, code, "selects something else").await;
        let pending = caller.submit("mirror:full").await;
        refused(&caller, &delta(id(&pending)), code, "is pending").await;
        // What another tenant has is not even said to be there.
        let theirs = api.caller("globex");
        refused(&theirs, &delta(id(&full)), code, "globex has no run").await;

        let code = "ERR_INVALID_REQUEST";
        let without = json!({ "profile": "mirror:delta" });
        refused(&caller, &without, code, "must name the export").await;
        let mut full_with = delta(id(&full));
        full_with["profile"] = "mirror:full".into();
        refused(&caller, &full_with, code, "starts from no other export").await;
    });
}

#[test]
fn a_base_whose_list_is_gone_is_gone() {
    run(async {
        let api = Api::new(&CHANGING).await;
        let caller = api.caller("acme");
        for (name, kind) in [("tree", "mirror:full"), ("changes", "mirror:delta")] {
            let profile = json!({
                "name": name, "kind": kind,
                "config": { "retention": { "days": 1, "listing_days": 3 } },
            });
            caller.post("/profiles", &profile).await.ok(201);
        }
        let full = export(&api, &caller, &json!({ "profile": "tree" })).await;
        let mut body = delta(id(&full));
        body["profile"] = "changes".into();
        for (days, is_kept) in [(2, true), (2, false)] {
            api.world.clock.advance(DAY * days);
            export_lifecycle::tick(&api.world.observer).await.unwrap();
            api.world.settle(&api.worker).await.unwrap();
            let caller = api.caller("acme");
            let path = format!("/runs/{}/download", id(&full));
            caller.get(path).await.refused(410, "ERR_PRUNED");
            let reply = caller.post("/runs", &body).await;
            if is_kept {
                reply.ok(202);
            } else {
                let problem = reply.refused(410, "ERR_DELTA_BASE_PRUNED");
                let detail = problem["detail"].as_str().unwrap();
                assert!(
                    detail.contains(id(&full)) && detail.contains("3 days"),
                    "{detail}"
                );
            }
        }
    });
}

#[test]
fn profiles_say_which_indexes_and_how_long_lists_are_kept() {
    run(async {
        let api = Api::new(&CHANGING).await;
        let caller = api.caller("acme");
        let profile =
            |kind: &str, config: Value| json!({ "name": "p", "kind": kind, "config": config });
        for (kind, config, field) in [
            ("json:raw", json!({ "indexes": ["purl"] }), "config.indexes"),
            (
                "mirror:full",
                json!({ "indexes": ["purl", "purl"] }),
                "config.indexes[1]",
            ),
            (
                "json:raw",
                json!({ "retention": { "days": 1, "listing_days": 3 } }),
                "config.retention.listing_days",
            ),
            (
                "mirror:full",
                json!({ "retention": { "days": 9, "listing_days": 3 } }),
                "config.retention.listing_days",
            ),
        ] {
            let reply = caller.post("/profiles", &profile(kind, config)).await;
            let problem = reply.refused(422, "ERR_INVALID_REQUEST");
            assert_eq!(problem["errors"][0]["field"], field, "{problem:#}");
        }
        for wrong in [
            json!({ "indexes": ["color"] }),
            json!({ "indexes": "purl" }),
        ] {
            let reply = caller
                .post("/profiles", &profile("mirror:full", wrong))
                .await;
            reply.refused(422, "ERR_INVALID_REQUEST");
        }
        let config = json!({
            "indexes": ["purl", "identifier"], "retention": { "days": 9, "listing_days": 400 },
        });
        let made = caller
            .post("/profiles", &profile("mirror:full", config))
            .await
            .ok(201);
        assert_eq!(made["config"]["indexes"], json!(["purl", "identifier"]));
        assert_eq!(
            made["config"]["retention"],
            json!({ "days": 9, "listing_days": 400 })
        );
        let done = export(&api, &caller, &json!({ "profile": "p" })).await;
        assert_eq!(done["records"], 10);
        // None are wanted.
        let mut none = profile("mirror:full", json!({ "indexes": [] }));
        none["name"] = "none".into();
        caller.post("/profiles", &none).await.ok(201);
        export(&api, &caller, &json!({ "profile": "none" })).await;
    });
}
