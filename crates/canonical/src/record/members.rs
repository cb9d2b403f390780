//! Reading single members out of text that is already known to be canonical.
//!
//! Nothing here validates: on any other text the results are unspecified (but nothing panics and
//! nothing loops).

use std::borrow::Cow;

use crate::lex::{byte, decode_escape, plain_end};

/// One member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name as it is spelt, without the quotes.
    pub key: &'a [u8],
    /// The bytes of its value.
    pub value: &'a [u8],
}

impl<'a> Member<'a> {
    /// Its name with escapes decoded; `None` only where the text was not canonical.
    pub fn name(&self) -> Option<Cow<'a, str>> {
        unescape(self.key)
    }

    /// Whether its name, with escapes decoded, is `name`.
    pub fn is_named(&self, name: &str) -> bool {
        if self.key.contains(&b'\\') {
            return self.name().is_some_and(|own| own == name);
        }
        self.key == name.as_bytes()
    }
}

/// The members of the object that `canonical_object` is, in order; none where it is another kind
/// of value. Nested values are skipped, not parsed.
pub fn members(canonical_object: &[u8]) -> Members<'_> {
    let at = if canonical_object.first() == Some(&b'{') {
        0
    } else {
        canonical_object.len()
    };
    Members {
        text: canonical_object,
        at,
    }
}

/// Iterator over the members of an object; see [`members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    text: &'a [u8],
    /// The `{` or `,` before the next member, or the end.
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        if !matches!(byte(self.text, self.at), b'{' | b',') || byte(self.text, self.at + 1) != b'"'
        {
            return None;
        }
        let name_start = self.at + 2;
        let name_end = skip_string(self.text, name_start)?;
        let value_start = name_end + 2;
        let value_end = skip_value(self.text, value_start)?;
        self.at = value_end;
        Some(Member {
            key: self.text.get(name_start..name_end)?,
            value: self.text.get(value_start..value_end)?,
        })
    }
}

/// The value that `path` leads to, by name through nested objects: `["content", "raw"]`. An empty
/// path leads to the whole.
pub fn member_path<'a>(bytes: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |object, name| {
        members(object)
            .find(|member| member.is_named(name))
            .map(|member| member.value)
    })
}

/// The text that a JSON string, with its quotes, stands for. `None` where `slice` is not one
/// string (or not UTF-8).
pub fn string_value(slice: &[u8]) -> Option<Cow<'_, str>> {
    let inner = slice.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    unescape(inner)
}

/// The text that the inside of a JSON string stands for.
pub(super) fn unescape(inner: &[u8]) -> Option<Cow<'_, str>> {
    let first = plain_end(inner, 0);
    if first == inner.len() {
        return simdutf8::basic::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    let text = simdutf8::basic::from_utf8(inner).ok()?;
    let mut out = String::with_capacity(inner.len());
    let mut at = 0;
    loop {
        let end = plain_end(inner, at);
        out.push_str(text.get(at..end)?);
        if end == inner.len() {
            return Some(Cow::Owned(out));
        }
        if byte(inner, end) != b'\\' {
            return None;
        }
        let (c, length) = decode_escape(inner, end).ok()?;
        out.push(c);
        at = end + length;
    }
}

/// The closing quote of the string whose text starts at `at`.
fn skip_string(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = plain_end(text, at);
        match byte(text, at) {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => return None,
        }
    }
}

/// The end of the value that starts at `at`: the first comma or closing bracket behind it that is
/// not its own.
fn skip_value(text: &[u8], mut at: usize) -> Option<usize> {
    let mut open = 0usize;
    loop {
        match *text.get(at)? {
            b'"' => at = skip_string(text, at + 1)?,
            b'{' | b'[' => open += 1,
            b'}' | b']' if open == 0 => return Some(at),
            b'}' | b']' => open -= 1,
            b',' if open == 0 => return Some(at),
            _ => {}
        }
        at += 1;
    }
}
