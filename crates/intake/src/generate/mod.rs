//! Evidence of any size for tests and measurements: the same arguments give the same bytes, in
//! every version.
//!
//! Records look like the real ones and behave so: they pass the door, a document has about 1 KB and
//! its record 2, their text compresses like prose (about 6 times with zstd), their ids differ, and every ecosystem gets its share. Most are
//! advisories in OSV's shape; one in 50 is an OpenVEX statement, one in 250 a CycloneDX SBOM. They
//! name themselves `GEN-…`, and their vulnerabilities `CVE-2999-…`, so that nobody takes them for
//! real.
//!
//! A record depends on the seed and on its own number only, so a longer run begins with the same
//! records as a shorter one.

mod prose;
mod random;

use std::fmt::Write;

use export_model::{Sha256Digest, Tenant, Timestamp};
use prose::{paragraph, word};
use random::Random;

/// 2026-11-01T00:00:00Z: the time of every envelope.
const RECEIVED: &str = "2026-11-01T00:00:00Z";
/// 2020-01-01T00:00:00Z in seconds: documents were changed in the five years after.
const EPOCH: i64 = 1_577_836_800;
const FIVE_YEARS: u64 = 157_766_400;

/// OSV ecosystem and purl type.
const ECOSYSTEMS: [(&str, &str); 7] = [
    ("npm", "npm"),
    ("PyPI", "pypi"),
    ("crates.io", "cargo"),
    ("RubyGems", "gem"),
    ("NuGet", "nuget"),
    ("Pub", "pub"),
    ("Go", "golang"),
];

/// `records` ledger records of `tenant`, one line each in canonical form, without line ends.
pub fn generate(records: u64, seed: u64, tenant: &Tenant) -> impl Iterator<Item = Vec<u8>> {
    let tenant = tenant.clone();
    (0..records).map(move |number| record(number, seed, &tenant).into_bytes())
}

/// What the envelope says about a document.
struct Envelope<'a> {
    kind: &'a str,
    format: &'a str,
    spec_version: &'a str,
    stream: &'a str,
    upstream_id: &'a str,
    document_version: &'a str,
    subject_key: &'a str,
    /// Name and purl, for an SBOM.
    subject: Option<(&'a str, &'a str)>,
    /// Sorted; none for an SBOM.
    aliases: &'a [&'a str],
    /// Sorted.
    purls: &'a [String],
    references: &'a [String],
    reconciled_from: &'a str,
}

fn record(number: u64, seed: u64, tenant: &Tenant) -> String {
    let mut random = Random::new(seed, number);
    if number % 250 == 249 {
        sbom(&mut random, number, seed, tenant)
    } else if number % 50 == 49 {
        vex(&mut random, number, seed, tenant)
    } else {
        advisory(&mut random, number, seed, tenant)
    }
}

fn time(random: &mut Random) -> String {
    let seconds = EPOCH.saturating_add_unsigned(random.below(FIVE_YEARS));
    Timestamp(seconds.saturating_mul(1000)).to_string()
}

fn version(random: &mut Random) -> String {
    format!(
        "{}.{}.{}",
        random.below(9),
        random.below(20),
        random.below(30)
    )
}

fn package(random: &mut Random) -> (&'static str, String, String) {
    let (ecosystem, purl_type) = *random.pick(&ECOSYSTEMS);
    let mut name = format!("{}-{}", word(random), word(random));
    if ecosystem == "Go" {
        name = format!("example.com/{}/{name}", word(random));
    }
    let purl = format!("pkg:{purl_type}/{name}");
    (ecosystem, name, purl)
}

fn advisory(random: &mut Random, number: u64, seed: u64, tenant: &Tenant) -> String {
    let id = format!("GEN-{seed:x}-{number:08}");
    let cve = format!("CVE-2999-{:07}", random.below(10_000_000));
    let (modified, published) = (time(random), time(random));
    let (ecosystem, name, purl) = package(random);
    let (introduced, fixed) = (version(random), version(random));
    let summary = format!("{} in {name}", paragraph(random, 4));
    let details = paragraph(random, 60);
    let url = format!("https://example.com/advisories/{id}");
    let fix = format!("https://example.com/{name}/commit/{:016x}", random.next());
    let raw = format!(
        r#"{{"affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"{name}","purl":"{purl}"}},"ranges":[{{"events":[{{"introduced":"{introduced}"}},{{"fixed":"{fixed}"}}],"type":"SEMVER"}}]}}],"aliases":["{cve}"],"details":"{details}","id":"{id}","modified":"{modified}","published":"{published}","references":[{{"type":"ADVISORY","url":"{url}"}},{{"type":"FIX","url":"{fix}"}}],"schema_version":"1.6.0","summary":"{summary}"}}"#
    );
    let envelope = Envelope {
        kind: "advisory",
        format: "OSV",
        spec_version: "1.6.0",
        stream: "osv",
        upstream_id: &id,
        document_version: &modified,
        subject_key: &id,
        subject: None,
        aliases: &[&cve, &id],
        purls: &[purl],
        references: &[
            format!(r#"{{"type":"advisory","url":"{url}"}}"#),
            format!(r#"{{"type":"fix","url":"{fix}"}}"#),
        ],
        reconciled_from: r#""/affected","/aliases","/references""#,
    };
    envelope.around(&raw, tenant)
}

fn vex(random: &mut Random, number: u64, seed: u64, tenant: &Tenant) -> String {
    let id = format!("https://example.com/vex/GEN-{seed:x}-{number:08}");
    let cve = format!("CVE-2999-{:07}", random.below(10_000_000));
    let time = time(random);
    let (_, _, purl) = package(random);
    let purl = format!("{purl}@{}", version(random));
    let impact = paragraph(random, 25);
    let raw = format!(
        r#"{{"@context":"https://openvex.dev/ns/v0.2.0","@id":"{id}","author":"Generated","statements":[{{"impact_statement":"{impact}","justification":"vulnerable_code_not_in_execute_path","products":[{{"@id":"{purl}"}}],"status":"not_affected","vulnerability":{{"name":"{cve}"}}}}],"timestamp":"{time}","version":1}}"#
    );
    let envelope = Envelope {
        kind: "vex",
        format: "OpenVEX",
        spec_version: "0.2.0",
        stream: "openvex",
        upstream_id: &id,
        document_version: "1",
        subject_key: &cve,
        subject: None,
        aliases: &[&cve],
        purls: &[purl],
        references: &[],
        reconciled_from: r#""/statements""#,
    };
    envelope.around(&raw, tenant)
}

fn sbom(random: &mut Random, number: u64, seed: u64, tenant: &Tenant) -> String {
    let serial = format!("urn:generated:{seed:x}:{number:08}");
    let time = time(random);
    let (_, name, main) = package(random);
    let main = format!("{main}@{}", version(random));
    let mut purls = Vec::new();
    let mut components = String::new();
    for index in 0..10 + random.below(30) {
        let (_, name, purl) = package(random);
        let version = version(random);
        let purl = format!("{purl}@{version}");
        let comma = if index > 0 { "," } else { "" };
        let description = paragraph(random, 8);
        // Writing to a String cannot fail.
        let _ = write!(
            components,
            r#"{comma}{{"description":"{description}","name":"{name}","purl":"{purl}","type":"library","version":"{version}"}}"#
        );
        purls.push(purl);
    }
    purls.sort_unstable();
    purls.dedup();
    let raw = format!(
        r#"{{"bomFormat":"CycloneDX","components":[{components}],"metadata":{{"component":{{"name":"{name}","purl":"{main}","type":"application"}},"timestamp":"{time}"}},"serialNumber":"{serial}","specVersion":"1.6","version":1}}"#
    );
    let envelope = Envelope {
        kind: "sbom",
        format: "CycloneDX",
        spec_version: "1.6",
        stream: "sbom",
        upstream_id: &serial,
        document_version: "1",
        subject_key: &main,
        subject: Some((&name, &main)),
        aliases: &[],
        purls: &purls,
        references: &[],
        reconciled_from: r#""/components""#,
    };
    envelope.around(&raw, tenant)
}

fn quoted<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let mut out = String::new();
    for text in texts {
        if !out.is_empty() {
            out.push(',');
        }
        out.push('"');
        out.push_str(text.as_ref());
        out.push('"');
    }
    out
}

impl Envelope<'_> {
    /// The whole record. No text in it needs an escape.
    fn around(&self, raw: &str, tenant: &Tenant) -> String {
        let Self {
            kind,
            format,
            spec_version,
            stream,
            upstream_id,
            document_version,
            subject_key,
            reconciled_from,
            ..
        } = self;
        let hash = Sha256Digest::of(raw.as_bytes());
        let hex = hash.hex();
        let short = hex.get(..12).unwrap_or_default();
        let aliases = quoted(self.aliases);
        let purls = quoted(self.purls);
        let references = self.references.join(",");
        let identifiers = self.aliases.last().map_or_else(String::new, |primary| {
            let cve = quoted(self.aliases.iter().filter(|alias| alias.starts_with("CVE-")));
            format!(
                r#""identifiers":{{"aliases":[{aliases}],"cve":[{cve}],"ghsa":[],"primary":"{primary}"}},"#
            )
        });
        let subject = self.subject.map_or_else(String::new, |(name, purl)| {
            format!(r#""subject":{{"name":"{name}","purl":"{purl}"}},"#)
        });
        format!(
            r#"{{"_id":"{kind}_raw:generated.{stream}:{upstream_id}:{short}","content":{{"format":"{format}","raw":{raw},"spec_version":"{spec_version}"}},{identifiers}"kind":"{kind}","linkset":{{"aliases":[{aliases}],"cpes":[],"purls":[{purls}],"reconciled_from":[{reconciled_from}],"references":[{references}]}},"source":{{"collector_version":"generate/1","stream":"{stream}","vendor":"generated"}},{subject}"subject_key":"{subject_key}","tenant":"{tenant}","upstream":{{"content_hash":"{hash}","document_version":"{document_version}","fetched_at":"{RECEIVED}","received_at":"{RECEIVED}","signature":{{"present":false}},"upstream_id":"{upstream_id}"}}}}"#
        )
    }
}

#[cfg(test)]
mod tests;
