//! Where logs go and how they look.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogInitError {
    /// The filter's text is wrong.
    #[error("the log filter `{filter}` is not one ({source})")]
    Filter {
        /// The text.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody set it up before.
    #[error("logging is set up already")]
    Twice,
}

/// Sends logs to standard error, filtered by `filter`: levels and `target=level`, separated by commas, as
/// in `RUST_LOG`. What else that variable may hold elsewhere (spans, fields, patterns) would bring an
/// engine of regular expressions into every function.
///
/// # Errors
/// When the filter is wrong or logging is set up already.
pub fn init_logs(format: LogFormat, filter: &str, ansi: bool) -> Result<(), LogInitError> {
    let filter: Targets = filter.parse().map_err(|source| LogInitError::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    let builder = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(ansi);
    match format {
        LogFormat::Text => builder.finish().with(filter).try_init(),
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true);
            builder.finish().with(filter).try_init()
        }
    }
    .map_err(|_| LogInitError::Twice)
}
