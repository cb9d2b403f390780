//! A line to a server that is cut in the middle of answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The line. Each cut happens once.
#[derive(Clone)]
pub(crate) struct Cutter {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    upstream: Option<SocketAddr>,
    left: Option<usize>,
    cuts: usize,
}

impl Cutter {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = shared.lock().unwrap().upstream;
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    if let Some(upstream) = upstream
                        && let Ok(server) = TcpStream::connect(upstream).await
                    {
                        carry(client, server, &state).await;
                    }
                });
            }
        });
        Self { url, state }
    }

    /// Where the line leads; nowhere, for a while.
    pub(crate) fn lead_to(&self, upstream: Option<SocketAddr>) {
        self.state.lock().unwrap().upstream = upstream;
    }

    /// Cuts the line after so many more bytes of answers.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.state.lock().unwrap().left = Some(bytes);
    }

    /// How often it was cut.
    pub(crate) fn cuts(&self) -> usize {
        self.state.lock().unwrap().cuts
    }
}

async fn carry(client: TcpStream, server: TcpStream, state: &Mutex<State>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    };
    let answering = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            let (sent, cut) = {
                let mut state = state.lock().unwrap();
                match &mut state.left {
                    Some(left) if *left <= count => {
                        let sent = *left;
                        state.left = None;
                        state.cuts += 1;
                        (sent, true)
                    }
                    Some(left) => {
                        *left -= count;
                        (count, false)
                    }
                    None => (count, false),
                }
            };
            if to_client.write_all(&buffer[..sent]).await.is_err() || cut {
                break;
            }
        }
    };
    tokio::select! {
        () = asking => {}
        () = answering => {}
    }
}
