"""VEX in three formats: what is said to be not affected or fixed, for Trivy's `--vex`."""

import locks
from documents import Advisory, affected, interval


class Statements:
    """Advisories about five packages, statements about four of them, and what remains to be found."""

    def __init__(self, numbers):
        self.advisories, self.documents = [], []
        self.components, self.all, self.left = [], set(), set()
        cves = {}
        for name in ("vex-openvex", "vex-fixed", "vex-cyclonedx", "vex-csaf", "vex-affected",
                     "vex-elsewhere"):
            cve = numbers.cve()
            one = Advisory(numbers, numbers.ghsa(), [cve], [
                affected("PyPI", name, interval(fixed="2.0.0"))], github=True)
            self.advisories.append(one.document)
            self.components.append(locks.component("pypi", name, "1.0.0"))
            cves[name] = cve
            self.all.add((name, "1.0.0", cve))
            if name in ("vex-affected", "vex-elsewhere"):
                self.left.add((name, "1.0.0", cve))

        def statement(name, status, version="1.0.0", **more):
            return {"vulnerability": {"name": cves[name]},
                    "products": [{"@id": f"pkg:pypi/{name}@{version}"}], "status": status, **more}

        self.documents.append(("openvex.json", {
            "@context": "https://openvex.dev/ns/v0.2.0",
            "@id": "https://security.example.com/vex/sample-1", "author": "Example Corp",
            "timestamp": "2026-10-13T08:00:00Z", "version": 1,
            "statements": [
                statement("vex-openvex", "not_affected",
                          justification="vulnerable_code_not_in_execute_path",
                          impact_statement="The parser is never called."),
                statement("vex-fixed", "fixed"),
                statement("vex-affected", "affected", action_statement="Update."),
                statement("vex-elsewhere", "not_affected", version="1.5.0",
                          justification="component_not_present"),
            ],
        }))
        purl = "pkg:pypi/vex-cyclonedx@1.0.0"
        self.documents.append(("cyclonedx.json", {
            "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "serialNumber": "urn:uuid:7c0b2f52-9d56-4f0e-8a51-0d5f3c1a9e11",
            "metadata": {
                "timestamp": "2026-10-13T08:00:00Z",
                "component": {"type": "library", "bom-ref": purl, "name": "vex-cyclonedx",
                              "version": "1.0.0", "purl": purl},
            },
            "vulnerabilities": [{
                "id": cves["vex-cyclonedx"], "affects": [{"ref": purl}],
                "analysis": {"state": "not_affected", "justification": "code_not_reachable",
                             "detail": "Only called in tests."},
            }],
        }))
        purl = "pkg:pypi/vex-csaf@1.0.0"
        self.documents.append(("csaf.json", {
            "document": {
                "category": "csaf_vex", "csaf_version": "2.0", "title": "Sample",
                "publisher": {"category": "vendor", "name": "Example Corp",
                              "namespace": "https://security.example.com"},
                "tracking": {
                    "id": "EXC-VEX-1900-1", "status": "final", "version": "1",
                    "initial_release_date": "2026-10-13T08:00:00Z",
                    "current_release_date": "2026-10-13T08:00:00Z",
                    "revision_history": [{"date": "2026-10-13T08:00:00Z", "number": "1",
                                          "summary": "First"}],
                },
            },
            "product_tree": {"branches": [{
                "category": "vendor", "name": "Example Corp", "branches": [{
                    "category": "product_version", "name": "1.0.0",
                    "product": {"name": "vex-csaf 1.0.0", "product_id": "vex-csaf-1.0.0",
                                "product_identification_helper": {"purl": purl}},
                }]}]},
            "vulnerabilities": [{
                "cve": cves["vex-csaf"],
                "product_status": {"known_not_affected": ["vex-csaf-1.0.0"]},
                "flags": [{"label": "vulnerable_code_not_present",
                           "product_ids": ["vex-csaf-1.0.0"]}],
                "threats": [{"category": "impact", "details": "That part is not shipped.",
                             "product_ids": ["vex-csaf-1.0.0"]}],
            }],
        }))

    def sbom(self):
        return locks.sbom(self.components)
