//! The arguments of commands about queues and the rest of a stack.

use clap::Subcommand;

/// A phase whose messages a worker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PhaseName {
    /// Admits and plans runs, starts schedules, sweeps
    Plan,
    /// Writes parts
    Adapter,
    /// Writes and signs the documents
    Sign,
    /// Hands over
    Distribute,
}

impl PhaseName {
    pub(crate) fn phase(self) -> export_model::Phase {
        use export_model::Phase;
        match self {
            Self::Plan => Phase::Plan,
            Self::Adapter => Phase::Adapter,
            Self::Sign => Phase::Sign,
            Self::Distribute => Phase::Distribute,
        }
    }
}

#[cfg(feature = "stack")]
#[derive(Debug, Subcommand)]
pub(crate) enum StackCommand {
    /// Give the database this version's collections, validators and indexes. Safe to repeat
    Migrate,
    /// Ask every part whether it answers
    Check,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// Which messages were put aside, and why
    List {
        /// Of one phase only
        #[arg(long, value_enum)]
        phase: Option<PhaseName>,
        /// How many of each phase, at most
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Send them again, once what stood in their way is mended
    Redrive {
        /// Of one phase only
        #[arg(long, value_enum)]
        phase: Option<PhaseName>,
        /// Only the message of this id, as `list` shows it
        #[arg(value_name = "ID")]
        id: Option<String>,
    },
}
