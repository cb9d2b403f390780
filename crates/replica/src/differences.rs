//! How a tree differs from what it should be.

use std::fmt;

use serde::Serialize;

/// How many names of each sort are kept.
const NAMED: usize = 10;

/// Files of one sort: how many there are, and the first of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Named {
    /// How many.
    pub count: u64,
    /// The first of them, by path below the tree.
    pub first: Vec<String>,
}

impl Named {
    pub(crate) fn add(&mut self, path: &str) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(path.to_owned());
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.count += other.count;
        let room = NAMED.saturating_sub(self.first.len());
        self.first.extend(other.first.into_iter().take(room));
    }
}

/// How a tree differs from what was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// Files with other content, or that are no regular files.
    pub changed: Named,
    /// Files that are gone.
    pub missing: Named,
    /// Files that nobody applied.
    pub extra: Named,
}

impl Differences {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.count + self.missing.count + self.extra.count == 0
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.changed.merge(other.changed);
        self.missing.merge(other.missing);
        self.extra.merge(other.extra);
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorts = [
            ("changed", &self.changed),
            ("missing", &self.missing),
            ("extra", &self.extra),
        ];
        let mut separator = "";
        for (word, files) in sorts.into_iter().filter(|(_, files)| files.count > 0) {
            write!(f, "{separator}{} {word} (", files.count)?;
            separator = ", ";
            for (at, path) in files.first.iter().enumerate() {
                write!(f, "{}`{path}`", if at == 0 { "" } else { ", " })?;
            }
            let more = files.count - files.first.len() as u64;
            if more > 0 {
                write!(f, " and {more} more")?;
            }
            f.write_str(")")?;
        }
        if separator.is_empty() {
            f.write_str("no difference")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_named_and_all_are_counted() {
        let mut found = Differences::default();
        assert_eq!(found.to_string(), "no difference");
        for number in 0..12 {
            found.extra.add(&format!("data/{number}"));
        }
        let mut other = Differences::default();
        other.missing.add("data/x");
        other.extra.add("data/y");
        found.merge(other);
        assert_eq!(found.extra.count, 13);
        let text = found.to_string();
        assert!(
            text.starts_with("1 missing (`data/x`), 13 extra (`data/0`, "),
            "{text}"
        );
        assert!(text.ends_with("`data/9` and 3 more)"), "{text}");
    }
}
