"""Jars, and the evidence that says which they are."""

import hashlib
import io
import zipfile

import locks
from documents import Advisory, affected, interval


def jar(name, manifest="Manifest-Version: 1.0\r\n", properties=None):
    """A jar's bytes: the same for the same arguments."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        def put(path, text):
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
        put("META-INF/MANIFEST.MF", manifest)
        put(f"com/example/{name}.class", f"not a class, but {name}")
        if properties:
            group, artifact, version = properties
            put(f"META-INF/maven/{group}/{artifact}/pom.properties",
                f"groupId={group}\nartifactId={artifact}\nversion={version}\n")
    return out.getvalue()


def sha1(content):
    return hashlib.sha1(content).hexdigest()


class Jars:
    """A folder of jars, an SBOM with their digests, a Maven index, advisories, and the findings."""

    def __init__(self, numbers):
        self.files, self.expected, self.documents = {}, {}, []
        self.components, self.index = [], []
        self.numbers = numbers
        self.unmapped = []

        # Known by its digest alone, whatever it is called.
        self.known("anything.jar", "com.example", "by-digest", "1.4.0")
        self.known("lib/Other.jar", "com.example", "by-digest-fixed", "2.0.0", vulnerable=False)
        # Known by its digest, from a Maven index instead of an SBOM.
        self.known("indexed.jar", "org.example.index", "by-index", "1.0.1", index=True)
        # Known by its name: the group with more rows is taken.
        self.known(None, "org.example.origin", "by-name", "1.9")
        self.known(None, "org.example.origin", "by-name", "1.9", vulnerable=None, mark="-again")
        self.known(None, "org.example.fork", "by-name", "1.9", mark="-fork")
        self.files["by-name-1.9.jar"] = jar("repackaged")
        self.move("by-name-1.9.jar", "org.example.origin:by-name", "1.9")
        # Known by its manifest, because the index has the artifact.
        self.known(None, "com.example", "by-manifest", "0.9")
        self.files["manifest.jar"] = jar("manifest", "\r\n".join([
            "Manifest-Version: 1.0", "Implementation-Vendor-Id: com.example",
            "Implementation-Title: by-manifest", "Implementation-Version: 0.9.1", ""]))
        self.move("manifest.jar", "com.example:by-manifest", "0.9.1", was="0.9")
        # Says itself what it is.
        self.known(None, "com.example", "by-itself", "1.1")
        self.files["by-itself-1.1.jar"] = jar(
            "itself", properties=("com.example", "by-itself", "1.1"))
        self.move("by-itself-1.1.jar", "com.example:by-itself", "1.1")
        # Nobody knows it.
        self.files["unknown-thing.jar"] = jar("unknown")

        # What is no row: a digest that is none, a component without version, no Maven purl.
        for name, digest, version in (("short", "abc123", "1.0"), ("letters", "z" * 40, "1.0"),
                                      ("sixty-four", "0" * 64, "1.0")):
            self.component("com.example", name, version, digest)
            self.unmapped.append("bad_digest")
        self.component("com.example", "versionless", None, "1" * 40)
        self.unmapped.append("no_component_version")

    def known(self, path, group, artifact, version, vulnerable=True, index=False, mark=""):
        """A jar that evidence knows; `path` is where the sample has it, if it has."""
        content = jar(f"{artifact}{mark}")
        if index:
            self.index.append((group, artifact, version, sha1(content)))
        else:
            self.component(group, artifact, version, sha1(content))
        if path:
            self.files[path] = content
        if vulnerable is None:
            return
        fixed = "2.0.0" if vulnerable else "1.9.9"
        advisory = Advisory(self.numbers, self.numbers.ghsa(), [self.numbers.cve()], [
            affected("Maven", f"{group}:{artifact}", interval(fixed=fixed))], github=True)
        self.documents.append(advisory.document)
        if vulnerable:
            self.expected[("jar", f"{group}:{artifact}", version, advisory.id)] = {
                "FixedVersion": fixed, "Severity": advisory.severity, "PkgPath": path}

    def move(self, path, name, version, was=None):
        """An expected finding is of this file."""
        for key in list(self.expected):
            if key[1] == name and key[2] == (was or version):
                attributes = self.expected.pop(key)
                self.expected[(key[0], name, version, key[3])] = {**attributes, "PkgPath": path}

    def component(self, group, artifact, version, digest):
        purl = f"pkg:maven/{group}/{artifact}" + (f"@{version}" if version else "")
        one = {"type": "library", "bom-ref": f"{purl}#{len(self.components)}", "group": group,
               "name": artifact, "purl": purl, "hashes": [{"alg": "SHA-1", "content": digest}]}
        if version:
            one["version"] = version
        self.components.append(one)

    def sbom(self):
        return locks.sbom(self.components)

    def write(self, folder):
        for path, content in self.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        # Nobody's finding is of a file that is not there.
        self.expected = {key: value for key, value in self.expected.items() if value["PkgPath"]}
