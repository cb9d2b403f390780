//! Leases that are checked while others change them.

use std::sync::Arc;
use std::time::Duration;

use export_model::{Event, EventBody, Lease, Timestamp, Work, WorkId};
use export_ports::{Row, State, Transaction, Write};

use crate::server::{on_server, run_key};

fn leased(work: &Work, token: &str) -> Work {
    Work {
        lease: Some(Lease {
            token: token.to_owned(),
            holder: "p1".to_owned(),
            until: Timestamp(1_900_000_000_000),
        }),
        ..work.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_committed_under_a_lease_that_was_taken_over() {
    on_server("leases that are taken over", async |server| {
        let store: Arc<dyn State> = server.state().await;
        let (mut before, mut refused) = (0, 0);
        for round in 0..60 {
            let run = run_key("acme", round);
            let id = WorkId::Plan {
                run: run.run.clone(),
            };
            let work = leased(&Work::new(&run.tenant, id.clone(), Timestamp(0)), "ours");
            let put = |row: Work| Transaction::new(&run.tenant).put(Row::Work(row));
            store.commit(put(work.clone())).await.unwrap();

            let event = Event {
                run: run.clone(),
                seq: 1,
                at: Timestamp(0),
                body: EventBody::Swept { objects: 0 },
            };
            let under = Transaction::new(&run.tenant)
                .and(Write::Event(event))
                .and(Write::RequireLease(id.clone(), "ours".to_owned()));
            let committing = {
                let store = Arc::clone(&store);
                tokio::spawn(async move { store.commit(under).await })
            };
            let mut theirs = leased(&work, "theirs");
            theirs.rev = 1;
            store.commit(put(theirs)).await.unwrap();
            // Whatever was committed under our lease was committed before it was taken over.
            let events = store.events(&run, 0, 10, Duration::ZERO).await.unwrap();
            match committing.await.unwrap() {
                Ok(()) => {
                    assert_eq!(events.len(), 1, "it was committed after all");
                    before += 1;
                }
                Err(error) => {
                    assert!(error.is_conflict(), "{error}");
                    assert_eq!(events.len(), 0);
                    refused += 1;
                }
            }
        }
        println!("{before} committed before, {refused} refused");
    })
    .await;
}

/// A check does not change the row's version, so renewing goes on beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_renewed_while_it_is_checked() {
    on_server("leases that are renewed", async |server| {
        let store: Arc<dyn State> = server.state().await;
        let run = run_key("acme", 1);
        let id = WorkId::Plan {
            run: run.run.clone(),
        };
        let mut work = leased(&Work::new(&run.tenant, id.clone(), Timestamp(0)), "ours");
        let row = Transaction::new(&run.tenant).put(Row::Work(work.clone()));
        store.commit(row).await.unwrap();
        for rev in 1..=30 {
            let event = Event {
                run: run.clone(),
                seq: rev,
                at: Timestamp(0),
                body: EventBody::Swept { objects: 0 },
            };
            let under = Transaction::new(&run.tenant)
                .and(Write::RequireLease(id.clone(), "ours".to_owned()))
                .and(Write::Event(event));
            work.rev = rev;
            work.due_at = Timestamp(i64::try_from(rev).unwrap());
            let renewed = Transaction::new(&run.tenant).put(Row::Work(work.clone()));
            let (checked, renewed) = tokio::join!(store.commit(under), store.commit(renewed));
            checked.unwrap();
            renewed.unwrap();
        }
        let stored = store.work(&run.tenant, &id).await.unwrap().unwrap();
        assert_eq!(stored.rev, 31);
    })
    .await;
}
