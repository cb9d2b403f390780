//! The service, started as a user starts it, and a line to it that breaks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::{Ran, World, program, ran};

/// A service on a world's home, with a client's credentials beside it.
pub(crate) struct Served<'a> {
    world: &'a World,
    child: Child,
    pub(crate) url: String,
    pub(crate) listen: SocketAddr,
}

impl<'a> Served<'a> {
    /// Starts it; gives control when it says that it serves.
    pub(crate) fn start(world: &'a World, args: &[&str]) -> Self {
        Self::command_of(world, &["serve"], "127.0.0.1:0", args)
    }

    /// Starts `ledger serve` likewise.
    pub(crate) fn ledger(world: &'a World, listen: &str, args: &[&str]) -> Self {
        Self::command_of(world, &["ledger", "serve"], listen, args)
    }

    fn command_of(world: &'a World, command: &[&str], listen: &str, args: &[&str]) -> Self {
        let mut all = command.to_vec();
        all.extend(["--listen", listen, "--json", "--quiet"]);
        all.extend(args);
        let mut child = world
            .command(all)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the service starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        Self {
            world,
            child,
            url: told["url"].as_str().expect("its URL").to_owned(),
            listen: told["listen"]
                .as_str()
                .expect("its address")
                .parse()
                .expect("an address"),
        }
    }

    /// Starts a process that does runs and answers nobody.
    pub(crate) fn worker(world: &World) -> Worker {
        let mut command = world.command(["serve", "--role", "worker", "--quiet"]);
        Worker(command.stdout(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn credentials(&self) -> PathBuf {
        self.world.path("credentials/file.json")
    }

    /// The program as somebody has it who is not on the service's machine: without the home.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = program(&self.world.path("no-home"), ["--server", &self.url]);
        command
            .env_remove("EXPORT_HOME")
            .env("EXPORT_CREDENTIALS", self.credentials())
            .env("XDG_DATA_HOME", self.world.path("data"))
            .args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        ran(&mut self.command(args))
    }

    /// Runs a command that must succeed; gives its `--json` result.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ran = ran(self.command(args).arg("--json"));
        assert_eq!(ran.code, 0, "{args:?}\n{}{}", ran.stdout, ran.stderr);
        ran.value()
    }

    /// Runs a command that must fail so.
    pub(crate) fn error(&self, args: &[&str], error_code: &str, exit_code: i32) -> Value {
        let ran = ran(self.command(args).arg("--json"));
        let value = ran.value();
        assert_eq!(value["error_code"], error_code, "{args:?}\n{value:#}");
        assert_eq!(ran.code, exit_code, "{args:?}\n{value:#}");
        value
    }

    pub(crate) fn login(&self, tenant: &str) -> Value {
        self.json(&["login", "--tenant", tenant])
    }
}

/// A process that does runs.
pub(crate) struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line that is cut in the middle of answers: each cut once, after so many bytes of the answer to
/// a request that has the text in it.
pub(crate) struct Cutter {
    pub(crate) url: String,
    upstream: Arc<Mutex<Option<SocketAddr>>>,
    cuts: Arc<Mutex<Vec<(&'static str, usize)>>>,
}

impl Cutter {
    pub(crate) fn new(cuts: &[(&'static str, usize)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cutter = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            upstream: Arc::default(),
            cuts: Arc::new(Mutex::new(cuts.to_vec())),
        };
        let (upstream, cuts) = (Arc::clone(&cutter.upstream), Arc::clone(&cutter.cuts));
        thread::spawn(move || {
            for client in listener.incoming() {
                let Some(upstream) = *upstream.lock().unwrap() else {
                    continue;
                };
                if let (Ok(client), Ok(server)) = (client, TcpStream::connect(upstream)) {
                    carry(client, server, &cuts);
                }
            }
        });
        cutter
    }

    /// Where the line leads.
    pub(crate) fn lead_to(&self, upstream: SocketAddr) {
        *self.upstream.lock().unwrap() = Some(upstream);
    }

    /// The cuts that have not happened.
    pub(crate) fn left(&self) -> Vec<(&'static str, usize)> {
        self.cuts.lock().unwrap().clone()
    }
}

fn carry(client: TcpStream, server: TcpStream, cuts: &Arc<Mutex<Vec<(&'static str, usize)>>>) {
    let left: Arc<Mutex<Option<usize>>> = Arc::default();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (armed, cuts) = (Arc::clone(&left), Arc::clone(cuts));
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
            let mut cuts = cuts.lock().unwrap();
            if let Some(at) = cuts.iter().position(|(needle, _)| text.contains(needle)) {
                *armed.lock().unwrap() = Some(cuts.remove(at).1);
            }
            drop(cuts);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (server, client);
    thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let mut left = left.lock().unwrap();
            let sent = left.map_or(count, |left| left.min(count));
            if to.write_all(&buffer[..sent]).is_err() || *left == Some(sent) {
                break;
            }
            if let Some(left) = &mut *left {
                *left -= sent;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}
