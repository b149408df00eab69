//! What is particular to memory and local files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::executor::block_on;
use futures::{FutureExt, TryStreamExt};
use holdall_store::local::{LocalOptions, LocalStore};
use holdall_store::memory::MemoryStore;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    Attribute, Attributes, Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, UpdateVersion,
};
use holdall_store::transfer::Transfer;
use holdall_store::{ErrorKind, Provider, Store};

fn local(dir: &tempfile::TempDir) -> LocalStore {
    LocalStore::open(dir.path(), LocalOptions::default()).unwrap()
}

fn both() -> Vec<(Store, Option<tempfile::TempDir>)> {
    let dir = tempfile::tempdir().unwrap();
    let files = Store::new(local(&dir).inline().unwrap());
    vec![(Store::new(Arc::new(MemoryStore::new())), None), (files, Some(dir))]
}

#[test]
fn futures_are_ready_at_the_first_poll_without_a_runtime() {
    for (store, _dir) in both() {
        let key = Path::from("a");
        store.put(&key, "x".into()).now_or_never().unwrap().unwrap();
        store.get(&key).now_or_never().unwrap().unwrap();
        store.list(None).try_collect::<Vec<_>>().now_or_never().unwrap().unwrap();
        store.copy(&key, &"b".into()).now_or_never().unwrap().unwrap();
        store.delete(&key).now_or_never().unwrap().unwrap();
    }
}

#[test]
fn a_head_request_has_no_body_and_a_version_is_refused() {
    for (store, _dir) in both() {
        let key = Path::from("a");
        block_on(store.put(&key, "content".into())).unwrap();
        let head = GetOptions { head: true, ..Default::default() };
        let result = block_on(store.get_opts(&key, head)).unwrap();
        assert_eq!(result.meta.size, 7);
        assert_eq!(block_on(result.bytes()).unwrap(), Bytes::new());
        let versioned = GetOptions { version: Some("1".into()), ..Default::default() };
        let error = block_on(store.get_opts(&key, versioned)).unwrap_err();
        assert!(matches!(error, Error::NotSupported { .. }), "{error}");
    }
}

#[test]
fn attributes_and_tags_are_kept_copied_and_replaced() {
    for (store, _dir) in both() {
        let (key, copy) = (Path::from("a/b"), Path::from("c/d"));
        let attributes: Attributes =
            [(Attribute::ContentType, "image/tiff"), (Attribute::Metadata("scene".into()), "ü 42")]
                .into_iter()
                .collect();
        let options = PutOptions { attributes: attributes.clone(), ..Default::default() };
        block_on(store.put_opts(&key, "x".into(), options)).unwrap();
        block_on(store.put_tags(&key, &vec![("k".into(), "v &=1".into())])).unwrap();
        block_on(store.copy(&key, &copy)).unwrap();
        assert_eq!(block_on(store.get(&copy)).unwrap().attributes, attributes);
        assert_eq!(
            block_on(store.get_tags(&copy)).unwrap(),
            [("k".to_owned(), "v &=1".to_owned())]
        );
        block_on(store.put_attributes(&copy, Attributes::new())).unwrap();
        assert!(block_on(store.get(&copy)).unwrap().attributes.is_empty());
        assert_eq!(block_on(store.get(&key)).unwrap().attributes, attributes);
    }
}

#[test]
fn update_needs_the_present_entity_tag() {
    for (store, _dir) in both() {
        let key = Path::from("a");
        let first = block_on(store.put(&key, "1".into())).unwrap();
        let update = |e_tag: Option<String>| {
            PutOptions::from(PutMode::Update(UpdateVersion { e_tag, version: None }))
        };
        block_on(store.put_opts(&key, "two".into(), update(first.e_tag.clone()))).unwrap();
        let error = block_on(store.put_opts(&key, "3".into(), update(first.e_tag))).unwrap_err();
        assert!(matches!(error, Error::Precondition { .. }), "{error}");
        assert_eq!(block_on(async { store.get(&key).await?.bytes().await }).unwrap(), "two");
    }
}

#[test]
fn a_copy_is_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = local(&dir);
    block_on(async {
        let store = store.inline().unwrap();
        store.put(&"a".into(), "1".into()).await.unwrap();
        store.copy(&"a".into(), &"b".into()).await.unwrap();
    });
    std::fs::write(dir.path().join("a"), "changed in place").unwrap();
    assert_eq!(std::fs::read(dir.path().join("b")).unwrap(), b"1");
}

#[test]
fn readers_never_see_half_a_write() {
    let dir = tempfile::tempdir().unwrap();
    let store = local(&dir).inline().unwrap();
    let key = Path::from("object");
    let content = |fill: u8| PutPayload::from(vec![fill; 300_000]);
    block_on(store.put(&key, content(0))).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for fill in 1..200u8 {
                block_on(store.put(&key, content(fill))).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            let data = block_on(async { store.get(&key).await?.bytes().await }).unwrap();
            assert!(data.len() == 300_000 && data.iter().all(|byte| *byte == data[0]));
        }
    });
}

#[test]
fn staged_files_are_hidden_and_their_names_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = local(&dir).inline().unwrap();
    let staged = ".17-0123456789abcdef.holdall-staged";
    std::fs::write(dir.path().join(staged), "half").unwrap();
    for name in ["photo#1", ".hidden", "holdall-staged"] {
        block_on(store.put(&Path::parse(name).unwrap(), "whole".into())).unwrap();
    }
    let listed: Vec<_> =
        block_on(store.list(None).map_ok(|m| m.location.to_string()).try_collect()).unwrap();
    assert_eq!(listed, [".hidden", "holdall-staged", "photo#1"]);
    assert!(block_on(store.put(&Path::parse(staged).unwrap(), "".into())).is_err());
}

#[test]
fn staged_files_that_a_killed_process_left_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = local(&dir).inline().unwrap();
    let days_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 24 * 3600);
    let make = |name: &str, is_old: bool| {
        let file = std::fs::File::create(dir.path().join(name)).unwrap();
        if is_old {
            file.set_modified(days_ago).unwrap();
        }
        file
    };
    let [left, young, held, other] = [
        ".17-0123456789abcdef.holdall-staged",
        ".17-1123456789abcdef.holdall-staged",
        ".17-2123456789abcdef.holdall-staged",
        ".not made by a store.holdall-staged",
    ];
    drop((make(left, true), make(young, false), make(other, true)));
    let writer = make(held, true);
    rustix::fs::flock(&writer, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let listed: Vec<_> = block_on(store.list(None).try_collect::<Vec<_>>()).unwrap();
    assert_eq!(listed, []);
    let exist = [left, young, held, other].map(|name| dir.path().join(name).exists());
    assert_eq!(exist, [false, true, true, true]);
}

#[tokio::test]
async fn an_aborted_or_dropped_upload_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = local(&dir);
    let mut upload = store.put_multipart(&"a/b".into()).await.unwrap();
    upload.put_part("x".into()).await.unwrap();
    upload.abort().await.unwrap();
    let mut upload = store.put_multipart(&"a/c".into()).await.unwrap();
    upload.put_part("x".into()).await.unwrap();
    drop(upload);
    assert_eq!(std::fs::read_dir(dir.path().join("a")).unwrap().count(), 0);
}

#[tokio::test]
async fn large_files_stream_whole_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = local(&dir);
    let data: Vec<u8> = (0..20_000_003u32).map(|i| (i % 251) as u8).collect();
    store.put(&"big".into(), data.clone().into()).await.unwrap();
    let pieces: Vec<Bytes> =
        store.get(&"big".into()).await.unwrap().into_stream().try_collect().await.unwrap();
    assert!(pieces[0].len() >= 1024 * 1024, "pieces of {}", pieces[0].len());
    assert!(pieces.concat() == data);
    let ranges = [5..10, 19_999_990..30_000_000, 7..20];
    let got = store.get_ranges(&"big".into(), &ranges).await.unwrap();
    assert_eq!(got, [&data[5..10], &data[19_999_990..], &data[7..20]]);
}

#[test]
fn opening_a_missing_directory_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("x/y");
    let error = LocalStore::open(&missing, LocalOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("mkdir"), "{error}");
    LocalStore::open(&missing, LocalOptions::default().with_mkdir(true)).unwrap();
    assert!(missing.is_dir());
}

#[test]
fn clean_up_removes_emptied_directories_only() {
    let dir = tempfile::tempdir().unwrap();
    let options = LocalOptions::default().with_automatic_cleanup(true);
    let store = LocalStore::open(dir.path(), options).unwrap().inline().unwrap();
    block_on(async {
        store.put(&"a/b/c".into(), "".into()).await.unwrap();
        store.put(&"a/d".into(), "".into()).await.unwrap();
        store.delete(&"a/b/c".into()).await.unwrap();
    });
    assert!(!dir.path().join("a/b").exists() && dir.path().join("a/d").exists());
}

#[test]
fn directories_without_files_are_no_prefixes() {
    let dir = tempfile::tempdir().unwrap();
    let store = local(&dir).inline().unwrap();
    std::fs::create_dir_all(dir.path().join("empty/deep")).unwrap();
    std::fs::create_dir(dir.path().join("full")).unwrap();
    std::fs::write(dir.path().join("full/x"), "").unwrap();
    let level = block_on(store.list_with_delimiter(None)).unwrap();
    assert_eq!(level.common_prefixes, [Path::from("full")]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_loops_are_not() {
    use std::os::unix::fs::symlink;
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(elsewhere.path().join("x"), "1").unwrap();
    std::fs::create_dir(dir.path().join("a")).unwrap();
    std::fs::write(dir.path().join("a/y"), "2").unwrap();
    symlink(elsewhere.path(), dir.path().join("out")).unwrap();
    symlink(dir.path(), dir.path().join("a/up")).unwrap();
    symlink("self", dir.path().join("self")).unwrap();
    symlink("a/y", dir.path().join("file")).unwrap();
    symlink("nowhere", dir.path().join("broken")).unwrap();
    let store = local(&dir).inline().unwrap();
    let listed: Vec<_> =
        block_on(store.list(None).map_ok(|m| m.location.to_string()).try_collect()).unwrap();
    assert_eq!(listed, ["a/y", "file", "out/x"]);
}

#[cfg(unix)]
#[test]
fn pipes_are_no_objects_and_nobody_waits_for_them() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "1").unwrap();
    let made = std::process::Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap();
    assert!(made.success());
    std::os::unix::fs::symlink("pipe", dir.path().join("link")).unwrap();
    let store = local(&dir).inline().unwrap();
    let listed: Vec<_> =
        block_on(store.list(None).map_ok(|m| m.location.to_string()).try_collect()).unwrap();
    assert_eq!(listed, ["file"]);
    for key in ["pipe", "link"] {
        let error = block_on(store.get(&Path::from(key))).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_takes_the_place_of_a_device_or_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(Arc::new(local(&dir)));
    let path = |name: &str| dir.path().join(name);
    assert!(std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    for (to, link) in [("pipe", "link"), ("/dev/null", "null"), ("/proc/self/fd/0", "input")] {
        std::os::unix::fs::symlink(to, path(link)).unwrap();
    }
    store.put(&"k".into(), "content".into()).await.unwrap();
    for name in ["pipe", "link", "null", "input"] {
        let key = Path::from(name);
        for (what, done) in [
            ("put", store.put(&key, "content".into()).await.map(drop)),
            ("copy", store.copy(&"k".into(), &key).await),
            ("rename", store.rename(&"k".into(), &key).await),
            ("put_multipart", store.put_multipart(&key).await.map(drop)),
        ] {
            let error = store.error(what, &key, done.unwrap_err());
            assert_eq!(error.kind(), ErrorKind::NotSupported, "{what}: {error}");
        }
        let download = Transfer::new().download(&store, &"k".into(), path(name)).await;
        let error = download.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.to_string().contains("write to it as a stream"), "{error}");
    }
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["input", "k", "link", "null", "pipe"]);
    assert!(!path("pipe").metadata().unwrap().is_file() && path("link").is_symlink());
    // A link to a file is a name like others.
    std::os::unix::fs::symlink("k", path("file")).unwrap();
    store.put(&"file".into(), "new".into()).await.unwrap();
}

#[test]
fn an_upload_that_is_given_up_leaves_nothing_even_while_parts_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(local(&dir).inline().unwrap());
    for aborts in [true, false] {
        let mut upload = block_on(store.put_multipart(&"k".into())).unwrap();
        let part = upload.put_part("part".into());
        match aborts {
            true => block_on(upload.abort()).unwrap(),
            false => drop(upload),
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        drop(block_on(part));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
