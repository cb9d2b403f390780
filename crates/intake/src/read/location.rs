//! Where a document was found.

use std::fmt;
use std::path::Path;

/// Where a document was found. Displayed as `file.json`, `file.jsonl.zst:17`,
/// `file.zip!member.json` or `file.zip!member.jsonl:17`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The file's path, or the stream's name.
    pub path: String,
    /// The archive's member.
    pub member: Option<String>,
    /// The line, counted from 1; none where the document is the whole file.
    pub line: Option<u64>,
    is_file: bool,
}

impl Location {
    pub(super) fn file(path: &Path) -> Self {
        Self {
            path: path.display().to_string(),
            member: None,
            line: None,
            is_file: true,
        }
    }

    pub(super) fn stream(name: String) -> Self {
        Self {
            path: name,
            member: None,
            line: None,
            is_file: false,
        }
    }

    pub(super) fn member(&self, name: &str) -> Self {
        Self {
            member: Some(name.to_owned()),
            ..self.clone()
        }
    }

    pub(super) fn line(&self, line: u64) -> Self {
        Self {
            line: Some(line),
            ..self.clone()
        }
    }

    /// The file's own name, without folders.
    fn name(&self) -> Option<&str> {
        let path = match &self.member {
            Some(member) => member,
            None if self.is_file => &self.path,
            None => return None,
        };
        Path::new(path).file_name()?.to_str()
    }

    /// The file's name without its ending and the ending of a compressor: `bom` of `a/bom.json.gz`.
    /// What a document that does not name itself is called. None for a stream and for one of many
    /// lines.
    #[must_use]
    pub fn file_stem(&self) -> Option<&str> {
        if self.line.is_some() {
            return None;
        }
        let name = uncompressed(self.name()?);
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        (!stem.is_empty()).then_some(stem)
    }

    /// Whether the name promises a zip archive.
    pub(super) fn is_called_zip(&self) -> bool {
        self.name()
            .and_then(|name| name.rsplit_once('.'))
            .is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("zip"))
    }

    /// Whether the name promises JSON.
    pub(super) fn is_called_json(&self) -> bool {
        self.name().is_some_and(|name| {
            uncompressed(name)
                .rsplit_once('.')
                .is_some_and(|(_, ending)| {
                    ["json", "jsonl", "ndjson"]
                        .iter()
                        .any(|json| ending.eq_ignore_ascii_case(json))
                })
        })
    }
}

fn uncompressed(name: &str) -> &str {
    name.strip_suffix(".zst")
        .or_else(|| name.strip_suffix(".gz"))
        .unwrap_or(name)
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names come from archives and folders of others: control characters would reach a terminal.
        let write = |f: &mut fmt::Formatter<'_>, text: &str| -> fmt::Result {
            text.chars().try_for_each(|c| {
                if c.is_control() {
                    fmt::Write::write_char(f, '\u{fffd}')
                } else {
                    fmt::Write::write_char(f, c)
                }
            })
        };
        write(f, &self.path)?;
        if let Some(member) = &self.member {
            f.write_str("!")?;
            write(f, member)?;
        }
        match self.line {
            Some(line) => write!(f, ":{line}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displayed_as_people_point_at_lines() {
        let file = Location::file(Path::new("a/b.jsonl.zst"));
        assert_eq!(file.line(17).to_string(), "a/b.jsonl.zst:17");
        assert_eq!(file.file_stem(), Some("b"));
        assert_eq!(file.line(17).file_stem(), None);
        assert!(file.is_called_json());
        let member = Location::file(Path::new("x.zip")).member("d/e\n.JSON");
        assert_eq!(member.to_string(), "x.zip!d/e\u{fffd}.JSON");
        assert_eq!(member.file_stem(), Some("e\n"));
        assert!(member.is_called_json());
        let stream = Location::stream("standard input".to_owned());
        assert_eq!(stream.file_stem(), None);
        assert!(!stream.is_called_json());
    }
}
