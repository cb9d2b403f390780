"""Red Hat: CSAF advisories (fixed) and CSAF VEX documents (not fixed), by product and architecture."""

import locks

BASEOS = ("BaseOS-8.6.0.Z", "Red Hat Enterprise Linux BaseOS (v. 8)",
          "cpe:/o:redhat:enterprise_linux:8::baseos")
APPSTREAM = ("AppStream-8.6.0.Z", "Red Hat Enterprise Linux AppStream (v. 8)",
             "cpe:/a:redhat:enterprise_linux:8::appstream")
RHEL8 = ("red_hat_enterprise_linux_8", "Red Hat Enterprise Linux 8",
         "cpe:/o:redhat:enterprise_linux:8")
RHEL9 = ("BaseOS-9.0.0.Z", "Red Hat Enterprise Linux BaseOS (v. 9)",
         "cpe:/o:redhat:enterprise_linux:9::baseos")


def csaf(category, identifier, cve, products, packages, status, impact, remedy):
    """A document that gives each of `packages` in each of `products` the status."""
    references, names = [], []
    for product, _, _ in products:
        for name, _, _ in packages:
            full = f"{product}:{name}"
            names.append(full)
            references.append({
                "category": "default_component_of",
                "full_product_name": {"name": f"{name} as a component of {product}",
                                      "product_id": full},
                "product_reference": name, "relates_to_product_reference": product,
            })
    architectures = {}
    for name, arch, purl in packages:
        architectures.setdefault(arch, []).append({
            "category": "product_version", "name": name,
            "product": {"name": name, "product_id": name,
                        "product_identification_helper": {"purl": purl}},
        })
    return {
        "document": {
            "category": category, "csaf_version": "2.0", "lang": "en",
            "aggregate_severity": {"namespace":
                                   "https://access.redhat.com/security/updates/classification/",
                                   "text": impact},
            "distribution": {"tlp": {"label": "WHITE"}},
            "publisher": {"category": "vendor", "name": "Red Hat Product Security",
                          "namespace": "https://www.redhat.com"},
            "title": f"Sample flaw {identifier}",
            "references": [{"category": "self", "summary": "self",
                            "url": f"https://access.redhat.com/errata/{identifier}"}],
            "tracking": {
                "id": identifier, "status": "final", "version": "1",
                "initial_release_date": "2024-03-01T10:00:00+00:00",
                "current_release_date": "2024-03-02T10:00:00+00:00",
                "revision_history": [{"date": "2024-03-01T10:00:00+00:00", "number": "1",
                                      "summary": "Initial version"}],
            },
        },
        "product_tree": {
            "branches": [{"category": "vendor", "name": "Red Hat", "branches": [
                {"category": "product_family", "name": "Red Hat Enterprise Linux", "branches": [
                    {"category": "product_name", "name": title,
                     "product": {"name": title, "product_id": product,
                                 "product_identification_helper": {"cpe": cpe}}}
                    for product, title, cpe in products]},
                *({"category": "architecture", "name": arch, "branches": branches}
                  for arch, branches in architectures.items()),
            ]}],
            "relationships": references,
        },
        "vulnerabilities": [{
            "cve": cve, "title": f"Sample flaw {cve}",
            "notes": [{"category": "description", "text": f"What {cve} is about."}],
            "product_status": {status: names},
            "remediations": [{"category": remedy[0], "details": remedy[1], "product_ids": names}],
            "scores": [{"cvss_v3": {
                "version": "3.1", "baseScore": 7.5, "baseSeverity": "HIGH",
                "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"},
                "products": names}],
            "threats": [{"category": "impact", "details": impact, "product_ids": names}],
        }],
    }


def rpm(name, version, arch):
    """A package of an advisory: its name there, architecture, purl."""
    epoch, rest = version.split(":")
    return (f"{name}-{version}.{arch}", arch,
            f"pkg:rpm/redhat/{name}@{rest}?arch={arch}&epoch={epoch}")


class RedHat:
    """Documents, one SBOM, and what is to be found in it."""

    def __init__(self, numbers):
        self.documents = []
        self.components, self.expected = [], {}
        fix = ("vendor_fix", "Update.")

        # Fixed in one product, for two architectures of which one is the sample's.
        fixed, cve = f"RHSA-1900:{numbers.count + 1:04}", numbers.cve()
        self.documents.append(csaf(
            "csaf_security_advisory", fixed, cve, [BASEOS],
            [rpm("sample-pkg", "1:2.3-4.el8_6", "x86_64"), rpm("sample-pkg", "1:2.3-4.el8_6", "src"),
             rpm("sample-pkg", "1:2.3-4.el8_6", "aarch64")], "fixed", "Important", fix))
        for version in ("1:2.3-3.el8_6", "1:2.3~rc1-9.el8", "0:9.9-1.el8"):
            self.installed("sample-pkg", version)
            self.expect("sample-pkg", version, cve, "1:2.3-4.el8_6", "fixed", "HIGH", fixed)
        for version in ("1:2.3-4.el8_6", "1:2.3-10.el8", "2:0.1-1.el8"):
            self.installed("sample-pkg", version)

        # Another architecture only; another major release only.
        for product, arch in ((BASEOS, "s390x"), (RHEL9, "x86_64")):
            self.documents.append(csaf(
                "csaf_security_advisory", f"RHSA-1900:{numbers.count + 1:04}", numbers.cve(),
                [product], [rpm("other-pkg", "0:99-9.el8", arch)], "fixed", "Low", fix))
        self.installed("other-pkg", "0:1.0-1.el8")

        # Not fixed, and why.
        for name, remedy, status in (
                ("open-pkg", ("none_available", "Affected"), "affected"),
                ("never-pkg", ("no_fix_planned", "Will not fix"), "will_not_fix"),
                ("late-pkg", ("none_available", "Fix deferred"), "fix_deferred")):
            cve = numbers.cve()
            self.documents.append(csaf(
                "csaf_vex", cve, cve, [RHEL8], [(name, "noarch", f"pkg:rpm/redhat/{name}")],
                "known_affected", "Moderate", remedy))
            self.installed(name, "0:1.0-1.el8")
            self.expect(name, "0:1.0-1.el8", cve, "", status, "MEDIUM", None)

    def installed(self, name, version):
        self.components.append(locks.package(
            "rpm", "redhat", "8.6", name, version.removeprefix("0:"), "x86_64"))

    def expect(self, name, version, cve, fixed, status, severity, advisory):
        self.expected[("redhat", name, version.removeprefix("0:"), cve)] = {
            "FixedVersion": fixed, "Status": status, "Severity": severity,
            "SeveritySource": "redhat", "VendorIDs": (advisory,) if advisory else (),
        }

    def sbom(self):
        return locks.sbom(self.components, ("redhat", "8.6"))
