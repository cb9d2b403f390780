"""The real Trivy, without a network: runs it and reads its reports.

A scan's exit code proves nothing (a database that is missing gives 0 and no findings), so whoever
scans compares whole sets of findings, and what Trivy says on standard error is looked at as well.
"""

import json
import os
import shutil
import subprocess

# What Trivy says when it could not read something of the database, and reports less for it.
COMPLAINTS = ("Version matching error", "Unable to get vulnerability details", "Data source error",
              "Failed to parse", "Failed to detect", "json unmarshal error", "panic:")

OFFLINE = ("--skip-db-update", "--skip-java-db-update", "--offline-scan")


class Scanned:
    """What one scan gave."""

    def __init__(self, code, report, said):
        self.code = code
        self.report = report
        self.said = said

    def complaints(self):
        """Lines of standard error that mean that a part of the database was not understood."""
        return [line for line in self.said.splitlines() if any(word in line for word in COMPLAINTS)]

    def rows(self):
        """Every finding, as pairs of a key and its attributes."""
        found = []
        for result in self.report.get("Results") or []:
            for one in result.get("Vulnerabilities") or []:
                found.append((key(result, one), attributes(one)))
        return found

    def found(self):
        """Findings by key. Two of one key would be a fault of the database."""
        rows = self.rows()
        found = dict(rows)
        assert len(found) == len(rows), "a finding is reported twice"
        return found

    def ids(self):
        """What was found: package, version, id."""
        return {(name, version, vulnerability) for (_, name, version, vulnerability), _ in self.rows()}


def key(result, one):
    """What tells two findings apart: kind of package, name, version, id."""
    return (result["Type"], one["PkgName"], one["InstalledVersion"], one["VulnerabilityID"])


def attributes(one):
    """All that a database decides about a finding."""
    source = one.get("DataSource") or {}
    return {
        "FixedVersion": one.get("FixedVersion", ""),
        "Status": one.get("Status", ""),
        "Severity": one.get("Severity", ""),
        "SeveritySource": one.get("SeveritySource", ""),
        "DataSource": (source.get("ID", ""), source.get("Name", "")),
        "VendorIDs": tuple(one.get("VendorIDs") or ()),
        "CVSS": json.dumps(one.get("CVSS") or {}, sort_keys=True),
        "CweIDs": tuple(one.get("CweIDs") or ()),
        "References": tuple(one.get("References") or ()),
        "PublishedDate": one.get("PublishedDate", ""),
        "LastModifiedDate": one.get("LastModifiedDate", ""),
        "Title": one.get("Title", ""),
        "PkgPath": one.get("PkgPath", ""),
    }


# One line a finding, for reports that would be hundreds of megabytes of JSON.
LINES = """{{ range . }}{{ $type := .Type }}{{ range .Vulnerabilities -}}
{{ $type }}\t{{ .PkgName }}\t{{ .InstalledVersion }}\t{{ .VulnerabilityID }}
{{ end }}{{ end }}"""


class Scanner:
    """Trivy, in an empty network namespace where that is permitted."""

    def __init__(self, program, work):
        self.program = program
        self.work = work
        self.alone = []
        self.why_not_alone = ""
        if shutil.which("unshare") is None:
            self.why_not_alone = "unshare is not installed"
        elif subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode != 0:
            self.why_not_alone = "making one is not permitted here"
        else:
            self.alone = ["unshare", "-rn"]

    def run(self, *words, networked=False):
        """Runs Trivy. Returns its exit code, standard output and standard error."""
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.work), "TRIVY_NO_PROGRESS": "true",
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
        }
        alone = [] if networked else self.alone
        done = subprocess.run(
            [*alone, self.program, *map(str, words)], env=environment, cwd=self.work,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        return done.returncode, done.stdout, done.stderr

    def scan(self, what, cache, target, *more):
        """`trivy fs|rootfs|sbom TARGET` on the databases in `cache`."""
        code, out, said = self.run(
            what, "--cache-dir", cache, *OFFLINE, "--scanners", "vuln", "--format", "json", *more,
            target)
        report = {}
        if code == 0:
            report = json.loads(out)
            assert report["SchemaVersion"] == 2, report["SchemaVersion"]
        return Scanned(code, report, said)

    def keys(self, what, cache, target):
        """A scan of which only the keys of findings are wanted, and not who says what of them.

        Gives the keys, and what is wrong.
        """
        code, out, said = self.run(
            what, "--cache-dir", cache, *OFFLINE, "--scanners", "vuln", "--format", "template",
            "--template", LINES, target)
        scanned = Scanned(code, {}, said)
        wrong = [f"trivy ended with {code}: {said[-500:]}"] * bool(code) + scanned.complaints()
        return [tuple(line.strip().split("\t")) for line in out.splitlines() if line.strip()], wrong


def differences(expected, found):
    """What is not as it should be, a line each; none where the two are the same."""
    lines = []
    for one in sorted(set(expected) - set(found)):
        lines.append(f"not found: {one}")
    for one in sorted(set(found) - set(expected)):
        lines.append(f"should not be found: {one}")
    for one in sorted(set(expected) & set(found)):
        for name, value in expected[one].items():
            if found[one][name] != value:
                lines.append(f"{one}: {name} is {found[one][name]!r} instead of {value!r}")
    return lines
