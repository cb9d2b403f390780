//! Waking who waits for an event.
//!
//! What this process commits wakes those who wait for that run, at once. What another process
//! commits comes by one change stream for all of them, open only while somebody waits: the server
//! tells of each event within milliseconds, and where nothing happens one request a second is all
//! that it costs, however many wait and however many replicas there are. (Asking again and again
//! would cost a query for every run that is waited for, by every replica.)
//!
//! To be woken only means to look again. So a stream that broke needs no position to go on from:
//! a new one is opened, and everybody looks once. While none can be opened they look again now and
//! then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use export_model::RunKey;
use mongodb::Database;
use mongodb::bson::{Document, doc};
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::ChangeStreamEvent;
use mongodb::error::Error;
use tokio::sync::watch;
use tokio::time::Instant;

use super::collections::EVENTS;
use super::rows::run_of_event;
use crate::call::collection;

/// For how long the server holds a request for the next event.
const HOLD: Duration = Duration::from_secs(1);
/// How soon a request may follow one that was answered at once without an event: for servers that do
/// not hold it.
const REST: Duration = Duration::from_millis(100);
/// The pause before a stream that broke is opened again; it doubles up to the longest.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(4);

/// Everybody who waits. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Waiters {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    topics: HashMap<RunKey, Topic>,
    /// Whether somebody follows the other processes' commits.
    following: bool,
}

struct Topic {
    changed: watch::Sender<()>,
    waiting: usize,
}

/// Somebody who waits for events of one run.
pub(super) struct Waiting {
    waiters: Waiters,
    run: RunKey,
    changed: watch::Receiver<()>,
}

impl Waiting {
    /// Waits until the run may have events that were not there when this was last asked.
    pub(super) async fn changed(&mut self) {
        // The sender lives as long as this does.
        let _ = self.changed.changed().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut inner = self.waiters.locked();
        if let Some(topic) = inner.topics.get_mut(&self.run) {
            topic.waiting -= 1;
            if topic.waiting == 0 {
                inner.topics.remove(&self.run);
            }
        }
    }
}

impl Waiters {
    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait for events of `run`: whatever is committed from now on will be told.
    pub(super) fn wait(&self, database: &Database, run: &RunKey) -> Waiting {
        let mut inner = self.locked();
        let topic = inner.topics.entry(run.clone()).or_insert_with(|| Topic {
            changed: watch::Sender::new(()),
            waiting: 0,
        });
        topic.waiting += 1;
        let changed = topic.changed.subscribe();
        if !inner.following {
            inner.following = true;
            let following = Following {
                waiters: self.clone(),
                over: false,
            };
            tokio::spawn(follow(following, database.clone()));
        }
        Waiting {
            waiters: self.clone(),
            run: run.clone(),
            changed,
        }
    }

    /// Wakes who waits for `run`.
    pub(super) fn wake(&self, run: &RunKey) {
        if let Some(topic) = self.locked().topics.get(run) {
            topic.changed.send_replace(());
        }
    }

    fn wake_all(&self) {
        for topic in self.locked().topics.values() {
            topic.changed.send_replace(());
        }
    }

    /// Whether nobody waits any more; then nobody follows any more either.
    fn is_over(&self) -> bool {
        let mut inner = self.locked();
        let over = inner.topics.is_empty();
        if over {
            inner.following = false;
        }
        over
    }
}

/// That somebody follows. A runtime that ends in the middle of it leaves the task to the next one.
struct Following {
    waiters: Waiters,
    over: bool,
}

impl Drop for Following {
    fn drop(&mut self) {
        if !self.over {
            self.waiters.locked().following = false;
        }
    }
}

async fn follow(mut following: Following, database: Database) {
    let waiters = following.waiters.clone();
    let mut pause = SHORTEST;
    loop {
        let failed = match open(&database).await {
            Ok(stream) => {
                // Something may have been committed since they looked.
                waiters.wake_all();
                pause = SHORTEST;
                told(&waiters, stream, &mut following.over).await
            }
            Err(error) => Err(error),
        };
        if following.over {
            return;
        }
        if let Err(error) = failed {
            tracing::debug!(%error, "the stream of events broke");
        }
        // Where nothing can be read, the waiters find out themselves what is wrong.
        waiters.wake_all();
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
        following.over = waiters.is_over();
        if following.over {
            return;
        }
    }
}

type Stream = ChangeStream<ChangeStreamEvent<Document>>;

async fn open(database: &Database) -> Result<Stream, Error> {
    // Only which event it was: the waiters read what they want themselves.
    let which = doc! { "operationType": 1_i64, "documentKey": 1_i64 };
    collection(database, EVENTS)
        .watch()
        .pipeline([
            doc! { "$match": { "operationType": "insert" } },
            doc! { "$project": which },
        ])
        .max_await_time(HOLD)
        .await
}

/// Wakes whoever the stream tells of, until it ends or nobody waits.
async fn told(waiters: &Waiters, mut stream: Stream, over: &mut bool) -> Result<(), Error> {
    // The first answer came when it was opened, and is empty mostly.
    let mut at_once = false;
    while stream.is_alive() {
        let asked = Instant::now();
        match stream.next_if_any().await? {
            Some(event) => {
                let key = event.document_key.as_ref();
                let id = key.and_then(|key| key.get_str("_id").ok());
                match id.and_then(run_of_event) {
                    Some(run) => waiters.wake(&run),
                    None => waiters.wake_all(),
                }
            }
            None => {
                *over = waiters.is_over();
                if *over {
                    return Ok(());
                }
                let before = std::mem::replace(&mut at_once, asked.elapsed() < REST);
                if before && at_once {
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
    Ok(())
}
