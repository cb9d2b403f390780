use super::*;

fn compile(json: &str) -> Result<CompiledSelectors, Vec<FieldError>> {
    serde_json::from_str::<Selectors>(json)
        .unwrap()
        .compile(ProfileKind::JsonRaw)
}

fn fields(json: &str) -> Vec<String> {
    compile(json)
        .unwrap_err()
        .into_iter()
        .map(|e| e.field)
        .collect()
}

#[test]
fn each_mistake_names_its_member() {
    assert_eq!(fields(r#"{"kinds":[]}"#), ["selectors.kinds"]);
    assert_eq!(fields(r#"{"kinds":["vex","Vex"]}"#), ["selectors.kinds[1]"]);
    assert_eq!(fields(r#"{"kinds":["finding"]}"#), ["selectors.kinds[0]"]);
    assert_eq!(
        fields(r#"{"products":["pkg:npm/a","npm/a","pkg:*","pkg:npm/*a"]}"#),
        [
            "selectors.products[1]",
            "selectors.products[2]",
            "selectors.products[3]"
        ]
    );
    assert_eq!(
        fields(r#"{"recorded":{"from":"2026-02-01T00:00:00Z","to":"2026-01-01T00:00:00Z"}}"#),
        ["selectors.recorded"]
    );
    assert_eq!(fields(r#"{"tenants":["other"]}"#), ["selectors.tenants"]);
    assert_eq!(fields(r#"{"exclude":[{}]}"#), ["selectors.exclude[0]"]);
    assert_eq!(fields(r#"{"include":[]}"#), ["selectors.include"]);
    assert_eq!(
        fields(r#"{"include":[{"exclude":[{"kinds":["vex"]}],"kinds":["vex"]}]}"#),
        ["selectors.include[0].exclude"]
    );
    assert_eq!(
        fields(r#"{"ecosystems":["NPM"]}"#),
        ["selectors.ecosystems[0]"]
    );
    assert_eq!(fields(r#"{"sources":["a/"]}"#), ["selectors.sources[0]"]);
}

#[test]
fn tenants_are_named_only_where_that_is_allowed() {
    let compile = |json: &str| {
        serde_json::from_str::<Selectors>(json)
            .unwrap()
            .compile_with(ProfileKind::JsonRaw, CrossTenant::Allowed)
    };
    let named = compile(r#"{"tenants":["globex","acme","globex"]}"#).unwrap();
    let names: Vec<_> = named.tenants.iter().map(Tenant::as_str).collect();
    assert_eq!(names, ["acme", "globex"]);
    assert_eq!(compile("{}").unwrap().tenants, []);
    for (json, field) in [
        (r#"{"tenants":[]}"#, "selectors.tenants"),
        (r#"{"tenants":["a","../b"]}"#, "selectors.tenants[1]"),
        (r#"{"tenants":["b."]}"#, "selectors.tenants[0]"),
        (
            r#"{"tenants":["inputs.jsonl.zst"]}"#,
            "selectors.tenants[0]",
        ),
        (
            r#"{"exclude":[{"tenants":["b"],"kinds":["vex"]}]}"#,
            "selectors.exclude[0].tenants",
        ),
    ] {
        assert_eq!(compile(json).unwrap_err()[0].field, field, "{json}");
    }
}

#[test]
fn the_bounds_of_an_approval_are_flat() {
    let bound = |json: &str| {
        serde_json::from_str::<Selectors>(json)
            .unwrap()
            .compile_bound()
    };
    assert!(bound(r#"{"kinds":["finding","vex"],"exclude":[{"sources":["x"]}]}"#).is_ok());
    for (json, field) in [
        (r#"{"include":[{"kinds":["vex"]}]}"#, "selectors.include"),
        (r#"{"tenants":["b"]}"#, "selectors.tenants"),
        (r#"{"kinds":["nothing"]}"#, "selectors.kinds[0]"),
    ] {
        assert_eq!(bound(json).unwrap_err()[0].field, field, "{json}");
    }
}

#[test]
fn unknown_members_are_refused_by_name() {
    let error = serde_json::from_str::<Selectors>(r#"{"product":["x"]}"#).unwrap_err();
    assert!(error.to_string().contains("`product`"), "{error}");
}

#[test]
fn lists_are_or_members_are_and_exclude_wins() {
    let source = Source {
        vendor: "golang".into(),
        stream: "vulndb".into(),
    };
    let facets = Facets {
        ecosystems: vec!["golang".into()],
        products: vec!["pkg:golang/golang.org/x/net@1".into()],
        identifiers: vec!["CVE-1".into(), "GO-1".into()],
        sbom_subjects: vec![],
        recorded_at: Some("2026-11-01T00:00:00Z".parse().unwrap()),
    };
    let selects = |json: &str| {
        compile(json)
            .unwrap()
            .matches(Kind::Advisory, &source, &facets)
    };
    assert!(selects("{}"));
    assert!(selects(
        r#"{"ecosystems":["npm","golang"],"identifiers":["CVE-1"]}"#
    ));
    assert!(!selects(
        r#"{"ecosystems":["golang"],"identifiers":["CVE-2"]}"#
    ));
    assert!(selects(r#"{"products":["pkg:golang/golang.org/x/*"]}"#));
    assert!(!selects(r#"{"products":["pkg:golang/golang.org/x/net"]}"#));
    assert!(selects(r#"{"sources":["golang"]}"#));
    assert!(selects(r#"{"sources":["golang/vulndb"]}"#));
    assert!(!selects(r#"{"sources":["golang/other"]}"#));
    assert!(!selects(
        r#"{"identifiers":["CVE-1"],"exclude":[{"kinds":["advisory"]}]}"#
    ));
    assert!(selects(
        r#"{"exclude":[{"kinds":["vex"],"identifiers":["CVE-1"]}]}"#
    ));
    assert!(!selects(r#"{"include":[{"kinds":["vex"]}]}"#));
    assert!(selects(
        r#"{"include":[{"kinds":["vex"]},{"identifiers":["GO-1"]}]}"#
    ));
    assert!(selects(r#"{"recorded":{"from":"2026-11-01T00:00:00Z"}}"#));
    assert!(!selects(r#"{"recorded":{"to":"2026-11-01T00:00:00Z"}}"#));
    assert!(!selects(r#"{"sbom_subjects":["x"]}"#));
}
