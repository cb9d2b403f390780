//! Whether one selection can reach more than another: what an approval is compared with.
//!
//! The comparison looks at what was written, never at the evidence: a request stays within a bound
//! only if nothing that could ever be in a ledger would be selected beyond it. So it is sometimes
//! stricter than it had to be (a request for one identifier is not within a bound on a product),
//! and never laxer.

use super::{CompiledSelectors, Criteria, ProductPattern, RecordedWindow};

impl ProductPattern {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(own), Self::Exact(other)) => own == other,
            (Self::Exact(_), Self::Prefix(_)) => false,
            (Self::Prefix(own), Self::Exact(other) | Self::Prefix(other)) => {
                other.starts_with(own.as_str())
            }
        }
    }
}

impl CompiledSelectors {
    /// The first criterion by which these selectors can reach more than `bound`, by its name in a
    /// request; none when they stay within it.
    ///
    /// Every criterion of the bound must be there, with some of its values; every set that the
    /// bound leaves out must be left out too, alone or as part of a larger one.
    #[must_use]
    pub fn wider_than(&self, bound: &Self) -> Option<&'static str> {
        if let Some(criterion) = self.base.wider_than(&bound.base) {
            return Some(criterion);
        }
        let left_out =
            |set: &Criteria| self.exclude.iter().any(|own| set.wider_than(own).is_none());
        if !bound.exclude.iter().all(left_out) {
            return Some("exclude");
        }
        None
    }
}

impl Criteria {
    /// The first criterion by which this set can match more than `bound` does.
    fn wider_than(&self, bound: &Self) -> Option<&'static str> {
        fn within<T>(
            own: Option<&Vec<T>>,
            bound: Option<&Vec<T>>,
            covers: impl Fn(&T, &T) -> bool,
        ) -> bool {
            let Some(bound) = bound else { return true };
            own.is_some_and(|own| {
                own.iter()
                    .all(|value| bound.iter().any(|bound| covers(bound, value)))
            })
        }
        fn same<T: PartialEq>(bound: &T, own: &T) -> bool {
            bound == own
        }
        let checks = [
            (
                "kinds",
                within(self.kinds.as_ref(), bound.kinds.as_ref(), same),
            ),
            (
                "ecosystems",
                within(self.ecosystems.as_ref(), bound.ecosystems.as_ref(), same),
            ),
            (
                "products",
                within(
                    self.products.as_ref(),
                    bound.products.as_ref(),
                    ProductPattern::covers,
                ),
            ),
            (
                "sbom_subjects",
                within(
                    self.sbom_subjects.as_ref(),
                    bound.sbom_subjects.as_ref(),
                    same,
                ),
            ),
            (
                "identifiers",
                within(self.identifiers.as_ref(), bound.identifiers.as_ref(), same),
            ),
            (
                "sources",
                within(
                    self.sources.as_ref(),
                    bound.sources.as_ref(),
                    |(vendor, stream), (own_vendor, own_stream)| {
                        vendor == own_vendor && (stream.is_none() || stream == own_stream)
                    },
                ),
            ),
            ("recorded", window_within(self.recorded, bound.recorded)),
        ];
        checks
            .into_iter()
            .find_map(|(criterion, within)| (!within).then_some(criterion))
    }
}

fn window_within(own: Option<RecordedWindow>, bound: Option<RecordedWindow>) -> bool {
    let Some(bound) = bound else { return true };
    // A window, even an open one, leaves out records without a recording time.
    own.is_some_and(|own| {
        bound
            .from
            .is_none_or(|bound| own.from.is_some_and(|own| own >= bound))
            && bound
                .to
                .is_none_or(|bound| own.to.is_some_and(|own| own <= bound))
    })
}

#[cfg(test)]
mod tests {
    use crate::{CompiledSelectors, ProfileKind, Selectors};

    fn compiled(json: &str) -> CompiledSelectors {
        serde_json::from_str::<Selectors>(json)
            .unwrap()
            .compile(ProfileKind::JsonPolicy)
            .unwrap()
    }

    fn wider(request: &str, bound: &str) -> Option<&'static str> {
        compiled(request).wider_than(&compiled(bound))
    }

    #[test]
    fn what_names_less_is_within() {
        for (request, bound) in [
            ("{}", "{}"),
            (r#"{"kinds":["vex"]}"#, "{}"),
            (r#"{"kinds":["vex"]}"#, r#"{"kinds":["advisory","vex"]}"#),
            (
                r#"{"kinds":["vex"],"ecosystems":["npm"]}"#,
                r#"{"ecosystems":["npm","pypi"]}"#,
            ),
            (
                r#"{"products":["pkg:npm/a@1","pkg:npm/ab*","pkg:npm/c@1"]}"#,
                r#"{"products":["pkg:npm/a*","pkg:npm/c@1"]}"#,
            ),
            (
                r#"{"sources":["a/x","b/y"]}"#,
                r#"{"sources":["a","b/y","c"]}"#,
            ),
            (
                r#"{"recorded":{"from":"2026-02-01T00:00:00Z","to":"2026-03-01T00:00:00Z"}}"#,
                r#"{"recorded":{"from":"2026-02-01T00:00:00Z","to":"2026-03-01T00:00:00Z"}}"#,
            ),
            (
                r#"{"recorded":{"from":"2026-02-02T00:00:00Z","to":"2026-02-03T00:00:00Z"}}"#,
                r#"{"recorded":{"from":"2026-02-01T00:00:00Z"}}"#,
            ),
            (
                r#"{"exclude":[{"kinds":["vex","advisory"]},{"sources":["a"]}]}"#,
                r#"{"exclude":[{"sources":["a"]},{"kinds":["vex"],"ecosystems":["npm"]}]}"#,
            ),
            (
                r#"{"kinds":["vex"],"include":[{"ecosystems":["npm"]}]}"#,
                r#"{"kinds":["vex"]}"#,
            ),
        ] {
            assert_eq!(wider(request, bound), None, "{request} in {bound}");
        }
    }

    #[test]
    fn what_could_reach_more_is_named() {
        for (request, bound, criterion) in [
            ("{}", r#"{"kinds":["vex"]}"#, "kinds"),
            (
                r#"{"kinds":["vex","sbom"]}"#,
                r#"{"kinds":["vex"]}"#,
                "kinds",
            ),
            (
                r#"{"ecosystems":["npm","go"]}"#,
                r#"{"ecosystems":["npm"]}"#,
                "ecosystems",
            ),
            (
                r#"{"products":["pkg:npm/a*"]}"#,
                r#"{"products":["pkg:npm/a@1"]}"#,
                "products",
            ),
            (
                r#"{"products":["pkg:npm/a*"]}"#,
                r#"{"products":["pkg:npm/ab*"]}"#,
                "products",
            ),
            (
                r#"{"identifiers":["CVE-1"]}"#,
                r#"{"identifiers":["CVE-2"]}"#,
                "identifiers",
            ),
            (
                r#"{"sbom_subjects":["a"]}"#,
                r#"{"sbom_subjects":["b"]}"#,
                "sbom_subjects",
            ),
            (r#"{"sources":["a"]}"#, r#"{"sources":["a/x"]}"#, "sources"),
            (
                r#"{"sources":["a/y"]}"#,
                r#"{"sources":["a/x"]}"#,
                "sources",
            ),
            (
                "{}",
                r#"{"recorded":{"from":"2026-02-01T00:00:00Z"}}"#,
                "recorded",
            ),
            (
                r#"{"recorded":{"to":"2026-03-01T00:00:00Z"}}"#,
                r#"{"recorded":{"from":"2026-02-01T00:00:00Z"}}"#,
                "recorded",
            ),
            (
                r#"{"recorded":{"to":"2026-03-02T00:00:00Z"}}"#,
                r#"{"recorded":{"to":"2026-03-01T00:00:00Z"}}"#,
                "recorded",
            ),
            ("{}", r#"{"exclude":[{"kinds":["vex"]}]}"#, "exclude"),
            (
                r#"{"exclude":[{"kinds":["vex"],"ecosystems":["npm"]}]}"#,
                r#"{"exclude":[{"kinds":["vex"]}]}"#,
                "exclude",
            ),
            // What `include` names narrows a request, but no criterion may be missing at its top.
            (
                r#"{"include":[{"kinds":["vex"]}]}"#,
                r#"{"kinds":["vex"]}"#,
                "kinds",
            ),
        ] {
            assert_eq!(
                wider(request, bound),
                Some(criterion),
                "{request} in {bound}"
            );
        }
    }
}
