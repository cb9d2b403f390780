//! What a manifest says of a payload file.

use export_model::{Kind, Sha256Digest};
use serde::{Deserialize, Serialize};

use crate::paths::{content_path, unsealed_path};

/// Where the layers of a mirror lie.
const LAYERS: &str = "payload/layers/";

/// A payload file.
///
/// `quarantined` is an addition to the list in the format's description: without it, a reader of
/// the archive could not know, before it has seen the quarantine list (which comes after the
/// advisories), for which files it has to keep what their input hash is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its path in the bundle.
    pub path: String,
    /// Size of the stored bytes.
    pub size: u64,
    /// SHA-256 of the stored bytes.
    pub sha256: Sha256Digest,
    /// Size before compression.
    pub content_size: u64,
    /// SHA-256 before compression.
    pub content_sha256: Sha256Digest,
    /// Media type of the content; of a scanner's layer, the type by which its reader asks for it.
    pub media_type: String,
    /// How it is compressed; none where the content is stored as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<CompressionEntry>,
    /// Records in it, for files of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Its first and last record, for files of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<RecordRange>,
    /// How many records of its part were quarantined; written only where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<u64>,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompressionEntry {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Its level.
    pub level: i32,
}

/// A compression algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// gzip (RFC 1952): one member.
    Gzip,
    /// Zstandard (RFC 8878), in frames as [`frames`](crate::frames) describes.
    Zstd,
}

impl Algorithm {
    /// What the name of a file ends with that is compressed so.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}

/// The first and the last record of a file, by `_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordRange {
    /// `_id` of the first record.
    pub first: String,
    /// `_id` of the last record.
    pub last: String,
}

impl FileEntry {
    /// The kind of the records in it, by its path: `…/<kind>/part-<number>.jsonl[.zst]`, or
    /// `payload/layers/<kind>-<number>.tar[.zst]`. None for other files.
    #[must_use]
    pub fn record_kind(&self) -> Option<Kind> {
        let path = content_path(&self.path);
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if let Some(layer) = path.strip_prefix(LAYERS) {
            let (kind, number) = layer.strip_suffix(".tar")?.rsplit_once('-')?;
            return is_number(number).then(|| kind.parse().ok())?;
        }
        let mut components = path.rsplit('/');
        let number = components
            .next()?
            .strip_prefix("part-")?
            .strip_suffix(".jsonl")?;
        if !is_number(number) {
            return None;
        }
        components.next()?.parse().ok()
    }

    /// Whether its records are documents of a layer, rather than lines.
    #[must_use]
    pub fn is_layer(&self) -> bool {
        self.path.starts_with(LAYERS) && self.record_kind().is_some()
    }

    /// The tenant in its path: `payload/<tenant>/<kind>/part-<number>.jsonl[.zst]`. None for other
    /// files, and for records in bundles of one tenant.
    #[must_use]
    pub fn record_owner(&self) -> Option<&str> {
        self.record_kind()?;
        let mut components = content_path(&self.path).split('/');
        let owner = components.nth(1)?;
        (components.count() == 2).then_some(owner)
    }

    pub(super) fn contradiction(&self, is_sealed: bool) -> Option<&'static str> {
        let named = [Algorithm::Gzip, Algorithm::Zstd]
            .into_iter()
            .find(|algorithm| unsealed_path(&self.path).ends_with(algorithm.suffix()));
        if self.compression.map(|compression| compression.algorithm) != named {
            return Some("its name and its compression");
        }
        if self.compression.is_none()
            && !is_sealed
            && unsealed_path(&self.path) == self.path
            && (self.size, self.sha256) != (self.content_size, self.content_sha256)
        {
            return Some("it is stored as it is, but its content has another size or digest");
        }
        if self.quarantined == Some(0) {
            return Some("`quarantined` is only written where there are some");
        }
        if self.record_kind().is_some()
            && (self.records.is_none() || self.range.is_none() != is_sealed)
        {
            return Some("a file of records needs their number and range");
        }
        None
    }
}

/// The digest that two exports of the same evidence have in common, however they were compressed:
/// SHA-256 over the lines `<sha256 hex>␠␠<size>␠␠<path>\n` of the contents, sorted by
/// [content path](content_path).
#[must_use]
pub fn content_digest(files: &[FileEntry]) -> Sha256Digest {
    let mut lines: Vec<_> = files
        .iter()
        .map(|file| (content_path(&file.path), file))
        .collect();
    lines.sort_unstable_by_key(|(path, _)| *path);
    let mut text = String::new();
    for (path, file) in lines {
        text.push_str(&file.content_sha256.hex());
        text.push_str("  ");
        text.push_str(&file.content_size.to_string());
        text.push_str("  ");
        text.push_str(path);
        text.push('\n');
    }
    Sha256Digest::of(text.as_bytes())
}
