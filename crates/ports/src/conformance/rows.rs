//! Rows of every type, for the suite of the state port.

use std::collections::BTreeMap;

use export_model::{
    AssembledCompression, AssembledFile, Distribution, DistributionStatus, Event, EventBody, Kind,
    Lease, Mark, MarkKey, MarkValue, ObjectKey, Part, Position, Profile, ProfileConfig,
    ProfileKind, Recurrence, Run, RunKey, RunOptions, RunStatus, Schedule, Selectors, Sha256Digest,
    Slots, Target, Tenant, Timestamp, Work, WorkId,
};

use super::at;
use crate::Row;

pub(super) fn profile(owner: &Tenant, name: &str, revision: u32) -> Profile {
    Profile {
        tenant: owner.clone(),
        name: name.to_owned(),
        kind: ProfileKind::JsonRaw,
        revision,
        description: "first".to_owned(),
        config: ProfileConfig::default(),
        created_at: Some(at(1)),
        retired_at: None,
        rev: 0,
    }
}

pub(super) fn run(key: &RunKey, submitted_at: Timestamp) -> Run {
    Run {
        key: key.clone(),
        profile: profile(&key.tenant, "nightly", 1),
        selectors: Selectors::default(),
        options: RunOptions::default(),
        owners: Vec::new(),
        approvals: Vec::new(),
        requested_by: "someone".to_owned(),
        submitted_at,
        status: RunStatus::Pending,
        admitted: false,
        watermark: None,
        policy_snapshot: None,
        sources: Vec::new(),
        sboms: BTreeMap::new(),
        sboms_of: Vec::new(),
        sealing: None,
        base: None,
        tree: None,
        parts: 0,
        parts_left: 0,
        records_planned: 0,
        bytes_planned: 0,
        records: 0,
        bytes: 0,
        quarantined: 0,
        assembled: vec![AssembledFile {
            path: "payload/db.tar.gz".to_owned(),
            object: ObjectKey::new(key, "t1", "payload/db.tar.gz").unwrap(),
            size: u64::from(u32::MAX) + 1,
            sha256: Sha256Digest::of(b"stored"),
            content_size: u64::from(u32::MAX) + 2,
            content_sha256: Sha256Digest::of(b"content"),
            media_type: "application/x-tar".to_owned(),
            compression: Some(AssembledCompression::Gzip { level: 6 }),
        }],
        published: None,
        targets_left: 0,
        archive: None,
        failure: None,
        cancellation: None,
        started_at: None,
        finished_at: None,
        expires_at: None,
        pruned: None,
        traceparent: None,
        last_seq: 0,
        rev: 0,
    }
}

/// A mark that does not expire while the suite runs, and one that did long before.
pub(super) fn mark(owner: &Tenant, key: &str, expired: bool) -> Mark {
    Mark {
        tenant: owner.clone(),
        key: MarkKey::Idempotency {
            key: key.to_owned(),
        },
        until: Some(if expired {
            Timestamp(1_000)
        } else {
            at(1_000_000_000)
        }),
        value: MarkValue::Idempotency {
            request: Sha256Digest::of(b"request"),
            run: "0199f0c2-7a51-7c3e-9d7e-000000000001".parse().unwrap(),
        },
        rev: 0,
    }
}

pub(super) fn schedule(owner: &Tenant, number: u32, next_at: Timestamp) -> Schedule {
    Schedule {
        tenant: owner.clone(),
        id: format!("0199f0c2-7a51-7c3e-9d7e-{number:012}")
            .parse()
            .unwrap(),
        name: "every night".to_owned(),
        description: String::new(),
        profile: "nightly".to_owned(),
        selectors: Selectors::default(),
        options: RunOptions::default(),
        when: Recurrence::Rate { seconds: 3_600 },
        enabled: true,
        created_by: "someone".to_owned(),
        created_at: at(0),
        next_at,
        last_run: None,
        last_error: None,
        rev: 0,
    }
}

pub(super) fn part(key: &RunKey, index: u32) -> Part {
    let position = |id: &str| Position {
        subject_key: "pkg:npm/é".to_owned(),
        id: id.to_owned(),
    };
    Part {
        run: key.clone(),
        index,
        ordinal: index,
        owner: None,
        kind: Kind::Advisory,
        first: position("a"),
        last: position("b"),
        records: 2,
        bytes: u64::from(u32::MAX) + 1,
        hash: Sha256Digest::of(b"inputs"),
        keys: None,
        output: None,
        rev: 0,
    }
}

pub(super) fn distribution(key: &RunKey, index: u32) -> Distribution {
    Distribution {
        run: key.clone(),
        index,
        target: Target::Http {},
        status: DistributionStatus::Pending,
        checkpoint: Some(serde_json::json!({"offset": 7, "list": [1, "two", null]})),
        archive: None,
        failure: None,
        rev: 0,
    }
}

pub(super) fn event(key: &RunKey, seq: u64) -> Event {
    Event {
        run: key.clone(),
        seq,
        at: at(2),
        body: EventBody::Status {
            status: RunStatus::Planned,
            detail: Some("three parts".to_owned()),
            error_code: None,
        },
    }
}

pub(super) fn plan(key: &RunKey) -> WorkId {
    WorkId::Plan {
        run: key.run.clone(),
    }
}

pub(super) fn leased(mut work: Work, token: &str) -> Work {
    work.lease = Some(Lease {
        token: token.to_owned(),
        holder: "p1".to_owned(),
        until: at(60),
    });
    work
}

pub(super) fn with_rev(mut row: Row, rev: u64) -> Row {
    match &mut row {
        Row::Profile(row) => row.rev = rev,
        Row::Run(row) => row.rev = rev,
        Row::Part(row) => row.rev = rev,
        Row::Work(row) => row.rev = rev,
        Row::Distribution(row) => row.rev = rev,
        Row::Slots(row) => row.rev = rev,
        Row::Mark(row) => row.rev = rev,
        Row::Schedule(row) => row.rev = rev,
    }
    row
}

pub(super) fn changed(mut row: Row) -> Row {
    match &mut row {
        Row::Profile(row) => row.description = "second".to_owned(),
        Row::Run(row) => row.status = RunStatus::Planned,
        Row::Part(row) => row.records = 3,
        Row::Work(row) => row.attempts = 3,
        Row::Distribution(row) => row.status = DistributionStatus::Delivered,
        Row::Slots(row) => row.admitted = 3,
        Row::Mark(row) => row.value = MarkValue::Usage { runs: 1, bytes: 2 },
        Row::Schedule(row) => row.last_error = Some("there is no such profile".to_owned()),
    }
    row
}

pub(super) fn one_of_each(key: &RunKey) -> Vec<Row> {
    vec![
        Row::Profile(profile(&key.tenant, "nightly", 1)),
        Row::Run(run(key, at(0))),
        Row::Part(part(key, 0)),
        Row::Work(Work::new(&key.tenant, plan(key), at(5))),
        Row::Distribution(distribution(key, 0)),
        Row::Slots(Slots::empty(&key.tenant)),
        Row::Mark(mark(&key.tenant, "k", false)),
        Row::Schedule(schedule(&key.tenant, 1, at(9))),
    ]
}
