//! A cluster of several nodes, and what can go wrong in it: redirects, tokens, nodes that are gone, bodies that are cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::TryStreamExt;
use holdall_ais::authn::AuthnClient;
use holdall_ais::{Client, ClientConfig, ErrorKind, GetOptions, PutOptions, Token};
use holdall_store::checksum::{Algorithm, Checksum};
use holdall_store::object_store::ObjectStoreExt;
use holdall_store::object_store::path::Path;
use holdall_store::transfer::Transfer;
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::script::{Reply, Script, redirect, reply};
use crate::support::content;

pub(crate) fn node(id: &str, kind: &str, url: &str) -> serde_json::Value {
    let net = json!({"node_ip_addr": "127.0.0.1", "daemon_port": "1", "direct_url": url});
    json!({
        "public_net": net, "intra_control_net": net, "intra_data_net": net,
        "daemon_type": kind, "daemon_id": id, "flags": 0, "id_digest": 0,
    })
}

/// The map of a cluster with one proxy and one target.
fn map(proxy: &str, target: &str) -> Reply {
    let proxy = node("p", "proxy", proxy);
    let smap = json!({
        "pmap": {"p": proxy}, "tmap": {"t": node("t", "target", target)},
        "proxy_si": proxy, "uuid": "u", "creation_time": "", "version": "1",
    });
    reply(200, smap.to_string())
}

fn config(url: &str) -> ClientConfig {
    let mut config = ClientConfig::new(url).with_token("hush");
    config.retry.backoff.init_backoff = Duration::from_millis(1);
    config.retry.max_retries = 3;
    config
}

/// A proxy that redirects objects to `target`, which is in the map as `known`.
async fn proxy(target: &str, known: &str) -> Script {
    let (target, known) = (target.to_owned(), known.to_owned());
    Script::start(move |seen| match seen.uri.contains("what=smap") {
        // Its own URL is not known here, and nobody needs it.
        true => map("http://proxy.invalid", &known),
        false if seen.uri.starts_with("/v1/objects/") => {
            let status = if seen.method == Method::GET { 301 } else { 307 };
            redirect(status, &format!("{target}{}&pid=p&utm=1", seen.uri))
        }
        false => reply(200, "[]"),
    })
    .await
}

#[tokio::test]
async fn content_is_sent_once_and_the_token_stays_in_the_cluster() {
    let target = Script::start(|seen| match seen.method {
        Method::GET => reply(200, "content"),
        _ => reply(200, ""),
    })
    .await;
    let proxy = proxy(&target.url, &target.url).await;
    let client = Client::new(config(&proxy.url)).unwrap();
    let object = client.bucket("b").object("o");
    object.put("content", &PutOptions::default()).await.unwrap();
    object.put("content", &PutOptions::default()).await.unwrap();
    let (at_proxy, at_target) = (proxy.seen(), target.seen());
    // The map has the proxy by another name: what it is, it shows once.
    let methods: Vec<_> = at_proxy.iter().map(|seen| &seen.method).collect();
    assert_eq!(methods, [Method::HEAD, Method::PUT, Method::PUT]);
    assert!(at_proxy.iter().all(|seen| seen.body.is_empty()));
    assert_eq!(at_target.len(), 2);
    assert!(at_target.iter().all(|seen| seen.body == "content"));
    assert!(at_target[0].uri.contains("pid=p&utm=1"), "{}", at_target[0].uri);
    let tokens = at_proxy.iter().chain(&at_target).map(|seen| seen.token.as_deref());
    assert!(tokens.into_iter().all(|token| token == Some("Bearer hush")));
    // Reads go straight to the target.
    let read = object.get(GetOptions::default()).await.unwrap().bytes().await.unwrap();
    assert_eq!((read, proxy.seen().len(), target.seen().len()), ("content".into(), 3, 3));
}

/// Users who may write need not be allowed to see the map, or to read.
#[tokio::test]
async fn content_is_sent_once_where_the_map_is_refused() {
    let target = Script::start(|_| reply(200, "")).await;
    for may_read in [true, false] {
        let to = target.url.clone();
        let proxy = Script::start(move |seen| match seen.method {
            Method::PUT => redirect(307, &format!("{to}{}", seen.uri)),
            Method::HEAD if may_read => redirect(307, &format!("{to}{}", seen.uri)),
            _ => reply(403, r#"{"message":"no access","status":403}"#),
        })
        .await;
        let bucket = Client::new(config(&proxy.url)).unwrap().bucket("b");
        for name in ["o", "p"] {
            bucket.object(name).put("content", &PutOptions::default()).await.unwrap();
        }
        let seen = proxy.seen();
        let puts: Vec<_> = seen.iter().filter(|seen| seen.method == Method::PUT).collect();
        assert_eq!((puts.len(), seen.len()), (2, 3));
        // Without the HEAD's answer, the first content shows who takes it.
        let sent = puts.iter().filter(|seen| !seen.body.is_empty()).count();
        assert_eq!(sent, usize::from(!may_read));
    }
    assert_eq!(target.seen().iter().filter(|seen| seen.body == "content").count(), 4);
}

/// A server behind a forwarded port, or asked as `localhost`, is in its own map by another name.
#[tokio::test]
async fn a_server_by_another_name_gets_no_empty_object_first() {
    let server = Script::start(|seen| match seen.method {
        _ if seen.uri.contains("what=smap") => {
            map("http://inside.invalid", "http://inside.invalid")
        }
        Method::HEAD => reply(404, ""),
        _ => reply(200, ""),
    })
    .await;
    let config = config(&server.url).with_direct_reads(false);
    let bucket = Client::new(config).unwrap().bucket("b");
    for name in ["o", "p"] {
        bucket.object(name).put("content", &PutOptions::default()).await.unwrap();
    }
    let seen = server.seen();
    let puts: Vec<_> = seen.iter().filter(|seen| seen.method == Method::PUT).collect();
    assert_eq!((puts.len(), seen.len()), (2, 3));
    assert!(puts.iter().all(|seen| seen.body == "content"));
}

#[tokio::test]
async fn other_hosts_get_neither_token_nor_content() {
    let stranger = Script::start(|_| reply(200, "public")).await;
    let proxy = proxy(&stranger.url, "http://127.0.0.1:9").await;
    let config = config(&proxy.url).with_direct_reads(false);
    let object = Client::new(config).unwrap().bucket("b").object("o");
    let error = object.put("secret", &PutOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect);
    assert!(stranger.seen().is_empty());
    assert!(!format!("{error} {error:?}").contains("hush"));
    let read = object.get(GetOptions::default()).await.unwrap().bytes().await.unwrap();
    assert_eq!(read, "public");
    assert!(stranger.seen().iter().all(|seen| seen.token.is_none()));
}

#[tokio::test]
async fn passwords_and_tokens_to_revoke_go_nowhere_else_where_there_is_no_map() {
    let stranger = Script::start(|_| reply(200, r#"{"token":"theirs"}"#)).await;
    let other = stranger.url.clone();
    let service = Script::start(move |seen| match seen.uri.contains("what=smap") {
        true => reply(404, ""),
        false => redirect(307, &format!("{other}{}", seen.uri)),
    })
    .await;
    let authn = AuthnClient::new(config(&service.url)).unwrap();
    let login = authn.login("admin", "a password", None).await.unwrap_err();
    let revoke = authn.tokens().revoke(&Token::new("a token")).await.unwrap_err();
    assert_eq!((login.kind(), revoke.kind()), (ErrorKind::Redirect, ErrorKind::Redirect));
    assert!(stranger.seen().is_empty());
    // Content of objects goes where the endpoint says: those who may write need not see the map.
    let client = Client::new(config(&service.url)).unwrap();
    client.bucket("b").object("o").put("content", &PutOptions::default()).await.unwrap();
    assert!(stranger.seen().iter().all(|seen| seen.token.is_none()));
}

#[tokio::test]
async fn words_of_refusals_that_are_no_text() {
    let body = b"{\"message\":\"unexpected character: \xff here\",\"status\":400}";
    let server = Script::start(|_| reply(400, Bytes::from_static(body))).await;
    let bucket = Client::new(config(&server.url)).unwrap().bucket("b");
    let error = bucket.create(Default::default()).await.unwrap_err();
    assert!(error.to_string().ends_with("unexpected character: \u{fffd} here"), "{error}");
}

#[tokio::test]
async fn pauses_after_failures_of_the_network_are_set_apart() {
    let mut config = config("http://127.0.0.1:9");
    config.repetition.network_retries = Some(3);
    let pause = Duration::from_millis(50);
    config.repetition.network_pauses = Some((pause, pause));
    let begin = Instant::now();
    let error = Client::new(config).unwrap().bucket("b").head().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(begin.elapsed() >= pause * 3);
}

#[tokio::test]
async fn a_target_that_is_gone_is_asked_through_the_proxy() {
    let target = Script::start(|_| reply(200, "content")).await;
    // The map names a port where nobody listens.
    let proxy = proxy(&target.url, "http://127.0.0.1:9").await;
    let object = Client::new(config(&proxy.url)).unwrap().bucket("b").object("o");
    for _ in 0..2 {
        let reader = object.get(GetOptions::default()).await.unwrap();
        assert_eq!(reader.bytes().await.unwrap(), "content");
    }
    assert_eq!(proxy.seen().len(), 2);
    // The stranger in the map's eyes gets no token.
    assert!(target.seen().iter().all(|seen| seen.token.is_none()));
}

#[tokio::test]
async fn what_passes_is_repeated_and_what_does_not_is_not() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = Script::start(move |seen| {
        if seen.uri.contains("what=smap") {
            return reply(404, "");
        }
        let n = counted.fetch_add(1, Ordering::SeqCst);
        match seen.uri.as_str() {
            uri if uri.contains("/busy") && n < 2 => reply(503, "come back"),
            uri if uri.contains("/busy") => reply(200, "ok"),
            uri if uri.contains("/expired") => {
                reply(401, r#"{"message":"token expired","status":401}"#)
            }
            uri if uri.contains("/denied") => reply(403, r#"{"message":"no access","status":403}"#),
            _ => reply(404, r#"{"message":"t[x]: ais://b/o does not exist","status":404}"#),
        }
    })
    .await;
    let bucket = Client::new(config(&server.url)).unwrap().bucket("b");
    let read = bucket.object("busy").get(GetOptions::default()).await.unwrap();
    assert_eq!(read.bytes().await.unwrap(), "ok");
    for (name, kind) in [
        ("expired", ErrorKind::Unauthenticated),
        ("denied", ErrorKind::PermissionDenied),
        ("none", ErrorKind::ObjectNotFound),
    ] {
        let before = count.load(Ordering::SeqCst);
        let error = bucket.object(name).get(GetOptions::default()).await.unwrap_err();
        assert_eq!((error.kind(), count.load(Ordering::SeqCst) - before), (kind, 1), "{name}");
        assert!(!error.is_retryable());
    }
    let gone = Client::new(config("http://127.0.0.1:9")).unwrap();
    let error = gone.bucket("b").head().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(!gone.cluster().is_ready().await);
}

/// A server that cuts whole replies after some bytes, and gives the rest by range. The second value is the version.
async fn cutting(bytes: Vec<u8>, version: fn(usize) -> usize) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut served = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let Ok(n) = stream.read(&mut head).await else { continue };
            let head = String::from_utf8_lossy(&head[..n]).to_lowercase();
            if head.contains("what=smap") {
                drop(stream.write_all(b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n").await);
                continue;
            }
            if head.starts_with("head") {
                let reply = format!(
                    "HTTP/1.1 200 ok\r\nais-present: true\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    bytes.len()
                );
                drop(stream.write_all(reply.as_bytes()).await);
                continue;
            }
            let range = head
                .split_once("range: bytes=")
                .map(|(_, rest)| rest.split_once('-').unwrap().0.parse::<usize>().unwrap());
            let start = range.unwrap_or(0);
            let all = bytes.len();
            let status = match range {
                Some(start) => format!("206 p\r\ncontent-range: bytes {start}-{}/{all}", all - 1),
                None => "200 ok".to_owned(),
            };
            let reply = format!(
                "HTTP/1.1 {status}\r\nais-version: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                version(served),
                all - start
            );
            served += 1;
            let end = (start + 100_000).min(all);
            drop(stream.write_all(reply.as_bytes()).await);
            drop(stream.write_all(&bytes[start..end]).await);
        }
    });
    url
}

#[tokio::test]
async fn a_body_that_is_cut_is_continued() {
    let bytes = content(450_000);
    let url = cutting(bytes.clone(), |_| 1).await;
    let object = Client::new(config(&url)).unwrap().bucket("b").object("o");
    let read = object.get(GetOptions::default()).await.unwrap().bytes().await.unwrap();
    assert!(read == bytes);
}

#[tokio::test]
async fn a_body_is_not_continued_with_another_version() {
    let url = cutting(content(450_000), |served| 1 + served).await;
    let object = Client::new(config(&url)).unwrap().bucket("b").object("o");
    let error = object.get(GetOptions::default()).await.unwrap().bytes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition);
}

#[tokio::test]
async fn a_small_object_is_what_its_checksum_says_and_a_page_is_none() {
    let right = content(1000);
    let mut flipped = right.clone();
    flipped[500] ^= 4;
    let sum = Checksum::of(Algorithm::XxHash64, &right).to_hex();
    for (status, body, kind) in [
        (206, right.clone(), None),
        (206, flipped, Some(holdall_store::ErrorKind::Corrupt)),
        (200, b"<html>Please log in</html>".to_vec(), Some(holdall_store::ErrorKind::Other)),
        (202, Vec::new(), Some(holdall_store::ErrorKind::Other)),
    ] {
        let (sent, sum) = (body.clone(), sum.clone());
        let server = Script::start(move |seen| {
            if seen.uri.contains("what=smap") {
                return reply(404, "");
            }
            let mut reply = reply(status, sent.clone());
            if status == 206 {
                for (name, value) in [
                    ("content-range", "bytes 0-999/1000"),
                    ("ais-atime", "1795403601545166280"),
                    ("ais-checksum-type", "xxhash2"),
                    ("ais-checksum-value", &sum),
                ] {
                    reply.headers_mut().insert(name, value.parse().unwrap());
                }
            }
            reply
        })
        .await;
        let store = Client::new(config(&server.url)).unwrap().bucket("b").as_store();
        let engine = Transfer::new();
        let read = async {
            let (_, pieces) = engine.stream(&store, &"o".into()).await?;
            pieces.try_collect::<Vec<_>>().await.map(|pieces| pieces.concat())
        };
        match read.await {
            Ok(read) => assert_eq!((read, None), (body, kind)),
            Err(error) => assert_eq!(Some(error.kind()), kind, "{status}: {error}"),
        }
    }
}

#[tokio::test]
async fn what_a_cluster_cannot_have_said_is_no_object() {
    let server = Script::start(|seen| {
        let mut reply = reply(if seen.method == Method::GET { 206 } else { 200 }, vec![7; 10]);
        if !seen.uri.contains("/page") {
            for (name, value) in [("content-range", "bytes 11-20/100"), ("ais-atime", "17")] {
                reply.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        reply
    })
    .await;
    let store = Client::new(config(&server.url)).unwrap().bucket("b").as_store();
    let (object, page) = (Path::from("object"), Path::from("page"));
    let read = async |range| store.get_range(&object, range).await;
    assert_eq!(read(11..21).await.unwrap(), [7; 10].as_slice());
    for other in [10..20, 11..20, 11..22] {
        let error = read(other).await.unwrap_err();
        assert!(error.to_string().contains("sends bytes 11..21"), "{error}");
    }
    assert_eq!(store.head(&object).await.unwrap().size, 100);
    let error = store.head(&page).await.unwrap_err();
    assert!(error.to_string().contains("no object of the service"), "{error}");
}

#[tokio::test]
async fn what_is_read_is_what_its_checksum_says() {
    let sum = Checksum::of(Algorithm::XxHash64, b"content").to_hex();
    let server = Script::start(move |seen| {
        let body = if seen.uri.contains("/flipped") { "Content" } else { "content" };
        let mut reply = reply(200, body);
        let headers =
            [("ais-atime", "17"), ("ais-checksum-type", "xxhash2"), ("ais-checksum-value", &sum)];
        for (name, value) in headers {
            reply.headers_mut().insert(name, value.parse().unwrap());
        }
        reply
    })
    .await;
    let store = Client::new(config(&server.url)).unwrap().bucket("b").as_store();
    let right = store.get(&"right".into()).await.unwrap();
    assert_eq!(right.bytes().await.unwrap(), "content");
    let error = store.get(&"flipped".into()).await.unwrap().bytes().await.unwrap_err();
    assert!(error.to_string().contains("its checksum is xxhash64:"), "{error}");
}
