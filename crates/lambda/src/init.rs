//! Telling the service that a function cannot start.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);

/// Reports `message` to the Runtime API at `address` ("Lambda runtime API", Initialization error).
/// Whether that can be told or not, the process is about to end.
pub(crate) fn report(address: &str, message: &str) -> std::io::Result<()> {
    let body =
        serde_json::json!({ "errorType": "Export.InvalidSettings", "errorMessage": message })
            .to_string();
    let at = address
        .to_socket_addrs()?
        .next()
        .ok_or(std::io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {address}\r\n\
         Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: \
         Export.InvalidSettings\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    // Its answer says nothing that matters, but it has to have been sent.
    let _ = stream.read(&mut [0; 64])?;
    Ok(())
}
