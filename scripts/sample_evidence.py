#!/usr/bin/env python3
"""Writes demo/evidence and demo/trivy/evidence: a small, invented set of security evidence.

Everything in it is made up: the vendor ("Example Corp"), its products and their vulnerabilities.
CVE ids of the year 1900 are never assigned. The script exists so that the hashes in the ledger
records and the references between documents stay right when a document changes: edit the tables
below and run it again.

    python3 scripts/sample_evidence.py
"""

import hashlib
import json
import pathlib
import shutil

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "demo" / "evidence"
SCANNED = FOLDER.parent / "trivy" / "evidence"
TENANT = "demo"
SNAPSHOT = "policy-2026-10-15"


def canonical(value):
    """The canonical form that content hashes are over (docs/formats.md)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value):
    return hashlib.sha256(canonical(value)).hexdigest()


def imported_id(kind, source, upstream_id, document):
    """The `_id` that `exportctl ledger import` gives to a public document."""
    return f"{kind}_raw:{source}:{upstream_id}:{digest(document)[:12]}"


# Number, CVE, package, ecosystem, purl, introduced, fixed, CVSS, published, summary, details.
ADVISORIES = [
    (1, 101, "@example/router", "npm", "pkg:npm/%40example/router", "1.0.0", "1.8.3",
     "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "2026-03-02",
     "Path traversal in static file handling",
     "A request path with an encoded `..` leaves the folder that `serveFolder` was given, so that "
     "any file the process can read can be fetched."),
    (2, 102, "@example/router", "npm", "pkg:npm/%40example/router", "1.6.0", "1.9.0",
     "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "2026-05-18",
     "Quadratic time in route matching",
     "A route with two optional segments is matched by backtracking. A path of 50 kB keeps one "
     "core busy for minutes."),
    (3, 103, "@example/session", "npm", "pkg:npm/%40example/session", "0", "3.2.1",
     "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:N", "2026-04-27",
     "Session ids can be predicted",
     "Ids were made of the process id and a counter. Since 3.2.1 they are 128 random bits."),
    (4, 104, "@example/markdown", "npm", "pkg:npm/%40example/markdown", "2.0.0", "2.4.7",
     "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "2026-02-11",
     "Script injection through link titles",
     "The title of a link is written into the page without escaping its quotes."),
    (5, 105, "example.com/tinyqueue", "Go", "pkg:golang/example.com/tinyqueue", "0", "0.9.4",
     "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H", "2026-06-09",
     "Unbounded memory when a consumer stops",
     "Messages for a consumer that no longer reads are kept for ever."),
    (6, 106, "example.com/tinyqueue", "Go", "pkg:golang/example.com/tinyqueue", "0.7.0", "0.9.6",
     "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:N", "2026-08-21",
     "The admin port listens on every interface",
     "The default of `AdminAddress` was `:7070`. It is `127.0.0.1:7070` now."),
    (7, 107, "example.com/archive/zipread", "Go", "pkg:golang/example.com/archive/zipread", "1.0.0", "1.0.6",
     "CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:N/I:H/A:N", "2026-01-30",
     "Members can be written outside the target folder",
     "Names with a drive letter or a leading `/` were used as they are."),
    (8, 108, "com.example:ledgerlib", "Maven", "pkg:maven/com.example/ledgerlib", "4.0.0", "4.2.2",
     "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", "2026-07-14",
     "Query injection in account search",
     "The `orderBy` parameter is pasted into the statement."),
    (9, 109, "com.example:ledgerlib", "Maven", "pkg:maven/com.example/ledgerlib", "3.0.0", "4.1.0",
     "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:L/I:N/A:N", "2025-11-19",
     "Timing difference when comparing tokens",
     "Tokens are compared byte by byte and the comparison ends at the first difference."),
    (10, 110, "com.example:pdfmill", "Maven", "pkg:maven/com.example/pdfmill", "1.0", "2.3",
     "CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:N/I:N/A:H", "2026-09-03",
     "Endless loop on a cross-reference table that refers to itself",
     "Opening a crafted file never returns. Umlauts in names are fine: ä, ö, ü, ß."),
    (11, 111, "example-sandcastle", "PyPI", "pkg:pypi/example-sandcastle", "0", "5.0.1",
     "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "2026-09-22",
     "Templates can call any function",
     "The sandbox lists what is forbidden instead of what is allowed, and misses `__reduce__`."),
    (12, 112, "example-sandcastle", "PyPI", "pkg:pypi/example-sandcastle", "4.0.0", "5.1.0",
     "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:L/I:N/A:N", "2026-10-01",
     "Error pages show the environment",
     "With `debug` left at its default, an exception's page lists environment variables."),
]

# What else the sample project of demo/trivy has, and the operating system under it.
FOR_SCANS = [
    (101, 141, "example-arena", "crates.io", "pkg:cargo/example-arena", "0.3.0", "0.4.2",
     "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "2026-06-24",
     "Use of memory after it was freed",
     "`Arena::reset` takes `&self`, so that references into the arena outlive what they refer to."),
    (102, 142, "example-arena", "crates.io", "pkg:cargo/example-arena", "0", "0.2.9",
     "CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:L/I:N/A:N", "2025-08-05",
     "Alignment is not checked", "Fixed before the sample's version: a scan must not show it."),
    (103, 143, "example-spooler", "Debian:12", "pkg:deb/debian/example-spooler", "0", "1:2.1-3+deb12u2",
     "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "2026-09-09",
     "A print job without pages stops the spooler", "The queue waits for its first page for ever."),
    (104, 144, "example-spooler", "Debian:11", "pkg:deb/debian/example-spooler", "0", "9:9-9",
     "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "2026-09-10",
     "Of another release", "Only Debian 11 has this: a scan of Debian 12 must not show it."),
]


def osv(row):
    number, cve, name, ecosystem, purl, introduced, fixed, cvss, published, summary, details = row
    identifier = f"EXAMPLE-2026-{number:04}"
    return {
        "schema_version": "1.7.0",
        "id": identifier,
        "modified": f"{published}T12:00:00Z",
        "published": f"{published}T09:00:00Z",
        "aliases": [f"CVE-1900-{cve:04}"],
        "summary": summary,
        "details": details,
        "severity": [{"type": "CVSS_V3", "score": cvss}],
        "affected": [{
            "package": {"ecosystem": ecosystem, "name": name, "purl": purl},
            "ranges": [{
                "type": "SEMVER" if ecosystem in ("npm", "Go", "crates.io") else "ECOSYSTEM",
                "events": [{"introduced": introduced}, {"fixed": fixed}],
            }],
        }],
        "references": [
            {"type": "ADVISORY", "url": f"https://security.example.com/{identifier}"},
            {"type": "FIX", "url": f"https://code.example.com/fix/{cve}"},
        ],
        "credits": [{"name": "Erika Example", "type": "FINDER"}],
    }


def component(purl):
    name, version = purl.split("/", 1)[1].rsplit("@", 1)
    group = {}
    if purl.startswith("pkg:maven/"):
        group["group"], name = name.split("/")
    return {
        "type": "library",
        "bom-ref": purl,
        **group,
        "name": name.replace("%40", "@"),
        "version": version,
        "purl": purl,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }


def sbom(serial, name, version, made, purls):
    purl = f"pkg:generic/{name}@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": f"{made}T04:30:00Z",
            "supplier": {"name": "Example Corp"},
            "tools": {"components": [
                {"type": "application", "name": "example-bomber", "version": "2.1.0"},
            ]},
            "component": {
                "type": "application", "bom-ref": purl, "name": name, "version": version,
                "purl": purl,
            },
        },
        "components": [component(one) for one in purls],
        "dependencies": [
            {"ref": purl, "dependsOn": purls},
            *({"ref": one, "dependsOn": []} for one in purls),
        ],
    }


STOREFRONT = [
    "pkg:npm/%40example/router@1.8.1",
    "pkg:npm/%40example/session@3.2.1",
    "pkg:npm/%40example/markdown@2.4.5",
    "pkg:npm/%40example/money@7.0.2",
    "pkg:golang/example.com/tinyqueue@0.9.5",
]
LEDGER_API = [
    "pkg:maven/com.example/ledgerlib@4.2.0",
    "pkg:maven/com.example/pdfmill@2.3",
    "pkg:maven/com.example/clock@1.1.0",
    "pkg:pypi/example-sandcastle@5.0.0",
]


def openvex(identifier, made, version, statements):
    return {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": f"https://security.example.com/vex/{identifier}",
        "author": "Example Corp",
        "role": "Product security team",
        "timestamp": f"{made}T08:00:00Z",
        "version": version,
        "statements": statements,
    }


def statement(cve, product, parts, status, **more):
    return {
        "vulnerability": {"name": f"CVE-1900-{cve:04}"},
        "products": [{"@id": product, "subcomponents": [{"@id": part} for part in parts]}],
        "status": status,
        **more,
    }


CSAF = {
    "document": {
        "category": "csaf_security_advisory",
        "csaf_version": "2.0",
        "distribution": {"tlp": {"label": "WHITE"}},
        "lang": "en",
        "publisher": {
            "category": "vendor",
            "contact_details": "psirt@example.com",
            "name": "Example Corp",
            "namespace": "https://security.example.com",
        },
        "references": [{
            "category": "self",
            "summary": "Canonical address",
            "url": "https://security.example.com/csaf/2026/exc-2026-007.json",
        }],
        "title": "Example Ledger API: query injection in account search",
        "tracking": {
            "current_release_date": "2026-07-15T10:00:00Z",
            "generator": {"engine": {"name": "example-advisories", "version": "3.0"}},
            "id": "EXC-2026-007",
            "initial_release_date": "2026-07-14T10:00:00Z",
            "revision_history": [
                {"date": "2026-07-14T10:00:00Z", "number": "1", "summary": "First version"},
                {"date": "2026-07-15T10:00:00Z", "number": "2", "summary": "Fixed version named"},
            ],
            "status": "final",
            "version": "2",
        },
    },
    "product_tree": {
        "branches": [{
            "category": "vendor",
            "name": "Example Corp",
            "branches": [{
                "category": "product_name",
                "name": "Example Ledger API",
                "branches": [
                    {
                        "category": "product_version",
                        "name": version,
                        "product": {
                            "name": f"Example Ledger API {version}",
                            "product_id": f"ledger-api-{version}",
                            "product_identification_helper": {
                                "cpe": f"cpe:2.3:a:example:ledger_api:{version}:*:*:*:*:*:*:*",
                                "purl": f"pkg:generic/ledger-api@{version}",
                            },
                        },
                    }
                    for version in ("1.9.0", "1.9.1")
                ],
            }],
        }],
    },
    "vulnerabilities": [{
        "cve": "CVE-1900-0108",
        "cwe": {"id": "CWE-89", "name": "Improper Neutralization of Special Elements used in an "
                                        "SQL Command ('SQL Injection')"},
        "notes": [{
            "category": "description",
            "text": "The account search pastes its `orderBy` parameter into the statement.",
        }],
        "product_status": {
            "fixed": ["ledger-api-1.9.1"],
            "known_affected": ["ledger-api-1.9.0"],
        },
        "remediations": [{
            "category": "vendor_fix",
            "details": "Update to 1.9.1.",
            "product_ids": ["ledger-api-1.9.0"],
        }],
    }],
}

# What another publisher says, as a collector delivers it: ledger records.
PARTNER_ADVISORY = {
    "schema_version": "1.7.0",
    "id": "PARTNER-2026-31",
    "modified": "2026-06-30T07:15:00Z",
    "published": "2026-06-29T16:00:00Z",
    "aliases": ["CVE-1900-0131"],
    "summary": "Wrong rounding of negative amounts",
    "details": "`round(-0.5)` gives 0. The tolerance of the fix is 1.10 units in the last place.",
    "affected": [{
        "package": {
            "ecosystem": "npm", "name": "@example/money", "purl": "pkg:npm/%40example/money",
        },
        "ranges": [{"type": "SEMVER", "events": [{"introduced": "6.0.0"}, {"fixed": "7.0.3"}]}],
    }],
    "references": [{"type": "WEB", "url": "https://partner.example.org/advisories/31"}],
}
PARTNER_VEX = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "serialNumber": "urn:uuid:7c0b2f52-9d56-4f0e-8a51-0d5f3c1a9e77",
    "version": 1,
    "metadata": {
        "timestamp": "2026-07-20T06:00:00Z",
        "supplier": {"name": "Partner Ltd"},
        "component": {
            "type": "application", "bom-ref": "pkg:generic/ledger-api@1.9.0",
            "name": "ledger-api", "version": "1.9.0", "purl": "pkg:generic/ledger-api@1.9.0",
        },
    },
    "vulnerabilities": [{
        "id": "CVE-1900-0110",
        "analysis": {
            "state": "not_affected",
            "justification": "code_not_reachable",
            "detail": "Only files that the service wrote itself are opened.",
        },
        "affects": [{"ref": "pkg:generic/ledger-api@1.9.0"}],
    }],
}


def partner_record(kind, stream, form, spec_version, raw, upstream_id, primary, aliases, purls,
                   references, pointers):
    content_hash = digest(raw)
    return {
        "_id": f"{kind}_raw:partner.{stream}:{upstream_id}:{content_hash[:12]}",
        "tenant": TENANT,
        "kind": kind,
        "subject_key": primary,
        "source": {
            "vendor": "partner",
            "stream": stream,
            "api": "https://partner.example.org/feed",
            "collector_version": "collector/1.4.0",
        },
        "upstream": {
            "upstream_id": upstream_id,
            "document_version": "1",
            "fetched_at": "2026-10-14T22:00:05Z",
            "received_at": "2026-10-14T22:00:07Z",
            "content_hash": f"sha256:{content_hash}",
            "signature": {"present": False},
        },
        "content": {"format": form, "spec_version": spec_version, "raw": raw},
        "identifiers": {
            "primary": primary,
            "aliases": aliases,
            "cve": [alias for alias in aliases if alias.startswith("CVE-")],
            "ghsa": [],
        },
        "linkset": {
            "purls": purls,
            "cpes": [],
            "aliases": aliases,
            "references": references,
            "reconciled_from": pointers,
        },
    }


def finding(inputs_hash, sbom_id, purl, advisory_id, cve, status, severity, *trace):
    name = hashlib.sha256(f"{SNAPSHOT}\n{sbom_id}\n{purl}\n{cve}".encode()).hexdigest()[:24]
    return {
        "_id": f"finding:{name}",
        "tenant": TENANT,
        "kind": "finding",
        "subject_key": purl,
        "policy_snapshot_id": SNAPSHOT,
        "policy_version": "4",
        "inputs_hash": inputs_hash,
        "subject": {"sbom_id": sbom_id, "component_purl": purl},
        "advisory_id": advisory_id,
        "vulnerability_id": f"CVE-1900-{cve:04}",
        "status": status,
        "severity": {"normalized": severity},
        "decision_trace": [
            {"rule": rule, "result": result}
            for rule, result in (("match.purl", "hit"), *trace)
        ],
        "evaluated_at": "2026-10-15T02:00:00Z",
    }


def write(path, text):
    path = FOLDER / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def pretty(value):
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.rmtree(SCANNED, ignore_errors=True)
    SCANNED.mkdir(parents=True)
    for row in FOR_SCANS:
        entry = osv(row)
        (SCANNED / f"{entry['id']}.json").write_text(pretty(entry), encoding="utf-8")
    entries = {row[0]: osv(row) for row in ADVISORIES}
    for entry in entries.values():
        write(f"osv/{entry['id']}.json", pretty(entry))

    storefront = sbom("2b1f5d0c-6f0a-4d57-9a53-0f2f0a8b6c11", "storefront", "2.4.0", "2026-10-12",
                      STOREFRONT)
    ledger_api = sbom("9e4c7a35-11d2-4a0e-b8f0-5a3cf7f6d2a4", "ledger-api", "1.9.0", "2026-10-13",
                      LEDGER_API)
    write("sbom/storefront-2.4.0.cdx.json", pretty(storefront))
    write("sbom/ledger-api-1.9.0.cdx.json", pretty(ledger_api))

    write("vex/storefront.openvex.json", pretty(openvex(
        "storefront-2.4.0", "2026-10-13", 1, [
            statement(104, "pkg:generic/storefront@2.4.0", ["pkg:npm/%40example/markdown@2.4.5"],
                      "not_affected", justification="inline_mitigations_already_exist",
                      impact_statement="Link titles are removed before rendering."),
            statement(101, "pkg:generic/storefront@2.4.0", ["pkg:npm/%40example/router@1.8.1"],
                      "affected", action_statement="Update to storefront 2.4.1."),
        ])))
    write("vex/ledger-api.openvex.json", pretty(openvex(
        "ledger-api-1.9.0", "2026-10-14", 2, [
            statement(111, "pkg:generic/ledger-api@1.9.0", ["pkg:pypi/example-sandcastle@5.0.0"],
                      "under_investigation"),
        ])))
    write("csaf/exc-2026-007.json", pretty(CSAF))

    records = [
        partner_record(
            "advisory", "advisories", "OSV", "1.7.0", PARTNER_ADVISORY, "PARTNER-2026-31",
            "PARTNER-2026-31", ["CVE-1900-0131", "PARTNER-2026-31"], ["pkg:npm/%40example/money"],
            [{"type": "web", "url": "https://partner.example.org/advisories/31"}],
            ["/affected", "/aliases", "/references"]),
        partner_record(
            "vex", "vex", "CycloneDX-VEX", "1.6", PARTNER_VEX, PARTNER_VEX["serialNumber"],
            "CVE-1900-0110", ["CVE-1900-0110"], ["pkg:generic/ledger-api@1.9.0"], [],
            ["/vulnerabilities"]),
    ]

    def advisory_id(number):
        entry = entries[number]
        return imported_id("advisory", "example.osv", entry["id"], entry)

    def sbom_id(document):
        return imported_id("sbom", "example-corp.sbom", document["serialNumber"], document)

    inputs = sorted([advisory_id(number) for number in entries]
                    + [sbom_id(storefront), sbom_id(ledger_api)]
                    + [record["_id"] for record in records])
    inputs_hash = "sha256:" + hashlib.sha256("\n".join(inputs).encode()).hexdigest()

    def found(document, purl, number, status, severity, *trace):
        return finding(inputs_hash, sbom_id(document), purl, advisory_id(number), 100 + number,
                       status, severity, *trace)

    records += [
        found(storefront, STOREFRONT[0], 1, "affected", "high",
              ("severity.floor", "high"), ("vex.override", "affected")),
        found(storefront, STOREFRONT[0], 2, "affected", "high",
              ("severity.floor", "high"), ("vex.override", "none")),
        found(storefront, STOREFRONT[2], 4, "not_affected", "medium",
              ("severity.floor", "medium"), ("vex.override", "not_affected")),
        finding(inputs_hash, sbom_id(storefront), STOREFRONT[3], records[0]["_id"], 131,
                "affected", "low", ("severity.floor", "low"), ("vex.override", "none")),
        found(storefront, STOREFRONT[4], 6, "affected", "medium",
              ("severity.floor", "medium"), ("vex.override", "none")),
        found(ledger_api, LEDGER_API[0], 8, "will_not_fix", "high",
              ("severity.floor", "high"), ("vex.override", "none"),
              ("exception", "accepted until 2026-12-31")),
        found(ledger_api, LEDGER_API[3], 11, "under_investigation", "critical",
              ("severity.floor", "critical"), ("vex.override", "under_investigation")),
        found(ledger_api, LEDGER_API[3], 12, "affected", "medium",
              ("severity.floor", "medium"), ("vex.override", "none")),
    ]
    write("ledger.jsonl", "".join(
        json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n" for record in records))
    write("policy_snapshot.json", pretty({
        "policy_snapshot_id": SNAPSHOT,
        "tenant": TENANT,
        "name": "baseline",
        "policy_version": "4",
        "inputs_hash": inputs_hash,
        "created_at": "2026-10-15T02:00:00Z",
    }))


if __name__ == "__main__":
    main()
