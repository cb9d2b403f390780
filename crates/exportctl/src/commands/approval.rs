//! `exportctl approval …`, and what a run needs of it.

use std::path::PathBuf;

use export_approval::{Approval, SCHEMA, envelope, to_sign};
use export_embedded::{FileSigner, trust_approver};
use export_host::{RandomIds, SystemClock};
use export_model::{ErrorCode, ProfileKind, Selectors, Sha256Digest, UnknownKind};
use export_ports::{Clock, Ids, Signer};
use export_signing::Signature;
use serde_json::{Value, json};

use super::request;
use super::selecting::{invalid, selectors, time};
use super::verify::public_key;
use crate::cli::{ApprovalArgs, ApprovalCommand};
use crate::failure::Failed;
use crate::output::{Output, table};
use crate::settings::{Settings, key_failed, password, tenant};

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    command: ApprovalCommand,
) -> Result<u8, Failed> {
    match command {
        ApprovalCommand::Create(args) => create(output, &args).await?,
        ApprovalCommand::Trust { tenant: name, file } => {
            let grantor = tenant(&name)?;
            let key = public_key(&file)?;
            let home = settings.open_home()?;
            let path = trust_approver(&home.keys(), &grantor, &key)?;
            let fingerprint = key.fingerprint().to_string();
            let text = format!("approvals of {grantor} signed by {fingerprint} now count here");
            let value = json!({ "tenant": grantor, "fingerprint": fingerprint, "file": path });
            output.result(&text, &value);
        }
    }
    Ok(0)
}

/// Needs no home: whoever grants need not be where the export runs.
async fn create(output: &Output, args: &ApprovalArgs) -> Result<(), Failed> {
    let approval = terms(args)?;
    let document = approval.to_bytes().map_err(|error| {
        let detail = format!("this cannot be approved: {error}");
        Failed::new(ErrorCode::InvalidRequest, detail)
    })?;
    let password = password();
    let secret = password.as_deref().map(str::as_bytes);
    let signer = FileSigner::load(&args.key, secret).map_err(key_failed)?;
    let der = signer.sign(&to_sign(&document)).await?;
    let signature = Signature::from_der(der)
        .map_err(|error| Failed::new(ErrorCode::SigningFailed, error.to_string()))?;
    let fingerprint = signer.public_key().fingerprint();
    let bytes = envelope(&document, &signature, &fingerprint);
    std::fs::write(&args.out, &bytes).map_err(|error| Failed::write(&args.out, &error))?;

    let kinds: Vec<_> = approval.profile_kinds.iter().map(|k| k.as_str()).collect();
    let row = |name: &str, value: String| vec![format!("  {name}"), value];
    let mut rows = vec![
        row("grantor", approval.grantor.to_string()),
        row("grantee", approval.grantee.to_string()),
        row("profiles", kinds.join(", ")),
        row("expires", approval.expires_at.to_string()),
        row("nonce", approval.nonce.clone()),
        row("signed by", fingerprint.to_string()),
    ];
    if approval.once {
        rows.insert(4, row("good for", "one run".to_owned()));
    }
    let text = format!("{}\n{}", args.out.display(), table(&rows));
    let value = json!({
        "file": args.out,
        "sha256": Sha256Digest::of(&bytes),
        "fingerprint": fingerprint.to_string(),
        "approval": approval,
    });
    output.result(&text, &value);
    Ok(())
}

fn terms(args: &ApprovalArgs) -> Result<Approval, Failed> {
    let kinds = args.profiles.iter().map(|name| name.parse());
    let profile_kinds = kinds
        .collect::<Result<Vec<ProfileKind>, UnknownKind>>()
        .map_err(|error| invalid("--profile", error.to_string()))?;
    let not_before = time("--not-before", args.not_before.as_deref())?;
    let expires_at = args
        .expires
        .parse()
        .map_err(|error: export_model::TimestampError| invalid("--expires", error.to_string()))?;
    let nonce = match &args.nonce {
        Some(nonce) => nonce.clone(),
        None => RandomIds::new("approval")?
            .run_id(SystemClock.now())
            .to_string(),
    };
    let bound = selectors(&args.selecting)?;
    Ok(Approval {
        schema: SCHEMA.to_owned(),
        nonce,
        grantor: tenant(&args.grantor)?,
        grantee: tenant(&args.grantee)?,
        profile_kinds,
        selectors: (bound != Selectors::default()).then_some(bound),
        not_before,
        expires_at,
        once: args.once,
    })
}

/// The approvals that a command names.
pub(super) fn approvals(files: &[PathBuf]) -> Result<Vec<Value>, Failed> {
    let read = |file: &PathBuf| request::<Value>(file, "approval");
    let invalid = |error: Failed| match error.code {
        ErrorCode::InvalidRequest => Failed::new(ErrorCode::ApprovalInvalid, error.detail),
        _ => error,
    };
    files
        .iter()
        .map(|file| read(file).map_err(invalid))
        .collect()
}
