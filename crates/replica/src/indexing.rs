//! Indexes of a tree, made of all its documents or brought up to date.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use export_mirror::index::{Index, IndexBuilder, IndexError, IndexUpdate, merge_runs};
use export_mirror::terms::Record;

use crate::error::{Error, writing};

/// Memory for what is sorted, all workers together.
pub(crate) const BUDGET: usize = 32 << 20;

/// What a worker gathers for the indexes.
pub(crate) enum Gathered {
    /// Nothing: none are wanted.
    Nothing,
    /// All documents, of which this worker saw some.
    Whole(IndexBuilder),
    /// What went and came.
    Update(Arc<Mutex<IndexUpdate>>),
}

impl Gathered {
    /// For so many workers, whose documents are all that there are.
    pub(crate) fn whole(indexes: &[Index], scratch: &Path, workers: usize) -> Vec<Self> {
        (0..workers)
            .map(|_| {
                if indexes.is_empty() {
                    return Self::Nothing;
                }
                let budget = BUDGET / workers.max(1);
                Self::Whole(IndexBuilder::new(indexes, scratch.to_owned(), budget))
            })
            .collect()
    }

    /// For so many workers, who see what changes.
    pub(crate) fn update(indexes: &[Index], scratch: &Path, workers: usize) -> Vec<Self> {
        let update = IndexUpdate::new(indexes, scratch.to_owned(), BUDGET);
        let update = Arc::new(Mutex::new(update));
        (0..workers)
            .map(|_| {
                if indexes.is_empty() {
                    Self::Nothing
                } else {
                    Self::Update(Arc::clone(&update))
                }
            })
            .collect()
    }

    /// Whether it has to see documents that stay.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Whether it has to see documents that go.
    pub(crate) fn is_update(&self) -> bool {
        matches!(self, Self::Update(_))
    }

    pub(crate) fn add(&mut self, record: &Record<'_>) -> Result<(), Error> {
        match self {
            Self::Nothing => Ok(()),
            Self::Whole(builder) => builder.push(record).map_err(failed),
            Self::Update(update) => update
                .lock()
                .map_err(|_| Error::Internal("a worker failed at the indexes"))?
                .add(record)
                .map_err(failed),
        }
    }

    pub(crate) fn remove(&mut self, record: &Record<'_>) -> Result<(), Error> {
        match self {
            Self::Nothing | Self::Whole(_) => Ok(()),
            Self::Update(update) => update
                .lock()
                .map_err(|_| Error::Internal("a worker failed at the indexes"))?
                .remove(record)
                .map_err(failed),
        }
    }
}

/// Writes the indexes of what all workers gathered to the folder `into`; `old` has those that are
/// brought up to date.
pub(crate) fn finish(
    gathered: Vec<Gathered>,
    indexes: &[Index],
    old: Option<&Path>,
    into: &Path,
    scratch: &Path,
) -> Result<(), Error> {
    if indexes.is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(into).map_err(writing(into))?;
    let mut builders = Vec::new();
    let mut update = None;
    for one in gathered {
        match one {
            Gathered::Nothing => {}
            Gathered::Whole(builder) => builders.push(builder),
            Gathered::Update(shared) => update = Arc::into_inner(shared),
        }
    }
    if let (Some(update), Some(old)) = (update, old) {
        let update = update
            .into_inner()
            .map_err(|_| Error::Internal("a worker failed at the indexes"))?;
        return update.finish(old, into).map_err(failed);
    }
    if builders.len() == 1
        && let Some(builder) = builders.pop()
    {
        return builder.finish(into).map_err(failed);
    }
    merge_runs(runs(builders, scratch)?, indexes, into).map_err(failed)
}

/// Sorts what each worker gathered, all at once.
fn runs(builders: Vec<IndexBuilder>, scratch: &Path) -> Result<Vec<File>, Error> {
    thread::scope(|scope| {
        let sorting: Vec<_> = builders
            .into_iter()
            .enumerate()
            .map(|(number, builder)| {
                let path = scratch.join(format!("indexes-{number}"));
                scope.spawn(move || -> Result<File, Error> {
                    let file = File::options()
                        .create_new(true)
                        .read(true)
                        .write(true)
                        .open(&path)
                        .map_err(writing(&path))?;
                    let mut out = BufWriter::with_capacity(256 << 10, file);
                    builder.write_run(&mut out).map_err(failed)?;
                    out.flush().map_err(writing(&path))?;
                    let mut file = out
                        .into_inner()
                        .map_err(|error| writing(&path)(error.into_error()))?;
                    file.rewind().map_err(writing(&path))?;
                    Ok(file)
                })
            })
            .collect();
        sorting
            .into_iter()
            .map(|one| {
                one.join()
                    .map_err(|_| Error::Internal("a thread that sorts is gone"))?
            })
            .collect()
    })
}

fn failed(error: IndexError) -> Error {
    match error {
        IndexError::File {
            action: "read",
            path,
            source,
        } => Error::Read { path, source },
        IndexError::File { path, source, .. } => Error::Write { path, source },
        IndexError::Read(source) | IndexError::Write(source) => Error::Write {
            path: "indexes".into(),
            source,
        },
        error => Error::Damaged {
            path: "indexes".into(),
            what: crate::payload::with_causes(&error),
        },
    }
}
