//! What it costs to find out who a request is from: with a token that comes again, and with a new one.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use export_authority::client::ProofKey;
use export_authority::dev::{DevAuthority, Grant};
use export_authority::keys::Keys;
use export_authority::{AccessTokens, Checks, PublicUrl, RequestParts, Scopes};
use export_model::Timestamp;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn checks() -> Checks {
    let tokens = AccessTokens {
        issuer: "issuer".to_owned(),
        audience: "audience".to_owned(),
        leeway_seconds: 60,
    };
    Checks::new(tokens, PublicUrl::parse("https://export.example").unwrap())
}

fn authenticate(c: &mut Criterion) {
    let authority = DevAuthority::generate().unwrap();
    let key = ProofKey::generate().unwrap();
    let grant = Grant {
        subject: "auditor".to_owned(),
        tenant: "acme".parse().unwrap(),
        scopes: Scopes::all(),
        ttl_seconds: 600,
        jkt: key.thumbprint().to_owned(),
    };
    let token = authority
        .mint(&grant, "issuer", "audience", NOW, "1")
        .unwrap();
    let url = "https://export.example/api/export/runs";
    let proof = key.proof("GET", url, Some(&token), NOW, "1").unwrap();
    let authorization = format!("DPoP {token}");
    let parts = RequestParts {
        method: "GET",
        url_path: "/api/export/runs",
        authorization: &[authorization.as_bytes()],
        dpop: &[proof.as_bytes()],
    };
    let keys = Keys::parse(&authority.jwks()).unwrap();
    let known = checks();
    known.authenticate(&keys, &parts, NOW).unwrap();
    c.bench_function("a token that comes again", |b| {
        b.iter(|| known.authenticate(&keys, &parts, NOW).unwrap());
    });
    c.bench_function("a new token", |b| {
        b.iter_batched(
            checks,
            |checks| checks.authenticate(&keys, &parts, NOW).unwrap(),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, authenticate);
criterion_main!(benches);
