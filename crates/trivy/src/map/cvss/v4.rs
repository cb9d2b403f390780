//! CVSS 4.0 (FIRST, specification document, section 8): the score of a vector's macro vector, less how
//! far the vector is, on average, from the worst of that macro vector.
//!
//! The score is of all metrics in the vector, as the specification asks; metrics that are not defined
//! are taken at their worst.

use super::Metrics;
use super::macro_vectors::SCORES;

/// The levels of a vector's metrics, 0 the worst of each.
struct Levels {
    /// AV, PR, UI.
    exploit: [u8; 3],
    /// AC, AT.
    complexity: [u8; 2],
    /// VC, VI, VA, CR, IR, AR.
    vulnerable: [u8; 6],
    /// SC, SI, SA, where 0 is "safety".
    subsequent: [u8; 3],
    /// E.
    maturity: u8,
}

fn level(metrics: &Metrics<'_>, name: &str, values: &[&str]) -> Option<u8> {
    let modified = format!("M{name}");
    let value = match metrics.get(&modified) {
        None | Some("X") => metrics.get(name)?,
        Some(value) => value,
    };
    let at = values.iter().position(|known| *known == value)?;
    u8::try_from(at).ok()
}

/// A metric that may be left out, or be `X`, which is its worst.
fn optional(metrics: &Metrics<'_>, name: &str, values: &[&str]) -> Option<u8> {
    match metrics.get(name) {
        None | Some("X") => Some(0),
        Some(_) => level(metrics, name, values),
    }
}

impl Levels {
    fn of(metrics: &Metrics<'_>) -> Option<Self> {
        let impact = |name| level(metrics, name, &["H", "L", "N"]);
        let requirement = |name| optional(metrics, name, &["H", "M", "L"]);
        let later = |name| level(metrics, name, &["S", "H", "L", "N"]);
        Some(Self {
            exploit: [
                level(metrics, "AV", &["N", "A", "L", "P"])?,
                level(metrics, "PR", &["N", "L", "H"])?,
                level(metrics, "UI", &["N", "P", "A"])?,
            ],
            complexity: [
                level(metrics, "AC", &["L", "H"])?,
                level(metrics, "AT", &["N", "P"])?,
            ],
            vulnerable: [
                impact("VC")?,
                impact("VI")?,
                impact("VA")?,
                requirement("CR")?,
                requirement("IR")?,
                requirement("AR")?,
            ],
            subsequent: [later("SC")?, later("SI")?, later("SA")?],
            maturity: optional(metrics, "E", &["A", "P", "U"])?,
        })
    }

    fn has_no_impact(&self) -> bool {
        let [vc, vi, va, ..] = self.vulnerable;
        [vc, vi, va].iter().all(|level| *level == 2)
            && self.subsequent.iter().all(|level| *level == 3)
    }

    fn macro_vector(&self) -> MacroVector {
        let eq1 = match self.exploit {
            [0, 0, 0] => 0,
            [3, ..] => 2,
            exploit if exploit.contains(&0) => 1,
            _ => 2,
        };
        let [vc, vi, va, cr, ir, ar] = self.vulnerable;
        let eq3 = match (vc, vi, va) {
            (0, 0, _) => 0,
            (0, ..) | (_, 0, _) | (.., 0) => 1,
            _ => 2,
        };
        let required = [(vc, cr), (vi, ir), (va, ar)].contains(&(0, 0));
        let eq4 = match self.subsequent {
            [_, 0, _] | [.., 0] => 0,
            later if later.iter().any(|level| *level <= 1) => 1,
            _ => 2,
        };
        MacroVector {
            eq1,
            eq2: u8::from(self.complexity != [0, 0]),
            eq3,
            eq4,
            eq5: self.maturity,
            eq6: u8::from(!required),
        }
    }
}

#[derive(Clone, Copy)]
struct MacroVector {
    eq1: u8,
    eq2: u8,
    eq3: u8,
    eq4: u8,
    eq5: u8,
    eq6: u8,
}

impl MacroVector {
    fn score(self) -> Option<f64> {
        let eq36 = match (self.eq3, self.eq6) {
            (0, 0) => 0,
            (0, 1) => 1,
            (1, 0) => 2,
            (1, 1) => 3,
            (2, 1) => 4,
            _ => return None,
        };
        if self.eq2 > 1 || self.eq4 > 2 || self.eq5 > 2 {
            return None;
        }
        let row = (usize::from(self.eq1) * 2 + usize::from(self.eq2)) * 5 + eq36;
        let column = usize::from(self.eq4) * 3 + usize::from(self.eq5);
        let tenths = SCORES.get(row)?.get(column)?;
        Some(f64::from(*tenths) / 10.0)
    }

    /// The score of the next lower macro vector in EQ3 and EQ6, which depend on each other.
    fn lower_in_impact(self) -> Option<f64> {
        let of = |eq3, eq6| Self { eq3, eq6, ..self }.score();
        match (self.eq3, self.eq6) {
            (0, 0) => match (of(0, 1), of(1, 0)) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            },
            (0, 1) | (1, 0) => of(1, 1),
            (1, 1) => of(2, 1),
            _ => None,
        }
    }
}

/// The first of the worst vectors that is no better than the given one in any metric, and how many
/// levels lie between.
fn distance<const N: usize>(levels: [u8; N], worst: &[[u8; N]]) -> u8 {
    let between = |worst: &[u8; N]| {
        let mut sum = 0;
        for (level, worst) in levels.iter().zip(worst) {
            sum += level.checked_sub(*worst)?;
        }
        Some(sum)
    };
    worst.iter().find_map(between).unwrap_or(0)
}

pub(super) fn score(metrics: &Metrics<'_>) -> Option<f64> {
    let levels = Levels::of(metrics)?;
    if levels.has_no_impact() {
        return Some(0.0);
    }
    let macro_vector = levels.macro_vector();
    let value = macro_vector.score()?;

    let exploit = distance(
        levels.exploit,
        match macro_vector.eq1 {
            0 => &[[0, 0, 0]],
            1 => &[[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            _ => &[[3, 0, 0], [1, 1, 1]],
        },
    );
    let complexity = distance(
        levels.complexity,
        match macro_vector.eq2 {
            0 => &[[0, 0]],
            _ => &[[1, 0], [0, 1]],
        },
    );
    let impact = distance(
        levels.vulnerable,
        match (macro_vector.eq3, macro_vector.eq6) {
            (0, 0) => &[[0, 0, 0, 0, 0, 0]],
            (0, _) => &[[0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1]],
            (1, 0) => &[[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]],
            (1, _) => &[
                [1, 0, 1, 0, 1, 0],
                [1, 0, 0, 0, 1, 1],
                [0, 1, 0, 1, 0, 1],
                [0, 1, 1, 1, 0, 0],
                [1, 1, 0, 0, 0, 1],
            ],
            _ => &[[1, 1, 1, 0, 0, 0]],
        },
    );
    let subsequent = distance(
        levels.subsequent,
        match macro_vector.eq4 {
            0 => &[[1, 0, 0]],
            1 => &[[1, 1, 1]],
            _ => &[[2, 2, 2]],
        },
    );
    // How many levels a macro vector spans, by EQ: the most that a distance can be, and one.
    let exploit_depth = [1, 4, 5].get(usize::from(macro_vector.eq1))?;
    let complexity_depth = [1, 2].get(usize::from(macro_vector.eq2))?;
    let impact_depth = match (macro_vector.eq3, macro_vector.eq6) {
        (0, 0) => 7,
        (0, _) => 6,
        (1, _) => 8,
        _ => 10,
    };
    let subsequent_depth = [6, 5, 4].get(usize::from(macro_vector.eq4))?;

    let next = |eq1, eq2, eq4, eq5| {
        MacroVector {
            eq1: macro_vector.eq1 + eq1,
            eq2: macro_vector.eq2 + eq2,
            eq4: macro_vector.eq4 + eq4,
            eq5: macro_vector.eq5 + eq5,
            ..macro_vector
        }
        .score()
    };
    let parts = [
        (next(1, 0, 0, 0), exploit, *exploit_depth),
        (next(0, 1, 0, 0), complexity, *complexity_depth),
        (macro_vector.lower_in_impact(), impact, impact_depth),
        (next(0, 0, 1, 0), subsequent, *subsequent_depth),
        // The one metric of EQ5 decides the macro vector: nothing lies between.
        (next(0, 0, 0, 1), 0, 1),
    ];
    let mut sum = 0.0;
    let mut count = 0.0;
    for (lower, distance, depth) in parts {
        if let Some(lower) = lower {
            count += 1.0;
            sum += (value - lower) * f64::from(distance) / f64::from(depth);
        }
    }
    let mean = if count > 0.0 { sum / count } else { 0.0 };
    let score = (value - mean).clamp(0.0, 10.0);
    // The calculator adds this before it rounds, against the errors of floating point.
    Some(((score + 1e-6) * 10.0).round() / 10.0)
}
