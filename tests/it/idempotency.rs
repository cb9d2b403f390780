//! Requests that are sent again: one key is one run, whatever goes wrong, and every run is counted.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use export_api::{ApiError, RunRequest, SubmitContext, Submitted, quota_state, submit};
use export_approval::ApprovalPolicy;
use export_model::{ErrorCode, Limits, QuotaName, QuotaState, Sha256Digest, Tenant};
use export_ports::fault::{Fault, FaultPlan, When};
use export_ports::{Ports, RunFilter};
use export_scenarios::{Process, SMALL, World};

use crate::support::Scenarios;

fn acme() -> Tenant {
    "acme".parse().unwrap()
}

const FIVE: Limits = Limits {
    runs_per_day: Some(5),
    bytes_per_day: None,
    requests_per_minute: None,
};

async fn ask(
    process: &Process,
    ports: &Ports,
    profile: &str,
    key: Option<&str>,
    limits: Limits,
) -> Result<Submitted, ApiError> {
    let request = RunRequest {
        profile: profile.to_owned(),
        ..RunRequest::default()
    };
    let digest = Sha256Digest::of(profile.as_bytes());
    let context = SubmitContext {
        idempotency: key.map(|key| (key.to_owned(), digest)),
        limits,
        traceparent: None,
    };
    submit(
        ports,
        process.registry(),
        &ApprovalPolicy::default(),
        &acme(),
        "tester",
        request,
        context,
    )
    .await
}

async fn count(world: &World) -> Result<usize> {
    let filter = RunFilter::default();
    let state = &world.observer.state;
    Ok(state.runs(&acme(), &filter, None, 100).await?.len())
}

async fn quotas(world: &World, limits: Limits) -> Vec<QuotaState> {
    let ports = &world.observer;
    let now = ports.clock.now();
    quota_state(ports, &acme(), None, &limits, now)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_repeated_request_gives_the_same_run() {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    let ports = &process.ports;
    let first = ask(&process, ports, "other", Some("k"), FIVE)
        .await
        .unwrap();
    assert!(!first.replayed);
    assert_eq!(first.quotas[0].remaining, 4);
    let again = ask(&process, ports, "other", Some("k"), FIVE)
        .await
        .unwrap();
    assert!(again.replayed);
    assert_eq!(again.run.key, first.run.key);
    let error = ask(&process, ports, "vex", Some("k"), FIVE)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::IdempotencyMismatch);
    let other = ask(&process, ports, "other", Some("l"), FIVE)
        .await
        .unwrap();
    assert_ne!(other.run.key, first.run.key);
    assert_eq!(quotas(&world, FIVE).await[0].remaining, 3);
    for bad in ["", "ä", "a\nb", &"k".repeat(256)] {
        let error = ask(&process, ports, "other", Some(bad), FIVE)
            .await
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest, "{bad:?}");
    }
    // A day later the key is free.
    world.clock.advance(Duration::from_secs(86_400));
    let later = ask(&process, ports, "vex", Some("k"), FIVE).await.unwrap();
    assert!(!later.replayed);
    assert_eq!(count(&world).await.unwrap(), 3);
}

/// Many at once: those with one key are one run, and nobody gets more than the quota.
#[tokio::test]
async fn requests_at_once_are_told_apart() {
    let world = World::new(&SMALL).unwrap();
    let mut asking = Vec::new();
    for number in 0..16 {
        let process = world.stranger().unwrap();
        asking.push(tokio::spawn(async move {
            let key = format!("key-{}", number % 8);
            ask(&process, &process.ports, "other", Some(&key), FIVE).await
        }));
    }
    let (mut fresh, mut over) = (0, 0);
    for one in asking {
        match one.await.unwrap() {
            Ok(submitted) => fresh += usize::from(!submitted.replayed),
            Err(error) => {
                assert_eq!(error.code, ErrorCode::QuotaRuns, "{error}");
                over += 1;
            }
        }
    }
    assert_eq!(fresh, 5, "as many as the quota has");
    assert_eq!(over, 6, "three keys too many, asked twice");
    assert_eq!(count(&world).await.unwrap(), 5);
}

#[tokio::test]
async fn a_used_up_quota_says_when_there_is_more() {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    let one = Limits {
        runs_per_day: Some(1),
        bytes_per_day: Some(1),
        requests_per_minute: None,
    };
    let ports = &process.ports;
    let first = ask(&process, ports, "other", None, one).await.unwrap();
    let error = ask(&process, ports, "other", None, one).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::QuotaRuns);
    let quota = error.quota.unwrap();
    assert_eq!((quota.limit, quota.remaining), (1, 0));
    assert_eq!(quota.reset_at, ports.clock.now().next_utc_day());
    world.settle(&process).await.unwrap();
    let run = world.run(&first.run.key).await.unwrap();
    let size = run.archive.unwrap().size;
    let bytes = Limits {
        bytes_per_day: Some(size),
        ..Limits::default()
    };
    let [state] = quotas(&world, bytes).await[..] else {
        panic!("one quota is set");
    };
    assert_eq!(state.name, QuotaName::TenantBytes);
    assert_eq!(state.remaining, 0, "the archive is counted, once");
    let error = ask(&process, ports, "other", None, bytes)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::QuotaBytes);
    world.clock.advance(Duration::from_secs(86_400));
    ask(&process, ports, "other", None, one).await.unwrap();
}

/// Every call of a submission fails once, in every way; the client asks again with its key.
#[tokio::test]
async fn one_key_is_one_run_under_faults() {
    let mut scenarios = Scenarios::new("idempotency");
    for fault in [
        Fault::Fail(When::Before),
        Fault::Fail(When::After),
        Fault::Die(When::Before),
        Fault::Die(When::After),
        Fault::Duplicate,
    ] {
        let mut nth = 1;
        loop {
            let plan = FaultPlan::none().at(nth, fault);
            let outcome = async {
                let world = World::new(&SMALL)?;
                let process = world.process(&plan);
                let first = ask(&process, &process.ports, "small", Some("k"), FIVE).await;
                let sound = world.sound_process();
                let again = ask(&sound, &sound.ports, "small", Some("k"), FIVE).await?;
                if let Ok(first) = &first {
                    ensure!(again.run.key == first.run.key, "another run");
                }
                ensure!(again.replayed || first.is_err(), "it was carried out twice");
                ensure!(count(&world).await? == 1, "{} runs", count(&world).await?);
                let quotas = quotas(&world, FIVE).await;
                let quota = quotas.first().context("no quota")?;
                ensure!(quota.remaining == 4, "{quota:?}");
                Ok(())
            };
            scenarios.add(format!("{fault:?} at call {nth}"), outcome.await);
            if plan.faults() == 0 || nth == 40 {
                break;
            }
            nth += 1;
        }
    }
    scenarios.finish(30);
}
