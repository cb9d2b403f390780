//! `exportctl`: the command line of Export Center, and the embedded host that runs every phase of
//! an export in one process.
//!
//! This is the place where the clock, randomness and the environment come in. Results go to
//! standard output, everything about the way there to standard error.

mod backends;
mod cli;
mod commands;
mod failure;
mod host;
mod output;
mod progress;
mod remote;
mod serve;
mod settings;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use export_model::ErrorCode;

use crate::cli::{Cli, Global};
use crate::failure::Failed;
use crate::output::Output;
use crate::settings::{Given, Settings};

/// Threads for calls that block, beside one for each part that is being written. Every thread keeps
/// a heap of its own, so more of them cost memory; fewer than the calls that wait for each other
/// (reading and storing an import, say) would stop everything.
const BLOCKING: usize = 4;

fn main() -> ExitCode {
    export_memory::give_large_blocks_back();
    let mut command = Cli::command();
    let parsed = command
        .try_get_matches_from_mut(std::env::args_os())
        .and_then(|matches| Ok((Given::of(&matches), Cli::from_arg_matches(&matches)?)))
        .map_err(|error| error.format(&mut command));
    let (given, cli) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error),
    };
    let output = Output::new(&cli.global);
    let outcome = Settings::new(&cli.global, given).and_then(|settings| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .max_blocking_threads(cli.command.workers() + BLOCKING)
            .enable_all()
            .build()
            .map_err(|e| Failed::io("starting the runtime", &e))?;
        let outcome = runtime.block_on(commands::execute(&settings, &output, cli.command));
        // What is left is work of nobody's any more; it does not hold the exit up.
        runtime.shutdown_timeout(std::time::Duration::from_secs(2));
        outcome
    });
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failed) => {
            output.failed(&failed);
            ExitCode::from(failed.exit_code())
        }
    }
}

/// Help and version are results; everything else that clap finds is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nothing can be done where even that cannot be printed.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let code = ErrorCode::Usage;
    // The flags could not be read, but a script that gave this one reads nothing else.
    if std::env::args_os().any(|arg| arg == "--json") {
        let text = error.render().to_string();
        let first = text.split("\n\n").next().unwrap_or_default();
        let words: Vec<_> = first.split_whitespace().collect();
        let detail = words.join(" ");
        let detail = detail.strip_prefix("error: ").unwrap_or(&detail);
        let global = Global {
            home: None,
            server: None,
            #[cfg(feature = "stack")]
            config: None,
            json: true,
            quiet: false,
            verbose: 0,
        };
        Output::new(&global).failed(&Failed::new(code, detail));
    } else {
        let _ = error.print();
    }
    ExitCode::from(code.exit_code())
}
