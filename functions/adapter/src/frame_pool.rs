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

/// A frame that is being compressed.
pub(crate) struct PendingFrame(oneshot::Receiver<Result<Vec<u8>, String>>);

impl PendingFrame {
    /// The compressed frame.
    pub(crate) async fn compressed(self) -> Result<Vec<u8>, PhaseError> {
        let refused = |why: String| {
            PhaseError::permanent(
                ErrorCode::Internal,
                format!("a frame could not be compressed: {why}"),
            )
        };
        match self.0.await {
            Ok(Ok(frame)) => Ok(frame),
            Ok(Err(why)) => Err(refused(why)),
            Err(_) => Err(refused("the pool has stopped".to_owned())),
        }
    }
}

/// Threads that compress frames. Dropping the pool stops them.
pub struct FramePool {
    jobs: Sender<Job>,
    spare: (Sender<Vec<u8>>, Receiver<Vec<u8>>),
}

impl FramePool {
    /// A pool of `threads` threads, at least one.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let (jobs, work) = bounded::<Job>(1);
        let spare = unbounded();
        for _ in 0..threads.max(1) {
            let (work, used) = (work.clone(), spare.0.clone());
            thread::spawn(move || compress_all(&work, &used));
        }
        Self { jobs, spare }
    }

    /// An empty buffer with room for a frame.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.spare
            .1
            .try_recv()
            .unwrap_or_else(|_| Vec::with_capacity(FRAME_BYTES))
    }

    /// Compresses `content`; blocks while too many frames are in flight.
    pub(crate) fn submit(&self, content: Vec<u8>, level: i32) -> PendingFrame {
        let (reply, pending) = oneshot::channel();
        // A pool without threads drops the job, and with it the reply: the waiter sees that.
        let _ = self.jobs.send(Job {
            content,
            level,
            reply,
        });
        PendingFrame(pending)
    }
}

fn compress_all(work: &Receiver<Job>, used: &Sender<Vec<u8>>) {
    let mut compressor: Option<(i32, FrameCompressor)> = None;
    while let Ok(mut job) = work.recv() {
        let frame = compress(&mut compressor, job.level, &job.content);
        job.content.clear();
        let _ = used.send(job.content);
        let _ = job.reply.send(frame);
    }
}

fn compress(
    current: &mut Option<(i32, FrameCompressor)>,
    level: i32,
    content: &[u8],
) -> Result<Vec<u8>, String> {
    if current.as_ref().is_none_or(|(has, _)| *has != level) {
        *current = Some((
            level,
            FrameCompressor::new(level).map_err(|e| e.to_string())?,
        ));
    }
    let mut frame = Vec::with_capacity(content.len() / 4);
    if let Some((_, compressor)) = current {
        compressor
            .compress(content, &mut frame)
            .map_err(|e| e.to_string())?;
    }
    Ok(frame)
}
