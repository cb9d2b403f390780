//! What can go wrong with a request, and for how long it is sent again.

use std::time::Duration;

use export_model::Sha256Digest;
use export_ports::{Ids, PortError, PortErrorKind};
use tokio::time::Instant;

use super::token::AccessToken;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A request that was not answered as it should.
#[derive(Debug)]
pub(super) struct Trouble {
    kind: PortErrorKind,
    why: String,
    /// Whether the same request may succeed.
    passes: bool,
    /// How long the ledger asks to wait before that.
    after: Option<Duration>,
}

impl Trouble {
    /// What may be over a little later.
    pub(super) fn passing(why: impl Into<String>) -> Self {
        Self {
            kind: PortErrorKind::Unavailable,
            why: why.into(),
            passes: true,
            after: None,
        }
    }

    /// What asking again does not mend.
    pub(super) fn fatal(kind: PortErrorKind, why: impl Into<String>) -> Self {
        Self {
            kind,
            why: why.into(),
            passes: false,
            after: None,
        }
    }

    /// The same, with the time that was asked for.
    pub(super) fn after(mut self, after: Option<Duration>) -> Self {
        self.after = after;
        self
    }

    pub(super) fn into_error(self, doing: &str) -> PortError {
        PortError::because(self.kind, doing, self.why)
    }
}

/// How often, and for how long, a request is sent again.
pub(super) struct Retry<'a> {
    ids: &'a dyn Ids,
    patience: Duration,
    since: Instant,
    pause: Duration,
    /// The token that was refused last.
    pub(super) refused: Option<AccessToken>,
    /// Whether the ledger has said that it knows no such request.
    pub(super) is_unknown: bool,
}

impl<'a> Retry<'a> {
    pub(super) fn new(ids: &'a dyn Ids, patience: Duration) -> Self {
        Self {
            ids,
            patience,
            since: Instant::now(),
            pause: FIRST_PAUSE,
            refused: None,
            is_unknown: false,
        }
    }

    /// Something good has come.
    pub(super) fn renew(&mut self) {
        self.since = Instant::now();
        self.pause = FIRST_PAUSE;
        self.refused = None;
    }

    /// Waits until the request may be sent again.
    ///
    /// # Errors
    /// The trouble, where it does not pass or has lasted too long.
    pub(super) async fn endure(&mut self, trouble: Trouble, doing: &str) -> Result<(), PortError> {
        // Between half of the pause and all of it, so that clients that were cut off together do not
        // come again together.
        let [one, other, ..] = Sha256Digest::of(self.ids.token().as_bytes()).0;
        let share = f64::from(u16::from_be_bytes([one, other])) / f64::from(u16::MAX);
        let pause = self.pause.mul_f64(0.5 + 0.5 * share);
        let pause = trouble.after.map_or(pause, |after| after.max(pause));
        if !trouble.passes || self.since.elapsed() + pause > self.patience {
            return Err(trouble.into_error(doing));
        }
        tracing::warn!(doing, "tried again: {}", trouble.why);
        tokio::time::sleep(pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
