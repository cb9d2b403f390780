//! Quotas: counted for all replicas together, told in headers, over at the turn of their time.

use std::time::Duration;

use export_api::http::ServiceConfig;
use export_model::Limits;
use export_scenarios::SMALL;
use serde_json::json;

use crate::support::{Api, Reply, run};

fn limited(limits: Limits) -> ServiceConfig {
    ServiceConfig {
        limits,
        ..ServiceConfig::default()
    }
}

/// What the headers say is left of a quota; all of them must say the same.
fn left(reply: &Reply, name: &str, limit: u64) -> u64 {
    assert_eq!(reply.header("x-stella-quota-name"), name);
    assert_eq!(reply.header("x-stella-quota-limit"), limit.to_string());
    let remaining = reply.header("x-stella-quota-remaining");
    let reset = reply.header("x-stella-quota-reset");
    assert!(reset.parse::<u64>().unwrap() >= 1);
    assert_eq!(
        reply.header("ratelimit"),
        format!("\"{name}\";r={remaining};t={reset}")
    );
    assert_eq!(
        reply.header("ratelimit-policy"),
        format!("\"{name}\";q={limit}")
    );
    remaining.parse().unwrap()
}

#[test]
fn runs_of_a_day() {
    run(async {
        let limits = Limits {
            runs_per_day: Some(3),
            ..Limits::default()
        };
        let api = Api::with(&SMALL, 2, limited(limits)).await;
        let caller = api.caller("acme");
        let body = json!({ "profile": "small" });
        for number in 0..3 {
            let reply = caller.on(api.at[number % 2]).post("/runs", &body).await;
            reply.ok(202);
            assert_eq!(left(&reply, "tenant-runs", 3), 2 - number as u64);
        }
        for at in &api.at {
            let reply = caller.on(*at).post("/runs", &body).await;
            let problem = reply.refused(429, "ERR_QUOTA_RUNS");
            assert!(problem["detail"].as_str().unwrap().contains('3'));
            assert_eq!(left(&reply, "tenant-runs", 3), 0);
            let after: u64 = reply.header("retry-after").parse().unwrap();
            assert!((1..=86_400).contains(&after), "{after}");
            assert_eq!(reply.header("x-stella-quota-reset"), after.to_string());
        }
        // Reading is still possible, and another tenant has its own.
        assert_eq!(
            caller.get("/runs").await.ok(200)["runs"]
                .as_array()
                .unwrap()
                .len(),
            3
        );
        api.caller("globex").submit("small").await;
        // The day turns.
        api.world.clock.advance(Duration::from_secs(86_400));
        let reply = api.caller("acme").post("/runs", &body).await;
        reply.ok(202);
        assert_eq!(left(&reply, "tenant-runs", 3), 2);
    });
}

#[test]
fn requests_of_a_minute() {
    run(async {
        let limits = Limits {
            requests_per_minute: Some(6),
            ..Limits::default()
        };
        let api = Api::with(&SMALL, 2, limited(limits)).await;
        let caller = api.caller("acme");
        for number in 0..6 {
            let reply = caller.on(api.at[number % 2]).get("/adapters").await;
            reply.ok(200);
            assert_eq!(left(&reply, "requests", 6), 5 - number as u64);
        }
        for at in &api.at {
            let reply = caller.on(*at).get("/adapters").await;
            reply.refused(429, "ERR_QUOTA_REQUESTS");
            assert_eq!(left(&reply, "requests", 6), 0);
            let after: u64 = reply.header("retry-after").parse().unwrap();
            assert!((1..=60).contains(&after), "{after}");
        }
        api.caller("globex").get("/adapters").await.ok(200);
        api.world.clock.advance(Duration::from_secs(60));
        caller.get("/adapters").await.ok(200);
    });
}

#[test]
fn of_several_quotas_the_tightest_is_told() {
    run(async {
        let limits = Limits {
            runs_per_day: Some(2),
            bytes_per_day: Some(1 << 40),
            requests_per_minute: Some(1_000),
        };
        let config = ServiceConfig {
            tenant_limits: [("globex".parse().unwrap(), Limits::default())].into(),
            ..limited(limits)
        };
        let api = Api::with(&SMALL, 1, config).await;
        let body = json!({ "profile": "small" });
        let reply = api.caller("acme").post("/runs", &body).await;
        reply.ok(202);
        assert_eq!(left(&reply, "tenant-runs", 2), 1);
        // Who has no limits is told of none.
        let reply = api.caller("globex").post("/runs", &body).await;
        reply.ok(202);
        assert!(reply.headers.get("x-stella-quota-limit").is_none());
    });
}
