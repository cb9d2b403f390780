//! Which format a document is of.

use std::fmt;
use std::str::FromStr;

use export_canonical::record::{member_path, members, string_value};

use crate::admit::is_snapshot;

/// A format that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Ledger records, findings and policy snapshots.
    Ledger,
    /// An entry of the Open Source Vulnerability format (<https://ossf.github.io/osv-schema/>).
    Osv,
    /// A CycloneDX bill of materials, or a VEX in that form (ECMA-424).
    CycloneDx,
    /// An SPDX 2.x document in JSON.
    Spdx,
    /// An OpenVEX document (<https://github.com/openvex/spec>).
    OpenVex,
    /// A CSAF 2.x document (OASIS).
    Csaf,
}

/// A name that no format has.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no format: expected ledger, osv, cyclonedx, spdx, openvex, csaf or maven-index")]
pub struct UnknownFormatName(String);

impl Format {
    /// Every format.
    pub const ALL: [Self; 6] = [
        Self::Ledger,
        Self::Osv,
        Self::CycloneDx,
        Self::Spdx,
        Self::OpenVex,
        Self::Csaf,
    ];

    /// The format's name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Osv => "osv",
            Self::CycloneDx => "cyclonedx",
            Self::Spdx => "spdx",
            Self::OpenVex => "openvex",
            Self::Csaf => "csaf",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownFormatName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == name)
            .ok_or_else(|| UnknownFormatName(name.chars().take(80).collect()))
    }
}

/// The format of a document in canonical form, by the members that only that format has. Whether
/// the document is a good one is not asked here.
#[must_use]
pub fn detect(document: &[u8]) -> Option<Format> {
    let mut top = Top::default();
    for member in members(document) {
        match member.key {
            b"bomFormat" if string_value(member.value).is_some_and(|text| text == "CycloneDX") => {
                return Some(Format::CycloneDx);
            }
            b"spdxVersion" => return Some(Format::Spdx),
            b"@context" => {
                // JSON-LD: one text, or a list of them.
                let context = String::from_utf8_lossy(member.value);
                if context.contains("openvex.dev/ns") {
                    return Some(Format::OpenVex);
                }
                if context.contains("spdx.org/rdf/3") {
                    return Some(Format::Spdx);
                }
            }
            b"document" if member_path(member.value, &["csaf_version"]).is_some() => {
                return Some(Format::Csaf);
            }
            b"tenant" => top.tenant = true,
            b"kind" => top.kind = true,
            b"_id" => top.record_id = true,
            b"upstream" => top.upstream = true,
            b"content" => top.content = true,
            b"id" => top.id = string_value(member.value).is_some(),
            b"modified" => top.modified = string_value(member.value).is_some(),
            _ => {}
        }
    }
    if top.is_ledger() || is_snapshot(document) {
        Some(Format::Ledger)
    } else if top.id && top.modified {
        Some(Format::Osv)
    } else {
        None
    }
}

/// Which telling members are there. A record that misses one is still a record, so that the door
/// can say what it misses.
#[derive(Default)]
struct Top {
    tenant: bool,
    kind: bool,
    record_id: bool,
    upstream: bool,
    content: bool,
    id: bool,
    modified: bool,
}

impl Top {
    fn is_ledger(&self) -> bool {
        let own = [
            self.tenant,
            self.kind,
            self.record_id,
            self.upstream,
            self.content,
        ];
        own.iter().filter(|there| **there).count() >= 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_own_members() {
        for (document, expected) in [
            (
                r#"{"bomFormat":"CycloneDX","specVersion":"1.5"}"#,
                Some(Format::CycloneDx),
            ),
            (r#"{"bomFormat":"Other"}"#, None),
            (r#"{"spdxVersion":"SPDX-2.3"}"#, Some(Format::Spdx)),
            (
                r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[]}"#,
                Some(Format::Spdx),
            ),
            (
                r#"{"@context":["https://openvex.dev/ns/v0.2.0"],"statements":[]}"#,
                Some(Format::OpenVex),
            ),
            (r#"{"@context":"https://schema.org"}"#, None),
            (r#"{"document":{"csaf_version":"2.0"}}"#, Some(Format::Csaf)),
            (r#"{"document":{"title":"x"}}"#, None),
            (
                r#"{"id":"X-1","modified":"2024-01-01T00:00:00Z"}"#,
                Some(Format::Osv),
            ),
            (r#"{"id":1,"modified":"x"}"#, None),
            (r#"{"_id":"x","kind":"Advisory"}"#, Some(Format::Ledger)),
            (r#"{"content":{},"tenant":"a"}"#, Some(Format::Ledger)),
            (r#"{"policy_snapshot_id":"p"}"#, Some(Format::Ledger)),
            (r#"{"name":"package.json","version":"1.0.0"}"#, None),
            ("[]", None),
            ("7", None),
        ] {
            assert_eq!(detect(document.as_bytes()), expected, "{document}");
        }
    }

    #[test]
    fn names_parse_back() {
        for format in Format::ALL {
            assert_eq!(format.as_str().parse::<Format>().unwrap(), format);
        }
        assert!("OSV".parse::<Format>().is_err());
    }
}
