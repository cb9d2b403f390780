//! The words of Export Center: runs, profiles, selectors, parts, work, events and error codes.
//!
//! Everything here is data and pure functions over it. No module reads a clock, a random number,
//! the environment or a file: those enter at the host, as values. That is what makes a run's
//! content a function of its inputs alone.

mod approval;
mod config;
mod digest;
mod error_code;
mod event;
mod ids;
mod json_schema;
mod kind;
mod limits;
mod mark;
mod part;
mod profile;
mod record;
mod run;
mod schedule;
mod sealing;
mod selectors;
mod time;
mod work;

pub use approval::RecordedApproval;
pub use config::{
    Attestation, Compression, MirrorIndex, OnViolation, ProfileConfig, Retention, Revisions,
    SignatureForm, Target,
};
pub use digest::{InputHasher, Sha256Digest, Sha256ParseError};
pub use error_code::{ErrorCode, Fault};
pub use event::{Event, EventBody};
pub use ids::{InvalidName, ObjectKey, ObjectPrefix, RunId, RunKey, ScheduleId, Tenant};
pub use kind::{Kind, ProfileKind, UnknownKind};
pub use limits::{Limits, ProfileLimits, QuotaName, QuotaState};
pub use mark::{Mark, MarkKey, MarkValue};
pub use part::{Part, PartOutput, QuarantinedRecord, SourceTally, StagedFile};
pub use profile::{Profile, builtin_profiles};
pub use record::{AdmittedRecord, Facets, GUARDRAILS_VERSION, IndexEntry, Position, Source};
pub use run::{
    Archive, AsOf, AssembledCompression, AssembledFile, Cancellation, Distribution,
    DistributionStatus, Failure, MirrorBase, MirrorTree, PolicySnapshot, Pruned, Published, Run,
    RunOptions, RunStatus, TreeTally,
};
pub use schedule::{Recurrence, RecurrenceError, Schedule};
pub use sealing::{Encryption, SealMode, Sealing};
pub use selectors::{
    CompiledSelectors, Criteria, CrossTenant, FieldError, Matcher, ProductPattern, RecordedWindow,
    Selectors, StoredFacets,
};
pub use time::{Timestamp, TimestampError};
pub use work::{Lease, Message, Phase, Slots, Work, WorkId};
