//! The adapter phase as a Lambda function: messages of the adapter queue.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use export_adapter::{FramePool, Registry};
use export_lambda::{serve_queue, variable};
use export_model::Phase;

fn main() -> ExitCode {
    let registry = Arc::new(Registry::default());
    // A function's own disk is mounted there.
    let scratch = variable("EXPORT_SCRATCH").map_or_else(std::env::temp_dir, PathBuf::from);
    // Its threads start with the first message.
    let frames: Arc<OnceLock<Arc<FramePool>>> = Arc::default();
    serve_queue(Phase::Adapter, move |ports, message, budget| {
        let registry = Arc::clone(&registry);
        let frames = Arc::clone(frames.get_or_init(|| {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            Arc::new(FramePool::new(cores))
        }));
        let scratch = scratch.clone();
        async move {
            export_adapter::handle(&ports, &registry, &frames, &scratch, &message, budget).await
        }
    })
}
