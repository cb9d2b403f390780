//! Text files that hold secrets, one a line. Errors repeat nothing of them.

/// The most bytes of such a file that are read.
const MAX_BYTES: usize = 64 * 1024;

/// Why a file is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretFileError {
    #[error("it has {0} bytes; at most {MAX_BYTES} are read")]
    TooLarge(usize),
    #[error("it is not text")]
    NotText,
    #[error("there is no key in it")]
    Empty,
    #[error("it holds more than {0} keys")]
    TooMany(usize),
}

/// The lines of `bytes`, counted from 1, without those that are empty or begin with `#`.
pub(crate) fn lines(bytes: &[u8], most: usize) -> Result<Vec<(usize, &str)>, SecretFileError> {
    if bytes.len() > MAX_BYTES {
        return Err(SecretFileError::TooLarge(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SecretFileError::NotText)?;
    let lines: Vec<_> = (1..)
        .zip(text.lines().map(str::trim))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .take(most + 1)
        .collect();
    match lines.len() {
        0 => Err(SecretFileError::Empty),
        count if count > most => Err(SecretFileError::TooMany(most)),
        _ => Ok(lines),
    }
}
