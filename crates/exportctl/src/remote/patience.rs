//! How long a broken connection is put up with.

use std::time::Duration;

use tokio::time::Instant;

use super::trouble::Trouble;
use crate::failure::Failed;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A service that is restarted is back within this time.
const LONGEST: Duration = Duration::from_secs(120);

/// Pauses between attempts, longer from one to the next, until something comes again.
#[derive(Debug)]
pub(super) struct Patience {
    since: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            pause: FIRST_PAUSE,
        }
    }

    /// Something has come.
    pub(super) fn renew(&mut self) {
        *self = Self::new();
    }

    /// Waits until it is time for another attempt.
    ///
    /// # Errors
    /// The trouble itself, where it does not pass or has lasted too long.
    pub(super) async fn endure(&mut self, trouble: Trouble) -> Result<(), Failed> {
        if !trouble.passes || self.since.elapsed() > LONGEST {
            return Err(trouble.failed);
        }
        tracing::warn!("tried again: {}", trouble.failed.detail);
        let pause = trouble.after.unwrap_or(self.pause);
        tokio::time::sleep(pause.min(LONGEST)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
