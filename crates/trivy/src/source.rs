//! Feeds: who says something, what the scanner calls them, and whom it believes first.
//!
//! The bucket of a language's advisories is named after the feed, and `VendorSeverity` is looked up by
//! the feed's id, so both are Trivy's own words wherever it has a feed (`aquasecurity/trivy-db`,
//! `pkg/vulnsrc`). An operating system's bucket is named after its release, and the feed is always the
//! distribution's own.

use crate::map::distribution::Family;
use crate::map::language::Language;
use crate::row::DataSource;

/// A publisher of advisories: the ecosystem's own database, which is maintained by those who know the
/// packages, and whose ranges are reviewed for them.
const OWN: u16 = 10;
/// GitHub's: reviewed, for all ecosystems, mostly later than the ecosystem's own.
const GITHUB: u16 = 20;
/// Others that review.
const REVIEWED: u16 = 30;
/// Aggregated or generated.
const AGGREGATED: u16 = 40;
/// Nobody knows whose.
const UNKNOWN: u16 = 50;
/// A distribution about a vulnerability: its text is about the update, often for many of them.
const DISTRIBUTION: u16 = 60;

/// A feed of language advisories: by the prefix of its ids, by the ledger's vendor, and by what it is.
struct Feed {
    prefixes: &'static [&'static str],
    vendors: &'static [&'static str],
    id: &'static str,
    name: &'static str,
    url: &'static str,
    rank: u16,
}

const fn feed(
    prefixes: &'static [&'static str],
    vendors: &'static [&'static str],
    about: (&'static str, &'static str, &'static str),
    rank: u16,
) -> Feed {
    Feed {
        prefixes,
        vendors,
        id: about.0,
        name: about.1,
        url: about.2,
        rank,
    }
}

/// The GHSA feed is a family of feeds, one an ecosystem; its name is made.
const GHSA: &str = "ghsa";

const FEEDS: &[Feed] = &[
    feed(&["GHSA"], &["github"], (GHSA, "", ""), GITHUB),
    feed(
        &["GO"],
        &["golang"],
        (
            "govulndb",
            "The Go Vulnerability Database",
            "https://pkg.go.dev/vuln/",
        ),
        OWN,
    ),
    feed(
        &["RUSTSEC"],
        &["rustsec"],
        (
            "osv",
            "RustSec Advisory Database",
            "https://rustsec.org/advisories/",
        ),
        OWN,
    ),
    feed(
        &["PYSEC"],
        &["pypa"],
        (
            "osv",
            "PyPA Advisory Database",
            "https://github.com/pypa/advisory-database",
        ),
        OWN,
    ),
    feed(
        &["PSF"],
        &["python"],
        (
            "osv",
            "Python Software Foundation Advisory Database",
            "https://github.com/psf/advisory-database",
        ),
        OWN,
    ),
    feed(
        &[],
        &["rubysec", "ruby-advisory-db"],
        (
            "ruby-advisory-db",
            "Ruby Advisory Database",
            "https://github.com/rubysec/ruby-advisory-db",
        ),
        OWN,
    ),
    feed(
        &[],
        &["friendsofphp"],
        (
            "php-security-advisories",
            "PHP Security Advisories Database",
            "https://github.com/FriendsOfPHP/security-advisories",
        ),
        OWN,
    ),
    feed(
        &[],
        &["nodejs"],
        (
            "nodejs-security-wg",
            "Node.js Ecosystem Security Working Group",
            "https://github.com/nodejs/security-wg",
        ),
        OWN,
    ),
    feed(
        &["BIT"],
        &["bitnami"],
        (
            "bitnami",
            "Bitnami Vulnerability Database",
            "https://github.com/bitnami/vulndb",
        ),
        OWN,
    ),
    feed(
        &["KUBE"],
        &["kubernetes"],
        (
            "k8s",
            "Official Kubernetes CVE Feed",
            "https://kubernetes.io/docs/reference/issues-security/official-cve-feed/index.json",
        ),
        OWN,
    ),
    feed(
        &["JLSEC"],
        &["julialang"],
        (
            "julia",
            "Julia Ecosystem Security Advisories",
            "https://github.com/JuliaLang/SecurityAdvisories.jl",
        ),
        OWN,
    ),
    feed(
        &["EEF"],
        &["erlef"],
        (
            "osv",
            "Erlang Ecosystem Foundation CNA",
            "https://cna.erlef.org/",
        ),
        OWN,
    ),
    feed(
        &["DRUPAL"],
        &["drupal"],
        (
            "osv",
            "Drupal Advisory Database",
            "https://github.com/DrupalSecurityTeam/drupal-advisory-database",
        ),
        OWN,
    ),
    feed(
        &["GMS"],
        &["gitlab"],
        (
            "glad",
            "GitLab Advisory Database Community",
            "https://gitlab.com/gitlab-org/advisories-community",
        ),
        REVIEWED,
    ),
    feed(
        &["MAL"],
        &["ossf"],
        (
            "osv",
            "OpenSSF Malicious Packages",
            "https://github.com/ossf/malicious-packages",
        ),
        REVIEWED,
    ),
    feed(
        &[],
        &["aquasecurity"],
        (
            "aqua",
            "The Aqua Security Vulnerability Database",
            "https://github.com/aquasecurity/vuln-list-aqua",
        ),
        REVIEWED,
    ),
    feed(
        &["OSV"],
        &["google"],
        (
            "osv",
            "OSS-Fuzz Vulnerabilities",
            "https://github.com/google/oss-fuzz-vulns",
        ),
        AGGREGATED,
    ),
    feed(
        &["CVE", "GSD"],
        &["osv"],
        ("osv", "OSV CVE Records", "https://osv.dev/"),
        AGGREGATED,
    ),
];

/// Whose record it is, as far as feeds are told apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin<'a> {
    /// The document's own id.
    pub(crate) id: &'a str,
    /// The ledger's `source.vendor`.
    pub(crate) vendor: &'a str,
    /// The ledger's `source.stream`.
    pub(crate) stream: &'a str,
}

impl Origin<'_> {
    fn feed(&self) -> Option<&'static Feed> {
        let prefix = self.id.split('-').next().unwrap_or_default();
        let by_vendor = || {
            FEEDS
                .iter()
                .find(|feed| feed.vendors.contains(&self.vendor))
        };
        let by_prefix = FEEDS.iter().find(|feed| feed.prefixes.contains(&prefix));
        // An id that begins with CVE says nothing of who wrote the record.
        match by_prefix {
            Some(feed) if prefix != "CVE" => Some(feed),
            by_prefix => by_vendor().or(by_prefix),
        }
    }

    fn unknown(&self) -> DataSource {
        DataSource {
            id: self.vendor.to_owned(),
            name: format!("{}/{}", self.vendor, self.stream),
            url: String::new(),
        }
    }

    /// The feed of the language's advisories, and its rank among those of that language.
    pub(crate) fn language_feed(&self, language: Language) -> (DataSource, u16) {
        match self.feed() {
            None => (self.unknown(), UNKNOWN),
            Some(feed) if feed.id == GHSA => (github(language), feed.rank),
            Some(feed) => (
                DataSource {
                    id: feed.id.to_owned(),
                    name: feed.name.to_owned(),
                    url: feed.url.to_owned(),
                },
                feed.rank,
            ),
        }
    }

    /// The rank of what the record says of a release's packages: the distribution's own account of a
    /// vulnerability before its notices of updates, which come later and speak of fewer packages, and
    /// both before anybody else's.
    pub(crate) fn release_rank(&self) -> u16 {
        const TRACKERS: [&str; 3] = ["DEBIAN-", "UBUNTU-", "ALPINE-"];
        let is_foreign = self.feed().is_some();
        if TRACKERS.iter().any(|prefix| self.id.starts_with(prefix)) {
            OWN
        } else if is_foreign {
            UNKNOWN
        } else {
            GITHUB
        }
    }

    /// The source id and the rank of what the record says of vulnerabilities in themselves.
    pub(crate) fn detail_source(&self, family: Option<Family>) -> (String, u16) {
        match (family, self.feed()) {
            (Some(family), _) => (distribution(family).id, DISTRIBUTION),
            (None, Some(feed)) => (feed.id.to_owned(), feed.rank),
            (None, None) => (self.vendor.to_owned(), UNKNOWN),
        }
    }
}

fn github(language: Language) -> DataSource {
    let name = match language {
        Language::Pip => "pip",
        Language::Npm => "npm",
        Language::Go => "Go",
        Language::Maven => "Maven",
        Language::NuGet => "NuGet",
        Language::Composer => "Composer",
        Language::RubyGems => "RubyGems",
        Language::Cargo => "Rust",
        Language::Erlang => "Erlang",
        Language::Pub => "Pub",
        // Pods take the advisories of the Swift packages that they are.
        Language::Swift | Language::CocoaPods => "Swift",
        Language::Conan => "Conan",
        Language::Bitnami => "Bitnami",
        Language::Kubernetes => "Kubernetes",
        Language::Julia => "Julia",
    };
    DataSource {
        id: GHSA.to_owned(),
        name: format!("GitHub Security Advisory {name}"),
        url: format!(
            "https://github.com/advisories?query=type%3Areviewed+ecosystem%3A{}",
            name.to_ascii_lowercase()
        ),
    }
}

/// The feed of a distribution's buckets.
pub(crate) fn distribution(family: Family) -> DataSource {
    let (id, name, url) = match family {
        Family::Debian => (
            "debian",
            "Debian Security Tracker",
            "https://salsa.debian.org/security-tracker-team/security-tracker",
        ),
        Family::Ubuntu => (
            "ubuntu",
            "Ubuntu CVE Tracker",
            "https://git.launchpad.net/ubuntu-cve-tracker",
        ),
        Family::Alpine => ("alpine", "Alpine Secdb", "https://secdb.alpinelinux.org/"),
        Family::Wolfi => (
            "wolfi",
            "Wolfi Secdb",
            "https://packages.wolfi.dev/os/security.json",
        ),
        Family::Chainguard => (
            "chainguard",
            "Chainguard Security Data",
            "https://packages.cgr.dev/chainguard/security.json",
        ),
        Family::RedHat => (
            "redhat",
            "Red Hat CSAF VEX",
            "https://access.redhat.com/security/data/csaf/v2/vex/",
        ),
        Family::Rocky => (
            "rocky",
            "Rocky Linux updateinfo",
            "https://download.rockylinux.org/pub/rocky/",
        ),
        Family::Alma => (
            "alma",
            "AlmaLinux Product Errata",
            "https://errata.almalinux.org/",
        ),
        Family::Oracle => (
            "oracle-oval",
            "Oracle Linux OVAL definitions",
            "https://linux.oracle.com/security/oval/",
        ),
        Family::Amazon => (
            "amazon",
            "Amazon Linux Security Center",
            "https://alas.aws.amazon.com/",
        ),
        Family::Suse | Family::OpenSuse => (
            "suse-cvrf",
            "SUSE CVRF",
            "https://ftp.suse.com/pub/projects/security/cvrf/",
        ),
        Family::Photon => (
            "photon",
            "Photon OS CVE metadata",
            "https://packages.broadcom.com/photon/photon_cve_metadata/",
        ),
        Family::Mariner => (
            "cbl-mariner",
            "CBL-Mariner Vulnerability Data",
            "https://github.com/microsoft/AzureLinuxVulnerabilityData",
        ),
        Family::Azure => (
            "azure",
            "Azure Linux Vulnerability Data",
            "https://github.com/microsoft/AzureLinuxVulnerabilityData",
        ),
        Family::Echo => ("echo", "Echo", "https://advisory.echohq.com/data.json"),
        Family::MinimOs => (
            "minimos",
            "MinimOS Security Data",
            "https://packages.mini.dev/advisories/secdb/security.json",
        ),
    };
    DataSource {
        id: id.to_owned(),
        name: name.to_owned(),
        url: url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str, vendor: &str, language: Language) -> (String, String, u16) {
        let origin = Origin {
            id,
            vendor,
            stream: "s",
        };
        let (source, rank) = origin.language_feed(language);
        (source.id, source.name, rank)
    }

    #[test]
    fn feeds() {
        let of = |id, vendor, language| named(id, vendor, language);
        let expected = |id: &str, name: &str, rank| (id.to_owned(), name.to_owned(), rank);
        assert_eq!(
            of("GHSA-a-b-c", "github", Language::Cargo),
            expected("ghsa", "GitHub Security Advisory Rust", 20)
        );
        assert_eq!(
            of("GO-2020-0001", "anybody", Language::Go),
            expected("govulndb", "The Go Vulnerability Database", 10)
        );
        assert_eq!(
            of("CVE-2020-1", "rubysec", Language::RubyGems),
            expected("ruby-advisory-db", "Ruby Advisory Database", 10)
        );
        assert_eq!(
            of("CVE-2020-1", "kubernetes", Language::Kubernetes),
            expected("k8s", "Official Kubernetes CVE Feed", 10)
        );
        assert_eq!(
            of("CVE-2020-1", "x", Language::Pip),
            expected("osv", "OSV CVE Records", 40)
        );
        assert_eq!(
            of("X-1", "acme", Language::Pip),
            expected("acme", "acme/s", 50)
        );
    }

    #[test]
    fn releases() {
        let rank = |id| {
            Origin {
                id,
                vendor: "x",
                stream: "s",
            }
            .release_rank()
        };
        assert_eq!(rank("DEBIAN-CVE-2020-1"), 10);
        assert_eq!(rank("DSA-1-1"), 20);
        assert_eq!(rank("RLSA-2023:1"), 20);
        assert_eq!(rank("GHSA-a"), 50);
    }
}
