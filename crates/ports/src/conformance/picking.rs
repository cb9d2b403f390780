//! Records at positions that are named one by one.

use export_model::{CompiledSelectors, Criteria, Kind, Position, Revisions, Sha256Digest};

use super::at;
use super::evidence::{UNBOUNDED, append, check_page, record, scan, with_content};
use crate::{Evidence, LedgerWriter, PageBudget, RecordPage, Scan};

fn position(subject_key: &str, id: &str) -> Position {
    Position {
        subject_key: subject_key.to_owned(),
        id: id.to_owned(),
    }
}

/// What `scan` gives of the positions of all records of its tenant and kind, whether it sees them or
/// not.
pub(super) async fn from_everything<S: Evidence>(
    store: &S,
    scan: &Scan,
) -> Vec<(String, Sha256Digest)> {
    let everything = Scan {
        tenant: scan.tenant.clone(),
        kind: scan.kind,
        watermark: u64::MAX,
        revisions: Revisions::All,
        selectors: CompiledSelectors::default(),
        policy_snapshot_id: None,
    };
    let all = store.index(&everything, None, usize::MAX).await.unwrap();
    let all: Vec<_> = all.into_iter().map(|line| line.position).collect();
    picked(store, scan, &all, UNBOUNDED).await.0
}

/// All that `scan` gives of `positions`, page by page; and how many pages that took.
async fn picked<S: Evidence>(
    store: &S,
    scan: &Scan,
    positions: &[Position],
    budget: PageBudget,
) -> (Vec<(String, Sha256Digest)>, usize) {
    let (mut found, mut pages) = (Vec::new(), 0);
    let (mut rest, mut page) = (positions, RecordPage::default());
    while !rest.is_empty() {
        page = store.pick(scan, rest, budget, page).await.unwrap();
        let Some(last) = page.last() else { break };
        check_page(&page);
        assert!(rest[0] <= last, "a page goes on");
        pages += 1;
        found.extend(page.records.iter().map(|r| (r.id.clone(), r.record_sha256)));
        rest = &rest[rest.partition_point(|at| *at <= last)..];
    }
    (found, pages)
}

pub(super) async fn records_are_picked<S: Evidence + LedgerWriter>(store: &S) {
    let all: Vec<_> = (0..40)
        .map(|n| {
            record(
                Kind::Advisory,
                &format!("s{:02}", n / 3),
                &format!("id{n:02}"),
            )
        })
        .collect();
    append(store, &all).await;
    append(store, &[record(Kind::Vex, "s00", "other")]).await;
    let scan = scan(store, Kind::Advisory).await;
    let mut wanted: Vec<_> = all.iter().step_by(7).map(|r| r.position.clone()).collect();
    wanted.extend([
        position("s00", "other"),
        position("s05", "id99"),
        position("z", "z"),
    ]);
    wanted.sort_unstable();
    let expected: Vec<_> = all.iter().step_by(7).map(|r| r.canonical.clone()).collect();

    let page = store
        .pick(&scan, &wanted, UNBOUNDED, RecordPage::default())
        .await
        .unwrap();
    check_page(&page);
    assert_eq!(page.bytes, expected.concat());

    // However small the pages are, going on after the last one gives the same.
    let longest = expected.iter().map(Vec::len).max().unwrap_or(0);
    for (records, bytes) in [
        (1, usize::MAX),
        (2, usize::MAX),
        (9, 1),
        (9, 2 * longest + 1),
    ] {
        let (mut found, mut rest) = (Vec::new(), wanted.as_slice());
        let mut page = RecordPage::default();
        while !rest.is_empty() {
            let budget = PageBudget { records, bytes };
            page = store.pick(&scan, rest, budget, page).await.unwrap();
            let Some(last) = page.last() else { break };
            check_page(&page);
            assert!(page.records.len() <= records, "{records} {bytes}");
            found.extend_from_slice(&page.bytes);
            rest = &rest[rest.partition_point(|at| *at <= last)..];
        }
        assert_eq!(found, expected.concat(), "{records} {bytes}");
    }
    let none = [position("s00", "other"), position("z", "z")];
    let page = store.pick(&scan, &none, UNBOUNDED, page).await.unwrap();
    assert_eq!((page.records.len(), page.bytes.len()), (0, 0));
}

/// More positions than any backend asks for at once, most of which have no record.
pub(super) async fn many_are_picked<S: Evidence + LedgerWriter>(store: &S) {
    let all: Vec<_> = (0..1_400)
        .map(|n| {
            record(
                Kind::Advisory,
                &format!("s{:04}", n / 2),
                &format!("id{n:04}"),
            )
        })
        .collect();
    append(store, &all).await;
    let scan = scan(store, Kind::Advisory).await;
    // Of each subject the ids of two more, so that subjects and ids match that do not belong
    // together; and many that are nowhere before and after them.
    let mut wanted: Vec<_> = all
        .iter()
        .enumerate()
        .flat_map(|(n, r)| {
            let other = &all[(n + 4) % all.len()].position.id;
            [
                r.position.clone(),
                position(&r.position.subject_key, other),
                position("a", &r.position.id),
                position("t", &r.position.id),
                position(&format!("a{n:04}"), "x"),
                position(&format!("t{n:04}"), "x"),
            ]
        })
        .collect();
    wanted.sort_unstable();
    let budget = |records| PageBudget {
        records,
        bytes: 1 << 20,
    };
    let expected: Vec<_> = all
        .iter()
        .map(|r| (r.position.id.clone(), r.record_sha256))
        .collect();
    for records in [500, usize::MAX] {
        let (found, _) = picked(store, &scan, &wanted, budget(records)).await;
        assert!(found == expected, "{} by {records}", found.len());
    }
    // The only record is the last of many positions, or there is none at all.
    let before: Vec<_> = (0..6_000)
        .map(|n| position(&format!("r{n:04}"), "x"))
        .chain([all[0].position.clone()])
        .collect();
    let (found, pages) = picked(store, &scan, &before, budget(1)).await;
    assert_eq!((found.as_slice(), pages), (&expected[..1], 1));
    let (found, _) = picked(store, &scan, &before[..6_000], budget(1)).await;
    assert_eq!(found, []);
    let (found, _) = picked(store, &scan, &[], UNBOUNDED).await;
    assert_eq!(found, []);
}

/// Watermarks, revisions and selectors hide a record however exactly it is named.
pub(super) async fn visibility_is_that_of_a_scan<S: Evidence + LedgerWriter>(store: &S) {
    let revision = |content: &str, seconds: i64| {
        let mut one = with_content(Kind::Advisory, "s", &format!("a:{content}"), content);
        one.upstream_id = "a".to_owned();
        one.modified = Some(at(seconds));
        one
    };
    let mut tagged = record(Kind::Advisory, "s", "b");
    tagged.facets.identifiers = vec!["CVE-1".to_owned()];
    let (old, new) = (revision("old", 1), revision("new", 2));
    append(store, &[old.clone(), tagged.clone()]).await;
    let before = scan(store, Kind::Advisory).await;
    append(store, std::slice::from_ref(&new)).await;
    let now = scan(store, Kind::Advisory).await;
    let mut wanted = [&old, &new, &tagged].map(|r| r.position.clone());
    wanted.sort_unstable();
    let ids = async |scan: &Scan| -> Vec<String> {
        let (found, _) = picked(store, scan, &wanted, UNBOUNDED).await;
        found.into_iter().map(|(id, _)| id).collect()
    };
    assert_eq!(ids(&before).await, ["a:old", "b"]);
    assert_eq!(ids(&now).await, ["a:new", "b"]);
    let all = |scan: &Scan| Scan {
        revisions: Revisions::All,
        ..scan.clone()
    };
    assert_eq!(ids(&all(&before)).await, ["a:old", "b"]);
    assert_eq!(ids(&all(&now)).await, ["a:new", "a:old", "b"]);
    let cve = Criteria {
        identifiers: Some(vec!["CVE-1".to_owned()]),
        ..Criteria::default()
    };
    let mut selecting = all(&now);
    selecting.selectors.base = cve.clone();
    assert_eq!(ids(&selecting).await, ["b"]);
    selecting.selectors.base = Criteria::default();
    selecting.selectors.exclude = vec![cve];
    assert_eq!(ids(&selecting).await, ["a:new", "a:old"]);
    selecting.selectors.base.kinds = Some(vec![Kind::Vex]);
    assert_eq!(ids(&selecting).await, [""; 0]);
}
