//! Trees that somebody edited.

use std::fs;
use std::path::Path;

use export_mirror::path::document;
use export_model::ErrorCode;
use export_replica::Error;

use crate::support::Site;
use crate::support::bundle::Export;
use crate::support::evidence::Evidence;

/// Writes over a file of a tree, which has to be unlocked for that.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

fn name(evidence: &Evidence, at: usize) -> String {
    let ((kind, _, id), _) = evidence.0.iter().nth(at).unwrap();
    document(*kind, id)
}

#[test]
fn no_delta_is_built_on_an_edited_tree_and_a_full_export_repairs_it() {
    let evidence = Evidence::of(60);
    let good = Export::full(1, 10, &evidence);
    let mut next = evidence.clone();
    next.put(5, 9);
    next.remove(6);
    next.put(90, 0);
    let delta = Export::delta(2, 20, &good, &next);
    let gone = {
        let removed = crate::support::evidence::document(6, 0).0;
        document(removed.0, &removed.2)
    };
    let (a, b) = (name(&evidence, 7), name(&evidence, 30));
    type Edit<'a> = Box<dyn Fn(&Path) + 'a>;
    let edits: Vec<(Edit<'_>, Vec<&str>)> = vec![
        (
            Box::new(|tree| overwrite(&tree.join(&a), b"{}")),
            vec!["1 changed", &a],
        ),
        (
            Box::new(|tree| {
                let mut bytes = fs::read(tree.join(&b)).unwrap();
                bytes[3] ^= 1;
                overwrite(&tree.join(&b), &bytes);
            }),
            vec!["1 changed", &b],
        ),
        (
            Box::new(|tree| fs::remove_file(tree.join(&a)).unwrap()),
            vec!["1 missing", &a],
        ),
        // What the delta removes is gone already.
        (
            Box::new(|tree| fs::remove_file(tree.join(&gone)).unwrap()),
            vec!["1 missing", &gone],
        ),
        (
            Box::new(|tree| fs::write(tree.join("data/raw/note.txt"), "x").unwrap()),
            vec!["1 extra", "data/raw/note.txt"],
        ),
        (
            Box::new(|tree| {
                fs::remove_file(tree.join(&a)).unwrap();
                std::os::unix::fs::symlink("/etc/passwd", tree.join(&a)).unwrap();
            }),
            vec!["1 changed", &a],
        ),
        (
            Box::new(|tree| {
                fs::rename(tree.join(&a), tree.join(format!("{a}.old"))).unwrap();
            }),
            vec!["1 missing", "1 extra", ".old"],
        ),
        (
            Box::new(|tree| overwrite(&tree.join("indexes/by-purl.jsonl"), b"")),
            vec!["1 changed", "indexes/by-purl.jsonl"],
        ),
        (
            Box::new(|tree| fs::remove_file(tree.join("manifests/vex.json")).unwrap()),
            vec!["1 missing", "manifests/vex.json"],
        ),
    ];
    for (edit, says) in edits {
        let site = Site::new();
        site.apply(&good).unwrap();
        edit(&fs::canonicalize(site.dir().join("current")).unwrap());
        let found = site.verify();
        assert!(!found.is_good());
        for part in &says {
            assert!(
                found.tree.to_string().contains(part),
                "{part}: {}",
                found.tree
            );
        }
        let bundle = delta.bundle(&site.key);
        site.refuses(&bundle, ErrorCode::MirrorEdited, &says);
        // The same full export again: refused where nothing is wrong, and here it repairs.
        let applied = site.apply(&good).unwrap();
        assert!(applied.repaired.is_some_and(|found| !found.is_empty()));
        site.holds(&evidence);
        assert!(site.verify().is_good());
        site.refuses(
            &good.bundle(&site.key),
            ErrorCode::MirrorReplay,
            &["undamaged"],
        );
        site.apply_bytes(&bundle).unwrap();
        site.holds(&next);
    }
}

#[test]
fn many_differences_are_counted_and_the_first_are_named() {
    let site = Site::new();
    let evidence = Evidence::of(80);
    site.apply(&Export::full(1, 10, &evidence)).unwrap();
    for at in 0..25 {
        fs::remove_file(site.current(&name(&evidence, at))).unwrap();
    }
    let found = site.verify().tree;
    assert_eq!((found.missing.count, found.missing.first.len()), (25, 10));
    assert!(found.to_string().contains("and 15 more"), "{found}");
}

#[test]
fn a_damaged_chain_is_told_by_file() {
    let site = Site::new();
    let evidence = Evidence::of(10);
    let full = Export::full(1, 10, &evidence);
    site.apply(&full).unwrap();
    let mut next = evidence.clone();
    next.put(1, 3);
    site.apply(&Export::delta(2, 20, &full, &next)).unwrap();
    let chain = site.dir().join(".mirror/chain");
    // An older entry: the mirror works, and both log and verify name it.
    let file = chain.join("00000001/export.json");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, [&bytes[..], b" "].concat()).unwrap();
    let links = export_replica::log(&site.dir()).unwrap();
    assert!(
        links[0].problem.as_ref().unwrap().contains("export.json"),
        "{links:?}"
    );
    assert!(links[1].problem.is_none());
    assert!(!site.verify().is_good());
    fs::write(&file, bytes).unwrap();
    assert!(site.verify().is_good());
    // The head's entry says something else than was signed.
    let file = chain.join("00000002/entry.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"watermark\":20", "\"watermark\":99")).unwrap();
    assert_ne!(fs::read_to_string(&file).unwrap(), text);
    let error = export_replica::status(&site.dir()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("entry.json"), "{error}");
    fs::write(&file, &text).unwrap();
    // The listing is another one.
    let listing = chain.join("00000002/tree.jsonl.zst");
    fs::copy(chain.join("00000001/tree.jsonl.zst"), &listing).unwrap();
    let delta = Export::delta(3, 30, &Export::delta(2, 20, &full, &next), &evidence);
    let error = site.apply(&delta).unwrap_err();
    assert_eq!(error.code(), ErrorCode::MirrorDamaged, "{error}");
    assert!(error.to_string().contains("tree.jsonl.zst"), "{error}");
    // And `current` points nowhere.
    fs::remove_file(site.dir().join("current")).unwrap();
    std::os::unix::fs::symlink("versions/00000009", site.dir().join("current")).unwrap();
    let error = export_replica::status(&site.dir()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::MirrorDamaged, "{error}");
}
