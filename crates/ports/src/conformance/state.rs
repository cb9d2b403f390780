//! The suite of the state port.

use std::sync::Arc;
use std::time::Duration;

use export_model::{RunKey, RunStatus, Slots, Tenant, Work, WorkId};

use super::rows::{
    changed, distribution, event, leased, one_of_each, part, plan, profile, run, with_rev,
};
use super::{PATIENCE, assert_kind, at, run_key, tenant};
use super::{marks, schedules};
use crate::{PortErrorKind, Row, RunFilter, State, Transaction, Write};

/// Checks a backend of the state port.
///
/// # Panics
/// Where it does not keep a promise.
pub async fn state(fresh: impl AsyncFn() -> Arc<dyn State>) {
    let store = fresh().await;
    store.ping().await.unwrap();
    every_row_is_compared_and_set(&*store).await;
    all_or_nothing(&*fresh().await).await;
    profiles(&*fresh().await).await;
    runs_are_listed(&*fresh().await).await;
    runs_are_listed_by_profile_and_time(&*fresh().await).await;
    runs_expire(&*fresh().await).await;
    marks::expired_marks_are_not_there(&*fresh().await).await;
    marks::one_of_many_is_first(fresh().await).await;
    schedules::schedules_are_listed(&*fresh().await).await;
    schedules::due_schedules_are_listed(&*fresh().await).await;
    schedules::schedules_are_dropped(&*fresh().await).await;
    parts_and_distributions_are_listed(&*fresh().await).await;
    events_are_unique(&*fresh().await).await;
    events_wake_who_waits(&*fresh().await).await;
    events_wake_everybody(fresh().await).await;
    leases(&*fresh().await).await;
    due_and_leased_work(&*fresh().await).await;
    tenants_are_apart(&*fresh().await).await;
    concurrent_commits(fresh().await).await;
}

pub(super) async fn put(store: &dyn State, tenant: &Tenant, row: Row) {
    store
        .commit(Transaction::new(tenant).put(row))
        .await
        .unwrap();
}

/// Reads a row again, as a row.
async fn stored(store: &dyn State, row: &Row) -> Option<Row> {
    match row {
        Row::Profile(row) => store
            .profile(&row.tenant, &row.name, Some(row.revision))
            .await
            .unwrap()
            .map(Row::Profile),
        Row::Run(row) => store.run(&row.key).await.unwrap().map(Row::Run),
        Row::Part(row) => {
            let parts = store.parts(&row.run, row.index, 1).await.unwrap();
            parts.into_iter().next().map(Row::Part)
        }
        Row::Work(row) => store
            .work(&row.tenant, &row.id)
            .await
            .unwrap()
            .map(Row::Work),
        Row::Distribution(row) => {
            let all = store.distributions(&row.run).await.unwrap();
            all.into_iter()
                .find(|found| found.index == row.index)
                .map(Row::Distribution)
        }
        Row::Slots(row) => store.slots(&row.tenant).await.unwrap().map(Row::Slots),
        Row::Mark(row) => store
            .mark(&row.tenant, &row.key)
            .await
            .unwrap()
            .map(Row::Mark),
        Row::Schedule(row) => store
            .schedule(&row.tenant, &row.id)
            .await
            .unwrap()
            .map(Row::Schedule),
    }
}

async fn every_row_is_compared_and_set(store: &dyn State) {
    let key = run_key("acme", 1);
    for row in one_of_each(&key) {
        let what = format!("{row:?}");
        let commit = async |row: Row| store.commit(Transaction::new(&key.tenant).put(row)).await;
        assert_eq!(stored(store, &row).await, None, "{what}");
        assert_kind(
            commit(with_rev(row.clone(), 1)).await,
            PortErrorKind::Conflict,
            "changing a row that is not there",
        );
        commit(row.clone()).await.unwrap();
        assert_eq!(
            stored(store, &row).await,
            Some(with_rev(row.clone(), 1)),
            "a row comes back as it was written, one version on"
        );
        assert_kind(
            commit(row.clone()).await,
            PortErrorKind::Conflict,
            "inserting a row twice",
        );
        let next = changed(with_rev(row.clone(), 1));
        commit(next.clone()).await.unwrap();
        assert_eq!(
            stored(store, &row).await,
            Some(with_rev(next.clone(), 2)),
            "{what}"
        );
        assert_kind(
            commit(with_rev(row.clone(), 1)).await,
            PortErrorKind::Conflict,
            "changing a row that somebody else has changed",
        );
        assert_eq!(stored(store, &row).await, Some(with_rev(next, 2)), "{what}");
    }
}

async fn all_or_nothing(store: &dyn State) {
    let key = run_key("acme", 1);
    put(store, &key.tenant, Row::Run(run(&key, at(0)))).await;
    // Many writes of every sort, and only the last one conflicts.
    let mut transaction = Transaction::new(&key.tenant)
        .and(Write::DropParts(key.clone()))
        .put(Row::Slots(Slots::empty(&key.tenant)))
        .and(Write::Event(event(&key, 1)));
    for index in 0..300 {
        transaction = transaction.put(Row::Part(part(&key, index)));
    }
    let refused = transaction.clone().put(Row::Run(run(&key, at(0))));
    assert_kind(
        store.commit(refused).await,
        PortErrorKind::Conflict,
        "a transaction whose last write conflicts",
    );
    assert_eq!(store.parts(&key, 0, 1).await.unwrap(), []);
    assert_eq!(store.slots(&key.tenant).await.unwrap(), None);
    assert_eq!(events(store, &key, 0).await, [0; 0]);
    let mut next = run(&key, at(0));
    next.rev = 1;
    store.commit(transaction.put(Row::Run(next))).await.unwrap();
    assert_eq!(store.parts(&key, 0, 1_000).await.unwrap().len(), 300);
    assert_eq!(events(store, &key, 0).await.len(), 1);
    // Writes are made in order: parts that are dropped first may be written again.
    let again = Transaction::new(&key.tenant)
        .and(Write::DropParts(key.clone()))
        .put(Row::Part(part(&key, 7)));
    store.commit(again).await.unwrap();
    assert_eq!(store.parts(&key, 0, 1_000).await.unwrap().len(), 1);
}

async fn profiles(store: &dyn State) {
    let owner = tenant("acme");
    for (name, revision) in [("nightly", 1), ("nightly", 2), ("nightly", 10), ("a", 1)] {
        put(store, &owner, Row::Profile(profile(&owner, name, revision))).await;
    }
    let newest = store.profile(&owner, "nightly", None).await.unwrap();
    assert_eq!(newest.unwrap().revision, 10);
    let second = store.profile(&owner, "nightly", Some(2)).await.unwrap();
    assert_eq!(second.unwrap().revision, 2);
    assert_eq!(
        store.profile(&owner, "nightly", Some(3)).await.unwrap(),
        None
    );
    let listed: Vec<_> = store
        .profiles(&owner)
        .await
        .unwrap()
        .into_iter()
        .map(|profile| (profile.name, profile.revision))
        .collect();
    assert_eq!(listed, [("a".to_owned(), 1), ("nightly".to_owned(), 10)]);

    let mut other = profile(&owner, "a", 1);
    other.rev = 1;
    other.config.retention.days = 7;
    assert!(
        store
            .commit(Transaction::new(&owner).put(Row::Profile(other)))
            .await
            .is_err(),
        "a revision's configuration never changes"
    );
}

async fn runs_are_listed(store: &dyn State) {
    let owner = tenant("acme");
    // Two submitted at the same time; the id decides then. Written in another order.
    let submitted = [(1, 10), (2, 30), (3, 20), (4, 20), (5, 40)];
    for (number, seconds) in submitted {
        let mut row = run(&run_key("acme", number), at(seconds));
        row.admitted = number % 2 == 1;
        row.status = match number {
            1 => RunStatus::Completed,
            2 => RunStatus::Failed,
            _ => RunStatus::Pending,
        };
        put(store, &owner, Row::Run(row)).await;
    }
    let list = async |filter: RunFilter, after: Option<u32>, limit: usize| {
        let after = after.map(|number| run_key("acme", number));
        let runs = store.runs(&owner, &filter, after.as_ref(), limit).await;
        let numbers = runs.unwrap().into_iter().map(|run| {
            let id = run.key.run.to_string();
            id[id.len() - 12..].parse::<u32>().unwrap()
        });
        numbers.collect::<Vec<_>>()
    };
    let newest = RunFilter::default;
    let oldest = || RunFilter {
        oldest_first: true,
        ..RunFilter::default()
    };
    assert_eq!(list(newest(), None, 10).await, [5, 2, 4, 3, 1]);
    assert_eq!(list(oldest(), None, 10).await, [1, 3, 4, 2, 5]);
    assert_eq!(list(newest(), None, 2).await, [5, 2]);
    assert_eq!(list(newest(), Some(2), 2).await, [4, 3]);
    assert_eq!(list(newest(), Some(4), 10).await, [3, 1]);
    assert_eq!(list(oldest(), Some(3), 10).await, [4, 2, 5]);
    assert_eq!(list(oldest(), Some(5), 10).await, [0; 0]);
    let filter = RunFilter {
        statuses: vec![RunStatus::Completed, RunStatus::Failed],
        ..RunFilter::default()
    };
    assert_eq!(list(filter, None, 10).await, [2, 1]);
    let filter = RunFilter {
        statuses: vec![RunStatus::Pending],
        admitted: Some(false),
        oldest_first: true,
        ..RunFilter::default()
    };
    assert_eq!(list(filter, None, 10).await, [4]);
    // What a filter asks for follows the row.
    let mut row = store.run(&run_key("acme", 4)).await.unwrap().unwrap();
    row.admitted = true;
    put(store, &owner, Row::Run(row)).await;
    let filter = RunFilter {
        admitted: Some(true),
        ..oldest()
    };
    assert_eq!(list(filter, None, 10).await, [1, 3, 4, 5]);
}

async fn runs_are_listed_by_profile_and_time(store: &dyn State) {
    let owner = tenant("acme");
    for (number, seconds) in [(1, 10), (2, 20), (3, 30), (4, 40)] {
        let mut row = run(&run_key("acme", number), at(seconds));
        if number % 2 == 0 {
            row.profile.name = "weekly".to_owned();
        }
        put(store, &owner, Row::Run(row)).await;
    }
    let list = async |profile: Option<&str>, from: Option<i64>, to: Option<i64>| {
        let filter = RunFilter {
            profile: profile.map(str::to_owned),
            submitted_from: from.map(at),
            submitted_to: to.map(at),
            ..RunFilter::default()
        };
        let runs = store.runs(&owner, &filter, None, 10).await.unwrap();
        let seconds = runs
            .into_iter()
            .map(|run| run.submitted_at.millis_since(at(0)) / 1_000);
        seconds.collect::<Vec<_>>()
    };
    assert_eq!(list(Some("weekly"), None, None).await, [40, 20]);
    assert_eq!(list(Some("week"), None, None).await, [0; 0]);
    assert_eq!(list(None, Some(20), None).await, [40, 30, 20]);
    assert_eq!(list(None, None, Some(30)).await, [20, 10]);
    assert_eq!(list(Some("nightly"), Some(10), Some(30)).await, [10]);
}

async fn runs_expire(store: &dyn State) {
    let mut keys = Vec::new();
    for (owner, number, expires) in [
        ("acme", 1, Some(30)),
        ("globex", 1, Some(10)),
        ("acme", 2, None),
        ("acme", 3, Some(20)),
    ] {
        let key = run_key(owner, number);
        let mut row = run(&key, at(0));
        row.expires_at = expires.map(at);
        put(store, &key.tenant, Row::Run(row)).await;
        keys.push(key);
    }
    let expired = async |now, limit| store.expired_runs(at(now), limit).await.unwrap();
    assert_eq!(expired(9, 10).await, []);
    assert_eq!(expired(20, 10).await, [keys[1].clone(), keys[3].clone()]);
    assert_eq!(expired(90, 1).await, [keys[1].clone()]);
    // A run that was pruned keeps the time, and is not asked for again.
    let mut row = store.run(&keys[1]).await.unwrap().unwrap();
    row.pruned = Some(export_model::Pruned {
        at: at(15),
        reason: "it was time".to_owned(),
    });
    put(store, &keys[1].tenant, Row::Run(row)).await;
    assert_eq!(expired(90, 10).await, [keys[3].clone(), keys[0].clone()]);
}

async fn parts_and_distributions_are_listed(store: &dyn State) {
    let key = run_key("acme", 1);
    for index in [11, 2, 100, 0, 1] {
        put(store, &key.tenant, Row::Part(part(&key, index))).await;
        put(
            store,
            &key.tenant,
            Row::Distribution(distribution(&key, index)),
        )
        .await;
    }
    let parts = async |from, limit| {
        let parts = store.parts(&key, from, limit).await.unwrap();
        parts.into_iter().map(|p| p.index).collect::<Vec<_>>()
    };
    assert_eq!(parts(0, 100).await, [0, 1, 2, 11, 100]);
    assert_eq!(parts(2, 2).await, [2, 11]);
    assert_eq!(parts(101, 2).await, [0; 0]);
    let targets = store.distributions(&key).await.unwrap();
    let targets: Vec<_> = targets.into_iter().map(|target| target.index).collect();
    assert_eq!(targets, [0, 1, 2, 11, 100]);
}

async fn events(store: &dyn State, key: &RunKey, after: u64) -> Vec<u64> {
    let events = store.events(key, after, 100, Duration::ZERO).await.unwrap();
    events.into_iter().map(|event| event.seq).collect()
}

async fn events_are_unique(store: &dyn State) {
    let key = run_key("acme", 1);
    let commit = async |seq: u64| {
        store
            .commit(Transaction::new(&key.tenant).and(Write::Event(event(&key, seq))))
            .await
    };
    for seq in 1..=12 {
        commit(seq).await.unwrap();
    }
    assert_kind(
        commit(3).await,
        PortErrorKind::Conflict,
        "the same event twice",
    );
    assert_eq!(events(store, &key, 9).await, [10, 11, 12]);
    assert_eq!(events(store, &key, 12).await, [0; 0]);
    assert_eq!(events(store, &run_key("acme", 2), 0).await, [0; 0]);
    let first = store.events(&key, 0, 2, Duration::ZERO).await.unwrap();
    assert_eq!(first, [event(&key, 1), event(&key, 2)]);
}

async fn events_wake_who_waits(store: &dyn State) {
    let key = run_key("acme", 1);
    let none = store.events(&key, 0, 10, Duration::from_millis(30)).await;
    assert_eq!(none.unwrap(), [], "a wait ends");
    let (seen, ()) = tokio::time::timeout(PATIENCE / 2, async {
        tokio::join!(store.events(&key, 0, 10, PATIENCE), async {
            tokio::task::yield_now().await;
            let transaction = Transaction::new(&key.tenant).and(Write::Event(event(&key, 1)));
            store.commit(transaction).await.unwrap();
        })
    })
    .await
    .expect("an event ends the wait for it");
    assert_eq!(seen.unwrap(), [event(&key, 1)]);
}

/// Many wait, for two runs; an event of one wakes those who wait for it.
async fn events_wake_everybody(store: Arc<dyn State>) {
    let keys = [run_key("acme", 1), run_key("acme", 2)];
    let mut waiting = Vec::new();
    for key in keys.iter().cycle().take(64) {
        let (store, key) = (Arc::clone(&store), key.clone());
        waiting.push(tokio::spawn(async move {
            let events = store.events(&key, 0, 10, PATIENCE).await.unwrap();
            events
                .into_iter()
                .map(|event| event.run)
                .collect::<Vec<_>>()
        }));
    }
    for key in &keys {
        let transaction = Transaction::new(&key.tenant).and(Write::Event(event(key, 1)));
        store.commit(transaction).await.unwrap();
    }
    let all = async {
        for (waiter, key) in waiting.into_iter().zip(keys.iter().cycle()) {
            assert_eq!(waiter.await.unwrap(), std::slice::from_ref(key));
        }
    };
    tokio::time::timeout(PATIENCE / 2, all)
        .await
        .expect("everybody is woken");
}

async fn leases(store: &dyn State) {
    let (key, other) = (run_key("acme", 1), run_key("acme", 2));
    let commit = async |write: Write| store.commit(Transaction::new(&key.tenant).and(write)).await;
    let work = Work::new(&key.tenant, plan(&key), at(5));
    put(store, &key.tenant, Row::Work(work.clone())).await;
    for write in [
        Write::RequireLease(plan(&key), "t1".to_owned()),
        Write::FinishWork(plan(&key), "t1".to_owned()),
    ] {
        assert_kind(
            commit(write).await,
            PortErrorKind::Conflict,
            "a lease that nobody holds",
        );
    }
    let mut held = leased(work, "t1");
    held.rev = 1;
    put(store, &key.tenant, Row::Work(held)).await;
    for write in [
        Write::RequireLease(plan(&key), "t2".to_owned()),
        Write::FinishWork(plan(&key), "t2".to_owned()),
        Write::RequireLease(plan(&other), "t1".to_owned()),
        Write::FinishWork(plan(&other), "t1".to_owned()),
    ] {
        assert_kind(
            commit(write).await,
            PortErrorKind::Conflict,
            "a lease under another token, or of other work",
        );
    }
    commit(Write::RequireLease(plan(&key), "t1".to_owned()))
        .await
        .unwrap();
    commit(Write::FinishWork(plan(&key), "t1".to_owned()))
        .await
        .unwrap();
    assert_eq!(store.work(&key.tenant, &plan(&key)).await.unwrap(), None);
    assert_kind(
        commit(Write::FinishWork(plan(&key), "t1".to_owned())).await,
        PortErrorKind::Conflict,
        "finishing twice",
    );

    let shard = |shard| WorkId::Shard {
        run: key.run.clone(),
        shard,
        first: 0,
        last: 7,
    };
    let admit = WorkId::Admit {
        cause: key.run.clone(),
    };
    for id in [shard(0), shard(1), shard(2), plan(&other), admit.clone()] {
        put(
            store,
            &key.tenant,
            Row::Work(Work::new(&key.tenant, id, at(5))),
        )
        .await;
    }
    commit(Write::DropWork(key.clone(), vec![shard(1)]))
        .await
        .unwrap();
    let left: Vec<_> = store
        .work_of_run(&key)
        .await
        .unwrap()
        .into_iter()
        .map(|work| work.id)
        .collect();
    assert_eq!(left, [shard(1)]);
    for id in [plan(&other), admit] {
        let work = store.work(&key.tenant, &id).await.unwrap();
        assert!(work.is_some(), "{id} is not work of that run");
    }
}

async fn due_and_leased_work(store: &dyn State) {
    let (acme, globex) = (run_key("acme", 1), run_key("globex", 1));
    for (key, id, due, token) in [
        (&acme, plan(&acme), 30, None),
        (&globex, plan(&globex), 20, None),
        (
            &acme,
            WorkId::Sign {
                run: acme.run.clone(),
            },
            90,
            Some("t1"),
        ),
        (
            &acme,
            WorkId::Sweep {
                run: acme.run.clone(),
            },
            80,
            None,
        ),
        (
            &globex,
            WorkId::Sign {
                run: globex.run.clone(),
            },
            10,
            Some("t2"),
        ),
    ] {
        let mut work = Work::new(&key.tenant, id, at(due));
        work.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
        if let Some(token) = token {
            work = leased(work, token);
        }
        put(store, &key.tenant, Row::Work(work)).await;
    }
    let due = async |now, limit| {
        let work = store.due_or_leased(at(now), limit).await.unwrap();
        let seconds = work
            .into_iter()
            .map(|work| work.due_at.millis_since(at(0)) / 1_000);
        seconds.collect::<Vec<_>>()
    };
    assert_eq!(due(0, 10).await, [10, 90], "leased work is listed");
    assert_eq!(due(30, 10).await, [10, 20, 30, 90]);
    assert_eq!(due(80, 3).await, [10, 20, 30], "earliest first");
}

async fn tenants_are_apart(store: &dyn State) {
    let (ours, theirs) = (run_key("acme", 1), run_key("globex", 1));
    for row in one_of_each(&ours) {
        put(store, &ours.tenant, row).await;
    }
    let transaction = Transaction::new(&ours.tenant).and(Write::Event(event(&ours, 1)));
    store.commit(transaction).await.unwrap();
    for row in one_of_each(&theirs) {
        assert_eq!(stored(store, &row).await, None);
    }
    assert_eq!(events(store, &theirs, 0).await, [0; 0]);
    assert_eq!(store.profiles(&theirs.tenant).await.unwrap(), []);
    assert_eq!(store.work_of_run(&theirs).await.unwrap(), []);
    let filter = RunFilter::default();
    let runs = store.runs(&theirs.tenant, &filter, None, 10).await.unwrap();
    assert_eq!(runs, []);
    for row in one_of_each(&theirs) {
        assert!(
            store
                .commit(Transaction::new(&ours.tenant).put(row))
                .await
                .is_err(),
            "a transaction writes its own tenant's rows only"
        );
    }
    // The same names under another tenant are other rows.
    for row in one_of_each(&theirs) {
        put(store, &theirs.tenant, row).await;
    }
    let drop = Transaction::new(&theirs.tenant)
        .and(Write::DropWork(theirs.clone(), Vec::new()))
        .and(Write::DropParts(theirs.clone()));
    store.commit(drop).await.unwrap();
    for row in one_of_each(&ours) {
        assert_eq!(stored(store, &row).await, Some(with_rev(row, 1)));
    }
}

async fn concurrent_commits(store: Arc<dyn State>) {
    let key = run_key("acme", 1);
    put(&*store, &key.tenant, Row::Run(run(&key, at(0)))).await;
    let count = |store: Arc<dyn State>, key: RunKey| async move {
        for _ in 0..50 {
            loop {
                let mut row = store.run(&key).await.unwrap().unwrap();
                row.records += 1;
                let committed = store
                    .commit(Transaction::new(&key.tenant).put(Row::Run(row)))
                    .await;
                match committed {
                    Ok(()) => break,
                    Err(error) => assert!(error.is_conflict(), "{error}"),
                }
            }
        }
    };
    let one = tokio::spawn(count(Arc::clone(&store), key.clone()));
    let other = tokio::spawn(count(Arc::clone(&store), key.clone()));
    one.await.unwrap();
    other.await.unwrap();
    let row = store.run(&key).await.unwrap().unwrap();
    assert_eq!((row.records, row.rev), (100, 101));
}
