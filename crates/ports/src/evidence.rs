//! The evidence ports: the ledger's raw records and the policy engine's findings.
//!
//! Both are read the same way: an index, walked in canonical order without touching a record, and
//! pages of records between two positions. A read names a watermark, so that what is appended
//! meanwhile is not seen.

use std::collections::BTreeSet;
use std::ops::Range;

use async_trait::async_trait;
use export_model::{
    AdmittedRecord, CompiledSelectors, IndexEntry, Kind, PolicySnapshot, Position, Revisions,
    Sha256Digest, Source, Tenant, Timestamp,
};

use crate::PortError;

/// Which records to read. Fixed for a whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Whose records.
    pub tenant: Tenant,
    /// Of which kind.
    pub kind: Kind,
    /// The ledger's state: records with `seq ≤ watermark < superseded_at_seq`.
    pub watermark: u64,
    /// Whether superseded revisions are read too (then `seq ≤ watermark` alone decides).
    pub revisions: Revisions,
    /// Which of them. Visibility is decided first: a successor that is not selected still hides
    /// its predecessor.
    pub selectors: CompiledSelectors,
    /// For findings: of which snapshot.
    pub policy_snapshot_id: Option<String>,
}

/// How much one page may hold: it ends at whichever comes first, after at least one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageBudget {
    /// Records.
    pub records: usize,
    /// Bytes of records.
    pub bytes: usize,
}

/// A record in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRef {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub subject_key: String,
    /// Where its bytes lie in the page.
    pub bytes: Range<usize>,
    /// SHA-256 of its canonical bytes, as the index has it.
    pub record_sha256: Sha256Digest,
    /// Whether exactly these bytes (by `record_sha256`) passed this version's guardrails at the
    /// ledger's door. Bytes with that digest need not be checked again; others must be.
    pub admitted: bool,
}

/// Consecutive records, their bytes in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordPage {
    /// The records, in canonical order.
    pub records: Vec<RecordRef>,
    /// Their bytes.
    pub bytes: Vec<u8>,
}

impl RecordPage {
    /// The position of the page's last record.
    #[must_use]
    pub fn last(&self) -> Option<Position> {
        self.records.last().map(|record| Position {
            subject_key: record.subject_key.clone(),
            id: record.id.clone(),
        })
    }
}

/// Records, read at a watermark.
#[async_trait]
pub trait Evidence: Send + Sync {
    /// The newest watermark.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn watermark(&self, tenant: &Tenant) -> Result<u64, PortError>;

    /// The newest watermark at `time`; none when the ledger was empty then.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn watermark_at(
        &self,
        tenant: &Tenant,
        time: Timestamp,
    ) -> Result<Option<u64>, PortError>;

    /// `_id`s of the SBOMs whose `subject_key` or `_id` is `subject`, visible at `watermark`,
    /// sorted.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn sboms(
        &self,
        tenant: &Tenant,
        subject: &str,
        watermark: u64,
    ) -> Result<Vec<String>, PortError>;

    /// Index lines of `scan` after (exclusive) `after`, in canonical order, at most `limit`. Fewer
    /// than `limit` means that there are no more.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn index(
        &self,
        scan: &Scan,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, PortError>;

    /// Records of `scan` after (exclusive) `after`, or from (inclusive) `first` where there is no
    /// `after`, up to (inclusive) `last`, in canonical order. An empty page means that there are no
    /// more. `spare` is a page that was read to its end: it is emptied and filled again, so that a
    /// long read allocates its pages once.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn records(
        &self,
        scan: &Scan,
        first: &Position,
        last: &Position,
        after: Option<&Position>,
        budget: PageBudget,
        spare: RecordPage,
    ) -> Result<RecordPage, PortError>;

    /// Records of `scan` at these positions, which ascend; positions without one are passed over. An
    /// empty page means that there is none at any of them. `spare` is as in [`Evidence::records`].
    ///
    /// What is written here asks for them one by one ([`pick_one_by_one`]); a backend that can do
    /// better does.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn pick(
        &self,
        scan: &Scan,
        positions: &[Position],
        budget: PageBudget,
        spare: RecordPage,
    ) -> Result<RecordPage, PortError> {
        pick_one_by_one(self, scan, positions, budget, spare).await
    }
}

/// What [`Evidence::pick`] promises, by a read for each position: for backends that know no better, and
/// for what they reach that does not.
///
/// # Errors
/// When the store cannot be read.
pub async fn pick_one_by_one<E: Evidence + ?Sized>(
    evidence: &E,
    scan: &Scan,
    positions: &[Position],
    budget: PageBudget,
    spare: RecordPage,
) -> Result<RecordPage, PortError> {
    let mut page = spare;
    page.records.clear();
    page.bytes.clear();
    let mut one = RecordPage::default();
    for position in positions {
        one = evidence
            .records(scan, position, position, None, budget, one)
            .await?;
        let start = page.bytes.len();
        if start > 0 && start + one.bytes.len() > budget.bytes {
            break;
        }
        page.bytes.extend_from_slice(&one.bytes);
        page.records.extend(one.records.drain(..).map(|mut record| {
            record.bytes = start + record.bytes.start..start + record.bytes.end;
            record
        }));
        if page.records.len() >= budget.records {
            break;
        }
    }
    Ok(page)
}

/// The policy engine: snapshots, and findings as evidence.
#[async_trait]
pub trait PolicyEngine: Evidence {
    /// A snapshot by its id; the newest (by `created_at`, then id) where none is named.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn snapshot(
        &self,
        tenant: &Tenant,
        id: Option<&str>,
    ) -> Result<Option<PolicySnapshot>, PortError>;

    /// Freezes a snapshot: from now on no finding can be added to it. Doing it again changes
    /// nothing.
    ///
    /// # Errors
    /// `NotFound` when there is no such snapshot.
    async fn freeze(&self, tenant: &Tenant, id: &str) -> Result<(), PortError>;
}

/// What appending did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Records that are new.
    pub added: u64,
    /// Records that were there already.
    pub present: u64,
    /// Records, old or new, that a newer revision has superseded.
    pub superseded: u64,
}

/// What one source has given, by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStats {
    /// Whose.
    pub tenant: Tenant,
    /// Of which kind.
    pub kind: Kind,
    /// The source.
    pub source: Source,
    /// Visible records.
    pub records: u64,
    /// Superseded records.
    pub superseded: u64,
    /// Canonical bytes of both.
    pub bytes: u64,
}

/// What a ledger holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerStats {
    /// By tenant, kind and source, in that order.
    pub sources: Vec<SourceStats>,
    /// Policy snapshots: tenant, id, whether frozen.
    pub snapshots: Vec<(Tenant, String, bool)>,
    /// The newest watermark.
    pub watermark: u64,
}

/// A ledger that can be filled.
#[async_trait]
pub trait LedgerWriter: Send + Sync {
    /// Appends records at `now`: all of them or none, durable when this returns. The identity of a
    /// document is (tenant, kind, source, upstream id, content hash): one that is there already is
    /// left as it is. Revisions of one document are ordered by (`modified`, `content_hash`), and
    /// all but the newest are superseded, whatever the order in which they come.
    ///
    /// # Errors
    /// `AlreadyExists` when a record's `_id` is taken by other content, `Frozen` when a finding's
    /// snapshot is frozen. The message names the record.
    async fn append(
        &self,
        records: Vec<AdmittedRecord>,
        now: Timestamp,
    ) -> Result<Appended, PortError>;

    /// What the ledger holds.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn stats(&self) -> Result<LedgerStats, PortError>;

    /// The tenants that have records, sorted. A backend that can say it without counting does.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn tenants(&self) -> Result<Vec<Tenant>, PortError> {
        let sources = self.stats().await?.sources;
        let tenants: BTreeSet<Tenant> = sources.into_iter().map(|source| source.tenant).collect();
        Ok(tenants.into_iter().collect())
    }
}

/// A policy engine that can be filled.
#[async_trait]
pub trait PolicyWriter: Send + Sync {
    /// Adds a snapshot; says whether it is new.
    ///
    /// # Errors
    /// `AlreadyExists` when there is another one with its id.
    async fn add_snapshot(&self, snapshot: &PolicySnapshot) -> Result<bool, PortError>;
}
