//! What is done at a site that keeps a mirror.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum MirrorCommand {
    /// Verify the bundle of a mirror and apply it to a folder, all or nothing
    Apply(MirrorApplyArgs),
    /// What a folder mirrors, and as of when; looks at no document
    Status(MirrorDir),
    /// Check a mirror from its signatures down to every byte of every file
    Verify(MirrorVerifyArgs),
    /// What was applied to a mirror, oldest first, each verified
    Log(MirrorDir),
}

#[derive(Debug, Args)]
pub(crate) struct MirrorApplyArgs {
    /// The bundle of mirror:full or mirror:delta: an archive, or `-` for standard input
    pub(crate) bundle: PathBuf,
    /// The folder that holds the mirror; the first export makes it
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// The signer's public key, PEM [default: the key that the mirror holds to; at first, the keys that
    /// the home trusts]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Of a sealed bundle: an age identity, a key-encryption key (a file, or `awskms:///…`), or a key
    /// file that `seal rewrap` made
    /// (repeat for more)
    #[arg(long = "identity", value_name = "FILE|KEY")]
    pub(crate) identities: Vec<PathBuf>,
    /// Hold to --key from here on, although another key signed what is there
    #[arg(long, requires = "key")]
    pub(crate) repin: bool,
    /// Apply a full export although it is older than what is there
    #[arg(long)]
    pub(crate) allow_rollback: bool,
    /// How many versions are kept, for whoever still reads an older one
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) keep: u64,
}

#[derive(Debug, Args)]
pub(crate) struct MirrorDir {
    /// The folder that holds the mirror
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct MirrorVerifyArgs {
    #[command(flatten)]
    pub(crate) mirror: MirrorDir,
    /// The signer's public key, PEM [default: the key that the mirror holds to]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}
