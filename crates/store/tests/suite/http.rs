//! Servers that speak HTTP in their own way.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use futures::{StreamExt, TryStreamExt, stream};
use holdall_store::checksum::{Algorithm, Checksum};
use holdall_store::client::{ClientOptions, RedirectedTo, shared_client};
use holdall_store::object_store::client::{HttpRequest, HttpRequestBody};
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    Attribute, Attributes, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions,
};
use holdall_store::transfer::Job;
use holdall_store::{ErrorKind, OpenOptions, Registry, Store};

use super::loopback::{Loopback, reply};
use super::services;
use super::transfer::{data, engine, memory};

fn open_with(url: &str, options: OpenOptions) -> Store {
    let mut options = options;
    options.use_env = false;
    options.retry.max_retries = 0;
    let (store, path) = Registry::default().open(url, &options).unwrap();
    store.with_prefix(&path)
}

pub(super) fn open(url: &str) -> Store {
    open_with(url, OpenOptions::default())
}

async fn read(store: &Store, key: &str) -> Vec<u8> {
    store.get(&Path::parse(key).unwrap()).await.unwrap().bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn the_query_and_the_user_go_with_every_request_and_are_never_shown() {
    let server = Loopback::start(|_| reply("404 Not Found", &[], "")).await;
    let url = server.url.replace("http://", "http://me:s%3Acret@");
    let store = open(&format!("{url}/dir?token=hush&v=1"));
    let key = Path::from("a b");
    let mut shown = format!("{store:?} {store} {}", store.url_of(&key));
    for result in [
        store.get(&key).await.map(drop),
        store.head(&key).await.map(drop),
        store.put(&key, "x".into()).await.map(drop),
        store.delete(&key).await,
        store.copy(&key, &"c".into()).await,
    ] {
        let error = result.err().map(|e| store.error("test", &key, e));
        shown.push_str(&format!("{error:?}"));
    }
    for request in server.seen() {
        assert!(request.target.ends_with("?token=hush&v=1"), "{request:?}");
        assert_eq!(request.header("authorization"), Some("Basic bWU6czpjcmV0"), "{request:?}");
    }
    assert!(server.seen().len() >= 5);
    assert!(!shown.contains("hush") && !shown.contains("cret"), "{shown}");
}

/// `body` in chunks, so without a length.
fn chunked(body: &[u8]) -> Vec<u8> {
    let mut text = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(1 << 20) {
        text.extend(format!("{:x}\r\n", chunk.len()).bytes());
        text.extend(chunk);
        text.extend(b"\r\n");
    }
    text.extend(b"0\r\n\r\n");
    text
}

#[tokio::test]
async fn bodies_without_a_length_are_read_to_their_end() {
    let large: Vec<u8> = (0..20 << 20).map(|index: u32| (index / 77) as u8).collect();
    let sent = large.clone();
    let server = Loopback::start(move |request| match request.target.as_str() {
        "/empty" => chunked(b""),
        "/small" => chunked(b"hello"),
        _ => chunked(&sent),
    })
    .await;
    let store = open(&server.url);
    assert_eq!(read(&store, "small").await, b"hello");
    assert!(read(&store, "empty").await.is_empty());
    let result = store.get(&"large".into()).await.unwrap();
    assert_eq!(result.meta.size, large.len() as u64);
    assert!(result.bytes().await.unwrap() == large);
}

#[tokio::test]
async fn a_head_without_a_length_is_asked_for_with_the_first_byte() {
    let server = Loopback::start(|request| {
        let range = request.header("range").is_some();
        match (request.method.as_str(), request.target.as_str(), range) {
            ("HEAD", "/refused", _) => reply("405 Method Not Allowed", &[], ""),
            ("HEAD", _, _) => b"HTTP/1.1 200 OK\r\netag: \"h\"\r\n\r\n".to_vec(),
            (_, "/empty", true) => reply("416 Range Not Satisfiable", &[], ""),
            (_, "/ignores", true) => chunked(b"four"),
            (_, _, true) => {
                reply("206 Partial Content", &[("content-range", "bytes 0-0/1234")], "x")
            }
            _ => reply("500 Oops", &[], ""),
        }
    })
    .await;
    let store = open(&server.url);
    for (key, size) in [("ranges", 1234), ("refused", 1234), ("empty", 0), ("ignores", 4)] {
        assert_eq!(store.head(&key.into()).await.unwrap().size, size, "{key}");
    }
}

/// A server of one object: what it answers is up to its number and the range that was asked for.
pub(super) async fn serving(
    content: &[u8],
    answer: impl Fn(usize, Option<(usize, usize)>, &[u8]) -> Vec<u8> + Send + Sync + 'static,
) -> (Loopback, Store) {
    let (content, asked) = (content.to_vec(), AtomicUsize::new(0));
    let server = Loopback::start(move |request| {
        let range = request.header("range").map(|range| {
            let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            let last = last.parse::<usize>().unwrap().min(content.len().saturating_sub(1));
            (first.parse().unwrap(), last)
        });
        answer(asked.fetch_add(1, Ordering::Relaxed), range, &content)
    })
    .await;
    let store = open(&server.url);
    (server, store)
}

/// The whole object, whatever was asked for.
pub(super) fn whole(content: &[u8]) -> Vec<u8> {
    reply("200 OK", &[("etag", "\"e\"")], content)
}

/// The whole object as it is announced, and not to its end.
fn cut(content: &[u8]) -> Vec<u8> {
    let mut reply = reply("200 OK", &[("etag", "\"e\""), ("Connection", "close")], content);
    reply.truncate(reply.len() - content.len() / 3);
    reply
}

pub(super) fn part(first: usize, last: usize, content: &[u8]) -> Vec<u8> {
    let range = format!("bytes {first}-{last}/{}", content.len());
    let headers = [("etag", "\"e\""), ("content-range", &*range)];
    reply("206 Partial Content", &headers, &content[first..=last])
}

/// Every way from such a server, and what each has brought.
pub(super) async fn every_way(store: &Store, content: &[u8]) {
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (engine, key) = (engine(&state), Path::from("k"));
    assert!(engine.read(store, &key).await.unwrap() == content, "read");
    let mut buffer = vec![0; content.len()];
    engine.read_into(store, &key, &mut buffer).await.unwrap();
    assert!(buffer == content, "read_into");
    let file = dir.path().join("file");
    engine.download(store, &key, &file).await.unwrap();
    assert!(std::fs::read(&file).unwrap() == content, "download");
    let target = memory();
    let report = engine.copy(store, &key, &target, &"copy".into()).await.unwrap();
    assert_eq!(report.bytes, content.len() as u64);
    assert!(read(&target, "copy").await == content, "copy");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_a_server_without_ranges_has_goes_everywhere() {
    for length in [0, 1000, 11 << 20] {
        let content = data(length);
        let (server, store) = serving(&content, |_, _, content| whole(content)).await;
        every_way(&store, &content).await;
        assert!(server.seen().len() <= 8, "{:?}", server.seen());
        // Pieces of a body whose end is a surprise for whoever asked for a range of it.
        let unknown = |_, range: Option<(usize, usize)>, content: &[u8]| match range {
            Some((first, last)) => {
                let headers = [("content-range", &*format!("bytes {first}-{last}/*"))];
                reply("206 Partial Content", &headers, &content[first..=last])
            }
            None => whole(content),
        };
        if length > 0 {
            every_way(&serving(&content, unknown).await.1, &content).await;
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_where_there_are_no_ranges_is_read_anew() {
    let content = data(11 << 20);
    let now_and_then = |count, _, content: &[u8]| match count % 4 {
        1 => cut(content),
        _ => whole(content),
    };
    every_way(&serving(&content, now_and_then).await.1, &content).await;

    let (server, store) = serving(&content, |_, _, content| cut(content)).await;
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = engine(&state).options().clone().with_retries(2);
    let (engine, key) = (engine(&state).with_options(options), Path::from("k"));
    let error = engine.download(&store, &key, dir.path().join("file")).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Corrupt, "get"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let target = memory();
    let error = engine.copy(&store, &key, &target, &"copy".into()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Corrupt, "get"), "{error}");
    assert!(!target.exists(&"copy".into()).await.unwrap());
    assert!(server.seen().len() <= 9, "twice more than at first, each");
}

#[tokio::test]
async fn a_server_that_gives_only_the_first_range_is_asked_for_all() {
    let content = data(11 << 20);
    let first_only = |_, range, content: &[u8]| match range {
        Some((0, last)) => part(0, last, content),
        _ => whole(content),
    };
    every_way(&serving(&content, first_only).await.1, &content).await;
}

#[tokio::test]
async fn a_checksum_counts_where_there_are_no_ranges_too() {
    let content = data(11 << 20);
    let wrong =
        |_, _, content: &[u8]| reply("200 OK", &[("x-goog-hash", "crc32c=AAAAAA==")], content);
    let (server, store) = serving(&content, wrong).await;
    let state = tempfile::tempdir().unwrap();
    let target = memory();
    let copy = engine(&state).copy(&store, &"k".into(), &target, &"copy".into()).await;
    let error = copy.unwrap_err();
    let text = format!("get {}/k: corrupt reply: its checksum is crc32c:00000000", server.url);
    assert!(error.to_string().starts_with(&text), "{error}");
    assert!(!target.exists(&"copy".into()).await.unwrap());
    assert!(server.seen().len() <= 3, "another answer would be as wrong: {:?}", server.seen());
    let error = store.get(&"k".into()).await.unwrap().bytes().await.unwrap_err();
    assert!(store.error("get", &"k".into(), error).to_string().starts_with(&text));
    let right =
        |_, _, content: &[u8]| reply("200 OK", &[("x-goog-hash", "crc32c=4waSgw==")], content);
    let (_, store) = serving(b"123456789", right).await;
    assert_eq!(store.get(&"k".into()).await.unwrap().bytes().await.unwrap(), "123456789");
}

#[tokio::test]
async fn what_a_head_states_of_an_object_counts_for_its_parts() {
    let content = data(3 << 20);
    let (mut changed, stated) = (content.clone(), Checksum::of(Algorithm::Md5, &content));
    changed[2 << 20] ^= 1;
    let md5 = base64::engine::general_purpose::STANDARD.encode(stated.as_bytes());
    let server = Loopback::start(move |request| {
        let tag = "ETag: \"1\"\r\nLast-Modified: Sat, 21 Nov 2026 00:00:00 GMT\r\n";
        let range = request.header("range").and_then(|range| {
            let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?.min((3 << 20) - 1)))
        });
        let sent = if request.target == "/bad" { &changed } else { &content };
        let Some((first, last)) = range else {
            let length = content.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nContent-MD5: {md5}\r\n{tag}\r\n");
            let body = if request.method == "HEAD" { &[] } else { &sent[..] };
            return [head.as_bytes(), body].concat();
        };
        let whole = sent.len();
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{last}/{whole}\r\n{tag}\r\n",
            last + 1 - first
        );
        [head.as_bytes(), &sent[first..=last]].concat()
    })
    .await;
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (engine, store) = (engine(&state), open(&server.url));
    let report = engine.download(&store, &"good".into(), dir.path().join("good")).await.unwrap();
    assert_eq!(report.checksum, Some(stated));
    let error = engine.download(&store, &"bad".into(), dir.path().join("bad")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(!dir.path().join("bad").exists());
}

#[tokio::test]
async fn what_a_server_says_of_an_object_that_it_does_not_have_yet_is_not_its_content() {
    let server = Loopback::start(|_| reply("202 Accepted", &[("etag", "\"e\"")], "soon")).await;
    let (store, key) = (open(&server.url), Path::from("k"));
    let state = tempfile::tempdir().unwrap();
    let errors = [
        store.get(&key).await.map(drop).map_err(|e| store.error("get", &key, e)),
        store.head(&key).await.map(drop).map_err(|e| store.error("get", &key, e)),
        engine(&state).read(&store, &key).await.map(drop),
        engine(&state).copy(&store, &key, &memory(), &key).await.map(drop),
    ];
    for error in errors.map(Result::unwrap_err) {
        assert!(error.to_string().contains("ask again later"), "{error}");
    }
}

#[tokio::test]
async fn nothing_secret_follows_a_redirect_to_another_origin() {
    let other = Loopback::start(|_| reply("200 OK", &[("x-other", "1")], "there")).await;
    let target = other.url.clone();
    let server = Loopback::start(move |request| match request.target.as_str() {
        "/within?t=1" => reply("302 Found", &[("location", "/end?t=1")], ""),
        "/end?t=1" => reply("200 OK", &[], "here"),
        _ => reply("307 Temporary Redirect", &[("location", &format!("{target}/x"))], ""),
    })
    .await;
    let url = server.url.replace("http://", "http://me:pw@");
    let options = OpenOptions::default().with("default_headers", "x-api-key: hush\ncookie: c=1");
    let store = open_with(&format!("{url}/?t=1"), options);
    assert_eq!(read(&store, "away").await, b"there");
    let seen = other.seen();
    assert_eq!(seen[0].target, "/x");
    for name in ["x-api-key", "cookie", "authorization", "referer"] {
        assert_eq!(seen[0].header(name), None, "{name}");
    }
    assert_eq!(read(&store, "within").await, b"here");
    let last = server.seen().pop().unwrap();
    assert_eq!(last.header("x-api-key"), Some("hush"));
    assert!(last.header("authorization").is_some());

    let error = store.put(&"away".into(), "x".into()).await.unwrap_err();
    assert!(error.to_string().contains("redirects a PUT"), "{error}");
    assert_eq!(other.seen().len(), 1);
}

#[tokio::test]
async fn a_reply_of_another_length_than_the_object_has_is_an_error() {
    let other = Loopback::start(|_| reply("200 OK", &[], "not found, sorry")).await;
    let target = other.url.clone();
    let server =
        Loopback::start(move |request| match (request.method.as_str(), &*request.target) {
            ("HEAD", "/newer") => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".to_vec(),
            ("HEAD", _) => b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n".to_vec(),
            (_, "/away") => reply("302 Found", &[("location", &format!("{target}/x"))], ""),
            (_, "/newer") => reply("200 OK", &[], "newer"),
            _ => reply("200 OK", &[], "cut"),
        })
        .await;
    let (store, state) = (open(&server.url), tempfile::tempdir().unwrap());
    let to = memory();
    for key in ["away", "here"] {
        let job = Job { from: key.into(), to: key.into(), size: 7 };
        let jobs = stream::iter([job]).boxed();
        let outcome = engine(&state).run(&store, &to, jobs).next().await.unwrap();
        let error = outcome.result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("it has 7 bytes"), "{error}");
        assert!(to.head(&key.into()).await.is_err(), "{key}");
    }
    // A listing that is old is no such error.
    let job = Job { from: "newer".into(), to: "newer".into(), size: 12 };
    let jobs = stream::iter([job]).boxed();
    let outcome = engine(&state).run(&store, &to, jobs).next().await.unwrap();
    outcome.result.unwrap();
    assert_eq!(to.head(&"newer".into()).await.unwrap().size, 5);
}

#[tokio::test]
async fn what_a_server_does_not_know_is_not_asked_again() {
    let server = Loopback::start(|request| match request.method.as_str() {
        "PROPFIND" => reply("501 Not Implemented", &[], ""),
        _ => reply("200 OK", &[("content-type", "text/html")], "<a href=\"a\">a</a>"),
    })
    .await;
    let mut options = OpenOptions::default();
    options.use_env = false;
    let (store, _) = Registry::default().open(&server.url, &options).unwrap();
    store.list_with_delimiter(None).await.unwrap();
    let asked = server.seen().into_iter().filter(|request| request.method == "PROPFIND").count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn servers_that_redirect_to_each_other_are_left() {
    let url = std::sync::Arc::new(std::sync::OnceLock::<(String, String)>::new());
    let to = url.clone();
    let one =
        Loopback::start(move |_| reply("302 F", &[("location", &to.get().unwrap().1)], "")).await;
    let to = url.clone();
    let two =
        Loopback::start(move |_| reply("302 F", &[("location", &to.get().unwrap().0)], "")).await;
    url.set((one.url.clone(), two.url)).unwrap();
    let error = open(&one.url).get(&"k".into()).await.unwrap_err();
    assert!(error.to_string().contains("too many redirects"), "{error}");
}

#[tokio::test]
async fn a_reply_says_where_redirects_led() {
    let last = Loopback::start(|_| reply("200 OK", &[], "there")).await;
    let to = format!("{}/x?t=1", last.url);
    let between = Loopback::start(move |_| reply("302 F", &[("location", &to)], "")).await;
    let to = between.url.clone();
    let first = Loopback::start(move |request| match request.target.as_str() {
        "/away" => reply("302 F", &[("location", &to)], ""),
        "/within" => reply("302 F", &[("location", "/here")], ""),
        _ => reply("200 OK", &[], "here"),
    })
    .await;
    let mut options = ClientOptions::default();
    options.allow_http = true;
    let client = shared_client(&options).unwrap();
    for (path, led) in [("here", None), ("within", None), ("away", Some(last.url.clone()))] {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = format!("{}/{path}", first.url).parse().unwrap();
        let reply = client.execute(request).await.unwrap();
        let there = reply.extensions().get().map(|RedirectedTo(uri)| uri.to_string());
        assert_eq!(there, led.map(|url| format!("{url}/x?t=1")), "{path}");
    }
}

async fn keys(store: &Store) -> Vec<ObjectMeta> {
    store.list(None).try_collect().await.unwrap()
}

#[tokio::test]
async fn directories_are_listed_from_their_pages_where_there_is_no_webdav() {
    // Some find nothing where they do not know the method.
    for refusal in ["501 Not Implemented", "404 Not Found"] {
        pages_are_listed(refusal).await;
    }
}

async fn pages_are_listed(refusal: &'static str) {
    let server = Loopback::start(move |request| {
        let html =
            |text: &str| reply("200 OK", &[("content-type", "text/html; charset=utf-8")], text);
        match (request.method.as_str(), request.target.as_str()) {
            ("PROPFIND", _) => reply(refusal, &[], ""),
            ("GET", "/data/") => {
                html("<a href='../'>up</a><a href='sub/'>sub/</a><a href='a%20b'>a b</a>")
            }
            ("GET", "/data/sub/") => html("<a href=\"c\">c</a>  01-Jan-2024 10:00   42\n"),
            ("HEAD", "/data/a%20b") => reply("200 OK", &[("etag", "\"e\"")], ""),
            _ => reply("404 Not Found", &[], ""),
        }
    })
    .await;
    let store = open(&format!("{}/data", server.url));
    let listed = keys(&store).await;
    let found: Vec<_> = listed.iter().map(|meta| (meta.location.as_ref(), meta.size)).collect();
    assert_eq!(found, [("a b", 0), ("sub/c", 42)]);
    assert_eq!(listed[0].e_tag.as_deref(), Some("\"e\""));
    let level = store.list_with_delimiter(None).await.unwrap();
    assert_eq!(level.common_prefixes, [Path::from("sub")]);
    assert!(store.list(Some(&"missing".into())).try_collect::<Vec<_>>().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_without_directories_says_so() {
    let server = Loopback::start(|request| match request.method.as_str() {
        "PROPFIND" => reply("405 Method Not Allowed", &[], ""),
        _ => reply("200 OK", &[("content-type", "text/plain")], "hello"),
    })
    .await;
    let store = open(&server.url);
    let error = store.list_with_delimiter(None).await.unwrap_err();
    let error = store.error("list", &Path::default(), error);
    assert_eq!(error.kind(), ErrorKind::NotSupported);
    assert!(error.to_string().contains("not listed"), "{error}");
}

#[tokio::test]
async fn a_directory_that_is_not_told_of_whole_is_not_taken_for_an_empty_one() {
    const CUT: &str = "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/sub/</D:href>";
    const PAGE: &str = "<html><body><h1>Please log in</h1><a href='/login'>here</a></body></html>";
    const INDEX: &str = "<html><body><h1>Index of /sub/</h1><a href='../'>up</a><a href='a'>a</a>";
    for (status, listing, page, kind) in [
        ("207 Multi-Status", CUT, None, ErrorKind::Corrupt),
        ("207 Multi-Status", "", None, ErrorKind::Corrupt),
        ("207 Multi-Status", PAGE, None, ErrorKind::Corrupt),
        ("200 OK", PAGE, None, ErrorKind::Other),
        ("200 OK", PAGE, Some(PAGE), ErrorKind::NotSupported),
        ("405 Method Not Allowed", "", Some(PAGE), ErrorKind::NotSupported),
        ("405 Method Not Allowed", "", Some(INDEX), ErrorKind::Corrupt),
    ] {
        let server = Loopback::start(move |request| match (request.method.as_str(), page) {
            ("PROPFIND", _) => reply(status, &[], listing),
            (_, Some(page)) => reply("200 OK", &[("content-type", "text/html")], page),
            _ => reply("404 Not Found", &[], ""),
        })
        .await;
        let store = open(&server.url);
        let level = store.list_with_delimiter(Some(&"sub".into())).await.map(drop);
        let all = store.list(Some(&"sub".into())).try_collect::<Vec<_>>().await.map(drop);
        for listed in [level, all] {
            let error = store.error("list", &"sub".into(), listed.unwrap_err());
            assert_eq!(error.kind(), kind, "{status} {listing}: {error}");
        }
    }
}

#[tokio::test]
async fn a_directory_that_a_webdav_server_refuses_is_not_taken_for_an_empty_one() {
    const ROOT: &str = "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/sub/</D:href><D:propstat><D:prop>\
        <D:getlastmodified>Fri, 02 Jan 2026 03:04:05 GMT</D:getlastmodified>\
        <D:resourcetype><D:collection/></D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>\
        </D:response></D:multistatus>";
    let refusals =
        ["403 Forbidden", "400 Bad Request", "405 Method Not Allowed", "404 Not Found", "200 OK"];
    for status in refusals {
        let server = Loopback::start(move |request| {
            match (request.method.as_str(), request.target.as_str(), request.header("depth")) {
                ("PROPFIND", _, Some("infinity")) => reply("403 Forbidden", &[], ""),
                ("PROPFIND", "/", _) => reply("207 Multi-Status", &[], ROOT),
                ("PROPFIND", _, _) => reply(status, &[], ""),
                _ => reply("404 Not Found", &[], ""),
            }
        })
        .await;
        let store = open(&server.url);
        store.list(None).try_collect::<Vec<_>>().await.expect_err(status);
    }
    // One that went away since its parent named it is none.
    let asked = AtomicUsize::new(0);
    let server = Loopback::start(move |request| {
        match (request.method.as_str(), request.target.as_str(), request.header("depth")) {
            ("PROPFIND", _, Some("infinity")) => reply("403 Forbidden", &[], ""),
            ("PROPFIND", "/", _) if asked.fetch_add(1, Ordering::Relaxed) == 0 => {
                reply("207 Multi-Status", &[], ROOT)
            }
            ("PROPFIND", "/", _) => reply("207 Multi-Status", &[], ROOT.replace("/sub/", "/")),
            _ => reply("404 Not Found", &[], ""),
        }
    })
    .await;
    assert_eq!(keys(&open(&server.url)).await, []);
    // Who has no page of it either: nobody says that it is not there.
    let server = Loopback::start(|request| match request.method.as_str() {
        "PROPFIND" => reply("403 Forbidden", &[], ""),
        _ => reply("404 Not Found", &[], ""),
    })
    .await;
    let store = open(&server.url);
    let error = store.list_with_delimiter(None).await.unwrap_err();
    assert_eq!(store.error("list", &Path::default(), error).kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn conditions_of_writes_are_asked_and_sent() {
    let server =
        Loopback::start(|request| match (request.method.as_str(), request.target.as_str()) {
            ("HEAD", "/there") => reply("200 OK", &[("etag", "\"1\"")], ""),
            ("HEAD", _) => reply("404 Not Found", &[], ""),
            ("PUT", "/raced") => reply("412 Precondition Failed", &[], ""),
            _ => reply("201 Created", &[("etag", "\"2\"")], ""),
        })
        .await;
    let store = open(&server.url);
    let put = async |key: &str, mode: PutMode| {
        let key = Path::from(key);
        let done = store.put_opts(&key, "x".into(), mode.into()).await;
        done.map_err(|e| store.error("put", &key, e).kind())
    };
    let update = |e_tag: &str| {
        PutMode::Update(holdall_store::object_store::UpdateVersion {
            e_tag: Some(e_tag.to_owned()),
            version: None,
        })
    };
    assert_eq!(put("there", PutMode::Create).await.unwrap_err(), ErrorKind::AlreadyExists);
    assert_eq!(put("raced", PutMode::Create).await.unwrap_err(), ErrorKind::AlreadyExists);
    assert_eq!(put("new", PutMode::Create).await.unwrap().e_tag.as_deref(), Some("\"2\""));
    assert_eq!(put("there", update("\"0\"")).await.unwrap_err(), ErrorKind::Precondition);
    assert_eq!(put("new", update("\"1\"")).await.unwrap_err(), ErrorKind::Precondition);
    put("there", update("\"1\"")).await.unwrap();
    let seen = server.seen();
    let puts: Vec<_> = seen.iter().filter(|request| request.method == "PUT").collect();
    assert_eq!(puts[1].header("if-none-match"), Some("*"));
    assert_eq!(puts[2].header("if-match"), Some("\"1\""));
}

#[tokio::test]
async fn uploads_in_parts_are_one_request_that_makes_its_parents() {
    let made = std::sync::Mutex::new(Vec::new());
    let server = Loopback::start(move |request| match request.method.as_str() {
        "MKCOL" => {
            made.lock().unwrap().push(request.target.clone());
            reply("201 Created", &[], "")
        }
        "PUT" if made.lock().unwrap().len() < 2 => reply("409 Conflict", &[], ""),
        _ => reply("201 Created", &[], ""),
    })
    .await;
    let store = open(&server.url);
    let attributes = Attributes::from_iter([(Attribute::ContentType, "image/x-test")]);
    let options = PutMultipartOptions { attributes, ..Default::default() };
    let mut upload = store.put_multipart_opts(&"a/b/c".into(), options).await.unwrap();
    let parts: Vec<Vec<u8>> = (0..5u8).map(|part| vec![part; 1 << 20]).collect();
    let mut puts: Vec<_> = parts.iter().map(|part| upload.put_part(part.clone().into())).collect();
    puts.reverse();
    futures::future::try_join_all(puts).await.unwrap();
    upload.complete().await.unwrap();
    let seen = server.seen();
    let targets: Vec<_> = seen.iter().map(|r| (r.method.as_str(), r.target.as_str())).collect();
    assert_eq!(targets, [("PUT", "/a/b/c"), ("MKCOL", "/a"), ("MKCOL", "/a/b"), ("PUT", "/a/b/c")]);
    let sent = seen.last().unwrap();
    assert!(sent.body == parts.concat());
    assert_eq!(sent.header("content-type"), Some("image/x-test"));
    assert_eq!(sent.header("content-length"), Some((5 << 20).to_string().as_str()));

    let mut upload = store.put_multipart(&"d".into()).await.unwrap();
    drop(upload.put_part("lost".into()));
    assert!(
        upload.complete().await.is_err(),
        "a part that was never put is not left out in silence"
    );
}

#[tokio::test]
async fn nginx() {
    let suite = "http::nginx";
    let (Some(files), Some(root)) = (
        services::endpoint("HOLDALL_TEST_HTTP_URL", suite),
        services::endpoint("HOLDALL_TEST_HTTP_ROOT", suite),
    ) else {
        return;
    };
    let name = format!("http-{}", std::process::id());
    let dir = std::path::Path::new(&root).join(&name);
    std::fs::create_dir_all(dir.join("sub dir")).unwrap();
    std::fs::write(dir.join("a"), "hello").unwrap();
    std::fs::write(dir.join("sub dir/b&ä"), "there!").unwrap();
    let store = open(&format!("{files}/{name}"));
    let found: Vec<_> =
        keys(&store).await.into_iter().map(|meta| (meta.location.to_string(), meta.size)).collect();
    assert_eq!(found, [("a".to_owned(), 5), ("sub dir/b&ä".to_owned(), 6)]);
    assert_eq!(read(&store, "sub dir/b&ä").await, b"there!");
    assert_eq!(store.get_range(&"a".into(), 1..3).await.unwrap(), "el");
    let whole = store.get_opts(&"a".into(), GetOptions::new()).await.unwrap();
    assert_eq!(whole.range, 0..5);

    let ignoring = services::endpoint("HOLDALL_TEST_HTTP_NO_RANGES_URL", suite).unwrap();
    let store = open(&format!("{ignoring}/{name}"));
    assert_eq!(read(&store, "a").await, b"hello");
    assert_eq!(store.get_range(&"a".into(), 1..3).await.unwrap(), "el");

    let private = services::endpoint("HOLDALL_TEST_HTTP_PRIVATE_URL", suite).unwrap();
    let denied = open(&format!("{private}/{name}"));
    let error = denied.get(&"a".into()).await.unwrap_err();
    assert_eq!(denied.error("get", &"a".into(), error).kind(), ErrorKind::Unauthenticated);
    let private = private.replace("http://", "http://holdall:holdall-secret@");
    assert_eq!(read(&open(&format!("{private}/{name}")), "a").await, b"hello");
    std::fs::remove_dir_all(dir).unwrap();
}
