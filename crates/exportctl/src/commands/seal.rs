//! `exportctl seal`

use std::fs::{File, OpenOptions};
use std::io::{Read, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use export_bundle::contents::read_archive;
use export_bundle::verify::Unseal as _;
use export_embedded::HomeSeals;
use export_model::{ErrorCode, Tenant};
use export_ports::{PortError, PortErrorKind};
use export_sealing::{
    FileKeys, Identity, KekFile, KeyFile, KeyWrap, Recipient, RecipientError, SealHost as _,
};
use serde_json::json;

use super::layer::unreadable;
use super::opening::{context, held, kms, sealed_as, wait};
use super::verify::open;
use crate::cli::{RewrapArgs, SealCommand};
use crate::failure::Failed;
use crate::output::Output;
use crate::settings::Settings;

/// Largest key file that is read.
const MAX_KEY: u64 = 64 << 10;

pub(super) fn execute(
    settings: &Settings,
    output: &Output,
    command: SealCommand,
) -> Result<u8, Failed> {
    match command {
        SealCommand::Allow {
            tenant,
            recipients,
            keys,
        } => allow(settings, output, &tenant, &recipients, &keys),
        SealCommand::Identity { out } => identity(output, &out),
        SealCommand::Keygen { name } => keygen(settings, output, &name),
        SealCommand::Rewrap(args) => rewrap(settings, output, &args),
    }
}

fn home(settings: &Settings) -> Result<HomeSeals, Failed> {
    Ok(HomeSeals::new(settings.keys()?))
}

fn allow(
    settings: &Settings,
    output: &Output,
    tenant: &str,
    recipients: &[String],
    keys: &[String],
) -> Result<u8, Failed> {
    let tenant: Tenant = tenant
        .parse()
        .map_err(|e| Failed::new(ErrorCode::InvalidRequest, format!("{e}")))?;
    let home = home(settings)?;
    let mut config = home.config().map_err(configuration)?;
    let seals = config.0.entry(tenant.clone()).or_default();
    for text in recipients {
        let recipient = recipient(text)?;
        if !seals.recipients.contains(&recipient) {
            seals.recipients.push(recipient);
        }
    }
    for name in keys {
        home.key(name).map_err(configuration)?;
        if !seals.keys.contains(name) {
            seals.keys.push(name.clone());
        }
    }
    let listed = seals.clone();
    if !(recipients.is_empty() && keys.is_empty()) {
        home.write_config(&config).map_err(configuration)?;
    }
    let mut text = format!("files of {tenant} may be sealed to\n");
    for recipient in &listed.recipients {
        text.push_str(&format!("  {recipient}\n"));
    }
    for key in &listed.keys {
        text.push_str(&format!("  the key {key}\n"));
    }
    if listed.recipients.is_empty() && listed.keys.is_empty() {
        text = format!("files of {tenant} may be sealed to nobody yet; add --recipient or --key\n");
    }
    let value = json!({
        "tenant": tenant, "recipients": listed.recipients, "keys": listed.keys,
        "file": home.config_path(),
    });
    output.result(&text, &value);
    Ok(0)
}

fn identity(output: &Output, out: &Path) -> Result<u8, Failed> {
    let identity = Identity::generate(&mut random).map_err(no_random)?;
    write_secret(out, identity.to_file().as_bytes())?;
    let recipient = identity.recipient().to_string();
    let text = format!(
        "{recipient}\n  {} opens what is sealed to it; keep it secret\n",
        out.display()
    );
    output.result(&text, &json!({ "recipient": recipient, "file": out }));
    Ok(0)
}

fn keygen(settings: &Settings, output: &Output, name: &str) -> Result<u8, Failed> {
    let (path, key) = home(settings)?
        .generate_key(name)
        .map_err(|error| match error.kind() {
            PortErrorKind::AlreadyExists => {
                let detail = format!("there is a key {name} already, which opens what it wrapped");
                Failed::new(ErrorCode::Usage, detail)
            }
            _ => configuration(error),
        })?;
    let id = key.key_id();
    let text = format!(
        "{name}: key id {id}\n  {} unwraps what it wraps; keep it secret\n  \
         `exportctl seal allow TENANT --key {name}` lets profiles of a tenant use it\n",
        path.display()
    );
    output.result(&text, &json!({ "name": name, "key_id": id, "file": path }));
    Ok(0)
}

fn rewrap(settings: &Settings, output: &Output, args: &RewrapArgs) -> Result<u8, Failed> {
    let wrong = |why: String| {
        let detail = format!("{}: {why}", args.bundle.display());
        Failed::new(ErrorCode::WrongIdentity, detail)
    };
    let usage = |why: &str| Failed::new(ErrorCode::Usage, why.to_owned());
    let Some(held) = held(settings, &args.identities)? else {
        return Err(usage("--identity: name what opens the bundle now"));
    };
    // Nobody vouches for what it says here: what is wrapped anew does not open what it does not
    // belong to.
    let found = export_bundle::inspect::inspect_archive(open(&args.bundle)?)
        .map_err(|e| unreadable(&args.bundle, &e))?;
    let sealed = sealed_as(&found).ok_or_else(|| usage("the bundle is not sealed"))?;
    let (bytes, count) = if sealed.mode == "aes-gcm" {
        let Some(path) = &args.to_key else {
            return Err(usage(
                "the bundle is sealed with AES-256-GCM: say --to-key FILE",
            ));
        };
        let kek = kek(settings, path)?;
        let key = held.data_key(&sealed).map_err(wrong)?;
        let context = context(&sealed);
        let wrapped = wait(kek.wrap(&key, &context)).map_err(configuration)?;
        let file = KeyFile::new(context, vec![wrapped]);
        (file.to_json().map_err(|e| wrong(e.to_string()))?, 1)
    } else {
        let recipients = args.recipients.iter();
        let recipients = recipients
            .map(|text| recipient(text))
            .collect::<Result<Vec<_>, _>>()?;
        if recipients.is_empty() {
            return Err(usage("the bundle is sealed with age: say --to RECIPIENT"));
        }
        let keyring = held.keyring(&sealed).map_err(wrong)?;
        let mut keys = FileKeys::new(context(&sealed));
        let mut failed = None;
        let mut take = |_: &_, file: &export_bundle::manifest::FileEntry, stored: &mut dyn Read| {
            if let Err(error) = keys.add(&file.path, stored, &keyring) {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                failed = Some(format!("{error}: {}", cause.unwrap_or_default()));
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        };
        read_archive(open(&args.bundle)?, &mut take).map_err(|e| unreadable(&args.bundle, &e))?;
        if let Some(why) = failed {
            return Err(wrong(why));
        }
        let count = keys.paths().count();
        let sealed = keys.seal(&recipients, &mut random);
        (sealed.map_err(|e| wrong(e.to_string()))?, count)
    };
    write_secret(&args.out, &bytes)?;
    let text = format!(
        "{}: {count} key{} wrapped anew\n  give it with the bundle: `--identity {}` beside the new \
         identity or key. The bundle stays as it is\n",
        args.out.display(),
        if count == 1 { "" } else { "s" },
        args.out.display()
    );
    let value = json!({ "file": args.out, "keys": count, "mode": sealed.mode });
    output.result(&text, &value);
    Ok(0)
}

fn kek(settings: &Settings, path: &Path) -> Result<Arc<dyn KeyWrap>, Failed> {
    if let Some(uri) = path.to_str().filter(|text| text.starts_with("awskms://")) {
        return kms(settings, uri);
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_KEY).read_to_end(&mut bytes))
        .map_err(|e| Failed::read(path, &e))?;
    let key = KekFile::parse(&bytes).map_err(|e| {
        let detail = format!("{}: {e}", path.display());
        Failed::new(ErrorCode::KeyUnreadable, detail)
    })?;
    Ok(Arc::new(key))
}

fn recipient(text: &str) -> Result<Recipient, Failed> {
    // The error quotes what was given, unless it is a secret.
    text.parse()
        .map_err(|error: RecipientError| Failed::new(ErrorCode::InvalidRequest, error.to_string()))
}

fn random(buffer: &mut [u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Ok(getrandom::fill(buffer)?)
}

fn no_random(error: export_sealing::SealError) -> Failed {
    Failed::new(ErrorCode::Internal, error.to_string())
}

fn configuration(error: PortError) -> Failed {
    Failed::new(error.code(), error.to_string())
}

/// Writes a new file that only its owner reads.
fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Failed> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| Failed::write(path, &e))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|e| Failed::write(path, &e))
}
