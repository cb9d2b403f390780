//! A database that cannot be reached, or lets nobody in.

use std::time::{Duration, Instant};

use export_mongo::MongoGate;
use export_ports::{Gate as _, PortErrorKind, State as _};

use crate::server::{OwnServer, state, tenant, unused_port};

const PASSWORD: &str = "correct-horse-battery";

#[tokio::test]
async fn nobody_there() {
    let port = unused_port();
    let uri = format!("mongodb://u:{PASSWORD}@127.0.0.1:{port}/?serverSelectionTimeoutMS=400");
    let client = export_mongo::connect(&uri).await.unwrap();
    let database = client.database("export");
    let (store, gate) = (state(&database), MongoGate::new(database.clone()));
    let started = Instant::now();
    let errors = [
        store.slots(&tenant("acme")).await.unwrap_err(),
        store.ping().await.unwrap_err(),
        gate.ping().await.unwrap_err(),
        export_mongo::migrate(&database).await.unwrap_err(),
    ];
    assert!(started.elapsed() < Duration::from_secs(8));
    for error in errors {
        assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

#[tokio::test]
async fn what_is_no_connection_string() {
    for uri in [
        format!("mongodb://u:{PASSWORD}@"),
        format!("mongodb://u:{PASSWORD}@h:port/"),
        format!("mongodb://u:{PASSWORD}@h/?w=-1"),
        format!("mongodb://u:{PASSWORD}@h/?tls=perhaps"),
        format!("http://u:{PASSWORD}@h/"),
        format!("mongodb://u:{PASSWORD}%@h/"),
        format!("u:{PASSWORD}@h"),
        String::new(),
    ] {
        let error = export_mongo::connect(&uri).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Invalid, "{error}");
        let text = format!("{error} {error:?}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password() {
    let Some(server) = OwnServer::start("a wrong password", &["--auth"]).await else {
        return;
    };
    let uri = format!("mongodb://u:{PASSWORD}@{}/", server.address());
    let client = export_mongo::connect(&uri).await.unwrap();
    let error = state(&client.database("export"))
        .slots(&tenant("acme"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains(PASSWORD), "{text}");
    assert!(text.to_lowercase().contains("auth"), "{text}");
}
