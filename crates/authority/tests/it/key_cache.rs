//! How long a key set is believed, and how often its source is asked.

use std::sync::Arc;

use export_authority::keys::{KeyCache, Keys};
use export_authority::{Denied, RequestParts, TokenError, Verifier, authenticate};
use export_model::Timestamp;
use tokio::sync::Semaphore;

use crate::world::{Key, NOW, PATH, Request, Script, checks, key_set};

const MINUTE: i64 = 60;

fn after(seconds: i64) -> Timestamp {
    NOW.plus_millis(seconds * 1000)
}

fn set(id: &str) -> Vec<u8> {
    key_set(&[(id, &Key::new())])
}

/// How often the source was asked when the set is needed at `second`.
async fn asked_at(cache: &KeyCache<Arc<Script>>, script: &Script, second: i64) -> usize {
    cache.current(after(second)).await.unwrap();
    script.asked()
}

#[tokio::test]
async fn a_set_is_kept_for_as_long_as_its_source_says_within_bounds() {
    for (stated, kept) in [
        (None, 5 * MINUTE),
        (Some(120), 2 * MINUTE),
        (Some(86_400), 10 * MINUTE),
        (Some(u64::MAX), 10 * MINUTE),
        (Some(0), 30),
    ] {
        let script = Arc::new(Script::default().answers(Ok((set("one"), stated))));
        let cache = KeyCache::new(Arc::clone(&script));
        assert_eq!(asked_at(&cache, &script, 0).await, 1, "{stated:?}");
        assert_eq!(asked_at(&cache, &script, kept - 1).await, 1, "{stated:?}");
        assert_eq!(asked_at(&cache, &script, kept).await, 2, "{stated:?}");
    }
}

#[tokio::test]
async fn an_unknown_key_id_asks_once_in_thirty_seconds() {
    let script = Arc::new(Script::default().answers(Ok((set("one"), None))));
    let cache = KeyCache::new(Arc::clone(&script));
    let seen = cache.current(NOW).await.unwrap();
    for (second, asked) in [(1, 2), (2, 2), (30, 2), (31, 3), (32, 3)] {
        assert!(cache.newer_than(&seen, after(second)).await.is_none());
        assert_eq!(script.asked(), asked, "second {second}");
    }
    // The same bytes are the same set.
    assert!(Arc::ptr_eq(&seen, &cache.current(after(33)).await.unwrap()));
}

#[tokio::test]
async fn many_requests_at_once_ask_once() {
    let mut script = Script::default().answers(Ok((set("one"), None)));
    script.gate = Some(Semaphore::new(0));
    let script = Arc::new(script);
    let cache = Arc::new(KeyCache::new(Arc::clone(&script)));
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let cache = Arc::clone(&cache);
            tokio::spawn(async move { cache.current(NOW).await.map(|keys| *keys.digest()) })
        })
        .collect();
    while script.asked() == 0 {
        tokio::task::yield_now().await;
    }
    script.gate.as_ref().unwrap().add_permits(100);
    for one in waiting {
        assert!(one.await.unwrap().is_ok());
    }
    assert_eq!(script.asked(), 1);
}

#[tokio::test]
async fn while_one_request_fetches_others_use_the_last_set() {
    let mut script = Script::default().answers(Ok((set("one"), None)));
    script.gate = Some(Semaphore::new(1));
    let script = Arc::new(script);
    let cache = Arc::new(KeyCache::new(Arc::clone(&script)));
    let first = cache.current(NOW).await.unwrap();
    let later = after(5 * MINUTE);
    let fetching = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { cache.current(later).await.map(drop) }
    });
    while script.asked() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(Arc::ptr_eq(&first, &cache.current(later).await.unwrap()));
    script.gate.as_ref().unwrap().add_permits(1);
    fetching.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_set_is_believed_for_an_hour_when_its_source_is_gone() {
    let script = Script::default()
        .answers(Ok((set("one"), None)))
        .answers(Err("nothing listens"));
    let script = Arc::new(script);
    let cache = KeyCache::new(Arc::clone(&script));
    let end = 5 * MINUTE + 3600;
    assert_eq!(asked_at(&cache, &script, 0).await, 1);
    assert_eq!(asked_at(&cache, &script, 5 * MINUTE).await, 2);
    // A source that fails is left alone for some seconds.
    assert_eq!(asked_at(&cache, &script, 5 * MINUTE + 4).await, 2);
    assert_eq!(asked_at(&cache, &script, 5 * MINUTE + 5).await, 3);
    assert_eq!(asked_at(&cache, &script, end - 1).await, 4);
    let error = cache.current(after(end)).await.unwrap_err();
    assert_eq!(
        Denied::from(error).to_string(),
        "the keys of the Authority cannot be fetched: nothing listens"
    );
    // And it recovers.
    script.answers.lock().unwrap().clear();
    script.then(Ok((set("two"), None)));
    assert!(cache.current(after(end + 5)).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_counts_as_a_failure() {
    let script = Script::default()
        .answers(Ok((b"<html>".to_vec(), None)))
        .answers(Ok((set("one"), None)));
    let script = Arc::new(script);
    let cache = KeyCache::new(Arc::clone(&script));
    let error = cache.current(NOW).await.unwrap_err();
    assert!(error.reason.contains("not a JSON object"), "{error}");
    assert!(cache.current(after(4)).await.is_err());
    assert_eq!(script.asked(), 1);
    assert!(cache.current(after(5)).await.is_ok());
}

#[tokio::test]
async fn a_token_of_a_new_key_is_accepted_at_once_and_a_withdrawn_key_is_not() {
    let request = Request::good();
    let (authorization, dpop) = request.fields();
    let parts = RequestParts {
        method: "GET",
        url_path: PATH,
        authorization: &[&authorization[0]],
        dpop: &[&dpop[0]],
    };
    let with_key = key_set(&[("one", &request.authority)]);
    let script = Script::default()
        .answers(Ok((set("old"), None)))
        .answers(Ok((with_key, None)))
        .answers(Ok((set("next"), None)));
    let script = Arc::new(script);
    let verifier = Verifier::new(checks(), Arc::clone(&script));
    assert!(authenticate(&verifier, &parts, NOW).await.is_ok());
    assert!(authenticate(&verifier, &parts, after(1)).await.is_ok());
    assert_eq!(script.asked(), 2);
    // Somebody else's token makes the set be fetched again; the remembered token is forgotten with its key.
    let seen = verifier.keys().current(after(32)).await.unwrap();
    assert!(verifier.keys().newer_than(&seen, after(32)).await.is_some());
    assert_eq!(
        authenticate(&verifier, &parts, after(33)).await,
        Err(Denied::Token(TokenError::UnknownKey))
    );
    assert_eq!(script.asked(), 3);
}

#[tokio::test]
async fn without_any_keys_nobody_is_recognised() {
    let script = Script::default().answers(Err("nothing listens"));
    let verifier = Verifier::new(checks(), script);
    let parts = RequestParts {
        method: "GET",
        url_path: PATH,
        authorization: &[],
        dpop: &[],
    };
    let denied = authenticate(&verifier, &parts, NOW).await.unwrap_err();
    assert_eq!(denied.http_status(), 503);
    assert_eq!(denied.code().as_str(), "ERR_AUTHORITY_UNREACHABLE");
}

#[test]
fn a_debug_form_names_keys_by_their_ids() {
    assert_eq!(
        format!("{:?}", Keys::parse(&set("one")).unwrap()),
        r#"["one"]"#
    );
}
