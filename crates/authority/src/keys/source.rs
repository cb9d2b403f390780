//! Where a key set comes from.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

/// A key set as it was fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The document; at most [`MAX_SET_BYTES`](super::MAX_SET_BYTES), which the source sees to.
    pub body: Vec<u8>,
    /// How long it may be kept, where the source says so (`Cache-Control: max-age`).
    pub max_age: Option<Duration>,
}

/// Why a key set could not be fetched: what was asked, and what happened, in words for whoever runs the service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// A place to fetch the key set from.
#[async_trait]
pub trait JwksSource: Send + Sync {
    /// Fetches it. Ends by itself after some seconds, and reads a bounded number of bytes.
    ///
    /// # Errors
    /// [`FetchError`] when there is no answer, or none that can be used.
    async fn fetch(&self) -> Result<Fetched, FetchError>;
}

#[async_trait]
impl<S: JwksSource + ?Sized> JwksSource for Arc<S> {
    async fn fetch(&self) -> Result<Fetched, FetchError> {
        (**self).fetch().await
    }
}
