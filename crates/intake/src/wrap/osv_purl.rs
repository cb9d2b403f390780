//! purls of OSV packages that state none.
//!
//! A package is an ecosystem and a name; the purl is the same thing in another spelling (purl
//! specification, "Known types", and the OSV schema's table of ecosystems). An ecosystem without a
//! purl type, such as `Linux` or `GIT`, gives none.
//!
//! Go modules keep their case, although the purl type's definition lowers it: Go itself tells
//! modules apart by case, and the evidence of this world is written so.

/// What a name has to become.
enum Rule {
    /// The name is the purl's name.
    Plain,
    /// The name in lower case.
    Lower,
    /// The name's slashes part namespace and name.
    Path,
    /// The same in lower case.
    LowerPath,
    /// PEP 503: lower case, `_` as `-`.
    PyPi,
    /// `group:artifact`.
    Maven,
    /// A source package of a distribution.
    Source,
}

/// Ecosystem (without `:release`), purl type and namespace, rule.
const KNOWN: &[(&str, &str, Rule)] = &[
    ("AlmaLinux", "rpm/almalinux", Rule::Source),
    ("Alpaquita", "apk/alpaquita", Rule::Source),
    ("Alpine", "apk/alpine", Rule::Source),
    ("Azure Linux", "rpm/azure-linux", Rule::Source),
    (
        "BellSoft Hardened Containers",
        "apk/bellsoft-hardened-containers",
        Rule::Source,
    ),
    ("Bitnami", "bitnami", Rule::Lower),
    ("CRAN", "cran", Rule::Plain),
    ("Chainguard", "apk/chainguard", Rule::Source),
    ("ConanCenter", "conan", Rule::Plain),
    ("Debian", "deb/debian", Rule::Source),
    ("Echo", "deb/echo", Rule::Source),
    ("GitHub Actions", "github", Rule::LowerPath),
    ("Go", "golang", Rule::Path),
    ("Hackage", "hackage", Rule::Plain),
    ("Hex", "hex", Rule::LowerPath),
    ("Julia", "julia", Rule::Plain),
    ("Mageia", "rpm/mageia", Rule::Source),
    ("Maven", "maven", Rule::Maven),
    ("MinimOS", "apk/minimos", Rule::Source),
    ("NuGet", "nuget", Rule::Plain),
    ("OSS-Fuzz", "generic", Rule::Plain),
    ("Packagist", "composer", Rule::LowerPath),
    ("Photon OS", "rpm/photon-os", Rule::Source),
    ("Pub", "pub", Rule::Lower),
    ("PyPI", "pypi", Rule::PyPi),
    ("Red Hat", "rpm/redhat", Rule::Source),
    ("Rocky Linux", "rpm/rocky-linux", Rule::Source),
    ("RubyGems", "gem", Rule::Plain),
    ("SUSE", "rpm/suse", Rule::Source),
    ("SwiftURL", "swift", Rule::Path),
    ("Ubuntu", "deb/ubuntu", Rule::Source),
    ("Wolfi", "apk/wolfi", Rule::Source),
    ("crates.io", "cargo", Rule::Plain),
    ("npm", "npm", Rule::LowerPath),
    ("opam", "opam", Rule::Plain),
    ("openEuler", "rpm/openeuler", Rule::Source),
    ("openSUSE", "rpm/opensuse", Rule::Source),
];

/// The purl of package `name` in `ecosystem`, which may name a release (`Debian:11`).
pub(super) fn purl(ecosystem: &str, name: &str) -> Option<String> {
    let family = ecosystem
        .split_once(':')
        .map_or(ecosystem, |(family, _)| family);
    let (_, kind, rule) = KNOWN.iter().find(|(known, ..)| *known == family)?;
    if name.trim_matches('/').is_empty() {
        return None;
    }
    let mut purl = format!("pkg:{kind}/");
    match rule {
        Rule::Plain => push_encoded(&mut purl, name),
        Rule::Lower => push_encoded(&mut purl, &name.to_lowercase()),
        Rule::Path => push_path(&mut purl, name),
        Rule::LowerPath => push_path(&mut purl, &name.to_lowercase()),
        Rule::PyPi => push_encoded(&mut purl, &name.to_lowercase().replace('_', "-")),
        Rule::Maven => {
            let (group, artifact) = name.split_once(':')?;
            push_encoded(&mut purl, group);
            purl.push('/');
            push_encoded(&mut purl, artifact);
        }
        Rule::Source => {
            push_encoded(&mut purl, name);
            if kind.starts_with("deb/") || kind.starts_with("apk/") {
                purl.push_str("?arch=source");
            }
        }
    }
    Some(purl)
}

fn push_path(purl: &mut String, path: &str) {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    for (index, segment) in segments.enumerate() {
        if index > 0 {
            purl.push('/');
        }
        push_encoded(purl, segment);
    }
}

/// Adds one segment of a purl with everything but letters, digits and `.-_~:` percent-encoded
/// (purl specification, "Character encoding").
pub(super) fn push_encoded(purl: &mut String, segment: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte) {
            purl.push(char::from(byte));
        } else {
            purl.push('%');
            for half in [byte >> 4, byte & 15] {
                purl.push(
                    HEX.get(usize::from(half))
                        .map_or('0', |&digit| char::from(digit)),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use packageurl::PackageUrl;
    use std::str::FromStr;

    #[test]
    fn known_ecosystems_have_the_purls_of_their_types() {
        for (ecosystem, name, expected) in [
            (
                "Go",
                "github.com/BurntSushi/toml",
                "pkg:golang/github.com/BurntSushi/toml",
            ),
            ("Go", "stdlib", "pkg:golang/stdlib"),
            ("npm", "@angular/core", "pkg:npm/%40angular/core"),
            ("npm", "left-pad", "pkg:npm/left-pad"),
            (
                "PyPI",
                "Django_REST.framework",
                "pkg:pypi/django-rest.framework",
            ),
            ("crates.io", "openssl", "pkg:cargo/openssl"),
            (
                "Maven",
                "org.apache.logging.log4j:log4j-core",
                "pkg:maven/org.apache.logging.log4j/log4j-core",
            ),
            ("NuGet", "Newtonsoft.Json", "pkg:nuget/Newtonsoft.Json"),
            ("RubyGems", "rails", "pkg:gem/rails"),
            (
                "Packagist",
                "Symfony/Http-Kernel",
                "pkg:composer/symfony/http-kernel",
            ),
            ("Hex", "Phoenix", "pkg:hex/phoenix"),
            ("Pub", "http", "pkg:pub/http"),
            ("Debian:11", "linux", "pkg:deb/debian/linux?arch=source"),
            (
                "Ubuntu:22.04:LTS",
                "g++-12",
                "pkg:deb/ubuntu/g%2B%2B-12?arch=source",
            ),
            (
                "Alpine:v3.18",
                "openssl",
                "pkg:apk/alpine/openssl?arch=source",
            ),
            ("Rocky Linux:9", "kernel", "pkg:rpm/rocky-linux/kernel"),
            (
                "GitHub Actions",
                "Actions/Checkout",
                "pkg:github/actions/checkout",
            ),
        ] {
            let made = purl(ecosystem, name).unwrap();
            assert_eq!(made, expected);
            let read = PackageUrl::from_str(&made).unwrap();
            assert_eq!(format!("pkg:{}/", read.ty()), made[..5 + read.ty().len()]);
        }
    }

    #[test]
    fn what_has_no_purl_gets_none() {
        for (ecosystem, name) in [
            ("Linux", "Kernel"),
            ("GIT", ""),
            ("npm", ""),
            ("Go", "/"),
            ("Maven", "log4j"),
            ("Debian", ""),
            ("", "x"),
        ] {
            assert_eq!(purl(ecosystem, name), None, "{ecosystem} {name}");
        }
    }
}
