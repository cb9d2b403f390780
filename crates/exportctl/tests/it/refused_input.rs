//! Input that is refused: by name, with file and line or record, and without a trace in the ledger.

use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Door, World, advisory, lines, record, sha256_hex};

/// A good record around `raw`, written as it is given, with the right hash for it.
fn around(raw: &str) -> String {
    let hash = sha256_hex(raw.as_bytes());
    let value = record("acme", "advisory", "EX-RAW", &json!("RAW"));
    let (id, own) = (&value["_id"], &value["upstream"]["content_hash"]);
    value
        .to_string()
        .replace(r#""RAW""#, raw)
        .replace(own.as_str().unwrap(), &format!("sha256:{hash}"))
        .replace(id.as_str().unwrap(), &format!("raw:{}", &hash[..12]))
}

#[test]
fn what_is_not_json() {
    let door = Door::new();
    for bad in [
        &b"not json"[..],
        b"{\"_id\":\"x\",}",
        b"{\"_id\":\"x\"",
        b"{\"_id\":01}",
        b"{\"_id\":NaN}",
        b"{\"_id\":\"a\tb\"}",
        b"{} {}",
        b"\xef\xbb\xbf{}",
    ] {
        door.refuses_line(bad, "ERR_NOT_JSON");
    }
    door.refuses_line(b"{\"_id\":\"\xff\"}", "ERR_INVALID_UTF8");
    door.refuses_line(b"{\"_id\":\"\xed\xa0\x80\"}", "ERR_INVALID_UTF8");
    for bad in [
        r#"{"_id":"\ud800"}"#,
        r#"{"\udc00":1}"#,
        r#"{"_id":"\ud800\u0041"}"#,
    ] {
        door.refuses_line(bad.as_bytes(), "ERR_LONE_SURROGATE");
    }
    let detail = door.refuses_line(
        around(r#"{"id":1,"a":{"b":1,"\u0062":2}}"#).as_bytes(),
        "ERR_DUPLICATE_MEMBER",
    );
    assert!(detail.contains("member \"b\""), "{detail}");
    let deep = format!("{}1{}", r#"{"a":["#.repeat(5_000), "]}".repeat(5_000));
    let detail = door.refuses_line(deep.as_bytes(), "ERR_TOO_DEEP");
    assert!(detail.contains("512"), "{detail}");
    door.refuses_line(around(&deep).as_bytes(), "ERR_TOO_DEEP");
    // A whole file that is one bad document has no lines.
    let detail = door.refuses(
        "one.json",
        b"{\n  \"a\": 1,\n  \"a\": 2\n}\n",
        "ERR_DUPLICATE_MEMBER",
        &[],
    );
    assert!(detail.contains("/one.json"), "{detail}");
    door.refuses("empty-object.json", b"{}", "ERR_UNKNOWN_FORMAT", &[]);
}

#[test]
fn what_is_compressed_and_cut_off_or_damaged() {
    let door = Door::new();
    let packed = zstd::encode_all(lines("acme", 5_000).as_bytes(), 3).unwrap();
    let detail = door.refuses(
        "cut.jsonl.zst",
        &packed[..packed.len() - 7],
        "ERR_COMPRESSED_INPUT",
        &[],
    );
    assert!(detail.contains("/cut.jsonl.zst"), "{detail}");
    assert!(detail.contains("ends too early"), "{detail}");
    door.refuses(
        "half.jsonl.zst",
        &packed[..packed.len() / 2],
        "ERR_COMPRESSED_INPUT",
        &[],
    );
    let mut damaged = packed.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    let file = door.world.file("damaged.jsonl.zst", &damaged);
    let ran = door.world.run(["ledger", "import", file.to_str().unwrap()]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("damaged.jsonl.zst"), "{}", ran.stderr);
    assert_eq!(door.world.stats(), door.before);

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(lines("acme", 500).as_bytes()).unwrap();
    let gz = encoder.finish().unwrap();
    door.refuses("cut.gz", &gz[..gz.len() - 9], "ERR_COMPRESSED_INPUT", &[]);

    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("a.jsonl", options).unwrap();
    zip.write_all(lines("acme", 500).as_bytes()).unwrap();
    let zip = zip.finish().unwrap().into_inner();
    door.refuses(
        "cut.zip",
        &zip[..zip.len() - 30],
        "ERR_COMPRESSED_INPUT",
        &[],
    );
    // What is stored as it is still reads well when altered; its checksum tells.
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = options.compression_method(zip::CompressionMethod::Stored);
    zip.start_file("a.json", options).unwrap();
    zip.write_all(advisory("EX-1").to_string().as_bytes())
        .unwrap();
    let mut zip = zip.finish().unwrap().into_inner();
    let at = zip.windows(5).position(|bytes| bytes == b"wrong").unwrap();
    zip[at] = b'W';
    let detail = door.refuses("flipped.zip", &zip, "ERR_COMPRESSED_INPUT", &[]);
    assert!(detail.contains("flipped.zip!a.json"), "{detail}");
}

/// The largest amount of memory that a living process had at once, in MiB.
fn peak_mib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|kib| kib / 1024)
}

#[test]
fn a_line_without_end_is_refused_before_memory_is_full() {
    const MIB: usize = 1 << 20;
    let door = Door::new();
    let mut child = door
        .world
        .command(["ledger", "import", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let (mut written, mut peak) = (0, None);
    let mut feed = |bytes: &[u8]| {
        let fits = stdin.write_all(bytes).is_ok();
        written += bytes.len();
        peak = peak.max(peak_mib(child.id()));
        fits
    };
    let mut goes_on = feed(door.good.as_bytes()) && feed(br#"{"_id":""#);
    for _ in 0..200 {
        goes_on = goes_on && feed(&[b'x'; MIB]);
    }
    assert!(!goes_on, "200 MiB were taken");
    assert!(written < 80 * MIB, "{written} bytes were taken");
    drop(stdin);
    let mut said = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let error: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(error["error_code"], "ERR_RECORD_TOO_LARGE");
    let detail = error["detail"].as_str().unwrap();
    assert!(detail.contains("standard input:101: "), "{detail}");
    assert!(detail.contains("longer than 67108864 bytes"), "{detail}");
    assert_eq!(door.world.stats(), door.before);
    match peak {
        Some(peak) => assert!(peak <= 128, "{peak} MiB"),
        None => eprintln!("skipped: memory: this system does not tell it"),
    }
    // The same out of a few kilobytes.
    let bomb = [door.good.as_bytes(), &[b' '; 8][..], &vec![b'x'; 200 * MIB]].concat();
    let bomb = zstd::encode_all(bomb.as_slice(), 1).unwrap();
    assert!(bomb.len() < MIB);
    let detail = door.refuses("bomb.jsonl.zst", &bomb, "ERR_RECORD_TOO_LARGE", &[]);
    assert!(detail.contains("/bomb.jsonl.zst:101: "), "{detail}");
}

#[test]
fn numbers_are_kept_as_they_were_written() {
    let world = World::new();
    let raw = r#"{"a":1e400,"b":1.10,"c":12345678901234567890,"d":-0,"e":1E+2,"f":0.1e-7,"g":100000000000000000000000000000.000}"#;
    let line = around(raw);
    // A tool that formats numbers anew hashes another text; the content stays as it is.
    let reformatted = around(r#"{"h":1.10}"#)
        .replace(&sha256_hex(br#"{"h":1.10}"#), &sha256_hex(br#"{"h":1.1}"#))
        .replace("EX-RAW", "EX-SAW");
    let spaced = line.replace(r#""a":1e400"#, "\"a\" : 1e400 ");
    assert_eq!(
        world.import("in.jsonl", format!("{spaced}\n{reformatted}\n"))["added"],
        2
    );
    let (_, archive) = world.export("json:raw", &[]);
    assert_eq!(archive.lines("advisory/"), [line.clone(), reformatted]);
    let bundle = world.file("bundle.tar", archive.bytes());
    world.json(["verify", "--deep", bundle.to_str().unwrap()]);
    // And the same line again is the same record.
    assert_eq!(world.import("again.jsonl", line)["present"], 1);
}
