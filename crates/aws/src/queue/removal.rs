//! Removing received messages: those that are finished at about the same time go in one call.
//!
//! While one call is on its way, others wait and are collected; so a lone message is removed at once,
//! and a busy receiver pays one call for up to ten.

use std::error::Error as _;
use std::sync::{Mutex, PoisonError};

use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use export_ports::{PortError, PortErrorKind};
use tokio::sync::oneshot;

use super::{SqsQueue, is_bad_receipt};
use crate::failure::{Access, failed};

/// The most messages that SQS removes at once.
const BATCH: usize = 10;

/// What became of a removal, said to whoever asked for it: the kind of failure, and why.
type Outcome = Result<(), (PortErrorKind, String)>;

struct Waiting {
    receipt: String,
    done: oneshot::Sender<Outcome>,
}

/// The removals of one queue that nobody has sent yet.
#[derive(Default)]
pub(super) struct Removals {
    waiting: Mutex<Vec<Waiting>>,
    sending: tokio::sync::Mutex<()>,
}

impl Removals {
    /// Removes a message; one that is gone is removed already.
    pub(super) async fn remove(
        &self,
        queue: &SqsQueue,
        url: &str,
        receipt: &str,
    ) -> Result<(), PortError> {
        let doing = || format!("acknowledging a delivery of queue {url}");
        loop {
            let (done, mut outcome) = oneshot::channel();
            self.waiting().push(Waiting {
                receipt: receipt.to_owned(),
                done,
            });
            let answer = loop {
                let turn = self.sending.lock().await;
                match outcome.try_recv() {
                    Ok(answer) => break Some(answer),
                    // Whoever had taken it was stopped before the answer came.
                    Err(oneshot::error::TryRecvError::Closed) => break None,
                    Err(oneshot::error::TryRecvError::Empty) => {
                        let batch = self.take();
                        send(queue, url, batch).await;
                        drop(turn);
                    }
                }
            };
            match answer {
                Some(Ok(())) => return Ok(()),
                Some(Err((kind, why))) => return Err(PortError::because(kind, doing(), why)),
                None => {}
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting();
        let count = waiting.len().min(BATCH);
        waiting.drain(..count).collect()
    }
}

async fn send(queue: &SqsQueue, url: &str, batch: Vec<Waiting>) {
    let entries = batch.iter().enumerate().map(|(number, waiting)| {
        DeleteMessageBatchRequestEntry::builder()
            .id(number.to_string())
            .receipt_handle(&waiting.receipt)
            .build()
    });
    let entries = match entries.collect::<Result<Vec<_>, _>>() {
        Ok(entries) => entries,
        Err(error) => return tell(batch, |_| Err((PortErrorKind::Invalid, error.to_string()))),
    };
    let request = queue.client.delete_message_batch().queue_url(url);
    match request.set_entries(Some(entries)).send().await {
        Ok(answer) => tell(batch, |number| {
            let number = number.to_string();
            match answer.failed().iter().find(|entry| entry.id() == number) {
                Some(entry) if !is_bad_receipt(entry.code()) => {
                    let why = entry.message().unwrap_or_default();
                    Err((
                        PortErrorKind::Unavailable,
                        format!("{}: {why}", entry.code()),
                    ))
                }
                _ => Ok(()),
            }
        }),
        // Somebody else's bad receipt must not keep the others.
        Err(error) if error.code().is_some_and(is_bad_receipt) => {
            for waiting in batch {
                let removed = queue.remove(url, &waiting.receipt).await;
                let _ = waiting.done.send(removed.map_err(|error| told(&error)));
            }
        }
        Err(error) => {
            let failure = failed(Access::Write, "acknowledging deliveries", &error);
            tell(batch, |_| Err(told(&failure)));
        }
    }
}

/// A failure as it is handed to each of those whom it concerns.
fn told(failure: &PortError) -> (PortErrorKind, String) {
    let why = failure.source().map(ToString::to_string);
    (failure.kind(), why.unwrap_or_else(|| failure.to_string()))
}

fn tell(batch: Vec<Waiting>, outcome: impl Fn(usize) -> Outcome) {
    for (number, waiting) in batch.into_iter().enumerate() {
        // Nobody waits for the answer any more.
        let _ = waiting.done.send(outcome(number));
    }
}
