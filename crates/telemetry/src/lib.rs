//! Log fields, spans and metrics, by the names that the documentation promises.
//!
//! Phases record through this crate only, so that every host that later adds an exporter finds
//! the same names everywhere. Nothing here holds a secret: fields are ids, counts and codes.

mod logs;
mod metrics;

pub use logs::{LogFormat, LogInitError, init_logs};
pub use metrics::{
    ACTIVE_RUNS, DISTRIBUTION_PUSH_SECONDS, RUN_BYTES, RUN_DURATION, RUN_FAILURES, active_runs,
    distribution_pushed, run_completed, run_failed,
};

/// Span of planning.
pub const SPAN_PLAN: &str = "export.plan";
/// Span of reading a part's records.
pub const SPAN_FETCH: &str = "export.fetch";
/// Span of writing a part's payload.
pub const SPAN_WRITE: &str = "export.write";
/// Span of merging a run's parts into the files that they are for.
pub const SPAN_ASSEMBLE: &str = "export.assemble";
/// Span of writing and signing the documents.
pub const SPAN_SIGN: &str = "export.sign";
/// Span of handing over.
pub const SPAN_DISTRIBUTE: &str = "export.distribute";
