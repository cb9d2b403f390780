use super::*;
use std::cell::Cell;
use std::io::{self, Cursor, Write};
use std::rc::Rc;

type Seen = Vec<(String, String)>;

fn refuse_unknown(bytes: &[u8]) -> Result<(), Refusal> {
    match export_canonical::record::canonicalize(bytes, &Limits::default()) {
        Err(error) => Err(error.into()),
        Ok(text) if text.windows(5).any(|window| window == b"\"id\":") => Ok(()),
        Ok(_) => Err(Refusal::new(ErrorCode::UnknownFormat, "unknown")),
    }
}

fn read(input: Input, limits: &Limits) -> (Result<ReadReport, ReadError>, Seen) {
    let mut seen = Vec::new();
    let outcome = documents(input, limits, &mut |location, bytes| {
        refuse_unknown(&bytes)?;
        seen.push((
            location.to_string(),
            String::from_utf8(bytes).unwrap_or_default(),
        ));
        Ok(())
    });
    (outcome, seen)
}

fn stream(bytes: &[u8]) -> (Result<ReadReport, ReadError>, Seen) {
    let input = Input::Stream {
        name: "-".to_owned(),
        reader: Box::new(Cursor::new(bytes.to_vec())),
    };
    read(input, &Limits::default())
}

fn path(path: &std::path::Path) -> (Result<ReadReport, ReadError>, Seen) {
    read(Input::Path(path.to_owned()), &Limits::default())
}

fn places(seen: &Seen) -> Vec<&str> {
    seen.iter().map(|(place, _)| place.as_str()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

const LINES: &[u8] = b"{\"id\":1}\n\n  \r\n{\"id\":2}\r\n{\"id\":3}";

#[test]
fn lines_and_whole_documents_are_told_apart() {
    let (_, seen) = stream(LINES);
    assert_eq!(places(&seen), ["-:1", "-:4", "-:5"]);
    for whole in [
        "{\"id\":\n 1,\n\"b\":\"x\"\n}\n",
        "\n{\"id\":1,\"b\":[1\n,2]}",
        "{\"id\":1\n}",
        "{\"id\":1}",
        "{\"id\":1}\n",
        "{\n\"id\": 1 }\n\n",
    ] {
        let (outcome, seen) = stream(whole.as_bytes());
        assert_eq!(outcome.unwrap().documents, 1, "{whole:?}");
        assert_eq!(places(&seen), ["-"], "{whole:?}");
    }
    let (outcome, seen) = stream(b"\n \n");
    assert_eq!(outcome.unwrap(), ReadReport::default());
    assert!(seen.is_empty());
}

#[test]
fn a_wrong_line_is_named_by_its_number() {
    for (text, code, place) in [
        (
            b"{\"id\":1}\n{\"id\":}\n".as_slice(),
            ErrorCode::NotJson,
            "-:2",
        ),
        (b"{\"id\":1,}\n{\"id\":2}\n", ErrorCode::NotJson, "-:1"),
        (
            b"{\"id\":1}\n{\"id\":\"\xff\"}\n",
            ErrorCode::InvalidUtf8,
            "-:2",
        ),
        (
            b"{\"id\":\"\\udc00\"}\n{\"id\":1}",
            ErrorCode::LoneSurrogate,
            "-:1",
        ),
        (
            b"{\"id\":1}\n{\"id\":1,\"id\":1}",
            ErrorCode::DuplicateMember,
            "-:2",
        ),
        (
            b"{\"id\":1}\n{\"other\":1}",
            ErrorCode::UnknownFormat,
            "-:2",
        ),
        (b"{\"id\":1}\n{\"id\":1", ErrorCode::NotJson, "-:2"),
        (b"\xef\xbb\xbf{\"id\":1}", ErrorCode::NotJson, "-"),
        (b"hello\nworld", ErrorCode::NotJson, "-:1"),
        (b"{\"id\":\n1,\n", ErrorCode::NotJson, "-"),
    ] {
        let error = stream(text).0.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(error.location().to_string(), place, "{error}");
    }
}

#[test]
fn compressed_streams_are_opened_by_their_first_bytes() {
    let (_, plain) = stream(LINES);
    let mut skippable = b"\x50\x2a\x4d\x18\x02\x00\x00\x00hi".to_vec();
    skippable.extend(zstd(LINES));
    for packed in [
        zstd(LINES),
        gzip(LINES),
        skippable,
        [
            zstd(b"{\"id\":1}\n\n  \r\n{\"id\""),
            zstd(b":2}\r\n{\"id\":3}"),
        ]
        .concat(),
        [
            gzip(b"{\"id\":1}\n\n  \r\n{\"id\""),
            gzip(b":2}\r\n{\"id\":3}"),
        ]
        .concat(),
    ] {
        let (outcome, seen) = stream(&packed);
        assert_eq!(outcome.unwrap().documents, 3);
        assert_eq!(seen, plain);
    }
}

#[test]
fn truncated_and_damaged_streams_are_refused() {
    let many = "{\"id\":1}\n".repeat(1000);
    for whole in [zstd(many.as_bytes()), gzip(many.as_bytes())] {
        for cut in [5, whole.len() / 2, whole.len() - 1] {
            let error = stream(&whole[..cut]).0.unwrap_err();
            assert_eq!(error.code(), ErrorCode::Compressed, "{cut}: {error}");
        }
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        damaged[middle + 1] ^= 0xff;
        let error = stream(&damaged).0.unwrap_err();
        // What comes out wrong may be noticed before the checksum is reached.
        assert!(
            matches!(
                error.code(),
                ErrorCode::Compressed | ErrorCode::NotJson | ErrorCode::InvalidUtf8
            ),
            "{error}"
        );
    }
}

/// Gives `size` times the same byte and counts what was asked of it.
struct Endless {
    start: &'static [u8],
    left: u64,
    given: Rc<Cell<u64>>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.start.is_empty() {
            return self.start.read(buffer);
        }
        let count = buffer.len().min(usize::try_from(self.left).unwrap());
        buffer[..count].fill(b'a');
        self.left -= count as u64;
        self.given.set(self.given.get() + count as u64);
        Ok(count)
    }
}

#[test]
fn a_line_of_200_mb_is_refused_before_it_is_read() {
    for (start, place) in [
        (b"{\"id\":1}\n{\"id\":\"".as_slice(), "-:2"),
        (b"{\"id\":\"", "-:1"),
        (b"{\"id\":1,\n\"a\":\"", "-"),
    ] {
        let given = Rc::new(Cell::new(0));
        let input = Input::Stream {
            name: "-".to_owned(),
            reader: Box::new(Endless {
                start,
                left: 200_000_000,
                given: Rc::clone(&given),
            }),
        };
        let error = read(input, &Limits::default()).0.unwrap_err();
        assert_eq!(error.code(), ErrorCode::RecordTooLarge);
        assert_eq!(error.location().to_string(), place);
        assert!(error.to_string().contains("67108864"), "{error}");
        let most = (64 << 20) + 1_000_000;
        assert!(given.get() < most, "{} bytes were read", given.get());
    }
}

#[test]
fn what_is_held_never_grows_beyond_the_limit() {
    let mut line = Vec::new();
    let limit = 1000;
    for _ in 0..100 {
        super::text::grow(&mut line, &[b'x'; 10], limit);
        assert!(line.capacity() <= limit);
    }
    assert_eq!(line.len(), limit);
}

fn write(folder: &std::path::Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_folder_gives_its_files_in_order_and_lists_what_it_skips() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "b/2.jsonl.zst", &zstd(LINES));
    write(root, "a.json", b"{\"id\":1}");
    write(root, "b/1.json.gz", &gzip(b"{\"id\":1}"));
    write(root, "b.json", b"{\"name\":\"package\"}");
    write(root, "README.md", b"# read me");
    write(root, "notes", b"{not json}");
    write(root, "picture.png", &[0x89, b'P', 0, 255]);
    write(root, "empty.json", b"");
    write(root, ".hidden.json", b"{broken");
    write(root, ".git/x.json", b"{broken");
    write(
        root,
        "z.zip",
        &zip(&[("in/1.json", b"{\"id\":1}"), ("LICENSE", b"text")]),
    );
    write(root, "program.jar", &zip(&[("x.json", b"{broken")]));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/passwd", root.join("link.json")).unwrap();
        std::os::unix::fs::symlink(root, root.join("loop")).unwrap();
    }
    let (outcome, seen) = path(root);
    let report = outcome.unwrap();
    let inside = |place: &str| place.replace(&format!("{}/", root.display()), "");
    assert_eq!(
        seen.iter()
            .map(|(place, _)| inside(place))
            .collect::<Vec<_>>(),
        [
            "a.json",
            "b/1.json.gz",
            "b/2.jsonl.zst:1",
            "b/2.jsonl.zst:4",
            "b/2.jsonl.zst:5",
            "z.zip!in/1.json"
        ]
    );
    assert_eq!(report.documents, 6);
    let mut skipped: Vec<_> = report
        .skipped
        .iter()
        .map(|one| inside(&one.location.to_string()))
        .collect();
    skipped.retain(|name| name != "link.json" && name != "loop");
    assert_eq!(
        skipped,
        [
            "README.md",
            "b.json",
            "notes",
            "picture.png",
            "program.jar",
            "z.zip!LICENSE"
        ]
    );
    assert_eq!(
        report.skipped.len(),
        skipped.len() + if cfg!(unix) { 2 } else { 0 }
    );
}

#[test]
fn a_file_called_json_has_to_be_json_and_a_named_file_known() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "a/broken.json", b"{\"id\":");
    let error = path(&root.join("a")).0.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotJson);
    assert!(error.to_string().contains("broken.json"), "{error}");

    write(root, "b/cut.jsonl.zst", &zstd(LINES)[..8]);
    let error = path(&root.join("b")).0.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Compressed);

    write(root, "c/mixed.jsonl", b"{\"id\":1}\n{\"other\":1}\n");
    let error = path(&root.join("c")).0.unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnknownFormat);

    write(root, "d/package.json", b"{\"name\":1}");
    assert_eq!(path(&root.join("d")).0.unwrap().skipped.len(), 1);
    let error = path(&root.join("d/package.json")).0.unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnknownFormat);

    let error = path(&root.join("nowhere")).0.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Io);
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, bytes) in members {
        out.start_file(*name, options).unwrap();
        out.write_all(bytes).unwrap();
    }
    out.finish().unwrap().into_inner()
}

fn read_zip(bytes: &[u8]) -> (Result<ReadReport, ReadError>, Seen) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.zip");
    std::fs::write(&file, bytes).unwrap();
    path(&file)
}

/// Every place where `from` stands, replaced by `to`, which is as long.
fn patched(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut out = bytes.to_vec();
    let mut found = 0;
    for at in 0..=out.len() - from.len() {
        if out[at..].starts_with(from) {
            out[at..at + to.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0, "nothing to patch");
    out
}

#[test]
fn an_archive_that_was_made_to_harm_is_refused_whole() {
    let good: (&str, &[u8]) = ("first.json", b"{\"id\":1}");
    let base = zip(&[good, ("aa/b.json", b"{\"id\":2}")]);
    assert_eq!(read_zip(&base).0.unwrap().documents, 2);
    let duplicate = zip(&[good, ("fursu.json", b"{\"id\":2}")]);
    let duplicate = patched(&duplicate, b"fursu.json", b"first.json");
    let mut link = zip::ZipWriter::new(Cursor::new(Vec::new()));
    link.start_file("first.json", zip::write::SimpleFileOptions::default())
        .unwrap();
    link.write_all(b"{\"id\":1}").unwrap();
    link.add_symlink(
        "link.json",
        "/etc/passwd",
        zip::write::SimpleFileOptions::default(),
    )
    .unwrap();
    let link = link.finish().unwrap().into_inner();
    for (what, bytes) in [
        ("..", patched(&base, b"aa/b.json", b"../b.json")),
        ("backslash", patched(&base, b"aa/b.json", b"..\\b.json")),
        ("absolute", patched(&base, b"aa/b.json", b"/a/b.json")),
        ("drive", patched(&base, b"aa/b.json", b"C:\\b.json")),
        ("duplicate", duplicate),
        ("link", link),
        (
            "10 TB",
            with_declared_size(&zip(&[good]), 10_000_000_000_000),
        ),
        ("bomb", zip(&[good, ("bomb.json", &vec![b' '; 100 << 20])])),
    ] {
        let (outcome, seen) = read_zip(&bytes);
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), ErrorCode::UnsafeArchive, "{what}: {error}");
        assert!(seen.is_empty(), "{what}: something was handed out");
    }
}

/// The archive of one member with another uncompressed size in its directory, as zip64 states it
/// (APPNOTE 4.5.3).
fn with_declared_size(archive: &[u8], size: u64) -> Vec<u8> {
    let directory = archive
        .windows(4)
        .position(|window| window == b"PK\x01\x02")
        .unwrap();
    let end = archive
        .windows(4)
        .position(|window| window == b"PK\x05\x06")
        .unwrap();
    let mut out = archive[..directory].to_vec();
    let mut header = archive[directory..end].to_vec();
    header[24..28].fill(0xff);
    let name = usize::from(u16::from_le_bytes([header[28], header[29]]));
    let extra = u16::from_le_bytes([header[30], header[31]]);
    header[30..32].copy_from_slice(&(extra + 12).to_le_bytes());
    let mut field = vec![1, 0, 8, 0];
    field.extend(size.to_le_bytes());
    header.splice(46 + name..46 + name, field);
    let grown = u32::try_from(header.len()).unwrap();
    out.extend(header);
    let mut tail = archive[end..].to_vec();
    tail[12..16].copy_from_slice(&grown.to_le_bytes());
    out.extend(tail);
    out
}

#[test]
fn a_member_larger_than_declared_is_refused() {
    let text = format!("{{\"id\":\"{}\"}}", "a".repeat(1000));
    let archive = zip(&[("a.json", text.as_bytes())]);
    let error = read_zip(&with_declared_size(&archive, 100)).0.unwrap_err();
    assert!(
        matches!(
            error.code(),
            ErrorCode::UnsafeArchive | ErrorCode::Compressed
        ),
        "{error}"
    );
}

#[test]
fn damaged_archives_are_refused() {
    let base = zip(&[("a.json", b"{\"id\":1}"), ("b.json", b"{\"id\":2}")]);
    for cut in [10, base.len() / 2, base.len() - 5] {
        let error = read_zip(&base[..cut]).0.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Compressed, "{error}");
    }
    let stored = patched(&base, b"a.json", b"a.json");
    let at = stored
        .windows(6)
        .position(|window| window == b"a.json")
        .unwrap()
        + 7;
    let mut wrong = stored;
    wrong[at] ^= 0x55;
    let error = read_zip(&wrong).0.unwrap_err();
    assert!(
        matches!(
            error.code(),
            ErrorCode::Compressed | ErrorCode::NotJson | ErrorCode::UnsafeArchive
        ),
        "{error}"
    );
    let error = stream(&base).0.unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnknownFormat);
    let nested = zip(&[("inner.zip", &base), ("c.json", b"{\"id\":1}")]);
    let report = read_zip(&nested).0.unwrap();
    assert_eq!((report.documents, report.skipped.len()), (1, 1));
    let inside = zip(&[("lines.jsonl.zst", &zstd(LINES))]);
    assert_eq!(read_zip(&inside).0.unwrap().documents, 3);
}
