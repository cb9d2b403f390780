//! CVSS 3.0 and 3.1 (FIRST, specification documents, section 7.1 and appendix A).

use super::Metrics;

const IMPACT: &[(&str, f64)] = &[("N", 0.0), ("L", 0.22), ("H", 0.56)];

/// The base score. `exact` is 3.1's way of rounding up, which does not mind the errors of floating
/// point.
pub(super) fn base(metrics: &Metrics<'_>, exact: bool) -> Option<f64> {
    let changed = match metrics.get("S")? {
        "U" => false,
        "C" => true,
        _ => return None,
    };
    let vector = metrics.weight("AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?;
    let complexity = metrics.weight("AC", &[("L", 0.77), ("H", 0.44)])?;
    let privileges: &[(&str, f64)] = if changed {
        &[("N", 0.85), ("L", 0.68), ("H", 0.5)]
    } else {
        &[("N", 0.85), ("L", 0.62), ("H", 0.27)]
    };
    let privileges = metrics.weight("PR", privileges)?;
    let interaction = metrics.weight("UI", &[("N", 0.85), ("R", 0.62)])?;
    let mut spared = 1.0;
    for name in ["C", "I", "A"] {
        spared *= 1.0 - metrics.weight(name, IMPACT)?;
    }
    let lost = 1.0 - spared;
    let impact = if changed {
        7.52 * (lost - 0.029) - 3.25 * (lost - 0.02).powi(15)
    } else {
        6.42 * lost
    };
    if impact <= 0.0 {
        return Some(0.0);
    }
    let exploitability = 8.22 * vector * complexity * privileges * interaction;
    let sum = impact + exploitability;
    let score = if changed { 1.08 * sum } else { sum };
    Some(up(score.min(10.0), exact))
}

/// To the next tenth.
fn up(score: f64, exact: bool) -> f64 {
    if !exact {
        return (score * 10.0).ceil() / 10.0;
    }
    let hundred_thousandths = (score * 100_000.0).round();
    if hundred_thousandths % 10_000.0 == 0.0 {
        hundred_thousandths / 100_000.0
    } else {
        ((hundred_thousandths / 10_000.0).floor() + 1.0) / 10.0
    }
}
