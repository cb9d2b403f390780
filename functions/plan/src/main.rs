//! The plan phase as a Lambda function: messages of the plan queue, and ticks.

use std::process::ExitCode;

use export_lambda::serve_queue;
use export_model::Phase;

fn main() -> ExitCode {
    serve_queue(Phase::Plan, |ports, message, budget| async move {
        export_plan::handle(&ports, &message, budget).await
    })
}
