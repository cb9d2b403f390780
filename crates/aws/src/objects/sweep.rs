//! Removing objects, with every version of them, and unfinished uploads.
//!
//! A bucket without versions lists its objects as versions too, so there is one way for both.

use std::collections::BTreeSet;

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use export_model::{ObjectKey, ObjectPrefix};
use export_ports::{PortError, PortErrorKind};

use super::S3Objects;
use crate::failure::{Access, failed};

/// Removes an object.
pub(super) async fn delete(store: &S3Objects, key: &ObjectKey) -> Result<(), PortError> {
    let name = store.key(key);
    // Names that only begin with this one are listed too.
    remove(store, &name, |listed| listed == name).await?;
    Ok(())
}

/// Removes the objects under `prefix` but those of `keep`; says how many.
pub(super) async fn objects(
    store: &S3Objects,
    prefix: &ObjectPrefix,
    keep: &BTreeSet<ObjectKey>,
) -> Result<u64, PortError> {
    let keep: BTreeSet<String> = keep.iter().map(|key| store.key(key)).collect();
    remove(store, &store.prefix(prefix), |key| !keep.contains(key)).await
}

/// Removes every version of the objects whose key begins with `prefix` and is `wanted`; says how
/// many objects there were.
async fn remove(
    store: &S3Objects,
    prefix: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<u64, PortError> {
    let doing = || format!("removing {prefix} from bucket {}", store.bucket);
    let mut removed = 0;
    let (mut key_marker, mut version_marker) = (None, None);
    loop {
        let page = store
            .quick
            .list_object_versions()
            .bucket(&store.bucket)
            .prefix(prefix)
            .set_key_marker(key_marker.take())
            .set_version_id_marker(version_marker.take())
            .send()
            .await
            .map_err(|error| failed(Access::Read, doing(), &error))?;
        removed += page
            .versions()
            .iter()
            .filter(|version| version.is_latest() == Some(true))
            .filter(|version| version.key().is_some_and(&wanted))
            .count() as u64;
        let versions = versions(&page, &wanted)
            .map_err(|error| PortError::because(PortErrorKind::Unavailable, doing(), error))?;
        // A page of versions is at most what one request removes.
        if !versions.is_empty() {
            remove_versions(store, versions, &doing).await?;
        }
        key_marker = page.next_key_marker().map(str::to_owned);
        version_marker = page.next_version_id_marker().map(str::to_owned);
        if page.is_truncated() != Some(true) || key_marker.is_none() {
            return Ok(removed);
        }
    }
}

/// The versions and delete markers of a page that are wanted.
fn versions(
    page: &ListObjectVersionsOutput,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<ObjectIdentifier>, aws_sdk_s3::error::BuildError> {
    let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
    let markers = page.delete_markers().iter();
    versions
        .chain(markers.map(|marker| (marker.key(), marker.version_id())))
        .filter_map(|(key, version)| Some((key?, version)))
        .filter(|(key, _)| wanted(key))
        .map(|(key, version)| {
            ObjectIdentifier::builder()
                .key(key)
                .set_version_id(version.map(str::to_owned))
                .build()
        })
        .collect()
}

async fn remove_versions(
    store: &S3Objects,
    versions: Vec<ObjectIdentifier>,
    doing: &impl Fn() -> String,
) -> Result<(), PortError> {
    let request = Delete::builder()
        .set_objects(Some(versions))
        .quiet(true)
        .build()
        .map_err(|error| PortError::because(PortErrorKind::Unavailable, doing(), error))?;
    let answer = store
        .quick
        .delete_objects()
        .bucket(&store.bucket)
        .delete(request)
        .send()
        .await
        .map_err(|error| failed(Access::Write, doing(), &error))?;
    let Some(error) = answer
        .errors()
        .iter()
        .find(|error| !matches!(error.code(), Some("NoSuchKey" | "NoSuchVersion")))
    else {
        return Ok(());
    };
    let kind = match error.code() {
        Some("AccessDenied" | "InvalidRequest") => PortErrorKind::ReadOnly,
        _ => PortErrorKind::Unavailable,
    };
    Err(PortError::because(
        kind,
        doing(),
        format!(
            "{} of them are still there; {}: {}",
            answer.errors().len(),
            error.code().unwrap_or_default(),
            error.message().unwrap_or_default()
        ),
    ))
}

/// Removes unfinished uploads under `prefix`; says how many.
pub(super) async fn uploads(store: &S3Objects, prefix: &ObjectPrefix) -> Result<u64, PortError> {
    let prefix = store.prefix(prefix);
    let doing = || format!("removing uploads of {prefix} from bucket {}", store.bucket);
    // MinIO lists uploads of one whole key, or all; never those under a prefix. Elsewhere than at
    // AWS all are asked for, and those of others passed over.
    let asked = (!store.aws.has_s3_endpoint()).then(|| prefix.clone());
    let mut removed = 0;
    let (mut key_marker, mut id_marker) = (None, None);
    loop {
        let page = store
            .quick
            .list_multipart_uploads()
            .bucket(&store.bucket)
            .set_prefix(asked.clone())
            .set_key_marker(key_marker.take())
            .set_upload_id_marker(id_marker.take())
            .send()
            .await
            .map_err(|error| failed(Access::Read, doing(), &error))?;
        for upload in page.uploads() {
            let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else {
                continue;
            };
            if key.starts_with(&prefix) && abort(store, key, id, &doing).await? {
                removed += 1;
            }
        }
        key_marker = page.next_key_marker().map(str::to_owned);
        id_marker = page.next_upload_id_marker().map(str::to_owned);
        if page.is_truncated() != Some(true) || key_marker.is_none() {
            return Ok(removed);
        }
    }
}

/// Aborts an upload; says whether it was still there.
async fn abort(
    store: &S3Objects,
    key: &str,
    id: &str,
    doing: &impl Fn() -> String,
) -> Result<bool, PortError> {
    let aborted = store
        .quick
        .abort_multipart_upload()
        .bucket(&store.bucket)
        .key(key)
        .upload_id(id)
        .send()
        .await;
    match aborted {
        Ok(_) => Ok(true),
        Err(error) => match failed(Access::Write, doing(), &error) {
            error if error.kind() == PortErrorKind::NotFound => Ok(false),
            error => Err(error),
        },
    }
}
