//! Listing objects by key.

use export_model::{ObjectKey, ObjectPrefix};
use export_ports::{ObjectMeta, PortError};

use super::{S3Objects, size};
use crate::failure::{Access, failed};

/// How many keys a page of S3 holds at most.
const PAGE: usize = 1000;

pub(super) async fn list(
    store: &S3Objects,
    prefix: &ObjectPrefix,
    after: Option<&ObjectKey>,
    limit: usize,
) -> Result<Vec<ObjectMeta>, PortError> {
    let mut found = Vec::new();
    let mut after = after.map(|key| store.key(key));
    while found.len() < limit {
        let page = store
            .quick
            .list_objects_v2()
            .bucket(&store.bucket)
            .prefix(store.prefix(prefix))
            .set_start_after(after.take())
            .max_keys(i32::try_from((limit - found.len()).min(PAGE)).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| {
                let doing = format!("listing {}", store.place(prefix.as_str()));
                failed(Access::Read, doing, &error)
            })?;
        for object in page.contents() {
            let key = object.key().unwrap_or_default();
            found.push(ObjectMeta {
                key: store.listed(prefix, key)?,
                size: size(object.size()),
            });
            after = Some(key.to_owned());
        }
        if page.is_truncated() != Some(true) || after.is_none() {
            break;
        }
    }
    Ok(found)
}
