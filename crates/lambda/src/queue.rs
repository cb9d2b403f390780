//! A phase as a function: batches of messages in, the names of those that are to come again out.

use std::process::ExitCode;
use std::sync::Arc;

use export_lifecycle::{Budget, PhaseError, Refused, refuse, tick};
use export_model::{ErrorCode, Message, Phase, Timestamp};
use export_ports::{Delivery, Ports};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use lambda_runtime::{Error, LambdaEvent, service_fn};

use crate::sqs::{Answer, Event, Failure, Record};
use crate::start::{Backends, run};

/// The share of a call's time that is kept for ending what has begun: a part that is being written,
/// and saying so.
const MARGIN_SHARE: i64 = 5;
const LEAST_MARGIN_MILLIS: i64 = 5_000;
const MOST_MARGIN_MILLIS: i64 = 120_000;

/// Runs a phase as a function until its environment ends. `handle` takes one message.
pub fn serve_queue<H, F>(phase: Phase, handle: H) -> ExitCode
where
    H: Fn(Ports, Message, Budget) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), PhaseError>> + Send + 'static,
{
    let handle: Arc<Handle> =
        Arc::new(move |ports, message, budget| handle(ports, message, budget).boxed());
    run(|backends| {
        Ok(async move {
            let service = service_fn(move |event: LambdaEvent<Event>| {
                let (backends, handle) = (Arc::clone(&backends), Arc::clone(&handle));
                async move { call(phase, &backends, &*handle, event).await }.boxed()
            });
            lambda_runtime::run(service).await
        }
        .boxed_local())
    })
}

/// What deals with one message. Its future lies in a box: a phase's is deep, and every layer around it
/// would be compiled once more for each.
type Handle =
    dyn Fn(Ports, Message, Budget) -> BoxFuture<'static, Result<(), PhaseError>> + Send + Sync;

async fn call(
    phase: Phase,
    backends: &Backends,
    handle: &Handle,
    event: LambdaEvent<Event>,
) -> Result<Answer, Error> {
    // Where this fails every message of the batch comes again, which is what the error says.
    let ports = backends.ports().await.inspect_err(|error| {
        tracing::error!(%error, error_code = %error.code(), "the backends cannot be opened");
    })?;
    let budget = budget(event.context.deadline, ports.clock.now());
    match event.payload {
        Event::Batch { records } => {
            let failures = join_all(
                records
                    .into_iter()
                    .map(|record| one(phase, ports, handle, budget, record)),
            );
            Ok(Answer {
                batch_item_failures: failures.await.into_iter().flatten().collect(),
            })
        }
        Event::Tick { tick: true } if phase == Phase::Plan => {
            let sent = tick(ports).await?;
            tracing::info!(sent, "ticked");
            Ok(Answer::default())
        }
        Event::Tick { .. } => Err("only the plan function ticks".into()),
    }
}

/// Until when a call may work that must end at `deadline`, in milliseconds since 1970.
fn budget(deadline: u64, now: Timestamp) -> Budget {
    let deadline = Timestamp(i64::try_from(deadline).unwrap_or(i64::MAX));
    let left = deadline.0.saturating_sub(now.0);
    Budget {
        deadline: Some(deadline),
        margin_millis: (left / MARGIN_SHARE).clamp(LEAST_MARGIN_MILLIS, MOST_MARGIN_MILLIS),
    }
}

/// Deals with one message of a batch; gives its name where it is to come again.
async fn one(
    phase: Phase,
    ports: &Ports,
    handle: &Handle,
    budget: Budget,
    record: Record,
) -> Option<Failure> {
    let receive_count = record.receive_count();
    let message: Message = match serde_json::from_str(&record.body) {
        Ok(message) => message,
        Err(error) => {
            let reason = format!("it is no message: {error}");
            tracing::error!(
                message_id = record.message_id,
                reason,
                "a message was put aside"
            );
            let put = ports
                .queue
                .put_body_aside(
                    phase,
                    &record.receipt_handle,
                    &record.body,
                    receive_count,
                    &reason,
                )
                .await;
            return match put {
                Ok(()) => None,
                Err(error) => {
                    tracing::error!(%error, "a message could not be put aside");
                    Some(Failure {
                        item_identifier: record.message_id,
                    })
                }
            };
        }
    };
    let delivery = Delivery {
        message: message.clone(),
        receipt: record.receipt_handle,
        receive_count,
    };
    // In a task of its own, so that a defect in one step does not take the others with it.
    let step = tokio::spawn(handle(ports.clone(), message, budget)).await;
    let outcome = step.unwrap_or_else(|stopped| {
        let detail = format!("{} stopped: {stopped}", delivery.message.work);
        Err(PhaseError::permanent(ErrorCode::Internal, detail))
    });
    match outcome {
        Ok(()) => None,
        Err(error) => match refuse(ports, phase, &delivery, &error).await {
            Refused::PutAside => None,
            Refused::Again => Some(Failure {
                item_identifier: record.message_id,
            }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_stops_in_time() {
        let now = Timestamp(1_800_000_000_000);
        let at = |seconds: i64| u64::try_from(now.0 + seconds * 1_000).unwrap();
        for (seconds, margin) in [(900, 120_000), (60, 12_000), (10, 5_000)] {
            let budget = budget(at(seconds), now);
            assert_eq!(budget.margin_millis, margin);
            assert!(!budget.is_spent(now));
            assert!(budget.is_spent(now.plus_millis(seconds * 1_000 - margin)));
        }
    }
}
