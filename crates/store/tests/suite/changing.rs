//! Objects that change while they are read: one version or an error, never some of each.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::TryStreamExt;
use holdall_store::ErrorKind;
use holdall_store::object_store::ObjectStoreExt;
use holdall_store::object_store::path::Path;
use holdall_store::transfer::{Events, TransferOptions};

use super::origin::{Objects, Origin};
use super::transfer::{MIB, data, engine, memory};

/// An origin whose object `k` becomes another one after so many requests.
async fn changing(after: usize, old: &[u8], new: &[u8]) -> Origin {
    let objects = Objects::default();
    objects.lock().unwrap().insert("k".to_owned(), old.to_vec());
    let (asked, shared, content) = (AtomicUsize::new(0), objects.clone(), new.to_vec());
    Origin::over(objects, move |_| {
        if asked.fetch_add(1, Ordering::Relaxed) == after {
            shared.lock().unwrap().insert("k".to_owned(), content.clone());
        }
        None
    })
    .await
}

#[tokio::test]
async fn downloads_are_of_one_version() {
    let state = tempfile::tempdir().unwrap();
    let (old, new) = (data(2 * MIB), data(2 * MIB + 1));
    for after in [0, 1, 3, 7] {
        let origin = changing(after, &old, &new).await;
        let file = state.path().join("f");
        let events = Events::new();
        let engine = engine(&state).with_events(events.clone());
        engine.download(&origin.store(), &"k".into(), &file).await.unwrap();
        let found = std::fs::read(&file).unwrap();
        assert!(found == new || (found == old && after == 7), "changed after {after}");
        assert_eq!(events.snapshot().bytes_done, found.len() as u64);
        assert_eq!(engine.read(&origin.store(), &"k".into()).await.unwrap(), new);
    }
}

#[tokio::test]
async fn what_changes_while_it_is_moved_is_kept() {
    let state = tempfile::tempdir().unwrap();
    let old = data(2 * MIB);
    let new: Vec<u8> = old.iter().map(|byte| byte ^ 1).collect();
    for after in [1, 2, 3] {
        let origin = changing(after, &old, &new).await;
        let (target, key) = (memory(), Path::from("k"));
        let engine = engine(&state);
        let error = engine.rename(&origin.store(), &key, &target, &key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Precondition, "changed after {after}: {error}");
        assert!(error.to_string().contains("the source was kept"), "{error}");
        assert!(origin.get("k").unwrap() == new);
    }
}

#[tokio::test]
async fn reads_are_of_one_version() {
    let state = tempfile::tempdir().unwrap();
    let (old, new) = (data(2 * MIB), data(2 * MIB + 1));
    for after in [1, 3] {
        let origin = changing(after, &old, &new).await;
        let found = engine(&state).read(&origin.store(), &"k".into()).await.unwrap();
        assert!(found == new, "read, changed after {after}");
        let origin = changing(after, &old, &new).await;
        let mut buffer = vec![0; 3 * MIB];
        let length = engine(&state).read_into(&origin.store(), &"k".into(), &mut buffer).await;
        let found = &buffer[..length.unwrap()];
        assert!(found == new, "read into, changed after {after}");
    }
}

#[tokio::test]
async fn copies_are_of_one_version() {
    let state = tempfile::tempdir().unwrap();
    let (old, new) = (data(6 * MIB), data(6 * MIB + 1));
    let key = Path::from("k");
    for after in [1, 3] {
        let origin = changing(after, &old, &new).await;
        let to = Origin::good().await;
        let events = Events::new();
        let engine = engine(&state).with_events(events.clone());
        engine.copy(&origin.store(), &key, &to.store(), &key).await.unwrap();
        let found = to.get("k").unwrap();
        assert!(found == new || found == old, "changed after {after}");
        assert_eq!(events.snapshot().bytes_done, found.len() as u64, "changed after {after}");

        let (origin, to) = (changing(after, &old, &new).await, memory());
        engine.copy(&origin.store(), &key, &to, &key).await.unwrap();
        let found = to.get(&key).await.unwrap().bytes().await.unwrap();
        assert!(found == new || found == old, "to memory, changed after {after}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_an_error() {
    let state = tempfile::tempdir().unwrap();
    let (old, new) = (data(4 * MIB), data(4 * MIB + 1));
    let origin = changing(3, &old, &new).await;
    let base = engine(&state);
    let options: TransferOptions = base.options().clone().with_parts(1);
    let engine = base.with_options(options);
    let (meta, stream) = engine.stream(&origin.store(), &"k".into()).await.unwrap();
    assert_eq!(meta.size, old.len() as u64);
    let mut taken = Vec::new();
    let error = stream
        .try_for_each(|piece| {
            taken.extend_from_slice(&piece);
            std::future::ready(Ok(()))
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition, "{error}");
    assert!(!taken.is_empty() && old.starts_with(&taken), "what came is of the first version");
}

#[tokio::test]
async fn an_object_that_never_rests_is_an_error() {
    let state = tempfile::tempdir().unwrap();
    let objects = Objects::default();
    objects.lock().unwrap().insert("k".to_owned(), data(2 * MIB));
    let (asked, shared) = (AtomicUsize::new(0), objects.clone());
    let origin = Origin::over(objects, move |_| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        shared.lock().unwrap().insert("k".to_owned(), data(2 * MIB + number));
        None
    })
    .await;
    let (engine, key) = (engine(&state), Path::from("k"));
    let to = Origin::good().await;
    let errors = [
        engine.read(&origin.store(), &key).await.unwrap_err(),
        engine.copy(&origin.store(), &key, &to.store(), &key).await.unwrap_err(),
        engine.download(&origin.store(), &key, state.path().join("f")).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Precondition, "{error}");
        assert!(error.to_string().contains("s3://bucket/k"), "{error}");
    }
    assert!(to.get("k").is_none());
    assert!(!state.path().join("f").exists());
}
