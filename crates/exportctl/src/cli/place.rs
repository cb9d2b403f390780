//! Which commands work on a home, which at a service, and which on files only.

use super::{ApprovalCommand, Command, KeysCommand, RunsCommand, SealCommand};

/// Where a command works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a home only.
    Home,
    /// On a home, or at a service.
    HomeOrServer,
    /// At a service only.
    Server,
    /// On files; without a word to any service.
    Offline,
}

impl Command {
    /// Where the command works.
    pub(crate) fn place(&self) -> Place {
        match self {
            #[cfg(feature = "stack")]
            Self::Stack(_) => Place::Home,
            Self::Ledger(_)
            | Self::Dlq(_)
            | Self::Serve(_)
            | Self::Approval(ApprovalCommand::Trust { .. })
            | Self::Seal(SealCommand::Allow { .. } | SealCommand::Keygen { .. })
            | Self::Runs(RunsCommand::Resume { .. })
            | Self::Keys(
                KeysCommand::Show | KeysCommand::Generate { .. } | KeysCommand::Trust { .. },
            ) => Place::Home,
            Self::Profile(_)
            | Self::Run(_)
            | Self::Runs(_)
            | Self::Schedule(_)
            | Self::Keys(KeysCommand::Public)
            | Self::Adapters => Place::HomeOrServer,
            Self::Login(_) | Self::Logout | Self::Proof { .. } => Place::Server,
            Self::Verify(_)
            | Self::Inspect { .. }
            | Self::Unpack(_)
            | Self::Diff(_)
            | Self::Bundle(_)
            | Self::Mirror(_)
            | Self::Seal(SealCommand::Identity { .. } | SealCommand::Rewrap(_))
            | Self::Approval(ApprovalCommand::Create(_))
            | Self::Docs { .. } => Place::Offline,
        }
    }
}
