//! What not every machine permits or has: mounts of one's own, and other people's tools.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Ran, World, ran};

/// Runs a shell script that may mount file systems, which nobody else sees: `$X` is the program,
/// `$W` the world's folder, `$EXPORT_HOME` its home, which exists. None, said aloud, where that is
/// not permitted.
pub(crate) fn with_mounts(world: &World, script: &str) -> Option<Ran> {
    let folder = world.path("mount");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(world.home()).unwrap();
    let tried = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none"])
        .arg(&folder)
        .stdin(Stdio::null())
        .output();
    match tried {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            eprintln!("skipped: mounting is not permitted here: {}", why.trim());
            return None;
        }
        Err(error) => {
            eprintln!("skipped: no `unshare` to mount with: {error}");
            return None;
        }
    }
    let mut command = Command::new("unshare");
    command
        .args(["-rm", "sh", "-eu", "-c", script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("X", env!("CARGO_BIN_EXE_exportctl"))
        .env("W", world.path(""))
        .env("EXPORT_HOME", world.home())
        .env("SOURCE_DATE_EPOCH", "1780000000")
        .stdin(Stdio::null());
    let ran = ran(&mut command);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    Some(ran)
}

/// Another tool: in the cache of `make test`, else on the `PATH`. None, said aloud, where it is not
/// installed.
pub(crate) fn found_program(name: &str) -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = folder("EXPORT_CACHE")
        .or_else(|| Some(folder("XDG_CACHE_HOME")?.join("export-center")))
        .or_else(|| Some(folder("HOME")?.join(".cache/export-center")));
    let cached = cache.iter().flat_map(|cache| {
        let versions = std::fs::read_dir(cache).into_iter().flatten().flatten();
        let bins = versions.map(|entry| entry.path().join("bin"));
        bins.chain([cache.join("bin")]).collect::<Vec<_>>()
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = cached
        .chain(std::env::split_paths(&path))
        .map(|folder: PathBuf| folder.join(name))
        .find(|program: &PathBuf| Path::is_file(program));
    if found.is_none() {
        eprintln!("skipped: {name} is not installed");
    }
    found
}
