//! Why a command failed, as its user is told.

use std::io;
use std::path::Path;

use export_api::ApiError;
use export_lifecycle::PhaseError;
use export_model::{ErrorCode, FieldError};
use export_ports::PortError;

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) code: ErrorCode,
    pub(crate) detail: String,
    pub(crate) fields: Vec<FieldError>,
}

impl Failed {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            fields: Vec::new(),
        }
    }

    /// A file operation that failed: `doing` says what to what.
    pub(crate) fn io(doing: &str, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem => ErrorCode::ReadOnly,
            _ => ErrorCode::Io,
        };
        Self::new(code, format!("{doing}: {error}"))
    }

    pub(crate) fn read(path: &Path, error: &io::Error) -> Self {
        Self::io(&format!("reading {}", path.display()), error)
    }

    pub(crate) fn write(path: &Path, error: &io::Error) -> Self {
        Self::io(&format!("writing {}", path.display()), error)
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.code.exit_code()
    }
}

impl From<PortError> for Failed {
    fn from(error: PortError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<PhaseError> for Failed {
    fn from(error: PhaseError) -> Self {
        let failure = error.failure();
        Self::new(failure.error_code, failure.detail)
    }
}

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Self {
        Self {
            code: error.code,
            detail: error.detail,
            fields: error.fields,
        }
    }
}
