//! `exportctl stack …`: setting up what the settings name, and asking whether it answers.

use std::sync::Arc;
use std::time::Duration;

use export_host::SystemClock;
use export_model::{ErrorCode, ObjectPrefix, Phase, RunId, RunKey, Tenant};
use export_ports::{Clock, PortError, Ports};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::cli::StackCommand;
use crate::failure::Failed;
use crate::output::{Output, table};
use crate::settings::{DEFAULT_TENANT, Settings, tenant};

/// How long a part has to answer.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    command: StackCommand,
) -> Result<u8, Failed> {
    match command {
        StackCommand::Migrate => migrate(settings, output).await,
        StackCommand::Check => check(settings, output).await,
    }
}

async fn migrate(settings: &Settings, output: &Output) -> Result<u8, Failed> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let Some(database) = export_stack::database(settings.stack(), &clock).await? else {
        let detail = "no database is named: set MONGODB_URI, or mongodb.uri in export-center.toml";
        return Err(Failed::new(ErrorCode::Configuration, detail));
    };
    export_mongo::migrate(&database).await?;
    let name = database.name();
    let text = format!("database {name} has this version's collections and indexes");
    output.result(&text, &json!({ "database": name }));
    Ok(0)
}

/// Asks every part once, and tells what each says. Writes nothing.
async fn check(settings: &Settings, output: &Output) -> Result<u8, Failed> {
    let backends = settings.backends().await?;
    backends.open_key()?;
    let ports = &backends.ports;
    let owner = tenant(DEFAULT_TENANT)?;
    let mut found = Found::default();
    found.add("run state", ask(ports.state.ping()).await);
    found.add("gate", ask(ports.gate.ping()).await);
    found.add("objects", ask(list_nothing(ports, &owner)).await);
    for phase in Phase::ALL {
        let name = format!("queue {}", phase.as_str());
        let stats = ask(ports.queue.stats(phase)).await;
        let said = stats.map(|stats| format!("{} waiting, {} dead", stats.messages, stats.dead));
        found.add(&name, said);
    }
    let watermark = ask(ports.ledger.watermark(&owner)).await;
    found.add("ledger", watermark.map(|seq| format!("watermark {seq}")));
    found.add("policy engine", ask(ports.policy.watermark(&owner)).await);
    let key = ask(ports.signer.public_key_pem()).await;
    found.add("signing key", key.map(|_| ports.signer.key_id()));

    output.result(&table(&found.rows), &json!({ "parts": found.values }));
    match found.first_failure {
        None => Ok(0),
        Some(error) => Err(Failed::new(error.code(), error.to_string())),
    }
}

async fn list_nothing(ports: &Ports, owner: &Tenant) -> Result<(), PortError> {
    let nobody = RunKey {
        tenant: owner.clone(),
        run: RunId::nil(),
    };
    let prefix = ObjectPrefix::run(&nobody);
    ports.objects.list(&prefix, None, 1).await.map(drop)
}

async fn ask<T>(asked: impl Future<Output = Result<T, PortError>>) -> Result<T, PortError> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(PortError::new(
            export_ports::PortErrorKind::Unavailable,
            format!("waiting {} s for an answer", PATIENCE.as_secs()),
        )),
    }
}

#[derive(Default)]
struct Found {
    rows: Vec<Vec<String>>,
    values: Vec<Value>,
    first_failure: Option<PortError>,
}

impl Found {
    fn add<T: Said>(&mut self, part: &str, answer: Result<T, PortError>) {
        let (is_well, said) = match &answer {
            Ok(answer) => (true, answer.said()),
            Err(error) => (false, error.to_string()),
        };
        let state = if is_well { "ok" } else { "FAILED" };
        let row = [part, state, &said].map(str::to_owned).to_vec();
        self.rows.push(row);
        self.values
            .push(json!({ "part": part, "ok": is_well, "said": said }));
        if let (None, Err(error)) = (&self.first_failure, answer) {
            self.first_failure = Some(error);
        }
    }
}

/// What an answer says, for people.
trait Said {
    fn said(&self) -> String;
}

impl Said for () {
    fn said(&self) -> String {
        String::new()
    }
}

impl Said for u64 {
    fn said(&self) -> String {
        format!("watermark {self}")
    }
}

impl Said for String {
    fn said(&self) -> String {
        self.clone()
    }
}
