//! Objects: the port's suite, and what only this backend promises.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use export_aws::{Aws, Bucket};
use export_model::ObjectPrefix;
use export_ports::{Objects, PortErrorKind, UploadState, conformance};

use crate::proxy::{Meant, Proxy, Weather};
use crate::world::{OwnBucket, Store, key, run};

const PART: usize = 5 << 20;

async fn conforms(store: Arc<Store>, versioned: bool) {
    let buckets = Mutex::new(Vec::<OwnBucket>::new());
    conformance::objects(async || {
        let mut bucket = store.bucket().await;
        if versioned {
            bucket = bucket.versioned().await;
        }
        let objects = bucket.objects();
        buckets.lock().unwrap().push(bucket);
        Arc::new(objects) as Arc<dyn Objects>
    })
    .await;
    for bucket in buckets.into_inner().unwrap() {
        bucket.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conform_on_localstack() {
    if let Some(store) = Store::localstack("objects") {
        conforms(store, false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conform_on_minio() {
    if let Some(store) = Store::minio("objects") {
        conforms(store, false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conform_on_minio_with_versions() {
    if let Some(store) = Store::minio("objects with versions") {
        conforms(store, true).await;
    }
}

#[tokio::test]
async fn removing_leaves_no_version() {
    for store in Store::all("removing versions") {
        let bucket = store.bucket().await.versioned().await;
        let objects = bucket.objects();
        for path in ["a", "a", "a.b", "kept", "b"] {
            objects
                .put(&key(path), Bytes::from_static(b"payload"))
                .await
                .unwrap();
        }
        // Somebody else's delete leaves a marker, and the bytes behind it.
        let delete = store.s3.delete_object().bucket(&bucket.name);
        let name = format!("exports/{}", key("b"));
        delete.key(&name).send().await.unwrap();
        assert_eq!(bucket.versions().await.len(), 6);

        objects.delete(&key("a")).await.unwrap();
        let left = bucket.versions().await;
        assert_eq!(left.len(), 4, "only the versions of one key: {left:?}");
        let keep = BTreeSet::from([key("kept")]);
        let prefix = ObjectPrefix::run(&run(1));
        // `b` was removed already; what its marker hides is no object, but goes all the same.
        assert_eq!(objects.sweep(&prefix, &keep).await.unwrap(), 1);
        let kept = format!("exports/{}", key("kept"));
        assert_eq!(bucket.versions().await, [(kept, false)]);
        bucket.remove().await;
    }
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    for store in Store::all("aborting uploads") {
        let bucket = store.bucket().await;
        let objects = bucket.objects();
        let mut upload = objects.upload(&key("a")).await.unwrap();
        upload.part(Bytes::from(vec![1; PART])).await.unwrap();
        assert_eq!(bucket.uploads().await, 1);
        let state = upload.state();
        upload.abort().await.unwrap();
        assert_eq!(bucket.uploads().await, 0);
        let error = objects.resume(&state).await.map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::NotFound);
        // Whose parts are not what the checkpoint says has been forgotten too.
        let mut upload = objects.upload(&key("a")).await.unwrap();
        upload.part(Bytes::from(vec![1; PART])).await.unwrap();
        let mut state = upload.state();
        state.parts[0].1 += 1;
        let error = objects.resume(&state).await.map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::NotFound);
        upload.abort().await.unwrap();
        bucket.remove().await;
    }
}

#[tokio::test]
async fn an_upload_without_parts_is_an_empty_object() {
    for store in Store::all("empty uploads") {
        let bucket = store.bucket().await;
        let objects = bucket.objects();
        let upload = objects.upload(&key("empty")).await.unwrap();
        assert_eq!(upload.complete().await.unwrap().size, 0);
        assert_eq!(
            objects.read(&key("empty"), 0..10).await.unwrap(),
            Bytes::new()
        );
        bucket.remove().await;
    }
}

#[tokio::test]
async fn a_lost_answer_finds_its_own_object() {
    for store in Store::all("lost answers") {
        let bucket = store.bucket().await.versioned().await;
        // Each kind of request whose answer may be lost.
        let requests: [(&str, Meant); 4] = [
            ("begin", |line| line.contains("?uploads")),
            ("part", |line| line.contains("partNumber=2")),
            ("complete", is_complete),
            ("put", |line| line.contains("/put")),
        ];
        for (name, loses) in requests {
            let lost = Weather::LosesAnswerTo(loses);
            let proxy = Proxy::to_s3(&store.settings, lost, 1).await;
            let objects = bucket.objects_with(|settings| settings.s3_endpoint = Some(proxy.url()));
            let object = key(name);
            if name == "put" {
                let content = Bytes::from_static(b"put");
                objects.put(&object, content).await.unwrap();
            } else {
                let mut upload = objects.upload(&object).await.unwrap();
                upload.part(Bytes::from(vec![1; PART])).await.unwrap();
                upload.part(Bytes::from_static(b"end")).await.unwrap();
                let meta = upload.complete().await.unwrap();
                assert_eq!(meta.size, PART as u64 + 3);
                assert_eq!(objects.head(&object).await.unwrap(), Some(meta));
                let tail = objects.read(&object, PART as u64 - 1..u64::MAX).await;
                assert_eq!(tail.unwrap(), &b"\x01end"[..]);
                let versions = bucket.versions().await;
                let name = format!("exports/{object}");
                let versions = versions.iter().filter(|(key, _)| *key == name);
                assert_eq!(versions.count(), 1, "made once");
            }
            assert_eq!(proxy.times(), 1, "the answer to {name} was lost");
        }
        // Begun twice, one upload is nobody's; the sweep finds it.
        assert_eq!(bucket.uploads().await, 1);
        let prefix = ObjectPrefix::run(&run(1));
        let swept = bucket.objects().sweep(&prefix, &BTreeSet::new()).await;
        assert_eq!(swept.unwrap(), 5);
        assert_eq!(bucket.uploads().await, 0);
        assert_eq!(bucket.versions().await, []);
        bucket.remove().await;
    }
}

fn is_complete(line: &str) -> bool {
    line.starts_with("POST ") && line.contains("uploadId=")
}

#[tokio::test]
async fn a_lost_answer_to_a_resumed_upload() {
    for store in Store::all("lost answers of resumed uploads") {
        let bucket = store.bucket().await;
        let state = begun(&bucket, "one", b"mine").await;
        let lost = Weather::LosesAnswerTo(is_complete);
        // More often than is tried: the object is there, but nobody learns it from that request.
        let proxy = Proxy::to_s3(&store.settings, lost, 4).await;
        let objects = bucket.objects_with(|settings| settings.s3_endpoint = Some(proxy.url()));
        let upload = objects.resume(&state).await.unwrap();
        assert_eq!(upload.complete().await.unwrap().size, 4);
        assert_eq!(proxy.times(), 4);
        assert_eq!(bucket.versions().await.len(), 1);
        bucket.remove().await;
    }
}

/// An upload of one part, as a checkpoint keeps it.
async fn begun(bucket: &OwnBucket, path: &str, bytes: &'static [u8]) -> UploadState {
    let mut upload = bucket.objects().upload(&key(path)).await.unwrap();
    upload.part(Bytes::from_static(bytes)).await.unwrap();
    upload.state()
}

#[tokio::test]
async fn completing_never_replaces() {
    for store in Store::all("completing over an object") {
        let bucket = store.bucket().await;
        let objects = bucket.objects();
        let mine = begun(&bucket, "one", b"mine").await;
        let same = begun(&bucket, "one", b"mine").await;
        let other = begun(&bucket, "one", b"othr").await;
        let complete = async |state: &UploadState| {
            let upload = objects.resume(state).await.unwrap();
            upload.complete().await
        };
        complete(&mine).await.unwrap();
        // What has the same bytes is as good as its own.
        complete(&same).await.unwrap();
        assert_eq!(bucket.uploads().await, 1, "only the other is left");
        let error = complete(&other).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::AlreadyExists);
        let error = objects.resume(&other).await.map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::NotFound, "it was aborted");
        assert_eq!(objects.read(&key("one"), 0..9).await.unwrap(), &b"mine"[..]);
        bucket.remove().await;
    }
}

#[tokio::test]
async fn prefixes_are_kept_apart() {
    for store in Store::all("prefixes") {
        let bucket = store.bucket().await;
        let aws = Aws::new(store.settings.clone()).unwrap();
        let objects = |prefix: &str| {
            aws.objects(&Bucket {
                prefix: prefix.to_owned(),
                ..bucket.as_setting()
            })
        };
        let (none, deep) = (objects("").unwrap(), objects("/eu/prod/").unwrap());
        none.put(&key("a"), Bytes::from_static(b"1")).await.unwrap();
        deep.put(&key("a"), Bytes::from_static(b"22"))
            .await
            .unwrap();
        let prefix = ObjectPrefix::run(&run(1));
        for (objects, size) in [(&none, 1), (&deep, 2)] {
            let listed = objects.list(&prefix, None, 10).await.unwrap();
            assert_eq!(listed.len(), 1);
            assert_eq!((&listed[0].key, listed[0].size), (&key("a"), size));
        }
        assert_eq!(none.sweep(&prefix, &BTreeSet::new()).await.unwrap(), 1);
        assert_eq!(deep.head(&key("a")).await.unwrap().unwrap().size, 2);
        for bad in ["..", "a//b", "a b", "é"] {
            assert!(objects(bad).is_err(), "{bad}");
        }
        bucket.remove().await;
    }
}
