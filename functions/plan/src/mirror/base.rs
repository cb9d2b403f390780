//! Reading the list of the base's tree.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use export_lifecycle::{PhaseError, base_pruned};
use export_model::{AssembledFile, ErrorCode, Run, RunKey, Sha256Digest};
use export_ports::Ports;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Bytes that are read of the list at once.
const READ: u64 = 4 << 20;

/// The list of the tree that `run` starts from; none where it starts from nothing.
pub(super) async fn listing(ports: &Ports, run: &Run) -> Result<Option<AssembledFile>, PhaseError> {
    let Some(base) = &run.base else {
        return Ok(None);
    };
    let key = RunKey {
        tenant: run.key.tenant.clone(),
        run: base.export_id.clone(),
    };
    let found = ports.state.run(&key).await?;
    let tree = found.as_ref().and_then(|found| found.tree.as_ref());
    // It was there when the run was submitted.
    match tree.and_then(|tree| tree.listing.clone()) {
        Some(listing) => Ok(Some(listing)),
        None => {
            let retention = run.profile.config.retention;
            Err(base_pruned(&base.export_id, retention.listing_days()))
        }
    }
}

/// The stored bytes of a list, as they come.
pub(super) struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    current: Bytes,
}

#[cfg(test)]
impl Pieces {
    /// These pieces, all of which have come.
    pub(super) fn of(given: Vec<Vec<u8>>) -> Self {
        let (send, pieces) = mpsc::channel(given.len().max(1));
        for piece in given {
            assert!(send.try_send(Bytes::from(piece)).is_ok());
        }
        Self {
            pieces,
            current: Bytes::new(),
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.current = piece,
                None => return Ok(0),
            }
        }
        let count = self.current.len().min(buffer.len());
        self.current
            .copy_to_slice(buffer.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Reads a list while its pieces are taken. What is stored must be what was written, to the last byte:
/// the task that is given says so, once everything was taken.
pub(super) fn read(
    ports: &Ports,
    listing: AssembledFile,
) -> (Pieces, JoinHandle<Result<(), PhaseError>>) {
    let (send, pieces) = mpsc::channel(1);
    let ports = ports.clone();
    let reading = tokio::spawn(async move {
        let mut hash = Sha256::new();
        let mut offset = 0;
        while offset < listing.size {
            let end = listing.size.min(offset + READ);
            let bytes = ports.objects.read(&listing.object, offset..end).await?;
            if bytes.is_empty() {
                break;
            }
            offset += bytes.len() as u64;
            hash.update(&bytes);
            if send.send(bytes).await.is_err() {
                // Whoever takes them has failed, and says why.
                return Err(PhaseError::Superseded);
            }
        }
        let digest = Sha256Digest(hash.finalize().into());
        if (offset, digest) == (listing.size, listing.sha256) {
            return Ok(());
        }
        let detail = format!(
            "the list of the base's tree, {}, has {offset} bytes and the digest {digest}, but {} and \
             {} were written",
            listing.object, listing.size, listing.sha256
        );
        Err(PhaseError::permanent(ErrorCode::Storage, detail))
    });
    let pieces = Pieces {
        pieces,
        current: Bytes::new(),
    };
    (pieces, reading)
}
