//! Downloads: whole, in ranges, under conditions, and member by member, byte for byte as signed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use export_lifecycle::tick;
use export_model::Sha256Digest;
use export_scenarios::SMALL;

use crate::support::heavy::{Heavy, heavy, members};
use crate::support::wire::{Wire, exchange};
use crate::support::{Api, Ask, Reply, id, run};

fn digest_field(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256Digest::of(bytes).0))
}

async fn download(heavy: &Heavy, fields: &[(&str, &str)]) -> Reply {
    let mut ask = Ask::get(heavy.path("/download"));
    for (name, value) in fields {
        ask = ask.with(name, value);
    }
    heavy.api.caller("acme").send(ask).await
}

#[test]
fn the_whole_archive_and_what_is_told_of_it() {
    run(async {
        let heavy = heavy().await;
        let size = heavy.archive.len();
        assert!(size > 16 << 20, "{size}");
        let whole = download(heavy, &[]).await;
        assert_eq!(whole.status, 200);
        assert!(whole.body == heavy.archive, "other bytes");
        let head = heavy
            .api
            .caller("acme")
            .send(Ask::head(heavy.path("/download")))
            .await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        let digest = Sha256Digest::of(&heavy.archive);
        assert_eq!(heavy.run["sha256"], digest.to_string());
        assert_eq!(heavy.run["size_bytes"], size);
        for reply in [&whole, &head] {
            for (name, value) in [
                ("content-type", "application/x-tar".to_owned()),
                ("content-length", size.to_string()),
                ("accept-ranges", "bytes".to_owned()),
                ("etag", format!("\"sha256-{}\"", digest.hex())),
                ("repr-digest", digest_field(&heavy.archive)),
                ("x-export-digest", digest.to_string()),
                ("x-export-length", size.to_string()),
                (
                    "content-disposition",
                    format!("attachment; filename=\"{}.tar\"", id(&heavy.run)),
                ),
                (
                    "cache-control",
                    "private, no-transform, max-age=0".to_owned(),
                ),
                ("x-content-type-options", "nosniff".to_owned()),
            ] {
                assert_eq!(reply.header(name), value, "{name}");
            }
        }
    });
}

#[test]
fn ranges() {
    run(async {
        let heavy = heavy().await;
        let size = heavy.archive.len();
        for (range, first, end) in [
            ("bytes=0-0".to_owned(), 0, 1),
            ("bytes=0-1023".to_owned(), 0, 1_024),
            // Across the pieces in which a body is read.
            ("bytes=262143-524288".to_owned(), 262_143, 524_289),
            (format!("bytes={}-", size - 700_000), size - 700_000, size),
            ("bytes=-1".to_owned(), size - 1, size),
            ("bytes=-300000".to_owned(), size - 300_000, size),
            (format!("bytes=-{}", size * 2), 0, size),
            (format!("bytes={}-{}", size - 5, size + 5), size - 5, size),
            ("bytes=5-99999999999999999999999".to_owned(), 5, size),
        ] {
            let part = download(heavy, &[("range", &range)]).await;
            assert_eq!(part.status, 206, "{range}");
            assert!(part.body == heavy.archive[first..end], "{range}");
            let told = format!("bytes {first}-{}/{size}", end - 1);
            assert_eq!(part.header("content-range"), told);
            assert_eq!(part.header("content-length"), (end - first).to_string());
            // Of the whole, whatever part is sent (RFC 9530 §3).
            assert_eq!(part.header("repr-digest"), digest_field(&heavy.archive));
        }
        for range in [
            format!("bytes={size}-"),
            format!("bytes={}-{}", size + 1, size + 2),
            "bytes=99999999999999999999999-".to_owned(),
            "bytes=-0".to_owned(),
        ] {
            let reply = download(heavy, &[("range", &range)]).await;
            reply.refused(416, "ERR_RANGE_NOT_SATISFIABLE");
            assert_eq!(reply.header("content-range"), format!("bytes */{size}"));
        }
        // What is no range, or many, is not one (RFC 9110 §14.2 lets a server send the whole).
        for range in [
            "bytes=5-4",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes",
            "lines=0-1",
            "bytes=0-1,3-4",
            "bytes=0-5,2-8,4-10",
            "bytes=0-0,-1",
            "\u{e9}",
        ] {
            let reply = download(heavy, &[("range", range)]).await;
            assert_eq!(reply.status, 200, "{range}");
            assert_eq!(reply.body.len(), size, "{range}");
            assert!(reply.headers.get("content-range").is_none());
        }
        let many = format!("bytes={}", "0-,".repeat(5_000));
        let reply = download(heavy, &[("range", &many)]).await;
        assert_eq!((reply.status, reply.body.len()), (200, size));
        let twice = [("range", "bytes=0-1"), ("range", "bytes=2-3")];
        assert_eq!(download(heavy, &twice).await.status, 200);
        // RFC 9110 §14.2: ranges are of GET alone.
        let ask = Ask::head(heavy.path("/download")).with("range", "bytes=0-9");
        let head = heavy.api.caller("acme").send(ask).await;
        assert_eq!(head.status, 200);
        assert_eq!(head.header("content-length"), size.to_string());
    });
}

#[test]
fn conditions() {
    run(async {
        let heavy = heavy().await;
        let size = heavy.archive.len();
        let tag = heavy.run["sha256"].as_str().unwrap();
        let tag = format!("\"{}\"", tag.replace("sha256:", "sha256-"));
        let weak = format!("W/{tag}");
        let several = format!("\"x\", {tag}");
        let range = ("range", "bytes=10-19");
        for (fields, status, length) in [
            (vec![range, ("if-range", &*tag)], 206, 10),
            // A weak tag is not good enough, nor is another one, nor a date.
            (vec![range, ("if-range", &*weak)], 200, size),
            (vec![range, ("if-range", "\"sha256-00\"")], 200, size),
            (
                vec![range, ("if-range", "Thu, 01 Jan 2026 00:00:00 GMT")],
                200,
                size,
            ),
            (
                vec![("range", "bytes=99999999999-"), ("if-range", "\"x\"")],
                200,
                size,
            ),
            (vec![("if-none-match", &*tag)], 304, 0),
            (vec![("if-none-match", &*weak)], 304, 0),
            (vec![("if-none-match", &*several)], 304, 0),
            (vec![("if-none-match", "*")], 304, 0),
            (vec![range, ("if-none-match", &*tag)], 304, 0),
            (vec![range, ("if-none-match", "\"x\"")], 206, 10),
            (vec![range, ("if-match", &*tag)], 206, 10),
            (vec![range, ("if-match", &*several)], 206, 10),
            (vec![range, ("if-match", "*")], 206, 10),
        ] {
            let reply = download(heavy, &fields).await;
            assert_eq!(reply.status, status, "{fields:?}");
            assert_eq!(reply.body.len(), length, "{fields:?}");
            assert_eq!(reply.header("etag"), tag);
        }
        for stale in ["\"x\"", &weak, "", "x"] {
            let reply = download(heavy, &[range, ("if-match", stale)]).await;
            let problem = reply.refused(412, "ERR_PRECONDITION_FAILED");
            assert!(problem["detail"].as_str().unwrap().contains(&tag));
        }
    });
}

#[test]
fn a_digest_follows_for_those_who_read_trailers() {
    run(async {
        let heavy = heavy().await;
        let caller = heavy.api.caller("acme");
        for te in ["trailers", "gzip;q=0.5, Trailers"] {
            let ask = Ask::get(heavy.path("/download"))
                .with("te", te)
                .with("connection", "te");
            let sent = caller.signed(ask).on_the_wire();
            let answer = exchange(caller.at, &sent).await.unwrap();
            assert_eq!(answer.head.status, 200);
            assert_eq!(answer.head.field("transfer-encoding"), Some("chunked"));
            assert_eq!(answer.head.field("trailer"), Some("content-digest"));
            assert!(answer.head.field("content-length").is_none());
            assert_eq!(
                answer.head.field("x-export-length"),
                Some(&*heavy.archive.len().to_string())
            );
            assert!(answer.body == heavy.archive);
            let digest = ("content-digest".to_owned(), digest_field(&answer.body));
            assert_eq!(answer.trailers, [digest]);
        }
        // A part, and an answer without a body, have a length instead.
        for ask in [
            Ask::get(heavy.path("/download")).with("range", "bytes=0-9"),
            Ask::head(heavy.path("/download")),
        ] {
            let sent = caller.signed(ask.with("te", "trailers")).on_the_wire();
            let answer = exchange(caller.at, &sent).await.unwrap();
            assert!(answer.head.field("content-length").is_some());
            assert!(answer.head.field("trailer").is_none());
        }
    });
}

#[test]
fn members_are_those_of_the_archive() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let submitted = caller.submit("small").await;
        api.finish(&submitted).await;
        let path = format!("/runs/{}", id(&submitted));
        let archive = caller.get(format!("{path}/download")).await.body;
        let members = members(&archive);
        assert!(members.len() > 10);
        for (name, bytes) in &members {
            let reply = caller.get(format!("{path}/files/{name}")).await;
            assert_eq!(reply.status, 200, "{name}");
            assert!(reply.body == *bytes, "{name}");
            let expected = match name.rsplit('.').next() {
                Some("json") => "application/json",
                Some("zst") => "application/zstd",
                _ => "application/octet-stream",
            };
            assert_eq!(reply.header("content-type"), expected, "{name}");
            let ask = Ask::get(format!("{path}/files/{name}")).with("range", "bytes=1-3");
            let part = caller.send(ask).await;
            assert_eq!(part.status, 206);
            assert!(part.body == bytes[1..4], "{name}");
        }
        for (route, name) in [
            ("manifest", "export.json"),
            ("manifest?format=sigstore", "export.json.sigstore.json"),
            ("provenance", "provenance.json"),
            (
                "provenance?format=sigstore",
                "provenance.json.sigstore.json",
            ),
        ] {
            let reply = caller.get(format!("{path}/{route}")).await;
            assert_eq!(reply.status, 200);
            assert!(reply.body == members[name], "{route}");
            assert_eq!(reply.header("content-type"), "application/json");
        }
        let manifest = caller.get(format!("{path}/manifest")).await;
        let digest = digest_field(members["export.json"]);
        assert_eq!(manifest.header("repr-digest"), digest);
        let reply = caller.get(format!("{path}/manifest?format=pgp")).await;
        let problem = reply.refused(422, "ERR_INVALID_REQUEST");
        assert_eq!(problem["errors"][0]["field"], "format");
        // Documents may be read without the right to payload bytes.
        let reader = api.caller_with("acme", &[export_authority::Scope::Read], 60);
        assert_eq!(reader.get(format!("{path}/manifest")).await.status, 200);
        let payload = reader.get(format!("{path}/files/export.json")).await;
        payload.refused(403, "ERR_SCOPE_MISSING");
    });
}

#[test]
fn paths_of_members_lead_nowhere_else() {
    run(async {
        let heavy = heavy().await;
        let caller = heavy.api.caller("acme");
        let long = "a/".repeat(4_000);
        for trick in [
            "..",
            "../..",
            "../../../../etc/passwd",
            "payload/../export.json",
            "./export.json",
            "%2e%2e/export.json",
            "%2e%2e%2f%2e%2e%2fstate.db",
            "payload%2fadvisory%2f..%2f..%2fexport.json",
            "..%5c..%5cstate.db",
            "/etc/passwd",
            "//etc/passwd",
            "%2Fetc%2Fpasswd",
            "C:%5Cwindows",
            "export.json%00",
            "export.json%00.txt",
            "%00",
            "export.json/",
            "export.json%20",
            "EXPORT.JSON",
            "%ff%fe",
            "%zz",
            "%",
            "payload",
            "payload/",
            "payload/nothing",
            "\\..\\export.json",
            &long,
            &"%2e%2e%2f".repeat(1_000),
            &"a".repeat(20_000),
        ] {
            let path = heavy.path(&format!("/files/{trick}"));
            let sent = caller.signed(Ask::get(path)).on_the_wire();
            let answer = exchange(caller.at, &sent).await.unwrap();
            let status = answer.head.status;
            assert!(
                [400, 401, 404, 414].contains(&status),
                "{trick}: {answer:?}"
            );
            if status == 404 {
                assert_eq!(answer.json()["error_code"], "ERR_NO_SUCH_RESOURCE");
            }
        }
        // Bytes that no path may have.
        for trick in [b"\x00".as_slice(), b"\xff", b" ", b"\x01"] {
            let mut sent = b"GET /api/export/runs/x/files/".to_vec();
            sent.extend(trick);
            sent.extend(b" HTTP/1.1\r\nhost: x\r\n\r\n");
            let mut wire = Wire::open(caller.at).await;
            wire.send(&sent).await;
            let status = wire.answer(false).await.unwrap().head.status;
            assert!((400..500).contains(&status), "{trick:?}: {status}");
        }
        // An escape that was not needed is the same path.
        let path = heavy.path("/files/export%2ejson");
        assert_eq!(caller.get(path).await.status, 200);
    });
}

#[test]
fn what_is_not_there_yet_or_any_more() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let submitted = caller.submit("small").await;
        let path = format!("/runs/{}", id(&submitted));
        let routes = ["download", "files/export.json", "manifest", "provenance"];
        for route in routes {
            let problem = caller
                .get(format!("{path}/{route}"))
                .await
                .refused(409, "ERR_NOT_READY");
            assert!(problem["detail"].as_str().unwrap().contains("pending"));
        }
        api.finish(&submitted).await;
        let member = "files/payload/advisory/part-00000.jsonl.zst";
        assert_eq!(caller.get(format!("{path}/{member}")).await.status, 200);

        // The time for which it is kept passes.
        let days = Duration::from_secs(31 * 86_400);
        api.world.clock.advance(days);
        tick(&api.world.observer).await.unwrap();
        api.worker.pump().await.unwrap();
        let caller = api.caller("acme");
        for route in ["download", member] {
            let problem = caller
                .get(format!("{path}/{route}"))
                .await
                .refused(410, "ERR_PRUNED");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("2026-12-02"), "{detail}");
            assert!(detail.contains("keeps bundles for 30 days"), "{detail}");
        }
        let shown = caller.get(&path).await.ok(200);
        assert!(shown["pruned"]["reason"].is_string(), "{shown:#}");
        // Who received it can still be told what was in it.
        for route in ["manifest", "provenance", "files/export.json.sig"] {
            assert_eq!(caller.get(format!("{path}/{route}")).await.status, 200);
        }
    });
}
