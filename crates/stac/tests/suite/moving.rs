//! Downloads and copies.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use holdall_stac::multihash::{Algorithm, Hasher};
use holdall_stac::{
    Clients, Depth, ErrorKind, Kind, Place, PlanOptions, Report, TransferOptions, info, transfer,
};
use holdall_store::Store;
use holdall_store::memory::MemoryStore;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{Attribute, ObjectStoreExt};
use holdall_store::transfer::{Budget, Limits, open_neighbour};
use serde_json::json;

use crate::server::{Reply, Server};
use crate::{clients, document, item, names, nobody, place};

/// More than one part of the engine, and not a multiple.
const LARGE: usize = (20 << 20) + 7;

fn content(length: usize) -> Vec<u8> {
    let mut data = vec![0; length];
    fastrand::Rng::with_seed(length as u64).fill(&mut data);
    data
}

fn multihash(algorithm: Algorithm, data: &[u8]) -> String {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(data);
    hasher.finish().to_string()
}

async fn download(clients: &Clients, json: &serde_json::Value, to: &Place) -> (Report, String) {
    let mut document = document(json);
    let options = TransferOptions::download(Kind::Item, Some("item.json".to_owned()));
    let report = transfer(clients, &mut document, to, &options, nobody()).await.unwrap();
    (report, document.to_text())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_size_arrive_and_are_compared() {
    let server = Server::start().await;
    let (small, large) = (content(1000), content(LARGE));
    let assets = json!({
        "empty": {"href": server.add("/empty.bin", [], "image/tiff"), "file:size": 0},
        "small": {"href": server.add("/small.bin", small.clone(), "image/tiff"),
                  "file:checksum": multihash(Algorithm::Md5, &small)},
        "large": {"href": server.add("/large.bin", large.clone(), "image/tiff"), "file:size": LARGE,
                  "file:checksum": multihash(Algorithm::Sha256, &large), "type": "image/tiff"},
        "unannounced": {"href": server.add("/unannounced.bin", large.clone(), "image/tiff"),
                        "file:checksum": multihash(Algorithm::Blake3, &large)},
    });
    let dir = tempfile::tempdir().unwrap();
    let (report, _) = download(&clients(), &item("i", assets.clone()), &place(&dir)).await;
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    let expected = ["empty.bin", "item.json", "large.bin", "small.bin", "unannounced.bin"];
    assert_eq!(names(&dir), expected);
    assert!(std::fs::read(dir.path().join("large.bin")).unwrap() == large);
    assert!(std::fs::read(dir.path().join("unannounced.bin")).unwrap() == large);
    // What is there and right is not asked for again.
    let asked = server.seen("/large.bin").len();
    let (report, _) = download(&clients(), &item("i", assets), &place(&dir)).await;
    assert_eq!(report.bytes().0, 0);
    assert_eq!(server.seen("/large.bin").len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_keeps_to_the_budget_that_it_is_given() {
    let server = Server::start().await;
    let small = content(20_000);
    let href = |n| server.add(&format!("/{n}.bin"), small.clone(), "image/tiff");
    let assets: serde_json::Map<_, _> =
        (0..5).map(|n| (n.to_string(), json!({"href": href(n)}))).collect();
    let mut assets = serde_json::Value::Object(assets);
    let limits = Limits::default().with_memory_bytes(64 << 10);
    let mut options = TransferOptions::download(Kind::Item, None);
    options.run.budget = Some(Budget::new(limits.with_bytes_per_second(Some(500_000))));
    let (dir, begun) = (tempfile::tempdir().unwrap(), std::time::Instant::now());
    let run = async |assets: &serde_json::Value| {
        let mut document = document(&item("i", assets.clone()));
        transfer(&clients(), &mut document, &place(&dir), &options, nobody()).await.unwrap()
    };
    let report = run(&assets).await;
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    assert!(begun.elapsed() >= std::time::Duration::from_millis(200));
    // A part of a large file is larger than this memory, which has to be said.
    assets["large"] = json!({"href": server.add("/large.bin", content(LARGE), "image/tiff")});
    let report = run(&assets).await;
    let error = report.outcomes.iter().find_map(|outcome| outcome.as_ref().err()).unwrap();
    assert!(error.to_string().contains("raise the budget"), "{error}");
    assert_eq!(report.failures().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_before_there_is_memory_for_it() {
    let server = Server::start().await;
    let budget = Budget::new(Limits::default().with_memory_bytes(64 << 10));
    let held = budget.memory(64 << 10).await.unwrap();
    let small = server.add("/small.bin", content(20_000), "image/tiff");
    let waiting = tokio::spawn(async move {
        let dir = tempfile::tempdir().unwrap();
        let mut options = TransferOptions::download(Kind::Item, None);
        options.run.budget = Some(budget);
        let mut document = document(&item("i", json!({"a": {"href": small}})));
        transfer(&clients(), &mut document, &place(&dir), &options, nobody()).await.unwrap()
    });
    let (other, dir) =
        (server.add("/other.bin", "other", "image/tiff"), tempfile::tempdir().unwrap());
    download(&clients(), &item("i", json!({"a": {"href": other}})), &place(&dir)).await;
    assert_eq!(server.seen("/small.bin").len(), 0);
    drop(held);
    assert_eq!(waiting.await.unwrap().bytes().0, 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_take_the_place_of_what_is_wrong_or_to_be_replaced() {
    let server = Server::start().await;
    let href = server.add("/a.bin", "right", "text/plain");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.bin");
    let mut document = document(&item("i", json!({"a": {"href": href, "file:size": 5}})));
    for (left, overwrite) in [("not so right", false), ("wrong", true)] {
        std::fs::write(&path, left).unwrap();
        let mut options = TransferOptions::download(Kind::Item, None);
        options.run.overwrite = overwrite;
        let (clients, mut document, place) = (clients(), document.clone(), place(&dir));
        let report = transfer(&clients, &mut document, &place, &options, nobody()).await.unwrap();
        assert_eq!(report.bytes().0, 5);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "right");
        assert_eq!(names(&dir), ["a.bin"]);
    }
    // A link to elsewhere is replaced and not followed, even one that leads nowhere.
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    let options = TransferOptions::download(Kind::Item, None);
    transfer(&clients(), &mut document, &place(&dir), &options, nobody()).await.unwrap();
    assert!(std::fs::symlink_metadata(&path).unwrap().is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_gets_no_name_and_leaves_nothing() {
    let server = Server::start().await;
    let (small, large) = (content(1000), content(LARGE));
    let other = multihash(Algorithm::Sha256, b"something else");
    let large = server.add("/large.bin", large, "image/tiff");
    let small = server.add("/small.bin", small, "image/tiff");
    for asset in [
        json!({"href": small, "file:size": 999}),
        json!({"href": small, "file:checksum": other}),
        json!({"href": large, "file:size": LARGE - 1}),
        json!({"href": large, "file:checksum": other}),
        json!({"href": large, "file:checksum": other, "file:size": LARGE}),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (report, text) =
            download(&clients(), &item("i", json!({"a": asset})), &place(&dir)).await;
        let (_, error) = report.failures().next().unwrap();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        assert_eq!(names(&dir), ["item.json"], "{asset}");
        assert!(text.contains(r#""assets":{}"#), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_of_a_small_file_does_not_stay() {
    let server = Server::start().await;
    // Files that come in one piece have no name before they are whole, and leave nothing.
    let href = server.add("/small.bin", content(1 << 20), "text/plain");
    let dir = tempfile::tempdir().unwrap();
    let (mut file, path) = open_neighbour(&dir.path().join("small.bin")).unwrap();
    file.write_all(b"longer than the whole of it").unwrap();
    drop(file);
    assert!(path.exists());
    download(&clients(), &item("i", json!({"a": {"href": href}})), &place(&dir)).await;
    assert_eq!(names(&dir), ["item.json", "small.bin"]);
    assert!(std::fs::read(dir.path().join("small.bin")).unwrap() == content(1 << 20));
    // Nor does it when another process has made the file, and there is nothing to be moved; but for what somebody holds.
    let target = dir.path().join("small.bin");
    let held = open_neighbour(&target).unwrap();
    drop(open_neighbour(&target).unwrap());
    assert_eq!(names(&dir).len(), 4);
    download(&clients(), &item("i", json!({"a": {"href": href}})), &place(&dir)).await;
    assert_eq!(names(&dir).len(), 3);
    drop(held);
    download(&clients(), &item("i", json!({"a": {"href": href}})), &place(&dir)).await;
    assert_eq!(names(&dir), ["item.json", "small.bin"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_carry_types_sizes_and_checksums() {
    let server = Server::start().await;
    let (small, large) = (content(1000), content(LARGE));
    let mut document = document(&item(
        "i",
        json!({
            "small": {"href": server.add("/small.bin", small.clone(), "text/plain"), "type": "text/plain"},
            "large": {"href": server.add("/large.bin", large.clone(), "application/x-data")},
        }),
    ));
    let store = Store::new(Arc::new(MemoryStore::new()));
    let target = Place::Store(store.clone(), Path::from("to"));
    let mut options = TransferOptions::publish(Some("i.json".to_owned()));
    options.run.compute = Some(Algorithm::Sha256);
    let report = transfer(&clients(), &mut document, &target, &options, nobody()).await.unwrap();
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    for (name, data, media_type) in
        [("small.bin", &small, "text/plain"), ("large.bin", &large, "application/x-data")]
    {
        let found = store.get(&Path::from(format!("to/{name}"))).await.unwrap();
        let stored = found.attributes.get(&Attribute::ContentType).map(|value| value.to_string());
        assert_eq!(stored.as_deref(), Some(media_type));
        assert!(found.bytes().await.unwrap() == *data);
    }
    let text = document.to_text();
    assert!(text.contains(&format!(r#""file:size":{LARGE}"#)), "{text}");
    assert!(text.contains(&multihash(Algorithm::Sha256, &large)), "{text}");
    // The document says the truth about what was copied.
    let found = info(&clients(), &document, &PlanOptions::default(), Depth::Content).await.unwrap();
    assert_eq!(found.len(), 2);
}

/// Publishes an item with one asset, and says whether it was there already.
async fn publish(
    asset: &serde_json::Value,
    to: &Place,
    compute: Option<Algorithm>,
) -> (bool, String) {
    let mut document = document(&item("i", json!({"a": asset})));
    let mut options = TransferOptions::publish(None);
    options.run.compute = compute;
    let report = transfer(&clients(), &mut document, to, &options, nobody()).await.unwrap();
    (report.outcomes[0].as_ref().unwrap().skipped, document.to_text())
}

/// A store and a local directory.
fn places(dir: &tempfile::TempDir) -> [Place; 2] {
    let store = Store::new(Arc::new(MemoryStore::new()));
    [Place::Store(store, Path::from("to")), place(dir)]
}

async fn stored(at: &Place) -> Vec<u8> {
    match at {
        Place::Local(dir) => std::fs::read(dir.join("a.bin")).unwrap(),
        Place::Store(store, prefix) => {
            let found = store.get(&prefix.clone().join("a.bin")).await.unwrap();
            found.bytes().await.unwrap().to_vec()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_has_the_checksum_of_the_document_or_is_replaced() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    for target in places(&dir) {
        for algorithm in [Algorithm::Md5, Algorithm::Sha256, Algorithm::Blake3] {
            for (content, is_there) in [("AAA", false), ("BBB", false), ("BBB", true)] {
                let href = server.add("/a.bin", content, "text/plain");
                let checksum = multihash(algorithm, content.as_bytes());
                let asset = json!({"href": href, "file:size": 3, "file:checksum": checksum});
                let (skipped, _) = publish(&asset, &target, None).await;
                assert_eq!(skipped, is_there, "{content} {algorithm:?} {target:?}");
                assert_eq!(stored(&target).await, content.as_bytes());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_changed_are_published_again() {
    let server = Server::start().await;
    let (dir, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = from.path().join("a.bin");
    for target in places(&dir) {
        std::fs::write(&source, "AAA").unwrap();
        for asset in [json!({"href": source}), json!({"href": source, "file:size": 3})] {
            // It may have been published from elsewhere.
            std::fs::write(&source, "AAA").unwrap();
            publish(&asset, &target, None).await;
            assert!(publish(&asset, &target, None).await.0, "{asset} {target:?}");
            std::fs::write(&source, "BBB").unwrap();
            let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
            let file = std::fs::File::options().write(true).open(&source).unwrap();
            file.set_modified(later).unwrap();
            assert!(!publish(&asset, &target, None).await.0, "{asset} {target:?}");
            assert_eq!(stored(&target).await, b"BBB");
        }
        // Of what is not a local file, the length is known.
        let href = server.add("/a.bin", "longer", "text/plain");
        assert!(!publish(&json!({"href": href}), &target, None).await.0);
        assert!(publish(&json!({"href": href}), &target, None).await.0);
        assert_eq!(stored(&target).await, b"longer");
    }
    // Downloads go on where they stopped: what is there is complete.
    let href = server.add("/a.bin", "longest", "text/plain");
    let (report, _) =
        download(&clients(), &item("i", json!({"a": {"href": href}})), &place(&dir)).await;
    assert!(report.outcomes[0].as_ref().unwrap().skipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_has_its_checksum_written_down_too() {
    let server = Server::start().await;
    let href = server.add("/a.bin", "right", "text/plain");
    let (dir, sha256) = (tempfile::tempdir().unwrap(), multihash(Algorithm::Sha256, b"right"));
    for target in places(&dir) {
        for asset in [
            json!({"href": href}),
            json!({"href": href, "file:checksum": multihash(Algorithm::Md5, b"right")}),
            json!({"href": href, "file:checksum": &sha256[..20].replacen("1220", "1208", 1)}),
        ] {
            publish(&asset, &target, None).await;
            let (skipped, text) = publish(&asset, &target, Some(Algorithm::Sha256)).await;
            assert!(skipped && text.contains(&sha256), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_its_time_is_asked_for_more_at_once() {
    const FILES: usize = 100;
    let server = Server::start().await;
    server.answer_together(FILES);
    let file = |n: usize| {
        let href = server.add(&format!("/{n}.bin"), n.to_string(), "image/tiff");
        (n.to_string(), json!({"href": href}))
    };
    let assets: serde_json::Map<_, _> = (0..FILES).map(file).collect();
    let dir = tempfile::tempdir().unwrap();
    let (report, _) = download(&clients(), &item("i", assets.into()), &place(&dir)).await;
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    assert_eq!(report.outcomes.len(), FILES);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_whose_head_is_broken_is_asked_for_again() {
    let server = Server::start().await;
    let asked = AtomicUsize::new(0);
    server.on("/a.bin", move |_| {
        let broken = asked.fetch_add(1, Relaxed) < 2;
        let name = if broken { "no header" } else { "X-Header" };
        let headers = vec![(name.to_owned(), "x".to_owned())];
        Reply { status: 200, headers, body: b"a".to_vec(), ..Reply::default() }
    });
    let assets = json!({"a": {"href": format!("{}/a.bin", server.url)}});
    let dir = tempfile::tempdir().unwrap();
    let (report, _) = download(&clients(), &item("i", assets), &place(&dir)).await;
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    assert_eq!(server.seen("/a.bin").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_does_not_have_yet_is_no_file() {
    let server = Server::start().await;
    server.on("/a.bin", |_| Reply {
        status: 202,
        body: b"in an hour".to_vec(),
        ..Reply::default()
    });
    let assets = json!({"a": {"href": format!("{}/a.bin", server.url)}});
    let dir = tempfile::tempdir().unwrap();
    let (report, _) = download(&clients(), &item("i", assets), &place(&dir)).await;
    let (_, error) = report.failures().next().unwrap();
    assert!(error.to_string().contains("ask again later"), "{error}");
    assert!(!dir.path().join("a.bin").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_place_is_tried_when_one_fails() {
    let server = Server::start().await;
    let good = server.add("/good.bin", "right", "text/plain");
    let bad = server.add("/bad.bin", "wrong", "text/plain");
    let asset = json!({
        "href": format!("{}/gone.bin", server.url), "file:checksum": multihash(Algorithm::Sha256, b"right"),
        "alternate": {"one": {"href": bad}, "two": {"href": good}},
    });
    let mut document = document(&item("i", json!({"a": asset})));
    let dir = tempfile::tempdir().unwrap();
    let mut options = TransferOptions::download(Kind::Item, None);
    options.plan.fallback = true;
    let report =
        transfer(&clients(), &mut document, &place(&dir), &options, nobody()).await.unwrap();
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    assert_eq!(std::fs::read(dir.path().join("gone.bin")).unwrap(), b"right");
}

#[tokio::test]
async fn a_plan_that_cannot_be_carried_out_moves_nothing() {
    let server = Server::start().await;
    let (one, two) = (server.add("/1/a.bin", "1", ""), server.add("/2/a.bin", "2", ""));
    let dir = tempfile::tempdir().unwrap();
    let options = TransferOptions::download(Kind::Item, None);
    for (assets, kind) in [
        (json!({"x": {"href": one}, "y": {"href": two}}), ErrorKind::AssetOverwrite),
        (json!({"x": {"href": one}, "y": {"href": "b.tif"}}), ErrorKind::Href),
    ] {
        let mut document = document(&item("i", assets));
        let error = transfer(&clients(), &mut document, &place(&dir), &options, nobody()).await;
        assert_eq!(error.unwrap_err().kind(), kind);
    }
    let options = TransferOptions::download(Kind::Collection, Some("c.parquet".to_owned()));
    let mut collection = document(
        &json!({"type": "Collection", "id": "c", "links": [], "assets": {"x": {"href": one}}}),
    );
    let error = transfer(&clients(), &mut collection, &place(&dir), &options, nobody()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);
    assert!(names(&dir).is_empty() && server.seen("/1/a.bin").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_does_not_go_on_with_another_version() {
    let server = Server::start().await;
    let (old, new) = (vec![b'1'; 300_000], vec![b'2'; 300_000]);
    let asked = AtomicUsize::new(0);
    let now = new.clone();
    // It knows ranges, and nothing of the version on which they depend.
    server.on("/a.bin", move |request| {
        let first = asked.fetch_add(1, Relaxed) == 0;
        let (tag, data) = if first { ("\"v1\"", &old) } else { ("\"v2\"", &now) };
        let mut headers = vec![("ETag".to_owned(), tag.to_owned())];
        let start = request.header("range").and_then(|range| {
            range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok()
        });
        let Some(start) = start else {
            return Reply { status: 200, headers, body: data.clone(), breaks: first };
        };
        let range = format!("bytes {start}-{}/{}", data.len() - 1, data.len());
        headers.push(("Content-Range".to_owned(), range));
        Reply { status: 206, headers, body: data[start..].to_vec(), breaks: false }
    });
    let href = format!("{}/a.bin", server.url);
    let dir = tempfile::tempdir().unwrap();
    let json = item("i", json!({"a": {"href": href.clone()}}));
    let (report, _) = download(&clients(), &json, &place(&dir)).await;
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    assert!(std::fs::read(dir.path().join("a.bin")).unwrap() == new);
    assert!(server.seen("/a.bin")[1].header("range").is_some(), "the rest was asked for");
}
