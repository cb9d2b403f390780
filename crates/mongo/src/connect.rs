//! Connecting to a deployment.

use std::time::Duration;

use export_ports::{PortError, PortErrorKind};
use mongodb::Client;
use mongodb::options::{Acknowledgment, ClientOptions, ReadConcern, WriteConcern};

/// How long to look for a server that can take a call.
const SELECTION: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);

/// A client of the deployment at `uri`. Nothing is sent before its first call; `mongodb+srv` looks
/// its hosts up. Writes are acknowledged by a majority and journalled; reads see what a majority has.
///
/// # Errors
/// `Invalid` when `uri` is none. The message never holds the URI, which may hold a password.
pub async fn connect(uri: &str) -> Result<Client, PortError> {
    let doing = "reading the MongoDB URI";
    let mut options = ClientOptions::parse(uri)
        .await
        .map_err(|error| PortError::because(PortErrorKind::Invalid, doing, without(uri, &error)))?;
    options.app_name = Some("export-center".to_owned());
    options.server_selection_timeout.get_or_insert(SELECTION);
    options.connect_timeout.get_or_insert(CONNECT);
    options.write_concern = Some(
        WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .build(),
    );
    options.read_concern = Some(ReadConcern::majority());
    Client::with_options(options)
        .map_err(|error| PortError::because(PortErrorKind::Invalid, doing, without(uri, &error)))
}

/// The error's text, unless it quotes the URI.
fn without(uri: &str, error: &mongodb::error::Error) -> String {
    let text = error.to_string();
    let secret = uri
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('@'))
        .and_then(|(user, _)| user.split_once(':'))
        .map(|(_, password)| password);
    match secret {
        Some(password) if !password.is_empty() && text.contains(password) => {
            "it is not a connection string".to_owned()
        }
        _ => text,
    }
}
