#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::process::Command;

use export_model::{Sha256Digest, Tenant};
use proptest::prelude::*;

use super::*;
use crate::path::document;

fn layer_of(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, content) in members {
        let size = content.len() as u64;
        let start = out.len() as u64;
        out.extend_from_slice(&header(path, size).unwrap());
        out.extend_from_slice(content);
        out.extend_from_slice(padding(size));
        assert_eq!(out.len() as u64 - start, member_bytes(size));
    }
    out.extend_from_slice(&END);
    out
}

/// Documents that were generated, with their paths.
fn documents(count: u64) -> Vec<(String, Vec<u8>)> {
    let tenant: Tenant = "acme".parse().unwrap();
    export_intake::generate::generate(count, 7, &tenant)
        .map(|bytes| {
            let record = terms_of(&bytes);
            (document(record.0, &record.1), bytes)
        })
        .collect()
}

fn terms_of(bytes: &[u8]) -> (Kind, String) {
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    (
        value["kind"].as_str().unwrap().parse().unwrap(),
        value["_id"].as_str().unwrap().to_owned(),
    )
}

/// Members of contents of all kinds of sizes, under fixed names.
fn derived() -> Vec<(String, Vec<u8>)> {
    [
        ("manifests/advisory.json", 0),
        ("indexes/by-purl.jsonl", 511),
        ("indexes/by-purl.offsets", 512),
        ("data/policy/policy_snapshot.json", 513),
        ("indexes/by-source.jsonl", 100_000),
    ]
    .into_iter()
    .map(|(path, size)| (path.to_owned(), vec![b'x'; size]))
    .collect()
}

fn read(bytes: &[u8], limit: u64) -> Result<Vec<(String, Vec<u8>)>, LayerError> {
    let mut reader = LayerReader::new(bytes, limit);
    let mut members = Vec::new();
    while let Some(member) = reader.next()? {
        members.push((member.path.to_owned(), member.bytes.to_vec()));
    }
    assert!(reader.next()?.is_none(), "the end stays the end");
    assert_eq!(reader.offset(), bytes.len() as u64);
    Ok(members)
}

fn fault(bytes: &[u8], limit: u64) -> LayerFault {
    match read(bytes, limit) {
        Err(LayerError::Refused { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_layer_is_these_bytes_and_is_read_back() {
    let layer = layer_of(&derived());
    assert_eq!(
        Sha256Digest::of(&layer).hex(),
        include_str!("../golden/layer.sha256").trim()
    );
    assert_eq!(read(&layer, layer.len() as u64).unwrap(), derived());
    assert_eq!(read(&END, 1024).unwrap(), []);
    let members = documents(50);
    let layer = layer_of(&members);
    let mut reader = DocumentReader::new(layer.as_slice(), u64::MAX);
    for (path, bytes) in &members {
        let read = reader.next().unwrap().unwrap();
        let (kind, id) = terms_of(bytes);
        assert_eq!((read.path, read.bytes), (path.as_str(), bytes.as_slice()));
        assert_eq!((read.kind, read.id.as_ref()), (kind, id.as_str()));
    }
    assert!(reader.next().unwrap().is_none());
    assert_eq!(reader.offset(), layer.len() as u64);
}

#[test]
fn contents_can_be_streamed_and_passed_over() {
    let members = derived();
    let layer = layer_of(&members);
    let mut reader = LayerReader::new(layer.as_slice(), u64::MAX);
    for (number, (path, content)) in members.iter().enumerate() {
        let head = reader.next_head().unwrap().unwrap();
        assert_eq!(
            (head.path, head.size),
            (path.as_str(), content.len() as u64)
        );
        if number % 2 == 0 {
            continue;
        }
        let (mut read, mut buffer) = (Vec::new(), [0; 100]);
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => break,
                length => read.extend_from_slice(&buffer[..length]),
            }
        }
        assert_eq!(&read, content);
    }
    assert!(reader.next_head().unwrap().is_none());
}

#[test]
fn gnu_tar_unpacks_what_is_written_and_makes_the_same_bytes() {
    if Command::new("tar").arg("--version").output().is_err() {
        println!("skipped: layers by another tool: tar is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut members = documents(40);
    members.extend(derived());
    let layer = layer_of(&members);
    let archive = folder.path().join("layer.tar");
    std::fs::write(&archive, &layer).unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new("tar")
            .current_dir(&tree)
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    run(&["-xf", "../layer.tar"]);
    for (path, content) in &members {
        assert_eq!(&std::fs::read(tree.join(path)).unwrap(), content, "{path}");
    }
    // Packed again as plain ustar, by names in the same order.
    let names: String = members
        .iter()
        .map(|(path, _)| format!("{path}\n"))
        .collect();
    std::fs::write(folder.path().join("names"), names).unwrap();
    let again = run(&[
        "-c",
        "--format=ustar",
        "--mtime=@0",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mode=0644",
        "--blocking-factor=1",
        "-T",
        "../names",
        "-f",
        "-",
    ]);
    // Paths of more than 100 bytes may be split elsewhere, so the sizes and contents are compared.
    assert_eq!(again.len(), layer.len());
    let short: Vec<_> = members
        .iter()
        .filter(|(path, _)| path.len() <= 100)
        .cloned()
        .collect();
    let names: String = short.iter().map(|(path, _)| format!("{path}\n")).collect();
    std::fs::write(folder.path().join("names"), names).unwrap();
    let again = run(&[
        "-c",
        "--format=ustar",
        "--mtime=@0",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mode=0644",
        "--blocking-factor=1",
        "-T",
        "../names",
        "-f",
        "-",
    ]);
    assert_eq!(again, layer_of(&short));
}

/// A layer of one document whose header `edit` changed, its checksum right again.
fn edited(edit: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut layer = layer_of(&documents(1));
    edit(&mut layer[..512]);
    seal(&mut layer[..512]);
    layer
}

fn seal(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn named(name: &str) -> Vec<u8> {
    edited(|header| {
        header[..100].fill(0);
        header[345..500].fill(0);
        header[..name.len()].copy_from_slice(name.as_bytes());
    })
}

#[test]
fn what_is_no_plain_document_is_refused_by_name() {
    let flag = |flag: u8| fault(&edited(|header| header[156] = flag), u64::MAX);
    for (kind, what) in [
        (b'1', "a hard link"),
        (b'2', "a symbolic link"),
        (b'3', "a device"),
        (b'4', "a device"),
        (b'5', "a folder"),
        (b'6', "a named pipe"),
        (b'L', "a long name in GNU's form"),
        (b'K', "a long name in GNU's form"),
        (b'S', "a sparse file"),
        (b'g', "a global PAX header"),
        (b'Z', "of an unknown kind"),
    ] {
        assert_eq!(flag(kind), LayerFault::Kind(what));
    }
    assert_eq!(flag(b'x'), LayerFault::Pax);
    assert_eq!(flag(0), LayerFault::Format, "an old tar's file");
    assert_eq!(
        fault(
            &edited(|header| header[257..265].copy_from_slice(b"ustar  \0")),
            u64::MAX
        ),
        LayerFault::Format
    );
    let good = documents(1).remove(0).0;
    for (name, expected) in [
        ("/etc/passwd", LayerFault::Absolute),
        ("../etc/passwd", LayerFault::Component),
        ("data/../../x", LayerFault::Component),
        ("data\\..\\x", LayerFault::Component),
        ("data//x", LayerFault::Component),
        (
            "data/raw/vex/3e/B-3e23e8160039594a33894f6564e1b134.json",
            LayerFault::Case,
        ),
        (
            "data/raw/vex/3f/b-3e23e8160039594a33894f6564e1b134.json",
            LayerFault::Path,
        ),
        (
            "data/raw/vex/3e/é-3e23e8160039594a33894f6564e1b134.json",
            LayerFault::Path,
        ),
        ("c:x", LayerFault::Path),
        ("manifests/other.json", LayerFault::Path),
        ("indexes/by-purl.sqlite", LayerFault::Path),
        ("current", LayerFault::Path),
    ] {
        assert_eq!(fault(&named(name), u64::MAX), expected, "{name}");
        assert!(header(name, 1).is_err(), "{name}");
    }
    for (at, bytes) in [
        (100, b"0000777".as_slice()),
        (108, b"0001750"),
        (116, b"0001750"),
        (136, b"00000000001"),
        (157, b"link"),
        (265, b"root"),
        (297, b"root"),
        (329, b"0000001"),
        (500, b"hidden"),
        (124, b"\x80\0\0\0\0\0\0\0\0\0\0\x01"),
        (124, b"      12345 "),
    ] {
        let layer = edited(|header| header[at..at + bytes.len()].copy_from_slice(bytes));
        assert_eq!(fault(&layer, u64::MAX), LayerFault::Form, "at {at}");
    }
    let error = read(&named("../etc/passwd"), u64::MAX)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "the layer at byte 0, member `../etc/passwd`: the path has a component that leads elsewhere"
    );
    assert!(good.starts_with("data/raw/"));
}

#[test]
fn a_document_has_to_lie_where_it_belongs() {
    let mut members = documents(2);
    let refused = |members: &[(String, Vec<u8>)]| {
        let layer = layer_of(members);
        let mut reader = DocumentReader::new(layer.as_slice(), u64::MAX);
        match reader.next() {
            Err(LayerError::Refused { fault, .. }) => fault,
            other => panic!("{other:?}"),
        }
    };
    let expected = members[0].0.clone();
    members[0].0 = document(Kind::Vex, "another");
    assert_eq!(refused(&members), LayerFault::Elsewhere { expected });
    members[0].1 = b"{\"_id\":\"another\",\"kind\":\"vex\"}".to_vec();
    assert!(matches!(refused(&members), LayerFault::NotADocument(_)));
    assert!(matches!(refused(&derived()), LayerFault::NotADocument(_)));
    members[0].1 = b"{\"_id\":\"another\",\"kind\":\"vex\",\"subject_key\":\"s\"}".to_vec();
    let layer = layer_of(&members);
    let mut reader = DocumentReader::new(layer.as_slice(), u64::MAX);
    assert_eq!(reader.next().unwrap().unwrap().id, "another");
}

#[test]
fn a_layer_that_holds_more_than_it_may_is_refused_at_once() {
    let layer = layer_of(&documents(5));
    let whole = layer.len() as u64;
    for limit in 0..whole {
        assert_eq!(
            fault(&layer, limit),
            LayerFault::TooMuch { limit },
            "{limit}"
        );
    }
    // A header that promises a lot is refused before anything of it is read or reserved.
    let size = 7 << 30;
    let promise = header("indexes/by-purl.jsonl", size).unwrap();
    assert_eq!(
        fault(&promise, 1 << 20),
        LayerFault::TooMuch { limit: 1 << 20 }
    );
    assert_eq!(fault(&promise, u64::MAX), LayerFault::Size(size));
    let mut reader = LayerReader::new(promise.as_slice(), u64::MAX);
    assert_eq!(reader.next_head().unwrap().unwrap().size, size);
    // And a bomb, however well it is compressed: no more is unpacked than a buffer beyond the limit.
    struct Endless(u64);
    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(0);
            self.0 += buffer.len() as u64;
            Ok(buffer.len())
        }
    }
    let mut endless = Endless(0);
    let chained = std::io::Read::chain(promise.as_slice(), &mut endless);
    let mut reader = LayerReader::new(chained, 1000);
    assert!(reader.next().is_err());
    drop(reader);
    assert!(endless.0 <= 1 << 20, "{}", endless.0);
}

#[test]
fn a_layer_that_was_cut_or_goes_on_is_refused() {
    let layer = layer_of(&documents(2));
    for length in 0..layer.len() {
        assert_eq!(
            fault(&layer[..length], u64::MAX),
            LayerFault::Truncated,
            "{length}"
        );
    }
    for tail in [b"\0".to_vec(), vec![0; 512], b"x".to_vec(), layer.clone()] {
        assert_eq!(
            fault(&[layer.clone(), tail].concat(), u64::MAX),
            LayerFault::Trailing
        );
    }
    let mut half = layer[..layer.len() - 512].to_vec();
    half.extend_from_slice(&[1; 512]);
    assert_eq!(fault(&half, u64::MAX), LayerFault::Trailing);
    assert_eq!(fault(b"", u64::MAX), LayerFault::Truncated);
    assert_eq!(fault(&[0; 512], u64::MAX), LayerFault::Truncated);
    assert_eq!(fault(&[b'x'; 512], u64::MAX), LayerFault::Checksum);
}

#[test]
fn no_flipped_bit_outside_a_content_passes() {
    let members = documents(2);
    let layer = layer_of(&members);
    for at in 0..layer.len() {
        for bit in [0, 3, 7] {
            let mut bytes = layer.clone();
            bytes[at] ^= 1 << bit;
            if let Ok(read) = read(&bytes, u64::MAX) {
                assert_eq!(
                    layer_of(&read),
                    bytes,
                    "what reads is what would be written"
                );
                let paths = |members: &[(String, Vec<u8>)]| -> Vec<String> {
                    members.iter().map(|(path, _)| path.clone()).collect()
                };
                assert_eq!(paths(&read), paths(&members), "{at}");
            }
        }
    }
}

#[test]
fn a_reader_that_fails_is_told_from_a_layer_that_does() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the drive is gone"))
        }
    }
    let layer = layer_of(&documents(1));
    let chained = std::io::Read::chain(&layer[..700], Failing);
    let mut reader = LayerReader::new(chained, u64::MAX);
    let error = reader.next().unwrap_err();
    assert!(
        matches!(error, LayerError::Read { offset: 700, .. }),
        "{error:?}"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_are_what_would_be_written(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        if let Ok(members) = read(&bytes, u64::MAX) {
            prop_assert_eq!(layer_of(&members), bytes.clone());
        }
        let mut reader = DocumentReader::new(bytes.as_slice(), u64::MAX);
        while let Ok(Some(_)) = reader.next() {}
    }
}
