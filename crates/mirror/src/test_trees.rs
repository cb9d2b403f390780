//! Small trees for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use export_model::{Kind, Position, Sha256Digest};
use proptest::prelude::*;

use crate::listing::write_line;

/// Documents in canonical order, by their place: digest and size.
pub(crate) type Tree = BTreeMap<(Kind, Position), (Sha256Digest, u64)>;

pub(crate) fn listing(tree: &Tree) -> Vec<u8> {
    let mut out = Vec::new();
    for ((kind, at), (sha256, size)) in tree {
        write_line(&mut out, *kind, &at.subject_key, &at.id, sha256, *size);
    }
    out
}

/// Trees over few names and few contents, so that two of them have much in common.
pub(crate) fn trees() -> impl Strategy<Value = Tree> {
    let entry = (0..4_usize, "[ab\"é]{1,2}", "[x\\\\y]{1,2}", 0..3_u8);
    prop::collection::vec(entry, 0..40).prop_map(|entries| {
        entries
            .into_iter()
            .map(|(kind, subject_key, id, content)| {
                let place = (Kind::ALL[kind], Position { subject_key, id });
                (place, (Sha256Digest::of(&[content]), u64::from(content)))
            })
            .collect()
    })
}
