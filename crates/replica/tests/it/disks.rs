//! Disks that are full or cannot be written to.

use std::process::{Command, Stdio};

use crate::support::Site;
use crate::support::bundle::Export;
use crate::support::child::{Child, Kill, keep_key};
use crate::support::evidence::Evidence;

/// Runs a script in a name space of its own, where it may mount. Whether it could.
fn with_mounts(site: &Site, script: &str) -> bool {
    let work = site.folder.path();
    let mount = work.join("mount");
    std::fs::create_dir_all(&mount).unwrap();
    let tried = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none"])
        .arg(&mount)
        .stdin(Stdio::null())
        .output();
    match tried {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            eprintln!("skipped: mounting is not permitted here: {}", why.trim());
            return false;
        }
        Err(error) => {
            eprintln!("skipped: no `unshare` to mount with: {error}");
            return false;
        }
    }
    let key = keep_key(&site.key, work);
    let child = Child {
        dir: &mount.join("mirror"),
        bundle: &work.join("unset"),
        key: &key,
        kill: Kill::Never,
    };
    let applies = child.command();
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-eu", "-c", script]);
    for (name, value) in applies.get_envs() {
        command.env(name, value.unwrap());
    }
    let ran = command
        .env("X", applies.get_program())
        .env("W", work)
        .env("M", &mount)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(
        ran.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&ran.stdout)
    );
    true
}

const PRELUDE: &str = r#"
    try() {
        REPLICA_SAYS=$W/said-$1 REPLICA_BUNDLE=$W/$2 \
            "$X" --exact support::child::applies --ignored --nocapture >/dev/null 2>&1 || true
    }
    look() { (cd "$M/mirror/current/" && find . -type f | LC_ALL=C sort | xargs sha256sum) >"$W/tree-$1"; }
    left() { find "$M/mirror/.mirror/staging" 2>/dev/null | wc -l >"$W/left-$1"; }
"#;

#[test]
fn a_disk_that_fills_leaves_the_tree_and_the_same_bundle_works_when_there_is_space() {
    let site = Site::new();
    let evidence = Evidence::of(400);
    let full = Export::full(1, 10, &evidence);
    let mut next = evidence.clone();
    for number in 0..300 {
        next.put(number, 400);
    }
    let delta = Export::delta(2, 20, &full, &next);
    let work = site.folder.path();
    std::fs::write(work.join("full.tar"), full.bundle(&site.key)).unwrap();
    std::fs::write(work.join("delta.tar"), delta.bundle(&site.key)).unwrap();
    // From one that has no room for a folder to one that is full at the end.
    let script = format!(
        r#"{PRELUDE}
        mount -t tmpfs -o size=500k,mode=700 none "$M"
        try first full.tar
        left first
        ls -A "$M/mirror" >"$W/first-ls"
        mount -o remount,size=200m "$M"
        try full full.tar
        look full
        for room in 8 100 400 800 1200; do
            used=$(du -sk "$M" | cut -f 1)
            mount -o remount,size=$((used + room))k "$M"
            try delta-$room delta.tar
            look delta-$room
            left delta-$room
        done
        mount -o remount,size=200m "$M"
        try again delta.tar
        look again
        "#
    );
    if !with_mounts(&site, &script) {
        return;
    }
    let read = |name: &str| std::fs::read_to_string(work.join(name)).unwrap();
    let first = read("said-first");
    assert!(first.starts_with("ERR_DISK_FULL"), "{first}");
    assert!(
        first.contains("free space") && first.contains("mount/mirror"),
        "{first}"
    );
    assert!(!read("first-ls").contains("current"));
    assert_eq!(read("said-full"), "applied 1\n");
    for room in [8, 100, 400, 800, 1200] {
        let said = read(&format!("said-delta-{room}"));
        assert!(said.starts_with("ERR_DISK_FULL"), "{room}: {said}");
        assert!(
            read(&format!("tree-delta-{room}")) == read("tree-full"),
            "{room}"
        );
        assert_eq!(read(&format!("left-delta-{room}")).trim(), "0", "{room}");
    }
    assert_eq!(read("said-again"), "applied 2\n");
    assert_ne!(read("tree-again"), read("tree-full"));
}

#[test]
fn a_file_system_that_is_mounted_for_reading_is_told_so() {
    let site = Site::new();
    let evidence = Evidence::of(40);
    let full = Export::full(1, 10, &evidence);
    let mut next = evidence.clone();
    next.put(1, 3);
    let work = site.folder.path();
    std::fs::write(work.join("full.tar"), full.bundle(&site.key)).unwrap();
    let delta = Export::delta(2, 20, &full, &next);
    std::fs::write(work.join("delta.tar"), delta.bundle(&site.key)).unwrap();
    let script = format!(
        r#"{PRELUDE}
        mount -t tmpfs -o size=200m,mode=700 none "$M"
        try full full.tar
        look full
        mount -o remount,ro "$M"
        try read-only delta.tar
        look read-only
        mount -o remount,rw "$M"
        try again delta.tar
        "#
    );
    if !with_mounts(&site, &script) {
        return;
    }
    let read = |name: &str| std::fs::read_to_string(work.join(name)).unwrap();
    assert_eq!(read("said-full"), "applied 1\n");
    let said = read("said-read-only");
    assert!(said.starts_with("ERR_MIRROR_READ_ONLY"), "{said}");
    assert!(said.contains("for writing"), "{said}");
    assert_eq!(read("tree-read-only"), read("tree-full"));
    assert_eq!(read("said-again"), "applied 2\n");
}
