//! Connections that break: nothing is lost, nothing comes twice.

use std::sync::Arc;
use std::time::Duration;

use export_evidence_http::HttpLedger;
use export_model::AdmittedRecord;
use export_ports::{Evidence as _, PageBudget, RecordPage};
use tokio::net::TcpListener;

use crate::support::cutter::Cutter;
use crate::support::{World, client, everything, settings};

const BUDGET: PageBudget = PageBudget {
    records: 100,
    bytes: 1 << 20,
};

/// Reads everything, page by page, and compares it; gives the number of pages.
async fn read_all(ledger: &HttpLedger, records: &[AdmittedRecord]) -> usize {
    let (first, last) = (&records[0].position, &records[records.len() - 1].position);
    let scan = everything();
    let (mut found, mut pages) = (Vec::new(), 0);
    let (mut after, mut spare) = (None, RecordPage::default());
    loop {
        let page = ledger
            .records(&scan, first, last, after.as_ref(), BUDGET, spare)
            .await
            .unwrap();
        let Some(next) = page.last() else { break };
        assert!(after.as_ref() < Some(&next));
        pages += 1;
        for record in &page.records {
            assert!(
                !record.admitted,
                "a ledger is not trusted unless one says so"
            );
            found.push((record.id.clone(), page.bytes[record.bytes.clone()].to_vec()));
        }
        (after, spare) = (Some(next), page);
    }
    let expected: Vec<_> = records
        .iter()
        .map(|record| (record.position.id.clone(), record.canonical.clone()))
        .collect();
    assert!(found == expected, "{} of {}", found.len(), expected.len());
    pages
}

/// Picks every other record, however often that is cut.
async fn pick_some(ledger: &HttpLedger, records: &[AdmittedRecord]) {
    let some: Vec<_> = records.iter().step_by(2).collect();
    let positions: Vec<_> = some.iter().map(|r| r.position.clone()).collect();
    let (mut found, mut rest) = (Vec::new(), positions.as_slice());
    while !rest.is_empty() {
        let spare = RecordPage::default();
        let page = ledger.pick(&everything(), rest, BUDGET, spare).await;
        let page = page.unwrap();
        let last = page.last().expect("every position has a record");
        found.extend_from_slice(&page.bytes);
        rest = &rest[rest.partition_point(|at| *at <= last)..];
    }
    let expected: Vec<_> = some.iter().flat_map(|r| r.canonical.clone()).collect();
    assert!(found == expected);
}

async fn index_all(ledger: &HttpLedger, records: &[AdmittedRecord]) {
    let lines = ledger.index(&everything(), None, 1_000).await.unwrap();
    let found = lines
        .iter()
        .map(|line| (&line.position, line.record_sha256));
    let expected = records.iter().map(|r| (&r.position, r.record_sha256));
    assert!(found.eq(expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_may_be_cut_at_every_byte() {
    let world = Arc::new(World::new());
    let records = Arc::new(world.fill(3).await);
    let mut clients = Vec::new();
    for _ in 0..8 {
        let cutter = Cutter::new().await;
        let served = world.serve(Some(&cutter.url)).await;
        cutter.lead_to(Some(served.at));
        clients.push((
            client(&settings(&cutter.url), world.tokens()),
            cutter,
            served,
        ));
    }
    let tasks = clients
        .into_iter()
        .enumerate()
        .map(|(task, (ledger, cutter, served))| {
            let records = Arc::clone(&records);
            tokio::spawn(async move {
                let _served = served;
                let (mut cuts, mut after) = (0, task);
                // Until an answer is shorter than that: then it was cut everywhere.
                loop {
                    cutter.cut_after(after);
                    index_all(&ledger, &records).await;
                    read_all(&ledger, &records).await;
                    pick_some(&ledger, &records).await;
                    if cutter.cuts() == cuts {
                        return after;
                    }
                    cuts = cutter.cuts();
                    after += 8;
                }
            })
        });
    let tasks: Vec<_> = tasks.collect();
    for task in tasks {
        let longest = task.await.unwrap();
        assert!(longest > 1_000, "{longest}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_may_die_in_the_middle_of_a_page_and_come_back() {
    let world = Arc::new(World::new());
    let records = Arc::new(world.fill(200).await);
    let cutter = Cutter::new().await;
    let start = |world: &Arc<World>| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (world, url) = (Arc::clone(world), cutter.url.clone());
        let served = runtime.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            world.serve_on(listener, Some(&url), world.home.ledger())
        });
        (runtime, served)
    };
    let ledger = client(&settings(&cutter.url), world.tokens());
    let reading = tokio::spawn({
        let records = Arc::clone(&records);
        async move { read_all(&ledger, &records).await }
    });
    // Each page has some 16 KiB.
    for (deaths, cut) in [9_000, 300, 5_000, 14_000].into_iter().enumerate() {
        let (runtime, served) = start(&world);
        let served = served.await.unwrap();
        cutter.cut_after(cut);
        cutter.lead_to(Some(served.at));
        while cutter.cuts() == deaths {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cutter.lead_to(None);
        drop(served);
        runtime.shutdown_background();
    }
    let (runtime, served) = start(&world);
    let served = served.await.unwrap();
    cutter.lead_to(Some(served.at));
    let pages = reading.await.unwrap();
    assert!(pages > 2, "some pages were cut short");
    drop(served);
    runtime.shutdown_background();
}
