//! Text: one document, or one a line.

use std::io::{self, BufRead};

use export_canonical::record::{ParseError, canonicalize};
use export_model::ErrorCode;

use super::stream::failed;
use super::{Location, Place, ReadError, Reading};
use crate::Refusal;

/// What came of reading a line.
enum Line {
    /// A line, without its line feed.
    Whole,
    /// The text is over.
    End,
    /// The line is longer than the limit; it was not read to its end.
    TooLong,
}

impl Reading<'_, '_> {
    /// Reads a text that is not packed any more; `packed` says that it was.
    pub(super) fn text(
        &mut self,
        text: &mut dyn BufRead,
        location: Location,
        place: Place,
        packed: bool,
    ) -> Result<(), ReadError> {
        let mut taken = 0;
        match self.documents_of(text, &location, place, packed, &mut taken) {
            Err(ReadError::Refused { refusal, .. })
                if Self::is_skippable(place, &location, &refusal, taken == 0) =>
            {
                self.skip(location, refusal.detail);
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn documents_of(
        &mut self,
        text: &mut dyn BufRead,
        location: &Location,
        place: Place,
        packed: bool,
        taken: &mut u64,
    ) -> Result<(), ReadError> {
        let limit = self.limits.bytes;
        let io = |error| failed(error, location, packed);
        let refused = |at: Location| {
            move |refusal| ReadError::Refused {
                location: at,
                refusal,
            }
        };
        let mut number = 0;
        let mut line = Vec::new();
        loop {
            number += 1;
            line.clear();
            match read_line(text, limit, &mut line).map_err(io)? {
                Line::End => return Ok(()),
                Line::TooLong => return Err(too_long(location.line(number), limit)),
                Line::Whole if line.iter().all(u8::is_ascii_whitespace) => continue,
                Line::Whole => {}
            }
            if *taken == 0 && !self.every_line {
                if place == Place::Found && !location.is_called_json() && !begins_object(&line) {
                    let refusal = Refusal::new(ErrorCode::NotJson, "not a JSON document");
                    return Err(refused(location.clone())(refusal));
                }
                let is_last = text.fill_buf().map_err(io)?.is_empty();
                if is_last || self.goes_on(&line) {
                    read_rest(text, limit, &mut line)
                        .map_err(io)?
                        .ok_or_else(|| too_long(location.clone(), limit))?;
                    return self
                        .hand_over(location, std::mem::take(&mut line))
                        .map_err(refused(location.clone()));
                }
            }
            let at = location.line(number);
            self.hand_over(&at, std::mem::take(&mut line))
                .map_err(refused(at.clone()))?;
            *taken += 1;
        }
    }

    /// Whether the document that begins with `line` is not over at its end. A line that is wrong
    /// before its end is a line: so its number can be told.
    fn goes_on(&self, line: &[u8]) -> bool {
        matches!(
            canonicalize(line, &self.limits),
            Err(ParseError::NotJson { offset, .. } | ParseError::Number { offset })
                if offset >= line.len()
        )
    }
}

fn begins_object(line: &[u8]) -> bool {
    line.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

fn too_long(location: Location, limit: usize) -> ReadError {
    let what = if location.line.is_some() {
        "the line"
    } else {
        "the document"
    };
    ReadError::refused(
        location,
        ErrorCode::RecordTooLarge,
        format!("{what} is longer than {limit} bytes"),
    )
}

/// Reads up to the next line feed, or the end of the text. Holds `limit` bytes at most.
fn read_line(text: &mut dyn BufRead, limit: usize, line: &mut Vec<u8>) -> io::Result<Line> {
    let mut any = false;
    loop {
        let chunk = match text.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            chunk => chunk?,
        };
        if chunk.is_empty() {
            return Ok(if any { Line::Whole } else { Line::End });
        }
        any = true;
        let end = memchr::memchr(b'\n', chunk);
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        if part.len() > limit - line.len() {
            return Ok(Line::TooLong);
        }
        grow(line, part, limit);
        let used = part.len() + usize::from(end.is_some());
        text.consume(used);
        if end.is_some() {
            return Ok(Line::Whole);
        }
    }
}

/// Reads the rest of a document that began with `line`. None where that is longer than `limit`.
fn read_rest(text: &mut dyn BufRead, limit: usize, line: &mut Vec<u8>) -> io::Result<Option<()>> {
    let mut separator: &[u8] = b"\n";
    loop {
        let chunk = match text.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            chunk => chunk?,
        };
        if chunk.is_empty() {
            return Ok(Some(()));
        }
        let length = chunk.len();
        if separator.len() + length > limit - line.len() {
            return Ok(None);
        }
        grow(line, separator, limit);
        grow(line, chunk, limit);
        separator = b"";
        text.consume(length);
    }
}

/// Appends; the capacity doubles as usual, but never beyond `limit`.
pub(super) fn grow(line: &mut Vec<u8>, part: &[u8], limit: usize) {
    let needed = line.len() + part.len();
    if needed > line.capacity() {
        let target = needed
            .max(line.capacity().saturating_mul(2))
            .min(limit)
            .max(needed);
        line.reserve_exact(target - line.len());
    }
    line.extend_from_slice(part);
}
