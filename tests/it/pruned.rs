//! Retention: the payload of a run goes when its time is over, the signed documents stay.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use export_lifecycle::tick;
use export_model::{EventBody, RunKey, RunStatus};
use export_ports::fault::{Fault, FaultPlan, When};
use export_scenarios::{Process, SMALL, World};

use crate::support::{Scenarios, at_rest, events, only_what_is_pointed_at};

const DAY: Duration = Duration::from_secs(86_400);

async fn completed(world: &World) -> Result<RunKey> {
    let process = world.sound_process();
    let key = world.submit(&process, "acme", "small").await?;
    world.settle(&process).await?;
    Ok(key)
}

async fn documents_stay(world: &World, key: &RunKey) -> Result<()> {
    let run = world.run(key).await?;
    ensure!(run.status == RunStatus::Completed, "it is {}", run.status);
    let pruned = run.pruned.as_ref().context("it was not pruned")?;
    ensure!(
        pruned.reason == "profile small keeps bundles for 30 days",
        "{}",
        pruned.reason
    );
    ensure!(run.archive.is_none(), "it still has an archive");
    let published = run.published.as_ref().context("nothing is published")?;
    let paths: BTreeSet<_> = published.members.iter().map(|(path, ..)| path).collect();
    ensure!(paths.len() == 5, "{paths:?}");
    for (path, object, size) in &published.members {
        let bytes = world.observer.objects.read(object, 0..*size).await?;
        ensure!(bytes.len() as u64 == *size, "{path} is not whole");
    }
    let events = events(world, &run).await?;
    let told = events
        .iter()
        .filter(|event| matches!(event.body, EventBody::Pruned { .. }));
    ensure!(
        told.count() == 1,
        "it was told more than once, or not at all"
    );
    at_rest(world).await?;
    only_what_is_pointed_at(world).await
}

async fn work(world: &World, process: &Process) -> Result<()> {
    for _ in 0..3 {
        let _ = tick(&process.ports).await;
        process.pump().await?;
        world.clock.advance(Duration::from_secs(121));
    }
    Ok(())
}

#[tokio::test]
async fn a_bundle_is_kept_as_long_as_its_profile_says() {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    let key = completed(&world).await.unwrap();
    world.clock.advance(DAY * 29);
    work(&world, &process).await.unwrap();
    let run = world.run(&key).await.unwrap();
    assert!(run.pruned.is_none() && run.archive.is_some());
    world.clock.advance(DAY);
    work(&world, &process).await.unwrap();
    documents_stay(&world, &key).await.unwrap();
}

/// The host stopped right after the run, before its late sweep, and comes back a year later.
#[tokio::test]
async fn a_sweep_that_never_came_is_in_nobodys_way() {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    let key = world.submit(&process, "acme", "small").await.unwrap();
    world.end(&process, &key).await.unwrap();
    assert!(
        !world.work().await.unwrap().is_empty(),
        "a sweep is to come"
    );
    world.clock.advance(DAY * 365);
    work(&world, &process).await.unwrap();
    world.settle(&process).await.unwrap();
    documents_stay(&world, &key).await.unwrap();
}

#[tokio::test]
async fn pruning_under_faults() {
    let mut scenarios = Scenarios::new("pruned");
    let world = World::new(&SMALL).unwrap();
    let key = completed(&world).await.unwrap();
    world.clock.advance(DAY * 31);
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
                let world = world.fork()?;
                let process = world.process(&plan);
                work(&world, &process).await?;
                if process.is_dead() {
                    let process = world.replace(&process).await?;
                    work(&world, &process).await?;
                }
                documents_stay(&world, &key).await
            };
            scenarios.add(format!("{fault:?} at call {nth}"), outcome.await);
            if plan.faults() == 0 || nth == 40 {
                break;
            }
            nth += 1;
        }
    }
    scenarios.finish(50);
}
