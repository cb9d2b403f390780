//! Whose signatures count under an approval: `keys/approvers/<tenant>/*.pub`.
//!
//! Apart from the keys that bundles are verified with (`keys/trusted/`): to trust what somebody
//! signed is another thing than to let them speak for a tenant.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use export_model::Tenant;
use export_ports::{PortError, PortErrorKind};
use export_signing::PublicKey;

use crate::failure::io_failed;
use crate::signer::{keep_public, public_files, public_key};

/// The keys that may sign approvals, by tenant. Only reads; a folder that is not there lets nobody
/// approve anything. Blocks.
///
/// # Errors
/// `Damaged` when a file is no public key, `Invalid` when a folder's name is no tenant's; otherwise
/// when something cannot be read.
pub fn approvers(keys: &Path) -> Result<BTreeMap<Tenant, Vec<PublicKey>>, PortError> {
    let folder = keys.join("approvers");
    let mut found = BTreeMap::new();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(io_failed("listing", &folder, error)),
    };
    for entry in entries {
        let path = entry
            .map_err(|error| io_failed("listing", &folder, error))?
            .path();
        if !path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let tenant: Tenant = name.parse().map_err(|error| {
            let doing = format!("listing {}", path.display());
            PortError::because(PortErrorKind::Invalid, doing, error)
        })?;
        let keys = public_files(&path)?
            .iter()
            .map(|path| public_key(path))
            .collect::<Result<_, _>>()?;
        found.insert(tenant, keys);
    }
    Ok(found)
}

/// Lets a key sign approvals of `tenant` from now on; gives the file that keeps it, named by its
/// fingerprint. Blocks.
///
/// # Errors
/// When the file cannot be written.
pub fn trust_approver(keys: &Path, tenant: &Tenant, key: &PublicKey) -> Result<PathBuf, PortError> {
    keep_public(&keys.join("approvers").join(tenant.as_str()), key)
}

#[cfg(test)]
mod tests {
    use export_signing::SigningKey;

    use super::*;

    #[test]
    fn keys_count_for_the_tenant_they_were_added_to() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(approvers(folder.path()).unwrap(), BTreeMap::new());
        let key = || SigningKey::generate().unwrap().public_key().clone();
        let (one, two) = (key(), key());
        let globex: Tenant = "globex".parse().unwrap();
        for key in [&one, &two, &one] {
            trust_approver(folder.path(), &globex, key).unwrap();
        }
        let found = approvers(folder.path()).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), [&globex]);
        assert!(found[&globex].contains(&one) && found[&globex].contains(&two));
        assert_eq!(found[&globex].len(), 2);
    }

    #[test]
    fn what_is_no_key_and_who_is_no_tenant_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let approving = folder.path().join("approvers/globex");
        fs::create_dir_all(&approving).unwrap();
        fs::write(approving.join("notes.txt"), "not looked at").unwrap();
        assert_eq!(approvers(folder.path()).unwrap().len(), 1);
        fs::write(approving.join("a.pub"), "no key").unwrap();
        let error = approvers(folder.path()).unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Damaged);
        fs::remove_file(approving.join("a.pub")).unwrap();
        fs::create_dir(folder.path().join("approvers/Globex")).unwrap();
        let error = approvers(folder.path()).unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Invalid);
        assert!(error.to_string().contains("Globex"), "{error}");
    }
}
