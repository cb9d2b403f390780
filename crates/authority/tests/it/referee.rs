//! Proofs judged by another implementation of the same specifications: Node's own cryptography.

use std::process::Command;

use export_authority::client::ProofKey;
use export_authority::{DpopProof, Expected};
use serde_json::Value;

use crate::world::{NOW, SECONDS, URL};

/// Checks the proof in the first argument, and makes one with a key of each kind.
const SCRIPT: &str = r"
const c = require('node:crypto');
const [ours, url, iat] = process.argv.slice(1);
const text = (part) => JSON.parse(Buffer.from(part, 'base64url'));
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const raw = (key) => ({ key, dsaEncoding: 'ieee-p1363' });
const [head, body, signature] = ours.split('.');
const verified = c.verify('sha256', Buffer.from(head + '.' + body),
  raw(c.createPublicKey({ key: text(head).jwk, format: 'jwk' })), Buffer.from(signature, 'base64url'));
const made = (alg, hash, pair, how) => {
  const jwk = pair.publicKey.export({ format: 'jwk' });
  const signed = part({ typ: 'dpop+jwt', alg, jwk }) + '.' + part({ jti: alg, htm: 'GET', htu: url, iat: Number(iat) });
  const signature = c.sign(hash, Buffer.from(signed), how(pair.privateKey)).toString('base64url');
  const members = Object.fromEntries(Object.entries(jwk).sort());
  const thumbprint = c.createHash('sha256').update(JSON.stringify(members)).digest('base64url');
  return { alg, proof: signed + '.' + signature, thumbprint };
};
const rsa = c.generateKeyPairSync('rsa', { modulusLength: 2048 });
const pss = (key) => ({ key, padding: c.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
console.log(JSON.stringify({ verified, claims: text(body), made: [
  made('ES256', 'sha256', c.generateKeyPairSync('ec', { namedCurve: 'P-256' }), raw),
  made('ES384', 'sha384', c.generateKeyPairSync('ec', { namedCurve: 'P-384' }), raw),
  made('EdDSA', null, c.generateKeyPairSync('ed25519'), (key) => key),
  made('PS256', 'sha256', rsa, pss),
  made('RS256', 'sha256', rsa, (key) => key),
] }));
";

#[test]
fn node_accepts_our_proofs_and_we_accept_its() {
    let key = ProofKey::generate().unwrap();
    let ours = key.proof("GET", URL, Some("token"), NOW, "ours").unwrap();
    let output = match Command::new("node")
        .args(["-e", SCRIPT, &ours, URL, &SECONDS.to_string()])
        .output()
    {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: DPoP proofs judged by Node: it cannot be started ({error})");
            return;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["verified"], true);
    assert_eq!(answer["claims"]["htu"], URL);
    assert_eq!(answer["claims"]["iat"], SECONDS);
    // SHA-256 of `token`, by another hand.
    assert_eq!(
        answer["claims"]["ath"],
        "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A"
    );

    let expected = Expected {
        method: "GET",
        url: URL,
        token: None,
    };
    for made in answer["made"].as_array().unwrap() {
        let proof = made["proof"].as_str().unwrap();
        let found = DpopProof::verify(&[proof.as_bytes()], &expected, NOW);
        assert_eq!(
            found.map(|found| found.jkt).as_deref(),
            Ok(made["thumbprint"].as_str().unwrap()),
            "{}",
            made["alg"]
        );
    }
}
