//! Mirrors: exported, carried to a site that knows nothing but a key, applied, and looked at there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use export_mirror::index::{Index, find};
use serde_json::json;

use crate::support::{
    Site, World, advisory, advisory_at, assert_same_tree, fed, files_in, finding, found_program,
    lines, lines_in, program, record, snapshot, unpacked,
};

/// The text of a record with another purl.
fn about(id: &str, modified: &str, purl: &str) -> String {
    let mut record = record("acme", "advisory", id, &advisory_at(id, modified));
    record["linkset"]["purls"] = json!([purl]);
    record.to_string()
}

/// The archive of the export that was the `number`-th, from 1.
fn nth_export(world: &World, number: u32) -> PathBuf {
    world.path(&format!("export-{}.tar", number - 1))
}

#[test]
fn a_mirror_is_carried_whole_and_then_by_its_changes() {
    let world = World::new();
    let site = Site::new(&world, "site");
    let vex = record("acme", "vex", "EX-V", &advisory("EX-V"));
    world.import("one.jsonl", format!("{}{vex}\n", lines("acme", 40)));
    let (full, archive) = world.export("mirror:full", &[]);
    assert_eq!(full["records"], 41);
    let manifest = archive.manifest();
    assert_eq!(lines_in(&archive, "payload/tree.jsonl.zst").len(), 41);
    let applied = site.apply(&nth_export(&world, 1));
    assert_eq!(applied["tree_digest"], manifest["tree_digest"]);
    assert_eq!(
        applied["counts"]["by_kind"],
        json!({"advisory": 40, "vex": 1})
    );
    assert_eq!(site.verify().code, 0);

    // A revision, and something new; then nothing.
    let new = record("acme", "advisory", "EX-new", &advisory("EX-new"));
    let revised = about("EX-00007", "2026-10-02T00:00:00Z", "pkg:npm/ex-00007");
    world.import("two.jsonl", format!("{new}\n{revised}\n"));
    let base = full["run_id"].as_str().unwrap();
    let (first, archive) = world.export("mirror:delta", &["--base", base]);
    let ops: Vec<_> = lines_in(&archive, "payload/delta.jsonl.zst")
        .iter()
        .map(|line| line["op"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ops.iter().filter(|op| *op == "add").count(), 2);
    assert_eq!(ops.iter().filter(|op| *op == "remove").count(), 1);
    assert_eq!((ops.len(), &first["records"]), (3, &2.into()));
    let delta = archive.manifest();
    assert_eq!(delta["base"]["export_id"], full["run_id"]);
    assert_eq!(delta["base"]["tree_digest"], manifest["tree_digest"]);
    assert_eq!(delta["base"]["manifest_sha256"], full["manifest_sha256"]);
    let applied = site.apply(&nth_export(&world, 2));
    let counts = &applied["counts"];
    assert_eq!(
        [&counts["added"], &counts["changed"], &counts["removed"]],
        [2, 0, 1]
    );

    let base = first["run_id"].as_str().unwrap();
    let (nothing, archive) = world.export("mirror:delta", &["--base", base]);
    assert_eq!(nothing["records"], 0);
    assert!(
        nothing["size_bytes"].as_u64().unwrap() < 20_000,
        "{nothing:#}"
    );
    assert_eq!(lines_in(&archive, "payload/delta.jsonl.zst").len(), 0);
    assert_eq!(
        archive.manifest()["result_tree_digest"],
        delta["result_tree_digest"]
    );
    let before = site.tree();
    site.apply(&nth_export(&world, 3));
    assert_same_tree(&site.tree(), &before, "nothing changed");

    // The same as a full export of that state, from standard input.
    world.export("mirror:full", &[]);
    let bundle = fs::read(nth_export(&world, 4)).unwrap();
    let fresh = Site::new(&world, "fresh");
    let key = world.path("signer.pub");
    let args = [
        "mirror",
        "apply",
        "-",
        "--to",
        fresh.dir.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
    ];
    let ran = fed(&mut program(&world.path("no-home"), args), &bundle);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("version 1 applied"), "{}", ran.stdout);
    assert_same_tree(&site.tree(), &fresh.tree(), "a full export");
    for number in 1..=4 {
        let bundle = nth_export(&world, number);
        world.json(["verify", "--deep", bundle.to_str().unwrap()]);
    }

    let status = site.status();
    assert_eq!(
        (&status["applied"], &status["kept"]),
        (&3.into(), &json!([2, 3]))
    );
    assert_eq!(status["head"]["export_id"], nothing["run_id"]);
    assert_eq!(status["unfinished"], false);
    let log = site.log();
    let made: Vec<_> = log.iter().map(|link| &link["entry"]["export_id"]).collect();
    assert_eq!(
        made,
        [&full["run_id"], &first["run_id"], &nothing["run_id"]]
    );
    assert!(log.iter().all(|link| link["problem"].is_null()), "{log:#?}");
}

#[test]
fn what_a_site_must_not_apply_is_refused_and_says_what_is_needed() {
    let world = World::new();
    world.import("one.jsonl", lines("acme", 10));
    let site = Site::new(&world, "site");
    let (full, _) = world.export("mirror:full", &[]);
    let base = full["run_id"].as_str().unwrap();
    world.import(
        "two.jsonl",
        about("EX-A", "2026-10-02T00:00:00Z", "pkg:npm/a"),
    );
    let (first, _) = world.export("mirror:delta", &["--base", base]);
    world.export("mirror:delta", &["--base", base]);
    let id = first["run_id"].as_str().unwrap();
    world.import(
        "three.jsonl",
        about("EX-B", "2026-10-02T00:00:00Z", "pkg:npm/b"),
    );
    world.export("mirror:delta", &["--base", id]);
    world.export("json:raw", &[]);
    world.export("mirror:full", &["--kind", "vex"]);
    let [full, first, other, second, raw, vex] = [1, 2, 3, 4, 5, 6].map(|n| nth_export(&world, n));

    let said = site.refuses(&first, &[], "ERR_MIRROR_GAP");
    assert!(
        said.contains("nothing here yet") && said.contains(base),
        "{said}"
    );
    site.refuses(&raw, &[], "ERR_NOT_A_MIRROR");
    assert!(!site.dir.join("current").exists());
    let without = site.run(&[
        "apply",
        full.to_str().unwrap(),
        "--to",
        site.dir.to_str().unwrap(),
    ]);
    assert_eq!(
        (without.code, &without.value()["error_code"]),
        (15, &"ERR_NO_KEY".into())
    );
    let key = world.path("signer.pub");
    assert_eq!(
        site.try_apply(&full, &["--key", key.to_str().unwrap()])
            .code,
        0
    );
    let said = site.refuses(&second, &[], "ERR_MIRROR_GAP");
    assert!(said.contains(&format!("apply export {id} first")), "{said}");
    site.apply(&first);
    site.refuses(&first, &[], "ERR_MIRROR_REPLAY");
    let said = site.refuses(&other, &[], "ERR_MIRROR_FORK");
    assert!(
        said.contains("version 1 of this mirror") && said.contains(id),
        "{said}"
    );
    site.refuses(&vex, &[], "ERR_MIRROR_OTHER");
    site.refuses(&full, &[], "ERR_MIRROR_ROLLBACK");
    let back = site.try_apply(&full, &["--allow-rollback"]);
    assert_eq!(back.code, 0, "{}", back.stdout);
    assert_eq!(back.value()["applied"]["rolled_back"], true);

    // Another signer: refused, named wrongly, and allowed on purpose.
    let stranger = World::new();
    stranger.import("one.jsonl", lines("acme", 11));
    stranger.export("mirror:full", &[]);
    let theirs = nth_export(&stranger, 1);
    let pem = stranger.file("key.pub", stranger.run(["keys", "public"]).stdout);
    let fingerprint = stranger.json(["keys", "show"])["signing_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let said = site.refuses(&theirs, &[], "ERR_WRONG_KEY");
    assert!(
        said.contains(&fingerprint) && said.contains("--repin"),
        "{said}"
    );
    let pem = pem.to_str().unwrap();
    let said = site.refuses(&theirs, &["--key", pem], "ERR_WRONG_KEY");
    assert!(
        said.contains(&fingerprint) && said.contains("leave --key out"),
        "{said}"
    );
    let repinned = site.try_apply(&theirs, &["--key", pem, "--repin", "--allow-rollback"]);
    assert_eq!(repinned.code, 0, "{}", repinned.stdout);
    assert_eq!(repinned.value()["applied"]["repinned"], true);
    assert_eq!(site.status()["key"], fingerprint);
    assert_eq!(site.run(&["apply", "x", "--to", "y", "--repin"]).code, 2);

    let dir = site.dir.to_str().unwrap();
    let log = world.run(["mirror", "log", "--dir", dir]).stdout;
    assert!(
        log.contains("rolled back") && log.contains("another key"),
        "{log}"
    );
    let nowhere = world.error(["mirror", "status", "--dir", "/nowhere"], "ERR_NO_MIRROR");
    assert!(nowhere["detail"].as_str().unwrap().contains("/nowhere"));
}

#[test]
fn an_edited_tree_is_named_refused_and_repaired() {
    let world = World::new();
    world.import("one.jsonl", lines("acme", 12));
    let site = Site::new(&world, "site");
    let (full, _) = world.export("mirror:full", &[]);
    site.apply(&nth_export(&world, 1));
    world.import(
        "two.jsonl",
        about("EX-A", "2026-10-02T00:00:00Z", "pkg:npm/a"),
    );
    world.export(
        "mirror:delta",
        &["--base", full["run_id"].as_str().unwrap()],
    );
    let good = site.tree();
    let documents: Vec<_> = good
        .keys()
        .filter(|path| path.starts_with("data/"))
        .cloned()
        .collect();
    let at = |path: &str| site.dir.join("current").join(path);
    // A file that nobody may write to is replaced all the same by who may write to its folder.
    fs::remove_file(at(&documents[0])).unwrap();
    fs::write(at(&documents[0]), "{}").unwrap();
    fs::remove_file(at(&documents[1])).unwrap();
    fs::write(at("data/more"), "x").unwrap();

    let ran = site.verify();
    let value = ran.value();
    assert_eq!(
        (ran.code, &value["error_code"]),
        (22, &"ERR_MIRROR_EDITED".into()),
        "{value:#}"
    );
    let tree = &value["report"]["tree"];
    assert_eq!(tree["changed"]["first"], json!([documents[0]]));
    assert_eq!(tree["missing"]["first"], json!([documents[1]]));
    assert_eq!(tree["extra"]["first"], json!(["data/more"]));
    let text = world
        .run(["mirror", "verify", "--dir", site.dir.to_str().unwrap()])
        .stdout;
    assert!(
        text.contains("failed") && text.contains(&format!("missing  current/{}", documents[1])),
        "{text}"
    );
    let said = site.refuses(&nth_export(&world, 2), &[], "ERR_MIRROR_EDITED");
    assert!(said.contains(&documents[0]), "{said}");
    let repaired = site.try_apply(&nth_export(&world, 1), &[]);
    assert_eq!(repaired.code, 0, "{}", repaired.stdout);
    assert_eq!(repaired.value()["repaired"]["changed"]["count"], 1);
    assert_same_tree(&site.tree(), &good, "repaired");
    site.apply(&nth_export(&world, 2));
    assert_eq!(site.verify().code, 0);
    let other = World::new();
    let pem = other.file("key.pub", other.run(["keys", "public"]).stdout);
    let dir = site.dir.to_str().unwrap();
    let wrong = site.run(&["verify", "--dir", dir, "--key", pem.to_str().unwrap()]);
    assert_eq!(wrong.code, 14, "{}", wrong.stdout);
}

/// What a part is, and how many are written at once, are nobody's business but the exporter's.
#[test]
fn layers_are_archives_whatever_made_them() {
    let world = World::new();
    world.import("one.jsonl", lines("acme", 40));
    let small = json!({"name": "small", "kind": "mirror:full", "config": {"records_per_part": 7}});
    let file = world.file("small.json", small.to_string());
    world.json(["profile", "create", file.to_str().unwrap()]);
    let (one, archive) = world.export("small", &["--workers", "1"]);
    let (three, _) = world.export("small", &["--workers", "3"]);
    assert_eq!(one["content_digest"], three["content_digest"]);
    assert_eq!(one["parts"], 6);
    let site = Site::new(&world, "site");
    site.apply(&nth_export(&world, 1));
    if found_program("tar").is_none() {
        return;
    }
    let by_hand = world.path("by-hand");
    fs::create_dir(&by_hand).unwrap();
    let layers = archive
        .members
        .iter()
        .filter(|(name, _)| name.starts_with("payload/layers/"));
    for (name, stored) in layers {
        let layer = world.file("layer.tar", unpacked(stored));
        let mut tar = Command::new("tar");
        tar.args([
            "-xf",
            layer.to_str().unwrap(),
            "-C",
            by_hand.to_str().unwrap(),
        ]);
        let ran = tar.output().unwrap();
        assert!(
            ran.status.success() && ran.stderr.is_empty(),
            "{name}: {ran:?}"
        );
    }
    assert_same_tree(&site.tree(), &files_in(&by_hand), "tar");
}

#[test]
fn an_index_leads_to_the_record() {
    let world = World::new();
    let record = about("EX-Z", "2026-10-02T00:00:00Z", "pkg:npm/left-pad@1.3.0");
    world.import("one.jsonl", format!("{}{record}\n", lines("acme", 500)));
    let site = Site::new(&world, "site");
    world.export("mirror:full", &[]);
    site.apply(&nth_export(&world, 1));
    let indexes = site.dir.join("current/indexes");
    let read = |path: &str| fs::read_to_string(site.dir.join("current").join(path)).unwrap();
    for (index, term, name) in [
        (Index::Purl, "pkg:npm/left-pad@1.3.0", "purl"),
        (Index::Identifier, "EX-Z", "identifier"),
        (Index::Subject, "EX-Z", "subject"),
    ] {
        let [lines, offsets] =
            [index.lines_file(), index.offsets_file()].map(|file| indexes.join(file));
        let (mut paths, mut lines) = (
            Vec::new(),
            fs::File::open(&lines).map(|file| (lines, file)).unwrap(),
        );
        find(
            &mut lines.1,
            &mut fs::File::open(offsets).unwrap(),
            index,
            term,
            &mut |path| {
                paths.push(path.to_owned());
                true
            },
        )
        .unwrap();
        assert_eq!(paths.len(), 1, "{name}");
        assert_eq!(read(&paths[0]), record, "{name}");
        if let Some(look) = found_program("look") {
            let wanted = format!("{{\"{name}\":\"{term}\"");
            let mut look = Command::new(look);
            let ran = look
                .env("LC_ALL", "C")
                .args([&wanted])
                .arg(&lines.0)
                .output()
                .unwrap();
            let found = format!("{wanted},\"path\":\"{}\"}}\n", paths[0]);
            assert_eq!(String::from_utf8(ran.stdout).unwrap(), found);
        }
    }
    // Only the indexes that the profile names are there.
    let few = json!({"name": "few", "kind": "mirror:full", "config": {"indexes": ["purl"]}});
    let file = world.file("few.json", few.to_string());
    world.json(["profile", "create", file.to_str().unwrap()]);
    world.export("few", &[]);
    let other = Site::new(&world, "few");
    other.apply(&nth_export(&world, 2));
    let names: Vec<_> = other
        .tree()
        .into_keys()
        .filter(|path| path.starts_with("indexes/"))
        .collect();
    assert_eq!(names, ["indexes/by-purl.jsonl", "indexes/by-purl.offsets"]);
    site.refuses(&nth_export(&world, 2), &[], "ERR_MIRROR_OTHER");
}

#[test]
fn decisions_are_in_a_mirror_that_is_given_a_snapshot_and_in_its_deltas() {
    let world = World::new();
    let decided = |snapshot: &str, numbers: std::ops::Range<u32>| -> String {
        numbers
            .map(|n| format!("{}\n", finding("acme", snapshot, "sbom", n)))
            .collect()
    };
    world.import("one.jsonl", lines("acme", 5));
    world.import("policy.json", snapshot("acme", "policy-1").to_string());
    world.import("findings.jsonl", decided("policy-1", 0..3));
    let site = Site::new(&world, "site");
    let (plain, _) = world.export("mirror:full", &[]);
    assert_eq!(
        (&plain["records"], &plain["policy_snapshot_id"]),
        (&5.into(), &json!(null))
    );
    let (full, _) = world.export("mirror:full", &["--policy-snapshot", "policy-1"]);
    assert_eq!(full["records"], 8);
    site.apply(&nth_export(&world, 2));
    let has = |path: &str| site.dir.join("current").join(path).exists();
    assert!(has("data/policy/policy_snapshot.json") && has("manifests/finding.json"));

    // A delta keeps to the base's snapshot, though there is a newer one, unless it is given another.
    let mut next = snapshot("acme", "policy-2");
    next["created_at"] = "2026-11-02T00:00:00Z".into();
    world.import(
        "next.jsonl",
        format!("{next}\n{}", decided("policy-2", 0..2)),
    );
    let base = full["run_id"].as_str().unwrap();
    let (kept, _) = world.export("mirror:delta", &["--base", base]);
    assert_eq!(
        (&kept["records"], &kept["policy_snapshot_id"]),
        (&0.into(), &"policy-1".into())
    );
    site.apply(&nth_export(&world, 3));
    assert!(has("data/policy/policy_snapshot.json"));
    let base = kept["run_id"].as_str().unwrap();
    let (given, _) = world.export(
        "mirror:delta",
        &["--base", base, "--policy-snapshot", "policy-2"],
    );
    assert_eq!(given["policy_snapshot_id"], "policy-2");
    let counts = &site.apply(&nth_export(&world, 4))["counts"];
    assert_eq!(
        [&counts["added"], &counts["changed"], &counts["removed"]],
        [2, 0, 3]
    );
    world.export("mirror:full", &["--policy-snapshot", "policy-2"]);
    let fresh = Site::new(&world, "fresh");
    fresh.apply(&nth_export(&world, 5));
    assert_same_tree(&site.tree(), &fresh.tree(), "another snapshot");
}

#[test]
fn a_bundle_is_carried_in_parts() {
    let world = World::new();
    world.json(["ledger", "generate", "--records", "200", "--seed", "3"]);
    world.export("mirror:full", &[]);
    let bundle = nth_export(&world, 1);
    let to = world.path("media");
    let args = |size: &str| {
        let [bundle, to] = [&bundle, &to].map(|path| path.to_str().unwrap().to_owned());
        ["bundle", "split", &bundle, "--size", size, "--to", &to].map(str::to_owned)
    };
    let cut = world.json(args("30kB"));
    let parts = cut["list"]["parts"].as_array().unwrap().len();
    assert!(parts > 2, "{cut:#}");
    assert_eq!(world.json(args("30kB"))["kept"], parts);
    assert_eq!(world.run(args("0")).code, 2);
    let part = |number: usize| to.join(format!("export-0.tar.part-{number:04}"));
    let out = world.path("again.tar");
    let join = |numbers: &[usize]| {
        let mut all = vec!["bundle".to_owned(), "join".to_owned()];
        all.extend(
            numbers
                .iter()
                .map(|n| part(*n).to_str().unwrap().to_owned()),
        );
        all.extend(["--out".to_owned(), out.to_str().unwrap().to_owned()]);
        all
    };
    let missing = world.error(join(&[1]), "ERR_INCOMPLETE");
    assert!(
        missing["detail"].as_str().unwrap().contains("part-0002"),
        "{missing:#}"
    );
    let rest: Vec<_> = (2..=parts).collect();
    let bytes = fs::read(part(2)).unwrap();
    let mut altered = bytes.clone();
    altered[100] ^= 1;
    fs::write(part(2), &altered).unwrap();
    let wrong = world.error(join(&rest), "ERR_ALTERED");
    assert!(
        wrong["detail"].as_str().unwrap().contains("part-0002"),
        "{wrong:#}"
    );
    assert!(!out.exists());
    fs::write(part(2), &bytes).unwrap();
    assert_eq!(world.json(join(&rest))["resumed"], 1);
    assert!(fs::read(&out).unwrap() == fs::read(&bundle).unwrap());
    assert!(Path::new(&out).is_file());
}

#[test]
fn a_sealed_mirror_is_applied_by_whoever_has_an_identity() {
    let world = World::new();
    world.import("one.jsonl", lines("acme", 30));
    let identity = world.path("identity.txt");
    let identity = identity.to_str().unwrap();
    let made = world.json(["seal", "identity", "--out", identity]);
    let recipient = made["recipient"].as_str().unwrap();
    world.json(["seal", "allow", "acme", "--recipient", recipient]);
    let sealed = ["--encrypt-to", recipient];
    let (full, _) = world.export("mirror:full", &sealed);
    let site = Site::new(&world, "site");
    let said = site.refuses(&nth_export(&world, 1), &[], "ERR_WRONG_IDENTITY");
    assert!(said.contains("sealed"), "{said}");
    let opened = ["--identity", identity];
    let ran = site.try_apply(&nth_export(&world, 1), &opened);
    assert_eq!(ran.code, 0, "{}", ran.stdout);

    world.import(
        "two.jsonl",
        about("EX-A", "2026-10-02T00:00:00Z", "pkg:npm/a"),
    );
    let base = full["run_id"].as_str().unwrap();
    world.export("mirror:delta", &[&sealed[..], &["--base", base]].concat());
    site.refuses(&nth_export(&world, 2), &[], "ERR_WRONG_IDENTITY");
    let ran = site.try_apply(&nth_export(&world, 2), &opened);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let ran = site.try_apply(&nth_export(&world, 2), &opened);
    assert_eq!(ran.value()["error_code"], "ERR_MIRROR_REPLAY");
    assert_eq!(site.verify().code, 0);
    assert_eq!(site.log().len(), 2);
    world.export("mirror:full", &[]);
    let fresh = Site::new(&world, "fresh");
    fresh.apply(&nth_export(&world, 3));
    assert_same_tree(&site.tree(), &fresh.tree(), "in clear");
}

#[test]
fn indexes_are_the_same_however_many_parts_they_come_from() {
    let world = World::new();
    // More parts than are merged at once.
    world.import("many.jsonl", lines("acme", 300));
    let profile = world.file(
        "cut.json",
        r#"{"name":"cut","kind":"mirror:full","config":{"records_per_part":1}}"#,
    );
    world.json(["profile", "create", profile.to_str().unwrap()]);
    let indexes = |profile: &str| {
        let (run, archive) = world.export(profile, &[]);
        let manifest = archive.manifest();
        let files = manifest["files"].as_array().unwrap().iter();
        let layer = files
            .filter(|file| file["path"] == "payload/layers/indexes-00000.tar.zst")
            .map(|file| file["content_sha256"].clone())
            .collect::<Vec<_>>();
        assert_eq!((run["records"].as_u64(), layer.len()), (Some(300), 1));
        (layer, manifest["tree_digest"].clone())
    };
    assert_eq!(indexes("cut"), indexes("mirror:full"));
}
