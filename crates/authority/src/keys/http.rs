//! A key set behind HTTPS.

use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AGE, CACHE_CONTROL, HeaderMap};
use reqwest::redirect::Policy;
use url::Url;

use crate::client::is_loopback;

use super::{FetchError, Fetched, JwksSource, MAX_SET_BYTES};

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_REDIRECTS: usize = 3;

/// A key set at a URL, fetched directly (no proxy), within 5 seconds, at most 256 KiB.
#[derive(Clone, Debug)]
pub struct HttpJwks {
    url: Url,
    client: reqwest::Client,
}

/// Why a key set cannot be fetched from a URL at all.
#[derive(Debug, thiserror::Error)]
pub enum HttpJwksError {
    /// Not a URL, or not one of HTTPS.
    #[error("the URL of the key set has to begin with https:// (http:// is for this machine only)")]
    Url,
    /// No client can be made, for instance because the system has no root certificates.
    #[error("cannot prepare to fetch the key set")]
    Client(#[source] reqwest::Error),
}

impl HttpJwks {
    /// The key set at `url`: HTTPS, or HTTP to this machine. A redirect is followed to the same origin only, because
    /// whoever the keys come from decides who every request is from.
    ///
    /// # Errors
    /// [`HttpJwksError`] when the URL may not be used, or no client can be made.
    pub fn new(url: &str) -> Result<Self, HttpJwksError> {
        let url = Url::parse(url).map_err(|_| HttpJwksError::Url)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            _ => return Err(HttpJwksError::Url),
        }
        let origin = url.origin();
        let redirects = Policy::custom(move |attempt| {
            if attempt.previous().len() > MAX_REDIRECTS {
                attempt.error("too many redirects")
            } else if attempt.url().origin() == origin {
                attempt.follow()
            } else {
                attempt.error("a redirect to another origin, which is not followed")
            }
        });
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirects)
            .no_proxy()
            .build()
            .map_err(HttpJwksError::Client)?;
        Ok(Self { url, client })
    }

    fn failed(&self, problem: impl std::fmt::Display) -> FetchError {
        FetchError(format!("{}: {problem}", self.url))
    }

    fn broken(&self, error: &reqwest::Error) -> FetchError {
        let mut problem = error.to_string();
        let mut cause = error.source();
        while let Some(deeper) = cause {
            problem = format!("{problem}: {deeper}");
            cause = deeper.source();
        }
        self.failed(problem)
    }
}

#[async_trait]
impl JwksSource for HttpJwks {
    async fn fetch(&self) -> Result<Fetched, FetchError> {
        let mut answer = self
            .client
            .get(self.url.clone())
            .header("accept", "application/jwk-set+json, application/json")
            .send()
            .await
            .map_err(|error| self.broken(&error))?;
        if answer.status() != 200 {
            return Err(self.failed(format!("answered {}", answer.status())));
        }
        let max_age = max_age(answer.headers());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.broken(&error))? {
            if body.len() + chunk.len() > MAX_SET_BYTES {
                return Err(self.failed("answered with more than 256 KiB"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched { body, max_age })
    }
}

/// How long an answer may be kept: `max-age` less the time it has spent in caches (RFC 9111 §5.1, §5.2.2).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut stated = None;
    let values = headers.get_all(CACHE_CONTROL);
    for directive in values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
    {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        if name.eq_ignore_ascii_case("max-age") {
            stated = value.trim().trim_matches('"').parse::<u64>().ok();
        }
    }
    let age = headers
        .get(AGE)
        .and_then(|age| age.to_str().ok()?.trim().parse::<u64>().ok())
        .unwrap_or(0);
    stated.map(|stated| Duration::from_secs(stated.saturating_sub(age)))
}

#[cfg(test)]
mod tests;
