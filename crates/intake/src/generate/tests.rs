use super::*;
use crate::{Admitted, admit};
use export_canonical::record::{Limits, check};
use std::collections::{BTreeMap, BTreeSet};

fn tenant() -> Tenant {
    "acme".parse().unwrap()
}

#[test]
fn every_line_passes_the_door_as_it_is() {
    let (mut ids, mut kinds, mut types) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
    for line in generate(2_000, 1, &tenant()) {
        check(&line, &Limits::default()).unwrap();
        let Admitted::Record(record) = admit(&line, Some(&tenant()), &Limits::default()).unwrap()
        else {
            panic!("a snapshot")
        };
        assert_eq!(record.canonical, line);
        assert!(record.modified.is_some());
        assert!(ids.insert(record.position.id));
        *kinds.entry(record.kind.as_str()).or_insert(0) += 1;
        types.extend(record.facets.ecosystems);
    }
    assert_eq!(
        kinds,
        BTreeMap::from([("advisory", 1960), ("sbom", 8), ("vex", 32)])
    );
    assert_eq!(types.len(), ECOSYSTEMS.len());
}

#[test]
fn the_bytes_are_a_function_of_the_arguments() {
    let digest = |records, seed| {
        let mut all = Vec::new();
        for line in generate(records, seed, &tenant()) {
            all.extend(line);
            all.push(b'\n');
        }
        Sha256Digest::of(&all).hex()
    };
    // Never to change: measurements and tests of several versions are compared by it.
    assert_eq!(
        digest(1_000, 1),
        "b7df27e237df9148acc588de34d3119eb7355d84601a8cf395fd9d1bc073452a"
    );
    assert_ne!(digest(10, 1), digest(10, 2));
    let long: Vec<_> = generate(20, 7, &tenant()).take(5).collect();
    assert_eq!(long, generate(5, 7, &tenant()).collect::<Vec<_>>());
}

#[test]
fn the_text_compresses_like_prose() {
    let mut all = Vec::new();
    for line in generate(5_000, 1, &tenant()) {
        all.extend(line);
        all.push(b'\n');
    }
    let mean = all.len() / 5_000;
    assert!((1_500..2_500).contains(&mean), "{mean} bytes a record");
    let ratio = all.len() as f64 / zstd::encode_all(&all[..], 3).unwrap().len() as f64;
    assert!((4.5..8.5).contains(&ratio), "compresses {ratio:.1} times");
}
