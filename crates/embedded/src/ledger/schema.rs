//! The tables of `ledger.db`.

use crate::store::Schema;

/// Pages of 16 KiB hold a typical record whole, so that reading it never follows a chain of pages.
pub(super) const LEDGER: Schema = Schema {
    what: "ledger",
    application_id: 0x4558_434c, // "EXCL"
    migrations: &[VERSION_1],
    page_size: 16 * 1024,
    writer_cache: 16 * 1024,
    reader_cache: 2 * 1024,
    checkpoint_pages: 2048,
};

const VERSION_1: &str = "
-- Names that every row would repeat.
CREATE TABLE tenants(
    tenant INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE sources(
    source INTEGER PRIMARY KEY,
    vendor TEXT NOT NULL,
    stream TEXT NOT NULL,
    UNIQUE (vendor, stream)
) STRICT;

-- A snapshot without a description is one that findings name and that was not imported yet.
CREATE TABLE snapshots(
    snapshot INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants,
    id TEXT NOT NULL,
    created_at INTEGER,
    json TEXT,
    frozen INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, id)
) STRICT;

-- The index: canonical order, and all that planning asks. superseded_at is NULL while newest;
-- guardrails is the version of the checks that admitted the record.
CREATE TABLE entries(
    tenant INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    subject_key TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    superseded_at INTEGER,
    record_sha256 BLOB NOT NULL,
    size INTEGER NOT NULL,
    source INTEGER NOT NULL,
    recorded_at INTEGER,
    snapshot INTEGER,
    guardrails INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, subject_key, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX entries_by_id ON entries(tenant, kind, id);

-- One row an upstream document: its newest revision, and a number for its older ones.
CREATE TABLE documents(
    tenant INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    source INTEGER NOT NULL,
    upstream_id TEXT NOT NULL,
    document INTEGER NOT NULL,
    modified INTEGER,
    content_hash BLOB NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, source, upstream_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE older_revisions(
    document INTEGER NOT NULL,
    content_hash BLOB NOT NULL,
    PRIMARY KEY (document, content_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE bodies(
    seq INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE facets(
    seq INTEGER PRIMARY KEY,
    facets BLOB NOT NULL
) STRICT;

-- The last seq of each append, and when it was. Times never decrease, whatever the clock did.
CREATE TABLE commits(
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX commits_by_time ON commits(at, seq);
";
