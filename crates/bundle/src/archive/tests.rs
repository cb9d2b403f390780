use std::process::Command;

use export_model::Sha256Digest;

use super::*;
use crate::paths::DOCUMENTS;

/// Writes the segments of `layout` from `offset` on, taking content from `members`.
fn bytes_from(layout: &ArchiveLayout, members: &[(String, Vec<u8>)], offset: u64) -> Vec<u8> {
    let mut out = Vec::new();
    for segment in layout.segments_from(offset) {
        match segment {
            Segment::Header(bytes) => out.extend_from_slice(&bytes),
            Segment::Member { index, range } => out.extend_from_slice(
                &members[index].1
                    [usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()],
            ),
            Segment::Zeros(count) => out.resize(out.len() + count, 0),
        }
    }
    out
}

fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let sizes: Vec<_> = members
        .iter()
        .map(|(path, content)| (path.clone(), content.len() as u64))
        .collect();
    let layout = ArchiveLayout::new(&sizes).unwrap();
    let bytes = bytes_from(&layout, members, 0);
    assert_eq!(bytes.len() as u64, layout.total_size());
    bytes
}

fn sample() -> Vec<(String, Vec<u8>)> {
    let mut members: Vec<_> = DOCUMENTS
        .iter()
        .map(|name| ((*name).to_owned(), name.repeat(30).into_bytes()))
        .collect();
    // One that fits a name, one that fits prefix and name, and two that need a PAX header.
    let mut paths = vec![
        format!("payload/{}", "a".repeat(92)),
        format!("payload/{}/{}", "b".repeat(100), "c".repeat(100)),
        format!("payload/{}/{}", "d".repeat(150), "e".repeat(100)),
        format!("payload/{}", "f".repeat(200)),
        "payload/empty".to_owned(),
        "payload/full".to_owned(),
    ];
    paths.sort();
    for path in paths {
        let content = match path.as_str() {
            "payload/empty" => Vec::new(),
            "payload/full" => vec![7; 1024],
            other => other.repeat(3).into_bytes(),
        };
        members.push((path, content));
    }
    members
}

/// What a reader sees: the members, and the error that ended it.
fn read(archive: &[u8]) -> (Vec<(String, Vec<u8>)>, Option<ArchiveError>) {
    let mut reader = ArchiveReader::new(archive);
    let mut members = Vec::new();
    loop {
        match reader.next_member() {
            Ok(Some(header)) => members.push((header.path, Vec::new())),
            Ok(None) => return (members, None),
            Err(error) => return (members, Some(error)),
        }
        loop {
            match reader.read() {
                Ok(Some(bytes)) => members.last_mut().unwrap().1.extend_from_slice(bytes),
                Ok(None) => break,
                Err(error) => return (members, Some(error)),
            }
        }
    }
}

#[test]
fn an_archive_has_these_bytes() {
    // Pins the form: a change of it would change the digest of every archive.
    assert_eq!(
        Sha256Digest::of(&archive(&sample())).hex(),
        "c2471e3cfeedc8db66de8f69965b96a43d9c5d846dc4e9cf68d04303e0673975"
    );
}

#[test]
fn what_is_written_reads_back() {
    let (members, error) = read(&archive(&sample()));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(members, sample());
}

#[test]
fn writing_goes_on_at_any_offset() {
    let members = sample();
    let whole = archive(&members);
    let sizes: Vec<_> = members
        .iter()
        .map(|(path, content)| (path.as_str(), content.len() as u64))
        .collect();
    let layout = ArchiveLayout::new(&sizes).unwrap();
    for offset in 0..whole.len() + 2 {
        let rest = bytes_from(&layout, &members, offset as u64);
        assert!(
            rest == whole.get(offset..).unwrap_or_default(),
            "from {offset}"
        );
    }
}

#[test]
fn sizes_beyond_eight_gibibytes_get_a_pax_header() {
    let huge = 10_u64 << 40;
    let layout = ArchiveLayout::new(&[("payload/huge", huge)]).unwrap();
    let segments: Vec<_> = layout.segments().collect();
    let Segment::Header(header) = &segments[0] else {
        panic!("{segments:?}")
    };
    assert_eq!(header.len(), 3 * 512);
    assert_eq!(
        segments[1],
        Segment::Member {
            index: 0,
            range: 0..huge
        }
    );
    assert_eq!(segments[2], Segment::Zeros(1024));
    assert_eq!(layout.total_size(), 1536 + huge + 1024);
    let mut reader = ArchiveReader::new(header.as_slice());
    assert_eq!(reader.next_member().unwrap().unwrap().size, huge);
    let error = reader.read().unwrap_err();
    assert!(matches!(error.fault, ArchiveFault::Truncated), "{error}");
    assert_eq!(error.member.as_deref(), Some("payload/huge"));
}

#[test]
fn members_must_be_in_order_and_safe() {
    let refused = |members: &[(&str, u64)]| ArchiveLayout::new(members).unwrap_err();
    assert!(matches!(
        refused(&[("payload/b", 0), ("payload/a", 0)]),
        LayoutError::Order { .. }
    ));
    assert!(matches!(
        refused(&[("payload/a", 0), ("payload/a", 0)]),
        LayoutError::Order { .. }
    ));
    assert!(matches!(
        refused(&[("payload/a", 0), ("export.json", 0)]),
        LayoutError::Order { .. }
    ));
    assert!(matches!(
        refused(&[("payload/../a", 0)]),
        LayoutError::Path(_)
    ));
    assert!(matches!(
        refused(&[("payload/a", u64::MAX)]),
        LayoutError::TooLarge { .. }
    ));
}

#[test]
fn gnu_tar_lists_and_extracts_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.tar");
    std::fs::write(&file, archive(&sample())).unwrap();
    let Ok(listed) = Command::new("tar")
        .arg("tvf")
        .arg(&file)
        .env("TZ", "UTC")
        .output()
    else {
        println!("skipped: there is no tar here");
        return;
    };
    assert!(
        listed.status.success() && listed.stderr.is_empty(),
        "{listed:?}"
    );
    let listing = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<_> = listing
        .lines()
        .map(|l| l.rsplit(' ').next().unwrap())
        .collect();
    assert_eq!(
        names,
        sample()
            .iter()
            .map(|(path, _)| path.as_str())
            .collect::<Vec<_>>()
    );
    assert!(
        listing
            .lines()
            .all(|l| l.starts_with("-rw-r--r-- 0/0") && l.contains("1970-01-01")),
        "{listing}"
    );
    let to = folder.path().join("out");
    std::fs::create_dir(&to).unwrap();
    let extracted = Command::new("tar")
        .arg("xf")
        .arg(&file)
        .arg("-C")
        .arg(&to)
        .output()
        .unwrap();
    assert!(extracted.status.success(), "{extracted:?}");
    for (path, content) in sample() {
        assert_eq!(std::fs::read(to.join(&path)).unwrap(), content, "{path}");
    }
}

#[test]
fn python_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.tar");
    std::fs::write(&file, archive(&sample())).unwrap();
    let script = "import sys,tarfile,hashlib\n\
                  for m in tarfile.open(sys.argv[1]):\n\
                  \x20   d=tarfile.open(sys.argv[1]).extractfile(m.name).read()\n\
                  \x20   print(m.name,m.size,hashlib.sha256(d).hexdigest(),m.mode,m.mtime,m.uid,m.uname)\n";
    let run = Command::new("python3")
        .args(["-c", script])
        .arg(&file)
        .output();
    let Ok(output) = run else {
        println!("skipped: there is no python3 here");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let expected: String = sample()
        .iter()
        .map(|(path, c)| {
            format!(
                "{path} {} {} 420 0 0 \n",
                c.len(),
                Sha256Digest::of(c).hex()
            )
        })
        .collect();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

/// An archive of one file, whose header `edit` changed and whose checksum is right again.
fn tricked(edit: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = archive(&[("payload/a".to_owned(), b"content".to_vec())]);
    edit(&mut bytes[..512]);
    let sum: u32 = bytes[..512]
        .iter()
        .enumerate()
        .map(|(at, b)| u32::from(if (148..156).contains(&at) { b' ' } else { *b }))
        .sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bytes
}

#[test]
fn tricks_in_headers_are_refused() {
    let name = |header: &mut [u8], name: &str| {
        header[..100].fill(0);
        header[..name.len()].copy_from_slice(name.as_bytes());
    };
    type Check = fn(&ArchiveFault) -> bool;
    let kind: Check = |fault| matches!(fault, ArchiveFault::Kind(_));
    for typeflag in *b"123456LKSgA7\0" {
        let (_, error) = read(&tricked(|header| header[156] = typeflag));
        assert!(kind(&error.unwrap().fault), "{}", typeflag.escape_ascii());
    }
    for path in [
        "/etc/passwd",
        "../a",
        "payload/../a",
        "payload/./a",
        "payload/",
        "payload",
        "a",
        "payload/a\\b",
        "payload//a",
        "C:a",
        "payload/\u{e9}",
    ] {
        let (_, error) = read(&tricked(|header| name(header, path)));
        assert!(matches!(error.unwrap().fault, ArchiveFault::Name), "{path}");
    }
    for (at, bytes) in [
        (100, &b"0000755"[..]),
        (108, b"0000001"),
        (136, b"00000000001"),
        (157, b"link"),
        (265, b"root"),
        (345, b"payload"),
        (500, b"x"),
    ] {
        let (_, error) = read(&tricked(|header| {
            header[at..at + bytes.len()].copy_from_slice(bytes)
        }));
        let error = error.unwrap();
        assert!(
            matches!(error.fault, ArchiveFault::Form | ArchiveFault::Name),
            "{at}: {error}"
        );
    }
    let (_, error) = read(&tricked(|header| {
        header[257..265].copy_from_slice(b"ustar  \0")
    }));
    assert!(matches!(error.unwrap().fault, ArchiveFault::Form));
    for size in [
        &b"\x80\0\0\0\0\0\0\x0a\0\0\0\0"[..],
        b"-0000000001\0",
        b"           \0",
        b"99999999999\0",
    ] {
        let (_, error) = read(&tricked(|header| header[124..136].copy_from_slice(size)));
        assert!(matches!(error.unwrap().fault, ArchiveFault::Size));
    }
}

#[test]
fn every_flipped_byte_outside_of_content_is_seen() {
    let members = vec![
        ("export.json".to_owned(), b"content".to_vec()),
        (format!("payload/{}", "p".repeat(150)), b"more".to_vec()),
    ];
    let good = archive(&members);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x04;
        // What still reads is another content, or another path in the PAX header: the digests
        // and names that were signed find those.
        let (read_members, error) = read(&bad);
        assert!(error.is_some() || read_members != members, "byte {at}");
    }
    for at in (0..512)
        .chain(519..1536)
        .chain(good.len() - 1532..good.len())
    {
        let mut bad = good.clone();
        bad[at] ^= 0x04;
        assert!(read(&bad).1.is_some(), "byte {at}");
    }
}

#[test]
fn every_cut_and_every_addition_is_seen() {
    let members = sample();
    let good = archive(&members);
    for end in 0..good.len() {
        let (_, error) = read(&good[..end]);
        let fault = error.expect("a cut archive").fault;
        let begun = end >= "export.json\0".len();
        assert!(
            if begun {
                matches!(fault, ArchiveFault::Truncated)
            } else {
                matches!(fault, ArchiveFault::NotTar)
            },
            "cut at {end}: {fault}"
        );
    }
    let (_, error) = read(&[&good[..], b"x"].concat());
    assert!(matches!(error.unwrap().fault, ArchiveFault::Trailing));
    let (_, error) = read(&[&good[..], &[0; 512]].concat());
    assert!(matches!(error.unwrap().fault, ArchiveFault::Trailing));
}

#[test]
fn anything_else_is_no_archive() {
    for bytes in [&b""[..], b"hello", &[0; 1024], &[b'x'; 2000]] {
        let (_, error) = read(bytes);
        assert!(matches!(error.unwrap().fault, ArchiveFault::NotTar));
    }
}
