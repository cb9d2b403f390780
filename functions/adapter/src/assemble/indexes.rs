//! The indexes of a mirror's tree, as a layer: merged, compressed and stored in one go.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Take, Write};
use std::path::Path;
use std::sync::Arc;

use export_lifecycle::{Held, PhaseError};
use export_mirror::LISTS_LEVEL;
use export_mirror::index::{Extents, Index, IndexError, merge_to_layer, merge_to_run};
use export_model::{
    AssembledCompression, AssembledFile, ErrorCode, ObjectKey, Run, Sha256Digest, StagedFile,
};
use export_ports::Ports;
use export_staging::{FramePool, Framed, PendingFrame, Seal};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::fetch::RunAt;
use super::{Watch, watched};
use crate::run_file::{Stored, told};
use crate::scratch::{self, Scratch};

/// The layer's path in the bundle.
const LAYER: &str = "payload/layers/indexes-00000.tar.zst";
const COPY: usize = 256 << 10;
/// Runs that are open at once: a run of an export may have more parts than a process may have files.
const OPEN: usize = 256;

/// Merges what the documents of each part are found by, and stores it.
pub(super) async fn store(
    ports: &Ports,
    held: &Held,
    (run, seal): (&Run, &Seal),
    frames: &Arc<FramePool>,
    runs: Vec<RunAt>,
    scratch: &Arc<Scratch>,
    watch: &mut Watch<'_>,
) -> Result<AssembledFile, PhaseError> {
    let path = seal.path(LAYER);
    let sealer = seal.sealer(&path)?;
    let object = ObjectKey::new(&run.key, held.token(), &path)
        .map_err(|e| PhaseError::permanent(ErrorCode::Internal, e.to_string()))?;
    let (send, receive) = mpsc::channel(1);
    let pool = Arc::clone(frames);
    let writing = export_staging::write(
        ports.clone(),
        Arc::clone(frames),
        object.clone(),
        receive,
        sealer,
    );
    let indexes = crate::layer::indexes(run);
    let merging = watched(scratch, watch, move |scratch, proceed| {
        merge(&indexes, runs, scratch.path(), proceed, &pool, send)
    });
    let (merged, written) = tokio::join!(merging, writing);
    let (staged, (content_size, content_sha256)) = match (merged, written) {
        (Ok(content), Ok(staged)) => (staged, content),
        // Where storing failed, merging only says that nobody listened.
        (Err(PhaseError::Superseded) | Ok(_), Err(error)) | (Err(error), Err(_)) => {
            return Err(error);
        }
        (Err(error), Ok(staged)) => {
            staged.abort().await;
            return Err(error);
        }
    };
    let (size, sha256) = (staged.size, staged.sha256);
    staged.complete().await?;
    Ok(AssembledFile {
        path,
        object,
        size,
        sha256,
        content_size,
        content_sha256,
        media_type: "application/x-tar".to_owned(),
        compression: Some(AssembledCompression::Zstd { level: LISTS_LEVEL }),
    })
}

/// Merges runs to a layer; gives its size and digest. `proceed` says whether to go on.
fn merge(
    indexes: &[Index],
    mut runs: Vec<RunAt>,
    scratch: &Path,
    proceed: &dyn Fn() -> bool,
    pool: &FramePool,
    frames: mpsc::Sender<PendingFrame>,
) -> Result<(u64, Sha256Digest), PhaseError> {
    let merging = |error: IndexError| failed(scratch, proceed, &error);
    let mut round = 0;
    while runs.len() > OPEN {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(OPEN));
        for some in runs.chunks(OPEN) {
            let path = scratch.join(format!("merged-{round}-{}", merged.len()));
            let writing = |e: io::Error| scratch::failed("writing", &path, e);
            let file = File::create_new(&path).map_err(writing)?;
            let mut file = BufWriter::with_capacity(COPY, file);
            let mut open = OpenRuns::open(some, proceed)?;
            let extents = merge_to_run(open.readers(), &mut file).map_err(|error| match error {
                // Here it is scratch that cannot be written, not who stores that has stopped.
                IndexError::Write(error) => writing(error),
                error => merging(error),
            })?;
            open.close()?;
            file.write_all(&extents.to_bytes())
                .and_then(|()| file.flush())
                .map_err(writing)?;
            // What is stored next wants space too.
            for run in some.iter().filter(|run| run.unread.is_none()) {
                let removing = |e| scratch::failed("removing", &run.path, e);
                std::fs::remove_file(&run.path).map_err(removing)?;
            }
            merged.push(RunAt { path, unread: None });
        }
        (runs, round) = (merged, round + 1);
    }
    let mut layer = Framed::new(pool, Some(LISTS_LEVEL), frames);
    let mut open = OpenRuns::open(&runs, proceed)?;
    let extents = open.extents;
    let mut out = Stored(&mut layer);
    merge_to_layer(open.readers(), &extents, indexes, scratch, &mut out).map_err(merging)?;
    open.close()?;
    layer.finish()
}

/// Runs that are merged.
struct OpenRuns<'a> {
    runs: Vec<OpenRun<'a>>,
    /// How many lines there are in all of them.
    extents: Extents,
}

/// A run that can no longer be read once nobody wants the result.
struct OpenRun<'a> {
    file: Take<File>,
    proceed: &'a dyn Fn() -> bool,
    /// What its lines hash to, and what they must, with what follows them.
    digest: Option<(Sha256, &'a StagedFile)>,
    end: [u8; Extents::BYTES],
}

impl<'a> OpenRuns<'a> {
    fn open(runs: &'a [RunAt], proceed: &'a dyn Fn() -> bool) -> Result<Self, PhaseError> {
        let mut all = Self {
            runs: Vec::with_capacity(runs.len()),
            extents: Extents::default(),
        };
        for run in runs {
            let reading = |e: io::Error| scratch::failed("reading", &run.path, e);
            let mut file = File::open(&run.path).map_err(reading)?;
            let end = Extents::BYTES as u64;
            let size = file.metadata().map_err(reading)?.len().checked_sub(end);
            let Some(size) = size else {
                let detail = format!("{} does not say what is in it", run.path.display());
                return Err(PhaseError::permanent(ErrorCode::Storage, detail));
            };
            let mut end = [0; Extents::BYTES];
            file.seek(SeekFrom::Start(size))
                .and_then(|_| file.read_exact(&mut end))
                .and_then(|()| file.rewind())
                .map_err(reading)?;
            all.extents = all.extents.and(Extents::of_bytes(&end));
            all.runs.push(OpenRun {
                file: file.take(size),
                proceed,
                digest: run.unread.as_ref().map(|staged| (Sha256::new(), staged)),
                end,
            });
        }
        Ok(all)
    }

    fn readers(&mut self) -> Vec<&mut OpenRun<'a>> {
        self.runs.iter_mut().collect()
    }

    /// What was read to its end must be what was written.
    fn close(self) -> Result<(), PhaseError> {
        for run in self.runs {
            let Some((mut hash, staged)) = run.digest else {
                continue;
            };
            hash.update(run.end);
            let digest = Sha256Digest(hash.finalize().into());
            if digest != staged.sha256 {
                let (object, written) = (&staged.object, &staged.sha256);
                let detail = format!("{object} has the digest {digest}, but {written} was written");
                return Err(PhaseError::permanent(ErrorCode::Storage, detail));
            }
        }
        Ok(())
    }
}

impl Read for OpenRun<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !(self.proceed)() {
            return Err(io::Error::other("the run no longer wants its indexes"));
        }
        let count = self.file.read(buffer)?;
        if let Some((hash, _)) = &mut self.digest {
            hash.update(buffer.get(..count).unwrap_or_default());
        }
        Ok(count)
    }
}

fn failed(scratch: &Path, proceed: &dyn Fn() -> bool, error: &IndexError) -> PhaseError {
    if !proceed() {
        // Whoever asked for that says why.
        return PhaseError::Superseded;
    }
    match error {
        // Whoever stores it has stopped, and says why.
        IndexError::Write(_) => PhaseError::Superseded,
        IndexError::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
            scratch::full(scratch)
        }
        IndexError::File { .. } | IndexError::Read(_) | IndexError::Damaged { .. } => {
            PhaseError::permanent(ErrorCode::Storage, told(error))
        }
        IndexError::TooLarge { .. } => PhaseError::permanent(ErrorCode::TooManyParts, told(error)),
        other => {
            let detail = format!("merging indexes: {}", told(other));
            PhaseError::permanent(ErrorCode::Internal, detail)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use export_model::RunKey;

    use super::*;

    const LINE: &[u8] = b"{\"purl\":\"a\",\"path\":\"x\"}\n";

    /// A run of one line, and what follows its lines.
    fn run(lines: u64, bytes: u64) -> Vec<u8> {
        let mut run = LINE.to_vec();
        for number in [0, 0, lines, bytes, 0, 0, 0, 0] {
            run.extend_from_slice(&number.to_be_bytes());
        }
        run
    }

    /// Merges a run file that was to be `written` and is `found`; gives the layer's size.
    fn merged(written: &[u8], found: &[u8]) -> Result<u64, PhaseError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        std::fs::write(&path, found).unwrap();
        let key = RunKey {
            tenant: "acme".parse().unwrap(),
            run: "018f0000-0000-7000-8000-000000000001".parse().unwrap(),
        };
        let unread = Some(StagedFile {
            object: ObjectKey::new(&key, "t", "runs/part-00000").unwrap(),
            size: written.len() as u64,
            sha256: Sha256Digest::of(written),
        });
        let runs = vec![RunAt { path, unread }];
        let (frames, _stored) = mpsc::channel(16);
        let pool = FramePool::new(1);
        let proceed = || true;
        merge(&[Index::Purl], runs, folder.path(), &proceed, &pool, frames).map(|(size, _)| size)
    }

    #[test]
    fn a_run_that_is_not_what_was_written_is_refused() {
        let whole = run(1, LINE.len() as u64);
        // Two headers, the line and an offset, each in a block, and the end.
        assert_eq!(merged(&whole, &whole).unwrap(), 6 * 512);
        let (mut other, mut counts) = (whole.clone(), whole.clone());
        other[9] = b'b';
        *counts.last_mut().unwrap() ^= 1;
        let short = whole[1..].to_vec();
        for (found, words) in [
            // It is a line like any other.
            (&other, "has the digest"),
            (&counts, "has the digest"),
            (&run(2, 2 * LINE.len() as u64), "as many lines"),
            (&short, "no line of an index"),
            (&vec![0; 10], "does not say what is in it"),
        ] {
            let failure = merged(&whole, found).unwrap_err().failure();
            assert_eq!(failure.error_code, ErrorCode::Storage, "{failure:?}");
            assert!(failure.detail.contains(words), "{failure:?}");
        }
    }
}
