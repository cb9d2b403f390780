//! What every function does before its first event.

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use export_host::{RandomIds, SystemClock};
use export_model::ErrorCode;
use export_ports::{Clock, Ids, PortError, Ports};
use export_stack::{InvalidSettings, Settings};
use export_telemetry::{LogFormat, init_logs};
use tokio::sync::OnceCell;

/// Why a function cannot start.
pub type Invalid = InvalidSettings;

/// A variable's value; an empty one is none.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The backends of a function: opened with its first event, kept for all that follow.
pub(crate) struct Backends {
    settings: Settings,
    opened: OnceCell<Ports>,
}

impl Backends {
    /// Every port. What failed is tried again with the next event.
    pub(crate) async fn ports(&self) -> Result<&Ports, PortError> {
        self.opened
            .get_or_try_init(|| Box::pin(open(&self.settings)))
            .await
    }
}

async fn open(settings: &Settings) -> Result<Ports, PortError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // The function's own name of this environment is unique, and found in its logs.
    let holder = variable("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or_else(|| "lambda".to_owned());
    let ids: Arc<dyn Ids> = Arc::new(RandomIds::new(holder)?);
    let backends = export_stack::open(settings, true, &clock, &ids).await?;
    backends.into_ports(clock, ids)
}

/// Reads the settings and runs `serve`, or says in one place why it cannot.
pub(crate) fn run<F>(serve: impl FnOnce(Arc<Backends>) -> Result<F, Invalid>) -> ExitCode
where
    F: Future<Output = Result<(), lambda_runtime::Error>>,
{
    export_memory::give_large_blocks_back();
    let filter = variable("RUST_LOG").unwrap_or_else(|| {
        "warn,export=info,export_api=info,export_plan=info,export_adapter=info,export_sign=info,\
         export_distribute=info,export_lifecycle=info,export_lambda=info"
            .to_owned()
    });
    if let Err(error) = init_logs(LogFormat::Json, &filter, false) {
        return refuse(&format!("RUST_LOG: {error}"));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("the runtime cannot start: {error}")),
    };
    let outcome = runtime.block_on(async {
        let settings = Settings::read(None, variable)?;
        export_stack::validate_whole(&settings)?;
        let backends = Backends {
            settings,
            opened: OnceCell::new(),
        };
        Ok::<_, Invalid>(serve(Arc::new(backends))?.await)
    });
    match outcome {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => refuse(&format!("the Runtime API: {error}")),
        Err(invalid) => refuse(&invalid.to_string()),
    }
}

fn refuse(why: &(impl fmt::Display + ?Sized)) -> ExitCode {
    let code = ErrorCode::Configuration;
    tracing::error!(error_code = %code, "this function cannot start: {why}");
    if let Some(address) = variable("AWS_LAMBDA_RUNTIME_API") {
        // Where nobody listens the log line has to do.
        let _ = crate::init::report(&address, &format!("{code}: {why}"));
    }
    ExitCode::from(code.exit_code())
}
