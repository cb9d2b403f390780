//! `exportctl keys …`

use std::path::{Path, PathBuf};

use export_api::views::SigningKeyView;
use export_embedded::{FileSigner, Home, generate_key_pair, trust_key, trusted_keys};
use export_signing::PublicKey;
use serde_json::json;

use super::verify::public_key;
use crate::cli::KeysCommand;
use crate::failure::Failed;
use crate::output::Output;
use crate::remote::Client;
use crate::settings::{Settings, key_failed, password};

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    command: KeysCommand,
) -> Result<u8, Failed> {
    match command {
        KeysCommand::Show => show(settings, output)?,
        KeysCommand::Public => {
            let pem = match settings.server()? {
                Some(server) => {
                    let client = Client::open(server)?;
                    let key: SigningKeyView = client.ask(&client.get("/key")).await?;
                    key.public_key
                }
                None => {
                    let home = settings.open_home()?;
                    match own(&home)? {
                        Some(key) => key.to_pem(),
                        None => make(&home)?.public_key().to_pem(),
                    }
                }
            };
            output.result(&pem, &json!({ "public_key": pem }));
        }
        KeysCommand::Generate { out: None } => {
            let home = settings.open_home()?;
            let is_new = own(&home)?.is_none();
            let public = make(&home)?.public_key().clone();
            let fingerprint = public.fingerprint().to_string();
            let state = if is_new {
                "made"
            } else {
                "is there already; it was left as it is"
            };
            let key = keys(&home).join("signing.key");
            let text = format!("{} {state}\n  fingerprint  {fingerprint}", key.display());
            let value = json!({
                "key": key,
                "new": is_new,
                "fingerprint": fingerprint,
                "public_key": public.to_pem(),
            });
            output.result(&text, &value);
        }
        KeysCommand::Generate { out: Some(prefix) } => generate(output, &prefix)?,
        KeysCommand::Trust { file } => {
            let key = public_key(&file)?;
            let home = settings.open_home()?;
            let path = trust_key(&keys(&home), &key)?;
            let fingerprint = key.fingerprint().to_string();
            let text = format!("bundles signed by {fingerprint} now verify in this home");
            output.result(&text, &json!({ "fingerprint": fingerprint, "file": path }));
        }
    }
    Ok(0)
}

fn keys(home: &Home) -> PathBuf {
    home.path().join("keys")
}

/// The home's own public key; none before its signing key is made.
fn own(home: &Home) -> Result<Option<PublicKey>, Failed> {
    let folder = keys(home);
    let own = folder.join("signing.pub");
    let trusted = trusted_keys(&folder).map_err(key_failed)?;
    Ok(trusted
        .into_iter()
        .find(|(path, _)| *path == own)
        .map(|(_, key)| key))
}

fn make(home: &Home) -> Result<FileSigner, Failed> {
    FileSigner::open(&keys(home), password().as_deref().map(str::as_bytes)).map_err(key_failed)
}

fn show(settings: &Settings, output: &Output) -> Result<(), Failed> {
    let home = settings.open_home()?;
    let signing = own(&home)?;
    let mut text = match &signing {
        Some(key) => format!("signing key  {}\n", key.fingerprint()),
        None => "signing key  none yet; the first run makes it\n".to_owned(),
    };
    let mut trusted = Vec::new();
    for (path, key) in trusted_keys(&keys(&home)).map_err(key_failed)? {
        let fingerprint = key.fingerprint().to_string();
        text.push_str(&format!("trusted      {fingerprint}  {}\n", path.display()));
        trusted.push(json!({ "fingerprint": fingerprint, "file": path }));
    }
    let value = json!({
        "signing_key": signing.as_ref().map(|key| key.fingerprint().to_string()),
        "public_key": signing.as_ref().map(PublicKey::to_pem),
        "trusted": trusted,
    });
    output.result(&text, &value);
    Ok(())
}

/// A key pair as two new files, the private one for its owner only.
fn generate(output: &Output, prefix: &Path) -> Result<(), Failed> {
    let password = password();
    let (private_path, public_path) = (with(prefix, ".key"), with(prefix, ".pub"));
    let secret = password.as_deref().map(str::as_bytes);
    let public = generate_key_pair(&private_path, &public_path, secret).map_err(key_failed)?;
    let kind = if password.is_some() {
        "encrypted"
    } else {
        "not encrypted; COSIGN_PASSWORD encrypts"
    };
    let text = format!(
        "{} ({kind})\n{}\n  fingerprint  {}",
        private_path.display(),
        public_path.display(),
        public.fingerprint()
    );
    let value = json!({
        "key": private_path,
        "public_key": public_path,
        "encrypted": password.is_some(),
        "fingerprint": public.fingerprint().to_string(),
    });
    output.result(&text, &value);
    Ok(())
}

fn with(prefix: &Path, ending: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(ending);
    path.into()
}
