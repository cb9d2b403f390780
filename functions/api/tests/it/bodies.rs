//! Bodies, parameters and headers that are wrong: refused by name, quickly, and never repeated raw.

use std::time::{Duration, Instant};

use export_api::http::{BASE, openapi_document};
use export_scenarios::SMALL;
use serde_json::json;

use crate::support::wire::{Wire, exchange};
use crate::support::{Api, Ask, Caller, run};

/// Operations that take a document, and a good one for each.
fn taking_documents() -> Vec<(Ask, serde_json::Value)> {
    let document = openapi_document();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["requestBody"]["content"]["application/json"].is_null()
                || path.ends_with("/verify")
            {
                continue;
            }
            let path = path.strip_prefix(BASE).unwrap().replace("{id}", "small");
            let good = match (method.as_str(), path.as_str()) {
                ("post", "/runs") => json!({ "profile": "small" }),
                ("post", "/profiles") => json!({ "name": "new", "kind": "json:raw" }),
                ("post", "/schedules") => {
                    json!({ "name": "s", "profile": "small", "when": "rate(6 hours)" })
                }
                ("patch", "/profiles/small") => json!({ "description": "changed" }),
                other => panic!("what does {other:?} take?"),
            };
            let ask = Ask::new(method, path).with("if-match", "\"1.1\"");
            found.push((ask, good));
        }
    }
    assert_eq!(found.len(), 4);
    found
}

async fn with(caller: &Caller, ask: &Ask, body: impl Into<bytes::Bytes>) -> crate::support::Reply {
    let ask = ask.clone().with("content-type", "application/json");
    caller.send(ask.bytes(body)).await
}

#[test]
fn documents_that_are_none() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        for (ask, good) in taking_documents() {
            let text = good.to_string();
            for bad in [
                "".to_owned(),
                "{".to_owned(),
                "nonsense".to_owned(),
                "\u{feff}{}".to_owned(),
                format!("{text}x"),
                format!("{text}{text}"),
                text[..text.len() - 1].to_owned(),
                text.replace('"', "'"),
            ] {
                let reply = with(&caller, &ask, bad.clone()).await;
                let problem = reply.refused(400, "ERR_NOT_JSON");
                assert!(problem["errors"].is_null(), "{bad}: {problem:#}");
            }
            let mut bytes = text.clone().into_bytes();
            bytes.insert(2, 0xff);
            with(&caller, &ask, bytes)
                .await
                .refused(400, "ERR_NOT_JSON");
            // Of another kind than an object.
            for bad in ["[]", "1", "null", "\"x\""] {
                with(&caller, &ask, bad)
                    .await
                    .refused(422, "ERR_INVALID_REQUEST");
            }
        }
    });
}

#[test]
fn members_that_are_wrong_are_named() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        for (ask, good) in taking_documents() {
            let mut more = good.clone();
            more["bogus"] = json!(1);
            let reply = with(&caller, &ask, more.to_string()).await;
            let problem = reply.refused(422, "ERR_INVALID_REQUEST");
            assert!(
                problem["errors"].to_string().contains("bogus"),
                "{problem:#}"
            );
            // Twice the same, which parsers read in different ways.
            let (name, value) = good.as_object().unwrap().iter().next().unwrap();
            let text = good.to_string();
            let twice = format!("{{\"{name}\":{value},{}", &text[1..]);
            let problem = with(&caller, &ask, twice)
                .await
                .refused(422, "ERR_INVALID_REQUEST");
            assert!(problem["errors"].to_string().contains(name), "{problem:#}");
        }
        for (body, field) in [
            (json!({ "profile": 7 }), "profile"),
            (
                json!({ "profile": "small", "selectors": { "products": ["x", 7] } }),
                "selectors.products[1]",
            ),
            (
                json!({ "profile": "small", "selectors": { "include": [{ "kind": [] }] } }),
                "selectors.include[0]",
            ),
            (
                json!({ "profile": "small", "options": { "as_of": { "x": 1 } } }),
                "options.as_of",
            ),
            (
                json!({ "profile": "small", "selectors": { "kinds": ["nothing"] } }),
                "selectors.kinds[0]",
            ),
        ] {
            let reply = caller.post("/runs", &body).await;
            let problem = reply.refused(422, "ERR_INVALID_REQUEST");
            let named = problem["errors"][0]["field"].as_str().unwrap();
            assert!(named.starts_with(field), "{field}: {problem:#}");
        }
    });
}

#[test]
fn what_is_huge_or_deep_is_refused_at_once() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let begun = Instant::now();
        let large = format!("{{\"x\":\"{}\"}}", "a".repeat(1 << 20));
        for (ask, _) in taking_documents() {
            with(&caller, &ask, large.clone())
                .await
                .refused(413, "ERR_BODY_TOO_LARGE");
            // Of unknown length.
            let ask = ask
                .with("content-type", "application/json")
                .with("transfer-encoding", "chunked");
            let mut wire = Wire::open(api.at[0]).await;
            wire.send(&caller.signed(ask).on_the_wire()).await;
            let chunk = [b"10000\r\n".as_slice(), &[b'a'; 0x10000], b"\r\n"].concat();
            for _ in 0..17 {
                wire.send(&chunk).await;
            }
            let answer = wire.answer(false).await.unwrap();
            assert_eq!(answer.head.status, 413);
            assert_eq!(answer.json()["error_code"], "ERR_BODY_TOO_LARGE");
        }
        for (open, close) in [
            ("[", "]"),
            ("{\"selectors\":{\"include\":[", "]}}"),
            ("{\"profile\":\"small\",\"options\":{\"approval\":[", "]}}"),
        ] {
            for inner in ["[", "{\"include\":["] {
                let deep = format!(
                    "{open}{}{}{close}",
                    inner.repeat(10_000),
                    inner
                        .chars()
                        .rev()
                        .filter_map(|c| match c {
                            '[' => Some(']'),
                            '{' => Some('}'),
                            _ => None,
                        })
                        .collect::<String>()
                        .repeat(10_000)
                );
                let ask = Ask::new("POST", "/runs");
                let reply = with(&caller, &ask, deep).await;
                assert!([400, 422].contains(&reply.status), "{reply:?}");
                assert!(reply.body.len() < 2_000, "{reply:?}");
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
        // Nobody was harmed.
        caller.submit("small").await;
    });
}

#[test]
fn types_of_bodies() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        for (ask, good) in taking_documents() {
            for wrong in [
                None,
                Some("text/plain"),
                Some("application/jsonx"),
                Some("application/x-www-form-urlencoded"),
                Some("multipart/form-data; boundary=application/json"),
            ] {
                let ask = ask.clone().bytes(good.to_string());
                let ask = match wrong {
                    Some(wrong) => ask.with("content-type", wrong),
                    None => ask,
                };
                let problem = caller.send(ask).await.refused(415, "ERR_WRONG_MEDIA_TYPE");
                let detail = problem["detail"].as_str().unwrap();
                assert!(detail.contains("application/json"), "{detail}");
            }
        }
        let good = Ask::new("POST", "/runs")
            .with("content-type", "Application/JSON; charset=utf-8")
            .bytes(r#"{"profile":"small"}"#);
        caller.send(good).await.ok(202);
    });
}

#[test]
fn a_body_that_ends_before_its_end() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let whole = caller
            .signed(Ask::post("/runs", &json!({ "profile": "small" })))
            .on_the_wire();
        let mut wire = Wire::open(api.at[0]).await;
        wire.send(&whole[..whole.len() - 5]).await;
        wire.finish_sending().await;
        if let Some(answer) = wire.answer(false).await {
            assert_eq!(answer.head.status, 400, "{answer:?}");
        }
        let runs = caller.get("/runs").await.ok(200);
        assert_eq!(runs["runs"].as_array().unwrap().len(), 0);
    });
}

#[test]
fn parameters_that_nobody_knows_are_named() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let submitted = caller.submit("small").await;
        let document = openapi_document();
        let mut tried = 0;
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let takes_some = operation["parameters"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|p| p["in"] == "query"));
                if !takes_some || path.ends_with("/verify") {
                    continue;
                }
                let known = match path.split('/').nth(3).unwrap() {
                    "profiles" => "small",
                    _ => crate::support::id(&submitted),
                };
                let path = path.strip_prefix(BASE).unwrap().replace("{id}", known);
                for (query, named) in [("bogus=1", "bogus"), ("%00=1", ""), ("a[]=1", "a[]")] {
                    let ask = Ask::new(method, format!("{path}?{query}"));
                    let problem = caller.send(ask).await.refused(422, "ERR_INVALID_REQUEST");
                    assert!(problem["errors"].to_string().contains(named), "{problem:#}");
                }
                tried += 1;
            }
        }
        assert!(tried >= 6, "{tried}");
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("limit=x", "limit"),
            ("limit=1&limit=2", ""),
            ("status=gone", "status"),
            ("submitted_from=yesterday", "submitted_from"),
        ] {
            let reply = caller.get(format!("/runs?{query}")).await;
            let problem = reply.refused(422, "ERR_INVALID_REQUEST");
            assert!(problem["errors"].to_string().contains(field), "{problem:#}");
        }
    });
}

/// Bytes that a careless service would write into its own headers or log lines.
const ODD: [&[u8]; 6] = [
    b"\x80\x81\xfe\xff",
    b"a\tb",
    b"%0d%0aset-cookie: injected=1",
    b"\xe5\x98\x8a\xe5\x98\x8dset-cookie: injected=1",
    b"<script>alert(1)</script>",
    b"",
];

#[test]
fn headers_with_odd_bytes_do_no_harm() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        for name in [
            "traceparent",
            "idempotency-key",
            "if-match",
            "last-event-id",
            "accept",
            "range",
            "if-range",
            "if-none-match",
            "te",
            "user-agent",
        ] {
            for odd in ODD {
                let body = json!({ "profile": "small" });
                for ask in [
                    Ask::post("/runs", &body),
                    Ask::new("PATCH", "/profiles/small").json(&json!({})),
                    Ask::get("/runs/01993c00-0000-7000-8000-000000000000/events"),
                    Ask::get("/runs/01993c00-0000-7000-8000-000000000000/download"),
                ] {
                    let sent = caller.signed(ask.with(name, odd)).on_the_wire();
                    let mut wire = Wire::open(api.at[0]).await;
                    wire.send(&sent).await;
                    let answer = wire.answer(false).await.unwrap();
                    let told = format!("{answer:?}");
                    assert!(answer.head.status < 500, "{name}: {told}");
                    assert!(!told.contains("injected"), "{name}: {told}");
                    assert!(!told.contains("<script>"), "{name}: {told}");
                    if name == "idempotency-key" && sent.starts_with(b"POST") {
                        // A key that is not one is refused, rather than left out in silence.
                        let expected = if odd.starts_with(b"<script>") {
                            202
                        } else {
                            422
                        };
                        assert_eq!(answer.head.status, expected, "{told}");
                    }
                }
            }
        }
        // Lines cannot be smuggled in: whatever the server makes of a bare line end, it is not a
        // field of its answer.
        for end in ["\n", "\r"] {
            let mut sent = caller.signed(Ask::get("/adapters")).on_the_wire();
            let at = sent.len() - 2;
            sent.splice(
                at..at,
                format!("traceparent: 00{end}set-cookie: injected=1\r\n").into_bytes(),
            );
            if let Some(answer) = exchange(api.at[0], &sent).await {
                assert!(answer.head.status < 500);
                assert!(answer.head.field("set-cookie").is_none());
            }
        }
    });
}

#[test]
fn a_trace_is_gone_on_with_or_begun() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = format!("00-{trace}-00f067aa0ba902b7-01");
        let ask = Ask::get("/adapters").with("traceparent", &parent);
        let reply = caller.send(ask).await;
        assert_eq!(reply.header("x-request-id"), trace);
        let mut begun = std::collections::BTreeSet::new();
        for _ in 0..3 {
            let reply = caller.get("/adapters").await;
            let id = reply.header("x-request-id").to_owned();
            assert_eq!(id.len(), 32);
            assert!(id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
            assert!(begun.insert(id));
        }
    });
}
