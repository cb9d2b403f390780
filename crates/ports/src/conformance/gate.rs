//! The suite of the gate port.

use std::sync::Arc;

use export_model::{Sha256Digest, Timestamp};

use super::{at, tenant};
use crate::{Entered, Entry, Gate};

/// Checks a backend of the gate port. `fresh` opens a new, empty store twice, as two replicas do.
///
/// # Panics
/// Where it does not keep a promise.
pub async fn gate(fresh: impl AsyncFn() -> (Arc<dyn Gate>, Arc<dyn Gate>)) {
    let (one, other) = fresh().await;
    one.ping().await.unwrap();
    assert_eq!(one.enter(Vec::new(), at(0)).await.unwrap(), []);
    replicas_share_it(&*one, &*other).await;
    grouping_changes_nothing(&fresh).await;
    proofs_are_forgotten_in_time(&*fresh().await.0).await;
    one_of_many_is_first(fresh().await).await;
}

fn entry(proof: &str, until: i64, owner: &str, window: i64) -> Entry {
    Entry {
        proof: Sha256Digest::of(proof.as_bytes()),
        proof_until: at(until),
        tenant: tenant(owner),
        window,
    }
}

async fn enter(gate: &dyn Gate, entries: Vec<Entry>, now: Timestamp) -> Vec<(bool, u64)> {
    let entered = gate.enter(entries, now).await.unwrap();
    let entered = entered.into_iter();
    entered.map(|one| (one.replayed, one.requests)).collect()
}

async fn replicas_share_it(one: &dyn Gate, other: &dyn Gate) {
    let first = enter(one, vec![entry("a", 60, "acme", 7)], at(0)).await;
    assert_eq!(first, [(false, 1)]);
    let elsewhere = vec![entry("a", 60, "acme", 7), entry("b", 60, "acme", 7)];
    assert_eq!(
        enter(other, elsewhere, at(1)).await,
        [(true, 1), (false, 2)],
        "a proof that the other replica saw is replayed and not counted"
    );
    // Whoever brings it: a proof is used once.
    let replayed = vec![
        entry("a", 60, "globex", 7),
        entry("c", 60, "globex", 7),
        entry("d", 60, "acme", 8),
    ];
    assert_eq!(
        enter(one, replayed, at(2)).await,
        [(true, 0), (false, 1), (false, 1)],
        "tenants and windows are counted apart"
    );
}

async fn grouping_changes_nothing(fresh: &impl AsyncFn() -> (Arc<dyn Gate>, Arc<dyn Gate>)) {
    // Proofs twice, out of date, of several tenants, windows back and forth.
    let mut all = Vec::new();
    for number in 0..60_i64 {
        let proof = format!("proof-{}", number * 7 % 40);
        let owner = if number % 3 == 0 { "acme" } else { "globex" };
        all.push(entry(&proof, 10 - number % 20, owner, number / 10 % 4));
    }
    let mut answers: Vec<Vec<Entered>> = Vec::new();
    for size in [1, 7, all.len()] {
        let (gate, _) = fresh().await;
        let mut entered = Vec::new();
        for group in all.chunks(size) {
            entered.extend(gate.enter(group.to_vec(), at(0)).await.unwrap());
        }
        answers.push(entered);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    let replayed = answers[0].iter().filter(|one| one.replayed).count();
    assert_eq!(replayed, 20, "each proof is let in once");
}

async fn proofs_are_forgotten_in_time(gate: &dyn Gate) {
    let proof = |window| vec![entry("a", 60, "acme", window)];
    assert_eq!(enter(gate, proof(1), at(0)).await, [(false, 1)]);
    // Many others come and go, with all the forgetting that goes with it.
    for number in 0..50 {
        let other = entry(&format!("other-{number}"), 1, "globex", 1);
        enter(gate, vec![other], at(59)).await;
    }
    assert_eq!(
        enter(gate, proof(1), Timestamp(at(60).0 - 1)).await,
        [(true, 1)],
        "it is remembered until its time"
    );
    let again = vec![entry("a", 120, "acme", 1)];
    assert_eq!(
        enter(gate, again, at(60)).await,
        [(false, 2)],
        "a proof that is out of date is not the gate's concern"
    );
}

async fn one_of_many_is_first((one, other): (Arc<dyn Gate>, Arc<dyn Gate>)) {
    let mut entering = Vec::new();
    for number in 0..16 {
        let gate = Arc::clone(if number % 2 == 0 { &one } else { &other });
        entering.push(tokio::spawn(async move {
            let group = (0..20)
                .map(|proof| entry(&format!("p{proof}"), 60, "acme", 1))
                .collect();
            enter(&*gate, group, at(0)).await
        }));
    }
    let (mut first, mut most) = (0, 0);
    for one in entering {
        for (replayed, requests) in one.await.unwrap() {
            first += u32::from(!replayed);
            most = most.max(requests);
        }
    }
    assert_eq!((first, most), (20, 20), "each proof is let in once");
}
