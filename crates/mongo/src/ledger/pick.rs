//! Records at positions that are named, looked up in batches of them: each is one query of the index.

use export_model::Position;
use export_ports::{PageBudget, PortError, RecordPage, Scan};
use mongodb::bson::doc;

use super::Store;
use super::entry::Line;
use super::page::Filling;
use super::schema::WALK;
use super::walk::{Query, Range, Walk};

/// Positions of the first query, and of one at most. How many of them fill a page is known only then.
const FIRST: usize = 64;
const MOST: usize = 500;
/// Most bytes of the positions of a query of more than one. A command has at most 16 MiB, of which
/// selectors may take their part.
const MOST_BYTES: usize = 1 << 20;

pub(super) async fn pick(
    store: &Store,
    scan: &Scan,
    positions: &[Position],
    budget: PageBudget,
    spare: RecordPage,
) -> Result<RecordPage, PortError> {
    let mut page = Filling::new(spare, budget);
    let mut walk = Walk::new(store, scan, &Range::default());
    let (mut rest, mut most) = (positions, FIRST);
    if walk.selects_nothing() {
        rest = &[];
    }
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(batch(rest, most));
        let lines = walk.at(batch).await?;
        if !lines.into_iter().all(|line| page.add(line)) {
            break;
        }
        (rest, most) = (later, (most * 2).min(MOST));
    }
    page.finish(store).await
}

/// How many of `positions` one query asks for: at most `most`, and at least one.
fn batch(positions: &[Position], most: usize) -> usize {
    let mut bytes = 0_usize;
    let fits = |position: &&Position| {
        bytes += position.subject_key.len() + position.id.len();
        bytes <= MOST_BYTES
    };
    let count = positions.iter().take(most).take_while(fits).count();
    count.max(1)
}

impl Walk<'_> {
    /// The lines at `positions`, which ascend, in their order; of those that have none, nothing.
    async fn at(&mut self, positions: &[Position]) -> Result<Vec<Line>, PortError> {
        let mut lines = Vec::new();
        let query = self.query_at(positions);
        self.ask(query, positions.len(), &mut lines).await?;
        // An id that was asked for may be one of another subject that was asked for too.
        lines.retain(|line| positions.binary_search(&line.entry.position).is_ok());
        Ok(lines)
    }

    /// The query for what is at `positions`: one scan of the walk's index that jumps from one key to
    /// the next. Subjects and ids are not paired, since a planner would plan each pair by itself; and
    /// need not be, since no two entries of a tenant and a kind have one id. So no more entries are
    /// found than positions were given.
    pub(super) fn query_at(&self, positions: &[Position]) -> Query {
        let mut subjects: Vec<&str> = positions.iter().map(|p| &*p.subject_key).collect();
        subjects.dedup();
        let ids: Vec<&str> = positions.iter().map(|p| &*p.id).collect();
        let mut query = self.query(&doc! {
            "subject_key": { "$in": subjects },
            "id": { "$in": ids },
        });
        // Whatever is selected: nothing that selectors ask for is as rare as a position.
        query.index = Some(WALK);
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_bounded() {
        let position = |length: usize| Position {
            subject_key: "s".repeat(length),
            id: "i".to_owned(),
        };
        assert_eq!(batch(&vec![position(10); 501], MOST), 500);
        assert_eq!(batch(&vec![position(10); 70], FIRST), 64);
        assert_eq!(batch(&vec![position(10); 3], FIRST), 3);
        assert_eq!(batch(&vec![position(400_000); 3], FIRST), 2);
        assert_eq!(batch(&vec![position(2 << 20); 3], FIRST), 1);
    }
}
