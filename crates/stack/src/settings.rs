//! What a host of the stack is told: one file, and the environment over it.
//!
//! The functions have the environment only; people and containers may prefer `export-center.toml`.
//! Both give the same settings, by one list ([`SETTINGS`]), from which their documentation is made.
//! Nothing here reads a file or a variable by itself.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// A setting: where it stands in the file, and which variable has the last word.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its place in `export-center.toml`, such as `mongodb.uri`.
    pub key: &'static str,
    /// The environment variable that wins over the file.
    pub variable: &'static str,
    /// What it is, in the words of the documentation.
    pub what: &'static str,
}

const fn setting(key: &'static str, variable: &'static str, what: &'static str) -> Setting {
    Setting {
        key,
        variable,
        what,
    }
}

/// Every setting of the stack.
pub const SETTINGS: &[Setting] = &[
    setting(
        "mongodb.uri",
        "MONGODB_URI",
        "the MongoDB deployment (a replica set or a sharded cluster) of run state. With it, or with \
         `mongodb.secret`, run state is kept there and no longer in the home",
    ),
    setting(
        "mongodb.secret",
        "EXPORT_MONGODB_SECRET",
        "name or ARN of a secret in Secrets Manager whose text is that URI",
    ),
    setting(
        "mongodb.database",
        "EXPORT_DATABASE",
        "the database's name; `export_center` where it is left out",
    ),
    setting(
        "objects.bucket",
        "EXPORT_BUCKET",
        "the S3 bucket of payloads and archives. With it, they are kept there and no longer in the \
         home",
    ),
    setting(
        "objects.prefix",
        "EXPORT_BUCKET_PREFIX",
        "what every key in the bucket begins with; nothing where it is left out",
    ),
    setting(
        "objects.endpoint",
        "S3_ENDPOINT",
        "the URL of an S3 that is not AWS's, such as MinIO's; `aws.endpoint` where it is left out",
    ),
    setting(
        "objects.access_key_id",
        "S3_ACCESS_KEY_ID",
        "credentials for that S3 alone, where they are not those of everything else",
    ),
    setting(
        "objects.secret_access_key",
        "S3_SECRET_ACCESS_KEY",
        "the secret that belongs to it",
    ),
    setting(
        "objects.kms_key",
        "EXPORT_BUCKET_KMS_KEY",
        "id, alias or ARN of the KMS key that objects are encrypted with at rest; the bucket's own \
         default where it is left out",
    ),
    setting(
        "queues.plan",
        "EXPORT_QUEUE_PLAN",
        "URL of the SQS queue of the plan phase. With all four, messages go through SQS and no \
         longer through the home",
    ),
    setting(
        "queues.adapter",
        "EXPORT_QUEUE_ADAPTER",
        "URL of the adapter phase's queue",
    ),
    setting(
        "queues.sign",
        "EXPORT_QUEUE_SIGN",
        "URL of the sign phase's queue",
    ),
    setting(
        "queues.distribute",
        "EXPORT_QUEUE_DISTRIBUTE",
        "URL of the distribute phase's queue",
    ),
    setting(
        "signer.key",
        "EXPORT_SIGNER",
        "the signing key in KMS, `awskms:///alias/NAME` or `awskms:///ARN`; the home's key file \
         where it is left out",
    ),
    setting(
        "sealing.tenants",
        "EXPORT_SEALING",
        "for whom each tenant's files may be sealed, as JSON: `{\"acme\": {\"recipients\": \
         [\"age1…\"], \"keys\": [\"awskms:///alias/NAME\"]}}`. Where it is left out, the home's \
         configuration (in the functions: for nobody)",
    ),
    setting(
        "evidence.ledger",
        "EXPORT_LEDGER",
        "where evidence is read: `mongodb`, or the URL of a ledger that speaks the \
         [HTTP contract](evidence-http.md); the home's ledger where it is left out (in the \
         functions, which have no home: `mongodb`)",
    ),
    setting(
        "evidence.policy",
        "EXPORT_POLICY",
        "where findings and snapshots are read, likewise; the same as the ledger where it is left out",
    ),
    setting(
        "evidence.token_file",
        "EXPORT_EVIDENCE_TOKEN_FILE",
        "a file with the access token for an HTTP ledger or policy engine, read for each request; \
         `{tenant}` in its path stands for the tenant",
    ),
    setting(
        "evidence.token_endpoint",
        "EXPORT_EVIDENCE_TOKEN_ENDPOINT",
        "or the Authority's token endpoint, where such tokens are asked for (OAuth client credentials, \
         bound to a key of this process)",
    ),
    setting(
        "evidence.client_id",
        "EXPORT_EVIDENCE_CLIENT_ID",
        "the name by which the Authority knows this client",
    ),
    setting(
        "evidence.client_secret_file",
        "EXPORT_EVIDENCE_CLIENT_SECRET_FILE",
        "a file with its password there",
    ),
    setting(
        "evidence.trust_admission",
        "EXPORT_EVIDENCE_TRUST_ADMISSION",
        "`1` where a record that an HTTP ledger says was admitted by this version's guardrails need not \
         be checked again; `0` where it is left out. Whoever says so trusts whoever runs that ledger",
    ),
    setting("aws.region", "AWS_REGION", "the AWS region"),
    setting(
        "aws.endpoint",
        "AWS_ENDPOINT_URL",
        "the URL of an AWS that is not AWS's, such as LocalStack's",
    ),
    setting(
        "worker.lease_seconds",
        "EXPORT_LEASE_SECONDS",
        "for how long a step that a process has taken is its own unless it renews that (it does, three \
         times as often); what a process that died was doing waits for so long. 10 to 900; 60 where \
         it is left out",
    ),
    setting(
        "worker.scratch",
        "EXPORT_SCRATCH",
        "the directory where parts are merged into one file, for profiles that want one: about three \
         times as large as the file and its parts. It is emptied after each run. Where it is left out, \
         `scratch` in the home; without a home the system's folder for temporary files (in the \
         functions, their own disk)",
    ),
];

/// Settings that cannot be used: which, from where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSettings(String);

impl InvalidSettings {
    /// Settings that cannot be used, with why.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// What was set. Values that are secret stay out of `Debug`.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, (Zeroizing<String>, String)>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Settings {
    /// Settings from the text of a file named `name`, where there is one, and from the environment,
    /// which wins. An empty variable is none.
    ///
    /// # Errors
    /// When the text is not TOML, or has a setting that does not exist or is not a text or number.
    pub fn read(
        file: Option<(&str, &str)>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, InvalidSettings> {
        let mut values = BTreeMap::new();
        if let Some((name, text)) = file {
            let table: toml::Table = text
                .parse()
                // The error's own text quotes the line, which may hold a secret.
                .map_err(|error: toml::de::Error| {
                    InvalidSettings(format!("{name}: {}", error.message()))
                })?;
            for (section, inner) in table {
                let toml::Value::Table(inner) = inner else {
                    return Err(InvalidSettings(unknown(name, &section)));
                };
                for (member, value) in inner {
                    let key = format!("{section}.{member}");
                    let known = SETTINGS.iter().find(|setting| setting.key == key);
                    let known = known.ok_or_else(|| InvalidSettings(unknown(name, &key)))?;
                    let value = match value {
                        toml::Value::String(text) => text,
                        toml::Value::Integer(number) => number.to_string(),
                        _ => {
                            let why = format!("{name}: {key} must be a text or a number");
                            return Err(InvalidSettings(why));
                        }
                    };
                    let place = format!("{key} in {name}");
                    values.insert(known.key, (Zeroizing::new(value), place));
                }
            }
        }
        for setting in SETTINGS {
            if let Some(value) = environment(setting.variable).filter(|value| !value.is_empty()) {
                let place = setting.variable.to_owned();
                values.insert(setting.key, (Zeroizing::new(value), place));
            }
        }
        Ok(Self { values })
    }

    /// A setting's value, if it was set.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|(value, _)| value.as_str())
    }

    /// A value that must be set, because of `why`.
    ///
    /// # Errors
    /// When it is not; the message names the file's key and the variable.
    pub fn require(&self, key: &str, why: &str) -> Result<&str, InvalidSettings> {
        self.get(key).ok_or_else(|| {
            let variable = SETTINGS
                .iter()
                .find(|setting| setting.key == key)
                .map_or("?", |setting| setting.variable);
            InvalidSettings(format!(
                "{variable} (or {key} in the file) is missing: {why}"
            ))
        })
    }

    /// Where a value came from, for messages.
    #[must_use]
    pub fn place(&self, key: &str) -> &str {
        self.values.get(key).map_or("", |(_, place)| place)
    }

    /// A number between `lowest` and `highest`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn number(
        &self,
        key: &str,
        lowest: u64,
        highest: u64,
    ) -> Result<Option<u64>, InvalidSettings> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if (lowest..=highest).contains(&number) => Ok(Some(number)),
            _ => Err(InvalidSettings(format!(
                "{} must be a number from {lowest} to {highest}",
                self.place(key)
            ))),
        }
    }
}

fn unknown(name: &str, key: &str) -> String {
    let known: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
    format!(
        "{name}: there is no setting {key}; there are {}",
        known.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, variables: &[(&str, &str)]) -> Result<Settings, InvalidSettings> {
        Settings::read(Some(("x.toml", file)), |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = "[mongodb]\nuri = \"mongodb://one\"\n[worker]\nlease_seconds = 20\n";
        let settings = read(
            file,
            &[("MONGODB_URI", "mongodb://other"), ("AWS_REGION", "")],
        )
        .unwrap();
        assert_eq!(settings.get("mongodb.uri"), Some("mongodb://other"));
        assert_eq!(settings.place("mongodb.uri"), "MONGODB_URI");
        assert_eq!(
            settings.number("worker.lease_seconds", 10, 900),
            Ok(Some(20))
        );
        assert_eq!(settings.get("aws.region"), None);
    }

    #[test]
    fn what_is_wrong_is_named_and_never_quoted() {
        let cases = [
            (
                "[mongodb]\nurl = \"s3cret\"",
                "there is no setting mongodb.url",
            ),
            ("mongodb = \"s3cret\"", "there is no setting mongodb;"),
            (
                "[mongodb]\nuri = [\"s3cret\"]",
                "mongodb.uri must be a text",
            ),
            ("[mongodb]\nuri = s3cret", "x.toml: "),
        ];
        for (file, expected) in cases {
            let error = read(file, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        let settings = read("[worker]\nlease_seconds = 5", &[]).unwrap();
        let error = settings.number("worker.lease_seconds", 10, 900);
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("worker.lease_seconds in x.toml must"),
            "{error}"
        );
        let error = settings.require("objects.bucket", "nowhere to write to");
        assert!(error.unwrap_err().to_string().contains("EXPORT_BUCKET"));
        let secret = read("[mongodb]\nuri = \"s3cret\"", &[]).unwrap();
        assert!(!format!("{secret:?}").contains("s3cret"));
    }

    #[test]
    fn every_setting_has_one_name() {
        let mut names: Vec<_> = SETTINGS.iter().map(|s| s.key).collect();
        names.extend(SETTINGS.iter().map(|s| s.variable));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
