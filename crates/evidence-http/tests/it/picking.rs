//! Records at positions that are named: in few requests, from ledgers that know how, and from others.

use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use export_evidence_http::HttpLedger;
use export_model::{AdmittedRecord, Criteria, Position};
use export_ports::{Evidence as _, PageBudget, RecordPage, Scan};
use tokio::net::TcpListener;

use crate::support::raw::ask;
use crate::support::{Served, World, client, everything, settings};

/// What a ledger was asked, by the last part of the path.
type Asked = Arc<Mutex<Vec<String>>>;

/// Serves `world` and counts what it is asked; what is about `pick` is answered with `refusal`, as by a
/// ledger that was made before there was such a thing.
async fn serve(world: &World, refusal: Option<StatusCode>) -> (Served, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let served = world.serve_as(listener, None, world.home.ledger(), |router| {
        router.layer(from_fn(move |request: Request, next: Next| {
            let what = request.uri().path().rsplit('/').next().unwrap().to_owned();
            seen.lock().unwrap().push(what.clone());
            async move {
                match refusal {
                    Some(status) if what == "pick" => status.into_response(),
                    _ => next.run(request).await,
                }
            }
        }))
    });
    (served, asked)
}

const BUDGET: PageBudget = PageBudget {
    records: 4_096,
    bytes: 1 << 20,
};

/// Picks page by page until nothing comes.
async fn pick_all(
    ledger: &HttpLedger,
    scan: &Scan,
    positions: &[Position],
    budget: PageBudget,
) -> Vec<Vec<u8>> {
    let (mut found, mut rest) = (Vec::new(), positions);
    let mut page = RecordPage::default();
    while !rest.is_empty() {
        page = ledger.pick(scan, rest, budget, page).await.unwrap();
        let Some(last) = page.last() else { break };
        found.extend(
            page.records
                .iter()
                .map(|r| page.bytes[r.bytes.clone()].to_vec()),
        );
        rest = &rest[rest.partition_point(|at| *at <= last)..];
    }
    found
}

fn bytes<'a>(records: impl Iterator<Item = &'a AdmittedRecord>) -> Vec<Vec<u8>> {
    records.map(|record| record.canonical.clone()).collect()
}

fn positions(records: &[AdmittedRecord]) -> Vec<Position> {
    records.iter().map(|r| r.position.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_records_are_a_few_requests() {
    let world = World::new();
    let records = world.fill(3_000).await;
    let wanted = positions(&records);
    let (served, asked) = serve(&world, None).await;
    let ledger = client(&settings(&served.url), world.tokens());
    let found = pick_all(&ledger, &everything(), &wanted, BUDGET).await;
    assert!(found == bytes(records.iter()));
    // One position for each KiB that a page may have.
    assert_eq!(*asked.lock().unwrap(), ["pick"; 3]);

    // However small the pages are, and where most of the positions have no record that is selected.
    asked.lock().unwrap().clear();
    let mut scan = everything();
    scan.selectors.exclude = vec![Criteria {
        sources: Some(vec![("vendor".to_owned(), None)]),
        ..Criteria::default()
    }];
    let found = pick_all(&ledger, &scan, &wanted, BUDGET).await;
    assert_eq!(found, [b""; 0]);
    assert_eq!(*asked.lock().unwrap(), ["pick"; 3]);
    let one = PageBudget {
        records: 1,
        bytes: 1,
    };
    asked.lock().unwrap().clear();
    let found = pick_all(&ledger, &everything(), &wanted[..70], one).await;
    assert!(found == bytes(records[..70].iter()));
    assert_eq!(*asked.lock().unwrap(), ["pick"; 70]);
    // Nothing is asked about nothing.
    asked.lock().unwrap().clear();
    let page = ledger
        .pick(&scan, &[], BUDGET, RecordPage::default())
        .await
        .unwrap();
    assert_eq!(page, RecordPage::default());
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_does_not_know_is_asked_one_by_one() {
    let world = World::new();
    let records = world.fill(30).await;
    let wanted = positions(&records);
    for status in [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED] {
        let (served, asked) = serve(&world, Some(status)).await;
        let ledger = client(&settings(&served.url), world.tokens());
        let found = pick_all(&ledger, &everything(), &wanted, BUDGET).await;
        assert!(found == bytes(records.iter()), "{status}");
        let asked = asked.lock().unwrap();
        assert_eq!(asked[0], "pick", "{status}");
        assert_eq!(asked[1..], ["records"; 30], "{status}");
    }
    // Whatever else is refused is no reason to.
    let (served, asked) = serve(&world, Some(StatusCode::FORBIDDEN)).await;
    let ledger = client(&settings(&served.url), world.tokens());
    let refused = ledger
        .pick(&everything(), &wanted, BUDGET, RecordPage::default())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("403"), "{refused}");
    assert_eq!(*asked.lock().unwrap(), ["pick"]);
}

fn cursor(position: &Position) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&(&position.subject_key, &position.id)).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_list_of_positions_is_refused() {
    const FORM: &str = "application/x-www-form-urlencoded";
    let world = World::new();
    let records = world.fill(3).await;
    let served = world.serve(None).await;
    let at: Vec<_> = records.iter().map(|r| cursor(&r.position)).collect();
    let [a, b, c] = [&at[0], &at[1], &at[2]].map(|at| format!("&at={at}"));
    let scan = "tenant=acme&watermark=3";
    let many: String = (0..10_001)
        .map(|n| {
            let place = Position {
                subject_key: "s".to_owned(),
                id: format!("{n:05}"),
            };
            format!("&at={}", cursor(&place))
        })
        .collect();
    let most: String = many.rsplit_once('&').unwrap().0.to_owned();
    let request = ("POST", "/evidence/v1/vex/pick");
    let head = |media_type: &str, length: usize| {
        format!("content-type: {media_type}\r\ncontent-length: {length}\r\n")
    };
    for (what, media_type, form, status, named) in [
        ("good", FORM, format!("{scan}{a}{c}"), 200, "id-0002"),
        ("many", FORM, format!("{scan}{most}"), 200, "\"end\":true"),
        ("none", FORM, scan.to_owned(), 422, "\"at\""),
        (
            "no cursor",
            FORM,
            format!("{scan}{a}&at=x"),
            422,
            "number 2 is no cursor",
        ),
        (
            "another order",
            FORM,
            format!("{scan}{a}{c}{b}"),
            422,
            "number 3",
        ),
        ("one twice", FORM, format!("{scan}{a}{a}"), 422, "number 2"),
        ("too many", FORM, format!("{scan}{many}"), 422, "10000"),
        (
            "no size",
            FORM,
            format!("{scan}{a}&max_records=0"),
            422,
            "max_records",
        ),
        (
            "of another read",
            FORM,
            format!("{scan}{a}&first={}", at[0]),
            422,
            "first",
        ),
        (
            "another tenant",
            FORM,
            format!("tenant=globex&watermark=3{a}"),
            403,
            "ERR_CROSS_TENANT",
        ),
        (
            "another type",
            "application/json",
            "{}".to_owned(),
            415,
            "error_code",
        ),
    ] {
        let head = head(media_type, form.len());
        let (found, answer) = ask(&world, &served, request, &head, &form).await;
        assert_eq!(found, status, "{what}: {answer}");
        assert!(answer.contains(named), "{what}: {answer}");
        assert_eq!(
            answer.contains("error_code"),
            status != 200,
            "{what}: {answer}"
        );
    }
    // Too large a body is refused before it comes.
    let head = head(FORM, (8 << 20) + 1);
    let (found, answer) = ask(&world, &served, request, &head, "").await;
    assert!(found == 413 && answer.contains("error_code"), "{answer}");
    let target = format!("/evidence/v1/vax/pick?{scan}{a}");
    let (found, _) = ask(&world, &served, ("GET", &target), "", "").await;
    assert_eq!(found, 404);
}
