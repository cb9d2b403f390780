//! Downloading a bundle: hashed as it comes, and continued where a connection breaks.
//!
//! What was written is never taken on trust: the digest of all bytes, from the first connection to
//! the last, has to be the one that the service has of the archive. A file appears under its name
//! only after that.

use std::io::{self, Write as _};
use std::path::Path;

use export_api::views::RunView;
use export_model::{ErrorCode, Sha256Digest};
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, LOCATION, RANGE};
use reqwest::{Response, StatusCode};
use sha2::{Digest as _, Sha256};

use super::discovery::secure;
use super::http::{Client, connections};
use super::patience::Patience;
use super::trouble::Trouble;
use crate::commands::archive_file::ArchiveFile;
use crate::failure::Failed;
use crate::output::Output;
use crate::progress::{Bytes, Interrupts};

/// Where the bytes go.
enum Sink<'a> {
    File(ArchiveFile<'a>),
    Stdout,
}

impl Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout => io::stdout()
                .lock()
                .write_all(bytes)
                .map_err(|e| Failed::io("writing standard output", &e)),
        }
    }

    fn finish(self) -> Result<(), Failed> {
        match self {
            Self::File(file) => file.finish(),
            Self::Stdout => io::stdout()
                .lock()
                .flush()
                .map_err(|e| Failed::io("writing standard output", &e)),
        }
    }
}

/// Downloads the bundle of a completed run to a file, or to standard output where `out` is none.
pub(super) async fn download(
    client: &Client,
    run: &RunView,
    out: Option<&Path>,
    output: &Output,
) -> Result<(), Failed> {
    let (Some(sha256), Some(size)) = (run.sha256, run.size_bytes) else {
        // The service knows best why there is nothing.
        let refused = client.send(&client.get(&path(run)).once()).await.err();
        return Err(refused.map_or_else(
            || {
                Failed::new(
                    ErrorCode::NotReady,
                    format!("run {} has no archive", run.run_id),
                )
            },
            Failed::from,
        ));
    };
    let sink = match out {
        Some(path) => Sink::File(ArchiveFile::create(path)?),
        None => Sink::Stdout,
    };
    let mut transfer = Transfer {
        client,
        run,
        sha256,
        size,
        sink,
        hasher: Sha256::new(),
        written: 0,
        etag: None,
        bar: Bytes::new(output, "downloading", size),
    };
    let mut interrupts = Interrupts::new();
    let outcome = tokio::select! {
        outcome = transfer.all() => outcome,
        () = interrupts.next() => {
            let detail = format!(
                "the download was stopped; the bundle is still there: exportctl --server {} runs \
                 download {} --out FILE",
                client.address().as_str(),
                run.run_id
            );
            Err(Failed::new(ErrorCode::Cancelled, detail))
        }
    };
    transfer.bar.end();
    outcome?;
    let digest = Sha256Digest(transfer.hasher.finalize().into());
    if digest != sha256 {
        let detail = format!(
            "what came of run {} has the digest {digest}, the archive has {sha256}; nothing was kept",
            run.run_id
        );
        return Err(Failed::new(ErrorCode::Altered, detail));
    }
    transfer.sink.finish()
}

fn path(run: &RunView) -> String {
    format!("/runs/{}/download", run.run_id)
}

struct Transfer<'a> {
    client: &'a Client,
    run: &'a RunView,
    sha256: Sha256Digest,
    size: u64,
    sink: Sink<'a>,
    hasher: Sha256,
    written: u64,
    etag: Option<String>,
    bar: Bytes,
}

impl Transfer<'_> {
    async fn all(&mut self) -> Result<(), Failed> {
        let mut patience = Patience::new();
        loop {
            let before = self.written;
            let trouble = match self.some().await {
                Ok(()) => return Ok(()),
                Err(trouble) => trouble,
            };
            if self.written > before {
                patience.renew();
            }
            patience.endure(trouble).await?;
        }
    }

    /// Takes what comes over one connection.
    async fn some(&mut self) -> Result<(), Trouble> {
        if self.written == self.size && self.etag.is_some() {
            return Ok(());
        }
        let url = format!("the bundle of run {}", self.run.run_id);
        let mut response = self.connect().await?;
        // A service, or a store, that does not continue sends everything again.
        let mut skip = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let from = content_range(response.headers());
                if from != Some((self.written, self.size)) {
                    return Err(Trouble::strange(
                        &url,
                        "came in another range than was asked for",
                    ));
                }
                0
            }
            StatusCode::OK => self.written,
            status => {
                return Err(Trouble::strange(
                    &url,
                    format!("was answered with {status}"),
                ));
            }
        };
        if let Some(told) = text(response.headers(), "x-export-digest")
            && told != self.sha256.to_string()
        {
            return Err(Trouble::strange(&url, "is another one than the run has"));
        }
        self.etag = text(response.headers(), ETAG.as_str());
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| Trouble::lost(&url, &error))?
        {
            let seen = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
            skip -= seen as u64;
            let bytes = chunk.get(seen..).unwrap_or_default();
            if self.written + bytes.len() as u64 > self.size {
                return Err(Trouble::strange(&url, "is larger than the archive"));
            }
            self.sink.write(bytes)?;
            self.hasher.update(bytes);
            self.written += bytes.len() as u64;
            self.bar.show(self.written);
        }
        if self.written < self.size {
            let mut trouble = Trouble::strange(&url, "ended before its end");
            trouble.passes = true;
            return Err(trouble);
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Response, Trouble> {
        let mut continued = Vec::new();
        if let (Some(etag), 1..) = (&self.etag, self.written) {
            continued.push((RANGE, format!("bytes={}-", self.written)));
            continued.push((IF_RANGE, etag.clone()));
        }
        let mut ask = self.client.get(&path(self.run)).once();
        for (name, value) in &continued {
            ask = ask.with(name.clone(), value);
        }
        let response = self.client.send(&ask).await?;
        if response.status() != StatusCode::TEMPORARY_REDIRECT {
            return Ok(response);
        }
        // The archive lies in a store of its own; its URL is all that this one asks for.
        let url = text(response.headers(), LOCATION.as_str()).unwrap_or_default();
        let url = secure(&url)
            .map_err(|_| Trouble::strange(&path(self.run), "redirects to what is not secure"))?;
        let mut request = connections(&url)?.get(url);
        for (name, value) in continued {
            request = request.header(name, value);
        }
        // A presigned URL is a secret too.
        let store = "the store of the bundle";
        let response = request
            .send()
            .await
            .map_err(|error| Trouble::lost(store, &error.without_url()))?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(response),
            status => {
                let mut trouble = Trouble::strange(store, format!("answered {status}"));
                // A URL that has expired is made anew.
                trouble.passes = status == StatusCode::FORBIDDEN || status.is_server_error();
                Err(trouble)
            }
        }
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Where a range begins, and how much there is in all.
fn content_range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let text = text(headers, CONTENT_RANGE.as_str())?;
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.parse().ok()?, size.parse().ok()?))
}
