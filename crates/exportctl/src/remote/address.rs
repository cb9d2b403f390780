//! Where a service is.

use std::path::PathBuf;

use export_authority::PublicUrl;
use export_authority::client::is_loopback;
use export_model::ErrorCode;
use url::Url;

use crate::failure::Failed;

/// A service's URL, in the one spelling that its proofs are made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    base: String,
    url: Url,
}

impl Address {
    /// Reads a URL of a service: HTTPS, or HTTP to this machine.
    ///
    /// # Errors
    /// A usage error that says which of these it is not.
    pub(crate) fn parse(text: &str) -> Result<Self, Failed> {
        let usage = |why: &str| Failed::new(ErrorCode::Usage, format!("--server {text}: {why}"));
        let public = PublicUrl::parse(text).map_err(|_| {
            usage("not a URL of a service; it looks like https://export.example or http://127.0.0.1:8750")
        })?;
        // Whoever copies a URL from a document of the API means the service.
        let base = public.as_str();
        let base = base.strip_suffix(export_api::http::BASE).unwrap_or(base);
        let url = Url::parse(base).map_err(|error| usage(&error.to_string()))?;
        if url.scheme() != "https" && !is_loopback(&url) {
            return Err(usage(
                "has to begin with https:// (http:// is for this machine only)",
            ));
        }
        Ok(Self {
            base: base.to_owned(),
            url,
        })
    }

    /// The URL, without a slash at its end.
    pub(crate) fn as_str(&self) -> &str {
        &self.base
    }

    /// The same, parsed.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The URL of `path` below the API, which begins with `/`.
    pub(crate) fn api(&self, path: &str) -> String {
        format!("{}{}{path}", self.base, export_api::http::BASE)
    }

    /// The URL of a request that somebody names by its path or whole. None where it is another
    /// service's.
    pub(crate) fn target(&self, text: &str) -> Option<String> {
        if text.starts_with('/') {
            return Some(format!("{}{text}", self.base));
        }
        let named = PublicUrl::parse(text.split(['?', '#']).next().unwrap_or_default()).ok()?;
        let rest = named.as_str().strip_prefix(&self.base)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| text.to_owned())
    }

    /// The file's name that its credentials have.
    pub(crate) fn file_name(&self) -> PathBuf {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        let mut name: String = format!("{host}_{port}{}", self.url.path().trim_end_matches('/'))
            .chars()
            .map(|c| match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => c,
                // An IPv6 address has brackets and colons, a path slashes.
                _ => '_',
            })
            .collect();
        name.push_str(".json");
        name.into()
    }
}

/// A name as one segment of a path. None for what no name is and a path would give a meaning of
/// its own.
pub(crate) fn segment(name: &str) -> Option<String> {
    if matches!(name, "" | "." | "..") {
        return None;
    }
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_by_its_url_in_any_spelling() {
        for (text, base, file) in [
            (
                "http://127.0.0.1:8750/",
                "http://127.0.0.1:8750",
                "127.0.0.1_8750.json",
            ),
            (
                "HTTPS://Export.Example:443",
                "https://export.example",
                "export.example_443.json",
            ),
            (
                "https://export.example/tools/api/export",
                "https://export.example/tools",
                "export.example_443_tools.json",
            ),
            ("http://[::1]:8750", "http://[::1]:8750", "___1__8750.json"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.as_str(), base);
            assert_eq!(address.file_name(), PathBuf::from(file));
        }
        for bad in [
            "",
            "export.example",
            "ftp://a",
            "http://export.example",
            "https://a/?b",
        ] {
            assert_eq!(
                Address::parse(bad).unwrap_err().code,
                ErrorCode::Usage,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_proof_is_for_the_service_only() {
        let address = Address::parse("https://export.example/tools").unwrap();
        assert_eq!(
            address.target("/api/export/runs?limit=1").as_deref(),
            Some("https://export.example/tools/api/export/runs?limit=1")
        );
        assert!(
            address
                .target("https://export.example/tools/api/export/runs?x=1")
                .is_some()
        );
        for other in [
            "https://export.example/toolshed",
            "https://export.example.evil/tools",
            "https://export.example/",
            "runs",
        ] {
            assert_eq!(address.target(other), None, "{other}");
        }
    }

    #[test]
    fn names_are_segments_of_a_path() {
        assert_eq!(segment("json:raw").as_deref(), Some("json:raw"));
        assert_eq!(segment("a/b?é").as_deref(), Some("a%2Fb%3F%C3%A9"));
        assert_eq!(segment(".."), None);
    }
}
