//! The suite of the evidence port: what selectors select.

use export_model::{
    AdmittedRecord, CompiledSelectors, Criteria, Facets, Kind, ProductPattern, RecordedWindow,
    Revisions,
};

use super::at;
use super::evidence::{append, ids, record, scan, source, with_content};
use crate::{Evidence, LedgerWriter, Scan};

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// Records that differ in everything that selectors look at.
fn selectable() -> Vec<AdmittedRecord> {
    let ecosystems = [&["npm"][..], &["golang", "npm"], &[]];
    let products = [
        &["pkg:npm/a@1"][..],
        &["pkg:npm/ab@1", "pkg:golang/x@2"],
        &["pkg:npm/%C3%A9"],
        &[],
    ];
    let identifiers = [
        &["CVE-1"][..],
        &["CVE-1", "GHSA-x"],
        &["CVE-10"],
        &[],
        &["é"],
    ];
    let mut records = Vec::new();
    for kind in Kind::ALL {
        for number in 0..60usize {
            let mut record = record(kind, "s", &format!("{kind}-{number:03}"));
            if kind != Kind::Finding {
                let stream = ["stream", "other"][number % 2];
                record.source = source(["vendor", "golang"][number / 2 % 2], stream);
            }
            record.facets = Facets {
                ecosystems: strings(ecosystems[number % 3]),
                products: strings(products[number % 4]),
                sbom_subjects: strings(if number % 7 == 0 { &["app"] } else { &[] }),
                identifiers: strings(identifiers[number % 5]),
                recorded_at: (number % 6 != 0).then(|| at(number as i64)),
            };
            records.push(record);
        }
    }
    records
}

fn some_criteria() -> Vec<Criteria> {
    let any = Criteria::default;
    let exact = |purl: &str| ProductPattern::Exact(purl.to_owned());
    let prefix = |purl: &str| ProductPattern::Prefix(purl.to_owned());
    let window = |from: Option<i64>, to: Option<i64>| {
        Some(RecordedWindow {
            from: from.map(at),
            to: to.map(at),
        })
    };
    let many = (0..5_000).map(|n| format!("CVE-{n}")).collect();
    vec![
        any(),
        Criteria {
            kinds: Some(vec![Kind::Vex, Kind::Sbom]),
            ..any()
        },
        Criteria {
            ecosystems: Some(strings(&["golang", "nuget"])),
            ..any()
        },
        Criteria {
            ecosystems: Some(strings(&["npm"])),
            identifiers: Some(strings(&["CVE-1"])),
            ..any()
        },
        Criteria {
            products: Some(vec![exact("pkg:npm/a@1"), exact("pkg:npm/a")]),
            ..any()
        },
        Criteria {
            products: Some(vec![prefix("pkg:npm/a")]),
            ..any()
        },
        Criteria {
            products: Some(vec![prefix("pkg:golang/"), exact("pkg:npm/%C3%A9")]),
            ..any()
        },
        Criteria {
            products: Some(vec![prefix("pkg:npm/%"), prefix("pkg:npm/_")]),
            ..any()
        },
        Criteria {
            sbom_subjects: Some(strings(&["app"])),
            ..any()
        },
        Criteria {
            identifiers: Some(many),
            ..any()
        },
        Criteria {
            identifiers: Some(strings(&["é", "cve-1"])),
            ..any()
        },
        Criteria {
            sources: Some(vec![("golang".into(), None)]),
            ..any()
        },
        Criteria {
            sources: Some(vec![
                ("golang".into(), Some("other".into())),
                ("x".into(), None),
            ]),
            ..any()
        },
        Criteria {
            recorded: window(Some(10), Some(20)),
            ..any()
        },
        Criteria {
            recorded: window(None, Some(5)),
            ..any()
        },
        Criteria {
            recorded: window(Some(50), None),
            ..any()
        },
        Criteria {
            recorded: window(None, None),
            ..any()
        },
    ]
}

/// Every selection that the port gives is the one that [`CompiledSelectors::matches`] gives.
pub(super) async fn selectors<S: Evidence + LedgerWriter>(store: &S) {
    let records = selectable();
    append(store, &records).await;
    let list = some_criteria();
    let mut wanted = Vec::new();
    for (number, one) in list.iter().enumerate() {
        let next = &list[(number + 3) % list.len()];
        let third = &list[(number + 7) % list.len()];
        let selectors =
            |base: &Criteria, include: &[&Criteria], exclude: &[&Criteria]| CompiledSelectors {
                base: base.clone(),
                include: include.iter().map(|c| (*c).clone()).collect(),
                exclude: exclude.iter().map(|c| (*c).clone()).collect(),
                tenants: Vec::new(),
            };
        let any = &Criteria::default();
        wanted.push(selectors(one, &[], &[]));
        wanted.push(selectors(any, &[one, next], &[]));
        wanted.push(selectors(any, &[], &[one, next]));
        wanted.push(selectors(one, &[next], &[third]));
    }
    for selectors in wanted {
        for kind in Kind::ALL {
            let scan = Scan {
                selectors: selectors.clone(),
                ..scan(store, kind).await
            };
            let expected: Vec<_> = records
                .iter()
                .filter(|r| r.kind == kind && selectors.matches(kind, &r.source, &r.facets))
                .map(|r| r.position.id.clone())
                .collect();
            assert_eq!(ids(store, &scan).await, expected, "{kind} by {selectors:?}");
            let first = store.index(&scan, None, 3).await.unwrap();
            assert_eq!(
                first.len(),
                expected.len().min(3),
                "a page is full or the last"
            );
        }
    }

    // Visibility first: a successor that is not selected hides its predecessor all the same.
    let mut new = with_content(Kind::Vex, "s", "successor", "successor");
    new.source = records[180].source.clone();
    new.upstream_id = records[180].upstream_id.clone();
    new.modified = Some(at(1));
    assert_eq!(records[180].kind, Kind::Vex);
    append(store, &[new]).await;
    let mut scan = scan(store, Kind::Vex).await;
    scan.selectors.base.identifiers = Some(strings(&["CVE-1"]));
    let found = ids(store, &scan).await;
    assert!(!found.contains(&records[180].position.id));
    assert!(!found.contains(&"successor".to_owned()));
    scan.revisions = Revisions::All;
    assert!(ids(store, &scan).await.contains(&records[180].position.id));
}
