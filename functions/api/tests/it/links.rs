//! A host that buffers responses: what is large is handed out by the store, and streams of events
//! end in time.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use export_api::http::{Carried, LINK_VALID, ServiceConfig};
use export_model::{ObjectKey, ObjectPrefix};
use export_ports::{Link, ObjectMeta, Objects, PortError, Upload, UploadState};
use export_scenarios::SMALL;

use crate::support::{Api, Ask, id, run};

/// A store that hands out links.
struct Linking(Arc<dyn Objects>);

#[async_trait]
impl Objects for Linking {
    async fn link(&self, key: &ObjectKey, link: Link<'_>) -> Result<Option<String>, PortError> {
        Ok(Some(format!(
            "https://store.test/{key}?seconds={}&type={}&name={}",
            link.valid.as_secs(),
            link.media_type,
            link.file_name.unwrap_or("none"),
        )))
    }

    async fn put(&self, key: &ObjectKey, bytes: Bytes) -> Result<(), PortError> {
        self.0.put(key, bytes).await
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, PortError> {
        self.0.upload(key).await
    }

    async fn resume(&self, state: &UploadState) -> Result<Box<dyn Upload>, PortError> {
        self.0.resume(state).await
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, PortError> {
        self.0.read(key, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, PortError> {
        self.0.head(key).await
    }

    async fn list(
        &self,
        prefix: &ObjectPrefix,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<ObjectMeta>, PortError> {
        self.0.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), PortError> {
        self.0.delete(key).await
    }

    async fn sweep(
        &self,
        prefix: &ObjectPrefix,
        keep: &BTreeSet<ObjectKey>,
    ) -> Result<u64, PortError> {
        self.0.sweep(prefix, keep).await
    }
}

async fn buffering(bytes: u64) -> Api {
    let config = ServiceConfig {
        carried: Some(Carried {
            bytes,
            stream: Duration::from_millis(300),
        }),
        ..ServiceConfig::default()
    };
    Api::over(&SMALL, 1, config, |mut ports| {
        ports.objects = Arc::new(Linking(ports.objects));
        ports
    })
    .await
}

#[test]
fn what_cannot_be_carried_is_a_link() {
    run(async {
        let api = buffering(2_000).await;
        let submitted = api.caller("acme").submit("small").await;
        api.finish(&submitted).await;
        let row = api.world.run(&api.key_of(&submitted)).await.unwrap();
        let archive = row.archive.unwrap().object;
        let path = |rest: &str| format!("/runs/{}{rest}", id(&submitted));
        let caller = api.caller("acme");

        let reply = caller.send(Ask::get(path("/download"))).await;
        assert_eq!((reply.status, reply.body.len()), (307, 0));
        let expected = format!(
            "https://store.test/{archive}?seconds={}&type=application/x-tar&name={}.tar",
            LINK_VALID.as_secs(),
            id(&submitted)
        );
        assert_eq!(reply.header("location"), expected);
        assert_eq!(reply.header("cache-control"), "no-store");

        // What is asked about is answered here.
        let head = caller.send(Ask::head(path("/download"))).await;
        assert_eq!(head.status, 200);
        assert!(head.header("etag").starts_with("\"sha256-"));

        // Members by their size.
        let set = row.published.unwrap();
        assert!(set.members.iter().any(|(_, _, size)| *size > 2_000));
        assert!(set.members.iter().any(|(_, _, size)| *size <= 2_000));
        for (member, _, size) in set.members {
            let reply = caller
                .send(Ask::get(path(&format!("/files/{member}"))))
                .await;
            let expected = if size > 2_000 { 307 } else { 200 };
            assert_eq!(reply.status, expected, "{member} of {size} bytes");
        }

        // Another tenant gets no link either.
        let other = api.caller("globex").send(Ask::get(path("/download"))).await;
        other.refused(404, "ERR_UNKNOWN_RUN");
    });
}

#[test]
fn a_stream_of_events_ends_in_time_and_can_go_on() {
    run(async {
        let api = buffering(2_000).await;
        let submitted = api.caller("acme").submit("small").await;
        let path = format!("/runs/{}/events", id(&submitted));
        let caller = api.caller("acme");
        let first = caller.send(Ask::get(path.clone())).await;
        let text = String::from_utf8(first.body.to_vec()).unwrap();
        assert!(text.contains("event: run.status"), "{text}");
        assert!(text.ends_with("retry: 1000\n\n"), "{text}");
        api.finish(&submitted).await;
        let rest = caller.send(Ask::get(path).with("last-event-id", "1")).await;
        let text = String::from_utf8(rest.body.to_vec()).unwrap();
        assert!(
            !text.contains("id: 1\n") && text.contains("completed"),
            "{text}"
        );
    });
}
