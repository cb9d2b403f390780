#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use export_model::ErrorCode;
use proptest::prelude::*;

use super::*;

/// A folder with `bundle.tar` of so many bytes, none like its neighbours.
fn made(size: usize) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.tar");
    let mut state = 1_u32;
    let bytes: Vec<u8> = (0..size)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    fs::write(&file, bytes).unwrap();
    (folder, file)
}

fn cut(file: &Path, size: u64) -> Result<Splitting, PartsError> {
    split(file, size, &file.with_file_name("parts"), &mut |_| {})
}

fn put_together(given: &[PathBuf], out: &Path) -> Result<Joining, PartsError> {
    join(given, Some(out), &mut |_, _| {})
}

/// The parts as they lie there.
fn parts(file: &Path, list: &PartList) -> Vec<PathBuf> {
    let folder = file.with_file_name("parts");
    list.parts
        .iter()
        .map(|part| folder.join(&part.name))
        .collect()
}

#[test]
fn a_file_is_cut_and_put_together_again() {
    for (size, part, sizes) in [
        (1_000, 400, vec![400, 400, 200]),
        (800, 400, vec![400, 400]),
        (5, 400, vec![5]),
        (0, 400, vec![0]),
        (3, 1, vec![1, 1, 1]),
        (
            3 * BUFFER + 7,
            2 * BUFFER as u64 + 3,
            vec![2 * BUFFER as u64 + 3, BUFFER as u64 + 4],
        ),
    ] {
        let (folder, file) = made(size);
        let done = Cell::new(0);
        let to = folder.path().join("parts");
        let cut = split(&file, part, &to, &mut |bytes| done.set(bytes)).unwrap();
        assert_eq!(done.get(), size as u64);
        let found: Vec<_> = cut.list.parts.iter().map(|part| part.size).collect();
        assert_eq!(found, sizes);
        let out = folder.path().join("again.tar");
        let last = Cell::new((0, 0));
        join(&parts(&file, &cut.list), Some(&out), &mut |done, all| {
            last.set((done, all))
        })
        .unwrap();
        assert_eq!(
            last.get(),
            (size as u64, if size == 0 { 0 } else { size as u64 })
        );
        assert!(fs::read(&out).unwrap() == fs::read(&file).unwrap());
        assert!(!folder.path().join("again.tar.partial").exists());
    }
}

#[test]
fn the_list_is_what_the_format_says_and_other_tools_read_the_rest() {
    let (folder, file) = made(1_000);
    let list = cut(&file, 600).unwrap().list;
    let to = folder.path().join("parts");
    let text = fs::read_to_string(to.join("bundle.tar.parts.json")).unwrap();
    let whole = Sha256Digest::of(&fs::read(&file).unwrap());
    let [one, two] = [0, 1].map(|at| list.parts[at].sha256);
    assert_eq!(
        text,
        format!(
            "{{\"name\":\"bundle.tar\",\"parts\":[{{\"name\":\"bundle.tar.part-0001\",\"sha256\":\"{one}\",\
             \"size\":600}},{{\"name\":\"bundle.tar.part-0002\",\"sha256\":\"{two}\",\"size\":400}}],\
             \"schema\":\"export-center/parts/v1\",\"sha256\":\"{whole}\",\"size\":1000}}"
        )
    );
    // `cat` and `sha256sum` do the same by hand.
    let script = "cat bundle.tar.part-* >bundle.tar && sha256sum -c bundle.tar.sha256";
    let ran = Command::new("sh")
        .args(["-ec", script])
        .current_dir(&to)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

#[test]
fn cutting_goes_on_where_it_was_interrupted() {
    let (folder, file) = made(3 * BUFFER);
    let size = BUFFER as u64 / 2 + 1;
    let first = cut(&file, size).unwrap();
    assert_eq!((first.kept, first.list.parts.len()), (0, 6));
    let found = parts(&file, &first.list);
    // One is missing, one altered at its end, one cut short; a leftover lies about.
    fs::remove_file(&found[0]).unwrap();
    let mut altered = fs::read(&found[2]).unwrap();
    *altered.last_mut().unwrap() ^= 1;
    fs::write(&found[2], altered).unwrap();
    fs::write(&found[4], b"short").unwrap();
    fs::write(with(&found[0], ".partial"), b"half").unwrap();
    let again = cut(&file, size).unwrap();
    assert_eq!((again.kept, &again.list), (3, &first.list));
    let out = folder.path().join("again.tar");
    put_together(&found, &out).unwrap();
    assert!(fs::read(out).unwrap() == fs::read(&file).unwrap());
    // Fewer parts: those of the earlier cut would be taken for parts of this.
    let error = cut(&file, BUFFER as u64).unwrap_err();
    assert!(
        matches!(&error, PartsError::Leftover { path } if *path == found[3]),
        "{error}"
    );
    assert_eq!(error.code(), ErrorCode::Usage);
}

#[test]
fn joining_goes_on_with_what_comes() {
    let (folder, file) = made(1_000);
    let list = cut(&file, 300).unwrap().list;
    let found = parts(&file, &list);
    let out = folder.path().join("again.tar");
    let error = put_together(&found[..1], &out).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Incomplete);
    let says = error.to_string();
    assert!(
        says.contains("3 of 4") && says.contains("`bundle.tar.part-0002`"),
        "{says}"
    );
    // The first one is not needed again; a hole is named.
    let error = put_together(&[found[1].clone(), found[3].clone()], &out).unwrap_err();
    assert!(
        matches!(error, PartsError::Missing { count: 1, .. }),
        "{error}"
    );
    assert!(!out.exists());
    // What is at its end is not of the file, as after a crash.
    let partial = folder.path().join("again.tar.partial");
    let mut bytes = fs::read(&partial).unwrap();
    assert_eq!(bytes.len(), 600);
    bytes.extend(b"whatever was written last");
    fs::write(&partial, bytes).unwrap();
    let done = put_together(&[found[3].clone(), found[2].clone()], &out).unwrap();
    assert_eq!(done.resumed, 2);
    assert!(fs::read(out).unwrap() == fs::read(&file).unwrap());
}

#[test]
fn what_is_not_the_part_is_refused_and_the_right_ones_are_kept() {
    let (folder, file) = made(1_000);
    let list = cut(&file, 300).unwrap().list;
    let found = parts(&file, &list);
    let out = folder.path().join("again.tar");
    let bytes: Vec<_> = found.iter().map(|path| fs::read(path).unwrap()).collect();
    let kept = || {
        fs::metadata(folder.path().join("again.tar.partial"))
            .unwrap()
            .len()
    };

    let mut flipped = bytes[1].clone();
    flipped[150] ^= 1;
    let longer = [&bytes[1][..], b"x"].concat();
    for wrong in [&flipped[..], &longer, &bytes[1][..299], b""] {
        fs::write(&found[1], wrong).unwrap();
        let error = put_together(&found, &out).unwrap_err();
        assert!(
            matches!(&error, PartsError::Altered { path, .. } if *path == found[1]),
            "{error}"
        );
        assert_eq!((error.code(), kept()), (ErrorCode::Altered, 300));
    }
    // Under each other's names, the short one too.
    for (one, other) in [(1, 2), (2, 3), (3, 0)] {
        let swapped: Vec<_> = (0..4)
            .map(|at| {
                if at == one {
                    other
                } else if at == other {
                    one
                } else {
                    at
                }
            })
            .collect();
        for (path, from) in found.iter().zip(&swapped) {
            fs::write(path, &bytes[*from]).unwrap();
        }
        let error = put_together(&found, &out).unwrap_err();
        assert!(
            matches!(error, PartsError::Order { .. }),
            "{one} {other}: {error}"
        );
    }
    for (path, bytes) in found.iter().zip(&bytes) {
        fs::write(path, bytes).unwrap();
    }
    // One of another file; one that has no name of a part.
    let other = folder.path().join("other.tar.part-0002");
    fs::copy(&found[1], &other).unwrap();
    let error = put_together(&[found[0].clone(), other], &out).unwrap_err();
    assert!(matches!(error, PartsError::Foreign { .. }), "{error}");
    let given: Vec<_> = found.iter().rev().cloned().collect();
    put_together(&given, &out).unwrap();
    assert!(fs::read(&out).unwrap() == bytes.concat());

    // Without a place of its own it lies beside its parts.
    let beside = join(&found, None, &mut |_, _| {}).unwrap();
    assert_eq!(beside.path, found[0].with_file_name("bundle.tar"));
    assert!(fs::read(&beside.path).unwrap() == bytes.concat());

    // Names that some media make of them: then their order counts.
    let renamed: Vec<_> = (0..4)
        .map(|at| folder.path().join(format!("BUNDLE~{at}")))
        .collect();
    for (path, bytes) in renamed.iter().zip(&bytes) {
        fs::write(path, bytes).unwrap();
    }
    let list = found[0].with_file_name("bundle.tar.parts.json");
    let given: Vec<_> = renamed.iter().chain([&list]).cloned().collect();
    put_together(&given, &out).unwrap();
    let given = [&list, &renamed[0], &renamed[2]].map(Clone::clone);
    let error = put_together(&given, &out).unwrap_err();
    assert!(matches!(error, PartsError::Order { .. }), "{error}");
}

#[test]
fn a_list_that_is_none_is_refused() {
    let (folder, file) = made(10);
    let list = cut(&file, 4).unwrap().list;
    let found = parts(&file, &list);
    let at = found[0].with_file_name("bundle.tar.parts.json");
    let out = folder.path().join("again.tar");
    let good = fs::read_to_string(&at).unwrap();
    let wrong = [
        String::new(),
        "{}".to_owned(),
        format!("{good}\n"),
        good.replace("parts/v1", "parts/v2"),
        good.replace("\"size\":10", "\"size\":11"),
        good.replace("part-0002", "part-0003"),
        good.replace("bundle.tar", "../undle.tar"),
        good.replace("\"schema\"", "\"more\":1,\"schema\""),
        good.replace("\"size\":4", "\"size\":18446744073709551615"),
    ];
    for text in wrong {
        assert_ne!(text, good);
        fs::write(&at, &text).unwrap();
        let error = put_together(&found, &out).unwrap_err();
        assert!(matches!(error, PartsError::List { .. }), "{text}: {error}");
    }
    // Another digest of the whole: only then is that known.
    let whole = list.sha256.hex();
    let other = format!("{}{}", &whole[1..], &whole[..1]);
    fs::write(&at, good.replace(&whole, &other)).unwrap();
    let error = put_together(&found, &out).unwrap_err();
    assert!(matches!(error, PartsError::Whole { .. }), "{error}");
    fs::remove_file(&at).unwrap();
    let error = put_together(&found, &out).unwrap_err();
    assert!(
        matches!(&error, PartsError::NoList { path } if *path == at),
        "{error}"
    );
    assert!(!out.exists());
}

#[test]
fn what_cannot_be_cut_is_said() {
    let (folder, file) = made(MAX_PARTS + 1);
    assert!(matches!(
        cut(&file, 1).unwrap_err(),
        PartsError::TooMany { .. }
    ));
    assert!(!folder.path().join("parts").exists());
    let error = cut(folder.path(), 1).unwrap_err();
    assert!(matches!(error, PartsError::Source { .. }), "{error}");
    let error = cut(&folder.path().join("none"), 1).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Io);
    let long = folder.path().join("x".repeat(201));
    fs::write(&long, b"x").unwrap();
    assert!(matches!(
        cut(&long, 1).unwrap_err(),
        PartsError::Name { .. }
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_size_in_any_parts(size in 0_usize..5_000, part in 1_u64..6_000) {
        prop_assume!(size as u64 / part < 200);
        let (folder, file) = made(size);
        let list = cut(&file, part).unwrap().list;
        let mut given = parts(&file, &list);
        given.reverse();
        let out = folder.path().join("again.tar");
        put_together(&given, &out).unwrap();
        prop_assert!(fs::read(out).unwrap() == fs::read(&file).unwrap());
        prop_assert_eq!(cut(&file, part).unwrap().kept, list.parts.len() as u64);
    }
}
