//! What is done with bundles that lie about as files.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The bundle: an archive, a folder, or `-` for standard input
    pub(crate) bundle: PathBuf,
    /// The signer's public key, PEM [default: the keys that the home trusts]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Of a sealed bundle: an age identity, a key-encryption key (a file, or `awskms:///…`), or a key
    /// file that `seal rewrap` made
    /// (repeat for more). Without any, stored bytes and signatures are checked
    #[arg(long = "identity", value_name = "FILE|KEY")]
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
    /// Open a sealed bundle: an age identity, a key-encryption key (a file, or `awskms:///…`), or a key
    /// file that `seal rewrap` made
    /// (repeat for more). Without any, sealed files are unpacked as they are
    #[arg(long = "identity", value_name = "FILE|KEY")]
    pub(crate) identities: Vec<PathBuf>,
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

#[derive(Debug, Subcommand)]
pub(crate) enum BundleCommand {
    /// Cut a file into parts that fit on media, each with its digest; goes on where it was interrupted
    Split {
        /// The file, such as a bundle's archive
        file: PathBuf,
        /// The most bytes of a part, such as 4GB, 650MB or 1GiB
        #[arg(long, value_name = "SIZE", value_parser = byte_size)]
        size: u64,
        /// The folder for the parts [default: the file's own]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Put a file together again, each part checked; goes on where it was interrupted, also for lack of
    /// parts
    Join {
        /// The parts; the list of them, NAME.parts.json, is given too or lies beside the first one
        #[arg(required = true, value_name = "PART")]
        parts: Vec<PathBuf>,
        /// The file to make [default: under its own name, beside the first part]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// `4GB`, `650MB`, `1GiB`, or bytes.
fn byte_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("", 1),
        ("B", 1),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ];
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.get(digits.len()..).unwrap_or_default().trim_start();
    let unit = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let size = digits.parse::<u64>().ok().zip(unit);
    match size.and_then(|(number, (_, unit))| number.checked_mul(*unit)) {
        Some(0) => Err("a part has at least one byte".to_owned()),
        Some(size) => Ok(size),
        None => {
            Err("a size is a number and kB, MB, GB, TB, KiB, MiB or GiB, such as 4GB".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::byte_size;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, size) in [
            ("4GB", 4_000_000_000),
            ("4 GB", 4_000_000_000),
            ("650mb", 650_000_000),
            ("1GiB", 1 << 30),
            ("17", 17),
            ("17b", 17),
        ] {
            assert_eq!(byte_size(text), Ok(size), "{text}");
        }
        for text in [
            "",
            "GB",
            "0",
            "-1",
            "4.5GB",
            "4XB",
            "99999999999TB",
            "4GB4",
            "٤GB",
        ] {
            assert!(byte_size(text).is_err(), "{text}");
        }
    }
}
