use super::*;
use export_model::Sha256Digest;
use proptest::prelude::*;

const RAW: &str = r#"{"id":"X-1","modified":"2024-01-01T00:00:00Z","score":1.10}"#;

fn record() -> String {
    let hash = Sha256Digest::of(RAW.as_bytes());
    format!(
        r#"{{"_id":"advisory_raw:v.s:X-1:0","content":{{"format":"OSV","raw":{RAW},"spec_version":"1.6.0"}},"identifiers":{{"aliases":["CVE-1","X-1"],"cve":["CVE-1"],"ghsa":[],"primary":"X-1"}},"kind":"advisory","linkset":{{"aliases":["X-1","Y-1"],"cpes":[],"purls":["pkg:npm/b","pkg:NPM/a","nonsense"],"reconciled_from":["/affected"],"references":[{{"type":"web","url":"https://x"}}]}},"source":{{"api":"https://x","collector_version":"c/1","stream":"s","vendor":"v"}},"subject_key":"X-1","tenant":"acme","upstream":{{"content_hash":"{hash}","document_version":"1","fetched_at":"2026-11-01T00:00:00Z","received_at":"2026-11-02T00:00:00Z","signature":{{"present":false}},"upstream_id":"X-1"}}}}"#
    )
}

const FINDING: &str = r#"{"_id":"finding:1","advisory_id":"A","decision_trace":[{"rule":"r","weight":1e400}],"evaluated_at":"2026-11-01T00:00:00Z","inputs_hash":"sha256:3bdcb955480f2a170a4e70a8580f5667abfdf985774ee2a78162fa50f31b41b5","kind":"finding","policy_snapshot_id":"p-1","policy_version":"7","severity":{"normalized":"high"},"status":"affected","subject":{"component_purl":"pkg:golang/x@1","sbom_id":"sbom_raw:1"},"subject_key":"pkg:golang/x@1","tenant":"acme","vulnerability_id":"CVE-1"}"#;

const SNAPSHOT: &str = r#"{"created_at":"2026-11-01T02:00:00+02:00","inputs_hash":"sha256:3bdcb955480f2a170a4e70a8580f5667abfdf985774ee2a78162fa50f31b41b5","name":"baseline","policy_snapshot_id":"p-1","policy_version":"7","tenant":"acme"}"#;

fn admitted(text: &str) -> Result<AdmittedRecord, Refusal> {
    match admit(text.as_bytes(), None, &Limits::default())? {
        Admitted::Record(record) => Ok(*record),
        Admitted::Snapshot(_) => panic!("a snapshot"),
    }
}

fn code(text: &[u8]) -> ErrorCode {
    admit(text, None, &Limits::default()).unwrap_err().code
}

#[test]
fn a_record_comes_out_with_its_facets() {
    let record = admitted(&record()).unwrap();
    assert_eq!(record.canonical, self::record().into_bytes());
    assert_eq!(record.record_sha256, Sha256Digest::of(&record.canonical));
    assert_eq!(record.content_hash, Sha256Digest::of(RAW.as_bytes()));
    assert_eq!(record.source.to_string(), "v/s");
    assert_eq!(record.facets.ecosystems, ["npm"]);
    assert_eq!(
        record.facets.products,
        ["nonsense", "pkg:NPM/a", "pkg:npm/b"]
    );
    assert_eq!(record.facets.identifiers, ["CVE-1", "X-1", "Y-1"]);
    assert!(record.facets.sbom_subjects.is_empty());
    assert_eq!(
        record.facets.recorded_at,
        "2026-11-02T00:00:00Z".parse().ok()
    );
    assert_eq!(record.modified, "2024-01-01T00:00:00Z".parse().ok());
    assert_eq!(record.policy_snapshot_id, None);
}

#[test]
fn an_sbom_is_its_own_subject_and_needs_no_identifiers() {
    let text = record()
        .replace(r#""kind":"advisory""#, r#""kind":"sbom""#)
        .replace(r#""format":"OSV""#, r#""format":"SPDX""#);
    let with = admitted(&text).unwrap();
    assert_eq!(with.facets.sbom_subjects, ["X-1", "advisory_raw:v.s:X-1:0"]);
    let start = text.find(r#""identifiers""#).unwrap();
    let end = text.find(r#""kind""#).unwrap();
    let without = format!("{}{}", &text[..start], &text[end..]);
    assert!(admitted(&without).is_ok());
    let advisory = without.replace(r#""kind":"sbom""#, r#""kind":"advisory""#);
    assert_eq!(code(advisory.as_bytes()), ErrorCode::InvalidRecord);
}

#[test]
fn a_finding_is_its_own_content() {
    let finding = admitted(FINDING).unwrap();
    assert_eq!(finding.content_hash, finding.record_sha256);
    assert_eq!(finding.source, export_model::Source::policy_engine());
    assert_eq!(finding.upstream_id, "finding:1");
    assert_eq!(finding.facets.identifiers, ["A", "CVE-1"]);
    assert_eq!(finding.facets.products, ["pkg:golang/x@1"]);
    assert_eq!(finding.facets.ecosystems, ["golang"]);
    assert_eq!(finding.facets.sbom_subjects, ["sbom_raw:1"]);
    assert_eq!(finding.policy_snapshot_id.as_deref(), Some("p-1"));
    assert_eq!(finding.modified, None);
    for (from, to) in [
        (r#""status":"affected""#, r#""status":"Affected""#),
        (r#""normalized":"high""#, r#""normalized":"HIGH""#),
        (r#""status":"affected","#, ""),
        (r#""decision_trace":[{"#, r#""decision_trace":[1,{"#),
        (r#""tenant""#, r#""risk_score":1,"tenant""#),
        ("sha256:3bdc", "sha256:3BDC"),
        (r#""_id":"finding:1""#, r#""_id":"finding\n1""#),
    ] {
        let text = FINDING.replace(from, to);
        assert_ne!(text, FINDING, "{from}");
        assert_eq!(code(text.as_bytes()), ErrorCode::InvalidRecord, "{to}");
    }
}

#[test]
fn a_snapshot_is_no_record() {
    let admitted = admit(SNAPSHOT.as_bytes(), None, &Limits::default()).unwrap();
    let Admitted::Snapshot(snapshot) = admitted else {
        panic!("{admitted:?}")
    };
    assert_eq!(snapshot.created_at.to_string(), "2026-11-01T00:00:00Z");
    for (from, to) in [
        (r#""name":"baseline","#, ""),
        (r#""tenant""#, r#""owner":"me","tenant""#),
        ("+02:00", ""),
        (
            r#""policy_snapshot_id":"p-1""#,
            r#""policy_snapshot_id":"""#,
        ),
    ] {
        assert_eq!(
            code(SNAPSHOT.replace(from, to).as_bytes()),
            ErrorCode::InvalidRecord,
            "{from}"
        );
    }
}

#[test]
fn only_the_envelopes_times_are_respelt() {
    let text = record()
        .replace(
            r#""fetched_at":"2026-11-01T00:00:00Z""#,
            r#""fetched_at":"2026-11-01T02:00:00+02:00""#,
        )
        .replace(
            r#""received_at":"2026-11-02T00:00:00Z""#,
            r#""received_at":"2026-11-01t19:00:00.000-05:00""#,
        );
    assert_ne!(text, record());
    let respelt = admitted(&text).unwrap();
    assert_eq!(
        String::from_utf8(respelt.canonical.clone()).unwrap(),
        record()
    );
    assert_eq!(respelt, admitted(&record()).unwrap());

    let finding = admitted(&FINDING.replace("00:00:00Z", "00:00:00-00:00")).unwrap();
    assert_eq!(finding.canonical, FINDING.as_bytes());

    // The publisher's own times stay as they are.
    let raw = RAW.replace("00:00:00Z", "00:00:00+00:00");
    let text = record().replace(RAW, &raw).replace(
        &Sha256Digest::of(RAW.as_bytes()).to_string(),
        &Sha256Digest::of(raw.as_bytes()).to_string(),
    );
    let kept = admitted(&text).unwrap();
    assert_eq!(kept.canonical, text.as_bytes());
    assert_eq!(kept.modified, "2024-01-01T00:00:00Z".parse().ok());
}

#[test]
fn the_contract_is_kept_strictly() {
    let cases = [
        (
            r#""raw":{"id":"X-1""#,
            r#""raw":[{}],"row":{"id":"X-1""#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#""kind":"advisory""#,
            r#""kind":"Advisory""#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#""format":"OSV""#,
            r#""format":"osv""#,
            ErrorCode::InvalidRecord,
        ),
        (r#""subject_key":"X-1","#, "", ErrorCode::InvalidRecord),
        (
            r#""_id":"advisory_raw:v.s:X-1:0""#,
            r#""_id":"""#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#""_id":"advisory_raw"#,
            r#""_id":"a\u0000b"#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#""tenant":"acme""#,
            r#""tenant":"Acme/.."#,
            ErrorCode::NotJson,
        ),
        (
            r#""tenant":"acme""#,
            r#""tenant":"Acme/..""#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#""tenant":"acme""#,
            r#""tennant":"acme""#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#""tenant""#,
            r#""seq":1,"tenant""#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#""tenant""#,
            r#""severity":"high","tenant""#,
            ErrorCode::AocDerivedField,
        ),
        (r#""cpes":[]"#, r#""cpes":[1]"#, ErrorCode::InvalidRecord),
        (r#""cpes":[]"#, r#""cpe":[]"#, ErrorCode::InvalidRecord),
        (
            r#""url":"https://x""#,
            r#""uri":"https://x""#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#""present":false"#,
            r#""present":"no""#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#""fetched_at":"2026-11-01T00:00:00Z""#,
            r#""fetched_at":"2026-11-01""#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#""received_at""#,
            r#""recieved_at""#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#""vendor":"v""#,
            r#""vendor":"""#,
            ErrorCode::AocProvenance,
        ),
        (
            r#""upstream_id":"X-1""#,
            r#""upstream_id":"""#,
            ErrorCode::AocProvenance,
        ),
        (
            r#""score":1.10"#,
            r#""score":1.11"#,
            ErrorCode::AocContentHash,
        ),
        (
            r#""subject_key""#,
            r#""subject":"x","subject_key""#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#""tenant""#,
            r#""supersedes":[1],"tenant""#,
            ErrorCode::InvalidRecord,
        ),
    ];
    for (from, to, expected) in cases {
        let text = record().replace(from, to);
        assert_ne!(text, record(), "{from}");
        let refusal = admit(text.as_bytes(), None, &Limits::default()).unwrap_err();
        assert_eq!(refusal.code, expected, "{to}: {refusal}");
        assert!(!refusal.detail.is_empty());
    }
    for allowed in [
        r#""supersedes":"a","tenant""#,
        r#""supersedes":["a"],"tenant""#,
    ] {
        assert!(admitted(&record().replace(r#""tenant""#, allowed)).is_ok());
    }
    assert_eq!(code(b"[]"), ErrorCode::InvalidRecord);
    assert_eq!(code(b"{}"), ErrorCode::InvalidRecord);
}

#[test]
fn another_tenants_document_is_refused() {
    let other: Tenant = "other".parse().unwrap();
    for text in [record(), FINDING.to_owned(), SNAPSHOT.to_owned()] {
        let own: Tenant = "acme".parse().unwrap();
        assert!(admit(text.as_bytes(), Some(&own), &Limits::default()).is_ok());
        let refusal = admit(text.as_bytes(), Some(&other), &Limits::default()).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::OtherTenant);
        assert!(refusal.detail.contains("acme") && refusal.detail.contains("other"));
    }
}

#[test]
fn what_is_not_json_is_named_as_what_it_is() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (text, expected) in [
        (b"not json".as_slice(), ErrorCode::NotJson),
        (b"", ErrorCode::NotJson),
        (b"\xef\xbb\xbf{}", ErrorCode::NotJson),
        (b"{\"a\":01}", ErrorCode::NotJson),
        (b"{} {}", ErrorCode::NotJson),
        (b"{\"a\":\"\xff\"}", ErrorCode::InvalidUtf8),
        (b"{\"a\":\"\\ud800\"}", ErrorCode::LoneSurrogate),
        (b"{\"a\":1,\"\\u0061\":2}", ErrorCode::DuplicateMember),
        (deep.as_bytes(), ErrorCode::TooDeep),
    ] {
        assert_eq!(code(text), expected);
    }
    let limits = Limits {
        bytes: 10,
        ..Limits::default()
    };
    let refusal = admit(record().as_bytes(), None, &limits).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::RecordTooLarge);
}

#[test]
fn numbers_are_kept_as_written() {
    let raw = r#"{"a":1e400,"b":1.10,"c":12345678901234567890,"d":-0,"modified":7}"#;
    let text = record().replace(RAW, raw).replace(
        &Sha256Digest::of(RAW.as_bytes()).to_string(),
        &Sha256Digest::of(raw.as_bytes()).to_string(),
    );
    let record = admitted(&text).unwrap();
    assert_eq!(record.canonical, text.as_bytes());
    assert_eq!(record.modified, None);
}

proptest! {
    /// Whatever bytes come in, they are admitted or refused with a code; an admitted record
    /// admits to itself.
    #[test]
    fn damage_never_panics_and_admission_is_stable(at in 0usize..1000, byte: u8, which in 0usize..3) {
        let mut text = [record(), FINDING.to_owned(), SNAPSHOT.to_owned()][which].clone().into_bytes();
        let at = at % text.len();
        text[at] = byte;
        if let Ok(Admitted::Record(once)) = admit(&text, None, &Limits::default()) {
            let twice = admit(&once.canonical, None, &Limits::default()).unwrap();
            prop_assert_eq!(Admitted::Record(once), twice);
        }
    }

    #[test]
    fn the_order_of_members_and_white_space_do_not_matter(spaces in "[ \t\r\n]{0,3}") {
        let text = record();
        let inner = text.strip_prefix("{").unwrap();
        let (first, rest) = inner.split_once(r#","content""#).unwrap();
        let rest = rest.strip_suffix('}').unwrap();
        let moved = format!("{spaces}{{{spaces}\"content\"{rest},{spaces}{first}}}{spaces}");
        prop_assert_eq!(admitted(&moved).unwrap(), admitted(&text).unwrap());
    }
}
