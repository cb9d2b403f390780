//! Which severity the scanner shows.

use crate::row::Detail;

const NAMES: [&str; 5] = ["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"];

/// A severity's name, as `Vulnerability.Severity` spells it.
pub(super) fn name(severity: u8) -> &'static str {
    NAMES
        .get(usize::from(severity))
        .copied()
        .unwrap_or("UNKNOWN")
}

fn number(name: &str) -> u8 {
    NAMES
        .iter()
        .position(|known| known.eq_ignore_ascii_case(name))
        .and_then(|at| u8::try_from(at).ok())
        .unwrap_or(0)
}

/// What `Severity` is written as, for readers that know no source: NVD's, else what the first source
/// to speak said, in words or as a number.
pub(super) fn fallback(detail: &Detail) -> String {
    if let Some(nvd) = detail.vendor_severity.get("nvd") {
        return name(*nvd).to_owned();
    }
    if !detail.severity.is_empty() {
        return detail.severity.clone();
    }
    detail
        .vendor_severity
        .values()
        .max()
        .map_or_else(String::new, |most| name(*most).to_owned())
}

/// The severity of a finding, by the scanner's own order: the package's, the feed's, GitHub's for its
/// ids, NVD's, the string.
pub(super) fn of_finding(package: u8, source: &str, id: &str, detail: &Detail) -> u8 {
    if package != 0 {
        return package;
    }
    let by = |source: &str| detail.vendor_severity.get(source).copied();
    by(source)
        .or_else(|| id.starts_with("GHSA-").then(|| by("ghsa")).flatten())
        .or_else(|| by("nvd"))
        .unwrap_or_else(|| number(&detail.severity))
}
