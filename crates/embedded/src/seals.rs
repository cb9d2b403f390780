//! For whom files of a home's tenants may be sealed: `keys/sealing.json`, and key-encryption keys as
//! `keys/kek/<name>.key`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use export_ports::{PortError, PortErrorKind};
use export_sealing::{KekFile, KeyWrap, SealConfig, SealHost, WrappedKey};

use crate::failure::io_failed;

/// Largest file that is read.
const MOST: u64 = 1 << 20;

/// Sealing of a home.
pub struct HomeSeals {
    keys: PathBuf,
}

impl HomeSeals {
    /// With the keys and the configuration in `keys`, the home's folder of keys.
    #[must_use]
    pub fn new(keys: PathBuf) -> Self {
        Self { keys }
    }

    /// Where the configuration is.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.keys.join("sealing.json")
    }

    /// Where a key-encryption key is.
    ///
    /// # Errors
    /// `Invalid` where the name cannot be a file's.
    pub fn key_path(&self, name: &str) -> Result<PathBuf, PortError> {
        let fits = !name.is_empty()
            && name.len() <= 100
            && !name.starts_with('.')
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if fits {
            return Ok(self.keys.join("kek").join(format!("{name}.key")));
        }
        let name: String = name.chars().take(100).collect();
        Err(PortError::new(
            PortErrorKind::Invalid,
            format!("naming a key-encryption key {name:?}"),
        ))
    }

    /// Writes the configuration. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_config(&self, config: &SealConfig) -> Result<PathBuf, PortError> {
        let path = self.config_path();
        let bytes = serde_json::to_vec_pretty(config).map_err(|error| {
            let doing = format!("writing {}", path.display());
            PortError::because(PortErrorKind::Invalid, doing, error)
        })?;
        replace(&path, &bytes)?;
        Ok(path)
    }

    /// Makes a key-encryption key of this name, which must be new. Blocks.
    ///
    /// # Errors
    /// `AlreadyExists`; when it cannot be written.
    pub fn generate_key(&self, name: &str) -> Result<(PathBuf, KekFile), PortError> {
        let path = self.key_path(name)?;
        if path.exists() {
            let doing = format!("making {}", path.display());
            return Err(PortError::new(PortErrorKind::AlreadyExists, doing));
        }
        let key = KekFile::generate(&mut |buffer: &mut [u8]| Ok(self.random(buffer)?));
        let key = key.map_err(|error| {
            PortError::because(PortErrorKind::Unavailable, "making a key", error)
        })?;
        replace(&path, key.to_file().as_bytes())?;
        Ok((path, key))
    }
}

impl SealHost for HomeSeals {
    fn config(&self) -> Result<SealConfig, PortError> {
        let path = self.config_path();
        let Some(bytes) = read(&path)? else {
            return Ok(SealConfig::default());
        };
        serde_json::from_slice(&bytes).map_err(|error| {
            let doing = format!("reading {}", path.display());
            PortError::because(PortErrorKind::Invalid, doing, error)
        })
    }

    fn key(&self, name: &str) -> Result<Arc<dyn KeyWrap>, PortError> {
        let path = self.key_path(name)?;
        let doing = || format!("reading {}", path.display());
        let Some(bytes) = read(&path)? else {
            return Err(PortError::new(PortErrorKind::NotFound, doing()));
        };
        let key = KekFile::parse(&bytes)
            .map_err(|error| PortError::because(PortErrorKind::Invalid, doing(), error))?;
        Ok(Arc::new(key))
    }

    fn key_of(&self, wrapped: &WrappedKey) -> Result<Arc<dyn KeyWrap>, PortError> {
        let folder = self.keys.join("kek");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(gone(wrapped)),
            Err(error) => return Err(io_failed("listing", &folder, error)),
        };
        for entry in entries {
            let name = entry
                .map_err(|error| io_failed("listing", &folder, error))?
                .file_name();
            let name = name.to_string_lossy();
            let Some(name) = name.strip_suffix(".key") else {
                continue;
            };
            let key = self.key(name)?;
            if key.may_unwrap(wrapped) {
                return Ok(key);
            }
        }
        Err(gone(wrapped))
    }

    fn random(&self, buffer: &mut [u8]) -> Result<(), PortError> {
        getrandom::fill(buffer).map_err(|error| {
            PortError::because(PortErrorKind::Unavailable, "asking for randomness", error)
        })
    }
}

fn gone(wrapped: &WrappedKey) -> PortError {
    let id: String = wrapped.key_id.chars().take(100).collect();
    let doing = format!("looking for the key-encryption key {id:?}");
    PortError::new(PortErrorKind::NotFound, doing)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, PortError> {
    use std::io::Read as _;
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_failed("reading", path, error)),
    };
    let mut bytes = Vec::new();
    file.take(MOST)
        .read_to_end(&mut bytes)
        .map_err(|error| io_failed("reading", path, error))?;
    Ok(Some(bytes))
}

/// Writes a file that only its owner reads, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), PortError> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    let failed = |error| io_failed("writing", path, error);
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
    }
    let beside = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .map_err(failed)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path))
        .map_err(failed)
}
