//! What goes wrong at a site, each with its documented code and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use export_bundle::verify::Report;
use export_model::{ErrorCode, ProfileKind};
use export_signing::Fingerprint;

use crate::differences::Differences;
use crate::judge::Refusal;

/// Why something was not done. The tree that readers see is what it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bundle is not what it claims to be, or there was no key to say who vouches for it.
    #[error("the bundle was not applied, because it is not verified: {}", gist(.0))]
    NotVerified(Box<Report>),
    /// The bundle was signed by another key than the one that the mirror holds to.
    #[error(
        "the bundle names the key {}, but this mirror holds to {pinned}, which signed what it has; \
         if the signer changed keys on purpose, compare the new fingerprint with them and apply it once \
         with the new key and `--repin`",
        match found { Some(key) => key.to_string(), None => "of nobody".to_owned() }
    )]
    WrongKey {
        /// The key that the bundle names.
        found: Option<Fingerprint>,
        /// The mirror's.
        pinned: Fingerprint,
    },
    /// A bundle of something else.
    #[error("the bundle is one of {kind}, not of a mirror")]
    NotAMirror {
        /// What it is of.
        kind: ProfileKind,
    },
    /// The bundle's manifest lacks what a mirror's has, or contradicts itself about it.
    #[error("the bundle's manifest {what}")]
    Claim {
        /// How.
        what: &'static str,
    },
    /// It would not continue what is here.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no mirror in the folder.
    #[error("{} holds no mirror", dir.display())]
    NoMirror {
        /// The folder.
        dir: PathBuf,
    },
    /// There is something else in the folder.
    #[error("{} holds something else than a mirror (`{name}`); choose a folder that is empty or does not exist", dir.display())]
    Foreign {
        /// The folder.
        dir: PathBuf,
        /// What is in it.
        name: String,
    },
    /// A format that this version does not know.
    #[error("{} has the format `{found}`; known is `{}`", path.display(), crate::place::FORMAT)]
    Newer {
        /// The mirror's description of itself.
        path: PathBuf,
        /// The format.
        found: String,
    },
    /// What the mirror knows of itself cannot be relied on.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// How.
        what: String,
    },
    /// Somebody else changes it.
    #[error("{} is being changed by {holder}", dir.display())]
    Busy {
        /// The mirror.
        dir: PathBuf,
        /// Who, as they said themselves.
        holder: String,
    },
    /// A file of the bundle is not what was signed.
    #[error("`{path}` of the bundle {what}")]
    Altered {
        /// Its path in the bundle.
        path: String,
        /// How.
        what: String,
    },
    /// The bundle ends too early, or misses a file.
    #[error("the bundle is incomplete: {what}")]
    Incomplete {
        /// What is missing.
        what: String,
    },
    /// Something in the bundle cannot be opened with what was given.
    #[error("could not open `{path}` of the bundle: {source}")]
    Open {
        /// Its path in the bundle.
        path: String,
        /// The documented code.
        code: ErrorCode,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody changed the tree, so that nothing can be built on it.
    #[error(
        "the tree {} is not what was applied: {found}; apply a full export to repair it",
        path.display()
    )]
    Edited {
        /// The tree.
        path: PathBuf,
        /// How it differs.
        found: Differences,
    },
    /// The bundle cannot be read.
    #[error("could not read the bundle at byte {offset}: {source}")]
    ReadBundle {
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// A file of the mirror cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the mirror cannot be written.
    #[error("could not write {}: {source}{}", path.display(), advice(source))]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something that cannot happen.
    #[error("{0}")]
    Internal(&'static str),
}

impl Error {
    /// The documented code of this error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotVerified(report) => report.code.unwrap_or(ErrorCode::NoKey),
            Self::WrongKey { .. } => ErrorCode::WrongKey,
            Self::NotAMirror { .. } => ErrorCode::NotAMirror,
            Self::Claim { .. } | Self::Altered { .. } => ErrorCode::Altered,
            Self::Refused(refusal) => refusal.code(),
            Self::NoMirror { .. } | Self::Foreign { .. } => ErrorCode::NoMirror,
            Self::Newer { .. } => ErrorCode::MirrorNewer,
            Self::Damaged { .. } => ErrorCode::MirrorDamaged,
            Self::Busy { .. } => ErrorCode::MirrorBusy,
            Self::Incomplete { .. } => ErrorCode::Incomplete,
            Self::Open { code, .. } => *code,
            Self::Edited { .. } => ErrorCode::MirrorEdited,
            Self::ReadBundle { .. } | Self::Read { .. } => ErrorCode::Io,
            Self::Write { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    ErrorCode::MirrorReadOnly
                }
                _ => ErrorCode::Io,
            },
            Self::Internal(_) => ErrorCode::Internal,
        }
    }
}

/// The first thing that a report names.
fn gist(report: &Report) -> String {
    match report.problems.first() {
        Some(problem) => match &problem.path {
            Some(path) => format!("{path}: {}", problem.detail),
            None => problem.detail.clone(),
        },
        None => "there is no key to verify it with; give the signer's public key".to_owned(),
    }
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free space (an apply needs room for what is new, a full one for the whole tree) and apply \
             it again"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; mount the file system for writing and apply it again"
        }
        io::ErrorKind::PermissionDenied => "; apply it as the user who owns the mirror",
        io::ErrorKind::TooManyLinks => "; the file system allows no more links to one file",
        _ => "",
    }
}

/// An error of writing at `path`.
pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::Write { path, source }
}

/// An error of reading at `path`.
pub(crate) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::Read { path, source }
}
