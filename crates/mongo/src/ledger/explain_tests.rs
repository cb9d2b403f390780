//! The plans that the server makes for the ledger's queries.

use export_model::{
    AdmittedRecord, CompiledSelectors, Criteria, Facets, Kind, Position, ProductPattern,
    RecordedWindow, Revisions, Sha256Digest, Source, Timestamp,
};
use export_ports::{LedgerWriter as _, Scan};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};

use super::schema::ENTRIES;
use super::walk::{Query, Range, Walk, canonical_order};
use super::{MongoLedger, Store};

/// The stages of a plan and the indexes that it reads.
#[derive(Debug, Default)]
struct Stages {
    stages: Vec<String>,
    indexes: Vec<String>,
}

impl Stages {
    fn read(&mut self, plan: &Bson) {
        match plan {
            Bson::Document(stage) => {
                if let Ok(name) = stage.get_str("stage") {
                    self.stages.push(name.to_owned());
                }
                if let Ok(name) = stage.get_str("indexName") {
                    self.indexes.push(name.to_owned());
                }
                stage.iter().for_each(|(_, inner)| self.read(inner));
            }
            Bson::Array(inner) => inner.iter().for_each(|plan| self.read(plan)),
            _ => {}
        }
    }
}

async fn explain(store: &Store, query: Query) -> Option<Stages> {
    let mut find = doc! {
        "find": ENTRIES,
        "filter": query.filter,
        "projection": query.projection,
        "sort": canonical_order(),
        "limit": 10,
    };
    if let Some(index) = query.index {
        find.insert("hint", index);
    }
    let answer: Document = store
        .database
        .run_command(doc! { "explain": find, "verbosity": "queryPlanner" })
        .await
        .ok()?;
    let plan = answer.get_document("queryPlanner").ok()?;
    let mut stages = Stages::default();
    stages.read(plan.get("winningPlan")?);
    Some(stages)
}

/// 300 findings; three of them have what the selectors below look for.
fn findings() -> Vec<AdmittedRecord> {
    (0..300)
        .map(|number| {
            let id = format!("{number:03}");
            let is_wanted = number % 100 == 50;
            let one = |value: &str| vec![if is_wanted { value } else { "other" }.to_owned()];
            let canonical = id.clone().into_bytes();
            AdmittedRecord {
                tenant: "acme".parse().unwrap(),
                kind: Kind::Finding,
                position: Position {
                    subject_key: format!("subject-{id}"),
                    id: id.clone(),
                },
                source: Source::policy_engine(),
                upstream_id: id,
                content_hash: Sha256Digest::of(&canonical),
                modified: None,
                facets: Facets {
                    ecosystems: one("npm"),
                    products: one("pkg:npm/a@1"),
                    sbom_subjects: one("app"),
                    identifiers: one("CVE-1"),
                    recorded_at: Some(Timestamp(1)),
                },
                policy_snapshot_id: one("p1").pop(),
                record_sha256: Sha256Digest::of(&canonical),
                canonical,
            }
        })
        .collect()
}

/// Each query of a walk, at its beginning and when it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_reads_the_index_that_is_meant_for_it() {
    let Ok(uri) = std::env::var("MONGODB_URI") else {
        println!("skipped: plans of the ledger's queries: MONGODB_URI is not set");
        return;
    };
    let client = crate::connect(&uri).await.unwrap();
    let database = client.database(&format!("ledger_{}", ObjectId::new().to_hex()));
    let ledger = MongoLedger::new(database.clone());
    ledger.prepare().await.unwrap();
    ledger.append(findings(), Timestamp(1)).await.unwrap();
    let store = ledger.store.clone();

    let values = |list: &[&str]| Some(list.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>());
    let any = Criteria::default;
    let prefix = ProductPattern::Prefix("pkg:npm/a".to_owned());
    let exact = ProductPattern::Exact("pkg:npm/a@1".to_owned());
    let cases = [
        (any(), None, "walk"),
        (
            Criteria {
                sources: Some(vec![("a".into(), None), ("b".into(), None)]),
                recorded: Some(RecordedWindow {
                    from: Some(Timestamp(1)),
                    to: None,
                }),
                ..any()
            },
            None,
            "walk",
        ),
        (
            Criteria {
                sources: Some(vec![("a".into(), None), ("b".into(), Some("c".into()))]),
                ..any()
            },
            None,
            "walk",
        ),
        (
            Criteria {
                identifiers: values(&["CVE-1"]),
                ..any()
            },
            None,
            "identifiers",
        ),
        (
            Criteria {
                sbom_subjects: values(&["app"]),
                ..any()
            },
            None,
            "sbom_subjects",
        ),
        (
            Criteria {
                ecosystems: values(&["npm"]),
                ..any()
            },
            None,
            "ecosystems",
        ),
        (
            Criteria {
                products: Some(vec![exact.clone()]),
                ..any()
            },
            None,
            "products",
        ),
        (
            Criteria {
                products: Some(vec![prefix, exact]),
                ..any()
            },
            None,
            "products",
        ),
        (any(), Some("p1"), "by_snapshot"),
    ];
    let mut asserted = 0;
    for (base, snapshot, index) in cases {
        let scan = Scan {
            tenant: "acme".parse().unwrap(),
            kind: Kind::Finding,
            watermark: 100,
            revisions: Revisions::Newest,
            selectors: CompiledSelectors {
                base,
                ..CompiledSelectors::default()
            },
            policy_snapshot_id: snapshot.map(str::to_owned),
        };
        let place = |subject: &str| Position {
            subject_key: subject.to_owned(),
            id: "x".to_owned(),
        };
        for range in [
            Range::default(),
            Range {
                lower: Some((place("a"), false)),
                upper: Some(place("b")),
            },
        ] {
            let walk = Walk::new(&store, &scan, &range);
            for interval in walk.left() {
                let Some(plan) = explain(&store, walk.query(interval)).await else {
                    continue;
                };
                let what = format!("{interval} of {:?}: {plan:?}", scan.selectors.base);
                assert!(plan.stages.iter().any(|stage| stage == "IXSCAN"), "{what}");
                assert!(
                    !plan.stages.iter().any(|stage| stage == "COLLSCAN"),
                    "{what}"
                );
                let reads_it = plan.indexes.iter().all(|name| name == index);
                // Within a few subjects every index is as good; over all of them, one is.
                if index == "walk" || interval.is_empty() {
                    assert!(reads_it, "not {index}: {what}");
                }
                if index == "walk" {
                    assert!(!plan.stages.iter().any(|stage| stage == "SORT"), "{what}");
                    // Alternatives are decided on documents.
                    let alternatives = what.contains("Some(\"c\")");
                    let fetches = plan.stages.iter().any(|stage| stage == "FETCH");
                    assert!(!fetches || alternatives, "{what}");
                }
                asserted += 1;
            }
        }
        // Positions are looked up by the walk's index, whatever is selected.
        let picked: Vec<_> = findings().into_iter().map(|r| r.position).collect();
        let walk = Walk::new(&store, &scan, &Range::default());
        if let Some(plan) = explain(&store, walk.query_at(&picked)).await {
            let what = format!("positions of {:?}: {plan:?}", scan.selectors.base);
            assert_eq!(plan.indexes, ["walk"], "{what}");
            assert!(
                !plan.stages.iter().any(|s| s == "SORT" || s == "COLLSCAN"),
                "{what}"
            );
            asserted += 1;
        }
    }
    if asserted == 0 {
        println!("skipped: plans of the ledger's queries: this server does not explain");
    }
    database.drop().await.unwrap();
}
