//! Full disks: said so, nothing half done, and the same command works once there is space.

use crate::support::{World, lines, with_mounts};

#[test]
fn importing() {
    let world = World::new();
    world.file("small.jsonl", lines("acme", 20));
    world.file("big.jsonl", lines("acme", 6_000));
    // From one that has no room for an empty home to one that is full in the middle.
    let script = r#"
        try() { name=$1; shift; "$X" --json "$@" >"$W/$name.json" || true; }
        for size in 100 500 2000; do
            mount -t tmpfs -o size=${size}k,mode=700 none "$EXPORT_HOME"
            try small-$size ledger import "$W/small.jsonl"
            try before-$size ledger stats
            try full-$size ledger import "$W/big.jsonl"
            try after-$size ledger stats
            mount -o remount,size=60m "$EXPORT_HOME"
            try again-$size ledger import "$W/big.jsonl"
            try end-$size ledger stats
            umount "$EXPORT_HOME"
        done
    "#;
    if with_mounts(&world, script).is_none() {
        return;
    }
    for size in [100, 500, 2_000] {
        let said = |name: &str| world.value(&format!("{name}-{size}.json"));
        let error = said("full");
        assert_eq!(error["error_code"], "ERR_DISK_FULL", "{error:#}");
        assert_eq!(error["exit_code"], 6);
        assert!(
            error["detail"].as_str().unwrap().contains("home"),
            "{error:#}"
        );
        let again = said("again");
        let present = if size == 2_000 { 20 } else { 0 };
        assert_eq!(again["present"], present, "{again:#}");
        assert_eq!(again["added"], 6_000 - present, "{again:#}");
        assert_eq!(said("end")["records"], 6_000);
        if size == 2_000 {
            assert_eq!(said("before"), said("after"));
            assert_eq!(said("after")["records"], 20);
        }
    }
}

#[test]
fn exporting() {
    const GENERATE: [&str; 6] = ["ledger", "generate", "--records", "6000", "--seed", "1"];
    let measured = World::new();
    measured.json(GENERATE);
    let (good, _) = measured.export("json:raw", &[]);
    let archive = good["size_bytes"].as_u64().unwrap() / 1024;

    let world = World::new();
    // Too little for a database to grow, and for everything that the run writes.
    let room = [100, 300 + archive / 2];
    let script = format!(
        r#"
        try() {{ name=$1; shift; "$X" --json "$@" >"$W/$name.json" || true; }}
        mount -t tmpfs -o size=200m,mode=700 none "$EXPORT_HOME"
        try made {}
        try key keys generate
        for room in {} {}; do
            used=$(du -sk "$EXPORT_HOME" | cut -f 1)
            mount -o remount,size=$((used + room))k "$EXPORT_HOME"
            try full-$room run json:raw --out "$W/bundle-$room.tar"
            mount -o remount,size=200m "$EXPORT_HOME"
            try resume-$room runs resume
            try listed-$room runs list --limit 1
            find "$EXPORT_HOME/uploads" -type f >"$W/left-$room"
            try again-$room run json:raw --out "$W/again-$room.tar"
            try verify-$room verify --deep "$W/again-$room.tar"
        done
        mkdir "$W/small"
        mount -t tmpfs -o size=8k none "$W/small"
        try out run json:raw --out "$W/small/bundle.tar"
        ls -A "$W/small" >"$W/small.txt"
        "#,
        GENERATE.join(" "),
        room[0],
        room[1],
    );
    if with_mounts(&world, &script).is_none() {
        return;
    }
    for room in room {
        let said = |name: &str| world.value(&format!("{name}-{room}.json"));
        let error = said("full");
        assert_eq!(error["error_code"], "ERR_DISK_FULL", "{room}: {error:#}");
        assert_eq!(error["exit_code"], 6);
        assert!(!world.path(&format!("bundle-{room}.tar")).exists());
        let left = std::fs::read_to_string(world.path(&format!("left-{room}"))).unwrap();
        assert_eq!(left, "", "{room}");
        // A run that was accepted ends by itself once there is room, well or not.
        if let Some(status) = said("listed")["runs"][0]["status"].as_str() {
            let ends = ["failed", "undelivered", "completed"];
            assert!(ends.contains(&status), "{status}");
        }
        let again = said("again");
        assert_eq!(again["status"], "completed", "{room}: {again:#}");
        assert_eq!(again["content_digest"], good["content_digest"]);
        assert_eq!(said("verify")["verified"], true);
    }
    // A disk that is full where the copy should go.
    let error = world.value("out.json");
    assert_eq!(
        (&error["error_code"], &error["exit_code"]),
        (&"ERR_DISK_FULL".into(), &6.into())
    );
    assert!(
        error["detail"]
            .as_str()
            .unwrap()
            .contains("small/bundle.tar"),
        "{error:#}"
    );
    assert_eq!(
        std::fs::read_to_string(world.path("small.txt")).unwrap(),
        ""
    );
}
