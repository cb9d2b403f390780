//! Documents that somebody else has changed.

use std::time::Duration;

use export_model::{MarkKey, WorkId};
use export_ports::{PortErrorKind, Row, State as _, Transaction};
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};

use crate::server::{on_server, run_key, slots, state, tenant};

/// What an operator could do by hand, past the validator.
async fn force(database: &Database, collection: &str, change: Document) {
    let command = doc! {
        "update": collection,
        "updates": [{ "q": {}, "u": change }],
        "bypassDocumentValidation": true,
    };
    let done = database.run_command(command).await.unwrap();
    assert!(!done.contains_key("writeErrors"), "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_cannot_be_read_is_named() {
    on_server("damaged documents", async |server| {
        for change in [
            doc! { "$set": { "row": "text" } },
            doc! { "$unset": { "row": 1_i64 } },
            doc! { "$unset": { "row.active": 1_i64 } },
            doc! { "$set": { "row.admitted": -1_i64 } },
            doc! { "$set": { "row.admitted": mongodb::bson::DateTime::from_millis(0) } },
            doc! { "$set": { "row.tenant": "globex" } },
            doc! { "$set": { "rev": 1.0 } },
            doc! { "$unset": { "rev": 1_i64 } },
            doc! { "$set": { "tenant": "globex" } },
        ] {
            let database = server.fresh().await;
            let store = state(&database);
            let row = Row::Slots(slots("acme", 7, 0));
            let transaction = Transaction::new(&tenant("acme")).put(row);
            store.commit(transaction).await.unwrap();
            force(&database, "export_slots", change.clone()).await;
            let error = store.slots(&tenant("acme")).await.unwrap_err();
            assert_eq!(error.kind(), PortErrorKind::Damaged, "{change}: {error}");
            let text = error.to_string();
            assert!(
                text.contains("document acme of export_slots"),
                "{change}: {text}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_numbers_of_any_size_are_read() {
    on_server("numbers in documents", async |server| {
        let database = server.fresh().await;
        let store = state(&database);
        let row = Row::Slots(slots("acme", 7, 0));
        let transaction = Transaction::new(&tenant("acme")).put(row);
        store.commit(transaction).await.unwrap();
        // As a shell writes it.
        let change = doc! { "$set": { "row.admitted": 8_i32 } };
        force(&database, "export_slots", change).await;
        let read = store.slots(&tenant("acme")).await.unwrap();
        assert_eq!(read, Some(slots("acme", 8, 1)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn validators_refuse_what_breaks_the_schema() {
    on_server("validators", async |server| {
        let database = server.fresh().await;
        for name in database.list_collection_names().await.unwrap() {
            // The ledger's are checked where its documents are known.
            if name == "export_migrations" || name.starts_with("ledger_") {
                continue;
            }
            let bad = doc! { "_id": "acme", "tenant": 1_i64 };
            let error = database
                .collection::<Document>(&name)
                .insert_one(bad)
                .await
                .unwrap_err();
            assert!(error.to_string().contains("121"), "{name}: {error}");
        }
        let store = state(&database);
        let row = Row::Slots(slots("acme", 7, 0));
        let transaction = Transaction::new(&tenant("acme")).put(row);
        store.commit(transaction).await.unwrap();
        let slots = database.collection::<Document>("export_slots");
        for (member, value) in [
            ("rev", Bson::Int32(2)),
            ("rev", Bson::Int64(0)),
            ("rev", Bson::Null),
            ("tenant", Bson::Int64(1)),
            ("row", Bson::String("text".to_owned())),
        ] {
            let change = doc! { "$set": { member: value } };
            let error = slots.update_one(doc! {}, change).await.unwrap_err();
            assert!(error.to_string().contains("121"), "{member}: {error}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_any_text_are_apart() {
    on_server("keys of any text", async |server| {
        let store = server.state().await;
        let owner = tenant("acme");
        let mut odd = slots("acme", 1, 0);
        for name in ["a.b", "$where", "\\", "", "nul\0", "é/..", "$ref"] {
            odd.turns.insert(name.to_owned(), 7);
        }
        let row = Transaction::new(&owner).put(Row::Slots(odd.clone()));
        store.commit(row).await.unwrap();
        odd.rev = 1;
        assert_eq!(store.slots(&owner).await.unwrap(), Some(odd.clone()));
        let row = Transaction::new(&owner).put(Row::Slots(odd.clone()));
        store.commit(row).await.unwrap();
        odd.rev = 2;
        assert_eq!(store.slots(&owner).await.unwrap(), Some(odd));

        // Text of clients that could be taken for operators or for other rows.
        for key in ["$ne", "a/b", "", "\0", "globex/k"] {
            let key = MarkKey::Idempotency { key: key.into() };
            assert_eq!(store.mark(&owner, &key).await.unwrap(), None);
        }
        let id = WorkId::Export {
            profile: "p/../q".to_owned(),
            request: "$gt".to_owned(),
        };
        assert_eq!(store.work(&owner, &id).await.unwrap(), None);
        let key = run_key("acme", 1);
        let none = store.events(&key, u64::MAX, 10, Duration::ZERO).await;
        assert_eq!(none.unwrap(), []);
    })
    .await;
}
