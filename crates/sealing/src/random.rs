//! Random bytes, which the host hands in.

use crate::SealError;

/// Fills a buffer with random bytes that nobody can guess; the system's (`getrandom::fill`) outside tests.
///
/// Everything sealed depends on it: a source that repeats itself gives keys that repeat themselves.
pub type Random<'r> =
    dyn FnMut(&mut [u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send + 'r;

/// `N` bytes of `random`.
pub(crate) fn draw<const N: usize>(random: &mut Random<'_>) -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    random(&mut bytes).map_err(SealError::Random)?;
    Ok(bytes)
}
