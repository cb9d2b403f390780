//! Who one is at a service: tokens, their keys, and what becomes of them.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use export_authority::client::ProofKey;
use export_authority::dev::{DevAuthority, Grant};
use export_authority::{Scopes, thumbprint};
use export_model::Timestamp;
use serde_json::{Value, json};

use crate::remote::{mode, world};
use crate::support::{Served, fed, ran};

#[test]
fn a_login_is_for_one_tenant_and_ends() {
    let world = world(3);
    let served = Served::start(&world, &[]);
    served.error(&["runs", "list"], "ERR_UNAUTHENTICATED", 8);
    let told = served.json(&[
        "login",
        "--tenant",
        "acme",
        "--subject",
        "ci",
        "--scope",
        "export:read",
    ]);
    assert_eq!(told["tenant"], "acme");
    assert_eq!(told["subject"], "ci");
    assert_eq!(told["scopes"], json!(["export:read"]));
    served.error(&["runs", "list", "--tenant", "other"], "ERR_USAGE", 2);
    served.error(&["run", "json:raw"], "ERR_SCOPE_MISSING", 8);
    served.login("acme");
    // What is another tenant's is not there.
    let (run, _) = world.export("json:raw", &[]);
    let id = run["run_id"].as_str().unwrap();
    served.error(&["runs", "show", id], "ERR_UNKNOWN_RUN", 2);
    served.error(&["runs", "download", id, "--out", "-"], "ERR_USAGE", 2);

    // A token that has ended, as the client knows, and as only the service knows.
    let path = served.credentials();
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let key = ProofKey::from_pem(stored["proof_key"].as_str().unwrap()).unwrap();
    let authority = std::fs::read_to_string(world.home().join("keys/dev-authority.key")).unwrap();
    let grant = Grant {
        subject: "ci".into(),
        tenant: "acme".parse().unwrap(),
        scopes: Scopes::all(),
        ttl_seconds: 60,
        jkt: key.thumbprint().to_owned(),
    };
    let issuer = format!("{}/dev-authority", served.url);
    let then = Timestamp(1_700_000_000_000);
    let token = DevAuthority::from_pem(&authority)
        .unwrap()
        .mint(&grant, &issuer, &served.url, then, "an-old-one")
        .unwrap();
    stored["access_token"] = token.clone().into();
    for end in ["2023-11-14T22:14:20.000Z", "2999-01-01T00:00:00.000Z"] {
        stored["expires_at"] = end.into();
        std::fs::write(&path, stored.to_string()).unwrap();
        let error = served.error(&["runs", "list"], "ERR_TOKEN_EXPIRED", 8);
        let detail = error["detail"].as_str().unwrap();
        assert!(
            detail.contains("log in: exportctl --server http"),
            "{detail}"
        );
        assert!(!error.to_string().contains(&token));
    }
    assert_eq!(served.json(&["logout"])["logged_out"], true);
    assert!(!path.exists());
    assert_eq!(served.json(&["logout"])["logged_out"], false);
}

#[test]
fn a_token_from_elsewhere_is_taken_for_the_key_it_was_made_for() {
    let world = world(3);
    let served = Served::start(&world, &[]);
    // Makes the dev authority's key, and one that the token is not for.
    served.login("default");
    let made = served.json(&["login", "--new-key"]);
    let authority = std::fs::read_to_string(world.home().join("keys/dev-authority.key")).unwrap();
    let authority = DevAuthority::from_pem(&authority).unwrap();
    let mint = |jkt: &str| {
        let grant = Grant {
            subject: "robot".into(),
            tenant: "default".parse().unwrap(),
            scopes: Scopes::all(),
            ttl_seconds: 4_000_000_000,
            jkt: jkt.to_owned(),
        };
        let issuer = format!("{}/dev-authority", served.url);
        let then = Timestamp(1_700_000_000_000);
        authority
            .mint(&grant, &issuer, &served.url, then, "given")
            .unwrap()
    };
    let other = world.file(
        "other.jwt",
        mint(ProofKey::generate().unwrap().thumbprint()),
    );
    served.error(
        &["login", "--token", other.to_str().unwrap()],
        "ERR_TOKEN_INVALID",
        8,
    );
    let token = mint(made["thumbprint"].as_str().unwrap());
    let mut login = served.command(&["login", "--token", "-", "--json"]);
    let told = fed(&mut login, format!("{token}\n").as_bytes());
    assert_eq!(told.code, 0, "{}{}", told.stdout, told.stderr);
    assert_eq!(told.value()["subject"], "robot");
    assert_eq!(told.value()["thumbprint"], made["thumbprint"]);
    assert!(!told.stdout.contains(&token) && !told.stderr.contains(&token));
    assert_eq!(served.json(&["run", "json:raw"])["status"], "completed");
}

#[test]
fn credentials_are_their_owners_only_and_are_not_logged() {
    let world = world(3);
    let served = Served::start(&world, &[]);
    let config = world.path("config");
    let private = |args: &[&str]| {
        let mut command = served.command(args);
        command
            .env_remove("EXPORT_CREDENTIALS")
            .env("XDG_CONFIG_HOME", &config)
            .env("HOME", world.path("nobody"))
            .env("RUST_LOG", "trace");
        ran(&mut command)
    };
    let told = private(&["login"]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    let folder = config.join("export-center/servers");
    let name = served
        .url
        .strip_prefix("http://")
        .unwrap()
        .replace(':', "_");
    let file = folder.join(format!("{name}.json"));
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&folder), 0o700);
    let stored: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let token = stored["access_token"].as_str().unwrap();
    let run = private(&["run", "json:raw", "-vv"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for text in [&told.stdout, &told.stderr, &run.stdout, &run.stderr] {
        assert!(
            !text.contains(token) && !text.contains("PRIVATE KEY"),
            "{text}"
        );
    }
    // They go to no other service.
    let mut elsewhere =
        served.command(&["runs", "list", "--server", "https://127.0.0.1:1", "--json"]);
    let elsewhere = ran(elsewhere.env("EXPORT_CREDENTIALS", &file));
    assert_eq!(elsewhere.value()["error_code"], "ERR_UNAUTHENTICATED");
}

#[test]
fn proof_gives_curl_what_it_needs() {
    let world = world(3);
    let served = Served::start(&world, &[]);
    served.login("default");
    let refused = served.error(
        &["proof", "GET", "https://elsewhere.example/"],
        "ERR_USAGE",
        2,
    );
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("no other service")
    );
    let path = "/api/export/runs?limit=1";
    let proof = served.run(&["proof", "get", path]);
    assert_eq!(proof.code, 0, "{}", proof.stderr);
    let mut lines = proof.stdout.lines();
    assert!(lines.next().unwrap().starts_with("Authorization: DPoP "));
    assert!(lines.next().unwrap().starts_with("DPoP: "));
    assert_eq!(lines.next(), None);
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: curl: not installed");
        return;
    }
    let url = format!("{}{path}", served.url);
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--fail-with-body",
        "--noproxy",
        "*",
        "-H",
        "@-",
        &url,
    ]);
    let answer = fed(&mut curl, proof.stdout.as_bytes());
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    assert_eq!(answer.value()["runs"], json!([]));
    // It is good for one request.
    let again = fed(&mut curl, proof.stdout.as_bytes());
    assert_eq!(again.value()["error_code"], "ERR_DPOP_REPLAYED");
}

/// An Authority as others have them: it knows its clients by name and password, and describes
/// itself as OpenID Connect does.
struct Elsewhere {
    issuer: String,
    authority: DevAuthority,
}

impl Elsewhere {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}/realms/export", listener.local_addr().unwrap());
        let authority = DevAuthority::generate().unwrap();
        let pem = authority.to_pem().unwrap().to_string();
        let elsewhere = Self {
            issuer: issuer.clone(),
            authority,
        };
        thread::spawn(move || {
            let served = Self {
                issuer,
                authority: DevAuthority::from_pem(&pem).unwrap(),
            };
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let (head, body) = request(&mut BufReader::new(&connection));
                let (status, answer) = served.answer(&head, &body);
                let answer = answer.to_string();
                write!(
                    connection,
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: \
                     close\r\ncontent-length: {}\r\n\r\n{answer}",
                    answer.len()
                )
                .unwrap();
            }
        });
        elsewhere
    }

    fn answer(&self, head: &[String], body: &str) -> (&'static str, Value) {
        let field = |name: &str| {
            let line = head
                .iter()
                .find(|line| line.to_lowercase().starts_with(name));
            line.map(|line| line[name.len()..].trim().to_owned())
        };
        let described = "GET /realms/export/.well-known/openid-configuration ";
        if head[0].starts_with(described) {
            let endpoint = format!("{}/token", self.issuer);
            return (
                "200 OK",
                json!({ "issuer": self.issuer, "token_endpoint": endpoint }),
            );
        }
        if !head[0].starts_with("POST /realms/export/token ") {
            return ("404 Not Found", json!({}));
        }
        let known = format!("Basic {}", STANDARD.encode("robot:p%26ss"));
        if field("authorization:") != Some(known) {
            let why = json!({ "error": "invalid_client", "error_description": "who are you" });
            return ("401 Unauthorized", why);
        }
        assert_eq!(body, "grant_type=client_credentials&scope=export%3Aread");
        let proof = field("dpop:").unwrap();
        let header = URL_SAFE_NO_PAD
            .decode(proof.split('.').next().unwrap())
            .unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        let grant = Grant {
            subject: "robot".into(),
            tenant: "default".parse().unwrap(),
            scopes: Scopes::from_claim("export:read"),
            ttl_seconds: 4_000_000_000,
            jkt: thumbprint(header["jwk"].to_string().as_bytes()).unwrap(),
        };
        let then = Timestamp(1_700_000_000_000);
        let token = self
            .authority
            .mint(&grant, &self.issuer, "export", then, "one")
            .unwrap();
        (
            "200 OK",
            json!({ "access_token": token, "token_type": "DPoP", "expires_in": 600 }),
        )
    }
}

fn request(reader: &mut impl BufRead) -> (Vec<String>, String) {
    let mut head = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_owned();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[test]
fn an_authority_elsewhere_knows_the_client_by_its_password() {
    let world = world(3);
    let elsewhere = Elsewhere::start();
    let keys = world.file("jwks.json", elsewhere.authority.jwks());
    let trusted = [
        "--jwks",
        keys.to_str().unwrap(),
        "--issuer",
        &elsewhere.issuer,
    ];
    let served = Served::start(&world, &[&trusted[..], &["--audience", "export"]].concat());
    let password = world.file("password", "p&ss\n");
    let wrong = world.file("wrong", "guessed\n");
    let login = |file: &std::path::Path| {
        let file = file.to_str().unwrap().to_owned();
        [
            "login",
            "--client-id",
            "robot",
            "--scope",
            "export:read",
            "--client-secret-file",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([file])
        .collect::<Vec<_>>()
    };
    let args = login(&wrong);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let refused = served.error(&args, "ERR_UNAUTHENTICATED", 8);
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.ends_with("gives no token: who are you (invalid_client)"),
        "{detail}"
    );
    let args = login(&password);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let told = served.json(&args);
    assert_eq!(told["tenant"], "default");
    assert_eq!(told["subject"], "robot");
    assert_eq!(told["scopes"], json!(["export:read"]));
    assert_eq!(served.json(&["runs", "list"])["runs"], json!([]));
    served.error(&["run", "json:raw"], "ERR_SCOPE_MISSING", 8);
}
