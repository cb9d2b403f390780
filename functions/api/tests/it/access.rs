//! Every operation of the document is closed to whoever may not: without a token, without the
//! scope, and from another tenant, who learns nothing.

use export_api::http::{BASE, openapi_document};
use export_authority::Scope;
use export_scenarios::SMALL;
use serde_json::{Value, json};

use crate::support::{Api, Ask, Caller, SCOPES, id, run};

/// What stands in the paths.
struct Names {
    run: String,
    profile: String,
    schedule: String,
}

/// An operation of the document.
struct Operation {
    method: String,
    path: String,
    scope: Scope,
}

/// Every operation that the document names.
fn operations() -> Vec<Operation> {
    let document = openapi_document();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"][0]["dpop"].as_array();
            let scopes = security.unwrap_or_else(|| panic!("{method} {path} is open"));
            assert_eq!(scopes.len(), 1, "{method} {path}");
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.strip_prefix(BASE).unwrap().to_owned(),
                scope: scopes[0].as_str().unwrap().parse().unwrap(),
            });
        }
    }
    assert!(operations.len() >= 22, "{}", operations.len());
    operations
}

impl Operation {
    /// Whether its path names something that a tenant has.
    fn is_of_something(&self) -> bool {
        self.path.contains("{id}")
    }

    /// A request that is good but for whoever makes it.
    fn ask(&self, names: &Names) -> Ask {
        let id = match self.path.split('/').nth(1).unwrap() {
            "profiles" => &names.profile,
            "schedules" => &names.schedule,
            _ => &names.run,
        };
        let path = self
            .path
            .replace("{id}", id)
            .replace("{kind}", "json:raw")
            .replace("{path}", "export.json");
        assert!(!path.contains('{'), "what is {path}?");
        let ask = Ask::new(&self.method, path);
        match (self.method.as_str(), self.path.as_str()) {
            ("PATCH", _) => ask
                .with("if-match", "\"1.1\"")
                .json(&json!({ "description": "changed" })),
            ("POST", "/runs") => ask.json(&json!({ "profile": names.profile })),
            ("POST", "/schedules") => ask.json(&json!({
                "name": "nightly", "profile": names.profile, "when": "rate(6 hours)",
            })),
            ("POST", "/profiles") => ask.json(&json!({ "name": "new", "kind": "json:raw" })),
            _ => ask,
        }
    }
}

/// A run with a bundle, a profile and a schedule of `caller`.
async fn things(api: &Api, caller: &Caller) -> Names {
    let new = json!({ "name": "private", "kind": "json:raw" });
    caller.post("/profiles", &new).await.ok(201);
    let new = json!({ "name": "nightly", "profile": "private", "when": "rate(6 hours)" });
    let schedule = caller.post("/schedules", &new).await.ok(201);
    let submitted = caller.submit("private").await;
    api.finish(&submitted).await;
    Names {
        run: id(&submitted).to_owned(),
        profile: "private".to_owned(),
        schedule: schedule["id"].as_str().unwrap().to_owned(),
    }
}

fn nothing() -> Names {
    Names {
        run: "01993c00-0000-7000-8000-00000000dead".to_owned(),
        profile: "nowhere".to_owned(),
        schedule: "01993c00-0000-7000-8000-00000000beef".to_owned(),
    }
}

#[test]
fn nothing_is_open_without_a_token() {
    run(async {
        let api = Api::new(&SMALL).await;
        for operation in operations() {
            let mut ask = operation.ask(&nothing());
            ask.path = format!("{BASE}{}", ask.path);
            let reply = ask.at(api.at[0]).await;
            reply.refused(401, "ERR_UNAUTHENTICATED");
            let challenge = reply.header("www-authenticate");
            assert!(challenge.starts_with("DPoP algs=\"ES256 "), "{challenge}");
            // RFC 6750 §3.1: no error is named where no credentials were sent.
            assert!(!challenge.contains("error"), "{challenge}");
        }
    });
}

#[test]
fn a_token_without_the_scope_is_told_which_one() {
    run(async {
        let api = Api::new(&SMALL).await;
        for operation in operations() {
            let scope = operation.scope;
            let others: Vec<Scope> = SCOPES.into_iter().filter(|s| *s != scope).collect();
            let caller = api.caller_with("acme", &others, 600);
            let reply = caller.send(operation.ask(&nothing())).await;
            let problem = reply.refused(403, "ERR_SCOPE_MISSING");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.ends_with(scope.as_str()), "{detail}");
            let challenge = reply.header("www-authenticate");
            for part in [
                "error=\"insufficient_scope\"".to_owned(),
                format!("scope=\"{}\"", scope.as_str()),
            ] {
                assert!(challenge.contains(&part), "{challenge}");
            }
            // The same token with the scope alone is let in.
            let caller = api.caller_with("acme", &[scope], 600);
            let reply = caller.send(operation.ask(&nothing())).await;
            assert_ne!(reply.status, 403, "{} {}", operation.method, operation.path);
        }
    });
}

/// What a problem says, without what belongs to the request alone.
fn said(problem: &Value, names: &Names) -> String {
    let mut problem = problem.clone();
    for own in ["instance", "request_id"] {
        problem.as_object_mut().unwrap().remove(own);
    }
    let mut text = problem.to_string();
    for name in [&names.run, &names.profile, &names.schedule] {
        text = text.replace(name.as_str(), "…");
    }
    text
}

#[test]
fn what_another_tenant_has_does_not_exist() {
    run(async {
        let api = Api::new(&SMALL).await;
        let owner = api.caller("acme");
        let there = things(&api, &owner).await;
        let nothing = nothing();
        let stranger = api.caller("globex");
        let mut tried = 0;
        for operation in operations() {
            let names_a_profile = ["/runs", "/schedules"].contains(&operation.path.as_str())
                && operation.method == "POST";
            if !operation.is_of_something() && !names_a_profile {
                continue;
            }
            let what = format!("{} {}", operation.method, operation.path);
            let theirs = stranger.send(operation.ask(&there)).await;
            let nobodys = stranger.send(operation.ask(&nothing)).await;
            assert_eq!(theirs.status, 404, "{what}: {theirs:?}");
            assert_eq!(nobodys.status, 404, "{what}: {nobodys:?}");
            let headers = |reply: &crate::support::Reply| {
                let mut names: Vec<_> = reply.headers.keys().map(ToString::to_string).collect();
                names.sort();
                names
            };
            assert_eq!(headers(&theirs), headers(&nobodys), "{what}");
            assert_eq!(
                said(&theirs.json(), &there),
                said(&nobodys.json(), &nothing),
                "{what}"
            );
            tried += 1;
        }
        assert!(tried >= 15, "{tried}");
        // All of it is still there for its owner, as it was.
        for path in [
            format!("/runs/{}", there.run),
            format!("/profiles/{}", there.profile),
            format!("/schedules/{}", there.schedule),
        ] {
            owner.get(path).await.ok(200);
        }
        // And in nobody else's lists.
        for list in ["/runs", "/profiles", "/schedules"] {
            let listed = stranger.get(list).await.ok(200).to_string();
            for name in [&there.run, &there.profile, &there.schedule] {
                assert!(!listed.contains(name.as_str()), "{list}: {listed}");
            }
        }
    });
}

#[test]
fn paths_that_are_none_and_methods_that_are_not_there() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        for path in ["/nothing", "/runs/", "/runs/x/y/z", ""] {
            caller.get(path).await.refused(404, "ERR_NO_SUCH_RESOURCE");
        }
        let reply = caller.send(Ask::new("PUT", "/runs")).await;
        reply.refused(405, "ERR_WRONG_METHOD");
        let allowed = reply.header("allow");
        assert!(
            allowed.contains("GET") && allowed.contains("POST"),
            "{allowed}"
        );
        for path in ["/health/live", "/health/ready"] {
            let reply = Ask::get(path).at(api.at[0]).await;
            reply.ok(200);
        }
    });
}
