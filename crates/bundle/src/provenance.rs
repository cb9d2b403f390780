//! `provenance.json`: an in-toto Statement v1 with SLSA provenance v1.
//!
//! Readers parse the statement and its descriptors strictly, so everything of ours stands where
//! the specification leaves room: in the parameters and in annotations, whose values are texts
//! because some readers turn numbers into doubles. Sources: in-toto/attestation v1, SLSA v1.1
//! "Build: Provenance".

use export_canonical::jcs::{JcsError, to_jcs};
use export_model::{
    Kind, MirrorBase, PolicySnapshot, ProfileKind, RecordedApproval, RunId, RunOptions, Selectors,
    Sha256Digest, SourceTally, Tenant, Timestamp,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::manifest::MEDIA_TYPE_JSON_LINES;
use crate::paths;

/// The statement's type.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The predicate's type.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// How a bundle is built.
pub const BUILD_TYPE: &str = "https://export-center.dev/bundle/v1";
/// Name of the subject that stands for the payload's contents.
pub const CONTENT_SUBJECT: &str = "content";

/// Who built a bundle, and so which level the provenance may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builder {
    /// The service, with a key that only it can use: SLSA build level 2.
    Service,
    /// Whoever holds a key file: level 1.
    KeyFile,
}

impl Builder {
    /// The builder's id.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Service => "https://export-center.dev/worker/l2",
            Self::KeyFile => "https://export-center.dev/worker/dev",
        }
    }
}

/// Everything that a statement says. Nothing is looked up here.
#[derive(Clone, Debug)]
pub struct ProvenanceInputs {
    /// SHA-256 of `export.json`.
    pub manifest_sha256: Sha256Digest,
    /// The manifest's content digest.
    pub content_digest: Sha256Digest,
    /// Who built it.
    pub builder: Builder,
    /// The run.
    pub run_id: RunId,
    /// Whose run it is.
    pub tenant: Tenant,
    /// The profile's name.
    pub profile_name: String,
    /// The profile's revision.
    pub profile_revision: u32,
    /// What the profile produces.
    pub profile_kind: ProfileKind,
    /// What was selected.
    pub selectors: Selectors,
    /// What else was asked for.
    pub options: RunOptions,
    /// The approvals that it was accepted with.
    pub approvals: Vec<RecordedApproval>,
    /// The adapter's name and version.
    pub adapter: (String, String),
    /// The version of the program.
    pub exporter_version: String,
    /// The compression level.
    pub compression_level: i32,
    /// The version of libzstd.
    pub libzstd_version: String,
    /// When planning began; written in whole seconds.
    pub started_at: Timestamp,
    /// When the documents were written; written in whole seconds.
    pub finished_at: Timestamp,
    /// The ledger's state that was exported.
    pub watermark: u64,
    /// What each source gave, in canonical order of owner, kind and source.
    pub sources: Vec<(Kind, SourceTally)>,
    /// Where files are sealed: how, and which they are.
    pub sealing: Option<SealingInputs>,
    /// Of a delta: the export that it starts from.
    pub base: Option<MirrorBase>,
    /// The policy snapshot, where one was exported.
    pub policy_snapshot: Option<PolicySnapshot>,
    /// Owner and `_id` of the SBOMs that the selectors named.
    pub sboms: Vec<(Tenant, String)>,
    /// The signer's own name of the key.
    pub key_id: String,
    /// The key's fingerprint, `sha256:<hex>` over its SPKI DER.
    pub key_fingerprint: String,
}

/// How the files of a bundle are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealingInputs {
    /// What a reader needs: `mode`, and `recipients` or the wrapped key.
    pub how: Value,
    /// The sealed files: path and SHA-256.
    pub files: Vec<(String, Sha256Digest)>,
}

impl SealingInputs {
    fn byproducts(&self) -> Value {
        let one = |(path, sha256): &(String, Sha256Digest)| json!({"name": path, "digest": {"sha256": sha256.hex()}});
        self.files.iter().map(one).collect()
    }
}

impl ProvenanceInputs {
    /// The statement's bytes: RFC 8785, without a line end.
    ///
    /// # Errors
    /// Where a number is beyond 2^53 − 1.
    pub fn to_bytes(&self) -> Result<Vec<u8>, JcsError> {
        to_jcs(&self.statement()?)
    }

    /// What was asked for.
    #[must_use]
    pub fn parameters(&self) -> Value {
        let mut asked = json!({
            "profile": {
                "kind": self.profile_kind,
                "name": self.profile_name,
                "revision": self.profile_revision,
            },
            "selectors": self.selectors,
            "options": self.options,
        });
        if let (false, Some(asked)) = (self.approvals.is_empty(), asked.as_object_mut()) {
            asked.insert("approvals".to_owned(), self.approvals());
        }
        asked
    }

    fn statement(&self) -> Result<Value, JcsError> {
        let mut internal = json!({
            "adapter": {"name": self.adapter.0, "version": self.adapter.1},
            "compression": format!("zstd:{}:{}", self.compression_level, self.libzstd_version),
            "exporter_version": self.exporter_version,
            "key": {"fingerprint": self.key_fingerprint, "id": self.key_id},
        });
        let manifest = json!({
            "name": paths::MANIFEST, "digest": {"sha256": self.manifest_sha256.hex()}
        });
        let content = json!({
            "name": CONTENT_SUBJECT, "digest": {"sha256": self.content_digest.hex()}
        });
        let (subject, asked, dependencies) = match &self.sealing {
            None => (
                vec![manifest, content],
                self.parameters(),
                self.dependencies()?,
            ),
            // What was asked for, and what went in, tell what is in the files.
            Some(_) => {
                let mut asked = self.parameters();
                if let Some(asked) = asked.as_object_mut() {
                    asked.retain(|name, _| name == "profile");
                }
                (vec![manifest], asked, Vec::new())
            }
        };
        let mut details = json!({
            "builder": {
                "id": self.builder.id(),
                "version": {"export-center": self.exporter_version},
            },
            "metadata": {
                "invocationId": format!("urn:uuid:{}", self.run_id),
                "startedOn": self.started_at.whole_seconds(),
                "finishedOn": self.finished_at.whole_seconds(),
            },
        });
        if let Some(sealing) = &self.sealing {
            if let Some(internal) = internal.as_object_mut() {
                internal.insert("sealing".to_owned(), sealing.how.clone());
            }
            if let Some(details) = details.as_object_mut() {
                details.insert("byproducts".to_owned(), sealing.byproducts());
            }
        }
        Ok(json!({
            "_type": STATEMENT_TYPE,
            "predicateType": PREDICATE_TYPE,
            "subject": subject,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": asked,
                    "internalParameters": internal,
                    "resolvedDependencies": dependencies,
                },
                "runDetails": details,
            },
        }))
    }

    /// Approvals by what identifies them. Their terms stay between the two tenants.
    fn approvals(&self) -> Value {
        let one = |approval: &RecordedApproval| {
            json!({
                "digest": {"sha256": approval.sha256.hex()},
                "grantor": approval.grantor,
                "key": {"fingerprint": approval.key_fingerprint},
                "nonce": approval.nonce,
            })
        };
        self.approvals.iter().map(one).collect()
    }

    /// What went in.
    ///
    /// # Errors
    /// Where a number is beyond 2^53 − 1.
    pub fn dependencies(&self) -> Result<Vec<Value>, JcsError> {
        let mut all = Vec::new();
        for (kind, tally) in &self.sources {
            let owner = tally.owner.as_ref().unwrap_or(&self.tenant);
            let tenant = encoded(owner.as_str());
            let query = to_jcs(&json!({
                "kind": kind,
                "options": self.options,
                "selectors": self.selectors,
                "source": tally.source,
                "tenant": owner,
            }))?;
            let source = &tally.source;
            let name = match &tally.owner {
                None => format!("{kind}:{source}"),
                Some(owner) => format!("{owner}:{kind}:{source}"),
            };
            all.push(json!({
                "name": name,
                "uri": format!(
                    "urn:export-center:ledger:{tenant}:{kind}:{}/{}",
                    encoded(&source.vendor),
                    encoded(&source.stream)
                ),
                "digest": {"sha256": tally.hash.hex()},
                "mediaType": MEDIA_TYPE_JSON_LINES,
                "annotations": {
                    "query": String::from_utf8_lossy(&query),
                    "records": tally.records.to_string(),
                    "watermark": self.watermark.to_string(),
                },
            }));
        }
        if let Some(base) = &self.base {
            let (tenant, id) = (encoded(self.tenant.as_str()), &base.export_id);
            all.push(json!({
                "name": "base",
                "uri": format!("urn:export-center:export:{tenant}:{id}"),
                "digest": {"sha256": base.manifest_sha256.hex()},
                "annotations": {
                    "tree_digest": base.tree_digest,
                    "watermark": base.watermark.to_string(),
                },
            }));
        }
        if let Some(snapshot) = &self.policy_snapshot {
            let id = &snapshot.policy_snapshot_id;
            let tenant = encoded(self.tenant.as_str());
            all.push(json!({
                "name": "policy_snapshot",
                "uri": format!("urn:export-center:policy:{tenant}:{}", encoded(id)),
                "digest": {"sha256": snapshot.inputs_hash.hex()},
                "annotations": {"id": id, "policy_version": snapshot.policy_version},
            }));
        }
        for (owner, sbom) in &self.sboms {
            let tenant = encoded(owner.as_str());
            all.push(json!({
                "name": "sbom",
                "uri": format!("urn:export-center:sbom:{tenant}:{}", encoded(sbom)),
                "annotations": {"id": sbom},
            }));
        }
        Ok(all)
    }
}

/// Percent-encodes what may not stand in a component of a URN (RFC 8141, section 2).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// What a reader needs of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenanceSummary {
    /// The subjects: name and SHA-256.
    pub subjects: Vec<(String, Sha256Digest)>,
    /// The predicate's type.
    pub predicate_type: String,
    /// The builder's id.
    pub builder_id: String,
    /// The version of the program that built it, where it says so.
    pub exporter_version: Option<String>,
    /// The tenants whose approvals it names, in its order.
    pub grantors: Vec<String>,
    /// How the files are sealed, where they are.
    pub sealing: Option<Value>,
}

/// Why bytes are no statement that a bundle has.
#[derive(Debug, thiserror::Error)]
#[error("provenance.json is not a SLSA provenance statement: {0}")]
pub struct ProvenanceError(String);

#[derive(Deserialize)]
struct Statement {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Map<String, Value>,
}

#[derive(Deserialize)]
struct Subject {
    name: String,
    digest: Digest,
}

#[derive(Deserialize)]
struct Digest {
    sha256: String,
}

impl ProvenanceSummary {
    /// Reads a statement. Members that are not needed are passed over.
    ///
    /// # Errors
    /// When it is not a statement of the known type with SHA-256 subjects and a builder.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProvenanceError> {
        let refused = |what: String| ProvenanceError(paths::shown(&what));
        let statement: Statement =
            serde_json::from_slice(bytes).map_err(|error| refused(error.to_string()))?;
        if statement.statement_type != STATEMENT_TYPE {
            return Err(refused(format!("its type is {}", statement.statement_type)));
        }
        if statement.predicate_type != PREDICATE_TYPE {
            return Err(refused(format!(
                "its predicate is {}",
                statement.predicate_type
            )));
        }
        let mut subjects = Vec::new();
        for Subject { name, digest } in statement.subject {
            let digest = Sha256Digest::from_hex(&digest.sha256)
                .map_err(|error| refused(error.to_string()))?;
            subjects.push((name, digest));
        }
        let predicate = Value::Object(statement.predicate);
        let text = |pointer: &str| {
            predicate
                .pointer(pointer)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        Ok(Self {
            subjects,
            predicate_type: statement.predicate_type,
            builder_id: text("/runDetails/builder/id")
                .ok_or_else(|| refused("it names no builder".to_owned()))?,
            exporter_version: text("/buildDefinition/internalParameters/exporter_version"),
            sealing: predicate
                .pointer("/buildDefinition/internalParameters/sealing")
                .cloned(),
            grantors: predicate
                .pointer("/buildDefinition/externalParameters/approvals")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|approval| Some(approval.get("grantor")?.as_str()?.to_owned()))
                .collect(),
        })
    }

    /// The digest of the subject called `name`.
    #[must_use]
    pub fn subject(&self, name: &str) -> Option<Sha256Digest> {
        self.subjects
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, digest)| *digest)
    }
}

#[cfg(test)]
#[path = "provenance_tests.rs"]
mod tests;
