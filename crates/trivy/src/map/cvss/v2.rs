//! CVSS 2.0 (FIRST, A Complete Guide, section 3.2.1).

use super::Metrics;

const IMPACT: &[(&str, f64)] = &[("N", 0.0), ("P", 0.275), ("C", 0.660)];

pub(super) fn base(metrics: &Metrics<'_>) -> Option<f64> {
    let vector = metrics.weight("AV", &[("L", 0.395), ("A", 0.646), ("N", 1.0)])?;
    let complexity = metrics.weight("AC", &[("H", 0.35), ("M", 0.61), ("L", 0.71)])?;
    let authentication = metrics.weight("Au", &[("M", 0.45), ("S", 0.56), ("N", 0.704)])?;
    let mut spared = 1.0;
    for name in ["C", "I", "A"] {
        spared *= 1.0 - metrics.weight(name, IMPACT)?;
    }
    let impact = 10.41 * (1.0 - spared);
    let exploitability = 20.0 * vector * complexity * authentication;
    let factor = if impact == 0.0 { 0.0 } else { 1.176 };
    let score = (0.6 * impact + 0.4 * exploitability - 1.5) * factor;
    Some(((score * 10.0).round() / 10.0).clamp(0.0, 10.0))
}
