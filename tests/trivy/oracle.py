"""Real advisories against an oracle: OSV's ranges, evaluated here, against what Trivy finds.

For every advisory, versions on both sides of each of its borders are put into one SBOM. The oracle
says for each package and version which ids there are, from the text of all advisories; Trivy's report,
made of our database, must say exactly the same.

    oracle.py --exportctl P --trivy P --evidence FOLDER [--sample N --seed S]

Without --sample all advisories are checked.
"""

import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import locks
import semver
from exports import Home
from scanner import Scanner

PURLS = {"Go": "golang", "crates.io": "cargo"}
# Trivy's kinds of package in SBOMs.
KINDS = {"gobinary": "Go", "cargo": "crates.io"}


class Advisory:
    """What OSV says, as far as it can be evaluated."""

    def __init__(self, document):
        self.document = document
        self.own_id = document["id"]
        names = [self.own_id, *(document.get("aliases") or []),
                 *(document.get("upstream") or [])]
        self.ids = sorted({name for name in names if name.startswith("CVE-")}) or [self.own_id]
        self.withdrawn = bool(document.get("withdrawn"))
        self.packages = []  # (ecosystem, name), ranges, versions
        for affected in document.get("affected") or []:
            package = affected.get("package") or {}
            ranges = [
                [next(iter(event.items())) for event in one["events"]]
                for one in affected.get("ranges") or [] if one["type"] != "GIT"
            ]
            listed = frozenset(affected.get("versions") or [])
            if ranges or listed:
                self.packages.append(
                    ((package["ecosystem"], package["name"]), ranges, listed))


def read(evidence):
    """All OSV advisories of the evidence, by ecosystem."""
    lines = subprocess.run(["zstd", "-dc", evidence / "advisories.jsonl.zst"], check=True,
                           capture_output=True).stdout.splitlines()
    records = [json.loads(line) for line in lines]
    return [Advisory(record["content"]["raw"]) for record in records
            if record["content"]["format"] == "OSV"]


def candidates(advisory):
    """Packages and versions at the borders of an advisory's ranges."""
    for package, ranges, listed in advisory.packages:
        for version in [at for events in ranges for _, at in events] + sorted(listed)[:3]:
            for one in semver.neighbours(version):
                yield package, one
        yield package, "99999.0.0"


class Oracle:
    """All advisories by package, and what they say of a version."""

    def __init__(self, advisories):
        self.by_package = collections.defaultdict(list)
        self.withdrawn = sum(one.withdrawn for one in advisories)
        for one in advisories:
            if not one.withdrawn:
                for package, ranges, listed in one.packages:
                    self.by_package[package].append((one, ranges, listed))

    def ids(self, package, version):
        """The vulnerabilities of a version: of what several advisories say under one id, all of it."""
        return {identifier for one, ranges, listed in self.by_package[package]
                if semver.affects(ranges, listed, version) for identifier in one.ids}


def check(options):
    started = time.monotonic()
    advisories = read(options.evidence)
    chosen = advisories
    if options.sample and options.sample < len(advisories):
        chosen = random.Random(options.seed).sample(advisories, options.sample)
    oracle = Oracle(advisories)

    # Every advisory has to be seen on both sides, where it has two. Of a sample's advisories a few
    # versions of each side will do, or a scan takes a minute.
    pick = random.Random(options.seed)
    expected, seen = {}, collections.Counter()
    for one in chosen:
        ids = set(one.ids)
        inside, outside = [], []
        for pair in sorted(set(candidates(one))):
            of = oracle.ids(*pair)
            (inside if ids & of else outside).append((pair, of))
        for side in (inside, outside):
            few = side if chosen is advisories else pick.sample(side, min(2, len(side)))
            expected.update(few)
        if one.withdrawn:
            seen["withdrawn"] += 1
            continue
        if not one.packages:
            seen["without versions"] += 1
            continue
        assert inside, f"{one.own_id}: the oracle has no affected version"
        seen["with an affected version"] += 1
        seen["and one that is not" if outside else "and no other, as all are affected"] += 1

    with tempfile.TemporaryDirectory(prefix="export-center-oracle.") as folder:
        work = pathlib.Path(folder)
        home = Home(options.exportctl, work / "home")
        home.imports(options.evidence / "advisories.jsonl.zst")
        cache = home.database(work / "cache", "trivy:db")
        built = time.monotonic()

        scanner = Scanner(options.trivy, work)
        versions = sorted(expected)
        components = [
            locks.component(PURLS[ecosystem], name, ("v" if ecosystem == "Go" else "") + version,
                            reference=f"{ecosystem}/{name}@{version}")
            for (ecosystem, name), version in versions]
        (work / "all.cdx.json").write_text(json.dumps(locks.sbom(components)), encoding="utf-8")
        # A lock file may have several versions of a crate.
        lock = work / "lock" / "Cargo.lock"
        lock.parent.mkdir()
        crates = [(name, version) for (ecosystem, name), version in versions
                  if ecosystem == "crates.io"]
        lock.write_text(locks.cargo_lock(crates), encoding="utf-8")

        wrong = []
        for what, target, of in (("sbom", work / "all.cdx.json", PURLS),
                                 ("fs", lock.parent, ("crates.io",))):
            keys, complaints = scanner.keys(what, cache, target)
            wrong += complaints
            found = collections.defaultdict(set)
            for kind, name, version, identifier in keys:
                ecosystem = KINDS[kind]
                plain = version.removeprefix("v") if ecosystem == "Go" else version
                found[((ecosystem, name), plain)].add(identifier)
            for pair, ids in expected.items():
                if pair[0][0] in of and found.get(pair, set()) != ids:
                    missing, extra = ids - found.get(pair, set()), found.get(pair, set()) - ids
                    wrong.append(f"{what}: {pair[0][0]} {pair[0][1]} {pair[1]}: not found "
                                 f"{sorted(missing)}, not expected {sorted(extra)}")
            wrong += [f"{what}: nobody asked for {pair}" for pair in set(found) - set(expected)]
        done = time.monotonic()

    print(f"{len(advisories)} advisories, {oracle.withdrawn} of them withdrawn; "
          f"checked {len(chosen)}: " + ", ".join(f"{n} {what}" for what, n in sorted(seen.items())))
    print(f"{len(versions)} versions of {len({package for package, _ in versions})} packages, "
          f"{sum(map(len, expected.values()))} findings; database {built - started:.1f} s, "
          f"scans {done - built:.1f} s")
    for line in wrong[:40]:
        print(f"wrong: {line}")
    if wrong:
        print(f"wrong: {len(wrong)} in all")
        return 1
    print("ok: Trivy reports what OSV's ranges say, and nothing else")
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--exportctl", required=True, type=pathlib.Path)
    parser.add_argument("--trivy", required=True)
    parser.add_argument("--evidence", required=True, type=pathlib.Path)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=6)
    return check(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
