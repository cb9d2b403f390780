//! Links that others follow, with nothing but HTTP.

use std::time::Duration;

use bytes::Bytes;
use export_ports::{Link, Objects as _, PortErrorKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{Store, key};

/// The status, head (in small letters) and body of an answer.
async fn get(url: &str, header: &str) -> (u16, String, Vec<u8>) {
    let (host, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request =
        format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\n{header}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer[end + 4..].to_vec())
}

#[tokio::test]
async fn work_in_ranges_and_expire() {
    for store in Store::all("links") {
        let bucket = store.bucket().await;
        let objects = bucket.objects();
        let content = Bytes::from_static(b"0123456789");
        objects.put(&key("bundle.tar"), content).await.unwrap();
        let link = Link {
            valid: Duration::from_secs(60),
            media_type: "application/x-tar",
            file_name: Some("acme.tar"),
        };
        let url = objects.link(&key("bundle.tar"), link).await.unwrap();
        let url = url.unwrap();
        let (status, head, body) = get(&url, "").await;
        assert_eq!((status, &body[..]), (200, &b"0123456789"[..]), "{head}");
        assert!(head.contains("content-type: application/x-tar"), "{head}");
        let disposition = "content-disposition: attachment; filename=\"acme.tar\"";
        assert!(head.contains(disposition), "{head}");
        let (status, head, body) = get(&url, "range: bytes=3-5\r\n").await;
        assert_eq!((status, &body[..]), (206, &b"345"[..]), "{head}");
        // Of another object, it is no link.
        let other = url.replace("bundle.tar", "bundle.tat");
        assert_eq!(get(&other, "").await.0, 403);

        // One that was made a minute ago, by a clock that was right then, is over.
        let late = bucket.objects_with(|settings| {
            settings.clock = std::sync::Arc::new(crate::world::SystemClock { off: -61 });
        });
        let over = late.link(&key("bundle.tar"), link).await.unwrap().unwrap();
        assert_eq!(get(&over, "").await.0, 403);

        for seconds in [0, 8 * 24 * 3600] {
            let valid = Duration::from_secs(seconds);
            let error = objects
                .link(&key("bundle.tar"), Link { valid, ..link })
                .await;
            assert_eq!(error.unwrap_err().kind(), PortErrorKind::Invalid);
        }
        bucket.remove().await;
    }
}
