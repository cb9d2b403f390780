//! The evidence that worlds begin with: made once a test binary, copied into every home.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, anyhow};
use export_api::{NewProfile, create_profile};
use export_canonical::record::Limits;
use export_embedded::{FileSigner, Home};
use export_intake::generate::generate;
use export_intake::{Admitted, admit};
use export_model::{AdmittedRecord, Kind, ProfileConfig, ProfileKind, Sha256Digest, Tenant};
use export_ports::{LedgerWriter as _, PolicyWriter as _, Signer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Random;

/// Files of a home that hold its evidence, its profiles and an empty queue.
const FILES: [&str; 3] = ["ledger.db", "state.db", "queue.db"];

/// Enough for every kind of record, for several parts of a kind and for two shards, and no more:
/// `acme` and `globex` have 9 records each. Profiles: `small` (`json:policy`, a part a record),
/// `other` (`json:raw`, one part a kind), `vex` (`json:raw`, VEX alone), `scanner` and `jars`
/// (`trivy:db` and `trivy:java-db`, a part a record).
pub static SMALL: Evidence = Evidence::new(small);

/// About 18 MiB that do not compress: an archive of three upload parts, from `acme` and its profile
/// `small`.
pub static HEAVY: Evidence = Evidence::new(heavy);

/// What changes: `acme` has eight advisories, one after the other, then second revisions of three of them
/// and two more. So a mirror as of watermark [`BEFORE_CHANGES`] and one as of now differ in eight places.
pub static CHANGING: Evidence = Evidence::in_batches(changing, FIRST);

/// The watermark at which [`CHANGING`] has changed nothing yet.
pub const BEFORE_CHANGES: u64 = FIRST as u64;
/// How many records there are until then.
const FIRST: usize = 8;

/// A home's evidence, and the key that every world signs with.
pub struct Evidence {
    fill: fn(&Tenant) -> Result<Vec<Vec<u8>>>,
    /// How many records are appended at once; those of one batch have no order of time.
    batch: usize,
    made: OnceLock<Result<Made, String>>,
}

struct Made {
    folder: TempDir,
    signer: Arc<dyn Signer>,
}

impl Evidence {
    const fn new(fill: fn(&Tenant) -> Result<Vec<Vec<u8>>>) -> Self {
        Self::in_batches(fill, usize::MAX)
    }

    const fn in_batches(fill: fn(&Tenant) -> Result<Vec<Vec<u8>>>, batch: usize) -> Self {
        Self {
            fill,
            batch,
            made: OnceLock::new(),
        }
    }

    /// Copies it to `home`, which must be empty; gives the signing key.
    ///
    /// # Errors
    /// When it cannot be made or copied.
    pub fn copy_to(&self, home: &Path) -> Result<Arc<dyn Signer>> {
        let made = self
            .made
            .get_or_init(|| {
                // A runtime of its own: the caller may be inside one.
                let (fill, batch) = (self.fill, self.batch);
                let making = std::thread::spawn(move || make(fill, batch));
                let outcome = making.join().map_err(|_| "it panicked".to_owned())?;
                outcome.map_err(|error| format!("{error:#}"))
            })
            .as_ref()
            .map_err(|error| anyhow!("making the evidence: {error}"))?;
        std::fs::create_dir_all(home).with_context(|| format!("creating {}", home.display()))?;
        for file in FILES {
            let from = made.folder.path().join(file);
            std::fs::copy(&from, home.join(file))
                .with_context(|| format!("copying {}", from.display()))?;
        }
        Ok(Arc::clone(&made.signer))
    }
}

/// Where worlds lie: in memory where there is such a file system, because no test here is about
/// what survives a power failure.
pub(crate) fn scratch() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

fn make(fill: fn(&Tenant) -> Result<Vec<Vec<u8>>>, batch: usize) -> Result<Made> {
    let folder = tempfile::Builder::new()
        .prefix("export-evidence-")
        .tempdir_in(scratch())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let signer: Arc<dyn Signer> = {
        let home = Home::open(folder.path())?;
        let signer: Arc<dyn Signer> = Arc::new(FileSigner::open(&home.keys(), None)?);
        runtime.block_on(fill_home(&home, &signer, fill, batch))?;
        signer
    };
    Ok(Made { folder, signer })
}

async fn fill_home(
    home: &Home,
    signer: &Arc<dyn Signer>,
    fill: fn(&Tenant) -> Result<Vec<Vec<u8>>>,
    batch: usize,
) -> Result<()> {
    let ports = home.ports(Arc::clone(signer));
    for name in ["acme", "globex"] {
        let tenant: Tenant = name.parse()?;
        let mut records: Vec<AdmittedRecord> = Vec::new();
        for line in fill(&tenant)? {
            match admit(&line, Some(&tenant), &Limits::default()) {
                Ok(Admitted::Record(record)) => records.push(*record),
                Ok(Admitted::Snapshot(snapshot)) => {
                    home.ledger().add_snapshot(&snapshot).await?;
                }
                Err(refusal) => return Err(anyhow!("a record was refused: {refusal:?}")),
            }
        }
        for some in records.chunks(batch) {
            let now = ports.clock.now();
            home.ledger().append(some.to_vec(), now).await?;
        }
        for (name, kind, kinds, records_per_part) in [
            ("small", ProfileKind::JsonPolicy, None, 1),
            ("other", ProfileKind::JsonRaw, None, 50_000),
            ("vex", ProfileKind::JsonRaw, Some(vec![Kind::Vex]), 50_000),
            ("scanner", ProfileKind::TrivyDb, None, 1),
            ("jars", ProfileKind::TrivyJavaDb, None, 1),
        ] {
            let new = NewProfile {
                name: name.to_owned(),
                kind,
                description: String::new(),
                config: ProfileConfig {
                    kinds,
                    records_per_part,
                    ..ProfileConfig::default()
                },
            };
            create_profile(&ports, &tenant, new).await?;
        }
    }
    Ok(())
}

fn small(tenant: &Tenant) -> Result<Vec<Vec<u8>>> {
    let mut lines = Vec::new();
    for (kind, count) in [("advisory", 4), ("sbom", 1), ("vex", 2)] {
        let marker = format!(r#""kind":"{kind}""#);
        let of_kind = generate(250, 7, tenant).filter(|line| {
            line.windows(marker.len())
                .any(|part| part == marker.as_bytes())
        });
        lines.extend(of_kind.take(count));
    }
    lines.extend(decisions(tenant)?);
    Ok(lines)
}

/// A policy snapshot and two findings.
fn decisions(tenant: &Tenant) -> Result<Vec<Vec<u8>>> {
    let inputs_hash = Sha256Digest::of(b"inputs").to_string();
    let mut documents = vec![json!({
        "created_at": "2026-11-01T00:00:00Z",
        "inputs_hash": inputs_hash,
        "name": "nightly",
        "policy_snapshot_id": "snapshot-1",
        "policy_version": "1.0.0",
        "tenant": tenant,
    })];
    for (number, status) in ["affected", "not_affected"].into_iter().enumerate() {
        documents.push(json!({
            "_id": format!("finding-{number}"),
            "advisory_id": "GEN-7-00000000",
            "decision_trace": [{"rule": "reachable", "outcome": status}],
            "evaluated_at": "2026-11-01T00:00:00Z",
            "inputs_hash": inputs_hash,
            "kind": "finding",
            "policy_snapshot_id": "snapshot-1",
            "policy_version": "1.0.0",
            "severity": {"normalized": "high"},
            "status": status,
            "subject": {"component_purl": format!("pkg:npm/left-pad@{number}"), "sbom_id": "sbom-1"},
            "subject_key": format!("pkg:npm/left-pad@{number}"),
            "tenant": tenant,
            "vulnerability_id": "CVE-2999-0000001",
        }));
    }
    let lines: Result<_, serde_json::Error> = documents.iter().map(serde_json::to_vec).collect();
    Ok(lines?)
}

fn heavy(tenant: &Tenant) -> Result<Vec<Vec<u8>>> {
    let mut random = Random::new(1);
    let mut lines = decisions(tenant)?;
    for number in 0..18_u32 {
        let mut noise = String::new();
        while noise.len() < 2 << 20 {
            noise.push_str(&format!("{:016x}", random.number()));
        }
        let id = format!("HEAVY-{number:03}");
        let raw = json!({
            "id": id,
            "modified": "2026-10-01T00:00:00Z",
            "details": noise,
        });
        lines.push(serde_json::to_vec(&envelope(tenant, &id, &raw))?);
    }
    Ok(lines)
}

fn changing(tenant: &Tenant) -> Result<Vec<Vec<u8>>> {
    let first = (0..FIRST).map(|number| (number, "2026-10-01T00:00:00Z"));
    let second = [0, 3, 7, 8, 9].map(|number| (number, "2026-10-02T00:00:00Z"));
    first
        .chain(second)
        .map(|(number, modified)| {
            let id = format!("CHANGING-{number:03}");
            let raw = json!({"id": id, "modified": modified});
            Ok(serde_json::to_vec(&envelope(tenant, &id, &raw))?)
        })
        .collect()
}

/// A ledger record around an advisory of plain ASCII with sorted members.
fn envelope(tenant: &Tenant, id: &str, raw: &Value) -> Value {
    let hash = Sha256Digest::of(raw.to_string().as_bytes());
    let short = hash.hex().get(..12).unwrap_or_default().to_owned();
    json!({
        "_id": format!("advisory_raw:example.feed:{id}:{short}"),
        "tenant": tenant,
        "kind": "advisory",
        "subject_key": id,
        "source": {"vendor": "example", "stream": "feed", "collector_version": "collector/1.0.0"},
        "upstream": {
            "upstream_id": id,
            "document_version": "1",
            "fetched_at": "2026-11-01T00:00:00Z",
            "received_at": "2026-11-01T00:00:00Z",
            "content_hash": hash.to_string(),
            "signature": {"present": false},
        },
        "content": {"format": "OSV", "spec_version": "1.6.0", "raw": raw},
        "identifiers": {"primary": id, "aliases": [id], "cve": [], "ghsa": []},
        "linkset": {
            "purls": [], "cpes": [], "aliases": [id], "references": [],
            "reconciled_from": ["/affected"],
        },
    })
}
