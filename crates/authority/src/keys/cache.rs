//! The key set, kept.
//!
//! What must hold: the source is asked by one request at a time; a token with a made-up `kid` cannot make us ask more
//! often than every 30 seconds; and an Authority that does not answer for a while does not stop the service, but its
//! keys are not believed for ever either.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use export_model::Timestamp;
use tokio::sync::Mutex as AsyncMutex;

use super::{JwksSource, Keys};

/// How long a set is fresh when its source does not say.
const DEFAULT_AGE_MS: i64 = 5 * 60_000;
/// A set is not fresh for longer, whatever its source says: a withdrawn key has to stop working.
const MAX_AGE_MS: i64 = 10 * 60_000;
/// Nor for less: a source that says 0 would otherwise be asked with every request.
const MIN_AGE_MS: i64 = 30_000;
/// The pause between two fetches because of unknown key ids.
const UNKNOWN_ID_PAUSE_MS: u64 = 30_000;
/// The pause after a fetch that failed.
const RETRY_PAUSE_MS: u64 = 5_000;
/// How long a set that is not fresh any more is still used while fetching fails.
const STALE_MS: i64 = 60 * 60_000;

/// The Authority's keys cannot be had, and none are kept that are still believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys of the Authority cannot be fetched: {reason}")]
pub struct KeysUnavailable {
    /// What failed the last time.
    pub reason: String,
}

/// Keeps the key set of one source. The time comes with each call.
pub struct KeyCache<S> {
    source: S,
    state: Mutex<State>,
    /// Held by whoever fetches.
    flight: AsyncMutex<()>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    failed: Option<Failed>,
    asked_for_unknown: Option<Timestamp>,
}

#[derive(Clone)]
struct Held {
    keys: Arc<Keys>,
    fresh_until: Timestamp,
}

#[derive(Clone)]
struct Failed {
    at: Timestamp,
    why: KeysUnavailable,
}

impl Held {
    fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.fresh_until
    }

    fn is_believed(&self, now: Timestamp) -> bool {
        now < self.fresh_until.plus_millis(STALE_MS)
    }
}

impl<S: JwksSource> KeyCache<S> {
    /// Keeps the key set of `source`. Nothing is fetched yet.
    pub fn new(source: S) -> Self {
        Self {
            source,
            state: Mutex::default(),
            flight: AsyncMutex::new(()),
        }
    }

    /// The key set, fetched if it is not fresh any more. While somebody else fetches, and after a fetch has failed, it
    /// is the last good one, for an hour after it stopped being fresh.
    ///
    /// # Errors
    /// [`KeysUnavailable`] when there is no set that is still believed.
    pub async fn current(&self, now: Timestamp) -> Result<Arc<Keys>, KeysUnavailable> {
        let held = self.state().held.clone();
        if let Some(held) = held.as_ref().filter(|held| held.is_fresh(now)) {
            return Ok(Arc::clone(&held.keys));
        }
        let _flight = match held.filter(|held| held.is_believed(now)) {
            Some(held) => match self.flight.try_lock() {
                Ok(flight) => flight,
                Err(_) => return Ok(held.keys),
            },
            None => self.flight.lock().await,
        };
        // Another request may have fetched, or failed to, while this one waited.
        {
            let state = self.state();
            if let Some(held) = state.held.as_ref().filter(|held| held.is_fresh(now)) {
                return Ok(Arc::clone(&held.keys));
            }
            if let Some(failed) = &state.failed
                && now.millis_since(failed.at) < RETRY_PAUSE_MS
            {
                return state.last_good(now);
            }
        }
        self.fetch(now).await;
        self.state().last_good(now)
    }

    /// A set that is newer than `seen`, in which a key id was not found. Fetches one, unless that was done for the same
    /// reason in the last 30 seconds; `None` when nothing newer is to be had.
    pub async fn newer_than(&self, seen: &Keys, now: Timestamp) -> Option<Arc<Keys>> {
        let _flight = self.flight.lock().await;
        {
            let mut state = self.state();
            if let Some(newer) = state.other_than(seen) {
                return Some(newer);
            }
            if state
                .asked_for_unknown
                .is_some_and(|at| now.millis_since(at) < UNKNOWN_ID_PAUSE_MS)
            {
                return None;
            }
            // Before fetching, so that a request which is given up on counts too.
            state.asked_for_unknown = Some(now);
        }
        self.fetch(now).await;
        self.state().other_than(seen)
    }

    /// Fetches, and keeps what came or why nothing did. The caller holds `flight`.
    async fn fetch(&self, now: Timestamp) {
        let fetched = match self.source.fetch().await {
            Ok(fetched) => Keys::parse(&fetched.body)
                .map(|keys| Held {
                    keys: Arc::new(keys),
                    fresh_until: now.plus_millis(age_ms(fetched.max_age)),
                })
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let mut state = self.state();
        match fetched {
            Ok(mut fetched) => {
                // The same set stays the same value.
                if let Some(held) = &state.held
                    && held.keys.digest() == fetched.keys.digest()
                {
                    fetched.keys = Arc::clone(&held.keys);
                }
                state.held = Some(fetched);
                state.failed = None;
            }
            Err(reason) => {
                state.failed = Some(Failed {
                    at: now,
                    why: KeysUnavailable { reason },
                });
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while it is locked, and every state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn last_good(&self, now: Timestamp) -> Result<Arc<Keys>, KeysUnavailable> {
        match (&self.held, &self.failed) {
            (Some(held), _) if held.is_believed(now) => Ok(Arc::clone(&held.keys)),
            (_, Some(failed)) => Err(failed.why.clone()),
            // Only when the clock went back further than a set is believed.
            (_, None) => Err(KeysUnavailable {
                reason: "the key set is too old".to_owned(),
            }),
        }
    }

    fn other_than(&self, seen: &Keys) -> Option<Arc<Keys>> {
        self.held
            .as_ref()
            .filter(|held| held.keys.digest() != seen.digest())
            .map(|held| Arc::clone(&held.keys))
    }
}

fn age_ms(stated: Option<Duration>) -> i64 {
    stated.map_or(DEFAULT_AGE_MS, |age| {
        i64::try_from(age.as_millis())
            .unwrap_or(MAX_AGE_MS)
            .clamp(MIN_AGE_MS, MAX_AGE_MS)
    })
}
