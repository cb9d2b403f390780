//! Every place where a process waits, as the place where something happens to it: it dies, another
//! takes its work over and it wakes up too late, or somebody cancels the run.
//!
//! How often one waits depends on how fast the disk is: a call that is done at once is no wait.
//! Whoever acts while a process waits is a stranger to it: in one program, a caller that is never
//! polled again would keep its place in the queue for the database, and everybody behind it.

use std::pin::pin;
use std::time::Duration;

use anyhow::Result;
use export_lifecycle::tick;
use export_model::{ErrorCode, RunStatus};
use export_scenarios::{SMALL, World, until_nth_wait};

use crate::support::{Scenarios, aborted, completed, undisturbed_of};

/// More waits than any life has.
const TOO_MANY: usize = 5_000;
/// Longer than a lease.
const LEASE_AND_MORE: Duration = Duration::from_secs(61);

#[tokio::test]
async fn the_process_is_gone_at_any_wait() {
    gone("small").await;
}

#[tokio::test]
async fn the_process_is_gone_at_any_wait_of_an_assembled_run() {
    gone("scanner").await;
}

async fn gone(profile: &str) {
    let digest = undisturbed_of(profile).await;
    let mut scenarios = Scenarios::new("gone");
    for n in 1..TOO_MANY {
        let world = World::new(&SMALL).unwrap();
        let process = world.sound_process();
        let key = world.submit(&process, "acme", profile).await.unwrap();
        let is_over = {
            let life = pin!(world.settle(&process));
            // Dropped here, in the middle of whatever it was doing.
            until_nth_wait(life, n).await.is_some()
        };
        let outcome = async {
            let next = world.replace(&process).await?;
            world.settle(&next).await?;
            completed(&world, &key, Some(digest)).await.map(|_| ())
        };
        scenarios.add(format!("wait {n}"), outcome.await);
        if is_over {
            break;
        }
    }
    scenarios.finish(50);
}

#[tokio::test]
async fn the_process_wakes_up_when_another_has_taken_over() {
    overtaken("small").await;
}

#[tokio::test]
async fn the_process_wakes_up_when_another_has_taken_over_of_an_assembled_run() {
    overtaken("scanner").await;
}

async fn overtaken(profile: &str) {
    let digest = undisturbed_of(profile).await;
    let mut scenarios = Scenarios::new("overtaken");
    for n in 1..TOO_MANY {
        let world = World::new(&SMALL).unwrap();
        let sleeper = world.sound_process();
        let key = world.submit(&sleeper, "acme", profile).await.unwrap();
        let mut life = pin!(world.end(&sleeper, &key));
        let is_over = until_nth_wait(life.as_mut(), n).await.is_some();
        let outcome: Result<()> = async {
            if !is_over {
                world.clock.advance(LEASE_AND_MORE);
                let other = world.stranger()?;
                tick(&other.ports).await?;
                world.end(&other, &key).await?;
                // Its lease has passed to another, and what it was doing is done.
                life.as_mut().await?;
            }
            world.settle(&world.sound_process()).await?;
            completed(&world, &key, Some(digest)).await.map(|_| ())
        }
        .await;
        scenarios.add(format!("wait {n}"), outcome);
        if is_over {
            break;
        }
    }
    scenarios.finish(50);
}

#[tokio::test]
async fn the_run_is_cancelled_at_any_wait() {
    cancelled("small").await;
}

#[tokio::test]
async fn the_run_is_cancelled_at_any_wait_of_an_assembled_run() {
    cancelled("scanner").await;
}

async fn cancelled(profile: &str) {
    let digest = undisturbed_of(profile).await;
    let mut scenarios = Scenarios::new("cancelled");
    let mut too_late = 0;
    for n in 1..TOO_MANY {
        let world = World::new(&SMALL).unwrap();
        let process = world.sound_process();
        let key = world.submit(&process, "acme", profile).await.unwrap();
        let mut life = pin!(world.end(&process, &key));
        let is_over = until_nth_wait(life.as_mut(), n).await.is_some();
        let outcome: Result<()> = async {
            let id = key.run.as_str();
            let auditor = world.stranger()?;
            let cancelled =
                export_api::cancel_run(&auditor.ports, &key.tenant, id, "auditor").await;
            if !is_over {
                life.as_mut().await?;
            }
            world.settle(&process).await?;
            match cancelled {
                Ok(_) => aborted(&world, &key, "auditor").await,
                Err(error) => {
                    too_late += 1;
                    anyhow::ensure!(error.code == ErrorCode::RunEnded, "{error}");
                    completed(&world, &key, Some(digest)).await.map(|_| ())
                }
            }
        }
        .await;
        scenarios.add(format!("wait {n}"), outcome);
        if is_over {
            break;
        }
    }
    // The last scenario of all came too late, and so may the few before it.
    let all = scenarios.count();
    assert!((1..all / 3).contains(&too_late), "{too_late} of {all}");
    scenarios.finish(50);
}

/// Cancelled at any wait, and then the process dies at some later one.
#[tokio::test]
async fn the_run_is_cancelled_and_the_process_is_gone() {
    cancelled_and_gone("small").await;
}

#[tokio::test]
async fn the_run_is_cancelled_and_the_process_is_gone_of_an_assembled_run() {
    cancelled_and_gone("scanner").await;
}

async fn cancelled_and_gone(profile: &str) {
    let mut scenarios = Scenarios::new("cancelled and gone");
    for n in (1..TOO_MANY).step_by(7) {
        let world = World::new(&SMALL).unwrap();
        let process = world.sound_process();
        let key = world.submit(&process, "acme", profile).await.unwrap();
        let was_over = {
            let mut life = pin!(world.end(&process, &key));
            if until_nth_wait(life.as_mut(), n).await.is_some() {
                true
            } else {
                let auditor = world.stranger().unwrap();
                let _ = export_lifecycle::cancel(&auditor.ports, &key, "auditor").await;
                until_nth_wait(life.as_mut(), 1 + n % 13).await;
                false
            }
        };
        if was_over {
            break;
        }
        let outcome: Result<()> = async {
            let next = world.replace(&process).await?;
            world.settle(&next).await?;
            match world.run(&key).await?.status {
                RunStatus::Completed => completed(&world, &key, None).await.map(|_| ()),
                _ => aborted(&world, &key, "auditor").await,
            }
        }
        .await;
        scenarios.add(format!("wait {n}"), outcome);
    }
    scenarios.finish(8);
}
