//! The story that the README tells.

use crate::support::{World, files_below, lines};

#[test]
fn evidence_in_signed_bundle_out_verified() {
    let world = World::new();
    let input = world.file("in.jsonl", lines("acme", 1_000));
    let imported = world.json(["ledger", "import", input.to_str().unwrap()]);
    assert_eq!(imported["added"], 1_000);
    let again = world.json(["ledger", "import", input.to_str().unwrap()]);
    assert_eq!(
        (&again["added"], &again["present"]),
        (&0.into(), &1_000.into())
    );

    let out = world.path("bundle.tar");
    let run = world.json(["run", "json:raw", "--out", out.to_str().unwrap()]);
    assert_eq!(run["status"], "completed");
    assert_eq!(run["records"], 1_000);
    assert_eq!(run["archive"], out.to_str().unwrap());
    let bytes = std::fs::read(&out).unwrap();
    assert_eq!(run["size_bytes"], bytes.len());
    assert_eq!(
        run["sha256"],
        format!("sha256:{}", crate::support::sha256_hex(&bytes))
    );

    let verified = world.json(["verify", out.to_str().unwrap(), "--deep"]);
    assert_eq!(verified["verified"], true);

    let second = world.json(["run", "json:raw", "--workers", "4"]);
    assert_eq!(second["content_digest"], run["content_digest"]);
    assert_ne!(second["run_id"], run["run_id"]);

    // Nothing but the published set and its archive is left of either run.
    let left = files_below(&world.home().join("objects"));
    assert_eq!(left.len(), 2 * (5 + 2 + 1), "{left:#?}");
    assert!(files_below(&world.home().join("uploads")).is_empty());
}
