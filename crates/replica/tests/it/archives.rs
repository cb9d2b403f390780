//! Bundles whose signature is good and whose content is not, and bundles that were damaged.

use export_mirror::listing::{manifest_file, manifest_path};
use export_mirror::path::document;
use export_model::ErrorCode;

use crate::support::Site;
use crate::support::bundle::{Export, listing, tar};
use crate::support::evidence::Evidence;

const LAYER: &str = "payload/layers/advisory-00000.tar.zst";

/// A member of a layer, whatever its header may say.
fn raw_header(name: &str, size: u64, kind: u8, link: &str) -> Vec<u8> {
    let mut block = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[test]
fn layers_with_anything_but_documents_in_their_places_are_refused() {
    let evidence = Evidence::of(8);
    let good = Export::full(1, 10, &evidence);
    let ((kind, _, id), bytes) = evidence.0.iter().next().unwrap();
    let path = document(*kind, id);
    let end = [0; 1024];
    let sizes = bytes.len() as u64;
    let padded = |header: Vec<u8>, content: &[u8]| {
        let mut out = header;
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512), 0);
        out.extend_from_slice(&end);
        out
    };
    let other = path.to_uppercase();
    for (layer, says) in [
        (
            padded(raw_header(&path, 0, b'2', "/etc/passwd"), b""),
            "symbolic link",
        ),
        (
            padded(raw_header(&path, 0, b'1', "data/x"), b""),
            "hard link",
        ),
        (padded(raw_header(&path, 0, b'3', ""), b""), "device"),
        (padded(raw_header(&path, 0, b'4', ""), b""), "device"),
        (padded(raw_header(&path, 0, b'5', ""), b""), "folder"),
        (
            padded(raw_header("../../escape.json", sizes, b'0', ""), bytes),
            "leads elsewhere",
        ),
        (
            padded(raw_header("/etc/cron.d/x", sizes, b'0', ""), bytes),
            "absolute",
        ),
        (
            padded(raw_header(&other, sizes, b'0', ""), bytes),
            "capital",
        ),
        (
            padded(
                raw_header("data/raw/advisory/x.json", sizes, b'0', ""),
                bytes,
            ),
            "none that a tree has",
        ),
    ] {
        let site = Site::new();
        let mut bad = good.clone();
        bad.put(LAYER, layer);
        site.refuses(&bad.bundle(&site.key), ErrorCode::Altered, &[says, LAYER]);
        assert!(!site.folder.path().join("escape.json").exists());
        // The mirror is none yet, and can become one.
        site.apply(&good).unwrap();
        site.holds(&evidence);
    }
}

#[test]
fn a_document_in_another_ones_place_is_refused() {
    let site = Site::new();
    let evidence = Evidence::of(8);
    let mut bad = Export::full(1, 10, &evidence);
    let advisories: Vec<_> = evidence.of_kind(export_model::Kind::Advisory).collect();
    let [((kind, _, first), _), (_, second)] = advisories[..2] else {
        panic!("two advisories");
    };
    bad.put(LAYER, tar([(document(*kind, first), second.as_slice())]));
    site.refuses(&bad.bundle(&site.key), ErrorCode::Altered, &["belongs at"]);
}

#[test]
fn documents_that_are_missing_twice_out_of_order_or_others_are_refused() {
    let evidence = Evidence::of(40);
    let good = Export::full(1, 10, &evidence);
    let layer = good.get(LAYER).to_vec();
    let members: Vec<_> = evidence
        .of_kind(export_model::Kind::Advisory)
        .map(|((kind, _, id), bytes)| (document(*kind, id), bytes.as_slice()))
        .collect();
    assert_eq!(tar(members.clone()), layer);
    let mut missing = members.clone();
    missing.remove(3);
    let mut swapped = members.clone();
    swapped.swap(1, 2);
    let mut twice = members.clone();
    twice.insert(3, members[3].clone());
    let edited = String::from_utf8(members[2].1.to_vec())
        .unwrap()
        .replace("unit", "tinu");
    let mut other = members.clone();
    other[2].1 = edited.as_bytes();
    for (members, says) in [
        (missing, "was signed"),
        (swapped, "out of order"),
        (twice, ""),
        (other, "was signed"),
    ] {
        let site = Site::new();
        let mut bad = good.clone();
        bad.put(LAYER, tar(members));
        let bundle = bad.bundle(&site.key);
        let error = site.apply_bytes(&bundle).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(!site.dir().join("current").exists());
        site.apply(&good).unwrap();
        site.holds(&evidence);
    }
}

#[test]
fn a_layer_that_unpacks_to_a_thousand_times_its_stated_size_is_refused_at_the_first_byte_beyond() {
    let site = Site::new();
    let good = Export::full(1, 10, &Evidence::of(8));
    let mut bomb = good.clone();
    bomb.put(LAYER, vec![0; 64 << 20]);
    let bundle = bomb.bundle_with(
        &site.key,
        |manifest| {
            for file in manifest.files.iter_mut().filter(|file| file.path == LAYER) {
                file.content_size = 64 << 10;
            }
            manifest.content_digest = export_bundle::manifest::content_digest(&manifest.files);
        },
        |_| {},
    );
    assert!(bundle.len() < 200_000);
    site.refuses(&bundle, ErrorCode::Altered, &[LAYER]);
    // A member that says that it is that large.
    let ((kind, _, id), _) = good.evidence.0.iter().next().unwrap();
    let mut lie = good.clone();
    lie.put(LAYER, raw_header(&document(*kind, id), 1 << 30, b'0', ""));
    site.refuses(&lie.bundle(&site.key), ErrorCode::Altered, &[LAYER]);
}

#[test]
fn listings_manifests_and_deltas_that_say_something_else_are_refused() {
    let site = Site::new();
    let evidence = Evidence::of(20);
    let good = Export::full(1, 10, &evidence);
    let mut listing_differs = good.clone();
    listing_differs.put("payload/tree.jsonl.zst", listing(&Evidence::of(19)).0);
    site.refuses(
        &listing_differs.bundle(&site.key),
        ErrorCode::Altered,
        &["tree.jsonl"],
    );

    let mut manifests_differ = good.clone();
    let kind = export_model::Kind::Advisory;
    let other = listing(&Evidence::of(19)).1;
    let file = manifest_file(kind, &other.tally(kind));
    manifests_differ.put(
        "payload/layers/manifests-00000.tar.zst",
        tar([(manifest_path(kind), file.as_slice())]),
    );
    site.refuses(
        &manifests_differ.bundle(&site.key),
        ErrorCode::Altered,
        &["manifests/"],
    );

    site.apply(&good).unwrap();
    let mut next = evidence.clone();
    next.put(3, 9);
    next.put(50, 0);
    next.remove(8);
    let delta = Export::delta(2, 20, &good, &next);
    let mut digests = delta.clone();
    digests.put("payload/delta.json", b"{}".to_vec());
    site.refuses(
        &digests.bundle(&site.key),
        ErrorCode::Altered,
        &["delta.json"],
    );
    // A delta that adds what is there, or knows of more or less than its layers hold.
    let mut unfit = delta.clone();
    let whole = Export::delta(3, 20, &Export::full(4, 10, &Evidence::default()), &next);
    unfit.put(
        "payload/delta.jsonl.zst",
        whole.get("payload/delta.jsonl.zst").to_vec(),
    );
    site.refuses(
        &unfit.bundle(&site.key),
        ErrorCode::Altered,
        &["in the tree already"],
    );
    let mut less = delta.clone();
    less.members
        .retain(|(path, _)| !path.starts_with("payload/layers/"));
    site.refuses(
        &less.bundle(&site.key),
        ErrorCode::Incomplete,
        &["none of its layers"],
    );
    let mut more = delta.clone();
    let bytes = next.0.iter().next().unwrap();
    let extra = tar([(document(bytes.0.0, &bytes.0.2), bytes.1.as_slice())]);
    more.put("payload/layers/advisory-00000.tar.zst", extra);
    site.refuses(
        &more.bundle(&site.key),
        ErrorCode::Altered,
        &["not what the delta has next"],
    );
    // Another member than such an export has.
    let mut other = delta.clone();
    other.put("payload/tree.jsonl.zst", listing(&next).0);
    site.refuses(
        &other.bundle(&site.key),
        ErrorCode::Altered,
        &["does not belong"],
    );
    site.apply(&delta).unwrap();
    site.holds(&next);
}

#[test]
fn damaged_bundles_leave_the_tree_as_it_is() {
    let site = Site::new();
    let evidence = Evidence::of(40);
    let good = Export::full(1, 10, &evidence);
    site.apply(&good).unwrap();
    let mut next = evidence.clone();
    for number in 0..30 {
        next.put(number, 8);
    }
    let delta = Export::delta(2, 20, &good, &next);
    let bundle = delta.bundle(&site.key);
    // Cut anywhere, or with a byte flipped anywhere.
    for at in (0..bundle.len()).step_by(bundle.len() / 60) {
        let error = site.apply_bytes(&bundle[..at]).unwrap_err();
        let codes = [
            ErrorCode::Incomplete,
            ErrorCode::NotABundle,
            ErrorCode::Altered,
            ErrorCode::BadSignature,
        ];
        assert!(codes.contains(&error.code()), "cut at {at}: {error}");
        let mut flipped = bundle.clone();
        flipped[at] ^= 0x10;
        let error = site.apply_bytes(&flipped).unwrap_err();
        assert!(
            codes.contains(&error.code()) || error.code() == ErrorCode::WrongKey,
            "flipped at {at}: {error}"
        );
        assert!(!site.dir().join(".mirror/staging").exists());
    }
    site.holds(&evidence);
    let mut trailing = bundle.clone();
    trailing.push(0);
    site.refuses(&trailing, ErrorCode::Altered, &[]);
    site.apply_bytes(&bundle).unwrap();
    site.holds(&next);
}
