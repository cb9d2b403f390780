use super::*;
use crate::scope::Scopes;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn keys() -> Sha256Digest {
    Sha256Digest::of(b"keys")
}

fn token(number: usize) -> Sha256Digest {
    Sha256Digest::of(&number.to_be_bytes())
}

fn verified(refused_in_ms: i64) -> VerifiedToken {
    VerifiedToken {
        principal: Principal {
            subject: "auditor".to_owned(),
            tenant: "acme".parse().unwrap(),
            scopes: Scopes::all(),
            jkt: "jkt".to_owned(),
            expires_at: NOW.plus_millis(refused_in_ms),
        },
        refused_from: NOW.plus_millis(refused_in_ms),
    }
}

#[test]
fn a_token_is_remembered_for_a_minute_and_never_longer_than_it_is_good() {
    let cache = TokenCache::default();
    cache.put(&keys(), token(1), &verified(3_600_000), NOW);
    cache.put(&keys(), token(2), &verified(10_000), NOW);
    let known = |number, after_ms| {
        cache
            .get(&keys(), &token(number), NOW.plus_millis(after_ms))
            .is_some()
    };
    assert!(known(1, 0) && known(1, 59_999) && !known(1, 60_000));
    assert!(known(2, 9_999) && !known(2, 10_000));
    assert!(!known(1, -1), "a clock that went back proves nothing");
    assert!(!known(3, 0));
}

#[test]
fn another_key_set_forgets_all() {
    let cache = TokenCache::default();
    let newer = Sha256Digest::of(b"newer keys");
    cache.put(&keys(), token(1), &verified(3_600_000), NOW);
    assert!(cache.get(&newer, &token(1), NOW).is_none());
    cache.put(&newer, token(2), &verified(3_600_000), NOW);
    assert!(cache.get(&keys(), &token(1), NOW).is_none());
    assert!(cache.get(&newer, &token(1), NOW).is_none());
    assert!(cache.get(&newer, &token(2), NOW).is_some());
}

#[test]
fn its_size_is_bounded_and_it_recovers() {
    let cache = TokenCache::default();
    for number in 0..MAX_ENTRIES + 100 {
        cache.put(&keys(), token(number), &verified(3_600_000), NOW);
    }
    assert_eq!(cache.state().entries.len(), MAX_ENTRIES);
    assert!(cache.get(&keys(), &token(0), NOW).is_some());
    let later = NOW.plus_millis(MAX_AGE_MS);
    cache.put(&keys(), token(MAX_ENTRIES), &verified(3_600_000), later);
    assert!(cache.get(&keys(), &token(MAX_ENTRIES), later).is_some());
    assert_eq!(cache.state().entries.len(), 1);
}
