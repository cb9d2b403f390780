//! How members that are sealed are opened.

use std::io::Read;
use std::sync::Arc;

use export_bundle::paths::unsealed_path;
use export_model::ErrorCode;
use export_sealing::{Keyring, OpenReader};

use crate::error::Error;

/// What the member at `path` holds, still compressed: `stored` gives its bytes as they lie in the
/// bundle. Reading the result fails before it gives anything that was not authenticated.
///
/// # Errors
/// When it is sealed, and there are no keys.
pub(crate) fn open<'r>(
    keys: Option<&Arc<Keyring>>,
    path: &str,
    stored: Box<dyn Read + 'r>,
) -> Result<Box<dyn Read + 'r>, Error> {
    if unsealed_path(path) == path {
        return Ok(stored);
    }
    match keys {
        Some(keys) => Ok(Box::new(OpenReader::new(stored, Arc::clone(keys), path))),
        None => Err(Error::Open {
            path: path.to_owned(),
            code: ErrorCode::WrongIdentity,
            source: "it is sealed, and there is no identity to open it with".into(),
        }),
    }
}
