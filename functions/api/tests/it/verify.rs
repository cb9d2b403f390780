//! `POST /verify`: whether a manifest is one that this service signed.

use export_api::http::ServiceConfig;
use export_scenarios::SMALL;
use serde_json::Value;

use crate::support::wire::Wire;
use crate::support::{Api, Ask, Caller, id, run};

/// A manifest and its signature.
async fn signed(api: &Api) -> (Vec<u8>, String) {
    let caller = api.caller("acme");
    let submitted = caller.submit("small").await;
    api.finish(&submitted).await;
    let path = format!("/runs/{}", id(&submitted));
    let manifest = caller.get(format!("{path}/manifest")).await;
    let signature = caller.get(format!("{path}/files/export.json.sig")).await;
    assert_eq!((manifest.status, signature.status), (200, 200));
    let signature = String::from_utf8(signature.body.to_vec()).unwrap();
    (manifest.body.to_vec(), signature.trim().to_owned())
}

fn ask(signature: &str, manifest: &[u8]) -> Ask {
    let escaped = signature
        .replace('%', "%25")
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    Ask::new("POST", format!("/verify?signature={escaped}"))
        .with("content-type", "application/json")
        .bytes(manifest.to_vec())
}

async fn verdict(caller: &Caller, signature: &str, manifest: &[u8]) -> Value {
    caller.send(ask(signature, manifest)).await.ok(200)
}

#[test]
fn a_manifest_is_valid_or_told_why_not() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("globex");
        let (manifest, signature) = signed(&api).await;
        let parsed: Value = serde_json::from_slice(&manifest).unwrap();
        let good = verdict(&caller, &signature, &manifest).await;
        assert_eq!(good["valid"], true, "{good:#}");
        assert!(good["reason"].is_null());
        assert_eq!(good["run_id"], parsed["run"]["id"]);
        assert_eq!(good["content_digest"], parsed["content_digest"]);
        let key = caller.get("/key").await.ok(200);
        assert_eq!(good["key_fingerprint"], key["fingerprint"]);
        // The form for URLs, and a `+` that was not escaped.
        let for_urls = signature
            .trim_end_matches('=')
            .replace('+', "-")
            .replace('/', "_");
        assert_eq!(verdict(&caller, &for_urls, &manifest).await["valid"], true);

        for at in [0, manifest.len() / 2, manifest.len() - 1] {
            let mut altered = manifest.clone();
            altered[at] ^= 1;
            let bad = verdict(&caller, &signature, &altered).await;
            assert_eq!(bad["valid"], false);
            assert!(
                bad["reason"]
                    .as_str()
                    .unwrap()
                    .contains("key of this service")
            );
            assert!(bad["run_id"].is_null() && bad["content_digest"].is_null());
        }
        let bad = verdict(&caller, &signature, b"").await;
        assert_eq!(bad["valid"], false);
    });
}

#[test]
fn another_services_signature_counts_only_where_its_key_is_known() {
    run(async {
        // Every world signs with a key of its own kind of evidence.
        let other = Api::new(&export_scenarios::HEAVY).await;
        let (manifest, signature) = signed(&other).await;
        let key = other.caller("acme").get("/key").await.ok(200);
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let bad = verdict(&caller, &signature, &manifest).await;
        assert_eq!(bad["valid"], false, "{bad:#}");
        let config = ServiceConfig {
            former_keys: vec![key["public_key"].as_str().unwrap().to_owned()],
            ..ServiceConfig::default()
        };
        let api = Api::with(&SMALL, 1, config).await;
        let good = verdict(&api.caller("acme"), &signature, &manifest).await;
        assert_eq!(good["valid"], true, "{good:#}");
        assert_eq!(good["key_fingerprint"], key["fingerprint"]);
    });
}

#[test]
fn what_is_no_signature_or_too_much() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        for bad in ["", "!!!", "YQ", "AAAA", &"A".repeat(10_000), "%ff"] {
            let reply = caller.send(ask(bad, b"{}")).await;
            let problem = reply.refused(422, "ERR_INVALID_REQUEST");
            assert_eq!(problem["errors"][0]["field"], "signature", "{bad}");
        }
        let without = Ask::new("POST", "/verify").json(&Value::Null);
        let problem = caller
            .send(without)
            .await
            .refused(422, "ERR_INVALID_REQUEST");
        assert!(problem["errors"].to_string().contains("signature"));
        let typed = Ask::new("POST", "/verify?signature=AAAA")
            .with("content-type", "text/plain")
            .bytes("x");
        caller
            .send(typed)
            .await
            .refused(415, "ERR_WRONG_MEDIA_TYPE");
        // 64 MiB are the most: more is refused before it is sent.
        let (_, signature) = signed(&api).await;
        let mut large = ask(&signature, b"");
        large = large.with("content-length", ((64 << 20) + 1).to_string());
        let mut wire = Wire::open(api.at[0]).await;
        wire.send(&caller.signed(large).on_the_wire()).await;
        let answer = wire.answer(false).await.unwrap();
        assert_eq!(answer.head.status, 413);
        assert_eq!(answer.json()["error_code"], "ERR_BODY_TOO_LARGE");
    });
}
