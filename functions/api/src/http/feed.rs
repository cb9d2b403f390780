//! One reader of a run's events for all who follow it here.
//!
//! Following a run means waiting for its next event. However many clients wait, the state is asked
//! once: a feed reads the events and keeps the newest few, and each client takes what it has not
//! seen at its own pace. A client that is slower than the feed keeps reads the state itself, so
//! nobody holds anything back and memory does not grow with clients that do not read.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use export_model::{Event, Run, RunKey};
use export_ports::{PortError, State};
use tokio::sync::watch;

/// Events that a feed keeps.
const KEPT: usize = 64;
/// Events in one read.
const PAGE: usize = 64;
/// How long one wait for the next event takes at most.
const WAIT: Duration = Duration::from_secs(10);
/// The pause after the state could not be read.
const PAUSE: Duration = Duration::from_millis(500);

/// The feeds of this process.
#[derive(Clone)]
pub(super) struct Feeds {
    state: Arc<dyn State>,
    running: Arc<Mutex<HashMap<RunKey, Weak<Feed>>>>,
}

/// The newest events of a run.
struct Feed {
    newest: watch::Sender<VecDeque<Arc<Event>>>,
}

/// A client's place in a run's events.
pub(super) struct Follower {
    state: Arc<dyn State>,
    run: RunKey,
    after: u64,
    newest: watch::Receiver<VecDeque<Arc<Event>>>,
    // The feed reads for as long as somebody follows.
    _feed: Arc<Feed>,
}

impl Feeds {
    pub(super) fn new(state: Arc<dyn State>) -> Self {
        Self {
            state,
            running: Arc::default(),
        }
    }

    /// Follows a run from the event after `after` on.
    pub(super) fn follow(&self, run: &Run, after: u64) -> Follower {
        // A client may claim to have seen what never was; what all of them share must not believe it.
        let (run, from) = (&run.key, after.min(run.last_seq));
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let feed = match running.get(run).and_then(Weak::upgrade) {
            Some(feed) => feed,
            None => {
                running.retain(|_, feed| feed.strong_count() > 0);
                let feed = Arc::new(Feed {
                    newest: watch::Sender::new(VecDeque::new()),
                });
                running.insert(run.clone(), Arc::downgrade(&feed));
                let (state, run) = (Arc::clone(&self.state), run.clone());
                tokio::spawn(read(state, run, from, Arc::downgrade(&feed)));
                feed
            }
        };
        Follower {
            state: Arc::clone(&self.state),
            run: run.clone(),
            after,
            newest: feed.newest.subscribe(),
            _feed: feed,
        }
    }
}

/// Reads a run's events from the one after `after` on, for as long as anybody follows.
async fn read(state: Arc<dyn State>, run: RunKey, mut after: u64, feed: Weak<Feed>) {
    while feed.strong_count() > 0 {
        let events = match state.events(&run, after, PAGE, WAIT).await {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(run_id = %run.run, %error, "events could not be read");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (Some(last), Some(feed)) = (events.last(), feed.upgrade()) else {
            continue;
        };
        after = last.seq;
        feed.newest.send_modify(|newest| {
            newest.extend(events.into_iter().map(Arc::new));
            let surplus = newest.len().saturating_sub(KEPT);
            newest.drain(..surplus);
        });
    }
}

impl Follower {
    /// The next events, at least one. Waits for them. May be dropped while it waits.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub(super) async fn next(&mut self) -> Result<Vec<Arc<Event>>, PortError> {
        loop {
            let (kept, first) = {
                let newest = self.newest.borrow_and_update();
                let kept: Vec<_> = newest
                    .iter()
                    .filter(|event| event.seq > self.after)
                    .cloned()
                    .collect();
                (kept, newest.front().map(|event| event.seq))
            };
            // What lies between is not here any more, or never was.
            let gap = first.is_none_or(|first| first > self.after.saturating_add(1));
            let events = if gap {
                self.state
                    .events(&self.run, self.after, PAGE, Duration::ZERO)
                    .await?
                    .into_iter()
                    .map(Arc::new)
                    .collect()
            } else {
                kept
            };
            if let Some(last) = events.last() {
                self.after = last.seq;
                return Ok(events);
            }
            if self.newest.changed().await.is_err() {
                // The feed cannot end while it is held here; if it did, the state is still there.
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
