//! Files that were damaged, at random and on purpose.

use export_bolt::{Database, ReadError};

use crate::exercise::exercise;
use crate::tree::{self, Node, Tree};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

/// So that what was changed in a meta page is believed.
fn seal(bytes: &mut [u8], page_size: usize) {
    for meta in [16, page_size + 16] {
        let Some(content) = bytes.get_mut(meta..meta + 64) else {
            continue;
        };
        let sum = content[..56]
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
        content[56..].copy_from_slice(&sum.to_le_bytes());
    }
}

fn damage(bytes: &mut Vec<u8>, page_size: usize, random: &mut Random) {
    let pages = bytes.len() / page_size;
    for _ in 0..=random.below(4) {
        let page = random.below(pages) * page_size;
        // Mostly in headers and elements, where it matters.
        let within = if random.below(3) == 0 { page_size } else { 96 };
        let at = page + random.below(within);
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            2 => {
                let at = at & !7;
                let number = (random.below(pages + 2) as u64).to_le_bytes();
                bytes[at..at + 8].copy_from_slice(&number);
            }
            3 => {
                let at = at & !3;
                bytes[at..at + 4].copy_from_slice(&[0xff; 4]);
            }
            4 => {
                let from = random.below(pages) * page_size;
                bytes.copy_within(from..from + page_size, page);
                let id = ((page / page_size) as u64).to_le_bytes();
                bytes[page..page + 8].copy_from_slice(&id);
            }
            _ => {
                let overflow = u32::try_from(random.below(pages)).unwrap();
                bytes[page + 12..page + 16].copy_from_slice(&overflow.to_le_bytes());
            }
        }
    }
    if random.below(4) > 0 {
        seal(bytes, page_size);
    }
    if random.below(20) == 0 {
        let length = random.below(bytes.len() + 1);
        bytes.truncate(length);
    }
}

#[test]
fn at_random() {
    let mut random = Random(6);
    let value = |length| Node::Key(vec![b'v'; length]);
    let many = |count: u32, length| -> Tree {
        let keys = (0..count).map(|n| (format!("{n:05}").into_bytes(), value(length)));
        keys.collect()
    };
    let mut mixed = many(40, 30);
    mixed.insert(b"nested".to_vec(), Node::Bucket(1, many(60, 25)));
    mixed.insert(b"nested too".to_vec(), Node::Bucket(2, many(2, 5)));
    let tree = Tree::from([
        (b"inline".to_vec(), Node::Bucket(0, many(2, 10))),
        (b"long".to_vec(), Node::Bucket(0, many(3, 2_000))),
        (b"mixed".to_vec(), Node::Bucket(3, mixed)),
    ]);
    let files = [512, 1024, 4096].map(|page_size| (page_size, tree::write(&tree, page_size).1));
    let mut opened = 0;
    for _ in 0..10_000 {
        let (page_size, bytes) = &files[random.below(files.len())];
        let mut bytes = bytes.clone();
        damage(&mut bytes, *page_size as usize, &mut random);
        opened += u32::from(Database::open(bytes.as_slice()).is_ok());
        exercise(&bytes);
    }
    assert!(opened > 5_000, "most has to get past the meta pages");
}

#[test]
fn every_length() {
    let (_, bytes) = tree::write(&tree::samples(3)[2], 512);
    for length in (0..bytes.len().min(8_192)).chain([bytes.len() - 1]) {
        exercise(&bytes[..length]);
        assert!(Database::open(&bytes[..length]).is_err());
    }
}

/// A file of pages of 512 bytes, all branches or leaves as told, behind sealed meta pages; page 3 is
/// the root.
fn made(pages: &[Vec<u8>]) -> Vec<u8> {
    let (_, empty) = tree::write(&Tree::new(), 512);
    let mut bytes = empty[..3 * 512].to_vec();
    bytes[2 * 512 + 10..].fill(0);
    for page in pages {
        bytes.extend_from_slice(page);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    let high_water = ((bytes.len() / 512) as u64).to_le_bytes();
    for meta in [16, 512 + 16] {
        bytes[meta + 16..meta + 24].copy_from_slice(&3_u64.to_le_bytes());
        bytes[meta + 40..meta + 48].copy_from_slice(&high_water);
    }
    seal(&mut bytes, 512);
    bytes
}

fn header(id: u64, flags: u16, count: u16, overflow: u32) -> Vec<u8> {
    let mut page = id.to_le_bytes().to_vec();
    page.extend(flags.to_le_bytes());
    page.extend(count.to_le_bytes());
    page.extend(overflow.to_le_bytes());
    page
}

fn branch(id: u64, overflow: u32, children: &[(&str, u64)]) -> Vec<u8> {
    let mut page = header(id, 1, u16::try_from(children.len()).unwrap(), overflow);
    let mut position = children.len() * 16;
    for (key, child) in children {
        page.extend(u32::try_from(position).unwrap().to_le_bytes());
        page.extend(u32::try_from(key.len()).unwrap().to_le_bytes());
        page.extend(child.to_le_bytes());
        position = position + key.len() - 16;
    }
    page.extend(children.iter().flat_map(|(key, _)| key.bytes()));
    page
}

/// A leaf of elements as told: flags, position, length of the key, length of the value.
fn leaf(id: u64, elements: &[[u32; 4]], data: &[u8]) -> Vec<u8> {
    let mut page = header(id, 2, u16::try_from(elements.len()).unwrap(), 0);
    page.extend(
        elements
            .iter()
            .flatten()
            .flat_map(|number| number.to_le_bytes()),
    );
    page.extend(data);
    page
}

/// A leaf whose only element is a bucket.
fn bucket(id: u64, name: &str, root: u64) -> Vec<u8> {
    let length = u32::try_from(name.len()).unwrap();
    let data = [name.as_bytes(), &root.to_le_bytes(), &[0; 8]].concat();
    leaf(id, &[[1, 16, length, 16]], &data)
}

fn problems(bytes: &[u8]) -> Vec<String> {
    exercise(bytes);
    let report = Database::open(bytes).unwrap().check().unwrap();
    report.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn branches_in_a_circle() {
    let bytes = made(&[branch(3, 0, &[("a", 4)]), branch(4, 0, &[("a", 3)])]);
    assert_eq!(problems(&bytes), ["page 3 is referred to more than once"]);
    let database = Database::open(bytes).unwrap();
    assert!(matches!(
        database.walk().next(),
        Some(Err(ReadError::Circle))
    ));
    assert!(matches!(
        database.root().entries().last(),
        Some(Err(ReadError::Circle))
    ));
    assert!(matches!(
        database.get(&[b"a"], b"a"),
        Err(ReadError::Page { .. })
    ));
}

#[test]
fn a_bucket_in_itself() {
    let bytes = made(&[bucket(3, "a", 4), bucket(4, "b", 4)]);
    assert_eq!(problems(&bytes), ["page 4 is referred to more than once"]);
    let database = Database::open(bytes).unwrap();
    assert!(matches!(
        database.walk().last(),
        Some(Err(ReadError::Circle))
    ));
}

#[test]
fn overflow_that_all_pages_share() {
    // Each page reaches to the end of the file: read one by one, that would be the square of it.
    let count = 4_000;
    let children: Vec<u64> = (0..count).map(|n| 500 + count - 1 - n).collect();
    let names: Vec<String> = (0..count).map(|n| format!("{n:05}")).collect();
    let pairs: Vec<(&str, u64)> = names.iter().map(String::as_str).zip(children).collect();
    let mut root = branch(3, 0, &pairs);
    let root_pages = root.len().div_ceil(512);
    root[12..16].copy_from_slice(&u32::try_from(root_pages - 1).unwrap().to_le_bytes());
    let mut pages = vec![root];
    let filler = 500 - 3 - root_pages;
    pages.extend((0..filler).map(|_| vec![0; 512]));
    pages.extend((0..count).map(|n| header(500 + n, 2, 0, u32::try_from(count - 1 - n).unwrap())));
    let bytes = made(&pages);
    let report = Database::open(bytes.as_slice()).unwrap().check().unwrap();
    assert_eq!(report.problems.len(), 1_000);
    assert!(report.unlisted >= 2_999);
    exercise(&bytes);
}

#[test]
fn pages_that_nothing_refers_to_and_keys_in_the_root() {
    let bytes = made(&[leaf(3, &[[0, 16, 1, 1]], b"kv"), header(4, 2, 0, 0)]);
    assert_eq!(
        problems(&bytes),
        [
            "page 3: element 0 is a key outside of every bucket",
            "page 4 is neither used nor free"
        ]
    );
}

#[test]
fn keys_that_belong_elsewhere() {
    let bytes = made(&[
        branch(3, 0, &[("b", 4), ("d", 5), ("d", 6)]),
        bucket(4, "a", 7),
        bucket(5, "e", 8),
        bucket(6, "f", 9),
        header(7, 2, 0, 0),
        header(8, 2, 0, 0),
        header(9, 2, 0, 0),
    ]);
    let mut found = problems(&bytes);
    found.sort();
    assert_eq!(
        found,
        [
            "page 3: key 2 does not come after the one before it",
            "page 4: key 0 is not between those of the branch above",
            "page 5: key 0 is not between those of the branch above"
        ]
    );
}

#[test]
fn elements_that_are_not_where_they_have_to_be() {
    let cases: [(&[[u32; 4]], &str); 7] = [
        (
            &[[0, 32, 1, 40], [0, 17, 1, 40]],
            "element 1 reaches outside of its place",
        ),
        (
            &[[0, 32, 1, 1], [0, 16, 1, 1]],
            "element 1 reaches outside of its place",
        ),
        (&[[0, 0, 1, 1]], "element 0 reaches outside of its place"),
        (&[[0, 16, 1, 480]], "element 0 reaches outside of its place"),
        (
            &[[0, 16, u32::MAX, u32::MAX]],
            "element 0 reaches outside of its place",
        ),
        (
            &[[0, u32::MAX, 1, 1]],
            "element 0 reaches outside of its place",
        ),
        (&[[0, 16, 0, 1]], "element 0 has an empty key"),
    ];
    for (elements, problem) in cases {
        let bytes = made(&[bucket(3, "bucket", 4), leaf(4, elements, b"abcdefgh")]);
        assert_eq!(problems(&bytes), [format!("page 4: {problem}")]);
        let database = Database::open(bytes).unwrap();
        assert!(matches!(
            database.walk().last(),
            Some(Err(ReadError::Page { page: 4, .. }))
        ));
        assert!(database.get(&[b"bucket"], b"a").is_err());
    }
    // To the last byte of the page is not outside of it.
    let bytes = made(&[bucket(3, "bucket", 4), leaf(4, &[[0, 16, 1, 479]], b"a")]);
    assert_eq!(problems(&bytes), [""; 0]);
}

#[test]
fn buckets_that_cannot_be_where_they_are() {
    let inline = |flags: u32, kind: u16, length: u32| {
        let mut image = header(0, kind, 1, 0);
        image.extend(
            [flags, 16, 1, 16]
                .iter()
                .flat_map(|number| number.to_le_bytes()),
        );
        image.extend([&b"k"[..], &[0; 16]].concat());
        let data = [&b"b"[..], &[0; 16], &image].concat();
        made(&[leaf(3, &[[1, 16, 1, length]], &data)])
    };
    assert_eq!(problems(&inline(0, 2, 16 + 49)), [""; 0]);
    let malformed = ["page 3: the bucket in element 0 is malformed"];
    assert_eq!(
        problems(&inline(1, 2, 16 + 49)),
        malformed,
        "a bucket in it"
    );
    assert_eq!(problems(&inline(0, 1, 16 + 49)), malformed, "a branch");
    for length in [0, 15, 16, 31, 32, 47, 64] {
        assert_eq!(problems(&inline(0, 2, length)), malformed, "{length} bytes");
    }
}

#[test]
fn keys_that_are_there_twice() {
    let twice = [[0, 32, 1, 1], [0, 18, 1, 1]];
    let bytes = made(&[bucket(3, "bucket", 4), leaf(4, &twice, b"k1k2")]);
    assert_eq!(
        problems(&bytes),
        ["page 4: key 1 does not come after the one before it"]
    );
    let database = Database::open(bytes).unwrap();
    assert!(matches!(
        database.walk().last(),
        Some(Err(ReadError::Order { page: 4 }))
    ));
}

#[test]
fn more_levels_than_any_file_has() {
    let levels = |count: u64| {
        let mut pages: Vec<_> = (3..3 + count)
            .map(|id| branch(id, 0, &[("a", id + 1)]))
            .collect();
        pages.push(leaf(3 + count, &[], b""));
        made(&pages)
    };
    assert_eq!(problems(&levels(63)), [""; 0]);
    let deep = levels(64);
    assert_eq!(problems(&deep), ["page 67: it is below too many branches"]);
    let database = Database::open(deep).unwrap();
    let error = database.get(&[], b"a").unwrap_err().to_string();
    assert_eq!(error, "page 67: it is below too many branches");
}
