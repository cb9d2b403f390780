//! Names that nobody has used before.

use export_model::ErrorCode;

use crate::failure::Failed;

/// `N` random bytes of the operating system's, in hexadecimal.
pub(crate) fn hex<const N: usize>() -> Result<String, Failed> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        let detail = format!("the system gives no random numbers: {error}");
        Failed::new(ErrorCode::Internal, detail)
    })?;
    Ok(hex::encode(bytes))
}
