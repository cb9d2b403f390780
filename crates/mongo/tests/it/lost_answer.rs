//! Writes whose answer never arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use export_model::{Event, EventBody, Timestamp};
use export_ports::{Row, State as _, Transaction, Write};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{Server, on_server, run_key, slots, state, tenant};

/// Stands between client and server, and loses answers to commands whose bytes hold a mark.
struct Between {
    address: String,
    /// How many answers to lose yet.
    lose: Arc<AtomicU32>,
}

impl Between {
    async fn start(server: String, mark: &'static [u8]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let lose = Arc::new(AtomicU32::new(0));
        let left = Arc::clone(&lose);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else {
                    continue;
                };
                tokio::spawn(pass(client, server, Arc::clone(&left), mark));
            }
        });
        Self { address, lose }
    }
}

/// A message of the wire protocol: its length comes first.
async fn message(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut message = vec![0; 4];
    from.read_exact(&mut message).await.ok()?;
    let length = i32::from_le_bytes(message.clone().try_into().unwrap());
    message.resize(usize::try_from(length).unwrap(), 0);
    from.read_exact(&mut message[4..]).await.ok()?;
    Some(message)
}

async fn pass(client: TcpStream, server: TcpStream, lose: Arc<AtomicU32>, mark: &'static [u8]) {
    let (mut from_client, mut to_client): (_, OwnedWriteHalf) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    while let Some(asked) = message(&mut from_client).await {
        let marked = asked.windows(mark.len()).any(|bytes| bytes == mark);
        if to_server.write_all(&asked).await.is_err() {
            return;
        }
        let Some(answer) = message(&mut from_server).await else {
            return;
        };
        let lost = |left: u32| left.checked_sub(1);
        if marked
            && lose
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, lost)
                .is_ok()
        {
            return;
        }
        if to_client.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// The host and port of a connection string.
fn address(uri: &str) -> String {
    let rest = uri.split_once("://").unwrap().1;
    let hosts = rest.split(['/', '?']).next().unwrap();
    hosts.rsplit('@').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_made_is_no_conflict() {
    on_server("answers that are lost", async |server: Arc<Server>| {
        let database = server.fresh().await;
        for (what, mark) in [
            ("a single write", b"export_slots\0".as_slice()),
            ("a commit", b"commitTransaction\0".as_slice()),
        ] {
            let between = Between::start(address(&server.uri), mark).await;
            let uri = format!("mongodb://{}/?directConnection=true", between.address);
            let client = export_mongo::connect(&uri).await.unwrap();
            let store = state(&client.database(database.name()));
            let owner = if mark.starts_with(b"commit") {
                "globex"
            } else {
                "acme"
            };
            let run = run_key(owner, 1);
            store.ping().await.unwrap();
            for rev in 0..4 {
                let mut transaction =
                    Transaction::new(&run.tenant).put(Row::Slots(slots(owner, rev, rev)));
                if owner == "globex" {
                    transaction = transaction.and(Write::Event(Event {
                        run: run.clone(),
                        seq: rev + 1,
                        at: Timestamp(0),
                        body: EventBody::Swept { objects: 0 },
                    }));
                }
                between.lose.store(1, Ordering::Relaxed);
                let outcome = store.commit(transaction).await;
                assert!(outcome.is_ok(), "{what}, {rev}: {outcome:?}");
                assert_eq!(between.lose.load(Ordering::Relaxed), 0, "one was lost");
            }
            let row = store.slots(&tenant(owner)).await.unwrap().unwrap();
            assert_eq!((row.admitted, row.rev), (3, 4), "{what}");
        }
    })
    .await;
}
