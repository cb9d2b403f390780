"""What Trivy scans: lock files, CycloneDX SBOMs and file systems, written from (name, version) pairs."""

import json
import urllib.parse


def requirements(packages):
    return "".join(f"{name}=={version}\n" for name, version in packages)


def package_lock(packages):
    return json.dumps({
        "name": "sample", "version": "1.0.0", "lockfileVersion": 3,
        "packages": {
            "": {"name": "sample", "version": "1.0.0", "dependencies": dict(packages)},
            **{f"node_modules/{name}": {"version": version} for name, version in packages},
        },
    })


def go_mod(packages):
    lines = "".join(f"\t{name} {version}\n" for name, version in packages)
    return f"module example.com/sample\n\ngo 1.20\n\nrequire (\n{lines})\n"


def gradle_lockfile(packages):
    return "".join(f"{name}:{version}=runtimeClasspath\n" for name, version in packages)


def nuget_lock(packages):
    resolved = {name: {"type": "Direct", "resolved": version} for name, version in packages}
    return json.dumps({"version": 1, "dependencies": {"net8.0": resolved}})


def composer_lock(packages):
    return json.dumps({"packages": [{"name": n, "version": v} for n, v in packages]})


def gemfile_lock(packages):
    lines = "".join(f"    {name} ({version})\n" for name, version in packages)
    wanted = "".join(f"  {name}\n" for name, _ in packages)
    return (f"GEM\n  remote: https://rubygems.org/\n  specs:\n{lines}\n"
            f"PLATFORMS\n  ruby\n\nDEPENDENCIES\n{wanted}")


def cargo_lock(packages):
    return "version = 3\n" + "".join(
        f'\n[[package]]\nname = "{name}"\nversion = "{version}"\n'
        'source = "registry+https://github.com/rust-lang/crates.io-index"\n'
        for name, version in packages)


def mix_lock(packages):
    lines = "".join(
        f'  "{name}": {{:hex, :{name}, "{version}", "00", [:mix], [], "hexpm", "00"}},\n'
        for name, version in packages)
    return "%{\n" + lines + "}\n"


def pubspec_lock(packages):
    return "packages:\n" + "".join(
        f'  {name}:\n    dependency: "direct main"\n    description:\n      name: {name}\n'
        f'      url: "https://pub.dev"\n    source: hosted\n    version: "{version}"\n'
        for name, version in packages) + 'sdks:\n  dart: ">=3.0.0"\n'


def package_resolved(packages):
    return json.dumps({"version": 2, "pins": [
        {"identity": name.rsplit("/", 1)[-1], "kind": "remoteSourceControl",
         "location": f"https://{name}.git", "state": {"revision": "0" * 40, "version": version}}
        for name, version in packages]})


def podfile_lock(packages):
    lines = "".join(f"  - {name} ({version})\n" for name, version in packages)
    return f"PODS:\n{lines}\nCOCOAPODS: 1.11.3\n"


def conan_lock(packages):
    return json.dumps({
        "version": "0.5", "build_requires": [], "python_requires": [],
        "requires": [f"{name}/{version}#0000%1700000000.0" for name, version in packages],
    })


def purl(kind, name, version, qualifiers=""):
    """A purl. A Maven name has a colon between group and artifact; Kubernetes has no namespaces."""
    parts = [name] if kind == "k8s" else name.replace(":", "/", kind == "maven").split("/")
    path = "/".join(urllib.parse.quote(part, safe="") for part in parts)
    return f"pkg:{kind}/{path}@{urllib.parse.quote(version, safe='')}{qualifiers}"


def component(kind, name, version, reference=None):
    """A CycloneDX component of a language's package."""
    one = {"type": "library", "bom-ref": reference or purl(kind, name, version)}
    if kind == "maven" and ":" in name:
        one["group"], name_only = name.split(":", 1)
        one["name"] = name_only
    elif kind == "npm" and name.startswith("@"):
        one["group"], one["name"] = name.split("/", 1)
    else:
        one["name"] = name
    one["version"] = version
    one["purl"] = purl(kind, name, version)
    return one


def sbom(components, system=None):
    """A CycloneDX document; `system` is an operating system's (name, version)."""
    every = list(components)
    if system:
        name, version = system
        every.insert(0, {"type": "operating-system", "bom-ref": "os", "name": name,
                         "version": version})
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "serialNumber": "urn:uuid:5c5d5d0a-6f0a-4d57-9a53-0f2f0a8b6c77",
        "metadata": {
            "timestamp": "2026-10-12T04:30:00Z",
            "component": {"type": "container" if system else "application", "bom-ref": "sample",
                          "name": "sample", "version": "1.0.0",
                          "purl": "pkg:generic/sample@1.0.0"},
        },
        "components": every,
        "dependencies": [{"ref": "sample", "dependsOn": [one["bom-ref"] for one in every]}],
    }


def package(kind, family, release, name, version, arch, source=None):
    """A CycloneDX component of an operating system's package.

    `source` says of the source package what Trivy's own SBOMs say: `SrcName`, `SrcVersion`, ….
    """
    epoch, bare = "", version
    if kind == "rpm" and ":" in version:
        number, bare = version.split(":", 1)
        epoch = f"&epoch={number}"
    one = {
        "type": "library", "bom-ref": f"{family}/{name}/{version}/{arch}", "name": name,
        "version": version,
        "purl": purl(kind, f"{family}/{name}", bare,
                     f"?arch={arch}&distro={family}-{release}{epoch}"),
    }
    if source:
        one["properties"] = [{"name": f"aquasecurity:trivy:{key}", "value": value}
                             for key, value in source.items()]
    return one
