//! bbolt's own command as the referee: the path to it is in `BBOLT`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use export_bolt::Database;

use crate::layout;
use crate::tree::{self, Node, Tree};

struct Bbolt(PathBuf);

impl Bbolt {
    fn from_environment() -> Option<Self> {
        let path = std::env::var_os("BBOLT").filter(|path| !path.is_empty());
        if path.is_none() {
            println!("skipped: the bbolt referee: BBOLT is not set");
        }
        path.map(|path| Self(path.into()))
    }

    /// What it prints. It says what is wrong on both outputs.
    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.0).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}{errors}");
        text
    }

    fn check(&self, file: &Path) {
        assert_eq!(self.run(&["check", text(file)]).trim(), "OK");
    }

    /// bbolt reads all of a file and writes another; that one.
    fn compact(&self, file: &Path) -> PathBuf {
        let compacted = file.with_extension("compacted");
        self.run(&["compact", "-no-sync", "-o", text(&compacted), text(file)]);
        compacted
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn bbolt_reads_what_is_written_and_is_read() {
    let Some(bbolt) = Bbolt::from_environment() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let mut trees = tree::samples(24);
    trees.extend(std::iter::repeat_n(layout::small(), 8));
    for (number, tree) in trees.iter().enumerate() {
        let page_size = 1 << (9 + number % 8);
        let (_, bytes) = tree::write(tree, page_size);
        fs::write(&file, &bytes).unwrap();
        bbolt.check(&file);
        assert!(
            bbolt
                .run(&["info", text(&file)])
                .contains(&page_size.to_string())
        );
        bbolt.run(&["pages", text(&file)]);
        bbolt.run(&["stats", text(&file)]);
        let compacted = bbolt.compact(&file);
        bbolt.check(&compacted);
        let database = Database::open(fs::File::open(&compacted).unwrap()).unwrap();
        assert_eq!(tree::read(&database), *tree, "tree {number}");
        assert_eq!(database.check().unwrap().problems, [], "tree {number}");
        fs::remove_file(compacted).unwrap();
    }
}

#[test]
fn bbolt_takes_either_meta_page_and_no_file_is_too_short() {
    let Some(bbolt) = Bbolt::from_environment() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    for bits in 9..=16 {
        let page_size = 1_u32 << bits;
        let (_, bytes) = tree::write(&Tree::new(), page_size);
        fs::write(&file, &bytes).unwrap();
        bbolt.check(&file);
        // The second it looks for at 1024 bytes and beyond, and not in files that end soon after.
        let (_, bytes) = tree::write(&tree::samples(3)[2], page_size);
        for meta in 0..2 {
            if meta == 0 && page_size == 512 {
                continue;
            }
            let mut damaged = bytes.clone();
            damaged[meta * page_size as usize + 40] ^= 1;
            fs::write(&file, &damaged).unwrap();
            bbolt.check(&file);
        }
    }
}

#[test]
fn bbolt_finds_every_key() {
    let Some(bbolt) = Bbolt::from_environment() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let key = |number: u32| format!("CVE-{number:06}");
    let keys = |range: std::ops::Range<u32>, length: usize| -> Tree {
        range
            .map(|n| {
                (
                    key(n).into_bytes(),
                    Node::Key(vec![b'v'; length + n as usize % 7]),
                )
            })
            .collect()
    };
    let nested = Tree::from([
        (b"inline".to_vec(), Node::Bucket(0, keys(0..2, 20))),
        (b"pages".to_vec(), Node::Bucket(0, keys(0..2_000, 150))),
    ]);
    let tree = Tree::from([
        (b"pip::advisories".to_vec(), Node::Bucket(0, nested)),
        (b"short".to_vec(), Node::Bucket(0, keys(0..3, 10))),
        (
            b"vulnerability".to_vec(),
            Node::Bucket(0, keys(0..3_000, 700)),
        ),
    ]);
    for page_size in [512, 4096, 65_536] {
        fs::write(&file, tree::write(&tree, page_size).1).unwrap();
        bbolt.check(&file);
        let buckets = bbolt.run(&["buckets", text(&file)]);
        assert_eq!(
            lines(&buckets),
            ["pip::advisories", "short", "vulnerability"]
        );
        let paths: [(&[&str], u32, usize); 4] = [
            (&["pip::advisories", "inline"], 2, 20),
            (&["pip::advisories", "pages"], 2_000, 150),
            (&["short"], 3, 10),
            (&["vulnerability"], 3_000, 700),
        ];
        for (path, count, length) in paths {
            let mut arguments = vec!["keys", text(&file)];
            arguments.extend(path);
            let found = bbolt.run(&arguments);
            assert_eq!(lines(&found), (0..count).map(key).collect::<Vec<_>>());
            for number in [0, 1, count / 2, count - 1] {
                let key = key(number);
                let mut arguments = vec!["get", text(&file)];
                arguments.extend(path);
                arguments.push(&key);
                let value = "v".repeat(length + number as usize % 7);
                assert_eq!(bbolt.run(&arguments).trim_end(), value);
            }
        }
    }
}

#[test]
fn no_file_is_larger_than_what_bbolt_compacts() {
    let Some(bbolt) = Bbolt::from_environment() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    // Packages of one to five advisories; and details of 200 bytes to 5 KB.
    let packages = (0..5_000_u32).map(|package| {
        let advisories = (0..=package % 5).map(|id| {
            let value = vec![b'v'; 100 + (package * 31 + id * 17) as usize % 100];
            (format!("CVE-2026-{id:05}").into_bytes(), Node::Key(value))
        });
        let name = format!("package-{package:06}");
        (name.into_bytes(), Node::Bucket(0, advisories.collect()))
    });
    let details = (0..3_000_u32).map(|id| {
        let value = vec![b'd'; 200 + (id.wrapping_mul(2_654_435_761) >> 8) as usize % 4_800];
        (format!("CVE-2026-{id:05}").into_bytes(), Node::Key(value))
    });
    let shapes: BTreeMap<&str, Tree> = BTreeMap::from([
        ("packages", packages.collect()),
        ("details", details.collect()),
    ]);
    for (shape, tree) in shapes {
        let tree = Tree::from([(shape.as_bytes().to_vec(), Node::Bucket(0, tree))]);
        let (summary, bytes) = tree::write(&tree, 4096);
        fs::write(&file, bytes).unwrap();
        let compacted = bbolt.compact(&file);
        let database = Database::open(fs::File::open(&compacted).unwrap()).unwrap();
        let used = database.check().unwrap().pages + 2;
        let pages = summary.pages;
        assert!(pages <= used, "{shape}: {pages} pages, and bbolt {used}");
        fs::remove_file(compacted).unwrap();
    }
}
