//! The same evidence, in any order, is the same ledger: that of the embedded default.

use std::collections::BTreeMap;

use export_embedded::EmbeddedLedger;
use export_model::{AdmittedRecord, Kind, Revisions, Timestamp};
use export_ports::{Evidence as _, LedgerWriter as _, PageBudget, RecordPage, Scan};

use super::{Server, ids, record, scan};

/// Numbers that look random, the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end + 1));
        }
    }
}

/// Up to six revisions each of 60 documents, with few different times so that some are the same.
fn revisions(numbers: &mut Numbers) -> Vec<AdmittedRecord> {
    let mut list = Vec::new();
    for document in 0..60 {
        let kind = [Kind::Advisory, Kind::Vex][document % 2];
        for revision in 0..=numbers.below(6) {
            let subject = format!("subject-{}", document / 3);
            let mut one = record(kind, &subject, &format!("{document}-{revision}"), 40);
            one.upstream_id = format!("document-{document}");
            one.modified = match numbers.below(4) {
                0 => None,
                time => Some(Timestamp(time as i64)),
            };
            list.push(one);
        }
    }
    list
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_order_of_revisions_gives_what_the_embedded_ledger_gives() {
    let Some(server) = Server::given("revisions in any order").await else {
        return;
    };
    let mut numbers = Numbers(1);
    let mut list = revisions(&mut numbers);
    let mut results = Vec::new();
    for _ in 0..3 {
        numbers.shuffle(&mut list);
        let folder = tempfile::tempdir().unwrap();
        let embedded = EmbeddedLedger::open(&folder.path().join("ledger.db")).unwrap();
        let ledger = server.fresh().await;
        let mut rest = list.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at((1 + numbers.below(40)).min(rest.len()));
            rest = later;
            let here = ledger.append(batch.to_vec(), Timestamp(1)).await.unwrap();
            let there = embedded.append(batch.to_vec(), Timestamp(1)).await.unwrap();
            assert_eq!(here, there);
        }
        // At every watermark, not only the last.
        let newest = scan(&ledger, Kind::Vex).await.watermark;
        let mut all = BTreeMap::new();
        for watermark in (0..=newest).step_by(7).chain([newest]) {
            for kind in Kind::ALL {
                for revisions in [Revisions::Newest, Revisions::All] {
                    let scan = Scan {
                        watermark,
                        revisions,
                        ..scan(&ledger, kind).await
                    };
                    let here = ledger.index(&scan, None, usize::MAX).await.unwrap();
                    let there = embedded.index(&scan, None, usize::MAX).await.unwrap();
                    assert_eq!(here, there, "{kind} at {watermark}");
                    if watermark == newest {
                        all.insert((kind, revisions == Revisions::All), here);
                    }
                }
            }
        }
        results.push(all);
    }
    assert!(results.windows(2).all(|two| two[0] == two[1]));
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_goes_on_after_every_page() {
    let Some(server) = Server::given("pages").await else {
        return;
    };
    let ledger = server.fresh().await;
    let mut list = Vec::new();
    for subject in ["", "a", "b", "é"] {
        for number in 0..8 {
            let id = format!("{subject}{number}");
            list.push(record(Kind::Sbom, subject, &id, 30 + number));
        }
    }
    // In an order that is not theirs, so that neighbours have distant numbers.
    Numbers(2).shuffle(&mut list);
    for batch in list.chunks(5) {
        ledger.append(batch.to_vec(), Timestamp(1)).await.unwrap();
    }
    let scan = scan(&ledger, Kind::Sbom).await;
    let all = ledger.index(&scan, None, usize::MAX).await.unwrap();
    assert_eq!(all.len(), list.len());
    for (place, line) in all.iter().enumerate() {
        let rest = ledger.index(&scan, Some(&line.position), usize::MAX).await;
        assert_eq!(rest.unwrap(), all[place + 1..]);
        for records in [1, 3, usize::MAX] {
            let budget = PageBudget {
                records,
                bytes: usize::MAX,
            };
            let last = &all[all.len() - 2].position;
            let page = ledger
                .records(
                    &scan,
                    &all[0].position,
                    last,
                    Some(&line.position),
                    budget,
                    RecordPage::default(),
                )
                .await
                .unwrap();
            let wanted: Vec<_> = all[..all.len() - 1]
                .iter()
                .skip(place + 1)
                .take(records)
                .collect();
            assert_eq!(page.records.len(), wanted.len());
            for (found, wanted) in page.records.iter().zip(wanted) {
                assert_eq!(found.id, wanted.position.id);
                let of = list.iter().find(|r| r.position == wanted.position).unwrap();
                assert!(page.bytes[found.bytes.clone()] == of.canonical);
            }
        }
    }
    assert_eq!(ids(&ledger, &scan).await.len(), list.len());
    server.clean().await;
}
