//! Names of KMS keys, as cosign writes them.
//!
//! `awskms://[HOST[:PORT]]/KEY`, where `KEY` is a key's id, `alias/NAME`, or the ARN of either
//! (cosign, "KMS support", AWS). A host stands for an endpoint of its own, reached by HTTPS.

use export_ports::{PortError, PortErrorKind};

const SCHEME: &str = "awskms://";

/// A key of KMS, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsKeyUri {
    uri: String,
    endpoint: Option<String>,
    key: String,
}

impl KmsKeyUri {
    /// Reads a URI such as `awskms:///alias/export`.
    ///
    /// # Errors
    /// `Invalid` when it is none.
    pub fn parse(uri: &str) -> Result<Self, PortError> {
        let invalid = || {
            PortError::because(
                PortErrorKind::Invalid,
                format!("reading the key's name {uri:?}"),
                "expected awskms:///alias/NAME, awskms:///KEY-ID or awskms:///arn:…",
            )
        };
        let rest = uri.strip_prefix(SCHEME).ok_or_else(invalid)?;
        let (host, key) = rest.split_once('/').ok_or_else(invalid)?;
        let plain = |text: &str, more: &str| {
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || more.as_bytes().contains(&b))
        };
        if !plain(host, ".:-[]") || !is_key(key, plain) {
            return Err(invalid());
        }
        Ok(Self {
            uri: uri.to_owned(),
            endpoint: (!host.is_empty()).then(|| format!("https://{host}")),
            key: key.to_owned(),
        })
    }

    /// The URI as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.uri
    }

    /// The endpoint, where it names one.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// The key as KMS takes it.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

fn is_key(key: &str, plain: impl Fn(&str, &str) -> bool) -> bool {
    let name = |name: &str| !name.is_empty() && plain(name, "/_-");
    match key.strip_prefix("arn:") {
        // arn:PARTITION:kms:REGION:ACCOUNT:(key/ID|alias/NAME)
        Some(arn) => match arn.splitn(5, ':').collect::<Vec<_>>()[..] {
            [partition, "kms", region, account, resource] => {
                [partition, region, account].iter().all(|p| name(p))
                    && ["key/", "alias/"]
                        .iter()
                        .any(|kind| resource.strip_prefix(kind).is_some_and(name))
            }
            _ => false,
        },
        None => match key.strip_prefix("alias/") {
            Some(alias) => name(alias),
            None => name(key) && !key.contains('/'),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (uri, endpoint, key) in [
            ("awskms:///alias/export", None, "alias/export"),
            (
                "awskms:///arn:aws:kms:eu-central-1:000000000000:key/1234-ab",
                None,
                "arn:aws:kms:eu-central-1:000000000000:key/1234-ab",
            ),
            (
                "awskms://localhost:4566/1234abcd-12ab",
                Some("https://localhost:4566"),
                "1234abcd-12ab",
            ),
            (
                "awskms://kms.example.net/arn:aws-cn:kms:cn-north-1:1:alias/a/b",
                Some("https://kms.example.net"),
                "arn:aws-cn:kms:cn-north-1:1:alias/a/b",
            ),
        ] {
            let parsed = KmsKeyUri::parse(uri).unwrap();
            assert_eq!((parsed.endpoint(), parsed.key()), (endpoint, key), "{uri}");
            assert_eq!(parsed.as_str(), uri);
        }
        for bad in [
            "",
            "alias/export",
            "awskms://",
            "awskms://alias",
            "awskms:///",
            "awskms:///alias/",
            "awskms:///a b",
            "awskms:///key/1234",
            "awskms:///arn:aws:s3:::bucket",
            "awskms:///arn:aws:kms:eu-central-1:1:grant/x",
            "awskms://user:secret@host/alias/x",
            "gcpkms:///alias/export",
        ] {
            let error = KmsKeyUri::parse(bad).unwrap_err();
            assert_eq!(error.kind(), PortErrorKind::Invalid, "{bad}");
        }
    }
}
