//! Functions whose time is over: they stop where they can go on, and the result is the same.

use std::fs;

use anyhow::{Result, ensure};
use export_bundle::archive::{ArchiveLayout, Segment};
use export_model::{EventBody, Phase, Run, RunKey, RunStatus, Sha256Digest};
use export_ports::fault::FaultPlan;
use export_scenarios::{HEAVY, Process, SMALL, World};

use crate::support::{completed, events, undisturbed};

#[tokio::test]
async fn a_shard_stops_after_a_part_and_goes_on_in_a_new_message() {
    let digest = undisturbed().await;
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process().hurried();
    let key = world.submit(&process, "acme", "small").await.unwrap();
    let mut messages = 0;
    while let Some((message, outcome)) = process.step().await.unwrap() {
        outcome.unwrap();
        messages += usize::from(message.work.phase() == Phase::Adapter);
    }
    assert_eq!(messages, 9, "a message a part");
    world.settle(&process).await.unwrap();
    completed(&world, &key, Some(digest)).await.unwrap();
    let run = world.run(&key).await.unwrap();
    let starts = events(&world, &run).await.unwrap();
    let starts = starts
        .iter()
        .filter(|event| matches!(event.body, EventBody::AdapterStart { .. }));
    assert_eq!(starts.count(), 9, "no part was written twice");
}

/// A world whose only run is signed and about to be handed over.
async fn signed() -> Result<(World, RunKey)> {
    let world = World::new(&HEAVY)?;
    let process = world.sound_process();
    let key = world.submit(&process, "acme", "small").await?;
    while world.run(&key).await?.status != RunStatus::Distributing {
        let step = process.step().await?;
        ensure!(step.is_some(), "it stops before it is signed");
    }
    Ok((world, key))
}

/// Hands over; says how many messages that took.
async fn hand_over(world: &World, process: &Process, key: &RunKey) -> Result<usize> {
    let mut messages = 0;
    while world.run(key).await?.status == RunStatus::Distributing {
        match process.step().await? {
            Some((message, _)) => {
                messages += usize::from(message.work.phase() == Phase::Distribute);
            }
            None => world.clock.advance(std::time::Duration::from_secs(1)),
        }
        ensure!(messages < 100, "it never ends");
    }
    Ok(messages)
}

/// The archive's digest, computed from the published set alone.
fn archive_of(world: &World, run: &Run) -> Sha256Digest {
    let published = run.published.as_ref().unwrap();
    let members: Vec<(&str, u64)> = published
        .members
        .iter()
        .map(|(path, _, size)| (path.as_str(), *size))
        .collect();
    let contents: Vec<Vec<u8>> = published
        .members
        .iter()
        .map(|(_, key, _)| fs::read(world.path("objects").join(key.as_str())).unwrap())
        .collect();
    let mut archive = Vec::new();
    for segment in ArchiveLayout::new(&members).unwrap().segments() {
        match segment {
            Segment::Header(bytes) => archive.extend(bytes),
            Segment::Zeros(count) => archive.resize(archive.len() + count, 0),
            Segment::Member { index, range } => {
                let range =
                    usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
                archive.extend_from_slice(&contents[index][range]);
            }
        }
    }
    Sha256Digest::of(&archive)
}

#[tokio::test]
async fn an_archive_goes_on_from_its_checkpoint() {
    let (signed, key) = signed().await.unwrap();
    let expected = archive_of(&signed, &signed.run(&key).await.unwrap());

    let at_once = signed.fork().unwrap();
    let process = at_once.sound_process();
    assert_eq!(hand_over(&at_once, &process, &key).await.unwrap(), 1);
    let archive = at_once.run(&key).await.unwrap().archive.unwrap();
    assert_eq!(archive.sha256, expected);
    assert!(
        archive.size > 16 << 20,
        "more than two parts: {}",
        archive.size
    );

    let counting = FaultPlan::none();
    let stopping = signed.fork().unwrap();
    let process = stopping.process(&counting).hurried();
    let messages = hand_over(&stopping, &process, &key).await.unwrap();
    assert!(messages >= 3, "it stopped {messages} times");
    let in_parts = stopping.run(&key).await.unwrap().archive.unwrap();
    assert_eq!((in_parts.sha256, in_parts.size), (expected, archive.size));
    stopping.settle(&process).await.unwrap();
    completed(&stopping, &key, None).await.unwrap();
}
