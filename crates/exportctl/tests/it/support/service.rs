//! `exportctl serve` as a process, and a client of it that is as slow or as rude as a test wants.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use export_authority::client::ProofKey;
use export_model::Timestamp;
use serde_json::{Value, json};

use super::World;

/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service that runs.
pub(crate) struct Service {
    child: Child,
    /// What it said when it was ready.
    pub(crate) announced: Value,
    log: PathBuf,
}

impl Service {
    /// Starts it with more arguments, and waits until it is ready.
    pub(crate) fn start(world: &World, name: &str, args: &[&str]) -> Self {
        let log = world.path(&format!("{name}.log"));
        let mut all = vec!["--json", "-v", "serve", "--listen", "127.0.0.1:0"];
        all.extend(args);
        let mut child = world
            .command(all)
            .env("EXPORT_LOG", "json")
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let announced = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("{e}: {line} {}", std::fs::read_to_string(&log).unwrap()));
        Self {
            child,
            announced,
            log,
        }
    }

    pub(crate) fn url(&self) -> &str {
        self.announced["url"].as_str().unwrap()
    }

    pub(crate) fn at(&self) -> SocketAddr {
        let at = self.url().strip_prefix("http://").unwrap();
        at.parse().unwrap()
    }

    /// Asks it to stop, as an operator does.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        let ran = Command::new("kill").args(["-TERM", &id]).status();
        assert!(ran.unwrap().success());
    }

    /// How it ended, in time.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "it does not end: {}",
                self.log()
            );
            sleep(Duration::from_millis(10));
        }
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The most memory that it ever held, in bytes (`VmHWM`, proc_pid_status(5)).
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib << 10)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client with a token of the dev authority.
pub(crate) struct Client {
    at: SocketAddr,
    url: String,
    key: ProofKey,
    token: String,
}

/// An answer whose head was read and whose body may still be on its way.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) stream: BufReader<TcpStream>,
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    format!("{}-{}-{number}", std::process::id(), now().0)
}

/// Sends bytes on a connection of their own; gives the head of the answer.
pub(crate) fn send(at: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    Answer::read(stream)
}

impl Answer {
    pub(crate) fn read(stream: TcpStream) -> Self {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("{line:?}"));
        let status = status.parse().unwrap();
        let mut fields = BTreeMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            fields.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        Self {
            status,
            fields,
            stream,
        }
    }

    /// The whole body.
    pub(crate) fn body(mut self) -> Vec<u8> {
        let mut body = Vec::new();
        if let Some(length) = self.fields.get("content-length") {
            let length: u64 = length.parse().unwrap();
            self.stream.take(length).read_to_end(&mut body).unwrap();
            assert_eq!(body.len() as u64, length, "the body ends early");
            return body;
        }
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let size = usize::from_str_radix(line.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk).unwrap();
            if size == 0 {
                return body;
            }
            body.extend(&chunk[..size]);
        }
    }

    pub(crate) fn json(self) -> Value {
        let body = self.body();
        serde_json::from_slice(&body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&body)))
    }
}

impl Client {
    pub(crate) fn login(service: &Service, tenant: &str) -> Self {
        let mut client = Self {
            at: service.at(),
            url: service.url().to_owned(),
            key: ProofKey::generate().unwrap(),
            token: String::new(),
        };
        let path = "/dev-authority/token";
        let url = format!("{}{path}", client.url);
        let proof = client.key.proof("POST", &url, None, now(), &unique());
        let form = format!("grant_type=client_credentials&tenant={tenant}&subject=auditor");
        let answer = send(
            client.at,
            format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\ndpop: {}\r\ncontent-length: {}\r\n\
                 content-type: application/x-www-form-urlencoded\r\n\r\n{form}",
                proof.unwrap(),
                form.len()
            )
            .as_bytes(),
        );
        assert_eq!(answer.status, 200);
        client.token = answer.json()["access_token"].as_str().unwrap().to_owned();
        client
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The head of a request of a path below the API's, with a new proof.
    pub(crate) fn head_of(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> String {
        let path = format!("/api/export{path}");
        let url = format!("{}{path}", self.url);
        let token = Some(self.token.as_str());
        let proof = self.key.proof(method, &url, token, now(), &unique());
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: DPoP {}\r\ndpop: {}\r\n",
            self.token,
            proof.unwrap()
        );
        for (name, value) in fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head + "\r\n"
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        send(self.at, self.head_of("GET", path, &[]).as_bytes())
    }

    pub(crate) fn post(&self, path: &str, document: &Value) -> Answer {
        let text = document.to_string();
        let length = text.len().to_string();
        let fields = [
            ("content-type", "application/json"),
            ("content-length", &*length),
        ];
        let head = self.head_of("POST", path, &fields);
        send(self.at, format!("{head}{text}").as_bytes())
    }

    /// Submits a run; gives its id.
    pub(crate) fn submit(&self, profile: &str) -> String {
        let answer = self.post("/runs", &json!({ "profile": profile }));
        assert_eq!(answer.status, 202);
        answer.json()["run_id"].as_str().unwrap().to_owned()
    }

    /// Follows a run to its end; gives its events.
    pub(crate) fn follow(&self, run: &str) -> Vec<Value> {
        let answer = self.get(&format!("/runs/{run}/events"));
        assert_eq!(answer.status, 200);
        let text = String::from_utf8(answer.body()).unwrap();
        text.lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }
}
