//! Work: the outbox and the leases.
//!
//! Every step that somebody must do has one [`Work`] row, written in the same transaction as the
//! transition that made it necessary. The row is the outbox (`due_at` says when its message is to
//! be sent or sent again), the lease (who is doing it, until when) and, once deleted, the proof
//! that it is done. A message names the row and nothing else; one whose row is gone or leased is
//! acknowledged and forgotten.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{RunId, ScheduleId, Tenant, Timestamp};

/// The functions that take messages, each from a queue of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Starts, admits, plans, sweeps.
    Plan,
    /// Writes parts, and assembles them.
    Adapter,
    /// Writes and signs the documents.
    Sign,
    /// Hands over.
    Distribute,
}

impl Phase {
    /// Every phase that has a queue.
    pub const ALL: [Self; 4] = [Self::Plan, Self::Adapter, Self::Sign, Self::Distribute];

    /// The queue's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Adapter => "adapter",
            Self::Sign => "sign",
            Self::Distribute => "distribute",
        }
    }
}

/// What a row of work is, unique within its tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "lowercase")]
pub enum WorkId {
    /// Give free slots to waiting runs. `cause` is the run whose submission or end asked for it.
    Admit {
        /// The run that asked.
        cause: RunId,
    },
    /// Plan a run.
    Plan {
        /// The run.
        run: RunId,
    },
    /// Write the parts `first..=last`.
    Shard {
        /// The run.
        run: RunId,
        /// The shard, counting from 0.
        shard: u32,
        /// Its first part.
        first: u32,
        /// Its last part.
        last: u32,
    },
    /// Merge the parts into the files that they are for.
    Assemble {
        /// The run.
        run: RunId,
    },
    /// Write and sign the documents.
    Sign {
        /// The run.
        run: RunId,
    },
    /// Hand over to one target.
    Distribute {
        /// The run.
        run: RunId,
        /// The target, counting from 0 in the profile's list.
        target: u32,
    },
    /// Submit the run of a schedule that is due.
    Start {
        /// The schedule.
        schedule: ScheduleId,
        /// The time at which it was due.
        at: Timestamp,
    },
    /// Submit a run of a profile, because a rule outside (of a scheduler such as EventBridge) says so.
    /// There is no row of it: its message comes from that rule, and `request` tells it from others.
    Export {
        /// The profile's name.
        profile: String,
        /// Unique to this occasion.
        request: String,
    },
    /// Remove what a cancelled, failed or pruned run left, and end a cancellation.
    Sweep {
        /// The run.
        run: RunId,
    },
}

impl WorkId {
    /// The phase whose queue carries this work's messages.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            Self::Admit { .. }
            | Self::Plan { .. }
            | Self::Start { .. }
            | Self::Export { .. }
            | Self::Sweep { .. } => Phase::Plan,
            Self::Shard { .. } | Self::Assemble { .. } => Phase::Adapter,
            Self::Sign { .. } => Phase::Sign,
            Self::Distribute { .. } => Phase::Distribute,
        }
    }

    /// The run that this work belongs to; none for work of the whole tenant.
    #[must_use]
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Self::Admit { .. } | Self::Start { .. } | Self::Export { .. } => None,
            Self::Plan { run }
            | Self::Shard { run, .. }
            | Self::Assemble { run }
            | Self::Sign { run }
            | Self::Distribute { run, .. }
            | Self::Sweep { run } => Some(run),
        }
    }
}

/// The row's key in a store: plain text, unique within the tenant.
impl fmt::Display for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admit { cause } => write!(f, "admit:{cause}"),
            Self::Plan { run } => write!(f, "{run}:plan"),
            Self::Shard { run, shard, .. } => write!(f, "{run}:shard:{shard:05}"),
            Self::Assemble { run } => write!(f, "{run}:assemble"),
            Self::Sign { run } => write!(f, "{run}:sign"),
            Self::Distribute { run, target } => write!(f, "{run}:distribute:{target}"),
            Self::Start { schedule, at } => write!(f, "start:{schedule}:{}", at.0),
            Self::Export { profile, request } => write!(f, "export:{profile}:{request}"),
            Self::Sweep { run } => write!(f, "{run}:sweep"),
        }
    }
}

/// Who is doing a piece of work, and until when nobody else may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Unique to this lease; part of every object key that its holder writes.
    pub token: String,
    /// The process that holds it.
    pub holder: String,
    /// When it expires unless renewed.
    pub until: Timestamp,
}

/// A row of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Who owns the run.
    pub tenant: Tenant,
    /// What is to be done.
    pub id: WorkId,
    /// When its message is due to be sent, or sent again.
    pub due_at: Timestamp,
    /// Who is doing it.
    pub lease: Option<Lease>,
    /// How often it was begun.
    pub attempts: u32,
    /// How often its message was sent again since somebody last had it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sent: u32,
    /// Trace context of the request that made it (`traceparent`), where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The row's version, 0 before it is stored.
    #[serde(default)]
    pub rev: u64,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Work {
    /// New work of `tenant`, whose message is due at `due_at`.
    #[must_use]
    pub fn new(tenant: &Tenant, id: WorkId, due_at: Timestamp) -> Self {
        Self {
            tenant: tenant.clone(),
            id,
            due_at,
            lease: None,
            attempts: 0,
            sent: 0,
            traceparent: None,
            rev: 0,
        }
    }

    /// The message that says it is due.
    #[must_use]
    pub fn message(&self) -> Message {
        Message {
            tenant: self.tenant.clone(),
            work: self.id.clone(),
            traceparent: self.traceparent.clone(),
        }
    }
}

/// What goes through a queue: ids and the trace context only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who owns the run.
    pub tenant: Tenant,
    /// The work that is due.
    pub work: WorkId,
    /// Trace context (`traceparent`), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// A tenant's slots for active runs: one row a tenant, taken and freed by compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// Who owns them.
    pub tenant: Tenant,
    /// The active runs, with the profile of each.
    pub active: Vec<(RunId, String)>,
    /// When each profile was last given a slot, as a count of admissions: who waited longest.
    pub turns: BTreeMap<String, u64>,
    /// How many runs were ever admitted.
    pub admitted: u64,
    /// The row's version, 0 before it is stored.
    #[serde(default)]
    pub rev: u64,
}

impl Slots {
    /// How many runs of a tenant may be active.
    pub const LIMIT: usize = 4;

    /// The slots of a tenant that never had a run.
    #[must_use]
    pub fn empty(tenant: &Tenant) -> Self {
        Self {
            tenant: tenant.clone(),
            active: Vec::new(),
            turns: BTreeMap::new(),
            admitted: 0,
            rev: 0,
        }
    }
}
