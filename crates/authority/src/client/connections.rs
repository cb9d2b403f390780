//! Connections of a client: no redirects, bounded patience.

use std::error::Error as _;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use url::{Host, Url};

/// For how long a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the next bytes of an answer.
    pub idle: Duration,
}

/// Connections to what is at `url`: no redirects, since a token is for nobody else, and this machine
/// asked directly.
///
/// # Errors
/// When none can be made, for instance because the system has no root certificates.
pub fn connections(
    url: &Url,
    user_agent: &str,
    patience: Patience,
) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder()
        .connect_timeout(patience.connect)
        .read_timeout(patience.idle)
        .redirect(Policy::none())
        .user_agent(user_agent);
    let builder = if is_loopback(url) {
        builder.no_proxy()
    } else {
        builder
    };
    let builder = if url.scheme() == "http" {
        // Where no certificate is looked at, the system need not have any.
        builder.tls_certs_only([])
    } else {
        builder
    };
    builder.build()
}

/// Whether what a URL names is on this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Why there was no answer, or not all of it, in the words of the deepest cause.
#[must_use]
pub fn lost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut why = "the connection was lost".to_owned();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        why = deeper.to_string();
        cause = deeper.source();
    }
    why
}
