//! Profiles: made, changed under `If-Match`, read in old revisions, retired, described by a schema.

use export_model::{ProfileConfig, ProfileKind};
use export_scenarios::SMALL;
use serde_json::{Value, json};

use crate::support::{Api, Ask, run};

#[test]
fn a_profile_from_its_beginning_to_its_end() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let new = json!({
            "name": "weekly", "kind": "json:raw", "description": "For the auditors",
            "config": { "records_per_part": 10 },
        });
        let reply = caller.post("/profiles", &new).await;
        let made = reply.ok(201);
        assert_eq!(reply.header("location"), "/api/export/profiles/weekly");
        let first = reply.header("etag").to_owned();
        assert!(first.starts_with('"') && first.ends_with('"'), "{first}");
        assert_eq!(made["name"], "weekly");
        assert_eq!(made["revision"], 1);
        assert_eq!(made["config"]["records_per_part"], 10);
        assert_eq!(made["builtin"], false);
        caller
            .post("/profiles", &new)
            .await
            .refused(409, "ERR_PROFILE_EXISTS");

        let path = "/profiles/weekly";
        let reply = caller.get(path).await;
        assert_eq!(reply.ok(200), made);
        assert_eq!(reply.header("etag"), first);
        let list = caller.get("/profiles").await.ok(200);
        let list = list["profiles"].as_array().unwrap();
        assert!(list.contains(&made));
        assert!(
            list.iter()
                .any(|p| p["name"] == "json:raw" && p["builtin"] == true)
        );

        // Which revision is meant has to be said.
        let change = json!({ "config": { "records_per_part": 20 } });
        let patch = || Ask::new("PATCH", path).json(&change);
        caller
            .send(patch())
            .await
            .refused(428, "ERR_PRECONDITION_REQUIRED");
        for stale in ["\"9.9\"", "\"1\"", "*", "W/\"1.1\"", "1.1", "\"x.y\""] {
            let problem = caller
                .send(patch().with("if-match", stale))
                .await
                .refused(412, "ERR_PRECONDITION_FAILED");
            assert!(!problem["detail"].as_str().unwrap().is_empty());
        }
        let reply = caller.send(patch().with("if-match", &first)).await;
        let changed = reply.ok(200);
        let second = reply.header("etag").to_owned();
        assert_ne!(first, second);
        assert_eq!(changed["revision"], 2);
        assert_eq!(changed["config"]["records_per_part"], 20);
        caller
            .send(patch().with("if-match", &first))
            .await
            .refused(412, "ERR_PRECONDITION_FAILED");
        // What was is still there.
        let old = caller.get(format!("{path}?revision=1")).await.ok(200);
        assert_eq!(old["config"]["records_per_part"], 10);
        caller
            .get(format!("{path}?revision=3"))
            .await
            .refused(404, "ERR_UNKNOWN_PROFILE");
        // A description is changed in place.
        let change = json!({ "description": "For everybody" });
        let ask = Ask::new("PATCH", path)
            .json(&change)
            .with("if-match", &second);
        let reply = caller.send(ask).await;
        assert_eq!(reply.ok(200)["revision"], 2);
        let third = reply.header("etag").to_owned();
        assert_ne!(second, third);

        // Retired: nothing is run with it any more, what was is still to be read.
        let delete = |tag: &str| Ask::new("DELETE", path).with("if-match", tag);
        caller
            .send(delete(&second))
            .await
            .refused(412, "ERR_PRECONDITION_FAILED");
        let reply = caller.send(delete(&third)).await;
        assert_eq!((reply.status, reply.body.len()), (204, 0));
        let run = json!({ "profile": "weekly" });
        for gone in [caller.get(path).await, caller.post("/runs", &run).await] {
            gone.refused(409, "ERR_PROFILE_RETIRED");
        }
        let old = caller.get(format!("{path}?revision=2")).await.ok(200);
        assert!(old["retired_at"].is_string(), "{old:#}");
        let again = caller.post("/profiles", &new).await;
        again.refused(409, "ERR_PROFILE_RETIRED");
    });
}

#[test]
fn built_in_profiles_stay_as_they_are() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let reply = caller.get("/profiles/json:raw").await;
        reply.ok(200);
        let tag = reply.header("etag").to_owned();
        let ask = |method: &str| Ask::new(method, "/profiles/json:raw").with("if-match", &tag);
        let patch = ask("PATCH").json(&json!({ "description": "mine" }));
        for refused in [caller.send(patch).await, caller.send(ask("DELETE")).await] {
            refused.refused(409, "ERR_BUILTIN_PROFILE");
        }
    });
}

#[test]
fn every_wrong_member_of_a_profile_is_named() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let new = json!({
            "name": "Wrong Name", "kind": "json:raw",
            "config": {
                "records_per_part": 0, "compression": { "level": 99 }, "kinds": [],
                "retention": { "days": 0 },
            },
        });
        let problem = caller
            .post("/profiles", &new)
            .await
            .refused(422, "ERR_INVALID_REQUEST");
        let mut named: Vec<_> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["field"].as_str().unwrap())
            .collect();
        named.sort_unstable();
        assert_eq!(
            named,
            [
                "config.compression.level",
                "config.kinds",
                "config.records_per_part",
                "config.retention.days",
                "name",
            ]
        );
        let new = json!({ "name": "x", "kind": "json:raw", "config": { "bogus": 1 } });
        let problem = caller
            .post("/profiles", &new)
            .await
            .refused(422, "ERR_INVALID_REQUEST");
        assert!(problem["errors"][0].to_string().contains("bogus"));
    });
}

/// Whether a schema lets through exactly the members that it names; follows references.
fn closed<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(to) => closed(root.pointer(to.trim_start_matches('#')).unwrap(), root),
        None => schema,
    }
}

#[test]
fn the_schema_of_a_kind_knows_the_default_and_nothing_else() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        for kind in ["json:raw", "json:policy", "trivy:db", "trivy:java-db"] {
            let schema = caller
                .get(format!("/schemas/profiles/{kind}"))
                .await
                .ok(200);
            assert_eq!(
                schema["$schema"],
                "https://json-schema.org/draft/2020-12/schema"
            );
            assert_eq!(schema["type"], "object");
            assert_eq!(schema["additionalProperties"], false);
            let default = serde_json::to_value(ProfileConfig::default()).unwrap();
            let members = schema["properties"].as_object().unwrap();
            for (name, value) in default.as_object().unwrap() {
                let member = members.get(name).unwrap_or_else(|| panic!("no {name}"));
                let member = closed(member, &schema);
                if value.is_object() {
                    assert_eq!(member["additionalProperties"], false, "{name}");
                    for inner in value.as_object().unwrap().keys() {
                        assert!(!member["properties"][inner].is_null(), "{name}.{inner}");
                    }
                }
            }
            let parsed: ProfileKind = kind.parse().unwrap();
            let kinds: Vec<_> = parsed.kinds().iter().map(|kind| kind.as_str()).collect();
            assert_eq!(
                schema["properties"]["kinds"]["anyOf"][0]["items"]["enum"],
                json!(kinds)
            );
            let version = &schema["properties"]["schema_version"];
            assert_eq!(version.is_null(), parsed.schema_version().is_none());
        }
        caller
            .get("/schemas/profiles/nothing")
            .await
            .refused(404, "ERR_NO_SUCH_RESOURCE");
    });
}

#[test]
fn a_schema_of_a_scanner_that_is_not_written_is_refused_when_a_run_is_asked_for() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let new = |name: &str, kind: &str, version: u32| json!({ "name": name, "kind": kind, "config": { "schema_version": version } });
        caller
            .post("/profiles", &new("current", "trivy:db", 2))
            .await
            .ok(201);
        caller
            .post("/profiles", &new("future", "trivy:db", 3))
            .await
            .ok(201);
        for (kind, version) in [("json:raw", 2), ("trivy:java-db", 0)] {
            let problem = caller
                .post("/profiles", &new("wrong", kind, version))
                .await
                .refused(422, "ERR_INVALID_REQUEST");
            assert_eq!(problem["errors"][0]["field"], "config.schema_version");
        }
        let refused = |problem: &Value, field: &str| {
            assert_eq!(problem["errors"][0]["field"], field, "{problem:#}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(
                detail.contains('3') && detail.contains("writes 2"),
                "{detail}"
            );
        };
        let problem = caller.post("/runs", &json!({ "profile": "future" })).await;
        refused(
            &problem.refused(422, "ERR_TRIVY_SCHEMA"),
            "config.schema_version",
        );
        let ask = json!({ "profile": "trivy:db", "options": { "schema_version": 3 } });
        let problem = caller.post("/runs", &ask).await;
        refused(
            &problem.refused(422, "ERR_TRIVY_SCHEMA"),
            "options.schema_version",
        );

        // What a run is asked for wins over its profile.
        let ask = json!({ "profile": "future", "options": { "schema_version": 2 } });
        let submitted = caller.post("/runs", &ask).await.ok(202);
        assert_eq!(submitted["options"]["schema_version"], 2);
        caller
            .post("/runs", &json!({ "profile": "current" }))
            .await
            .ok(202);
        let ask = json!({ "profile": "json:raw", "options": { "schema_version": 2 } });
        let problem = caller.post("/runs", &ask).await;
        let problem = problem.refused(422, "ERR_INVALID_REQUEST");
        assert_eq!(problem["errors"][0]["field"], "options.schema_version");
    });
}
