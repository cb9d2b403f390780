//! A page of records that is being filled: from lines of the index, and then from their bodies.

use export_ports::{PageBudget, PortError, RecordPage, RecordRef};

use super::Store;
use super::body::{self, Wanted};
use super::entry::Line;

/// The page. Which records it has is decided by their lines, before any body is read.
pub(super) struct Filling {
    page: RecordPage,
    budget: PageBudget,
    wanted: Vec<Wanted>,
    /// Bytes of all records so far.
    end: usize,
}

impl Filling {
    /// A page within `budget`, in the place of one that was read.
    pub(super) fn new(mut spare: RecordPage, budget: PageBudget) -> Self {
        spare.records.clear();
        spare.bytes.clear();
        Self {
            page: spare,
            budget,
            wanted: Vec::new(),
            end: 0,
        }
    }

    /// How many more records it may have: at least one in all, whatever the budget.
    pub(super) fn room(&self) -> usize {
        let most = self.budget.records.max(1);
        most.saturating_sub(self.page.records.len())
    }

    /// Adds the record of a line where it fits; says whether the page has room for more.
    pub(super) fn add(&mut self, line: Line) -> bool {
        // The size of a line is checked when it is read: it is that of some record.
        let size = usize::try_from(line.entry.size).unwrap_or(usize::MAX);
        let next = self.end.saturating_add(size);
        if self.end > 0 && next > self.budget.bytes {
            return false;
        }
        self.wanted.push(Wanted {
            seq: line.seq,
            place: self.end..next,
        });
        self.page.records.push(RecordRef {
            id: line.entry.position.id,
            subject_key: line.entry.position.subject_key,
            bytes: self.end..next,
            record_sha256: line.entry.record_sha256,
            admitted: line.admitted,
        });
        self.end = next;
        self.room() > 0
    }

    /// The page, its bodies read.
    pub(super) async fn finish(mut self, store: &Store) -> Result<RecordPage, PortError> {
        self.page.bytes.resize(self.end, 0);
        body::read(store, self.wanted, &mut self.page.bytes).await?;
        Ok(self.page)
    }
}
