#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::*;
use export_model::Sha256Digest;

/// A folder with a file of so many bytes, none like the one before.
fn folder(bytes: usize) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..bytes)
        .map(|at| (at * 31 % 251 + at / 251) as u8)
        .collect();
    let file = folder.path().join("sealed.tar");
    fs::write(&file, &content).unwrap();
    (folder, file, content)
}

fn parts(folder: &Path, count: u64) -> Vec<PathBuf> {
    (1..=count)
        .map(|number| folder.join(part_name("sealed.tar", number)))
        .collect()
}

#[test]
fn what_was_split_is_joined_whatever_the_sizes() {
    for (bytes, part_bytes, count) in [
        (0, 10, 1),
        (1, 10, 1),
        (10, 10, 1),
        (11, 10, 2),
        (700_000, 300_000, 3),
        (100, 1, 100),
    ] {
        let (folder, file, content) = folder(bytes);
        let into = folder.path().join("media");
        fs::create_dir(&into).unwrap();
        let made = split(&file, part_bytes, &into).unwrap();
        assert_eq!((made.index.parts.len() as u64, made.kept), (count, 0));
        assert_eq!(PartsIndex::read(&made.path).unwrap(), made.index);
        let out = folder.path().join("joined.tar");
        let joined = join(&parts(&into, count), &out).unwrap();
        assert!(fs::read(&out).unwrap() == content);
        assert_eq!(joined.sha256, Sha256Digest::of(&content));
        // Again, both are done already.
        assert_eq!(split(&file, part_bytes, &into).unwrap().kept, count);
        assert_eq!(join(&parts(&into, 1), &out).unwrap().resumed, count);
    }
}

#[test]
fn another_tool_checks_the_digest() {
    let (folder, file, _) = folder(5000);
    split(&file, 1000, folder.path()).unwrap();
    match Command::new("sha256sum")
        .args(["-c", "sealed.tar.sha256"])
        .current_dir(folder.path())
        .output()
    {
        Ok(output) => assert!(output.status.success()),
        Err(error) => eprintln!("skipped: no sha256sum: {error}"),
    }
}

#[test]
fn splitting_goes_on_where_it_was_stopped_and_mends_what_is_wrong() {
    let (folder, file, _) = folder(5000);
    let first = split(&file, 1000, folder.path()).unwrap();
    let parts = parts(folder.path(), 5);
    fs::remove_file(&parts[1]).unwrap();
    fs::write(&parts[2], vec![0; 1000]).unwrap();
    fs::write(&parts[4], "short").unwrap();
    let again = split(&file, 1000, folder.path()).unwrap();
    assert_eq!((again.kept, &again.index), (2, &first.index));
    join(&parts, &folder.path().join("out")).unwrap();
}

#[test]
fn joining_names_the_part_that_is_wrong_and_goes_on_when_it_is_right() {
    let (folder, file, content) = folder(5000);
    split(&file, 1000, folder.path()).unwrap();
    let parts = parts(folder.path(), 5);
    let out = folder.path().join("out");
    let third = fs::read(&parts[2]).unwrap();
    let mut flipped = third.clone();
    flipped[500] ^= 1;
    for (bytes, code) in [
        (Some(flipped), ErrorCode::Altered),
        (Some(third[..999].to_vec()), ErrorCode::Altered),
        (Some(fs::read(&parts[3]).unwrap()), ErrorCode::Altered),
        (None, ErrorCode::Incomplete),
    ] {
        match bytes {
            Some(bytes) => fs::write(&parts[2], bytes).unwrap(),
            None => fs::remove_file(&parts[2]).unwrap(),
        }
        let error = join(&parts, &out).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(
            error.to_string().contains("sealed.tar.part-0003"),
            "{error}"
        );
        assert!(!out.exists());
    }
    fs::write(&parts[2], third).unwrap();
    // Whatever came after the last good part, and damage in what was joined, is found.
    let partial = folder.path().join("out.partial");
    let mut bytes = fs::read(&partial).unwrap();
    bytes[1500] ^= 1;
    fs::write(&partial, bytes).unwrap();
    let joined = join(&parts, &out).unwrap();
    assert_eq!(joined.resumed, 1);
    assert!(fs::read(&out).unwrap() == content);
    assert!(!partial.exists());
}

#[test]
fn parts_out_of_order_of_another_file_or_of_none_are_refused() {
    let (folder, file, _) = folder(3000);
    split(&file, 1000, folder.path()).unwrap();
    let other = folder.path().join("other.tar");
    fs::write(&other, vec![7; 3000]).unwrap();
    split(&other, 1000, folder.path()).unwrap();
    let own = parts(folder.path(), 3);
    let out = folder.path().join("out");
    let swapped = [own[1].clone(), own[0].clone(), own[2].clone()];
    assert!(matches!(
        join(&swapped, &out),
        Err(PartsError::Order { .. })
    ));
    let mixed = [own[0].clone(), folder.path().join("other.tar.part-0002")];
    assert!(matches!(
        join(&mixed, &out),
        Err(PartsError::OtherFile { .. })
    ));
    assert!(matches!(
        join(std::slice::from_ref(&file), &out),
        Err(PartsError::NotAPart { .. })
    ));
    assert!(matches!(join(&[], &out), Err(PartsError::NotAPart { .. })));
    assert!(matches!(
        split(&file, 0, folder.path()),
        Err(PartsError::Size { .. })
    ));
    // The content of another file under the right name.
    fs::copy(folder.path().join("other.tar.part-0002"), &own[1]).unwrap();
    assert!(matches!(join(&own, &out), Err(PartsError::Altered { .. })));
    // Something else where the result should go.
    fs::write(&out, "mine").unwrap();
    assert!(matches!(join(&own, &out), Err(PartsError::Exists { .. })));
    assert_eq!(fs::read(&out).unwrap(), b"mine");
    let list = folder.path().join("sealed.tar.parts.json");
    let text = fs::read_to_string(&list).unwrap();
    for bad in [
        text.replace("1000", "1001"),
        text.replace("part-0002", "part-0009"),
        format!("{text} "),
    ] {
        fs::write(&list, bad).unwrap();
        assert!(matches!(join(&own, &out), Err(PartsError::Index { .. })));
    }
}
