//! Requests on their way through the gate, in groups.
//!
//! Each request needs one durable write, so that its proof is never good twice. While one write is
//! on its way the requests that come meanwhile gather, and the next write takes all of them: under
//! load a group is large, and a lone request waits for nobody.

use std::sync::Arc;

use export_ports::{Clock, Entered, Entry, Gate, PortError, PortErrorKind};
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait for the next write; more than that wait outside.
const WAITING: usize = 4_096;
/// Requests in one write.
const GROUP: usize = 512;

type Answer = Result<Entered, (PortErrorKind, String)>;

struct Waiting {
    entry: Entry,
    answer: oneshot::Sender<Answer>,
}

/// The way through the gate. Clones share it.
#[derive(Clone)]
pub(crate) struct GateQueue(mpsc::Sender<Waiting>);

impl GateQueue {
    /// Starts the task that writes; it ends with the last clone.
    pub(crate) fn start(gate: Arc<dyn Gate>, clock: Arc<dyn Clock>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(write(gate, clock, receiver));
        Self(sender)
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub(crate) async fn enter(&self, entry: Entry) -> Result<Entered, PortError> {
        let gone = || PortError::new(PortErrorKind::Unavailable, "asking the gate");
        let (answer, answered) = oneshot::channel();
        self.0
            .send(Waiting { entry, answer })
            .await
            .map_err(|_| gone())?;
        match answered.await {
            Ok(Ok(entered)) => Ok(entered),
            Ok(Err((kind, doing))) => Err(PortError::new(kind, doing)),
            Err(_) => Err(gone()),
        }
    }
}

async fn write(gate: Arc<dyn Gate>, clock: Arc<dyn Clock>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut group = Vec::new();
    while waiting.recv_many(&mut group, GROUP).await > 0 {
        let (entries, answers): (Vec<_>, Vec<_>) = group
            .drain(..)
            .map(|request| (request.entry, request.answer))
            .unzip();
        let outcomes: Vec<Answer> = match gate.enter(entries, clock.now()).await {
            Ok(entered) => entered.into_iter().map(Ok).collect(),
            Err(error) => answers
                .iter()
                .map(|_| Err((error.kind(), error.to_string())))
                .collect(),
        };
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever has gone wants no answer.
            let _ = answer.send(outcome);
        }
    }
}
