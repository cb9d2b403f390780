"""Advisories as their publishers write them: OSV (as GitHub, the Go team, distributions do), CSAF."""

import random

# Vector, base score, Trivy's word for it, GitHub's word for it.
SEVERITIES = [
    ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, "CRITICAL", "CRITICAL"),
    ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5, "HIGH", "HIGH"),
    ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, "MEDIUM", "MODERATE"),
    ("CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:L/I:N/A:N", 2.5, "LOW", "LOW"),
]
CWES = ["CWE-22", "CWE-79", "CWE-89", "CWE-400", "CWE-502"]
# The letters that GitHub makes its ids of.
LETTERS = "23456789cfghjmpqrvwx"


class Numbers:
    """Ids that are used once, the same for the same seed. No CVE of the year 1900 was ever assigned."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.count = 0

    def cve(self):
        self.count += 1
        return f"CVE-1900-{self.count:05}"

    def ghsa(self):
        groups = ("".join(self.random.choice(LETTERS) for _ in range(4)) for _ in range(3))
        return "GHSA-" + "-".join(groups)


def interval(introduced="0", fixed=None, last=None):
    """The events of one interval."""
    events = [{"introduced": introduced}]
    if fixed is not None:
        events.append({"fixed": fixed})
    if last is not None:
        events.append({"last_affected": last})
    return events


def affected(ecosystem, name, *intervals, kind="ECOSYSTEM", versions=()):
    """One package of an OSV entry; each interval becomes a range."""
    one = {"package": {"ecosystem": ecosystem, "name": name}}
    if intervals:
        one["ranges"] = [{"type": kind, "events": events} for events in intervals]
    if versions:
        one["versions"] = list(versions)
    return one


class Advisory:
    """An OSV entry, and what Trivy is to say of it."""

    def __init__(self, numbers, identifier, aliases, packages, github=False, **more):
        pick = numbers.random
        vector, score, self.severity, word = pick.choice(SEVERITIES)
        day = f"20{pick.randrange(10, 26)}-{pick.randrange(1, 13):02}-{pick.randrange(1, 29):02}"
        self.id = next((one for one in (*aliases, *more.get("upstream", ()), identifier)
                        if one.startswith("CVE-")), identifier)
        self.cwes = tuple(sorted(pick.sample(CWES, 2))) if github else ()
        self.vector, self.score = vector, score
        self.references = tuple(sorted(
            f"https://security.example.com/{path}/{identifier}" for path in ("advisory", "fix")))
        self.published, self.modified = f"{day}T08:00:00Z", f"{day}T09:30:00Z"
        self.title = f"Sample flaw {identifier}"
        self.document = {
            "schema_version": "1.7.0", "id": identifier, "published": self.published,
            "modified": self.modified, "aliases": list(aliases), "summary": self.title,
            "details": f"What {identifier} is about.",
            "severity": [{"type": "CVSS_V3", "score": vector}],
            "affected": packages,
            "references": [{"type": "WEB", "url": url} for url in reversed(self.references)],
            **more,
        }
        if github:
            self.document["database_specific"] = {
                "severity": word, "cwe_ids": list(self.cwes), "github_reviewed": True}
