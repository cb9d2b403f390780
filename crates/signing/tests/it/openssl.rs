//! The real `openssl` as a referee, both ways: it checks what we make, and we read what it makes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use export_signing::to_sign::{export_json_to_sign, statement_to_sign};
use export_signing::{
    KeyError, PublicKey, PublicKeyError, Signature, SigningKey, bundle, detached,
    verify_dsse_bundle,
};
use tempfile::TempDir;

const EXPORT: &[u8] = b"{\"schema\":\"export-center/manifest/v1\"}";
const STATEMENT: &[u8] = b"{\"_type\":\"https://in-toto.io/Statement/v1\"}";

struct Referee {
    folder: TempDir,
}

impl Referee {
    /// None, with a note in the test's output, where there is no `openssl`.
    fn find() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            // Written directly: the harness hides `eprintln!` of tests that pass.
            std::io::stderr()
                .write_all(b"skipped: openssl is not installed\n")
                .unwrap();
            return None;
        }
        Some(Self {
            folder: TempDir::new().unwrap(),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new("openssl")
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    /// Runs `openssl` and gives its output; fails the test if it fails.
    fn done(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "openssl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    fn accepts(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        self.file("key.pub", key.to_pem().as_bytes());
        self.file("message", message);
        self.file("signature.der", signature);
        let output = self.run(&[
            "dgst",
            "-sha256",
            "-verify",
            "key.pub",
            "-signature",
            "signature.der",
            "message",
        ]);
        let verdict = String::from_utf8_lossy(&output.stdout);
        assert!(
            verdict.contains("Verified OK") || verdict.contains("Verification failure"),
            "{output:?}"
        );
        output.status.success()
    }

    fn new_key(&self, options: &[&str]) -> Vec<u8> {
        self.done(&[&["genpkey"], options].concat())
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn openssl_accepts_the_detached_signature() {
    let Some(openssl) = Referee::find() else {
        return;
    };
    let key = SigningKey::generate().unwrap();
    let signature = key.sign(export_json_to_sign(EXPORT).bytes()).unwrap();
    let file = openssl.file("export.json.sig", detached::write(&signature).as_bytes());
    openssl.done(&[
        "base64",
        "-d",
        "-A",
        "-in",
        "export.json.sig",
        "-out",
        "decoded.der",
    ]);
    let decoded = read(&openssl.path("decoded.der"));
    assert!(openssl.accepts(key.public_key(), EXPORT, &decoded));
    assert!(!openssl.accepts(key.public_key(), b"other", &decoded));
    assert_eq!(detached::parse(&read(&file)).unwrap().as_der(), decoded);
}

#[test]
fn openssl_accepts_the_envelope_over_its_encoding() {
    let Some(openssl) = Referee::find() else {
        return;
    };
    let key = SigningKey::generate().unwrap();
    let signature = key.sign(statement_to_sign(STATEMENT).bytes()).unwrap();
    let bundle = bundle::dsse_bundle(STATEMENT, &signature, &key.public_key().fingerprint());

    // Taken apart without this crate: the encoding is written out here.
    let document: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
    let envelope = &document["dsseEnvelope"];
    let payload = STANDARD
        .decode(envelope["payload"].as_str().unwrap())
        .unwrap();
    let sig = STANDARD
        .decode(envelope["signatures"][0]["sig"].as_str().unwrap())
        .unwrap();
    let encoded = [
        format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).as_bytes(),
        &payload,
    ]
    .concat();
    assert!(openssl.accepts(key.public_key(), &encoded, &sig));
    assert!(!openssl.accepts(key.public_key(), &payload, &sig));
}

#[test]
fn a_signature_made_by_openssl_over_a_digest_is_accepted() {
    let Some(openssl) = Referee::find() else {
        return;
    };
    let pem = openssl.new_key(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    openssl.file("key.pem", &pem);
    let key = PublicKey::from_pem(&openssl.done(&["pkey", "-in", "key.pem", "-pubout"])).unwrap();

    // As a key management service does: it sees the digest only.
    openssl.file("digest", &statement_to_sign(STATEMENT).sha256());
    let der = openssl.done(&["pkeyutl", "-sign", "-inkey", "key.pem", "-in", "digest"]);
    let bundle = bundle::dsse_bundle(
        STATEMENT,
        &Signature::from_der(der).unwrap(),
        &key.fingerprint(),
    );
    assert_eq!(verify_dsse_bundle(&bundle, &key).unwrap(), STATEMENT);
}

#[test]
fn keys_of_openssl_are_read_and_written_alike() {
    let Some(openssl) = Referee::find() else {
        return;
    };
    let pem = openssl.new_key(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    openssl.file("key.pem", &pem);
    let key = SigningKey::from_pem(&pem, None).unwrap();
    let public_pem = openssl.done(&["pkey", "-in", "key.pem", "-pubout"]);
    let public_der = openssl.done(&["pkey", "-in", "key.pem", "-pubout", "-outform", "DER"]);
    assert_eq!(key.public_key().to_pem().as_bytes(), public_pem);
    assert_eq!(key.public_key().der(), public_der);
    assert_eq!(
        PublicKey::from_pem(&public_pem).unwrap(),
        PublicKey::from_der(&public_der).unwrap()
    );

    let digest = openssl.file("key.der", &public_der);
    let listed = openssl.done(&["dgst", "-sha256", "-r", digest.to_str().unwrap()]);
    let listed = String::from_utf8(listed).unwrap();
    assert_eq!(
        key.public_key().fingerprint().to_string(),
        format!("sha256:{}", &listed[..64])
    );
}

#[test]
fn openssl_reads_our_private_key() {
    let Some(openssl) = Referee::find() else {
        return;
    };
    let key = SigningKey::generate().unwrap();
    openssl.file("key.pem", key.to_pem(None).unwrap().as_bytes());
    assert_eq!(
        openssl.done(&["pkey", "-in", "key.pem", "-check", "-noout"]),
        b"Key is valid\n"
    );
    assert_eq!(
        openssl.done(&["pkey", "-in", "key.pem", "-pubout"]),
        key.public_key().to_pem().as_bytes()
    );
}

#[test]
fn other_keys_of_openssl_are_refused_by_name() {
    let Some(openssl) = Referee::find() else {
        return;
    };
    for (options, expected) in [
        (
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..],
            "an RSA key",
        ),
        (
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            "an EC key on P-384",
        ),
        (
            &[
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:secp256k1",
            ],
            "an EC key on secp256k1",
        ),
        (
            &[
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-pkeyopt",
                "ec_param_enc:explicit",
            ],
            "an EC key without a named curve",
        ),
        (&["-algorithm", "ED25519"], "an Ed25519 key"),
    ] {
        let pem = openssl.new_key(options);
        openssl.file("key.pem", &pem);
        match SigningKey::from_pem(&pem, None).unwrap_err() {
            KeyError::UnsupportedKey { found } => assert_eq!(found, expected),
            other => panic!("{options:?}: {other}"),
        }
        let public = openssl.done(&["pkey", "-in", "key.pem", "-pubout"]);
        assert_eq!(
            PublicKey::from_pem(&public),
            Err(PublicKeyError::UnsupportedKey {
                found: expected.to_owned()
            }),
            "{options:?}"
        );
    }
}

#[test]
fn openssl_in_other_forms_is_refused_with_the_way_out() {
    let Some(openssl) = Referee::find() else {
        return;
    };
    let sec1 = openssl.done(&["ecparam", "-name", "prime256v1", "-genkey"]);
    let refused = SigningKey::from_pem(&sec1, None).unwrap_err().to_string();
    assert!(
        refused.contains("openssl pkcs8 -topk8 -nocrypt"),
        "{refused}"
    );

    // The advice works.
    openssl.file("sec1.pem", &sec1);
    SigningKey::from_pem(
        &openssl.done(&["pkcs8", "-topk8", "-nocrypt", "-in", "sec1.pem"]),
        None,
    )
    .unwrap();

    let encrypted = openssl.done(&["pkcs8", "-topk8", "-in", "sec1.pem", "-passout", "pass:x"]);
    let refused = SigningKey::from_pem(&encrypted, Some(b"x")).unwrap_err();
    assert!(
        matches!(refused, KeyError::UnsupportedKey { .. }),
        "{refused}"
    );
}
