//! What plain HTTP servers say of their objects, and what can be relied on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use holdall_store::cache::CacheOptions;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use holdall_store::{ErrorKind, Pinned, Store};

use super::http::{every_way, open, part, serving, whole};
use super::loopback::{Loopback, Request, reply};
use super::transfer::{data, engine, memory};

const LENGTH: usize = 3 << 20;

/// A server of one object that answers HEAD with `head`, and anything else as it should.
async fn headed(
    content: &[u8],
    head: impl Fn() -> Vec<u8> + Send + Sync + 'static,
) -> (Loopback, Store) {
    let content = content.to_vec();
    let server = Loopback::start(move |request| match range_of(request, content.len()) {
        _ if request.method == "HEAD" => head(),
        None => whole(&content),
        Some((first, last)) => part(first, last, &content),
    })
    .await;
    let store = open(&server.url);
    (server, store)
}

fn range_of(request: &Request, length: usize) -> Option<(usize, usize)> {
    let (first, last) = request.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
    let last = last.parse().map_or(length - 1, |last: usize| last.min(length - 1));
    Some((first.parse().unwrap(), last))
}

fn head_of(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\netag: \"e\"\r\n\r\n").into_bytes()
}

/// All bytes of an object, as a file object reads them.
async fn read_all(store: &Store, object: &Pinned, block: u64) -> holdall_store::Result<Vec<u8>> {
    let mut found = Vec::new();
    loop {
        let at = found.len() as u64;
        if at >= object.size() {
            object.settle(store).await?;
            if at >= object.size() {
                return Ok(found);
            }
        }
        found.extend(object.fetch(store, at..object.size().min(at + block)).await?);
    }
}

#[tokio::test]
async fn the_length_that_a_head_says_is_not_believed_against_the_bytes() {
    let content = data(LENGTH);
    let key = Path::from("k");
    for said in [0, 1, LENGTH - 1000, LENGTH + 1000] {
        let (_server, store) = headed(&content, move || head_of(said)).await;
        for block in [1 << 20, 100 << 20] {
            let object = Pinned::open(&store, &key).await.unwrap();
            assert!(read_all(&store, &object, block).await.unwrap() == content, "{said}");
            assert_eq!(object.size(), LENGTH as u64);
        }
        let state = tempfile::tempdir().unwrap();
        let mut buffer = vec![0; LENGTH];
        let read = engine(&state).read_into_from(&store, &key, 1 << 20, &mut buffer).await.unwrap();
        assert!(buffer[..read] == content[1 << 20..], "{said}");
        assert_eq!(
            store.head(&key).await.unwrap().size,
            if said == 0 { LENGTH } else { said } as u64
        );

        // Who has counted from an end that is none hears of it.
        if said > 1 {
            let object = Pinned::open(&store, &key).await.unwrap();
            let end = object.measure();
            let error = object.fetch(&store, end - 5000..end).await.unwrap_err();
            assert_eq!((error.kind(), error.operation()), (ErrorKind::Corrupt, "read"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_length_that_changes_after_something_was_read_is_an_error() {
    let content = data(LENGTH);
    let (_server, store) = serving(&content, |count, range, content| match range {
        Some((first, last)) if count < 2 => part(first, last, content),
        Some((first, last)) => part(first, last.min(LENGTH - 6), &content[..LENGTH - 5]),
        None => whole(content),
    })
    .await;
    let object = Pinned::of_size(&"k".into(), 10);
    assert_eq!(object.fetch(&store, 0..10).await.unwrap(), content[..10]);
    assert_eq!(object.fetch(&store, 10..20).await.unwrap(), content[10..20]);
    let error = object.fetch(&store, 20..30).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let text = format!(
        "it has another length than it was said to have: {LENGTH} bytes, then {}",
        LENGTH - 5
    );
    assert!(error.to_string().ends_with(&text), "{error}");
}

/// A page where a range should be.
fn page(first: usize, last: usize, content: &[u8]) -> Vec<u8> {
    let range = format!("bytes {first}-{last}/{}", content.len());
    let headers = [("etag", "\"e\""), ("content-range", &*range)];
    reply("206 Partial Content", &headers, "<html>sorry</html>")
}

#[tokio::test]
async fn a_page_with_the_head_of_a_range_is_not_a_beginning_of_it() {
    let content = data(LENGTH);
    let now_and_then = |count, range: Option<(usize, usize)>, content: &[u8]| match range {
        Some((first, last)) if count % 3 == 2 => page(first, last, content),
        Some((first, last)) => part(first, last, content),
        None => whole(content),
    };
    every_way(&serving(&content, now_and_then).await.1, &content).await;
    // The same without a length of its own.
    let chunked = |count, range: Option<(usize, usize)>, content: &[u8]| match range {
        Some((first, last)) if count % 3 == 2 => {
            let (length, range) = (content.len(), format!("bytes {first}-{last}"));
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\netag: \"e\"\r\ncontent-range: {range}/{length}\r\n"
            );
            format!("{head}transfer-encoding: chunked\r\n\r\n12\r\n<html>sorry</html>\r\n0\r\n\r\n")
                .into_bytes()
        }
        Some((first, last)) => part(first, last, content),
        None => whole(content),
    };
    every_way(&serving(&content, chunked).await.1, &content).await;

    let always = |count, range: Option<(usize, usize)>, content: &[u8]| match range {
        Some((0, last)) if count == 0 => part(0, last, content),
        Some((first, last)) => page(first, last, content),
        None => whole(content),
    };
    let (_server, store) = serving(&content, always).await;
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = engine(&state).options().clone().with_retries(1);
    let engine = engine(&state).with_options(options);
    let error = engine.download(&store, &"k".into(), dir.path().join("file")).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Corrupt, "get"), "{error}");
    assert!(error.to_string().contains("the reply has 18 bytes, and says that it is"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let error = store.get_range(&"k".into(), 100..200).await.unwrap_err();
    assert_eq!(store.error("get_range", &"k".into(), error).kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_range_that_says_nothing_possible_is_a_corrupt_reply() {
    for range in ["bytes abc", "items 0-9/10", "bytes 9-0/10", "bytes 0-9/5", ""] {
        let (_server, store) = serving(&data(10), move |_, _, content| {
            let headers: &[_] = &[("etag", "\"e\""), ("content-range", range)];
            let headers = if range.is_empty() { &headers[..1] } else { headers };
            reply("206 Partial Content", headers, content)
        })
        .await;
        let key = Path::from("k");
        let error = store.get_range(&key, 0..10).await.unwrap_err();
        assert_eq!(store.error("get_range", &key, error).kind(), ErrorKind::Corrupt, "{range}");
        let error = store.get_ranges(&key, &[0..2, 3..10]).await.unwrap_err();
        assert_eq!(store.error("get_ranges", &key, error).kind(), ErrorKind::Corrupt, "{range}");
        let error = Pinned::of_size(&key, 10).fetch(&store, 0..10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{range}");
    }
}

#[tokio::test]
async fn a_range_of_an_object_of_unknown_length_is_a_range() {
    let content = data(LENGTH);
    let open_ended = |first: usize, last: usize, content: &[u8]| {
        let headers = [("etag", "\"e\""), ("content-range", &*format!("bytes {first}-{last}/*"))];
        reply("206 Partial Content", &headers, &content[first..=last])
    };
    let sent = content.clone();
    let server = Loopback::start(move |request| match range_of(request, sent.len()) {
        // One that tells the length in no other way.
        _ if request.method == "HEAD" && request.target == "/quiet" => reply("405 No", &[], ""),
        _ if request.method == "HEAD" => head_of(sent.len()),
        Some((first, last)) => open_ended(first, last, &sent),
        None => whole(&sent),
    })
    .await;
    let store = open(&server.url);
    for key in ["k", "quiet"].map(Path::from) {
        assert_eq!(store.get_range(&key, 1000..2000).await.unwrap(), content[1000..2000]);
        let found =
            store.get_ranges(&key, &[5..9, LENGTH as u64 - 5..LENGTH as u64 + 5]).await.unwrap();
        assert_eq!(found, [&content[5..9], &content[LENGTH - 5..]]);
        let options = GetOptions::new().with_range(Some(GetRange::Offset(7)));
        let found = store.get_opts(&key, options).await.unwrap();
        assert_eq!((found.meta.size, found.range.clone()), (LENGTH as u64, 7..LENGTH as u64));
        let object = Pinned::open(&store, &key).await.unwrap();
        assert!(read_all(&store, &object, 1 << 20).await.unwrap() == content);
    }
    every_way(&store, &content).await;
}

/// Headers of which each version has the same.
type Headers = fn() -> Vec<(&'static str, String)>;

fn now() -> String {
    chrono::Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A server whose object changes after so many requests, which nothing says; how many had a range is counted.
async fn changing(
    contents: [Vec<u8>; 2],
    after: usize,
    headers: Headers,
) -> (Loopback, Store, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = Loopback::start(move |request| {
        let content = &contents[usize::from(count.fetch_add(1, Ordering::Relaxed) >= after)];
        let mut own = headers();
        let range = range_of(request, content.len());
        if let Some((first, last)) = range {
            own.push(("content-range", format!("bytes {first}-{last}/{}", content.len())));
        }
        let own: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match range {
            _ if request.method == "HEAD" => {
                let mut head = reply("200 OK", &own, content);
                head.truncate(head.len() - content.len());
                head
            }
            Some((first, last)) => reply("206 Partial Content", &own, &content[first..=last]),
            None => reply("200 OK", &own, content),
        }
    })
    .await;
    let store = open(&server.url);
    (server, store, asked)
}

#[tokio::test]
async fn what_nothing_tells_from_other_versions_is_read_with_one_request() {
    let contents = [data(LENGTH), data(LENGTH).into_iter().rev().collect::<Vec<_>>()];
    let none: Headers = Vec::new;
    let weak: Headers = || vec![("etag", "W/\"1\"".to_owned())];
    let just_now: Headers = || vec![("last-modified", now()), ("date", now())];
    let weak_now: Headers =
        || vec![("etag", "W/\"1\"".to_owned()), ("last-modified", now()), ("date", now())];
    for headers in [none, weak, just_now, weak_now] {
        for after in 1..6 {
            let is_one = |found: &[u8]| contents.iter().any(|content| content == found);
            let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let options = engine(&state).options().clone().with_resume(true);
            let (engine, key) = (engine(&state).with_options(options), Path::from("k"));
            let (_server, store, asked) = changing(contents.clone(), after, headers).await;
            let again = || asked.store(0, Ordering::Relaxed);
            assert!(is_one(&engine.read(&store, &key).await.unwrap()), "read");
            again();
            let mut buffer = vec![0; LENGTH];
            engine.read_into(&store, &key, &mut buffer).await.unwrap();
            assert!(is_one(&buffer), "read_into");
            again();
            let file = dir.path().join("file");
            engine.download(&store, &key, &file).await.unwrap();
            assert!(is_one(&std::fs::read(&file).unwrap()), "download");
            again();
            let target = memory();
            engine.copy(&store, &key, &target, &"copy".into()).await.unwrap();
            assert!(
                is_one(&target.get(&"copy".into()).await.unwrap().bytes().await.unwrap()),
                "copy"
            );
            again();
            let mut tail = vec![0; LENGTH];
            let read = engine.read_into_from(&store, &key, 1 << 20, &mut tail).await.unwrap();
            assert!(contents.iter().any(|content| content[1 << 20..] == tail[..read]), "from");
            again();
            let object = Pinned::of_size(&key, LENGTH as u64);
            let found = read_all(&store, &object, 300_000).await;
            assert!(found.map_or_else(|e| e.kind() == ErrorKind::Corrupt, |found| is_one(&found)));
            again();
            let cached = store.cached(CacheOptions::default().with_block_bytes(1 << 20)).unwrap();
            assert!(is_one(&cached.get(&key).await.unwrap().bytes().await.unwrap()), "cache");
        }
    }
}

#[tokio::test]
async fn a_time_of_long_ago_tells_versions_apart() {
    let content = data(LENGTH);
    let old = "Sat, 21 Nov 2020 10:00:00 GMT";
    for tag in [None, Some("W/\"1\"")] {
        let (server, store) = serving(&content, move |_, range, content| {
            let text = range.map(|(first, last)| format!("bytes {first}-{last}/{}", content.len()));
            let mut headers = vec![("last-modified", old)];
            headers.extend(tag.map(|tag| ("etag", tag)));
            headers.extend(text.as_deref().map(|text| ("content-range", text)));
            match range {
                Some((first, last)) => {
                    reply("206 Partial Content", &headers, &content[first..=last])
                }
                None => reply("200 OK", &headers, content),
            }
        })
        .await;
        let state = tempfile::tempdir().unwrap();
        assert!(engine(&state).read(&store, &"k".into()).await.unwrap() == content);
        let seen = server.seen();
        let ranges = seen.iter().filter(|request| request.header("range").is_some()).count();
        assert_eq!(ranges, LENGTH.div_ceil(256 * 1024), "{tag:?}");
        assert!(seen.iter().all(|request| request.header("if-match").is_none()));
        assert_eq!(store.get(&"k".into()).await.unwrap().meta.e_tag.as_deref(), tag);
    }
}

#[tokio::test]
async fn a_body_of_no_known_version_that_breaks_off_is_read_anew() {
    let content = data(LENGTH);
    for headers in [&[][..], &[("etag", "W/\"1\"")]] {
        let (server, store) = serving(&content, move |count, range, content| {
            let text = range.map(|(first, last)| format!("bytes {first}-{last}/{}", content.len()));
            let mut headers = [headers, &[("Connection", "close")]].concat();
            headers.extend(text.as_deref().map(|text| ("content-range", text)));
            let mut answer = match range {
                Some((first, last)) => {
                    reply("206 Partial Content", &headers, &content[first..=last])
                }
                None => reply("200 OK", &headers, content),
            };
            // The beginning, then all of it but for the end, then all of it.
            if count == 1 {
                answer.truncate(answer.len() - 100_000);
            }
            answer
        })
        .await;
        let state = tempfile::tempdir().unwrap();
        assert!(engine(&state).read(&store, &"k".into()).await.unwrap() == content);
        let seen = server.seen();
        let ranges: Vec<_> = seen.iter().map(|request| request.header("range").is_some()).collect();
        assert_eq!(ranges, [true, false, false]);
        // A plain read does not go on with what may be another content either.
        assert!(store.get(&"k".into()).await.is_ok());
    }
}

#[tokio::test]
async fn a_head_that_is_refused_where_a_read_is_not_is_asked_for_by_a_read() {
    let content = data(LENGTH);
    for status in
        ["403 Forbidden", "404 Not Found", "405 Method Not Allowed", "501 Not Implemented"]
    {
        let (server, store) = headed(&content, move || reply(status, &[], "")).await;
        let meta = store.head(&"k".into()).await.unwrap();
        assert_eq!((meta.size, meta.e_tag.as_deref()), (LENGTH as u64, Some("\"e\"")), "{status}");
        assert_eq!(server.seen().len(), 2);
        let object = Pinned::open(&store, &"k".into()).await.unwrap();
        assert!(read_all(&store, &object, 1 << 20).await.unwrap() == content);
    }
    for (status, kind) in
        [("404 Not Found", ErrorKind::NotFound), ("403 Forbidden", ErrorKind::PermissionDenied)]
    {
        let server = Loopback::start(move |_| reply(status, &[], "no")).await;
        let (store, key) = (open(&server.url), Path::from("k"));
        let error = store.head(&key).await.unwrap_err();
        assert_eq!(store.error("head", &key, error).kind(), kind);
        assert_eq!(server.seen().len(), 2);
    }
    // A server that says that an object is empty, and does not show it.
    let server = Loopback::start(|request| match request.method.as_str() {
        "HEAD" => head_of(0),
        _ => reply("403 Forbidden", &[], ""),
    })
    .await;
    assert_eq!(open(&server.url).head(&"k".into()).await.unwrap().size, 0);
}

#[tokio::test]
async fn ranges_are_taken_out_of_the_whole_where_a_server_gives_none() {
    let content = data(LENGTH);
    let sent = content.clone();
    let server = Loopback::start(move |_| whole(&sent)).await;
    let store = open(&server.url);
    let (key, end) = (Path::from("k"), LENGTH as u64);
    let asked = || server.seen().len();
    assert_eq!(store.get_range(&key, 1000..2000).await.unwrap(), content[1000..2000]);
    assert_eq!(store.get_range(&key, end - 10..end + 10).await.unwrap(), content[LENGTH - 10..]);
    assert_eq!(asked(), 2);
    let options = GetOptions::new().with_range(Some(GetRange::Suffix(3)));
    let found = store.get_opts(&key, options).await.unwrap();
    assert_eq!((found.range.clone(), found.meta.size), (end - 3..end, end));
    assert_eq!(found.bytes().await.unwrap(), content[LENGTH - 3..]);
    let error = store.get_range(&key, end..end + 1).await.unwrap_err();
    assert_eq!(store.error("get", &key, error).status(), Some(416));

    let before = asked();
    let far = [2_500_000..2_500_003, 5..9, 7..12, end - 2..end];
    let found = store.read_ranges(&key, &far, 100, 4).await.unwrap();
    for (range, found) in far.iter().zip(found) {
        assert_eq!(found, content[range.start as usize..range.end as usize]);
    }
    assert!(asked() - before <= 5, "the runs that were asked for, and the whole");

    // Forward with one request, back with another.
    let object = Pinned::open(&store, &key).await.unwrap();
    let before = asked();
    assert!(read_all(&store, &object, 100_000).await.unwrap() == content);
    assert_eq!(asked() - before, 2, "the range that showed it, and the whole");
    for range in [1000..2000, 2000..2001, end - 5..end] {
        let found = object.fetch(&store, range.clone()).await.unwrap();
        assert_eq!(found, content[range.start as usize..range.end as usize]);
    }
    assert_eq!(asked() - before, 3);
    assert_eq!(object.fetch(&store, 0..1).await.unwrap(), content[..1]);
    assert_eq!(asked() - before, 4);

    let cached = store.cached(CacheOptions::default().with_block_bytes(1 << 18)).unwrap();
    let before = asked();
    assert!(cached.get(&key).await.unwrap().bytes().await.unwrap() == content);
    assert_eq!(cached.get_range(&key, 5..9).await.unwrap(), content[5..9]);
    assert!(asked() - before <= 4, "no block by itself");
}
