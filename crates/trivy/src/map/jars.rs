//! Jars by their digests: from SBOMs whose components have Maven coordinates and a SHA-1, and from
//! imported Maven indexes.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::row::{JavaRow, Unmapped};

use super::date;
use super::lenient::{self, List, Object, Text};
use super::purl::Purl;
use super::sink::Sink;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CycloneDx {
    metadata: Object<Metadata>,
    components: List<Object<Component>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    timestamp: Text,
    component: Object<Component>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Component {
    #[serde(rename = "type")]
    kind: Text,
    name: Text,
    version: Text,
    purl: Text,
    hashes: List<Object<Hash>>,
    components: List<Object<Component>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Hash {
    alg: Text,
    content: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spdx {
    creation_info: Object<Creation>,
    packages: List<Object<Package>>,
    /// What SPDX 3 has in place of all this.
    #[serde(rename = "@graph")]
    graph: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    created: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Package {
    name: Text,
    version_info: Text,
    external_refs: List<Object<ExternalRef>>,
    checksums: List<Object<Checksum>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ExternalRef {
    reference_type: Text,
    reference_locator: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Checksum {
    algorithm: Text,
    checksum_value: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Index {
    artifacts: List<Object<Artifact>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Artifact {
    g: Text,
    a: Text,
    v: Text,
    c: Text,
    sha1: Text,
}

/// Reads the document, counting what is not of its format.
fn read<T: serde::de::DeserializeOwned + Default>(raw: &str, sink: &mut Sink<'_>) -> Option<T> {
    match lenient::read::<T>(raw) {
        Ok((document, wrong)) => {
            if wrong > 0 {
                let detail = format!("{wrong} members of a wrong type");
                sink.unmapped(Unmapped::Malformed, &detail);
            }
            Some(document)
        }
        Err(error) => {
            sink.unmapped(Unmapped::Malformed, &error.to_string());
            None
        }
    }
}

pub(super) fn cyclonedx(raw: &str, sink: &mut Sink<'_>) {
    let Some(document) = read::<CycloneDx>(raw, sink) else {
        return;
    };
    date::keep_newest(&mut sink.rows().modified, &document.metadata.timestamp);
    component(&document.metadata.component, sink);
    for inner in document.components.iter() {
        component(inner, sink);
    }
}

/// No deeper than the reader lets documents nest.
fn component(of: &Component, sink: &mut Sink<'_>) {
    // Files and systems have digests, and are of no ecosystem.
    if !matches!(
        &*of.kind,
        "file" | "operating-system" | "firmware" | "device"
    ) {
        let hashes = of.hashes.iter();
        let digests = hashes
            .filter(|hash| is_sha1(&hash.alg))
            .map(|hash| &*hash.content);
        jar(&of.name, &of.purl, &of.version, digests, sink);
    }
    for inner in of.components.iter() {
        component(inner, sink);
    }
}

pub(super) fn spdx(raw: &str, sink: &mut Sink<'_>) {
    let Some(document) = read::<Spdx>(raw, sink) else {
        return;
    };
    if document.graph.is_some() {
        return sink.unmapped(Unmapped::Format, "SPDX 3 is not read, only SPDX 2");
    }
    date::keep_newest(&mut sink.rows().modified, &document.creation_info.created);
    for package in document.packages.iter() {
        let purl = package
            .external_refs
            .iter()
            .find(|reference| &*reference.reference_type == "purl")
            .map_or("", |reference| &*reference.reference_locator);
        let digests = package
            .checksums
            .iter()
            .filter(|checksum| is_sha1(&checksum.algorithm))
            .map(|checksum| &*checksum.checksum_value);
        jar(&package.name, purl, &package.version_info, digests, sink);
    }
}

fn is_sha1(algorithm: &str) -> bool {
    algorithm.eq_ignore_ascii_case("SHA-1") || algorithm.eq_ignore_ascii_case("SHA1")
}

/// A component; none that has no SHA-1 or is of another ecosystem is missed.
fn jar<'a>(
    name: &str,
    purl: &str,
    version: &str,
    digests: impl Iterator<Item = &'a str>,
    sink: &mut Sink<'_>,
) {
    let digests: Vec<&str> = digests.collect();
    if digests.is_empty() {
        return;
    }
    let Some(coordinates) = Purl::parse(purl) else {
        let what = if purl.is_empty() { name } else { purl };
        return sink.unmapped(Unmapped::NotMaven, what);
    };
    if coordinates.kind != "maven" {
        return;
    }
    let version = if coordinates.version.is_empty() {
        version.trim_ascii()
    } else {
        &coordinates.version
    };
    for digest in digests {
        let row = row(
            &coordinates.namespace.replace('/', "."),
            &coordinates.name,
            version,
            !coordinates.qualifier("classifier").is_empty(),
            digest,
        );
        match row {
            // A model is no jar, and no jar has its digest.
            Ok(_) if coordinates.qualifier("type") == "pom" => {
                sink.unmapped(Unmapped::NotMaven, purl);
            }
            Ok(row) => sink.java(row),
            Err(reason) => sink.unmapped(reason, purl),
        }
    }
}

pub(super) fn index(raw: &str, sink: &mut Sink<'_>) {
    let Some(index) = read::<Index>(raw, sink) else {
        return;
    };
    for artifact in index.artifacts.iter() {
        let Artifact { g, a, v, c, sha1 } = &artifact.0;
        match row(g, a, v, !c.is_empty(), sha1) {
            Ok(row) => sink.java(row),
            Err(reason) => {
                let detail = format!("{}:{}:{} {}", &**g, &**a, &**v, &**sha1);
                sink.unmapped(reason, &detail);
            }
        }
    }
}

fn row(
    group: &str,
    artifact: &str,
    version: &str,
    classified: bool,
    digest: &str,
) -> Result<JavaRow, Unmapped> {
    let is_text = |text: &str| !text.is_empty() && !text.contains('\0');
    if !is_text(group) || !is_text(artifact) {
        return Err(Unmapped::NotMaven);
    }
    if !is_text(version) {
        return Err(Unmapped::NoComponentVersion);
    }
    Ok(JavaRow {
        sha1: sha1(digest).ok_or(Unmapped::BadDigest)?,
        group: group.to_owned(),
        artifact: artifact.to_owned(),
        version: version.to_owned(),
        classified,
        record: String::new(),
    })
}

fn sha1(hex: &str) -> Option<[u8; 20]> {
    let hex = hex.trim_ascii();
    if hex.len() != 40 {
        return None;
    }
    let mut bytes = [0; 20];
    for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use crate::map::testing::java;
    use crate::row::Unmapped;

    const SHA1: &str = "26c2b6f7bc704ccadc64c83995e0ff7f01020304";

    #[test]
    fn components() {
        let rows = java(
            "CycloneDX",
            &r#"{"metadata":{"timestamp":"2020-08-02T21:27:04Z"},"components":[
              {"purl":"pkg:maven/org.a/b@1.0?type=jar","hashes":[{"alg":"MD5","content":"x"},{"alg":"SHA-1","content":"S"}],
               "components":[{"version":"2","purl":"pkg:maven/org.a/c?classifier=sources","hashes":[{"alg":"SHA-1","content":"S"}]}]},
              {"purl":"pkg:maven/org.a/d","hashes":[{"alg":"SHA-1","content":"S"}]},
              {"purl":"pkg:maven/org.a/e@1","hashes":[{"alg":"SHA-1","content":"abc"}]},
              {"purl":"pkg:maven/org.a/f@1"},
              {"purl":"pkg:npm/g@1","hashes":[{"alg":"SHA-1","content":"S"}]},
              {"name":"h","hashes":[{"alg":"SHA-1","content":"S"}]},
              {"type":"file","name":"i","hashes":[{"alg":"SHA-1","content":"S"}]}]}"#
                .replace("\"S\"", &format!("\"{SHA1}\"")),
        );
        let found: Vec<_> = rows
            .java
            .iter()
            .map(|row| (&*row.group, &*row.artifact, &*row.version, row.classified))
            .collect();
        assert_eq!(
            found,
            [("org.a", "b", "1.0", false), ("org.a", "c", "2", true)]
        );
        assert_eq!(rows.java[0].sha1[..2], [0x26, 0xc2]);
        let reasons: Vec<_> = rows.unmapped.iter().map(|row| row.reason).collect();
        assert_eq!(
            reasons,
            [
                Unmapped::NoComponentVersion,
                Unmapped::BadDigest,
                Unmapped::NotMaven
            ]
        );
        assert_eq!(rows.modified.as_deref(), Some("2020-08-02T21:27:04Z"));
    }

    #[test]
    fn packages() {
        let rows = java(
            "SPDX",
            &format!(
                r#"{{"creationInfo":{{"created":"2024-01-01T00:00:00Z"}},"packages":[{{"name":"b","versionInfo":"1",
                "externalRefs":[{{"referenceType":"purl","referenceLocator":"pkg:maven/g/b"}}],
                "checksums":[{{"algorithm":"SHA1","checksumValue":"{SHA1}"}}]}}]}}"#
            ),
        );
        assert_eq!(rows.java.len(), 1);
        assert_eq!(rows.java[0].version, "1");
    }

    #[test]
    fn index() {
        let rows = java(
            "MavenIndex",
            &format!(
                r#"{{"artifacts":[{{"g":"g","a":"a","v":"1","sha1":"{SHA1}"}},{{"g":"g","a":"a","v":"1","c":"sources","sha1":"{SHA1}"}},
                {{"g":"g","a":"a","sha1":"{SHA1}"}},{{"g":"","a":"a","v":"1","sha1":"{SHA1}"}},{{"g":"g","a":"a","v":"1","sha1":"zz"}}]}}"#
            ),
        );
        assert_eq!(rows.java.len(), 2);
        assert!(rows.java[1].classified);
        let reasons: Vec<_> = rows.unmapped.iter().map(|row| row.reason).collect();
        assert_eq!(
            reasons,
            [
                Unmapped::NoComponentVersion,
                Unmapped::NotMaven,
                Unmapped::BadDigest
            ]
        );
    }
}
