//! That the questions are answered by indexes: what the ports really send, explained by the server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use export_model::{
    MarkKey, Recurrence, RunOptions, RunStatus, Schedule, Selectors, Timestamp, Work, WorkId,
};
use export_mongo::MongoState;
use export_ports::{Row, RunFilter, State, Transaction};
use mongodb::bson::{Bson, Document, doc};
use mongodb::event::EventHandler;
use mongodb::event::command::CommandEvent;
use mongodb::options::ClientOptions;

use crate::server::{Now, on_server, run_key, tenant};

const LATE: Timestamp = Timestamp(1_900_000_000_000);

/// Every query that the port's reads send.
async fn ask(store: &dyn State) {
    let (owner, run) = (tenant("acme"), run_key("acme", 1));
    store.profile(&owner, "nightly", None).await.unwrap();
    store.profile(&owner, "nightly", Some(1)).await.unwrap();
    store.profiles(&owner).await.unwrap();
    store.run(&run).await.unwrap();
    for filter in [
        RunFilter::default(),
        RunFilter {
            profile: Some("nightly".to_owned()),
            submitted_from: Some(Timestamp(0)),
            ..RunFilter::default()
        },
        RunFilter {
            statuses: vec![RunStatus::Pending],
            admitted: Some(false),
            oldest_first: true,
            ..RunFilter::default()
        },
    ] {
        store.runs(&owner, &filter, None, 10).await.unwrap();
    }
    store.parts(&run, 7, 10).await.unwrap();
    store.distributions(&run).await.unwrap();
    store.events(&run, 7, 10, Duration::ZERO).await.unwrap();
    let plan = WorkId::Plan {
        run: run.run.clone(),
    };
    store.work(&owner, &plan).await.unwrap();
    store.work_of_run(&run).await.unwrap();
    store.due_or_leased(LATE, 10).await.unwrap();
    store.expired_runs(LATE, 10).await.unwrap();
    let key = MarkKey::Idempotency { key: "k".into() };
    store.mark(&owner, &key).await.unwrap();
    store.expire(Timestamp(0)).await.unwrap();
    store.schedules(&owner, None, 10).await.unwrap();
    store.due_schedules(LATE, 10).await.unwrap();
    store.slots(&owner).await.unwrap();
}

/// The words of a plan: the stages, and the indexes that they use.
fn stages(plan: &Bson, found: &mut Vec<String>) {
    match plan {
        Bson::Document(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("stage" | "indexName", Bson::String(text)) => found.push(text.clone()),
                    ("rejectedPlans", _) => {}
                    _ => stages(value, found),
                }
            }
        }
        Bson::Array(list) => {
            for one in list {
                stages(one, found);
            }
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_use_indexes() {
    on_server("plans of queries", async |server| {
        let database = server.fresh().await;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut options = ClientOptions::parse(&server.uri).await.unwrap();
        let seen = Arc::clone(&asked);
        options.command_event_handler = Some(EventHandler::callback(move |event| {
            if let CommandEvent::Started(started) = event
                && matches!(started.command_name.as_str(), "find" | "aggregate")
            {
                seen.lock().unwrap().push(started.command);
            }
        }));
        let client = mongodb::Client::with_options(options).unwrap();
        let store = MongoState::new(client.database(database.name()), Arc::new(Now));
        for number in 0..20 {
            let run = run_key("acme", number);
            let id = WorkId::Plan {
                run: run.run.clone(),
            };
            let schedule = Schedule {
                tenant: run.tenant.clone(),
                id: run.run.clone().into(),
                name: "every hour".to_owned(),
                description: String::new(),
                profile: "nightly".to_owned(),
                selectors: Selectors::default(),
                options: RunOptions::default(),
                when: Recurrence::Rate { seconds: 3_600 },
                enabled: true,
                created_by: "someone".to_owned(),
                created_at: LATE,
                next_at: LATE,
                last_run: None,
                last_error: None,
                rev: 0,
            };
            let rows = Transaction::new(&run.tenant)
                .put(Row::Work(Work::new(&run.tenant, id, LATE)))
                .put(Row::Schedule(schedule));
            store.commit(rows).await.unwrap();
        }
        asked.lock().unwrap().clear();
        ask(&store).await;
        let asked = std::mem::take(&mut *asked.lock().unwrap());
        assert!(asked.len() >= 19, "{}", asked.len());
        for command in asked {
            let name = command.keys().next().unwrap().clone();
            let what = ["filter", "sort", "pipeline"].map(|member| command.get(member).cloned());
            let what = format!("{name} {}: {what:?}", command.get_str(&name).unwrap());
            let mut plain: Document = ["find", "aggregate", "filter", "sort", "limit"]
                .into_iter()
                .chain(["pipeline", "projection"])
                .filter_map(|name| Some((name.to_owned(), command.get(name)?.clone())))
                .collect();
            if name == "aggregate" {
                plain.insert("cursor", doc! {});
            }
            let explain = doc! { "explain": plain, "verbosity": "queryPlanner" };
            let plan = match database.run_command(explain).await {
                Ok(plan) => plan,
                Err(error) => {
                    println!("skipped: the plan of {what}: {error}");
                    continue;
                }
            };
            let mut found = Vec::new();
            stages(&Bson::Document(plan), &mut found);
            println!("{what}: {found:?}");
            assert!(!found.is_empty(), "{what}");
            assert!(
                !found.iter().any(|stage| stage == "COLLSCAN"),
                "{what}: {found:?}"
            );
        }
    })
    .await;
}
