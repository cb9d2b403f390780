//! The queues in one SQLite file: a table with visibility times.
//!
//! A receipt is the message's number and how often it was received, so that a later delivery makes
//! an earlier one's receipt stale by itself. Receivers in this process are woken by a send; what
//! other processes send is found by looking ten times a second. The future of a `receive` may be
//! dropped: what it had taken is visible to others again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use export_model::{Phase, Timestamp};
use export_ports::{
    Clock, DeadLetter, Delivery, MAX_RECEIVES, PortError, PortErrorKind, Queue, QueueStats,
};
use rusqlite::{OptionalExtension as _, Transaction, params};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::store::{Schema, Store};

/// The reasons of dead letters that are no messages at all.
const NO_MESSAGE: &str = "it is no message%";

/// How often messages are looked for that another process sent.
const POLL: Duration = Duration::from_millis(100);

const QUEUE: Schema = Schema {
    what: "queue",
    application_id: 0x4558_4351, // "EXCQ"
    migrations: &[
        "
CREATE TABLE messages(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    phase TEXT NOT NULL,
    body TEXT NOT NULL,
    visible_at INTEGER NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX messages_by_time ON messages(phase, visible_at, id);
CREATE TABLE dead_letters(
    id INTEGER PRIMARY KEY,
    phase TEXT NOT NULL,
    body TEXT NOT NULL,
    receives INTEGER NOT NULL,
    died_at INTEGER NOT NULL
) STRICT;
",
        "
ALTER TABLE dead_letters ADD COLUMN reason TEXT NOT NULL DEFAULT 'it was received too often';
",
    ],
    page_size: 4096,
    writer_cache: 1024,
    reader_cache: 512,
    checkpoint_pages: 1000,
};

/// The queues of a home.
#[derive(Clone)]
pub struct SqliteQueue {
    store: Store,
    clock: Arc<dyn Clock>,
    /// Counts this process's sends, one counter a phase.
    sent: Arc<[watch::Sender<u64>; 4]>,
}

/// What a look for messages found.
enum Look {
    Received(Received),
    /// Nothing is visible; the next message will be at this time, if there is one.
    Nothing(Option<Timestamp>),
}

/// Deliveries on their way to the receiver. One that is dropped before it arrives gives its
/// messages back, so that a receiver may stop waiting at any moment.
struct Received {
    deliveries: Vec<Delivery>,
    store: Store,
    now: Timestamp,
}

impl Received {
    fn arrive(mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let given_up = std::mem::take(&mut self.deliveries);
        if given_up.is_empty() {
            return;
        }
        let now = self.now;
        // Where this fails the messages come again when their time has passed.
        let _ = self
            .store
            .write_here("giving messages back", |transaction| {
                for delivery in &given_up {
                    let Some((id, receives)) = receipt(&delivery.receipt) else {
                        continue;
                    };
                    transaction
                        .prepare_cached(
                            "UPDATE messages SET visible_at = ?3, receives = receives - 1
                         WHERE id = ?1 AND receives = ?2",
                        )?
                        .execute(params![id, receives, now.0])?;
                }
                Ok(())
            });
    }
}

impl SqliteQueue {
    /// Opens the file, and makes it when it is missing. Blocks. `clock` decides what is visible.
    ///
    /// # Errors
    /// When it is damaged, newer, not ours, or cannot be written to.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, PortError> {
        Ok(Self {
            store: Store::open(path, &QUEUE)?,
            clock,
            sent: Arc::new(std::array::from_fn(|_| watch::Sender::new(0))),
        })
    }

    fn sent(&self, phase: Phase) -> &watch::Sender<u64> {
        &self.sent[match phase {
            Phase::Plan => 0,
            Phase::Adapter => 1,
            Phase::Sign => 2,
            Phase::Distribute => 3,
        }]
    }

    async fn look(
        &self,
        phase: Phase,
        limit: usize,
        visibility: Duration,
    ) -> Result<Look, PortError> {
        let now = self.clock.now();
        // Asked without the write lock first: most looks find nothing.
        let next: Option<i64> = self
            .store
            .read("looking for messages", move |connection| {
                Ok(connection
                    .prepare_cached("SELECT min(visible_at) FROM messages WHERE phase = ?1")?
                    .query_row([phase.as_str()], |row| row.get(0))?)
            })
            .await?;
        if next.is_none_or(|next| next > now.0) {
            return Ok(Look::Nothing(next.map(Timestamp)));
        }
        let store = self.store.clone();
        self.store
            .write_then(
                "receiving messages",
                move |transaction| take(transaction, phase, limit, now, visibility),
                move |deliveries| Received {
                    deliveries,
                    store,
                    now,
                },
            )
            .await
            .map(Look::Received)
    }
}

/// Hides up to `limit` visible messages, and puts those aside that were received too often.
fn take(
    transaction: &Transaction<'_>,
    phase: Phase,
    limit: usize,
    now: Timestamp,
    visibility: Duration,
) -> Result<Vec<Delivery>, Failure> {
    let mut deliveries = Vec::new();
    while deliveries.len() < limit {
        let found: Option<(i64, String, u32)> = transaction
            .prepare_cached(
                "SELECT id, body, receives FROM messages
                 WHERE phase = ?1 AND visible_at <= ?2 ORDER BY visible_at, id LIMIT 1",
            )?
            .query_row(params![phase.as_str(), now.0], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((id, body, receives)) = found else {
            break;
        };
        // What cannot be read cannot be worked on either; it must not stop what comes after it.
        let message = match serde_json::from_str(&body) {
            Err(error) => Err(format!("it is no message: {error}")),
            Ok(_) if receives >= MAX_RECEIVES => {
                Err(format!("it was received {receives} times and never done"))
            }
            Ok(message) => Ok(message),
        };
        let message = match message {
            Ok(message) => message,
            Err(reason) => {
                transaction
                    .prepare_cached("INSERT INTO dead_letters VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                    .execute(params![id, phase.as_str(), body, receives, now.0, reason])?;
                transaction
                    .prepare_cached("DELETE FROM messages WHERE id = ?1")?
                    .execute([id])?;
                continue;
            }
        };
        let receives = receives + 1;
        transaction
            .prepare_cached("UPDATE messages SET visible_at = ?2, receives = ?3 WHERE id = ?1")?
            .execute(params![id, later(now, visibility).0, receives])?;
        deliveries.push(Delivery {
            message,
            receipt: format!("{id}-{receives}"),
            receive_count: receives,
        });
    }
    Ok(deliveries)
}

/// The time `duration` after `now`; at least a millisecond, so that nothing that was hidden is
/// received again in the same look.
fn later(now: Timestamp, duration: Duration) -> Timestamp {
    now.plus_millis(
        i64::try_from(duration.as_millis())
            .unwrap_or(i64::MAX)
            .max(1),
    )
}

/// The message's number and how often it had been received.
fn receipt(text: &str) -> Option<(i64, u32)> {
    let (id, receives) = text.split_once('-')?;
    Some((id.parse().ok()?, receives.parse().ok()?))
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn send(
        &self,
        message: &export_model::Message,
        delay: Duration,
    ) -> Result<(), PortError> {
        let phase = message.work.phase();
        let body = serde_json::to_string(message).map_err(|error| {
            PortError::because(PortErrorKind::Invalid, "sending a message", error)
        })?;
        let now = self.clock.now();
        let visible_at = if delay.is_zero() {
            now
        } else {
            later(now, delay)
        };
        self.store
            .write("sending a message", move |transaction| {
                transaction
                    .prepare_cached(
                        "INSERT INTO messages(phase, body, visible_at) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![phase.as_str(), body, visible_at.0])?;
                Ok(())
            })
            .await?;
        self.sent(phase).send_modify(|sends| *sends += 1);
        Ok(())
    }

    async fn receive(
        &self,
        phase: Phase,
        limit: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let deadline = Instant::now() + wait;
        // Subscribed before the first look, so that no send is missed in between.
        let mut sent = self.sent(phase).subscribe();
        loop {
            let next = match self.look(phase, limit, visibility).await? {
                Look::Received(received) => match received.arrive() {
                    // Another receiver was faster, or all were put aside.
                    none if none.is_empty() => None,
                    deliveries => return Ok(deliveries),
                },
                Look::Nothing(next) => next,
            };
            let now = Instant::now();
            if limit == 0 || now >= deadline {
                return Ok(Vec::new());
            }
            let until_next = next.map_or(POLL, |next| {
                Duration::from_millis(next.millis_since(self.clock.now()).max(1))
            });
            let wake = deadline.min(now + POLL.min(until_next));
            // Whatever ends the wait, it looks again.
            let _ = tokio::time::timeout_at(wake, sent.changed()).await;
        }
    }

    async fn extend(
        &self,
        phase: Phase,
        receipt_text: &str,
        visibility: Duration,
    ) -> Result<(), PortError> {
        let until = later(self.clock.now(), visibility);
        let name = receipt_text.to_owned();
        self.store
            .write("extending a delivery", move |transaction| {
                let changed = match receipt(&name) {
                    None => 0,
                    Some((id, receives)) => transaction
                        .prepare_cached(
                            "UPDATE messages SET visible_at = ?4
                             WHERE id = ?1 AND receives = ?2 AND phase = ?3",
                        )?
                        .execute(params![id, receives, phase.as_str(), until.0])?,
                };
                if changed == 0 {
                    return Err(Failure::port(
                        PortErrorKind::NotFound,
                        format!("extending delivery {name} of queue {}", phase.as_str()),
                    ));
                }
                Ok(())
            })
            .await
    }

    async fn acknowledge(&self, phase: Phase, receipt_text: &str) -> Result<(), PortError> {
        let Some((id, receives)) = receipt(receipt_text) else {
            return Ok(());
        };
        self.store
            .write("acknowledging a delivery", move |transaction| {
                transaction
                    .prepare_cached(
                        "DELETE FROM messages WHERE id = ?1 AND receives = ?2 AND phase = ?3",
                    )?
                    .execute(params![id, receives, phase.as_str()])?;
                Ok(())
            })
            .await
    }

    async fn put_aside(&self, delivery: &Delivery, reason: &str) -> Result<(), PortError> {
        let Some((id, receives)) = receipt(&delivery.receipt) else {
            return Ok(());
        };
        let (reason, now) = (reason.to_owned(), self.clock.now());
        self.store
            .write("putting a message aside", move |transaction| {
                transaction
                    .prepare_cached(
                        "INSERT INTO dead_letters
                         SELECT id, phase, body, receives, ?3, ?4 FROM messages
                         WHERE id = ?1 AND receives = ?2",
                    )?
                    .execute(params![id, receives, now.0, reason])?;
                transaction
                    .prepare_cached("DELETE FROM messages WHERE id = ?1 AND receives = ?2")?
                    .execute(params![id, receives])?;
                Ok(())
            })
            .await
    }

    async fn dead_letters(&self, phase: Phase, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.store
            .read("listing dead letters", move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, body, receives, died_at, reason FROM dead_letters
                     WHERE phase = ?1 ORDER BY died_at, id LIMIT ?2",
                )?;
                let letters = statement.query_map(params![phase.as_str(), limit], |row| {
                    let body: String = row.get(1)?;
                    Ok(DeadLetter {
                        id: row.get::<_, i64>(0)?.to_string(),
                        message: serde_json::from_str(&body).ok(),
                        body,
                        receive_count: row.get(2)?,
                        at: Timestamp(row.get(3)?),
                        reason: row.get(4)?,
                    })
                })?;
                Ok(letters.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn redrive(&self, phase: Phase, id: Option<&str>) -> Result<u64, PortError> {
        let id = match id.map(str::parse::<i64>) {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(_)) => return Ok(0),
        };
        let now = self.clock.now();
        let sent = self
            .store
            .write("sending dead letters again", move |transaction| {
                let again = "phase = ?1 AND (?2 IS NULL OR id = ?2) AND reason NOT LIKE ?3";
                let sent = transaction
                    .prepare_cached(&format!(
                        "INSERT INTO messages(phase, body, visible_at)
                         SELECT phase, body, ?4 FROM dead_letters WHERE {again} ORDER BY id"
                    ))?
                    .execute(params![phase.as_str(), id, NO_MESSAGE, now.0])?;
                transaction
                    .prepare_cached(&format!("DELETE FROM dead_letters WHERE {again}"))?
                    .execute(params![phase.as_str(), id, NO_MESSAGE])?;
                Ok(sent as u64)
            })
            .await?;
        self.sent(phase).send_modify(|sends| *sends += 1);
        Ok(sent)
    }

    fn receive_can_be_dropped(&self) -> bool {
        true
    }

    async fn stats(&self, phase: Phase) -> Result<QueueStats, PortError> {
        self.store
            .read("counting messages", move |connection| {
                let count = |sql: &str| -> Result<u64, Failure> {
                    let number: i64 = connection
                        .prepare_cached(sql)?
                        .query_row([phase.as_str()], |row| row.get(0))?;
                    Ok(u64::try_from(number).unwrap_or(0))
                };
                Ok(QueueStats {
                    messages: count("SELECT count(*) FROM messages WHERE phase = ?1")?,
                    dead: count("SELECT count(*) FROM dead_letters WHERE phase = ?1")?,
                })
            })
            .await
    }
}
