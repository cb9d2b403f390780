//! Schedules: each time that comes is one run, whatever goes wrong on the way.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use export_api::{NewProfile, NewSchedule, create_profile, create_schedule, find_schedule};
use export_lifecycle::tick;
use export_model::{ErrorCode, Message, ProfileConfig, ProfileKind, Run, Schedule, Tenant, WorkId};
use export_ports::RunFilter;
use export_ports::fault::{Fault, FaultPlan, When};
use export_scenarios::{Process, SMALL, World};

use crate::support::Scenarios;

const HOUR: Duration = Duration::from_secs(3_600);

fn acme() -> Tenant {
    "acme".parse().unwrap()
}

async fn hourly(world: &World, profile: &str) -> Result<Schedule> {
    let new = NewSchedule {
        name: "every hour".to_owned(),
        description: String::new(),
        profile: profile.to_owned(),
        selectors: Default::default(),
        options: Default::default(),
        when: "rate(1 hour)".to_owned(),
        enabled: true,
    };
    let process = world.sound_process();
    let registry = process.registry();
    Ok(create_schedule(&world.observer, registry, &acme(), "tester", new).await?)
}

async fn runs(world: &World) -> Result<Vec<Run>> {
    let filter = RunFilter::default();
    let state = &world.observer.state;
    Ok(state.runs(&acme(), &filter, None, 100).await?)
}

/// What the schedule says now.
async fn told(world: &World, schedule: &Schedule) -> Result<Schedule> {
    let id = schedule.id.as_str();
    Ok(find_schedule(&world.observer, &acme(), id).await?)
}

/// Ticks and works until the plan queue is empty, as a process does whose ticks may fail.
async fn work(world: &World, process: &Process) -> Result<()> {
    for _ in 0..3 {
        let _ = tick(&process.ports).await;
        process.pump().await?;
        world.clock.advance(Duration::from_secs(61));
    }
    Ok(())
}

async fn exactly_one(world: &World, schedule: &Schedule) -> Result<()> {
    let runs = runs(world).await?;
    ensure!(runs.len() == 1, "{} runs", runs.len());
    let run = runs.first().context("no run")?;
    ensure!(
        run.requested_by == format!("schedule:{}", schedule.id),
        "{} asked for it",
        run.requested_by
    );
    let told = told(world, schedule).await?;
    ensure!(told.last_run.as_ref() == Some(&run.key.run), "{told:?}");
    ensure!(told.last_error.is_none(), "{told:?}");
    let next = schedule.next_at.plus_millis(3_600_000);
    ensure!(told.next_at == next, "next at {}", told.next_at);
    let left = world.work().await?;
    let starts = left
        .iter()
        .filter(|work| matches!(work.id, WorkId::Start { .. }));
    ensure!(starts.count() == 0, "a start is left");
    Ok(())
}

#[tokio::test]
async fn a_schedule_becomes_a_run_when_it_is_due() {
    let world = World::new(&SMALL).unwrap();
    let schedule = hourly(&world, "other").await.unwrap();
    let process = world.sound_process();
    assert_eq!(tick(&process.ports).await.unwrap(), 0, "it is not due");
    world.clock.advance(HOUR);
    work(&world, &process).await.unwrap();
    exactly_one(&world, &schedule).await.unwrap();
    world.settle(&process).await.unwrap();
    let run = runs(&world).await.unwrap().remove(0);
    crate::support::completed(&world, &run.key, None)
        .await
        .unwrap();
}

#[tokio::test]
async fn missed_times_become_one_start() {
    let world = World::new(&SMALL).unwrap();
    let schedule = hourly(&world, "other").await.unwrap();
    let process = world.sound_process();
    world.clock.advance(HOUR * 50 + HOUR / 2);
    work(&world, &process).await.unwrap();
    assert_eq!(runs(&world).await.unwrap().len(), 1);
    let told = told(&world, &schedule).await.unwrap();
    let next = schedule.next_at.plus_millis(50 * 3_600_000);
    assert_eq!(told.next_at, next, "the series stays where it was");
}

#[tokio::test]
async fn a_refusal_is_told_and_the_next_time_is_another_chance() {
    let world = World::new(&SMALL).unwrap();
    let schedule = hourly(&world, "other").await.unwrap();
    let process = world.sound_process();
    let retired = export_api::retire_profile(&world.observer, &acme(), "other", None).await;
    retired.unwrap();
    world.clock.advance(HOUR);
    work(&world, &process).await.unwrap();
    assert_eq!(runs(&world).await.unwrap().len(), 0);
    let refused = told(&world, &schedule).await.unwrap();
    assert!(refused.enabled, "it stays in force");
    assert!(
        refused.last_error.unwrap().contains("was retired at"),
        "it says why"
    );
    assert_eq!(world.work().await.unwrap(), [], "nothing is tried again");
}

#[tokio::test]
async fn a_schema_that_this_version_does_not_write_is_told_in_the_schedule() {
    let world = World::new(&SMALL).unwrap();
    let new = NewProfile {
        name: "future".to_owned(),
        kind: ProfileKind::TrivyDb,
        description: String::new(),
        config: ProfileConfig {
            schema_version: Some(7),
            ..ProfileConfig::default()
        },
    };
    create_profile(&world.observer, &acme(), new).await.unwrap();
    let schedule = hourly(&world, "future").await.unwrap();
    let process = world.sound_process();
    world.clock.advance(HOUR);
    work(&world, &process).await.unwrap();
    assert_eq!(runs(&world).await.unwrap().len(), 0);
    let error = told(&world, &schedule).await.unwrap().last_error.unwrap();
    assert!(error.contains("schema version 7 of trivy:db"), "{error}");
    assert!(error.contains("this version writes 2"), "{error}");
    assert_eq!(world.work().await.unwrap(), [], "nothing is tried again");

    // The same of a rule outside: its message is refused, for good.
    let message = Message {
        tenant: acme(),
        work: WorkId::Export {
            profile: "future".to_owned(),
            request: "1".to_owned(),
        },
        traceparent: None,
    };
    let error = process.handle(&message).await.unwrap_err();
    assert_eq!(error.failure().error_code, ErrorCode::TrivySchema);
    assert!(!error.is_retryable());
    assert_eq!(runs(&world).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_schedule_that_was_removed_starts_nothing() {
    let world = World::new(&SMALL).unwrap();
    let schedule = hourly(&world, "other").await.unwrap();
    let process = world.sound_process();
    world.clock.advance(HOUR);
    tick(&process.ports).await.unwrap();
    let id = schedule.id.as_str();
    export_api::delete_schedule(&world.observer, &acme(), id)
        .await
        .unwrap();
    work(&world, &process).await.unwrap();
    assert_eq!(runs(&world).await.unwrap().len(), 0);
    assert_eq!(world.work().await.unwrap(), []);
}

/// The message comes again after it was done, and to two processes at once.
#[tokio::test]
async fn a_start_that_comes_twice_is_one_run() {
    let world = World::new(&SMALL).unwrap();
    let schedule = hourly(&world, "other").await.unwrap();
    let (one, other) = (world.sound_process(), world.sound_process());
    world.clock.advance(HOUR);
    let (first, second) = tokio::join!(tick(&one.ports), tick(&other.ports));
    assert_eq!(first.unwrap() + second.unwrap(), 1, "one tick starts it");
    let message = Message {
        tenant: acme(),
        work: WorkId::Start {
            schedule: schedule.id.clone(),
            at: schedule.next_at,
        },
        traceparent: None,
    };
    let (first, second) = tokio::join!(one.handle(&message), other.handle(&message));
    first.and(second).unwrap();
    one.handle(&message).await.unwrap();
    exactly_one(&world, &schedule).await.unwrap();
}

/// Every call of the tick and of the start fails once, in every way.
#[tokio::test]
async fn exactly_one_run_a_start_under_faults() {
    let mut scenarios = Scenarios::new("schedules");
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
                let schedule = hourly(&world, "vex").await?;
                world.clock.advance(HOUR);
                let process = world.process(&plan);
                work(&world, &process).await?;
                if process.is_dead() {
                    let process = world.replace(&process).await?;
                    work(&world, &process).await?;
                }
                exactly_one(&world, &schedule).await
            };
            scenarios.add(format!("{fault:?} at call {nth}"), outcome.await);
            // The run itself is the other scenarios' concern.
            if plan.faults() == 0 || nth == 40 {
                break;
            }
            nth += 1;
        }
    }
    scenarios.finish(100);
}
