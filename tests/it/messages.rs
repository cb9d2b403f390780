//! Messages that come twice, late and out of order.

use anyhow::{Result, ensure};
use export_model::{Message, Sha256Digest};
use export_ports::Delivery;
use export_scenarios::{Process, Random, SMALL, World};

use crate::support::{Scenarios, completed, undisturbed_of};

#[tokio::test]
async fn a_run_completes_and_leaves_what_it_should() {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    let key = world.submit(&process, "acme", "small").await.unwrap();
    world.settle(&process).await.unwrap();
    let digest = completed(&world, &key, None).await.unwrap();
    let run = world.run(&key).await.unwrap();
    assert_eq!((run.parts, run.records), (9, 9), "a part a record");

    // Again, and by two processes at once.
    let other = world.sound_process();
    let again = world.submit(&process, "acme", "small").await.unwrap();
    let (one, two) = tokio::join!(world.end(&process, &again), world.end(&other, &again));
    one.and(two).unwrap();
    world.settle(&other).await.unwrap();
    completed(&world, &again, Some(digest)).await.unwrap();
}

/// Takes every message that is visible.
async fn receive_all(process: &Process, waiting: &mut Vec<Delivery>) -> Result<()> {
    while let Some(delivery) = process.receive().await? {
        waiting.push(delivery);
    }
    Ok(())
}

/// A run whose messages `seed` shuffles, repeats and delays.
async fn shuffled(profile: &str, seed: u64, expected: Sha256Digest) -> Result<()> {
    let world = World::new(&SMALL)?;
    let (one, other) = (world.sound_process(), world.sound_process());
    let key = world.submit(&one, "acme", profile).await?;
    let mut random = Random::new(seed);
    let (mut waiting, mut seen): (Vec<Delivery>, Vec<Message>) = (Vec::new(), Vec::new());
    for _ in 0..2_000 {
        receive_all(&one, &mut waiting).await?;
        if waiting.is_empty() {
            break;
        }
        let chosen = random.below(waiting.len());
        match random.below(4) {
            // An old message, after whatever it asked for was done, or in the middle of it.
            0 if !seen.is_empty() => one.handle(&seen[random.below(seen.len())]).await?,
            // One message, to two processes at once.
            1 => {
                let delivery = waiting.swap_remove(chosen);
                let message = &delivery.message;
                let (first, second) = tokio::join!(one.handle(message), other.handle(message));
                first.and(second)?;
                acknowledge(&one, &delivery).await?;
                seen.push(delivery.message);
            }
            // Two messages at once.
            2 if waiting.len() > 1 => {
                let first = waiting.swap_remove(chosen);
                let second = waiting.swap_remove(random.below(waiting.len()));
                let (a, b) =
                    tokio::join!(one.handle(&first.message), other.handle(&second.message));
                a.and(b)?;
                for delivery in [first, second] {
                    acknowledge(&one, &delivery).await?;
                    seen.push(delivery.message);
                }
            }
            _ => {
                let delivery = waiting.swap_remove(chosen);
                one.handle(&delivery.message).await?;
                acknowledge(&one, &delivery).await?;
                seen.push(delivery.message);
            }
        }
    }
    ensure!(waiting.is_empty(), "{waiting:?} were never handled");
    world.settle(&other).await?;
    for message in &seen {
        other.handle(message).await?;
    }
    completed(&world, &key, Some(expected)).await.map(|_| ())
}

async fn acknowledge(process: &Process, delivery: &Delivery) -> Result<()> {
    let phase = delivery.message.work.phase();
    Ok(process
        .ports
        .queue
        .acknowledge(phase, &delivery.receipt)
        .await?)
}

#[tokio::test]
async fn messages_come_in_any_order_and_any_number() {
    let mut scenarios = Scenarios::new("shuffled");
    for (profile, seeds) in [("small", 0..100), ("scanner", 100..150)] {
        let digest = undisturbed_of(profile).await;
        for seed in seeds {
            let outcome = shuffled(profile, seed, digest).await;
            scenarios.add(format!("{profile}, seed {seed}"), outcome);
        }
    }
    scenarios.finish(150);
}
