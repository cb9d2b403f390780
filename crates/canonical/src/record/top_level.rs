//! Where the members of a record stand, noted while it is checked.

use super::members::Member;
use super::scan::Observer;
use super::spill::Spill;

/// A member in canonical text: `"name":value`, so its value starts two bytes behind its name.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    level: u32,
    name_start: u32,
    name_end: u32,
    value_end: u32,
}

impl Span {
    fn member<'a>(&self, line: &'a [u8]) -> Member<'a> {
        let range =
            |start: u32, end: u32| line.get(start as usize..end as usize).unwrap_or_default();
        Member {
            key: range(self.name_start, self.name_end),
            value: range(self.name_end + 2, self.value_end),
        }
    }
}

/// Notes the members of levels 1 and 2 in the order in which they start.
#[derive(Debug, Clone)]
pub(super) struct Outline {
    spans: Spill<Span, 48>,
    /// The span whose value is being read, for each level.
    open: [usize; 2],
}

impl Default for Outline {
    fn default() -> Self {
        Self {
            spans: Spill::new(),
            open: [0; 2],
        }
    }
}

impl Observer for Outline {
    const ACTIVE: bool = true;

    #[inline(always)]
    fn name(&mut self, level: usize, start: u32, end: u32) {
        if let Some(open) = self.open.get_mut(level.wrapping_sub(1)) {
            *open = self.spans.len();
        }
        self.spans.push(Span {
            level: level as u32,
            name_start: start,
            name_end: end,
            value_end: end,
        });
    }

    #[inline(always)]
    fn value_end(&mut self, level: usize, end: u32) {
        if let Some(&open) = self.open.get(level.wrapping_sub(1))
            && let Some(span) = self.spans.get_mut(open)
        {
            span.value_end = end;
        }
    }
}

/// The members of a record and of the objects that are its members' values (`content.raw`,
/// `upstream.upstream_id`), found by [`check_record`](super::check_record). What lies deeper is
/// reached with [`member_path`](super::member_path).
#[derive(Debug, Clone)]
pub struct TopLevel<'a> {
    line: &'a [u8],
    outline: Outline,
}

impl<'a> TopLevel<'a> {
    pub(super) fn new(line: &'a [u8], outline: Outline) -> Self {
        Self { line, outline }
    }

    /// The whole line.
    pub fn line(&self) -> &'a [u8] {
        self.line
    }

    /// The record's own members, in order.
    pub fn members(&self) -> impl Iterator<Item = Member<'a>> {
        self.outline
            .spans
            .iter()
            .filter(|span| span.level == 1)
            .map(|span| span.member(self.line))
    }

    /// The members of the object that is the value of `outer`, in order; none where it is not an
    /// object.
    pub fn members_of(&self, outer: &str) -> impl Iterator<Item = Member<'a>> {
        self.outline
            .spans
            .iter()
            .skip_while(move |span| span.level != 1 || !span.member(self.line).is_named(outer))
            .skip(1)
            .take_while(|span| span.level == 2)
            .map(|span| span.member(self.line))
    }

    /// The value of the record's member `name`, in canonical form.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.members()
            .find(|member| member.is_named(name))
            .map(|member| member.value)
    }

    /// The value of member `inner` of the object that is the value of `outer`.
    pub fn get_in(&self, outer: &str, inner: &str) -> Option<&'a [u8]> {
        self.members_of(outer)
            .find(|member| member.is_named(inner))
            .map(|member| member.value)
    }
}
