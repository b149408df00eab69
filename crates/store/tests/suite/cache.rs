//! A store behind a cache: the same as without, with fewer requests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::join_all;
use holdall_store::cache::{CacheOptions, CacheStats, CachedStore};
use holdall_store::local::{LocalOptions, LocalStore};
use holdall_store::memory::MemoryStore;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    Attribute, Attributes, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutOptions,
};
use holdall_store::{ErrorKind, OpenOptions, Registry, Store};
use proptest::prelude::*;

use super::misbehave::{Reply, Server};
use super::services;

const BLOCK: u64 = 4096;

fn small() -> CacheOptions {
    CacheOptions::default().with_block_bytes(BLOCK)
}

/// A cache for an hour over a store in memory, and that store.
fn cached(options: CacheOptions) -> (Store, MemoryStore) {
    let inner = MemoryStore::new();
    let store = Store::new(Arc::new(inner.clone())).cached(options).unwrap();
    (store, inner)
}

fn hour() -> CacheOptions {
    small().with_ttl(Duration::from_secs(3600))
}

fn stats(store: &Store) -> CacheStats {
    store.provider().as_any().downcast_ref::<CachedStore>().unwrap().stats()
}

fn content(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|i| (i / 7 + i) as u8 ^ seed).collect()
}

async fn read(store: &Store, key: &str) -> Result<Bytes, Error> {
    store.get(&Path::from(key)).await?.bytes().await
}

fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

/// Waits for what is written in the background.
async fn written(folder: &std::path::Path, count: usize) -> Vec<PathBuf> {
    let is_block = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        !name.starts_with('.') && !name.ends_with(".meta")
    };
    loop {
        let found: Vec<_> = files(folder).into_iter().filter(is_block).collect();
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a description is on disk.
async fn described(folder: &std::path::Path) {
    let is_description = |path: &PathBuf| path.extension().is_some_and(|e| e == "meta");
    while !files(folder).iter().any(is_description) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8, usize),
    Parts(u8, u8, usize),
    Get(u8),
    Range(u8, u64, u64),
    Offset(u8, u64),
    Suffix(u8, u64),
    Ranges(u8, Vec<(u64, u64)>),
    Head(u8),
    IfMatch(u8, bool),
    Delete(u8),
    Copy(u8, u8),
    Rename(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0u8..4;
    let length = || 0usize..5 * BLOCK as usize;
    let at = || 0u64..6 * BLOCK;
    prop_oneof![
        3 => (key(), any::<u8>(), length()).prop_map(|(k, s, l)| Step::Put(k, s, l)),
        1 => (key(), any::<u8>(), length()).prop_map(|(k, s, l)| Step::Parts(k, s, l)),
        4 => key().prop_map(Step::Get),
        4 => (key(), at(), 1..2 * BLOCK).prop_map(|(k, a, l)| Step::Range(k, a, l)),
        2 => (key(), at()).prop_map(|(k, a)| Step::Offset(k, a)),
        2 => (key(), at()).prop_map(|(k, a)| Step::Suffix(k, a)),
        2 => (key(), prop::collection::vec((at(), 1..BLOCK), 1..4)).prop_map(|(k, r)| Step::Ranges(k, r)),
        1 => key().prop_map(Step::Head),
        1 => (key(), any::<bool>()).prop_map(|(k, b)| Step::IfMatch(k, b)),
        1 => key().prop_map(Step::Delete),
        1 => (key(), key()).prop_map(|(a, b)| Step::Copy(a, b)),
        1 => (key(), key()).prop_map(|(a, b)| Step::Rename(a, b)),
    ]
}

/// What a step gives: bytes, or the kind of its failure.
async fn outcome(store: &Store, step: &Step) -> Result<Vec<Bytes>, ErrorKind> {
    let key = |k: &u8| Path::from(format!("dir/{k}"));
    let get = |k: &u8, options: GetOptions| {
        let (store, key) = (store.clone(), key(k));
        async move {
            let result = store.get_opts(&key, options).await?;
            let range = format!("{:?} of {}", result.range, result.meta.size);
            Ok::<_, Error>(vec![Bytes::from(range), result.bytes().await?])
        }
    };
    let range = |range| GetOptions { range: Some(range), ..GetOptions::default() };
    let done = match step {
        Step::Put(k, seed, length) => {
            store.put(&key(k), content(*seed, *length).into()).await.map(|_| Vec::new())
        }
        Step::Parts(k, seed, length) => {
            async {
                let mut upload = store.put_multipart(&key(k)).await?;
                upload.put_part(content(*seed, *length).into()).await?;
                upload.complete().await.map(|_| Vec::new())
            }
            .await
        }
        Step::Get(k) => get(k, GetOptions::default()).await,
        Step::Range(k, at, length) => get(k, range(GetRange::Bounded(*at..at + length))).await,
        Step::Offset(k, at) => get(k, range(GetRange::Offset(*at))).await,
        Step::Suffix(k, length) => get(k, range(GetRange::Suffix(*length))).await,
        Step::Ranges(k, ranges) => {
            let ranges: Vec<_> = ranges.iter().map(|(at, length)| *at..at + length).collect();
            store.get_ranges(&key(k), &ranges).await
        }
        Step::Head(k) => store.head(&key(k)).await.map(|meta| vec![meta.size.to_string().into()]),
        Step::IfMatch(k, right) => {
            async {
                let tag = store.head(&key(k)).await?.e_tag.filter(|_| *right);
                let tag = tag.unwrap_or_else(|| "\"other\"".to_owned());
                get(k, GetOptions { if_match: Some(tag), ..GetOptions::default() }).await
            }
            .await
        }
        Step::Delete(k) => store.delete(&key(k)).await.map(|()| Vec::new()),
        Step::Copy(from, to) => store.copy(&key(from), &key(to)).await.map(|()| Vec::new()),
        Step::Rename(from, to) => store.rename(&key(from), &key(to)).await.map(|()| Vec::new()),
    };
    done.map_err(|error| holdall_store::Error::from_store("test", "", error).kind())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reads_what_the_store_behind_it_has(
        steps in prop::collection::vec(step(), 1..60),
        ttl in prop::sample::select(vec![0u64, 3600]),
        memory in prop::sample::select(vec![0u64, 3 * BLOCK, 1 << 20]),
        on_disk in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut options = small().with_ttl(Duration::from_secs(ttl)).with_memory_bytes(memory);
        if on_disk {
            options = options.with_folder(folder.path()).with_disk_bytes(10 * BLOCK);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, _) = cached(options);
            let bare = Store::new(Arc::new(MemoryStore::new()));
            for step in &steps {
                let (got, wanted) = (outcome(&store, step).await, outcome(&bare, step).await);
                // Which kind of error a range outside of the object is differs between stores.
                match (&got, &wanted) {
                    (Err(_), Err(_)) => {}
                    _ => assert_eq!(got, wanted, "{step:?}"),
                }
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_readers_wait_for_one_download() {
    let (store, inner) = cached(hour());
    let data = Bytes::from(content(1, 3 * BLOCK as usize));
    inner.put(&"k".into(), data.clone().into()).await.unwrap();
    let reads = (0..50).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { read(&store, "k").await.unwrap() })
    });
    for got in join_all(reads).await {
        assert_eq!(got.unwrap(), data);
    }
    assert_eq!((stats(&store).downloads, stats(&store).validations), (3, 1));
    read(&store, "k").await.unwrap();
    store.get_range(&"k".into(), 5000..5010).await.unwrap();
    assert_eq!((stats(&store).downloads, stats(&store).validations), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_while_a_body_is_on_its_way_waits_for_it() {
    let body = content(1, 1000);
    let head = "HTTP/1.1 206 Partial Content\r\nContent-Length: 1000\r\nETag: \"a\"\r\n\
                Content-Range: bytes 0-999/1000\r\nConnection: close\r\n\r\n";
    let pieces = body.chunks(100).map(<[u8]>::to_vec).collect();
    let slow = Reply::Slowly(head.into(), pieces, Duration::from_millis(10));
    let server = Server::start(vec![slow]).await;
    let options = OpenOptions::default().with("allow_http", "true");
    let (store, _) = Registry::default().open(&server.url(), &options).unwrap();
    let store = store.cached(hour()).unwrap();
    let reads = (0..30).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(number * 5)).await;
            read(&store, "k").await.unwrap()
        })
    });
    for got in join_all(reads).await {
        assert_eq!(got.unwrap(), body);
    }
    assert_eq!((stats(&store).downloads, stats(&store).validations), (1, 1));
    assert_eq!(server.requests(), 1);
}

#[test]
fn runtimes_can_come_and_go() {
    let (store, inner) = cached(hour());
    let data = Bytes::from(content(1, 3 * BLOCK as usize));
    futures::executor::block_on(inner.put(&"k".into(), data.clone().into())).unwrap();
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // A reader whose runtime ends before its download does.
    let abandoned = run();
    abandoned.block_on(async {
        let mut reading = Box::pin(read(&store, "k"));
        assert!(futures::poll!(&mut reading).is_pending());
    });
    drop(abandoned);
    assert_eq!(run().block_on(read(&store, "k")).unwrap(), data);
}

#[tokio::test]
async fn attributes_and_description_are_kept() {
    let (store, inner) = cached(hour());
    let attributes = Attributes::from_iter([(Attribute::ContentType, "text/plain")]);
    let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
    inner.put_opts(&"k".into(), "hello".into(), options).await.unwrap();
    for _ in 0..2 {
        let got = store.get(&"k".into()).await.unwrap();
        assert_eq!(
            (got.meta.clone(), &got.attributes),
            (inner.head(&"k".into()).await.unwrap(), &attributes)
        );
        assert_eq!(got.range, 0..5);
    }
    assert_eq!(store.head(&"k".into()).await.unwrap().size, 5);
    assert_eq!(stats(&store).validations, 1);
}

#[tokio::test]
async fn nothing_older_than_the_time_to_live_is_served() {
    let ttl = Duration::from_millis(200);
    let (store, inner) = cached(small().with_ttl(ttl));
    let key = Path::from("k");
    inner.put(&key, "one".into()).await.unwrap();
    assert_eq!(read(&store, "k").await.unwrap(), "one");
    for round in 0..5 {
        let text = format!("content {round}");
        inner.put(&key, text.clone().into()).await.unwrap();
        tokio::time::sleep(ttl).await;
        assert_eq!(read(&store, "k").await.unwrap(), text);
    }
    inner.delete(&key).await.unwrap();
    tokio::time::sleep(ttl).await;
    assert!(matches!(read(&store, "k").await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn others_changes_are_seen_after_validation_and_own_ones_at_once() {
    let (store, inner) = cached(hour());
    let key = Path::from("k");
    store.put(&key, "one".into()).await.unwrap();
    assert_eq!(read(&store, "k").await.unwrap(), "one");
    inner.put(&key, "two".into()).await.unwrap();
    assert_eq!(read(&store, "k").await.unwrap(), "one", "trusted for an hour");
    let tag = inner.head(&key).await.unwrap().e_tag;
    let pinned = GetOptions { if_match: tag.clone(), ..GetOptions::default() };
    let got = store.get_opts(&key, pinned).await.unwrap().bytes().await.unwrap();
    assert_eq!(got, "two", "a condition that the description does not meet asks the service");
    let unless = GetOptions { if_none_match: tag, ..GetOptions::default() };
    assert!(matches!(store.get_opts(&key, unless).await, Err(Error::NotModified { .. })));
    store.put(&key, "three".into()).await.unwrap();
    assert_eq!(read(&store, "k").await.unwrap(), "three");
    store.delete(&key).await.unwrap();
    assert!(matches!(read(&store, "k").await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_replaced_object_is_never_mixed() {
    let (store, inner) = cached(hour().with_memory_bytes(2 * BLOCK).with_readahead(1));
    let key = Path::from("k");
    let (old, new) = (content(1, 4 * BLOCK as usize), content(2, 4 * BLOCK as usize));
    inner.put(&key, old.clone().into()).await.unwrap();
    let mut body = store.get(&key).await.unwrap().into_stream();
    assert_eq!(body.try_next().await.unwrap().unwrap(), old[..BLOCK as usize]);
    inner.put(&key, new.clone().into()).await.unwrap();
    let rest = body.try_collect::<Vec<_>>().await;
    assert!(matches!(rest, Err(Error::Precondition { .. })), "{rest:?}");
    assert_eq!(read(&store, "k").await.unwrap(), new, "whoever reads again gets the new one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_shared() {
    let folder = tempfile::tempdir().unwrap();
    let inner: Arc<MemoryStore> = Arc::new(MemoryStore::new());
    let data = content(3, 3 * BLOCK as usize + 100);
    inner.put(&"k".into(), data.clone().into()).await.unwrap();
    let open = |options: CacheOptions| Store::new(inner.clone()).cached(options).unwrap();
    let first = open(hour().with_folder(folder.path()));
    assert_eq!(read(&first, "k").await.unwrap(), data);
    written(folder.path(), 4).await;

    let second = open(hour().with_folder(folder.path()));
    assert_eq!(read(&second, "k").await.unwrap(), data);
    let seen = stats(&second);
    assert_eq!((seen.downloads, seen.disk_hits, seen.validations), (0, 4, 0), "{seen:?}");
    // A description that is too old is asked for again; the blocks stay.
    let third = open(small().with_ttl(Duration::ZERO).with_folder(folder.path()));
    assert_eq!(read(&third, "k").await.unwrap(), data);
    let seen = stats(&third);
    assert_eq!((seen.downloads, seen.disk_hits, seen.validations), (0, 4, 1), "{seen:?}");

    for path in written(folder.path(), 4).await {
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        std::fs::write(&path, bytes).unwrap();
    }
    let fourth = open(hour().with_folder(folder.path()));
    assert_eq!(read(&fourth, "k").await.unwrap(), data);
    assert_eq!((stats(&fourth).downloads, stats(&fourth).damaged), (4, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_changes_needs_no_service() {
    let folder = tempfile::tempdir().unwrap();
    let inner = Arc::new(MemoryStore::new());
    inner.put(&"k".into(), "for ever".into()).await.unwrap();
    let options = small().with_ttl(Duration::ZERO).with_immutable(true).with_folder(folder.path());
    let open = || Store::new(inner.clone()).cached(options.clone()).unwrap();
    assert_eq!(read(&open(), "k").await.unwrap(), "for ever");
    written(folder.path(), 1).await;
    described(folder.path()).await;
    inner.delete(&"k".into()).await.unwrap();
    let later = open();
    assert_eq!(read(&later, "k").await.unwrap(), "for ever");
    assert_eq!((stats(&later).downloads, stats(&later).validations), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let (store, inner) = cached(hour().with_folder(folder.path()).with_memory_bytes(0));
    // A file where a folder has to be fails for every user, as a full disk does.
    for byte in 0..=255 {
        std::fs::write(folder.path().join(format!("v1/{byte:02x}")), "").unwrap();
    }
    let data = content(9, 3 * BLOCK as usize);
    inner.put(&"k".into(), data.clone().into()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(read(&store, "k").await.unwrap(), data);
    }
    assert!(stats(&store).downloads >= 9);
}

#[test]
fn options_out_of_range_are_refused() {
    let store = Store::new(Arc::new(MemoryStore::new()));
    for options in [
        CacheOptions::default().with_block_bytes(100),
        CacheOptions::default().with_readahead(0),
        CacheOptions::default().with_folder("/nowhere").with_disk_bytes(1000),
    ] {
        assert_eq!(store.cached(options).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = store.cached(CacheOptions::default().with_folder(file.path())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
}

/// The content of object `number` of the tests with several processes.
fn large(number: u64) -> Vec<u8> {
    content(number as u8, (number as usize * 7919) % (6 * BLOCK as usize) + 1)
}

const OBJECTS: u64 = 20;

fn shared(root: &std::path::Path) -> Store {
    let inner = LocalStore::open(root.join("store"), LocalOptions::default().with_mkdir(true));
    let options = hour()
        .with_folder(root.join("cache"))
        .with_memory_bytes(4 * BLOCK)
        .with_disk_bytes(40 * BLOCK);
    Store::new(Arc::new(inner.unwrap())).cached(options).unwrap()
}

async fn check_at_random(store: &Store, reads: usize) {
    for _ in 0..reads {
        let number = fastrand::u64(0..OBJECTS);
        let data = large(number);
        let start = fastrand::usize(0..data.len());
        let end = fastrand::usize(start + 1..=data.len());
        let key = Path::from(format!("{number}"));
        let got = store.get_range(&key, start as u64..end as u64).await.unwrap();
        assert!(got == data[start..end], "object {number}, {start}..{end}");
    }
}

/// Runs in processes of its own, which the test below starts and kills.
#[tokio::test]
async fn child_reads_at_random() {
    let Some(root) = std::env::var_os("HOLDALL_TEST_CACHE_CHILD") else { return };
    // Whoever started this process is gone when its end of the pipe is.
    std::thread::spawn(|| {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
        std::process::exit(0);
    });
    let store = shared(std::path::Path::new(&root));
    loop {
        check_at_random(&store, 100).await;
    }
}

fn child(root: &std::path::Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "suite::cache::child_reads_at_random", "--nocapture"])
        .env("HOLDALL_TEST_CACHE_CHILD", root)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_processes_leave_nothing_wrong() {
    let root = tempfile::tempdir().unwrap();
    let store = shared(root.path());
    let inner = LocalStore::open(root.path().join("store"), LocalOptions::default()).unwrap();
    for number in 0..OBJECTS {
        inner.put(&format!("{number}").into(), large(number).into()).await.unwrap();
    }
    let mut children: Vec<Child> = (0..3).map(|_| child(root.path())).collect();
    // Another number than that of a quick run can be set, as for the kills of other transfers.
    let rounds = std::env::var("HOLDALL_KILL_ROUNDS").ok().and_then(|n| n.parse().ok());
    for round in 0..rounds.unwrap_or(100) {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(5..60))).await;
        let victim = &mut children[round % 3];
        // A child that has ended by itself has read something wrong.
        assert!(victim.try_wait().unwrap().is_none(), "round {round}");
        victim.kill().unwrap();
        victim.wait().unwrap();
        children[round % 3] = child(root.path());
        check_at_random(&store, 20).await;
    }
    for child in &mut children {
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // The next process clears away what they left.
    assert!(child(root.path()).wait_for_a_moment());
    check_at_random(&store, 300).await;
    let left: BTreeMap<_, _> = files(root.path())
        .into_iter()
        // What is displaced meanwhile is not left.
        .filter_map(|path| path.metadata().ok().map(|metadata| (path, metadata.len())))
        .collect();
    // What this process is still writing is not left either.
    let own = format!(".tmp-{}-", std::process::id());
    let temporary = left.keys().filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(".tmp-") && !name.starts_with(&own)
    });
    assert_eq!(temporary.count(), 0, "{left:?}");
    assert_eq!(stats(&store).damaged, 0, "a kill tears nothing");
    let bytes: u64 = left
        .iter()
        .filter(|(path, _)| path.starts_with(root.path().join("cache")))
        .map(|(_, l)| l)
        .sum();
    assert!(bytes < 60 * BLOCK, "{bytes} bytes in a cache of {}", 40 * BLOCK);
}

trait WaitForAMoment {
    fn wait_for_a_moment(self) -> bool;
}

impl WaitForAMoment for Child {
    /// Lets it run until it has looked at the folder, and ends it.
    fn wait_for_a_moment(mut self) -> bool {
        std::thread::sleep(Duration::from_millis(1500));
        let ran = self.try_wait().unwrap().is_none();
        self.kill().unwrap();
        self.wait().unwrap();
        ran
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_can_be_cached() {
    let stores = [
        services::s3("HOLDALL_TEST_S3_ENDPOINT", "cache over versitygw", "test-bucket"),
        services::azure("cache over Azurite"),
        services::gcs("cache over GCS"),
        services::webdav("cache over WebDAV"),
    ];
    for bare in stores.into_iter().flatten() {
        let folder = tempfile::tempdir().unwrap();
        let options = CacheOptions::default().with_block_bytes(64 << 10).with_folder(folder.path());
        let store = bare.cached(options.with_ttl(Duration::from_secs(3600))).unwrap();
        let data = content(5, 300_000);
        let key = Path::from("some/object");
        store.put(&key, data.clone().into()).await.unwrap();
        assert_eq!(store.url(), bare.url());
        for _ in 0..2 {
            assert_eq!(store.get(&key).await.unwrap().bytes().await.unwrap(), data);
            assert_eq!(store.get_range(&key, 1000..70_000).await.unwrap(), data[1000..70_000]);
        }
        assert_eq!((stats(&store).downloads, stats(&store).validations), (5, 1), "{bare}");
        bare.put(&key, "changed".into()).await.unwrap();
        store.copy(&key, &"some/copy".into()).await.unwrap();
        assert_eq!(read(&store, "some/copy").await.unwrap(), "changed");
        bare.delete(&"some/copy".into()).await.unwrap();
        bare.delete(&key).await.unwrap();
    }
}
