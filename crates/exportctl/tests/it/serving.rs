//! `serve` as a process: patient with the slow but not for ever, stopped without loss, split into
//! roles, silent about secrets.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, Client, Service, World, record, send, sha256_hex};

const TENANT: &str = "acme";

/// Advisories whose bytes hardly compress, so that a bundle of them is about as large as they are.
fn noise(megabytes: u32) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state: u64 = 1;
    let mut lines = String::new();
    for number in 0..megabytes.div_ceil(2) {
        let mut text = Vec::with_capacity(2 << 20);
        while text.len() < 2 << 20 {
            // xorshift64 (Marsaglia, "Xorshift RNGs", 2003)
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            for shift in [0, 6, 12, 18, 24, 30, 36, 42] {
                text.push(LETTERS[usize::try_from((state >> shift) & 63).unwrap()]);
            }
        }
        let id = format!("NOISE-{number:03}");
        let text = String::from_utf8(text).unwrap();
        let raw = json!({ "id": id, "modified": "2026-10-01T00:00:00Z", "details": text });
        lines.push_str(&record(TENANT, "advisory", &id, &raw).to_string());
        lines.push('\n');
    }
    lines
}

/// A home with a run that was done, and its archive.
fn with_archive(megabytes: u32) -> (World, String, Vec<u8>) {
    let world = World::new();
    world.import("noise.jsonl", noise(megabytes));
    let out = world.path("reference.tar");
    let run = world.json(["run", "json:raw", "--out", out.to_str().unwrap()]);
    let id = run["run_id"].as_str().unwrap().to_owned();
    (world, id, std::fs::read(out).unwrap())
}

/// Sends `bytes` one by one until the other side closes; gives what it said, and when it closed.
fn trickle(at: SocketAddr, first: &str, bytes: &[u8]) -> (String, Duration) {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(first.as_bytes()).unwrap();
    let pause = Duration::from_millis(250);
    stream.set_read_timeout(Some(pause)).unwrap();
    let begun = Instant::now();
    let mut said = Vec::new();
    for byte in bytes.iter().cycle() {
        // Waiting for an answer is the pause between two bytes.
        let mut buffer = [0; 4_096];
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => said.extend(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(_) => {}
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it is never closed"
        );
        let _ = stream.write_all(&[*byte]);
    }
    (String::from_utf8_lossy(&said).into_owned(), begun.elapsed())
}

#[test]
fn whoever_trickles_is_cut_off_and_holds_nobody() {
    let world = World::new();
    let service = Service::start(&world, "serve", &["--role", "api"]);
    let at = service.at();
    let client = Client::login(&service, TENANT);
    thread::scope(|scope| {
        let of_headers = scope.spawn(move || trickle(at, "GET /health/live HTTP/1.1\r\nx: ", b"a"));
        let silent = scope.spawn(move || {
            let begun = Instant::now();
            let mut stream = TcpStream::connect(at).unwrap();
            let _ = stream.read(&mut [0]);
            begun.elapsed()
        });
        let large = ("content-length", "100000");
        let fields = [("content-type", "application/json"), large];
        let document = client.head_of("POST", "/runs", &fields);
        let of_documents = scope.spawn(move || trickle(at, &document, b" "));
        // Also where only a few are read at a time.
        let signature = "MAYCAQECAQE%3D";
        let fields = [("content-type", "application/json"), large];
        let of_manifests: Vec<_> = (0..2)
            .map(|_| {
                let path = format!("/verify?signature={signature}");
                let head = client
                    .head_of("POST", "/verify", &fields)
                    .replace("/verify HTTP", &format!("{path} HTTP"));
                scope.spawn(move || trickle(at, &head, b" "))
            })
            .collect();
        // Everybody else is answered at once meanwhile.
        while !of_headers.is_finished() {
            let begun = Instant::now();
            assert_eq!(client.get("/adapters").status, 200);
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(5), "{took:?}");
            thread::sleep(Duration::from_millis(200));
        }
        let (said, took) = of_headers.join().unwrap();
        assert!(took < Duration::from_secs(18), "{took:?}");
        assert!(!said.contains(" 200 "), "{said}");
        let took = silent.join().unwrap();
        assert!(took < Duration::from_secs(18), "{took:?}");
        for trickling in std::iter::once(of_documents).chain(of_manifests) {
            let (said, took) = trickling.join().unwrap();
            assert!(took < Duration::from_secs(40), "{took:?}");
            assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
            assert!(said.contains("ERR_REQUEST_TIMEOUT"), "{said}");
        }
    });
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let world = World::new();
    let service = Service::start(&world, "serve", &["--role", "api"]);
    for head in [
        format!(
            "GET /health/live HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
            "a".repeat(300_000)
        ),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000)),
        format!(
            "GET /health/live HTTP/1.1\r\nhost: x\r\n{}\r\n",
            "x: y\r\n".repeat(1_000)
        ),
    ] {
        let mut stream = TcpStream::connect(service.at()).unwrap();
        let _ = stream.write_all(head.as_bytes());
        let mut said = [0; 16];
        // What is refused may be cut off before it was read.
        let count = stream.read(&mut said).unwrap_or(0);
        let said = String::from_utf8_lossy(&said[..count]).into_owned();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    assert_eq!(
        send(
            service.at(),
            b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"
        )
        .status,
        200
    );
}

#[test]
fn a_download_that_has_begun_ends_though_the_service_is_stopped() {
    let (world, run, archive) = with_archive(24);
    let mut service = Service::start(&world, "serve", &["--role", "api"]);
    let client = Client::login(&service, TENANT);
    let mut answer = client.get(&format!("/runs/{run}/download"));
    assert_eq!(answer.status, 200);
    let mut bytes = vec![0; 1 << 20];
    answer.stream.read_exact(&mut bytes).unwrap();
    service.terminate();
    // Nothing new is begun any more.
    let refused = (0..500).any(|_| {
        thread::sleep(Duration::from_millis(10));
        TcpStream::connect(service.at()).is_err()
    });
    assert!(refused, "it still listens");
    answer.stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), archive.len(), "{}", service.log());
    assert!(bytes == archive, "other bytes");
    let status = service.ended();
    assert!(status.success(), "{status}: {}", service.log());
}

#[test]
fn followers_are_sent_on_when_the_service_is_stopped() {
    let world = World::new();
    let mut service = Service::start(&world, "serve", &["--role", "api"]);
    let client = Client::login(&service, TENANT);
    let run = client.submit("json:raw");
    let mut answer = client.get(&format!("/runs/{run}/events"));
    let mut line = String::new();
    while line.trim_end() != "id: 1" {
        line.clear();
        answer.stream.read_line(&mut line).unwrap();
    }
    let begun = Instant::now();
    service.terminate();
    // The rest of the first event, then when to come again, then a proper end.
    let mut rest = String::new();
    answer.stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("retry: 1000\n\n"), "{rest}");
    assert!(rest.ends_with("\r\n0\r\n\r\n"), "{rest}");
    let status = service.ended();
    assert!(status.success(), "{status}: {}", service.log());
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
}

/// A home with a profile of many parts.
fn with_parts() -> World {
    let world = World::new();
    world.json([
        "ledger",
        "generate",
        "--records",
        "3000",
        "--seed",
        "1",
        "--tenant",
        TENANT,
    ]);
    let profile = r#"{"name": "parts", "kind": "json:raw", "config": {"records_per_part": 10}}"#;
    let profile = world.file("profile.json", profile);
    world.json(["profile", "create", profile.to_str().unwrap()]);
    world
}

fn told_once(events: &[Value]) {
    let numbers = events.iter().map(|event| event["seq"].as_u64().unwrap());
    assert!(numbers.eq(1..=events.len() as u64), "{events:#?}");
    let last = events.last().unwrap();
    assert_eq!(last["status"], "completed", "{last:#}");
}

#[test]
fn a_run_in_progress_is_given_back_and_finished_by_the_next() {
    let world = with_parts();
    let mut service = Service::start(&world, "first", &["--workers", "2"]);
    let client = Client::login(&service, TENANT);
    let run = client.submit("parts");
    let path = format!("/runs/{run}");
    let begun = Instant::now();
    loop {
        let shown = client.get(&path).json();
        if shown["parts_done"].as_u64().unwrap() > 3 {
            assert_eq!(shown["status"], "exporting", "{shown:#}");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{shown:#}");
    }
    service.terminate();
    let status = service.ended();
    assert!(status.success(), "{status}: {}", service.log());
    let shown = world.json(["runs", "show", &run]);
    assert_ne!(
        shown["status"], "completed",
        "it was too quick to be stopped"
    );
    // No step is held by anybody.
    let state = rusqlite::Connection::open(world.home().join("state.db")).unwrap();
    let held: i64 = state
        .query_row(
            "SELECT count(*) FROM work WHERE token IS NOT NULL",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(held, 0);
    drop(state);

    let service = Service::start(&world, "second", &[]);
    let client = Client::login(&service, TENANT);
    let begun = Instant::now();
    told_once(&client.follow(&run));
    // Long before a lease would have expired.
    assert!(begun.elapsed() < Duration::from_secs(40));
    verifies(&world, &client, &run);
}

/// Downloads the run's archive, which must verify, and be the one that an undisturbed run makes.
fn verifies(world: &World, client: &Client, run: &str) {
    let bytes = client.get(&format!("/runs/{run}/download")).body();
    let shown = client.get(&format!("/runs/{run}")).json();
    assert_eq!(shown["sha256"], format!("sha256:{}", sha256_hex(&bytes)));
    let file = world.file("downloaded.tar", bytes);
    let verdict = world.json(["verify", "--deep", file.to_str().unwrap()]);
    assert_eq!(verdict["verified"], true, "{verdict:#}");
    let (reference, _) = world.export("parts", &[]);
    assert_eq!(shown["content_digest"], reference["content_digest"]);
}

#[test]
fn api_and_worker_are_two_processes_on_one_home() {
    let world = with_parts();
    let api = Service::start(&world, "api", &["--role", "api"]);
    let client = Client::login(&api, TENANT);
    let run = client.submit("parts");
    // Nobody works yet; whoever follows sees what comes.
    thread::scope(|scope| {
        let following = scope.spawn(|| client.follow(&run));
        let mut worker = Service::start(&world, "worker", &["--role", "worker"]);
        assert!(worker.announced["url"].is_null());
        told_once(&following.join().unwrap());
        worker.terminate();
        assert!(worker.ended().success(), "{}", worker.log());
    });
    verifies(&world, &client, &run);
}

#[test]
fn the_dev_authority_serves_this_machine_only() {
    let world = World::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = world.error(["serve", "--listen", address], "ERR_USAGE");
        assert_eq!(error["exit_code"], 2);
        let detail = error["detail"].as_str().unwrap();
        assert!(detail.contains("loopback only"), "{detail}");
        assert!(detail.contains("--jwks"), "{detail}");
    }
}

#[test]
fn the_access_log_tells_who_asked_for_what_and_no_secret() {
    let world = World::new();
    let mut service = Service::start(&world, "serve", &["--role", "api"]);
    let client = Client::login(&service, TENANT);
    let run = client.submit("json:raw");
    assert_eq!(client.get(&format!("/runs/{run}")).status, 200);
    assert_eq!(client.get("/runs?limit=0").status, 422);
    let mut refused = client.head_of("GET", "/runs", &[]);
    assert_eq!(send(service.at(), refused.as_bytes()).status, 200);
    assert_eq!(send(service.at(), refused.as_bytes()).status, 401);
    refused = refused.replace("DPoP ey", "DPoP ez");
    assert_eq!(send(service.at(), refused.as_bytes()).status, 401);
    refused = refused.replace("DPoP ez", "Bearer ey");
    assert_eq!(send(service.at(), refused.as_bytes()).status, 401);
    service.terminate();
    assert!(service.ended().success());
    let log = service.log();
    let requests: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["target"] == "export_api::access")
        .collect();
    let fields = |line: &Value| match line.get("fields") {
        Some(fields) => fields.clone(),
        None => line.clone(),
    };
    let told: Vec<_> = requests
        .iter()
        .map(fields)
        .map(|f| {
            assert!(f["millis"].is_u64(), "{f:#}");
            assert_eq!(f["request_id"].as_str().unwrap().len(), 32);
            (
                f["method"].as_str().unwrap().to_owned(),
                f["route"].as_str().unwrap().to_owned(),
                f["status"].as_u64().unwrap(),
                f["tenant"].as_str().map(ToOwned::to_owned),
                f["error_code"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let line = |method: &str, route: &str, status, tenant: Option<&str>, code: &str| {
        (
            method.to_owned(),
            format!("/api/export{route}"),
            status,
            tenant.map(ToOwned::to_owned),
            code.to_owned(),
        )
    };
    let acme = Some(TENANT);
    assert_eq!(
        told,
        [
            line("POST", "/runs", 202, acme, ""),
            line("GET", "/runs/{id}", 200, acme, ""),
            line("GET", "/runs", 422, acme, "ERR_INVALID_REQUEST"),
            line("GET", "/runs", 200, acme, ""),
            line("GET", "/runs", 401, acme, "ERR_DPOP_REPLAYED"),
            line("GET", "/runs", 401, None, "ERR_TOKEN_INVALID"),
            line("GET", "/runs", 401, None, "ERR_UNAUTHENTICATED"),
        ],
        "{log}"
    );
    // A JWT begins so: `{"` in base64url.
    assert!(!log.contains("eyJ"), "{log}");
    for part in client.token().split('.') {
        assert!(!log.contains(part), "{log}");
    }
}

/// Reads a body and compares it with what it has to be, holding none of it.
fn compares(mut answer: Answer, expected: &[u8]) {
    assert_eq!(answer.status, 200);
    let mut buffer = vec![0; 64 << 10];
    let mut at = 0;
    while at < expected.len() {
        let count = answer.stream.read(&mut buffer).unwrap();
        assert!(count > 0, "it ends after {at} bytes");
        assert!(buffer[..count] == expected[at..at + count], "other bytes");
        at += count;
    }
}

#[test]
fn sixty_four_clients_at_once_are_served_in_little_memory() {
    let (world, run, archive) = with_archive(90);
    assert!(archive.len() >= 64 << 20, "{}", archive.len());
    let service = Service::start(&world, "serve", &["--role", "api"]);
    let client = Client::login(&service, TENANT);
    let path = format!("/runs/{run}/download");
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| compares(client.get(&path), &archive));
        }
    });
    match service.peak_memory() {
        Some(peak) => assert!(peak < 150 << 20, "{peak} bytes"),
        None => eprintln!("skipped: the memory of a server: there is no /proc"),
    }
}
