//! What a folder holds.

use std::fs;
use std::io;
use std::path::Path;

use export_model::{Selectors, Tenant};
use export_signing::Fingerprint;
use serde::{Deserialize, Serialize};

use crate::chain::{Entry, VerifiedEntry, entries, head, read_limited};
use crate::error::{Error, reading};
use crate::place::{CURRENT, FORMAT, META, Place, VERSIONS};

/// The most bytes of a mirror's description.
const MAX_DESCRIPTION_BYTES: u64 = 4 << 20;

/// A mirror that something was applied to.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// What was applied, oldest first; the last is what readers see.
    pub(crate) chain: Vec<Entry>,
    /// The last of them, verified.
    pub(crate) head: VerifiedEntry,
}

/// What a mirror says of itself, for people and for other programs. What decides is the head's signed
/// documents; this is written after them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) format: String,
    pub(crate) tenant: Tenant,
    pub(crate) profile: String,
    pub(crate) selectors: Selectors,
    pub(crate) key: Fingerprint,
}

impl Description {
    pub(crate) fn of(head: &VerifiedEntry) -> Self {
        Self {
            format: FORMAT.to_owned(),
            tenant: head.entry.tenant.clone(),
            profile: head.entry.profile.clone(),
            selectors: head.manifest.selectors.clone(),
            key: head.entry.key,
        }
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|_| Error::Internal("a description cannot be written"))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl State {
    /// What is in the folder; none where nothing was ever applied to it.
    pub(crate) fn load(place: &Place) -> Result<Option<Self>, Error> {
        check_format(place)?;
        let Some(version) = head(place)? else {
            check_empty(place.root())?;
            return Ok(None);
        };
        let tree = place.version(version);
        match fs::symlink_metadata(&tree) {
            Ok(found) if found.is_dir() => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(reading(&tree)(error));
            }
            _ => {
                return Err(Error::Damaged {
                    path: place.current(),
                    what: "it points to a version that is not there".to_owned(),
                });
            }
        }
        Ok(Some(Self {
            chain: entries(place, version)?,
            head: VerifiedEntry::read(place, version)?,
        }))
    }

    /// The same, where there has to be something.
    pub(crate) fn require(place: &Place) -> Result<Self, Error> {
        Self::load(place)?.ok_or_else(|| Error::NoMirror {
            dir: place.root().to_owned(),
        })
    }
}

fn check_format(place: &Place) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Format {
        format: String,
    }
    let path = place.description();
    let bytes = match read_limited(&path, MAX_DESCRIPTION_BYTES) {
        Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(());
        }
        other => other?,
    };
    let Format { format } = serde_json::from_slice(&bytes).map_err(|error| Error::Damaged {
        path: path.clone(),
        what: error.to_string(),
    })?;
    if format == FORMAT {
        return Ok(());
    }
    Err(Error::Newer {
        path,
        found: format
            .chars()
            .filter(|c| !c.is_control())
            .take(80)
            .collect(),
    })
}

/// A folder that is to become a mirror has nothing of anybody else's in it.
fn check_empty(dir: &Path) -> Result<(), Error> {
    let found = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(reading(dir))?,
    };
    for entry in found {
        let name = entry.map_err(reading(dir))?.file_name();
        // The last is at the root of some file systems.
        let ours = [CURRENT, VERSIONS, META, "lost+found"];
        if !ours.iter().any(|own| name == *own) {
            return Err(Error::Foreign {
                dir: dir.to_owned(),
                name: name.to_string_lossy().into_owned(),
            });
        }
    }
    Ok(())
}
