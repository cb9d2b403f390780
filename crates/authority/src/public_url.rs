//! The URL that clients reach this service by.
//!
//! A proof names the URL that its sender asked for. The service cannot learn that from a request: behind a proxy,
//! `Host` and the scheme are what the proxy made of them, and `Host` is the sender's own word. So it is configured.

use url::Url;

/// The externally visible URL of the service: `https://host[:port][/path]`, or `http://` where TLS ends elsewhere or on
/// this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

/// A text that cannot be the service's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the public URL has to be http:// or https:// with a host, and without user, query or fragment"
)]
pub struct InvalidPublicUrl;

impl PublicUrl {
    /// Reads a URL from configuration. A slash at its end does not matter.
    ///
    /// # Errors
    /// [`InvalidPublicUrl`].
    pub fn parse(text: &str) -> Result<Self, InvalidPublicUrl> {
        if text.contains(['?', '#']) {
            return Err(InvalidPublicUrl);
        }
        normalise(text)
            .map(|url| Self(url.trim_end_matches('/').to_owned()))
            .ok_or(InvalidPublicUrl)
    }

    /// The normalised URL, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The normalised URL of what is at `path`, which begins with `/`; a query is left out.
    pub(crate) fn at(&self, path: &str) -> Option<String> {
        if !path.starts_with('/') {
            return None;
        }
        normalise(&format!("{}{path}", self.0))
    }
}

/// Brings a URL to one spelling, without query and fragment (RFC 9449 §4.3 step 9, RFC 3986 §6.2.2 and §6.2.3): scheme
/// and host in lower case, no default port, no dot segments, escapes in upper case and only where they are needed.
///
/// `None` for what is no URL of HTTP, has a user, or holds characters that URLs are not written with: the parser would
/// drop or replace them.
pub(crate) fn normalise(text: &str) -> Option<String> {
    if text.bytes().any(|b| !b.is_ascii_graphic() || b == b'\\') {
        return None;
    }
    let url = Url::parse(text).ok()?;
    if !matches!(url.scheme(), "http" | "https")
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return None;
    }
    let mut normal = format!("{}://{}", url.scheme(), url.host_str()?);
    if let Some(port) = url.port() {
        normal.push_str(&format!(":{port}"));
    }
    push_path(&mut normal, url.path());
    Some(normal)
}

fn push_path(normal: &mut String, path: &str) {
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        normal.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 3);
        let byte = digits
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) if is_unreserved(byte) => normal.push(char::from(byte)),
            Some(byte) => normal.push_str(&format!("%{byte:02X}")),
            None => {
                normal.push('%');
                rest = &rest[at + 1..];
                continue;
            }
        }
        rest = &rest[at + 3..];
    }
    normal.push_str(rest);
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_each_url() {
        for (text, normal) in [
            ("HTTPS://Export.Example:443", "https://export.example/"),
            ("http://export.example:80/a?b#c", "http://export.example/a"),
            (
                "https://export.example:8443/a/../b",
                "https://export.example:8443/b",
            ),
            (
                "https://export.example/%7euser/%2f%C3%A9",
                "https://export.example/~user/%2F%C3%A9",
            ),
            (
                "https://export.example/%252e",
                "https://export.example/%252e",
            ),
            ("https://export.example/100%", "https://export.example/100%"),
            ("http://[::1]:80/", "http://[::1]/"),
        ] {
            assert_eq!(normalise(text).as_deref(), Some(normal), "{text}");
        }
    }

    #[test]
    fn what_the_parser_would_mend_is_refused() {
        for text in [
            "",
            "/runs",
            "ftp://export.example/",
            "https://user@export.example/",
            "https://:secret@export.example/",
            "https://export.example/a b",
            " https://export.example/",
            "https://export.example/a\tb",
            "https:\\\\export.example\\",
            "https://export.example/é",
        ] {
            assert_eq!(normalise(text), None, "{text}");
        }
    }

    #[test]
    fn a_path_is_put_after_the_base() {
        let url = PublicUrl::parse("https://Export.example/tools/").unwrap();
        assert_eq!(url.as_str(), "https://export.example/tools");
        assert_eq!(
            url.at("/api/export/runs?x").as_deref(),
            Some("https://export.example/tools/api/export/runs")
        );
        assert_eq!(url.at("@elsewhere.example/"), None);
        assert!(PublicUrl::parse("https://export.example/?a").is_err());
    }
}
