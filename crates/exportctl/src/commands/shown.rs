//! How runs and their events look, the same from a home and from a service.

use std::path::Path;

use export_api::views::RunView;
use export_model::{ErrorCode, Event, RunId, RunStatus};
use serde_json::{Value, json};

use crate::failure::Failed;
use crate::output::{Output, grouped, size, table};
use crate::progress::describe;

/// What scripts get of a run. `archive` is where its archive can be read, if anywhere here.
pub(crate) fn result_value(run: &RunView, archive: Option<&Path>) -> Value {
    let mut value = json!({
        "run_id": run.run_id,
        "tenant": run.tenant,
        "profile": run.profile,
        "profile_kind": run.profile_kind,
        "profile_revision": run.profile_revision,
        "status": run.status,
        "submitted_at": run.submitted_at,
        "finished_at": run.finished_at,
        "watermark": run.watermark,
        "policy_snapshot_id": run.policy_snapshot_id,
        "parts": run.parts,
        "records": run.records,
        "records_planned": run.records_planned,
        "bytes": run.bytes,
        "quarantined": run.quarantined,
        "content_digest": run.content_digest,
        "manifest_sha256": run.manifest_sha256,
        "key_fingerprint": run.key_fingerprint,
        "archive": archive,
        "sha256": run.sha256,
        "size_bytes": run.size_bytes,
        "failure": run.failure,
        "cancellation": run.cancellation,
    });
    if !run.tenants.is_empty() {
        value["tenants"] = json!(run.tenants);
        value["approvals"] = json!(run.approvals);
    }
    value
}

/// What people get of a run.
pub(crate) fn summary(output: &Output, run: &RunView, archive: Option<&Path>) -> String {
    let good = run.status == RunStatus::Completed;
    let took = run.finished_at.map_or_else(String::new, |end| {
        let millis = end.millis_since(run.submitted_at);
        format!(" in {}.{} s", millis / 1000, millis % 1000 / 100)
    });
    let head = format!(
        "{} {}{took}",
        run.profile,
        output.mark(good, run.status.as_str())
    );
    let mut rows = Vec::new();
    let mut add = |name: &str, value: String| rows.push(vec![format!("  {name}"), value]);
    add("run", run.run_id.to_string());
    let kinds: Vec<_> = run
        .by_kind
        .iter()
        .map(|(kind, records)| format!("{kind} {}", grouped(*records)))
        .collect();
    let records = grouped(run.records);
    add(
        "records",
        if kinds.is_empty() {
            records
        } else {
            format!("{records} ({})", kinds.join(", "))
        },
    );
    if !run.tenants.is_empty() {
        let owners: Vec<_> = run.tenants.iter().map(ToString::to_string).collect();
        add("of tenants", owners.join(", "));
    }
    for approval in &run.approvals {
        let who = &approval.grantor;
        add("approved by", format!("{who} ({})", approval.nonce));
    }
    if run.quarantined > 0 {
        add("quarantined", grouped(run.quarantined));
    }
    if let Some(watermark) = run.watermark {
        add("watermark", watermark.to_string());
    }
    if let Some(snapshot) = &run.policy_snapshot_id {
        add("policy", snapshot.clone());
    }
    if let Some(digest) = &run.content_digest {
        add("content digest", digest.to_string());
    }
    if let (Some(fingerprint), Some(key)) = (&run.key_fingerprint, &run.key_id) {
        add("signed by", format!("{fingerprint} ({key})"));
    }
    if let (Some(bytes), Some(sha256)) = (run.size_bytes, run.sha256) {
        let bytes = size(bytes);
        let what = match archive {
            Some(path) => format!("{} ({bytes})", path.display()),
            None => bytes,
        };
        add("archive", what);
        add("archive sha256", sha256.to_string());
    }
    if let Some(failure) = &run.failure {
        let what = format!("{}: {}", failure.error_code, failure.detail);
        add("failed", what);
    }
    if let Some(cancellation) = &run.cancellation {
        add("cancelled by", cancellation.by.clone());
    }
    format!("{head}\n{}", table(&rows))
}

/// Prints runs, newest first.
pub(crate) fn list<'a>(
    output: &Output,
    runs: impl Iterator<Item = (&'a RunView, Option<&'a Path>)>,
) {
    let header = ["RUN", "PROFILE", "STATUS", "SUBMITTED", ""];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let mut values = Vec::new();
    for (run, archive) in runs {
        rows.push(vec![
            run.run_id.to_string(),
            run.profile.clone(),
            run.status.to_string(),
            run.submitted_at.whole_seconds().to_string(),
            describe(run),
        ]);
        values.push(result_value(run, archive));
    }
    output.result(&table(&rows), &json!({ "runs": values }));
}

/// Prints the events of a run.
pub(crate) fn events(output: &Output, run: &RunId, events: &[Event]) {
    let lines: Vec<String> = events.iter().map(line).collect();
    output.result(&lines.join("\n"), &events_value(run, events));
}

/// What scripts get of a run's events.
pub(crate) fn events_value(run: &RunId, events: &[Event]) -> Value {
    json!({ "run_id": run, "events": events })
}

/// An event for people: its members after the ones that every event has.
pub(crate) fn line(event: &Event) -> String {
    let mut value = json!(event.body);
    let kind = value
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let mut words = Vec::new();
    if let Some(members) = value.as_object_mut() {
        members.remove("type");
        for (name, member) in members.iter() {
            match member {
                Value::Null => {}
                Value::String(text) => words.push(format!("{name}={text}")),
                other => words.push(format!("{name}={other}")),
            }
        }
    }
    format!(
        "{:>4}  {}  {kind:<20} {}",
        event.seq,
        event.at,
        words.join("  ")
    )
}

/// Prints what a cancelled run has come to.
pub(crate) fn cancelled(output: &Output, run: &RunView, archive: Option<&Path>) {
    let id = &run.run_id;
    let text = match run.status {
        RunStatus::Aborted => format!("run {id} was cancelled; nothing of its payload is kept"),
        other => format!("run {id} is {other}"),
    };
    output.result(&text, &result_value(run, archive));
}

/// Whether a run that has ended has a bundle; why not, where it has none.
pub(crate) fn completed(run: &RunView) -> Result<(), Failed> {
    let id = &run.run_id;
    match run.status {
        RunStatus::Completed => Ok(()),
        RunStatus::Aborted => {
            let detail = format!("run {id} was cancelled; nothing of its payload is kept");
            Err(Failed::new(ErrorCode::Cancelled, detail))
        }
        status => {
            let (code, detail) = match &run.failure {
                Some(failure) => (failure.error_code, failure.detail.clone()),
                None => (ErrorCode::Internal, format!("the run ended as {status}")),
            };
            Err(Failed::new(code, format!("run {id}: {detail}")))
        }
    }
}
