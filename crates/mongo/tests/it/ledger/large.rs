//! What is too large for a document.

use export_model::{Criteria, Facets, Kind, ProductPattern};
use export_ports::{Evidence as _, LedgerWriter as _, PageBudget, PortErrorKind, RecordPage};
use mongodb::bson::{Document, doc};

use super::{Server, acme, ids, record, scan};
use export_model::Timestamp;

const UNBOUNDED: PageBudget = PageBudget {
    records: usize::MAX,
    bytes: usize::MAX,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_nine_mebibytes_comes_back() {
    let Some(server) = Server::given("a record that is a file").await else {
        return;
    };
    let ledger = server.fresh().await;
    let large = record(Kind::Sbom, "b", "large", 9 << 20);
    let list = vec![
        record(Kind::Sbom, "a", "before", 100),
        large.clone(),
        record(Kind::Sbom, "c", "after", 100),
    ];
    ledger.append(list.clone(), Timestamp(1)).await.unwrap();
    let files = server.made.lock().unwrap()[0].collection::<Document>("ledger_bodies_large.files");
    assert_eq!(files.count_documents(doc! {}).await.unwrap(), 1);
    let scan = scan(&ledger, Kind::Sbom).await;
    let page = ledger
        .records(
            &scan,
            &list[0].position,
            &list[2].position,
            None,
            UNBOUNDED,
            RecordPage::default(),
        )
        .await
        .unwrap();
    let wanted: Vec<u8> = list.iter().flat_map(|r| r.canonical.clone()).collect();
    assert!(page.bytes == wanted);
    let again = ledger.append(list, Timestamp(2)).await.unwrap();
    assert_eq!(again.present, 3);
    // A batch that is refused leaves no file.
    let mut other = record(Kind::Sbom, "b", "large", (9 << 20) + 1);
    other.upstream_id = "other".to_owned();
    let new = record(Kind::Sbom, "a", "another", 9 << 20);
    let refused = ledger.append(vec![new, other], Timestamp(3)).await;
    assert_eq!(refused.unwrap_err().kind(), PortErrorKind::AlreadyExists);
    assert_eq!(files.count_documents(doc! {}).await.unwrap(), 1);
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_append_cannot_hold_is_refused() {
    let Some(server) = Server::given("limits of an append").await else {
        return;
    };
    let ledger = server.fresh().await;
    let refused = ledger
        .append(
            vec![record(Kind::Vex, "s", "huge", (64 << 20) + 1)],
            Timestamp(1),
        )
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), PortErrorKind::Invalid);
    assert!(refused.to_string().contains("huge"), "{refused}");
    let small = record(Kind::Vex, "s", "small", 1);
    let many = vec![small; export_mongo::MAX_APPEND_RECORDS + 1];
    let refused = ledger.append(many, Timestamp(1)).await.unwrap_err();
    assert_eq!(refused.kind(), PortErrorKind::Invalid);
    assert_eq!(ledger.watermark(&acme()).await.unwrap(), 0);
    server.clean().await;
}

/// Facets that lie apart are selected by as all others are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facets_that_lie_apart() {
    let Some(server) = Server::given("facets that are a file").await else {
        return;
    };
    let ledger = server.fresh().await;
    let purls = |count: usize, name: &str| -> Vec<String> {
        (0..count)
            .map(|n| format!("pkg:npm/{name}-{n:060}@1"))
            .collect()
    };
    let with = |id: &str, count: usize, name: &str| {
        let mut one = record(Kind::Sbom, "s", id, 50);
        one.facets = Facets {
            ecosystems: vec!["npm".to_owned()],
            products: purls(count, name),
            ..Facets::default()
        };
        one
    };
    let list = vec![
        with("1-small-x", 3, "x"),
        with("2-large-x", 20_000, "x"),
        with("3-large-y", 20_000, "y"),
        with("4-small-y", 3, "y"),
        with("5-large-x", 20_000, "x"),
    ];
    ledger.append(list.clone(), Timestamp(1)).await.unwrap();
    let files = server.made.lock().unwrap()[0].collection::<Document>("ledger_bodies_large.files");
    assert_eq!(files.count_documents(doc! {}).await.unwrap(), 3);
    let exact = |purl: &str| ProductPattern::Exact(purl.to_owned());
    let prefix = |purl: &str| ProductPattern::Prefix(purl.to_owned());
    let last = purls(20_000, "x").pop().unwrap();
    for (products, selected) in [
        (vec![exact(&last)], vec![1, 4]),
        (vec![prefix("pkg:npm/x-")], vec![0, 1, 4]),
        (vec![prefix("pkg:npm/y-"), exact(&last)], vec![1, 2, 3, 4]),
        (vec![exact("pkg:npm/z")], vec![]),
    ] {
        let criteria = Criteria {
            products: Some(products),
            ecosystems: Some(vec!["npm".to_owned()]),
            ..Criteria::default()
        };
        let mut scan = scan(&ledger, Kind::Sbom).await;
        scan.selectors.base = criteria.clone();
        let name = |n: &usize| list[*n].position.id.clone();
        let wanted: Vec<_> = selected.iter().map(name).collect();
        assert_eq!(ids(&ledger, &scan).await, wanted, "{criteria:?}");
        // Pages are full although entries were let through that are not selected.
        for limit in 1..=3 {
            let mut paged = Vec::new();
            loop {
                let after = paged.last().cloned();
                let page = ledger.index(&scan, after.as_ref(), limit).await.unwrap();
                let is_last = page.len() < limit;
                paged.extend(page.into_iter().map(|line| line.position));
                if is_last {
                    break;
                }
            }
            assert!(paged.iter().map(|p| &p.id).eq(&wanted), "by {limit}");
        }
        scan.selectors.base = Criteria::default();
        scan.selectors.exclude = vec![criteria];
        let rest: Vec<_> = (0..5).filter(|n| !selected.contains(n)).collect();
        let wanted: Vec<_> = rest.iter().map(name).collect();
        assert_eq!(ids(&ledger, &scan).await, wanted);
    }
    // Criteria that are too large for a filter are decided here.
    let mut scan = scan(&ledger, Kind::Sbom).await;
    let mut values: Vec<_> = (0..10_000).map(|n| format!("{n:04000}")).collect();
    values.push("npm".to_owned());
    scan.selectors.base.ecosystems = Some(values);
    assert_eq!(ids(&ledger, &scan).await.len(), 5);
    scan.selectors.include = vec![Criteria {
        products: Some(vec![prefix("pkg:npm/y-")]),
        ..Criteria::default()
    }];
    assert_eq!(ids(&ledger, &scan).await, ["3-large-y", "4-small-y"]);
    server.clean().await;
}
