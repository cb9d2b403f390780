//! Four active runs a tenant, fair between its profiles, whatever the order of messages.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use export_model::{RunId, RunKey, RunStatus, Slots};
use export_ports::Delivery;
use export_scenarios::{Process, Random, SMALL, World};

use crate::support::{Scenarios, completed};

/// Looks at the slots after every message.
struct Watch {
    profiles: BTreeMap<RunId, String>,
    active: Vec<RunId>,
    /// In which order runs were given slots.
    admitted: Vec<RunId>,
}

impl Watch {
    async fn look(&mut self, world: &World) -> Result<()> {
        let tenant = "acme".parse()?;
        let slots = world.observer.state.slots(&tenant).await?;
        let active: Vec<RunId> = slots
            .map(|slots: Slots| slots.active.into_iter().map(|(run, _)| run).collect())
            .unwrap_or_default();
        ensure!(
            active.len() <= Slots::LIMIT,
            "{} runs are active",
            active.len()
        );
        let runs = world
            .observer
            .state
            .runs(&tenant, &Default::default(), None, 100)
            .await?;
        for run in &runs {
            let has_slot = active.contains(&run.key.run);
            let at_work = !run.status.is_terminal() && run.status != RunStatus::Pending;
            ensure!(
                run.admitted == has_slot,
                "{} is {} and has no slot, or the other way round",
                run.key,
                run.status
            );
            ensure!(!at_work || has_slot, "{} works without a slot", run.key);
        }
        // One message either ends runs or admits some, so what is new came in this order.
        let kept: Vec<RunId> = self
            .active
            .iter()
            .filter(|run| active.contains(run))
            .cloned()
            .collect();
        let mut now = self.tally(&kept);
        for run in active.iter().filter(|run| !self.active.contains(run)) {
            let waiting = runs
                .iter()
                .filter(|r| !self.admitted.contains(&r.key.run))
                .map(|r| r.profile.name.as_str());
            let mine = now.get(&self.profiles[run]).copied().unwrap_or(0);
            for profile in waiting {
                let theirs = now.get(profile).copied().unwrap_or(0);
                ensure!(
                    mine <= theirs,
                    "{run} of {} got a slot with {mine} active, before {profile} with {theirs}",
                    self.profiles[run]
                );
            }
            *now.entry(self.profiles[run].clone()).or_default() += 1;
            self.admitted.push(run.clone());
        }
        self.active = active;
        Ok(())
    }

    fn tally(&self, runs: &[RunId]) -> BTreeMap<String, usize> {
        let mut tally = BTreeMap::new();
        for run in runs {
            *tally.entry(self.profiles[run].clone()).or_default() += 1;
        }
        tally
    }
}

async fn submit_ten(world: &World, process: &Process) -> Result<(Vec<RunKey>, Watch)> {
    let mut keys = Vec::new();
    let mut profiles = BTreeMap::new();
    for number in 0..10 {
        // Eight of one profile come first.
        let profile = if number < 8 { "small" } else { "other" };
        let key = world.submit(process, "acme", profile).await?;
        profiles.insert(key.run.clone(), profile.to_owned());
        keys.push(key);
        world.clock.advance(std::time::Duration::from_millis(1));
    }
    let watch = Watch {
        profiles,
        active: Vec::new(),
        admitted: Vec::new(),
    };
    Ok((keys, watch))
}

/// Handles the messages of ten runs of one tenant in the order of `seed`.
async fn crowd(seed: u64) -> Result<()> {
    let world = World::new(&SMALL)?;
    let process = world.sound_process();
    let (keys, mut watch) = submit_ten(&world, &process).await?;
    let mut random = Random::new(seed);
    let mut waiting: Vec<Delivery> = Vec::new();
    loop {
        while let Some(delivery) = process.receive().await? {
            waiting.push(delivery);
        }
        if waiting.is_empty() {
            break;
        }
        let delivery = waiting.swap_remove(random.below(waiting.len()));
        process.handle(&delivery.message).await?;
        let phase = delivery.message.work.phase();
        let queue = &process.ports.queue;
        queue.acknowledge(phase, &delivery.receipt).await?;
        watch.look(&world).await?;
    }
    ensure!(
        watch.admitted.len() == keys.len(),
        "{} were admitted",
        watch.admitted.len()
    );
    // Among the runs of one profile, whoever came first goes first.
    for profile in ["small", "other"] {
        let of_profile = |run: &&RunId| watch.profiles[*run] == profile;
        let order: Vec<_> = watch.admitted.iter().filter(of_profile).collect();
        ensure!(order.is_sorted(), "{profile} was admitted as {order:?}");
    }
    world.settle(&process).await?;
    for key in &keys {
        completed(&world, key, None).await?;
    }
    Ok(())
}

#[tokio::test]
async fn four_at_a_time_and_every_profile_gets_its_turn() {
    let mut scenarios = Scenarios::new("crowds");
    for seed in 0..12 {
        scenarios.add(format!("seed {seed}"), crowd(seed).await);
    }
    scenarios.finish(12);
}

#[tokio::test]
async fn another_tenant_does_not_wait() {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    let (keys, _) = submit_ten(&world, &process).await.unwrap();
    let theirs = world.submit(&process, "globex", "small").await.unwrap();
    // Everything of `acme` stands still after its first message.
    let mut held_back = Vec::new();
    while let Some(delivery) = process.receive().await.unwrap() {
        let first = held_back.is_empty();
        if first || delivery.message.tenant == theirs.tenant {
            process.handle(&delivery.message).await.unwrap();
        }
        held_back.push(delivery);
    }
    let run = world.run(&theirs).await.unwrap();
    assert_eq!(run.status, RunStatus::Completed);
    let slots = world.observer.state.slots(&keys[0].tenant).await.unwrap();
    assert_eq!(slots.unwrap().active.len(), Slots::LIMIT);
    world.settle(&process).await.unwrap();
    for key in keys.iter().chain([&theirs]) {
        completed(&world, key, None).await.unwrap();
    }
}

/// Four processes at once, which all want the same rows.
#[tokio::test]
async fn many_processes_share_the_slots() {
    let world = World::new(&SMALL).unwrap();
    let [a, b, c, d] = [(); 4].map(|()| world.sound_process());
    let (keys, mut watch) = submit_ten(&world, &a).await.unwrap();
    loop {
        let (a, b, c, d) = tokio::join!(a.step(), b.step(), c.step(), d.step());
        let steps = [a.unwrap(), b.unwrap(), c.unwrap(), d.unwrap()];
        // Not `look`: several messages were handled since the last one.
        let slots = world.observer.state.slots(&keys[0].tenant).await.unwrap();
        watch.active = slots
            .map(|slots| slots.active.into_iter().map(|(run, _)| run).collect())
            .unwrap_or_default();
        assert!(watch.active.len() <= Slots::LIMIT);
        for (message, outcome) in steps.iter().flatten() {
            assert!(outcome.is_ok(), "{message:?}: {outcome:?}");
        }
        if steps.iter().all(Option::is_none) {
            break;
        }
    }
    world.settle(&a).await.unwrap();
    for key in &keys {
        completed(&world, key, None).await.unwrap();
    }
}
