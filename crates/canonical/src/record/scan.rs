//! The hot path: one pass over a line that is expected to be canonical.
//!
//! The scanner accepts exactly the canonical form and says nothing about why it stops; that is
//! worked out afterwards, off this path. Nesting is kept on an explicit stack, so depth costs
//! memory in proportion and never the call stack.

use crate::lex::{byte, canonical_escape, literal_end, number_end, plain_end};

use super::key_order::by_code_point;
use super::limits::Limits;
use super::spill::Spill;

/// Where a line stops being canonical.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    /// The name that starts here is not after its predecessor.
    KeyOrder(usize),
    /// What stands here is not the next token of canonical JSON, or not within the limits.
    Token(usize),
}

/// Is told of the members of objects at nesting levels 1 and 2 as they pass.
pub(super) trait Observer {
    /// False where nothing is observed, so that the calls vanish.
    const ACTIVE: bool;

    /// A name at `start..end` (between its quotes), in an object at `level`.
    fn name(&mut self, level: usize, start: u32, end: u32);

    /// The value of the last name at `level` ends here.
    fn value_end(&mut self, level: usize, end: u32);
}

/// Observes nothing.
pub(super) struct Unobserved;

impl Observer for Unobserved {
    const ACTIVE: bool = false;

    fn name(&mut self, _level: usize, _start: u32, _end: u32) {}

    fn value_end(&mut self, _level: usize, _end: u32) {}
}

/// The deepest level whose members are observed.
const OBSERVED_LEVELS: usize = 2;

/// An open array or object, or the document itself.
#[derive(Debug, Clone, Copy, Default)]
struct Frame {
    /// The last name, between its quotes. 0..0 before the first: no name starts at 0.
    name_start: u32,
    name_end: u32,
    /// The last name has an escape.
    escaped: bool,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Document,
    Array,
    Object,
}

impl Frame {
    fn of(kind: Kind) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }
}

/// Reads `line` as canonical JSON within `limits`.
pub(super) fn scan<O: Observer>(
    line: &[u8],
    limits: &Limits,
    observer: &mut O,
) -> Result<(), Misfit> {
    if line.len() > limits.most_bytes() || simdutf8::basic::from_utf8(line).is_err() {
        return Err(Misfit::Token(0));
    }
    let mut outer = Spill::<Frame, 24>::new();
    let mut frame = Frame::default();
    let mut at = 0;
    'value: loop {
        match byte(line, at) {
            b'"' => at = string_end(line, at + 1)?.0 + 1,
            bracket @ (b'{' | b'[') => {
                if outer.len() >= limits.depth {
                    return Err(Misfit::Token(at));
                }
                outer.push(frame);
                at += 1;
                // '}' and ']' stand two places behind their opening brackets in ASCII.
                if byte(line, at) == bracket + 2 {
                    at += 1;
                    frame = outer.pop().unwrap_or_default();
                } else if bracket == b'[' {
                    frame = Frame::of(Kind::Array);
                    continue 'value;
                } else {
                    frame = Frame::of(Kind::Object);
                    at = name(line, at, &mut frame, outer.len(), observer)?;
                    continue 'value;
                }
            }
            b'-' | b'0'..=b'9' => at = number_end(line, at).map_err(Misfit::Token)?,
            _ => at = literal_end(line, at).ok_or(Misfit::Token(at))?,
        }
        // A value has ended: what follows belongs to what holds it.
        loop {
            if O::ACTIVE && frame.kind == Kind::Object && outer.len() <= OBSERVED_LEVELS {
                observer.value_end(outer.len(), at as u32);
            }
            match (frame.kind, byte(line, at)) {
                (Kind::Object, b',') => {
                    at = name(line, at + 1, &mut frame, outer.len(), observer)?;
                    continue 'value;
                }
                (Kind::Array, b',') => {
                    at += 1;
                    continue 'value;
                }
                (Kind::Object, b'}') | (Kind::Array, b']') => {
                    at += 1;
                    frame = outer.pop().unwrap_or_default();
                }
                (Kind::Document, _) if at == line.len() => return Ok(()),
                _ => return Err(Misfit::Token(at)),
            }
        }
    }
}

/// Reads `"name":` at `at` and gives the position of its value.
#[inline(always)]
fn name<O: Observer>(
    line: &[u8],
    at: usize,
    frame: &mut Frame,
    level: usize,
    observer: &mut O,
) -> Result<usize, Misfit> {
    if byte(line, at) != b'"' {
        return Err(Misfit::Token(at));
    }
    let start = at + 1;
    let (end, escaped) = string_end(line, start)?;
    if byte(line, end + 1) != b':' {
        return Err(Misfit::Token(end + 1));
    }
    if frame.name_start != 0 && !ascends(line, frame, start..end, escaped) {
        return Err(Misfit::KeyOrder(start));
    }
    // Positions fit: the limit on size is far below 4 GiB.
    frame.name_start = start as u32;
    frame.name_end = end as u32;
    frame.escaped = escaped;
    if O::ACTIVE && level <= OBSERVED_LEVELS {
        observer.name(level, frame.name_start, frame.name_end);
    }
    Ok(end + 2)
}

/// Whether the name at `next` is strictly after the frame's last one.
#[inline(always)]
fn ascends(line: &[u8], frame: &Frame, next: std::ops::Range<usize>, escaped: bool) -> bool {
    let last = line
        .get(frame.name_start as usize..frame.name_end as usize)
        .unwrap_or_default();
    let next = line.get(next).unwrap_or_default();
    if escaped || frame.escaped {
        return by_code_point(last, next).is_lt();
    }
    match (last.first(), next.first()) {
        (Some(a), Some(b)) if a != b => a < b,
        _ => last < next,
    }
}

/// The closing quote of the string whose text starts at `at`, and whether it has escapes.
#[inline(always)]
fn string_end(line: &[u8], mut at: usize) -> Result<(usize, bool), Misfit> {
    let mut escaped = false;
    loop {
        at = plain_end(line, at);
        match byte(line, at) {
            b'"' => return Ok((at, escaped)),
            b'\\' => at += canonical_escape(line, at).ok_or(Misfit::Token(at))?,
            _ => return Err(Misfit::Token(at)),
        }
        escaped = true;
    }
}
