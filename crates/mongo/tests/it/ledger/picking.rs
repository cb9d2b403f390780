//! Records at positions that are named, and how many queries that takes.

use std::sync::{Arc, Mutex};

use export_model::{Criteria, Facets, Kind, Position, ProductPattern, Timestamp};
use export_mongo::MongoLedger;
use export_ports::{Evidence as _, LedgerWriter as _, PageBudget, RecordPage, Scan};
use mongodb::Client;
use mongodb::event::EventHandler;
use mongodb::event::command::CommandEvent;
use mongodb::options::ClientOptions;

use super::{Server, record, scan};

const UNBOUNDED: PageBudget = PageBudget {
    records: usize::MAX,
    bytes: usize::MAX,
};

/// A command and the collection that it reads.
type Commands = Arc<Mutex<Vec<String>>>;

/// The ledger of a database, and the commands that it sends.
async fn observed(server: &Server, number: usize) -> (MongoLedger, Commands) {
    let mut options = ClientOptions::parse(std::env::var("MONGODB_URI").unwrap())
        .await
        .unwrap();
    let commands = Commands::default();
    let seen = Arc::clone(&commands);
    options.command_event_handler = Some(EventHandler::callback(move |event| {
        if let CommandEvent::Started(started) = event {
            let of = started.command.get_str(&started.command_name);
            let of = of.or_else(|_| started.command.get_str("collection"));
            let command = format!("{} {}", started.command_name, of.unwrap_or_default());
            seen.lock().unwrap().push(command);
        }
    }));
    let client = Client::with_options(options).unwrap();
    let name = server.made.lock().unwrap()[number].name().to_owned();
    (MongoLedger::new(client.database(&name)), commands)
}

async fn pick(
    ledger: &MongoLedger,
    scan: &Scan,
    positions: &[Position],
    budget: PageBudget,
) -> Vec<String> {
    let picked = ledger.pick(scan, positions, budget, RecordPage::default());
    let page = picked.await.unwrap();
    page.records.into_iter().map(|record| record.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_a_few_queries() {
    let Some(server) = Server::given("queries of picking").await else {
        return;
    };
    let ledger = server.fresh().await;
    let list: Vec<_> = (0..3_000)
        .map(|n| record(Kind::Vex, &format!("s{:04}", n / 3), &format!("{n:04}"), 64))
        .collect();
    for some in list.chunks(1_000) {
        ledger.append(some.to_vec(), Timestamp(1)).await.unwrap();
    }
    let scan = scan(&ledger, Kind::Vex).await;
    let wanted: Vec<_> = list.iter().step_by(2).map(|r| r.position.clone()).collect();
    let expected: Vec<_> = wanted.iter().map(|place| place.id.clone()).collect();
    let (ledger, commands) = observed(&server, 0).await;
    let sent = |of: &str| {
        let commands = commands.lock().unwrap();
        commands.iter().filter(|one| one.contains(of)).count()
    };
    assert_eq!(pick(&ledger, &scan, &wanted, UNBOUNDED).await, expected);
    // 64, 128, 256, then 500 at most: 1,500 are six queries; and bodies are read by the thousand.
    assert_eq!(sent("find ledger_entries"), 6);
    assert_eq!(sent("find ledger_bodies"), 2);
    // What a page has no room for is not asked for, beyond what its first query gives.
    commands.lock().unwrap().clear();
    let small = PageBudget {
        records: 40,
        bytes: 10 * 64,
    };
    assert_eq!(pick(&ledger, &scan, &wanted, small).await, expected[..10]);
    assert_eq!(sent("find ledger_entries"), 1);
    assert_eq!(sent("find ledger_bodies"), 1);
    assert_eq!(sent("getMore"), 0);
    server.clean().await;
}

/// What lies apart, bodies and facets, is picked as all else is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lies_apart_is_picked() {
    let Some(server) = Server::given("picking what is a file").await else {
        return;
    };
    let ledger = server.fresh().await;
    let with = |id: &str, count: usize, name: &str, bytes: usize| {
        let mut one = record(Kind::Sbom, "s", id, bytes);
        one.facets = Facets {
            products: (0..count)
                .map(|n| format!("pkg:npm/{name}-{n:060}@1"))
                .collect(),
            ..Facets::default()
        };
        one
    };
    let list = vec![
        with("1-small-x", 3, "x", 9 << 20),
        with("2-large-x", 20_000, "x", 50),
        with("3-large-y", 20_000, "y", 50),
        with("4-small-y", 3, "y", 50),
    ];
    for one in &list {
        ledger
            .append(vec![one.clone()], Timestamp(1))
            .await
            .unwrap();
    }
    let mut scan = scan(&ledger, Kind::Sbom).await;
    let wanted: Vec<_> = list.iter().map(|r| r.position.clone()).collect();
    let picked = ledger.pick(&scan, &wanted, UNBOUNDED, RecordPage::default());
    let all: Vec<u8> = list.iter().flat_map(|r| r.canonical.clone()).collect();
    assert!(picked.await.unwrap().bytes == all);
    scan.selectors.base = Criteria {
        products: Some(vec![ProductPattern::Prefix("pkg:npm/x-".to_owned())]),
        ..Criteria::default()
    };
    let found = pick(&ledger, &scan, &wanted, UNBOUNDED).await;
    assert_eq!(found, ["1-small-x", "2-large-x"]);
    scan.selectors.exclude = vec![std::mem::take(&mut scan.selectors.base)];
    let found = pick(&ledger, &scan, &wanted, UNBOUNDED).await;
    assert_eq!(found, ["3-large-y", "4-small-y"]);
    // What is too large for a filter is decided here.
    let mut values: Vec<_> = (0..1_200).map(|n| format!("{n:04000}")).collect();
    values.push("CVE-1".to_owned());
    scan.selectors.base.identifiers = Some(values);
    let found = pick(&ledger, &scan, &wanted, UNBOUNDED).await;
    assert_eq!(found, [""; 0]);
    server.clean().await;
}
