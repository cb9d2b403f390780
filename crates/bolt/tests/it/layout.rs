//! The bytes themselves, read by nothing of the crate.

use sha2::{Digest as _, Sha256};

use crate::tree::{self, Node, Tree};

fn number(bytes: &[u8], at: usize, length: usize) -> usize {
    let mut number = [0; 8];
    number[..length].copy_from_slice(&bytes[at..at + length]);
    usize::try_from(u64::from_le_bytes(number)).unwrap()
}

/// Goes through the pages one after the other: nothing is left in what they do not use, and no branch
/// has fewer than two children, or needs overflow that it could be spared. How many levels the highest tree has.
pub(crate) fn check(bytes: &[u8], page_size: u32) -> usize {
    let size = page_size as usize;
    let mut heights = vec![0; bytes.len() / size];
    let mut page = 0;
    while page < heights.len() {
        let image = &bytes[page * size..];
        let (flags, count) = (number(image, 8, 2), number(image, 10, 2));
        let pages = number(image, 12, 4) + 1;
        let image = &image[..pages * size];
        if image.iter().all(|byte| *byte == 0) {
            page += 1; // free
            continue;
        }
        assert_eq!(number(image, 0, 8), page);
        let used = match flags {
            4 => 80,
            0x10 => 16 + count * 8,
            1 | 2 => {
                assert!(flags == 2 || count >= 2, "page {page} has {count} children");
                assert!(flags == 2 || count <= 3 || pages == 1, "page {page}");
                let mut end = 16 + count * 16;
                heights[page] = 1;
                for index in 0..count {
                    let element = 16 + index * 16;
                    let fields: Vec<usize> = (0..4)
                        .map(|field| number(image, element + field * 4, 4))
                        .collect();
                    let [a, b, c, d] = fields[..] else {
                        unreachable!()
                    };
                    let (position, length) = if flags == 1 { (a, b) } else { (b, c + d) };
                    assert_eq!(element + position, end, "page {page}: packed, and in order");
                    end += length;
                    if flags == 1 {
                        let child = c | d << 32;
                        assert!((3..page).contains(&child), "children come first");
                        heights[page] = heights[child] + 1;
                    }
                }
                end
            }
            other => panic!("page {page} is of type {other}"),
        };
        assert!(
            used > image.len() - size,
            "page {page} has no page too many"
        );
        assert!(image[used..].iter().all(|byte| *byte == 0), "page {page}");
        page += pages;
    }
    heights.into_iter().max().unwrap()
}

/// One of everything: two kinds of buckets, an empty one, a nested one, a branch, overflow.
pub(crate) fn small() -> Tree {
    let key = |number: u32| format!("CVE-2026-{number:04}").into_bytes();
    let many = (0..100).map(|n| (key(n), Node::Key(vec![b'v'; 100])));
    let few = (0..3).map(|n| (key(n), Node::Key(b"{}".to_vec())));
    let package = Node::Bucket(0, few.collect());
    Tree::from([
        (b"empty".to_vec(), Node::Bucket(0, Tree::new())),
        (
            b"pip::advisories".to_vec(),
            Node::Bucket(7, Tree::from([(b"requests".to_vec(), package)])),
        ),
        (
            b"values".to_vec(),
            Node::Bucket(
                0,
                Tree::from([
                    (b"long".to_vec(), Node::Key(vec![b'x'; 10_000])),
                    (b"none".to_vec(), Node::Key(Vec::new())),
                ]),
            ),
        ),
        (b"vulnerability".to_vec(), Node::Bucket(0, many.collect())),
    ])
}

#[test]
fn golden() {
    let digests = [512, 4096, 65_536].map(|page_size| {
        let (_, bytes) = tree::write(&small(), page_size);
        check(&bytes, page_size);
        hex::encode(Sha256::digest(bytes))
    });
    assert_eq!(
        digests,
        [
            "ed477c4b806ad3523967a026738a990e92149cadfcd70ce71bd37381d51bb1ae",
            "8580c2d1fd62d8437e1675f29230e8738b15acbcaa8fe212923d892b5dda1d2d",
            "89d793b567ef4d3e799790ebbb804a5ddac3f9571f1c2ca94ac402d2befdf45b",
        ]
    );
}

#[test]
fn an_empty_database() {
    for (page_size, pages) in [(512, 8), (1024, 4), (4096, 4), (65_536, 4)] {
        let (summary, bytes) = tree::write(&Tree::new(), page_size);
        // bbolt takes no file of fewer than 4096 bytes.
        assert_eq!(summary.pages, pages);
        assert_eq!(
            number(&bytes, page_size as usize * 2 + 10, 2) as u64,
            pages - 4
        );
        check(&bytes, page_size);
    }
}

#[test]
fn large_values_share_what_would_stay_empty() {
    // Each is a little more than half of a page: two pages of two have as much room as three of one.
    let values = (0..300).map(|n| (format!("{n:04}").into_bytes(), Node::Key(vec![1; 2_700])));
    let tree = Tree::from([(b"bucket".to_vec(), Node::Bucket(0, values.collect()))]);
    let (summary, _) = tree::write(&tree, 4096);
    let least = 300 * (2_700 + 4 + 16) / 4096;
    assert!(summary.pages < least * 11 / 10, "{} pages", summary.pages);
}
