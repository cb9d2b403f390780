//! `exportctl diff`

use std::io::{self, Write as _};

use export_model::ErrorCode;
use export_trivy::diff::{Change, ChangeCounts, ChangeKind, Changes, Diff};
use serde_json::json;

use super::is_standard_input;
use super::layer::{database, failed};
use crate::cli::DiffArgs;
use crate::failure::Failed;
use crate::output::{Output, grouped, table};
use crate::settings::Settings;

/// The exit code where databases differ and that is asked for.
const DIFFERENT: u8 = 1;

pub(super) fn execute(settings: &Settings, output: &Output, args: &DiffArgs) -> Result<u8, Failed> {
    if is_standard_input(&args.first) || is_standard_input(&args.second) {
        let detail = "bundles are compared as files or folders, not from standard input";
        return Err(Failed::new(ErrorCode::Usage, detail));
    }
    let root = settings.scratch().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new()
        .prefix("export-diff-")
        .tempdir_in(&root)
        .map_err(|e| Failed::write(&root, &e))?;
    let first = database(&args.first, &folder.path().join("first"))?;
    let second = database(&args.second, &folder.path().join("second"))?;
    output.note("not verified: `exportctl verify` says whose bundles they are");
    let diff = Diff::open(&first, &second).map_err(failed)?;
    let mut changes = diff.changes();
    let differs = if output.is_json() {
        as_json(args, &mut changes)?
    } else {
        as_text(args, &mut changes)?
    };
    Ok(if differs && args.exit_code {
        DIFFERENT
    } else {
        0
    })
}

fn sum(changes: &Changes<'_>) -> ChangeCounts {
    let mut all = ChangeCounts::default();
    for counts in changes.counts().values() {
        all.added += counts.added;
        all.removed += counts.removed;
        all.changed += counts.changed;
        all.unchanged += counts.unchanged;
    }
    all
}

fn differs(counts: &ChangeCounts) -> bool {
    counts.added + counts.removed + counts.changed > 0
}

/// Changes as they are found, then their counts. Says whether there are any.
fn as_text(args: &DiffArgs, changes: &mut Changes<'_>) -> Result<bool, Failed> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for change in &mut *changes {
        let Change {
            change,
            bucket,
            package,
            id,
            ..
        } = change.map_err(failed)?;
        if !args.stat {
            let mark = match change {
                ChangeKind::Added => '+',
                ChangeKind::Removed => '-',
                ChangeKind::Changed => '~',
            };
            // A reader that has gone away wants nothing more.
            let _ = writeln!(out, "{mark} {bucket}\t{package}\t{id}");
        }
    }
    let header = ["ECOSYSTEM", "ADDED", "REMOVED", "CHANGED", "UNCHANGED"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let all = sum(changes);
    let named = changes
        .counts()
        .iter()
        .map(|(name, counts)| (name.as_str(), counts));
    for (name, counts) in named.chain([("all", &all)]) {
        let numbers = [
            counts.added,
            counts.removed,
            counts.changed,
            counts.unchanged,
        ];
        let mut row = vec![name.to_owned()];
        row.extend(numbers.map(grouped));
        rows.push(row);
    }
    let _ = write!(out, "{}", table(&rows));
    let _ = out.flush();
    Ok(differs(&all))
}

/// One object, written as changes are found.
fn as_json(args: &DiffArgs, changes: &mut Changes<'_>) -> Result<bool, Failed> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let (first, second) = (json!(args.first), json!(args.second));
    let _ = write!(
        out,
        "{{\"first\":{first},\"second\":{second},\"verified\":false,\"changes\":["
    );
    let mut comma = "";
    for change in &mut *changes {
        let change = change.map_err(failed)?;
        if !args.stat {
            let _ = write!(out, "{comma}{}", json!(change));
            comma = ",";
        }
    }
    let all = sum(changes);
    let ecosystems: serde_json::Map<_, _> = changes
        .counts()
        .iter()
        .map(|(name, counts)| (name.clone(), counted(counts)))
        .collect();
    let (ecosystems, total) = (json!(ecosystems), counted(&all));
    let different = differs(&all);
    let _ = writeln!(
        out,
        "],\"different\":{different},\"ecosystems\":{ecosystems},\"total\":{total}}}"
    );
    let _ = out.flush();
    Ok(different)
}

fn counted(counts: &ChangeCounts) -> serde_json::Value {
    json!({
        "added": counts.added,
        "removed": counts.removed,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
    })
}
