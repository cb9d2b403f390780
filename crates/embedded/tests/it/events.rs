//! Waiting for events that another process commits.

use std::sync::Arc;
use std::time::Duration;

use export_embedded::Home;
use export_model::{Event, EventBody, RunKey, RunStatus, Timestamp};
use export_ports::{State, Transaction, Write};

const PATIENCE: Duration = Duration::from_secs(20);

fn key(number: u32) -> RunKey {
    RunKey {
        tenant: "acme".parse().unwrap(),
        run: format!("0199f0c2-{number:012}").parse().unwrap(),
    }
}

fn told(run: &RunKey, seq: u64) -> Transaction {
    Transaction::new(&run.tenant).and(Write::Event(Event {
        run: run.clone(),
        seq,
        at: Timestamp(1),
        body: EventBody::Status {
            status: RunStatus::Planned,
            detail: None,
            error_code: None,
        },
    }))
}

/// A home that is opened twice has two writers, as two processes have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_who_waits_is_told_what_another_process_did() {
    let folder = tempfile::tempdir().unwrap();
    let one: Arc<dyn State> = Home::open(folder.path()).unwrap().state();
    let other: Arc<dyn State> = Home::open(folder.path()).unwrap().state();
    // Three times: whoever looks for changes stops when nobody waits, and begins again.
    for seq in 1..=3 {
        let mut waiting = Vec::new();
        for number in 0..200 {
            let one = Arc::clone(&one);
            waiting.push(tokio::spawn(async move {
                let run = key(number % 2);
                one.events(&run, seq - 1, 10, PATIENCE).await.unwrap()
            }));
        }
        for number in 0..2 {
            other.commit(told(&key(number), seq)).await.unwrap();
        }
        let all = async {
            for waiter in waiting {
                let events = waiter.await.unwrap();
                assert_eq!(events.len(), 1);
                assert_eq!(events[0].seq, seq);
            }
        };
        tokio::time::timeout(PATIENCE / 2, all)
            .await
            .expect("everybody is woken long before patience ends");
    }
}

/// What this process commits meanwhile must not hide what another one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_commits_hide_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let one: Arc<dyn State> = Home::open(folder.path()).unwrap().state();
    let other: Arc<dyn State> = Home::open(folder.path()).unwrap().state();
    let (mine, theirs) = (key(1), key(2));
    for seq in 1..=20 {
        let waiter = {
            let (one, theirs) = (Arc::clone(&one), theirs.clone());
            tokio::spawn(async move { one.events(&theirs, seq - 1, 10, PATIENCE).await.unwrap() })
        };
        one.commit(told(&mine, 2 * seq)).await.unwrap();
        other.commit(told(&theirs, seq)).await.unwrap();
        one.commit(told(&mine, 2 * seq + 1)).await.unwrap();
        let events = tokio::time::timeout(PATIENCE / 2, waiter)
            .await
            .expect("it is woken")
            .unwrap();
        assert_eq!(events[0].seq, seq);
    }
}
