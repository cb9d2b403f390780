//! Files of a sealed bundle that changed places: even who signs, and has the data key, cannot pass one
//! for another without sealing it anew.

use std::fs;
use std::io::Read as _;
use std::sync::Arc;

use export_sealing::{
    Context, DataKey, KekFile, KeyWrap as _, Keyring, OpenReader, Sealer, WrappedKey,
};
use export_signing::SigningKey;
use futures_util::FutureExt as _;
use serde_json::Value;

use crate::support::{Archive, Sealed, sha256_hex};

const CONTENT: &str = "payload/content.json.enc";
const ONE: &str = "payload/advisory/part-00000.jsonl.zst.enc";
const OTHER: &str = "payload/vex/part-00000.jsonl.zst.enc";

/// The data key of a bundle, for whoever has the key that wrapped it.
fn data_key(sealed: &Sealed, archive: &Archive) -> DataKey {
    let statement: Value = serde_json::from_slice(archive.get("provenance.json")).unwrap();
    let how = &statement["predicate"]["buildDefinition"]["internalParameters"]["sealing"];
    let wrapped: WrappedKey = serde_json::from_value(how["wrapped"].clone()).unwrap();
    let run = &archive.manifest()["run"];
    let context = Context {
        run: run["id"].as_str().unwrap().parse().unwrap(),
        tenant: run["tenant"].as_str().unwrap().parse().unwrap(),
    };
    let kek = KekFile::parse(&fs::read(&sealed.identity).unwrap()).unwrap();
    let key = kek.unwrap(&wrapped, &context).now_or_never().unwrap();
    key.unwrap()
}

/// Makes a manifest fit the files that are there.
fn fit(manifest: &mut Value, archive: &Archive) {
    for file in manifest["files"].as_array_mut().unwrap() {
        let stored = archive.get(file["path"].as_str().unwrap());
        file["size"] = stored.len().into();
        file["sha256"] = format!("sha256:{}", sha256_hex(stored)).into();
    }
}

/// Makes both manifests fit what is there, seals the inner one, and signs.
fn forge(archive: &mut Archive, sealed: &Sealed, key: &SigningKey) {
    let keys = Arc::new(Keyring::new().with_data_key(data_key(sealed, archive)));
    let mut document = Vec::new();
    OpenReader::new(archive.get(CONTENT), keys, CONTENT)
        .read_to_end(&mut document)
        .unwrap();
    let mut document: Value = serde_json::from_slice(&document).unwrap();
    fit(&mut document["manifest"], archive);
    let mut random = |buffer: &mut [u8]| Ok(getrandom::fill(buffer)?);
    let mut sealer = Sealer::aes_gcm(&data_key(sealed, archive), CONTENT, &mut random).unwrap();
    let mut out = Vec::new();
    sealer
        .update(document.to_string().as_bytes(), &mut out)
        .unwrap();
    sealer.finish(&mut out).unwrap();
    *archive.get_mut(CONTENT) = out;

    let mut manifest = archive.manifest();
    fit(&mut manifest, archive);
    let export = manifest.to_string().into_bytes();
    let mut statement: Value = serde_json::from_slice(archive.get("provenance.json")).unwrap();
    statement["subject"][0]["digest"]["sha256"] = sha256_hex(&export).into();
    archive.sign(key, export, statement.to_string().into_bytes());
}

#[test]
fn a_file_opens_at_its_own_path_only() {
    let sealed = Sealed::with("aes-gcm", &["json:raw"]);
    let archive = Archive::read(&sealed.pair("json:raw").sealed);
    let pem = fs::read(sealed.world.home().join("keys/signing.key")).unwrap();
    let key = SigningKey::from_pem(&pem, None).unwrap();
    let verify = |archive: &Archive, opening: bool| {
        let file = sealed.world.file("forged.tar", archive.bytes());
        let held = opening.then_some(sealed.identity.as_path());
        let held: Vec<_> = held.into_iter().collect();
        let ran = sealed.verify(&file, &held, opening);
        (ran.code, ran.value())
    };

    // What is signed so is good, if nothing was moved.
    let mut honest = archive.clone();
    forge(&mut honest, &sealed, &key);
    assert_ne!(honest.get(CONTENT), archive.get(CONTENT));
    let (code, value) = verify(&honest, true);
    assert_eq!(code, 0, "{value:#}");

    let mut swapped = archive.clone();
    *swapped.get_mut(ONE) = archive.get(OTHER).to_vec();
    *swapped.get_mut(OTHER) = archive.get(ONE).to_vec();
    forge(&mut swapped, &sealed, &key);
    let (code, value) = verify(&swapped, false);
    assert_eq!(code, 0, "the signer says that this is stored: {value:#}");
    let (code, value) = verify(&swapped, true);
    assert_eq!(code, 11, "{value:#}");
    let problem = &value["report"]["problems"][0];
    assert_eq!(problem["path"], ONE, "{value:#}");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("does not open"),
        "{value:#}"
    );

    // The sealed document is bound to the manifest that was signed.
    let mut other = archive.clone();
    forge(&mut other, &sealed, &key);
    let mut manifest = other.manifest();
    manifest["run"]["requested_by"] = "somebody else".into();
    let export = manifest.to_string().into_bytes();
    let mut statement: Value = serde_json::from_slice(other.get("provenance.json")).unwrap();
    statement["subject"][0]["digest"]["sha256"] = sha256_hex(&export).into();
    other.sign(&key, export, statement.to_string().into_bytes());
    assert_eq!(verify(&other, false).0, 0);
    let (code, value) = verify(&other, true);
    assert_eq!(code, 11, "{value:#}");
    assert_eq!(value["report"]["problems"][0]["path"], CONTENT, "{value:#}");
}
