use super::*;
use crate::{Admitted, admit_document};
use export_canonical::record::Limits;
use export_model::{AdmittedRecord, Kind};
use proptest::prelude::*;
use serde_json::Value;

fn tenant() -> Tenant {
    "acme".parse().unwrap()
}

fn wrapped_as(stem: Option<&str>, document: &str) -> Result<AdmittedRecord, Refusal> {
    let tenant = tenant();
    let context = WrapContext {
        tenant: Some(&tenant),
        time: "2026-11-01T00:00:00Z".parse().unwrap(),
        exporter_version: "9.9.9",
        file_stem: stem,
    };
    match admit_document(document.as_bytes(), None, &context, &Limits::default())? {
        Admitted::Record(record) => Ok(*record),
        Admitted::Snapshot(_) => panic!("a snapshot"),
    }
}

fn wrapped(document: &str) -> Result<AdmittedRecord, Refusal> {
    wrapped_as(None, document)
}

fn json(record: &AdmittedRecord) -> Value {
    serde_json::from_slice(&record.canonical).unwrap()
}

#[test]
fn an_osv_entry_becomes_this_record() {
    let record = wrapped(
        r#"{"modified":"2024-01-02T03:04:05Z","id":"GHSA-aaaa-bbbb-cccc","schema_version":"1.6.0",
            "aliases":["CVE-2024-1"],"severity":[{"type":"CVSS_V3","score":"x"}],
            "affected":[{"package":{"ecosystem":"npm","name":"@a/b"}},{"ranges":[]},{"package":null}],
            "references":[{"type":"WEB","url":"https://example.org/?a=\u0031"}],
            "database_specific":{"source":"https://example.org/entry.json","n":1.10}}"#,
    )
    .unwrap();
    assert_eq!(
        String::from_utf8(record.canonical).unwrap(),
        r#"{"_id":"advisory_raw:github.advisory-database:GHSA-aaaa-bbbb-cccc:ID","content":{"format":"OSV","raw":{"affected":[{"package":{"ecosystem":"npm","name":"@a/b"}},{"ranges":[]},{"package":null}],"aliases":["CVE-2024-1"],"database_specific":{"n":1.10,"source":"https://example.org/entry.json"},"id":"GHSA-aaaa-bbbb-cccc","modified":"2024-01-02T03:04:05Z","references":[{"type":"WEB","url":"https://example.org/?a=1"}],"schema_version":"1.6.0","severity":[{"score":"x","type":"CVSS_V3"}]},"spec_version":"1.6.0"},"identifiers":{"aliases":["CVE-2024-1","GHSA-aaaa-bbbb-cccc"],"cve":["CVE-2024-1"],"ghsa":["GHSA-aaaa-bbbb-cccc"],"primary":"GHSA-aaaa-bbbb-cccc"},"kind":"advisory","linkset":{"aliases":["CVE-2024-1","GHSA-aaaa-bbbb-cccc"],"cpes":[],"purls":["pkg:npm/%40a/b"],"reconciled_from":["/affected","/aliases","/references"],"references":[{"type":"web","url":"https://example.org/?a=1"}]},"source":{"api":"https://example.org/entry.json","collector_version":"exportctl/9.9.9","stream":"advisory-database","vendor":"github"},"subject_key":"GHSA-aaaa-bbbb-cccc","tenant":"acme","upstream":{"content_hash":"HASH","document_version":"2024-01-02T03:04:05Z","fetched_at":"2026-11-01T00:00:00Z","received_at":"2026-11-01T00:00:00Z","signature":{"present":false},"upstream_id":"GHSA-aaaa-bbbb-cccc"}}"#
            .replace("HASH", &record.content_hash.to_string())
            .replace(":ID\"", &format!(":{}\"", &record.content_hash.hex()[..12]))
    );
    assert_eq!(record.facets.ecosystems, ["npm"]);
}

#[test]
fn cyclonedx_is_an_sbom_or_a_vex() {
    let sbom = wrapped(
        r#"{"bomFormat":"CycloneDX","specVersion":"1.5","version":3,"serialNumber":"urn:uuid:1",
            "metadata":{"timestamp":"2024-01-01T00:00:00Z","supplier":{"name":"Acme GmbH"},
              "tools":{"components":[{"name":"syft"}]},"component":{"name":"shop","purl":"pkg:npm/shop@1"}},
            "vulnerabilities":[{"id":"CVE-1"}],
            "components":[{"name":"a","purl":"pkg:npm/a@1","cpe":"cpe:2.3:a:a","components":[{"purl":"pkg:npm/inner@1"}]}]}"#,
    )
    .unwrap();
    assert_eq!(sbom.kind, Kind::Sbom);
    assert_eq!(sbom.source.to_string(), "acme-gmbh/sbom");
    assert_eq!(sbom.upstream_id, "urn:uuid:1");
    assert_eq!(sbom.position.subject_key, "pkg:npm/shop@1");
    assert_eq!(sbom.facets.products, ["pkg:npm/a@1", "pkg:npm/inner@1"]);
    assert_eq!(json(&sbom)["upstream"]["document_version"], "3");
    assert_eq!(json(&sbom)["linkset"]["cpes"][0], "cpe:2.3:a:a");
    assert!(json(&sbom).get("identifiers").is_none());

    let plain = r#"{"bomFormat":"CycloneDX","specVersion":"1.2","metadata":{"tools":[{"vendor":"CycloneDX"}],"component":{"name":"a b","version":"2"}},"components":[]}"#;
    let plain = wrapped(plain).unwrap();
    assert_eq!(plain.upstream_id, "a b@2");
    assert_eq!(plain.position.subject_key, "pkg:generic/a%20b");
    assert_eq!(plain.source.to_string(), "cyclonedx/sbom");

    let vex = r#"{"bomFormat":"CycloneDX","specVersion":"1.4","metadata":{"component":{"name":"p","version":"1"}},"vulnerabilities":[{"id":"CVE-2","affects":[{"ref":"pkg:npm/x@1"},{"ref":"p"}]},{"id":"CVE-1"}]}"#;
    let named = wrapped_as(Some("case-1"), vex).unwrap();
    assert_eq!(named.kind, Kind::Vex);
    assert_eq!(named.upstream_id, "case-1");
    assert_eq!(named.position.subject_key, "CVE-1");
    assert_eq!(named.facets.products, ["pkg:npm/x@1"]);
    assert_eq!(json(&named)["content"]["format"], "CycloneDX-VEX");
    assert_eq!(wrapped(vex).unwrap().upstream_id, "p@1:CVE-2");

    let nameless = r#"{"bomFormat":"CycloneDX","specVersion":"1.4"}"#;
    assert_eq!(
        wrapped(nameless).unwrap_err().code,
        ErrorCode::AocProvenance
    );
    assert_eq!(wrapped_as(Some("f"), nameless).unwrap().upstream_id, "f");
}

#[test]
fn spdx_2_is_an_sbom_and_spdx_3_is_refused_clearly() {
    let spdx = wrapped(
        r#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"doc","documentNamespace":"https://example.org/ns",
            "creationInfo":{"created":"2024-01-01T00:00:00Z","creators":["Tool: syft-1.4.1"]},
            "packages":[{"SPDXID":"SPDXRef-a","name":"main","externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:oci/main@1"}]},
                        {"SPDXID":"SPDXRef-b","name":"b","externalRefs":[{"referenceType":"cpe23Type","referenceLocator":"cpe:2.3:b"}]}],
            "relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-a"}]}"#,
    )
    .unwrap();
    assert_eq!(spdx.kind, Kind::Sbom);
    assert_eq!(spdx.source.to_string(), "syft/sbom");
    assert_eq!(spdx.upstream_id, "https://example.org/ns");
    assert_eq!(spdx.position.subject_key, "pkg:oci/main@1");
    assert_eq!(spdx.modified, "2024-01-01T00:00:00Z".parse().ok());
    assert_eq!(json(&spdx)["content"]["spec_version"], "2.3");
    assert_eq!(json(&spdx)["linkset"]["cpes"][0], "cpe:2.3:b");

    let three = r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[]}"#;
    let refusal = wrapped(three).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::UnknownFormat);
    assert!(refusal.detail.contains("SPDX 3") && refusal.detail.contains("2.3"));
}

#[test]
fn openvex_is_named_by_its_id_and_products() {
    let vex = |product: &str, status: &str| {
        wrapped(&format!(
            r#"{{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.org/vex-1","author":"Rancher Security team","timestamp":"2024-01-01T00:00:00Z","last_updated":"2024-02-01T00:00:00Z","version":2,
                "statements":[{{"vulnerability":{{"name":"CVE-2","aliases":["GHSA-1"]}},"products":[{{"@id":"{product}","identifiers":{{"cpe23":"cpe:2.3:x"}},"subcomponents":[{{"@id":"pkg:golang/stdlib@1"}}]}}],"status":"{status}"}}]}}"#
        ))
        .unwrap()
    };
    let one = vex("pkg:oci/a", "fixed");
    assert_eq!(one.source.to_string(), "rancher-security-team/openvex");
    assert_eq!(one.kind, Kind::Vex);
    assert_eq!(one.position.subject_key, "CVE-2");
    assert_eq!(one.facets.products, ["pkg:golang/stdlib@1", "pkg:oci/a"]);
    assert_eq!(one.facets.identifiers, ["CVE-2", "GHSA-1"]);
    assert_eq!(one.modified, "2024-02-01T00:00:00Z".parse().ok());
    assert_eq!(json(&one)["upstream"]["document_version"], "2");
    assert!(one.upstream_id.starts_with("https://example.org/vex-1#"));
    assert_eq!(vex("pkg:oci/a", "affected").upstream_id, one.upstream_id);
    assert_ne!(vex("pkg:oci/b", "fixed").upstream_id, one.upstream_id);

    let old = r#"{"@context":"https://openvex.dev/ns","@id":"x","statements":[{"vulnerability":"CVE-1","products":["pkg:oci/a"]}]}"#;
    let old = wrapped(old).unwrap();
    assert_eq!(json(&old)["content"]["spec_version"], "0.0.1");
    assert_eq!(old.facets.products, ["pkg:oci/a"]);
}

#[test]
fn csaf_is_an_advisory_or_a_vex_by_its_category() {
    let csaf = |category: &str, version: &str| {
        wrapped(&format!(
            r#"{{"document":{{"category":"{category}","csaf_version":"{version}","publisher":{{"name":"CISA"}},"title":"t",
                  "tracking":{{"id":"ICSA-1","version":"2","current_release_date":"2024-09-18T16:00:00.000Z"}},
                  "references":[{{"category":"self","url":"https://example.org/1.json"}},{{"url":"https://example.org/2"}}]}},
                "product_tree":{{"branches":[{{"category":"vendor","branches":[{{"product":{{"product_id":"1","product_identification_helper":{{"purl":"pkg:npm/a","cpe":"cpe:/a:a"}}}}}}]}}]}},
                "vulnerabilities":[{{"cve":"CVE-1","ids":[{{"system_name":"x","text":"17"}},{{"system_name":"GitHub","text":"GHSA-1"}}],"references":[{{"url":"https://example.org/2"}}]}}]}}"#
        ))
    };
    let advisory = csaf("csaf_security_advisory", "2.0").unwrap();
    assert_eq!(advisory.kind, Kind::Advisory);
    assert_eq!(advisory.source.to_string(), "cisa/csaf");
    assert_eq!(advisory.upstream_id, "ICSA-1");
    assert_eq!(advisory.facets.identifiers, ["CVE-1", "GHSA-1", "ICSA-1"]);
    assert_eq!(advisory.facets.products, ["pkg:npm/a"]);
    let json = json(&advisory);
    assert_eq!(json["source"]["api"], "https://example.org/1.json");
    assert_eq!(json["linkset"]["references"].as_array().unwrap().len(), 2);
    assert_eq!(json["linkset"]["references"][1]["type"], "external");
    assert_eq!(csaf("csaf_vex", "2.0").unwrap().kind, Kind::Vex);
    assert_eq!(
        csaf("csaf_base", "1.2").unwrap_err().code,
        ErrorCode::UnknownFormat
    );
}

#[test]
fn documents_that_do_not_say_enough_are_refused() {
    for (document, expected) in [
        (
            r#"{"id":"","modified":"2024-01-01T00:00:00Z"}"#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#"{"id":"X-1","modified":"x","aliases":7}"#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#"{"document":{"csaf_version":"2.0"}}"#,
            ErrorCode::InvalidRecord,
        ),
        (
            r#"{"@context":"https://openvex.dev/ns/v0.2.0"}"#,
            ErrorCode::AocProvenance,
        ),
        (r#"{"hello":"world"}"#, ErrorCode::UnknownFormat),
    ] {
        assert_eq!(wrapped(document).unwrap_err().code, expected, "{document}");
    }
    let context = WrapContext {
        tenant: None,
        time: export_model::Timestamp(0),
        exporter_version: "1",
        file_stem: None,
    };
    let entry = br#"{"id":"X-1","modified":"2024-01-01T00:00:00Z"}"#;
    assert_eq!(
        wrap(Format::Osv, entry, &context).unwrap_err().code,
        ErrorCode::AmbiguousTenant
    );
    let deep = format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","components":{}[]{}}}"#,
        r#"[{"components":"#.repeat(200),
        "}]".repeat(200)
    );
    let refusal = wrapped_as(Some("f"), &deep).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::InvalidRecord, "{refusal}");
}

const SAMPLES: [&str; 5] = [
    r#"{"affected":[{"package":{"ecosystem":"npm","name":"@a/b"}}],"aliases":["CVE-1"],"id":"X-1","modified":"2024-01-02T03:04:05Z","references":[{"type":"WEB","url":"https://x"}]}"#,
    r#"{"bomFormat":"CycloneDX","components":[{"name":"a","purl":"pkg:npm/a@1"}],"metadata":{"component":{"name":"m"},"tools":[{"name":"t"}]},"serialNumber":"urn:1","specVersion":"1.5","version":1}"#,
    r#"{"creationInfo":{"creators":["Tool: x-1"]},"documentDescribes":["SPDXRef-a"],"documentNamespace":"https://n","packages":[{"SPDXID":"SPDXRef-a","name":"a"}],"spdxVersion":"SPDX-2.3"}"#,
    r#"{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://v","author":"A","statements":[{"products":[{"@id":"pkg:npm/a"}],"vulnerability":{"name":"CVE-1"}}],"version":1}"#,
    r#"{"document":{"category":"csaf_vex","csaf_version":"2.0","publisher":{"name":"P"},"tracking":{"id":"T","version":"1"}},"product_tree":{"branches":[{"product":{}}]},"vulnerabilities":[{"cve":"CVE-1"}]}"#,
];

proptest! {
    /// A damaged document is wrapped into a good record or refused; nothing panics.
    #[test]
    fn damage_gives_a_record_or_a_refusal(which in 0usize..5, at in 0usize..1000, with in "\\PC{0,3}") {
        prop_assert!(wrapped_as(Some("f"), SAMPLES[which]).is_ok());
        let at = at % SAMPLES[which].len();
        let damaged = format!("{}{with}{}", &SAMPLES[which][..at], &SAMPLES[which][at + 1..]);
        if let Ok(record) = wrapped_as(Some("f"), &damaged) {
            crate::guardrails::check_raw(&record.canonical).unwrap();
        }
    }

    /// Whatever a document calls itself, its record passes the door under a usable id.
    #[test]
    fn any_name_gives_a_usable_id(id in "\\PC{1,700}", alias in any::<String>(), name in any::<String>()) {
        let document = serde_json::json!({
            "id": id, "modified": "2024-01-01T00:00:00Z", "aliases": [alias],
            "affected": [{"package": {"ecosystem": "npm", "name": name}}],
        });
        match wrapped(&document.to_string()) {
            Ok(record) => {
                prop_assert!(record.position.id.len() <= 1024);
                prop_assert!(!record.position.id.chars().any(char::is_control));
            }
            Err(refusal) => prop_assert!(id.trim().is_empty(), "{}", refusal),
        }
    }
}
