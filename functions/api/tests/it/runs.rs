//! Runs: submitted once, listed page by page, cancelled.

use std::collections::BTreeSet;
use std::time::Duration;

use export_api::http::ServiceConfig;
use export_model::{Phase, Timestamp};
use export_scenarios::SMALL;
use serde_json::{Value, json};

use crate::support::{Api, Ask, Caller, id, run};

#[test]
fn a_run_is_accepted_and_done() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let reply = caller.post("/runs", &json!({ "profile": "small" })).await;
        let submitted = reply.ok(202);
        let location = reply.header("location");
        assert_eq!(location, format!("/api/export/runs/{}", id(&submitted)));
        assert_eq!(submitted["status"], "pending");
        assert_eq!(submitted["tenant"], "acme");
        assert_eq!(submitted["requested_by"], "auditor");
        api.finish(&submitted).await;
        let done = caller
            .get(format!("/runs/{}", id(&submitted)))
            .await
            .ok(200);
        assert_eq!(done["status"], "completed", "{done:#}");
        assert_eq!(done["records"], 9);
        assert_eq!(done["parts"], done["parts_done"]);
        assert_eq!(done["distributions"][0]["status"], "delivered");
        assert_eq!(done["distributions"][0]["sha256"], done["sha256"]);
    });
}

#[test]
fn a_request_with_a_key_is_carried_out_once() {
    run(async {
        let api = Api::with(&SMALL, 2, ServiceConfig::default()).await;
        let caller = api.caller("acme");
        let body = json!({ "profile": "small" });
        let ask = |body: &Value| Ask::post("/runs", body).with("idempotency-key", "order-1");
        let first = caller.send(ask(&body)).await;
        assert!(first.headers.get("idempotency-replayed").is_none());
        let first = first.ok(202);
        for at in &api.at {
            let again = caller.on(*at).send(ask(&body)).await;
            assert_eq!(again.header("idempotency-replayed"), "true");
            assert_eq!(id(&again.ok(202)), id(&first));
        }
        let other = json!({ "profile": "other" });
        caller
            .send(ask(&other))
            .await
            .refused(422, "ERR_IDEMPOTENCY_MISMATCH");
        // The key is the tenant's own.
        let theirs = api.caller("globex").send(ask(&body)).await.ok(202);
        assert_ne!(id(&theirs), id(&first));
        // Of many at once, at two replicas, one makes the run.
        let asking: Vec<_> = (0..10)
            .map(|n| {
                let caller = caller.on(api.at[n % 2]);
                let ask = Ask::post("/runs", &body).with("idempotency-key", "order-2");
                tokio::spawn(async move { caller.send(ask).await.ok(202) })
            })
            .collect();
        let mut made = BTreeSet::new();
        for asking in asking {
            made.insert(id(&asking.await.unwrap()).to_owned());
        }
        assert_eq!(made.len(), 1);
        let runs = caller.get("/runs").await.ok(200);
        assert_eq!(runs["runs"].as_array().unwrap().len(), 2);
        // A day later it is another request.
        api.world.clock.advance(Duration::from_secs(86_401));
        let caller = api.caller("acme");
        let later = caller.send(ask(&other)).await.ok(202);
        assert_ne!(id(&later), id(&first));
    });
}

async fn pages(caller: &Caller, query: &str) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = caller.get(format!("/runs?{query}{cursor}")).await.ok(200);
        let runs = page["runs"].as_array().unwrap();
        seen.extend(runs.iter().map(|run| id(run).to_owned()));
        match page["next_cursor"].as_str() {
            None => return seen,
            Some(next) => {
                assert!(!runs.is_empty());
                cursor = format!("&cursor={next}");
            }
        }
    }
}

#[test]
fn lists_give_each_run_once() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let mut made = Vec::new();
        for number in 0..23 {
            let profile = if number % 3 == 0 { "other" } else { "small" };
            made.push(caller.submit(profile).await);
            // Several within one second, and within one millisecond.
            if number % 4 == 0 {
                api.world.clock.advance(Duration::from_millis(400));
            }
        }
        let cancelled = format!("/runs/{}/cancel", id(&made[5]));
        caller.send(Ask::new("POST", &cancelled)).await.ok(202);
        let ids = |keep: &dyn Fn(usize) -> bool| -> BTreeSet<String> {
            let kept = made.iter().enumerate().filter(|(n, _)| keep(*n));
            kept.map(|(_, run)| id(run).to_owned()).collect()
        };
        for limit in [1, 4, 22, 23, 24, 500] {
            let seen = pages(&caller, &format!("limit={limit}")).await;
            assert_eq!(seen.len(), 23, "limit {limit}");
            assert_eq!(
                seen.iter().cloned().collect::<BTreeSet<_>>(),
                ids(&|_| true)
            );
        }
        let at = |n: usize| -> Timestamp {
            let at = made[n]["submitted_at"].as_str().unwrap();
            at.parse().unwrap()
        };
        let (from, to) = (at(6), at(14));
        let within = |n: usize| from <= at(n) && at(n) < to;
        for (query, expected) in [
            ("limit=3&profile=other".to_owned(), ids(&|n| n % 3 == 0)),
            ("limit=3&status=pending".to_owned(), ids(&|n| n != 5)),
            ("limit=3&status=cancelling".to_owned(), ids(&|n| n == 5)),
            ("limit=3&status=completed".to_owned(), BTreeSet::new()),
            (
                format!("limit=3&submitted_from={from}&submitted_to={to}"),
                ids(&within),
            ),
        ] {
            let seen = pages(&caller, &query).await;
            assert_eq!(seen.len(), expected.len(), "{query}");
            assert_eq!(
                seen.into_iter().collect::<BTreeSet<_>>(),
                expected,
                "{query}"
            );
        }
        // New runs do not disturb a list that was begun.
        let page = caller.get("/runs?limit=20").await.ok(200);
        caller.submit("small").await;
        let cursor = page["next_cursor"].as_str().unwrap();
        let rest = caller
            .get(format!("/runs?limit=20&cursor={cursor}"))
            .await
            .ok(200);
        assert_eq!(rest["runs"].as_array().unwrap().len(), 3);
    });
}

#[test]
fn cursors_are_good_for_their_own_list_only() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        for _ in 0..3 {
            caller.submit("small").await;
        }
        let page = caller.get("/runs?limit=1&profile=small").await.ok(200);
        let cursor = page["next_cursor"].as_str().unwrap().to_owned();
        let mut altered = cursor.clone().into_bytes();
        let middle = altered.len() / 2;
        altered[middle] = if altered[middle] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        for query in [
            format!("limit=1&cursor={cursor}"),
            format!("limit=2&profile=small&cursor={cursor}"),
            format!("limit=1&profile=other&cursor={cursor}"),
            format!("limit=1&profile=small&cursor={altered}"),
            format!("limit=1&profile=small&cursor={}", &cursor[1..]),
            "limit=1&profile=small&cursor=".to_owned(),
            format!("limit=1&profile=small&cursor={}", "A".repeat(5_000)),
        ] {
            let problem = caller
                .get(format!("/runs?{query}"))
                .await
                .refused(422, "ERR_INVALID_REQUEST");
            assert_eq!(problem["errors"][0]["field"], "cursor", "{query}");
        }
        // Another tenant's cursor shows nothing of that tenant's.
        let page = api
            .caller("globex")
            .get(format!("/runs?limit=1&profile=small&cursor={cursor}"))
            .await;
        assert!(
            !String::from_utf8_lossy(&page.body).contains("acme"),
            "{page:?}"
        );
    });
}

#[test]
fn a_run_is_cancelled_once() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let submitted = caller.submit("small").await;
        let path = format!("/runs/{}", id(&submitted));
        let cancel = || Ask::new("POST", format!("{path}/cancel"));
        let cancelling = caller.send(cancel()).await.ok(202);
        assert_eq!(cancelling["status"], "cancelling");
        assert_eq!(cancelling["cancellation"]["by"], "auditor");
        // Asking again changes nothing.
        caller.send(cancel()).await.ok(202);
        api.finish(&submitted).await;
        assert_eq!(caller.get(&path).await.ok(200)["status"], "aborted");
        caller.send(cancel()).await.refused(409, "ERR_RUN_ENDED");
        let retry = Ask::new("POST", format!("{path}/retry"));
        caller.send(retry).await.refused(409, "ERR_RUN_ENDED");
        let download = caller.get(format!("{path}/download")).await;
        download.refused(409, "ERR_NOT_READY");
    });
}

#[test]
fn four_runs_of_a_tenant_are_active_and_the_others_wait() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let mut runs = Vec::new();
        for _ in 0..7 {
            runs.push(caller.submit("small").await);
        }
        let theirs = api.caller("globex").submit("small").await;
        // Admission and planning only; nobody writes parts.
        let ports = &api.worker.ports;
        loop {
            let hidden = Duration::from_secs(120);
            let received = ports.queue.receive(Phase::Plan, 1, hidden, Duration::ZERO);
            let Some(delivery) = received.await.unwrap().pop() else {
                break;
            };
            api.worker.handle(&delivery.message).await.unwrap();
            let done = ports.queue.acknowledge(Phase::Plan, &delivery.receipt);
            done.await.unwrap();
        }
        let mut statuses = Vec::new();
        for run in &runs {
            let run = caller.get(format!("/runs/{}", id(run))).await.ok(200);
            statuses.push(run["status"].as_str().unwrap().to_owned());
        }
        let active = ["planned"; 4];
        assert_eq!(statuses[..4], active, "{statuses:?}");
        assert!(statuses[4..].iter().all(|status| status == "pending"));
        // Another tenant does not wait for them.
        let path = format!("/runs/{}", id(&theirs));
        let theirs = api.caller("globex").get(path).await.ok(200);
        assert_eq!(theirs["status"], "planned");
        for run in &runs {
            api.finish(run).await;
            let run = caller.get(format!("/runs/{}", id(run))).await.ok(200);
            assert_eq!(run["status"], "completed");
        }
    });
}
