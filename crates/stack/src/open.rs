//! Opening what the settings choose.

use std::sync::{Arc, OnceLock};

use export_aws::{
    Aws, AwsSettings, Bucket as S3Bucket, KmsKeyUri, QueueUrl, QueueUrls as SqsUrls,
    StaticCredentials,
};
use export_mongo::{MongoGate, MongoLedger, MongoState};
use export_ports::{
    BatchImporter, Clock, Evidence, Gate, Ids, Importer, LedgerWriter, Objects, PolicyEngine,
    PortError, PortErrorKind, Queue, Seals, Signer, State,
};
use export_sealing::{HostSeals, KeyWrap};
use mongodb::Database;

use crate::Backends;
use crate::chosen::{Bucket, Chosen, Mongodb, Place, QueueUrls, UriFrom};
use crate::evidence::remote;
use crate::seals::StackSeals;
use crate::settings::{InvalidSettings, Settings};

/// The region where none is set: of an AWS that is not AWS's it says nothing.
const REGION: &str = "us-east-1";

/// Whether anything of a stack is set. Where the services are says nothing of what to use them for.
#[must_use]
pub fn names_any(settings: &Settings) -> bool {
    const NAMING: [&str; 9] = [
        "mongodb.uri",
        "mongodb.secret",
        "objects.bucket",
        "queues.plan",
        "queues.adapter",
        "queues.sign",
        "queues.distribute",
        "signer.key",
        "evidence.ledger",
    ];
    NAMING.iter().any(|key| settings.get(key).is_some())
        || settings.get("evidence.policy").is_some()
}

/// Checks settings that have to name every backend, without asking any.
///
/// # Errors
/// The first thing that is missing or cannot be used.
pub fn validate_whole(settings: &Settings) -> Result<(), InvalidSettings> {
    Chosen::of(settings, true).map(drop)
}

/// Checks settings that may name some of the backends, without asking any.
///
/// # Errors
/// The first thing that is half said or cannot be used.
pub fn validate(settings: &Settings) -> Result<(), InvalidSettings> {
    Chosen::of(settings, false).map(drop)
}

/// Opens the backends that the settings name; with `whole`, for a host that has nothing else, as
/// [`validate_whole`] checks them. Asks only for the secret that holds the URI of MongoDB,
/// where that is in one; everything else is asked at its first use.
///
/// # Errors
/// `Invalid` when a setting cannot be used; what the secret's store says.
pub async fn open(
    settings: &Settings,
    whole: bool,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
) -> Result<Backends, PortError> {
    let chosen = choose(settings, whole)?;
    let aws = LazyAws {
        chosen: &chosen,
        clock,
        opened: OnceLock::new(),
    };
    let database = match &chosen.mongodb {
        Some(mongodb) => Some(connect(mongodb, &aws).await?),
        None => None,
    };
    let ledger = database.as_ref().map(|database| {
        let ledger = MongoLedger::new(database.clone());
        Arc::new(ledger)
    });
    let state: Option<Arc<dyn State>> = database
        .as_ref()
        .map(|database| Arc::new(MongoState::new(database.clone(), Arc::clone(clock))) as _);
    let gate: Option<Arc<dyn Gate>> = database
        .as_ref()
        .map(|database| Arc::new(MongoGate::new(database.clone())) as _);
    let objects: Option<Arc<dyn Objects>> = match &chosen.bucket {
        Some(bucket) => Some(Arc::new(aws.get()?.objects(&s3_bucket(bucket))?)),
        None => None,
    };
    let queue: Option<Arc<dyn Queue>> = match &chosen.queues {
        Some(urls) => Some(Arc::new(aws.get()?.queue(sqs_urls(urls)))),
        None => None,
    };
    let signer: Option<Arc<dyn Signer>> = match &chosen.signer {
        Some(key) => Some(Arc::new(aws.get()?.signer(KmsKeyUri::parse(key)?))),
        None => None,
    };
    let seals: Option<Arc<dyn Seals>> = match &chosen.sealing {
        Some(config) => Some(Arc::new(HostSeals(StackSeals {
            config: config.clone(),
            aws: aws.get()?,
        }))),
        None => None,
    };
    let evidence: Option<Arc<dyn Evidence>> = match &chosen.ledger {
        None => None,
        Some(Place::Mongodb) => ledger.clone().map(|ledger| ledger as _),
        Some(Place::Http(url)) => Some(remote(url, &chosen, clock, ids)?),
    };
    let policy: Option<Arc<dyn PolicyEngine>> = match &chosen.policy {
        None => None,
        Some(Place::Mongodb) => ledger.clone().map(|ledger| ledger as _),
        Some(Place::Http(url)) => Some(remote(url, &chosen, clock, ids)?),
    };
    let books: Option<Arc<dyn LedgerWriter>> = match &chosen.ledger {
        Some(Place::Mongodb) => ledger.clone().map(|ledger| ledger as _),
        _ => None,
    };
    let importer: Option<Arc<dyn Importer>> = match (&chosen.ledger, ledger) {
        (Some(Place::Mongodb), Some(ledger)) => Some(Arc::new(BatchImporter(ledger))),
        _ => None,
    };
    Ok(Backends {
        state,
        gate,
        objects,
        queue,
        ledger: evidence,
        policy,
        seals,
        signer,
        books,
        importer,
        lease: chosen.lease,
    })
}

/// A key of KMS that wraps data keys, to open with what the services sealed. Asks nobody.
///
/// # Errors
/// `Invalid` when `uri` is no key's, or a setting cannot be used.
pub fn key_wrap(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    uri: &str,
) -> Result<Arc<dyn KeyWrap>, PortError> {
    let chosen = choose(settings, false)?;
    let aws = LazyAws {
        chosen: &chosen,
        clock,
        opened: OnceLock::new(),
    };
    Ok(Arc::new(aws.get()?.key_wrap(KmsKeyUri::parse(uri)?)))
}

/// The database of the settings, to be set up or filled; none where they name none.
///
/// # Errors
/// As [`open`].
pub async fn database(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Database>, PortError> {
    let chosen = choose(settings, false)?;
    let aws = LazyAws {
        chosen: &chosen,
        clock,
        opened: OnceLock::new(),
    };
    match &chosen.mongodb {
        Some(mongodb) => connect(mongodb, &aws).await.map(Some),
        None => Ok(None),
    }
}

fn choose(settings: &Settings, whole: bool) -> Result<Chosen, PortError> {
    Chosen::of(settings, whole)
        .map_err(|error| PortError::because(PortErrorKind::Invalid, "reading the settings", error))
}

async fn connect(mongodb: &Mongodb, aws: &LazyAws<'_>) -> Result<Database, PortError> {
    let client = match &mongodb.uri {
        UriFrom::Given(uri) => export_mongo::connect(uri).await?,
        UriFrom::Secret(name) => {
            let secret = aws.get()?.secret(name).await?;
            export_mongo::connect(secret.expose()).await?
        }
    };
    Ok(client.database(&mongodb.database))
}

/// The services, for whoever needs any of them: opened once, so that all share connections and
/// credentials.
struct LazyAws<'a> {
    chosen: &'a Chosen,
    clock: &'a Arc<dyn Clock>,
    opened: OnceLock<Aws>,
}

impl LazyAws<'_> {
    fn get(&self) -> Result<Aws, PortError> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened.clone());
        }
        let opened = self.open()?;
        Ok(self.opened.get_or_init(|| opened).clone())
    }

    fn open(&self) -> Result<Aws, PortError> {
        let chosen = self.chosen;
        let region = chosen.region.as_deref().unwrap_or(REGION);
        let bucket = chosen.bucket.as_ref();
        let credentials = bucket.and_then(|bucket| bucket.credentials.as_ref());
        Aws::new(AwsSettings {
            endpoint: chosen.endpoint.clone(),
            s3_endpoint: bucket.and_then(|bucket| bucket.endpoint.clone()),
            s3_credentials: credentials.map(|(id, secret)| StaticCredentials {
                access_key_id: id.clone(),
                secret_access_key: secret.clone(),
                session_token: None,
            }),
            ..AwsSettings::new(region, Arc::clone(self.clock))
        })
    }
}

fn s3_bucket(bucket: &Bucket) -> S3Bucket {
    S3Bucket {
        name: bucket.name.clone(),
        prefix: bucket.prefix.clone(),
        kms_key: bucket.kms_key.clone(),
    }
}

fn sqs_urls(urls: &QueueUrls) -> SqsUrls {
    // Where dead letters lie the queue itself knows.
    let url = |queue: &String| QueueUrl {
        queue: queue.clone(),
        dead: None,
    };
    SqsUrls {
        plan: url(&urls.plan),
        adapter: url(&urls.adapter),
        sign: url(&urls.sign),
        distribute: url(&urls.distribute),
    }
}
