//! What is printed, and where.
//!
//! Results go to standard output: text for people, or one JSON object with `--json`. Progress,
//! notes and errors go to standard error. Colours only on a terminal, and never with `NO_COLOR`.

use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};

use crate::cli::Global;
use crate::failure::Failed;

pub(crate) struct Output {
    json: bool,
    quiet: bool,
    colour: bool,
    /// Standard output carries an archive, so results go to standard error.
    pub(crate) terminal: bool,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json: global.json,
            quiet: global.quiet,
            colour: !plain && io::stdout().is_terminal(),
            terminal: io::stderr().is_terminal(),
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet || self.json
    }

    /// The command's result: `text` for people, `value` for scripts.
    pub(crate) fn result(&self, text: &str, value: &Value) {
        let mut out = io::stdout().lock();
        // A reader that has gone away wants nothing more.
        let _ = if self.json {
            writeln!(out, "{value}")
        } else {
            writeln!(out, "{}", text.trim_end())
        };
        let _ = out.flush();
    }

    /// A line of a result for people that comes in time.
    pub(crate) fn line(&self, text: &str) {
        if !self.json {
            let mut out = io::stdout().lock();
            let _ = writeln!(out, "{text}");
            let _ = out.flush();
        }
    }

    /// The result for scripts of a command whose lines people have had.
    pub(crate) fn result_of_lines(&self, value: &Value) {
        if self.json {
            self.result("", value);
        }
    }

    /// The command's result where standard output carries an archive.
    pub(crate) fn result_aside(&self, text: &str) {
        if !self.is_quiet() {
            let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
        }
    }

    /// Something worth knowing on the way.
    pub(crate) fn note(&self, text: &str) {
        if !self.is_quiet() {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Why the command failed.
    pub(crate) fn failed(&self, failed: &Failed) {
        if self.json {
            let value = json!({
                "error_code": failed.code,
                "detail": failed.detail,
                "errors": failed.fields,
                "action": failed.code.action(),
                "exit_code": failed.exit_code(),
            });
            let mut out = io::stdout().lock();
            let _ = writeln!(out, "{value}");
            return;
        }
        let mut err = io::stderr().lock();
        let label = if self.colour && self.terminal {
            "\u{1b}[31;1merror\u{1b}[0m"
        } else {
            "error"
        };
        if failed.fields.is_empty() {
            let _ = writeln!(err, "{label}: {}", failed.detail);
        } else {
            let _ = writeln!(err, "{label}: the request is not valid");
            for field in &failed.fields {
                let _ = writeln!(err, "  {}: {}", field.field, field.message);
            }
        }
        let _ = writeln!(err, "  {} · {}", failed.code, failed.code.action());
    }

    /// A word that says all is well, or not.
    pub(crate) fn mark(&self, good: bool, text: &str) -> String {
        match (self.colour, good) {
            (true, true) => format!("\u{1b}[32;1m{text}\u{1b}[0m"),
            (true, false) => format!("\u{1b}[31;1m{text}\u{1b}[0m"),
            (false, _) => text.to_owned(),
        }
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size for people: `2.4 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    #[allow(clippy::cast_precision_loss)] // For reading only.
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {}", UNITS.get(unit).copied().unwrap_or("TB"))
    }
}

/// Rows of text in aligned columns, two spaces apart.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| {
            let cells = rows.iter().filter_map(|row| row.get(c));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width + 2 - cell.chars().count()));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(5_529), "5,529");
        assert_eq!(grouped(1_000_000), "1,000,000");
    }

    #[test]
    fn sizes_have_one_decimal() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(2_412_345), "2.4 MB");
        assert_eq!(size(999_999), "1.0 MB");
    }

    #[test]
    fn columns_align() {
        let rows = [
            vec!["a".into(), "bb".into()],
            vec!["ccc".into(), "d".into()],
        ];
        assert_eq!(table(&rows), "a    bb\nccc  d\n");
    }
}
