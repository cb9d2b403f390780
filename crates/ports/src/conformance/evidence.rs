//! The suite of the evidence ports, for a ledger that can be filled.

use std::sync::Arc;

use export_model::{
    AdmittedRecord, CompiledSelectors, Facets, IndexEntry, Kind, Position, Revisions, Sha256Digest,
    Source, Tenant,
};

use super::{assert_kind, at, tenant};
use crate::{Appended, Evidence, LedgerWriter, PageBudget, PortErrorKind, RecordPage, Scan};

/// Checks a backend of the evidence port.
///
/// # Panics
/// Where it does not keep a promise.
pub async fn evidence<S: Evidence + LedgerWriter>(fresh: impl AsyncFn() -> Arc<S>) {
    empty_ledgers(&*fresh().await).await;
    records_come_back(&*fresh().await).await;
    canonical_order_is_byte_order(&*fresh().await).await;
    pages_resume_anywhere(&*fresh().await).await;
    super::picking::records_are_picked(&*fresh().await).await;
    super::picking::many_are_picked(&*fresh().await).await;
    super::picking::visibility_is_that_of_a_scan(&*fresh().await).await;
    watermarks_hide_what_is_newer(&*fresh().await).await;
    revisions_in_any_order(&*fresh().await).await;
    importing_again_adds_nothing(&*fresh().await).await;
    ids_are_never_reused(&*fresh().await).await;
    past_watermarks_by_time(&*fresh().await).await;
    sboms_by_subject(&*fresh().await).await;
    super::selectors::selectors(&*fresh().await).await;
    tenants_are_apart(&*fresh().await).await;
    super::counting::records_are_counted(&*fresh().await).await;
}

/// A record of `acme` whose content is its id.
pub(super) fn record(kind: Kind, subject_key: &str, id: &str) -> AdmittedRecord {
    with_content(kind, subject_key, id, id)
}

pub(super) fn with_content(
    kind: Kind,
    subject_key: &str,
    id: &str,
    content: &str,
) -> AdmittedRecord {
    let canonical =
        format!("{{\"_id\":\"{id}\",\"content\":{{\"raw\":\"{content}\"}}}}").into_bytes();
    AdmittedRecord {
        tenant: tenant("acme"),
        kind,
        position: Position {
            subject_key: subject_key.to_owned(),
            id: id.to_owned(),
        },
        source: if kind == Kind::Finding {
            Source::policy_engine()
        } else {
            source("vendor", "stream")
        },
        upstream_id: id.to_owned(),
        content_hash: Sha256Digest::of(content.as_bytes()),
        modified: None,
        facets: Facets::default(),
        policy_snapshot_id: None,
        record_sha256: Sha256Digest::of(&canonical),
        canonical,
    }
}

pub(super) fn source(vendor: &str, stream: &str) -> Source {
    Source {
        vendor: vendor.into(),
        stream: stream.into(),
    }
}

pub(super) async fn append<S: LedgerWriter>(store: &S, records: &[AdmittedRecord]) -> Appended {
    store.append(records.to_vec(), at(0)).await.unwrap()
}

pub(super) async fn scan<S: Evidence>(store: &S, kind: Kind) -> Scan {
    let tenant = tenant("acme");
    Scan {
        watermark: store.watermark(&tenant).await.unwrap(),
        tenant,
        kind,
        revisions: Revisions::Newest,
        selectors: CompiledSelectors::default(),
        policy_snapshot_id: None,
    }
}

async fn lines<S: Evidence>(store: &S, scan: &Scan) -> Vec<IndexEntry> {
    store.index(scan, None, usize::MAX).await.unwrap()
}

/// The ids that a scan gives, from the index; reading and picking records must give the same.
pub(super) async fn ids<S: Evidence>(store: &S, scan: &Scan) -> Vec<String> {
    let lines = lines(store, scan).await;
    if let (Some(first), Some(last)) = (lines.first(), lines.last()) {
        let page = store
            .records(
                scan,
                &first.position,
                &last.position,
                None,
                UNBOUNDED,
                RecordPage::default(),
            )
            .await
            .unwrap();
        check_page(&page);
        let of_index = lines.iter().map(|l| (&l.position.id, l.record_sha256));
        let of_records = page.records.iter().map(|r| (&r.id, r.record_sha256));
        assert!(of_index.eq(of_records), "index and records agree");
    }
    let picked = super::picking::from_everything(store, scan).await;
    let of_index = lines.iter().map(|l| (&l.position.id, l.record_sha256));
    assert!(
        of_index.eq(picked.iter().map(|(id, digest)| (id, *digest))),
        "what is picked is what a scan gives, and nothing that it hides"
    );
    lines.into_iter().map(|line| line.position.id).collect()
}

pub(super) const UNBOUNDED: PageBudget = PageBudget {
    records: usize::MAX,
    bytes: usize::MAX,
};

/// A page's records lie one after the other in its bytes, and are what their digests say.
pub(super) fn check_page(page: &RecordPage) {
    let mut end = 0;
    for record in &page.records {
        assert_eq!(record.bytes.start, end);
        end = record.bytes.end;
        let bytes = &page.bytes[record.bytes.clone()];
        assert_eq!(Sha256Digest::of(bytes), record.record_sha256);
        assert!(record.admitted, "these guardrails admitted it just now");
    }
    assert_eq!(end, page.bytes.len());
}

fn position(subject_key: &str, id: &str) -> Position {
    Position {
        subject_key: subject_key.to_owned(),
        id: id.to_owned(),
    }
}

async fn empty_ledgers<S: Evidence + LedgerWriter>(store: &S) {
    let acme = tenant("acme");
    assert_eq!(store.watermark(&acme).await.unwrap(), 0);
    assert_eq!(store.watermark_at(&acme, at(100)).await.unwrap(), None);
    assert_eq!(store.sboms(&acme, "x", 0).await.unwrap(), [""; 0]);
    assert_eq!(lines(store, &scan(store, Kind::Vex).await).await, []);
    let (first, last) = (position("", ""), position("z", "z"));
    let page = store
        .records(
            &scan(store, Kind::Vex).await,
            &first,
            &last,
            None,
            UNBOUNDED,
            RecordPage::default(),
        )
        .await;
    assert_eq!(page.unwrap(), RecordPage::default());
    assert_eq!(append(store, &[]).await, Appended::default());
    assert_eq!(store.stats().await.unwrap().sources, []);
}

async fn records_come_back<S: Evidence + LedgerWriter>(store: &S) {
    let mut large = record(Kind::Advisory, "s", "large");
    // More than a page of any store, and no text at all.
    large.canonical = (0..3_000_000u32).map(|i| (i % 256) as u8).collect();
    large.record_sha256 = Sha256Digest::of(&large.canonical);
    let small = record(Kind::Advisory, "s", "small");
    append(store, &[small.clone(), large.clone()]).await;
    let scan = scan(store, Kind::Advisory).await;
    let found = lines(store, &scan).await;
    for (line, record) in found.iter().zip([&large, &small]) {
        assert_eq!(line.position, record.position);
        assert_eq!(line.record_sha256, record.record_sha256);
        assert_eq!(line.size, record.canonical.len() as u64);
        assert_eq!(line.source, record.source);
    }
    let page = store
        .records(
            &scan,
            &large.position,
            &small.position,
            None,
            UNBOUNDED,
            RecordPage::default(),
        )
        .await
        .unwrap();
    check_page(&page);
    assert_eq!(page.last(), Some(small.position.clone()));
    assert!(page.bytes == [large.canonical, small.canonical].concat());
}

async fn canonical_order_is_byte_order<S: Evidence + LedgerWriter>(store: &S) {
    // U+FFFF comes before U+10000 as bytes, and after it as UTF-16; no locale is asked.
    let sorted = [
        "",
        " ",
        "/",
        "A",
        "Z",
        "a",
        "a ",
        "a-",
        "a/b",
        "aB",
        "ab",
        "b",
        "z",
        "é",
        "\u{ffff}",
        "\u{10000}",
    ];
    let mut records = Vec::new();
    for subject in sorted.iter().rev() {
        for id in sorted.iter().rev().filter(|id| !id.is_empty()) {
            records.push(record(Kind::Vex, subject, &format!("{id}|{subject}")));
        }
    }
    for batch in records.chunks(37) {
        append(store, batch).await;
    }
    let found = lines(store, &scan(store, Kind::Vex).await).await;
    assert_eq!(found.len(), records.len());
    assert!(found.is_sorted_by(|a, b| {
        let key = |line: &IndexEntry| {
            let position = &line.position;
            (
                position.subject_key.as_bytes().to_vec(),
                position.id.as_bytes().to_vec(),
            )
        };
        key(a) < key(b)
    }));
}

async fn pages_resume_anywhere<S: Evidence + LedgerWriter>(store: &S) {
    let mut records = Vec::new();
    for subject in ["a", "b", "é"] {
        for id in ["1", "2", "3", "4"] {
            records.push(record(Kind::Sbom, subject, &format!("{subject}{id}")));
        }
    }
    append(store, &records).await;
    let scan = scan(store, Kind::Sbom).await;
    let all = lines(store, &scan).await;
    assert_eq!(all.len(), 12);
    for limit in 1..=13 {
        let mut paged: Vec<IndexEntry> = Vec::new();
        loop {
            let after = paged.last().map(|line| line.position.clone());
            let page = store.index(&scan, after.as_ref(), limit).await.unwrap();
            assert!(page.len() <= limit);
            let ended = page.len() < limit;
            paged.extend(page);
            if ended {
                break;
            }
        }
        assert_eq!(paged, all, "index pages of {limit}");
    }
    // Positions that are no record's serve too.
    let between = position("b", "b25");
    let rest = store.index(&scan, Some(&between), 100).await.unwrap();
    assert_eq!(rest, all[6..]);

    let size = records[0].canonical.len();
    let budget = |records, bytes| PageBudget { records, bytes };
    for (from, to) in [(0, 11), (3, 7), (5, 5)] {
        let (first, last) = (&all[from].position, &all[to].position);
        for budget in [
            budget(1, usize::MAX),
            budget(5, usize::MAX),
            budget(100, 1),
            budget(100, 2 * size),
            budget(100, 3 * size + 1),
            UNBOUNDED,
        ] {
            let (mut found, mut after) = (Vec::new(), None);
            let mut spare = RecordPage::default();
            loop {
                let page = store
                    .records(
                        &scan,
                        first,
                        last,
                        after.as_ref(),
                        budget,
                        std::mem::take(&mut spare),
                    )
                    .await
                    .unwrap();
                check_page(&page);
                let Some(next) = page.last() else { break };
                after = Some(next);
                assert!(page.records.len() <= budget.records);
                assert!(page.records.len() == 1 || page.bytes.len() <= budget.bytes);
                found.extend(page.records.iter().map(|r| position(&r.subject_key, &r.id)));
                spare = page;
            }
            let expected: Vec<_> = all[from..=to].iter().map(|l| l.position.clone()).collect();
            assert_eq!(found, expected, "{from}..={to} by {budget:?}");
        }
    }
}

async fn watermarks_hide_what_is_newer<S: Evidence + LedgerWriter>(store: &S) {
    append(store, &[record(Kind::Advisory, "s", "b")]).await;
    let early = scan(store, Kind::Advisory).await;
    append(
        store,
        &[
            record(Kind::Advisory, "s", "c"),
            record(Kind::Advisory, "s", "a"),
        ],
    )
    .await;
    let late = scan(store, Kind::Advisory).await;
    assert!(late.watermark > early.watermark);
    assert_eq!(ids(store, &early).await, ["b"]);
    assert_eq!(ids(store, &late).await, ["a", "b", "c"]);
    append(store, &[record(Kind::Advisory, "s", "d")]).await;
    assert_eq!(ids(store, &late).await, ["a", "b", "c"], "and stays so");
    let beyond = Scan {
        watermark: u64::MAX,
        ..late
    };
    assert_eq!(ids(store, &beyond).await, ["a", "b", "c", "d"]);
    let nothing = Scan {
        watermark: 0,
        ..early
    };
    assert_eq!(ids(store, &nothing).await, [""; 0]);
    assert_eq!(ids(store, &scan(store, Kind::Vex).await).await, [""; 0]);
}

/// Four revisions of one upstream document, oldest first: without a time, then two of the same
/// time, which their hashes order, then the newest.
pub(super) fn revisions(document: &str) -> Vec<AdmittedRecord> {
    let mut list: Vec<_> = ["one", "two", "three", "four"]
        .into_iter()
        .zip([None, Some(5), Some(5), Some(9)])
        .map(|(content, modified)| {
            let id = format!("{document}:{content}");
            let mut record = with_content(Kind::Advisory, "s", &id, &id);
            record.upstream_id = document.to_owned();
            record.modified = modified.map(at);
            record
        })
        .collect();
    list.sort_by_key(|record| (record.modified, record.content_hash));
    list
}

fn permutations(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in permutations(of - 1) {
        for place in 0..of {
            let mut longer = shorter.clone();
            longer.insert(place, of - 1);
            all.push(longer);
        }
    }
    all
}

async fn revisions_in_any_order<S: Evidence + LedgerWriter>(store: &S) {
    for (number, order) in permutations(4).into_iter().enumerate() {
        // Each order with a document of its own, one append a revision.
        let mut list = revisions(&format!("document-{number}"));
        for record in &mut list {
            record.position.subject_key = format!("subject-{number}");
        }
        let mine = async |scan: Scan| -> Vec<String> {
            let prefix = format!("document-{number}:");
            let all = ids(store, &scan).await.into_iter();
            all.filter(|id| id.starts_with(&prefix)).collect()
        };
        let mut then = Vec::new();
        for (imported, index) in order.iter().enumerate() {
            let appended = append(store, &list[*index..=*index]).await;
            assert_eq!(appended.added, 1);
            assert_eq!(appended.superseded, u64::from(imported > 0));
            let newest = order[..=imported].iter().max().unwrap();
            then.push((
                scan(store, Kind::Advisory).await,
                list[*newest].position.id.clone(),
            ));
        }
        for (imported, (scan, newest)) in then.into_iter().enumerate() {
            assert_eq!(
                mine(scan.clone()).await,
                [newest],
                "{order:?} after {imported}"
            );
            let all = Scan {
                revisions: Revisions::All,
                ..scan
            };
            assert_eq!(mine(all).await.len(), imported + 1, "{order:?}");
        }
    }
    // All in one batch, which is no order at all.
    let list = revisions("together");
    let appended = append(store, &list).await;
    assert_eq!((appended.added, appended.superseded), (4, 3));
    let scan = scan(store, Kind::Advisory).await;
    let newest = list[3].position.id.clone();
    let visible = ids(store, &scan).await;
    assert!(visible.contains(&newest));
    assert_eq!(visible.len(), 25, "one of each document");
}

async fn importing_again_adds_nothing<S: Evidence + LedgerWriter>(store: &S) {
    let list = revisions("document");
    append(store, &list).await;
    let before = scan(store, Kind::Advisory).await;
    let all = Scan {
        revisions: Revisions::All,
        ..before.clone()
    };
    let lines_before = lines(store, &all).await;
    // Collected again: other envelope, and so other bytes, of the same documents.
    let mut again = list.clone();
    for record in &mut again {
        record.canonical.extend(b" ");
        record.record_sha256 = Sha256Digest::of(&record.canonical);
    }
    for batch in [&list, &again] {
        let appended = append(store, batch).await;
        let expected = Appended {
            present: 4,
            ..Appended::default()
        };
        assert_eq!(appended, expected);
    }
    let after = Scan {
        watermark: scan(store, Kind::Advisory).await.watermark,
        ..all
    };
    assert_eq!(lines(store, &after).await, lines_before);

    let new = record(Kind::Advisory, "s", "new");
    let twice = append(store, &[new.clone(), new.clone(), list[0].clone()]).await;
    assert_eq!((twice.added, twice.present), (1, 2), "twice in one batch");
    // The same content from another source, or of another document, is another record.
    let mut elsewhere = with_content(Kind::Advisory, "s", "elsewhere", "new");
    elsewhere.upstream_id = "new".to_owned();
    elsewhere.source = source("vendor", "another stream");
    let other_document = with_content(Kind::Advisory, "s", "other document", "new");
    let added = append(store, &[elsewhere, other_document]).await;
    assert_eq!((added.added, added.superseded), (2, 0));
}

async fn ids_are_never_reused<S: Evidence + LedgerWriter>(store: &S) {
    append(store, &[record(Kind::Vex, "s", "taken")]).await;
    let before = scan(store, Kind::Vex).await;
    let other = with_content(Kind::Vex, "another subject", "taken", "other");
    let good = record(Kind::Vex, "s", "good");
    for batch in [
        vec![good.clone(), other.clone()],
        vec![other.clone(), good.clone()],
        vec![
            with_content(Kind::Vex, "s", "new", "1"),
            with_content(Kind::Vex, "s", "new", "2"),
        ],
    ] {
        let id = batch.iter().find(|r| r.position.id != "good").unwrap();
        let id = id.position.id.clone();
        let error = store.append(batch, at(1)).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::AlreadyExists);
        assert!(error.to_string().contains(&id), "{error}");
    }
    let after = scan(store, Kind::Vex).await;
    assert_eq!(
        after.watermark, before.watermark,
        "all of a batch or nothing"
    );
    assert_eq!(ids(store, &after).await, ["taken"]);
    // Another kind's record may have that id.
    append(store, &[record(Kind::Sbom, "s", "taken")]).await;
    let good = store.append(vec![good], at(1)).await.unwrap();
    assert_eq!(good.added, 1, "what was refused once is not remembered");
    assert_kind(
        store.append(vec![other], at(1)).await,
        PortErrorKind::AlreadyExists,
        "an id that is taken",
    );
}

async fn past_watermarks_by_time<S: Evidence + LedgerWriter>(store: &S) {
    let acme = tenant("acme");
    let mut watermarks = Vec::new();
    // The clock steps back before the third append; what came later still counts as later.
    for (id, seconds) in [("1", 10), ("2", 20), ("3", 15), ("4", 30)] {
        let added = store
            .append(vec![record(Kind::Vex, "s", id)], at(seconds))
            .await;
        assert_eq!(added.unwrap().added, 1);
        watermarks.push(Some(store.watermark(&acme).await.unwrap()));
    }
    assert!(watermarks.is_sorted_by(|a, b| a < b));
    for (seconds, expected) in [
        (9, None),
        (10, watermarks[0]),
        (15, watermarks[0]),
        (19, watermarks[0]),
        (20, watermarks[2]),
        (29, watermarks[2]),
        (30, watermarks[3]),
        (99, watermarks[3]),
    ] {
        let found = store.watermark_at(&acme, at(seconds)).await.unwrap();
        assert_eq!(found, expected, "at {seconds} s");
    }
}

async fn sboms_by_subject<S: Evidence + LedgerWriter>(store: &S) {
    let acme = tenant("acme");
    let mut old = with_content(Kind::Sbom, "app", "sbom-old", "old");
    old.upstream_id = "app".to_owned();
    old.modified = Some(at(1));
    let other = record(Kind::Sbom, "app", "sbom-other");
    append(store, &[old, other, record(Kind::Vex, "app", "vex")]).await;
    let early = store.watermark(&acme).await.unwrap();
    let mut new = with_content(Kind::Sbom, "app", "sbom-new", "new");
    new.upstream_id = "app".to_owned();
    new.modified = Some(at(2));
    append(store, &[new]).await;
    let late = store.watermark(&acme).await.unwrap();
    let sboms =
        async |subject: &str, watermark| store.sboms(&acme, subject, watermark).await.unwrap();
    assert_eq!(sboms("app", early).await, ["sbom-old", "sbom-other"]);
    assert_eq!(sboms("app", late).await, ["sbom-new", "sbom-other"]);
    assert_eq!(sboms("sbom-new", late).await, ["sbom-new"], "by its id");
    assert_eq!(sboms("sbom-new", early).await, [""; 0]);
    assert_eq!(sboms("vex", late).await, [""; 0], "SBOMs only");
    let globex = store.sboms(&tenant("globex"), "app", late).await.unwrap();
    assert_eq!(globex, [""; 0]);
}

pub(super) fn owned_by(owner: &Tenant, mut record: AdmittedRecord) -> AdmittedRecord {
    record.tenant = owner.clone();
    record
}

async fn tenants_are_apart<S: Evidence + LedgerWriter>(store: &S) {
    let globex = tenant("globex");
    let ours = record(Kind::Sbom, "app", "sbom");
    let theirs = owned_by(&globex, with_content(Kind::Sbom, "app", "sbom", "theirs"));
    let appended = append(store, &[ours.clone(), theirs.clone()]).await;
    assert_eq!(appended.added, 2, "the same names are other records");
    for record in [&ours, &theirs] {
        let scan = Scan {
            tenant: record.tenant.clone(),
            ..scan(store, Kind::Sbom).await
        };
        let found = lines(store, &scan).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].record_sha256, record.record_sha256);
        let at = &record.position;
        let page = store
            .records(&scan, at, at, None, UNBOUNDED, RecordPage::default())
            .await
            .unwrap();
        assert_eq!(page.bytes, record.canonical);
    }
}
