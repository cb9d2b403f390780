//! Access tokens that were found good a moment ago.
//!
//! A client sends one token with every request, and each with a new proof. Remembering the token halves the work of a
//! request. What is remembered can only be what was checked in full: the key is the digest of the whole token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use export_model::{Sha256Digest, Timestamp};

use crate::access_token::VerifiedToken;
use crate::principal::Principal;

/// The most tokens that are remembered.
const MAX_ENTRIES: usize = 10_000;
/// How long: after that a token is checked in full again.
const MAX_AGE_MS: i64 = 60_000;
/// The pause between two searches for entries that have expired, when there is no room.
const SWEEP_PAUSE_MS: u64 = 1_000;

#[derive(Default)]
pub(crate) struct TokenCache {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The key set that the tokens were checked with.
    keys: Option<Sha256Digest>,
    entries: HashMap<Sha256Digest, Entry>,
    swept: Option<Timestamp>,
}

struct Entry {
    principal: Arc<Principal>,
    from: Timestamp,
    until: Timestamp,
}

impl Entry {
    fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }
}

impl TokenCache {
    /// Who the token with this digest speaks for, if it was found good with the key set `keys`.
    pub(crate) fn get(
        &self,
        keys: &Sha256Digest,
        token: &Sha256Digest,
        now: Timestamp,
    ) -> Option<Arc<Principal>> {
        let state = self.state();
        if state.keys.as_ref() != Some(keys) {
            return None;
        }
        state
            .entries
            .get(token)
            .filter(|entry| entry.holds(now))
            .map(|entry| Arc::clone(&entry.principal))
    }

    /// Remembers a token. Where there is no room, it is not remembered, and only costs more the next time.
    pub(crate) fn put(
        &self,
        keys: &Sha256Digest,
        token: Sha256Digest,
        verified: &VerifiedToken,
        now: Timestamp,
    ) {
        let mut state = self.state();
        if state.keys.as_ref() != Some(keys) {
            // A key may have been withdrawn.
            state.entries.clear();
            state.keys = Some(*keys);
        }
        if state.entries.len() >= MAX_ENTRIES && !state.entries.contains_key(&token) {
            if state
                .swept
                .is_some_and(|swept| now.millis_since(swept) < SWEEP_PAUSE_MS)
            {
                return;
            }
            state.swept = Some(now);
            state.entries.retain(|_, entry| entry.holds(now));
            if state.entries.len() >= MAX_ENTRIES {
                return;
            }
        }
        let entry = Entry {
            principal: Arc::new(verified.principal.clone()),
            from: now,
            until: verified.refused_from.min(now.plus_millis(MAX_AGE_MS)),
        };
        state.entries.insert(token, entry);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
