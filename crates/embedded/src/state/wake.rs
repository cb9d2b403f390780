//! Waking who waits for an event.
//!
//! What this process commits wakes those who wait for that run, at once. What another process
//! commits is found by one look for all of them, ten times a second and only while somebody waits:
//! SQLite's `data_version` of the writing connection changes exactly when another connection has
//! committed, and no other connection of this process ever does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use export_model::RunKey;
use tokio::sync::watch;

use crate::store::Store;

/// How often it looks for what another process has committed.
const POLL: Duration = Duration::from_millis(100);

/// Everybody who waits. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Waiters {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    topics: HashMap<RunKey, Topic>,
    /// Whether somebody looks for other processes' commits.
    polling: bool,
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
    pub(super) fn wait(&self, store: &Store, run: &RunKey) -> Waiting {
        let mut inner = self.locked();
        let topic = inner.topics.entry(run.clone()).or_insert_with(|| Topic {
            changed: watch::Sender::new(()),
            waiting: 0,
        });
        topic.waiting += 1;
        let changed = topic.changed.subscribe();
        if !inner.polling {
            inner.polling = true;
            let polling = Polling {
                waiters: self.clone(),
                over: false,
            };
            tokio::spawn(poll(polling, store.clone()));
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

    /// Whether nobody waits any more; then nobody looks any more either.
    fn is_over(&self) -> bool {
        let mut inner = self.locked();
        let over = inner.topics.is_empty();
        if over {
            inner.polling = false;
        }
        over
    }
}

/// That somebody looks. A runtime that ends in the middle of it leaves the task to the next one.
struct Polling {
    waiters: Waiters,
    over: bool,
}

impl Drop for Polling {
    fn drop(&mut self) {
        if !self.over {
            self.waiters.locked().polling = false;
        }
    }
}

async fn poll(mut polling: Polling, store: Store) {
    let waiters = polling.waiters.clone();
    // Unknown at first: something may have been committed since the first of them looked.
    let mut last = None;
    loop {
        let version = store.changes_of_others().await.ok();
        // Where it cannot be read, the waiters find out themselves what is wrong.
        if version.is_none() || version != last {
            waiters.wake_all();
        }
        last = version;
        tokio::time::sleep(POLL).await;
        polling.over = waiters.is_over();
        if polling.over {
            return;
        }
    }
}
