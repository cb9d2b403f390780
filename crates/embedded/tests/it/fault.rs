//! The fault-injecting wrappers, on the embedded backends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use export_embedded::Home;
use export_model::{Message, ObjectKey, Phase, RunKey, Slots, WorkId};
use export_ports::fault::{Fault, FaultPlan, Faulty, When};
use export_ports::{Objects, PortErrorKind, Queue, Row, State, Transaction};

fn key() -> RunKey {
    RunKey {
        tenant: "acme".parse().unwrap(),
        run: "0199f0c2".parse().unwrap(),
    }
}

fn first_slots() -> Transaction {
    let tenant = key().tenant;
    Transaction::new(&tenant).put(Row::Slots(Slots::empty(&tenant)))
}

#[tokio::test]
async fn a_call_fails_before_or_after_its_effect() {
    for (when, stored) in [(When::Before, false), (When::After, true)] {
        for fault in [Fault::Fail(when), Fault::Die(when)] {
            let folder = tempfile::tempdir().unwrap();
            let home = Home::open(folder.path()).unwrap();
            let plan = FaultPlan::none().on("state.commit", 1, fault);
            let state = Faulty::new(home.state(), &plan);
            let error = state.commit(first_slots()).await.unwrap_err();
            assert_eq!(error.kind(), PortErrorKind::Unavailable);
            let found = home.state().slots(&key().tenant).await.unwrap();
            assert_eq!(found.is_some(), stored, "{fault:?}");
            let alive = state.ping().await.is_ok();
            assert_eq!(alive, matches!(fault, Fault::Fail(_)), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn messages_are_delivered_twice() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let message = Message {
        tenant: key().tenant,
        work: WorkId::Plan { run: key().run },
        traceparent: None,
    };
    for name in ["queue.send", "queue.receive"] {
        let plan = FaultPlan::none().on(name, 1, Fault::Duplicate);
        let inner: Arc<dyn Queue> = home.queue();
        let queue = Faulty::new(inner, &plan);
        queue.send(&message, Duration::ZERO).await.unwrap();
        for _ in 0..2 {
            let received = queue
                .receive(Phase::Plan, 1, Duration::from_secs(60), Duration::ZERO)
                .await
                .unwrap();
            assert_eq!(received[0].message, message, "{name}");
            queue
                .acknowledge(Phase::Plan, &received[0].receipt)
                .await
                .unwrap();
        }
        assert_eq!(queue.stats(Phase::Plan).await.unwrap().messages, 0);
    }
}

#[tokio::test]
async fn a_part_that_failed_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let plan = FaultPlan::none()
        .on("objects.part", 2, Fault::Fail(When::After))
        .on("objects.complete", 1, Fault::Fail(When::After));
    let objects = Faulty::new(home.objects(), &plan);
    let object = ObjectKey::new(&key(), "t1", "x").unwrap();
    let mut upload = objects.upload(&object).await.unwrap();
    upload.part(Bytes::from_static(b"one ")).await.unwrap();
    upload.part(Bytes::from_static(b"two")).await.unwrap_err();
    upload.part(Bytes::from_static(b"two")).await.unwrap();
    upload.complete().await.unwrap_err();
    let bytes = objects.read(&object, 0..100).await.unwrap();
    assert_eq!(bytes, "one two", "completed, though nobody was told");
    assert_eq!(plan.faults(), 2);
}
