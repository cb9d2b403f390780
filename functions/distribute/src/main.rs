//! The distribute phase as a Lambda function: messages of the distribute queue.

use std::process::ExitCode;

use export_lambda::serve_queue;
use export_model::Phase;

fn main() -> ExitCode {
    serve_queue(Phase::Distribute, |ports, message, budget| async move {
        export_distribute::handle(&ports, &message, budget).await
    })
}
