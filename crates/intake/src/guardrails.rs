//! The rules for raw evidence: the ledger aggregates, and never derives.
//!
//! They are checked three times: at the door, by the adapter on every record that it exports, and
//! by a verifier that looks into a bundle. So they take canonical bytes, allocate only to refuse,
//! and cost one walk over the members and one SHA-256 of `content.raw`. Findings are evaluated by
//! nature; these rules are not for them.

use export_canonical::record::{Member, TopLevel, jcs_form, members, string_value};
use export_model::{ErrorCode, Sha256Digest};
use sha2::{Digest, Sha256};

/// The version of these rules, for the provenance of what was checked by them.
pub const VERSION: u32 = export_model::GUARDRAILS_VERSION;

/// Members that nobody but an evaluator can have added. At the top level of a raw record only:
/// `content.raw` belongs to its publisher and may contain anything.
pub const DERIVED_MEMBERS: [&str; 9] = [
    "asset_criticality",
    "consensus_provider",
    "cvss",
    "effective_range",
    "effective_status",
    "merged_from",
    "reachability",
    "risk_score",
    "severity",
];

/// A rule that a record breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Violation {
    /// One of the `ERR_AOC_*` codes.
    pub code: ErrorCode,
    /// Which member breaks it, and how.
    pub detail: String,
}

/// Checks a raw record in canonical form.
///
/// # Errors
/// The first rule that it breaks: derived members, then provenance, then the content hash.
pub fn check_raw(canonical_record: &[u8]) -> Result<(), Violation> {
    let mut parts = Parts::default();
    for member in members(canonical_record) {
        refuse_derived(&member)?;
        match member.key {
            b"content" => parts.raw = find(members(member.value), "raw"),
            b"source" => {
                for inner in members(member.value) {
                    parts.source(&inner);
                }
            }
            b"upstream" => {
                for inner in members(member.value) {
                    parts.upstream(&inner);
                }
            }
            _ => {}
        }
    }
    parts.check()
}

/// [`check_raw`] for a record whose members were noted while its form was checked: nothing is
/// walked twice.
///
/// # Errors
/// As [`check_raw`].
pub fn check_raw_outline(record: &TopLevel<'_>) -> Result<(), Violation> {
    for member in record.members() {
        refuse_derived(&member)?;
    }
    let mut parts = Parts {
        raw: record.get_in("content", "raw"),
        ..Parts::default()
    };
    for member in record.members_of("source") {
        parts.source(&member);
    }
    for member in record.members_of("upstream") {
        parts.upstream(&member);
    }
    parts.check()
}

/// The values that the rules look at.
#[derive(Default)]
struct Parts<'a> {
    vendor: Option<&'a [u8]>,
    stream: Option<&'a [u8]>,
    upstream_id: Option<&'a [u8]>,
    content_hash: Option<&'a [u8]>,
    raw: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn source(&mut self, member: &Member<'a>) {
        match member.key {
            b"vendor" => self.vendor = Some(member.value),
            b"stream" => self.stream = Some(member.value),
            _ => {}
        }
    }

    fn upstream(&mut self, member: &Member<'a>) {
        match member.key {
            b"upstream_id" => self.upstream_id = Some(member.value),
            b"content_hash" => self.content_hash = Some(member.value),
            _ => {}
        }
    }

    fn check(&self) -> Result<(), Violation> {
        for (value, name) in [
            (self.vendor, "source.vendor"),
            (self.stream, "source.stream"),
            (self.upstream_id, "upstream.upstream_id"),
        ] {
            // A string in canonical form is empty only if it is `""`.
            if !value.is_some_and(|value| value.len() > 2 && value.first() == Some(&b'"')) {
                return Err(Violation {
                    code: ErrorCode::AocProvenance,
                    detail: format!("`{name}` is missing or empty"),
                });
            }
        }
        let hash = |detail: String| Violation {
            code: ErrorCode::AocContentHash,
            detail,
        };
        let stated = self
            .content_hash
            .and_then(string_value)
            .ok_or_else(|| hash("`upstream.content_hash` is missing".to_owned()))?;
        let raw = self
            .raw
            .ok_or_else(|| hash("there is no `content.raw` to hash".to_owned()))?;
        let stated: Sha256Digest = stated
            .parse()
            .map_err(|error| hash(format!("`upstream.content_hash`: {error}")))?;
        let found = Sha256Digest(Sha256::digest(raw).into());
        if stated == found || is_jcs_hash(raw, &stated) {
            return Ok(());
        }
        Err(hash(format!(
            "`upstream.content_hash` is {stated}, but `content.raw` hashes to {found}"
        )))
    }
}

/// Whether `stated` is the hash of `raw` as RFC 8785 writes it: tools that format numbers anew
/// (`1.10` as `1.1`) hash that.
#[cold]
fn is_jcs_hash(raw: &[u8], stated: &Sha256Digest) -> bool {
    jcs_form(raw).is_ok_and(|form| Sha256Digest::of(&form) == *stated)
}

fn refuse_derived(member: &Member<'_>) -> Result<(), Violation> {
    // Canonical text escapes nothing in these names, so bytes can be compared.
    match DERIVED_MEMBERS
        .iter()
        .find(|name| name.as_bytes() == member.key)
    {
        None => Ok(()),
        Some(name) => Err(Violation {
            code: ErrorCode::AocDerivedField,
            detail: format!("`{name}` is derived, and a raw record carries nothing derived"),
        }),
    }
}

fn find<'a>(mut members: impl Iterator<Item = Member<'a>>, name: &str) -> Option<&'a [u8]> {
    members
        .find(|member| member.key == name.as_bytes())
        .map(|member| member.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use export_canonical::record::{Limits, canonicalize, check_record};

    fn record(raw: &str, hash: &str, extra: &str) -> Vec<u8> {
        let text = format!(
            r#"{{"content":{{"raw":{raw}}},"source":{{"vendor":"v","stream":"s"}},"upstream":{{"upstream_id":"u","content_hash":"{hash}"}}{extra}}}"#
        );
        canonicalize(text.as_bytes(), &Limits::default())
            .unwrap()
            .into_owned()
    }

    fn code(line: &[u8]) -> Result<(), ErrorCode> {
        let plain = check_raw(line).map_err(|violation| violation.code);
        let outline = check_record(line, &Limits::default()).unwrap();
        assert_eq!(
            check_raw_outline(&outline).map_err(|violation| violation.code),
            plain
        );
        plain
    }

    fn hash(raw: &str) -> String {
        Sha256Digest::of(raw.as_bytes()).to_string()
    }

    #[test]
    fn every_derived_member_is_refused_at_the_top_only() {
        for name in DERIVED_MEMBERS {
            let raw = format!(r#"{{"{name}":1}}"#);
            assert_eq!(code(&record(&raw, &hash(&raw), "")), Ok(()), "{name}");
            let line = record(&raw, &hash(&raw), &format!(r#","{name}":null"#));
            assert_eq!(code(&line), Err(ErrorCode::AocDerivedField), "{name}");
        }
    }

    #[test]
    fn the_hash_is_of_the_content_as_written_or_as_rfc_8785_writes_it() {
        let raw = r#"{"score":1.10}"#;
        assert_eq!(code(&record(raw, &hash(raw), "")), Ok(()));
        let reformatted = hash(r#"{"score":1.1}"#);
        assert_eq!(code(&record(raw, &reformatted, "")), Ok(()));
        for wrong in [hash("{}"), "sha256:00".to_owned(), "md5".to_owned()] {
            assert_eq!(
                code(&record(raw, &wrong, "")),
                Err(ErrorCode::AocContentHash),
                "{wrong}"
            );
        }
        // No double holds it, so only the form as written counts.
        assert_eq!(
            code(&record("1e400", &hash("1"), "")),
            Err(ErrorCode::AocContentHash)
        );
        assert_eq!(code(&record("1e400", &hash("1e400"), "")), Ok(()));
    }

    #[test]
    fn provenance_has_to_be_there() {
        let whole = record("1", &hash("1"), "");
        let text = String::from_utf8(whole).unwrap();
        for (from, to) in [
            (r#""vendor":"v""#, r#""vendor":"""#),
            (r#""stream":"s","#, ""),
            (r#""upstream_id":"u""#, r#""upstream_id":7"#),
            (r#""upstream":"#, r#""upstreamed":"#),
            (
                r#""source":{"stream":"s","vendor":"v"}"#,
                r#""source":null"#,
            ),
        ] {
            let line = text.replace(from, to);
            assert_ne!(line, text, "{from}");
            assert_eq!(code(line.as_bytes()), Err(ErrorCode::AocProvenance), "{to}");
        }
        assert_eq!(code(b"{}"), Err(ErrorCode::AocProvenance));
        let no_raw = text.replace(r#""raw":1"#, r#""row":1"#);
        assert_eq!(code(no_raw.as_bytes()), Err(ErrorCode::AocContentHash));
    }
}
