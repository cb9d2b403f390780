"""Evidence in, `trivy:db` and `trivy:java-db` out, and the real Trivy's word on both.

    acceptance.py --exportctl P --trivy P [--bbolt P] [--trivy-db P] [--seed N]

Prints `ok: …` or `wrong: …` for each thing that must hold, and ends with 1 if one does not.
"""

import argparse
import collections
import hashlib
import io
import json
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import traceback

import boltfile
from documents import Numbers
import locks
from exports import Home, digests, member
from hostile import Hostile
from jars import Jars
from languages import ECOSYSTEMS, Languages
from redhat import RedHat
from registry import Artifact, distribution, push, serving
from roots import Roots
from scanner import Scanner, differences
from statements import Statements
from systems import SYSTEMS, Systems

DB_LAYER = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
JAVA_LAYER = "application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip"
BUILDERS_ONLY = {"vulnerability-id", "vulnerability-detail", "advisory-detail"}
JAVA_SCHEMA = """\
CREATE TABLE artifacts(id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT)
CREATE TABLE indices(artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT, \
foreign key (artifact_id) references artifacts(id))
CREATE UNIQUE INDEX artifacts_idx ON artifacts(artifact_id, group_id)
CREATE INDEX indices_artifact_idx ON indices(artifact_id)
CREATE UNIQUE INDEX indices_sha1_idx ON indices(sha1)"""


class Acceptance:
    """One run of everything, in a folder of its own."""

    def __init__(self, options, work):
        self.options, self.work = options, work
        self.wrong = 0
        self.scanner = Scanner(options.trivy, work)
        self.home = Home(options.exportctl, work / "home")
        numbers = Numbers(options.seed)
        self.languages, self.systems = Languages(numbers), Systems(numbers)
        self.redhat, self.jars = RedHat(numbers), Jars(numbers)
        self.hostile, self.statements = Hostile(numbers), Statements(numbers)
        self.roots = Roots(self.languages, self.systems)
        self.cache = work / "cache"

    # What is said --------------------------------------------------------------------------------

    def say(self, what, lines=()):
        """Says that something holds, or each line of what is wrong."""
        lines = list(lines)
        if not lines:
            print(f"ok: {what}")
            return
        self.wrong += 1
        for line in lines[:25]:
            print(f"wrong: {what}: {line}")
        if len(lines) > 25:
            print(f"wrong: {what}: and {len(lines) - 25} more")

    def compare(self, what, scanned, expected):
        """A scan's findings against a whole set."""
        lines = [f"trivy ended with {scanned.code}: {scanned.said[-600:]}"] * bool(scanned.code)
        lines += scanned.complaints()
        lines += differences(expected, scanned.found())
        if not expected:
            lines.append("nothing was expected, so nothing was tested")
        self.say(f"{what}: {len(expected)} findings", lines)

    # Evidence ------------------------------------------------------------------------------------

    def evidence(self):
        """Writes the documents to files; a list, so that they can be imported in any order."""
        folder = self.work / "evidence"
        folder.mkdir()
        files = []

        def write(name, text):
            path = folder / name
            path.write_text(text, encoding="utf-8")
            files.append(path)

        documents = (self.languages.documents + self.systems.documents + self.jars.documents
                     + self.statements.advisories + self.hostile.documents)
        for number, document in enumerate(documents):
            write(f"osv-{number:04}.json", json.dumps(document))
        for number, document in enumerate(self.redhat.documents):
            write(f"csaf-{number:04}.json", json.dumps(document))
        write("jars.cdx.json", json.dumps(self.jars.sbom()))
        for name, document in self.statements.documents:
            write(f"vex-{name}", json.dumps(document))
        self.index = self.work / "index.tsv"
        return files

    def fill(self, home, files):
        """Imports everything, a few files a command."""
        for start in range(0, len(files), 200):
            home.imports(*files[start:start + 200])
        self.import_index(home)

    def import_index(self, home):
        lines = [f"{digest}\t{group}:{artifact}:{version}\n"
                 for group, artifact, version, digest in self.jars.index]
        lines.append("not-a-digest\tcom.example:nothing:1.0\n")
        self.index.write_text("".join(lines), encoding="utf-8")
        home.imports(self.index, form="maven-index")

    # Checks --------------------------------------------------------------------------------------

    def run(self):
        files = self.evidence()
        self.fill(self.home, files)
        self.database, self.java = self.work / "db.tar", self.work / "java.tar"
        self.home.export("trivy:db", self.database)
        self.home.export("trivy:java-db", self.java)
        self.home.unpack(self.database, self.cache)
        self.home.unpack(self.java, self.cache)
        before = digests(self.cache)
        self.say("files are where Trivy wants them", [
            f"{name} is not there" for name in (
                "db/trivy.db", "db/metadata.json", "java-db/trivy-java.db", "java-db/metadata.json")
            if name not in before])
        for check in (
                self.check_structure, self.check_java_structure, self.check_languages,
                self.check_builder, self.check_systems, self.check_roots,
                self.check_redhat, self.check_jars, self.check_hostile,
                self.check_unmapped, self.check_vex, self.check_verified):
            self.guarded(check)
        self.say("no scan changed a file",
                 [f"{name} changed" for name, digest in digests(self.cache).items()
                  if before.get(name) != digest])
        for check in (self.check_bites, self.check_metadata, self.check_oci,
                      self.check_diff, self.check_schema_gate):
            self.guarded(check)
        self.guarded(lambda: self.check_rebuilt(files))
        return 1 if self.wrong else 0

    def guarded(self, check):
        """One check that cannot go on does not keep the others from being made."""
        try:
            check()
        except Exception:  # noqa: BLE001  # Whatever it is, it is said.
            self.say(check.__name__, [traceback.format_exc()])

    def check_structure(self):
        """The file by another reader, and by bbolt itself."""
        path = self.cache / "db" / "trivy.db"
        content = boltfile.content(path)
        buckets = {key[0] for key in content}
        lines = [f"bucket {name} is for builders only" for name in BUILDERS_ONLY & buckets]
        lines += [f"bucket {name} is missing" for name in ("vulnerability", "data-source")
                  if name not in buckets]
        lines += [f"bucket {one.bucket} is missing" for one in SYSTEMS if one.bucket not in buckets]
        for one in ECOSYSTEMS:
            name = f"{one.prefix}::{one.source}"
            if name not in buckets:
                lines.append(f"bucket {name} is missing")
        sources = {key[1] for key in content if key[0] == "data-source"}
        lines += [f"{name} has no data source" for name in sorted(
            buckets - sources - {"vulnerability", "data-source", "Red Hat", "Red Hat CPE"})]
        described = {key[1] for key in content if key[0] == "vulnerability"}
        for key, value in content.items():
            json.loads(value)
            if key[0] not in ("vulnerability", "data-source", "Red Hat", "Red Hat CPE") \
                    and key[-1] not in described:
                lines.append(f"{key} is not described")
        # Newer ones than the Trivy here scan Julia.
        julia = self.languages.julia
        key = ("julia::GitHub Security Advisory Julia", "SampleJulia", julia.id)
        lines += [f"{key} is missing"] * (key not in content)
        # Newer readers look for lower case, older ones for what the file says.
        spelt = {key[1] for key in content if key[0].startswith("nuget::")}
        lines += [f"nuget: {name} is missing" for one in spelt
                  for name in (one, one.lower()) if name not in spelt]
        self.say(f"an independent reader finds {len(content)} keys in {len(buckets)} buckets", lines)
        if not self.options.bbolt:
            print("skipped: bbolt check: there is no bbolt here (scripts/scanners.sh)")
            return
        done = subprocess.run([self.options.bbolt, "check", path], capture_output=True, text=True)
        self.say("bbolt check", [] if done.returncode == 0 and "OK" in done.stdout
                 else [done.stdout + done.stderr])
        listed = subprocess.run([self.options.bbolt, "buckets", path], capture_output=True, text=True)
        self.say("bbolt lists the same buckets", [
            str(one) for one in set(listed.stdout.splitlines()) ^ buckets])

    def check_java_structure(self):
        path = self.cache / "java-db" / "trivy-java.db"
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        with connection:
            lines = [row[0] for row in connection.execute("PRAGMA integrity_check")
                     if row[0] != "ok"]
            lines += [f"foreign key: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
            schema = {" ".join(row[0].split()).replace(" (", "(") for row in connection.execute(
                "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
            # White space is of no meaning to SQLite.
            wanted = {line.replace(" (", "(") for line in JAVA_SCHEMA.splitlines()}
            lines += [f"schema: {line}" for line in schema ^ wanted]
            for row in connection.execute("SELECT typeof(sha1), length(sha1), archive_type "
                                          "FROM indices"):
                if row != ("blob", 20, "jar"):
                    lines.append(str(row))
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            if mode == "wal":
                lines.append("the journal mode is WAL")
        connection.close()
        self.say("SQLite: integrity, schema, digests", lines)

    def check_languages(self):
        target = self.work / "languages.cdx.json"
        target.write_text(json.dumps(locks.sbom(self.languages.components)), encoding="utf-8")
        self.compare("language packages in an SBOM",
                     self.scanner.scan("sbom", self.cache, target), self.languages.in_sbom)
        folder = self.work / "locks"
        self.languages.write(folder)
        scanned = self.scanner.scan("fs", self.cache, folder)
        self.compare("language packages in lock files", scanned, self.languages.in_locks)

    def check_builder(self):
        """The scanner's own builder, on the same documents of GitHub's: the same findings."""
        if not self.options.trivy_db:
            print("skipped: trivy-db's builder: it is not here (scripts/scanners.sh)")
            return
        tree = self.work / "builder"
        # It walks this folder whether or not there is anything in it.
        (tree / "cocoapods-specs" / "Specs").mkdir(parents=True)
        for document in self.languages.documents:
            if document["id"].startswith("GHSA-"):
                file = tree / "ghsa/advisories/github-reviewed/2026/01" / document["id"] \
                    / (document["id"] + ".json")
                file.parent.mkdir(parents=True)
                file.write_text(json.dumps(document), encoding="utf-8")
        cache = self.work / "built"
        subprocess.run([self.options.trivy_db, "build", "--cache-dir", tree, "--output-dir",
                        cache / "db", "--only-update", "ghsa"], check=True, capture_output=True)
        target = self.work / "languages.cdx.json"
        theirs = self.scanner.scan("sbom", cache, target).found()
        ours = self.scanner.scan("sbom", self.cache, target).found()
        # Pods are not GitHub's to name.
        ours = {key: row for key, row in ours.items()
                if row["DataSource"][0] == "ghsa" and key[0] != "cocoapods"}
        lines = [f"only by the builder: {one}" for one in sorted(set(theirs) - set(ours))]
        lines += [f"only by us: {one}" for one in sorted(set(ours) - set(theirs))]
        for key in set(ours) & set(theirs):
            for name in ("FixedVersion", "Status", "Severity", "SeveritySource", "DataSource", "CVSS"):
                if ours[key][name] != theirs[key][name]:
                    lines.append(f"{key}: {name}: {ours[key][name]} and {theirs[key][name]}")
        lines += ["it finds nothing"] * (not theirs)
        self.say(f"trivy-db's builder: the same {len(theirs)} findings", lines)

    def check_systems(self):
        for name, sbom, expected in self.systems.targets:
            target = self.work / "system.cdx.json"
            target.write_text(json.dumps(sbom), encoding="utf-8")
            self.compare(name, self.scanner.scan("sbom", self.cache, target), expected)

    def check_roots(self):
        folder = self.work / "roots"
        self.roots.write(folder)
        for name, expected in self.roots.expected.items():
            self.compare(f"{name}, a file system",
                         self.scanner.scan("rootfs", self.cache, folder / name), expected)

    def check_redhat(self):
        target = self.work / "redhat.cdx.json"
        target.write_text(json.dumps(self.redhat.sbom()), encoding="utf-8")
        self.compare("redhat 8.6", self.scanner.scan("sbom", self.cache, target),
                     self.redhat.expected)

    def check_jars(self):
        folder = self.work / "jars"
        self.jars.write(folder)
        scanned = self.scanner.scan("rootfs", self.cache, folder)
        self.compare("jars in a file system", scanned, self.jars.expected)

    def check_hostile(self):
        target = self.work / "hostile.cdx.json"
        target.write_text(json.dumps(self.hostile.sbom()), encoding="utf-8")
        scanned = self.scanner.scan("sbom", self.cache, target)
        found = scanned.ids()
        lines = [f"trivy ended with {scanned.code}: {scanned.said[-600:]}"] * bool(scanned.code)
        lines += scanned.complaints()
        lines += [f"not found: {one}" for one in sorted(self.hostile.found - found)]
        lines += [f"should not be found: {one}" for one in sorted(found - self.hostile.found)]
        self.say(f"hostile evidence: {len(self.hostile.found)} findings all the same", lines)
        cve = self.hostile.cve_of_two_feeds
        rows = [row for key, row in scanned.rows() if key[3] == cve]
        whole = [(row["FixedVersion"], row["DataSource"][0]) for row in rows]
        # An ecosystem's own feed comes before GitHub's.
        self.say("of two feeds one is taken, whole", [str(whole)] * (whole != [("3.0", "osv")]))

    def check_unmapped(self):
        listed = json.loads(self.home.run("--json", "inspect", self.database, "--unmapped"))
        rows = listed["unmapped"] if isinstance(listed, dict) else listed
        by_reason = collections.Counter(row["reason"] for row in rows)
        summary = json.loads(member(self.database, "payload/summary.json"))
        lines = [f"summary.json counts {counted} {reason}, the list has {by_reason[reason]}"
                 for reason, counted in summary["unmapped"].items()
                 if counted != by_reason[reason]]
        lines += [f"summary.json does not count {reason}" for reason in by_reason
                  if reason not in summary["unmapped"]]
        self.say(f"what is not mapped is counted: {dict(sorted(by_reason.items()))}", lines)
        lines = []
        of = collections.defaultdict(list)
        for row in rows:
            for identifier in self.hostile.reasons:
                # The name of a record has no room for everything that an id may have.
                if f":{plain(identifier)}:" in row["record"]:
                    of[identifier].append(row["reason"])
        for identifier, reasons in self.hostile.reasons.items():
            if sorted(of[identifier]) != reasons:
                lines.append(f"{identifier}: {sorted(of[identifier])} instead of {reasons}")
        self.say(f"{len(self.hostile.reasons)} hostile documents are counted by reason", lines)
        self.say("packages that have no fix, of systems whose reports show none", [
            f"{by_reason['not_fixed']} instead of {self.systems.unfixed + 1}"
        ] if by_reason["not_fixed"] != self.systems.unfixed + 1 else [])
        java = json.loads(member(self.java, "payload/summary.json"))["unmapped"]
        wanted = collections.Counter(self.jars.unmapped)
        wanted["bad_digest"] += 1  # of the index
        self.say("jars that are no rows are counted", [
            f"{reason}: {java.get(reason, 0)} instead of {count}"
            for reason, count in wanted.items() if java.get(reason, 0) != count])
        text = self.home.run("inspect", self.database, "--unmapped")
        self.say("the list is there for people, too",
                 [] if "reversed_range" in text else [text[:300]])

    def check_vex(self):
        target, vex = self.work / "vex.cdx.json", self.work / "openvex.json"
        target.write_text(json.dumps(self.statements.sbom()), encoding="utf-8")
        vex.write_bytes(member(self.database, "payload/vex/openvex.json"))
        plain = self.scanner.scan("sbom", self.cache, target)
        self.say("without --vex all is found", [
            str(one) for one in sorted(plain.ids() ^ self.statements.all)])
        scanned = self.scanner.scan("sbom", self.cache, target, "--vex", vex)
        lines = [scanned.said] * bool(scanned.code) + [
            str(one) for one in sorted(scanned.ids() ^ self.statements.left)]
        self.say("with --vex what is not affected or fixed is not", lines)

    def check_verified(self):
        key = self.work / "signer.pub"
        key.write_text(self.home.run("keys", "public"))
        for archive in (self.database, self.java):
            self.home.run("verify", archive, "--key", key, "--deep")
            altered = self.work / "altered.tar"
            content = bytearray(archive.read_bytes())
            name = "payload/db.tar.gz" if archive == self.database else "payload/javadb.tar.gz"
            with tarfile.open(archive) as tar:
                content[tar.getmember(name).offset_data + 100] ^= 1
            altered.write_bytes(content)
            said = self.home.run("verify", altered, "--key", key, code=11)
            self.say(f"{archive.name} verifies, and altered it does not",
                     [] if name in said else [said])
            altered.unlink()

    # Negative controls ---------------------------------------------------------------------------

    def mutated(self, name, change):
        """A copy of the database with a change, and whether the comparison notices."""
        cache = self.work / f"mutated-{name}"
        shutil.copytree(self.cache, cache)
        path = cache / "db" / "trivy.db"
        content = path.read_bytes()
        changed = change(content)
        lines = []
        if changed is None:
            path.unlink()
        elif changed == content:
            lines.append("the change changes nothing")
        else:
            path.write_bytes(changed)
        scanned = self.scanner.scan("sbom", cache, self.work / "languages.cdx.json")
        noticed = scanned.complaints() + [scanned.said] * bool(scanned.code)
        if not scanned.code:
            noticed += differences(self.languages.in_sbom, scanned.found())
        if not noticed:
            lines.append("nobody would notice")
        self.say(f"a database with {name} does not pass "
                 f"({len(noticed)} differences, trivy ended with {scanned.code})", lines)
        shutil.rmtree(cache)

    def check_bites(self):
        """Changes that keep Trivy's exit code 0 make the comparison fail."""
        advisory = next(key for key in self.languages.in_sbom if key[0] == "python-pkg")
        cve = advisory[3].encode()

        def renamed(old, new):
            assert len(old) == len(new)
            return lambda content: content.replace(old, new)

        self.mutated("no trivy.db", lambda content: None)
        self.mutated("a bucket renamed", renamed(b"pip::GitHub", b"pip;;GitHub"))
        self.mutated("no vulnerability bucket", renamed(b"vulnerability", b"vulnerabilitz"))
        self.mutated("a package's key in upper case", renamed(b"sample-lib", b"Sample-lib"))
        self.mutated("another id", renamed(cve, cve[:-1] + b"X"))
        self.mutated("a range moved", renamed(b"<2.0.0\"", b"<1.0.0\""))
        self.mutated("a range that cannot be read", renamed(b">=3.1.0", b">>3.1.0"))
        self.mutated("another severity", renamed(b'"VendorSeverity":{"ghsa":3}',
                                                 b'"VendorSeverity":{"ghsa":2}'))
        self.mutated("another feed's id", renamed(b'"ID":"ghsa"', b'"ID":"glad"'))
        self.mutated("a severity that is no integer", renamed(b'{"ghsa":4}', b'{"ghsa":""}'[:10]))

    def check_metadata(self):
        """What Trivy says of the schema version, and of a cache without metadata."""
        target = self.work / "languages.cdx.json"
        path = "db/metadata.json"
        for name, version, said in (
                ("newer", 3, "the version of DB schema doesn't match. Local DB: 3, Expected: 2"),
                ("older", 1, "cannot be specified with the old DB schema. Local DB: 1, Expected: 2"),
                ("missing", None, "cannot be specified on the first run"),
                ("invalid", "x", "cannot be specified on the first run")):
            cache = self.work / "metadata"
            shutil.copytree(self.cache, cache)
            document = json.loads((cache / path).read_text())
            document["Version"] = version
            if version is None:
                (cache / path).unlink()
            else:
                (cache / path).write_text(json.dumps(document))
            scanned = self.scanner.scan("sbom", cache, target)
            self.say(f"metadata.json that is {name} is refused",
                     [] if scanned.code == 1 and said in scanned.said
                     else [f"{scanned.code}: {scanned.said[-300:]}"])
            shutil.rmtree(cache)
        own = json.loads((self.cache / path).read_text())
        self.say("metadata.json has version 2, and times", [
            str(own)] if own["Version"] != 2 or not own["UpdatedAt"].endswith("Z") else [])
        java = json.loads((self.cache / "java-db/metadata.json").read_text())
        self.say("the Java index's metadata.json has version 1",
                 [] if java["Version"] == 1 else [str(java)])

    # A registry ----------------------------------------------------------------------------------

    def check_oci(self):
        """Trivy pulls what is in the bundle through a registry, and refuses what it should."""
        db = member(self.database, "payload/db.tar.gz")
        java = member(self.java, "payload/javadb.tar.gz")
        layer = (DB_LAYER, "db.tar.gz", db)
        artifacts = {
            ("own/db", "2"): Artifact(layer),
            ("own/older", "2"): Artifact(layer, older=True),
            ("own/java", "1"): Artifact((JAVA_LAYER, "javadb.tar.gz", java)),
            ("own/plain", "2"): Artifact(
                ("application/vnd.oci.image.layer.v1.tar+gzip", "db.tar.gz", db)),
            ("own/untitled", "2"): Artifact((DB_LAYER, None, db)),
            ("own/binary", "2"): Artifact((DB_LAYER, "db.bin", db)),
            ("own/below", "2"): Artifact((DB_LAYER, "db.tar.gz", repacked(db, "db/"))),
            ("own/two", "2"): Artifact(layer, (DB_LAYER, "more.tar.gz", repacked(db, ""))),
        }
        refusals = {
            "own/plain": "unacceptable media type",
            "own/untitled": "annotation org.opencontainers.image.title is missing",
            "own/binary": "metadata.json", "own/below": "metadata.json",
            "own/two": "OCI artifact must be a single layer",
        }
        with serving(artifacts) as address:
            for name in ("own/db", "own/older"):
                cache = self.work / "pulled"
                self.pull("--download-db-only", "--db-repository", f"{address}/{name}", cache)
                same = (cache / "db/trivy.db").read_bytes() == \
                    (self.cache / "db/trivy.db").read_bytes()
                self.say(f"{name}: Trivy pulls the database that was exported",
                         [] if same else ["it is another one"])
                self.compare(f"{name}: scanned with what was pulled", self.scanner.scan(
                    "sbom", cache, self.work / "languages.cdx.json"), self.languages.in_sbom)
                if name != "own/older":
                    shutil.rmtree(cache)
            self.pull("--download-java-db-only", "--java-db-repository", f"{address}/own/java", cache)
            same = (cache / "java-db/trivy-java.db").read_bytes() == \
                (self.cache / "java-db/trivy-java.db").read_bytes()
            self.say("own/java: Trivy pulls the index that was exported",
                     [] if same else ["it is another one"])
            self.compare("own/java: jars, with what was pulled", self.scanner.scan(
                "rootfs", cache, self.work / "jars"), self.jars.expected)
            for name, reason in refusals.items():
                code, out, said = self.scanner.run(
                    "image", "--cache-dir", self.work / "refused", "--download-db-only",
                    "--db-repository", f"{address}/{name}", networked=True)
                self.say(f"{name}: Trivy refuses it",
                         [] if code != 0 and reason in said else [f"{code}: {said[-300:]}"])

        self.check_real_registry({name: artifact for name, artifact in artifacts.items()
                                  if name[0] in ("own/db", "own/java")})

    def check_real_registry(self, artifacts):
        program = self.options.registry
        if not program:
            print("skipped: docker-registry: it is not here (scripts/scanners.sh); the test's own was "
                  "used")
            return
        cache = self.work / "pulled-again"
        with distribution(program, self.work) as address:
            for (name, tag), artifact in artifacts.items():
                push(address, name, tag, artifact)
            self.pull("--download-db-only", "--db-repository", f"{address}/own/db", cache)
            self.pull("--download-java-db-only", "--java-db-repository", f"{address}/own/java",
                      cache)
        self.say("docker-registry: Trivy pulls what was exported", [
            f"{name} differs" for name in ("db/trivy.db", "java-db/trivy-java.db")
            if (cache / name).read_bytes() != (self.cache / name).read_bytes()])

    def pull(self, flag, option, repository, cache):
        code, _, said = self.scanner.run(
            "image", "--cache-dir", cache, flag, option, repository, networked=True)
        if code:
            raise AssertionError(f"pulling {repository}: {code}: {said[-500:]}")

    # Two bundles ---------------------------------------------------------------------------------

    def check_diff(self):
        """What was added, removed, changed, by ecosystem."""
        home = Home(self.options.exportctl, self.work / "home-diff")
        one = next(document for document in self.languages.documents
                   if document["affected"][0]["package"]["ecosystem"] == "npm")
        two = next(document for document in self.languages.documents
                   if document["affected"][0]["package"]["ecosystem"] == "Go")
        three = next(document for document in self.systems.documents
                     if document["affected"][0]["package"]["ecosystem"] == "Wolfi")
        archives = []
        for number, documents in enumerate(([one, two], [
                {**two, "modified": "2026-10-01T00:00:00Z", "affected": [{
                    **two["affected"][0], "ranges": [{"type": "SEMVER", "events": [
                        {"introduced": "0"}, {"fixed": "0.21.0"}]}]}]}, three])):
            home = Home(self.options.exportctl, self.work / f"home-diff-{number}")
            path = self.work / "diff.jsonl"
            path.write_text("".join(json.dumps(document) + "\n" for document in documents))
            home.imports(path)
            archives.append(self.work / f"diff-{number}.tar")
            home.export("trivy:db", archives[-1])

        def counts(first, second):
            found = json.loads(home.run("--json", "diff", first, second))
            return {name: (one["added"], one["removed"], one["changed"])
                    for name, one in found["ecosystems"].items()
                    if (one["added"], one["removed"], one["changed"]) != (0, 0, 0)}
        same = counts(archives[0], archives[0])
        self.say("a bundle does not differ from itself", [str(same)] * bool(same))
        there, back = counts(*archives), counts(*reversed(archives))
        wanted = {"npm": (0, 1, 0), "go": (0, 0, 1), "wolfi": (1, 0, 0)}
        self.say("diff: added, removed, changed by ecosystem",
                 [] if there == wanted else [f"{there} instead of {wanted}"])
        wanted = {"npm": (1, 0, 0), "go": (0, 0, 1), "wolfi": (0, 1, 0)}
        self.say("diff: the other way round",
                 [] if back == wanted else [f"{back} instead of {wanted}"])
        text = home.run("diff", *archives)
        self.say("diff: names the advisories for people", [
            f"{name} is not in: {text[:500]}" for name in ("wolfi", "npm", "go") if name not in text])

    def check_schema_gate(self):
        """Another schema's version is refused when the run is submitted."""
        for profile, version, own in (("trivy:db", 3, 2), ("trivy:java-db", 2, 1)):
            lines = []
            try:
                self.home.run("run", profile, "--schema-version", version, "--out",
                              self.work / "never.tar")
                lines.append("it was made")
            except Exception as error:  # noqa: BLE001
                said = str(error)
                if "ERR_TRIVY_SCHEMA" not in said or str(own) not in said.split("instead of 0")[-1]:
                    lines.append(said[-300:])
            self.say(f"{profile} of schema {version} is refused, and {own} named", lines)
            self.home.run("run", profile, "--schema-version", own, "--out", self.work / "asked.tar")

    def check_rebuilt(self, files):
        """Again, in other orders, by one worker and by four: the same bytes."""
        def first():
            return {
                **digests(self.cache),
                "db.tar.gz": digest_of(self.database, "payload/db.tar.gz"),
                "javadb.tar.gz": digest_of(self.java, "payload/javadb.tar.gz"),
            }
        wanted = first()
        shuffle = random.Random(self.options.seed)
        for number, workers in enumerate((1, 4)):
            home = self.home
            if number:
                home = Home(self.options.exportctl, self.work / f"home-{number}")
                shuffled = list(files)
                shuffle.shuffle(shuffled)
                self.import_index(home)
                for start in range(0, len(shuffled), 97):
                    home.imports(*shuffled[start:start + 97])
            results = {}
            archives = {}
            for profile, layer in (("trivy:db", "db.tar.gz"), ("trivy:java-db", "javadb.tar.gz")):
                archive = self.work / f"again-{number}-{layer}.tar"
                results[profile] = home.export(profile, archive, workers)["content_digest"]
                home.unpack(archive, self.work / f"again-{number}")
                archives[layer] = digest_of(archive, f"payload/{layer}")
            again = {**digests(self.work / f"again-{number}"), **archives}
            self.say(f"{'shuffled, ' * number}{workers} workers: the same bytes", [
                f"{name} differs" for name in sorted(set(wanted) | set(again))
                if wanted.get(name) != again.get(name)])


def plain(identifier):
    """An id, as records' names spell it."""
    return identifier.replace("\0", "_")


def digest_of(archive, path):
    return hashlib.sha256(member(archive, path)).hexdigest()


def repacked(layer, prefix):
    """A layer's members, below another folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(layer)) as source, \
            tarfile.open(fileobj=out, mode="w:gz") as target:
        for one in source.getmembers():
            content = source.extractfile(one)
            one.name = prefix + one.name
            target.addfile(one, content)
    return out.getvalue()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--exportctl", required=True, type=pathlib.Path)
    parser.add_argument("--trivy", required=True)
    parser.add_argument("--bbolt")
    parser.add_argument("--trivy-db")
    parser.add_argument("--registry")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="export-center-trivy."))
    try:
        acceptance = Acceptance(options, folder)
        if acceptance.scanner.why_not_alone:
            print(f"skipped: network namespace: {acceptance.scanner.why_not_alone}; "
                  "scanning with the network")
        return acceptance.run()
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
