//! The indexes of a mirror's tree, as a layer.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use export_lifecycle::PhaseError;
use export_mirror::index::{self, Index, IndexError, merge_runs, merge_to_run};
use export_mirror::layer::{END, header, padding};
use export_model::{AssembledCompression, ErrorCode, Sha256Digest};
use sha2::{Digest as _, Sha256};

use super::build::Made;
use crate::run_file::told;
use crate::scratch;

/// The layer's path in the bundle.
const LAYER: &str = "payload/layers/indexes-00000.tar";
const COPY: usize = 256 << 10;
/// Runs that are open at once: a run of an export may have more parts than a process may have files.
const OPEN: usize = 256;

/// Merges what the documents of each part are found by. `proceed` says whether to go on.
pub(super) fn make(
    indexes: &[Index],
    level: i32,
    runs: &[PathBuf],
    scratch: &Path,
    proceed: &dyn Fn() -> bool,
) -> Result<Vec<Made>, PhaseError> {
    let folder = scratch.join("indexes");
    std::fs::create_dir(&folder).map_err(|e| scratch::failed("creating", &folder, e))?;
    let merging = |error: IndexError| failed(scratch, proceed, &error);
    let mut runs = runs.to_vec();
    let mut round = 0;
    while runs.len() > OPEN {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(OPEN));
        for some in runs.chunks(OPEN) {
            let path = scratch.join(format!("merged-{round}-{}", merged.len()));
            let file = File::create_new(&path).map_err(|e| scratch::failed("writing", &path, e))?;
            let mut file = BufWriter::with_capacity(COPY, file);
            merge_to_run(open(some, proceed)?, &mut file).map_err(merging)?;
            file.flush()
                .map_err(|e| scratch::failed("writing", &path, e))?;
            remove(some)?;
            merged.push(path);
        }
        (runs, round) = (merged, round + 1);
    }
    merge_runs(open(&runs, proceed)?, indexes, &folder).map_err(merging)?;
    remove(&runs)?;
    let path = scratch.join("indexes.tar");
    let writing = |e: io::Error| scratch::failed("writing", &path, e);
    let file = File::create_new(&path).map_err(writing)?;
    let mut layer = Hashed {
        file: BufWriter::with_capacity(COPY, file),
        hash: Sha256::new(),
        size: 0,
    };
    for index in indexes {
        for name in [index.lines_file(), index.offsets_file()] {
            let at = folder.join(name);
            member(&mut layer, name, &at).map_err(writing)?;
            std::fs::remove_file(&at).map_err(|e| scratch::failed("removing", &at, e))?;
        }
    }
    layer
        .write_all(&END)
        .and_then(|()| layer.flush())
        .map_err(writing)?;
    let content = (layer.size, Sha256Digest(layer.hash.finalize().into()));
    Ok(vec![Made {
        path: format!("{LAYER}.zst"),
        file: path,
        media_type: "application/x-tar",
        compression: Some(AssembledCompression::Zstd { level }),
        made: content,
        content,
    }])
}

fn open<'a>(
    runs: &[PathBuf],
    proceed: &'a dyn Fn() -> bool,
) -> Result<Vec<Watched<'a>>, PhaseError> {
    runs.iter()
        .map(|run| match File::open(run) {
            Ok(file) => Ok(Watched { file, proceed }),
            Err(error) => Err(scratch::failed("opening", run, error)),
        })
        .collect()
}

/// What is stored next wants space too.
fn remove(runs: &[PathBuf]) -> Result<(), PhaseError> {
    for run in runs {
        std::fs::remove_file(run).map_err(|e| scratch::failed("removing", run, e))?;
    }
    Ok(())
}

fn member(layer: &mut Hashed, name: &str, from: &Path) -> io::Result<()> {
    let mut file = File::open(from)?;
    let size = file.metadata()?.len();
    layer.write_all(&header(&index::path(name), size).map_err(io::Error::other)?)?;
    let mut buffer = vec![0; COPY];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => layer.write_all(buffer.get(..count).unwrap_or_default())?,
        }
    }
    layer.write_all(padding(size))
}

/// A file that is hashed as it is written.
struct Hashed {
    file: BufWriter<File>,
    hash: Sha256,
    size: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A run that can no longer be read once nobody wants the result.
struct Watched<'a> {
    file: File,
    proceed: &'a dyn Fn() -> bool,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.proceed)() {
            self.file.read(buffer)
        } else {
            Err(io::Error::other("the run no longer wants its indexes"))
        }
    }
}

fn failed(scratch: &Path, proceed: &dyn Fn() -> bool, error: &IndexError) -> PhaseError {
    if !proceed() {
        // Whoever asked for that says why.
        return PhaseError::Superseded;
    }
    match error {
        IndexError::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
            scratch::full(scratch)
        }
        IndexError::File { .. } | IndexError::Read(_) => {
            PhaseError::permanent(ErrorCode::Storage, told(error))
        }
        other => {
            let detail = format!("merging indexes: {}", told(other));
            PhaseError::permanent(ErrorCode::Internal, detail)
        }
    }
}
