//! Waiting for events that another process writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use export_model::{Event, EventBody, RunKey, Timestamp};
use export_mongo::MongoState;
use export_ports::{State, Transaction, Write};
use mongodb::event::EventHandler;
use mongodb::event::command::CommandEvent;
use mongodb::options::ClientOptions;

use crate::server::{Now, PATIENCE, on_server, run_key, state};

fn event(run: &RunKey, seq: u64) -> Event {
    Event {
        run: run.clone(),
        seq,
        at: Timestamp(1_800_000_000_000),
        body: EventBody::Swept { objects: seq },
    }
}

async fn commit(store: &dyn State, event: Event) {
    let transaction = Transaction::new(&event.run.tenant.clone()).and(Write::Event(event));
    store.commit(transaction).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_wakes_who_waits() {
    on_server("events of another process", async |server| {
        let database = server.fresh().await;
        let ours = Arc::new(state(&database));
        // A client of its own: nothing is shared but the server.
        let client = export_mongo::connect(&server.uri).await.unwrap();
        let theirs = state(&client.database(database.name()));
        let key = run_key("acme", 1);
        for seq in 1..=5 {
            let (ours, key) = (Arc::clone(&ours), key.clone());
            let waiting = {
                let key = key.clone();
                tokio::spawn(async move { ours.events(&key, seq - 1, 10, PATIENCE).await })
            };
            commit(&theirs, event(&key, seq)).await;
            let seen = tokio::time::timeout(PATIENCE / 2, waiting).await;
            let seen = seen.expect("it is woken").unwrap().unwrap();
            assert_eq!(seen, [event(&key, seq)]);
        }
    })
    .await;
}

/// Counts what a client asks.
struct Asked {
    client: mongodb::Client,
    commands: Arc<AtomicU32>,
}

async fn asked(uri: &str) -> Asked {
    let mut options = ClientOptions::parse(uri).await.unwrap();
    let commands = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&commands);
    options.command_event_handler = Some(EventHandler::callback(move |event| {
        if matches!(event, CommandEvent::Started(_)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let client = mongodb::Client::with_options(options).unwrap();
    Asked { client, commands }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn waiting_costs_next_to_nothing() {
    on_server("the cost of waiting", async |server| {
        let database = server.fresh().await;
        let asked = asked(&server.uri).await;
        let database = asked.client.database(database.name());
        let store = Arc::new(MongoState::new(database, Arc::new(Now)));
        store.ping().await.unwrap();
        let before = asked.commands.load(Ordering::Relaxed);
        let wait = Duration::from_secs(3);
        let started = Instant::now();
        let waiting: Vec<_> = (0..50)
            .map(|number| {
                let (store, key) = (Arc::clone(&store), run_key("acme", number));
                tokio::spawn(async move { store.events(&key, 0, 10, wait).await })
            })
            .collect();
        for one in waiting {
            assert_eq!(one.await.unwrap().unwrap(), []);
        }
        assert!(started.elapsed() >= wait);
        let commands = asked.commands.load(Ordering::Relaxed) - before;
        // Each looks when it comes, when the stream is open and when it goes; the rest is the stream.
        let most = 50 * 3 + 1 + 40;
        assert!(commands <= most, "{commands} commands");
    })
    .await;
}
