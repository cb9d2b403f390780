//! Sealed bundles and keys: who may be sealed to, what a wrong key or an altered file gives, keys that
//! change, `age` as the referee, and secrets that are told to nobody.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    Archive, KINDS, POLICY, Sealed, Site, World, assert_same_tree, export, files_below,
    found_program, identity, key, lines, ran, text,
};

#[test]
fn what_a_tenant_does_not_list_is_refused() {
    let world = World::new();
    world.import("one.jsonl", lines("acme", 3));
    let (_, mine) = identity(&world, "mine.txt");
    let (_, other) = identity(&world, "other.txt");
    key(&world, "kek");
    world.json(["seal", "allow", "acme", "--recipient", &mine]);
    let listed = world.json(["seal", "allow", "acme"]);
    assert_eq!(listed["recipients"], json!([mine]));

    let refused = "ERR_RECIPIENT_NOT_LISTED";
    for stranger in [other.as_str(), "age1nobody", "ssh-ed25519 AAAA", ""] {
        let all = [
            "run",
            "json:raw",
            "--encrypt-to",
            &mine,
            "--encrypt-to",
            stranger,
        ];
        let value = world.error(all, refused);
        assert_eq!(value["exit_code"], 2, "{value:#}");
        let detail = value["detail"].as_str().unwrap();
        assert!(
            detail.contains(stranger) && !detail.contains(&mine),
            "{detail}"
        );
    }
    let runs = world.json(["runs", "list"]);
    assert_eq!(runs["runs"], json!([]), "{runs:#}");

    let sealed = |mode: Value| json!({"encryption": mode});
    let age = |to: &[&str]| sealed(json!({"mode": "age", "recipients": to}));
    let gcm = |key: &str| sealed(json!({"mode": "aes-gcm", "key": key}));
    let profile = |config: &Value| {
        let profile = json!({"name": "sealed", "kind": "json:raw", "config": config});
        world.file("profile.json", profile.to_string())
    };
    for config in [age(&[&mine, &other]), gcm("kek"), gcm("nowhere")] {
        world.error(["profile", "create", text(&profile(&config))], refused);
    }
    for (config, code) in [
        (age(&[]), "ERR_INVALID_REQUEST"),
        (age(&[&mine, &mine]), "ERR_INVALID_REQUEST"),
        (sealed(json!("some")), "ERR_INVALID_REQUEST"),
    ] {
        world.error(["profile", "create", text(&profile(&config))], code);
    }
    world.json(["profile", "create", text(&profile(&age(&[&mine])))]);
    let update = |config: Value| {
        let file = world.file("config.json", config.to_string());
        ["profile", "update", "sealed", "--config", text(&file)].map(str::to_owned)
    };
    world.error(update(age(&[&other])), refused);
    world.error(update(gcm("kek")), refused);
    let shown = world.json(["profile", "show", "sealed"]);
    assert_eq!(shown["revision"], 1, "{shown:#}");
    world.json(["seal", "allow", "acme", "--key", "kek"]);
    world.json(update(gcm("kek")));
    // Another tenant's list is another list.
    world.import("other.jsonl", lines("umbrella", 1));
    let theirs = [
        "run",
        "json:raw",
        "--tenant",
        "umbrella",
        "--encrypt-to",
        &mine,
    ];
    world.error(theirs, refused);
    // What cannot be sealed to cannot be listed.
    for nobody in ["age1nobody", "ssh-ed25519 AAAA", "x"] {
        let all = ["seal", "allow", "acme", "--recipient", nobody];
        world.error(all, "ERR_INVALID_REQUEST");
    }
    assert_ne!(
        world
            .run(["seal", "allow", "acme", "--key", "nowhere"])
            .code,
        0
    );
    assert_ne!(world.run(["seal", "keygen", "../kek"]).code, 0);
    world.error(["seal", "keygen", "kek"], "ERR_USAGE");
    assert_ne!(
        world
            .run(["seal", "identity", "--out", text(&world.path("mine.txt"))])
            .code,
        0
    );
}

#[test]
fn an_altered_member_is_named_with_and_without_a_key() {
    for mode in ["age", "aes-gcm"] {
        let sealed = Sealed::with(mode, &["json:raw", "json:policy"]);
        let pair = sealed.pair("json:policy");
        let archive = Archive::read(&pair.sealed);
        let other = Archive::read(&sealed.pair("json:raw").sealed);
        let mut bad: Vec<(String, Archive)> = Vec::new();
        let members = archive.names();
        let payload: Vec<_> = members
            .into_iter()
            .filter(|name| name.starts_with("payload/"))
            .collect();
        assert!(payload.len() > 5, "{payload:?}");
        for name in &payload {
            for at in [0, 99, archive.get(name).len() - 1] {
                let mut flipped = archive.clone();
                flipped.get_mut(name)[at] ^= 1;
                bad.push(((*name).to_owned(), flipped));
            }
        }
        let mut cut = archive.clone();
        let shorter = cut.get(payload[1]).len() - 20;
        cut.get_mut(payload[1]).truncate(shorter);
        bad.push((payload[1].to_owned(), cut));
        let mut swapped = archive.clone();
        let [one, two] = [payload[1], payload[2]];
        *swapped.get_mut(one) = archive.get(two).to_vec();
        *swapped.get_mut(two) = archive.get(one).to_vec();
        bad.push((one.to_owned(), swapped));
        let mut foreign = archive.clone();
        *foreign.get_mut(payload[0]) = other.get(payload[0]).to_vec();
        bad.push((payload[0].to_owned(), foreign));

        // What is sealed has its own name, so that no two archives hold the same bundle.
        for at in 5..archive.members.len() {
            let mut renamed = archive.clone();
            let name = &mut renamed.members[at].0;
            *name = name.strip_suffix(sealed.suffix).unwrap().to_owned();
            let name = name.clone();
            bad.push((name, renamed));
        }

        for (name, bad) in &bad {
            let file = sealed.world.file("bad.tar", bad.bytes());
            for identities in [vec![], vec![sealed.identity.as_path()]] {
                let ran = sealed.verify(&file, &identities, true);
                let value = ran.value();
                let problems = value["report"]["problems"].as_array().unwrap();
                assert_eq!(ran.code, 11, "{name} {mode}: {value:#}");
                assert!(problems.iter().any(|it| it["path"] == **name), "{value:#}");
            }
        }
        let mut missing = archive.clone();
        missing.remove(payload[0]);
        let file = sealed.world.file("bad.tar", missing.bytes());
        for identities in [vec![], vec![sealed.identity.as_path()]] {
            let ran = sealed.verify(&file, &identities, false);
            assert!((11..=12).contains(&ran.code), "{}", ran.stdout);
        }
        // Nothing of an altered bundle is laid out.
        let (_, flipped) = &bad[0];
        let file = sealed.world.file("bad.tar", flipped.bytes());
        let to = sealed.world.path("not-there");
        let args = ["unpack", text(&file), "--to", text(&to)];
        let ran = sealed.world.run(
            args.into_iter()
                .chain(["--identity", text(&sealed.identity)]),
        );
        assert!(ran.code == 11 && !to.exists(), "{}", ran.stdout);
    }
}

/// The `age` command; none, said aloud, where it is not there.
fn age() -> Option<PathBuf> {
    let named = std::env::var_os("AGE").filter(|path| !path.is_empty());
    named.map(PathBuf::from).or_else(|| found_program("age"))
}

#[test]
fn age_opens_every_member_for_its_recipients_only() {
    let Some(age) = age() else {
        return;
    };
    let sealed = Sealed::with("age", &KINDS);
    let open = |identity: &Path, member: &[u8]| {
        let file = sealed.world.file("member.age", member);
        let mut age = Command::new(&age);
        ran(age.args(["-d", "-i", text(identity), text(&file)]))
    };
    for pair in &sealed.pairs {
        let plain = Archive::read(&pair.plain);
        let archive = Archive::read(&pair.sealed);
        for (name, content) in &archive.members[5..] {
            for mine in [&sealed.identity, &sealed.world.path("more.txt")] {
                let opened = open(mine, content);
                assert_eq!(opened.code, 0, "{name}: {}", opened.stderr);
                let own = name.strip_suffix(".age").unwrap();
                let expected = plain.members.iter().find(|(name, _)| name == own);
                assert_eq!(expected.is_none(), own == "payload/content.json", "{own}");
                let other = own == "payload/inputs.jsonl.zst";
                assert!(
                    other || expected.is_none_or(|it| it.1 == opened.bytes),
                    "{name}"
                );
            }
            assert_ne!(open(&sealed.other, content).code, 0, "{name}");
        }
    }
}

#[test]
fn keys_rotate_by_a_file_beside_the_bundle() {
    for mode in ["age", "aes-gcm"] {
        let sealed = Sealed::with(mode, &["json:raw", "mirror:full", "mirror:delta"]);
        let world = &sealed.world;
        let out = world.path("rotated");
        let (new, to) = if mode == "age" {
            let (new, recipient) = identity(world, "new.txt");
            (new, ["--to".to_owned(), recipient])
        } else {
            let new = key(world, "new");
            (new.clone(), ["--to-key".to_owned(), text(&new).to_owned()])
        };
        for pair in &sealed.pairs {
            let bundle = &pair.sealed;
            let before = fs::read(bundle).unwrap();
            let rewrap = |held: &Path| {
                let mut args = vec!["seal", "rewrap", text(bundle), "--identity", text(held)];
                args.extend(to.iter().map(String::as_str));
                args.extend(["--out", text(&out)]);
                args.into_iter().map(str::to_owned).collect::<Vec<_>>()
            };
            world.error(rewrap(&sealed.other), "ERR_WRONG_IDENTITY");
            assert!(!out.exists());
            world.json(rewrap(&sealed.identity));
            assert!(fs::read(bundle).unwrap() == before, "{}", pair.kind);
            assert_ne!(world.run(rewrap(&sealed.identity)).code, 0, "it is there");

            assert_eq!(sealed.verify(bundle, &[&new], true).code, 23);
            assert_eq!(sealed.verify(bundle, &[&out], true).code, 23);
            assert_eq!(sealed.verify(bundle, &[&sealed.other, &out], true).code, 23);
            for held in [vec![new.as_path(), &out], vec![&sealed.identity]] {
                let ran = sealed.verify(bundle, &held, true);
                let value = ran.value();
                assert_eq!(
                    (ran.code, &value["report"]["opened"]),
                    (0, &true.into()),
                    "{value:#}"
                );
            }
            // It opens this bundle, and no other.
            let others = sealed.pairs.iter().filter(|other| other.kind != pair.kind);
            for other in others.take(1) {
                let ran = sealed.verify(&other.sealed, &[&new, &out], true);
                assert_eq!(ran.code, 23, "{}: {}", other.kind, ran.stdout);
            }
            fs::remove_file(&out).unwrap();
        }
        // What is not sealed has no keys.
        let plain = text(&sealed.pair("json:raw").plain).to_owned();
        let args = [
            "seal",
            "rewrap",
            &plain,
            "--identity",
            text(&sealed.identity),
        ];
        let args = args.into_iter().chain(to.iter().map(String::as_str));
        world.error(args.chain(["--out", text(&out)]), "ERR_USAGE");
    }
}

#[test]
fn a_sealed_mirror_is_the_same_mirror() {
    for mode in ["age", "aes-gcm"] {
        let sealed = Sealed::with(mode, &["mirror:full", "mirror:delta"]);
        let plain = Site::new(&sealed.world, "plain");
        let site = Site::new(&sealed.world, "sealed");
        let identity = ["--identity", text(&sealed.identity)];
        let wrong = ["--identity", text(&sealed.other)];
        for kind in ["mirror:full", "mirror:delta"] {
            let pair = sealed.pair(kind);
            for without in [&[][..], &wrong] {
                site.refuses(&pair.sealed, without, "ERR_WRONG_IDENTITY");
            }
            assert_eq!(site.try_apply(&pair.sealed, &wrong).code, 23);
            let mut archive = Archive::read(&pair.sealed);
            let last = archive.members.len() - 1;
            archive.members[last].1[200] ^= 1;
            let bad = sealed.world.file("bad.tar", archive.bytes());
            if kind == "mirror:delta" {
                site.refuses(&bad, &identity, "ERR_ALTERED");
            } else {
                let nobody = Site::new(&sealed.world, "altered");
                assert_eq!(nobody.try_apply(&bad, &identity).code, 11);
                assert!(!nobody.dir.join("current").exists());
            }

            plain.apply(&pair.plain);
            let applied = site.try_apply(&pair.sealed, &identity);
            assert_eq!(applied.code, 0, "{kind}: {}", applied.stdout);
            assert_same_tree(&site.tree(), &plain.tree(), kind);
            assert_eq!(site.verify().code, 0);
        }
        assert!(site.tree().len() > 48);
        site.refuses(
            &sealed.pair("mirror:delta").sealed,
            &identity,
            "ERR_MIRROR_REPLAY",
        );
        assert_eq!(
            site.status()["head"]["tree_digest"],
            plain.status()["head"]["tree_digest"]
        );
        assert!(site.log().iter().all(|link| link["problem"].is_null()));
    }
}

#[test]
fn secrets_are_told_to_nobody() {
    for mode in ["age", "aes-gcm"] {
        let sealed = Sealed::with(mode, &["json:raw"]);
        let world = &sealed.world;
        let said = RefCell::new(String::new());
        let say = |args: &[&str]| {
            let mut all = Vec::from(args);
            for json in [false, true] {
                all.extend(json.then_some("--json"));
                let ran = world.run(&all);
                said.borrow_mut().push_str(&(ran.stdout + &ran.stderr));
            }
        };
        let mine = text(&sealed.identity).to_owned();
        let secret = |path: &Path| {
            let text = fs::read_to_string(path).unwrap();
            let line = text
                .lines()
                .find(|line| line.contains("-KEY-1") || line.contains("-KEK-1"));
            line.unwrap().trim().to_owned()
        };
        let told = secret(&sealed.identity);
        // By mistake, where a recipient is meant.
        say(&["run", "json:raw", "--encrypt-to", &told]);
        say(&["seal", "allow", "acme", "--recipient", &told]);
        let recipients = json!({"mode": "age", "recipients": [told, told]});
        for to in [
            recipients,
            json!({"mode": "age", "recipients": [told]}),
            json!(told),
        ] {
            let config = json!({"encryption": to});
            let profile = json!({"name": "wrong", "kind": "json:raw", "config": config});
            say(&[
                "profile",
                "create",
                text(&world.file("wrong.json", profile.to_string())),
            ]);
        }
        fs::remove_file(world.path("wrong.json")).unwrap();
        let bundle = text(&sealed.pair("json:raw").sealed).to_owned();
        say(&[
            "seal",
            "rewrap",
            &bundle,
            "--identity",
            &mine,
            "--to",
            &told,
            "--out",
            "/nowhere/x",
        ]);
        let broken = world.file("broken.txt", &told[..told.len() - 2]);
        say(&["verify", &bundle, "--identity", text(&broken)]);
        fs::remove_file(broken).unwrap();
        for args in [
            &["verify", &bundle, "--deep", "--identity", &mine][..],
            &["verify", &bundle, "--key", &mine],
            &["verify", &bundle, "--identity", text(&sealed.other)],
            &["inspect", &bundle],
            &["seal", "allow", "acme"],
            &["seal", "keygen", "mine"],
            &["seal", "keygen", "more"],
            &["seal", "identity", "--out", text(&world.path("made.txt"))],
            &["runs", "list"],
            &["profile", "list"],
            &["keys", "show"],
            &["-v", "run", "json:raw"],
        ] {
            say(args);
        }
        export(
            world,
            "again",
            "json:policy",
            &["--policy-snapshot", POLICY],
        );

        let keys = ["mine.txt", "more.txt", "other.txt", "made.txt"].map(|name| world.path(name));
        let keks = files_below(&world.home().join("keys/kek"));
        let holders: Vec<_> = keys
            .into_iter()
            .filter(|it| it.is_file())
            .chain(keks)
            .collect();
        let secrets: Vec<_> = holders.iter().map(|path| secret(path)).collect();
        assert!(secrets.len() >= 3 && secrets.contains(&told), "{mode}");
        let said = said.into_inner();
        assert!(said.len() > 5_000, "{said}");
        let all: Vec<_> = files_below(&world.path(""))
            .into_iter()
            .map(|path| (fs::read(&path).unwrap(), path))
            .map(|(bytes, path)| (path, String::from_utf8_lossy(&bytes).into_owned()))
            .collect();
        for (holder, secret) in holders.iter().zip(&secrets) {
            let data = &secret[secret.rfind('1').unwrap() + 1..];
            for form in [data.to_owned(), data.to_lowercase()] {
                assert!(!said.contains(&form), "{mode}: {said}");
                for (path, bytes) in &all {
                    let expected = path == holder && form == data;
                    assert_eq!(bytes.contains(&form), expected, "{}", path.display());
                }
            }
        }
    }
}
