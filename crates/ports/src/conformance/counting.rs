//! What a ledger holds, and of whom.

use std::collections::BTreeSet;

use export_model::Kind;

use super::evidence::{append, owned_by, record, revisions, source};
use super::tenant;
use crate::{Evidence, LedgerWriter};

pub(super) async fn records_are_counted<S: Evidence + LedgerWriter>(store: &S) {
    let globex = tenant("globex");
    let mut list = revisions("document");
    list.push(record(Kind::Vex, "s", "vex"));
    list.push(owned_by(&globex, record(Kind::Vex, "s", "vex")));
    append(store, &list).await;
    let tenants: BTreeSet<_> = list.iter().map(|record| record.tenant.clone()).collect();
    let tenants: Vec<_> = tenants.into_iter().collect();
    assert_eq!(store.tenants().await.unwrap(), tenants);
    let stats = store.stats().await.unwrap();
    let found: Vec<_> = stats
        .sources
        .iter()
        .map(|s| (s.tenant.as_str(), s.kind, s.records, s.superseded))
        .collect();
    assert_eq!(
        found,
        [
            ("acme", Kind::Advisory, 1, 3),
            ("acme", Kind::Vex, 1, 0),
            ("globex", Kind::Vex, 1, 0)
        ]
    );
    let size: usize = list[..4].iter().map(|record| record.canonical.len()).sum();
    assert_eq!(stats.sources[0].bytes, size as u64);
    assert_eq!(stats.sources[0].source, source("vendor", "stream"));
    assert_eq!(stats.watermark, store.watermark(&globex).await.unwrap());
}
