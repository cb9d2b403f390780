//! Signing keys: made on first use, encrypted where a password is given, trusted where somebody
//! says so.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Ran, World, files_below, lines, ran};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn with_password(world: &World, password: &str, args: &[&str]) -> Ran {
    let mut command = world.command(args);
    ran(command.arg("--json").env("COSIGN_PASSWORD", password))
}

#[test]
fn made_on_first_use_and_for_its_owner_only() {
    let world = World::new();
    let shown = world.json(["keys", "show"]);
    assert_eq!(
        (
            &shown["signing_key"],
            shown["trusted"].as_array().unwrap().len()
        ),
        (&serde_json::Value::Null, 0)
    );
    world.import("in.jsonl", lines("acme", 2));
    let private = world.home().join("keys/signing.key");
    assert!(!private.exists());
    let (run, _) = world.export("json:raw", &[]);
    assert_eq!(mode(&private), 0o600);
    assert_eq!(mode(&world.home()), 0o700);
    let text = fs::read_to_string(&private).unwrap();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----"), "{text}");
    let shown = world.json(["keys", "show"]);
    assert_eq!(shown["signing_key"], run["key_fingerprint"]);
    assert_eq!(shown["trusted"][0]["fingerprint"], run["key_fingerprint"]);

    // Made once.
    let again = world.json(["keys", "generate"]);
    assert_eq!(
        (&again["new"], &again["fingerprint"]),
        (&false.into(), &run["key_fingerprint"])
    );
    assert_eq!(fs::read_to_string(&private).unwrap(), text);
    // The PEM alone, for scripts.
    let public = world.run(["keys", "public"]);
    assert_eq!(
        public.stdout,
        fs::read_to_string(world.home().join("keys/signing.pub")).unwrap()
    );
    assert!(public.stdout.starts_with("-----BEGIN PUBLIC KEY-----\n"));
    assert!(public.stdout.ends_with("-----END PUBLIC KEY-----\n"));
    assert_eq!(public.stderr, "");
    // No secret in what is shown.
    for said in [shown.to_string(), again.to_string(), public.stdout] {
        assert!(!said.contains("PRIVATE"), "{said}");
    }
}

#[test]
fn a_password_encrypts_and_is_asked_for_before_any_work() {
    let world = World::new();
    world.import("in.jsonl", lines("acme", 2));
    assert_eq!(
        with_password(&world, "secret", &["keys", "generate"]).code,
        0
    );
    let private = world.home().join("keys/signing.key");
    let pem = fs::read_to_string(&private).unwrap();
    assert!(
        pem.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"),
        "{pem}"
    );
    assert_eq!(mode(&private), 0o600);

    let out = world.path("bundle.tar");
    let run = ["run", "json:raw", "--out", out.to_str().unwrap()];
    for failed in [
        with_password(&world, "wrong", &run),
        with_password(&world, "", &run),
        ran(world.command(run).arg("--json")),
    ] {
        assert_eq!(failed.code, 7, "{}", failed.stdout);
        let error = failed.value();
        assert_eq!(error["error_code"], "ERR_KEY_PASSWORD");
        assert!(
            error["detail"].as_str().unwrap().contains("signing.key"),
            "{error:#}"
        );
        assert!(
            error["action"]
                .as_str()
                .unwrap()
                .contains("COSIGN_PASSWORD"),
            "{error:#}"
        );
    }
    // No run was made for nothing. Looking needs no password.
    assert_eq!(world.json(["runs", "list"])["runs"], serde_json::json!([]));
    assert!(files_below(&world.home().join("objects")).is_empty() && !out.exists());
    let done = with_password(&world, "secret", &run);
    assert_eq!(done.code, 0, "{}", done.stdout);
    assert_eq!(
        world.json(["verify", out.to_str().unwrap()])["verified"],
        true
    );
    assert_eq!(
        world.json(["keys", "show"])["signing_key"],
        done.value()["key_fingerprint"]
    );
}

#[test]
fn a_pair_is_written_where_it_is_wanted_and_never_over_another() {
    let world = World::new();
    let prefix = world.path("pair");
    let generate = ["keys", "generate", "--out", prefix.to_str().unwrap()];
    let made = with_password(&world, "secret", &generate).value();
    assert_eq!(
        (&made["encrypted"], &made["key"]),
        (
            &true.into(),
            &world.path("pair.key").to_str().unwrap().into()
        )
    );
    assert_eq!(
        (mode(&world.path("pair.key")), mode(&world.path("pair.pub"))),
        (0o600, 0o644)
    );
    let before = fs::read(world.path("pair.key")).unwrap();
    let again = world.error(generate, "ERR_IO");
    assert!(
        again["detail"].as_str().unwrap().contains("pair."),
        "{again:#}"
    );
    assert_eq!(fs::read(world.path("pair.key")).unwrap(), before);
    assert!(!world.home().exists(), "no home is needed");
    let plain = world.path("plain");
    let made = world.json(["keys", "generate", "--out", plain.to_str().unwrap()]);
    assert_eq!(made["encrypted"], false);
    let nowhere = world.path("no/such/folder/pair");
    world.error(
        ["keys", "generate", "--out", nowhere.to_str().unwrap()],
        "ERR_IO",
    );

    // A pair of one's own signs, once it lies in the home.
    world.import("in.jsonl", lines("acme", 2));
    fs::copy(
        world.path("plain.key"),
        world.home().join("keys/signing.key"),
    )
    .unwrap();
    let (run, archive) = world.export("json:raw", &[]);
    assert_eq!(run["key_fingerprint"], made["fingerprint"]);
    let bundle = world.file("bundle.tar", archive.bytes());
    let key = world.path("plain.pub");
    let args = [
        "verify",
        bundle.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
    ];
    assert_eq!(world.json(args)["verified"], true);
}

#[test]
fn others_are_trusted_by_their_public_key() {
    let (signer, world) = (World::new(), World::new());
    signer.import("in.jsonl", lines("acme", 2));
    let (run, archive) = signer.export("json:raw", &[]);
    let bundle = world.file("bundle.tar", archive.bytes());
    let verify = ["verify", bundle.to_str().unwrap()];
    world.json(["keys", "generate"]);
    assert_eq!(world.run(verify).code, 14);
    let key = world.file("signer.pub", signer.run(["keys", "public"]).stdout);
    let trusted = world.json(["keys", "trust", key.to_str().unwrap()]);
    assert_eq!(trusted["fingerprint"], run["key_fingerprint"]);
    world.json(["keys", "trust", key.to_str().unwrap()]);
    assert_eq!(
        world.json(["keys", "show"])["trusted"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(world.json(verify)["verified"], true);
}

#[test]
fn what_is_no_key_is_named() {
    let (world, other) = (World::new(), World::new());
    world.import("in.jsonl", lines("acme", 2));
    world.json(["keys", "generate"]);
    let private = fs::read(world.home().join("keys/signing.key")).unwrap();
    let public = world.run(["keys", "public"]).stdout;
    let cut = public.replace("\n-----END", "");
    let rsa = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMzQVRtaWGBYvCVyAGFSMHHNZKRyQNNr\n-----END PUBLIC KEY-----\n";
    let long = vec![b'x'; 100_000];
    for bad in [
        &b"hello"[..],
        b"",
        cut.as_bytes(),
        rsa.as_bytes(),
        &private,
        &long,
        b"\xff\xfe",
    ] {
        let file = other.file("bad.pub", bad);
        for args in [
            vec!["keys", "trust", file.to_str().unwrap()],
            vec!["verify", "x.tar", "--key", file.to_str().unwrap()],
        ] {
            let error = other.error(&args, "ERR_KEY_UNREADABLE");
            assert_eq!(error["exit_code"], 7);
            assert!(
                error["detail"].as_str().unwrap().contains("bad.pub"),
                "{error:#}"
            );
        }
        if bad != private {
            let signing = world.file("home/keys/signing.key", bad);
            let error = world.error(["run", "json:raw"], "ERR_KEY_UNREADABLE");
            assert!(
                error["detail"].as_str().unwrap().contains("signing.key"),
                "{error:#}"
            );
            // Nobody's key is thrown away.
            assert_eq!(fs::read(signing).unwrap(), bad);
        }
    }
    other.error(["keys", "trust", "/no/such/file.pub"], "ERR_IO");
    assert_eq!(world.json(["runs", "list"])["runs"], serde_json::json!([]));
}
