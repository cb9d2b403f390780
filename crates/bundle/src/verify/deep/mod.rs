//! Looking into the contents.
//!
//! One thread reads and hashes stored bytes; it only cuts them into frames. Each frame then goes
//! to one of the workers, which does everything with it while it is in that core's cache:
//! decompress, check every line. What has to happen in the order of the file (its digest and, in
//! the same pass, those of its records; lines that cross frames, the order of records, input
//! hashes) each worker does for its own frame when its turn comes, see [`chain`]. While one worker has its turn the others work
//! on their frames, so turns are hardly ever waited for, and on two cores both are busy all the
//! time without anybody having to divide the work.
//!
//! A gzip file cannot be cut before it is decompressed, and nothing in it is a record: the thread that
//! reads decompresses it as it comes and keeps nothing but its digest.
//!
//! Memory: a frame of content a worker, and a few compressed frames on their way.

mod chain;
mod gzip;
mod inputs;
mod layer;
mod lines;
mod pool;

use std::sync::Arc;
use std::thread::JoinHandle;

use export_model::{ErrorCode, Kind};

use self::chain::Chain;
use self::gzip::GzipContent;
use self::pool::{Job, Shared};
use super::report::Problem;
use crate::frames::{FrameError, FrameSplitter};
use crate::manifest::{Algorithm, FileEntry, Manifest};
use crate::paths::unsealed_path;
use crate::payload::{DELTA_CHANGES, INPUTS, POLICY_SNAPSHOT, QUARANTINE};

/// The most bytes of the policy snapshot's document.
const MAX_SNAPSHOT_BYTES: usize = 1 << 20;

/// What a payload file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Records(Kind),
    Layer(Kind),
    Changes,
    Inputs,
    Quarantine,
    Other,
}

impl Role {
    fn of(file: &FileEntry) -> Self {
        match (unsealed_path(&file.path), file.record_kind()) {
            (INPUTS, _) => Self::Inputs,
            (QUARANTINE, _) => Self::Quarantine,
            (DELTA_CHANGES, _) => Self::Changes,
            (_, Some(kind)) if file.is_layer() => Self::Layer(kind),
            (_, Some(kind)) => Self::Records(kind),
            _ => Self::Other,
        }
    }

    /// The kind of the records in it.
    fn record_kind(self) -> Option<Kind> {
        match self {
            Self::Records(kind) | Self::Layer(kind) => Some(kind),
            _ => None,
        }
    }
}

fn problem(path: &str, detail: impl Into<String>) -> Problem {
    Problem {
        code: ErrorCode::Altered,
        path: Some(path.to_owned()),
        detail: detail.into(),
    }
}

/// The file that is being fed.
enum Feeding {
    Nothing,
    /// Compressed: cut into frames; how many bytes of content are still to come.
    Frames {
        index: usize,
        splitter: FrameSplitter,
        left: u64,
        failed: Option<String>,
    },
    /// One gzip member, which nobody can cut.
    Gzip {
        index: usize,
        content: Box<GzipContent>,
    },
    /// The policy snapshot, which is small and not compressed.
    Snapshot,
}

/// Looks into the contents of payload files as they are fed, in archive order.
pub(super) struct DeepCheck {
    manifest: Arc<Manifest>,
    shared: Arc<Shared>,
    jobs: Option<crossbeam_channel::Sender<Job>>,
    used: crossbeam_channel::Receiver<Vec<u8>>,
    workers: Vec<JoinHandle<()>>,
    next: u64,
    feeding: Feeding,
    snapshot: Vec<u8>,
    /// What was found in files that workers do not see.
    problems: Vec<Problem>,
}

impl DeepCheck {
    pub(super) fn new(manifest: &Arc<Manifest>, threads: usize) -> Self {
        let threads = threads.clamp(1, 64);
        let shared = Arc::new(Shared::new(Chain::new(manifest)));
        let (jobs, taken) = crossbeam_channel::bounded(threads);
        let (give_back, used) = crossbeam_channel::bounded(threads * 2);
        let mut workers = Vec::with_capacity(threads);
        for _ in 0..threads {
            let (shared, manifest) = (Arc::clone(&shared), Arc::clone(manifest));
            let (taken, give_back) = (taken.clone(), give_back.clone());
            let worker = std::thread::Builder::new()
                .name("verify-contents".to_owned())
                .spawn(move || pool::work(&shared, &manifest, &taken, &give_back));
            // Fewer workers than wanted are good enough; `finish` sees when there are none.
            if let Ok(worker) = worker {
                workers.push(worker);
            }
        }
        drop((taken, give_back));
        Self {
            manifest: Arc::clone(manifest),
            shared,
            jobs: Some(jobs),
            used,
            workers,
            next: 0,
            feeding: Feeding::Nothing,
            snapshot: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Begins the payload file `index`.
    pub(super) fn begin(&mut self, index: usize) {
        let Some(file) = self.manifest.files.get(index) else {
            return;
        };
        let algorithm = file.compression.map(|compression| compression.algorithm);
        self.feeding = match algorithm {
            Some(Algorithm::Zstd) => Feeding::Frames {
                index,
                splitter: FrameSplitter::default(),
                left: file.content_size,
                failed: None,
            },
            Some(Algorithm::Gzip) => Feeding::Gzip {
                index,
                content: Box::new(GzipContent::new(file.content_size)),
            },
            None if unsealed_path(&file.path) == POLICY_SNAPSHOT => Feeding::Snapshot,
            None => Feeding::Nothing,
        };
    }

    /// Takes the next stored bytes.
    pub(super) fn data(&mut self, mut bytes: &[u8]) {
        match &mut self.feeding {
            Feeding::Nothing => {}
            Feeding::Snapshot => {
                if self.snapshot.len() + bytes.len() <= MAX_SNAPSHOT_BYTES {
                    self.snapshot.extend_from_slice(bytes);
                }
            }
            Feeding::Gzip { content, .. } => content.feed(bytes),
            Feeding::Frames {
                index,
                splitter,
                left,
                failed,
            } => {
                while failed.is_none() && !bytes.is_empty() {
                    match splitter.feed(&mut bytes) {
                        Ok(None) => {}
                        Ok(Some(frame)) if frame.content_size as u64 <= *left => {
                            *left -= frame.content_size as u64;
                            let job = Job::Frame {
                                turn: self.next,
                                file: *index,
                                frame,
                            };
                            self.next += 1;
                            send(self.jobs.as_ref(), job);
                            if let Ok(memory) = self.used.try_recv() {
                                splitter.recycle(memory);
                            }
                        }
                        Ok(Some(_)) => {
                            *failed = Some("it has more content than was signed".to_owned());
                        }
                        Err(error) => *failed = Some(error.to_string()),
                    }
                }
            }
        }
    }

    /// Ends the file.
    pub(super) fn end(&mut self) {
        match std::mem::replace(&mut self.feeding, Feeding::Nothing) {
            Feeding::Nothing | Feeding::Snapshot => {}
            Feeding::Gzip { index, content } => {
                if let Some(file) = self.manifest.files.get(index)
                    && let Err(what) = content.finish(file)
                {
                    self.problems.push(problem(&file.path, what));
                }
            }
            Feeding::Frames {
                index,
                splitter,
                failed,
                ..
            } => {
                let unfinished = |error: FrameError| error.to_string();
                let failed = failed.or_else(|| splitter.finish().err().map(unfinished));
                self.end_file(index, failed);
            }
        }
    }

    /// Gives the file up, because the input ends within it.
    pub(super) fn abandon(&mut self) {
        if let Feeding::Frames { index, .. } =
            std::mem::replace(&mut self.feeding, Feeding::Nothing)
        {
            self.end_file(index, Some("the input ends within it".to_owned()));
        }
    }

    fn end_file(&mut self, index: usize, failed: Option<String>) {
        let job = Job::End {
            turn: self.next,
            file: index,
            failed,
        };
        self.next += 1;
        send(self.jobs.as_ref(), job);
    }

    /// What was found, and what could not be checked. What files say of each other is compared
    /// only where all of them were there.
    pub(super) fn finish(
        mut self,
        manifest: &Manifest,
        complete: bool,
    ) -> (Vec<Problem>, Vec<String>) {
        drop(self.jobs.take());
        let mut died = self.workers.is_empty();
        for worker in self.workers.drain(..) {
            died |= worker.join().is_err();
        }
        let mut chain = self.shared.take();
        chain.problems.append(&mut self.problems);
        if died {
            chain.problems.push(Problem {
                code: ErrorCode::NotABundle,
                path: None,
                detail: "looking into the contents failed for a reason of its own".to_owned(),
            });
        } else if complete {
            inputs::compare(manifest, &mut chain, &self.snapshot);
        }
        (chain.problems, chain.unchecked)
    }
}

/// Workers only go away before the channel does if one of them failed, which `finish` sees.
fn send(jobs: Option<&crossbeam_channel::Sender<Job>>, job: Job) {
    if let Some(jobs) = jobs {
        let _ = jobs.send(job);
    }
}
