#![allow(clippy::unwrap_used)]

use export_model::{
    CompiledSelectors, Criteria, Kind, ProductPattern, RecordedWindow, Revisions, Timestamp,
};
use export_ports::Scan;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{Form, Parameters};

fn back(text: &str) -> Result<Scan, super::Wrong> {
    let mut parameters = Parameters::parse(text.as_bytes());
    let scan = parameters.scan(Kind::Vex)?;
    parameters.finish()?;
    Ok(scan)
}

fn texts() -> impl Strategy<Value = Option<Vec<String>>> {
    option::of(vec(".{0,6}", 0..4))
}

fn criteria() -> impl Strategy<Value = Criteria> {
    let product = prop_oneof![
        "(|.{0,5}[^*])".prop_map(ProductPattern::Exact),
        ".{0,6}".prop_map(ProductPattern::Prefix)
    ];
    let time = || option::of((-62_135_596_800_000_i64..253_402_300_800_000).prop_map(Timestamp));
    let window = (time(), time()).prop_map(|(from, to)| RecordedWindow { from, to });
    (
        option::of(vec(prop::sample::select(&Kind::ALL[..]), 0..4)),
        texts(),
        option::of(vec(product, 0..4)),
        texts(),
        texts(),
        option::of(vec(("[^/]{0,5}", option::of(".{0,5}")), 0..4)),
        option::of(window),
    )
        .prop_map(
            |(kinds, ecosystems, products, sbom_subjects, identifiers, sources, recorded)| {
                Criteria {
                    kinds,
                    ecosystems,
                    products,
                    sbom_subjects,
                    identifiers,
                    sources,
                    recorded,
                }
            },
        )
}

proptest! {
    #[test]
    fn every_scan_comes_back_as_it_was(
        base in criteria(),
        include in vec(criteria(), 0..3),
        exclude in vec(criteria(), 0..12),
        watermark: u64,
        all: bool,
        policy_snapshot_id in option::of(".{0,6}"),
    ) {
        let scan = Scan {
            tenant: "acme".parse().unwrap(),
            kind: Kind::Vex,
            watermark,
            revisions: if all { Revisions::All } else { Revisions::Newest },
            selectors: CompiledSelectors { base, include, exclude, tenants: Vec::new() },
            policy_snapshot_id,
        };
        let text = Form::scan(&scan).unwrap().finish();
        prop_assert_eq!(back(&text).unwrap(), scan, "{}", text);
    }
}

#[test]
fn what_a_parameter_cannot_spell_is_not_sent() {
    let scan = |base: Criteria| Scan {
        selectors: CompiledSelectors {
            base,
            ..CompiledSelectors::default()
        },
        ..back("tenant=acme&watermark=1").unwrap()
    };
    let exact = ProductPattern::Exact("pkg:npm/a*".to_owned());
    let product = Criteria {
        products: Some(vec![exact]),
        ..Criteria::default()
    };
    let source = Criteria {
        sources: Some(vec![("a/b".to_owned(), None)]),
        ..Criteria::default()
    };
    let time = Criteria {
        recorded: Some(RecordedWindow {
            from: Some(Timestamp(i64::MAX)),
            to: None,
        }),
        ..Criteria::default()
    };
    for (base, named) in [
        (product, "products"),
        (source, "sources"),
        (time, "recorded_from"),
    ] {
        let refused = Form::scan(&scan(base)).err().unwrap().to_string();
        assert!(refused.contains(named), "{refused}");
    }
}

#[test]
fn a_wrong_parameter_is_named() {
    for (text, named) in [
        ("", "tenant"),
        ("tenant=Acme&watermark=1", "tenant"),
        ("tenant=acme", "watermark"),
        ("tenant=acme&watermark=-1", "watermark"),
        ("tenant=acme&tenant=acme&watermark=1", "tenant"),
        ("tenant=acme&watermark=1&revisions=some", "revisions"),
        ("tenant=acme&watermark=1&kinds=vax", "kinds"),
        ("tenant=acme&watermark=1&kind=vex", "kind"),
        ("tenant=acme&watermark=1&include=0", "include"),
        ("tenant=acme&watermark=1&exclude=99999", "exclude"),
        (
            "tenant=acme&watermark=1&include.0.kinds=vex",
            "include.0.kinds",
        ),
        (
            "tenant=acme&watermark=1&include=1&include.1.kinds=vex",
            "include.1.kinds",
        ),
        ("tenant=acme&watermark=1&empty=nothing", "empty"),
        ("tenant=acme&watermark=1&kinds=vex&empty=kinds", "empty"),
        (
            "tenant=acme&watermark=1&recorded_from=today",
            "recorded_from",
        ),
    ] {
        assert_eq!(back(text).unwrap_err().parameter, named, "{text}");
    }
}
