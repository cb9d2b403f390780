//! What must be true in the end, whatever happened on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use anyhow::{Context as _, Result, ensure};
use export_bundle::verify::{Trust, Verdict, VerifyOptions, verify_archive};
use export_model::{
    DistributionStatus, Event, EventBody, Phase, Run, RunKey, RunStatus, Sha256Digest, WorkId,
};
use export_scenarios::{SMALL, World};
use export_signing::PublicKey;
use std::time::Duration;

/// Runs scenarios one after the other, all of them, and says which went wrong.
pub(crate) struct Scenarios {
    what: &'static str,
    count: usize,
    wrong: Vec<String>,
}

impl Scenarios {
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            count: 0,
            wrong: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, name: impl Into<String>, outcome: Result<()>) {
        self.count += 1;
        if let Err(error) = outcome {
            self.wrong.push(format!("{}: {error:#}", name.into()));
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Fails the test where any scenario went wrong, or where there were fewer than `least`.
    pub(crate) fn finish(self, least: usize) {
        println!("{}: {} scenarios", self.what, self.count);
        assert!(
            self.wrong.is_empty(),
            "{} of {} scenarios went wrong:\n{}",
            self.wrong.len(),
            self.count,
            self.wrong[..self.wrong.len().min(20)].join("\n")
        );
        assert!(self.count >= least, "only {} scenarios", self.count);
    }
}

/// The digest of `small`'s content when nothing goes wrong.
pub(crate) async fn undisturbed() -> Sha256Digest {
    undisturbed_of("small").await
}

/// The digest of a profile's content when nothing goes wrong.
pub(crate) async fn undisturbed_of(profile: &str) -> Sha256Digest {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    let key = world.submit(&process, "acme", profile).await.unwrap();
    world.settle(&process).await.unwrap();
    completed(&world, &key, None).await.unwrap()
}

/// The run has completed, once, and left exactly what it should; gives its content digest, which
/// must be `expected` where that is given.
pub(crate) async fn completed(
    world: &World,
    key: &RunKey,
    expected: Option<Sha256Digest>,
) -> Result<Sha256Digest> {
    let run = world.run(key).await?;
    ensure!(
        run.status == RunStatus::Completed,
        "it is {}: {:?}",
        run.status,
        run.failure
    );
    let events = events(world, &run).await?;
    told_once(&run, &events)?;
    counted_once(world, &run).await?;
    at_rest(world).await?;
    only_what_is_pointed_at(world)
        .await
        .context("after the last sweep")?;
    let published = run.published.as_ref().context("nothing is published")?;
    if let Some(expected) = expected {
        ensure!(
            published.content_digest == expected,
            "the content is another one"
        );
    }
    archive_verifies(world, &run).await?;
    Ok(published.content_digest)
}

/// The run was cancelled by `by`, and nothing of it is left but the story.
pub(crate) async fn aborted(world: &World, key: &RunKey, by: &str) -> Result<()> {
    let run = world.run(key).await?;
    ensure!(run.status == RunStatus::Aborted, "it is {}", run.status);
    let events = events(world, &run).await?;
    let [.., before, last] = events.as_slice() else {
        anyhow::bail!("there are only {} events", events.len());
    };
    ensure!(
        matches!(before.body, EventBody::Swept { .. }),
        "{before:?} is no sweep"
    );
    let story = format!("cancelled by {by}");
    ensure!(
        matches!(&last.body, EventBody::Status { status: RunStatus::Aborted, detail: Some(detail), .. }
            if *detail == story),
        "{last:?} does not say who cancelled"
    );
    let asked = events.iter().any(|event| {
        matches!(&event.body, EventBody::Status { status: RunStatus::Cancelling, detail: Some(detail), .. }
            if *detail == story)
    });
    ensure!(asked, "no event says that it was asked for");
    let cancellation = run.cancellation.as_ref().context("nobody cancelled it")?;
    ensure!(cancellation.by == by, "{} cancelled it", cancellation.by);
    ensure!(
        run.published.is_none() && run.archive.is_none(),
        "it still points at objects"
    );
    at_rest(world).await?;
    only_what_is_pointed_at(world).await
}

/// Every event of a run; they count from 1 without gaps.
pub(crate) async fn events(world: &World, run: &Run) -> Result<Vec<Event>> {
    let state = &world.observer.state;
    let events = state.events(&run.key, 0, 10_000, Duration::ZERO).await?;
    for (event, wanted) in events.iter().zip(1..) {
        ensure!(event.seq == wanted, "event {wanted} is missing");
    }
    ensure!(
        events.len() as u64 == run.last_seq,
        "the run counts {} events of {}",
        run.last_seq,
        events.len()
    );
    Ok(events)
}

/// Everything that happens once was told once.
fn told_once(run: &Run, events: &[Event]) -> Result<()> {
    let mut told: BTreeMap<String, u32> = BTreeMap::new();
    let mut parts = BTreeSet::new();
    for event in events {
        let what = match &event.body {
            EventBody::Status { status, .. } => status.to_string(),
            EventBody::AdapterComplete { part, .. } => {
                ensure!(parts.insert(*part), "part {part} was completed twice");
                continue;
            }
            EventBody::AssembleComplete { .. } => "assemble.complete".to_owned(),
            EventBody::Signed { .. } => "sign.complete".to_owned(),
            EventBody::Distributed { .. } => "distribute.complete".to_owned(),
            EventBody::ApprovalUsed { grantor, .. } => format!("approval of {grantor}"),
            EventBody::AdapterStart { .. }
            | EventBody::AdapterChunk { .. }
            | EventBody::AdapterError { .. }
            | EventBody::AssembleStart { .. }
            | EventBody::AssembleChunk { .. }
            | EventBody::AssembleError { .. }
            | EventBody::Swept { .. }
            | EventBody::Pruned { .. } => continue,
        };
        *told.entry(what).or_default() += 1;
    }
    ensure!(parts.len() == run.parts as usize, "parts: {parts:?}");
    // A run that could not be handed over at first has been distributing, and ended, twice.
    let retried = told.remove("undelivered").unwrap_or(0);
    ensure!(told.remove("distributing") == Some(1 + retried), "{told:?}");
    let mut wanted = vec!["pending", "planned", "signing", "completed"];
    wanted.extend(["sign.complete", "distribute.complete"]);
    if run.parts > 0 {
        wanted.push("exporting");
    }
    if run.is_assembled() {
        wanted.extend(["assembling", "assemble.complete"]);
    }
    let wanted: BTreeMap<_, _> = wanted
        .into_iter()
        .map(|what| (what.to_owned(), 1))
        .collect();
    ensure!(told == wanted, "the events tell of {told:?}");
    Ok(())
}

/// Every part was counted once.
async fn counted_once(world: &World, run: &Run) -> Result<()> {
    let state = &world.observer.state;
    let parts = state.parts(&run.key, 0, 10_000).await?;
    ensure!(parts.len() == run.parts as usize, "{} parts", parts.len());
    let mut records = 0;
    for part in &parts {
        let output = part.output.as_ref();
        records += output
            .with_context(|| format!("part {} is not done", part.index))?
            .records;
    }
    ensure!(run.parts_left == 0, "{} parts are left", run.parts_left);
    ensure!(
        run.records == records && records == run.records_planned,
        "{} records, {records} in parts, {} planned",
        run.records,
        run.records_planned
    );
    ensure!(run.targets_left == 0, "{} targets left", run.targets_left);
    for row in state.distributions(&run.key).await? {
        ensure!(row.status == DistributionStatus::Delivered, "{row:?}");
    }
    Ok(())
}

/// Nobody has anything to do any more, but perhaps to sweep once more much later, and nobody holds
/// anything.
pub(crate) async fn at_rest(world: &World) -> Result<()> {
    let mut work = world.work().await?;
    work.retain(|work| !matches!(work.id, WorkId::Sweep { .. }) || work.lease.is_some());
    ensure!(work.is_empty(), "there is work: {work:?}");
    for phase in Phase::ALL {
        let stats = world.observer.queue.stats(phase).await?;
        ensure!(
            stats.messages == 0 && stats.dead == 0,
            "the queue of {} has {stats:?}",
            phase.as_str()
        );
    }
    for tenant in ["acme", "globex"] {
        let slots = world.observer.state.slots(&tenant.parse()?).await?;
        let active = slots.map_or(0, |slots| slots.active.len());
        ensure!(active == 0, "{active} slots of {tenant} are taken");
    }
    Ok(())
}

/// Every object is one that a run points at, and no upload is open.
pub(crate) async fn only_what_is_pointed_at(world: &World) -> Result<()> {
    let mut pointed_at = BTreeSet::new();
    for tenant in ["acme", "globex"] {
        let state = &world.observer.state;
        let runs = state
            .runs(&tenant.parse()?, &Default::default(), None, 1_000)
            .await?;
        for run in runs {
            let members = run.published.iter().flat_map(|set| &set.members);
            pointed_at.extend(members.map(|(_, key, _)| key.to_string()));
            pointed_at.extend(run.archive.iter().map(|a| a.object.to_string()));
            let listing = run.tree.iter().filter_map(|tree| tree.listing.as_ref());
            pointed_at.extend(listing.map(|listing| listing.object.to_string()));
        }
    }
    let (objects, uploads) = world.files()?;
    ensure!(uploads.is_empty(), "uploads are left: {uploads:?}");
    // A thread that was left alone takes its time to see that.
    let scratch = || std::fs::read_dir(world.path("scratch")).map_or(0, Iterator::count);
    for _ in 0..500 {
        if scratch() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ensure!(scratch() == 0, "scratch is left");
    let objects: BTreeSet<_> = objects.into_iter().collect();
    ensure!(
        objects == pointed_at,
        "stray objects {:?}, lost objects {:?}",
        objects.difference(&pointed_at).collect::<Vec<_>>(),
        pointed_at.difference(&objects).collect::<Vec<_>>()
    );
    Ok(())
}

/// The archive is the one that the run names, and a stranger with the key accepts it.
async fn archive_verifies(world: &World, run: &Run) -> Result<()> {
    let archive = run.archive.as_ref().context("there is no archive")?;
    let path = world.path("objects").join(archive.object.as_str());
    let bytes = std::fs::read(&path)?;
    ensure!(bytes.len() as u64 == archive.size, "its size is another");
    ensure!(
        Sha256Digest::of(&bytes) == archive.sha256,
        "its digest is another"
    );
    let pem = world.observer.signer.public_key_pem().await?;
    let trust = Trust {
        keys: vec![PublicKey::from_pem(pem.as_bytes())?],
    };
    let report = verify_archive(File::open(&path)?, &trust, &VerifyOptions::default())?;
    ensure!(
        report.verdict == Verdict::Verified,
        "it does not verify: {:?}",
        report.problems
    );
    Ok(())
}

/// The statuses that a run went through.
pub(crate) fn statuses(events: &[Event]) -> Vec<RunStatus> {
    events
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::Status { status, .. } => Some(*status),
            _ => None,
        })
        .collect()
}
