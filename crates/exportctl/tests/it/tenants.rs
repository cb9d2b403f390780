//! Several tenants in one home.

use crate::support::{World, lines, ran};

#[test]
fn which_tenant_has_to_be_said_where_there_are_several() {
    let world = World::new();
    world.import("acme.jsonl", lines("acme", 3));
    world.import("other.jsonl", lines("other", 2));
    for args in [
        vec!["run", "json:raw"],
        vec!["runs", "list"],
        vec!["profile", "list"],
    ] {
        let error = world.error(&args, "ERR_AMBIGUOUS_TENANT");
        assert_eq!(error["exit_code"], 2);
        let detail = error["detail"].as_str().unwrap();
        assert!(
            detail.contains("acme") && detail.contains("other"),
            "{detail}"
        );
    }
    let (run, archive) = world.export("json:raw", &["--tenant", "other"]);
    assert_eq!(
        (&run["tenant"], &run["records"]),
        (&"other".into(), &2.into())
    );
    assert!(
        archive
            .lines("advisory/")
            .iter()
            .all(|line| line.contains(r#""tenant":"other""#))
    );
    let mut command = world.command(["run", "json:raw", "--json"]);
    command.env("EXPORT_TENANT", "acme");
    let ran = ran(&mut command);
    assert_eq!(ran.value()["records"], 3);
    // A run's id is enough to find it; another tenant's does not have it.
    let id = run["run_id"].as_str().unwrap();
    assert_eq!(world.json(["runs", "show", id])["tenant"], "other");
    world.error(["runs", "show", id, "--tenant", "acme"], "ERR_UNKNOWN_RUN");
}
