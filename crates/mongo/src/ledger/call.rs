//! Calls that are carried to their end, and errors in the words of the ports.

use std::fmt::Display;

use export_ports::{PortError, PortErrorKind};
use tracing::Instrument as _;

/// Runs `call` as a task of its own: whoever waits for it may stop waiting, and the driver's
/// connection is still left in order.
pub(super) async fn detached<T: Send + 'static>(
    doing: &'static str,
    call: impl Future<Output = Result<T, PortError>> + Send + 'static,
) -> Result<T, PortError> {
    tokio::spawn(call.in_current_span())
        .await
        .unwrap_or_else(|stopped| {
            Err(PortError::because(
                PortErrorKind::Unavailable,
                doing,
                stopped,
            ))
        })
}

/// A document that is not as it was written.
pub(super) fn damaged(collection: &str, key: impl Display, why: impl Display) -> PortError {
    PortError::because(
        PortErrorKind::Damaged,
        format!("reading {key} of {collection}"),
        why.to_string(),
    )
}
