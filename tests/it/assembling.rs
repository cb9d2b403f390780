//! Runs whose parts are merged into the files of a scanner.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use export_bundle::manifest::{Algorithm, Manifest};
use export_lifecycle::tick;
use export_model::{ErrorCode, EventBody, Phase, RunKey, RunOptions, RunStatus, WorkId};
use export_scenarios::{Process, SMALL, World};

use crate::support::{aborted, at_rest, completed, events, only_what_is_pointed_at, statuses};

/// A world whose only run has written its parts, and its processes so far.
async fn assembling(profile: &str) -> (World, RunKey) {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    let key = world.submit(&process, "acme", profile).await.unwrap();
    while world.run(&key).await.unwrap().status != RunStatus::Assembling {
        let (_, outcome) = process.step().await.unwrap().unwrap();
        outcome.unwrap();
    }
    (world, key)
}

async fn step(process: &Process) -> Result<()> {
    let (_, outcome) = process.step().await?.unwrap();
    Ok(outcome?)
}

#[tokio::test]
async fn parts_are_staged_merged_and_signed() {
    for (profile, parts, layer) in [
        ("scanner", 6, "payload/db.tar.gz"),
        ("jars", 1, "payload/javadb.tar.gz"),
    ] {
        let (world, key) = assembling(profile).await;
        let run = world.run(&key).await.unwrap();
        assert_eq!((run.parts, run.parts_left), (parts, 0));
        assert!(run.assembled.is_empty());
        let work = world.work().await.unwrap();
        assert!(
            matches!(&work[..], [one] if one.id == WorkId::Assemble { run: key.run.clone() }),
            "{work:?}"
        );
        assert_eq!(work[0].id.phase(), Phase::Adapter);
        for part in world.observer.state.parts(&key, 0, 100).await.unwrap() {
            let output = part.output.unwrap();
            assert!(output.object.is_none(), "a run file is no payload");
            let staged = fs::read(
                world
                    .path("objects")
                    .join(output.run_file.unwrap().object.as_str()),
            );
            assert_eq!(staged.unwrap().len() as u64, output.size);
        }

        let process = world.sound_process();
        world.settle(&process).await.unwrap();
        completed(&world, &key, None).await.unwrap();
        let run = world.run(&key).await.unwrap();
        let published = run.published.as_ref().unwrap();
        let paths: Vec<_> = published
            .members
            .iter()
            .map(|(path, ..)| path.as_str())
            .collect();
        assert!(paths.contains(&layer), "{paths:?}");
        assert!(
            !paths.iter().any(|path| path.contains("part-")),
            "{paths:?}"
        );
        let (_, object, _) = &published.members[0];
        let manifest = fs::read(world.path("objects").join(object.as_str())).unwrap();
        let manifest = Manifest::parse(&manifest).unwrap();
        assert_eq!(manifest.inconsistency(), None);
        assert_eq!(manifest.counts.records, u64::from(parts), "a part a record");
        let (_, file) = manifest.file(layer).unwrap();
        let algorithm = file.compression.map(|compression| compression.algorithm);
        assert_eq!(algorithm, Some(Algorithm::Gzip));
        let events = events(&world, &run).await.unwrap();
        let statuses = statuses(&events);
        assert!(
            statuses.windows(3).any(|three| three
                == [
                    RunStatus::Exporting,
                    RunStatus::Assembling,
                    RunStatus::Signing
                ]),
            "{statuses:?}"
        );
        let stored: u64 = run.assembled.iter().map(|file| file.size).sum();
        let told = events.iter().any(|event| {
            matches!(event.body, EventBody::AssembleComplete { stored: told, .. } if told == stored)
        });
        assert!(told, "{events:?}");
    }
}

#[tokio::test]
async fn nothing_selected_is_an_empty_database() {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    let registry = process.registry();
    let request = export_api::RunRequest {
        profile: "trivy:java-db".to_owned(),
        selectors: serde_json::from_str(r#"{"identifiers":["CVE-0000-0000"]}"#).unwrap(),
        options: RunOptions::default(),
    };
    let submitted = export_api::submit(
        &process.ports,
        registry,
        &Default::default(),
        &"acme".parse().unwrap(),
        "tester",
        request,
        Default::default(),
    )
    .await
    .unwrap();
    let key = submitted.run.key;
    world.settle(&process).await.unwrap();
    completed(&world, &key, None).await.unwrap();
    let run = world.run(&key).await.unwrap();
    assert_eq!((run.parts, run.records), (0, 0));
    assert!(
        run.assembled
            .iter()
            .any(|file| file.path == "payload/javadb.tar.gz")
    );
}

#[tokio::test]
async fn cancelling_while_parts_are_merged_leaves_nothing() {
    let (world, key) = assembling("scanner").await;
    export_lifecycle::cancel(&world.observer, &key, "auditor")
        .await
        .unwrap();
    let process = world.sound_process();
    world.settle(&process).await.unwrap();
    aborted(&world, &key, "auditor").await.unwrap();
}

#[tokio::test]
async fn who_dies_while_merging_is_replaced_and_a_lost_message_is_sent_again() {
    let (world, key) = assembling("scanner").await;
    let dead = world.sound_process();
    // It takes the message, and then nothing is heard of it.
    let delivery = dead.receive().await.unwrap().unwrap();
    let message = delivery.message;
    assert!(matches!(message.work, WorkId::Assemble { .. }));
    let process = world.sound_process();
    assert!(process.step().await.unwrap().is_none(), "it is hidden");
    world.clock.advance(Duration::from_secs(61));
    tick(&process.ports).await.unwrap();
    step(&process).await.unwrap();
    assert_eq!(world.run(&key).await.unwrap().status, RunStatus::Signing);
    // The message of the dead, late.
    process.handle(&message).await.unwrap();
    world.settle(&process).await.unwrap();
    completed(&world, &key, None).await.unwrap();
}

#[tokio::test]
async fn a_function_whose_time_is_always_over_gives_up() {
    let (world, key) = assembling("scanner").await;
    let hurried = world.sound_process().hurried();
    world.end(&hurried, &key).await.unwrap();
    let process = world.sound_process();
    world.settle(&process).await.unwrap();
    let run = world.run(&key).await.unwrap();
    assert_eq!(run.status, RunStatus::Failed);
    let failure = run.failure.clone().unwrap();
    assert_eq!(failure.error_code, ErrorCode::RetriesExhausted);
    assert!(
        failure.detail.contains("the time of one function"),
        "{failure:?}"
    );
    let events = events(&world, &run).await.unwrap();
    let told: Vec<bool> = events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::AssembleError { retried, .. } => Some(retried),
            _ => None,
        })
        .collect();
    assert_eq!(told, [true, true, true, true, false]);
    at_rest(&world).await.unwrap();
    only_what_is_pointed_at(&world).await.unwrap();
}

#[tokio::test]
async fn a_run_file_that_was_changed_is_not_merged() {
    let (world, key) = assembling("scanner").await;
    let parts = world.observer.state.parts(&key, 0, 100).await.unwrap();
    let object = parts[2]
        .output
        .as_ref()
        .unwrap()
        .run_file
        .clone()
        .unwrap()
        .object;
    let path = world.path("objects").join(object.as_str());
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    let process = world.sound_process();
    world.settle(&process).await.unwrap();
    let run = world.run(&key).await.unwrap();
    let failure = run.failure.unwrap();
    assert_eq!(failure.error_code, ErrorCode::Storage, "{failure:?}");
    assert!(failure.detail.contains(object.as_str()), "{failure:?}");
    only_what_is_pointed_at(&world).await.unwrap();
}

#[tokio::test]
async fn a_scratch_directory_that_cannot_be_made_is_named() {
    let (world, key) = assembling("scanner").await;
    fs::write(world.path("scratch"), "a file").unwrap();
    let process = world.sound_process();
    world.end(&process, &key).await.unwrap();
    let run = world.run(&key).await.unwrap();
    let failure = run.failure.unwrap();
    assert_eq!(failure.error_code, ErrorCode::RetriesExhausted);
    assert!(failure.detail.contains("scratch"), "{failure:?}");
    fs::remove_file(world.path("scratch")).unwrap();
    world.settle(&process).await.unwrap();
    only_what_is_pointed_at(&world).await.unwrap();
}

#[tokio::test]
async fn a_schema_that_is_not_written_is_refused_when_the_run_is_asked_for() {
    let world = World::new(&SMALL).unwrap();
    let process = world.sound_process();
    let ask = async |profile: &str, version: u32| {
        let request = export_api::RunRequest {
            profile: profile.to_owned(),
            selectors: Default::default(),
            options: RunOptions {
                schema_version: Some(version),
                ..RunOptions::default()
            },
        };
        export_api::submit(
            &process.ports,
            process.registry(),
            &Default::default(),
            &"acme".parse().unwrap(),
            "tester",
            request,
            Default::default(),
        )
        .await
    };
    for (profile, written) in [("trivy:db", 2), ("trivy:java-db", 1)] {
        ask(profile, written).await.unwrap();
        for other in [written + 1, written - 1] {
            let refused = ask(profile, other).await.err().unwrap();
            if other == 0 {
                assert_eq!(refused.code, ErrorCode::InvalidRequest);
                continue;
            }
            assert_eq!(refused.code, ErrorCode::TrivySchema);
            assert!(refused.detail.contains(&format!("version {other}")));
            assert!(refused.detail.contains(&format!("writes {written}")));
            assert_eq!(refused.fields[0].field, "options.schema_version");
        }
    }
    let refused = ask("json:raw", 2).await.err().unwrap();
    assert_eq!(refused.code, ErrorCode::InvalidRequest);
    assert_eq!(refused.fields[0].field, "options.schema_version");
}

#[tokio::test]
async fn a_database_whose_time_is_over_is_removed_and_its_documents_stay() {
    let (world, key) = assembling("scanner").await;
    let process = world.sound_process();
    world.settle(&process).await.unwrap();
    completed(&world, &key, None).await.unwrap();
    world.clock.advance(Duration::from_secs(31 * 86_400));
    tick(&process.ports).await.unwrap();
    world.settle(&process).await.unwrap();
    let run = world.run(&key).await.unwrap();
    assert!(run.pruned.is_some() && run.assembled.is_empty());
    assert_eq!(run.published.unwrap().members.len(), 5);
    only_what_is_pointed_at(&world).await.unwrap();
}
