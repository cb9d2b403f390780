//! `exportctl`: the command line of Export Center, and the embedded host that runs every phase of
//! an export in one process.
//!
//! This is the place where the clock, randomness and the environment come in. Results go to
//! standard output, everything about the way there to standard error.

mod cli;
mod commands;
mod failure;
mod host;
mod output;
mod progress;
mod settings;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::failure::Failed;
use crate::output::Output;
use crate::settings::Settings;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let output = Output::new(&cli.global);
    let outcome = Settings::new(&cli.global).and_then(|settings| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
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
    // Nothing can be done where even that cannot be printed.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(export_model::ErrorCode::Usage.exit_code())
    } else {
        ExitCode::SUCCESS
    }
}
