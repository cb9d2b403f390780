//! `exportctl mirror …`: no network, and no home needed; where there is one, the keys that it trusts
//! count at a mirror's first apply.

use std::path::Path;

use export_bundle::verify::Unseal;
use export_host::SystemClock;
use export_model::ErrorCode;
use export_ports::Clock as _;
use export_replica::{Applied, Entry, Error, Link, Options, Status, Verified, VerifyOptions};
use serde_json::json;

use super::opening;
use super::verify::{open, trust};
use crate::cli::{MirrorApplyArgs, MirrorCommand, MirrorDir, MirrorVerifyArgs};
use crate::failure::Failed;
use crate::output::{Output, grouped, size, table};
use crate::progress::Documents;
use crate::settings::{Settings, user};

pub(super) fn execute(
    settings: &Settings,
    output: &Output,
    command: &MirrorCommand,
) -> Result<u8, Failed> {
    match command {
        MirrorCommand::Apply(args) => apply(settings, output, args),
        MirrorCommand::Status(args) => status(output, args),
        MirrorCommand::Verify(args) => verify(settings, output, args),
        MirrorCommand::Log(args) => log(output, args),
    }
}

fn failed(error: &Error) -> Failed {
    Failed::new(error.code(), error.to_string())
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn apply(settings: &Settings, output: &Output, args: &MirrorApplyArgs) -> Result<u8, Failed> {
    let keys = trust(settings, args.key.as_deref())?.keys;
    if args.key.is_some() && !args.repin {
        held_to(&args.to, &keys)?;
    }
    let unseal = opening::keys(settings, &args.identities)?;
    let holder = format!("process {} of {}", std::process::id(), user());
    let progress = Documents::new(output, "applying");
    let observe = |step| progress.show(step);
    let options = Options {
        keys: &keys,
        repin: args.repin,
        allow_rollback: args.allow_rollback,
        keep: args.keep,
        now: SystemClock.now().whole_seconds(),
        holder: &holder,
        indexes: None,
        threads: threads(),
        unseal: unseal.0.as_ref().map(|keys| &**keys as &dyn Unseal),
        observe: Some(&observe),
    };
    let outcome = export_replica::apply(open(&args.bundle)?, &args.to, &options);
    progress.end();
    let applied = outcome.map_err(|error| failed(&error))?;
    tell_applied(output, args, &applied);
    Ok(0)
}

/// A key that was named must not be passed over because the mirror holds to another.
fn held_to(dir: &Path, keys: &[export_signing::PublicKey]) -> Result<(), Failed> {
    // What is wrong with a mirror the apply says; there may be none yet.
    let Ok(Status { key: pinned, .. }) = export_replica::status(dir) else {
        return Ok(());
    };
    let Some(other) = keys
        .iter()
        .map(|key| key.fingerprint())
        .find(|key| *key != pinned)
    else {
        return Ok(());
    };
    let detail = format!(
        "--key is {other}, but {} holds to {pinned}, which signed what it has; leave --key out, or, if the \
         signer changed keys on purpose, compare the new fingerprint with them and add --repin",
        dir.display()
    );
    Err(Failed::new(ErrorCode::WrongKey, detail))
}

fn tell_applied(output: &Output, args: &MirrorApplyArgs, applied: &Applied) {
    let entry = &applied.entry;
    let mut text = format!(
        "{}: {}\n",
        args.to.display(),
        output.mark(true, &format!("version {} applied", entry.version))
    );
    let mut rows = entry_rows(entry);
    let mut add = |name: &str, value: String| rows.push(vec![format!("  {name}"), value]);
    if entry.base.is_some() {
        add("changes", changes(entry));
    }
    if let Some(found) = &applied.repaired {
        add("repaired", found.to_string());
    }
    if entry.repinned {
        add("holds to", format!("{} from here on", entry.key));
    }
    add("readers see", args.to.join("current").display().to_string());
    text.push_str(&table(&rows));
    let pruned = match &applied.pruned {
        Ok(versions) => versions.clone(),
        Err(error) => {
            output.note(&format!(
                "what is not needed any more could not be removed, and the next apply tries again: {error}"
            ));
            Vec::new()
        }
    };
    let value = json!({
        "bundle": args.bundle,
        "dir": args.to,
        "applied": entry,
        "repaired": applied.repaired,
        "removed_versions": pruned,
    });
    output.result(&text, &value);
}

/// What an entry says, for people.
fn entry_rows(entry: &Entry) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut add = |name: &str, value: String| rows.push(vec![format!("  {name}"), value]);
    let mut what = format!("{} of {}", entry.export_id, entry.profile);
    if entry.profile != entry.kind.as_str() {
        what.push_str(&format!(" ({})", entry.kind));
    }
    add("export", what);
    if let Some(base) = &entry.base {
        add(
            "since",
            format!("{} (watermark {})", base.export_id, base.watermark),
        );
    }
    add("tenant", entry.tenant.to_string());
    add("watermark", entry.watermark.to_string());
    let kinds = entry.counts.by_kind.iter();
    let kinds: Vec<_> = kinds
        .map(|(kind, documents)| format!("{kind} {}", grouped(*documents)))
        .collect();
    let mut documents = grouped(entry.counts.documents);
    if !kinds.is_empty() {
        documents.push_str(&format!(" ({})", kinds.join(", ")));
    }
    add("documents", documents);
    add("size", size(entry.counts.bytes));
    add("tree digest", entry.tree_digest.to_string());
    add("signed by", entry.key.to_string());
    rows
}

fn changes(entry: &Entry) -> String {
    let counts = &entry.counts;
    format!(
        "+{} ~{} -{}",
        grouped(counts.added),
        grouped(counts.changed),
        grouped(counts.removed)
    )
}

fn status(output: &Output, args: &MirrorDir) -> Result<u8, Failed> {
    let status = export_replica::status(&args.dir).map_err(|error| failed(&error))?;
    let head = &status.head;
    let mut text = format!("{}: version {}\n", args.dir.display(), head.version);
    let mut rows = entry_rows(head);
    let mut add = |name: &str, value: String| rows.push(vec![format!("  {name}"), value]);
    add("applied", head.applied_at.to_string());
    add("holds to", status.key.to_string());
    add("manifests, indexes", size(status.derived_bytes));
    let kept: Vec<_> = status.kept.iter().map(ToString::to_string).collect();
    add(
        "versions kept",
        format!("{} of {}", kept.join(", "), status.applied),
    );
    if status.unfinished {
        let what = "an apply did not end; readers see the version above, and the next apply removes what \
                    is left of it";
        add("unfinished", what.to_owned());
    }
    text.push_str(&table(&rows));
    output.result(&text, &json!({ "dir": args.dir, "status": status }));
    Ok(0)
}

fn verify(settings: &Settings, output: &Output, args: &MirrorVerifyArgs) -> Result<u8, Failed> {
    let keys = match &args.key {
        Some(_) => trust(settings, args.key.as_deref())?.keys,
        None => Vec::new(),
    };
    let root = settings.scratch().unwrap_or_else(std::env::temp_dir);
    let scratch = tempfile::Builder::new()
        .prefix("export-mirror-")
        .tempdir_in(&root)
        .map_err(|e| Failed::write(&root, &e))?;
    let progress = Documents::new(output, "checking");
    let observe = |documents| progress.position(documents);
    let options = VerifyOptions {
        keys: &keys,
        scratch: scratch.path(),
        threads: threads(),
        observe: Some(&observe),
    };
    let outcome = export_replica::verify(&args.mirror.dir, &options);
    progress.end();
    let verified = outcome.map_err(|error| failed(&error))?;
    Ok(tell_verified(output, &args.mirror.dir, &verified))
}

fn tell_verified(output: &Output, dir: &Path, verified: &Verified) -> u8 {
    let broken = verified.chain.iter().any(|link| link.problem.is_some());
    let code = if !verified.trusted {
        Some(ErrorCode::WrongKey)
    } else if broken {
        Some(ErrorCode::MirrorDamaged)
    } else if !verified.tree.is_empty() {
        Some(ErrorCode::MirrorEdited)
    } else {
        None
    };
    let exit_code = code.map_or(0, ErrorCode::exit_code);
    let mark = match code {
        None => output.mark(true, "verified"),
        Some(_) => output.mark(false, "failed"),
    };
    let mut text = format!("{}: {mark}\n", dir.display());
    let tree = &verified.tree;
    for (word, files) in [
        ("changed", &tree.changed),
        ("missing", &tree.missing),
        ("extra", &tree.extra),
    ] {
        for path in &files.first {
            text.push_str(&format!("  {word}  current/{path}\n"));
        }
        let more = files.count.saturating_sub(files.first.len() as u64);
        if more > 0 {
            text.push_str(&format!("  {word}  and {} more\n", grouped(more)));
        }
    }
    for link in &verified.chain {
        if let Some(problem) = &link.problem {
            text.push_str(&format!("  version {}  {problem}\n", link.entry.version));
        }
    }
    if !verified.trusted {
        let what = "another key than the one that was given";
        text.push_str(&format!("  signed by {}, {what}\n", verified.key));
    }
    let mut rows = vec![vec![
        "  version".to_owned(),
        verified.head.version.to_string(),
    ]];
    rows.extend(entry_rows(&verified.head));
    if code.is_none() {
        let checked = "signatures, chain, listing, every document, manifests, indexes";
        rows.push(vec!["  checked".to_owned(), checked.to_owned()]);
    }
    text.push_str(&table(&rows));
    if let Some(code) = code {
        text.push_str(&format!("  {code} · {}\n", code.action()));
    }
    let value = json!({
        "dir": dir,
        "verified": code.is_none(),
        "error_code": code,
        "report": verified,
        "exit_code": exit_code,
    });
    output.result(&text, &value);
    exit_code
}

fn log(output: &Output, args: &MirrorDir) -> Result<u8, Failed> {
    let links = export_replica::log(&args.dir).map_err(|error| failed(&error))?;
    let code = links
        .iter()
        .any(|link| link.problem.is_some())
        .then_some(ErrorCode::MirrorDamaged);
    let exit_code = code.map_or(0, ErrorCode::exit_code);
    let mut text = table(&log_rows(&links));
    for link in &links {
        if let Some(problem) = &link.problem {
            text.push_str(&format!("version {}: {problem}\n", link.entry.version));
        }
    }
    if let Some(code) = code {
        text.push_str(&format!("{code} · {}\n", code.action()));
    }
    let value = json!({
        "dir": args.dir,
        "log": links,
        "error_code": code,
        "exit_code": exit_code,
    });
    output.result(&text, &value);
    Ok(exit_code)
}

fn log_rows(links: &[Link]) -> Vec<Vec<String>> {
    let head = [
        "VERSION",
        "APPLIED",
        "EXPORT",
        "KIND",
        "WATERMARK",
        "DOCUMENTS",
        "CHANGES",
        "",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for Link { entry, problem } in links {
        let mut notes = Vec::new();
        if problem.is_some() {
            notes.push("damaged");
        }
        if entry.repinned {
            notes.push("another key");
        }
        if entry.rolled_back {
            notes.push("rolled back");
        }
        let changes = match entry.base {
            Some(_) => changes(entry),
            None => String::new(),
        };
        rows.push(vec![
            entry.version.to_string(),
            entry.applied_at.to_string(),
            entry.export_id.to_string(),
            entry.kind.to_string(),
            entry.watermark.to_string(),
            grouped(entry.counts.documents),
            changes,
            notes.join(", "),
        ]);
    }
    rows
}
