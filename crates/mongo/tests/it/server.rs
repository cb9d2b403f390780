//! The server that tests use, and servers of their own for tests that break them.

use std::future::Future;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use export_model::{RunKey, Slots, Tenant, Timestamp};
use export_mongo::{MongoState, migrate};
use export_ports::Clock;
use futures_util::FutureExt as _;
use mongodb::{Client, Database};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The system's time.
pub(crate) struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    }
}

/// A deployment, and the databases that a test has made in it.
pub(crate) struct Server {
    pub(crate) uri: String,
    pub(crate) client: Client,
    made: Mutex<Vec<String>>,
}

impl Server {
    pub(crate) async fn at(uri: &str) -> Self {
        Self {
            uri: uri.to_owned(),
            client: export_mongo::connect(uri).await.unwrap(),
            made: Mutex::new(Vec::new()),
        }
    }

    /// A database that nobody else uses; nothing is in it.
    pub(crate) fn empty(&self) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "export_test_{}_{}_{}",
            Now.now().0,
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        self.made.lock().unwrap().push(name.clone());
        self.client.database(&name)
    }

    /// A database that nobody else uses, migrated.
    pub(crate) async fn fresh(&self) -> Database {
        let database = self.empty();
        migrate(&database).await.unwrap();
        database
    }

    /// Run state of its own.
    pub(crate) async fn state(&self) -> Arc<MongoState> {
        Arc::new(state(&self.fresh().await))
    }
}

pub(crate) fn state(database: &Database) -> MongoState {
    MongoState::new(database.clone(), Arc::new(Now))
}

/// Lets `test` use the server of the environment, and removes what it has made there.
pub(crate) async fn on_server<F: Future<Output = ()>>(
    what: &str,
    test: impl FnOnce(Arc<Server>) -> F,
) {
    let Ok(uri) = std::env::var("MONGODB_URI") else {
        println!("skipped: {what}: MONGODB_URI is not set");
        return;
    };
    let server = Arc::new(Server::at(&uri).await);
    let outcome = AssertUnwindSafe(test(Arc::clone(&server)))
        .catch_unwind()
        .await;
    let made = std::mem::take(&mut *server.made.lock().unwrap());
    for name in made {
        server.client.database(&name).drop().await.unwrap();
    }
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// A server of a test's own, that it may kill.
pub(crate) struct OwnServer {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    options: &'static [&'static str],
    child: Child,
}

impl OwnServer {
    /// None, with a note, where there is no program for it.
    pub(crate) async fn start(what: &str, options: &'static [&'static str]) -> Option<Self> {
        let Some(program) = std::env::var_os("SECANTUSD") else {
            println!("skipped: {what}: SECANTUSD is not set");
            return None;
        };
        let program = PathBuf::from(program);
        let folder = tempfile::tempdir().unwrap();
        let (child, port) = spawn(&program, folder.path(), 0, options).await;
        Some(Self {
            program,
            folder,
            port,
            options,
            child,
        })
    }

    pub(crate) fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it as a crash would, and starts it again at the same place.
    pub(crate) async fn crash(&mut self) {
        self.child.kill().await.unwrap();
        let (child, _) = spawn(&self.program, self.folder.path(), self.port, self.options).await;
        self.child = child;
    }
}

async fn spawn(program: &Path, folder: &Path, port: u16, options: &[&str]) -> (Child, u16) {
    let mut child = Command::new(program)
        .arg("--port")
        .arg(port.to_string())
        .arg("--storage-path")
        .arg(folder.join("db"))
        .args(["--sync-on-commit", "--cache-size", "64M"])
        .args(["--log-file-max", "16MB"])
        .args(options)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = tokio::time::timeout(PATIENCE, async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the server starts");
            if let Some((_, address)) = line.split_once("listening on ") {
                let port = address.trim().rsplit(':').next().unwrap();
                return port.parse().unwrap();
            }
        }
    })
    .await
    .expect("the server starts in time");
    // Whatever else it says must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, port)
}

/// A port of this machine that nobody listens on.
pub(crate) fn unused_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) fn tenant(name: &str) -> Tenant {
    name.parse().unwrap()
}

pub(crate) fn run_key(owner: &str, number: u32) -> RunKey {
    RunKey {
        tenant: tenant(owner),
        run: format!("0199f0c2-7a51-7c3e-9d7e-{number:012}")
            .parse()
            .unwrap(),
    }
}

pub(crate) fn slots(owner: &str, admitted: u64, rev: u64) -> Slots {
    Slots {
        admitted,
        rev,
        ..Slots::empty(&tenant(owner))
    }
}
