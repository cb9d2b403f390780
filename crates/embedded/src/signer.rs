//! The key file signer: `keys/signing.key`, made on first use, with `keys/signing.pub` beside it
//! and the public keys of others in `keys/trusted/`.
//!
//! Two processes may use a new home at the same moment. Each makes a key, writes it whole under
//! another name and links it to its place: a link, unlike a rename, never replaces what is there,
//! so one key wins and both sign with it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use export_ports::{PortError, PortErrorKind, Signer, SignerLevel};
use export_signing::key::MAX_KEY_BYTES;
use export_signing::{KeyError, PublicKey, SigningKey};

use crate::failure::{io_failed, task_failed};

/// A signing key that lies in a file.
#[derive(Clone, Debug)]
pub struct FileSigner {
    key: Arc<SigningKey>,
}

impl FileSigner {
    /// The key of the folder `keys`, made now if there is none: encrypted under `password` if one
    /// is given. Blocks, for a while where a password is involved.
    ///
    /// A public key that lies beside the key but is not its own (somebody put another key there) is
    /// kept among the trusted ones, so that bundles that it signed can still be verified.
    ///
    /// # Errors
    /// `Password` when the key is encrypted and the password is missing or wrong; `Damaged` when
    /// the file is no key; otherwise when a file cannot be read or written.
    pub fn open(keys: &Path, password: Option<&[u8]>) -> Result<Self, PortError> {
        let path = keys.join("signing.key");
        let signer = match Self::load(&path, password) {
            Err(error) if error.kind() == PortErrorKind::NotFound => {
                let key = SigningKey::generate().map_err(|error| key_failed(&path, error))?;
                match place_private(&path, &key, password) {
                    Ok(()) => Self { key: Arc::new(key) },
                    // Another process was faster.
                    Err(error) if error.kind() == PortErrorKind::AlreadyExists => {
                        Self::load(&path, password)?
                    }
                    Err(error) => return Err(error),
                }
            }
            loaded => loaded?,
        };
        signer.place_public(keys)?;
        Ok(signer)
    }

    /// The key of a file that exists. Blocks.
    ///
    /// # Errors
    /// As [`FileSigner::open`], and `NotFound` when there is no such file.
    pub fn load(path: &Path, password: Option<&[u8]>) -> Result<Self, PortError> {
        let pem = read_limited(path)?;
        let key = SigningKey::from_pem(&pem, password).map_err(|error| key_failed(path, error))?;
        Ok(Self { key: Arc::new(key) })
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn place_public(&self, keys: &Path) -> Result<(), PortError> {
        let path = keys.join("signing.pub");
        let pem = self.public_key().to_pem();
        match read_limited(&path) {
            Ok(found) if found == pem.as_bytes() => return Ok(()),
            Ok(found) => {
                if let Ok(other) = PublicKey::from_pem(&found) {
                    trust_key(keys, &other)?;
                }
            }
            Err(error) if error.kind() == PortErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        replace(&path, pem.as_bytes())
    }
}

/// Makes a new key pair in two new files, the private one (mode 0600) encrypted under `password` if
/// one is given. Blocks.
///
/// # Errors
/// `AlreadyExists` when one of the files is there; otherwise when one cannot be written.
pub fn generate_key_pair(
    private: &Path,
    public: &Path,
    password: Option<&[u8]>,
) -> Result<PublicKey, PortError> {
    if public.exists() {
        return Err(PortError::new(
            PortErrorKind::AlreadyExists,
            format!("creating {}", public.display()),
        ));
    }
    let key = SigningKey::generate().map_err(|error| key_failed(private, error))?;
    place_private(private, &key, password)?;
    replace(public, key.public_key().to_pem().as_bytes())?;
    Ok(key.public_key().clone())
}

/// The keys that the folder `keys` trusts, with the file of each: its own public key, and those in
/// `trusted/` whose names end with `.pub`, sorted by name. Only reads, so that verifying needs no
/// home that can be written to; a folder that is not there trusts nobody.
///
/// # Errors
/// When a file cannot be read or is no public key.
pub fn trusted_keys(keys: &Path) -> Result<Vec<(PathBuf, PublicKey)>, PortError> {
    let mut paths = public_files(&keys.join("trusted"))?;
    let own = keys.join("signing.pub");
    if own.exists() {
        paths.insert(0, own);
    }
    let read = |path: PathBuf| public_key(&path).map(|key| (path, key));
    paths.into_iter().map(read).collect()
}

/// The files of a folder whose names end with `.pub`, sorted; none where there is no folder.
pub(crate) fn public_files(folder: &Path) -> Result<Vec<PathBuf>, PortError> {
    let mut paths = vec![];
    match fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries {
                let path = entry
                    .map_err(|error| io_failed("listing", folder, error))?
                    .path();
                if path.extension().is_some_and(|extension| extension == "pub") {
                    paths.push(path);
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io_failed("listing", folder, error)),
    }
    paths.sort_unstable();
    Ok(paths)
}

/// The public key of a file.
pub(crate) fn public_key(path: &Path) -> Result<PublicKey, PortError> {
    let pem = read_limited(path)?;
    PublicKey::from_pem(&pem).map_err(|error| {
        PortError::because(
            PortErrorKind::Damaged,
            format!("reading the public key {}", path.display()),
            error,
        )
    })
}

/// Trusts a key from now on; gives the file that keeps it, named by its fingerprint. Blocks.
///
/// # Errors
/// When the file cannot be written.
pub fn trust_key(keys: &Path, key: &PublicKey) -> Result<PathBuf, PortError> {
    keep_public(&keys.join("trusted"), key)
}

/// Puts a public key into a folder, which is made where it is missing, under the beginning of its
/// fingerprint.
pub(crate) fn keep_public(folder: &Path, key: &PublicKey) -> Result<PathBuf, PortError> {
    fs::create_dir_all(folder).map_err(|error| io_failed("creating", folder, error))?;
    let name = format!("{}.pub", &hex::encode(key.fingerprint().as_bytes())[..16]);
    let path = folder.join(name);
    replace(&path, key.to_pem().as_bytes())?;
    Ok(path)
}

fn key_failed(path: &Path, error: KeyError) -> PortError {
    let kind = match &error {
        KeyError::NeedsPassword | KeyError::WrongPassword => PortErrorKind::Password,
        KeyError::TooLarge { .. } | KeyError::NotAKey { .. } => PortErrorKind::Damaged,
        KeyError::UnsupportedKey { .. } | KeyError::UnsupportedEncryption { .. } => {
            PortErrorKind::Invalid
        }
        KeyError::Library { .. } => PortErrorKind::Unavailable,
    };
    PortError::because(
        kind,
        format!("using the private key {}", path.display()),
        error,
    )
}

/// At most one byte more than a key may have.
fn read_limited(path: &Path) -> Result<Vec<u8>, PortError> {
    let limit = u64::try_from(MAX_KEY_BYTES).unwrap_or(u64::MAX) + 1;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| io_failed("reading", path, error))?;
    Ok(bytes)
}

/// Writes a private key to a file that must not be there yet.
fn place_private(path: &Path, key: &SigningKey, password: Option<&[u8]>) -> Result<(), PortError> {
    let pem = key
        .to_pem(password)
        .map_err(|error| key_failed(path, error))?;
    let unnamed = write_unnamed(path, pem.as_bytes(), 0o600)?;
    let linked = fs::hard_link(&unnamed, path);
    let _ = fs::remove_file(&unnamed);
    match linked {
        Ok(()) => flush_folder(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(PortError::because(
            PortErrorKind::AlreadyExists,
            format!("creating {}", path.display()),
            error,
        )),
        Err(error) => Err(io_failed("creating", path, error)),
    }
}

/// Writes a public file, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), PortError> {
    let unnamed = write_unnamed(path, bytes, 0o644)?;
    fs::rename(&unnamed, path).map_err(|error| io_failed("creating", path, error))?;
    flush_folder(path)
}

fn write_unnamed(path: &Path, bytes: &[u8], mode: u32) -> Result<PathBuf, PortError> {
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(|error| {
        PortError::because(
            PortErrorKind::Unavailable,
            format!("creating {}", path.display()),
            error,
        )
    })?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", hex::encode(random)));
    let unnamed = PathBuf::from(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&unnamed)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
    match written {
        Ok(()) => Ok(unnamed),
        Err(error) => {
            let _ = fs::remove_file(&unnamed);
            Err(io_failed("creating", path, error))
        }
    }
}

fn flush_folder(path: &Path) -> Result<(), PortError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| io_failed("flushing", folder, error))
}

#[async_trait]
impl Signer for FileSigner {
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PortError> {
        const DOING: &str = "signing with the key file";
        let (key, message) = (Arc::clone(&self.key), message.to_vec());
        tokio::task::spawn_blocking(move || key.sign(&message))
            .await
            .map_err(|error| task_failed(DOING, error))?
            .map(|signature| signature.as_der().to_vec())
            .map_err(|error| PortError::because(PortErrorKind::Unavailable, DOING, error))
    }

    async fn public_key_pem(&self) -> Result<String, PortError> {
        Ok(self.public_key().to_pem())
    }

    fn key_id(&self) -> String {
        "file".to_owned()
    }

    fn level(&self) -> SignerLevel {
        SignerLevel::KeyFile
    }
}
