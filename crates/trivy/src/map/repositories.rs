//! Which products are in the repositories that the scanner assumes of a Red Hat system.
//!
//! Images say which repositories they were built from, others do not; for those the scanner assumes
//! the ones below, and without any product it fails instead of reporting nothing. Red Hat publishes the
//! whole table (`repository-to-cpe.json`); what evidence does not bring is not invented here beyond
//! these defaults.

/// Content set, CPE of a product in it.
pub(super) const DEFAULT: &[(&str, &str)] = &[
    ("rhel-6-server-rpms", "cpe:/o:redhat:enterprise_linux:6"),
    (
        "rhel-6-server-rpms",
        "cpe:/o:redhat:enterprise_linux:6::server",
    ),
    ("rhel-6-server-extras-rpms", "cpe:/a:redhat:rhel_extras:6"),
    ("rhel-7-server-rpms", "cpe:/o:redhat:enterprise_linux:7"),
    (
        "rhel-7-server-rpms",
        "cpe:/o:redhat:enterprise_linux:7::server",
    ),
    (
        "rhel-7-server-extras-rpms",
        "cpe:/a:redhat:rhel_extras_other:7",
    ),
    ("rhel-7-server-extras-rpms", "cpe:/a:redhat:rhel_extras:7"),
    (
        "rhel-8-for-x86_64-baseos-rpms",
        "cpe:/o:redhat:enterprise_linux:8",
    ),
    (
        "rhel-8-for-x86_64-baseos-rpms",
        "cpe:/o:redhat:enterprise_linux:8::baseos",
    ),
    (
        "rhel-8-for-x86_64-appstream-rpms",
        "cpe:/a:redhat:enterprise_linux:8",
    ),
    (
        "rhel-8-for-x86_64-appstream-rpms",
        "cpe:/a:redhat:enterprise_linux:8::appstream",
    ),
    (
        "rhel-9-for-x86_64-baseos-rpms",
        "cpe:/o:redhat:enterprise_linux:9",
    ),
    (
        "rhel-9-for-x86_64-baseos-rpms",
        "cpe:/o:redhat:enterprise_linux:9::baseos",
    ),
    (
        "rhel-9-for-x86_64-appstream-rpms",
        "cpe:/a:redhat:enterprise_linux:9",
    ),
    (
        "rhel-9-for-x86_64-appstream-rpms",
        "cpe:/a:redhat:enterprise_linux:9::appstream",
    ),
];
