//! Sealed bundles: what everybody can verify and learn of them, and what whoever can open them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{
    Archive, Client, KINDS, Pair, Sealed, Service, World, export, files_below, header, identity,
    lines, sha256_hex, text, unpacked,
};

#[test]
fn everybody_verifies_what_is_stored_and_whoever_can_open_it_everything() {
    for mode in ["age", "aes-gcm"] {
        let sealed = Sealed::with(mode, &KINDS);
        for pair in &sealed.pairs {
            let (kind, bundle) = (pair.kind, &pair.sealed);
            let plain = Archive::read(&pair.plain);
            let archive = Archive::read(bundle);
            let payload = |name: &&&str| name.starts_with("payload/");
            let names = archive.names();
            assert!(
                names
                    .iter()
                    .filter(payload)
                    .all(|it| it.ends_with(sealed.suffix))
            );
            assert_eq!(names[5], format!("payload/content.json{}", sealed.suffix));

            let stored = sealed.verify(bundle, &[], false);
            let report = &stored.value()["report"];
            assert_eq!(
                (stored.code, &report["opened"]),
                (0, &false.into()),
                "{kind}"
            );
            assert!(report["summary"]["content_digest"].is_null());
            let said = sealed.world.run(["verify", text(bundle), "--deep"]);
            assert_eq!(said.code, 0, "{}", said.stdout);
            assert!(
                said.stdout.contains("stored bytes verified"),
                "{}",
                said.stdout
            );

            for deep in [false, true] {
                let opened = sealed.verify(bundle, &[&sealed.identity], deep);
                let value = opened.value();
                assert_eq!(opened.code, 0, "{kind}: {value:#}");
                let report = &value["report"];
                assert_eq!(
                    (&report["opened"], &report["deep"]),
                    (&true.into(), &deep.into())
                );
                let digest = &report["summary"]["content_digest"];
                assert_eq!(*digest, plain.manifest()["content_digest"], "{kind} {mode}");
            }
            let wrong = sealed.verify(bundle, &[&sealed.other], true);
            let value = wrong.value();
            assert_eq!(wrong.code, 23, "{kind}: {value:#}");
            assert_eq!(value["report"]["code"], "ERR_WRONG_IDENTITY", "{value:#}");

            // What was sealed is what would have been there.
            let folder = sealed.opened(bundle, &format!("opened-{}", kind.replace(':', "-")));
            for (name, content) in &plain.members {
                let own = name.starts_with("payload/") && name != "payload/inputs.jsonl.zst";
                let there = fs::read(folder.join(name));
                assert!(!own || there.unwrap() == *content, "{kind}: {name}");
            }
            let left = files_below(&folder);
            assert!(
                left.iter().all(|it| !text(it).ends_with(sealed.suffix)),
                "{left:?}"
            );
        }
        let cache = sealed.world.path("cache");
        let bundle = text(&sealed.pair("trivy:db").sealed);
        let args = ["unpack", bundle, "--trivy-cache", text(&cache)];
        let wrong = args.into_iter().chain(["--identity", text(&sealed.other)]);
        assert_eq!(sealed.world.run(wrong).code, 23);
        assert!(!cache.join("db").exists());
        let right = args
            .into_iter()
            .chain(["--identity", text(&sealed.identity)]);
        sealed.world.json(right);
        assert!(cache.join("db/trivy.db").is_file() && cache.join("db/metadata.json").is_file());
    }
}

/// Every string below one of `members`.
fn strings(value: &Value, members: &[&str], wanted: bool, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if wanted => {
            found.insert(text.clone());
        }
        Value::Array(values) => {
            for value in values {
                strings(value, members, wanted, found);
            }
        }
        Value::Object(values) => {
            for (name, value) in values {
                let wanted = wanted || members.contains(&name.as_str());
                strings(value, members, wanted, found);
            }
        }
        _ => {}
    }
}

/// What nobody may learn who cannot open the bundle: names of records and what was selected, and
/// digests of contents.
fn secrets(opened: &Path, pair: &Pair, records: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let document = fs::read(opened.join("payload/content.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    let manifest = &document["manifest"];
    let digests = [
        "content_digest",
        "content_sha256",
        "tree_digest",
        "result_tree_digest",
    ];
    strings(manifest, &digests, false, &mut found);
    strings(&manifest["files"], &["range"], false, &mut found);
    strings(
        &manifest["base"],
        &["export_id", "manifest_sha256"],
        false,
        &mut found,
    );
    strings(&manifest["selectors"]["exclude"], &[], true, &mut found);
    let went_in = ["name", "uri", "digest", "annotations"];
    strings(&document["dependencies"], &went_in, false, &mut found);
    for file in ["inputs.jsonl.zst", "tree.jsonl.zst", "delta.jsonl.zst"] {
        let Ok(packed) = fs::read(opened.join("payload").join(file)) else {
            continue;
        };
        let lines = String::from_utf8(unpacked(&packed)).unwrap();
        let members = [
            "hash",
            "first",
            "last",
            "key",
            "subject_key",
            "_id",
            "path",
            "sha256",
        ];
        for line in lines.lines() {
            strings(
                &serde_json::from_str(line).unwrap(),
                &members,
                false,
                &mut found,
            );
        }
    }
    let members = [
        "_id",
        "subject_key",
        "identifiers",
        "purls",
        "upstream_id",
        "content_hash",
        "vendor",
        "stream",
        "policy_snapshot_id",
        "advisory_id",
        "vulnerability_id",
        "component_purl",
        "sbom_id",
    ];
    for line in records {
        found.insert(sha256_hex(line.as_bytes()));
        strings(
            &serde_json::from_str(line).unwrap(),
            &members,
            false,
            &mut found,
        );
    }
    // Counts are told; a version or a kind alone tells nothing.
    found.retain(|it| !it.bytes().all(|b| b.is_ascii_digit()));
    for short in ["name", "policy_snapshot", "base", "sbom"] {
        found.remove(short);
    }
    assert!(
        found.len() > 100 && found.iter().all(|it| it.len() > 4),
        "{}: {found:?}",
        pair.kind
    );
    found
}

/// The secrets that stand in a bundle outside its payload, or in a file of it that is not sealed.
fn told(archive: &Archive, secrets: &BTreeSet<String>, suffix: &str) -> BTreeSet<String> {
    let mut public = Vec::new();
    for (name, content) in &archive.members {
        public.extend(header(name, content.len() as u64, b'0', ""));
        if !name.ends_with(suffix) {
            public.extend(content);
        }
        if name == "provenance.json.sigstore.json" {
            let bundle: Value = serde_json::from_slice(content).unwrap();
            let statement = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
            public.extend(STANDARD.decode(statement).unwrap());
        }
    }
    let latin = |bytes: &[u8]| bytes.iter().map(|b| char::from(*b)).collect::<String>();
    let public = latin(&public);
    let stands = |secret: &&String| {
        let digits = secret.strip_prefix("sha256:").unwrap_or(secret);
        let digest = hex::decode(digits).ok().filter(|bytes| bytes.len() == 32);
        let other = digest.map(|bytes| [latin(&bytes), STANDARD.encode(&bytes)]);
        public.contains(digits) || other.is_some_and(|it| it.iter().any(|it| public.contains(it)))
    };
    secrets.iter().filter(stands).cloned().collect()
}

#[test]
fn what_is_not_sealed_tells_nothing_of_what_is() {
    for mode in ["age", "aes-gcm"] {
        let sealed = Sealed::with(mode, &KINDS);
        let (_, all) = export(&sealed.world, "all", "json:policy", &[]);
        let all = Archive::read(&all);
        let kinds = ["advisory/", "finding/", "sbom/", "vex/"];
        let records: Vec<_> = kinds.iter().flat_map(|kind| all.lines(kind)).collect();
        assert_eq!(records.len(), 48 + 9);
        for pair in &sealed.pairs {
            let opened = sealed.opened(
                &pair.sealed,
                &format!("{}-told", pair.kind.replace(':', "-")),
            );
            let secrets = secrets(&opened, pair, &records);
            let archive = Archive::read(&pair.sealed);
            let found = told(&archive, &secrets, sealed.suffix);
            assert!(found.is_empty(), "{} {mode}: {found:#?}", pair.kind);

            // And what is asked finds it where it is told.
            let mut plain = Archive::read(&pair.plain);
            let digest = plain.manifest()["content_digest"]
                .as_str()
                .unwrap()
                .to_owned();
            plain
                .members
                .retain(|(name, _)| !name.starts_with("payload/"));
            let found = told(&plain, &secrets, sealed.suffix);
            for expected in [digest.as_str(), "ZQ-NOT-THERE", "zq-absent/zq-stream"] {
                assert!(found.contains(expected), "{}: {expected}", pair.kind);
            }
            let mut more = archive.clone();
            more.members[5].0 = "payload/ZQ-00001".to_owned();
            more.members[5].1.clear();
            assert!(told(&more, &secrets, sealed.suffix).contains("ZQ-00001"));
        }
    }
}

/// Commands that have no identity to open with say so, and not that a file is missing.
#[test]
fn what_only_looks_says_that_a_bundle_is_sealed() {
    let sealed = Sealed::with("age", &["trivy:db"]);
    let [pair] = sealed.pairs.as_slice() else {
        panic!("one kind was asked for");
    };
    let (plain, bundle) = (text(&pair.plain), text(&pair.sealed));
    for (args, code) in [
        (["inspect", "--unmapped", plain], 0),
        (["inspect", "--unmapped", bundle], 2),
        (["diff", plain, plain], 0),
        (["diff", bundle, plain], 2),
        (["diff", plain, bundle], 2),
    ] {
        let ran = sealed.world.run(args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        let words = format!("{bundle} is sealed, and this command opens nothing");
        assert_eq!(
            ran.stderr.contains(&words),
            code == 2,
            "{args:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn a_download_says_that_it_is_sealed() {
    let world = World::new();
    world.import("one.jsonl", lines("acme", 3));
    let (mine, recipient) = identity(&world, "mine.txt");
    let (_, other) = identity(&world, "other.txt");
    world.json(["seal", "allow", "acme", "--recipient", &recipient]);
    let service = Service::start(&world, "serve", &[]);
    let client = Client::login(&service, "acme");
    let sealed_to = |to: &str| json!({"profile": "json:raw", "options": {"encrypt_to": [to]}});

    let refused = client.post("/runs", &sealed_to(&other));
    assert_eq!(refused.status, 422);
    let problem = refused.json();
    assert_eq!(problem["error_code"], "ERR_RECIPIENT_NOT_LISTED");
    assert_eq!(problem["errors"][0]["field"], "options.encrypt_to");
    let config = json!({"encryption": {"mode": "age", "recipients": [other]}});
    let profile = json!({"name": "sealed", "kind": "json:raw", "config": config});
    let refused = client.post("/profiles", &profile);
    assert_eq!(refused.status, 422);
    let problem = refused.json();
    assert_eq!(problem["error_code"], "ERR_RECIPIENT_NOT_LISTED");
    assert_eq!(
        problem["errors"][0]["field"],
        "config.encryption.recipients"
    );

    let accepted = client.post("/runs", &sealed_to(&recipient)).json();
    let plain = client.submit("json:raw");
    for (run, mode) in [
        (accepted["run_id"].as_str().unwrap(), Some("age")),
        (&plain, None),
    ] {
        client.follow(run);
        let answer = client.get(&format!("/runs/{run}/download"));
        let said = answer.fields.get("x-export-encryption").cloned();
        assert_eq!((answer.status, said.as_deref()), (200, mode));
        let bundle = world.file("downloaded.tar", answer.body());
        let args = ["verify", "--deep", text(&bundle), "--identity", text(&mine)];
        assert_eq!(world.json(args)["report"]["opened"], mode.is_some());
    }
}
