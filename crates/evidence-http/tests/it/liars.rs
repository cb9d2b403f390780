//! Servers that do not keep to the contract: what they say is never taken for a ledger's.

use std::time::{Duration, Instant};

use export_evidence_http::{ClientSettings, HttpLedger};
use export_model::{Position, Sha256Digest};
use export_ports::{
    Evidence as _, PageBudget, PolicyEngine as _, PortError, PortErrorKind, RecordPage,
};

use crate::support::script::{Answer, Script};
use crate::support::{World, client, everything, settings, tenant};

fn impatient(url: &str) -> HttpLedger {
    let settings = ClientSettings {
        idle: Duration::from_millis(300),
        patience: Duration::from_millis(600),
        ..settings(url)
    };
    client(&settings, World::new().tokens())
}

fn position(id: &str) -> Position {
    Position {
        subject_key: "s".to_owned(),
        id: id.to_owned(),
    }
}

/// A record line with its record.
fn record(id: &str, body: &str) -> String {
    let digest = Sha256Digest::of(body.as_bytes());
    announced(id, body.len(), &digest.to_string()) + body + "\n"
}

fn announced(id: &str, size: usize, digest: &str) -> String {
    format!(
        "{{\"subject_key\":\"s\",\"id\":\"{id}\",\"record_sha256\":\"{digest}\",\"size\":{size},\
         \"admitted\":true}}\n"
    )
}

fn index_line(id: &str) -> String {
    let digest = Sha256Digest::of(b"x");
    format!(
        "{{\"subject_key\":\"s\",\"id\":\"{id}\",\"record_sha256\":\"{digest}\",\"size\":1,\
         \"vendor\":\"v\",\"stream\":\"s\"}}\n"
    )
}

async fn read(url: &str, budget: PageBudget) -> Result<RecordPage, PortError> {
    let spare = RecordPage::default();
    let (first, last) = (position("b"), position("y"));
    let ledger = impatient(url);
    ledger
        .records(&everything(), &first, &last, None, budget, spare)
        .await
}

const BUDGET: PageBudget = PageBudget {
    records: 2,
    bytes: 100,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_checked() {
    let end = "{\"end\":true}\n";
    let good = record("c", "{}");
    let wrong = Sha256Digest::of(b"other").to_string();
    for (what, page) in [
        ("another digest", announced("c", 2, &wrong) + "{}\n" + end),
        ("a shorter record", announced("c", 3, &wrong) + "{}\n" + end),
        ("a longer record", announced("c", 2, &wrong) + "{ }\n" + end),
        ("too large a record", announced("c", 65 << 20, &wrong)),
        ("a record twice", good.clone() + &good + end),
        ("another order", record("d", "{}") + &good + end),
        ("before the first", record("a", "{}") + end),
        ("after the last", record("z", "{}") + end),
        ("no JSON", "nothing\n".to_owned()),
        ("another end", good.clone() + "{\"end\":false}\n"),
        ("no progress", "{\"next\":\"WyJzIiwiYyJd\"}\n".to_owned()),
        ("a very long line", "x".repeat(2 << 20)),
        (
            "more than was asked for",
            good.clone() + &record("d", "{}") + &record("e", "{}") + end,
        ),
        (
            "more bytes than were asked for",
            good.clone() + &record("d", &"x".repeat(99)) + end,
        ),
    ] {
        let server = Script::new(vec![Answer::page(page)]).await;
        let error = read(&server.url, BUDGET).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Damaged, "{what}: {error}");
        assert!(error.to_string().contains(&server.url), "{what}: {error}");
        assert_eq!(server.asked(), 1, "{what}");
    }
    // And what is right is taken, whatever else a line says.
    let good = good.replace("{\"subject_key\"", "{\"more\":[1],\"subject_key\"");
    let server = Script::new(vec![Answer::page(good + end)]).await;
    let page = read(&server.url, BUDGET).await.unwrap();
    assert_eq!(page.bytes, b"{}");
    assert!(!page.records[0].admitted, "nobody said that it is trusted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn picked_records_are_checked() {
    let end = "{\"end\":true}\n";
    let (c, d, e) = (record("c", "{}"), record("d", "{}"), record("e", "{}"));
    let wrong = Sha256Digest::of(b"other").to_string();
    let wanted = [position("c"), position("e"), position("y")];
    let pick = async |url: &str| {
        let spare = RecordPage::default();
        let ledger = impatient(url);
        ledger.pick(&everything(), &wanted, BUDGET, spare).await
    };
    for (what, page) in [
        ("one that was not asked for", d + end),
        ("another digest", announced("c", 2, &wrong) + "{}\n" + end),
        ("another order", e.clone() + &c + end),
        ("after the last", record("z", "{}") + end),
        ("no progress", "{\"next\":\"WyJzIiwiYyJd\"}\n".to_owned()),
        (
            "more than was asked for",
            c.clone() + &e + &record("y", "{}") + end,
        ),
    ] {
        let server = Script::new(vec![Answer::page(page)]).await;
        let error = pick(&server.url).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Damaged, "{what}: {error}");
        assert_eq!(server.asked(), 1, "{what}");
    }
    let server = Script::new(vec![Answer::page(c + &e + end)]).await;
    assert_eq!(pick(&server.url).await.unwrap().bytes, b"{}{}");
    // Refusals that pass are endured, and one by one is then not needed.
    let busy = Answer::refusal("503 Service Unavailable", "ERR_STORAGE");
    let server = Script::new(vec![busy, Answer::page(end)]).await;
    assert!(pick(&server.url).await.unwrap().records.is_empty());
    assert_eq!(server.asked(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn index_lines_are_checked() {
    let end = "{\"end\":true}\n";
    let two = index_line("c") + &index_line("d");
    for (what, page) in [
        ("another order", index_line("d") + &index_line("c") + end),
        ("at the position", index_line("b") + end),
        ("a line twice", index_line("c") + &index_line("c") + end),
        (
            "more than was asked for",
            two.clone() + &index_line("e") + end,
        ),
        ("no progress", "{\"next\":\"WyJzIiwiYyJd\"}\n".to_owned()),
    ] {
        let server = Script::new(vec![Answer::page(page)]).await;
        let after = position("b");
        let read = impatient(&server.url);
        let error = read
            .index(&everything(), Some(&after), 2)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Damaged, "{what}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_without_its_last_line_is_not_the_end() {
    // Nothing but silence, however politely it ends.
    let server = Script::new(vec![Answer::page("")]).await;
    let error = read(&server.url, BUDGET).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("last line"), "{error}");
    assert!(server.asked() > 1, "it was asked again");
    let error = impatient(&server.url)
        .index(&everything(), None, 10)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
    // Lines that came are kept, and the rest is asked for.
    let server = Script::new(vec![
        Answer::page(index_line("c")),
        Answer::page(index_line("d") + "{\"end\":true}\n"),
    ])
    .await;
    let lines = impatient(&server.url).index(&everything(), None, 10).await;
    assert_eq!(lines.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_given_up() {
    let stalled = Answer {
        stalls: true,
        ..Answer::page(announced("c", 2, &Sha256Digest::of(b"{}").to_string()))
    };
    let server = Script::new(vec![stalled]).await;
    let begun = Instant::now();
    let error = read(&server.url, BUDGET).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("in time"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    // Nobody there at all.
    let error = read("http://127.0.0.1:1", BUDGET).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_told_apart() {
    let acme = tenant("acme");
    let busy = Answer::refusal("503 Service Unavailable", "ERR_STORAGE");
    let patient = Answer {
        headers: "retry-after: 0\r\n".to_owned(),
        ..Answer::refusal("429 Too Many Requests", "ERR_QUOTA_REQUESTS")
    };
    let good = Answer::page("{\"watermark\":7}");
    let server = Script::new(vec![busy.clone(), patient, good]).await;
    let found = impatient(&server.url).watermark(&acme).await.unwrap();
    assert_eq!((found, server.asked()), (7, 3));
    // One that asks for more time than there is.
    let later = Answer {
        headers: "retry-after: 3600\r\n".to_owned(),
        ..busy
    };
    for (answer, kind, asked) in [
        (later, PortErrorKind::Unavailable, 1),
        (
            Answer::refusal("403 Forbidden", "ERR_CROSS_TENANT"),
            PortErrorKind::Invalid,
            1,
        ),
        (
            Answer::refusal("404 Not Found", "ERR_NO_SUCH_RESOURCE"),
            PortErrorKind::Invalid,
            1,
        ),
        (Answer::page("{}x"), PortErrorKind::Damaged, 1),
        (
            Answer::page("{\"watermark\":null}"),
            PortErrorKind::Damaged,
            1,
        ),
    ] {
        let server = Script::new(vec![answer]).await;
        let error = impatient(&server.url).watermark(&acme).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(server.asked(), asked, "{error}");
    }
    let unknown = Answer::refusal("404 Not Found", "ERR_UNKNOWN_SNAPSHOT");
    let server = Script::new(vec![unknown]).await;
    let error = impatient(&server.url).freeze(&acme, "p").await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::NotFound, "{error}");
}

#[test]
fn a_url_has_to_be_safe() {
    for (url, named) in [
        ("http://ledger.example", "https"),
        ("https://user:s3cret@ledger.example", "URL"),
        ("ledger", "URL"),
    ] {
        let tokens = World::new().tokens();
        let clock = std::sync::Arc::new(export_host::SystemClock);
        let ids = crate::support::ids();
        let refused = HttpLedger::new(&ClientSettings::new(url), tokens, clock, ids);
        let why = refused.err().unwrap().to_string();
        assert!(why.contains(named) && !why.contains("s3cret"), "{why}");
    }
}
