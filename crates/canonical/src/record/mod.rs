//! The canonical form of evidence: the bytes that are stored, hashed and exported.
//!
//! - UTF-8, no white space outside strings, nothing after the document;
//! - the members of each object in ascending order of their names' code points (which is the order
//!   of their UTF-8 bytes), escapes decoded, no name twice;
//! - in strings only `"`, `\` and the control characters below U+0020 are escaped: `\"`, `\\`,
//!   `\b`, `\t`, `\n`, `\f`, `\r`, and `\u00xx` in lower-case hexadecimal for the others;
//! - numbers exactly as they were written: `1.10`, `-0`, `1e400` and `12345678901234567890` are
//!   evidence, and a reader that rounds them changes it.
//!
//! Most lines that arrive are already in this form and everything that is exported is, so
//! [`check`] is the hot path: one pass that compares and allocates nothing. [`check_record`] also
//! notes where members stand while it passes them. [`canonicalize`] rebuilds only what fails.
//!
//! The same text as `json.dumps(v, sort_keys=True, separators=(",", ":"), ensure_ascii=False)`
//! of Python, but for numbers that Python formats anew.

mod error;
mod key_order;
mod limits;
mod members;
mod normalise;
mod reorder;
mod scan;
mod spill;
mod top_level;

use std::borrow::Cow;

pub use error::{JcsFormError, ParseError, Reason};
pub use limits::Limits;
pub use members::{Member, Members, member_path, members, string_value};
pub use top_level::TopLevel;

pub(crate) use key_order::KeyOrder;
pub(crate) use normalise::{Fault, Numbers, normalise};

use top_level::Outline;

/// Says whether `line` is in canonical form, byte for byte. A line feed at its end is not part of
/// it.
///
/// # Errors
/// The first point in which it is not.
pub fn check(line: &[u8], limits: &Limits) -> Result<(), Reason> {
    match scan::scan(line, limits, &mut scan::Unobserved) {
        Ok(()) => Ok(()),
        Err(misfit) => Err(explain(line, limits, misfit)),
    }
}

/// [`check`] for a record, which is an object: the same pass notes where its members stand, so
/// that guardrails need not look for them again.
///
/// # Errors
/// As [`check`], and [`Reason::NotAnObject`].
pub fn check_record<'a>(line: &'a [u8], limits: &Limits) -> Result<TopLevel<'a>, Reason> {
    let mut outline = Outline::default();
    match scan::scan(line, limits, &mut outline) {
        Ok(()) if line.first() == Some(&b'{') => Ok(TopLevel::new(line, outline)),
        Ok(()) => Err(Reason::NotAnObject),
        Err(misfit) => Err(explain(line, limits, misfit)),
    }
}

/// The canonical form of `input`: itself where it is already in that form, else rebuilt. White
/// space around the document is dropped.
///
/// # Errors
/// Where it has no canonical form.
pub fn canonicalize<'a>(input: &'a [u8], limits: &Limits) -> Result<Cow<'a, [u8]>, ParseError> {
    if scan::scan(input, limits, &mut scan::Unobserved).is_ok() {
        return Ok(Cow::Borrowed(input));
    }
    rebuild(input, limits).map(Cow::Owned)
}

/// The RFC 8785 form of evidence: numbers as ECMAScript prints them as doubles, names sorted by
/// UTF-16 code units. It is *not* what is stored; it only tells whether a content hash that does
/// not match the canonical form was made by a tool that formats numbers. [`Limits::default`]
/// apply.
///
/// # Errors
/// Where `raw` has no such form.
pub fn jcs_form(raw: &[u8]) -> Result<Vec<u8>, JcsFormError> {
    normalise(raw, &Limits::default(), Numbers::Double, KeyOrder::Utf16).map_err(
        |fault| match fault {
            Fault::Invalid(error) => JcsFormError::Invalid(error),
            Fault::Refused(offset) => JcsFormError::Range { offset },
        },
    )
}

fn rebuild(input: &[u8], limits: &Limits) -> Result<Vec<u8>, ParseError> {
    normalise(input, limits, Numbers::AsWritten, KeyOrder::CodePoint).map_err(|fault| match fault {
        Fault::Invalid(error) => error,
        Fault::Refused(offset) => ParseError::Number { offset },
    })
}

/// The scanner only knows where a line stops being canonical. The slow path tells whether it is
/// JSON at all; if it is, only three things can have stopped the scanner.
#[cold]
fn explain(line: &[u8], limits: &Limits, misfit: scan::Misfit) -> Reason {
    if let Err(error) = rebuild(line, limits) {
        return Reason::Invalid(error);
    }
    match misfit {
        scan::Misfit::KeyOrder(offset) => Reason::KeyOrder { offset },
        scan::Misfit::Token(offset) if line.get(offset) == Some(&b'\\') => {
            Reason::Escape { offset }
        }
        scan::Misfit::Token(offset) => Reason::WhiteSpace { offset },
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
