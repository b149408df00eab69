//! Assets that are directories.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use holdall_stac::{
    ClientConfig, Clients, Depth, ErrorKind, Kind, Naming, Place, PlanOptions, Report,
    TransferOptions, info, transfer,
};
use holdall_store::Store;
use holdall_store::memory::MemoryStore;
use holdall_store::object_store::ObjectStoreExt;
use holdall_store::object_store::path::Path;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Reply, Server};
use crate::{clients, document, item, names, nobody, place};

/// A small Zarr store of format 2, of which a chunk is missing.
const ZARR: [(&str, &str); 6] = [
    (".zgroup", r#"{"zarr_format": 2}"#),
    (
        ".zmetadata",
        r#"{"zarr_consolidated_format": 1, "metadata": {".zgroup": {"zarr_format": 2}, "a/.zarray": {"shape": [4, 2],
            "chunks": [2, 1], "fill_value": "NaN"}, "a/.zattrs": {"_FillValue": NaN}}}"#,
    ),
    ("a/.zarray", r#"{"shape": [4, 2], "chunks": [2, 1]}"#),
    ("a/0.0", "first"),
    ("a/0.1", "second"),
    ("a/1.1", "last"),
];

fn bytes() -> u64 {
    ZARR.iter().map(|(_, text)| text.len() as u64).sum()
}

/// The store below a directory.
fn zarr(dir: &TempDir, name: &str) -> String {
    for (key, text) in ZARR {
        let path = dir.path().join(name).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir.path().join(name).to_str().unwrap().to_owned()
}

async fn run(clients: &Clients, assets: Value, to: &Place, options: &TransferOptions) -> Report {
    transfer(clients, &mut document(&item("i", assets)), to, options, nobody()).await.unwrap()
}

/// Downloads one asset; the report and what is there.
async fn download(asset: Value, to: &TempDir) -> Report {
    let options = TransferOptions::download(Kind::Item, None);
    run(&clients(), json!({"a": asset}), &place(to), &options).await
}

fn assert_zarr(to: &TempDir, name: &str) {
    for (key, text) in ZARR {
        let found = std::fs::read_to_string(to.path().join(name).join(key));
        assert_eq!(found.unwrap_or_else(|e| panic!("{key}: {e}")), text, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_downloaded_whole_and_found_complete() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = zarr(&from, "x.zarr");
    for (number, href) in
        [path.clone(), format!("{path}/"), format!("file://{path}")].iter().enumerate()
    {
        let report = download(json!({"href": href, "file:size": bytes()}), &to).await;
        let done = report.outcomes[0].as_ref().unwrap();
        assert_eq!((done.files, done.bytes), (Some(6), bytes()), "{href}");
        assert_eq!(done.skipped, number > 0, "{href}");
        assert_zarr(&to, "x.zarr");
        assert_eq!(names(&to), ["x.zarr"], "{href}");
    }
    // What is missing or old is brought again, and nothing else.
    std::fs::remove_file(to.path().join("x.zarr/a/0.0")).unwrap();
    let done = download(json!({"href": path}), &to).await.outcomes[0].clone().unwrap();
    assert!(!done.skipped);
    assert_zarr(&to, "x.zarr");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_at_the_same_time_build_one_directory() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = zarr(&from, "x.zarr");
    let asset = json!({"href": path, "file:size": bytes()});
    for _ in 0..5 {
        let runs = futures::future::join_all((0..4).map(|_| download(asset.clone(), &to))).await;
        for report in runs {
            assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
        }
        assert_zarr(&to, "x.zarr");
        assert_eq!(names(&to), ["x.zarr"]);
        std::fs::remove_dir_all(to.path().join("x.zarr")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn overwriting_replaces_the_directory() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = zarr(&from, "x.zarr");
    std::fs::create_dir_all(to.path().join("x.zarr/old")).unwrap();
    std::fs::write(to.path().join("x.zarr/old/0.0"), "old").unwrap();
    let mut options = TransferOptions::download(Kind::Item, None);
    options.run.overwrite = true;
    let report = run(&clients(), json!({"a": {"href": path}}), &place(&to), &options).await;
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    assert_zarr(&to, "x.zarr");
    assert_eq!(names(&to), ["x.zarr"]);
    assert!(!to.path().join("x.zarr/old").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_not_what_its_document_says_gets_no_name() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = zarr(&from, "x.zarr");
    let report = download(json!({"href": path, "file:size": 5}), &to).await;
    let error = report.outcomes[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    assert!(error.to_string().contains("6 files"), "{error}");
    let [begun] = &names(&to)[..] else { panic!("{:?}", names(&to)) };
    assert!(begun.starts_with(".x.zarr.") && begun.ends_with(".part"), "{begun}");
    // What a run left is used by the next, but for what the source does not have any more.
    std::fs::write(to.path().join(begun).join("gone"), "gone").unwrap();
    let early = SystemTime::now() - Duration::from_secs(3600);
    for (key, _) in ZARR {
        let file = std::fs::File::options().write(true).open(from.path().join("x.zarr").join(key));
        file.unwrap().set_modified(early).unwrap();
    }
    let report = download(json!({"href": path}), &to).await;
    assert!(report.outcomes[0].as_ref().unwrap().skipped);
    assert_zarr(&to, "x.zarr");
    assert!(!to.path().join("x.zarr/gone").exists());
    assert_eq!(names(&to), ["x.zarr"]);
    // A checksum is of a file.
    let report = download(json!({"href": path, "file:checksum": "1203abcdef"}), &to).await;
    assert!(report.outcomes[0].as_ref().unwrap().warning.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_are_put_into_a_store_and_verified_there() {
    let from = tempfile::tempdir().unwrap();
    let path = zarr(&from, "x.SAFE");
    let store = Store::new(Arc::new(MemoryStore::new()));
    let target = Place::Store(store.clone(), Path::from("to"));
    let mut document =
        document(&item("i", json!({"a": {"href": path}, "none": {"href": "/gone/"}})));
    let options = TransferOptions::publish(None);
    for again in [false, true] {
        let mut document = document.clone();
        let report =
            transfer(&clients(), &mut document, &target, &options, nobody()).await.unwrap();
        let done = report.outcomes[0].as_ref().unwrap();
        assert_eq!((done.files, done.bytes, done.skipped), (Some(6), bytes(), again));
        assert!(report.outcomes[1].is_err());
        assert!(document.to_text().contains(&format!(r#""file:size":{}"#, bytes())));
    }
    // What is there is left as it is, unless it is to be overwritten.
    let key = Path::from("to/x.SAFE/a/0.1");
    for (overwrite, expected) in [(false, "SECOND"), (true, "second")] {
        store.put(&key, "SECOND".into()).await.unwrap();
        let mut options = options.clone();
        options.run.overwrite = overwrite;
        transfer(&clients(), &mut document.clone(), &target, &options, nobody()).await.unwrap();
        assert_eq!(store.get(&key).await.unwrap().bytes().await.unwrap(), expected);
    }
    // The document that was uploaded is checked file by file.
    document = crate::document(&item("i", json!({"a": {"href": path, "file:size": bytes()}})));
    for (size, wrong) in [(bytes(), false), (7, true)] {
        let asset = json!({"a": {"href": path, "file:size": size}});
        document = crate::document(&item("i", asset));
        let found =
            info(&clients(), &document, &PlanOptions::default(), Depth::Content).await.unwrap();
        assert_eq!((found[0].exists, found[0].files), (Some(true), Some(6)));
        assert_eq!(found[0].error.is_some(), wrong);
    }
    let found =
        info(&clients(), &document, &PlanOptions::default(), Depth::Existence).await.unwrap();
    assert_eq!((found[0].exists, found[0].error.is_none()), (Some(true), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_nothing_can_name_are_told_and_all_else_is_copied() {
    let keys = ["x.SAFE//first", "x.SAFE/a", "x.SAFE/b/../c", "x.SAFE/d"];
    let (server, clients) = bucket(move |_| Ok(keys.to_vec())).await;
    for name in ["a", "d"] {
        server.add(&format!("/bucket/x.SAFE/{name}"), "data", "text/plain");
    }
    let asset = json!({"a": {"href": "s3://bucket/x.SAFE"}});
    let store = Store::new(Arc::new(MemoryStore::new()));
    let target = Place::Store(store.clone(), Path::from("to"));
    let report = run(&clients, asset.clone(), &target, &TransferOptions::publish(None)).await;
    let error = report.failures().next().unwrap().1.to_string();
    assert!(error.contains("x.SAFE//first") && error.contains("begins with a slash"), "{error}");
    assert!(error.contains("and so did 1 other files"), "{error}");
    for name in ["a", "d"] {
        let key = Path::from(format!("to/x.SAFE/{name}"));
        assert_eq!(store.get(&key).await.unwrap().bytes().await.unwrap(), "data");
    }
    // A directory that is not whole does not get its name.
    let to = tempfile::tempdir().unwrap();
    let options = TransferOptions::download(Kind::Item, None);
    let report = run(&clients, asset.clone(), &place(&to), &options).await;
    assert_eq!(report.failures().count(), 1);
    assert!(!to.path().join("x.SAFE").exists());
    let document = document(&item("i", asset));
    let found = info(&clients, &document, &PlanOptions::default(), Depth::Size).await.unwrap();
    assert_eq!((found[0].exists, found[0].files, found[0].size), (Some(true), Some(4), Some(16)));
}

/// An empty directory and an empty store.
fn places() -> (TempDir, [Place; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(Arc::new(MemoryStore::new()));
    let places = [place(&dir), Place::Store(store, Path::from("to"))];
    (dir, places)
}

/// A place as a store.
fn opened(place: &Place) -> Store {
    match place {
        Place::Local(path) => {
            let options = holdall_store::OpenOptions::default();
            let opened = holdall_store::Registry::global().open(path.to_str().unwrap(), &options);
            let (store, key) = opened.unwrap();
            store.with_prefix(&key)
        }
        Place::Store(store, key) => store.with_prefix(key),
    }
}

async fn put(place: &Place, key: &str, text: &'static str) {
    opened(place).put(&Path::from(key), text.into()).await.unwrap();
}

async fn keys(place: &Place) -> Vec<String> {
    let listed: Vec<_> = opened(place).objects(None).try_collect().await.unwrap();
    let mut keys: Vec<_> = listed.into_iter().map(|file| file.location.into()).collect();
    keys.sort();
    keys
}

/// The keys of the store below `name`, and others.
fn with(name: &str, others: &[&str]) -> Vec<String> {
    let mut keys: Vec<_> = ZARR.iter().map(|(key, _)| format!("{name}/{key}")).collect();
    keys.extend(others.iter().map(|key| (*key).to_owned()));
    keys.sort();
    keys
}

fn overwriting(mut options: TransferOptions) -> TransferOptions {
    options.run.overwrite = true;
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_source_lost_is_told_until_the_directory_is_replaced() {
    let from = tempfile::tempdir().unwrap();
    let path = zarr(&from, "x.zarr");
    let (_dir, places) = places();
    for to in &places {
        let asset = |size: Option<u64>| json!({"a": {"href": path, "file:size": size}});
        let go = async |size, options: TransferOptions| {
            run(&clients(), asset(size), to, &options).await.outcomes[0].clone()
        };
        let beside = ["x.zarr2/a", "y"];
        for key in beside {
            put(to, key, "beside").await;
        }
        go(None, TransferOptions::publish(None)).await.unwrap();
        for key in ["x.zarr/a/2.0", "x.zarr/a/2.1"] {
            put(to, key, "stale").await;
        }
        let there = with("x.zarr", &["x.zarr/a/2.0", "x.zarr/a/2.1", "x.zarr2/a", "y"]);
        // An upload writes the length down, and of a download the document may have it.
        let download = TransferOptions::download(Kind::Item, None);
        for (size, options) in
            [(None, TransferOptions::publish(None)), (Some(bytes()), download.clone())]
        {
            let error = go(size, options).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
            let error = error.to_string();
            for said in ["2 files", "a/2.0", "10 bytes longer", "--overwrite"] {
                assert!(error.contains(said), "{error}");
            }
            assert_eq!(keys(to).await, there);
        }
        let mut trusting = download.clone();
        trusting.run.verify = false;
        for (size, options) in [(None, download.clone()), (Some(bytes()), trusting)] {
            let done = go(size, options).await.unwrap();
            assert_eq!((done.files, done.bytes, done.skipped), (Some(6), bytes(), true));
            let warning = done.warning.unwrap().to_string();
            assert!(warning.contains("2 files") && warning.contains("--overwrite"), "{warning}");
            assert_eq!(keys(to).await, there);
        }
        let done = go(None, overwriting(TransferOptions::publish(None))).await.unwrap();
        assert_eq!((done.files, done.bytes), (Some(6), bytes()));
        assert!(done.warning.is_none());
        assert_eq!(keys(to).await, with("x.zarr", &beside));
        let done = go(Some(bytes()), download).await.unwrap();
        assert!(done.skipped && done.warning.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_besides_is_no_reason_to_read_an_alternate() {
    let from = tempfile::tempdir().unwrap();
    let path = zarr(&from, "x.zarr");
    let other = zarr(&from, "other/x.zarr");
    std::fs::write(from.path().join("other/x.zarr/a/0.0"), "other").unwrap();
    let asset = json!({"a": {"href": path, "alternate": {"other": {"href": other}}}});
    let mut options = TransferOptions::publish(None);
    options.plan.fallback = true;
    let (_dir, places) = places();
    for to in &places {
        put(to, "x.zarr/stale", "stale").await;
        let report = run(&clients(), asset.clone(), to, &options).await;
        let error = report.outcomes[0].as_ref().unwrap_err().to_string();
        assert!(error.contains("one file is there"), "{error}");
        let chunk = opened(to).get(&Path::from("x.zarr/a/0.0")).await.unwrap();
        assert_eq!(chunk.bytes().await.unwrap(), "first");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_in_the_directory_of_another_one_stay() {
    let from = tempfile::tempdir().unwrap();
    let path = zarr(&from, "x.zarr");
    let view = from.path().join("view.png");
    std::fs::write(&view, "view").unwrap();
    let assets = json!({
        "view": {"href": view, "file:local_path": "x.zarr/views/view.png"},
        "zarr": {"href": path},
    });
    let to = Place::Store(Store::new(Arc::new(MemoryStore::new())), Path::from("to"));
    let mut options = TransferOptions::publish(None);
    options.plan.naming = Naming::LocalPath;
    run(&clients(), assets.clone(), &to, &options).await;
    put(&to, "x.zarr/views/old.png", "old").await;
    let report = run(&clients(), assets.clone(), &to, &options).await;
    let error = report.outcomes[1].as_ref().unwrap_err().to_string();
    assert!(error.contains("one file is there") && error.contains("views/old.png"), "{error}");
    let report = run(&clients(), assets, &to, &overwriting(options)).await;
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    assert_eq!(keys(&to).await, with("x.zarr", &["x.zarr/views/view.png"]));
}

/// A bucket `bucket` of a server, which answers the number of a listing with these keys or a status.
async fn bucket(
    listings: impl Fn(usize) -> Result<Vec<&'static str>, u16> + Send + Sync + 'static,
) -> (Server, Clients) {
    let server = Server::start().await;
    let count = std::sync::atomic::AtomicUsize::new(0);
    server.on("/bucket", move |_| {
        let keys = match listings(count.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            Ok(keys) => keys,
            Err(status) => return Reply::status(status),
        };
        let keys = keys.iter().map(|key| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
                 <Size>4</Size></Contents>"
            )
        });
        let body = format!("<ListBucketResult>{}</ListBucketResult>", keys.collect::<String>());
        Reply { status: 200, body: body.into(), ..Reply::default() }
    });
    let clients = Clients::new(ClientConfig {
        s3_endpoint_url: Some(server.url.clone()),
        s3_region: Some("us-east-1".to_owned()),
        store_settings: vec![("skip_signature".to_owned(), "true".to_owned())],
        ..ClientConfig::default()
    });
    (server, clients.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_unless_all_of_the_source_is_there() {
    type Listing = fn(usize) -> Result<Vec<&'static str>, u16>;
    let both = || Ok(vec!["x.SAFE/a", "x.SAFE/b"]);
    let cases: [(&str, Listing, Value); 5] = [
        ("no files in it", |n| Ok(if n == 0 { vec!["x.SAFE/a"] } else { vec![] }), json!(null)),
        ("403", |n| if n == 0 { Ok(vec!["x.SAFE/a"]) } else { Err(403) }, json!(null)),
        ("404", |_| Ok(vec!["x.SAFE/a", "x.SAFE/gone"]), json!(null)),
        ("empty segment", |_| Ok(vec!["x.SAFE/a", "x.SAFE/b//c"]), json!(null)),
        ("file:size says 8", |_| Ok(vec!["x.SAFE/a"]), json!(8)),
    ];
    for (why, listings, size) in cases {
        let (server, clients) = bucket(listings).await;
        server.add("/bucket/x.SAFE/a", "data", "text/plain");
        let asset = json!({"a": {"href": "s3://bucket/x.SAFE", "file:size": size}});
        let to = Place::Store(Store::new(Arc::new(MemoryStore::new())), Path::from("to"));
        put(&to, "x.SAFE/old", "old").await;
        let options = overwriting(TransferOptions::publish(None));
        let report = run(&clients, asset, &to, &options).await;
        let error = report.outcomes[0].as_ref().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(keys(&to).await.contains(&"x.SAFE/old".to_owned()), "{why}");
    }
    let (server, clients) = bucket(move |_| both()).await;
    for name in ["a", "b"] {
        server.add(&format!("/bucket/x.SAFE/{name}"), "data", "text/plain");
    }
    let to = Place::Store(Store::new(Arc::new(MemoryStore::new())), Path::from("to"));
    put(&to, "x.SAFE/old", "old").await;
    let asset = json!({"a": {"href": "s3://bucket/x.SAFE"}});
    let options = overwriting(TransferOptions::publish(None));
    assert!(run(&clients, asset, &to, &options).await.outcomes[0].is_ok());
    assert_eq!(keys(&to).await, ["x.SAFE/a", "x.SAFE/b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_deleted_is_a_failure_of_its_asset() {
    let server = Server::start().await;
    server.on("/bucket", |request| {
        if request.method == "POST" {
            return Reply::status(403);
        }
        let body = "<ListBucketResult><Contents><Key>to/x.zarr/old</Key><LastModified>2026-01-02T03:04:05.000Z\
                    </LastModified><Size>4</Size></Contents></ListBucketResult>";
        Reply { status: 200, body: body.into(), ..Reply::default() }
    });
    for key in ZARR.map(|(key, _)| key).into_iter().chain(["old"]) {
        let path = format!("/bucket/to/x.zarr/{key}");
        server.on(&path, |request| match request.method.as_str() {
            "PUT" => Reply {
                status: 200,
                headers: vec![("ETag".to_owned(), "\"tag\"".to_owned())],
                ..Reply::default()
            },
            _ => Reply::status(403),
        });
    }
    let from = tempfile::tempdir().unwrap();
    let path = zarr(&from, "x.zarr");
    let settings = [
        ("endpoint", server.url.as_str()),
        ("region", "us-east-1"),
        ("allow_http", "true"),
        ("skip_signature", "true"),
    ];
    let mut open = holdall_store::OpenOptions::default();
    open.config.extend(settings.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let to = Place::open("s3://bucket/to", &open).unwrap();
    let options = overwriting(TransferOptions::publish(None));
    let report = run(&clients(), json!({"a": {"href": path}}), &to, &options).await;
    let error = report.outcomes[0].as_ref().unwrap_err().to_string();
    assert!(error.starts_with("delete s3://bucket/to/x.zarr/old"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_does_not_replace_the_one_that_it_lies_in() {
    let (dir, [to, _]) = places();
    zarr(&dir, "x.zarr/x.zarr");
    let options = overwriting(TransferOptions::publish(None));
    let inner = dir.path().join("x.zarr/x.zarr");
    let report = run(&clients(), json!({"a": {"href": inner}}), &to, &options).await;
    let error = report.outcomes[0].as_ref().unwrap_err();
    assert!(error.to_string().contains("lies in the one"), "{error}");
    assert_eq!(keys(&to).await, with("x.zarr/x.zarr", &[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_a_server_does_not_have_any_more_go_too() {
    let (_server, url) = web(true).await;
    let (_dir, places) = places();
    for to in &places {
        let go = async |options: TransferOptions| {
            run(&clients(), json!({"a": {"href": url}}), to, &options).await.outcomes[0].clone()
        };
        go(TransferOptions::publish(None)).await.unwrap();
        // One that the metadata name, and the server does not have; and one that they do not name.
        put(to, "x.zarr/a/1.0", "stale").await;
        put(to, "x.zarr/a/9.9", "stale").await;
        let error = go(TransferOptions::publish(None)).await.unwrap_err().to_string();
        assert!(error.contains("one file is there") && error.contains("a/9.9"), "{error}");
        let done = go(overwriting(TransferOptions::publish(None))).await.unwrap();
        assert_eq!((done.files, done.bytes), (Some(6), bytes()));
        assert_eq!(keys(to).await, with("x.zarr", &[]));
    }
}

/// A server that has the store, with its metadata in one file or with pages of its directories.
async fn web(consolidated: bool) -> (Server, String) {
    let server = Server::start().await;
    for (key, text) in ZARR.iter().filter(|(key, _)| consolidated || *key != ".zmetadata") {
        server.add(&format!("/d/x.zarr/{key}"), *text, "application/octet-stream");
    }
    if !consolidated {
        let page = |links: &[&str]| {
            let links = links.iter().map(|link| format!("<a href=\"{link}\">{link}</a>\n"));
            Reply {
                status: 200,
                headers: vec![("Content-Type".to_owned(), "text/html".to_owned())],
                body: links.collect::<String>().into_bytes(),
                ..Reply::default()
            }
        };
        server.on("/d/x.zarr/", move |_| page(&["../", ".zgroup", "a/"]));
        server.on("/d/x.zarr/a/", move |_| page(&["../", ".zarray", "0.0", "0.1", "1.1"]));
    }
    let url = format!("{}/d/x.zarr", server.url);
    (server, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn web_servers_are_listed_or_the_metadata_name_the_files() {
    for consolidated in [true, false] {
        let (server, url) = web(consolidated).await;
        for asset in [
            json!({"href": url}),
            json!({"href": format!("{url}/")}),
            json!({"href": url, "type": "application/vnd+zarr"}),
            json!({"href": url, "xarray:open_kwargs": {"engine": "zarr"}}),
        ] {
            let to = tempfile::tempdir().unwrap();
            let report = download(asset.clone(), &to).await;
            assert_eq!(report.failures().count(), 0, "{asset}: {:?}", report.outcomes);
            let files = ZARR.len() as u64 - u64::from(!consolidated);
            assert_eq!(report.outcomes[0].as_ref().unwrap().files, Some(files));
            let chunk = std::fs::read_to_string(to.path().join("x.zarr/a/1.1"));
            assert_eq!(chunk.unwrap(), "last");
            assert!(to.path().join("x.zarr/a/.zarray").exists());
            let again = download(asset, &to).await;
            assert!(again.outcomes[0].as_ref().unwrap().skipped);
        }
        // A chunk that does not exist was asked for where nobody says so.
        assert_eq!(server.seen("/d/x.zarr/a/1.0").is_empty(), !consolidated);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_a_file_stays_one() {
    let server = Server::start().await;
    let page = server.add("/view/", "<a href=\"x\">x</a>", "text/html");
    let archive = server.add("/x.zarr.zip", "zip", "application/zip");
    let single = server.add("/x.zarr", "a file", "application/octet-stream");
    let gone = format!("{}/gone.tif", server.url);
    let to = tempfile::tempdir().unwrap();
    let assets = json!({
        "page": {"href": page, "type": "text/html"},
        "archive": {"href": archive, "type": "application/vnd+zarr"},
        "single": {"href": single},
        "gone": {"href": gone},
    });
    let options = TransferOptions::download(Kind::Item, None);
    let report = run(&clients(), assets, &place(&to), &options).await;
    assert_eq!(report.failures().count(), 1, "{:?}", report.outcomes);
    assert_eq!(names(&to), ["view", "x.zarr", "x.zarr.zip"]);
    // A file that is not there is asked for once, and nobody looks for a directory.
    assert_eq!(server.seen("/gone.tif").len(), 1);
    assert!(server.seen("/gone.tif/").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zarr_store_whose_files_nobody_names_says_what_to_do() {
    let server = Server::start().await;
    server.add("/x.zarr/.zgroup", "{}", "application/json");
    let to = tempfile::tempdir().unwrap();
    let report = download(json!({"href": format!("{}/x.zarr", server.url)}), &to).await;
    let error = report.outcomes[0].as_ref().unwrap_err().to_string();
    assert!(error.contains("consolidate") && error.contains("--alternate-assets"), "{error}");
    assert!(names(&to).is_empty());
}
