//! Cutting an ordered walk into parts. Pure: the same entries give the same parts.

use std::collections::BTreeMap;

use export_model::{
    IndexEntry, InputHasher, Kind, Position, Sha256Digest, Source, SourceTally, Tenant,
};

/// A part of one owner and kind, before it is a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutPart {
    /// Whose records; named in runs across tenants only.
    pub owner: Option<Tenant>,
    /// The kind of its records.
    pub kind: Kind,
    /// Counts from 0 in its owner and kind.
    pub ordinal: u32,
    /// The first record.
    pub first: Position,
    /// The last record.
    pub last: Position,
    /// How many records.
    pub records: u64,
    /// Their canonical bytes together.
    pub bytes: u64,
    /// Their input hash.
    pub hash: Sha256Digest,
}

/// The whole plan of a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// The parts, in order.
    pub parts: Vec<CutPart>,
    /// What each source gives, by owner, kind and source.
    pub sources: Vec<(Kind, SourceTally)>,
}

struct Open {
    first: Position,
    last: Position,
    bytes: u64,
    hasher: InputHasher,
}

/// Cuts entries into parts of at most `records` records and, unless a single record is larger,
/// `bytes` bytes.
pub struct Cutter {
    records: u64,
    bytes: u64,
    owner: Option<Tenant>,
    kind: Kind,
    ordinal: u32,
    open: Option<Open>,
    sources: BTreeMap<Source, InputHasher>,
    cut: Cut,
}

impl Cutter {
    /// A cutter with a profile's limits, for entries of `kind`.
    #[must_use]
    pub fn new(kind: Kind, records: u64, bytes: u64) -> Self {
        Self {
            records,
            bytes,
            owner: None,
            kind,
            ordinal: 0,
            open: None,
            sources: BTreeMap::new(),
            cut: Cut::default(),
        }
    }

    /// Adds the next entry, which must follow all earlier ones in canonical order.
    pub fn add(&mut self, entry: IndexEntry) {
        let full = self.open.as_ref().is_some_and(|open| {
            open.hasher.records() >= self.records
                || open.bytes.saturating_add(entry.size) > self.bytes
        });
        if full {
            self.close();
        }
        match self.sources.get_mut(&entry.source) {
            Some(hasher) => hasher.add(&entry.position.id, &entry.record_sha256),
            None => {
                let mut hasher = InputHasher::default();
                hasher.add(&entry.position.id, &entry.record_sha256);
                self.sources.insert(entry.source, hasher);
            }
        }
        match &mut self.open {
            Some(open) => {
                open.hasher.add(&entry.position.id, &entry.record_sha256);
                open.bytes += entry.size;
                open.last = entry.position;
            }
            None => {
                let mut hasher = InputHasher::default();
                hasher.add(&entry.position.id, &entry.record_sha256);
                self.open = Some(Open {
                    first: entry.position.clone(),
                    last: entry.position,
                    bytes: entry.size,
                    hasher,
                });
            }
        }
    }

    /// Ends the open part and goes on with another owner, which comes after all earlier ones.
    pub fn next_owner(&mut self, owner: &Tenant) {
        self.next_kind(self.kind);
        self.owner = Some(owner.clone());
    }

    /// Ends the open part and goes on with another kind.
    pub fn next_kind(&mut self, kind: Kind) {
        self.close();
        let tallies = std::mem::take(&mut self.sources);
        for (source, hasher) in tallies {
            let records = hasher.records();
            let hash = hasher.finish();
            let tally = SourceTally {
                owner: self.owner.clone(),
                source,
                records,
                hash,
            };
            self.cut.sources.push((self.kind, tally));
        }
        self.kind = kind;
        self.ordinal = 0;
    }

    /// How many parts have ended.
    #[must_use]
    pub fn closed(&self) -> usize {
        self.cut.parts.len()
    }

    /// How many parts there are so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cut.parts.len() + usize::from(self.open.is_some())
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the walk.
    #[must_use]
    pub fn finish(mut self) -> Cut {
        self.next_kind(self.kind);
        self.cut
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.cut.parts.push(CutPart {
                owner: self.owner.clone(),
                kind: self.kind,
                ordinal: self.ordinal,
                first: open.first,
                last: open.last,
                records: open.hasher.records(),
                bytes: open.bytes,
                hash: open.hasher.finish(),
            });
            self.ordinal += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u32, size: u64) -> IndexEntry {
        IndexEntry {
            position: Position {
                subject_key: format!("s{n:04}"),
                id: format!("id{n}"),
            },
            record_sha256: Sha256Digest::of(&n.to_be_bytes()),
            size,
            source: Source {
                vendor: if n.is_multiple_of(2) { "even" } else { "odd" }.into(),
                stream: "s".into(),
            },
        }
    }

    #[test]
    fn a_part_ends_at_records_or_bytes_whichever_comes_first() {
        let mut cutter = Cutter::new(Kind::Advisory, 3, 100);
        for n in 0..7 {
            cutter.add(entry(n, 10));
        }
        cutter.next_kind(Kind::Vex);
        cutter.add(entry(7, 60));
        cutter.add(entry(8, 60));
        cutter.add(entry(9, 500));
        let cut = cutter.finish();
        let shape: Vec<_> = cut
            .parts
            .iter()
            .map(|p| (p.kind, p.ordinal, p.records, p.bytes))
            .collect();
        assert_eq!(
            shape,
            [
                (Kind::Advisory, 0, 3, 30),
                (Kind::Advisory, 1, 3, 30),
                (Kind::Advisory, 2, 1, 10),
                (Kind::Vex, 0, 1, 60),
                (Kind::Vex, 1, 1, 60),
                (Kind::Vex, 2, 1, 500),
            ]
        );
        assert_eq!(cut.parts[1].first.id, "id3");
        assert_eq!(cut.parts[1].last.id, "id5");
    }

    #[test]
    fn no_part_and_no_tally_crosses_an_owner() {
        let (acme, globex): (Tenant, Tenant) = ("acme".parse().unwrap(), "globex".parse().unwrap());
        let mut cutter = Cutter::new(Kind::Advisory, 10, 1000);
        for owner in [&acme, &globex] {
            cutter.next_owner(owner);
            for kind in [Kind::Advisory, Kind::Vex] {
                cutter.next_kind(kind);
                cutter.add(entry(0, 1));
            }
        }
        let cut = cutter.finish();
        let expected = [
            (Some(acme.clone()), Kind::Advisory),
            (Some(acme), Kind::Vex),
            (Some(globex.clone()), Kind::Advisory),
            (Some(globex), Kind::Vex),
        ];
        let parts: Vec<_> = cut
            .parts
            .iter()
            .map(|part| (part.owner.clone(), part.kind))
            .collect();
        assert_eq!(parts, expected);
        assert!(cut.parts.iter().all(|part| part.ordinal == 0));
        let tallies: Vec<_> = cut
            .sources
            .iter()
            .map(|(kind, tally)| (tally.owner.clone(), *kind))
            .collect();
        assert_eq!(tallies, expected);
    }

    #[test]
    fn sources_are_tallied_by_kind() {
        let mut cutter = Cutter::new(Kind::Advisory, 2, 1000);
        for n in 0..5 {
            cutter.add(entry(n, 1));
        }
        let cut = cutter.finish();
        let mut expected = InputHasher::default();
        for n in [0, 2, 4] {
            expected.add(&entry(n, 1).position.id, &entry(n, 1).record_sha256);
        }
        assert_eq!(cut.sources.len(), 2);
        assert_eq!(cut.sources[0].1.records, 3);
        assert_eq!(cut.sources[0].1.hash, expected.finish());
    }

    #[test]
    fn nothing_gives_no_parts() {
        assert_eq!(Cutter::new(Kind::Sbom, 1, 1).finish(), Cut::default());
    }
}
