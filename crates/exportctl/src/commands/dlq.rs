//! `exportctl dlq …`: messages that were put aside.

use export_model::Phase;
use export_ports::DeadLetter;
use serde_json::{Value, json};

use crate::cli::{DlqCommand, PhaseName};
use crate::failure::Failed;
use crate::output::{Output, table};
use crate::settings::Settings;

pub(super) async fn execute(
    settings: &Settings,
    output: &Output,
    command: DlqCommand,
) -> Result<u8, Failed> {
    let backends = settings.backends().await?;
    let queue = &backends.ports.queue;
    match command {
        DlqCommand::List { phase, limit } => {
            let mut letters = Vec::new();
            for phase in phases(phase) {
                let found = queue.dead_letters(phase, limit).await?;
                letters.extend(found.into_iter().map(|letter| (phase, letter)));
            }
            list(output, &letters);
        }
        DlqCommand::Redrive { phase, id } => {
            let mut sent = 0;
            for phase in phases(phase) {
                sent += queue.redrive(phase, id.as_deref()).await?;
            }
            let text = match (sent, &id) {
                (0, Some(id)) => format!("there is no message {id} that could be sent again"),
                (0, None) => "there is nothing to send again".to_owned(),
                (1, _) => "1 message was sent again".to_owned(),
                (sent, _) => format!("{sent} messages were sent again"),
            };
            output.result(&text, &json!({ "sent": sent }));
        }
    }
    Ok(0)
}

fn phases(only: Option<PhaseName>) -> Vec<Phase> {
    only.map_or_else(|| Phase::ALL.to_vec(), |phase| vec![phase.phase()])
}

fn list(output: &Output, letters: &[(Phase, DeadLetter)]) {
    let header = ["PHASE", "ID", "PUT ASIDE", "RECEIVED", "MESSAGE", "REASON"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for (phase, letter) in letters {
        rows.push(vec![
            phase.as_str().to_owned(),
            letter.id.clone(),
            letter.at.to_string(),
            letter.receive_count.to_string(),
            match &letter.message {
                Some(message) => format!("{} of {}", message.work, message.tenant),
                None => shortened(&letter.body),
            },
            letter.reason.clone(),
        ]);
    }
    let text = if letters.is_empty() {
        "no message was put aside".to_owned()
    } else {
        table(&rows)
    };
    let value: Vec<Value> = letters
        .iter()
        .map(|(phase, letter)| {
            json!({
                "phase": phase,
                "id": letter.id,
                "at": letter.at.to_string(),
                "receive_count": letter.receive_count,
                "reason": letter.reason,
                "message": letter.message,
                "body": letter.body,
            })
        })
        .collect();
    output.result(&text, &json!({ "messages": value }));
}

/// A body that anybody may have sent, on one line of a terminal.
fn shortened(body: &str) -> String {
    const MOST: usize = 60;
    let mut text: String = body
        .chars()
        .take(MOST)
        .flat_map(char::escape_default)
        .collect();
    if body.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}
