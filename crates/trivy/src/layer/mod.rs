//! Layers: a database and its metadata as the one file that a scanner downloads.
//!
//! A layer is a gzip file of a ustar archive of two members, in this order, with nothing in it that
//! depends on who made it or when: mode 0644, user and group 0, time 0.

mod manifest;
mod tar;
mod unpack;
mod write;

pub use manifest::manifest;
pub use unpack::{UnpackLimits, Unpacked, unpack};
pub use write::GZIP_LEVEL;
pub(crate) use write::write;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// Vulnerabilities: bbolt.
    Database,
    /// Jars: `SQLite`.
    Java,
}

impl LayerKind {
    /// The OCI layer's media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Database => "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip",
            Self::Java => "application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip",
        }
    }

    /// The layer's file name, which its annotation has to say.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Database => "db.tar.gz",
            Self::Java => "javadb.tar.gz",
        }
    }

    /// The database's member, which is the first.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Database => "trivy.db",
            Self::Java => "trivy-java.db",
        }
    }

    /// The folder in a scanner's cache.
    #[must_use]
    pub fn cache_folder(self) -> &'static str {
        match self {
            Self::Database => "db",
            Self::Java => "java-db",
        }
    }
}

/// The second member.
const METADATA: &str = "metadata.json";

#[cfg(test)]
mod tests;
