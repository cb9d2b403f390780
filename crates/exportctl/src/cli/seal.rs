//! Keys and recipients of sealed bundles.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum SealCommand {
    /// List for whom a tenant's files may be sealed in this home, and add to it
    Allow {
        /// Whose files
        tenant: String,
        /// A recipient of age, `age1…` (repeat for more)
        #[arg(long = "recipient", value_name = "RECIPIENT")]
        recipients: Vec<String>,
        /// A key-encryption key of this home, by its name (repeat for more)
        #[arg(long = "key", value_name = "NAME")]
        keys: Vec<String>,
    },
    /// Make an age identity, as `age-keygen` does
    Identity {
        /// Where to write it; whoever has this file opens what is sealed to its recipient
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Make a key-encryption key in this home, for profiles with `"mode": "aes-gcm"`
    Keygen {
        /// Its name
        name: String,
    },
    /// Wrap the keys of a sealed bundle anew, for other recipients or by another key. The bundle stays
    /// as it is, byte for byte; what is written goes with it
    Rewrap(RewrapArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RewrapArgs {
    /// The bundle: an archive
    pub(crate) bundle: PathBuf,
    /// An identity, a key-encryption key or a key file that opens it now (repeat for more)
    #[arg(long = "identity", value_name = "FILE|KEY", required = true)]
    pub(crate) identities: Vec<PathBuf>,
    /// Of a bundle that is sealed with age: a recipient that is to open it (repeat for more)
    #[arg(
        long = "to",
        value_name = "RECIPIENT",
        required_unless_present = "to_key"
    )]
    pub(crate) recipients: Vec<String>,
    /// Of one that is sealed with AES-256-GCM: a key-encryption key that is to open it, a file or
    /// `awskms:///…`
    #[arg(long, value_name = "FILE|KEY", conflicts_with = "recipients")]
    pub(crate) to_key: Option<PathBuf>,
    /// Where to write the key file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}
