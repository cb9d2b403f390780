//! Events: every one, once, in order, whoever is asked and however often the line breaks.

use std::time::{Duration, Instant};

use export_api::http::ServiceConfig;
use export_model::{Event, EventBody};
use export_ports::{Row, Transaction, Write};
use export_scenarios::SMALL;
use serde_json::Value;
use tokio::net::TcpSocket;

use crate::support::stream::{Item, Stream};
use crate::support::{Api, Ask, id, run};

/// Events of `run` as a page.
async fn page(api: &Api, run: &str, query: &str) -> Value {
    let ask = Ask::get(format!("/runs/{run}/events?{query}")).with("accept", "application/json");
    api.caller("acme").send(ask).await.ok(200)
}

#[test]
fn a_run_that_has_ended_is_told_from_its_beginning_to_its_end() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let submitted = caller.submit("small").await;
        api.finish(&submitted).await;
        let run = id(&submitted);
        let mut stream = Stream::open(&caller, run, None).await.unwrap();
        let mut told = Vec::new();
        while let Some(item) = stream.next().await {
            let Item::Event { id, name, data } = item else {
                panic!("{item:?}");
            };
            assert_eq!(id, told.len() as u64 + 1);
            assert_eq!(data["seq"], id);
            assert_eq!(data["type"], name.as_str());
            assert_eq!(data["run"], run, "{data:#}");
            told.push((name, data));
        }
        assert!(told.len() > 20, "{told:#?}");
        for name in [
            "run.status",
            "adapter.start",
            "adapter.complete",
            "sign.complete",
            "distribute.complete",
        ] {
            assert!(told.iter().any(|(n, _)| n == name), "{name}");
        }
        let (name, last) = told.last().unwrap();
        assert_eq!(name, "run.status");
        assert_eq!(last["status"], "completed");

        // Whichever event was the last that was seen, the rest follows.
        let count = told.len() as u64;
        for seen in 0..count {
            let mut stream = Stream::open(&caller, run, Some(seen)).await.unwrap();
            let rest: Vec<u64> = (seen + 1..=count).collect();
            assert_eq!(stream.ids().await, rest);
        }
        // Nothing is left: do not come back (HTML Living Standard, 9.2.3).
        for seen in [count, count + 7, u64::MAX] {
            let head = Stream::open(&caller, run, Some(seen)).await.err().unwrap();
            assert_eq!(head.status, 204);
        }
        // The same as pages.
        let first = page(&api, run, "after=0").await;
        let events: Vec<_> = told.iter().map(|(_, data)| data.clone()).collect();
        assert_eq!(first["events"], Value::Array(events.clone()));
        assert_eq!(first["after"], count);
        assert_eq!(first["ended"], true);
        let rest = page(&api, run, &format!("after={}&wait=5", count - 2)).await;
        assert_eq!(
            rest["events"],
            Value::Array(events[events.len() - 2..].to_vec())
        );
        let begun = Instant::now();
        let nothing = page(&api, run, &format!("after={count}&wait=20")).await;
        assert_eq!(nothing["events"].as_array().unwrap().len(), 0);
        assert_eq!(nothing["ended"], true);
        assert!(begun.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn what_cannot_be_asked_for() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let submitted = caller.submit("small").await;
        let path = format!("/runs/{}/events", id(&submitted));
        for bad in ["x", "-1", "1.5", "", "99999999999999999999999", "1\t2"] {
            let ask = Ask::get(&path).with("last-event-id", bad);
            let problem = caller.send(ask).await.refused(422, "ERR_INVALID_REQUEST");
            assert_eq!(problem["errors"][0]["field"], "Last-Event-ID", "{bad}");
        }
        for (query, field) in [("wait=21", "wait"), ("after=-1", "after"), ("x=1", "x")] {
            let problem = caller
                .get(format!("{path}?{query}"))
                .await
                .refused(422, "ERR_INVALID_REQUEST");
            assert!(problem["errors"].to_string().contains(field), "{problem:#}");
        }
        let ask = Ask::get(&path).with("accept", "image/png");
        caller.send(ask).await.refused(406, "ERR_NOT_ACCEPTABLE");
    });
}

#[test]
fn a_page_waits_for_the_next_event() {
    run(async {
        let api = Api::new(&SMALL).await;
        let submitted = api.caller("acme").submit("small").await;
        let run = id(&submitted);
        let (waited, ()) = tokio::join!(page(&api, run, "after=1&wait=20"), async {
            tokio::task::yield_now().await;
            api.finish(&submitted).await;
        });
        let events = waited["events"].as_array().unwrap();
        assert_eq!(events[0]["seq"], 2, "{waited:#}");
        let empty = page(&api, run, "after=100000&wait=0").await;
        assert_eq!(empty["after"], 100_000);
    });
}

#[test]
fn two_replicas_in_turn_tell_a_run_in_progress_without_gap_or_repetition() {
    run(async {
        let api = Api::with(&SMALL, 2, ServiceConfig::default()).await;
        let caller = api.caller("acme");
        let submitted = caller.submit("small").await;
        let run = id(&submitted);
        let follow = async {
            let (mut seen, mut connections) = (Vec::new(), 0);
            loop {
                let caller = caller.on(api.at[connections % 2]);
                let last = seen.last().copied();
                connections += 1;
                let Ok(mut stream) = Stream::open(&caller, run, last).await else {
                    return (seen, connections);
                };
                // The line breaks after an event, or after two.
                for _ in 0..1 + connections % 2 {
                    match stream.next().await {
                        Some(Item::Event { id, .. }) => seen.push(id),
                        Some(Item::Comment(_)) => {}
                        None => break,
                    }
                }
            }
        };
        // Others who are never cut off, one at each replica.
        let whole = async |n: usize| {
            let caller = caller.on(api.at[n]);
            let mut stream = Stream::open(&caller, run, None).await.unwrap();
            stream.ids().await
        };
        let ((seen, connections), one, two, ()) =
            tokio::join!(follow, whole(0), whole(1), api.finish(&submitted));
        let all: Vec<u64> = (1..=seen.len() as u64).collect();
        assert!(seen.len() > 20 && connections > 10, "{seen:?}");
        assert_eq!((&seen, &one, &two), (&all, &all, &all));
        assert_eq!(page(&api, run, "").await["after"], seen.len() as u64);
    });
}

#[test]
fn a_run_that_waits_is_followed_with_signs_of_life() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let submitted = caller.submit("small").await;
        let mut stream = Stream::open(&caller, id(&submitted), None).await.unwrap();
        let first = stream.next().await.unwrap();
        assert!(matches!(first, Item::Event { id: 1, .. }), "{first:?}");
        let begun = Instant::now();
        let beat = stream.next().await.unwrap();
        assert!(matches!(beat, Item::Comment(_)), "{beat:?}");
        assert!(begun.elapsed() < Duration::from_secs(15));
        // And it goes on afterwards.
        api.finish(&submitted).await;
        let rest = stream.ids().await;
        assert_eq!(rest.first(), Some(&2));
    });
}

#[test]
fn a_stream_ends_with_its_token() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller_with("acme", &crate::support::SCOPES, 2);
        let submitted = caller.submit("small").await;
        let mut stream = Stream::open(&caller, id(&submitted), None).await.unwrap();
        let first = stream.next().await.unwrap();
        assert!(matches!(first, Item::Event { .. }));
        api.world.clock.advance(Duration::from_secs(3));
        let mut last = None;
        while let Some(item) = stream.next().await {
            last = Some(item);
        }
        let Some(Item::Comment(why)) = last else {
            panic!("{last:?}");
        };
        assert!(why.contains("expired"), "{why}");
        // A new token goes on where the stream was.
        let caller = api.caller("acme");
        let mut stream = Stream::open(&caller, id(&submitted), Some(1))
            .await
            .unwrap();
        let (ids, ()) = tokio::join!(stream.ids(), api.finish(&submitted));
        assert_eq!(ids.first(), Some(&2));
        // After the leeway the old one is refused.
        api.world.clock.advance(Duration::from_secs(61));
        let old = api.caller_with("acme", &crate::support::SCOPES, 1);
        api.world.clock.advance(Duration::from_secs(62));
        old.get("/runs").await.refused(401, "ERR_TOKEN_EXPIRED");
    });
}

#[test]
fn followers_that_do_not_read_hold_nothing_back() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let submitted = caller.submit("small").await;
        let run = id(&submitted);
        let mut asleep = Vec::new();
        for _ in 0..50 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4_096).unwrap();
            let mut stream = socket.connect(api.at[0]).await.unwrap();
            let ask = caller.signed(Ask::get(format!("/runs/{run}/events")));
            tokio::io::AsyncWriteExt::write_all(&mut stream, &ask.on_the_wire())
                .await
                .unwrap();
            asleep.push(stream);
        }
        let reader = async {
            let mut stream = Stream::open(&caller, run, None).await.unwrap();
            stream.ids().await
        };
        // More than the buffers of fifty connections hold.
        let many = async {
            let key = api.key_of(&submitted);
            for _ in 0..10 {
                let mut run = api.world.run(&key).await.unwrap();
                let mut transaction = Transaction::new(&key.tenant);
                for _ in 0..1_000 {
                    run.last_seq += 1;
                    transaction = transaction.and(Write::Event(Event {
                        run: key.clone(),
                        seq: run.last_seq,
                        at: api.now(),
                        body: EventBody::AdapterChunk {
                            part: 0,
                            records: 1,
                            bytes: 1,
                        },
                    }));
                }
                let transaction = transaction.put(Row::Run(run));
                api.world.observer.state.commit(transaction).await.unwrap();
            }
            api.finish(&submitted).await;
        };
        let begun = Instant::now();
        let (ids, ()) = tokio::join!(reader, many);
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert!(ids.len() > 10_020, "{}", ids.len());
        assert!(ids.iter().copied().eq(1..=ids.len() as u64));
        drop(asleep);
        // Whoever went away is not followed any more.
        caller.get("/runs").await.ok(200);
    });
}

#[test]
fn who_claims_to_have_seen_the_future_deceives_nobody_else() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let submitted = caller.submit("small").await;
        let run = id(&submitted);
        // The first to follow a run that goes on, from behind anything that will ever be.
        let _liar = Stream::open(&caller, run, Some(u64::MAX)).await.unwrap();
        let mut honest = Stream::open(&caller, run, None).await.unwrap();
        let Some(Item::Event { id: 1, .. }) = honest.next().await else {
            panic!("the first event is missing");
        };
        api.finish(&submitted).await;
        // As it happens: not only when the next heartbeat makes the stream look again.
        let mut ids = Vec::new();
        while let Some(item) = honest.next().await {
            match item {
                Item::Event { id, .. } => ids.push(id),
                Item::Comment(text) => panic!("{text} after {ids:?}"),
            }
        }
        let all: Vec<u64> = (2..=ids.len() as u64 + 1).collect();
        assert_eq!(ids, all);
        assert!(ids.len() > 20);
    });
}
