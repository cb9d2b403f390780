"""Evidence that is wrong, strange or large. Each document is mapped, or counted by reason.

Every document also names a package that is fine, unless it says otherwise: what is wrong with one part of
an advisory must not lose the rest of it.
"""

import json

import locks
from documents import Advisory, affected, interval

LISTED = 100_000
DESCRIPTION = 10 * 1024 * 1024


class Hostile:
    """Documents with the reasons that they are counted by, and what is found all the same."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.documents = []
        self.reasons = {}  # the document's id -> reasons, sorted, one a thing that is left out
        self.components, self.found = [], set()
        self.shapes()
        self.wrong_types()
        self.strange_ids()
        self.large()
        self.two_feeds()

    def add(self, packages, *reasons, identifier=None, cve=True, **more):
        """An advisory. `reasons` is what is to be counted of it."""
        aliases = [self.numbers.cve()] if cve else []
        one = Advisory(self.numbers, identifier or self.numbers.ghsa(), aliases, packages,
                       github=True, **more)
        self.documents.append(one.document)
        self.reasons[one.document["id"]] = sorted(reasons)
        return one

    def scan(self, kind, name, version, *advisories):
        """A component, with the advisories that are to be found of it."""
        self.components.append(locks.component(kind, name, version))
        for advisory in advisories:
            self.found.add((name, version, advisory.id))

    def shapes(self):
        def good(name):
            return affected("PyPI", name, interval(fixed="2.0.0"))

        number = 0

        def partly(bad, reason):
            """One package is wrong, another is fine."""
            nonlocal number
            number += 1
            name = f"hostile-{number}"
            one = self.add([bad, good(name)], reason)
            self.scan("pypi", name, "1.0.0", one)
            self.scan("pypi", name, "2.0.0")

        partly(affected("PyPI", "no-versions"), "no_versions")
        partly(affected("FancyLang", "whatever", interval(fixed="2.0.0")), "unknown_ecosystem")
        partly(affected("", "whatever", interval(fixed="2.0.0")), "unknown_ecosystem")
        partly(affected("Rocky Linux", "no-release", interval(fixed="2.0.0-1")), "unknown_release")
        partly(affected("PyPI", "only-git", interval(fixed="0123456789abcdef0123456789abcdef01234567"),
                        kind="GIT"), "only_git")
        partly(affected("PyPI", "reversed", interval("3.0.0", "1.0.0")), "reversed_range")
        partly(affected("PyPI", "unparsable", interval(fixed="not a version")), "unparsable_version")
        partly(affected("npm", "unparsable", interval(fixed="1.x.y.z"), kind="SEMVER"),
               "unparsable_version")
        partly(affected("Maven", "with:nul\0inside", interval(fixed="2.0.0")), "bad_key")
        partly(affected("PyPI", "", interval(fixed="2.0.0")), "bad_key")
        partly(affected("PyPI", "n" * 40_000, interval(fixed="2.0.0")), "bad_key")
        partly(affected("AlmaLinux:8", "open-pkg", interval()), "not_fixed")
        for reason in ("withdrawn",):
            self.add([good("withdrawn-lib")], reason, withdrawn="2024-01-01T00:00:00Z")
            self.scan("pypi", "withdrawn-lib", "1.0.0")

        # A listed version that cannot be parsed does not spoil the others, nor the ranges.
        one = self.add([affected("PyPI", "partly-listed", interval("5.0", "6.0"),
                                 versions=["1.0", "2004d-x", "2.0"])], "unparsable_version")
        for version, advisories in (("1.0", [one]), ("2.0", [one]), ("3.0", []), ("5.5", [one])):
            self.scan("pypi", "partly-listed", version, *advisories)

        # One range of two is reversed.
        one = self.add([affected("PyPI", "half-reversed", interval("3.0", "1.0"),
                                 interval("5.0", "6.0"))], "reversed_range")
        for version, advisories in (("2.0", []), ("3.5", []), ("5.5", [one]), ("6.0", [])):
            self.scan("pypi", "half-reversed", version, *advisories)

        # Events in any order say the same (OSV, "evaluation": they are sorted).
        one = self.add([affected("PyPI", "shuffled", [
            {"fixed": "4.0"}, {"introduced": "3.0"}, {"fixed": "2.0"}, {"introduced": "1.0"}])])
        for version, advisories in (("0.9", []), ("1.5", [one]), ("2.5", []), ("3.5", [one]),
                                    ("4.0", [])):
            self.scan("pypi", "shuffled", version, *advisories)

        # One package in two entries: what is fixed in one may be affected by the other.
        one = self.add([affected("PyPI", "twice", interval("1.0", "2.0")),
                        affected("PyPI", "twice", interval("1.5", "3.0"))])
        for version, advisories in (("1.2", [one]), ("2.0", [one]), ("3.0", [])):
            self.scan("pypi", "twice", version, *advisories)

        # Two CVEs in one document are two findings.
        one = self.add([affected("PyPI", "two-cves", interval(fixed="2.0"))])
        second = self.numbers.cve()
        one.document["aliases"].append(second)
        self.scan("pypi", "two-cves", "1.0", one)
        self.found.add(("two-cves", "1.0", second))

        # Two documents about one CVE and package: all versions of both are affected.
        cve = self.numbers.cve()
        for low, high in (("1.0", "2.0"), ("1.5", "3.0")):
            one = self.add([affected("PyPI", "shared-cve", interval(low, high))], cve=False)
            one.document["aliases"], one.id = [cve], cve
        for version, advisories in (("0.9", []), ("1.2", [one]), ("2.0", [one]), ("3.0", [])):
            self.scan("pypi", "shared-cve", version, *advisories)

    def wrong_types(self):
        """Members of another type than OSV's schema asks for, as far as the ledger takes them."""
        def one(name, *reasons, **members):
            advisory = self.add([{**affected("PyPI", name, interval(fixed="2.0")), **members}],
                                *reasons)
            found = [advisory] if "no_versions" not in reasons else []
            self.scan("pypi", name, "1.0", *found)

        one("ranges-of-text", "malformed", "no_versions", ranges="all")
        one("events-of-numbers", "malformed", "no_versions", ranges=[
            {"type": "ECOSYSTEM", "events": [{"introduced": 0}, {"fixed": 2}]}])
        one("versions-of-numbers", "malformed", versions=[1, None, "1.5"])

    def strange_ids(self):
        for number, identifier in enumerate(("SAMPLE/1900/1", "SAMPLE::1900::1", "pip::x", "ÄÖÜ-1900-1",
                                             "../../etc/passwd", "SAMPLE 1900 1")):
            name = f"strange-id-{number}"
            one = self.add([affected("PyPI", name, interval(fixed="2.0"))], identifier=identifier,
                           cve=False)
            self.scan("pypi", name, "1.0", one)
        one = self.add([affected("PyPI", "nul-alias", interval(fixed="2.0"))], cve=False)
        one.document["aliases"] = ["SAMPLE\0NUL"]
        self.scan("pypi", "nul-alias", "1.0", one)
        # A key of the database's format may have a NUL, but no id is read back with one.
        self.add([affected("PyPI", "nul-id", interval(fixed="2.0"))], "bad_key",
                 identifier="SAMPLE\0ID", cve=False)
        self.scan("pypi", "nul-id", "1.0")

    def large(self):
        one = self.add([affected("PyPI", "long-text", interval(fixed="2.0"))])
        one.document["details"] = "ä \"'\\\n" * (DESCRIPTION // 7)
        self.scan("pypi", "long-text", "1.0", one)
        one = self.add([affected("PyPI", "long-list",
                                 versions=[f"1.0.{number}" for number in range(LISTED)])])
        self.scan("pypi", "long-list", "1.0.0", one)
        self.scan("pypi", "long-list", f"1.0.{LISTED - 1}", one)
        self.scan("pypi", "long-list", f"1.0.{LISTED}")

    def two_feeds(self):
        """GitHub and PyPA say different things of one CVE. One of them is taken, whole."""
        cve = self.numbers.cve()
        github = self.add([affected("PyPI", "two-feeds", interval(fixed="2.0"))], cve=False)
        pypa = self.add([affected("PyPI", "two-feeds", interval(fixed="3.0"))], cve=False,
                        identifier="PYSEC-1900-1")
        for one in (github, pypa):
            one.document["aliases"], one.id = [cve], cve
        self.cve_of_two_feeds = cve
        self.components.append(locks.component("pypi", "two-feeds", "1.0"))
        self.found.add(("two-feeds", "1.0", cve))

    def sbom(self):
        return locks.sbom(self.components)

    def lines(self):
        return [json.dumps(document) for document in self.documents]
