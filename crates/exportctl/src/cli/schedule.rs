//! The commands of `exportctl schedule`.

use std::path::PathBuf;

use clap::Subcommand;

use super::TenantArg;

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Every schedule, oldest first
    List(TenantArg),
    /// Make a schedule from a JSON file: {"name", "profile", "when": "cron(0 3 * * *)"}
    Create {
        /// The file, or `-` for standard input
        file: PathBuf,
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// A schedule: what it runs, and when
    Show {
        /// The schedule's id
        id: String,
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// Remove a schedule; runs that it started go on
    Delete {
        /// The schedule's id
        id: String,
        #[command(flatten)]
        tenant: TenantArg,
    },
}
