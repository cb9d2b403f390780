//! Objects that fail.

use std::collections::BTreeSet;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use export_model::{ObjectKey, ObjectPrefix};

use super::{FaultPlan, Faulty};
use crate::{Link, ObjectMeta, Objects, PortError, Upload, UploadState};

struct FaultyUpload {
    inner: Box<dyn Upload>,
    plan: FaultPlan,
}

impl<T: ?Sized> Faulty<T> {
    fn wrap(&self, inner: Box<dyn Upload>) -> Box<dyn Upload> {
        Box::new(FaultyUpload {
            inner,
            plan: self.plan.clone(),
        })
    }
}

#[async_trait]
impl Upload for FaultyUpload {
    async fn part(&mut self, bytes: Bytes) -> Result<(), PortError> {
        // A part that failed may be written again, so it must not have been counted: it fails
        // before its effect, whatever the plan says.
        match self.plan.next("objects.part") {
            None | Some(super::Fault::Duplicate) => self.inner.part(bytes).await,
            fault => {
                super::plan::suffer(fault, "objects.part", async { Ok::<(), PortError>(()) }).await
            }
        }
    }

    fn state(&self) -> UploadState {
        self.inner.state()
    }

    async fn complete(self: Box<Self>) -> Result<ObjectMeta, PortError> {
        let effect = self.inner.complete();
        self.plan.call("objects.complete", effect).await
    }

    async fn abort(self: Box<Self>) -> Result<(), PortError> {
        self.plan.call("objects.abort", self.inner.abort()).await
    }
}

#[async_trait]
impl<T: Objects + ?Sized> Objects for Faulty<T> {
    async fn link(&self, key: &ObjectKey, link: Link<'_>) -> Result<Option<String>, PortError> {
        let effect = self.inner.link(key, link);
        self.plan.call("objects.link", effect).await
    }

    async fn put(&self, key: &ObjectKey, bytes: Bytes) -> Result<(), PortError> {
        let effect = self.inner.put(key, bytes);
        self.plan.call("objects.put", effect).await
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, PortError> {
        let effect = self.inner.upload(key);
        let upload = self.plan.call("objects.upload", effect).await?;
        Ok(self.wrap(upload))
    }

    async fn resume(&self, state: &UploadState) -> Result<Box<dyn Upload>, PortError> {
        let effect = self.inner.resume(state);
        let upload = self.plan.call("objects.resume", effect).await?;
        Ok(self.wrap(upload))
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, PortError> {
        let effect = self.inner.read(key, range);
        self.plan.call("objects.read", effect).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, PortError> {
        self.plan.call("objects.head", self.inner.head(key)).await
    }

    async fn list(
        &self,
        prefix: &ObjectPrefix,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<ObjectMeta>, PortError> {
        let effect = self.inner.list(prefix, after, limit);
        self.plan.call("objects.list", effect).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), PortError> {
        let effect = self.inner.delete(key);
        self.plan.call("objects.delete", effect).await
    }

    async fn sweep(
        &self,
        prefix: &ObjectPrefix,
        keep: &BTreeSet<ObjectKey>,
    ) -> Result<u64, PortError> {
        let effect = self.inner.sweep(prefix, keep);
        self.plan.call("objects.sweep", effect).await
    }
}
