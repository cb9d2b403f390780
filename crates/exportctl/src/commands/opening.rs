//! What sealed bundles are opened with: identities, key-encryption keys, and key files that were made
//! when keys were rotated.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use export_bundle::inspect::{Inspection, inspect_folder};
use export_bundle::paths::unsealed_path;
use export_bundle::verify::{Keys, SealedAs, Unseal};
use export_model::ErrorCode;
use export_sealing::{
    Context, DataKey, FileKeys, Identity, KekFile, KeyFile, KeyWrap, Keyring, MAX_FILE_KEYS_BYTES,
    OpenReader, WrappedKey,
};
use serde::Deserialize as _;

use super::layer::unreadable;
use crate::failure::Failed;
use crate::settings::Settings;

/// The keys in the files that were named; none where none were.
pub(super) fn keys(settings: &Settings, files: &[PathBuf]) -> Result<Keys, Failed> {
    Ok(Keys(match held(settings, files)? {
        Some(held) => Some(Arc::new(held)),
        None => None,
    }))
}

/// How a key of KMS is named, in place of a file.
const KMS: &str = "awskms://";

/// A key of KMS, as the settings of the stack reach it.
#[cfg(feature = "stack")]
pub(super) fn kms(settings: &Settings, uri: &str) -> Result<Arc<dyn KeyWrap>, Failed> {
    let clock: Arc<dyn export_ports::Clock> = Arc::new(export_host::SystemClock);
    Ok(export_stack::key_wrap(settings.stack(), &clock, uri)?)
}

/// A key of KMS, which a program without the stack cannot ask.
#[cfg(not(feature = "stack"))]
pub(super) fn kms(_: &Settings, uri: &str) -> Result<Arc<dyn KeyWrap>, Failed> {
    let detail = format!(
        "{uri}: this program has no KMS; use one that was built with `--features stack`, or have the \
         key wrapped anew for a file there (`exportctl seal rewrap`)"
    );
    Err(Failed::new(ErrorCode::Usage, detail))
}

/// Waits for what a key's keeper answers; a key in a file answers at once.
pub(super) fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(answer))
}

/// Everything in the files that were named.
pub(super) fn held(settings: &Settings, files: &[PathBuf]) -> Result<Option<Held>, Failed> {
    if files.is_empty() {
        return Ok(None);
    }
    let mut held = Held::default();
    for path in files {
        match path.to_str().filter(|text| text.starts_with(KMS)) {
            Some(uri) => held.keks.push(kms(settings, uri)?),
            None => held.read(path)?,
        }
    }
    Ok(Some(held))
}

/// Identities and keys of whoever reads.
#[derive(Default)]
pub(super) struct Held {
    identities: Vec<Identity>,
    keks: Vec<Arc<dyn KeyWrap>>,
    key_files: Vec<KeyFile>,
    /// Lists of file keys, still sealed.
    file_keys: Vec<Vec<u8>>,
}

impl Held {
    fn read(&mut self, path: &Path) -> Result<(), Failed> {
        let mut bytes = Vec::new();
        let most = MAX_FILE_KEYS_BYTES as u64 + 1;
        File::open(path)
            .and_then(|file| file.take(most).read_to_end(&mut bytes))
            .map_err(|e| Failed::read(path, &e))?;
        let refused = |why: String| {
            let detail = format!("{}: {why}", path.display());
            Failed::new(ErrorCode::KeyUnreadable, detail)
        };
        if bytes.starts_with(b"age-encryption.org/") {
            self.file_keys.push(bytes);
        } else if bytes.starts_with(b"{") {
            let file = KeyFile::from_json(&bytes).map_err(|e| refused(e.to_string()))?;
            self.key_files.push(file);
        } else if bytes.windows(18).any(|at| at == b"EXPORT-CENTER-KEK-") {
            let key = KekFile::parse(&bytes).map_err(|e| refused(e.to_string()))?;
            self.keks.push(Arc::new(key));
        } else {
            let found = Identity::parse_file(&bytes).map_err(|e| refused(e.to_string()))?;
            self.identities.extend(found);
        }
        Ok(())
    }

    /// The data key of a run, of one of its wrapped forms.
    pub(super) fn data_key(&self, sealed: &SealedAs) -> Result<DataKey, String> {
        let context = context(sealed);
        let signed = sealed.how.get("wrapped").map(WrappedKey::deserialize);
        let signed = signed
            .transpose()
            .map_err(|_| "its provenance has a wrapped key that cannot be read".to_owned())?;
        let rotated = self.key_files.iter().filter(|file| file.context == context);
        let forms: Vec<_> = signed
            .iter()
            .chain(rotated.flat_map(|file| &file.keys))
            .collect();
        let mut why = None;
        for kek in &self.keks {
            for wrapped in forms.iter().filter(|wrapped| kek.may_unwrap(wrapped)) {
                match wait(kek.unwrap(wrapped, &context)) {
                    Ok(key) => return Ok(key),
                    Err(error) => why = Some(error.to_string()),
                }
            }
        }
        Err(why.unwrap_or_else(|| {
            let named: Vec<_> = forms
                .iter()
                .map(|form| format!("{} {}", form.provider, form.key_id))
                .collect();
            format!(
                "its data key is wrapped by {}, and none of the keys that were given unwraps it",
                named.join(", ")
            )
        }))
    }
}

/// Opens the sealed files of a bundle that was unpacked, and verified, to `folder`: each takes the
/// place of its sealed form.
pub(super) fn open_folder(folder: &Path, held: &Held) -> Result<(), Failed> {
    let found = inspect_folder(folder).map_err(|e| unreadable(folder, &e))?;
    let Some(sealed) = sealed_as(&found) else {
        return Ok(());
    };
    let keys = held
        .keyring(&sealed)
        .map_err(|why| Failed::new(ErrorCode::WrongIdentity, why))?;
    let keys = Arc::new(keys);
    for file in &found.manifest.files {
        let from = folder.join(&file.path);
        let to = folder.join(unsealed_path(&file.path));
        let stored = File::open(&from).map_err(|e| Failed::read(&from, &e))?;
        let mut opened = OpenReader::new(stored, Arc::clone(&keys), file.path.as_str());
        let mut out = File::create_new(&to).map_err(|e| Failed::write(&to, &e))?;
        std::io::copy(&mut opened, &mut out).map_err(|e| {
            let detail = format!("opening {}: {e}", from.display());
            Failed::new(ErrorCode::Altered, detail)
        })?;
        std::fs::remove_file(&from).map_err(|e| Failed::write(&from, &e))?;
    }
    Ok(())
}

/// How a bundle says that it is sealed; none where it does not.
pub(super) fn sealed_as(found: &Inspection) -> Option<SealedAs> {
    let sealed = found.manifest.sealed.as_ref()?;
    Some(SealedAs {
        mode: sealed.mode.clone(),
        run: found.manifest.run.id.clone(),
        tenant: found.manifest.run.tenant.clone(),
        how: found.sealing.clone().unwrap_or_default(),
    })
}

/// What the keys of a bundle belong to.
pub(super) fn context(sealed: &SealedAs) -> Context {
    Context {
        run: sealed.run.clone(),
        tenant: sealed.tenant.clone(),
    }
}

impl Unseal for Held {
    fn keyring(&self, sealed: &SealedAs) -> Result<Keyring, String> {
        if sealed.mode == "aes-gcm" {
            return Ok(Keyring::new().with_data_key(self.data_key(sealed)?));
        }
        let identities = || Keyring::new().with_identities(self.identities.iter().cloned());
        let mut keyring = identities();
        let opening = Arc::new(identities());
        for list in &self.file_keys {
            let keys = FileKeys::open(list, &opening).map_err(|error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                format!("{error}: {}", cause.unwrap_or_default())
            })?;
            if *keys.context() == context(sealed) {
                keyring = keyring.with_file_keys(keys);
            }
        }
        if keyring.is_empty() {
            return Err("it is sealed with age, and no identity was given".to_owned());
        }
        Ok(keyring)
    }
}
