//! The workers, and the turns that they take.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender};

use super::Role;
use super::chain::Chain;
use super::lines::{FrameLines, check_frame};
use crate::frames::{FRAME_BYTES, Frame, FrameDecompressor};
use crate::manifest::Manifest;

/// What a worker is given. Turns count from 0 without a gap, in the order of the archive.
pub(super) enum Job {
    /// A frame of a file.
    Frame {
        turn: u64,
        file: usize,
        frame: Frame,
    },
    /// There are no more frames of a file, or none that can be used.
    End {
        turn: u64,
        file: usize,
        failed: Option<String>,
    },
}

/// The chain, and whose turn it is.
pub(super) struct Shared {
    state: Mutex<State>,
    turned: Condvar,
}

struct State {
    turn: u64,
    /// Whether a worker failed, so that turns will not come.
    dead: bool,
    chain: Chain,
}

impl Shared {
    pub(super) fn new(chain: Chain) -> Self {
        Self {
            state: Mutex::new(State {
                turn: 0,
                dead: false,
                chain,
            }),
            turned: Condvar::new(),
        }
    }

    /// Takes the chain out when the workers are gone.
    pub(super) fn take(&self) -> Chain {
        std::mem::take(&mut self.lock().chain)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn, and does something with the chain; says whether the turn came.
    fn in_turn(&self, turn: u64, act: impl FnOnce(&mut Chain)) -> bool {
        let mut state = self.lock();
        while state.turn != turn && !state.dead {
            state = self
                .turned
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.dead {
            return false;
        }
        act(&mut state.chain);
        state.turn += 1;
        drop(state);
        self.turned.notify_all();
        true
    }
}

/// Wakes everybody who waits for a turn if the worker that holds it fails.
struct Alarm<'a>(&'a Shared);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().dead = true;
            self.0.turned.notify_all();
        }
    }
}

/// Works until there are no more jobs.
pub(super) fn work(
    shared: &Shared,
    manifest: &Manifest,
    jobs: &Receiver<Job>,
    used: &Sender<Vec<u8>>,
) {
    let _alarm = Alarm(shared);
    let mut decompressor = FrameDecompressor::new();
    let mut content = Vec::with_capacity(FRAME_BYTES);
    let mut lines = FrameLines::default();
    for job in jobs {
        let came = match job {
            Job::Frame { turn, file, frame } => {
                let decompressed = match &mut decompressor {
                    Ok(decompressor) => decompressor
                        .decompress(&frame, &mut content)
                        .map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                };
                // Memory that nobody wants back is simply freed.
                let _ = used.try_send(frame.compressed);
                let (role, owner) = match manifest.files.get(file) {
                    Some(entry) => (Role::of(entry), manifest.owner_of(entry)),
                    None => (Role::Other, ""),
                };
                if decompressed.is_ok() {
                    check_frame(&content, role, owner, &mut lines);
                }
                shared.in_turn(turn, |chain| match decompressed {
                    Ok(()) => chain.frame(manifest, file, &content, &lines),
                    Err(error) => chain.fail(manifest, file, &error),
                })
            }
            Job::End { turn, file, failed } => {
                shared.in_turn(turn, |chain| chain.end(manifest, file, failed.as_deref()))
            }
        };
        if !came {
            return;
        }
    }
}
