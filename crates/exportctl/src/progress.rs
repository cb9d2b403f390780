//! Following a run: a bar on a terminal, plain lines elsewhere, nothing when quiet.

use std::collections::BTreeMap;
use std::time::Duration;

use export_api::views::RunView;
use export_model::{Event, EventBody, Run, RunKey, RunStatus};
use export_ports::Ports;
use export_replica::Step;
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::Failed;
use crate::host::Host;
use crate::output::{Output, grouped, size};

const PAGE: usize = 500;
const WAIT: Duration = Duration::from_millis(250);

/// What is shown of a run on its way.
pub(crate) struct View<'a> {
    output: &'a Output,
    bar: Option<ProgressBar>,
    /// Records of parts that are done, and of parts in the middle.
    done: u64,
    middle: BTreeMap<u32, u64>,
}

impl<'a> View<'a> {
    pub(crate) fn new(output: &'a Output, title: &str) -> Self {
        let form = "{prefix:.bold} {wide_bar} {human_pos}/{human_len} records {msg}";
        let bar = bar(output, title, form, 0);
        Self {
            output,
            bar,
            done: 0,
            middle: BTreeMap::new(),
        }
    }

    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => self.output.note(&format!("  {text}")),
        }
    }

    /// Shows an event of a run that `planned` records are planned for so far.
    pub(crate) fn show(&mut self, event: &Event, planned: u64) {
        match &event.body {
            EventBody::Status { status, detail, .. } => {
                if let Some(bar) = &self.bar {
                    bar.set_length(planned);
                }
                match detail {
                    Some(detail) => self.line(&format!("{status}: {detail}")),
                    None => self.line(status.as_str()),
                }
            }
            EventBody::AdapterChunk { part, records, .. } => {
                self.middle.insert(*part, *records);
            }
            EventBody::AdapterComplete { part, records, .. } => {
                self.middle.remove(part);
                self.done += records;
            }
            EventBody::AdapterError {
                part,
                detail,
                retried,
                ..
            } => {
                self.middle.remove(part);
                let what = if *retried { "tried again" } else { "failed" };
                self.line(&format!("part {part} {what}: {detail}"));
            }
            EventBody::ApprovalUsed { grantor, nonce, .. } => {
                self.line(&format!("approved by {grantor} ({nonce})"));
            }
            EventBody::AssembleStart { parts, bytes } => {
                self.line(&format!(
                    "merging {} of {}",
                    counted(u64::from(*parts), "part"),
                    size(*bytes)
                ));
            }
            EventBody::AssembleComplete { files, stored, .. } => {
                self.line(&format!(
                    "merged into {} of {}",
                    counted(u64::from(*files), "file"),
                    size(*stored)
                ));
            }
            EventBody::AssembleError {
                detail, retried, ..
            } => {
                let what = if *retried { "tried again" } else { "failed" };
                self.line(&format!("merging {what}: {detail}"));
            }
            EventBody::AdapterStart { .. }
            | EventBody::AssembleChunk { .. }
            | EventBody::Signed { .. }
            | EventBody::Distributed { .. }
            | EventBody::Swept { .. }
            | EventBody::Pruned { .. } => {}
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done + self.middle.values().sum::<u64>());
        }
    }

    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

/// A bar on a terminal, where anything is to be shown at all.
fn bar(output: &Output, title: &str, form: &str, length: u64) -> Option<ProgressBar> {
    (output.terminal && !output.is_quiet()).then(|| {
        let bar = ProgressBar::new(length);
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_prefix(title.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    })
}

/// What is shown of bytes on their way.
pub(crate) struct Bytes(Option<ProgressBar>);

impl Bytes {
    pub(crate) fn new(output: &Output, title: &str, size: u64) -> Self {
        let form = "{prefix:.bold} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {eta}";
        Self(bar(output, title, form, size))
    }

    pub(crate) fn show(&self, position: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(position);
        }
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// What is shown of a mirror's documents on their way, from whichever thread.
pub(crate) struct Documents<'a> {
    output: &'a Output,
    bar: Option<ProgressBar>,
}

impl<'a> Documents<'a> {
    pub(crate) fn new(output: &'a Output, title: &str) -> Self {
        let form = "{prefix:.bold} {spinner} {human_pos} documents {msg}";
        Self {
            output,
            bar: bar(output, title, form, 0),
        }
    }

    pub(crate) fn show(&self, step: Step) {
        match step {
            Step::Judged => self.line("verified"),
            Step::Documents(documents) => self.position(documents),
            Step::Built => self.line("complete; onto the disk"),
            Step::Committed => self.line("readers see it"),
            _ => {}
        }
    }

    pub(crate) fn position(&self, documents: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(documents);
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => self.output.note(&format!("  {text}")),
        }
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Follows a run until it has ended. Ctrl-C cancels it.
pub(crate) async fn follow(
    ports: &Ports,
    host: &Host,
    key: &RunKey,
    output: &Output,
) -> Result<Run, Failed> {
    let mut view = View::new(output, "exporting");
    let mut seen = 0;
    let mut interrupts = Interrupts::new();
    loop {
        if let Some(failed) = host.fatal() {
            view.end();
            return Err(failed);
        }
        let events = tokio::select! {
            events = ports.state.events(key, seen, PAGE, WAIT) => events?,
            () = interrupts.next() => {
                view.line("cancelling; nothing of the payload is kept");
                // It may have ended in this very moment.
                let _ = export_lifecycle::cancel(ports, key, "ctrl-c").await;
                continue;
            }
        };
        let Some(run) = ports.state.run(key).await? else {
            let detail = format!("run {} has disappeared", key.run);
            return Err(Failed::new(export_model::ErrorCode::Internal, detail));
        };
        for event in &events {
            seen = event.seq;
            view.show(event, run.records_planned);
        }
        if run.status.is_terminal() && seen >= run.last_seq {
            view.end();
            return Ok(run);
        }
    }
}

/// What a run is doing, in words.
pub(crate) fn describe(run: &RunView) -> String {
    match run.status {
        RunStatus::Exporting => format!(
            "{} of {} records",
            grouped(run.records),
            grouped(run.records_planned)
        ),
        _ => match &run.failure {
            Some(failure) => format!("{}: {}", failure.error_code, failure.detail),
            None => format!("{} records", grouped(run.records)),
        },
    }
}

/// Ctrl-C, as often as it comes.
pub(crate) struct Interrupts {
    broken: bool,
}

impl Interrupts {
    pub(crate) fn new() -> Self {
        Self { broken: false }
    }

    pub(crate) async fn next(&mut self) {
        if self.broken || tokio::signal::ctrl_c().await.is_err() {
            self.broken = true;
            std::future::pending::<()>().await;
        }
    }
}
