//! The transfer engine: any source to any sink, right bytes or a typed error, whatever happens on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use holdall_store::cache::CacheOptions;
use holdall_store::local::{LocalOptions, LocalStore};
use holdall_store::memory::MemoryStore;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{CopyMode, ObjectStore, ObjectStoreExt};
use holdall_store::transfer::{
    Action, Budget, Compare, Events, Job, Limits, Overlap, Step, SyncOptions, Transfer,
    TransferOptions, Verb, Verify, plan,
};
use holdall_store::{ErrorKind, Store};
use tempfile::TempDir;

use super::origin::{FAULTS, Fault, Origin};
use super::services;

pub(super) const MIB: usize = 1024 * 1024;

/// Bytes that differ everywhere, so that a part in a wrong place shows.
pub(super) fn data(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(length as u64);
    let mut data = vec![0; length];
    random.fill(&mut data);
    data
}

pub(super) fn memory() -> Store {
    Store::new(Arc::new(MemoryStore::new()))
}

fn local(dir: &TempDir) -> Store {
    Store::new(Arc::new(LocalStore::open(dir.path(), LocalOptions::default()).unwrap()))
}

/// An engine with small parts, whose uploads are remembered in a directory of their own.
pub(super) fn engine(state: &TempDir) -> Transfer {
    let options = TransferOptions::default()
        .with_part_bytes(256 * 1024)
        .with_state_dir(Some(state.path().to_owned()));
    Transfer::new().with_options(options)
}

fn names(dir: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(dir.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

async fn every_way(store: &Store) {
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = engine(&state);
    for length in [0, 1, 256 * 1024, 256 * 1024 + 1, MIB, 11 * MIB + 7] {
        let content = data(length);
        let (file, back) = (dir.path().join("file"), dir.path().join("back"));
        std::fs::write(&file, &content).unwrap();
        let key = Path::from(format!("engine/{length}"));
        let report = engine.upload(&file, store, &key).await.unwrap();
        assert_eq!(report.bytes, length as u64);
        engine.download(store, &key, &back).await.unwrap();
        assert!(std::fs::read(&back).unwrap() == content, "download of {length} bytes");
        assert!(engine.read(store, &key).await.unwrap() == content, "read of {length} bytes");
        let mut buffer = vec![0; length + 1];
        assert_eq!(engine.read_into(store, &key, &mut buffer).await.unwrap(), length);
        assert!(buffer[..length] == content, "read into a buffer of {length} bytes");

        let pieces = content.chunks(100_001).map(|piece| Ok(Bytes::copy_from_slice(piece)));
        let streamed = Path::from(format!("engine/streamed-{length}"));
        let pieces = stream::iter(pieces.collect::<Vec<_>>()).boxed();
        let report = engine.upload_stream(pieces, store, &streamed).await.unwrap();
        assert_eq!(report.bytes, length as u64);
        let copied = Path::from("copied");
        for target in [memory(), local(&dir)] {
            engine.copy(store, &streamed, &target, &copied).await.unwrap();
            let found = target.get(&copied).await.unwrap().bytes().await.unwrap();
            assert!(found == content, "copy of {length} bytes to {target}");
            let again = Path::from("engine/again");
            engine.copy(&target, &copied, store, &again).await.unwrap();
            assert!(engine.read(store, &again).await.unwrap() == content);
        }
    }
    let uploads = std::fs::read_dir(state.path().join("uploads"));
    assert_eq!(uploads.map_or(0, Iterator::count), 0, "journals are left");
}

#[tokio::test]
async fn every_way_on_memory() {
    every_way(&memory()).await;
}

#[tokio::test]
async fn every_way_on_local_files() {
    let dir = tempfile::tempdir().unwrap();
    every_way(&local(&dir)).await;
}

#[tokio::test]
async fn every_way_on_services() {
    let suite = "transfer::every_way_on_services";
    let s3 = services::s3("HOLDALL_TEST_S3_ENDPOINT", suite, "test-bucket");
    let minio = services::s3("HOLDALL_TEST_MINIO_ENDPOINT", suite, "test-bucket");
    let others = [services::azure(suite), services::gcs(suite), services::webdav(suite)];
    for store in [s3, minio].into_iter().chain(others).flatten() {
        every_way(&store).await;
    }
}

#[tokio::test]
async fn faults_end_in_right_bytes_or_an_error() {
    let state = tempfile::tempdir().unwrap();
    let content = data(MIB + 12_345);
    for fault in FAULTS {
        let origin = Origin::start(move |_| (fastrand::u32(..4) == 0).then_some(fault)).await;
        origin.put("k", content.clone());
        let store = origin.store();
        let engine = engine(&state);
        let dir = tempfile::tempdir().unwrap();
        let mut right = 0;
        let mut errors = Vec::new();
        for round in 0..3 {
            let file = dir.path().join(format!("f{round}"));
            match engine.download(&store, &"k".into(), &file).await {
                Ok(_) => {
                    assert!(std::fs::read(&file).unwrap() == content, "{fault:?}: wrong bytes");
                    right += 1;
                }
                Err(error) => {
                    assert!(!file.exists());
                    let kinds = [
                        ErrorKind::Corrupt,
                        ErrorKind::Precondition,
                        ErrorKind::Other,
                        ErrorKind::Connection,
                    ];
                    assert!(kinds.contains(&error.kind()), "{fault:?}: {error}");
                    assert!(error.to_string().contains("s3://bucket/k"), "{error}");
                    errors.push(error);
                }
            }
            match engine.read(&store, &"k".into()).await {
                Ok(found) => {
                    assert!(found == content, "{fault:?}: wrong bytes in memory");
                    right += 1;
                }
                Err(error) => errors.push(error),
            }
            let to = Path::from(format!("w{round}"));
            if engine.write(content.clone().into(), &store, &to).await.is_ok() {
                assert!(
                    origin.get(to.as_ref()).unwrap() == content,
                    "{fault:?}: wrong bytes written"
                );
            }
        }
        let passing = [Fault::CutBody, Fault::Reset, Fault::Busy, Fault::Broken];
        assert!(right == 6 || !passing.contains(&fault), "{fault:?}: {errors:?}");
        assert!(names(&dir).iter().all(|name| !name.contains("holdall")), "{:?}", names(&dir));
    }
}

#[tokio::test]
async fn a_download_that_was_cut_off_is_continued() {
    let state = tempfile::tempdir().unwrap();
    let content = data(4 * MIB);
    let served = Arc::new(AtomicUsize::new(0));
    let counter = served.clone();
    // The first connection serves some parts, then everything fails until the second run.
    let origin = Origin::start(move |_| {
        let now = counter.fetch_add(1, Ordering::Relaxed);
        (6..1000).contains(&now).then_some(Fault::Broken)
    })
    .await;
    origin.put("k", content.clone());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    let base = engine(&state);
    let options = base.options().clone().with_resume(true).with_parts(2).with_retries(0);
    let engine = base.with_options(options);
    let error = engine.download(&origin.store(), &"k".into(), &file).await.unwrap_err();
    assert_eq!(error.status(), Some(500), "{error}");
    assert!(!file.exists());
    assert_eq!(names(&dir).len(), 2, "a partial file and its journal: {:?}", names(&dir));
    served.store(1000, Ordering::Relaxed);
    let report = engine.download(&origin.store(), &"k".into(), &file).await.unwrap();
    assert!(report.resumed_bytes >= MIB as u64, "{report:?}");
    assert!(std::fs::read(&file).unwrap() == content);
    assert_eq!(names(&dir), ["f"]);
}

#[tokio::test]
async fn an_upload_that_was_cut_off_is_continued_or_removed() {
    let state = tempfile::tempdir().unwrap();
    let content = data(24 * MIB);
    for resume in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, &content).unwrap();
        let heals = Arc::new(AtomicBool::new(false));
        let healed = heals.clone();
        let origin = Origin::start(move |request| {
            // By their numbers: a busy machine may have a part sent twice.
            let part = request.method == "PUT" && request.target.contains("partNumber");
            let first = ["partNumber=1&", "partNumber=2&"];
            let taken = first.iter().any(|number| request.target.contains(number));
            (part && !taken && !healed.load(Ordering::Relaxed)).then_some(Fault::Broken)
        })
        .await;
        let base = engine(&state);
        let options = base.options().clone().with_resume(resume).with_parts(1).with_retries(0);
        let engine = base.with_options(options);
        let error = engine.upload(&file, &origin.store(), &"k".into()).await.unwrap_err();
        assert_eq!(error.status(), Some(500), "{error}");
        assert!(origin.get("k").is_none());
        let aborted = || {
            let seen = origin.server.seen();
            seen.iter().filter(|request| request.method == "DELETE").count()
        };
        assert_eq!(aborted(), usize::from(!resume));
        heals.store(true, Ordering::Relaxed);
        let report = engine.upload(&file, &origin.store(), &"k".into()).await.unwrap();
        assert_eq!(report.resumed_bytes, if resume { 10 * MIB as u64 } else { 0 });
        assert!(origin.get("k").unwrap() == content);
        assert!(std::fs::read_dir(state.path().join("uploads")).unwrap().next().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn copies_between_stores_move_at_the_rate_that_is_allowed() {
    let state = tempfile::tempdir().unwrap();
    let rate = Limits::default().with_bytes_per_second(Some(MIB as u64));
    let engine = engine(&state).with_budget(Budget::new(rate));
    // With one request, and in parts.
    for size in [4 * MIB, 24 * MIB] {
        let (source, target) = (memory(), memory());
        source.put(&"k".into(), data(size).into()).await.unwrap();
        let start = tokio::time::Instant::now();
        engine.copy(&source, &"k".into(), &target, &"k".into()).await.unwrap();
        let mib_per_second = size as f64 / MIB as f64 / start.elapsed().as_secs_f64();
        assert!((0.9..2.0).contains(&mib_per_second), "{size}: {mib_per_second}");
    }
}

#[tokio::test]
async fn a_cancelled_upload_is_aborted() {
    let state = tempfile::tempdir().unwrap();
    let origin = Origin::good().await;
    let store = origin.store();
    let pieces = stream::once(async { Ok(Bytes::from(data(12 * MIB))) });
    let endless = pieces.chain(stream::pending()).boxed();
    let engine = engine(&state);
    let key = Path::from("k");
    let upload = engine.upload_stream(endless, &store, &key);
    let asked = |method: &'static str| {
        let server = origin.server.clone();
        async move {
            while !server.seen().iter().any(|request| request.method == method) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    tokio::select! {
        done = upload => panic!("it has no end: {done:?}"),
        () = asked("PUT") => {}
    }
    asked("DELETE").await;
    assert!(origin.get("k").is_none());
}

#[tokio::test]
async fn a_budget_smaller_than_a_part_is_refused_and_one_of_few_parts_suffices() {
    let state = tempfile::tempdir().unwrap();
    let origin = Origin::good().await;
    let content = data(32 * MIB);
    let small = |bytes: u64| {
        engine(&state).with_budget(Budget::new(Limits::default().with_memory_bytes(bytes)))
    };
    let store = origin.store();
    let error = small(MIB as u64).write(content.clone().into(), &store, &"k".into()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("raise the budget: services take no smaller"), "{error}");
    let large = engine(&state).options().clone().with_part_bytes(8 * MIB as u64);
    let large = small(6 * MIB as u64).with_options(large);
    let error = large.write(content.clone().into(), &store, &"k".into()).await.unwrap_err();
    assert!(error.to_string().contains("raise the budget, or make parts smaller"), "{error}");
    small(6 * MIB as u64).write(content.clone().into(), &store, &"k".into()).await.unwrap();
    assert!(origin.get("k").unwrap() == content);

    // The same of streams, whose length nobody knows before.
    let pieces =
        |count: usize| stream::iter((0..count).map(|_| Ok(Bytes::from(data(MIB / 2))))).boxed();
    small(MIB as u64).upload_stream(pieces(1), &store, &"s".into()).await.unwrap();
    let many = small(MIB as u64).upload_stream(pieces(16), &store, &"s".into()).await;
    let error = many.unwrap_err();
    assert!(error.to_string().contains("raise the budget: services take no smaller"), "{error}");
    small(6 * MIB as u64).upload_stream(pieces(16), &store, &"s".into()).await.unwrap();
    assert_eq!(origin.get("s").unwrap().len(), 8 * MIB);
}

#[tokio::test]
async fn existing_targets_are_kept_when_asked() {
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let base = engine(&state);
    let create = base.options().clone().with_mode(CopyMode::Create);
    let engine = base.with_options(create);
    let source = memory();
    for length in [10, MIB] {
        source.put(&"k".into(), data(length).into()).await.unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "kept").unwrap();
        let error = engine.download(&source, &"k".into(), &file).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), b"kept");
        assert_eq!(names(&dir), ["f"]);
    }
}

#[tokio::test]
async fn a_required_checksum_that_is_not_there_is_an_error() {
    let state = tempfile::tempdir().unwrap();
    let base = engine(&state);
    let options = base.options().clone().with_verify(Verify::Required);
    let engine = base.with_options(options);
    let source = memory();
    source.put(&"k".into(), "x".into()).await.unwrap();
    let error = engine.read(&source, &"k".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSupported, "{error}");
    let origin = Origin::good().await;
    origin.put("k", data(MIB));
    let report = engine.download(&origin.store(), &"k".into(), state.path().join("f")).await;
    assert!(report.unwrap().checksum.is_some());
}

#[tokio::test]
async fn runs_tell_what_became_of_each_object() {
    let state = tempfile::tempdir().unwrap();
    let (source, target) = (memory(), memory());
    for i in 0..50 {
        source.put(&Path::from(format!("k{i}")), data(1000 + i).into()).await.unwrap();
    }
    let events = Events::new();
    let engine = engine(&state).with_events(events.clone());
    let jobs = (0..51).map(|i| {
        let key = Path::from(format!("k{i}"));
        Job { from: key.clone(), to: key, size: 1000 + i }
    });
    let jobs = stream::iter(jobs.collect::<Vec<_>>()).boxed();
    let outcomes: Vec<_> = engine.run(&source, &target, jobs).collect().await;
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.result.is_err()).collect();
    assert_eq!((outcomes.len(), failed.len()), (51, 1));
    assert_eq!(failed[0].job.from.as_ref(), "k50");
    let now = events.snapshot();
    assert_eq!((now.objects, now.objects_done, now.objects_failed), (51, 50, 1));
    assert_eq!(now.bytes_done, (0..50).map(|i| 1000 + i).sum::<u64>());
}

#[tokio::test]
async fn a_synchronisation_tells_each_step_and_deletes_last() {
    let state = tempfile::tempdir().unwrap();
    let (source, target) = (memory(), memory());
    for (store, keys) in [(&source, ["a", "b", "c"]), (&target, ["b", "x", "y"])] {
        for key in keys {
            store.put(&key.into(), key.into()).await.unwrap();
        }
    }
    let options = SyncOptions::default().with_delete(true).with_compare(Compare::Checksum);
    let planned: Vec<_> = plan(&source, &target, options.clone()).collect().await;
    let planned: Vec<_> = planned.into_iter().map(|a| serde_json::to_string(&a.unwrap())).collect();
    assert_eq!(
        planned[0].as_ref().unwrap(),
        r#"{"action":"copy","path":"a","size":1,"reason":"missing"}"#
    );
    let steps: Vec<_> = engine(&state).sync(&source, &target, options.clone()).collect().await;
    let told: Vec<_> = steps
        .iter()
        .map(|step| match step.as_ref().unwrap() {
            Step::Copied(outcome) => format!("+{}", outcome.job.to),
            Step::Skipped { path, .. } => format!("={path}"),
            Step::Deleted { path, .. } => format!("-{path}"),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(told[3..], ["-x", "-y"]);
    assert!(["+a", "+c", "=b"].iter().all(|step| told.contains(&(*step).to_owned())), "{told:?}");
    let again: Vec<_> = engine(&state).sync(&source, &target, options).collect().await;
    assert!(again.iter().all(|step| matches!(step, Ok(Step::Skipped { .. }))), "{again:?}");
}

#[tokio::test]
async fn nothing_is_deleted_after_a_failed_copy() {
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (source, target) = (memory(), local(&dir));
    // No file can have such a name.
    source.put(&"a".repeat(300).into(), "a".into()).await.unwrap();
    source.put(&"d/a".into(), "a".into()).await.unwrap();
    target.put(&"x".into(), "x".into()).await.unwrap();
    // A file where a directory would have to be.
    target.put(&"d".into(), "d".into()).await.unwrap();
    let options = SyncOptions::default().with_delete(true);
    let steps: Vec<_> = engine(&state).sync(&source, &target, options).collect().await;
    let failed = |step: &_| matches!(step, Ok(Step::Copied(outcome)) if outcome.result.is_err());
    assert!(steps[..2].iter().all(failed), "{steps:?}");
    assert!(steps[2..].iter().all(|step| matches!(step, Ok(Step::Kept { .. }))), "{steps:?}");
    assert_eq!((steps.len(), names(&dir).len()), (4, 2));
}

#[tokio::test]
async fn files_and_directories_take_each_others_place() {
    let state = tempfile::tempdir().unwrap();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for key in ["a", "a.txt", "b/x", "b/y/z", "same"] {
        local(&one).put(&key.into(), key.into()).await.unwrap();
    }
    for key in ["a/p", "a/q/r", "b", "b.txt", "same"] {
        local(&other).put(&key.into(), key.into()).await.unwrap();
    }
    std::fs::create_dir(other.path().join("a.txt")).unwrap();
    let kept = SyncOptions::default();
    let steps: Vec<_> = engine(&state).sync(&local(&one), &local(&other), kept).collect().await;
    let failed: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Ok(Step::Copied(outcome)) if outcome.result.is_err() => Some(outcome.job.to.as_ref()),
            _ => None,
        })
        .collect();
    // Nothing may be deleted for them.
    assert_eq!(failed.len(), 3, "{steps:?}");
    assert!(["a", "b/x", "b/y/z"].iter().all(|key| failed.contains(key)), "{steps:?}");
    let delete = SyncOptions::default().with_delete(true);
    let sync = engine(&state).sync(&local(&one), &local(&other), delete.clone());
    let told: Vec<_> = sync
        .map(|step| match step.unwrap() {
            Step::Copied(outcome) => outcome.result.map(|_| "copied").unwrap(),
            Step::Deleted { result, .. } => result.map(|()| "deleted").unwrap(),
            _ => "other",
        })
        .collect()
        .await;
    let expected = [
        "other", "other", "deleted", "deleted", "deleted", "copied", "copied", "copied", "deleted",
    ];
    assert_eq!(told, expected);
    for key in ["a", "a.txt", "b/x", "b/y/z", "same"] {
        let found = local(&other).get(&key.into()).await.unwrap().bytes().await.unwrap();
        assert_eq!(found, key);
    }
    let planned = plan(&local(&one), &local(&other), delete);
    let planned: Vec<_> = planned.try_collect().await.unwrap();
    assert!(planned.iter().all(|step| matches!(step, Action::Skip { .. })), "{planned:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_move_onto_itself_keeps_the_object_whatever_the_stores() {
    use std::os::unix::fs::symlink;

    let (above, dir) = (tempfile::tempdir().unwrap(), "dir");
    let path = above.path().join(dir);
    std::fs::create_dir(&path).unwrap();
    symlink(&path, above.path().join("link")).unwrap();
    let open = |path: &std::path::Path| {
        Store::new(Arc::new(LocalStore::open(path, LocalOptions::default()).unwrap()))
    };
    let origin = Origin::good().await;
    let shared = MemoryStore::new();
    let memory = Store::new(Arc::new(shared.clone()));
    let cached = memory.cached(CacheOptions::default()).unwrap();
    let pairs = [
        (open(&path), open(&path), "k"),
        (open(&path), open(above.path()), "dir/k"),
        (open(&path), open(above.path()), "link/k"),
        (open(above.path()).with_prefix(&dir.into()), open(&path), "k"),
        (open(&path).cached(CacheOptions::default()).unwrap(), open(above.path()), "link/k"),
        (cached, memory.clone(), "k"),
        (memory, Store::new(Arc::new(shared)), "k"),
        (origin.store(), origin.store(), "k"),
    ];
    for (one, other, name) in pairs {
        let (key, name) = (Path::from("k"), Path::from(name));
        one.put(&key, "precious".into()).await.unwrap();
        for (from, key, to, name) in [(&one, &key, &other, &name), (&other, &name, &one, &key)] {
            let error = Transfer::new().rename(from, key, to, name).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
            assert!(error.to_string().contains("are the same object"), "{error}");
        }
        assert_eq!(one.get(&key).await.unwrap().bytes().await.unwrap(), "precious");
        one.rename(&key, &key).await.unwrap();
        assert!(one.rename_if_not_exists(&key, &key).await.is_err());
        assert_eq!(other.get(&name).await.unwrap().bytes().await.unwrap(), "precious");
    }
    // A service that is reached by another name: what is there looks the same in all that is known.
    let other = origin.store_at(&origin.server.url.replace("127.0.0.1", "localhost"));
    for name in ["k", "dir/k"] {
        let (one, key) = (origin.store(), Path::from(name));
        one.put(&key, "precious".into()).await.unwrap();
        let error = Transfer::new().rename(&one, &key, &other, &key).await.unwrap_err();
        assert!(error.to_string().contains("seems to be the same object"), "{error}");
        assert_eq!(one.get(&key).await.unwrap().bytes().await.unwrap(), "precious");
    }
    // Another name of the same file is another object.
    let (one, other) = (open(&path), open(above.path()));
    std::fs::hard_link(path.join("k"), above.path().join("name")).unwrap();
    Transfer::new().rename(&one, &"k".into(), &other, &"name".into()).await.unwrap();
    assert!(!path.join("k").exists());
    assert_eq!(std::fs::read(above.path().join("name")).unwrap(), b"precious");
}

#[tokio::test]
async fn a_move_that_was_cut_off_before_its_deletion_can_be_ended() {
    let suite = "transfer::a_move_that_was_cut_off";
    let stores = [
        services::webdav(suite),
        services::s3("HOLDALL_TEST_S3_ENDPOINT", suite, "test-bucket"),
        services::azure(suite),
    ];
    for store in stores.into_iter().flatten() {
        // Another key of one service is another object, also where it looks the same.
        let (from, to) = (Path::from("one/k"), Path::from("other/k"));
        for key in [&from, &to] {
            store.put(key, "copied".into()).await.unwrap();
        }
        Transfer::new().rename(&store, &from, &store, &to).await.unwrap();
        assert!(store.head(&from).await.is_err());
        assert_eq!(store.get(&to).await.unwrap().bytes().await.unwrap(), "copied");
    }
}

#[tokio::test]
async fn what_is_moved_out_of_a_prefix_of_the_target_replaces_no_source() {
    let store = memory();
    for key in ["sub/a", "sub/sub/a", "sub/sub/sub/a", "sub/b"] {
        store.put(&key.into(), key.into()).await.unwrap();
    }
    let source = store.with_prefix(&"sub".into());
    let spared = Overlap::of(&source, &store).spared();
    let options = TransferOptions::default().with_verb(Verb::Move).with_spared(spared);
    let listed: Vec<_> = source.list(None).try_collect().await.unwrap();
    let jobs = listed.into_iter().map(|meta| Job {
        from: meta.location.clone(),
        to: meta.location,
        size: meta.size,
    });
    let transfer = Transfer::new().with_options(options);
    let run = transfer.run(&source, &store, stream::iter(jobs.collect::<Vec<_>>()).boxed());
    for outcome in run.collect::<Vec<_>>().await {
        match outcome.job.to.as_ref() {
            "a" | "b" => drop(outcome.result.unwrap()),
            _ => {
                let error = outcome.result.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidArgument);
                assert!(error.to_string().contains("it lies in the source"), "{error}");
            }
        }
    }
    let mut left: Vec<_> = store.list(None).try_collect().await.unwrap();
    left.sort_by(|a, b| a.location.cmp(&b.location));
    let left: Vec<_> = left.iter().map(|meta| meta.location.as_ref()).collect();
    assert_eq!(left, ["a", "b", "sub/sub/a", "sub/sub/sub/a"]);
    for (key, content) in
        [("a", "sub/a"), ("sub/sub/a", "sub/sub/a"), ("sub/sub/sub/a", "sub/sub/sub/a")]
    {
        assert_eq!(store.get(&key.into()).await.unwrap().bytes().await.unwrap(), content);
    }
}
