//! How members that are sealed are opened.

use std::io::{self, Read};

use export_model::ErrorCode;

/// Why a member cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct OpenError {
    /// The documented code.
    pub code: ErrorCode,
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Opens members of the payload.
pub trait OpenMember {
    /// What the member at `path` holds, still compressed: `stored` gives its bytes as they lie in the
    /// bundle. Reading the result must fail before it gives anything that was not authenticated.
    ///
    /// # Errors
    /// When there is nothing to open it with, or it is not what was sealed.
    fn open<'r>(
        &self,
        path: &str,
        stored: Box<dyn Read + 'r>,
    ) -> Result<Box<dyn Read + 'r>, OpenError>;
}

/// Opens nothing that is sealed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl OpenMember for Plain {
    fn open<'r>(
        &self,
        path: &str,
        stored: Box<dyn Read + 'r>,
    ) -> Result<Box<dyn Read + 'r>, OpenError> {
        if path.ends_with(".age") || path.ends_with(".enc") {
            return Err(OpenError {
                code: ErrorCode::NoKey,
                source: Box::new(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "it is sealed, and there is no identity to open it with",
                )),
            });
        }
        Ok(stored)
    }
}
