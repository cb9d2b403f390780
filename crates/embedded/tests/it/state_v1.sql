-- The tables of state.db as the first version made them; they never change again.
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
PRAGMA application_id = 1163412307;
PRAGMA user_version = 1;
