//! The lines of listings and deltas: one form in which each is written, and a reader that takes no
//! other.
//!
//! A reader takes a line apart, writes what it found, and compares. So nothing in a listing is
//! ambiguous, and a line means what its digest says.

use std::cmp::Ordering;
use std::io::{BufRead as _, BufReader, Read};
use std::ops::Range;

use export_canonical::record::string_value;
use export_model::{Kind, Sha256Digest};
use memchr::memchr2;

use crate::delta::Op;
use crate::path::DocumentPath;
use crate::{LineFault, ListingError, MAX_DOCUMENT_BYTES, MAX_LINE_BYTES};

/// Longest `_id` and `subject_key`, in bytes: the ledger's own limit.
const MOST_ID: usize = 1024;
const BUFFER_BYTES: usize = 128 << 10;

/// One document of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it is.
    pub kind: Kind,
    /// What it is about.
    pub subject_key: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Where it lies in the tree.
    pub path: &'a str,
    /// SHA-256 of its bytes.
    pub sha256: Sha256Digest,
    /// How many bytes it has.
    pub size: u64,
    /// The line it was read from, with its line end.
    pub line: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Its place in canonical order.
    #[must_use]
    pub fn key(&self) -> (Kind, &'a str, &'a str) {
        (self.kind, self.subject_key, self.id)
    }
}

/// What a line says, before it is written.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) op: Option<Op>,
    pub(crate) kind: Kind,
    pub(crate) subject_key: &'a str,
    pub(crate) id: &'a str,
    pub(crate) sha256: &'a Sha256Digest,
    pub(crate) size: u64,
}

impl Line<'_> {
    /// Appends the line, and a line end.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_at(&DocumentPath::of(self.kind, self.id), out);
    }

    fn write_at(&self, path: &DocumentPath, out: &mut Vec<u8>) {
        out.reserve(320 + self.id.len() + self.subject_key.len());
        out.extend_from_slice(b"{\"_id\":\"");
        push_escaped(out, self.id);
        out.extend_from_slice(b"\",\"kind\":\"");
        out.extend_from_slice(self.kind.as_str().as_bytes());
        if let Some(op) = self.op {
            out.extend_from_slice(b"\",\"op\":\"");
            out.extend_from_slice(op.as_str().as_bytes());
        }
        out.extend_from_slice(b"\",\"path\":\"");
        out.extend_from_slice(path.as_bytes());
        out.extend_from_slice(b"\",\"sha256\":\"sha256:");
        push_hex(out, self.sha256);
        out.extend_from_slice(b"\",\"size\":");
        push_number(out, self.size);
        out.extend_from_slice(b",\"subject_key\":\"");
        push_escaped(out, self.subject_key);
        out.extend_from_slice(b"\"}\n");
    }
}

/// Appends `text` as the inside of a JSON string, escaped minimally (RFC 8785, 3.2.2.2).
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    if !any_of(rest, |byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        out.extend_from_slice(rest);
        return;
    }
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\'))
    {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else {
            return;
        };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            8 => out.extend_from_slice(b"\\b"),
            9 => out.extend_from_slice(b"\\t"),
            10 => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            13 => out.extend_from_slice(b"\\r"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&pair(byte));
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Whether any byte is as `test` says. Looks at all of them, which is faster than stopping: many at
/// once.
fn any_of(bytes: &[u8], test: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(false, |any, byte| any | test(*byte))
}

/// Whether a ledger's record may have `text` as an id.
fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=MOST_ID).contains(&bytes.len())
        && (!any_of(bytes, |byte| !(b' '..0x7f).contains(&byte))
            || !text.chars().any(char::is_control))
}

pub(crate) fn push_hex(out: &mut Vec<u8>, digest: &Sha256Digest) {
    let mut digits = [0; 64];
    for (to, byte) in digits.chunks_exact_mut(2).zip(digest.0) {
        to.copy_from_slice(&pair(byte));
    }
    out.extend_from_slice(&digits);
}

fn pair(byte: u8) -> [u8; 2] {
    let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    [digit(byte >> 4), digit(byte & 15)]
}

pub(crate) fn push_number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [b'0'; 20];
    let mut from = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        from -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(from..).unwrap_or_default());
}

/// A text in a line: as it stands there, or decoded where it has an escape.
enum Text {
    Plain(Range<usize>),
    Decoded(String),
}

/// A line that was read.
struct Parsed {
    /// The line with its line end.
    raw: String,
    op: Option<Op>,
    kind: Kind,
    id: Text,
    subject_key: Text,
    path: Range<usize>,
    sha256: Sha256Digest,
    size: u64,
}

impl Parsed {
    fn none() -> Self {
        Self {
            raw: String::new(),
            op: None,
            kind: Kind::Advisory,
            id: Text::Plain(0..0),
            subject_key: Text::Plain(0..0),
            path: 0..0,
            sha256: Sha256Digest([0; 32]),
            size: 0,
        }
    }

    fn text<'a>(&'a self, text: &'a Text) -> &'a str {
        match text {
            Text::Plain(range) => self.raw.get(range.clone()).unwrap_or_default(),
            Text::Decoded(text) => text,
        }
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            kind: self.kind,
            subject_key: self.text(&self.subject_key),
            id: self.text(&self.id),
            path: self.raw.get(self.path.clone()).unwrap_or_default(),
            sha256: self.sha256,
            size: self.size,
            line: self.raw.as_bytes(),
        }
    }
}

/// Reads lines, each after the one before it.
pub(crate) struct LineReader<R> {
    what: &'static str,
    with_op: bool,
    /// Whether somebody else answers for how lines are written.
    known: bool,
    inner: BufReader<R>,
    current: Parsed,
    previous: Parsed,
    scratch: Vec<u8>,
    number: u64,
    /// Whether there is a current line.
    there: bool,
}

impl<R: Read> LineReader<R> {
    pub(crate) fn new(inner: R, what: &'static str, with_op: bool) -> Self {
        Self {
            what,
            with_op,
            known: false,
            inner: BufReader::with_capacity(BUFFER_BYTES, inner),
            current: Parsed::none(),
            previous: Parsed::none(),
            scratch: Vec::new(),
            number: 0,
            there: false,
        }
    }

    /// Believes how lines are written.
    pub(crate) fn of_known(self) -> Self {
        Self {
            known: true,
            ..self
        }
    }

    /// Goes to the next line; false at the end.
    pub(crate) fn advance(&mut self) -> Result<bool, ListingError> {
        std::mem::swap(&mut self.current, &mut self.previous);
        let had = self.number > 0;
        self.there = false;
        let mut bytes = std::mem::take(&mut self.current.raw).into_bytes();
        bytes.clear();
        let most = MAX_LINE_BYTES as u64 + 1;
        let read = (&mut self.inner).take(most).read_until(b'\n', &mut bytes);
        let what = self.what;
        let line = self.number + 1;
        if read.map_err(|source| ListingError::Read { what, line, source })? == 0 {
            // The previous line stays what it was, should anybody ask again.
            std::mem::swap(&mut self.current, &mut self.previous);
            return Ok(false);
        }
        self.number = line;
        self.take(bytes, had)
            .map_err(|fault| ListingError::Line { what, line, fault })?;
        self.there = true;
        Ok(true)
    }

    fn take(&mut self, bytes: Vec<u8>, had: bool) -> Result<(), LineFault> {
        if bytes.last() != Some(&b'\n') {
            return Err(if bytes.len() > MAX_LINE_BYTES {
                LineFault::TooLong
            } else {
                LineFault::Unended
            });
        }
        let raw = String::from_utf8(bytes).map_err(|_| LineFault::Form)?;
        self.current = parse(raw, self.with_op).ok_or(LineFault::Form)?;
        if !self.known {
            self.check()?;
        }
        if !had {
            return Ok(());
        }
        match self.previous.entry().key().cmp(&self.current.entry().key()) {
            Ordering::Less => Ok(()),
            Ordering::Equal => Err(LineFault::Twice),
            Ordering::Greater => Err(LineFault::Order),
        }
    }

    /// Whether the current line is the one that would be written of what it says.
    fn check(&mut self) -> Result<(), LineFault> {
        let entry = self.current.entry();
        for (member, text) in [("_id", entry.id), ("subject_key", entry.subject_key)] {
            if !is_id(text) {
                return Err(LineFault::Id(member));
            }
        }
        if entry.size > MAX_DOCUMENT_BYTES {
            return Err(LineFault::Size(entry.size));
        }
        let path = DocumentPath::of(entry.kind, entry.id);
        if path.as_bytes() != entry.path.as_bytes() {
            return Err(LineFault::Path {
                found: entry.path.chars().take(200).collect(),
                expected: path.to_string(),
            });
        }
        self.scratch.clear();
        let line = Line {
            op: self.current.op,
            kind: entry.kind,
            subject_key: entry.subject_key,
            id: entry.id,
            sha256: &entry.sha256,
            size: entry.size,
        };
        line.write_at(&path, &mut self.scratch);
        if self.scratch != entry.line {
            return Err(LineFault::Form);
        }
        Ok(())
    }

    /// The line that was read last; none before the first and after the end.
    pub(crate) fn current(&self) -> Option<Entry<'_>> {
        self.there.then(|| self.current.entry())
    }

    /// What is to be done, as the current line says.
    pub(crate) fn op(&self) -> Option<Op> {
        self.current.op
    }

    /// Lines read so far.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

/// Takes a line apart. Whether it is in its one form is not looked at here.
fn parse(raw: String, with_op: bool) -> Option<Parsed> {
    let mut scan = Scan { raw: &raw, at: 0 };
    scan.skip("{\"_id\":\"")?;
    let id = scan.text()?;
    scan.skip("\",\"kind\":\"")?;
    let kind = scan.plain()?.parse().ok()?;
    let op = if with_op {
        scan.skip("\",\"op\":\"")?;
        Some(Op::of(scan.plain()?)?)
    } else {
        None
    };
    scan.skip("\",\"path\":\"")?;
    let start = scan.at;
    let path = start..start + scan.plain()?.len();
    scan.skip("\",\"sha256\":\"sha256:")?;
    let sha256 = digest(scan.plain()?)?;
    scan.skip("\",\"size\":")?;
    let size = scan.number()?;
    scan.skip(",\"subject_key\":\"")?;
    let subject_key = scan.text()?;
    scan.skip("\"}\n")?;
    if scan.at != raw.len() {
        return None;
    }
    Some(Parsed {
        op,
        kind,
        id,
        subject_key,
        path,
        sha256,
        size,
        raw,
    })
}

/// The digest that 64 hexadecimal digits stand for.
fn digest(digits: &str) -> Option<Sha256Digest> {
    let digits: &[u8; 64] = digits.as_bytes().try_into().ok()?;
    let mut digest = [0; 32];
    let mut wrong = false;
    for (byte, pair) in digest.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = pair.map(|digit| match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => 0xff,
        });
        wrong |= (high | low) > 15;
        *byte = high << 4 | low;
    }
    (!wrong).then_some(Sha256Digest(digest))
}

/// A place in a line.
struct Scan<'a> {
    raw: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        self.raw.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, text: &str) -> Option<()> {
        let fits = self.rest().as_bytes().starts_with(text.as_bytes());
        self.at += text.len();
        fits.then_some(())
    }

    /// The text before the next quote, where it has no escape.
    fn plain(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let end = memchr2(b'"', b'\\', rest.as_bytes())?;
        self.at += end;
        (rest.as_bytes().get(end) == Some(&b'"')).then(|| rest.get(..end))?
    }

    /// The text before the next quote that ends a string.
    fn text(&mut self) -> Option<Text> {
        let start = self.at;
        let bytes = self.raw.as_bytes();
        let mut escaped = false;
        loop {
            let found = memchr2(b'"', b'\\', bytes.get(self.at..)?)?;
            self.at += found;
            if bytes.get(self.at) == Some(&b'"') {
                break;
            }
            escaped = true;
            self.at += 2;
        }
        if !escaped {
            return Some(Text::Plain(start..self.at));
        }
        let quoted = bytes.get(start.checked_sub(1)?..=self.at)?;
        string_value(quoted).map(|text| Text::Decoded(text.into_owned()))
    }

    fn number(&mut self) -> Option<u64> {
        let rest = self.rest();
        let end = rest.bytes().take(20).take_while(u8::is_ascii_digit).count();
        self.at += end;
        rest.get(..end)?.parse().ok()
    }
}
