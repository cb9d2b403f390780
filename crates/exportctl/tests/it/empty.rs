//! A selection of nothing is an answer too.

use crate::support::{World, files_below, lines, openssl_accepts, snapshot};

#[test]
fn nothing_is_a_valid_signed_empty_bundle() {
    let world = World::new();
    let policy = snapshot("acme", "policy-1");
    world.import("in.jsonl", format!("{}{policy}\n", lines("acme", 3)));
    let empty = World::new();
    for (world, profile, args) in [
        (&world, "json:raw", ["--identifier", "CVE-0000-0"]),
        (&world, "json:policy", ["--identifier", "CVE-0000-0"]),
        (&empty, "json:raw", ["--tenant", "nobody"]),
    ] {
        let (run, archive) = world.export(profile, &args);
        assert_eq!(
            (&run["records"], &run["status"]),
            (&0.into(), &"completed".into())
        );
        let (second, _) = world.export(profile, &args);
        assert_eq!(second["content_digest"], run["content_digest"]);
        assert!(
            archive.names().iter().all(|name| !name.contains("part-")),
            "{:?}",
            archive.names()
        );
        assert_eq!(archive.manifest()["counts"]["records"], 0);

        let bundle = world.file("empty.tar", archive.bytes());
        let verified = world.json(["verify", "--deep", bundle.to_str().unwrap()]);
        assert_eq!(verified["verified"], true);
        let key = world.file("key.pub", world.run(["keys", "public"]).stdout);
        assert_ne!(openssl_accepts(world, &archive, &key), Some(false));
    }
    assert!(files_below(&empty.home().join("uploads")).is_empty());
}
