//! Sealing what a run stores, after compression.

use std::sync::Arc;

use export_lifecycle::PhaseError;
use export_model::{ErrorCode, Run, Sealing};
use export_ports::{Ports, Seals};
use export_sealing::{DataKey, Recipient, SealError, Sealer};

/// How the files of a run are sealed. A run of which nothing is sealed has one that does nothing.
#[derive(Clone, Default)]
pub struct Seal(Option<Arc<With>>);

struct With {
    how: How,
    suffix: &'static str,
    seals: Arc<dyn Seals>,
}

enum How {
    Age(Vec<Recipient>),
    AesGcm(DataKey),
}

impl Seal {
    /// How the files of `run` are sealed.
    ///
    /// # Errors
    /// When a recipient is none, or its key cannot be had.
    pub async fn of(ports: &Ports, run: &Run) -> Result<Self, PhaseError> {
        let broken = |what: String| PhaseError::permanent(ErrorCode::Internal, what);
        let Some(sealing) = &run.sealing else {
            return Ok(Self(None));
        };
        let how = match sealing {
            Sealing::Age { recipients } => {
                let parse = |text: &String| {
                    text.parse::<Recipient>()
                        .map_err(|error| broken(format!("{text}: {error}")))
                };
                How::Age(recipients.iter().map(parse).collect::<Result<_, _>>()?)
            }
            Sealing::AesGcm { wrapped, .. } => {
                let wrapped = wrapped
                    .as_ref()
                    .ok_or_else(|| broken(format!("run {} has no data key", run.key.run)))?;
                let key = ports.seals.unwrapped_key(&run.key, wrapped).await?;
                How::AesGcm(DataKey::from_bytes(key))
            }
        };
        Ok(Self(Some(Arc::new(With {
            how,
            suffix: sealing.suffix(),
            seals: Arc::clone(&ports.seals),
        }))))
    }

    /// Whether files are sealed.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.0.is_some()
    }

    /// The path of a file once it is sealed.
    #[must_use]
    pub fn path(&self, path: &str) -> String {
        match &self.0 {
            None => path.to_owned(),
            Some(with) => format!("{path}{}", with.suffix),
        }
    }

    /// What seals the file that is to have this [path](Self::path) in the bundle; none where nothing
    /// is sealed.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn sealer(&self, path: &str) -> Result<Option<Sealer>, PhaseError> {
        let Some(with) = &self.0 else {
            return Ok(None);
        };
        let mut random = |buffer: &mut [u8]| Ok(with.seals.random(buffer)?);
        let sealer = match &with.how {
            How::Age(recipients) => Sealer::age(recipients, &mut random),
            How::AesGcm(key) => Sealer::aes_gcm(key, path, &mut random),
        };
        sealer.map(Some).map_err(|error| failed(path, &error))
    }

    /// A small file, sealed at once.
    ///
    /// # Errors
    /// As [`Seal::sealer`].
    pub fn seal(&self, path: &str, bytes: Vec<u8>) -> Result<Vec<u8>, PhaseError> {
        let Some(mut sealer) = self.sealer(path)? else {
            return Ok(bytes);
        };
        let mut out = Vec::with_capacity(bytes.len() + 1024);
        sealer
            .update(&bytes, &mut out)
            .and_then(|()| sealer.finish(&mut out))
            .map_err(|error| failed(path, &error))?;
        Ok(out)
    }
}

/// A file that could not be sealed.
pub(crate) fn failed(path: &str, error: &SealError) -> PhaseError {
    PhaseError::permanent(ErrorCode::Internal, format!("sealing {path}: {error}"))
}
