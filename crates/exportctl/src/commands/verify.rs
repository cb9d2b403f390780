//! `exportctl verify` and `exportctl unpack`. Neither makes a network call, and neither needs a
//! home: where there is one, its trusted keys are used.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use export_bundle::unpack::UnpackError;
use export_bundle::verify::{
    Keys, Report, Trust, Verdict, VerifyError, VerifyOptions, verify_archive, verify_folder,
};
use export_model::ErrorCode;
use export_signing::PublicKey;
use serde_json::json;

use super::opening::{held, keys, open_folder};
use super::{is_standard_input, layer};
use crate::cli::{UnpackArgs, VerifyArgs};
use crate::failure::Failed;
use crate::output::{Output, grouped, size, table};
use crate::settings::{Settings, key_failed};

/// Largest key file that is read.
const MAX_KEY: u64 = 64 << 10;

pub(super) fn verify(
    settings: &Settings,
    output: &Output,
    args: &VerifyArgs,
) -> Result<u8, Failed> {
    let trust = trust(settings, args.key.as_deref())?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = VerifyOptions {
        deep: args.deep,
        threads,
        keys: keys(settings, &args.identities)?,
    };
    let report = if !is_standard_input(&args.bundle) && args.bundle.is_dir() {
        verify_folder(&args.bundle, &trust, &options)
    } else {
        verify_archive(open(&args.bundle)?, &trust, &options)
    }
    .map_err(|e| failed(&args.bundle, &e))?;
    Ok(tell(output, &args.bundle, &report))
}

pub(super) fn unpack(
    settings: &Settings,
    output: &Output,
    args: &UnpackArgs,
) -> Result<u8, Failed> {
    let trust = trust(settings, args.key.as_deref())?;
    let held = held(settings, &args.identities)?.map(Arc::new);
    let options = VerifyOptions {
        deep: false,
        threads: 1,
        keys: Keys(held.clone().map(|held| held as _)),
    };
    // A layer is taken out of a bundle that was verified as a whole, never out of a stream that may
    // yet turn out to be another.
    let aside = match (&args.to, &args.trivy_cache) {
        (None, Some(cache)) => Some(layer::aside(cache)?),
        _ => None,
    };
    let inside = aside.as_ref().map(|folder| folder.path().join("bundle"));
    let Some(to) = args.to.as_ref().or(inside.as_ref()) else {
        let detail = "say where to unpack it, with --to or --trivy-cache";
        return Err(Failed::new(ErrorCode::Usage, detail));
    };
    let outcome = export_bundle::unpack::unpack(
        open(&args.bundle)?,
        to,
        &trust,
        &options,
        args.allow_unverified,
    );
    match outcome {
        Ok(report) => {
            if let Some(held) = &held {
                open_folder(to, held)?;
            }
            let laid_out = match &args.trivy_cache {
                Some(cache) => Some(layer::lay_out(&args.bundle, to, &report, cache)?),
                None => None,
            };
            let code = tell(output, &args.bundle, &report);
            if let Some(to) = &args.to {
                output.note(&format!("unpacked to {}", to.display()));
            }
            if let Some(database) = laid_out {
                output.note(&format!("Trivy finds it at {}", database.display()));
            }
            // Somebody who allowed it was told; the verdict stands in the report.
            Ok(if report.verdict == Verdict::NotVerified {
                0
            } else {
                code
            })
        }
        Err(UnpackError::Refused(report)) => {
            output.note("nothing was unpacked");
            Ok(tell(output, &args.bundle, &report))
        }
        Err(error) => Err(Failed::new(error.code(), error.to_string())),
    }
}

/// The archive's bytes. Hashing wants large reads, so nothing is buffered here.
pub(super) fn open(bundle: &Path) -> Result<Box<dyn Read>, Failed> {
    if is_standard_input(bundle) {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(bundle).map_err(|e| Failed::read(bundle, &e))?;
    Ok(Box::new(file))
}

fn failed(bundle: &Path, error: &VerifyError) -> Failed {
    Failed::new(
        ErrorCode::Io,
        format!("reading {}: {error}", bundle.display()),
    )
}

/// The key that was named, or all that the home trusts.
pub(super) fn trust(settings: &Settings, key: Option<&Path>) -> Result<Trust, Failed> {
    if let Some(path) = key {
        return Ok(Trust {
            keys: vec![public_key(path)?],
        });
    }
    let mut keys = Vec::new();
    if let Some(home) = settings.existing_home() {
        let trusted = export_embedded::trusted_keys(&home.join("keys")).map_err(key_failed)?;
        keys.extend(trusted.into_iter().map(|(_, key)| key));
    }
    Ok(Trust { keys })
}

pub(super) fn public_key(path: &Path) -> Result<PublicKey, Failed> {
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_KEY + 1).read_to_end(&mut pem))
        .map_err(|e| Failed::read(path, &e))?;
    PublicKey::from_pem(&pem).map_err(|e| {
        let detail = format!("{}: {e}", path.display());
        Failed::new(ErrorCode::KeyUnreadable, detail)
    })
}

/// Prints the report; gives the exit code.
fn tell(output: &Output, bundle: &Path, report: &Report) -> u8 {
    let code = report.code;
    let exit_code = code.map_or(0, ErrorCode::exit_code);
    let mut text = match report.verdict {
        Verdict::Verified => output.mark(true, "verified"),
        Verdict::NotVerified => {
            output.mark(false, "not verified: there is no key to verify it with")
        }
        Verdict::Failed => output.mark(false, "failed"),
    };
    text = format!("{}: {text}\n", bundle.display());
    for problem in &report.problems {
        let path = problem.path.as_deref().unwrap_or("the bundle");
        text.push_str(&format!(
            "  {path}: {} ({})\n",
            problem.detail, problem.code
        ));
    }
    if report.problems_omitted > 0 {
        text.push_str(&format!("  and {} more\n", report.problems_omitted));
    }
    let mut rows = Vec::new();
    let mut add = |name: &str, value: String| rows.push(vec![format!("  {name}"), value]);
    if let Some(key) = &report.key {
        let label = if report.verdict == Verdict::Verified {
            "signed by"
        } else {
            "claims key"
        };
        add(label, key.to_string());
    }
    if report.verdict != Verdict::Failed
        && let Some(summary) = &report.summary
    {
        add("run", format!("{} of {}", summary.run_id, summary.profile));
        add("tenant", summary.tenant.to_string());
        for (tenant, records) in &summary.by_tenant {
            add("records of", format!("{tenant}: {}", grouped(*records)));
        }
        let kinds: Vec<_> = summary
            .by_kind
            .iter()
            .map(|(kind, records)| format!("{kind} {}", grouped(*records)))
            .collect();
        add(
            "records",
            format!("{} ({})", grouped(summary.records), kinds.join(", ")),
        );
        let quarantined: u64 = summary.quarantined.values().sum();
        if quarantined > 0 {
            add("quarantined", grouped(quarantined));
        }
        add(
            "files",
            format!("{} ({})", summary.files, size(summary.bytes)),
        );
        if let Some(digest) = &summary.content_digest {
            add("content digest", digest.to_string());
        }
        if let Some(mode) = &summary.sealed {
            let how = match report.opened {
                true => "every file was opened",
                false => "stored bytes verified; --identity opens them",
            };
            add("sealed", format!("{mode}: {how}"));
        }
        if let Some(builder) = &summary.builder_id {
            add("built by", builder.clone());
        }
        let looked_into = report.deep && (summary.sealed.is_none() || report.opened);
        let checked = match (report.verdict == Verdict::Verified, looked_into) {
            (true, true) => "signatures, digests, contents, guardrails, input hashes",
            (true, false) if report.deep || (summary.sealed.is_some() && !report.opened) => {
                "signatures and stored digests"
            }
            (true, false) => "signatures and stored digests; --deep checks the contents too",
            (false, true) => "digests, contents, guardrails, input hashes; no signature",
            (false, false) => "stored digests; no signature",
        };
        add("checked", checked.to_owned());
    }
    for what in &report.unchecked {
        add("not checked", what.clone());
    }
    text.push_str(&table(&rows));
    if let Some(code) = code {
        text.push_str(&format!("  {code} · {}\n", code.action()));
    }
    let value = json!({
        "bundle": bundle,
        "verified": report.verdict == Verdict::Verified,
        "report": report,
        "exit_code": exit_code,
    });
    output.result(&text, &value);
    exit_code
}
