//! Verifying: what is wrong, in which file, with an exit code for each class; and nothing said of
//! what nobody vouches for.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{
    Archive, Ran, World, cosign_accepts, fed, header, lines, openssl_accepts, program, ran,
};

const PART: &str = "payload/advisory/part-00000.jsonl.zst";

/// A home that has exported, the bundle, and its key as a file.
pub(crate) fn exported() -> (World, Archive, PathBuf) {
    let world = World::new();
    world.import("in.jsonl", lines("acme", 40));
    let (_, archive) = world.export("json:raw", &[]);
    let key = world.file("signer.pub", world.run(["keys", "public"]).stdout);
    (world, archive, key)
}

/// Verifies `bytes` in every way there is; all must agree. Gives the JSON result.
#[track_caller]
fn verify(world: &World, bytes: &[u8], key: &Path) -> (i32, Value) {
    let file = world.file("checked.tar", bytes);
    let key = key.to_str().unwrap();
    let args = ["verify", file.to_str().unwrap(), "--key", key, "--json"];
    let (plain, deep) = (world.run(args), {
        let mut command = world.command(args);
        ran(command.arg("--deep"))
    });
    let piped = fed(
        &mut world.command(["verify", "-", "--key", key, "--json"]),
        bytes,
    );
    // A home is not needed.
    let homeless = ran(&mut program(&world.path("no-home"), args));
    for other in [&deep, &piped, &homeless] {
        assert_eq!(other.code, plain.code, "{}\n{}", plain.stdout, other.stdout);
    }
    assert!(!world.path("no-home").exists());
    (plain.code, plain.value())
}

/// Whether a problem of class `code` is reported, in `path` where one is given.
fn reports(value: &Value, code: &str, path: Option<&str>) -> bool {
    let problems = value["report"]["problems"].as_array().unwrap();
    problems.iter().any(|problem| {
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        problem["code"] == code && path.is_none_or(|path| problem["path"] == path)
    })
}

#[test]
fn a_good_bundle_verifies_everywhere() {
    let (world, archive, key) = exported();
    let (code, value) = verify(&world, &archive.bytes(), &key);
    assert_eq!((code, &value["verified"]), (0, &true.into()));
    assert_eq!(value["report"]["problems"], Value::Array(vec![]));
    assert_ne!(openssl_accepts(&world, &archive, &key), Some(false));
    if let Some(accepts) = cosign_accepts(&world, &archive, &key) {
        assert_eq!(accepts, [true, true]);
    }

    // As a folder too, by the home's own key, and after the program unpacked it.
    let file = world.file("bundle.tar", archive.bytes());
    let folder = world.path("unpacked");
    world.json([
        "unpack",
        file.to_str().unwrap(),
        "--to",
        folder.to_str().unwrap(),
    ]);
    for (name, content) in &archive.members {
        assert!(fs::read(folder.join(name)).unwrap() == *content, "{name}");
    }
    let verified = world.json(["verify", "--deep", folder.to_str().unwrap()]);
    assert_eq!(verified["verified"], true);
    let summary = &verified["report"]["summary"];
    assert_eq!(
        (&summary["records"], &summary["tenant"]),
        (&40.into(), &"acme".into())
    );
    fs::write(folder.join("payload/extra"), "x").unwrap();
    assert_eq!(world.run(["verify", folder.to_str().unwrap()]).code, 11);
}

#[test]
fn each_class_has_its_exit_code() {
    let (world, archive, key) = exported();

    // Bad signature: somebody else's, under this key's name.
    let other = exported().1;
    let mut bad = archive.clone();
    *bad.get_mut("export.json.sig") = other.get("export.json.sig").to_vec();
    let (code, value) = verify(&world, &bad.bytes(), &key);
    assert_eq!((code, &value["verified"]), (10, &false.into()), "{value:#}");
    assert!(
        reports(&value, "ERR_BAD_SIGNATURE", Some("export.json.sig")),
        "{value:#}"
    );
    assert_ne!(openssl_accepts(&world, &bad, &key), Some(true));

    // Altered: a bit of the payload; the manifest itself.
    let mut bad = archive.clone();
    bad.get_mut(PART)[100] ^= 1;
    let (code, value) = verify(&world, &bad.bytes(), &key);
    assert_eq!(code, 11);
    assert!(reports(&value, "ERR_ALTERED", Some(PART)), "{value:#}");
    let text = world.run(["verify", world.path("checked.tar").to_str().unwrap()]);
    assert!(
        text.stdout.contains(PART) && text.stdout.contains("ERR_ALTERED"),
        "{}",
        text.stdout
    );
    let mut bad = archive.clone();
    let manifest = String::from_utf8(bad.get("export.json").to_vec()).unwrap();
    *bad.get_mut("export.json") = manifest
        .replace(r#""records":40"#, r#""records":41"#)
        .into();
    let (code, value) = verify(&world, &bad.bytes(), &key);
    assert_eq!(code, 10, "{value:#}");

    // Incomplete: a file is missing; the end is.
    let mut bad = archive.clone();
    bad.remove(PART);
    let (code, value) = verify(&world, &bad.bytes(), &key);
    assert_eq!(code, 12, "{value:#}");
    assert!(reports(&value, "ERR_INCOMPLETE", Some(PART)), "{value:#}");
    let bytes = archive.bytes();
    for end in [bytes.len() - 512, bytes.len() - 3000, 2_000] {
        let (code, value) = verify(&world, &bytes[..end], &key);
        assert_eq!(code, 12, "{value:#}");
        assert!(reports(&value, "ERR_INCOMPLETE", None), "{value:#}");
    }

    // Not a bundle.
    let foreign = [header("hello.txt", 0, b'0', "").as_slice(), &[0; 1024]].concat();
    for bytes in [
        &b"hello"[..],
        b"",
        &[0; 10_240],
        &[0xff; 4_096],
        b"\x28\xb5\x2f\xfd",
        &foreign,
    ] {
        let (code, value) = verify(&world, bytes, &key);
        assert_eq!(code, 13, "{value:#}");
        assert!(reports(&value, "ERR_NOT_A_BUNDLE", None), "{value:#}");
    }

    // Wrong key.
    let other = world.path("other");
    world.json(["keys", "generate", "--out", other.to_str().unwrap()]);
    let (code, value) = verify(&world, &archive.bytes(), &world.path("other.pub"));
    assert_eq!(code, 14, "{value:#}");
    assert!(reports(&value, "ERR_WRONG_KEY", None));
    assert_ne!(
        openssl_accepts(&world, &archive, &world.path("other.pub")),
        Some(true)
    );
    if let Some(accepts) = cosign_accepts(&world, &archive, &world.path("other.pub")) {
        assert_eq!(accepts, [false, false]);
    }
}

#[test]
fn without_a_key_nothing_is_verified() {
    let (world, archive, _) = exported();
    let file = world.file("bundle.tar", archive.bytes());
    let file = file.to_str().unwrap();
    let own = world.json(["keys", "show"]);
    let fingerprint = own["signing_key"].as_str().unwrap();
    let stranger = |args: &[&str]| ran(&mut program(&world.path("stranger"), args));

    let text = stranger(&["verify", file]);
    assert_eq!(text.code, 15);
    assert!(
        text.stdout.contains("not verified") && text.stdout.contains(fingerprint),
        "{}",
        text.stdout
    );
    assert!(
        !text.stdout.replace("not verified", "").contains("verified"),
        "{}",
        text.stdout
    );
    assert!(!text.stdout.contains("signed by"), "{}", text.stdout);
    let value = stranger(&["verify", file, "--json", "--deep"]).value();
    assert_eq!(
        (&value["verified"], &value["exit_code"]),
        (&false.into(), &15.into())
    );
    assert_eq!(value["report"]["verdict"], "not_verified");
    assert_eq!(value["report"]["key"], fingerprint);
    // What is wrong in itself is found all the same.
    let mut bad = archive.clone();
    bad.get_mut(PART)[100] ^= 1;
    let altered = world.file("bad.tar", bad.bytes());
    assert_eq!(stranger(&["verify", altered.to_str().unwrap()]).code, 11);

    // Unpacking needs a key, or somebody who does without.
    let target = world.path("to");
    let to = target.to_str().unwrap();
    let refused = stranger(&["unpack", file, "--to", to]);
    assert_eq!(refused.code, 15, "{}", refused.stderr);
    assert!(!target.exists());
    let altered = stranger(&[
        "unpack",
        altered.to_str().unwrap(),
        "--to",
        to,
        "--allow-unverified",
    ]);
    assert_eq!(altered.code, 11);
    assert!(!target.exists());
    let allowed = stranger(&["unpack", file, "--to", to, "--allow-unverified"]);
    assert_eq!(allowed.code, 0, "{}", allowed.stderr);
    assert!(
        allowed.stdout.contains("not verified"),
        "{}",
        allowed.stdout
    );
    assert!(!world.path("stranger").exists());

    // Trusting the key is enough from then on.
    let key = world.file("signer.pub", world.run(["keys", "public"]).stdout);
    assert_eq!(stranger(&["keys", "trust", key.to_str().unwrap()]).code, 0);
    let trusting: Ran = stranger(&["verify", file]);
    assert_eq!(trusting.code, 0, "{}", trusting.stdout);
}

#[test]
fn inspecting_never_says_verified() {
    let (world, archive, _) = exported();
    let file = world.file("bundle.tar", archive.bytes());
    let text = world.run(["inspect", file.to_str().unwrap()]);
    assert_eq!(text.code, 0);
    assert!(
        text.stdout.contains("nothing of this was verified"),
        "{}",
        text.stdout
    );
    let value = world.json(["inspect", file.to_str().unwrap()]);
    assert_eq!(value["verified"], false);
    assert_eq!(value["manifest"], archive.manifest());
    let piped = fed(
        &mut world.command(["inspect", "-", "--json"]),
        &archive.bytes(),
    );
    assert_eq!(piped.value()["manifest"], archive.manifest());
    let error = world.error(
        ["inspect", world.file("x", "x").to_str().unwrap()],
        "ERR_NOT_A_BUNDLE",
    );
    assert_eq!(error["exit_code"], 13);
}
