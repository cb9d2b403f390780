//! Runs that cannot succeed: they leave nothing, and get out of the way.

use std::pin::pin;

use anyhow::{Result, ensure};
use export_model::{ErrorCode, EventBody, RunKey, RunStatus};
use export_scenarios::{SMALL, World, until_nth_wait};

use crate::support::{Scenarios, at_rest, completed, events, only_what_is_pointed_at};

/// Changes a byte of an advisory of `acme`, behind the ledger's back.
fn tamper(world: &World) {
    let ledger = rusqlite::Connection::open(world.path("ledger.db")).unwrap();
    let (seq, mut body): (i64, Vec<u8>) = ledger
        .query_row(
            "SELECT seq, body FROM bodies JOIN entries USING (seq) JOIN tenants USING (tenant)
             WHERE tenants.name = 'acme' AND id LIKE 'advisory_raw:%' ORDER BY id LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let letter = body.iter_mut().rfind(|byte| **byte == b'e').unwrap();
    *letter = b'E';
    let changed = ledger
        .execute("UPDATE bodies SET body = ?1 WHERE seq = ?2", (body, seq))
        .unwrap();
    assert_eq!(changed, 1);
}

async fn failed(world: &World, key: &RunKey) -> Result<()> {
    let run = world.run(key).await?;
    ensure!(run.status == RunStatus::Failed, "it is {}", run.status);
    let failure = run.failure.as_ref().map(|failure| failure.error_code);
    ensure!(failure == Some(ErrorCode::InputDrift), "{:?}", run.failure);
    ensure!(
        run.published.is_none() && run.archive.is_none(),
        "it still points at objects"
    );
    let events = events(world, &run).await?;
    let told = events.iter().filter(|event| {
        let error_code = Some(ErrorCode::InputDrift);
        matches!(&event.body, EventBody::Status { status: RunStatus::Failed, detail: Some(_), error_code: told }
            if *told == error_code)
    });
    ensure!(told.count() == 1, "the failure is not told once");
    Ok(())
}

#[tokio::test]
async fn a_failed_run_leaves_nothing_and_frees_its_slot() {
    let world = World::new(&SMALL).unwrap();
    tamper(&world);
    let process = world.sound_process();
    let mut doomed = Vec::new();
    for _ in 0..4 {
        doomed.push(world.submit(&process, "acme", "small").await.unwrap());
    }
    let waiting = world.submit(&process, "acme", "vex").await.unwrap();
    world.settle(&process).await.unwrap();
    for key in &doomed {
        failed(&world, key).await.unwrap();
    }
    completed(&world, &waiting, None).await.unwrap();
}

#[tokio::test]
async fn a_process_that_is_gone_does_not_save_a_failed_run() {
    let mut scenarios = Scenarios::new("failed and gone");
    for n in (1..5_000).step_by(2) {
        let world = World::new(&SMALL).unwrap();
        tamper(&world);
        let process = world.sound_process();
        let key = world.submit(&process, "acme", "small").await.unwrap();
        let is_over = {
            let life = pin!(world.settle(&process));
            until_nth_wait(life, n).await.is_some()
        };
        let outcome = async {
            let next = world.replace(&process).await?;
            world.settle(&next).await?;
            failed(&world, &key).await?;
            at_rest(&world).await?;
            only_what_is_pointed_at(&world).await
        };
        scenarios.add(format!("wait {n}"), outcome.await);
        if is_over {
            break;
        }
    }
    scenarios.finish(20);
}
