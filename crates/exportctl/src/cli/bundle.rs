//! What is done with bundles that lie about as files.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The bundle: an archive, a folder, or `-` for standard input
    pub(crate) bundle: PathBuf,
    /// The signer's public key, PEM [default: the keys that the home trusts]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Of a sealed bundle: an age identity, a key-encryption key, or a key file that `seal rewrap` made
    /// (repeat for more). Without any, stored bytes and signatures are checked
    #[arg(long = "identity", value_name = "FILE")]
    pub(crate) identities: Vec<PathBuf>,
    /// Check the contents too: every record, line and input hash
    #[arg(long)]
    pub(crate) deep: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UnpackArgs {
    /// The bundle: an archive, or `-` for standard input
    pub(crate) bundle: PathBuf,
    /// The folder to make; it must not exist, or be empty
    #[arg(long, value_name = "DIR", required_unless_present = "trivy_cache")]
    pub(crate) to: Option<PathBuf>,
    /// Lay the database out in this cache directory of Trivy, as its `--cache-dir` wants it, in place of
    /// the one that is there: `db/` of trivy:db, `java-db/` of trivy:java-db
    #[arg(long, value_name = "DIR")]
    pub(crate) trivy_cache: Option<PathBuf>,
    /// Unpack although there is no key to verify with; what is altered is refused all the same
    #[arg(long)]
    pub(crate) allow_unverified: bool,
    /// The signer's public key, PEM [default: the keys that the home trusts]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The older bundle: an archive or a folder
    pub(crate) first: PathBuf,
    /// The newer one
    pub(crate) second: PathBuf,
    /// Only say how many advisories differ, by ecosystem
    #[arg(long)]
    pub(crate) stat: bool,
    /// Exit with 1 where they differ, as `git diff --exit-code` does
    #[arg(long)]
    pub(crate) exit_code: bool,
}
