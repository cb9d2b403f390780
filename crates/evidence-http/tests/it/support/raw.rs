//! Requests that no client of ours would make.

use export_authority::client::Secret;
use export_host::SystemClock;
use export_ports::Clock as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Served, World, ids, tenant};

/// The status and the body of an answer to `acme`, without the framing of HTTP. `head` is lines of the
/// request's head about its body.
pub(crate) async fn ask(
    world: &World,
    served: &Served,
    (method, target): (&str, &str),
    head: &str,
    body: &str,
) -> (u16, String) {
    let (token, key) = world.tokens().mint(&tenant("acme"), SystemClock.now());
    let token = Secret::new(token);
    let url = format!("{}{target}", served.url);
    let jti = ids().token();
    let now = SystemClock.now();
    let proof = key
        .proof(method, &url, Some(token.expose()), now, &jti)
        .unwrap();
    let mut stream = TcpStream::connect(served.at).await.unwrap();
    // HTTP/1.0: no chunks.
    let request = format!(
        "{method} {target} HTTP/1.0\r\nhost: x\r\nauthorization: DPoP {}\r\ndpop: {proof}\r\n\
         {head}\r\n{body}",
        token.expose()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    (status.parse().unwrap(), body.to_owned())
}
