//! The sign phase as a Lambda function: messages of the sign queue.

use std::process::ExitCode;
use std::sync::Arc;

use export_adapter::Registry;
use export_lambda::serve_queue;
use export_model::Phase;

fn main() -> ExitCode {
    let registry = Arc::new(Registry::default());
    serve_queue(Phase::Sign, move |ports, message, budget| {
        let registry = Arc::clone(&registry);
        async move { export_sign::handle(&ports, &registry, &message, budget).await }
    })
}
