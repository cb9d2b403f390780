//! The part of the state port's suite that is about schedules.

use export_model::ScheduleId;

use super::rows::schedule;
use super::state::put;
use super::{assert_kind, at, tenant};
use crate::{PortErrorKind, Row, State, Transaction, Write};

/// The number in an id of the suite.
fn number(id: &ScheduleId) -> u32 {
    let text = id.as_str();
    text[text.len() - 12..].parse().unwrap()
}

pub(super) async fn schedules_are_listed(store: &dyn State) {
    let (acme, globex) = (tenant("acme"), tenant("globex"));
    for id in [3, 1, 2] {
        put(store, &acme, Row::Schedule(schedule(&acme, id, at(5)))).await;
    }
    put(store, &globex, Row::Schedule(schedule(&globex, 4, at(5)))).await;
    let list = async |after: Option<u32>, limit| {
        let after = after.map(|id| schedule(&acme, id, at(5)).id);
        let found = store.schedules(&acme, after.as_ref(), limit).await;
        let found = found.unwrap().into_iter().map(|row| number(&row.id));
        found.collect::<Vec<_>>()
    };
    assert_eq!(list(None, 10).await, [1, 2, 3]);
    assert_eq!(list(None, 2).await, [1, 2]);
    assert_eq!(list(Some(2), 10).await, [3]);
    assert_eq!(list(Some(3), 10).await, [0; 0]);
}

pub(super) async fn due_schedules_are_listed(store: &dyn State) {
    let (acme, globex) = (tenant("acme"), tenant("globex"));
    for (owner, id, seconds) in [(&acme, 1, 30), (&globex, 2, 10), (&acme, 3, 20)] {
        put(
            store,
            owner,
            Row::Schedule(schedule(owner, id, at(seconds))),
        )
        .await;
    }
    let mut off = schedule(&acme, 4, at(1));
    off.enabled = false;
    put(store, &acme, Row::Schedule(off)).await;
    let due = async |now, limit| {
        let found = store.due_schedules(at(now), limit).await.unwrap();
        let found = found.into_iter().map(|row| number(&row.id));
        found.collect::<Vec<_>>()
    };
    assert_eq!(due(9, 10).await, [0; 0]);
    assert_eq!(due(20, 10).await, [2, 3]);
    assert_eq!(due(90, 10).await, [2, 3, 1], "earliest first");
    assert_eq!(due(90, 1).await, [2]);
    // What is due follows the row.
    let mut next = schedule(&globex, 2, at(100));
    next.rev = 1;
    put(store, &globex, Row::Schedule(next)).await;
    assert_eq!(due(90, 10).await, [3, 1]);
}

pub(super) async fn schedules_are_dropped(store: &dyn State) {
    let (acme, globex) = (tenant("acme"), tenant("globex"));
    let row = schedule(&acme, 1, at(5));
    put(store, &acme, Row::Schedule(row.clone())).await;
    let drop = |owner| Transaction::new(owner).and(Write::DropSchedule(row.id.clone()));
    assert_kind(
        store.commit(drop(&globex)).await,
        PortErrorKind::Conflict,
        "another tenant's schedule",
    );
    store.commit(drop(&acme)).await.unwrap();
    assert_eq!(store.schedule(&acme, &row.id).await.unwrap(), None);
    assert_kind(
        store.commit(drop(&acme)).await,
        PortErrorKind::Conflict,
        "a schedule that is not there",
    );
}
