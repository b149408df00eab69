//! Searches, catalogs, tables.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use holdall_stac::{
    Crawl, Depth, Document, Kind, Pages, Plan, PlanOptions, Request, TransferOptions, Written, id,
    info, transfer,
};
use serde_json::{Value, json};

use crate::server::{Reply, Server};
use crate::{clients, item, nobody, place};

fn page(items: &[&str], links: Value) -> Value {
    let items: Vec<Value> = items.iter().map(|id| item(id, json!({}))).collect();
    json!({"type": "FeatureCollection", "features": items, "links": links})
}

fn ids(document: &Document) -> Vec<String> {
    document.objects().iter().filter_map(id).collect()
}

#[tokio::test]
async fn a_search_goes_on_where_it_stopped() {
    let server = Server::start().await;
    let next = format!("{}/v1/search", server.url);
    server.on("/v1/search", move |request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(body["collections"], json!(["c"]), "fields go along from page to page");
        let link = |token: u64| {
            json!([{"rel": "next", "href": next, "method": "POST", "merge": true, "body": {"token": token}}])
        };
        Reply::json(&match body["token"].as_u64() {
            None => page(&["a", "b"], link(1)),
            Some(1) => page(&["c"], link(2)),
            _ => page(&["d"], json!([])),
        })
    });
    let fields = json!({"collections": ["c"]}).as_object().unwrap().clone();
    let mut pages = Pages::new(clients(), Request::search(&format!("{}/v1", server.url), fields));
    assert_eq!(ids(&pages.next().await.unwrap().unwrap()), ["a", "b"]);
    let position = pages.position().unwrap().clone();
    drop(pages);
    let mut pages = Pages::new(clients(), position);
    assert_eq!(ids(&pages.next().await.unwrap().unwrap()), ["c"]);
    assert_eq!(ids(&pages.next().await.unwrap().unwrap()), ["d"]);
    assert!(pages.next().await.unwrap().is_none() && pages.position().is_none());
}

#[tokio::test]
async fn headers_of_a_link_go_with_the_next_request() {
    let server = Server::start().await;
    let link = |n: u64, method: &str| {
        let headers =
            json!({"X-Cursor": format!("c{n}"), "X-Both": ["a", "b"], "Host": "elsewhere"});
        json!([{
            "rel": "next", "href": format!("{}/search", server.url), "method": method, "headers": headers,
        }])
    };
    let (by_post, by_get) = (link(1, "POST"), link(2, "GET"));
    server.on("/search", move |request| {
        let cursor = request.header("x-cursor");
        assert!(cursor.is_none() || request.header("x-both") == Some("a, b"));
        match (request.method.as_str(), cursor) {
            ("POST", None) => Reply::json(&page(&["a"], by_post.clone())),
            ("POST", Some("c1")) => Reply::json(&page(&["b"], by_get.clone())),
            ("GET", Some("c2")) => Reply::json(&page(&["c"], json!([]))),
            _ => Reply::status(400),
        }
    });
    let mut pages = Pages::new(clients(), Request::search(&server.url, Default::default()));
    assert_eq!(ids(&pages.next().await.unwrap().unwrap()), ["a"]);
    // They are kept with the rest of the request.
    let kept = serde_json::to_string(pages.position().unwrap()).unwrap();
    let mut pages = Pages::new(clients(), serde_json::from_str(&kept).unwrap());
    assert_eq!(ids(&pages.next().await.unwrap().unwrap()), ["b"]);
    assert_eq!(ids(&pages.next().await.unwrap().unwrap()), ["c"]);
    assert!(pages.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_page_without_items_need_not_be_the_last() {
    let server = Server::start().await;
    let link = |n: usize| json!([{"rel": "next", "href": format!("{}/{n}", server.url)}]);
    for (n, items, next) in [(0, &["a"][..], 1), (1, &[], 2), (2, &["b"], 3), (3, &[], 3)] {
        let page = page(items, link(next));
        server.on(&format!("/{n}"), move |_| Reply::json(&page));
    }
    let mut pages = Pages::new(clients(), Request::get(format!("{}/0", server.url)));
    let mut found = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        found.extend(ids(&page));
    }
    assert_eq!(found, ["a", "b"]);
    // A server that has nothing but empty pages is not asked for ever.
    for n in 0..200 {
        let page = page(&[], link(n + 1));
        server.on(&format!("/{n}"), move |_| Reply::json(&page));
    }
    let mut pages = Pages::new(clients(), Request::get(format!("{}/0", server.url)));
    let error = loop {
        match pages.next().await {
            Ok(page) => assert!(page.is_some()),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("100 empty pages"), "{error}");
    assert!(pages.position().unwrap().href.ends_with("/100"));
}

#[tokio::test]
async fn a_server_without_post_is_asked_by_get() {
    let server = Server::start().await;
    server.on("/search", |request| match request.method.as_str() {
        "GET" => Reply::json(&page(&[request.target.split_once('?').unwrap().1], json!([]))),
        _ => Reply::status(405),
    });
    let fields = json!({"collections": ["a", "b"], "bbox": [1, 2.5, 3, 4], "intersects": {"x": 1}});
    let request = Request::search(&server.url, fields.as_object().unwrap().clone());
    let mut pages = Pages::new(clients(), request);
    let found = ids(&pages.next().await.unwrap().unwrap());
    let expected = "collections=a%2Cb&bbox=1%2C2.5%2C3%2C4&intersects=%7B%22x%22%3A1%7D";
    assert_eq!(found, [expected]);
    server.on("/search", |_| Reply::status(404));
    let mut pages = Pages::new(clients(), Request::search(&server.url, Default::default()));
    assert_eq!(pages.next().await.unwrap_err().status(), Some(404));
}

#[tokio::test]
async fn a_catalog_is_read_level_by_level_and_each_document_once() {
    let server = Server::start().await;
    let link = |rel: &str, href: &str| json!({"rel": rel, "href": href});
    let catalog = |id: &str, links: Value| json!({"type": "Catalog", "stac_version": "1.1.0", "id": id, "description": "", "links": links});
    let add = |path: &str, json: &Value| server.add(path, json.to_string(), "application/json");
    let root = json!([
        link("child", "./one/catalog.json"),
        link("item", "./top.json"),
        link("child", "./two/catalog.json"),
        link("root", "./catalog.json"),
    ]);
    let start = add("/catalog.json", &catalog("root", root));
    let one: Vec<Value> = (0..20).map(|n| link("item", &format!("./{n}.json"))).collect();
    add("/one/catalog.json", &catalog("one", one.into()));
    // It leads back to where it came from, which ends nowhere.
    let two = json!([
        link("child", "../catalog.json"),
        link("child", "../one/catalog.json"),
        link("items", "./items")
    ]);
    add("/two/catalog.json", &catalog("two", two));
    add("/two/items", &page(&["x"], json!([link("next", "./more")])));
    add("/two/more", &page(&["y"], json!([])));
    add("/top.json", &item("top", json!({"a": {"href": "a.tif"}})));
    for n in 0..20 {
        add(&format!("/one/{n}.json"), &item(&n.to_string(), json!({})));
    }
    let clients = clients();
    let start = clients.read_document(&start).await.unwrap();
    let mut crawl = Crawl::new(clients, start);
    let mut found = Vec::new();
    while let Some(item) = crawl.next().await.unwrap() {
        if ids(&item) == ["top"] {
            let own = item.detached().to_value();
            assert_eq!(own["links"][0]["href"], json!(format!("{}/top.json", server.url)));
        }
        found.extend(ids(&item));
    }
    let numbers = (0..20).map(|n| n.to_string());
    let expected: Vec<String> = ["top".to_owned()]
        .into_iter()
        .chain(numbers)
        .chain(["x".to_owned(), "y".to_owned()])
        .collect();
    assert_eq!(found, expected);
    assert_eq!(server.seen("/one/catalog.json").len(), 1);
}

#[tokio::test]
async fn what_is_not_touched_stays_as_it_was() {
    // Digits, escapes, order and layout that no program writes by itself.
    let text = "{ \"type\":\"Feature\",\n\t\"id\" : \"\\u0061\", \"geometry\":{\"type\":\"Point\",\"coordinates\":[1.10,2e0]},\n \
                \"properties\": {\"datetime\":null, \"x\": 12345678901234567890123, \"nodata\":\"nan\"},\n \
                \"links\": [ ], \"assets\": {} }\n";
    let mut document = Document::parse(text).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let options = TransferOptions::download(Kind::Item, None);
    transfer(&clients(), &mut document, &place(&dir), &options, nobody()).await.unwrap();
    assert_eq!(document.to_text(), text);
}

#[cfg(feature = "geoparquet")]
#[tokio::test]
async fn items_go_into_a_table_and_come_out_again() {
    let server = Server::start().await;
    let href = server.add("/a.bin", "data", "text/plain");
    let items: Vec<Value> =
        ["one", "two"].iter().map(|id| item(id, json!({"a": {"href": href}}))).collect();
    let mut items = crate::document(&json!({"type": "FeatureCollection", "features": items}));
    let dir = tempfile::tempdir().unwrap();
    let options = TransferOptions::download(Kind::ItemCollection, Some("items.parquet".to_owned()));
    let clients = clients();
    transfer(&clients, &mut items, &place(&dir), &options, nobody()).await.unwrap();
    let file = dir.path().join("items.parquet");
    let read = clients.read_document(file.to_str().unwrap()).await.unwrap();
    assert_eq!(ids(&read), ["one", "two"]);
    let first = read.objects()[0].to_value();
    let expected = dir.path().join("one/a.bin");
    assert_eq!(first["assets"]["a"]["href"], json!(expected.to_str().unwrap()));
    // And a table is as good a start as any.
    let again = tempfile::tempdir().unwrap();
    let mut read = read;
    let options = TransferOptions::download(Kind::ItemCollection, Some("items.ndjson".to_owned()));
    let report = transfer(&clients, &mut read, &place(&again), &options, nobody()).await.unwrap();
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    let lines = std::fs::read_to_string(again.path().join("items.ndjson")).unwrap();
    assert_eq!(lines.lines().count(), 2);
}

#[tokio::test]
async fn documents_may_come_compressed() {
    let server = Server::start().await;
    let text = item("i", json!({})).to_string();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let body = packed.clone();
    server.on("/i.json", move |_| Reply {
        status: 200,
        headers: vec![("Content-Encoding".to_owned(), "gzip".to_owned())],
        body: body.clone(),
        ..Reply::default()
    });
    let href = format!("{}/i.json", server.url);
    let document = clients().read_document(&href).await.unwrap();
    assert_eq!((document.to_text(), document.href()), (text, Some(href.as_str())));
    let torn = server.add("/torn.json.gz", &packed[..packed.len() - 9], "application/gzip");
    let error = clients().read_document(&torn).await.unwrap_err();
    assert!(error.to_string().contains("not a whole gzip file"), "{error}");
}

#[test]
fn an_asset_without_a_place_is_refused_and_not_taken_for_the_directory_of_the_document() {
    for asset in [json!({"href": ""}), json!({"href": null}), json!({})] {
        let assets = json!({"a": asset, "b": {"href": "b.tif"}});
        let document = crate::document(&item("i", assets)).read_from("/data/i.json");
        let directory = holdall_stac::Place::Local("/out".into());
        let plan = Plan::make(&document, &directory, &PlanOptions::default()).unwrap();
        let [a, b] = &plan.jobs[..] else { panic!("{plan:?}") };
        let error = a.refused.as_ref().unwrap();
        assert!(error.to_string().contains("asset 'a' of 'i' has no href"), "{error}");
        assert!(b.refused.is_none(), "the others can be had");
    }
}

#[tokio::test]
async fn links_may_be_paths_of_their_server() {
    let server = Server::start().await;
    let next = json!([{"rel": "next", "href": "/v1/more"}]);
    let start = server.add("/v1/first", page(&["a"], next).to_string(), "application/json");
    server.add("/v1/more", page(&["b"], json!([])).to_string(), "application/json");
    let mut pages = Pages::new(clients(), Request::get(start));
    assert_eq!(ids(&pages.next().await.unwrap().unwrap()), ["a"]);
    assert_eq!(ids(&pages.next().await.unwrap().unwrap()), ["b"]);
}

#[tokio::test]
async fn a_page_that_failed_can_be_asked_for_again() {
    let server = Server::start().await;
    let mut broken = true;
    let answer = std::sync::Mutex::new(move || std::mem::replace(&mut broken, false));
    server.on("/v1/search", move |_| match answer.lock().unwrap()() {
        true => Reply::status(400),
        false => Reply::json(&page(&["a"], json!([]))),
    });
    let mut pages =
        Pages::new(clients(), Request::search(&format!("{}/v1", server.url), Default::default()));
    let position = pages.position().cloned();
    assert_eq!(pages.next().await.unwrap_err().status(), Some(400));
    assert_eq!(pages.position(), position.as_ref());
    assert_eq!(ids(&pages.next().await.unwrap().unwrap()), ["a"]);
}

#[tokio::test]
async fn a_document_is_where_it_is_and_not_where_it_was_written() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(old.path().join("a.bin"), "data").unwrap();
    let mut written = item("i", json!({"a": {"href": "./a.bin"}}));
    let place = |dir: &tempfile::TempDir| dir.path().join("i.json").to_str().unwrap().to_owned();
    written["links"] = json!([{"rel": "self", "href": place(&old)}]);
    std::fs::write(place(&old), written.to_string()).unwrap();
    for name in ["a.bin", "i.json"] {
        std::fs::rename(old.path().join(name), new.path().join(name)).unwrap();
    }
    let clients = clients();
    let document = clients.read_document(&place(&new)).await.unwrap();
    let found = info(&clients, &document, &PlanOptions::default(), Depth::Content).await.unwrap();
    assert!(found[0].error.is_none(), "{found:?}");
    let out = tempfile::tempdir().unwrap();
    let mut document = document;
    let options = TransferOptions::download(Kind::Item, Some("i.json".to_owned()));
    transfer(&clients, &mut document, &crate::place(&out), &options, nobody()).await.unwrap();
    let links = document.json().to_value()["links"].clone();
    assert_eq!(links[0], json!({"rel": "derived_from", "href": place(&new)}));
}

#[tokio::test]
async fn a_checksum_that_nothing_can_be_compared_with_verifies_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.bin");
    std::fs::write(&file, "data").unwrap();
    let hex = "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7";
    let (whole, foreign) = (format!("1220{hex}"), format!("9999{hex}"));
    for (checksum, is_right) in [(whole.as_str(), true), (hex, false), (&foreign, false)] {
        let asset = json!({"href": file, "file:checksum": checksum});
        let document = crate::document(&item("i", json!({"a": asset})));
        let options = PlanOptions::default();
        let found = info(&clients(), &document, &options, Depth::Content).await.unwrap();
        assert_eq!(found[0].error.is_none(), is_right, "{checksum}: {:?}", found[0].error);
    }
    for (size, is_right, is_told) in [
        (json!(4), true, false),
        (json!(4.0), true, false),
        (json!(null), true, false),
        (json!(5.0), false, false),
        (json!("4"), false, true),
        (json!(-4), false, true),
        (json!(4.5), false, true),
    ] {
        let asset = json!({"href": file, "file:size": size});
        let mut document = crate::document(&item("i", json!({"a": asset})));
        let options = PlanOptions::default();
        let found = info(&clients(), &document, &options, Depth::Size).await.unwrap();
        assert_eq!(found[0].error.is_none(), is_right, "{size}: {:?}", found[0].error);
        let out = tempfile::tempdir().unwrap();
        let (clients, options) = (clients(), TransferOptions::default());
        let report = transfer(&clients, &mut document, &place(&out), &options, nobody()).await;
        let outcome = &report.unwrap().outcomes[0];
        assert_eq!(outcome.is_ok(), is_right || is_told, "{size}: {outcome:?}");
        let warning = outcome.as_ref().ok().and_then(|done| done.warning.as_ref());
        assert_eq!(warning.is_some(), is_told, "{size}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_catalog_has_items_and_children() {
    let dir = tempfile::tempdir().unwrap();
    let collection = json!({
        "type": "Collection", "stac_version": "1.1.0", "id": "c", "description": "", "license": "MIT", "links": [],
        "extent": {"spatial": {"bbox": [[0, 0, 1, 1]]}, "temporal": {"interval": [[null, null]]}}, "assets": {},
    });
    for (document, rel) in [(collection, "child"), (item("i", json!({})), "item")] {
        let mut document = crate::document(&document);
        let mut options = TransferOptions::publish(None);
        options.written = Written::Catalog("catalog.json".to_owned());
        transfer(&clients(), &mut document, &place(&dir), &options, nobody()).await.unwrap();
        let catalog = std::fs::read_to_string(dir.path().join("catalog.json")).unwrap();
        let catalog: Value = serde_json::from_str(&catalog).unwrap();
        assert_eq!(catalog["links"][1]["rel"], json!(rel));
    }
}
