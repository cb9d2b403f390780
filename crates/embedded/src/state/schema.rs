//! The tables of `state.db`: one a row type, with the columns that questions are asked by. A row
//! itself is JSON, so that a new member needs no migration; a new question does.

use crate::store::Schema;

pub(super) const STATE: Schema = Schema {
    what: "run state",
    application_id: 0x4558_4353, // "EXCS"
    migrations: &[VERSION_1, VERSION_2],
    page_size: 4096,
    writer_cache: 2048,
    reader_cache: 1024,
    checkpoint_pages: 1000,
};

const VERSION_1: &str = "
CREATE TABLE profiles(
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (tenant, name, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs(
    tenant TEXT NOT NULL,
    run TEXT NOT NULL,
    status TEXT NOT NULL,
    admitted INTEGER NOT NULL,
    submitted_at INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (tenant, run)
) STRICT;
CREATE INDEX runs_by_time ON runs(tenant, submitted_at, run);

CREATE TABLE parts(
    tenant TEXT NOT NULL,
    run TEXT NOT NULL,
    part INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (tenant, run, part)
) STRICT, WITHOUT ROWID;

-- token is the lease's; NULL where nobody holds one. run is NULL for work of the whole tenant.
CREATE TABLE work(
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    run TEXT,
    due_at INTEGER NOT NULL,
    token TEXT,
    rev INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX work_by_run ON work(tenant, run);
CREATE INDEX work_by_due ON work(due_at, tenant, id);

CREATE TABLE distributions(
    tenant TEXT NOT NULL,
    run TEXT NOT NULL,
    target INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (tenant, run, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE events(
    tenant TEXT NOT NULL,
    run TEXT NOT NULL,
    seq INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (tenant, run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE slots(
    tenant TEXT NOT NULL PRIMARY KEY,
    rev INTEGER NOT NULL,
    json TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

// Runs that ended before this version have no time at which they expire: nobody had been told that
// bundles are really removed.
const VERSION_2: &str = "
ALTER TABLE runs ADD COLUMN profile TEXT NOT NULL DEFAULT '';
UPDATE runs SET profile = json_extract(json, '$.profile.name');
-- NULL where nothing is to be pruned, or not any more.
ALTER TABLE runs ADD COLUMN expires_at INTEGER;
CREATE INDEX runs_by_profile ON runs(tenant, profile, submitted_at, run);
CREATE INDEX runs_by_expiry ON runs(expires_at) WHERE expires_at IS NOT NULL;

-- until is NULL for a mark that never expires.
CREATE TABLE marks(
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    until INTEGER,
    rev INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX marks_by_time ON marks(until) WHERE until IS NOT NULL;

-- next_at is NULL for a schedule that is not in force.
CREATE TABLE schedules(
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    next_at INTEGER,
    rev INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_by_time ON schedules(next_at) WHERE next_at IS NOT NULL;
";
