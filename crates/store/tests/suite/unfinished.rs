//! Uploads and jobs that were begun and cut off: continued, found again, or cleared away.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use holdall_store::local::{LocalOptions, LocalStore};
use holdall_store::object_store::multipart::MultipartStore;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    Attribute, Attributes, CopyMode, Error, GetOptions, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutPayload,
};
use holdall_store::transfer::{Budget, Events, Job, Limits, Transfer, aborting};
use holdall_store::{ErrorKind, Store};
use tempfile::TempDir;

use super::loopback::{Loopback, reply};
use super::origin::{Fault, Origin};
use super::services;
use super::transfer::{MIB, data, engine, memory};

const PART: usize = 5 * MIB;

fn parts(store: &Store) -> &dyn MultipartStore {
    store.provider().multipart().unwrap()
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Cancels an upload in its midst; the next one goes on with it.
async fn is_continued(store: &Store) {
    let (state, dir): (TempDir, TempDir) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = dir.path().join("f");
    let content = data(4 * PART);
    std::fs::write(&file, &content).unwrap();
    let key = Path::from("continued");
    let base = engine(&state);
    let options = base.options().clone().with_resume(true).with_part_bytes(PART as u64);
    let base = base.with_options(options.with_parts(1));
    let events = Events::new();
    let rate = Limits::default().with_bytes_per_second(Some(40 * MIB as u64));
    let slow = base.clone().with_budget(Budget::new(rate)).with_events(events.clone());
    tokio::select! {
        biased;
        () = until(|| events.snapshot().bytes_done > 0) => {}
        done = slow.upload(&file, store, &key) => panic!("it was to be slow: {done:?}"),
    }
    let report = base.upload(&file, store, &key).await.unwrap();
    assert!(report.resumed_bytes >= PART as u64, "{store}: {report:?}");
    assert!(store.get(&key).await.unwrap().bytes().await.unwrap() == content);
}

#[tokio::test]
async fn uploads_to_services_are_continued() {
    let suite = "unfinished::uploads_to_services_are_continued";
    let s3 = services::s3("HOLDALL_TEST_S3_ENDPOINT", suite, "test-bucket");
    for store in [s3, services::azure(suite), services::gcs(suite)].into_iter().flatten() {
        is_continued(&store).await;
    }
}

#[tokio::test]
async fn services_tell_which_uploads_have_not_ended() {
    let suite = "unfinished::services_tell_which_uploads_have_not_ended";
    let s3 = services::s3("HOLDALL_TEST_S3_ENDPOINT", suite, "test-bucket");
    for store in [s3, services::gcs(suite)].into_iter().flatten() {
        let (full, other) = (store.full_path(&"a b/k".into()), store.full_path(&"a b/k2".into()));
        let id = parts(&store).create_multipart(&full).await.unwrap();
        let beside = parts(&store).create_multipart(&other).await.unwrap();
        let open = store.provider().open_uploads(&full).await.unwrap();
        assert_eq!(open.iter().map(|upload| &upload.id).collect::<Vec<_>>(), [&id], "{store}");
        assert!(open[0].begun.is_some());
        parts(&store).abort_multipart(&full, &id).await.unwrap();
        parts(&store).abort_multipart(&other, &beside).await.unwrap();
        assert!(store.provider().open_uploads(&full).await.unwrap().is_empty(), "{store}");
    }
}

#[tokio::test]
async fn azure_keeps_attributes_of_uploads_in_parts() {
    let suite = "unfinished::azure_keeps_attributes_of_uploads_in_parts";
    let Some(store) = services::azure(suite) else { return };
    let key = Path::from("k");
    let full = store.full_path(&key);
    let attributes = Attributes::from_iter([
        (Attribute::ContentType, "text/x-parts"),
        (Attribute::CacheControl, "max-age=7, public"),
        (Attribute::Metadata("colour".into()), "blue & green"),
    ]);
    let options = PutMultipartOptions { attributes: attributes.clone(), ..Default::default() };
    let id = parts(&store).create_multipart_opts(&full, options).await.unwrap();
    let mut ids = Vec::new();
    for index in 0..3 {
        let payload = PutPayload::from(format!("part {index};"));
        ids.push(parts(&store).put_part(&full, &id, index, payload).await.unwrap());
    }
    parts(&store).complete_multipart(&full, &id, ids.clone()).await.unwrap();
    // The answer was lost: whoever asks again is told the same.
    parts(&store).complete_multipart(&full, &id, ids).await.unwrap();
    let found = store.get_opts(&key, GetOptions::default()).await.unwrap();
    for (name, value) in &attributes {
        assert_eq!(found.attributes.get(name), Some(value), "{name:?}");
    }
    assert_eq!(found.bytes().await.unwrap(), "part 0;part 1;part 2;");
    // A copy in parts takes them along.
    let state = tempfile::tempdir().unwrap();
    let from = memory();
    let options = holdall_store::object_store::PutOptions { attributes, ..Default::default() };
    from.put_opts(&key, data(11 * MIB).into(), options).await.unwrap();
    engine(&state).copy(&from, &key, &store, &"copied".into()).await.unwrap();
    let found = store.get_opts(&"copied".into(), GetOptions::default()).await.unwrap();
    let kind = found.attributes.get(&Attribute::ContentType).unwrap();
    assert_eq!(kind.as_ref(), "text/x-parts");
}

#[tokio::test]
async fn blocks_that_azure_does_not_have_are_missed() {
    let suite = "unfinished::blocks_that_azure_does_not_have_are_missed";
    let Some(store) = services::azure(suite) else { return };
    let full = store.full_path(&"k".into());
    let id = parts(&store).create_multipart(&full).await.unwrap();
    let mut part = parts(&store).put_part(&full, &id, 0, "x".into()).await.unwrap();
    // As after a week, or after another writer.
    part.content_id = part.content_id.chars().rev().collect();
    let error = parts(&store).complete_multipart(&full, &id, vec![part]).await.unwrap_err();
    assert!(
        matches!(error, holdall_store::object_store::Error::NotFound { .. }),
        "the upload begins anew: {error}"
    );
}

#[tokio::test]
async fn a_run_that_is_dropped_stops_its_jobs() {
    let state = tempfile::tempdir().unwrap();
    let origin = Origin::good().await;
    let source = memory();
    source.put(&"large".into(), data(12 * MIB).into()).await.unwrap();
    let job = Job { from: "large".into(), to: "large".into(), size: 12 * MIB as u64 };
    let rate = Limits::default().with_bytes_per_second(Some(MIB as u64));
    let slow = engine(&state).with_budget(Budget::new(rate));
    let mut run = slow.run(&source, &origin.store(), stream::iter([job]).boxed());
    let asked = |method: &'static str| {
        let server = origin.server.clone();
        move || server.seen().iter().any(|request| request.method == method)
    };
    tokio::select! {
        biased;
        () = until(asked("POST")) => {}
        outcome = run.next() => panic!("it was to be slow: {outcome:?}"),
    }
    drop(run);
    until(asked("DELETE")).await;
    until(|| aborting() == 0).await;
    assert!(origin.get("large").is_none());
}

#[tokio::test]
async fn a_part_that_brings_an_aborted_upload_back_is_not_left() {
    let (state, aborted) = (tempfile::tempdir().unwrap(), Arc::new(AtomicUsize::new(0)));
    let aborts = aborted.clone();
    let server = Loopback::start(move |request| {
        let is_list = request.method == "GET" && request.target.contains("uploads");
        match request.method.as_str() {
            "POST" => {
                let text = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
                reply("200 OK", &[], text)
            }
            // Nobody hears what became of a part.
            "PUT" => Vec::new(),
            "DELETE" => {
                aborts.fetch_add(1, Ordering::Relaxed);
                reply("204 No Content", &[], "")
            }
            // The first time, a part was stored after the upload had been aborted.
            _ if is_list && aborts.load(Ordering::Relaxed) == 1 => {
                let upload = "<Upload><Key>k</Key><UploadId>u</UploadId><Initiated>2026-11-22T00:00:00.000Z</Initiated></Upload>";
                let text = format!("<ListMultipartUploadsResult>{upload}</ListMultipartUploadsResult>");
                reply("200 OK", &[], text)
            }
            _ if is_list => reply("200 OK", &[], "<ListMultipartUploadsResult></ListMultipartUploadsResult>"),
            _ => reply("404 Not Found", &[], ""),
        }
    })
    .await;
    let store = Origin::good().await.store_at(&server.url);
    let source = memory();
    let key = Path::from("k");
    source.put(&key, data(3 * PART).into()).await.unwrap();
    let engine = engine(&state);
    tokio::select! {
        biased;
        () = until(|| server.seen().iter().any(|request| request.method == "PUT")) => {}
        outcome = engine.copy(&source, &key, &store, &key) => panic!("nothing answers: {outcome:?}"),
    }
    until(|| aborted.load(Ordering::Relaxed) == 2 && aborting() == 0).await;
    // The service may come to a part later still: the next upload to the key, also one that would go on with what is left, looks
    // for it once more, before and after.
    assert_eq!(journals(&state).len(), 1);
    let origin = Origin::good().await;
    let resuming = engine.options().clone().with_resume(true);
    let engine = engine.with_options(resuming);
    engine.copy(&source, &key, &origin.store(), &key).await.unwrap();
    let aborts = origin.server.seen().iter().filter(|request| request.method == "DELETE").count();
    assert_eq!((aborts, journals(&state).len()), (2, 0));
}

#[tokio::test]
async fn an_upload_that_cannot_begin_is_begun_again() {
    let state = tempfile::tempdir().unwrap();
    let begins = |request: &super::loopback::Request| {
        request.method == "POST" && !request.target.contains("uploadId")
    };
    let asked = AtomicUsize::new(0);
    // More often than the store repeats by itself.
    let origin = Origin::start(move |request| {
        (begins(request) && asked.fetch_add(1, Ordering::Relaxed) < 12).then_some(Fault::Reset)
    })
    .await;
    let source = memory();
    let content = data(3 * PART);
    source.put(&"k".into(), content.clone().into()).await.unwrap();
    engine(&state).copy(&source, &"k".into(), &origin.store(), &"k".into()).await.unwrap();
    assert!(origin.get("k").unwrap() == content);
}

#[tokio::test]
async fn an_upload_whose_end_was_not_heard_of_is_found_to_be_there() {
    let state = tempfile::tempdir().unwrap();
    let completed = AtomicUsize::new(0);
    let origin = Origin::start(move |request| {
        let completes = request.method == "POST" && request.target.contains("uploadId");
        (completes && completed.fetch_add(1, Ordering::Relaxed) == 0).then_some(Fault::Reset)
    })
    .await;
    let source = memory();
    let content = data(2 * PART);
    source.put(&"k".into(), content.clone().into()).await.unwrap();
    // The client of the service asks again by itself, and is told that there is no such upload.
    engine(&state).copy(&source, &"k".into(), &origin.store(), &"k".into()).await.unwrap();
    assert!(origin.get("k").unwrap() == content);
}

#[tokio::test]
async fn the_last_step_of_a_move_is_repeated_when_no_answer_came() {
    let state = tempfile::tempdir().unwrap();
    let asked = AtomicUsize::new(0);
    let origin = Origin::start(move |request| {
        let deletes = request.target.contains("?delete");
        (deletes && asked.fetch_add(1, Ordering::Relaxed) < 3).then_some(Fault::Reset)
    })
    .await;
    origin.put("k", b"content".to_vec());
    let target = memory();
    engine(&state).rename(&origin.store(), &"k".into(), &target, &"k".into()).await.unwrap();
    assert!(origin.get("k").is_none() && target.exists(&"k".into()).await.unwrap());
}

#[tokio::test]
async fn a_connection_that_is_reset_is_no_reply() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        // A socket that is closed with something unread resets its connection.
        while let Ok((socket, _)) = listener.accept().await {
            socket.readable().await.unwrap();
        }
    });
    let store = Origin::good().await.store_at(&endpoint);
    let key = Path::from("k");
    let error = store.delete(&key).await.unwrap_err();
    assert_eq!(store.error("delete", &key, error).kind(), ErrorKind::Connection);
}

/// Uploads in parts to a service that refuses the `method` of one of the requests for `key`; what is remembered stays.
async fn cut_off(state: &TempDir, method: &'static str, key: &str) {
    let origin = Origin::start(move |request| {
        let is_one = request.target.contains("uploadId") && request.method == method;
        is_one.then_some(Fault::Broken)
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    std::fs::write(&file, data(2 * PART)).unwrap();
    let engine = engine(state);
    let options = engine.options().clone().with_resume(true).with_retries(0);
    let engine = engine.with_options(options.with_part_bytes(PART as u64));
    engine.upload(&file, &origin.store(), &key.into()).await.unwrap_err();
}

fn journals(state: &TempDir) -> Vec<std::path::PathBuf> {
    let found = std::fs::read_dir(state.path().join("uploads")).unwrap();
    found.map(|entry| entry.unwrap().path()).collect()
}

fn days_pass(path: &std::path::Path, days: u64) {
    let age = Duration::from_secs(days * 24 * 60 * 60);
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() - age).unwrap();
}

#[tokio::test]
async fn old_journals_are_removed_by_later_uploads_to_other_keys() {
    let state = tempfile::tempdir().unwrap();
    cut_off(&state, "POST", "completing").await;
    let completing = journals(&state).pop().unwrap();
    cut_off(&state, "PUT", "sending").await;
    let sending = journals(&state).into_iter().find(|path| *path != completing).unwrap();
    let swept = state.path().join("uploads.swept");
    let upload = async || {
        let content = data(2 * PART);
        let origin = Origin::good().await;
        let source = memory();
        source.put(&"other".into(), content.into()).await.unwrap();
        let store = origin.store();
        engine(&state).copy(&source, &"other".into(), &store, &"other".into()).await.unwrap();
    };
    // Both are young; then it was looked for them not long ago.
    days_pass(&swept, 2);
    upload().await;
    days_pass(&completing, 2);
    days_pass(&sending, 2);
    upload().await;
    assert_eq!(journals(&state).len(), 2);
    // A process has it in use.
    let held = std::fs::File::open(&completing).unwrap();
    held.lock().unwrap();
    days_pass(&swept, 2);
    upload().await;
    assert_eq!(journals(&state).len(), 2);
    drop(held);
    days_pass(&swept, 2);
    upload().await;
    assert_eq!(journals(&state), std::slice::from_ref(&sending));
    // The parts of this one may still be with the service.
    days_pass(&sending, 91);
    days_pass(&swept, 2);
    upload().await;
    assert!(journals(&state).is_empty());
}

#[tokio::test]
async fn an_object_of_one_request_clears_what_was_left_of_one_of_parts() {
    let state = tempfile::tempdir().unwrap();
    cut_off(&state, "PUT", "k").await;
    assert_eq!(journals(&state).len(), 1);
    let aborted = Arc::new(AtomicBool::new(false));
    let seen = aborted.clone();
    let origin = Origin::start(move |request| {
        let is_one = request.method == "DELETE" && request.target.contains("uploadId");
        seen.fetch_or(is_one, Ordering::Relaxed);
        None
    })
    .await;
    let store = origin.store();
    engine(&state).write("other".into(), &store, &"other".into()).await.unwrap();
    assert!(!aborted.load(Ordering::Relaxed) && journals(&state).len() == 1);
    engine(&state).write("short by now".into(), &store, &"k".into()).await.unwrap();
    assert!(aborted.load(Ordering::Relaxed) && journals(&state).is_empty());
    assert_eq!(origin.get("k").unwrap(), b"short by now");
}

#[tokio::test]
async fn what_a_killed_upload_had_sent_may_arrive_late() {
    let state = tempfile::tempdir().unwrap();
    cut_off(&state, "PUT", "k").await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let origin = Origin::start(move |request| {
        if request.target.contains("uploadId") && request.method != "PUT" {
            seen.lock().unwrap().push(request.method.clone());
        }
        None
    })
    .await;
    let source = memory();
    source.put(&"k".into(), data(2 * PART).into()).await.unwrap();
    engine(&state).copy(&source, &"k".into(), &origin.store(), &"k".into()).await.unwrap();
    // One of its parts may have brought the upload back after it was aborted.
    assert_eq!(*asked.lock().unwrap(), ["DELETE", "POST", "DELETE"]);
    assert!(journals(&state).is_empty());
}

/// Two uploads of parts to one key: what is there stays.
async fn creates_once(store: &Store) {
    let key = Path::from("created/in parts");
    let options = engine(&tempfile::tempdir().unwrap()).options().clone();
    let options = options.with_mode(CopyMode::Create).with_part_bytes(PART as u64);
    let transfer = Transfer::new().with_options(options);
    let first = Bytes::from(data(PART + 1));
    let late = stream::iter([Ok(Bytes::from(data(PART)))]).chain(stream::once(async {
        // When the upload has long begun.
        store.put(&key, first.clone().into()).await.unwrap();
        Ok(Bytes::from_static(b"the end"))
    }));
    let error = transfer.upload_stream(late.boxed(), store, &key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{store}: {error}");
    assert!(store.get(&key).await.unwrap().bytes().await.unwrap() == first);
    store.delete(&key).await.unwrap();
    let content = stream::iter([Ok(first.clone()), Ok(Bytes::from_static(b"the end"))]);
    transfer.upload_stream(content.boxed(), store, &key).await.unwrap();
    assert_eq!(store.head(&key).await.unwrap().size, first.len() as u64 + 7);
    store.delete(&key).await.unwrap();
}

#[tokio::test]
async fn uploads_in_parts_create() {
    let suite = "unfinished::uploads_in_parts_create";
    let s3 = services::s3("HOLDALL_TEST_S3_ENDPOINT", suite, "test-bucket");
    let dir = tempfile::tempdir().unwrap();
    let local =
        Store::new(Arc::new(LocalStore::open(dir.path(), LocalOptions::default()).unwrap()));
    let embedded = [Some(memory()), Some(local)];
    let services = [s3, services::azure(suite), services::gcs(suite), services::webdav(suite)];
    for store in embedded.into_iter().chain(services).flatten() {
        creates_once(&store).await;
    }
}

#[tokio::test]
async fn services_complete_uploads_on_a_condition() {
    let suite = "unfinished::services_complete_uploads_on_a_condition";
    let s3 = services::s3("HOLDALL_TEST_S3_ENDPOINT", suite, "test-bucket");
    for store in [Some(memory()), s3, services::azure(suite)].into_iter().flatten() {
        let key = Path::from("conditional");
        let full = store.full_path(&key);
        let begin = async |content: &'static [u8]| {
            let id = parts(&store).create_multipart(&full).await.unwrap();
            let part = parts(&store).put_part(&full, &id, 0, PutPayload::from(content)).await;
            (id, vec![part.unwrap()])
        };
        let (id, ids) = begin(b"first").await;
        let done = store.provider().complete_new(&full, &id, &ids).await.unwrap().unwrap();
        assert_eq!(done.e_tag, store.head(&key).await.unwrap().e_tag, "{store}");
        let (id, ids) = begin(b"second").await;
        let refused = store.provider().complete_new(&full, &id, &ids).await.unwrap_err();
        assert!(matches!(refused, Error::AlreadyExists { .. }), "{store}: {refused:?}");
        assert_eq!(store.get(&key).await.unwrap().bytes().await.unwrap(), "first");
        parts(&store).abort_multipart(&full, &id).await.unwrap();
        store.delete(&key).await.unwrap();
    }
}

#[tokio::test]
async fn deletions_in_a_bucket_that_there_is_not() {
    let suite = "unfinished::deletions_in_a_bucket_that_there_is_not";
    let s3 = services::s3("HOLDALL_TEST_S3_ENDPOINT", suite, "no-such-bucket");
    let azure = services::azure_container(suite, "no-such-container");
    for store in [s3, azure].into_iter().flatten() {
        let keys = stream::iter([Path::from("a"), Path::from("b")]).boxed();
        for (_, outcome) in store.delete_many(keys).collect::<Vec<_>>().await {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NotFound, "{store}");
        }
    }
}
