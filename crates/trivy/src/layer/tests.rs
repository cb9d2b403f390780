#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::write::GzEncoder;
use flate2::{Compression, read::GzDecoder};

use super::tar::{BLOCK, header};
use super::{LayerKind, UnpackLimits, manifest, unpack};
use crate::TrivyError;
use crate::test_rows::{build, small_set};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn member(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = header(name, content.len() as u64).to_vec();
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
    out
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in members {
        out.extend(member(name, content));
    }
    out.extend([0; 2 * BLOCK]);
    out
}

fn lay_out(layer: &[u8], cache: &Path) -> Result<super::Unpacked, TrivyError> {
    let limits = UnpackLimits {
        database: 10_000,
        metadata: 100,
    };
    unpack(LayerKind::Database, layer, cache, limits)
}

const GOOD: [(&str, &[u8]); 2] = [("trivy.db", b"data"), ("metadata.json", b"{}")];

#[test]
fn a_layer_is_laid_out_as_a_cache() {
    let cache = tempfile::tempdir().unwrap();
    let database = cache.path().join("db/trivy.db");
    std::fs::create_dir(cache.path().join("db")).unwrap();
    std::fs::write(&database, "an older one").unwrap();
    std::fs::write(cache.path().join("db/.trivy.db.partial"), "left behind").unwrap();
    let unpacked = lay_out(&gzip(&archive(&GOOD)), cache.path()).unwrap();
    assert_eq!(unpacked.database, database);
    assert_eq!(unpacked.database_size, 4);
    assert_eq!(std::fs::read(&database).unwrap(), b"data");
    assert_eq!(std::fs::read(&unpacked.metadata).unwrap(), b"{}");
    let names: std::collections::BTreeSet<_> = std::fs::read_dir(cache.path().join("db"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        names,
        ["metadata.json".to_owned(), "trivy.db".to_owned()].into()
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&database).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }
}

#[test]
fn anything_else_is_refused_and_the_cache_is_as_it_was() {
    let large = vec![1; 10_001];
    let mut link = archive(&GOOD);
    link[156] = b'2';
    let mut checksum = archive(&GOOD);
    checksum[0] = b'T';
    let mut behind = archive(&GOOD);
    behind.extend(member("more", b"more"));
    let mut padding = archive(&GOOD);
    padding[BLOCK + 100] = 1;
    let endless = [archive(&GOOD), vec![0; 64 * 1024]].concat();
    let whole = archive(&GOOD);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("first", gzip(&archive(&[GOOD[1], GOOD[0]]))),
        ("one", gzip(&archive(&GOOD[..1]))),
        ("twice", gzip(&archive(&[GOOD[0], GOOD[0]]))),
        (
            "folder",
            gzip(&archive(&[("db/trivy.db", b"data"), GOOD[1]])),
        ),
        (
            "escape",
            gzip(&archive(&[("../trivy.db", b"data"), GOOD[1]])),
        ),
        ("third", gzip(&archive(&[GOOD[0], GOOD[1], ("x", b"")]))),
        ("large", gzip(&archive(&[("trivy.db", &large), GOOD[1]]))),
        (
            "metadata",
            gzip(&archive(&[GOOD[0], ("metadata.json", &large[..101])])),
        ),
        ("link", gzip(&link)),
        ("checksum", gzip(&checksum)),
        ("behind", gzip(&behind)),
        ("padding", gzip(&padding)),
        ("endless", gzip(&endless)),
        ("no end", gzip(&whole[..whole.len() - BLOCK])),
        ("cut", gzip(&whole[..BLOCK + 2])),
        ("no gzip", whole.clone()),
        ("nothing", Vec::new()),
        ("two members", [gzip(&whole), gzip(b"")].concat()),
        ("half", {
            let packed = gzip(&whole);
            packed[..packed.len() / 2].to_vec()
        }),
    ];
    let cache = tempfile::tempdir().unwrap();
    let database = cache.path().join("db/trivy.db");
    std::fs::create_dir(cache.path().join("db")).unwrap();
    std::fs::write(&database, "an older one").unwrap();
    for (name, layer) in cases {
        let refused = lay_out(&layer, cache.path());
        assert!(
            matches!(
                refused,
                Err(TrivyError::Layer { .. }
                    | TrivyError::MemberTooLarge { .. }
                    | TrivyError::Source(_))
            ),
            "{name}: {refused:?}"
        );
        assert_eq!(std::fs::read(&database).unwrap(), b"an older one", "{name}");
        let left = std::fs::read_dir(cache.path().join("db")).unwrap().count();
        assert_eq!(left, 1, "{name}");
    }
}

#[test]
fn what_is_written_is_a_plain_archive() {
    let built = build(small_set());
    let layer = built.stored("payload/db.tar");
    // Magic, deflate, no flags, no time; the system is unknown.
    assert_eq!(layer[..8], [0x1F, 0x8B, 8, 0, 0, 0, 0, 0]);
    assert_eq!(layer[9], 255);
    let mut content = Vec::new();
    GzDecoder::new(layer.as_slice())
        .read_to_end(&mut content)
        .unwrap();
    let file = &built.assembled.files[0];
    assert_eq!(file.content_size, content.len() as u64);
    assert_eq!(file.size, layer.len() as u64);
    assert_eq!(file.media_type, LayerKind::Database.media_type());
    let sha256 = |bytes: &[u8]| -> [u8; 32] {
        sha2::Digest::finalize(sha2::Digest::chain_update(
            <sha2::Sha256 as sha2::Digest>::new(),
            bytes,
        ))
        .into()
    };
    assert_eq!(file.content_sha256, sha256(&content));
    assert_eq!(file.sha256, sha256(&layer));
}

#[test]
fn other_tools_read_it() {
    let built = build(small_set());
    let file = &built.assembled.files[0].stored;
    let Ok(listed) = std::process::Command::new("tar")
        .arg("--numeric-owner")
        .arg("-tvzf")
        .arg(file)
        .env("TZ", "UTC")
        .output()
    else {
        println!("skipped: tar: not installed");
        return;
    };
    assert!(listed.status.success(), "{listed:?}");
    let text = String::from_utf8(listed.stdout).unwrap();
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let columns = |line: usize| (lines[line][0], *lines[line].last().unwrap());
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(columns(0), ("-rw-r--r--", "trivy.db"));
    assert_eq!(columns(1), ("-rw-r--r--", "metadata.json"));
    assert!(text.contains("1970-01-01"), "{text}");
}

#[test]
fn the_manifest_is_what_scanners_take() {
    let bytes = manifest(LayerKind::Java, &[0xAB; 32], 1234, "2024-01-01T00:00:00Z").unwrap();
    let layer = "ab".repeat(32);
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        format!(
            concat!(
                r#"{{"annotations":{{"org.opencontainers.image.created":"2024-01-01T00:00:00Z"}},"#,
                r#""artifactType":"application/vnd.aquasec.trivy.config.v1+json","#,
                r#""config":{{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","#,
                r#""mediaType":"application/vnd.oci.empty.v1+json","size":2}},"#,
                r#""layers":[{{"annotations":{{"org.opencontainers.image.title":"javadb.tar.gz"}},"#,
                r#""digest":"sha256:{layer}","#,
                r#""mediaType":"application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip","size":1234}}],"#,
                r#""mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}}"#,
            ),
            layer = layer
        )
    );
}
