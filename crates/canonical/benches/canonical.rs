//! Throughput of the canonical form of evidence, in bytes of JSON lines of about 3 KB.
//!
//! `cargo bench -p export-canonical`. The lines are generated; with `EXPORT_EVIDENCE` naming a file
//! of JSON lines, those are measured as well. Peers: what the usual libraries need to come to the
//! same verdict (validity and order only).

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use export_canonical::record::{Limits, canonicalize, check, check_record, member_path, members};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Canonical lines with members, strings and escapes as OSV records have them.
fn generated(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|i| line(i).into_bytes()).collect()
}

fn line(i: u32) -> String {
    let mut imports = String::new();
    let mut references = String::new();
    let mut linked = String::new();
    for n in 0..6 {
        let comma = if n == 0 { "" } else { "," };
        let url = format!(
            "https://github.com/example/project-{i}/commit/{:040x}",
            u64::from(i * 7 + n) << 20
        );
        let _ = write!(
            imports,
            r#"{comma}{{"path":"example.org/project-{i}/pkg/{n}","symbols":["Decode","NewReader","Reader.Read{n}"]}}"#
        );
        let _ = write!(references, r#"{comma}{{"type":"FIX","url":"{url}"}}"#);
        let _ = write!(linked, r#"{comma}{{"type":"fix","url":"{url}"}}"#);
    }
    let details = "A crafted archive makes the reader allocate memory without a limit.\\n\\n\
        Callers that pass \\\"untrusted\\\" input are affected — upgrade, or cap the size before reading. "
        .repeat(1 + (i % 4) as usize);
    format!(
        r#"{{"_id":"advisory_raw:example:EX-{i}","content":{{"format":"OSV","raw":{{"affected":[{{"ecosystem_specific":{{"imports":[{imports}]}},"package":{{"ecosystem":"Go","name":"example.org/project-{i}"}},"ranges":[{{"events":[{{"introduced":"0"}},{{"fixed":"1.{i}.0"}}],"type":"SEMVER"}}]}}],"aliases":["CVE-2026-{i:05}","GHSA-6vm3-jj99-{i:04}"],"database_specific":{{"review_status":"REVIEWED","score":7.10,"url":"https://example.org/vuln/{i}"}},"details":"{details}","id":"EX-{i}","modified":"2026-11-01T00:00:00Z","published":"2026-10-01T00:00:00Z","references":[{references}],"schema_version":"1.3.1","summary":"Unlimited allocation in example.org/project-{i}"}},"spec_version":"1.3.1"}},"identifiers":{{"aliases":["CVE-2026-{i:05}"],"cve":["CVE-2026-{i:05}"],"ghsa":[],"primary":"EX-{i}"}},"kind":"advisory","linkset":{{"aliases":["CVE-2026-{i:05}"],"cpes":[],"purls":["pkg:golang/example.org/project-{i}"],"reconciled_from":["/affected","/aliases","/references"],"references":[{linked}]}},"source":{{"api":"https://example.org/{i}.json","collector_version":"collector/1.4.0","stream":"osv","vendor":"example"}},"subject_key":"EX-{i}","tenant":"acme","upstream":{{"content_hash":"sha256:{i:064x}","document_version":"2026-11-01T00:00:00Z","fetched_at":"2026-11-01T00:00:00Z","received_at":"2026-11-01T00:00:00Z","signature":{{"present":false}},"upstream_id":"EX-{i}"}}}}"#
    )
}

/// The same documents with one member out of order and some white space.
fn disordered(lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
    lines
        .iter()
        .map(|line| {
            let Some(rest) = line.strip_prefix(b"{") else {
                return line.clone();
            };
            let mut other = b"{ \"zz\": 0, ".to_vec();
            other.extend_from_slice(rest);
            other
        })
        .collect()
}

/// A visitor that checks order and validity without building anything.
struct Ordered;

impl<'de> DeserializeSeed<'de> for Ordered {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Ordered {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while values.next_element_seed(Ordered)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut last: Option<std::borrow::Cow<'de, str>> = None;
        while let Some(name) = members.next_key()? {
            if last.as_ref().is_some_and(|last| *last >= name) {
                return Err(A::Error::custom("members are not in order"));
            }
            last = Some(name);
            members.next_value_seed(Ordered)?;
        }
        Ok(())
    }
}

fn run(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    lines: &[Vec<u8>],
    work: impl Fn(&[u8]) -> bool,
) {
    group.throughput(Throughput::Bytes(
        lines.iter().map(|line| line.len() as u64).sum(),
    ));
    // A measurement of work that was refused would flatter it.
    let refused = lines.iter().filter(|line| !work(line)).count();
    assert_eq!(refused, 0, "{name} refuses lines");
    group.bench_function(name, |bencher| {
        bencher.iter(|| lines.iter().filter(|line| work(black_box(line))).count());
    });
}

/// `lines` are canonical; `arriving` are such documents as they come in.
fn measure(criterion: &mut Criterion, set: &str, lines: &[Vec<u8>], arriving: &[Vec<u8>]) {
    let limits = Limits::default();
    let mut group = criterion.benchmark_group(set);
    run(&mut group, "check", lines, |line| {
        check(line, &limits).is_ok()
    });
    run(&mut group, "check_record and content.raw", lines, |line| {
        check_record(line, &limits).is_ok_and(|top| top.get_in("content", "raw").is_some())
    });
    run(&mut group, "members", lines, |line| {
        members(line).count() > 0
    });
    run(&mut group, "member_path content.raw", lines, |line| {
        member_path(line, &["content", "raw"]).is_some()
    });
    run(&mut group, "canonicalize, arriving", arriving, |line| {
        canonicalize(line, &limits).is_ok()
    });
    run(&mut group, "peer: serde_json visitor", lines, |line| {
        let mut reader = serde_json::Deserializer::from_slice(line);
        Ordered.deserialize(&mut reader).is_ok() && reader.end().is_ok()
    });
    run(
        &mut group,
        "peer: serde_json Value written again",
        lines,
        |line| {
            serde_json::from_slice::<serde_json::Value>(line)
                .and_then(|value| serde_json::to_vec(&value))
                .is_ok()
        },
    );
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    let lines = generated(1_000);
    measure(criterion, "generated", &lines, &disordered(&lines));
    let Some(path) = std::env::var_os("EXPORT_EVIDENCE") else {
        return;
    };
    let text = std::fs::read(&path).unwrap_or_default();
    let arriving: Vec<Vec<u8>> = text
        .split(|&b| b == b'\n')
        .filter(|line| !line.is_empty())
        .map(<[u8]>::to_vec)
        .collect();
    let lines: Vec<Vec<u8>> = arriving
        .iter()
        .filter_map(|line| canonicalize(line, &Limits::default()).ok())
        .map(std::borrow::Cow::into_owned)
        .collect();
    assert!(
        !lines.is_empty(),
        "EXPORT_EVIDENCE names no file of JSON lines"
    );
    measure(criterion, "evidence", &lines, &arriving);
}

criterion_group!(canonical, benches);
criterion_main!(canonical);
