//! The suite of the objects port.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use export_model::{ObjectKey, ObjectPrefix, RunKey};

use super::{assert_kind, run_key};
use crate::{Objects, PortErrorKind, UploadState};

/// The smallest part that every store takes.
const PART: usize = 5 << 20;

/// Checks a backend of the objects port.
///
/// # Panics
/// Where it does not keep a promise.
pub async fn objects(fresh: impl AsyncFn() -> Arc<dyn Objects>) {
    put_and_read(&*fresh().await).await;
    listed_by_key(&*fresh().await).await;
    uploads_appear_whole(&*fresh().await).await;
    uploads_resume(&*fresh().await).await;
    uploads_are_aborted(&*fresh().await).await;
    sweeps(&*fresh().await).await;
}

fn key(run: &RunKey, token: &str, path: &str) -> ObjectKey {
    ObjectKey::new(run, token, path).unwrap()
}

/// Bytes that differ from place to place.
fn bytes(length: usize, seed: usize) -> Bytes {
    (0..length)
        .map(|i| u8::try_from((i / 251 + i * 7 + seed) % 256).unwrap())
        .collect::<Vec<_>>()
        .into()
}

async fn whole(store: &dyn Objects, key: &ObjectKey) -> Bytes {
    store.read(key, 0..u64::MAX).await.unwrap()
}

async fn names(store: &dyn Objects, prefix: &ObjectPrefix) -> Vec<String> {
    let listed = store.list(prefix, None, 1_000).await.unwrap();
    let strip = |meta: crate::ObjectMeta| meta.key.as_str()[prefix.as_str().len()..].to_owned();
    listed.into_iter().map(strip).collect()
}

async fn put_and_read(store: &dyn Objects) {
    let run = run_key("acme", 1);
    let object = key(&run, "t1", "payload/advisory/part-00000.jsonl.zst");
    assert_eq!(store.head(&object).await.unwrap(), None);
    assert_kind(
        store.read(&object, 0..10).await,
        PortErrorKind::NotFound,
        "reading what is not there",
    );
    store.delete(&object).await.unwrap();
    let content = bytes(100_000, 1);
    store.put(&object, content.clone()).await.unwrap();
    let meta = store.head(&object).await.unwrap().unwrap();
    assert_eq!((meta.key, meta.size), (object.clone(), 100_000));
    for (start, end) in [
        (0, 100_000),
        (0, 1),
        (99_999, 100_000),
        (5_000, 70_001),
        (7, 7),
    ] {
        let read = store.read(&object, start as u64..end as u64).await.unwrap();
        assert_eq!(read, content.slice(start..end), "{start}..{end}");
    }
    let read = store.read(&object, 99_990..200_000).await.unwrap();
    assert_eq!(read, content.slice(99_990..), "as many bytes as there are");
    assert!(
        store
            .read(&object, 100_000..100_001)
            .await
            .unwrap()
            .is_empty()
    );

    store
        .put(&object, Bytes::from_static(b"new"))
        .await
        .unwrap();
    assert_eq!(whole(store, &object).await, "new", "a put replaces");
    let empty = key(&run, "t1", "empty");
    store.put(&empty, Bytes::new()).await.unwrap();
    assert_eq!(store.head(&empty).await.unwrap().unwrap().size, 0);
    assert!(whole(store, &empty).await.is_empty());
    store.delete(&object).await.unwrap();
    store.delete(&object).await.unwrap();
    assert_eq!(store.head(&object).await.unwrap(), None);
}

async fn listed_by_key(store: &dyn Objects) {
    let run = run_key("acme", 1);
    // In the order of keys, which is not the order of path components: `-` and `.` come before `/`.
    let sorted = ["a-b", "a.b", "a/b", "a/c/d", "a0", "b"];
    for path in ["b", "a/c/d", "a0", "a.b", "a/b", "a-b"] {
        store
            .put(&key(&run, "t1", path), Bytes::from_static(b"x"))
            .await
            .unwrap();
    }
    let mine = ObjectPrefix::writer(&run, "t1");
    assert_eq!(names(store, &mine).await, sorted);
    for limit in 1..=sorted.len() + 1 {
        let (mut paged, mut after) = (Vec::new(), None::<ObjectKey>);
        loop {
            let page = store.list(&mine, after.as_ref(), limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            paged.extend(page.into_iter().map(|meta| meta.key));
        }
        let expected: Vec<_> = sorted.iter().map(|path| key(&run, "t1", path)).collect();
        assert_eq!(paged, expected, "pages of {limit}");
    }
    // A writer, a run or a tenant whose name begins with another's is still another.
    for (owner, token) in [("acme", "t10"), ("acme2", "t1"), ("acme", "t")] {
        let other = key(&run_key(owner, 1), token, "z");
        store.put(&other, Bytes::from_static(b"y")).await.unwrap();
    }
    assert_eq!(names(store, &mine).await, sorted);
    assert_eq!(names(store, &ObjectPrefix::run(&run)).await.len(), 8);
    assert_eq!(
        names(store, &ObjectPrefix::run(&run_key("acme", 2))).await,
        [""; 0]
    );
}

async fn uploads_appear_whole(store: &dyn Objects) {
    let run = run_key("acme", 1);
    let object = key(&run, "t1", "payload/big");
    let mut upload = store.upload(&object).await.unwrap();
    let (first, second, tail) = (bytes(PART, 1), bytes(PART + 1, 2), bytes(1_234, 3));
    upload.part(first.clone()).await.unwrap();
    upload.part(second.clone()).await.unwrap();
    upload.part(tail.clone()).await.unwrap();
    assert_eq!(upload.state().size(), (2 * PART + 1 + 1_234) as u64);
    assert_eq!(store.head(&object).await.unwrap(), None, "not yet whole");
    assert_eq!(names(store, &ObjectPrefix::run(&run)).await, [""; 0]);
    let meta = upload.complete().await.unwrap();
    assert_eq!(meta.size, (2 * PART + 1 + 1_234) as u64);
    assert_eq!(store.head(&object).await.unwrap(), Some(meta));
    let expected = [first, second, tail].concat();
    assert!(whole(store, &object).await == expected);
    let seam = (PART - 3) as u64..(PART + 3) as u64;
    assert_eq!(
        store.read(&object, seam).await.unwrap(),
        expected[PART - 3..PART + 3]
    );
}

async fn uploads_resume(store: &dyn Objects) {
    let run = run_key("acme", 1);
    let object = key(&run, "t1", "payload/big");
    let (first, lost, second) = (bytes(PART, 1), bytes(PART, 9), bytes(77, 2));
    let mut upload = store.upload(&object).await.unwrap();
    upload.part(first.clone()).await.unwrap();
    let checkpoint = serde_json::to_string(&upload.state()).unwrap();
    upload.part(lost).await.unwrap();
    drop(upload);
    // As another process does: with nothing but the checkpoint.
    let checkpoint: UploadState = serde_json::from_str(&checkpoint).unwrap();
    let mut upload = store.resume(&checkpoint).await.unwrap();
    assert_eq!(upload.state(), checkpoint);
    upload.part(second.clone()).await.unwrap();
    let meta = upload.complete().await.unwrap();
    assert_eq!(meta.size, (PART + 77) as u64);
    assert!(whole(store, &object).await == [first, second].concat());
}

async fn uploads_are_aborted(store: &dyn Objects) {
    let run = run_key("acme", 1);
    let object = key(&run, "t1", "payload/big");
    let mut upload = store.upload(&object).await.unwrap();
    upload.part(bytes(PART, 1)).await.unwrap();
    let state = upload.state();
    upload.abort().await.unwrap();
    assert_eq!(store.head(&object).await.unwrap(), None);
    assert_kind(
        store.resume(&state).await.map(|_| ()),
        PortErrorKind::NotFound,
        "resuming an upload that was aborted",
    );
    // Two uploads of one key do not disturb each other, nor an object that is there.
    let mut one = store.upload(&object).await.unwrap();
    let mut other = store.upload(&object).await.unwrap();
    one.part(Bytes::from_static(b"one")).await.unwrap();
    other.part(Bytes::from_static(b"other")).await.unwrap();
    one.complete().await.unwrap();
    assert_eq!(whole(store, &object).await, "one");
    other.abort().await.unwrap();
    assert_eq!(whole(store, &object).await, "one");
}

async fn sweeps(store: &dyn Objects) {
    let (run, near) = (run_key("acme", 1), run_key("acme", 2));
    let none = BTreeSet::new();
    assert_eq!(
        store.sweep(&ObjectPrefix::run(&run), &none).await.unwrap(),
        0
    );
    for (run, token, path) in [
        (&run, "t1", "payload/a"),
        (&run, "t1", "payload/deep/b"),
        (&run, "t2", "payload/a"),
        (&run, "t10", "payload/a"),
        (&near, "t1", "payload/a"),
    ] {
        store
            .put(&key(run, token, path), Bytes::from_static(b"x"))
            .await
            .unwrap();
    }
    let mut upload = store.upload(&key(&run, "t1", "payload/c")).await.unwrap();
    upload.part(bytes(PART, 1)).await.unwrap();
    let unfinished = upload.state();
    drop(upload);
    let mut theirs = store.upload(&key(&near, "t1", "payload/c")).await.unwrap();
    theirs.part(bytes(10, 1)).await.unwrap();

    let swept = store.sweep(&ObjectPrefix::writer(&run, "t1"), &none).await;
    assert_eq!(swept.unwrap(), 3, "two objects and an upload");
    assert_kind(
        store.resume(&unfinished).await.map(|_| ()),
        PortErrorKind::NotFound,
        "resuming an upload that was swept",
    );
    let all = ObjectPrefix::run(&run);
    assert_eq!(names(store, &all).await, ["t10/payload/a", "t2/payload/a"]);
    let kept = BTreeSet::from([key(&run, "t2", "payload/a")]);
    assert_eq!(store.sweep(&all, &kept).await.unwrap(), 1);
    assert_eq!(names(store, &all).await, ["t2/payload/a"]);
    assert_eq!(store.sweep(&all, &none).await.unwrap(), 1);
    assert_eq!(store.sweep(&all, &none).await.unwrap(), 0);
    assert_eq!(names(store, &all).await, [""; 0]);
    assert_eq!(
        names(store, &ObjectPrefix::run(&near)).await,
        ["t1/payload/a"],
        "another run is left alone"
    );
    theirs.complete().await.unwrap();
    // Who finishes late writes into folders that were removed.
    store
        .put(&key(&run, "t1", "payload/late"), Bytes::from_static(b"z"))
        .await
        .unwrap();
    assert_eq!(store.sweep(&all, &none).await.unwrap(), 1);
}
