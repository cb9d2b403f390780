"""Every operating system that Trivy scans: one SBOM a release, versions on both sides of each fix."""

import json
from dataclasses import dataclass

import locks
from documents import Advisory, affected, interval


@dataclass
class System:
    """How a distribution is called, and how its versions are spelt."""

    family: str  # the operating system's name in SBOMs and reports
    release: str  # as a machine states it
    osv: str  # OSV's ecosystem
    bucket: str
    source: str  # the data source's id
    kind: str  # of purls
    identifier: str  # of advisories; {} is a number
    fixed: str
    below: tuple  # versions that do not have the fix
    above: tuple
    arch: str = "x86_64"
    vendor: str = ""  # the purl's namespace, if it is not the family
    by_source: bool = False  # packages are looked up by their source package's name
    unfixed: bool = False  # packages without a fix are reported
    keeps_id: bool = False  # advisories are reported by the publisher's id, never by CVE
    vendor_ids: bool = False  # reports have the publisher's id beside the CVE
    arches: bool = False  # the advisory names architectures


def deb(family, release, osv, bucket, **more):
    return System(family, release, osv, bucket, family, "deb", more.pop("identifier"),
                  "1:2.4-1+u3", ("1:2.4-1+u2", "1:2.4-1~bpo1", "9.9-1"),
                  ("1:2.4-1+u3", "1:2.4-2", "2:0.1-1"), arch="amd64", by_source=True, unfixed=True,
                  **more)


def apk(family, release, osv, bucket, **more):
    return System(family, release, osv, bucket, family, "apk", more.pop("identifier"),
                  "1.2.11-r4", ("1.2.11-r3", "1.2.11_rc1-r9", "1.2.9-r20"),
                  ("1.2.11-r4", "1.2.11-r10", "1.2.12-r0"), by_source=True, **more)


def rpm(family, release, osv, bucket, source, **more):
    return System(family, release, osv, bucket, source, "rpm", more.pop("identifier"),
                  "1:2.3-4.el8_6", ("1:2.3-3.el8_6", "1:2.3~rc1-9.el8", "9.9-1.el8"),
                  ("1:2.3-4.el8_6", "1:2.3-10.el8", "2:0.1-1.el8"), **more)


SYSTEMS = [
    deb("debian", "12.5", "Debian:12", "debian 12", identifier="DSA-1900-{}", vendor_ids=True),
    deb("debian", "11.9", "Debian:11", "debian 11", identifier="DEBIAN-CVE-{}"),
    deb("ubuntu", "22.04", "Ubuntu:22.04:LTS", "ubuntu 22.04", identifier="UBUNTU-CVE-{}"),
    deb("ubuntu", "16.04-ESM", "Ubuntu:Pro:16.04:LTS", "ubuntu 16.04-ESM", identifier="USN-1900-{}"),
    apk("alpine", "3.18.4", "Alpine:v3.18", "alpine 3.18", identifier="ALPINE-CVE-{}",
        unfixed=True),
    apk("alpine", "edge", "Alpine:edge", "alpine edge", identifier="ALPINE-CVE-{}", unfixed=True),
    apk("wolfi", "20230201", "Wolfi", "wolfi", identifier="CGA-wolfi-{}"),
    apk("chainguard", "20230201", "Chainguard", "chainguard", identifier="CGA-chain-{}"),
    rpm("rocky", "8.8", "Rocky Linux:8", "rocky 8", "rocky", identifier="RLSA-1900:{}", arches=True),
    rpm("alma", "8.8", "AlmaLinux:8", "alma 8", "alma", identifier="ALSA-1900:{}"),
    rpm("oracle", "8.8", "Oracle Linux:8", "Oracle Linux 8", "oracle-oval",
        identifier="ELSA-1900-{}", arches=True),
    rpm("amazon", "2018.03", "Amazon Linux:1", "amazon linux 1", "amazon",
        identifier="ALAS-1900-{}"),
    rpm("amazon", "2022", "Amazon Linux:2022", "amazon linux 2022", "amazon",
        identifier="ALAS2022-1900-{}"),
    rpm("amazon", "2", "Amazon Linux:2", "amazon linux 2", "amazon", identifier="ALAS2-1900-{}"),
    rpm("amazon", "2023", "Amazon Linux:2023", "amazon linux 2023", "amazon",
        identifier="ALAS2023-1900-{}"),
    rpm("sles", "15.4", "SUSE:Linux Enterprise Server 15 SP4", "SUSE Linux Enterprise 15.4",
        "suse-cvrf", identifier="SUSE-SU-1900:{}-1", keeps_id=True, vendor="suse"),
    rpm("slem", "5.3", "SUSE:Linux Enterprise Micro 5.3", "SUSE Linux Enterprise Micro 5.3",
        "suse-cvrf", identifier="SUSE-SU-1900:{}-1", keeps_id=True, vendor="suse"),
    rpm("opensuse-leap", "15.4", "openSUSE:Leap 15.4", "openSUSE Leap 15.4", "suse-cvrf",
        identifier="openSUSE-SU-1900:{}-1", keeps_id=True, vendor="opensuse"),
    rpm("opensuse-tumbleweed", "20240101", "openSUSE:Tumbleweed", "openSUSE Tumbleweed",
        "suse-cvrf", identifier="openSUSE-SU-1900:{}-1", keeps_id=True, vendor="opensuse"),
    rpm("photon", "4.0", "Photon OS:4.0", "Photon OS 4.0", "photon", identifier="PHSA-1900-{}"),
    rpm("cbl-mariner", "2.0", "CBL-Mariner:2.0", "CBL-Mariner 2.0", "cbl-mariner",
        identifier="AZL-{}", by_source=True, unfixed=True),
    rpm("azurelinux", "3.0", "Azure Linux:3.0", "Azure Linux 3.0", "azure",
        identifier="AZL-3{}", by_source=True, unfixed=True),
]


class Systems:
    """Documents, an SBOM for each system, and what is to be found in it."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.documents = []
        self.targets = []  # (name, SBOM, expected findings)
        self.unfixed = 0  # advisories that no report can show
        for system in SYSTEMS:
            self.system(system)

    def system(self, system):
        components, expected = [], {}
        source = "sample-src" if system.by_source else "sample-pkg"

        def add(name, *intervals):
            cve = self.numbers.cve()
            number = cve.removeprefix("CVE-") if "CVE-{}" in system.identifier else self.numbers.count
            one = affected(system.osv, name, *intervals)
            if system.arches:
                one["ecosystem_specific"] = {"arch": ["x86_64", "noarch"]}
            advisory = Advisory(self.numbers, system.identifier.format(number), [], [one],
                                upstream=[cve])
            self.documents.append(advisory.document)
            return advisory

        fixed = add(source, interval(fixed=system.fixed))
        # The same name in lower and upper case are two packages.
        add(source.upper(), interval(fixed="99:99-99"))
        open_ended = add("open-" + source, interval())
        # A fix in this release says nothing of the next.
        for version in system.below + system.above:
            components.append(self.package(system, "sample-pkg", source, version))
        for version in system.below:
            self.expect(system, expected, "sample-pkg", version, fixed, system.fixed)
        version = system.above[0]
        components.append(self.package(system, "open-pkg" if system.by_source else "open-" + source,
                                       "open-" + source, version))
        if system.unfixed:
            self.expect(system, expected, "open-pkg" if system.by_source else "open-" + source,
                        version, open_ended, "")
        else:
            self.unfixed += 1
        self.targets.append((
            f"{system.family} {system.release}",
            locks.sbom(components, (system.family, system.release)), expected))

    def package(self, system, name, source, version):
        origin = {"SrcName": source, "SrcVersion": version}
        if system.kind == "rpm":
            epoch, rest = version.split(":") if ":" in version else ("0", version)
            bare, release = rest.split("-")
            origin.update(SrcVersion=bare, SrcRelease=release, SrcEpoch=epoch)
        return locks.package(system.kind, system.vendor or system.family, system.release, name,
                             version, system.arch, origin if system.by_source else None)

    def expect(self, system, expected, name, version, advisory, fixed):
        identifier = advisory.document["id"] if system.keeps_id else advisory.id
        expected[(system.family, name, version, identifier)] = {
            "FixedVersion": fixed,
            "Status": "fixed" if fixed else "affected",
            "Severity": advisory.severity,
            "SeveritySource": system.source,
            "VendorIDs": (advisory.document["id"],) if system.vendor_ids else (),
            "CVSS": json.dumps({system.source: {
                "V3Vector": advisory.vector, "V3Score": advisory.score}}, sort_keys=True),
            "References": advisory.references,
            "PublishedDate": advisory.published,
            "LastModifiedDate": advisory.modified,
            "Title": advisory.title,
        }
