//! The walk over the index: entries that are visible and selected, in canonical order.

use export_model::{Kind, Position, Revisions, StoredFacets};
use export_ports::{PortError, Scan};
use mongodb::bson::{Document, RawDocument, doc};
use mongodb::options::Hint;

use super::Store;
use super::body::read_file;
use super::call::damaged;
use super::entry::{
    self, FACET_FIELDS, LINE_FIELDS, Line, Sources, inline_facets, key_of, watermark_number,
};
use super::filter::Selection;
use super::schema::{ENTRIES, WALK};
use crate::failure::failed;

/// Most entries of one query.
const MAX_QUERY: usize = 10_000;

/// A part of canonical order.
#[derive(Clone, Debug, Default)]
pub(super) struct Range {
    /// Where it begins, and whether that is part of it.
    pub(super) lower: Option<(Position, bool)>,
    /// Where it ends, inclusive.
    pub(super) upper: Option<Position>,
}

impl Range {
    /// The range as conditions, in order, none of which overlap. Each is one interval of an index
    /// that ends with `subject_key` and `id`; a single `$or` would leave it to a planner to see that.
    fn intervals(&self) -> Vec<Document> {
        let from = self.lower.as_ref().map(|(position, inclusive)| {
            let operator = if *inclusive { "$gte" } else { "$gt" };
            (position, operator)
        });
        match (from, &self.upper) {
            (None, None) => vec![Document::new()],
            (Some((lower, operator)), None) => vec![
                doc! { "subject_key": &lower.subject_key, "id": { operator: &lower.id } },
                doc! { "subject_key": { "$gt": &lower.subject_key } },
            ],
            (None, Some(upper)) => vec![
                doc! { "subject_key": { "$lt": &upper.subject_key } },
                doc! { "subject_key": &upper.subject_key, "id": { "$lte": &upper.id } },
            ],
            (Some((lower, operator)), Some(upper)) => {
                match lower.subject_key.cmp(&upper.subject_key) {
                    std::cmp::Ordering::Greater => Vec::new(),
                    std::cmp::Ordering::Equal => vec![doc! {
                        "subject_key": &lower.subject_key,
                        "id": { operator: &lower.id, "$lte": &upper.id },
                    }],
                    std::cmp::Ordering::Less => vec![
                        doc! { "subject_key": &lower.subject_key, "id": { operator: &lower.id } },
                        doc! { "subject_key": {
                            "$gt": &lower.subject_key, "$lt": &upper.subject_key,
                        } },
                        doc! { "subject_key": &upper.subject_key, "id": { "$lte": &upper.id } },
                    ],
                }
            }
        }
    }
}

/// A query for entries.
pub(super) struct Query {
    pub(super) filter: Document,
    pub(super) projection: Document,
    /// The index that holds everything that the query asks for, where one does.
    pub(super) index: Option<&'static str>,
}

/// Canonical order within a tenant and a kind.
pub(super) fn canonical_order() -> Document {
    doc! { "subject_key": 1, "id": 1 }
}

/// A walk that can be continued.
pub(super) struct Walk<'a> {
    store: &'a Store,
    scan: &'a Scan,
    selection: Selection,
    sources: Sources,
    /// What is left of the range; empty when it ended.
    left: Vec<Document>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(store: &'a Store, scan: &'a Scan, range: &Range) -> Self {
        let selection = Selection::new(&scan.selectors, scan.kind);
        let left = if selection.matcher.selects_nothing() {
            Vec::new()
        } else {
            range.intervals()
        };
        Self {
            store,
            scan,
            selection,
            sources: Sources::default(),
            left,
        }
    }

    /// Whether no record can be selected.
    pub(super) fn selects_nothing(&self) -> bool {
        self.selection.matcher.selects_nothing()
    }

    /// What is left to walk, in order.
    #[cfg(test)]
    pub(super) fn left(&self) -> &[Document] {
        &self.left
    }

    /// The next lines, at most `limit`. Fewer means that there are no more.
    pub(super) async fn next(&mut self, limit: usize) -> Result<Vec<Line>, PortError> {
        let mut lines = Vec::new();
        while lines.len() < limit && !self.left.is_empty() {
            let query = self.query(&self.left[0]);
            // What the filter lets through but is not selected makes room for more.
            let asked = (limit - lines.len()).min(MAX_QUERY);
            let (found, last) = self.ask(query, asked, &mut lines).await?;
            match last {
                Some(last) if found == asked => self.go_on_after(last),
                _ => {
                    self.left.remove(0);
                }
            }
        }
        Ok(lines)
    }

    /// Begins what is left after `last`, which lies in its first interval.
    fn go_on_after(&mut self, last: Position) {
        let interval = self.left.remove(0);
        let mut rest = Vec::new();
        let mut same = doc! { "$gt": last.id };
        if interval.contains_key("id") {
            if let Ok(end) = interval
                .get_document("id")
                .and_then(|id| id.get_str("$lte"))
            {
                same.insert("$lte", end);
            }
            rest.push(doc! { "subject_key": last.subject_key, "id": same });
        } else {
            let mut later = doc! { "$gt": &last.subject_key };
            if let Ok(keys) = interval.get_document("subject_key")
                && let Ok(end) = keys.get_str("$lt")
            {
                later.insert("$lt", end);
            }
            rest.push(doc! { "subject_key": last.subject_key, "id": same });
            rest.push(doc! { "subject_key": later });
        }
        self.left.splice(0..0, rest);
    }

    /// The query for an interval.
    pub(super) fn query(&self, interval: &Document) -> Query {
        let (scan, selection) = (self.scan, &self.selection);
        let watermark = watermark_number(scan.watermark);
        let mut filter = doc! { "tenant": scan.tenant.as_str(), "kind": scan.kind.as_str() };
        let snapshot = scan
            .policy_snapshot_id
            .as_ref()
            .filter(|_| scan.kind == Kind::Finding);
        if let Some(snapshot) = snapshot {
            filter.insert("snapshot", snapshot);
        }
        filter.extend(interval.clone());
        filter.insert("seq", doc! { "$lte": watermark });
        if scan.revisions == Revisions::Newest {
            filter.insert("superseded_at", doc! { "$gt": watermark });
        }
        if !selection.conditions.is_empty() {
            filter.insert("$and", selection.conditions.clone());
        }
        // Given unless it is refused, and no part of the index.
        let mut projection = doc! { "_id": 0 };
        for name in LINE_FIELDS {
            projection.insert(name, 1);
        }
        let asks_facets = selection.matcher.needs_facets();
        if asks_facets {
            projection.insert("facets_file", 1);
            projection.insert("recorded_at", 1);
        }
        if selection.is_loose {
            projection.insert("recorded_at", 1);
            for name in FACET_FIELDS.into_iter().filter(|_| asks_facets) {
                projection.insert(name, 1);
            }
        }
        Query {
            filter,
            projection,
            index: (!asks_facets && snapshot.is_none()).then_some(WALK),
        }
    }

    /// Asks for at most `limit` entries and keeps those that are selected. Gives how many there
    /// were, and the place of the last.
    pub(super) async fn ask(
        &mut self,
        query: Query,
        limit: usize,
        lines: &mut Vec<Line>,
    ) -> Result<(usize, Option<Position>), PortError> {
        let doing = || format!("walking {ENTRIES} of {}", self.scan.tenant);
        let size = i64::try_from(limit).unwrap_or(i64::MAX);
        let entries = self.store.raw(ENTRIES);
        let mut find = entries
            .find(query.filter)
            .projection(query.projection)
            .sort(canonical_order())
            .allow_disk_use(true)
            .limit(size)
            .batch_size(u32::try_from(limit).unwrap_or(u32::MAX));
        if let Some(index) = query.index {
            find = find.hint(Hint::Name(index.to_owned()));
        }
        let mut cursor = find.await.map_err(|error| failed(doing(), error))?;
        let (mut found, mut last) = (0, None);
        while cursor
            .advance()
            .await
            .map_err(|error| failed(doing(), error))?
        {
            found += 1;
            let document = cursor.current();
            let line = entry::line(document, &mut self.sources)?;
            if found == limit {
                last = Some(line.entry.position.clone());
            }
            if self.is_selected(document, &line).await? {
                lines.push(line);
            }
        }
        Ok((found, last))
    }

    /// Whether an entry that the filter let through is selected.
    async fn is_selected(&self, document: &RawDocument, line: &Line) -> Result<bool, PortError> {
        let matcher = &self.selection.matcher;
        let bad = |why: String| damaged(ENTRIES, key_of(document), why);
        let file = if matcher.needs_facets() {
            match document.get("facets_file") {
                Ok(None) => None,
                Ok(Some(value)) => {
                    let no_id = || bad("`facets_file` is no id".to_owned());
                    Some(value.as_object_id().ok_or_else(no_id)?)
                }
                Err(error) => return Err(bad(error.to_string())),
            }
        } else {
            None
        };
        if file.is_none() && !self.selection.is_loose {
            return Ok(true);
        }
        let blob = match file {
            Some(file) => read_file(self.store, file).await?,
            None if matcher.needs_facets() => {
                StoredFacets::encode(&inline_facets(document).map_err(bad)?)
            }
            None => Vec::new(),
        };
        let facets = StoredFacets::parse(&blob)
            .ok_or_else(|| bad("its facets are not as they were written".to_owned()))?;
        let recorded_at = entry::time(document, "recorded_at").map_err(bad)?;
        Ok(matcher.matches(&line.entry.source, recorded_at, facets))
    }
}
