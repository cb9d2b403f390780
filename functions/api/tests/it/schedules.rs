//! Schedules: made, listed, due, removed.

use std::time::Duration;

use export_lifecycle::tick;
use export_scenarios::SMALL;
use serde_json::json;

use crate::support::{Api, Ask, run};

#[test]
fn a_schedule_starts_runs_until_it_is_removed() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let new = json!({ "name": "nightly", "profile": "small", "when": "rate(30 minutes)" });
        let reply = caller.post("/schedules", &new).await;
        let made = reply.ok(201);
        let id = made["id"].as_str().unwrap();
        assert_eq!(
            reply.header("location"),
            format!("/api/export/schedules/{id}")
        );
        let path = format!("/schedules/{id}");
        assert_eq!(caller.get(&path).await.ok(200), made);
        let list = caller.get("/schedules").await.ok(200);
        assert_eq!(list["schedules"], json!([made]));

        api.world.clock.advance(Duration::from_secs(31 * 60));
        tick(&api.world.observer).await.unwrap();
        api.worker.pump().await.unwrap();
        let caller = api.caller("acme");
        let runs = caller.get("/runs").await.ok(200);
        let runs = runs["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 1);
        let shown = caller.get(&path).await.ok(200);
        assert_eq!(shown["last_run"], runs[0]["run_id"]);

        let reply = caller.send(Ask::new("DELETE", &path)).await;
        assert_eq!((reply.status, reply.body.len()), (204, 0));
        for gone in [
            caller.get(&path).await,
            caller.send(Ask::new("DELETE", &path)).await,
        ] {
            gone.refused(404, "ERR_UNKNOWN_SCHEDULE");
        }
    });
}

#[test]
fn pages_and_refusals() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        for (name, when, field) in [
            ("n", "cron(* * *)", "when"),
            ("n", "rate(0 minutes)", "when"),
            ("n", "cron(0 0 30 2 *)", "when"),
            ("", "rate(6 hours)", "name"),
        ] {
            let new = json!({ "name": name, "profile": "small", "when": when });
            let problem = caller
                .post("/schedules", &new)
                .await
                .refused(422, "ERR_INVALID_REQUEST");
            assert_eq!(problem["errors"][0]["field"], field, "{problem:#}");
        }
        let mut made = Vec::new();
        for number in 0..103 {
            let new = json!({
                "name": format!("n{number}"), "profile": "small", "when": "rate(6 hours)",
            });
            let reply = caller.post("/schedules", &new).await.ok(201);
            made.push(reply["id"].as_str().unwrap().to_owned());
        }
        let first = caller.get("/schedules").await.ok(200);
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = caller
            .get(format!("/schedules?cursor={cursor}"))
            .await
            .ok(200);
        assert!(second["next_cursor"].is_null());
        let mut seen: Vec<_> = [first, second]
            .iter()
            .flat_map(|page| page["schedules"].as_array().unwrap().clone())
            .map(|schedule| schedule["id"].as_str().unwrap().to_owned())
            .collect();
        seen.sort();
        made.sort();
        assert_eq!(seen, made);
    });
}
