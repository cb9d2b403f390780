//! The gate in MongoDB: one insert for the proofs of a group, and one increment for each tenant in
//! it.
//!
//! It is no transaction, which would make every request of a tenant wait for every other. It needs
//! none: a proof is let in by whoever inserts its document, and a count only ever grows. Whoever dies
//! in between has used up proofs that were never counted, and its clients had no answer.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use export_model::{Sha256Digest, Tenant, Timestamp};
use export_ports::{Entered, Entry, Gate, PortError};
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use mongodb::Database;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};
use mongodb::error::Error;
use mongodb::options::ReturnDocument;

use crate::call::{collection, whole};
use crate::failure::{duplicates, is_duplicate};
use crate::schema::{self, Checked};
use crate::state::collections::{PROOFS, REQUESTS};

/// The gate of a deployment. The server forgets proofs by itself, some time after theirs.
#[derive(Clone)]
pub struct MongoGate {
    database: Database,
    checked: Arc<Checked>,
}

impl MongoGate {
    /// The gate in `database`, which was migrated ([`crate::migrate`]). Nothing is sent before the
    /// first call, which checks the version of the database too.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            checked: Arc::default(),
        }
    }
}

fn id(proof: &Sha256Digest) -> Bson {
    Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes: proof.0.to_vec(),
    })
}

fn date(time: Timestamp) -> DateTime {
    DateTime::from_millis(time.0)
}

/// The proofs of `proofs` that were used already at `now`; the others are used now.
async fn used(
    database: &Database,
    proofs: &[(Sha256Digest, Timestamp)],
    now: Timestamp,
) -> Result<HashSet<Sha256Digest>, Error> {
    let stored = collection(database, PROOFS);
    let documents = proofs
        .iter()
        .map(|(proof, until)| doc! { "_id": id(proof), "until": date(*until) });
    let known = match stored.insert_many(documents).ordered(false).await {
        Ok(_) => return Ok(HashSet::new()),
        Err(error) => match duplicates(&error) {
            Some(known) => known,
            None => return Err(error),
        },
    };
    let known: Vec<_> = known
        .into_iter()
        .filter_map(|place| proofs.get(place).copied())
        .collect();
    let mut used: HashSet<_> = known.iter().map(|(proof, _)| *proof).collect();
    // One whose time is over is remembered for a while, and of no importance: whoever replaces it
    // first is let in.
    let ids: Vec<Bson> = known.iter().map(|(proof, _)| id(proof)).collect();
    let over = doc! { "_id": { "$in": ids }, "until": { "$lte": date(now) } };
    let over: Vec<Document> = stored.find(over).await?.try_collect().await?;
    for (proof, until) in known {
        let own = id(&proof);
        if over.iter().all(|found| found.get("_id") != Some(&own)) {
            continue;
        }
        let expired = doc! { "_id": own, "until": { "$lte": date(now) } };
        let next = doc! { "$set": { "until": date(until) } };
        if stored.update_one(expired, next).await?.matched_count == 1 {
            used.remove(&proof);
        }
    }
    Ok(used)
}

/// Counts `more` requests of a tenant in a window; gives how many there are then.
async fn count(
    database: &Database,
    tenant: &Tenant,
    window: i64,
    more: i64,
    now: Timestamp,
) -> Result<i64, Error> {
    let stored = collection(database, REQUESTS);
    let id = format!("{tenant}/{window}");
    let requests = |found: &Document| found.get_i64("requests").unwrap_or(0);
    if more == 0 {
        let found = stored.find_one(doc! { "_id": id }).await?;
        return Ok(found.as_ref().map_or(0, requests));
    }
    let add = doc! { "$inc": { "requests": more } };
    loop {
        let counted = stored
            .find_one_and_update(doc! { "_id": &id }, add.clone())
            .return_document(ReturnDocument::After)
            .await?;
        if let Some(found) = counted {
            return Ok(requests(&found));
        }
        // Made by itself, and not by an increment that inserts: two of those at once may leave one
        // without an answer.
        let first = doc! {
            "_id": &id,
            "tenant": tenant.as_str(),
            "window": window,
            "requests": 0_i64,
            "since": date(now),
        };
        match stored.insert_one(first).await {
            Err(error) if !is_duplicate(&error) => return Err(error),
            _ => {}
        }
    }
}

async fn enter(
    database: Database,
    entries: Vec<Entry>,
    now: Timestamp,
) -> Result<Vec<Entered>, Error> {
    // The first that brings a proof uses it.
    let mut first = HashMap::new();
    let mut proofs = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        first.entry(entry.proof).or_insert_with(|| {
            // One that is out of date already is remembered for this moment, so that two of them are
            // told apart as in any other case.
            proofs.push((entry.proof, entry.proof_until.max(now.plus_millis(1))));
            place
        });
    }
    let used = used(&database, &proofs, now).await?;
    let replayed = |place: usize, entry: &Entry| {
        used.contains(&entry.proof) || first.get(&entry.proof) != Some(&place)
    };
    let mut new: BTreeMap<(&Tenant, i64), i64> = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        let more = i64::from(!replayed(place, entry));
        *new.entry((&entry.tenant, entry.window)).or_default() += more;
    }
    let counting = new.iter().map(|((tenant, window), more)| {
        let database = &database;
        async move { count(database, tenant, *window, *more, now).await }
    });
    // All of them to their end, also where one fails.
    let counted: Vec<i64> = join_all(counting)
        .await
        .into_iter()
        .collect::<Result<_, _>>()?;
    // How many there were before the group.
    let mut requests: BTreeMap<_, i64> = new
        .iter()
        .zip(counted)
        .map(|((of, more), after)| (*of, after - more))
        .collect();
    let entered = entries.iter().enumerate().map(|(place, entry)| {
        let replayed = replayed(place, entry);
        let requests = requests.entry((&entry.tenant, entry.window)).or_default();
        *requests += i64::from(!replayed);
        Entered {
            replayed,
            requests: u64::try_from(*requests).unwrap_or(0),
        }
    });
    Ok(entered.collect())
}

#[async_trait]
impl Gate for MongoGate {
    async fn enter(&self, entries: Vec<Entry>, now: Timestamp) -> Result<Vec<Entered>, PortError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        self.checked.once(&self.database).await?;
        let database = self.database.clone();
        whole("letting requests in", enter(database, entries, now)).await
    }

    async fn ping(&self) -> Result<(), PortError> {
        schema::check(&self.database).await
    }
}
