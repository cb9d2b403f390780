//! What only a host knows, in the hands of a test: the time, new ids, and who is still alive.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use export_model::{RunId, Timestamp};
use export_ports::{Clock, Ids, Liveness};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Moves it forward to `time`, unless it is later already.
    pub fn reach(&self, time: Timestamp) {
        self.0.fetch_max(time.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Numbers that look random and are the same for the same seed (SplitMix64; Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number below `limit`, which is at least 1.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.number() % limit).unwrap_or(0)
    }
}

/// Ids and tokens of one process. Processes of one world share the counter, so that no two names
/// are the same.
#[derive(Clone, Debug)]
pub struct SeededIds {
    made: Arc<AtomicU64>,
    holder: String,
}

impl SeededIds {
    /// Names of the process that holds leases as `holder`.
    #[must_use]
    pub fn new(made: Arc<AtomicU64>, holder: String) -> Self {
        Self { made, holder }
    }

    fn count(&self) -> u64 {
        self.made.fetch_add(1, Ordering::SeqCst)
    }
}

impl Ids for SeededIds {
    fn run_id(&self, now: Timestamp) -> RunId {
        let millis = u64::try_from(now.0).unwrap_or(0);
        let (high, low) = (millis >> 16, millis & 0xffff);
        // UUID version 7 (RFC 9562, 5.7): the counter stands where the random bits do.
        let id = format!("{high:08x}-{low:04x}-7000-8000-{:012x}", self.count());
        match id.parse() {
            Ok(id) => id,
            Err(_) => unreachable!("hexadecimal digits and hyphens are a run id"),
        }
    }

    fn token(&self) -> String {
        let count = self.count();
        format!("{:016x}x{count:04x}", Random::new(count).number())
    }

    fn holder(&self) -> String {
        self.holder.clone()
    }
}

/// Which processes are gone. A process that nobody declared gone counts as alive, also when it
/// never does anything again.
#[derive(Debug, Default)]
pub struct Alive {
    gone: Mutex<BTreeSet<String>>,
}

impl Alive {
    /// Declares a process gone.
    pub fn bury(&self, holder: &str) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.insert(holder.to_owned());
    }
}

impl Liveness for Alive {
    fn is_gone(&self, holder: &str) -> bool {
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.contains(holder)
    }
}
