//! Where the queues are.

use aws_sdk_sqs::types::QueueAttributeName;
use export_model::Phase;
use export_ports::{MAX_RECEIVES, PortError, PortErrorKind};
use tokio::sync::OnceCell;

use super::SqsQueue;
use crate::failure::{Access, failed};

/// The queue of a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrl {
    /// Its URL.
    pub queue: String,
    /// The URL of its dead letters. None: found by its redrive policy when it is needed.
    pub dead: Option<String>,
}

/// The queue of each phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrls {
    /// Of planning.
    pub plan: QueueUrl,
    /// Of the adapters.
    pub adapter: QueueUrl,
    /// Of signing.
    pub sign: QueueUrl,
    /// Of distributing.
    pub distribute: QueueUrl,
}

impl QueueUrls {
    /// The queue of `phase`.
    #[must_use]
    pub fn of(&self, phase: Phase) -> &QueueUrl {
        match phase {
            Phase::Plan => &self.plan,
            Phase::Adapter => &self.adapter,
            Phase::Sign => &self.sign,
            Phase::Distribute => &self.distribute,
        }
    }
}

/// The queue of dead letters of a phase.
#[derive(Clone, Debug)]
pub(super) struct Dead {
    pub(super) url: String,
    /// After how many receives SQS puts a message there.
    pub(super) max_receives: u32,
}

/// What is found once.
pub(super) type DeadQueue = OnceCell<Dead>;

/// A phase's place in what there is one of for each.
pub(super) fn number(phase: Phase) -> usize {
    match phase {
        Phase::Plan => 0,
        Phase::Adapter => 1,
        Phase::Sign => 2,
        Phase::Distribute => 3,
    }
}

impl SqsQueue {
    pub(super) async fn dead_queue(&self, phase: Phase) -> Result<&Dead, PortError> {
        let cell = &self.dead[number(phase)];
        cell.get_or_try_init(|| self.find_dead_queue(phase)).await
    }

    async fn find_dead_queue(&self, phase: Phase) -> Result<Dead, PortError> {
        let doing = || format!("finding the dead letters of queue {}", self.url(phase));
        let found = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(phase))
            .attribute_names(QueueAttributeName::RedrivePolicy)
            .send()
            .await
            .map_err(|error| failed(Access::Read, doing(), &error))?;
        let policy = found
            .attributes()
            .and_then(|attributes| attributes.get(&QueueAttributeName::RedrivePolicy))
            .and_then(|policy| Policy::parse(policy));
        let max_receives = policy
            .as_ref()
            .map_or(MAX_RECEIVES, |policy| policy.max_receives);
        let url = match (&self.urls.of(phase).dead, policy) {
            (Some(url), _) => url.clone(),
            (None, Some(policy)) => self
                .client
                .get_queue_url()
                .queue_name(policy.name)
                .queue_owner_aws_account_id(policy.account)
                .send()
                .await
                .map_err(|error| failed(Access::Read, doing(), &error))?
                .queue_url
                .unwrap_or_default(),
            (None, None) => {
                return Err(PortError::because(
                    PortErrorKind::Invalid,
                    doing(),
                    "it has no redrive policy: give it one, or set the URL of its dead letters",
                ));
            }
        };
        Ok(Dead { url, max_receives })
    }
}

/// A `RedrivePolicy`, as far as it is needed.
#[derive(Debug, PartialEq, Eq)]
struct Policy {
    account: String,
    name: String,
    max_receives: u32,
}

impl Policy {
    fn parse(policy: &str) -> Option<Self> {
        let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
        // arn:PARTITION:sqs:REGION:ACCOUNT:NAME
        let arn: Vec<_> = policy["deadLetterTargetArn"].as_str()?.split(':').collect();
        let [_, _, "sqs", _, account, name] = arn[..] else {
            return None;
        };
        // A number, or a text that holds one: both are accepted by SQS and given back as they were.
        let max = &policy["maxReceiveCount"];
        let max = max
            .as_u64()
            .or_else(|| max.as_str().and_then(|text| text.parse().ok()))?;
        Some(Self {
            account: account.to_owned(),
            name: name.to_owned(),
            max_receives: u32::try_from(max).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies() {
        for max in ["10", "\"10\""] {
            let policy = format!(
                r#"{{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:123:plan-dead","maxReceiveCount":{max}}}"#
            );
            let expected = Policy {
                account: "123".to_owned(),
                name: "plan-dead".to_owned(),
                max_receives: 10,
            };
            assert_eq!(Policy::parse(&policy), Some(expected));
        }
        for bad in [
            "",
            "{}",
            r#"{"deadLetterTargetArn":"x","maxReceiveCount":1}"#,
        ] {
            assert_eq!(Policy::parse(bad), None, "{bad}");
        }
    }
}
