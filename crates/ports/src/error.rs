//! The error that every port returns.

use std::fmt;

/// What went wrong, as callers need to tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortErrorKind {
    /// There is no such thing.
    NotFound,
    /// Somebody else changed it first: a compare-and-set failed. Read again and decide again.
    Conflict,
    /// It exists already, with other content.
    AlreadyExists,
    /// It cannot change any more.
    Frozen,
    /// The store refuses the value for good.
    Invalid,
    /// There is no space left.
    Full,
    /// The store cannot be written to.
    ReadOnly,
    /// The store is of a newer version.
    Newer,
    /// The store is damaged.
    Damaged,
    /// The password of a key is missing or wrong.
    Password,
    /// The same call may succeed later.
    Unavailable,
}

/// A failed call of a port: what it was doing, to what, and why it failed.
#[derive(Debug)]
pub struct PortError {
    kind: PortErrorKind,
    doing: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl PortError {
    /// An error of `kind` while `doing` something to something, such as
    /// `writing object acme/0199/t/x`.
    pub fn new(kind: PortErrorKind, doing: impl Into<String>) -> Self {
        Self {
            kind,
            doing: doing.into(),
            source: None,
        }
    }

    /// The same, with its cause.
    pub fn because(
        kind: PortErrorKind,
        doing: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            doing: doing.into(),
            source: Some(source.into()),
        }
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// Whether a compare-and-set failed.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.kind == PortErrorKind::Conflict
    }

    /// The catalogue's code for this error.
    #[must_use]
    pub fn code(&self) -> export_model::ErrorCode {
        use export_model::ErrorCode;
        match self.kind {
            PortErrorKind::AlreadyExists => ErrorCode::IdConflict,
            PortErrorKind::Frozen => ErrorCode::SnapshotFrozen,
            PortErrorKind::Full => ErrorCode::DiskFull,
            PortErrorKind::ReadOnly => ErrorCode::ReadOnly,
            PortErrorKind::Newer => ErrorCode::HomeNewer,
            PortErrorKind::Damaged => ErrorCode::HomeDamaged,
            PortErrorKind::Password => ErrorCode::KeyPassword,
            PortErrorKind::NotFound
            | PortErrorKind::Conflict
            | PortErrorKind::Invalid
            | PortErrorKind::Unavailable => ErrorCode::Storage,
        }
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            PortErrorKind::NotFound => "it does not exist",
            PortErrorKind::Conflict => "it was changed meanwhile",
            PortErrorKind::AlreadyExists => "it exists already with other content",
            PortErrorKind::Frozen => "it cannot change any more",
            PortErrorKind::Invalid => "the store refuses it",
            PortErrorKind::Full => "no space is left",
            PortErrorKind::ReadOnly => "it cannot be written to",
            PortErrorKind::Newer => "it was written by a newer version",
            PortErrorKind::Damaged => "it is damaged",
            PortErrorKind::Password => "the password is missing or wrong",
            PortErrorKind::Unavailable => "it failed",
        };
        write!(f, "{}: {what}", self.doing)?;
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PortError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}
