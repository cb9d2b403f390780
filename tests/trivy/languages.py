"""Every language ecosystem that Trivy scans: advisories, and the versions on both sides of each border.

Each ecosystem has the same set of shapes, with versions in its own spelling, so that what one
ecosystem's comparer does differently stands here, and nowhere else.
"""

import json
from dataclasses import dataclass
from typing import Callable, Optional

import locks
from documents import Advisory, affected, interval


@dataclass
class Ecosystem:
    """How an ecosystem is called by OSV, by purls, and by Trivy."""

    osv: str
    prefix: str
    source: str  # the text after `::` of the bucket
    purl: str
    scanned: str  # Results[].Type of SBOMs
    plain: str  # a name
    special: str  # a name with upper case, scope, slashes or others that are not plain ASCII letters
    lookup: str  # how Trivy reports `special`
    before: Optional[str] = None  # a pre-release of 2.0.0 …
    caught: bool = True  # … and whether `<2.0.0` catches it
    kind: str = "ECOSYSTEM"  # of ranges
    data_source: str = "ghsa"
    lock: str = ""  # a lock file's name …
    locked: str = ""  # … its Results[].Type …
    write: Optional[Callable] = None  # … and who writes it
    v: str = ""  # before the versions of packages

    def version(self, version):
        """A version as this ecosystem can have it: Go's modules below v2 keep their plain names."""
        if self.prefix != "go":
            return version
        major, minor, rest = version.split(".", 2)
        return f"0.{int(major) * 10 + int(minor)}.{rest}"


ECOSYSTEMS = [
    Ecosystem("PyPI", "pip", "GitHub Security Advisory pip", "pypi", "python-pkg", "sample-lib",
              "Sample_Zope.Ünit", "Sample_Zope.Ünit", "2.0.0rc1",
              lock="requirements.txt", locked="pip", write=locks.requirements),
    Ecosystem("npm", "npm", "GitHub Security Advisory npm", "npm", "node-pkg", "sample-lib",
              "@sample-scope/sub-lib", "@sample-scope/sub-lib", "2.0.0-rc.1", caught=False,
              kind="SEMVER", lock="package-lock.json", locked="npm", write=locks.package_lock),
    Ecosystem("Go", "go", "GitHub Security Advisory Go", "golang", "gobinary",
              "example.com/sample/lib", "github.com/Sample/Mixed.Case",
              "github.com/Sample/Mixed.Case", "2.0.0-rc.1", kind="SEMVER",
              lock="go.mod", locked="gomod", write=locks.go_mod, v="v"),
    Ecosystem("Maven", "maven", "GitHub Security Advisory Maven", "maven", "jar",
              "com.example:sample-lib", "org.Sample.Mixed:Art_Fact", "org.Sample.Mixed:Art_Fact",
              "2.0.0-rc1", lock="gradle.lockfile", locked="gradle", write=locks.gradle_lockfile),
    Ecosystem("NuGet", "nuget", "GitHub Security Advisory NuGet", "nuget", "nuget", "Sample.Lib",
              "Sample.Mixed.UPPER", "Sample.Mixed.UPPER", "2.0.0-rc.1",
              lock="packages.lock.json", locked="nuget", write=locks.nuget_lock),
    Ecosystem("Packagist", "composer", "GitHub Security Advisory Composer", "composer",
              "composer", "sample/lib", "Sample/Mixed-Lib", "Sample/Mixed-Lib",
              "2.0.0-RC1", lock="composer.lock", locked="composer", write=locks.composer_lock),
    Ecosystem("RubyGems", "rubygems", "GitHub Security Advisory RubyGems", "gem", "gemspec",
              "sample-lib", "Sample_Mixed", "Sample_Mixed", "2.0.0.rc1",
              lock="Gemfile.lock", locked="bundler", write=locks.gemfile_lock),
    Ecosystem("crates.io", "cargo", "GitHub Security Advisory Rust", "cargo", "cargo",
              "sample-lib", "Sample_Inflector", "Sample_Inflector", "2.0.0-rc.1", kind="SEMVER",
              lock="Cargo.lock", locked="cargo", write=locks.cargo_lock),
    Ecosystem("Hex", "erlang", "GitHub Security Advisory Erlang", "hex", "hex", "sample_lib",
              "sample_other", "sample_other", "2.0.0-rc.1", kind="SEMVER",
              lock="mix.lock", locked="hex", write=locks.mix_lock),
    Ecosystem("Pub", "pub", "GitHub Security Advisory Pub", "pub", "pub", "sample_lib",
              "sample_ñandú", "sample_ñandú", "2.0.0-rc.1", kind="SEMVER",
              lock="pubspec.lock", locked="pub", write=locks.pubspec_lock),
    Ecosystem("SwiftURL", "swift", "GitHub Security Advisory Swift", "swift", "swift",
              "github.com/sample/lib", "github.com/Sample/Swift-Mixed",
              "github.com/Sample/Swift-Mixed", "2.0.0-rc.1", kind="SEMVER",
              lock="Package.resolved", locked="swift", write=locks.package_resolved),
    Ecosystem("ConanCenter", "conan", "GitLab Advisory Database Community", "conan", "conan",
              "sample-lib", "sample.other+x", "sample.other+x", "2.0.0-rc1", data_source="glad",
              lock="conan.lock", locked="conan", write=locks.conan_lock),
    Ecosystem("Bitnami", "bitnami", "Bitnami Vulnerability Database", "bitnami", "bitnami",
              "sample-lib", "sample-other", "sample-other", "2.0.0-3", caught=False, kind="SEMVER",
              data_source="bitnami"),
    Ecosystem("CocoaPods", "cocoapods", "GitHub Security Advisory Swift", "cocoapods", "cocoapods",
              "SampleLib", "SampleKit/Core_UI", "SampleKit/Core_UI", "2.0.0.rc1",
              lock="Podfile.lock", locked="cocoapods", write=locks.podfile_lock),
    Ecosystem("Kubernetes", "k8s", "Official Kubernetes CVE Feed", "k8s", "kubernetes",
              "k8s.io/sample-lib", "k8s.io/Sample-Other", "k8s.io/Sample-Other", "2.0.0-rc.1",
              kind="SEMVER", data_source="k8s"),
]


class Languages:
    """Documents, targets and what is to be found in them."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.documents = []
        self.components = []  # of the SBOM
        self.locks = {}  # file name -> (ecosystem, packages)
        self.in_sbom, self.in_locks = {}, {}
        for ecosystem in ECOSYSTEMS:
            self.ecosystem(ecosystem)
        self.same_name()
        self.julia = Advisory(numbers, numbers.ghsa(), [numbers.cve()], [
            affected("Julia", "SampleJulia", interval(fixed="1.2.0"), kind="SEMVER")], github=True)
        self.documents.append(self.julia.document)

    def ecosystem(self, eco):
        for name in dict.fromkeys((eco.plain, eco.special)):
            self.targets(eco, name, self.shapes(eco, name))

    def shapes(self, eco, name):
        """Advisories of every shape for one package, with the versions that each is about.

        Gives (advisory or None, versions that it affects, versions that it does not, fixed version).
        """
        plain = name == eco.plain

        def advisory(*ranges, versions=(), cve=True, **more):
            aliases = [self.numbers.cve()] if cve else []
            ranges = [[{event: version if version == "0" else eco.version(version)
                        for event, version in one.items()} for one in events] for events in ranges]
            return self.add(eco, aliases, [affected(
                eco.osv, name, *ranges, kind=eco.kind,
                versions=[eco.version(version) for version in versions])], **more)

        before = {eco.before: eco.caught} if eco.before else {}
        early = [version for version, caught in before.items() if caught]
        late = [version for version, caught in before.items() if not caught]
        shapes = [
            # From the beginning to a fix; without a CVE the publisher's id stays.
            (advisory(interval(fixed="2.0.0"), cve=plain),
             ["0.1.0", "1.9.9", *early], ["2.0.0", "2.0.1", *late], "2.0.0"),
            # A window.
            (advisory(interval("3.1.0", "3.4.0")),
             ["3.1.0", "3.3.9"], ["3.0.9", "3.4.0"], "3.4.0"),
            # Up to and including; there is no fix to name.
            (advisory(interval("5.0.0", last="5.2.0")),
             ["5.0.0", "5.2.0"], ["4.9.9", "5.2.1"], ""),
            # Two windows; the gap is not affected.
            (advisory(interval("7.0.0", "7.1.0"), interval("8.0.0", "8.2.0")),
             ["7.0.5", "8.1.9"], ["6.9.9", "7.1.0", "7.5.0", "8.2.0"], "7.1.0, 8.2.0"),
        ]
        if plain:
            # Only listed.
            shapes.append((advisory(versions=["9.1.1", "9.1.3"]),
                           ["9.1.1", "9.1.3"], ["9.1.0", "9.1.2", "9.1.4"], ""))
            # Never fixed.
            shapes.append((advisory(interval("20.0.0")), ["20.0.0", "21.3.4"], ["19.9.9"], ""))
            # Withdrawn by its publisher.
            advisory(interval(fixed="10.0.0"), withdrawn="2024-02-03T04:05:06Z")
            shapes.append((None, [], ["9.9.9"], ""))
        return [(advisory, [eco.version(one) for one in yes], [eco.version(one) for one in no],
                 ", ".join(eco.version(one) for one in fixed.split(", ") if one))
                for advisory, yes, no, fixed in shapes]

    def add(self, eco, aliases, packages, **more):
        github = eco.data_source == "ghsa"
        identifier = self.numbers.ghsa()
        if not github:
            prefix = {"bitnami": "BIT-sample", "glad": "GMS", "k8s": "KUBE"}[eco.data_source]
            identifier = f"{prefix}-1900-{len(self.documents)}"
        one = Advisory(self.numbers, identifier, aliases, packages, github=github, **more)
        self.documents.append(one.document)
        return one

    def targets(self, eco, name, shapes):
        reported = name if name == eco.plain else eco.lookup
        bad = {}
        for advisory, yes, no, fixed in shapes:
            for version in yes:
                bad.setdefault(version, []).append((advisory, fixed))
            for version in no:
                bad.setdefault(version, [])
        # A version may lie inside of several shapes' ranges only if it says so above; it does not.
        for version, advisories in bad.items():
            self.components.append(locks.component(eco.purl, name, eco.v + version))
            for advisory, fixed in advisories:
                self.in_sbom[(eco.scanned, reported, eco.v + version, advisory.id)] = \
                    self.attributes(eco, advisory, fixed)
        if not eco.lock:
            return
        # A lock file has one version of a package: two files, in folders of their own.
        for number, (_, yes, no, _) in enumerate(shapes):
            for folder, versions in (("yes", yes), ("no", no)):
                if not versions:
                    continue
                version = versions[-1]
                path = f"{folder}/{number}/{eco.lock}"
                self.locks.setdefault(path, (eco, []))[1].append((name, eco.v + version))
                for advisory, fixed in bad[version]:
                    self.in_locks[(eco.locked, reported, eco.v + version, advisory.id)] = \
                        self.attributes(eco, advisory, fixed)

    def attributes(self, eco, advisory, fixed):
        """What Trivy is to report."""
        ghsa = eco.data_source == "ghsa"
        expected = {
            "FixedVersion": fixed,
            "Status": "fixed" if fixed else "affected",
            "Severity": advisory.severity,
            "SeveritySource": eco.data_source,
            "DataSource": (eco.data_source, eco.source),
            "VendorIDs": (),
            "CVSS": json.dumps({eco.data_source: {
                "V3Vector": advisory.vector, "V3Score": advisory.score}}, sort_keys=True),
            "References": advisory.references,
            "PublishedDate": advisory.published,
            "LastModifiedDate": advisory.modified,
            "Title": advisory.title,
        }
        if ghsa:
            expected["CweIDs"] = advisory.cwes
        return expected

    def same_name(self):
        """One name in several ecosystems, vulnerable in one of them only."""
        ecosystems = [one for one in ECOSYSTEMS if one.prefix in ("pip", "npm", "cargo", "pub")]
        for eco in ecosystems:
            self.components.append(locks.component(eco.purl, "shared-name", "1.0.0"))
        eco = ecosystems[1]
        advisory = self.add(eco, [self.numbers.cve()], [
            affected(eco.osv, "shared-name", interval(fixed="1.5.0"), kind=eco.kind)])
        self.in_sbom[(eco.scanned, "shared-name", "1.0.0", advisory.id)] = \
            self.attributes(eco, advisory, "1.5.0")

    def write(self, folder):
        """Writes the lock files below `folder`; several folders, as a lock file's name is fixed."""
        for path, (eco, packages) in self.locks.items():
            file = folder / path.rsplit("/", 1)[0] / eco.prefix / eco.lock
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(eco.write(packages), encoding="utf-8")
