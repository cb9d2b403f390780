//! A server that says whatever a test wants, whatever it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers of a script, one a request; the last one again and again.
pub(crate) struct Script {
    pub(crate) url: String,
    asked: Arc<AtomicUsize>,
}

/// An answer.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
    /// Whether the connection then stays open and says nothing more.
    pub(crate) stalls: bool,
}

impl Answer {
    pub(crate) fn page(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: "200 OK",
            headers: String::new(),
            body: body.into(),
            stalls: false,
        }
    }

    pub(crate) fn refusal(status: &'static str, code: &str) -> Self {
        let body = format!("{{\"error_code\":\"{code}\",\"detail\":\"no\",\"status\":0}}");
        Self {
            status,
            ..Self::page(body)
        }
    }
}

impl Script {
    pub(crate) async fn new(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answers, count) = (answers.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let number = count.fetch_add(1, Ordering::SeqCst);
                    let answer = answers.get(number).or(answers.last()).unwrap();
                    let head = format!(
                        "HTTP/1.1 {}\r\nconnection: close\r\n{}\r\n",
                        answer.status, answer.headers
                    );
                    let _ = stream.write_all(head.as_bytes()).await;
                    let _ = stream.write_all(&answer.body).await;
                    if answer.stalls {
                        // Until the client goes.
                        let _ = stream.read(&mut [0]).await;
                    }
                });
            }
        });
        Self { url, asked }
    }

    /// How many requests came.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
