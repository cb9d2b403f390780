//! Other people's tools, which have the last word on signatures.

use std::path::Path;
use std::process::Command;

use super::sandbox::found_program;
use super::{Archive, World, ran};

/// What `openssl` says of the manifest's signature; none where it is not installed.
pub(crate) fn openssl_accepts(world: &World, archive: &Archive, key: &Path) -> Option<bool> {
    let openssl = found_program("openssl")?;
    let manifest = world.file("referee/export.json", archive.get("export.json"));
    let encoded = world.file("referee/sig.b64", archive.get("export.json.sig"));
    let decoded = world.path("referee/sig.der");
    let mut decode = Command::new(&openssl);
    decode.args(["base64", "-d", "-A", "-in"]).arg(encoded);
    let decode = ran(decode.arg("-out").arg(&decoded));
    assert_eq!(decode.code, 0, "{}", decode.stderr);
    let mut verify = Command::new(&openssl);
    verify.args(["dgst", "-sha256", "-verify"]).arg(key);
    let verify = ran(verify.arg("-signature").arg(decoded).arg(manifest));
    let accepts = verify.stdout.contains("Verified OK");
    assert_eq!(
        verify.code == 0,
        accepts,
        "{}{}",
        verify.stdout,
        verify.stderr
    );
    Some(accepts)
}

/// What `cosign`, without a network, says of the manifest's bundle and of the attestation; none
/// where it is not installed or a network cannot be kept from it.
pub(crate) fn cosign_accepts(world: &World, archive: &Archive, key: &Path) -> Option<[bool; 2]> {
    let cosign = found_program("cosign")?;
    let offline = Command::new("unshare").args(["-rn", "true"]).output();
    if !offline.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: cosign: a network namespace is not permitted here");
        return None;
    }
    for (name, content) in &archive.members {
        world.file(&format!("referee/{name}"), content);
    }
    let check = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.arg("-rn").arg(&cosign).args(args);
        command.args(["--insecure-ignore-tlog", "--key"]).arg(key);
        command.current_dir(world.path("referee"));
        let ran = ran(command
            .env("HOME", world.path("referee"))
            .arg("export.json"));
        assert!(ran.code == 0 || !ran.stderr.is_empty());
        ran.code == 0
    };
    Some([
        check(&["verify-blob", "--bundle", "export.json.sigstore.json"]),
        check(&[
            "verify-blob-attestation",
            "--bundle",
            "provenance.json.sigstore.json",
            "--type",
            "slsaprovenance1",
        ]),
    ])
}
