//! `exportctl bundle split` and `exportctl bundle join`. Neither verifies what the file holds: that is
//! what `verify` and `mirror apply` do, once it is whole.

use std::path::Path;

use export_bundle::parts::{Joining, PartList, PartsError, Splitting, join, split};
use serde_json::json;

use crate::cli::BundleCommand;
use crate::failure::Failed;
use crate::output::{Output, size, table};
use crate::progress::Bytes;

pub(super) fn execute(output: &Output, command: &BundleCommand) -> Result<u8, Failed> {
    match command {
        BundleCommand::Split { file, size, to } => {
            let to = to.as_deref().unwrap_or(match file.parent() {
                Some(folder) if folder != Path::new("") => folder,
                _ => Path::new("."),
            });
            let whole = std::fs::metadata(file).map_err(|e| Failed::read(file, &e))?;
            let bar = Bytes::new(output, "splitting", whole.len());
            let done = split(file, *size, to, &mut |bytes| bar.show(bytes));
            bar.end();
            let Splitting { list, kept } = done.map_err(|error| failed(&error))?;
            tell_split(output, to, &list, kept);
        }
        BundleCommand::Join { parts, out } => {
            let mut bar = None;
            let done = join(parts, out.as_deref(), &mut |bytes, whole| {
                let bar = bar.get_or_insert_with(|| Bytes::new(output, "joining", whole));
                bar.show(bytes);
            });
            if let Some(bar) = bar {
                bar.end();
            }
            let Joining {
                list,
                path,
                resumed,
            } = done.map_err(|error| failed(&error))?;
            tell_joined(output, &path, &list, resumed);
        }
    }
    Ok(0)
}

fn failed(error: &PartsError) -> Failed {
    Failed::new(error.code(), error.to_string())
}

fn tell_split(output: &Output, to: &Path, list: &PartList, kept: u64) {
    let mut rows: Vec<_> = list
        .parts
        .iter()
        .map(|part| {
            vec![
                format!("  {}", to.join(&part.name).display()),
                size(part.size),
                part.sha256.to_string(),
            ]
        })
        .collect();
    rows.push(vec![format!("  {}", to.join(list.file_name()).display())]);
    let mut text = format!(
        "{} ({}) in {}\n{}",
        list.name,
        size(list.size),
        counted(list.parts.len()),
        table(&rows)
    );
    if kept > 0 {
        text.push_str(&format!("  {kept} of them were there already\n"));
    }
    text.push_str("  carry all of these, then: exportctl bundle join PART…\n");
    output.result(&text, &json!({ "dir": to, "list": list, "kept": kept }));
}

fn tell_joined(output: &Output, out: &Path, list: &PartList, resumed: u64) {
    let mut text = format!(
        "{} ({}) from {}, each the one that was cut\n  sha256  {}\n",
        out.display(),
        size(list.size),
        counted(list.parts.len()),
        list.sha256
    );
    if resumed > 0 {
        text.push_str(&format!("  {resumed} of them were joined before\n"));
    }
    text.push_str("  nothing of this was verified: `exportctl verify` says whose it is\n");
    output.result(
        &text,
        &json!({ "file": out, "list": list, "resumed": resumed }),
    );
}

fn counted(parts: usize) -> String {
    format!("{parts} part{}", if parts == 1 { "" } else { "s" })
}
