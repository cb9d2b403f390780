//! Compression on all cores.
//!
//! Payload files are sequences of independent frames of a fixed input size, so they can be
//! compressed in any order by any number of threads and still come out as the same bytes. The pool
//! bounds memory: a fixed number of frames is in flight, whoever submits them.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use export_bundle::frames::{FRAME_BYTES, FrameCompressor};
use export_lifecycle::PhaseError;
use export_model::ErrorCode;
use tokio::sync::oneshot;

struct Job {
    content: Vec<u8>,
    level: i32,
    reply: oneshot::Sender<Result<Vec<u8>, String>>,
}

/// A frame that is being compressed, or a piece that is stored as it is.
pub enum PendingFrame {
    /// It comes when a thread of the pool has done it.
    Compressing(oneshot::Receiver<Result<Vec<u8>, String>>),
    /// It is as it is stored.
    Ready(Vec<u8>),
}

impl PendingFrame {
    /// The bytes to store.
    ///
    /// # Errors
    /// `ERR_INTERNAL` when it could not be compressed.
    pub async fn compressed(self) -> Result<Vec<u8>, PhaseError> {
        let refused = |why: String| {
            PhaseError::permanent(
                ErrorCode::Internal,
                format!("a frame could not be compressed: {why}"),
            )
        };
        let compressing = match self {
            Self::Compressing(compressing) => compressing,
            Self::Ready(piece) => return Ok(piece),
        };
        match compressing.await {
            Ok(Ok(frame)) => Ok(frame),
            Ok(Err(why)) => Err(refused(why)),
            Err(_) => Err(refused("the pool has stopped".to_owned())),
        }
    }
}

/// Buffers that are used again and again. Large ones that come and go would make the system's
/// allocator keep ever more of them in every thread's heap.
#[derive(Clone)]
pub struct Buffers(Sender<Vec<u8>>, Receiver<Vec<u8>>);

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

impl Buffers {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        let (give, take) = unbounded();
        Self(give, take)
    }

    /// An empty buffer, used before where there is one, with room for `capacity` bytes.
    #[must_use]
    pub fn take(&self, capacity: usize) -> Vec<u8> {
        let mut buffer = self.1.try_recv().unwrap_or_default();
        buffer.clear();
        buffer.reserve(capacity);
        buffer
    }

    /// Gives a buffer back.
    pub fn give(&self, buffer: Vec<u8>) {
        let _ = self.0.send(buffer);
    }
}

/// Threads that compress frames. Dropping the pool stops them.
pub struct FramePool {
    jobs: Sender<Job>,
    contents: Buffers,
    /// Compressed frames, and parts of uploads.
    pub(crate) compressed: Buffers,
    pub(crate) uploads: Buffers,
}

impl FramePool {
    /// A pool of `threads` threads, at least one.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        // Handed over, never queued: a frame that waits is 8 MiB that nobody works on.
        let (jobs, work) = bounded::<Job>(0);
        let pool = Self {
            jobs,
            contents: Buffers::new(),
            compressed: Buffers::new(),
            uploads: Buffers::new(),
        };
        for _ in 0..threads.max(1) {
            let (work, contents) = (work.clone(), pool.contents.clone());
            let compressed = pool.compressed.clone();
            thread::spawn(move || compress_all(&work, &contents, &compressed));
        }
        pool
    }

    /// An empty buffer with room for a frame.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.contents.take(FRAME_BYTES)
    }

    /// Compresses `content`; blocks while too many frames are in flight.
    pub fn submit(&self, content: Vec<u8>, level: i32) -> PendingFrame {
        let (reply, pending) = oneshot::channel();
        // A pool without threads drops the job, and with it the reply: the waiter sees that.
        let _ = self.jobs.send(Job {
            content,
            level,
            reply,
        });
        PendingFrame::Compressing(pending)
    }
}

fn compress_all(work: &Receiver<Job>, contents: &Buffers, compressed: &Buffers) {
    let mut compressor: Option<(i32, FrameCompressor)> = None;
    while let Ok(job) = work.recv() {
        let mut frame = compressed.take(0);
        let outcome = compress(&mut compressor, job.level, &job.content, &mut frame);
        contents.give(job.content);
        let _ = job.reply.send(outcome.map(|()| frame));
    }
}

fn compress(
    current: &mut Option<(i32, FrameCompressor)>,
    level: i32,
    content: &[u8],
    frame: &mut Vec<u8>,
) -> Result<(), String> {
    if current.as_ref().is_none_or(|(has, _)| *has != level) {
        let compressor = FrameCompressor::new(level).map_err(|e| e.to_string())?;
        *current = Some((level, compressor));
    }
    match current {
        Some((_, compressor)) => compressor
            .compress(content, frame)
            .map_err(|e| e.to_string()),
        None => Err("there is no compressor".to_owned()),
    }
}
