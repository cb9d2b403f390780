//! Operating systems: which bucket a release's advisories go to.

use crate::version::Scheme;

/// A distribution that Trivy detects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    Debian,
    Ubuntu,
    Alpine,
    Wolfi,
    Chainguard,
    RedHat,
    Rocky,
    Alma,
    Oracle,
    Amazon,
    Suse,
    OpenSuse,
    Photon,
    Mariner,
    Azure,
    Echo,
    MinimOs,
}

/// A release of a distribution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release {
    pub(super) family: Family,
    /// The root bucket: `debian 12`.
    pub(super) bucket: String,
    /// Red Hat: the product that the release is, as a CPE.
    pub(super) cpe: String,
}

impl Family {
    pub(super) fn scheme(self) -> Scheme {
        match self {
            Self::Debian | Self::Ubuntu | Self::Amazon | Self::Echo => Scheme::Dpkg,
            Self::Alpine | Self::Wolfi | Self::Chainguard | Self::MinimOs => Scheme::Apk,
            _ => Scheme::Rpm,
        }
    }

    /// Whether the scanner reports packages that have no fix.
    pub(super) fn reports_unfixed(self) -> bool {
        matches!(
            self,
            Self::Debian | Self::Ubuntu | Self::Alpine | Self::RedHat | Self::Mariner | Self::Azure
        )
    }

    /// Whether fixes are looked up by architecture.
    pub(super) fn is_by_architecture(self) -> bool {
        matches!(self, Self::Rocky | Self::Oracle)
    }

    /// Whether findings are shown by the advisory's id, not the vulnerability's.
    pub(super) fn is_by_advisory(self) -> bool {
        matches!(self, Self::Suse | Self::OpenSuse)
    }

    fn at(self, bucket: String) -> Option<Release> {
        Some(Release {
            family: self,
            bucket,
            cpe: String::new(),
        })
    }

    /// The release that an OSV ecosystem's part after the first colon names, or nothing.
    pub(super) fn release(self, name: &str) -> Option<Release> {
        let name = name.trim_ascii();
        match self {
            Self::Debian => {
                let number = debian_number(name).unwrap_or_else(|| major(name));
                self.numbered("debian", number)
            }
            Self::Ubuntu => ubuntu(name),
            Self::Alpine if name == "edge" => self.at("alpine edge".to_owned()),
            Self::Alpine => {
                let number = major_minor(name.strip_prefix('v').unwrap_or(name))?;
                self.at(format!("alpine {number}"))
            }
            Self::Wolfi => self.at("wolfi".to_owned()),
            Self::Chainguard => self.at("chainguard".to_owned()),
            Self::Echo => self.at("echo".to_owned()),
            Self::MinimOs => self.at("minimos".to_owned()),
            Self::RedHat => red_hat(name),
            Self::Rocky => self.numbered("rocky", major(name)),
            Self::Alma => self.numbered("alma", major(name)),
            Self::Oracle => self.numbered("Oracle Linux", major(name)),
            Self::Amazon => match name {
                "2" | "2022" | "2023" | "1" => self.at(format!("amazon linux {name}")),
                _ if name.starts_with("201") => self.at("amazon linux 1".to_owned()),
                _ => None,
            },
            Self::Suse => suse(name),
            Self::OpenSuse => open_suse(name),
            Self::Photon => self.at(format!("Photon OS {}", major_minor(name)?)),
            Self::Mariner => self.at(format!("CBL-Mariner {}", major_minor(name)?)),
            Self::Azure => self.at(format!("Azure Linux {}", major_minor(name)?)),
        }
    }

    fn numbered(self, name: &str, number: &str) -> Option<Release> {
        if number.is_empty() {
            return None;
        }
        self.at(format!("{name} {number}"))
    }
}

/// The family that an OSV ecosystem's part before the first colon names.
pub(super) fn family(name: &str) -> Option<Family> {
    Some(match name.trim_ascii().to_ascii_lowercase().as_str() {
        "debian" => Family::Debian,
        "ubuntu" => Family::Ubuntu,
        "alpine" => Family::Alpine,
        "wolfi" => Family::Wolfi,
        "chainguard" => Family::Chainguard,
        "red hat" | "redhat" => Family::RedHat,
        "rocky linux" | "rocky" => Family::Rocky,
        "almalinux" | "alma linux" | "alma" => Family::Alma,
        "oracle linux" | "oracle" => Family::Oracle,
        "amazon linux" | "amazon" => Family::Amazon,
        "suse" => Family::Suse,
        "opensuse" => Family::OpenSuse,
        "photon os" | "photon" => Family::Photon,
        "cbl-mariner" | "mariner" => Family::Mariner,
        "azure linux" => Family::Azure,
        "echo" => Family::Echo,
        "minimos" => Family::MinimOs,
        _ => return None,
    })
}

/// The digits at the start.
fn major(name: &str) -> &str {
    let end = name.bytes().position(|byte| !byte.is_ascii_digit());
    name.get(..end.unwrap_or(name.len())).unwrap_or_default()
}

/// `3` and `3.0` are `3.0`; `3.18.4` is `3.18`.
fn major_minor(name: &str) -> Option<String> {
    let first = major(name);
    if first.is_empty() {
        return None;
    }
    let rest = name.get(first.len()..)?;
    let second = rest.strip_prefix('.').map_or("0", major);
    if second.is_empty() || !(rest.is_empty() || rest.starts_with('.')) {
        return None;
    }
    Some(format!("{first}.{second}"))
}

fn debian_number(codename: &str) -> Option<&'static str> {
    Some(match codename.to_ascii_lowercase().as_str() {
        "wheezy" => "7",
        "jessie" => "8",
        "stretch" => "9",
        "buster" => "10",
        "bullseye" => "11",
        "bookworm" => "12",
        "trixie" => "13",
        "forky" => "14",
        _ => return None,
    })
}

/// `22.04:LTS`, `Pro:16.04:LTS`. Variants with packages of their own (FIPS, real-time kernels) are no
/// release that the scanner knows.
fn ubuntu(name: &str) -> Option<Release> {
    let (is_pro, rest) = match name.strip_prefix("Pro:") {
        Some(rest) => (true, rest),
        None => (false, name),
    };
    let mut parts = rest.split(':');
    let number = parts.next()?;
    let is_number = number.split_once('.').is_some_and(|(year, month)| {
        let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        digits(year) && digits(month)
    });
    if !is_number || parts.any(|part| part != "LTS") {
        return None;
    }
    let suffix = if is_pro { "-ESM" } else { "" };
    Family::Ubuntu.at(format!("ubuntu {number}{suffix}"))
}

/// `enterprise_linux:8::baseos`: the rest of a CPE.
fn red_hat(name: &str) -> Option<Release> {
    let mut parts = name.split(':');
    let product = parts.next().filter(|product| !product.is_empty())?;
    let version = parts.next().filter(|version| !version.is_empty())?;
    let edition = parts.nth(1).unwrap_or_default();
    let is_system = product == "enterprise_linux" || product.starts_with("rhel_");
    let is_base = matches!(
        edition,
        "" | "baseos" | "server" | "client" | "workstation" | "computenode"
    );
    let part = if is_system && is_base && !product.starts_with("rhel_extras") {
        'o'
    } else {
        'a'
    };
    let edition = if edition.is_empty() {
        String::new()
    } else {
        format!("::{edition}")
    };
    Some(Release {
        family: Family::RedHat,
        bucket: "Red Hat".to_owned(),
        cpe: format!("cpe:/{part}:redhat:{product}:{version}{edition}"),
    })
}

/// `Linux Enterprise Server 15 SP4`, and modules, desktops and the like of the same release, which
/// share one bucket; `Linux Enterprise Micro 5.3`.
fn suse(name: &str) -> Option<Release> {
    let name = name.strip_prefix("SUSE ").unwrap_or(name);
    let micro = name
        .strip_prefix("Linux Enterprise Micro ")
        .or_else(|| name.strip_prefix("Linux Micro "));
    if let Some(version) = micro {
        let version = version.split(' ').next().and_then(major_minor)?;
        return Family::Suse.at(format!("SUSE Linux Enterprise Micro {version}"));
    }
    if !name.starts_with("Linux Enterprise ") {
        return None;
    }
    let mut words = name
        .split([' ', '-'])
        .skip_while(|word| major(word) != *word || word.is_empty());
    let number = words.next()?;
    let pack = words
        .next()
        .and_then(|word| word.strip_prefix("SP"))
        .filter(|pack| !pack.is_empty() && major(pack) == *pack);
    Family::Suse.at(match pack {
        Some(pack) => format!("SUSE Linux Enterprise {number}.{pack}"),
        None => format!("SUSE Linux Enterprise {number}"),
    })
}

fn open_suse(name: &str) -> Option<Release> {
    if name.eq_ignore_ascii_case("tumbleweed") {
        return Family::OpenSuse.at("openSUSE Tumbleweed".to_owned());
    }
    let (kind, version) = if let Some(version) = name.strip_prefix("Leap Micro ") {
        ("Leap Micro", version)
    } else {
        ("Leap", name.strip_prefix("Leap ")?)
    };
    let version = version.split(' ').next().and_then(major_minor)?;
    Family::OpenSuse.at(format!("openSUSE {kind} {version}"))
}

/// The release that a CPE names, of vendors whose advisories are CSAF documents.
pub(super) fn of_cpe(cpe: &str) -> Option<Release> {
    let rest = cpe
        .strip_prefix("cpe:/")
        .or_else(|| cpe.strip_prefix("cpe:2.3:"))?;
    let mut parts = rest.split(':');
    let _part = parts.next()?;
    let (vendor, product) = (parts.next()?, parts.next()?);
    let version = parts.next().unwrap_or_default();
    let update = parts.next().unwrap_or_default();
    match (vendor, product) {
        ("redhat", _) => Some(Release {
            family: Family::RedHat,
            bucket: "Red Hat".to_owned(),
            cpe: cpe.trim_end_matches([':', '*']).to_owned(),
        }),
        ("suse", "sle-micro" | "suse-microos" | "sl-micro" | "sl_micro") => {
            Family::Suse.release(&format!("Linux Enterprise Micro {version}"))
        }
        ("suse", product) if product.starts_with("sle") => {
            let pack = update.to_ascii_uppercase();
            Family::Suse.release(&format!("Linux Enterprise {version} {pack}"))
        }
        ("opensuse", "leap") => Family::OpenSuse.release(&format!("Leap {version}")),
        ("opensuse", "tumbleweed") => Family::OpenSuse.release("Tumbleweed"),
        ("oracle", "linux") => Family::Oracle.release(version),
        ("rocky" | "resf", "rocky_linux" | "rocky") => Family::Rocky.release(version),
        ("almalinux", _) => Family::Alma.release(version),
        ("amazon", "linux" | "linux_2") => Family::Amazon.release(version),
        ("debian", _) => Family::Debian.release(version),
        ("canonical", "ubuntu_linux") => Family::Ubuntu.release(version),
        ("microsoft", "azure_linux") => Family::Azure.release(version),
        ("microsoft", "cbl-mariner") => Family::Mariner.release(version),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(ecosystem: &str) -> Option<String> {
        let (name, rest) = ecosystem.split_once(':').unwrap_or((ecosystem, ""));
        let release = family(name)?.release(rest)?;
        Some(if release.cpe.is_empty() {
            release.bucket
        } else {
            release.cpe
        })
    }

    #[test]
    fn releases() {
        for (ecosystem, expected) in [
            ("Debian:12", "debian 12"),
            ("Debian:bookworm", "debian 12"),
            ("Ubuntu:22.04:LTS", "ubuntu 22.04"),
            ("Ubuntu:23.10", "ubuntu 23.10"),
            ("Ubuntu:Pro:16.04:LTS", "ubuntu 16.04-ESM"),
            ("Alpine:v3.18", "alpine 3.18"),
            ("Alpine:edge", "alpine edge"),
            ("Wolfi", "wolfi"),
            ("Chainguard", "chainguard"),
            ("Rocky Linux:8", "rocky 8"),
            ("AlmaLinux:8", "alma 8"),
            ("Oracle Linux:8", "Oracle Linux 8"),
            ("Amazon Linux:2", "amazon linux 2"),
            ("Amazon:2023", "amazon linux 2023"),
            ("Amazon Linux:2018.03", "amazon linux 1"),
            (
                "SUSE:Linux Enterprise Server 15 SP4",
                "SUSE Linux Enterprise 15.4",
            ),
            (
                "SUSE:Linux Enterprise Server 12 SP5-LTSS",
                "SUSE Linux Enterprise 12.5",
            ),
            (
                "SUSE:Linux Enterprise Module for Basesystem 15 SP5",
                "SUSE Linux Enterprise 15.5",
            ),
            (
                "SUSE:Linux Enterprise Server 15",
                "SUSE Linux Enterprise 15",
            ),
            (
                "SUSE:Linux Enterprise Micro 5.3",
                "SUSE Linux Enterprise Micro 5.3",
            ),
            ("openSUSE:Leap 15.4", "openSUSE Leap 15.4"),
            ("openSUSE:Leap Micro 5.4", "openSUSE Leap Micro 5.4"),
            ("openSUSE:Tumbleweed", "openSUSE Tumbleweed"),
            ("Photon OS:4.0", "Photon OS 4.0"),
            ("Azure Linux:3", "Azure Linux 3.0"),
            ("CBL-Mariner:2.0", "CBL-Mariner 2.0"),
            (
                "Red Hat:enterprise_linux:8::baseos",
                "cpe:/o:redhat:enterprise_linux:8::baseos",
            ),
            (
                "Red Hat:enterprise_linux:9::appstream",
                "cpe:/a:redhat:enterprise_linux:9::appstream",
            ),
            (
                "Red Hat:rhel_eus:8.4::baseos",
                "cpe:/o:redhat:rhel_eus:8.4::baseos",
            ),
            (
                "Red Hat:openshift:4.12::el8",
                "cpe:/a:redhat:openshift:4.12::el8",
            ),
        ] {
            assert_eq!(bucket(ecosystem).as_deref(), Some(expected), "{ecosystem}");
        }
        for ecosystem in [
            "Debian",
            "Debian:sid",
            "Ubuntu",
            "Ubuntu:Pro:FIPS:18.04:LTS",
            "Alpine",
            "Alpine:v",
            "Rocky Linux",
            "Red Hat",
            "SUSE:Manager Server 4.3",
            "openSUSE:Backports",
            "Amazon Linux:3",
            "Mageia:9",
            "Android",
        ] {
            assert_eq!(bucket(ecosystem), None, "{ecosystem}");
        }
    }

    #[test]
    fn cpes() {
        for (cpe, expected) in [
            ("cpe:/o:suse:sles:15:sp4", "SUSE Linux Enterprise 15.4"),
            (
                "cpe:/o:suse:sle-micro:5.3",
                "SUSE Linux Enterprise Micro 5.3",
            ),
            ("cpe:/o:opensuse:leap:15.4", "openSUSE Leap 15.4"),
            ("cpe:/a:oracle:linux:8::appstream", "Oracle Linux 8"),
            ("cpe:/o:redhat:enterprise_linux:8::baseos", "Red Hat"),
        ] {
            let found = of_cpe(cpe).map(|release| release.bucket);
            assert_eq!(found.as_deref(), Some(expected), "{cpe}");
        }
        assert_eq!(of_cpe("cpe:2.3:a:siemens:x:1"), None);
    }
}
