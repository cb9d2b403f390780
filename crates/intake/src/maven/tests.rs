use export_model::{ErrorCode, Kind, Tenant, Timestamp};

use super::*;
use crate::{Admitted, admit};

const A: &str = "6c62681a2f655b49963a5983b8b0950a6120ae14";
const B: &str = "0000000000000000000000000000000000000001";

/// The records of an index, through the door.
fn records(lines: &[&str]) -> Result<Vec<export_model::AdmittedRecord>, MavenError> {
    let folder = tempfile::tempdir().unwrap();
    let tenant: Tenant = "acme".parse().unwrap();
    let context = WrapContext {
        tenant: Some(&tenant),
        time: Timestamp(1_793_491_200_000),
        exporter_version: "0.1.0",
        file_stem: None,
    };
    let mut index = MavenIndex::new(folder.path().to_owned());
    for line in lines {
        index.push(line.as_bytes())?;
    }
    let mut records = Vec::new();
    index.finish(&context, &mut |line| {
        match admit(&line, Some(&tenant), &Limits::default())? {
            Admitted::Record(record) => records.push(*record),
            Admitted::Snapshot(_) => panic!("it is a record"),
        }
        Ok(())
    })?;
    Ok(records)
}

use export_canonical::record::Limits;

#[test]
fn every_artifact_is_a_record_whatever_form_and_order_its_lines_have() {
    let json = format!(r#"{{"g":"org.slf4j","a":"slf4j-api","v":"1.7.36","sha1":"{A}"}}"#);
    let text = format!("{A}\torg.slf4j:slf4j-api:1.7.36");
    let other = format!("{B}\torg.slf4j:slf4j-api:2.0.0:sources");
    let third = format!("{B}\torg.example:x:1");
    let one = records(&[&json, &other, &third]).unwrap();
    let shuffled = records(&[&third, "", "# a comment", &other, &text, &json, &third]).unwrap();
    assert_eq!(one, shuffled);
    assert_eq!(one.len(), 2);
    let [example, slf4j] = one.as_slice() else {
        panic!("two artifacts")
    };
    assert_eq!(example.kind, Kind::Sbom);
    assert_eq!(example.position.subject_key, "pkg:maven/org.example/x");
    assert_eq!(slf4j.facets.products, ["pkg:maven/org.slf4j/slf4j-api"]);
    assert_eq!(slf4j.facets.ecosystems, ["maven"]);
    let canonical = String::from_utf8(slf4j.canonical.clone()).unwrap();
    let content = format!(
        r#""content":{{"format":"MavenIndex","raw":{{"artifacts":[{{"a":"slf4j-api","g":"org.slf4j","sha1":"{A}","v":"1.7.36"}},{{"a":"slf4j-api","c":"sources","g":"org.slf4j","sha1":"{B}","v":"2.0.0"}}]}},"spec_version":"1"}}"#
    );
    assert!(canonical.contains(&content), "{canonical}");
}

#[test]
fn more_lines_are_another_record_that_supersedes_nothing() {
    let first = format!("{A}\tg:a:1");
    let second = format!("{B}\tg:a:2");
    let one = records(&[&first]).unwrap().remove(0);
    let two = records(&[&first, &second]).unwrap().remove(0);
    assert_eq!(one.position.subject_key, two.position.subject_key);
    assert_ne!(one.upstream_id, two.upstream_id);
    assert_ne!(one.position.id, two.position.id);
    assert_eq!(records(&[&first]).unwrap().remove(0), one, "twice is once");
}

#[test]
fn what_is_no_entry_is_refused_and_what_is_no_digest_is_kept() {
    for line in [
        "x",
        "\tg:a:1",
        "abc\tg:a",
        "abc\tg:a:1:c:d",
        "abc\tg::1",
        "{}",
        r#"{"g":"g","a":"a","v":"1"}"#,
        r#"{"g":"g","a":"a","v":"1","sha1":"x","more":1}"#,
        r#"{"g":"g","a":"a","v":"1","sha1":"x","sha1":"y"}"#,
        r#"{"g":"g\u0001","a":"a","v":"1","sha1":"x"}"#,
        r#"{"g":7,"a":"a","v":"1","sha1":"x"}"#,
        r#"{"g":"g""#,
    ] {
        let error = records(&[line]).unwrap_err();
        assert!(matches!(error, MavenError::Refused(_)), "{line}: {error}");
    }
    let kept = records(&["no digest\tg:a:1"]).unwrap().remove(0);
    let text = String::from_utf8(kept.canonical).unwrap();
    assert!(text.contains(r#""sha1":"no digest""#), "{text}");
    assert!(matches!(
        records(&["\u{0}"]).unwrap_err(),
        MavenError::Refused(Refusal {
            code: ErrorCode::InvalidRecord,
            ..
        })
    ));
}

#[test]
fn an_artifact_with_very_many_jars_is_several_records() {
    let lines: Vec<String> = (0..60_000).map(|n| format!("{n:040x}\tg:a:{n}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let records = records(&lines).unwrap();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|r| r.canonical.len() < 2 * RECORD));
}
