"""Made-up advisories in GitHub's shape, and what they are about.

One seed gives the same advisories: ids, packages, ranges and texts are of about the lengths and
numbers that GitHub's own reviewed advisories have.
"""

import json
import random

ECOSYSTEMS = ("npm", "PyPI", "Maven", "Go", "Packagist", "crates.io", "NuGet", "RubyGems")
LETTERS = "23456789cfghjmpqrvwx"
WORDS = ("parser request header memory buffer path template session token query library "
         "attacker remote server denial service crafted input before version allows").split()
VECTORS = (
    ("CRITICAL", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
    ("HIGH", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"),
    ("MODERATE", "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"),
    ("LOW", "CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:L/I:N/A:N"),
)
# Advisories to a package, on average.
PER_PACKAGE = 4


def package(number, count):
    """The ecosystem and the name of a package."""
    ecosystem = ECOSYSTEMS[number % len(ECOSYSTEMS)]
    name = f"sample-{number:07}"
    return ecosystem, {
        "Maven": f"com.example.group{number % 97}:{name}", "Go": f"example.com/team{number % 97}/{name}",
        "Packagist": f"vendor{number % 97}/{name}",
        "npm": f"@scope{number % 97}/{name}" if number % 3 else name,
    }.get(ecosystem, name)


def packages(count):
    """How many packages there are for so many advisories."""
    return max(1, count // PER_PACKAGE)


def text(pick, words):
    return " ".join(pick.choice(WORDS) for _ in range(words))


def advisories(count, seed=1):
    """`count` OSV documents."""
    pick = random.Random(seed)
    for number in range(count):
        groups = []
        rest = number * 7919
        for _ in range(3):
            group = ""
            for _ in range(4):
                rest, digit = divmod(rest, len(LETTERS))
                group += LETTERS[digit]
            groups.append(group)
        identifier = "GHSA-" + "-".join(reversed(groups))
        ecosystem, name = package(pick.randrange(packages(count)), count)
        word, vector = pick.choice(VECTORS)
        ranges, major = [], pick.randrange(4)
        for _ in range(pick.choice((1, 1, 1, 2, 3))):
            low = f"{major}.{pick.randrange(5)}.0" if major else "0"
            high = f"{major + 1}.{pick.randrange(9)}.{pick.randrange(20)}"
            ranges.append({"type": "ECOSYSTEM", "events": [{"introduced": low}, {"fixed": high}]})
            major += 2
        date = f"20{pick.randrange(18, 26)}-{pick.randrange(1, 13):02}-{pick.randrange(1, 29):02}"
        cve = f"CVE-19{number // 10**6:02}-{number % 10**6:06}"
        yield {
            "schema_version": "1.4.0", "id": identifier, "modified": f"{date}T10:00:00Z",
            "published": f"{date}T08:00:00Z", "aliases": [cve] if number % 10 else [],
            "summary": text(pick, 8), "details": text(pick, 60 + pick.randrange(120)),
            "severity": [{"type": "CVSS_V3", "score": vector}],
            "affected": [{"package": {"ecosystem": ecosystem, "name": name}, "ranges": [one]}
                         for one in ranges],
            "references": [{"type": "WEB", "url": f"https://security.example.com/{kind}/{identifier}"}
                           for kind in ("advisories", "commit", "issues", "pull")],
            "database_specific": {"cwe_ids": [f"CWE-{pick.randrange(20, 900)}"], "severity": word,
                                  "github_reviewed": True, "github_reviewed_at": f"{date}T08:00:00Z"},
        }


def write_lines(path, count, seed=1):
    """A file of JSON lines, for `ledger import`."""
    with open(path, "w", encoding="utf-8", buffering=1 << 20) as file:
        for document in advisories(count, seed):
            file.write(json.dumps(document, separators=(",", ":")) + "\n")


def write_tree(folder, count, seed=1):
    """The folder that trivy-db's builder reads: advisory-database's layout."""
    # It walks this one whether or not there is anything in it.
    (folder / "cocoapods-specs" / "Specs").mkdir(parents=True)
    reviewed = folder / "ghsa" / "advisories" / "github-reviewed"
    reviewed.mkdir(parents=True)
    for document in advisories(count, seed):
        place = reviewed / document["published"][:4] / document["published"][5:7] / document["id"]
        place.mkdir(parents=True)
        (place / f"{document['id']}.json").write_text(json.dumps(document, indent=2),
                                                     encoding="utf-8")


PURLS = {"npm": "npm", "PyPI": "pypi", "Maven": "maven", "Go": "golang", "Packagist": "composer",
         "crates.io": "cargo", "NuGet": "nuget", "RubyGems": "gem"}


def sbom(count, components):
    """A CycloneDX document that names every so manieth package."""
    every = max(1, packages(count) // components)
    listed = []
    for number in range(0, packages(count), every):
        ecosystem, name = package(number, count)
        group, _, last = name.rpartition(":" if ecosystem == "Maven" else "/")
        version = ("v" if ecosystem == "Go" else "") + "1.0.3"
        purl = f"pkg:{PURLS[ecosystem]}/{name.replace(':', '/').replace('@', '%40')}@{version}"
        one = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        if ecosystem in ("Maven", "npm") and group:
            one.update(group=group, name=last)
        listed.append(one)
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "sample", "name": "sample",
                                   "version": "1.0.0"}},
        "components": listed,
        "dependencies": [{"ref": "sample", "dependsOn": [one["bom-ref"] for one in listed]}],
    }
