//! Databases for Trivy: made of evidence, the same every time, laid out where the scanner looks.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Archive, World, files_below, sha256_hex, unpacked, with_mounts};

const SHA1: &str = "6c62681a2f655b49963a5983b8b0950a6120ae14";

/// An OSV entry about versions of an npm package below `fixed`.
fn osv(number: u32, fixed: &str) -> Value {
    json!({
        "id": format!("GHSA-aaaa-bbbb-{number:04}"),
        "aliases": [format!("CVE-2026-{number:04}")],
        "modified": "2026-10-01T00:00:00Z",
        "published": "2026-09-01T00:00:00Z",
        "summary": format!("Something is wrong with package-{number}"),
        "database_specific": {"severity": "HIGH"},
        "affected": [{
            "package": {"ecosystem": "npm", "name": format!("package-{number}")},
            "ranges": [{
                "type": "SEMVER",
                "events": [{"introduced": "0"}, {"fixed": fixed}],
            }],
        }],
    })
}

/// One that no scanner has words for.
fn unknown(number: u32) -> Value {
    let mut entry = osv(number, "1.0.0");
    entry["affected"][0]["package"]["ecosystem"] = "Nowhere".into();
    entry
}

fn text(entries: &[Value]) -> String {
    entries.iter().map(|entry| format!("{entry}\n")).collect()
}

/// A world with `entries`, and a profile `cut` that makes many parts of them.
fn world(entries: &[Value]) -> World {
    let world = World::new();
    world.import("in.jsonl", text(entries));
    let cut = json!({"name": "cut", "kind": "trivy:db", "config": {"records_per_part": 7}});
    let cut = world.file("cut.json", cut.to_string());
    world.json(["profile", "create", cut.to_str().unwrap()]);
    world
}

/// Where the newest export of a world lies.
fn bundle(world: &World, name: &str, profile: &str, args: &[&str]) -> (Value, PathBuf) {
    let out = world.path(name);
    let mut all = vec!["run", profile, "--out", out.to_str().unwrap()];
    all.extend(args);
    (world.json(all), out)
}

/// The digest of a file in a cache that a bundle was laid out in.
fn in_cache(world: &World, bundle: &Path, file: &str) -> String {
    let cache = world.path("cache");
    let args = ["unpack", bundle.to_str().unwrap(), "--trivy-cache"];
    let args = args.iter().copied().chain([cache.to_str().unwrap()]);
    world.json(args);
    sha256_hex(&std::fs::read(cache.join(file)).unwrap())
}

#[test]
fn the_same_evidence_is_the_same_database() {
    let mut entries: Vec<_> = (0..100).map(|number| osv(number, "1.2.3")).collect();
    entries.push(unknown(100));
    let here = world(&entries);
    let (one, archive) = bundle(&here, "one.tar", "cut", &["--workers", "1"]);
    let digest = &one["content_digest"];
    assert_eq!(one["records"], 101);
    assert!(one["parts"].as_u64().unwrap() > 10);
    let database = in_cache(&here, &archive, "db/trivy.db");
    here.json(["verify", "--deep", archive.to_str().unwrap()]);

    entries.reverse();
    entries.swap(3, 70);
    let there = world(&entries);
    let (four, archive) = bundle(&there, "four.tar", "cut", &["--workers", "4"]);
    assert_eq!(&four["content_digest"], digest);
    assert_eq!(in_cache(&there, &archive, "db/trivy.db"), database);

    // How the profile cuts changes the list of inputs, and nothing that the scanner reads.
    let (whole, archive) = bundle(&there, "whole.tar", "trivy:db", &[]);
    assert_ne!(&whole["content_digest"], digest);
    assert_eq!(in_cache(&there, &archive, "db/trivy.db"), database);

    // Nothing but published sets and their archives is left, and nothing on scratch.
    assert!(files_below(&there.home().join("uploads")).is_empty());
    assert!(files_below(&there.home().join("scratch")).is_empty());
    let left = files_below(&there.home().join("objects"));
    assert!(
        !left
            .iter()
            .any(|path| path.to_string_lossy().contains("/runs/")),
        "{left:?}"
    );
}

#[test]
fn a_bundle_is_laid_out_as_the_scanner_wants_it() {
    let world = world(&[osv(1, "1.0.0")]);
    let (_, database) = bundle(&world, "db.tar", "trivy:db", &[]);
    let (_, java) = bundle(&world, "java.tar", "trivy:java-db", &[]);
    let (_, raw) = bundle(&world, "raw.tar", "json:raw", &[]);
    let cache = world.path("cache");
    let cache = cache.to_str().unwrap();
    for bundle in [&database, &java, &database] {
        world.json(["unpack", bundle.to_str().unwrap(), "--trivy-cache", cache]);
    }
    let mut files = files_below(&world.path("cache"));
    files.sort();
    let names: Vec<_> = files
        .iter()
        .map(|file| file.strip_prefix(cache).unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "db/metadata.json",
            "db/trivy.db",
            "java-db/metadata.json",
            "java-db/trivy-java.db"
        ],
        "and nothing that was on the way"
    );
    let metadata = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(world.path(name)).unwrap()).unwrap()
    };
    let of_database = metadata("cache/db/metadata.json");
    assert_eq!(of_database["Version"], 2);
    assert_eq!(of_database["UpdatedAt"], "2026-10-01T00:00:00Z");
    assert_eq!(metadata("cache/java-db/metadata.json")["Version"], 1);

    // With --to the rest is there too.
    let to = world.path("unpacked");
    let (to, other) = (to.to_str().unwrap(), world.path("other"));
    let args = ["--to", to, "--trivy-cache", other.to_str().unwrap()];
    world.json(["unpack", database.to_str().unwrap()].iter().chain(&args));
    assert!(world.path("unpacked/payload/summary.json").is_file());
    assert!(world.path("other/db/trivy.db").is_file());

    // What is no database is not laid out, and what is altered neither.
    let error = world.error(
        ["unpack", raw.to_str().unwrap(), "--trivy-cache", cache],
        "ERR_USAGE",
    );
    assert!(error["detail"].as_str().unwrap().contains("json:raw"));
    let mut archive = Archive::read(&database);
    let layer = archive.members.iter_mut();
    let (_, layer) = layer.rev().find(|(n, _)| n.ends_with(".gz")).unwrap();
    *layer.last_mut().unwrap() ^= 1;
    let altered = world.file("altered.tar", archive.bytes());
    let untouched = world.path("untouched");
    let refused = world.run([
        "unpack",
        altered.to_str().unwrap(),
        "--trivy-cache",
        untouched.to_str().unwrap(),
    ]);
    assert_eq!(refused.code, 11, "{}{}", refused.stdout, refused.stderr);
    assert!(files_below(&untouched).is_empty());
    let nowhere = world.run(["unpack", database.to_str().unwrap()]);
    assert_eq!(nowhere.code, 2, "{}", nowhere.stderr);
}

#[test]
fn an_inspection_says_what_the_scanner_finds_and_what_it_does_not() {
    let entries = [osv(1, "1.0.0"), osv(2, "2.0.0"), unknown(3)];
    let world = world(&entries);
    let (_, database) = bundle(&world, "db.tar", "trivy:db", &[]);
    let database = database.to_str().unwrap();
    let inspected = world.json(["inspect", database]);
    let content = &inspected["content"];
    assert_eq!(content["ecosystems"]["npm"]["advisories"], 2, "{content:#}");
    assert_eq!(content["unmapped"]["unknown_ecosystem"], 1);
    let shown = world.run(["inspect", database]).stdout;
    assert!(shown.contains("npm"), "{shown}");

    let listed = world.json(["inspect", "--unmapped", database]);
    let lines = listed["unmapped"].as_array().unwrap();
    assert_eq!(lines.len(), 1, "{listed:#}");
    assert_eq!(lines[0]["reason"], "unknown_ecosystem");
    assert!(lines[0]["record"].as_str().unwrap().contains("0003"));
    let listed = world.run(["inspect", "--unmapped", database]).stdout;
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert!(listed.starts_with("unknown_ecosystem\t"), "{listed}");

    // The same of a folder, and of a stream.
    let folder = world.path("folder");
    let folder = folder.to_str().unwrap();
    world.json(["unpack", database, "--to", folder]);
    assert_eq!(world.json(["inspect", folder])["content"], *content);
    let mut command = world.command(["inspect", "--unmapped", "--json", "-"]);
    let streamed = crate::support::fed(&mut command, &std::fs::read(database).unwrap());
    assert_eq!(streamed.value()["unmapped"], json!(lines));

    let (_, raw) = bundle(&world, "raw.tar", "json:raw", &[]);
    world.error(
        ["inspect", "--unmapped", raw.to_str().unwrap()],
        "ERR_USAGE",
    );
    assert!(world.json(["inspect", raw.to_str().unwrap()])["content"].is_null());
}

#[test]
fn two_databases_are_compared_by_ecosystem() {
    let one = world(&[osv(1, "1.0.0"), osv(2, "1.0.0"), osv(3, "1.0.0")]);
    let other = world(&[osv(1, "1.0.0"), osv(2, "1.0.1"), osv(4, "1.0.0")]);
    let (_, first) = bundle(&one, "first.tar", "trivy:db", &[]);
    let (_, second) = bundle(&other, "second.tar", "trivy:db", &[]);
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    let diff = one.json(["diff", first, second]);
    let changes: Vec<_> = diff["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            let text = |name: &str| change[name].as_str().unwrap().to_owned();
            assert_eq!(change["ecosystem"], "npm");
            (text("change"), text("package"), text("id"))
        })
        .collect();
    let change = |how: &str, number: u32| {
        let package = format!("package-{number}");
        (how.to_owned(), package, format!("CVE-2026-{number:04}"))
    };
    assert_eq!(
        changes,
        [
            change("changed", 2),
            change("removed", 3),
            change("added", 4)
        ]
    );
    let counts = json!({"added": 1, "removed": 1, "changed": 1, "unchanged": 1});
    assert_eq!(diff["ecosystems"]["npm"], counts);
    assert_eq!(diff["total"], counts);
    assert_eq!(diff["different"], true);

    let shown = one.run(["diff", first, second]);
    assert_eq!(shown.code, 0);
    assert!(
        shown.stdout.contains("+ npm::") && shown.stdout.contains("\tCVE-2026-0004\n"),
        "{}",
        shown.stdout
    );
    let counted = one.run(["diff", "--stat", first, second]).stdout;
    assert!(!counted.contains("CVE-2026-0004"), "{counted}");
    assert!(counted.starts_with("ECOSYSTEM"), "{counted}");
    assert_eq!(one.run(["diff", "--exit-code", first, second]).code, 1);
    assert_eq!(one.run(["diff", "--exit-code", first, first]).code, 0);

    // A folder is as good; what has no advisories is not compared.
    let folder = one.path("folder");
    let folder = folder.to_str().unwrap();
    one.json(["unpack", first, "--to", folder]);
    assert_eq!(
        one.json(["diff", folder, second])["changes"],
        diff["changes"]
    );
    let (_, java) = bundle(&one, "java.tar", "trivy:java-db", &[]);
    let error = one.error(["diff", first, java.to_str().unwrap()], "ERR_USAGE");
    assert!(error["detail"].as_str().unwrap().contains("trivy:java-db"));
    one.error(["diff", first, "-"], "ERR_USAGE");
    let none = one.file("none.tar", "no archive");
    one.error(["diff", none.to_str().unwrap(), first], "ERR_NOT_A_BUNDLE");
}

#[test]
fn a_schema_that_is_not_written_is_refused() {
    let world = world(&[osv(1, "1.0.0")]);
    for (kind, version, written) in [
        ("trivy:db", "3", "writes 2"),
        ("trivy:java-db", "2", "writes 1"),
    ] {
        let error = world.error(
            ["run", kind, "--schema-version", version],
            "ERR_TRIVY_SCHEMA",
        );
        let detail = error["detail"].as_str().unwrap();
        assert!(
            detail.contains(version) && detail.contains(written),
            "{detail}"
        );
        assert_eq!(error["exit_code"], 2);
    }
    let run = world.json(["run", "trivy:db", "--schema-version", "2"]);
    assert_eq!(run["status"], "completed");
    world.error(
        ["run", "json:raw", "--schema-version", "2"],
        "ERR_INVALID_REQUEST",
    );
}

#[test]
fn a_maven_index_is_imported_once_and_becomes_an_index_of_jars() {
    let world = World::new();
    let lines = [
        format!("{SHA1}\torg.slf4j:slf4j-api:1.7.36"),
        format!(
            r#"{{"g":"org.example","a":"x","v":"1","c":"sources","sha1":"{:040x}"}}"#,
            1
        ),
        format!("{:040x}\torg.example:x:1", 2),
        "not forty hex\torg.example:y:1".to_owned(),
    ];
    let import = |name: &str, text: &[u8]| {
        let file = world.file(name, text);
        let args = ["ledger", "import", "--format", "maven-index"];
        world.json(args.iter().copied().chain([file.to_str().unwrap()]))
    };
    let imported = import("index.txt", lines.join("\n").as_bytes());
    assert_eq!(imported["documents"], 4);
    assert_eq!(imported["added"], 3, "a record an artifact");
    assert_eq!(imported["sources"][0]["vendor"], "maven");
    let mut shuffled = lines.clone();
    shuffled.reverse();
    let again = {
        use std::io::Write as _;
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut gzip = gzip;
        gzip.write_all(shuffled.join("\n").as_bytes()).unwrap();
        import("index.gz", &gzip.finish().unwrap())
    };
    assert_eq!((&again["added"], &again["present"]), (&json!(0), &json!(3)));

    let (run, archive) = bundle(&world, "java.tar", "trivy:java-db", &[]);
    assert_eq!(run["records"], 3);
    in_cache(&world, &archive, "java-db/trivy-java.db");
    let database = world.path("cache/java-db/trivy-java.db");
    let database = rusqlite::Connection::open(database).unwrap();
    let sql =
        "SELECT a.group_id, a.artifact_id, i.version FROM indices i JOIN artifacts a ON a.id = i.artifact_id
               WHERE sha1 = ?1";
    let found: (String, String, String) = database
        .query_row(sql, [hex::decode(SHA1).unwrap()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(
        found,
        ("org.slf4j".into(), "slf4j-api".into(), "1.7.36".into())
    );
    let inspected = world.json(["inspect", archive.to_str().unwrap()]);
    assert_eq!(inspected["content"]["jars"], 3);
    assert_eq!(inspected["content"]["unmapped"]["bad_digest"], 1);

    // One artifact of it, by its purl.
    let (run, _) = bundle(
        &world,
        "one.tar",
        "trivy:java-db",
        &["--product", "pkg:maven/org.slf4j/slf4j-api"],
    );
    assert_eq!(run["records"], 1);

    let wrong = world.file("wrong.txt", format!("{}\nno line of an index\n", lines[0]));
    let error = world.error(
        [
            "ledger",
            "import",
            "--format",
            "maven-index",
            wrong.to_str().unwrap(),
        ],
        "ERR_INVALID_RECORD",
    );
    let detail = error["detail"].as_str().unwrap();
    assert!(detail.contains("wrong.txt:2"), "{detail}");
    assert_eq!(world.stats()["records"], 3);
}

#[test]
fn scratch_that_is_full_is_said_so_and_left_clean() {
    let world = World::new();
    world.json(["ledger", "generate", "--records", "4000", "--seed", "5"]);
    let script = r#"
        mkdir "$W/scratch"
        mount -t tmpfs -o size=64k none "$W/scratch"
        EXPORT_SCRATCH="$W/scratch" "$X" --json run trivy:db >"$W/full.json" || true
        find "$W/scratch" -mindepth 1 >"$W/left.txt"
        mount -o remount,size=200m "$W/scratch"
        EXPORT_SCRATCH="$W/scratch" "$X" --json run trivy:db >"$W/again.json"
        find "$W/scratch" -mindepth 1 >>"$W/left.txt"
    "#;
    if with_mounts(&world, script).is_none() {
        return;
    }
    let error = world.value("full.json");
    assert_eq!(error["error_code"], "ERR_SCRATCH_FULL", "{error:#}");
    assert_eq!(error["exit_code"], 6);
    assert!(error["action"].as_str().unwrap().contains("EXPORT_SCRATCH"));
    assert_eq!(world.value("again.json")["status"], "completed");
    let left = std::fs::read_to_string(world.path("left.txt")).unwrap();
    assert_eq!(left, "");
}

#[test]
fn what_the_scanner_has_no_words_for_is_listed_as_it_was_written() {
    let mut entry = unknown(9);
    entry["affected"][0]["package"]["name"] = "a\tname\nof its own".into();
    let world = world(&[entry]);
    let (_, database) = bundle(&world, "db.tar", "trivy:db", &[]);
    let archive = Archive::read(&database);
    let (_, stored) = archive
        .members
        .iter()
        .find(|(name, _)| name == "payload/unmapped.jsonl.zst")
        .unwrap();
    let lines = String::from_utf8(unpacked(stored)).unwrap();
    assert_eq!(lines.lines().count(), 1, "{lines}");
    let shown = world.run(["inspect", "--unmapped", database.to_str().unwrap()]);
    assert_eq!(shown.stdout.lines().count(), 1, "{}", shown.stdout);
}
