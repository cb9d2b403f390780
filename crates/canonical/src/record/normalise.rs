//! The slow path, first half: any JSON text without its white space, with minimal escapes, and
//! with the objects found whose members are out of order.
//!
//! The order is put right afterwards by [`reorder`](super::reorder) in one go: sorting each object
//! as it closes would copy its content once for every level of nesting.

use crate::lex::{BadEscape, byte, decode_escape, literal_end, number_end, plain_end};

use super::error::ParseError;
use super::key_order::KeyOrder;
use super::limits::Limits;
use super::members::unescape;
use super::reorder::{MemberSpan, Unsorted, reorder};

/// How many characters of a name an error repeats.
const NAME_SHOWN: usize = 64;

/// What becomes of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Copied as written.
    AsWritten,
    /// Printed as ECMAScript prints the nearest double; refused beyond its range.
    Double,
    /// Integers that a double holds exactly and in one spelling; refused otherwise.
    SafeInteger,
}

/// Why a text was not normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It has no canonical form.
    Invalid(ParseError),
    /// The number at this offset is well formed but [`Numbers`] refuses it.
    Refused(usize),
}

impl From<ParseError> for Fault {
    fn from(error: ParseError) -> Self {
        Self::Invalid(error)
    }
}

/// Rebuilds `input` with its numbers and order as told.
pub(crate) fn normalise(
    input: &[u8],
    limits: &Limits,
    numbers: Numbers,
    order: KeyOrder,
) -> Result<Vec<u8>, Fault> {
    if input.len() > limits.most_bytes() {
        let (limit, size) = (limits.most_bytes(), input.len());
        return Err(ParseError::TooLarge { limit, size }.into());
    }
    if let Err(error) = simdutf8::compat::from_utf8(input) {
        return Err(ParseError::InvalidUtf8 {
            offset: error.valid_up_to(),
        }
        .into());
    }
    let mut normaliser = Normaliser {
        input,
        at: 0,
        out: Vec::with_capacity(input.len()),
        open: Vec::new(),
        members: Vec::new(),
        unsorted: Unsorted::default(),
        numbers,
        order,
        depth: limits.depth,
    };
    normaliser.document()?;
    Ok(reorder(normaliser.out, normaliser.unsorted))
}

/// An open array, or an open object with what is known of its members.
enum Open {
    Array,
    Object {
        /// The `{` in the output.
        start: usize,
        /// Its first entry in the list of members.
        first: usize,
    },
}

struct Normaliser<'a> {
    input: &'a [u8],
    at: usize,
    out: Vec<u8>,
    open: Vec<Open>,
    /// The members of all open objects, innermost last.
    members: Vec<MemberSpan>,
    unsorted: Unsorted,
    numbers: Numbers,
    order: KeyOrder,
    depth: usize,
}

impl Normaliser<'_> {
    fn document(&mut self) -> Result<(), Fault> {
        self.value()?;
        while let Some(open) = self.open.last() {
            let in_object = matches!(open, Open::Object { .. });
            self.skip_white_space();
            match (byte(self.input, self.at), in_object) {
                (b',', true) => {
                    self.end_member();
                    self.copy_bracket();
                    self.name()?;
                    self.value()?;
                }
                (b',', false) => {
                    self.copy_bracket();
                    self.value()?;
                }
                (b'}', true) => {
                    self.end_member();
                    self.copy_bracket();
                    self.close()?;
                }
                (b']', false) => {
                    self.copy_bracket();
                    self.close()?;
                }
                (_, true) => return Err(self.not_json("expected a comma or '}' after a member")),
                (_, false) => return Err(self.not_json("expected a comma or ']' after a value")),
            }
        }
        self.skip_white_space();
        if self.at < self.input.len() {
            return Err(ParseError::Trailing { offset: self.at }.into());
        }
        Ok(())
    }

    /// Reads a value up to its end, or up to the first value inside it that is not a container.
    fn value(&mut self) -> Result<(), Fault> {
        loop {
            self.skip_white_space();
            match byte(self.input, self.at) {
                b'"' => return self.string(),
                bracket @ (b'{' | b'[') => {
                    if self.open.len() >= self.depth {
                        let (offset, limit) = (self.at, self.depth);
                        return Err(ParseError::TooDeep { offset, limit }.into());
                    }
                    self.open.push(if bracket == b'[' {
                        Open::Array
                    } else {
                        Open::Object {
                            start: self.out.len(),
                            first: self.members.len(),
                        }
                    });
                    self.copy_bracket();
                    self.skip_white_space();
                    // '}' and ']' stand two places behind their opening brackets in ASCII.
                    if byte(self.input, self.at) == bracket + 2 {
                        self.copy_bracket();
                        return self.close();
                    }
                    if bracket == b'{' {
                        self.name()?;
                    }
                }
                b'-' | b'0'..=b'9' => return self.number(),
                _ => {
                    let Some(end) = literal_end(self.input, self.at) else {
                        return Err(self.not_json("expected a value"));
                    };
                    self.out.extend_from_slice(&self.input[self.at..end]);
                    self.at = end;
                    return Ok(());
                }
            }
        }
    }

    /// Reads a member's name and the colon behind it.
    fn name(&mut self) -> Result<(), Fault> {
        self.skip_white_space();
        if byte(self.input, self.at) != b'"' {
            return Err(self.not_json("expected a member's name in quotes"));
        }
        let (offset, start) = (self.at, self.out.len());
        self.string()?;
        self.members
            .push(MemberSpan::new(start, self.out.len(), offset));
        self.skip_white_space();
        if byte(self.input, self.at) != b':' {
            return Err(self.not_json("expected a colon after a member's name"));
        }
        self.copy_bracket();
        Ok(())
    }

    fn end_member(&mut self) {
        if let Some(member) = self.members.last_mut() {
            member.set_end(self.out.len());
        }
    }

    /// Ends the innermost container, whose closing bracket is already in the output.
    fn close(&mut self) -> Result<(), Fault> {
        let Some(Open::Object { start, first }) = self.open.pop() else {
            return Ok(());
        };
        let out = &self.out;
        let compare = |a: &MemberSpan, b: &MemberSpan| self.order.compare(a.name(out), b.name(out));
        let members = self.members.get_mut(first..).unwrap_or_default();
        if !members.is_sorted_by(|a, b| compare(a, b).is_lt()) {
            // Stable, so of two equal names the later one in the input comes later.
            members.sort_by(compare);
            let twice = members
                .windows(2)
                .find(|pair| compare(&pair[0], &pair[1]).is_eq());
            if let Some([_, later]) = twice {
                let name = unescape(later.name(out)).unwrap_or_default();
                let name = name.chars().take(NAME_SHOWN).collect();
                return Err(ParseError::DuplicateMember {
                    offset: later.offset(),
                    name,
                }
                .into());
            }
            self.unsorted.push(start, out.len(), members);
        }
        self.members.truncate(first);
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        self.out.push(b'"');
        self.at += 1;
        loop {
            let end = plain_end(self.input, self.at);
            self.out.extend_from_slice(&self.input[self.at..end]);
            self.at = end;
            match self.input.get(end) {
                Some(b'"') => {
                    self.out.push(b'"');
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    let (c, length) = decode_escape(self.input, end).map_err(|bad| match bad {
                        BadEscape::Unknown => self.not_json("unknown escape in a string"),
                        BadEscape::LoneSurrogate => {
                            ParseError::LoneSurrogate { offset: end }.into()
                        }
                    })?;
                    push_char(&mut self.out, c);
                    self.at += length;
                }
                Some(_) => return Err(self.not_json("unescaped control character in a string")),
                None => return Err(self.not_json("the text ends inside a string")),
            }
        }
    }

    fn number(&mut self) -> Result<(), Fault> {
        let end =
            number_end(self.input, self.at).map_err(|offset| ParseError::Number { offset })?;
        let lexeme = &self.input[self.at..end];
        match self.numbers {
            Numbers::AsWritten => self.out.extend_from_slice(lexeme),
            Numbers::SafeInteger if is_safe_integer(lexeme) => self.out.extend_from_slice(lexeme),
            Numbers::SafeInteger => return Err(Fault::Refused(self.at)),
            Numbers::Double => {
                let text = es6_number(lexeme).ok_or(Fault::Refused(self.at))?;
                self.out.extend_from_slice(text.as_bytes());
            }
        }
        self.at = end;
        Ok(())
    }

    /// Copies the single byte of a structural character.
    fn copy_bracket(&mut self) {
        self.out.push(byte(self.input, self.at));
        self.at += 1;
    }

    fn skip_white_space(&mut self) {
        while matches!(byte(self.input, self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn not_json(&self, what: &'static str) -> Fault {
        let what = if self.at >= self.input.len() {
            "the text ends too early"
        } else {
            what
        };
        ParseError::NotJson {
            offset: self.at,
            what,
        }
        .into()
    }
}

/// Writes one character of a string with the escape that it needs, if any.
fn push_char(out: &mut Vec<u8>, c: char) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match c {
        '"' => b'"',
        '\\' => b'\\',
        '\u{8}' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\u{c}' => b'f',
        '\r' => b'r',
        '\0'..='\u{1f}' => {
            let code = c as usize;
            out.extend_from_slice(b"\\u00");
            out.extend([HEX[code >> 4], HEX[code & 15]]);
            return;
        }
        _ => {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return;
        }
    };
    out.extend([b'\\', short]);
}

/// Whether `lexeme` (a JSON number) is an integer of at most 2^53 − 1 either way, spelt as RFC
/// 8785 spells it: no fraction, no exponent, no `-0`.
fn is_safe_integer(lexeme: &[u8]) -> bool {
    const MOST: u64 = (1 << 53) - 1;
    let digits = lexeme.strip_prefix(b"-").unwrap_or(lexeme);
    if digits.len() < lexeme.len() && digits == b"0" {
        return false;
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse::<u64>().ok())
        .is_some_and(|value| value <= MOST)
}

/// `lexeme` (a JSON number) as RFC 8785, section 3.2.2.3 prints it; `None` beyond a double.
fn es6_number(lexeme: &[u8]) -> Option<String> {
    let value: f64 = std::str::from_utf8(lexeme).ok()?.parse().ok()?;
    if !value.is_finite() {
        return None;
    }
    serde_json_canonicalizer::to_string(&value).ok()
}
