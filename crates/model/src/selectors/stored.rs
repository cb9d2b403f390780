//! What selectors look at, as a ledger stores it in one blob: four lists of strings.
//!
//! Each list is its size in bytes, then its values, each with its length before it (little-endian
//! `u32` throughout). Read in place: the walk of a large ledger allocates nothing for it.

use crate::Facets;

/// One of the four lists.
#[derive(Clone, Copy)]
pub(super) enum Field {
    Ecosystems,
    Products,
    SbomSubjects,
    Identifiers,
}

// A record has at most 64 MiB, and so have its facets.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

/// A stored blob, read in place.
#[derive(Clone, Copy, Default)]
pub struct StoredFacets<'a> {
    lists: [&'a [u8]; 4],
}

impl StoredFacets<'_> {
    /// The blob of `facets` (without their time, which an index has as a column); empty where
    /// there is nothing.
    #[must_use]
    pub fn encode(facets: &Facets) -> Vec<u8> {
        let lists = [
            &facets.ecosystems,
            &facets.products,
            &facets.sbom_subjects,
            &facets.identifiers,
        ];
        let mut blob = Vec::new();
        if lists.iter().all(|list| list.is_empty()) {
            return blob;
        }
        for list in lists {
            let size: usize = list.iter().map(|value| 4 + value.len()).sum();
            blob.extend(length(size));
            for value in list {
                blob.extend(length(value.len()));
                blob.extend(value.as_bytes());
            }
        }
        blob
    }
}

impl<'a> StoredFacets<'a> {
    /// Reads a blob; none when it is damaged.
    #[must_use]
    pub fn parse(blob: &'a [u8]) -> Option<Self> {
        let mut stored = Self::default();
        if blob.is_empty() {
            return Some(stored);
        }
        let mut rest = blob;
        for list in &mut stored.lists {
            (*list, rest) = split(rest)?;
            let mut values = *list;
            while !values.is_empty() {
                (_, values) = split(values)?;
            }
        }
        rest.is_empty().then_some(stored)
    }

    /// The values of one list.
    pub(super) fn values(self, field: Field) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.lists[match field {
            Field::Ecosystems => 0,
            Field::Products => 1,
            Field::SbomSubjects => 2,
            Field::Identifiers => 3,
        }];
        std::iter::from_fn(move || {
            let (value, more) = split(rest)?;
            rest = more;
            Some(value)
        })
    }
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_back_and_damage_is_noticed() {
        let facets = Facets {
            ecosystems: vec!["npm".into()],
            products: vec![],
            sbom_subjects: vec!["".into(), "é".into()],
            identifiers: vec!["CVE-1".into()],
            recorded_at: None,
        };
        let blob = StoredFacets::encode(&facets);
        let stored = StoredFacets::parse(&blob).unwrap();
        let list = |field| {
            stored
                .values(field)
                .map(|v| String::from_utf8(v.to_vec()).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(list(Field::Ecosystems), facets.ecosystems);
        assert_eq!(list(Field::Products), facets.products);
        assert_eq!(list(Field::SbomSubjects), facets.sbom_subjects);
        assert_eq!(list(Field::Identifiers), facets.identifiers);
        for end in 1..blob.len() {
            assert!(StoredFacets::parse(&blob[..end]).is_none(), "{end}");
        }
        assert!(StoredFacets::encode(&Facets::default()).is_empty());
    }
}
