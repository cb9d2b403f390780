//! What lies between a client and a service in bad weather: a TCP proxy that forwards everything,
//! but for what it is told to do to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use export_aws::AwsSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Whether a request is meant, by its first line.
pub(crate) type Meant = fn(&str) -> bool;

/// What happens to the connections of a proxy.
#[derive(Clone, Debug)]
pub(crate) enum Weather {
    /// Requests are forwarded, but the answer to one whose first line is such is thrown away, and
    /// the connection closed.
    LosesAnswerTo(Meant),
    /// Answers break off after so many bytes.
    BreaksOffAfter(usize),
    /// Nothing is ever answered.
    Stalls,
    /// Everything is answered with this.
    Answers(Arc<str>),
}

/// A proxy that does what it does for a number of connections, and only forwards after that.
pub(crate) struct Proxy {
    address: SocketAddr,
    done: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy to `upstream` (`http://host:port`) that does `weather` to `times` requests.
    pub(crate) async fn start(upstream: &str, weather: Weather, times: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = upstream
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        let done = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&done);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, weather) = (upstream.clone(), weather.clone());
                let turns = Turns {
                    done: Arc::clone(&counter),
                    times,
                };
                tokio::spawn(async move {
                    // What fails closes the connection, as the client is to see.
                    let _ = connection(client, &upstream, weather, turns).await;
                });
            }
        });
        Self {
            address,
            done,
            task,
        }
    }

    /// A proxy to where `settings` find S3, and the address in its place.
    pub(crate) async fn to_s3(settings: &AwsSettings, weather: Weather, times: u32) -> Self {
        let endpoint = settings.s3_endpoint.as_ref().or(settings.endpoint.as_ref());
        Self::start(endpoint.unwrap(), weather, times).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often it did what it does.
    pub(crate) fn times(&self) -> u32 {
        self.done.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Turns {
    done: Arc<AtomicU32>,
    times: u32,
}

impl Turns {
    /// Whether it is to be done once more; counts it then.
    fn take(&self) -> bool {
        let once_more = |done| (done < self.times).then_some(done + 1);
        self.done
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, once_more)
            .is_ok()
    }
}

async fn connection(
    client: TcpStream,
    upstream: &str,
    weather: Weather,
    turns: Turns,
) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    match &weather {
        Weather::Stalls if turns.take() => {
            let mut all = Vec::new();
            from_client.read_to_end(&mut all).await?;
            return Ok(());
        }
        Weather::Answers(answer) if turns.take() => {
            let mut some = vec![0; 64 << 10];
            let _ = from_client.read(&mut some).await?;
            to_client.write_all(answer.as_bytes()).await?;
            return to_client.shutdown().await;
        }
        _ => {}
    }
    let (from_server, to_server) = TcpStream::connect(upstream).await?.into_split();
    let (tell, told) = tokio::sync::watch::channel(false);
    let loses = match weather {
        Weather::LosesAnswerTo(loses) => Some(loses),
        _ => None,
    };
    let cut = match weather {
        Weather::BreaksOffAfter(bytes) if turns.take() => Some(bytes),
        _ => None,
    };
    let answers = tokio::spawn(answers(from_server, to_client, told, cut));
    let requests = requests(from_client, to_server, loses, turns, tell);
    let (_, outcome) = tokio::join!(requests, answers);
    outcome.unwrap_or(Ok(()))
}

/// Forwards requests; tells when the answer to one of them is to be lost.
async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    loses: Option<Meant>,
    turns: Turns,
    tell: tokio::sync::watch::Sender<bool>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let sent = &buffer[..read];
        let line = sent.split(|b| *b == b'\n').next().unwrap_or_default();
        let found = loses.is_some_and(|loses| loses(&String::from_utf8_lossy(line)));
        if found && turns.take() {
            tell.send_replace(true);
        }
        to.write_all(sent).await?;
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    lost: tokio::sync::watch::Receiver<bool>,
    mut cut: Option<usize>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let mut read = from.read(&mut buffer).await?;
        if read == 0 || *lost.borrow() {
            return to.shutdown().await;
        }
        if let Some(left) = &mut cut {
            read = read.min(*left);
            *left -= read;
        }
        to.write_all(&buffer[..read]).await?;
        if cut == Some(0) {
            return to.shutdown().await;
        }
    }
}
