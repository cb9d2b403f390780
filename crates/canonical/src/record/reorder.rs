//! The slow path, second half: puts the members of unsorted objects in order, copying every byte
//! once.

/// A member in compact text: from the quote before its name to the end of its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemberSpan {
    start: u32,
    name_end: u32,
    end: u32,
    /// Where the name stood in the input.
    offset: u32,
}

impl MemberSpan {
    /// `start..name_end` is the name with its quotes; `offset` is its position in the input.
    pub(super) fn new(start: usize, name_end: usize, offset: usize) -> Self {
        let (start, name_end) = (narrow(start), narrow(name_end));
        Self {
            start,
            name_end,
            end: name_end,
            offset: narrow(offset),
        }
    }

    pub(super) fn set_end(&mut self, end: usize) {
        self.end = narrow(end);
    }

    pub(super) fn offset(&self) -> usize {
        self.offset as usize
    }

    /// The name without its quotes.
    pub(super) fn name<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.start as usize + 1..(self.name_end as usize).saturating_sub(1))
            .unwrap_or_default()
    }
}

/// The objects whose members are out of order in the text, and the order they belong in. Two flat
/// lists, so that a text of nothing but small unsorted objects costs little more than its size.
#[derive(Debug, Default)]
pub(super) struct Unsorted {
    objects: Vec<ObjectSpan>,
    members: Vec<(u32, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct ObjectSpan {
    start: u32,
    end: u32,
    /// Its members in the list of members.
    first: u32,
    behind: u32,
}

impl Unsorted {
    /// `start..end` includes the brackets; `sorted` are its members in their proper order.
    pub(super) fn push(&mut self, start: usize, end: usize, sorted: &[MemberSpan]) {
        let first = narrow(self.members.len());
        self.members
            .extend(sorted.iter().map(|member| (member.start, member.end)));
        let behind = narrow(self.members.len());
        self.objects.push(ObjectSpan {
            start: narrow(start),
            end: narrow(end),
            first,
            behind,
        });
    }
}

/// What is still to be written.
enum Task {
    /// A stretch of the text, in which objects may start.
    Stretch(u32, u32),
    /// The members of an object from `next` on (positions in the list of members).
    Members { first: u32, next: u32, behind: u32 },
}

/// The text with the members of all `unsorted` objects in order.
pub(super) fn reorder(text: Vec<u8>, mut unsorted: Unsorted) -> Vec<u8> {
    if unsorted.objects.is_empty() {
        return text;
    }
    unsorted.objects.sort_unstable_by_key(|object| object.start);
    let slice = |from: u32, to: u32| text.get(from as usize..to as usize).unwrap_or_default();
    let mut out = Vec::with_capacity(text.len());
    // What comes next is last in the list.
    let mut tasks = vec![Task::Stretch(0, narrow(text.len()))];
    while let Some(task) = tasks.pop() {
        match task {
            Task::Stretch(from, to) => {
                let next = unsorted
                    .objects
                    .partition_point(|object| object.start < from);
                match unsorted
                    .objects
                    .get(next)
                    .filter(|object| object.start < to)
                {
                    None => out.extend_from_slice(slice(from, to)),
                    Some(&ObjectSpan {
                        start,
                        end,
                        first,
                        behind,
                    }) => {
                        out.extend_from_slice(slice(from, start));
                        tasks.push(Task::Stretch(end, to));
                        tasks.push(Task::Members {
                            first,
                            next: first,
                            behind,
                        });
                    }
                }
            }
            Task::Members { behind, next, .. } if next >= behind => out.push(b'}'),
            Task::Members {
                first,
                next,
                behind,
            } => {
                out.push(if next == first { b'{' } else { b',' });
                tasks.push(Task::Members {
                    first,
                    next: next + 1,
                    behind,
                });
                if let Some(&(start, end)) = unsorted.members.get(next as usize) {
                    tasks.push(Task::Stretch(start, end));
                }
            }
        }
    }
    out
}

/// Positions fit 32 bits because of the limit on size.
fn narrow(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
