//! Bundles that were made to harm, or to lie.

use std::fs;

use export_signing::SigningKey;

use crate::support::{Archive, World, fed, files_below, header, unpacked};
use crate::verifying::exported;

const PART: &str = "payload/advisory/part-00000.jsonl.zst";

/// A good archive's bytes with `extra` between its documents and its payload, or at its end.
fn with(archive: &Archive, extra: &[u8], at_end: bool) -> Vec<u8> {
    let mut start = archive.clone();
    let rest = if at_end {
        Vec::new()
    } else {
        start.members.split_off(5)
    };
    let mut bytes = start.bytes();
    bytes.truncate(bytes.len() - 1024);
    bytes.extend(extra);
    bytes.extend(Archive { members: rest }.bytes());
    bytes
}

/// Neither verifies nor unpacks, wherever it comes from, and leaves nothing behind.
#[track_caller]
fn is_refused(world: &World, what: &str, bytes: &[u8]) {
    let file = world.file("hostile/in/bad.tar", bytes);
    let target = world.path("hostile/out/target");
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    let before = files_below(&world.path(""));
    for deep in [&["--deep"][..], &[]] {
        let args = ["verify", file.to_str().unwrap()];
        let checked = world.run(args.iter().chain(deep));
        assert!(
            [11, 12, 13].contains(&checked.code),
            "{what}: {}\n{}",
            checked.code,
            checked.stdout
        );
        assert!(
            !checked.stdout.contains(": verified"),
            "{what}: {}",
            checked.stdout
        );
    }
    let to = ["--to", target.to_str().unwrap()];
    let named = world.run(["unpack", file.to_str().unwrap()].iter().chain(&to));
    let piped = fed(&mut world.command(["unpack", "-"].iter().chain(&to)), bytes);
    for unpacking in [named, piped] {
        assert!(
            [11, 12, 13].contains(&unpacking.code),
            "{what}: {}\n{}",
            unpacking.code,
            unpacking.stderr
        );
    }
    assert!(!target.exists(), "{what}");
    assert_eq!(files_below(&world.path("")), before, "{what}");
}

#[test]
fn members_that_would_go_elsewhere_or_without_end() {
    let (world, archive, _) = exported();
    let long = format!("payload/{}", "x".repeat(150));
    let gnu_name = [
        header("././@LongLink", long.len() as u64 + 1, b'L', "").to_vec(),
        format!("{long:\0<512}").into_bytes(),
        header(&long[..100], 0, b'0', "").to_vec(),
    ]
    .concat();
    let pax = b"22 path=../../evil.txt\n";
    let mut pax_name = header("PaxHeaders/x", pax.len() as u64, b'x', "").to_vec();
    pax_name.extend(pax);
    pax_name.resize(1024, 0);
    pax_name.extend(header("payload/x", 0, b'0', ""));
    let twice = [header(PART, 0, b'0', ""), header(PART, 0, b'0', "")].concat();
    let cases: [(&str, Vec<u8>); 13] = [
        ("parent", header("../evil.txt", 0, b'0', "").into()),
        (
            "parent inside",
            header("payload/../../evil.txt", 0, b'0', "").into(),
        ),
        (
            "absolute",
            header("/tmp/export-center-evil.txt", 0, b'0', "").into(),
        ),
        (
            "symbolic link",
            header("payload/advisory", 0, b'2', "/tmp").into(),
        ),
        (
            "hard link",
            header("payload/x", 0, b'1', "export.json").into(),
        ),
        ("device", header("payload/x", 0, b'3', "").into()),
        ("folder", header("payload/", 0, b'5', "").into()),
        ("sparse", header("payload/x", 10 << 40, b'S', "").into()),
        ("10 TB", header("payload/x", 10 << 40, b'0', "").into()),
        (
            "10 TB of a listed file",
            header(PART, 10 << 40, b'0', "").into(),
        ),
        ("GNU long name", gnu_name),
        ("PAX name", pax_name),
        ("twice", twice),
    ];
    for (what, extra) in &cases {
        is_refused(&world, what, &with(&archive, extra, false));
        is_refused(&world, what, &with(&archive, extra, true));
        // Before anything else, too.
        let first = [extra.as_slice(), &archive.bytes()].concat();
        is_refused(&world, what, &first);
    }
    let mut again = archive.clone();
    again.members.push(again.members[5].clone());
    is_refused(&world, "a member again", &again.bytes());
    let mut swapped = archive.clone();
    swapped.members.swap(1, 2);
    is_refused(&world, "another order", &swapped.bytes());
    is_refused(
        &world,
        "more behind the end",
        &[archive.bytes(), vec![1; 512]].concat(),
    );
}

#[test]
fn a_signer_that_lies_is_found_by_looking_inside() {
    let (world, archive, _) = exported();
    let pem = fs::read(world.home().join("keys/signing.key")).unwrap();
    let key = SigningKey::from_pem(&pem, None).unwrap();
    let text = String::from_utf8(unpacked(archive.get(PART))).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let verify = |bundle: &Archive, deep: &[&str]| {
        let file = world.file("signed.tar", bundle.bytes());
        world.run(["verify", file.to_str().unwrap()].iter().chain(deep))
    };

    // Signed anew without a lie, it is as good as before: what is refused below is refused for its
    // lie.
    let mut honest = archive.clone();
    honest.resign(&key, |_| {});
    assert_eq!(verify(&honest, &[]).code, 0);
    let looked_into = verify(&honest, &["--deep"]);
    assert_eq!(looked_into.code, 0, "{}", looked_into.stdout);

    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let changed = text.replacen("Something is wrong", "Nothing is wrong", 1);
    let derived = text.replacen(r#""source":{"#, r#""severity":"low","source":{"#, 1);
    let spaced = text.replacen(r#"{"_id":"#, r#"{ "_id":"#, 1);
    let swapped = joined(&[&[lines[1], lines[0]], &lines[2..]].concat());
    for (what, content, records) in [
        ("a changed record", changed.as_str(), 40),
        ("a derived member", &derived, 40),
        ("a line in another form", &spaced, 40),
        ("another order", &swapped, 40),
        ("a record less", &joined(&lines[1..]), 39),
        ("a record less, counted", &joined(&lines[1..]), 40),
        (
            "a record twice",
            &joined(&[&lines[..1], &lines].concat()),
            41,
        ),
    ] {
        let mut lie = archive.clone();
        lie.repack(PART, content.as_bytes());
        lie.resign(&key, |manifest| {
            manifest["counts"]["records"] = records.into();
            manifest["counts"]["by_kind"]["advisory"] = records.into();
            let file = &mut manifest["files"][0];
            file["records"] = records.into();
        });
        let trusting = verify(&lie, &[]);
        assert_eq!(trusting.code, 0, "{what}: {}", trusting.stdout);
        let looked_into = verify(&lie, &["--deep"]);
        assert_eq!(looked_into.code, 11, "{what}: {}", looked_into.stdout);
        assert!(
            looked_into.stdout.contains(PART),
            "{what}: {}",
            looked_into.stdout
        );
    }
}

#[test]
fn a_target_that_is_not_empty_is_left_alone() {
    let (world, archive, _) = exported();
    let file = world.file("bundle.tar", archive.bytes());
    let unpack = |target: &str| {
        let target = world.path(target);
        let args = [
            "unpack",
            file.to_str().unwrap(),
            "--to",
            target.to_str().unwrap(),
        ];
        world.run(args)
    };
    world.file("full/mine.txt", "mine");
    world.file("file", "mine");
    for target in ["full", "file"] {
        let refused = unpack(target);
        assert_eq!(refused.code, 6, "{}", refused.stderr);
        assert!(
            refused.stderr.contains("is there already"),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(
        files_below(&world.path("full")),
        [world.path("full/mine.txt")]
    );
    fs::create_dir(world.path("empty")).unwrap();
    assert_eq!(unpack("empty").code, 0);
    assert_eq!(
        files_below(&world.path("empty")).len(),
        archive.members.len()
    );
    // The same again would overwrite it.
    assert_eq!(unpack("empty").code, 6);
}
