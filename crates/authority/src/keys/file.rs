//! A key set in a file: of an Authority that cannot be reached from here, or of the development authority.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{FetchError, Fetched, JwksSource, MAX_SET_BYTES};

/// A key set in a file, read again whenever the cache asks.
#[derive(Clone, Debug)]
pub struct FileJwks {
    path: PathBuf,
}

impl FileJwks {
    /// The key set in the file at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

#[async_trait]
impl JwksSource for FileJwks {
    async fn fetch(&self) -> Result<Fetched, FetchError> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        let body = read.map_err(|_| FetchError("reading the key set was stopped".to_owned()))??;
        Ok(Fetched {
            body,
            max_age: None,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FetchError> {
    let failed = |problem: &dyn std::fmt::Display| {
        FetchError(format!("the key set {}: {problem}", path.display()))
    };
    let mut body = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_SET_BYTES as u64 + 1).read_to_end(&mut body))
        .map_err(|error| failed(&error))?;
    if body.len() > MAX_SET_BYTES {
        return Err(failed(&"it has more than 256 KiB"));
    }
    Ok(body)
}
