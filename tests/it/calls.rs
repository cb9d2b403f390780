//! Every call of a port that a run makes, each failing once, in every way that a call can fail.
//!
//! Calls are named by their port and method and counted by name, so that a scenario is the same
//! call whenever it is run, though a part's stages run beside each other.

use anyhow::{Result, ensure};
use export_model::Sha256Digest;
use export_ports::fault::{Fault, FaultPlan, When};
use export_scenarios::{SMALL, World};

use crate::support::{Scenarios, completed};

const CALLS: [&str; 37] = [
    "evidence.index",
    "evidence.records",
    "evidence.sboms",
    "evidence.watermark",
    "evidence.watermark_at",
    "objects.complete",
    "objects.delete",
    "objects.head",
    "objects.list",
    "objects.part",
    "objects.put",
    "objects.read",
    "objects.resume",
    "objects.sweep",
    "objects.upload",
    "policy.freeze",
    "policy.snapshot",
    "queue.acknowledge",
    "queue.extend",
    "queue.receive",
    "queue.send",
    "signer.public_key_pem",
    "signer.sign",
    "state.commit",
    "state.distributions",
    "state.due_or_leased",
    "state.due_schedules",
    "state.events",
    "state.expire",
    "state.expired_runs",
    "state.mark",
    "state.parts",
    "state.profile",
    "state.run",
    "state.runs",
    "state.slots",
    "state.work",
];

/// A whole life of a run, from its submission to its last sweep, with `plan`'s faults.
async fn life(
    profile: &str,
    plan: &FaultPlan,
    expected: Option<Sha256Digest>,
) -> Result<Sha256Digest> {
    let world = World::new(&SMALL)?;
    let process = world.process(plan);
    let key = world.submit(&process, "acme", profile).await?;
    world.settle(&process).await?;
    if process.is_dead() {
        let process = world.replace(&process).await?;
        world.settle(&process).await?;
    }
    completed(&world, &key, expected).await
}

async fn every_call(what: &'static str, profile: &str, fault: Fault, only: &[&str]) {
    let plan = FaultPlan::none();
    let digest = life(profile, &plan, None).await.unwrap();
    let calls: Vec<(&str, u64)> = only
        .iter()
        .map(|name| (*name, plan.calls_of(name)))
        .collect();
    if only == CALLS {
        let counted: u64 = calls.iter().map(|(_, count)| count).sum();
        let elsewhere = plan.calls_of("state.work_of_run") + plan.calls_of("objects.abort");
        assert_eq!(
            plan.calls(),
            counted + elsewhere,
            "a call is not in the list"
        );
    }
    let mut scenarios = Scenarios::new(what);
    for (name, count) in calls {
        for nth in 1..=count {
            let plan = FaultPlan::none().on(name, nth, fault);
            let outcome = async {
                life(profile, &plan, Some(digest)).await?;
                // Concurrent commits conflict now and then, and are tried again: the number of calls
                // differs by a few from life to life.
                let faults = plan.faults();
                ensure!(faults == 1 || nth + 5 > count, "there were {faults} faults");
                Ok(())
            };
            scenarios.add(format!("{name} {nth} of {count}"), outcome.await);
        }
    }
    scenarios.finish(if only == CALLS { 200 } else { 10 });
}

#[tokio::test]
async fn any_call_fails_without_its_effect() {
    every_call("fail before", "small", Fault::Fail(When::Before), &CALLS).await;
}

#[tokio::test]
async fn any_call_fails_after_its_effect() {
    every_call("fail after", "small", Fault::Fail(When::After), &CALLS).await;
}

#[tokio::test]
async fn the_process_dies_before_any_call() {
    every_call("die before", "small", Fault::Die(When::Before), &CALLS).await;
}

#[tokio::test]
async fn the_process_dies_after_any_call() {
    every_call("die after", "small", Fault::Die(When::After), &CALLS).await;
}

#[tokio::test]
async fn any_message_is_sent_or_received_twice() {
    let messages = ["queue.send", "queue.receive"];
    every_call("twice", "small", Fault::Duplicate, &messages).await;
    every_call("twice, assembled", "scanner", Fault::Duplicate, &messages).await;
}

/// The calls of a run that is assembled that another run does not make, or makes otherwise.
const ASSEMBLING: [&str; 9] = [
    "objects.complete",
    "objects.part",
    "objects.read",
    "objects.upload",
    "queue.send",
    "state.commit",
    "state.parts",
    "state.run",
    "state.work",
];

#[tokio::test]
async fn any_call_of_an_assembled_run_fails() {
    for when in [When::Before, When::After] {
        let fault = Fault::Fail(when);
        every_call("assembled, fail", "scanner", fault, &ASSEMBLING).await;
    }
}

#[tokio::test]
async fn the_process_dies_at_any_call_of_an_assembled_run() {
    for when in [When::Before, When::After] {
        let fault = Fault::Die(when);
        every_call("assembled, die", "scanner", fault, &ASSEMBLING).await;
    }
}

/// Many faults in one life, as a bad day has them.
#[tokio::test]
async fn many_calls_fail() {
    let mut scenarios = Scenarios::new("bad days");
    for profile in ["small", "scanner"] {
        let digest = life(profile, &FaultPlan::none(), None).await.unwrap();
        for seed in 0..60 {
            let plan = FaultPlan::seeded(seed, 6);
            scenarios.add(
                format!("{profile}, seed {seed}"),
                life(profile, &plan, Some(digest)).await.map(|_| ()),
            );
        }
    }
    scenarios.finish(120);
}
