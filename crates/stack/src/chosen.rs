//! What the settings choose, checked before anything is opened.

use std::time::Duration;

use url::Url;
use zeroize::Zeroizing;

use export_sealing::SealConfig;

use crate::settings::{InvalidSettings, Settings};

/// The database's name where none is set.
pub const DATABASE: &str = "export_center";
const LEASE_SECONDS: u64 = 60;

/// Where evidence is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Mongodb,
    Http(String),
}

/// A MongoDB deployment.
#[derive(Clone)]
pub(crate) struct Mongodb {
    pub(crate) uri: UriFrom,
    pub(crate) database: String,
}

#[derive(Clone)]
pub(crate) enum UriFrom {
    Given(Zeroizing<String>),
    /// The name of a secret.
    Secret(String),
}

/// An S3 bucket.
#[derive(Clone)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) credentials: Option<(String, Zeroizing<String>)>,
    pub(crate) kms_key: Option<String>,
}

/// URLs of queues, in the order of the phases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueUrls {
    pub(crate) plan: String,
    pub(crate) adapter: String,
    pub(crate) sign: String,
    pub(crate) distribute: String,
}

/// Where access tokens for evidence behind HTTP come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tokens {
    File(String),
    Authority {
        endpoint: String,
        /// The client's name, and the file with its password.
        client: Option<(String, String)>,
    },
}

/// What is to be opened.
pub(crate) struct Chosen {
    pub(crate) mongodb: Option<Mongodb>,
    pub(crate) bucket: Option<Bucket>,
    pub(crate) queues: Option<QueueUrls>,
    pub(crate) signer: Option<String>,
    pub(crate) sealing: Option<SealConfig>,
    pub(crate) ledger: Option<Place>,
    pub(crate) policy: Option<Place>,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) trust_admission: bool,
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) lease: Duration,
}

impl Chosen {
    /// What `settings` choose; `whole` where there is nothing but the stack, so that everything has
    /// to be chosen.
    pub(crate) fn of(settings: &Settings, whole: bool) -> Result<Self, InvalidSettings> {
        let text = |key: &str| settings.get(key).map(str::to_owned);
        let mongodb = mongodb(settings, whole)?;
        let ledger = match place(settings, "evidence.ledger", mongodb.is_some())? {
            None if whole => Some(Place::Mongodb),
            place => place,
        };
        let policy =
            place(settings, "evidence.policy", mongodb.is_some())?.or_else(|| ledger.clone());
        let why = "bundles have to be signed";
        let signer = if whole {
            Some(settings.require("signer.key", why)?.to_owned())
        } else {
            text("signer.key")
        };
        if let Some(key) = &signer
            && !key.starts_with("awskms://")
        {
            return Err(InvalidSettings::new(format!(
                "{} must begin with awskms://, as in awskms:///alias/NAME",
                settings.place("signer.key")
            )));
        }
        let lease = settings.number("worker.lease_seconds", 10, 900)?;
        Ok(Self {
            bucket: bucket(settings, whole)?,
            queues: queues(settings, whole)?,
            signer,
            sealing: sealing(settings)?,
            tokens: tokens(settings, [&ledger, &policy])?,
            trust_admission: settings.number("evidence.trust_admission", 0, 1)? == Some(1),
            region: text("aws.region"),
            endpoint: url(settings, "aws.endpoint")?,
            lease: Duration::from_secs(lease.unwrap_or(LEASE_SECONDS)),
            mongodb,
            ledger,
            policy,
        })
    }
}

fn mongodb(settings: &Settings, whole: bool) -> Result<Option<Mongodb>, InvalidSettings> {
    let uri = match (settings.get("mongodb.uri"), settings.get("mongodb.secret")) {
        (Some(uri), _) => {
            if !["mongodb://", "mongodb+srv://"]
                .iter()
                .any(|scheme| uri.starts_with(scheme))
            {
                return Err(InvalidSettings::new(format!(
                    "{} must begin with mongodb:// or mongodb+srv://",
                    settings.place("mongodb.uri")
                )));
            }
            UriFrom::Given(Zeroizing::new(uri.to_owned()))
        }
        (None, Some(secret)) => UriFrom::Secret(secret.to_owned()),
        (None, None) if whole => {
            let why = "run state has to be kept somewhere (or name a secret that holds it: \
                       EXPORT_MONGODB_SECRET)";
            settings.require("mongodb.uri", why)?;
            return Ok(None);
        }
        (None, None) => return Ok(None),
    };
    let database = settings.get("mongodb.database").unwrap_or(DATABASE);
    Ok(Some(Mongodb {
        uri,
        database: database.to_owned(),
    }))
}

fn sealing(settings: &Settings) -> Result<Option<SealConfig>, InvalidSettings> {
    let Some(text) = settings.get("sealing.tenants") else {
        return Ok(None);
    };
    let wrong = |why: String| {
        let place = settings.place("sealing.tenants");
        InvalidSettings::new(format!("{place} cannot be used: {why}"))
    };
    let config: SealConfig =
        serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let keys = config.0.values().flat_map(|tenant| &tenant.keys);
    match keys.into_iter().find(|key| !key.starts_with("awskms://")) {
        Some(key) => Err(wrong(format!(
            "the key {key} must begin with awskms://, as in awskms:///alias/NAME"
        ))),
        None => Ok(Some(config)),
    }
}

fn bucket(settings: &Settings, whole: bool) -> Result<Option<Bucket>, InvalidSettings> {
    if whole {
        settings.require("objects.bucket", "payloads have to be kept somewhere")?;
    }
    let Some(name) = settings.get("objects.bucket") else {
        return Ok(None);
    };
    let id = settings.get("objects.access_key_id");
    let secret = settings.get("objects.secret_access_key");
    let credentials = match (id, secret) {
        (Some(id), Some(secret)) => Some((id.to_owned(), Zeroizing::new(secret.to_owned()))),
        (None, None) => None,
        _ => {
            let why = "S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY are two halves of one; set both";
            return Err(InvalidSettings::new(why));
        }
    };
    Ok(Some(Bucket {
        name: name.to_owned(),
        prefix: settings.get("objects.prefix").unwrap_or("").to_owned(),
        endpoint: match url(settings, "objects.endpoint")? {
            Some(endpoint) => Some(endpoint),
            None => url(settings, "aws.endpoint")?,
        },
        credentials,
        kms_key: settings.get("objects.kms_key").map(str::to_owned),
    }))
}

fn queues(settings: &Settings, whole: bool) -> Result<Option<QueueUrls>, InvalidSettings> {
    const KEYS: [&str; 4] = [
        "queues.plan",
        "queues.adapter",
        "queues.sign",
        "queues.distribute",
    ];
    if !whole && KEYS.iter().all(|key| settings.get(key).is_none()) {
        return Ok(None);
    }
    let [plan, adapter, sign, distribute] = KEYS.map(|key| {
        settings.require(key, "messages of this phase have to go somewhere")?;
        url(settings, key).map(Option::unwrap_or_default)
    });
    Ok(Some(QueueUrls {
        plan: plan?,
        adapter: adapter?,
        sign: sign?,
        distribute: distribute?,
    }))
}

fn place(
    settings: &Settings,
    key: &str,
    has_mongodb: bool,
) -> Result<Option<Place>, InvalidSettings> {
    match settings.get(key) {
        None => Ok(None),
        Some("mongodb") if has_mongodb => Ok(Some(Place::Mongodb)),
        Some("mongodb") => Err(InvalidSettings::new(format!(
            "{} is `mongodb`, but no MONGODB_URI says where that is",
            settings.place(key)
        ))),
        Some(_) => {
            let text = url(settings, key)?.unwrap_or_default();
            Ok(Some(Place::Http(text)))
        }
    }
}

fn tokens(
    settings: &Settings,
    places: [&Option<Place>; 2],
) -> Result<Option<Tokens>, InvalidSettings> {
    if !places
        .iter()
        .any(|place| matches!(place, Some(Place::Http(_))))
    {
        return Ok(None);
    }
    if let Some(file) = settings.get("evidence.token_file") {
        return Ok(Some(Tokens::File(file.to_owned())));
    }
    let why = "a ledger behind HTTP wants an access token (from there, or from a file: \
               EXPORT_EVIDENCE_TOKEN_FILE)";
    settings.require("evidence.token_endpoint", why)?;
    let client = match settings.get("evidence.client_id") {
        None => None,
        Some(id) => {
            let why = "the Authority asks a client that it knows for its password";
            let file = settings.require("evidence.client_secret_file", why)?;
            Some((id.to_owned(), file.to_owned()))
        }
    };
    Ok(Some(Tokens::Authority {
        endpoint: url(settings, "evidence.token_endpoint")?.unwrap_or_default(),
        client,
    }))
}

/// A URL that was set. What is wrong with it is told without it: it may hold a password.
fn url(settings: &Settings, key: &str) -> Result<Option<String>, InvalidSettings> {
    let Some(text) = settings.get(key) else {
        return Ok(None);
    };
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(Some(text.to_owned()))
        }
        _ => Err(InvalidSettings::new(format!(
            "{} must be a URL that begins with https:// or http://",
            settings.place(key)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[(&str, &str)] = &[
        ("MONGODB_URI", "mongodb://localhost"),
        ("EXPORT_BUCKET", "export"),
        ("EXPORT_QUEUE_PLAN", "http://localhost:4566/1/plan"),
        ("EXPORT_QUEUE_ADAPTER", "http://localhost:4566/1/adapter"),
        ("EXPORT_QUEUE_SIGN", "http://localhost:4566/1/sign"),
        (
            "EXPORT_QUEUE_DISTRIBUTE",
            "http://localhost:4566/1/distribute",
        ),
        ("EXPORT_SIGNER", "awskms:///alias/export"),
    ];

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let find = |name: &str| {
            let found = variables
                .iter()
                .rev()
                .find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::read(None, find).unwrap()
    }

    #[test]
    fn a_function_needs_all_of_it() {
        let chosen = Chosen::of(&settings(WHOLE), true).unwrap();
        assert_eq!(chosen.ledger, Some(Place::Mongodb));
        assert_eq!(chosen.policy, Some(Place::Mongodb));
        assert_eq!(chosen.lease, Duration::from_secs(60));
        for (left_out, _) in WHOLE {
            let rest: Vec<_> = WHOLE
                .iter()
                .filter(|(name, _)| name != left_out)
                .copied()
                .collect();
            let error = Chosen::of(&settings(&rest), true).err().unwrap();
            assert!(error.to_string().contains(left_out), "{error}");
        }
    }

    #[test]
    fn a_command_needs_nothing() {
        let chosen = Chosen::of(&settings(&[]), false).unwrap();
        assert!(chosen.mongodb.is_none() && chosen.queues.is_none() && chosen.ledger.is_none());
        let one = [("EXPORT_QUEUE_PLAN", "http://localhost/plan")];
        let error = Chosen::of(&settings(&one), false).err().unwrap();
        assert!(
            error.to_string().contains("EXPORT_QUEUE_ADAPTER"),
            "{error}"
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_never_quoted() {
        for (name, value) in [
            ("MONGODB_URI", "postgres://u:s3cret@localhost"),
            ("EXPORT_SIGNER", "s3cret.key"),
            ("AWS_ENDPOINT_URL", "s3cret:4566"),
            ("S3_SECRET_ACCESS_KEY", "s3cret"),
            ("EXPORT_QUEUE_SIGN", "s3cret"),
            ("EXPORT_LEDGER", "ftp://s3cret"),
            ("EXPORT_LEASE_SECONDS", "s3cret"),
        ] {
            let mut variables = WHOLE.to_vec();
            variables.push((name, value));
            let error = Chosen::of(&settings(&variables), true)
                .err()
                .unwrap()
                .to_string();
            assert!(error.contains(name), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
