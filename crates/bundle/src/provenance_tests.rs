use export_model::Source;

use super::*;

pub(crate) fn inputs() -> ProvenanceInputs {
    ProvenanceInputs {
        manifest_sha256: Sha256Digest::of(b"manifest"),
        content_digest: Sha256Digest::of(b"content"),
        builder: Builder::KeyFile,
        run_id: "0192f000-0000-7000-8000-000000000001".parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        profile_name: "json:policy".into(),
        profile_revision: 2,
        profile_kind: ProfileKind::JsonPolicy,
        selectors: Selectors {
            ecosystems: Some(vec!["golang".into()]),
            ..Selectors::default()
        },
        options: RunOptions::default(),
        approvals: Vec::new(),
        adapter: ("json".into(), "1".into()),
        exporter_version: "0.1.0".into(),
        compression_level: 3,
        libzstd_version: "1.5.7".into(),
        started_at: Timestamp(1_793_000_000_999),
        finished_at: Timestamp(1_793_000_001_001),
        watermark: 42,
        sources: vec![(
            Kind::Advisory,
            SourceTally {
                owner: None,
                source: Source {
                    vendor: "go lang".into(),
                    stream: "vuln/db".into(),
                },
                records: 7,
                hash: Sha256Digest::of(b"inputs"),
            },
        )],
        sealing: None,
        base: None,
        policy_snapshot: Some(PolicySnapshot {
            created_at: Timestamp(0),
            inputs_hash: Sha256Digest::of(b"policy"),
            name: "baseline".into(),
            policy_snapshot_id: "policy-1".into(),
            policy_version: "7".into(),
            tenant: "acme".parse().unwrap(),
        }),
        sboms: vec![("acme".parse().unwrap(), "sbom:1".into())],
        key_id: "file".into(),
        key_fingerprint: "sha256:00".into(),
    }
}

#[test]
fn a_statement_has_these_bytes() {
    let bytes = inputs().to_bytes().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert_eq!(text, include_str!("golden/provenance.json").trim_end());
    export_canonical::jcs::is_jcs(&bytes).unwrap();
    let read = ProvenanceSummary::parse(&bytes).unwrap();
    assert_eq!(
        read.subject("export.json"),
        Some(Sha256Digest::of(b"manifest"))
    );
    assert_eq!(read.subject("content"), Some(Sha256Digest::of(b"content")));
    assert_eq!(read.subject("other"), None);
    assert_eq!(read.builder_id, "https://export-center.dev/worker/dev");
    assert_eq!(read.exporter_version.as_deref(), Some("0.1.0"));
}

#[test]
fn what_other_tenants_gave_is_theirs() {
    let globex: Tenant = "globex".parse().unwrap();
    let mut across = inputs();
    across.selectors.tenants = Some(vec!["acme".into(), "globex".into()]);
    across.policy_snapshot = None;
    across.sources[0].1.owner = Some("acme".parse().unwrap());
    across.sources.push(across.sources[0].clone());
    across.sources[1].1.owner = Some(globex.clone());
    across.sboms = vec![(globex.clone(), "sbom:1".into())];
    across.approvals = vec![RecordedApproval {
        grantor: globex,
        nonce: "once#1".into(),
        once: true,
        expires_at: Timestamp(0),
        key_fingerprint: "sha256:11".into(),
        sha256: Sha256Digest::of(b"envelope"),
        envelope: json!({"payload": "secret terms"}),
    }];
    let bytes = across.to_bytes().unwrap();
    let statement: Value = serde_json::from_slice(&bytes).unwrap();
    let build = &statement["predicate"]["buildDefinition"];
    assert_eq!(
        build["externalParameters"]["approvals"],
        json!([{
            "digest": {"sha256": Sha256Digest::of(b"envelope").hex()},
            "grantor": "globex",
            "key": {"fingerprint": "sha256:11"},
            "nonce": "once#1",
        }])
    );
    let of = |member: &str| -> Vec<String> {
        let all = build["resolvedDependencies"].as_array().unwrap();
        all.iter()
            .map(|one| one[member].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        of("name"),
        [
            "acme:advisory:go lang/vuln/db",
            "globex:advisory:go lang/vuln/db",
            "sbom"
        ]
    );
    assert_eq!(
        of("uri"),
        [
            "urn:export-center:ledger:acme:advisory:go%20lang/vuln%2Fdb",
            "urn:export-center:ledger:globex:advisory:go%20lang/vuln%2Fdb",
            "urn:export-center:sbom:globex:sbom%3A1"
        ]
    );
    let query = &build["resolvedDependencies"][1]["annotations"]["query"];
    assert!(query.as_str().unwrap().ends_with(r#""tenant":"globex"}"#));
    assert_eq!(
        ProvenanceSummary::parse(&bytes).unwrap().grantors,
        ["globex"]
    );
}

/// in-toto and SLSA know these members only, and strict readers refuse others.
#[test]
fn every_member_is_one_that_the_specifications_define() {
    let statement: Value = serde_json::from_slice(&inputs().to_bytes().unwrap()).unwrap();
    let members = |pointer: &str| -> Vec<String> {
        let object = statement.pointer(pointer).unwrap().as_object().unwrap();
        object.keys().cloned().collect()
    };
    assert_eq!(
        members(""),
        ["_type", "predicate", "predicateType", "subject"]
    );
    assert_eq!(members("/predicate"), ["buildDefinition", "runDetails"]);
    assert_eq!(
        members("/predicate/buildDefinition"),
        [
            "buildType",
            "externalParameters",
            "internalParameters",
            "resolvedDependencies"
        ]
    );
    assert_eq!(members("/predicate/runDetails"), ["builder", "metadata"]);
    assert_eq!(members("/predicate/runDetails/builder"), ["id", "version"]);
    assert_eq!(
        members("/predicate/runDetails/metadata"),
        ["finishedOn", "invocationId", "startedOn"]
    );
    let known = [
        "name",
        "uri",
        "digest",
        "content",
        "downloadLocation",
        "mediaType",
        "annotations",
    ];
    for at in 0..3 {
        for member in members(&format!(
            "/predicate/buildDefinition/resolvedDependencies/{at}"
        )) {
            assert!(known.contains(&member.as_str()), "{member}");
        }
    }
}

#[test]
fn other_documents_are_refused() {
    let good: Value = serde_json::from_slice(&inputs().to_bytes().unwrap()).unwrap();
    for (pointer, to) in [
        ("/_type", json!("https://in-toto.io/Statement/v0.1")),
        ("/predicateType", json!("https://slsa.dev/provenance/v0.2")),
        ("/subject/0/digest", json!({"sha512": "00"})),
        ("/subject/0/digest/sha256", json!("00")),
        ("/predicate/runDetails/builder/id", json!(7)),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = to;
        assert!(
            ProvenanceSummary::parse(bad.to_string().as_bytes()).is_err(),
            "{pointer}"
        );
    }
    assert!(ProvenanceSummary::parse(b"{}").is_err());
}
