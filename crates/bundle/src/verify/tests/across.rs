//! Bundles with evidence of several tenants.

use export_model::{ErrorCode, Kind};

use super::*;
use crate::manifest::{Manifest, content_digest};
use crate::test_support::{Sample, by_path, documents, record_of, replace_content};

const INPUTS: &str = "payload/inputs.jsonl.zst";

/// Changes manifest and members together, sorts and signs them again, and looks into them.
fn with(edit: impl Fn(&mut Manifest, &mut Vec<Member>)) -> Report {
    let key = SigningKey::generate().unwrap();
    let mut members = Sample::across().members(&key);
    let mut manifest = Manifest::parse(&members[0].1).unwrap();
    edit(&mut manifest, &mut members);
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    manifest.content_digest = content_digest(&manifest.files);
    members.drain(..5);
    members.sort_by(|a, b| a.0.cmp(&b.0));
    members.splice(..0, documents(&manifest, &key));
    check(&members, &key, &DEEP)
}

fn content(members: &[Member], path: &str) -> Vec<u8> {
    zstd::stream::decode_all(by_path(members)[path]).unwrap()
}

#[track_caller]
fn refused(report: &Report, path: &str, what: &str) {
    assert_eq!(
        report.code,
        Some(ErrorCode::Altered),
        "{:?}",
        report.problems
    );
    assert!(
        report
            .problems
            .iter()
            .any(|p| p.path.as_deref() == Some(path) && p.detail.contains(what)),
        "{what}: {:?}",
        report.problems
    );
}

#[test]
fn it_verifies_and_says_whose_records_it_holds() {
    let key = SigningKey::generate().unwrap();
    let sample = Sample::across();
    let members = sample.members(&key);
    let paths: Vec<_> = members.iter().map(|(path, _)| path.as_str()).collect();
    let place = |path: &str| paths.iter().position(|own| *own == path).unwrap();
    assert!(
        place("payload/acme-eu/advisory/part-00000.jsonl.zst")
            < place("payload/acme/advisory/part-00000.jsonl.zst")
    );
    for options in [PLAIN, DEEP] {
        let report = check(&members, &key, &options);
        assert_eq!(report.problems, []);
        assert_eq!(report.verdict, Verdict::Verified);
        let summary = report.summary.unwrap();
        let by_tenant: Vec<_> = summary
            .by_tenant
            .iter()
            .map(|(tenant, records)| (tenant.as_str(), *records))
            .collect();
        assert_eq!(by_tenant, [("acme", 6), ("acme-eu", 6), ("globex", 7)]);
    }
}

#[test]
fn a_record_in_the_folder_of_another_tenant_is_refused() {
    let path = "payload/globex/advisory/part-00000.jsonl.zst";
    for stranger in ["acme", "evil"] {
        let report = with(|manifest, members| {
            let text = String::from_utf8(content(members, path)).unwrap();
            let from = "\"tenant\":\"globex\"";
            let text = text.replacen(from, &format!("\"tenant\":\"{stranger}\""), 1);
            replace_content(manifest, members, path, text.as_bytes());
        });
        refused(
            &report,
            path,
            "line 1: the record does not belong to tenant globex",
        );
    }
}

#[test]
fn a_part_in_the_folder_of_another_tenant_is_refused() {
    // acme-eu's file of VEX moves to globex, where there is none of that number.
    let (from, to) = (
        "payload/acme-eu/vex/part-00000.jsonl.zst",
        "payload/globex/vex/part-00001.jsonl.zst",
    );
    let report = with(|manifest, members| {
        let file = manifest.files.iter_mut().find(|f| f.path == from).unwrap();
        file.path = to.into();
        let records = file.records.unwrap();
        for (tenant, count) in &mut manifest.counts.by_tenant {
            match tenant.as_str() {
                "acme-eu" => *count -= records,
                "globex" => *count += records,
                _ => {}
            }
        }
        members.iter_mut().find(|m| m.0 == from).unwrap().0 = to.into();
        let inputs = String::from_utf8(content(members, INPUTS)).unwrap();
        let named = |path: &str| path.trim_end_matches(".zst").to_owned();
        let inputs = inputs.replace(&named(from), &named(to));
        replace_content(manifest, members, INPUTS, inputs.as_bytes());
    });
    refused(
        &report,
        to,
        "line 1: the record does not belong to tenant globex",
    );
    refused(
        &report,
        INPUTS,
        "its file is another tenant's or of another kind",
    );
}

#[test]
fn a_tenant_that_nobody_selected_is_refused() {
    let (from, to) = ("payload/globex/", "payload/evil/");
    let report = with(|manifest, members| {
        for file in &mut manifest.files {
            file.path = file.path.replace(from, to);
        }
        for (path, _) in members.iter_mut() {
            *path = path.replace(from, to);
        }
    });
    refused(
        &report,
        "export.json",
        "is of a tenant that nobody selected",
    );
    let report = with(|manifest, _| {
        manifest.selectors.tenants = Some(vec!["acme".into(), "globex".into()]);
    });
    refused(
        &report,
        "export.json",
        "is of a tenant that nobody selected",
    );
    let report = with(|manifest, _| manifest.selectors.tenants = None);
    refused(&report, "export.json", "is not where records of kind");
}

#[test]
fn evidence_without_an_approval_is_refused() {
    let key = SigningKey::generate().unwrap();
    let mut members = Sample::across().members(&key);
    let manifest = Manifest::parse(&members[0].1).unwrap();
    // The provenance of somebody who forgot to ask.
    let mut forgetful = manifest.clone();
    forgetful.selectors.tenants = None;
    let mut documents = documents(&forgetful, &key);
    let mut statement: serde_json::Value = serde_json::from_slice(&documents[3].1).unwrap();
    let digest = export_model::Sha256Digest::of(&members[0].1).hex();
    statement["subject"][0]["digest"]["sha256"] = digest.into();
    let statement = statement.to_string().into_bytes();
    let to_sign = export_signing::to_sign::statement_to_sign(&statement);
    let signature = key.sign(to_sign.bytes()).unwrap();
    let fingerprint = key.public_key().fingerprint();
    documents[4].1 = export_signing::bundle::dsse_bundle(&statement, &signature, &fingerprint);
    documents[3].1 = statement;
    members[3] = documents.remove(3);
    members[4] = documents.remove(3);
    let report = check(&members, &key, &PLAIN);
    assert_eq!(
        found(&report),
        [("ERR_ALTERED", Some("provenance.json"))],
        "{:?}",
        report.problems
    );
    assert_eq!(
        report.problems[0].detail,
        "it names no approval of tenant acme-eu"
    );
}

/// Changes the lines of a file.
type Edit<'a> = &'a dyn Fn(&mut Vec<String>);

#[test]
fn parts_out_of_the_order_of_tenants_and_kinds_are_refused() {
    // Rightly numbered, but acme-eu's second part comes before acme's first.
    let order = |lines: &mut Vec<String>| {
        lines.swap(0, 5);
        lines[0] = lines[0].replace("\"part\":5", "\"part\":0");
        lines[5] = lines[5].replace("\"part\":0", "\"part\":5");
    };
    let owner = |lines: &mut Vec<String>| {
        lines[0] = lines[0].replace("\"tenant\":\"acme\"", "\"tenant\":\"a\"");
    };
    let nobody = |lines: &mut Vec<String>| {
        lines[0] = lines[0].replace(",\"tenant\":\"acme\"", "");
    };
    let cases: [(Edit<'_>, &str); 3] = [
        (&order, "the part is out of order"),
        (&owner, "line 1: the part is of no tenant that it can be of"),
        (
            &nobody,
            "line 1: the part is of no tenant that it can be of",
        ),
    ];
    for (edit, what) in cases {
        let report = with(|manifest, members| {
            let text = String::from_utf8(content(members, INPUTS)).unwrap();
            let mut lines: Vec<_> = text.lines().map(|line| format!("{line}\n")).collect();
            edit(&mut lines);
            replace_content(manifest, members, INPUTS, lines.concat().as_bytes());
        });
        refused(&report, INPUTS, what);
    }
}

#[test]
fn a_quarantined_record_counts_for_its_own_tenant() {
    let list = "payload/quarantine.jsonl.zst";
    let report = with(|manifest, members| {
        let text = String::from_utf8(content(members, list)).unwrap();
        let text = text.replacen("\"tenant\":\"acme-eu\"", "\"tenant\":\"globex\"", 1);
        replace_content(manifest, members, list, text.as_bytes());
    });
    refused(&report, INPUTS, "the list of quarantined records has not");
}

#[test]
fn another_tenants_record_of_the_same_name_is_not_the_same() {
    let path = "payload/acme/advisory/part-00001.jsonl.zst";
    let report = with(|manifest, members| {
        let other = record_of("globex", Kind::Advisory, 2, 60);
        let text = content(members, path);
        let rest = text.iter().position(|b| *b == b'\n').unwrap();
        let text = [&other.canonical[..], &text[rest..]].concat();
        replace_content(manifest, members, path, &text);
    });
    refused(
        &report,
        path,
        "line 1: the record does not belong to tenant acme",
    );
}
