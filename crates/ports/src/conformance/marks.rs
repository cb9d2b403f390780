//! The part of the state port's suite that is about marks.

use std::sync::Arc;

use export_model::{Mark, MarkKey, MarkValue, Timestamp};

use super::rows::mark;
use super::state::put;
use super::{assert_kind, at, tenant};
use crate::{PortErrorKind, Row, State, Transaction};

pub(super) async fn expired_marks_are_not_there(store: &dyn State) {
    let owner = tenant("acme");
    let old = mark(&owner, "k", true);
    put(store, &owner, Row::Mark(old.clone())).await;
    assert_eq!(store.mark(&owner, &old.key).await.unwrap(), None);
    let changed = Mark {
        rev: 1,
        ..old.clone()
    };
    assert_kind(
        store
            .commit(Transaction::new(&owner).put(Row::Mark(changed)))
            .await,
        PortErrorKind::Conflict,
        "changing a mark that has expired",
    );
    // Another takes its place, as if it were not there, and is compared and set like any row.
    let new = mark(&owner, "k", false);
    put(store, &owner, Row::Mark(new.clone())).await;
    let stored = store.mark(&owner, &new.key).await.unwrap().unwrap();
    assert_eq!(
        stored,
        Mark {
            rev: 1,
            ..new.clone()
        }
    );
    assert_kind(
        store
            .commit(Transaction::new(&owner).put(Row::Mark(new.clone())))
            .await,
        PortErrorKind::Conflict,
        "a mark that is there already",
    );

    let forever = Mark {
        until: None,
        key: MarkKey::Approval {
            grantor: tenant("globex"),
            nonce: "n".to_owned(),
        },
        ..new.clone()
    };
    put(store, &owner, Row::Mark(forever.clone())).await;
    for number in 0..10 {
        let old = mark(&owner, &format!("old-{number}"), true);
        put(store, &owner, Row::Mark(old)).await;
    }
    assert_eq!(store.expire(Timestamp(999)).await.unwrap(), 0);
    assert_eq!(store.expire(at(0)).await.unwrap(), 10);
    assert_eq!(store.expire(at(0)).await.unwrap(), 0);
    for key in [&new.key, &forever.key] {
        assert!(store.mark(&owner, key).await.unwrap().is_some(), "{key}");
    }
}

/// However many count at once, each is counted.
pub(super) async fn one_of_many_is_first(store: Arc<dyn State>) {
    let owner = tenant("acme");
    let key = MarkKey::Usage {
        profile: None,
        day: "2027-01-15".to_owned(),
    };
    let mut counting = Vec::new();
    for _ in 0..8 {
        let (store, owner, key) = (Arc::clone(&store), owner.clone(), key.clone());
        counting.push(tokio::spawn(async move {
            loop {
                let found = store.mark(&owner, &key).await.unwrap();
                let mut row = found.unwrap_or_else(|| Mark {
                    tenant: owner.clone(),
                    key: key.clone(),
                    until: Some(at(1_000_000_000)),
                    value: MarkValue::Usage { runs: 0, bytes: 0 },
                    rev: 0,
                });
                if let MarkValue::Usage { runs, .. } = &mut row.value {
                    *runs += 1;
                }
                let row = Transaction::new(&owner).put(Row::Mark(row));
                match store.commit(row).await {
                    Ok(()) => return,
                    Err(error) => assert!(error.is_conflict(), "{error}"),
                }
            }
        }));
    }
    for one in counting {
        one.await.unwrap();
    }
    let counted = store.mark(&owner, &key).await.unwrap().unwrap();
    assert_eq!(counted.value, MarkValue::Usage { runs: 8, bytes: 0 });
}
