//! Mirrors whose calls fail and whose processes die: their trees are the same, and what they leave.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use export_api::{NewProfile, create_profile};
use export_lifecycle::{cancel, tick};
use export_model::{
    AsOf, ErrorCode, EventBody, ProfileConfig, ProfileKind, Retention, RunId, RunKey, RunOptions,
    RunStatus, Sha256Digest, WorkId,
};
use export_ports::fault::{Fault, FaultPlan, When};
use export_scenarios::{BEFORE_CHANGES, CHANGING, Process, World, until_nth_wait};

use crate::support::{Scenarios, aborted, at_rest, completed, events, only_what_is_pointed_at};

const DAY: Duration = Duration::from_secs(86_400);

/// A world with mirrors' profiles, a part three records, their lists kept for 90 days.
async fn world() -> World {
    let world = World::new(&CHANGING).unwrap();
    for (name, kind) in [
        ("tree", ProfileKind::MirrorFull),
        ("changes", ProfileKind::MirrorDelta),
    ] {
        let new = NewProfile {
            name: name.to_owned(),
            kind,
            description: String::new(),
            config: ProfileConfig {
                records_per_part: 3,
                retention: Retention {
                    days: 30,
                    listing_days: Some(90),
                },
                ..ProfileConfig::default()
            },
        };
        let tenant = "acme".parse().unwrap();
        create_profile(&world.observer, &tenant, new).await.unwrap();
    }
    world
}

/// Lets everything be done. Boxed: a test that does so often would have more on its stack than there is.
async fn settle(world: &World, process: &Process) -> Result<()> {
    Box::pin(world.settle(process)).await
}

/// A run that has been done; it may have failed.
async fn done(world: &World, process: &Process, profile: &str, options: RunOptions) -> RunKey {
    let key = Box::pin(world.submit_with(process, "acme", profile, options)).await;
    settle(world, process).await.unwrap();
    key.unwrap()
}

/// Whether all is as it should be after a run.
async fn check(world: &World, key: &RunKey) -> Sha256Digest {
    Box::pin(completed(world, key, None)).await.unwrap()
}

fn from(base: &RunId) -> RunOptions {
    RunOptions {
        base_export_id: Some(base.clone()),
        ..RunOptions::default()
    }
}

/// A world with a mirror of what was there before it changed.
async fn with_base() -> (World, RunKey) {
    let world = world().await;
    let process = world.sound_process();
    let options = RunOptions {
        as_of: Some(AsOf::Watermark(BEFORE_CHANGES)),
        ..RunOptions::default()
    };
    let key = done(&world, &process, "tree", options).await;
    check(&world, &key).await;
    assert_eq!(world.run(&key).await.unwrap().records, 8);
    (world, key)
}

/// A delta since `base`, in a copy of `world`, with `plan`'s faults; gives its content's digest.
async fn life(
    world: &World,
    profile: &str,
    base: Option<&RunId>,
    plan: &FaultPlan,
    expected: Option<Sha256Digest>,
) -> Result<Sha256Digest> {
    let world = world.fork()?;
    let process = world.process(plan);
    let options = base.map_or_else(RunOptions::default, from);
    let key = Box::pin(world.submit_with(&process, "acme", profile, options)).await?;
    settle(&world, &process).await?;
    if process.is_dead() {
        let process = world.replace(&process).await?;
        settle(&world, &process).await?;
    }
    Box::pin(completed(&world, &key, expected)).await
}

/// The calls that a mirror makes, or makes otherwise than other runs do.
const CALLS: [&str; 12] = [
    "evidence.index",
    "evidence.pick",
    "evidence.records",
    "objects.complete",
    "objects.part",
    "objects.put",
    "objects.read",
    "objects.upload",
    "queue.send",
    "state.commit",
    "state.run",
    "state.work",
];

async fn every_call(what: &'static str, full: bool, fault: fn(When) -> Fault) {
    let (world, key) = with_base().await;
    let (profile, base) = if full {
        ("tree", None)
    } else {
        ("changes", Some(&key.run))
    };
    let plan = FaultPlan::none();
    let digest = life(&world, profile, base, &plan, None).await.unwrap();
    let mut scenarios = Scenarios::new(what);
    for name in CALLS {
        let count = plan.calls_of(name);
        for (nth, when) in (1..=count).flat_map(|nth| [(nth, When::Before), (nth, When::After)]) {
            let faulty = FaultPlan::none().on(name, nth, fault(when));
            let outcome = async {
                life(&world, profile, base, &faulty, Some(digest)).await?;
                // Concurrent commits conflict now and then, and are tried again.
                let faults = faulty.faults();
                ensure!(faults == 1 || nth + 5 > count, "there were {faults} faults");
                Ok(())
            };
            scenarios.add(format!("{name} {nth} of {count}, {when:?}"), outcome.await);
        }
    }
    scenarios.finish(50);
}

#[tokio::test]
async fn any_call_of_a_full_mirror_fails() {
    every_call("mirror:full, fail", true, Fault::Fail).await;
}

#[tokio::test]
async fn the_process_dies_at_any_call_of_a_full_mirror() {
    every_call("mirror:full, die", true, Fault::Die).await;
}

#[tokio::test]
async fn any_call_of_a_delta_fails() {
    every_call("mirror:delta, fail", false, Fault::Fail).await;
}

#[tokio::test]
async fn the_process_dies_at_any_call_of_a_delta() {
    every_call("mirror:delta, die", false, Fault::Die).await;
}

#[tokio::test]
async fn a_delta_carries_what_has_changed_and_nothing_else() {
    let (world, base) = with_base().await;
    let process = world.sound_process();
    let key = done(&world, &process, "changes", from(&base.run)).await;
    check(&world, &key).await;
    let run = world.run(&key).await.unwrap();
    assert_eq!(
        (run.records, run.parts),
        (5, 2),
        "three revisions and two more"
    );
    let delta = run.tree.unwrap();
    let changes = delta.changes.unwrap();
    let stored = fs::read(world.path("objects").join(changes.object.as_str())).unwrap();
    let text = String::from_utf8(zstd::stream::decode_all(stored.as_slice()).unwrap()).unwrap();
    let ops = |op: &str| text.matches(&format!("\"op\":\"{op}\"")).count();
    assert_eq!(
        (ops("add"), ops("change"), ops("remove")),
        (5, 0, 3),
        "{text}"
    );
    // Its tree is the one that a full mirror has now.
    let full = done(&world, &process, "tree", RunOptions::default()).await;
    check(&world, &full).await;
    let full = world.run(&full).await.unwrap().tree.unwrap();
    assert_eq!((full.digest, full.tallies), (delta.digest, delta.tallies));
}

/// Whatever becomes of the base's list, nothing is planned from what is not it.
#[tokio::test]
async fn a_base_whose_list_is_lost_or_damaged_fails_the_delta() {
    type Damage = fn(&std::path::Path);
    let damages: [(&str, Damage); 4] = [
        ("lost", |path| fs::remove_file(path).unwrap()),
        ("altered", |path| {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("cut", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 9]).unwrap();
        }),
        ("another", |path| {
            fs::write(path, zstd::encode_all(&b""[..], 3).unwrap()).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let (world, base) = with_base().await;
        let listing = world.run(&base).await.unwrap().tree.unwrap().listing;
        let object = listing.unwrap().object;
        damage(&world.path("objects").join(object.as_str()));
        let process = world.sound_process();
        let key = done(&world, &process, "changes", from(&base.run)).await;
        let run = world.run(&key).await.unwrap();
        assert_eq!(run.status, RunStatus::Failed, "{what}");
        let failure = run.failure.unwrap();
        let codes = [ErrorCode::Storage, ErrorCode::RetriesExhausted];
        assert!(codes.contains(&failure.error_code), "{what}: {failure:?}");
        assert!(
            failure.detail.contains(object.as_str()),
            "{what}: {failure:?}"
        );
        at_rest(&world).await.unwrap();
        if what != "lost" {
            only_what_is_pointed_at(&world).await.unwrap();
        }
        // A full mirror is not affected.
        let full = done(&world, &process, "tree", RunOptions::default()).await;
        assert_eq!(world.run(&full).await.unwrap().status, RunStatus::Completed);
    }
}

#[tokio::test]
async fn cancelling_while_it_is_planned_leaves_nothing() {
    let mut scenarios = Scenarios::new("mirror cancelled while planned");
    let (world, base) = with_base().await;
    for n in 1..2_000 {
        let mut is_over = false;
        let outcome = async {
            let world = world.fork()?;
            let process = world.sound_process();
            let key =
                Box::pin(world.submit_with(&process, "acme", "changes", from(&base.run))).await?;
            let delivery = loop {
                let delivery = process.receive().await?.context("no plan was asked for")?;
                if matches!(delivery.message.work, WorkId::Plan { .. }) {
                    break delivery;
                }
                Box::pin(process.handle(&delivery.message)).await?;
                let phase = delivery.message.work.phase();
                process
                    .ports
                    .queue
                    .acknowledge(phase, &delivery.receipt)
                    .await?;
            };
            let mut planning = Box::pin(process.handle(&delivery.message));
            is_over = until_nth_wait(planning.as_mut(), n).await.is_some();
            cancel(&world.observer, &key, "auditor").await?;
            if !is_over {
                // Whether it succeeds, or sees that nobody wants it any more.
                let _ = planning.await;
            }
            let phase = delivery.message.work.phase();
            process
                .ports
                .queue
                .acknowledge(phase, &delivery.receipt)
                .await?;
            settle(&world, &process).await?;
            aborted(&world, &key, "auditor").await
        };
        scenarios.add(format!("wait {n}"), outcome.await);
        if is_over {
            break;
        }
    }
    scenarios.finish(5);
}

async fn work(world: &World, process: &Process) {
    for _ in 0..3 {
        tick(&process.ports).await.unwrap();
        Box::pin(process.pump()).await.unwrap();
        world.clock.advance(Duration::from_secs(121));
    }
}

#[tokio::test]
async fn a_list_is_kept_longer_than_its_bundle_and_then_removed() {
    let (world, base) = with_base().await;
    let process = world.sound_process();
    world.clock.advance(DAY * 31);
    work(&world, &process).await;
    let run = world.run(&base).await.unwrap();
    assert!(run.pruned.is_some() && run.archive.is_none());
    assert_eq!(run.published.as_ref().unwrap().members.len(), 5);
    assert!(run.tree.as_ref().unwrap().listing.is_some());
    only_what_is_pointed_at(&world).await.unwrap();
    let key = done(&world, &process, "changes", from(&base.run)).await;
    check(&world, &key).await;
    assert_eq!(world.run(&key).await.unwrap().records, 5);

    // Between: the delta's bundle goes, and its list is kept as long as its own profile says.
    world.clock.advance(DAY * 60);
    work(&world, &process).await;
    let run = world.run(&base).await.unwrap();
    let tree = run.tree.as_ref().unwrap();
    assert!(tree.listing.is_none(), "it is of the past");
    assert_eq!(run.published.as_ref().unwrap().members.len(), 5);
    let told: Vec<_> = events(&world, &run)
        .await
        .unwrap()
        .into_iter()
        .filter_map(|event| match event.body {
            EventBody::Pruned { reason } => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            "profile tree keeps bundles for 30 days",
            "profile tree keeps lists of trees for 90 days",
        ]
    );
    only_what_is_pointed_at(&world).await.unwrap();
    let refused = Box::pin(world.submit_with(&process, "acme", "changes", from(&base.run))).await;
    let refused = refused.unwrap_err();
    let refused = refused.downcast_ref::<export_api::ApiError>().unwrap();
    assert_eq!(refused.code, ErrorCode::DeltaBasePruned);
    assert!(
        refused.detail.contains(base.run.as_str()),
        "{}",
        refused.detail
    );
    assert!(refused.detail.contains("90 days"), "{}", refused.detail);
    // The delta that came of it is still a base.
    let newer = done(&world, &process, "changes", from(&key.run)).await;
    check(&world, &newer).await;
}
