//! The commands, one module each.

mod adapters;
mod approval;
pub(crate) mod archive_file;
mod diff;
mod dlq;
mod docs;
mod import;
mod inspect;
mod keys;
mod layer;
mod ledger;
mod maven_index;
mod mirror;
pub(crate) mod opening;
mod parts;
mod profile;
pub(crate) mod run;
mod runs;
mod schedule;
mod seal;
mod selecting;
pub(crate) mod shown;
#[cfg(feature = "stack")]
mod stack;
mod unmapped;
mod verify;

use std::io::Read;
use std::path::Path;

use export_model::ErrorCode;

use crate::cli::{Command, Place, RunsCommand};
use crate::failure::Failed;
use crate::output::Output;
use crate::remote;
use crate::settings::Settings;

/// Largest request file (profile, configuration, selectors).
const MAX_REQUEST: u64 = 1 << 20;

/// Does what the command line says; gives the exit code.
pub(crate) async fn execute(
    settings: &Settings,
    output: &Output,
    command: Command,
) -> Result<u8, Failed> {
    if command.place() == Place::Home && settings.given().server {
        let detail = "--server: this command works on a home only; leave --server out";
        return Err(Failed::new(ErrorCode::Usage, detail));
    }
    match command {
        Command::Ledger(command) => ledger::execute(settings, output, command).await,
        Command::Profile(command) => profile::execute(settings, output, command).await,
        Command::Run(args) => match settings.server()? {
            Some(server) => remote::run(settings, server, output, *args).await,
            None => run::execute(settings, output, *args).await,
        },
        #[cfg(feature = "stack")]
        Command::Stack(command) => stack::execute(settings, output, command).await,
        Command::Dlq(command) => dlq::execute(settings, output, command).await,
        Command::Runs(command @ RunsCommand::Resume { .. }) => {
            runs::execute(settings, output, command).await
        }
        Command::Runs(command) => match settings.server()? {
            Some(server) => remote::runs(server, output, command).await,
            None => runs::execute(settings, output, command).await,
        },
        Command::Schedule(command) => schedule::execute(settings, output, command).await,
        Command::Verify(args) => verify::verify(settings, output, &args),
        Command::Inspect {
            bundle,
            unmapped: true,
        } => unmapped::execute(output, &bundle),
        Command::Inspect { bundle, .. } => inspect::execute(output, &bundle),
        Command::Diff(args) => diff::execute(settings, output, &args),
        Command::Bundle(command) => parts::execute(output, &command),
        Command::Mirror(command) => mirror::execute(settings, output, &command),
        Command::Unpack(args) => verify::unpack(settings, output, &args),
        Command::Keys(command) => keys::execute(settings, output, command).await,
        Command::Approval(command) => approval::execute(settings, output, command).await,
        Command::Seal(command) => seal::execute(settings, output, command),
        Command::Serve(args) => crate::serve::execute(settings, output, *args).await,
        Command::Adapters => adapters::execute(settings, output).await,
        Command::Login(args) => remote::login(&settings.required_server()?, output, &args).await,
        Command::Logout => remote::logout(&settings.required_server()?, output),
        Command::Proof {
            method,
            target,
            count,
        } => {
            let client = remote::Client::open(settings.required_server()?)?;
            remote::proof(&client, output, &method, &target, count)
        }
        Command::Docs { page } => docs::execute(output, &page),
    }
}

pub(crate) fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// A small JSON document from a file or standard input.
fn request<T: serde::de::DeserializeOwned>(path: &Path, what: &str) -> Result<T, Failed> {
    let mut bytes = Vec::new();
    if is_standard_input(path) {
        std::io::stdin()
            .lock()
            .take(MAX_REQUEST + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| Failed::io("reading standard input", &e))?;
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_REQUEST + 1).read_to_end(&mut bytes))
            .map_err(|e| Failed::read(path, &e))?;
    }
    let invalid = |detail: String| {
        let detail = format!("{} is no {what}: {detail}", path.display());
        Failed::new(ErrorCode::InvalidRequest, detail)
    };
    if bytes.len() as u64 > MAX_REQUEST {
        return Err(invalid("it has more than 1 MiB".to_owned()));
    }
    serde_json::from_slice(&bytes).map_err(|e| invalid(e.to_string()))
}
