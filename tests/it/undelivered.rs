//! A target that fails for good, and trying again.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use export_lifecycle::{cancel, retry};
use export_model::{ErrorCode, RunKey, RunStatus};
use export_ports::fault::{Fault, FaultPlan, When};
use export_scenarios::{SMALL, World, until_nth_wait};

use crate::support::{Scenarios, aborted, completed, events, statuses, undisturbed};

/// As often as a step is tried.
const ATTEMPTS: u64 = 5;

/// A world whose only run is signed, but could not be handed over: no archive could be begun.
async fn undelivered() -> Result<(World, RunKey)> {
    let world = World::new(&SMALL)?;
    let counting = FaultPlan::none();
    let process = world.process(&counting);
    let probe = world.submit(&process, "globex", "small").await?;
    world.settle(&process).await?;
    completed(&world, &probe, None).await?;
    // The archive is the last that is uploaded.
    let uploads = counting.calls_of("objects.upload");
    let plan = (0..ATTEMPTS).fold(FaultPlan::none(), |plan, attempt| {
        plan.on(
            "objects.upload",
            uploads + attempt,
            Fault::Fail(When::Before),
        )
    });
    let process = world.process(&plan);
    let key = world.submit(&process, "acme", "small").await?;
    // Only until the run has ended: its sweep is still to come.
    for _ in 0..1_000 {
        if world.run(&key).await?.status.is_terminal() {
            break;
        }
        if process.step().await?.is_none() {
            world.clock.advance(Duration::from_secs(1));
        }
    }
    let run = world.run(&key).await?;
    ensure!(run.status == RunStatus::Undelivered, "it is {}", run.status);
    ensure!(plan.faults() == ATTEMPTS, "{} attempts", plan.faults());
    Ok((world, key))
}

/// The signed set is there, and nothing else of this run.
async fn signed_set_is_kept(world: &World, key: &RunKey) -> Result<()> {
    let run = world.run(key).await?;
    let published = run.published.as_ref().context("nothing is published")?;
    let kept: BTreeSet<_> = published
        .members
        .iter()
        .map(|(_, o, _)| o.to_string())
        .collect();
    let (objects, uploads) = world.files()?;
    let mine: BTreeSet<_> = objects
        .into_iter()
        .filter(|object| object.contains(key.run.as_str()))
        .collect();
    ensure!(mine == kept, "{mine:?} instead of {kept:?}");
    ensure!(uploads.is_empty(), "{uploads:?}");
    Ok(())
}

#[tokio::test]
async fn the_signed_set_is_kept_and_the_slot_is_free() {
    let (world, key) = undelivered().await.unwrap();
    world.settle(&world.sound_process()).await.unwrap();
    let run = world.run(&key).await.unwrap();
    assert_eq!(run.status, RunStatus::Undelivered);
    assert_eq!(run.failure.unwrap().error_code, ErrorCode::Storage);
    signed_set_is_kept(&world, &key).await.unwrap();
    crate::support::at_rest(&world).await.unwrap();
    // An ended run of any other kind is not tried again.
    retry(&world.observer, &key).await.unwrap();
    world.settle(&world.sound_process()).await.unwrap();
    let error = retry(&world.observer, &key).await.unwrap_err();
    assert_eq!(error.failure().error_code, ErrorCode::RunEnded);
}

/// Retried before its sweep, after its first sweep, and after its last one.
#[tokio::test]
async fn a_retry_completes_the_run() {
    let digest = undisturbed().await;
    let mut scenarios = Scenarios::new("retried");
    for when in ["at once", "after the first sweep", "after the last sweep"] {
        let outcome = async {
            let (world, key) = undelivered().await?;
            let process = world.sound_process();
            match when {
                "after the first sweep" => {
                    process.pump().await?;
                    ensure!(!world.work().await?.is_empty(), "a late sweep is to come");
                }
                "after the last sweep" => world.settle(&process).await?,
                _ => {}
            }
            let manifest = world.run(&key).await?.published;
            retry(&process.ports, &key).await?;
            world.settle(&process).await?;
            completed(&world, &key, Some(digest)).await?;
            let run = world.run(&key).await?;
            ensure!(run.published == manifest, "it was signed again");
            let story = statuses(&events(&world, &run).await?);
            let (_, end) = story.split_at(story.len() - 4);
            use RunStatus::{Completed, Distributing, Undelivered};
            ensure!(
                end == [Distributing, Undelivered, Distributing, Completed],
                "{story:?}"
            );
            Ok(())
        };
        scenarios.add(when, outcome.await);
    }
    scenarios.finish(3);
}

/// A sweep of the undelivered run is in the middle of its work when the run is tried again.
#[tokio::test]
async fn a_sweep_in_progress_does_not_take_a_retry_away() {
    let mut scenarios = Scenarios::new("retried while swept");
    for n in 1..200 {
        let (world, key) = undelivered().await.unwrap();
        let (sweeper, other) = (world.sound_process(), world.sound_process());
        let mut sweeping = pin!(sweeper.pump());
        let is_over = until_nth_wait(sweeping.as_mut(), n).await.is_some();
        let outcome: Result<()> = async {
            let mut retrying = pin!(async {
                retry(&other.ports, &key).await?;
                other.pump().await
            });
            // As far as it comes while the sweeper stands still; then both go on.
            let retried = until_nth_wait(retrying.as_mut(), 60).await;
            if !is_over {
                sweeping.as_mut().await?;
            }
            match retried {
                Some(outcome) => outcome?,
                None => retrying.await?,
            };
            world.settle(&other).await?;
            completed(&world, &key, None).await.map(|_| ())
        }
        .await;
        scenarios.add(format!("wait {n}"), outcome);
        if is_over {
            break;
        }
    }
    scenarios.finish(10);
}

#[tokio::test]
async fn a_retried_run_can_be_cancelled() {
    let (world, key) = undelivered().await.unwrap();
    let process = world.sound_process();
    process.pump().await.unwrap();
    retry(&process.ports, &key).await.unwrap();
    cancel(&world.observer, &key, "auditor").await.unwrap();
    world.settle(&process).await.unwrap();
    aborted(&world, &key, "auditor").await.unwrap();
}
