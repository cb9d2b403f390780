//! When to stop: asked to by a signal, or unable to go on.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failed;
use crate::host::Host;

/// How often it is looked whether the workers can still go on.
const LOOK: Duration = Duration::from_millis(500);

/// Waits for SIGTERM or Ctrl-C; or until the workers cannot go on, which is then why it ends.
pub(super) async fn wait(workers: Option<&Host>) -> Option<Failed> {
    let mut terminated = signal(SignalKind::terminate()).ok();
    let mut interrupted = signal(SignalKind::interrupt()).ok();
    loop {
        tokio::select! {
            () = received(&mut terminated) => return None,
            () = received(&mut interrupted) => return None,
            () = tokio::time::sleep(LOOK) => {}
        }
        if let Some(failed) = workers.and_then(Host::fatal) {
            return Some(failed);
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
