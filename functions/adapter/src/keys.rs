//! Which records a part of a delta is of.

use export_lifecycle::PhaseError;
use export_model::{ErrorCode, Part, Position, Sha256Digest, StagedFile};
use export_ports::Ports;

/// Bytes that are read of the list at once.
const READ: u64 = 8 << 20;

/// The positions of the part's records; none where it is of all records between two.
pub(crate) async fn positions(
    ports: &Ports,
    part: &Part,
) -> Result<Option<Vec<Position>>, PhaseError> {
    let Some(StagedFile {
        object,
        size,
        sha256,
    }) = &part.keys
    else {
        return Ok(None);
    };
    let mut text = Vec::new();
    while (text.len() as u64) < *size {
        let offset = text.len() as u64;
        let end = (*size).min(offset + READ);
        let bytes = ports.objects.read(object, offset..end).await?;
        if bytes.is_empty() {
            break;
        }
        text.extend_from_slice(&bytes);
    }
    let damaged = |what: String| {
        let detail = format!("{object}, the records of part {}, {what}", part.index);
        PhaseError::permanent(ErrorCode::Storage, detail)
    };
    if Sha256Digest::of(&text) != *sha256 {
        return Err(damaged("is not what was written".to_owned()));
    }
    let lines = text.split(|byte| *byte == b'\n');
    let positions = lines
        .filter(|line| !line.is_empty())
        .map(serde_json::from_slice::<Position>)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| damaged(error.to_string()))?;
    Ok(Some(positions))
}
