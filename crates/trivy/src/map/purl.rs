//! Package URLs (purl-spec), as far as mapping needs them.

use std::collections::BTreeMap;

/// The longest that is read, in bytes: documents refer to one purl many times.
const LONGEST: usize = 8 * 1024;

/// `pkg:type/namespace/name@version?qualifiers`, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Purl {
    /// Lower case.
    pub(super) kind: String,
    /// Without slashes at its ends; empty where there is none.
    pub(super) namespace: String,
    pub(super) name: String,
    /// Empty where there is none.
    pub(super) version: String,
    pub(super) qualifiers: BTreeMap<String, String>,
}

impl Purl {
    /// Nothing for text that is no purl.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let rest = text
            .trim_ascii()
            .strip_prefix("pkg:")?
            .trim_start_matches('/');
        let rest = rest.split('#').next()?;
        let (rest, qualifiers) = match rest.split_once('?') {
            Some((rest, qualifiers)) => (rest, qualifiers),
            None => (rest, ""),
        };
        let (kind, rest) = rest.split_once('/')?;
        // The at sign of a scope stands before a slash, that of the version after the last.
        let slash = rest.rfind('/').map_or(0, |at| at + 1);
        let (path, version) = match rest.get(slash..)?.rfind('@') {
            Some(at) if at > 0 => (rest.get(..slash + at)?, rest.get(slash + at + 1..)?),
            _ => (rest, ""),
        };
        let path = path.trim_matches('/');
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        if kind.is_empty() || name.is_empty() {
            return None;
        }
        let qualifiers = qualifiers
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.to_ascii_lowercase(), decoded(value)))
            .collect();
        Some(Self {
            kind: kind.to_ascii_lowercase(),
            namespace: decoded(namespace),
            name: decoded(name),
            version: decoded(version),
            qualifiers,
        })
    }

    /// A qualifier's value; empty where there is none.
    pub(super) fn qualifier(&self, key: &str) -> &str {
        self.qualifiers.get(key).map_or("", String::as_str)
    }

    /// Namespace and name with `separator` between them.
    pub(super) fn full_name(&self, separator: char) -> String {
        if self.namespace.is_empty() {
            return self.name.clone();
        }
        format!("{}{separator}{}", self.namespace, self.name)
    }
}

/// Percent-decoded. What does not decode, or is no UTF-8 then, stays as it is.
pub(super) fn decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if let (b'%', [high, low, after @ ..]) = (first, rest)
            && let (Some(high), Some(low)) = (
                char::from(*high).to_digit(16),
                char::from(*low).to_digit(16),
            )
            && let Ok(byte) = u8::try_from(high * 16 + low)
        {
            bytes.push(byte);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn parts() {
        let purl = Purl::parse("pkg:npm/%40angular/core@1.2.3?a=b%20c#sub").unwrap();
        assert_eq!(
            (&*purl.kind, &*purl.namespace, &*purl.name),
            ("npm", "@angular", "core")
        );
        assert_eq!((&*purl.version, purl.qualifier("a")), ("1.2.3", "b c"));
        let purl = Purl::parse("pkg:golang/github.com/a/b@v1").unwrap();
        assert_eq!(purl.full_name('/'), "github.com/a/b");
        let purl = Purl::parse("pkg:npm/@a/b").unwrap();
        assert_eq!(
            (purl.full_name('/'), &*purl.version),
            ("@a/b".to_owned(), "")
        );
        let purl = Purl::parse("pkg:maven/g/a@1%2B2?type=jar").unwrap();
        assert_eq!(purl.version, "1+2");
        for text in ["", "pkg:", "pkg:npm", "pkg:npm/", "npm/a", "pkg:/a"] {
            assert!(Purl::parse(text).is_none(), "{text}");
        }
        assert_eq!(Purl::parse("pkg:a/%zz%f").unwrap().name, "%zz%f");
    }
}
