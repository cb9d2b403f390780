//! Records at positions that are named one by one.

use export_model::{Kind, Position};

use super::evidence::{UNBOUNDED, append, check_page, record, scan};
use crate::{Evidence, LedgerWriter, PageBudget, RecordPage};

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
    let nowhere = |subject_key: &str, id: &str| Position {
        subject_key: subject_key.to_owned(),
        id: id.to_owned(),
    };
    let mut wanted: Vec<_> = all.iter().step_by(7).map(|r| r.position.clone()).collect();
    wanted.extend([
        nowhere("s00", "other"),
        nowhere("s05", "id99"),
        nowhere("z", "z"),
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
    let none = [nowhere("s00", "other"), nowhere("z", "z")];
    let page = store.pick(&scan, &none, UNBOUNDED, page).await.unwrap();
    assert_eq!((page.records.len(), page.bytes.len()), (0, 0));
}
