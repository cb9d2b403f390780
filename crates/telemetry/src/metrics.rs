//! Metrics, through the `metrics` facade: a host that installs a recorder exports them, one that
//! does not pays nothing.

use std::time::Duration;

/// Histogram: seconds from submission to completion, by `profile`.
pub const RUN_DURATION: &str = "exporter_run_duration_seconds";
/// Counter: canonical bytes exported, by `profile`.
pub const RUN_BYTES: &str = "exporter_run_bytes_total";
/// Counter: runs that failed, by `error_code`.
pub const RUN_FAILURES: &str = "exporter_run_failures_total";
/// Gauge: runs that hold a slot, by `tenant`.
pub const ACTIVE_RUNS: &str = "exporter_active_runs";
/// Histogram: seconds that handing over took, by `type`.
pub const DISTRIBUTION_PUSH_SECONDS: &str = "exporter_distribution_push_seconds";

/// A run has completed.
pub fn run_completed(profile: &str, duration: Duration, bytes: u64) {
    metrics::histogram!(RUN_DURATION, "profile" => profile.to_owned()).record(duration);
    metrics::counter!(RUN_BYTES, "profile" => profile.to_owned()).increment(bytes);
}

/// A run has failed.
pub fn run_failed(error_code: &str) {
    metrics::counter!(RUN_FAILURES, "error_code" => error_code.to_owned()).increment(1);
}

/// A tenant has this many runs that hold a slot.
pub fn active_runs(tenant: &str, runs: usize) {
    #[allow(clippy::cast_precision_loss)] // At most 4.
    metrics::gauge!(ACTIVE_RUNS, "tenant" => tenant.to_owned()).set(runs as f64);
}

/// A target of type `kind` has received a bundle.
pub fn distribution_pushed(kind: &'static str, took: Duration) {
    metrics::histogram!(DISTRIBUTION_PUSH_SECONDS, "type" => kind).record(took);
}
