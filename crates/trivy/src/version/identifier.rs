//! Parts of versions that are numbers or words.

/// A part of a pre-release, as semantic versioning orders them: numbers before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identifier {
    /// Fits 64 bits. Larger numbers are words, as they are to Trivy.
    Number(u64),
    Word(String),
}

impl Identifier {
    pub(super) fn new(text: &str) -> Self {
        text.parse()
            .map_or_else(|_| Self::Word(text.to_owned()), Self::Number)
    }
}

/// Identifiers between dots. Nothing, where one is empty, has other characters than `allowed`, or is
/// a wildcard: Trivy's library takes `x` and `*` for "any", and then orders nothing.
pub(super) fn dotted(text: &str, allowed: fn(u8) -> bool) -> Option<Vec<Identifier>> {
    text.split('.')
        .map(|part| {
            let valid = !part.is_empty() && part.bytes().all(allowed);
            (valid && !matches!(part, "x" | "X" | "*")).then(|| Identifier::new(part))
        })
        .collect()
}

/// Compares pre-releases: a version without one comes after those that have one.
pub(super) fn compare_pre(a: &[Identifier], b: &[Identifier]) -> std::cmp::Ordering {
    a.is_empty().cmp(&b.is_empty()).then_with(|| a.cmp(b))
}

/// A part where words come before numbers: a gem's, and a local version's of Python.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    Word(String),
    Number(u64),
}

impl Segment {
    pub(super) fn new(text: &str) -> Self {
        text.parse()
            .map_or_else(|_| Self::Word(text.to_owned()), Self::Number)
    }

    pub(super) fn is_zero(&self) -> bool {
        matches!(self, Self::Number(0))
    }
}
