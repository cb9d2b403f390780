#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::map::testing::database;
use crate::row::{AdvisoryValue, RedHatEntry, Unmapped};

fn entries(value: &AdvisoryValue) -> &[RedHatEntry] {
    match value {
        AdvisoryValue::RedHat(entries) => entries,
        AdvisoryValue::Plain(_) => panic!("{value:?}"),
    }
}

/// In the shape of Red Hat's VEX documents: one vulnerability, fixed here, not to be fixed there.
const RED_HAT: &str = r#"{"document":{"tracking":{"id":"CVE-2024-1","initial_release_date":"2024-01-01T00:00:00+00:00",
 "current_release_date":"2024-02-01T00:00:00+00:00"},"title":"t","references":[{"url":"https://access.redhat.com/x"}]},
 "product_tree":{"branches":[{"category":"vendor","name":"Red Hat","branches":[
   {"category":"product_name","name":"RHEL BaseOS 8","product":{"product_id":"BaseOS-8","product_identification_helper":{"cpe":"cpe:/o:redhat:enterprise_linux:8::baseos"}}},
   {"category":"product_name","name":"AppStream 8","product":{"product_id":"AppStream-8","product_identification_helper":{"cpe":"cpe:/a:redhat:enterprise_linux:8::appstream"}}},
   {"category":"product_name","name":"RHEL 7","product":{"product_id":"red_hat_enterprise_linux_7","product_identification_helper":{"cpe":"cpe:/o:redhat:enterprise_linux:7"}}},
   {"category":"product_version","name":"bind","product":{"product_id":"bind-32:9.11-1.el8.x86_64","product_identification_helper":{"purl":"pkg:rpm/redhat/bind@9.11-1.el8?arch=x86_64&epoch=32"}}},
   {"category":"product_version","name":"bind","product":{"product_id":"bind-src","product_identification_helper":{"purl":"pkg:rpm/redhat/bind@9.11-1.el8?arch=src&epoch=32"}}},
   {"category":"product_version","name":"npm","product":{"product_id":"npm-1","product_identification_helper":{"purl":"pkg:rpm/redhat/npm@1-1.module?arch=x86_64"}}},
   {"category":"product_version","name":"nodejs:14","product":{"product_id":"nodejs:14","product_identification_helper":{"purl":"pkg:rpmmod/redhat/nodejs@14:8040:abc"}}},
   {"category":"product_version","name":"bind7","product":{"product_id":"bind","product_identification_helper":{"purl":"pkg:rpm/redhat/bind"}}}]}],
  "relationships":[
   {"category":"default_component_of","full_product_name":{"product_id":"B8:bind"},"product_reference":"bind-32:9.11-1.el8.x86_64","relates_to_product_reference":"BaseOS-8"},
   {"category":"default_component_of","full_product_name":{"product_id":"B8:src"},"product_reference":"bind-src","relates_to_product_reference":"BaseOS-8"},
   {"category":"default_component_of","full_product_name":{"product_id":"A8:nodejs"},"product_reference":"nodejs:14","relates_to_product_reference":"AppStream-8"},
   {"category":"default_component_of","full_product_name":{"product_id":"A8:nodejs:npm"},"product_reference":"npm-1","relates_to_product_reference":"A8:nodejs"},
   {"category":"default_component_of","full_product_name":{"product_id":"R7:bind"},"product_reference":"bind","relates_to_product_reference":"red_hat_enterprise_linux_7"}]},
 "vulnerabilities":[{"cve":"CVE-2024-1","cwe":{"id":"CWE-20"},"notes":[{"category":"description","text":"d"}],
  "product_status":{"fixed":["B8:bind","B8:src","A8:nodejs:npm"],"known_affected":["R7:bind"],"known_not_affected":["B8:bind"]},
  "remediations":[{"category":"vendor_fix","url":"https://access.redhat.com/errata/RHSA-2024:7","product_ids":["B8:bind","A8:nodejs:npm"]},
                  {"category":"no_fix_planned","details":"Will not fix","product_ids":["R7:bind"]}],
  "scores":[{"cvss_v3":{"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H","baseScore":9.8}}],
  "threats":[{"category":"impact","details":"Important"}]}]}"#;

#[test]
fn red_hat() {
    let rows = database("CSAF", RED_HAT);
    assert_eq!(rows.unmapped, []);
    let found: Vec<_> = rows
        .advisories
        .iter()
        .map(|row| (&*row.package, &*row.id))
        .collect();
    assert_eq!(
        found,
        [
            ("bind", "CVE-2024-1"),
            ("bind", "RHSA-2024:7"),
            ("nodejs:14::npm", "RHSA-2024:7")
        ]
    );
    let unfixed = &entries(&rows.advisories[0].value)[0];
    assert_eq!((&*unfixed.fixed_version, unfixed.status), ("", 5));
    assert!(unfixed.cpes.contains("cpe:/o:redhat:enterprise_linux:7"));
    let fixed = &entries(&rows.advisories[1].value)[0];
    assert_eq!((&*fixed.fixed_version, fixed.status), ("32:9.11-1.el8", 0));
    assert_eq!(fixed.arches, ["x86_64"]);
    assert_eq!(fixed.cves, [("CVE-2024-1".to_owned(), 3)]);
    assert!(
        fixed
            .cpes
            .contains("cpe:/o:redhat:enterprise_linux:8::baseos")
    );
    assert!(rows.vex.is_empty());
    let detail = &rows.details[0].value;
    assert_eq!(detail.vendor_severity["redhat"], 3);
    assert_eq!(detail.cvss["redhat"].v3_score, Some(9.8));
    assert_eq!(
        detail.last_modified_date.as_deref(),
        Some("2024-02-01T00:00:00Z")
    );
    assert!(!rows.repositories.is_empty());
}

#[test]
fn suse() {
    let rows = database(
        "CSAF",
        r#"{"document":{"tracking":{"id":"SUSE-SU-2023:4044-1","current_release_date":"2023-10-11T00:00:00Z"},"title":"Security update","aggregate_severity":{"text":"important"}},
         "product_tree":{"branches":[{"branches":[
           {"category":"product_name","product":{"product_id":"SLES","product_identification_helper":{"cpe":"cpe:/o:suse:sles:15:sp4"}}},
           {"category":"product_version","product":{"product_id":"libcurl4-7.79-1.x86_64"}}]}],
          "relationships":[{"full_product_name":{"product_id":"SLES:libcurl4"},"product_reference":"libcurl4-7.79-1.x86_64","relates_to_product_reference":"SLES"}]},
         "vulnerabilities":[{"cve":"CVE-1","product_status":{"recommended":["SLES:libcurl4"]}},{"cve":"CVE-2","product_status":{"recommended":["SLES:libcurl4"]}}]}"#,
    );
    assert_eq!(rows.unmapped, []);
    assert_eq!(rows.advisories.len(), 1);
    let row = &rows.advisories[0];
    assert_eq!(
        (&*row.bucket, &*row.package, &*row.id),
        (
            "SUSE Linux Enterprise 15.4",
            "libcurl4",
            "SUSE-SU-2023:4044-1"
        )
    );
    let own = rows
        .details
        .iter()
        .find(|row| row.id == "SUSE-SU-2023:4044-1")
        .unwrap();
    assert_eq!(own.value.vendor_severity["suse-cvrf"], 3);
}

#[test]
fn languages_and_statements() {
    let rows = database(
        "CSAF",
        r#"{"document":{"tracking":{"id":"ACME-1","current_release_date":"2024-01-01T00:00:00Z"}},
         "product_tree":{"branches":[
           {"category":"product_version_range","name":"vers:npm/>=1.0.0|<1.5.0|2.0.0","product":{"product_id":"range","product_identification_helper":{"purl":"pkg:npm/%40a/b"}}},
           {"category":"product_version","name":"1.4","product":{"product_id":"one","product_identification_helper":{"purl":"pkg:pypi/C_d@1.4"}}},
           {"category":"product_version","name":"1.6","product":{"product_id":"good","product_identification_helper":{"purl":"pkg:npm/%40a/b@1.6.0"}}},
           {"category":"product_version","name":"x","product":{"product_id":"image","product_identification_helper":{"purl":"pkg:oci/x"}}},
           {"category":"product_name","name":"x","product":{"name":"Acme Box","product_id":"box","product_identification_helper":{"cpe":"cpe:2.3:h:acme:box:1"}}}]},
         "vulnerabilities":[{"cve":"CVE-1","product_status":{"known_affected":["range","one","box","image"],"fixed":["good"],"known_not_affected":["image","box"]},
           "flags":[{"label":"component_not_present","product_ids":["image"]}],"threats":[{"category":"impact","details":"no","product_ids":["image"]}]}]}"#,
    );
    let found: Vec<_> = rows
        .advisories
        .iter()
        .map(|row| match &row.value {
            AdvisoryValue::Plain(advisory) => (
                &*row.bucket,
                &*row.package,
                advisory.vulnerable_versions.join(" | "),
            ),
            AdvisoryValue::RedHat(_) => panic!("{row:?}"),
        })
        .collect();
    assert_eq!(
        found,
        [
            ("pip::v/s", "c-d", "=1.4".to_owned()),
            ("npm::v/s", "@a/b", ">=1.0.0, <1.5.0 | =2.0.0".to_owned()),
        ]
    );
    let statements: Vec<_> = rows
        .vex
        .iter()
        .map(|row| (&*row.product, &*row.status, &*row.justification))
        .collect();
    assert_eq!(
        statements,
        [
            ("pkg:npm/%40a/b@1.6.0", "fixed", ""),
            ("pkg:oci/x", "not_affected", "component_not_present"),
        ]
    );
    let reasons: Vec<_> = rows
        .unmapped
        .iter()
        .map(|row| (row.reason, &*row.detail))
        .collect();
    assert_eq!(
        reasons,
        [
            (Unmapped::UnknownEcosystem, "pkg:oci/x"),
            (Unmapped::NoPurl, "Acme Box")
        ]
    );
}

#[test]
fn loops_end() {
    let rows = database(
        "CSAF",
        r#"{"document":{"tracking":{"id":"A"}},"product_tree":{"relationships":[
          {"full_product_name":{"product_id":"a"},"product_reference":"b","relates_to_product_reference":"a"},
          {"full_product_name":{"product_id":"b"},"product_reference":"a","relates_to_product_reference":"b"}]},
          "vulnerabilities":[{"product_status":{"known_affected":["a","b","c"]}}]}"#,
    );
    assert_eq!(rows.unmapped.len(), 3);
    assert!(
        rows.unmapped
            .iter()
            .all(|row| row.reason == Unmapped::NoPurl)
    );
}
