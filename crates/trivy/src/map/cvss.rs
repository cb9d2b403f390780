//! CVSS: base scores of vectors, which are what severities come from where nobody states one.

mod macro_vectors;
mod v2;
mod v3;
mod v4;

use crate::row::Cvss;

/// A vector's version, as its prefix says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    V2,
    V3,
    V4,
}

/// The metrics of a vector: at most 64, each once.
struct Metrics<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Metrics<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut metrics: Vec<(&str, &str)> = Vec::new();
        for metric in text.split('/') {
            let (name, value) = metric.split_once(':')?;
            if metrics.len() >= 64 || metrics.iter().any(|(known, _)| *known == name) {
                return None;
            }
            metrics.push((name, value));
        }
        Some(Self(metrics))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }

    /// The metric's weight; nothing where it is missing or has no such value.
    fn weight(&self, name: &str, weights: &[(&str, f64)]) -> Option<f64> {
        let value = self.get(name)?;
        let found = weights.iter().find(|(known, _)| *known == value);
        found.map(|(_, weight)| *weight)
    }
}

/// The vector as it is written, without a slash at its end, its version and its base score; nothing
/// for text that is no vector.
pub(super) fn score(text: &str) -> Option<(&str, Kind, f64)> {
    let vector = text.trim_ascii().trim_end_matches('/');
    if let Some(metrics) = vector
        .strip_prefix("CVSS:3.0/")
        .or_else(|| vector.strip_prefix("CVSS:3.1/"))
    {
        let exact = vector.starts_with("CVSS:3.1");
        return v3::base(&Metrics::parse(metrics)?, exact).map(|score| (vector, Kind::V3, score));
    }
    if let Some(metrics) = vector.strip_prefix("CVSS:4.0/") {
        return v4::score(&Metrics::parse(metrics)?).map(|score| (vector, Kind::V4, score));
    }
    let bare = vector
        .strip_prefix('(')
        .and_then(|bare| bare.strip_suffix(')'))
        .unwrap_or(vector);
    v2::base(&Metrics::parse(bare)?).map(|score| (bare, Kind::V2, score))
}

/// Puts a vector and its score where there is none of its version yet. False for text that is none.
pub(super) fn add(cvss: &mut Cvss, text: &str) -> bool {
    let Some((vector, kind, score)) = score(text) else {
        return false;
    };
    let (held, held_score) = match kind {
        Kind::V2 => (&mut cvss.v2_vector, &mut cvss.v2_score),
        Kind::V3 => (&mut cvss.v3_vector, &mut cvss.v3_score),
        Kind::V4 => (&mut cvss.v40_vector, &mut cvss.v40_score),
    };
    if held.is_empty() {
        vector.clone_into(held);
        *held_score = Some(score);
    }
    true
}

/// The severity of what was found, 0 where nothing was: of CVSS 3 before 4 before 2, as the scanner's
/// own builder prefers them.
pub(super) fn severity(cvss: &Cvss) -> u8 {
    [cvss.v3_score, cvss.v40_score]
        .into_iter()
        .flatten()
        .next()
        .map_or_else(|| cvss.v2_score.map_or(0, rating_of_v2), rating)
}

/// The qualitative rating of a score of CVSS 3 or 4: 0 none, 1 low to 4 critical.
pub(super) fn rating(score: f64) -> u8 {
    match score {
        s if s >= 9.0 => 4,
        s if s >= 7.0 => 3,
        s if s >= 4.0 => 2,
        s if s > 0.0 => 1,
        _ => 0,
    }
}

/// CVSS 2 has no critical (NVD's ranges).
fn rating_of_v2(score: f64) -> u8 {
    rating(score).min(3)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::float_cmp
    )]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scores() {
        for (vector, expected) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
            ("CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H/", 8.1),
            ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:N/A:N", 5.5),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
            ("AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5),
            ("(AV:L/AC:L/Au:N/C:C/I:C/A:C)", 7.2),
            ("AV:N/AC:M/Au:N/C:N/I:P/A:N", 4.3),
            (
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
                9.3,
            ),
            (
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H",
                10.0,
            ),
            (
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N",
                8.7,
            ),
            (
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:H/UI:N/VC:L/VI:L/VA:N/SC:N/SI:N/SA:N",
                5.1,
            ),
            (
                "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
                7.3,
            ),
            (
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N",
                0.0,
            ),
        ] {
            let (_, _, found) = score(vector).unwrap_or_else(|| panic!("{vector}"));
            assert_eq!(found, expected, "{vector}");
        }
    }

    /// `golden.tsv`: vectors and the scores that `pandatix/go-cvss` gives them, as Trivy's builder does.
    /// `TRIVY_CVSS` names a larger file of the same shape.
    #[test]
    fn as_the_library() {
        let text = match std::env::var_os("TRIVY_CVSS") {
            Some(path) => std::fs::read_to_string(path).unwrap(),
            None => include_str!("cvss/golden.tsv").to_owned(),
        };
        let mut wrong = Vec::new();
        let mut halves = 0;
        for line in text.lines() {
            let (vector, expected) = line.split_once('\t').unwrap();
            let found = score(vector).map(|(_, _, score)| score);
            let expected: Option<f64> = expected.parse().ok();
            // Halves of a tenth: FIRST's calculator rounds them up, whatever floating point makes of
            // them; the library does not always.
            if let (Some(found), Some(expected)) = (found, expected)
                && vector.starts_with("CVSS:4.0")
                && (found - expected - 0.1).abs() < 1e-9
            {
                halves += 1;
            } else if found != expected {
                wrong.push(format!("{line}, not {found:?}"));
            }
        }
        let lines = text.lines().count();
        assert!(lines > 500 && halves * 100 < lines, "{halves} of {lines}");
        let first = wrong.get(..wrong.len().min(20)).unwrap();
        assert!(wrong.is_empty(), "{} differ: {first:#?}", wrong.len());
    }

    #[test]
    fn not_vectors() {
        for text in [
            "",
            "medium",
            "7.5",
            "CVSS:3.1/",
            "CVSS:3.1/AV:N",
            "CVSS:3.1/AV:Q/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        ] {
            assert!(score(text).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_first_stays() {
        let mut cvss = Cvss::default();
        assert!(add(
            &mut cvss,
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
        ));
        assert!(add(
            &mut cvss,
            "CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:L/I:L/A:L"
        ));
        assert!(!add(&mut cvss, "high"));
        assert_eq!(cvss.v3_score, Some(9.8));
        assert_eq!(severity(&cvss), 4);
        assert_eq!(severity(&Cvss::default()), 0);
    }

    proptest! {
        #[test]
        fn every_vector_of_4_has_a_score(
            av in "[NALP]", ac in "[LH]", at in "[NP]", pr in "[NLH]", ui in "[NPA]",
            v in "[HLN]{3}", s in "[HLN]{3}", e in "[APUX]", r in "[HMLX]{3}", m in "[SHLNX]{2}",
        ) {
            let c = |text: &str, at: usize| text.chars().nth(at).unwrap();
            let vector = format!(
                "CVSS:4.0/AV:{av}/AC:{ac}/AT:{at}/PR:{pr}/UI:{ui}/VC:{}/VI:{}/VA:{}/SC:{}/SI:{}/SA:{}/E:{e}/CR:{}/IR:{}/AR:{}/MSI:{}/MSA:{}",
                c(&v, 0), c(&v, 1), c(&v, 2), c(&s, 0), c(&s, 1), c(&s, 2),
                c(&r, 0), c(&r, 1), c(&r, 2), c(&m, 0), c(&m, 1),
            );
            let (_, kind, found) = score(&vector).unwrap();
            prop_assert_eq!(kind, Kind::V4);
            prop_assert!((0.0..=10.0).contains(&found), "{} {}", vector, found);
        }
    }
}
