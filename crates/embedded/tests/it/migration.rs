//! Homes that an older version of the program left.

use std::sync::Arc;

use export_embedded::Home;
use export_model::{
    Mark, MarkKey, MarkValue, ProfileKind, Run, RunKey, RunStatus, Timestamp, builtin_profiles,
};
use export_ports::{Row, RunFilter, State, Transaction};
use rusqlite::params;
use serde_json::{Value, json};

/// A run as the first version stored it.
fn stored_run(id: &str, profile: &str) -> Value {
    json!({
        "tenant": "acme",
        "run": id,
        "profile": {
            "tenant": "acme", "name": profile, "kind": "json:raw", "revision": 1,
            "description": "", "created_at": "2026-11-01T00:00:00Z", "rev": 1,
            "config": {"retention": {"days": 1}},
        },
        "selectors": {},
        "options": {},
        "requested_by": "someone",
        "submitted_at": "2026-11-01T00:00:00Z",
        "status": "completed",
        "admitted": false,
        "watermark": 7,
        "policy_snapshot": null,
        "sources": [],
        "sboms": {},
        "parts": 0,
        "parts_left": 0,
        "records_planned": 0,
        "bytes_planned": 0,
        "records": 0,
        "bytes": 0,
        "quarantined": 0,
        "published": null,
        "targets_left": 0,
        "archive": null,
        "failure": null,
        "cancellation": null,
        "started_at": "2026-11-01T00:00:01Z",
        "finished_at": "2026-11-01T00:00:02Z",
        "last_seq": 5,
        "rev": 3,
    })
}

fn key(id: &str) -> RunKey {
    RunKey {
        tenant: "acme".parse().unwrap(),
        run: id.parse().unwrap(),
    }
}

#[tokio::test]
async fn the_first_versions_run_state_is_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let old = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    old.execute_batch(include_str!("state_v1.sql")).unwrap();
    for (id, profile) in [("0199f0c2", "nightly"), ("0199f0c3", "weekly")] {
        old.execute(
            "INSERT INTO runs(tenant, run, status, admitted, submitted_at, rev, json)
             VALUES ('acme', ?1, 'completed', 0, 1793491200000, 3, ?2)",
            params![id, stored_run(id, profile).to_string()],
        )
        .unwrap();
    }
    drop(old);

    for _ in 0..2 {
        let home = Home::open(folder.path()).unwrap();
        let state = home.state();
        let run = state.run(&key("0199f0c2")).await.unwrap().unwrap();
        assert_eq!(run.status, RunStatus::Completed);
        assert_eq!((run.expires_at, run.pruned), (None, None));
        let filter = RunFilter {
            profile: Some("weekly".to_owned()),
            ..RunFilter::default()
        };
        let tenant = key("0199f0c2").tenant;
        let found = state.runs(&tenant, &filter, None, 10).await.unwrap();
        let ids: Vec<_> = found.into_iter().map(|run| run.key).collect();
        assert_eq!(ids, [key("0199f0c3")], "old runs are found by profile");
        let end = Timestamp(i64::MAX);
        assert_eq!(state.expired_runs(end, 10).await.unwrap(), []);
    }

    // What is new can be written, to old rows too.
    let home = Home::open(folder.path()).unwrap();
    let state: Arc<dyn State> = home.state();
    let run = state.run(&key("0199f0c2")).await.unwrap().unwrap();
    let tenant = run.key.tenant.clone();
    let expiring = Run {
        expires_at: Some(Timestamp(1)),
        ..run
    };
    let mark = Mark {
        tenant: tenant.clone(),
        key: MarkKey::Usage {
            profile: None,
            day: "2026-11-01".to_owned(),
        },
        until: None,
        value: MarkValue::Usage { runs: 1, bytes: 0 },
        rev: 0,
    };
    let transaction = Transaction::new(&tenant)
        .put(Row::Run(expiring))
        .put(Row::Mark(mark));
    state.commit(transaction).await.unwrap();
    let expired = state.expired_runs(Timestamp(1), 10).await.unwrap();
    assert_eq!(expired, [key("0199f0c2")]);
}

/// A profile of the first version has no member that says it was retired.
#[test]
fn old_profiles_are_in_force() {
    let tenant = key("0199f0c2").tenant;
    let profile = &builtin_profiles(&tenant)[0];
    let text = serde_json::to_string(profile).unwrap();
    assert!(
        !text.contains("retired_at") && !text.contains("limits"),
        "{text}"
    );
    assert_eq!(profile.kind, ProfileKind::JsonRaw);
}
