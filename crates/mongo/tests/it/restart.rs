//! A server that is killed in the middle of it, again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use export_model::{Event, EventBody, Slots, Timestamp};
use export_ports::{PortErrorKind, Row, State, Transaction, Write};

use crate::server::{OwnServer, PATIENCE, Server, run_key, slots, state};

const CRASHES: usize = 4;

/// Counts one more, with an event: two documents that must agree.
async fn count(store: &dyn State) -> Result<(), export_ports::PortError> {
    let run = run_key("acme", 1);
    let found: Option<Slots> = store.slots(&run.tenant).await?;
    let mut row = found.unwrap_or_else(|| slots("acme", 0, 0));
    row.admitted += 1;
    let event = Event {
        run: run.clone(),
        seq: row.admitted,
        at: Timestamp(1_800_000_000_000),
        body: EventBody::Swept {
            objects: row.admitted,
        },
    };
    let transaction = Transaction::new(&run.tenant)
        .and(Write::Event(event))
        .put(Row::Slots(row));
    store.commit(transaction).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_committed_is_lost() {
    let Some(mut own) = OwnServer::start("a server that is killed", &[]).await else {
        return;
    };
    let server = Server::at(&own.uri()).await;
    let store: Arc<dyn State> = Arc::new(state(&server.fresh().await));
    let over = Arc::new(AtomicBool::new(false));
    let (committed, unknown) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut working = Vec::new();
    for _ in 0..3 {
        let (store, over) = (Arc::clone(&store), Arc::clone(&over));
        let (committed, unknown) = (Arc::clone(&committed), Arc::clone(&unknown));
        working.push(tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                match count(&*store).await {
                    Ok(()) => committed.fetch_add(1, Ordering::Relaxed),
                    Err(error) if error.is_conflict() => 0,
                    Err(error) => {
                        assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
                        unknown.fetch_add(1, Ordering::Relaxed)
                    }
                };
            }
        }));
    }
    for _ in 0..CRASHES {
        let before = committed.load(Ordering::Relaxed);
        tokio::time::timeout(PATIENCE, async {
            while committed.load(Ordering::Relaxed) < before + 20 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("it goes on after a crash");
        own.crash().await;
    }
    over.store(true, Ordering::Relaxed);
    for one in working {
        one.await.unwrap();
    }
    let run = run_key("acme", 1);
    let row = store.slots(&run.tenant).await.unwrap().unwrap();
    let (committed, unknown) = (
        committed.load(Ordering::Relaxed),
        unknown.load(Ordering::Relaxed),
    );
    assert!(row.admitted >= committed, "{row:?}, {committed}");
    assert!(
        row.admitted <= committed + unknown,
        "{row:?}, {committed}, {unknown}"
    );
    assert_eq!(row.rev, row.admitted);
    let limit = usize::try_from(row.admitted).unwrap() + 1;
    let events = store.events(&run, 0, limit, Duration::ZERO).await.unwrap();
    let seen: Vec<u64> = events.iter().map(|event| event.seq).collect();
    let expected: Vec<u64> = (1..=row.admitted).collect();
    assert_eq!(seen, expected, "both documents of a transaction, or none");
}
