//! Assets that are directories.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use holdall_stac::{
    ClientConfig, Clients, Depth, ErrorKind, Kind, Place, PlanOptions, Report, TransferOptions,
    info, transfer,
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
    let server = Server::start().await;
    server.on("/bucket", |_| {
        let keys = ["x.SAFE//first", "x.SAFE/a", "x.SAFE/b/../c", "x.SAFE/d"];
        let keys = keys.map(|key| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
                 <Size>4</Size></Contents>"
            )
        });
        let body = format!("<ListBucketResult>{}</ListBucketResult>", keys.concat());
        Reply { status: 200, body: body.into(), ..Reply::default() }
    });
    for name in ["a", "d"] {
        server.add(&format!("/bucket/x.SAFE/{name}"), "data", "text/plain");
    }
    let clients = Clients::new(ClientConfig {
        s3_endpoint_url: Some(server.url.clone()),
        s3_region: Some("us-east-1".to_owned()),
        store_settings: vec![("skip_signature".to_owned(), "true".to_owned())],
        ..ClientConfig::default()
    });
    let clients = clients.unwrap();
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
