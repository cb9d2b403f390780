//! What only a host knows: the time, and random names.
//!
//! Every host needs these, whatever its backends are; nothing below a host may.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use export_model::{RunId, Timestamp};
use export_ports::{Clock, Ids, PortError, PortErrorKind};
use sha2::{Digest as _, Sha256};
use uuid::Builder;

/// The system's time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Random ids and tokens.
///
/// The system's randomness is asked once, when this is made, which may fail; every name after that
/// is a hash over the seed and a counter, which cannot.
#[derive(Debug)]
pub struct RandomIds {
    seed: [u8; 32],
    holder: String,
    state: Mutex<Drawn>,
}

#[derive(Debug, Default)]
struct Drawn {
    names: u64,
    /// Millisecond and counter of the newest run id.
    newest: (u64, u16),
}

impl RandomIds {
    /// Random ids of a process that holds leases under the name `holder`.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(holder: impl Into<String>) -> Result<Self, PortError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| {
            PortError::because(PortErrorKind::Unavailable, "seeding random ids", error)
        })?;
        Ok(Self {
            seed,
            holder: holder.into(),
            state: Mutex::new(Drawn::default()),
        })
    }

    fn draw(&self, state: &mut Drawn) -> [u8; 32] {
        state.names += 1;
        Sha256::new()
            .chain_update(self.seed)
            .chain_update(state.names.to_le_bytes())
            .finalize()
            .into()
    }
}

impl Ids for RandomIds {
    fn run_id(&self, now: Timestamp) -> RunId {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let random = self.draw(&mut state);
        // UUID version 7 (RFC 9562, 5.7) with a 12-bit counter after the milliseconds (6.2, method
        // 1), so that ids of one process sort as they were made even when the clock steps back.
        let millis = u64::try_from(now.0).unwrap_or(0);
        state.newest = match state.newest {
            (newest, _) if millis > newest => (millis, u16::from(random[10])),
            (newest, 0xfff) => (newest + 1, 0),
            (newest, counter) => (newest, counter + 1),
        };
        let (millis, counter) = state.newest;
        let mut tail = [0; 10];
        tail.copy_from_slice(&random[..10]);
        tail[..2].copy_from_slice(&counter.to_be_bytes());
        let id = Builder::from_unix_timestamp_millis(millis, &tail).into_uuid();
        match id.hyphenated().to_string().parse() {
            Ok(id) => id,
            Err(_) => unreachable!("a UUID is a run id"),
        }
    }

    fn token(&self) -> String {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        hex::encode(&self.draw(&mut state)[..10])
    }

    fn holder(&self) -> String {
        self.holder.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_as_they_were_made() {
        let ids = RandomIds::new("p1").unwrap();
        let times = (0..10_000).map(|i| Timestamp(1_800_000_000_000 + i / 3_000 - i / 5_000));
        let made: Vec<_> = times.map(|now| ids.run_id(now)).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        let id = made[0].as_str();
        assert_eq!((id.len(), &id[14..15]), (36, "7"), "{id}");
    }

    #[test]
    fn tokens_are_plain_and_differ() {
        let (one, other) = (RandomIds::new("a").unwrap(), RandomIds::new("a").unwrap());
        let mut tokens: Vec<_> = (0..100)
            .flat_map(|_| [one.token(), other.token()])
            .collect();
        assert!(
            tokens
                .iter()
                .all(|t| t.len() == 20 && t.bytes().all(|b| b.is_ascii_alphanumeric()))
        );
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), 200);
    }
}
