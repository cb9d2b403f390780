//! Who may read: whose tokens, with what scope, once a proof; and tokens that are replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use export_authority::Scope;
use export_authority::client::{ProofKey, Secret};
use export_evidence_http::{
    AccessToken, ClientCredentials, ClientSettings, FileToken, TokenSource,
};
use export_host::SystemClock;
use export_model::{PolicySnapshot, Sha256Digest, Tenant, Timestamp};
use export_ports::{
    Clock as _, Evidence as _, PageBudget, PolicyEngine as _, PolicyWriter as _, PortError,
    PortErrorKind, RecordPage,
};

use crate::support::script::{Answer, Script};
use crate::support::{Minted, World, client, everything, ids, settings, tenant};

fn minted(world: &World) -> Minted {
    Minted::clone(&world.tokens())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_for_its_own_tenant() {
    let world = World::new();
    world.fill(3).await;
    let served = world.serve(None).await;
    // Whatever is asked for, the token is globex's.
    let tokens = Minted {
        tenant: Some(tenant("globex")),
        ..minted(&world)
    };
    let ledger = client(&settings(&served.url), Arc::new(tokens));
    let acme = tenant("acme");
    let place = [crate::support::record(0).position];
    let budget = PageBudget {
        records: 1,
        bytes: 1,
    };
    for error in [
        ledger.watermark(&acme).await.unwrap_err(),
        ledger.watermark_at(&acme, Timestamp(0)).await.unwrap_err(),
        ledger.sboms(&acme, "s", 1).await.unwrap_err(),
        ledger.index(&everything(), None, 1).await.unwrap_err(),
        ledger
            .pick(&everything(), &place, budget, RecordPage::default())
            .await
            .unwrap_err(),
        ledger.snapshot(&acme, None).await.unwrap_err(),
        ledger.freeze(&acme, "p").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), PortErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("ERR_CROSS_TENANT"), "{error}");
    }
    assert!(ledger.watermark(&tenant("globex")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_and_freezing_are_allowed_one_by_one() {
    let world = World::new();
    let acme = tenant("acme");
    let snapshot = PolicySnapshot {
        created_at: Timestamp(0),
        inputs_hash: Sha256Digest::of(b""),
        name: "p".to_owned(),
        policy_snapshot_id: "a/../b ?#&".to_owned(),
        policy_version: "1".to_owned(),
        tenant: acme.clone(),
    };
    world.home.ledger().add_snapshot(&snapshot).await.unwrap();
    let served = world.serve(None).await;
    let with = |scopes: &[Scope]| {
        let tokens = Minted {
            scopes: scopes.iter().copied().collect(),
            ..minted(&world)
        };
        client(&settings(&served.url), Arc::new(tokens))
    };
    let id = &snapshot.policy_snapshot_id;
    let reader = with(&[Scope::EvidenceRead]);
    let found = reader.snapshot(&acme, Some(id)).await.unwrap();
    assert_eq!(found.as_ref(), Some(&snapshot));
    let freezer = with(&[Scope::EvidenceFreeze]);
    freezer.freeze(&acme, id).await.unwrap();
    let other = with(&[Scope::Read, Scope::Download]);
    for error in [
        reader.freeze(&acme, id).await.unwrap_err(),
        freezer.watermark(&acme).await.unwrap_err(),
        other.index(&everything(), None, 1).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), PortErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("ERR_SCOPE_MISSING"), "{error}");
    }
}

/// Gives one token until it is refused, then another.
struct Replaced {
    tokens: Vec<AccessToken>,
    refused: AtomicUsize,
}

#[async_trait]
impl TokenSource for Replaced {
    async fn token(
        &self,
        _: &Tenant,
        refused: Option<&AccessToken>,
    ) -> Result<AccessToken, PortError> {
        let number = match refused {
            Some(_) => 1 + self.refused.fetch_add(1, Ordering::SeqCst),
            None => self.refused.load(Ordering::SeqCst),
        };
        Ok(self.tokens[number.min(self.tokens.len() - 1)].clone())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_good_is_replaced_or_given_up() {
    let world = World::new();
    let acme = tenant("acme");
    let served = world.serve(None).await;
    let bound = |tokens: &Minted, ago: i64| {
        let (token, key) = tokens.mint(&acme, SystemClock.now().plus_millis(-ago));
        AccessToken::bound(Secret::new(token), Arc::new(key))
    };
    let own = minted(&world);
    let of_another = minted(&World::new());
    let bearer = AccessToken::bearer(Secret::new(own.mint(&acme, SystemClock.now()).0));
    let (expired, strange) = (bound(&own, 7_200_000), bound(&of_another, 0));
    for (bad, code) in [
        (&expired, "ERR_TOKEN_EXPIRED"),
        (&strange, "ERR_TOKEN_INVALID"),
        (&bearer, "ERR_UNAUTHENTICATED"),
    ] {
        let good = Replaced {
            tokens: vec![bad.clone(), bound(&own, 0)],
            refused: AtomicUsize::new(0),
        };
        let ledger = client(&settings(&served.url), Arc::new(good));
        assert_eq!(ledger.watermark(&acme).await.unwrap(), 0, "{code}");
        let never = Replaced {
            tokens: vec![bad.clone()],
            refused: AtomicUsize::new(0),
        };
        let impatient = ClientSettings {
            patience: Duration::from_millis(300),
            ..settings(&served.url)
        };
        let ledger = client(&impatient, Arc::new(never));
        let error = ledger.watermark(&acme).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains(code), "{error}");
    }
}

/// Counts how often it is asked.
struct Counted {
    tokens: FileToken,
    asked: AtomicUsize,
}

#[async_trait]
impl TokenSource for Counted {
    async fn token(
        &self,
        tenant: &Tenant,
        refused: Option<&AccessToken>,
    ) -> Result<AccessToken, PortError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.tokens.token(tenant, refused).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_in_a_file_is_read_again() {
    let world = World::new();
    let acme = tenant("acme");
    let records = world.fill(3).await;
    let served = world.serve(None).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acme.json");
    let write = |ago: i64| {
        let (token, key) = minted(&world).mint(&acme, SystemClock.now().plus_millis(-ago));
        let pem = key.to_pem().unwrap();
        let login = serde_json::json!({ "access_token": token, "proof_key": *pem, "server": "x" });
        std::fs::write(&path, login.to_string()).unwrap();
    };
    let template = folder.path().join("{tenant}.json");
    let tokens = FileToken::new(template.to_str().unwrap());
    let counted = Arc::new(Counted {
        tokens: tokens.clone(),
        asked: AtomicUsize::new(0),
    });
    let ledger = client(
        &settings(&served.url),
        Arc::clone(&counted) as Arc<dyn TokenSource>,
    );
    write(0);
    assert_eq!(ledger.index(&everything(), None, 2).await.unwrap().len(), 2);
    // It has ended, and somebody replaces it while the read waits for that.
    write(7_200_000);
    let after = records[1].position.clone();
    let asked = counted.asked.load(Ordering::SeqCst);
    let reading = {
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.index(&everything(), Some(&after), 2).await })
    };
    while counted.asked.load(Ordering::SeqCst) < asked + 2 {
        tokio::task::yield_now().await;
    }
    write(0);
    assert_eq!(reading.await.unwrap().unwrap().len(), 1);
    // What a file cannot be is said, and never shown.
    let impatient = ClientSettings {
        patience: Duration::ZERO,
        ..settings(&served.url)
    };
    for text in [
        "",
        "two words s3cret",
        "{\"access_token\":\"s3cret\"}",
        "s3\ncret",
    ] {
        std::fs::write(&path, text).unwrap();
        let ledger = client(&impatient, Arc::new(tokens.clone()));
        let error = ledger.watermark(&acme).await.unwrap_err();
        let said = error.to_string();
        assert_eq!(error.kind(), PortErrorKind::Unavailable, "{said}");
        assert!(
            said.contains("acme.json") && !said.contains("cret"),
            "{said}"
        );
    }
    // A token alone is for ledgers that take such.
    std::fs::write(&path, "opaque-token\n").unwrap();
    let error = client(&impatient, Arc::new(tokens)).watermark(&acme).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("ERR_UNAUTHENTICATED"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_an_authority_are_kept_until_they_end() {
    let given = |name: &str, seconds: i64| {
        Answer::page(format!(
            "{{\"access_token\":\"{name}\",\"token_type\":\"DPoP\",\"expires_in\":{seconds}}}"
        ))
    };
    let refused = Answer {
        status: "400 Bad Request",
        ..Answer::page("{\"error\":\"invalid_client\"}")
    };
    let authority = Script::new(vec![
        given("one", 3_600),
        given("two", 0),
        given("three", 9),
        refused,
    ])
    .await;
    let secret = Some(("worker".to_owned(), Secret::new("s3cret".to_owned())));
    let key = ProofKey::generate().unwrap();
    let clock = Arc::new(SystemClock);
    let tokens = ClientCredentials::new(&authority.url, secret, key, clock, ids()).unwrap();
    let (acme, globex) = (tenant("acme"), tenant("globex"));
    let first = tokens.token(&acme, None).await.unwrap();
    tokens.token(&acme, None).await.unwrap();
    assert_eq!(authority.asked(), 1, "kept");
    tokens.token(&acme, Some(&first)).await.unwrap();
    assert_eq!(authority.asked(), 2, "it was refused");
    tokens.token(&acme, None).await.unwrap();
    assert_eq!(authority.asked(), 3, "it had ended");
    let error = tokens.token(&globex, None).await.unwrap_err();
    assert_eq!(authority.asked(), 4, "another tenant's is another");
    assert_eq!(error.kind(), PortErrorKind::Invalid);
    let said = error.to_string();
    assert!(
        said.contains("invalid_client") && !said.contains("s3cret"),
        "{said}"
    );
    assert!(!format!("{first:?}").contains("one"));
}
