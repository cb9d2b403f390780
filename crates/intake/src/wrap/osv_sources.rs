//! Who publishes an OSV entry, told by the prefix of its id.
//!
//! The prefixes are the ones that the OSV schema registers (section "id, modified fields"); the
//! database behind each is the source. An unknown prefix is a source of its own, so that entries of
//! two databases never count as revisions of each other.

use crate::identity::slug;

/// Prefix, vendor, stream.
const REGISTERED: &[(&str, &str, &str)] = &[
    ("ALBA", "almalinux", "osv"),
    ("ALEA", "almalinux", "osv"),
    ("ALPINE", "alpine", "secdb"),
    ("ALSA", "almalinux", "osv"),
    ("ASB", "android", "security-bulletins"),
    ("A", "android", "security-bulletins"),
    ("BELL", "bellsoft", "osv"),
    ("BIT", "bitnami", "vulndb"),
    ("CGA", "chainguard", "advisories"),
    ("CLEANSTART", "cleanstart", "security-advisories"),
    ("CURL", "curl", "vulns"),
    ("CVE", "osv", "cve"),
    ("DEBIAN", "debian", "security-tracker"),
    ("DLA", "debian", "security-tracker"),
    ("DRUPAL", "drupal", "advisory-database"),
    ("DSA", "debian", "security-tracker"),
    ("DTSA", "debian", "security-tracker"),
    ("ECHO", "echo", "advisories"),
    ("EEF", "erlef", "cna"),
    ("GHSA", "github", "advisory-database"),
    ("GO", "golang", "vulndb"),
    ("GSD", "cloudsecurityalliance", "gsd-database"),
    ("HSEC", "haskell", "security-advisories"),
    ("JLSEC", "julialang", "security-advisories"),
    ("KUBE", "kubernetes", "cve-feed"),
    ("LBSEC", "loopback", "security"),
    ("LSN", "ubuntu", "security-notices"),
    ("MAL", "ossf", "malicious-packages"),
    ("MGASA", "mageia", "advisories"),
    ("MINI", "minimos", "advisories"),
    ("OESA", "openeuler", "security-advisories"),
    ("OSEC", "ocaml", "security-advisories"),
    ("OSV", "google", "oss-fuzz-vulns"),
    ("PHSA", "photon", "advisories"),
    ("PSF", "python", "psf-advisory-database"),
    ("PYSEC", "pypa", "advisory-database"),
    ("RHBA", "redhat", "osv"),
    ("RHEA", "redhat", "osv"),
    ("RHSA", "redhat", "osv"),
    ("RLSA", "rockylinux", "osv"),
    ("RSEC", "r-consortium", "advisory-database"),
    ("RUSTSEC", "rustsec", "advisory-db"),
    ("RXSA", "rockylinux", "osv"),
    ("SUSE", "suse", "osv"),
    ("UBUNTU", "ubuntu", "security-notices"),
    ("USN", "ubuntu", "security-notices"),
    ("V8", "chromium", "v8-security"),
    ("openSUSE", "suse", "osv"),
];

/// Vendor and stream of the entry `id`.
pub(super) fn source(id: &str) -> (String, String) {
    let prefix = id.split_once('-').map_or(id, |(prefix, _)| prefix);
    REGISTERED
        .iter()
        .find(|(name, ..)| *name == prefix)
        .map_or_else(
            || {
                let vendor = slug(prefix).unwrap_or_else(|| "unknown".to_owned());
                (vendor, "osv".to_owned())
            },
            |(_, vendor, stream)| ((*vendor).to_owned(), (*stream).to_owned()),
        )
}

/// The address of the entry `id` at its publisher, where the publisher documents one.
pub(super) fn address(id: &str) -> Option<String> {
    if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return None;
    }
    if id.starts_with("GO-") {
        // https://go.dev/doc/security/vuln/database
        Some(format!("https://vuln.go.dev/ID/{id}.json"))
    } else if id.starts_with("RUSTSEC-") {
        Some(format!("https://rustsec.org/advisories/{id}.html"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_tells_the_source() {
        for (id, expected) in [
            ("GO-2020-0001", ("golang", "vulndb")),
            ("RUSTSEC-2016-0001", ("rustsec", "advisory-db")),
            ("GHSA-34p9-f4q3-c4r7", ("github", "advisory-database")),
            ("PYSEC-2020-1", ("pypa", "advisory-database")),
            ("MAL-2024-1", ("ossf", "malicious-packages")),
            ("openSUSE-SU-2024:1-1", ("suse", "osv")),
            ("TEMP/..-1", ("temp", "osv")),
            ("Example-1", ("example", "osv")),
            ("-1", ("unknown", "osv")),
        ] {
            let (vendor, stream) = source(id);
            assert_eq!((vendor.as_str(), stream.as_str()), expected, "{id}");
        }
        assert_eq!(address("GO-1/../x"), None);
    }

    #[test]
    fn no_prefix_is_registered_twice() {
        let mut names: Vec<_> = REGISTERED.iter().map(|row| row.0).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), REGISTERED.len());
    }
}
