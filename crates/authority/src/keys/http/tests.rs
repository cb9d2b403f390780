use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;

/// A server on this machine that gives each connection the next answer.
fn serve(answers: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for answer in answers {
            let (mut peer, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = peer.read(&mut request);
            let _ = peer.write_all(answer.as_bytes());
        }
    });
    url
}

fn answer(head: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_set_comes_with_its_age() {
    let url = serve(vec![answer(
        "200 OK\r\nCache-Control: public, Max-Age=300\r\nAge: 100",
        "{}",
    )]);
    let fetched = HttpJwks::new(&url).unwrap().fetch().await.unwrap();
    assert_eq!(fetched.body, b"{}");
    assert_eq!(fetched.max_age, Some(Duration::from_secs(200)));
}

#[tokio::test]
async fn answers_that_are_no_key_set_say_what_happened() {
    let large = "x".repeat(MAX_SET_BYTES + 1);
    for (answer, said) in [
        (answer("404 Not Found", ""), "answered 404"),
        (answer("200 OK", &large), "more than 256 KiB"),
        (
            answer("302 Found\r\nLocation: http://localhost:1/jwks", ""),
            "another origin",
        ),
        (
            answer("302 Found\r\nLocation: file:///etc/passwd", ""),
            "answered 302",
        ),
    ] {
        let error = HttpJwks::new(&serve(vec![answer]))
            .unwrap()
            .fetch()
            .await
            .unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_to_the_same_origin_is_followed() {
    let url = serve(vec![
        answer("302 Found\r\nLocation: /elsewhere", ""),
        answer("200 OK", "{}"),
    ]);
    assert_eq!(
        HttpJwks::new(&url).unwrap().fetch().await.unwrap().body,
        b"{}"
    );
}

#[test]
fn plain_http_is_for_this_machine_only() {
    for good in [
        "https://as.example/jwks",
        "http://127.0.0.1:1/",
        "http://[::1]:1/",
        "http://localhost/",
    ] {
        assert!(HttpJwks::new(good).is_ok(), "{good}");
    }
    for bad in [
        "http://as.example/jwks",
        "http://127.0.0.1.as.example/",
        "file:///jwks",
        "jwks",
    ] {
        assert!(
            matches!(HttpJwks::new(bad), Err(HttpJwksError::Url)),
            "{bad}"
        );
    }
}
