"""File systems as images have them: what the package manager and the languages' installers leave."""

from systems import SYSTEMS


def dpkg(folder, release, packages):
    """Debian: one stanza a binary package, with its source."""
    put(folder, "etc/debian_version", release + "\n")
    put(folder, "etc/os-release", f'ID=debian\nVERSION_ID="{release.split(".")[0]}"\n')
    put(folder, "var/lib/dpkg/status", "".join(
        f"Package: {name}\nStatus: install ok installed\nPriority: optional\nSection: libs\n"
        f"Architecture: amd64\nSource: {source}\nVersion: {version}\nDescription: sample\n\n"
        for name, source, version in packages))


def apk(folder, release, packages):
    """Alpine: the same in apk's letters; `o` is the source."""
    put(folder, "etc/alpine-release", release + "\n")
    put(folder, "etc/os-release", f"ID=alpine\nVERSION_ID={release}\n")
    put(folder, "lib/apk/db/installed", "".join(
        f"P:{name}\nV:{version}\nA:x86_64\nL:MIT\no:{source}\n\n"
        for name, source, version in packages))


def put(folder, path, text):
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def installed(folder, eco, packages):
    """Languages' packages as they are installed, for those that Trivy knows."""
    for number, (name, version) in enumerate(packages):
        if eco.prefix == "pip":
            place = f"usr/lib/python3/site-packages/p{number}-{version}.dist-info/METADATA"
            put(folder, place, f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n")
        elif eco.prefix == "npm":
            place = f"srv/app/{number}/node_modules/{name}/package.json"
            put(folder, place, f'{{"name": "{name}", "version": "{version}"}}')
        elif eco.prefix == "rubygems":
            place = f"usr/lib/ruby/gems/specifications/{name}-{version}.gemspec"
            put(folder, place, "Gem::Specification.new do |s|\n"
                f'  s.name = "{name}"\n  s.version = "{version}"\nend\n')


class Roots:
    """Two systems' roots, and what is to be found in them."""

    def __init__(self, languages, systems):
        self.languages, self.expected = languages, {}
        self.packages = {}
        sboms = {name: expected for name, _, expected in systems.targets}
        for family, release in (("debian", "12.5"), ("alpine", "3.18.4")):
            system = next(one for one in SYSTEMS if (one.family, one.release) == (family, release))
            wanted = sboms[f"{family} {release}"]
            packages, expected = [], {}
            for number, version in enumerate(system.below + system.above):
                # Binary packages of one source, under names that no advisory has.
                name = f"sample-bin-{number}"
                packages.append((name, "sample-src", version))
                for (_, _, at, identifier), attributes in wanted.items():
                    if at == version and identifier.startswith("CVE") and attributes["FixedVersion"]:
                        expected[(family, name, version, identifier)] = attributes
            self.packages[family] = (release, packages)
            self.expected[family] = expected
        # What the lock files have, installed.
        kinds = {"pip": "python-pkg", "npm": "node-pkg", "rubygems": "gemspec"}
        locked = {}
        for path, (eco, packages) in languages.locks.items():
            if eco.prefix in kinds:
                locked.setdefault(eco.prefix, (eco, []))[1].extend(packages)
        self.installed = locked
        self.expected["alpine"].update({
            key: attributes for key, attributes in languages.in_sbom.items()
            if any(key[0] == kinds[prefix] and (key[1], key[2]) in packages
                   for prefix, (_, packages) in locked.items())})

    def write(self, folder):
        release, packages = self.packages["debian"]
        dpkg(folder / "debian", release, packages)
        release, packages = self.packages["alpine"]
        apk(folder / "alpine", release, packages)
        for eco, packages in self.installed.values():
            installed(folder / "alpine", eco, packages)
