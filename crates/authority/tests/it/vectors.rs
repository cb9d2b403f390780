//! The examples of the specifications.

use export_authority::{Binding, DpopProof, Expected, ProofError, thumbprint};
use export_model::{Sha256Digest, Timestamp};

use crate::world::base64url;

/// RFC 9449 §7.1, figures 12 and 13.
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const PROOF: &str = concat!(
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik",
    "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR",
    "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE",
    "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj",
    "oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z",
    "WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF",
    "c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E",
    "OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
);
/// RFC 9449 §6.1: the thumbprint of its key.
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const MADE: Timestamp = Timestamp(1_562_262_618_000);

fn verdict(method: &str, url: &str, token: &str, now: Timestamp) -> Result<DpopProof, ProofError> {
    let hash = base64url(Sha256Digest::of(token.as_bytes()).0);
    let expected = Expected {
        method,
        url,
        token: Some(Binding {
            hash: &hash,
            jkt: JKT,
        }),
    };
    DpopProof::verify(&[PROOF.as_bytes()], &expected, now)
}

#[test]
fn the_proof_of_rfc_9449_is_accepted() {
    let url = "https://resource.example.org/protectedresource";
    let proof = verdict("GET", url, TOKEN, MADE).unwrap();
    assert_eq!(proof.jkt, JKT);
    let remembered = format!("{JKT}\0e1j3V_bKic8-LAEB");
    assert_eq!(proof.replay, Sha256Digest::of(remembered.as_bytes()));
    assert_eq!(verdict("POST", url, TOKEN, MADE), Err(ProofError::Method));
    assert_eq!(
        verdict("GET", url, "other", MADE),
        Err(ProofError::OtherToken)
    );
    let late = MADE.plus_millis(120_001);
    assert_eq!(verdict("GET", url, TOKEN, late), Err(ProofError::TooOld));
}

#[test]
fn the_thumbprint_of_rfc_7638_is_ours() {
    let jwk = br#"{
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29"
    }"#;
    assert_eq!(
        thumbprint(jwk).as_deref(),
        Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
    );
}

/// RFC 8037 §A.3.
#[test]
fn the_thumbprint_of_rfc_8037_is_ours() {
    let jwk = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert_eq!(
        thumbprint(jwk).as_deref(),
        Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
    );
}
