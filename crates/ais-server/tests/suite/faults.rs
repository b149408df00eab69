//! What goes wrong on purpose, as clients see it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use holdall_ais_server::{Faults, Options};
use reqwest::{Method, Response};
use serde_json::Value;

use crate::support::{Ais, header};

async fn serve(plan: &str) -> Ais {
    let faults = Some(Faults::parse_toml(plan, "plan").expect("a plan"));
    let ais = Ais::with(Options { faults, ..Options::default() }).await;
    ais.create("b").await;
    ais
}

async fn read(reply: Response) -> (Vec<u8>, bool) {
    let (mut bytes, mut stream) = (Vec::new(), reply.bytes_stream());
    while let Some(next) = stream.next().await {
        match next {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(_) => return (bytes, false),
        }
    }
    (bytes, true)
}

async fn range(ais: &Ais, range: &str) -> Response {
    ais.request(Method::GET, "/v1/objects/b/o").header("range", range).send().await.unwrap()
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn answers_take_longer() {
    let ais =
        serve("[[fault]]\nkind = \"delay\"\ndelay = [\"30ms\", \"60ms\"]\nmethod = \"GET\"").await;
    ais.put("b/o", "x").await;
    let started = Instant::now();
    assert_eq!(ais.get("b/o").await.status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn errors_come_before_and_after_the_work() {
    let ais = serve(
        r#"
        [[fault]]
        kind = "status"
        status = 503
        retry_after = 2
        method = "PUT"
        path = "/v1/objects/b/never"
        [[fault]]
        kind = "status"
        status = 500
        when = "after"
        method = "PUT"
        path = "/v1/objects/b/done"
        limit = 1
        [[fault]]
        kind = "status"
        path = "/s3/**"
        "#,
    )
    .await;
    let reply = ais.put("b/never", vec![7; 300_000]).await;
    assert_eq!((reply.status().as_u16(), header(&reply, "retry-after")), (503, "2"));
    let said: Value = reply.json().await.unwrap();
    assert_eq!(said["status"], 503);
    assert!(said["message"].as_str().unwrap().contains("on purpose: fault \"fault-1\""), "{said}");
    assert_eq!(ais.get("b/never").await.status(), 404);

    assert_eq!(ais.put("b/done", "x").await.status(), 500);
    assert_eq!(ais.get("b/done").await.status(), 200, "the reply was lost, not the work");
    assert_eq!(ais.put("b/done", "y").await.status(), 200, "once");

    let reply = ais.send(Method::GET, "/s3/b/o").await;
    assert_eq!((reply.status().as_u16(), header(&reply, "content-type")), (503, "application/xml"));
}

#[tokio::test]
async fn bodies_are_cut() {
    for (at, len) in [
        ("bytes = 1000", Some(1000)),
        ("fraction = 0.5", Some(150_000)),
        ("bytes = 0", Some(0)),
        ("", None),
    ] {
        let ais = serve(&format!("[[fault]]\nkind = \"cut\"\npath = \"/v1/objects/b/*\"\nmethod = \"GET\"\nlimit = 1\n{at}")).await;
        let whole = content(300_000);
        ais.put("b/o", whole.clone()).await;
        let reply = ais.get("b/o").await;
        assert_eq!((reply.status().as_u16(), header(&reply, "content-length")), (200, "300000"));
        let (bytes, complete) = read(reply).await;
        assert!(!complete && whole.starts_with(&bytes));
        assert!(len.is_none_or(|len| len == bytes.len()), "{at}: {}", bytes.len());
        assert_eq!(read(ais.get("b/o").await).await, (whole, true));
    }
    // Bodies without a length, too.
    let ais = serve("[[fault]]\nkind = \"cut\"\nbytes = 700\npath = \"/v1/ml/moss/b\"").await;
    ais.put("b/o", content(5000)).await;
    let batch = serde_json::json!({"in": [{"objname": "o"}], "mime": ".tar", "strm": true});
    let reply = ais.request(Method::GET, "/v1/ml/moss/b").json(&batch).send().await.unwrap();
    let (bytes, complete) = read(reply).await;
    assert_eq!((bytes.len(), complete), (700, false));
}

#[tokio::test]
async fn bits_are_flipped() {
    for (at, size) in [("", 1000), ("byte = 3", 1000), ("", 5_000_000)] {
        let ais = serve(&format!(
            "[[fault]]\nkind = \"bit-flip\"\nmethod = \"GET\"\npath = \"/v1/objects/**\"\n{at}"
        ))
        .await;
        let whole = content(size);
        let sum = header(&ais.put("b/o", whole.clone()).await, "ais-checksum-value").to_owned();
        let reply = ais.get("b/o").await;
        assert_eq!(header(&reply, "ais-checksum-value"), sum, "the checksum is the right one");
        let (bytes, complete) = read(reply).await;
        assert!(complete && bytes.len() == whole.len());
        let wrong: Vec<usize> = (0..size).filter(|n| bytes[*n] != whole[*n]).collect();
        assert_eq!(wrong.len(), 1);
        assert_eq!((bytes[wrong[0]] ^ whole[wrong[0]]).count_ones(), 1);
        assert!(at.is_empty() || wrong == [3]);
    }
}

#[tokio::test]
async fn ranges_are_wrong() {
    let plan = |how: &str| format!("[[fault]]\nkind = \"wrong-range\"\n{how}");
    let whole = content(100);
    for (how, status, told, part) in [
        ("shift = 5", 206, "bytes 5-14/100", 5..15),
        ("how = \"lied\"\nshift = 5", 206, "bytes 10-19/100", 5..15),
        ("how = \"whole\"", 200, "", 0..100),
    ] {
        let ais = serve(&plan(how)).await;
        ais.put("b/o", whole.clone()).await;
        let reply = range(&ais, "bytes=10-19").await;
        assert_eq!(
            (reply.status().as_u16(), header(&reply, "content-range")),
            (status, told),
            "{how}"
        );
        assert_eq!(read(reply).await, (whole[part].to_vec(), true), "{how}");
        assert_eq!(read(ais.get("b/o").await).await, (whole.clone(), true), "no range, no fault");
        assert_eq!(ais.server.engine().faults().unwrap().counts()[0].injected, 1);
    }
}

#[tokio::test]
async fn versions_are_stale() {
    let ais = serve("[[fault]]\nkind = \"stale-etag\"\nmethod = [\"GET\", \"HEAD\"]").await;
    for text in ["a", "b", "c"] {
        ais.put("b/o", text).await;
    }
    let reply = ais.get("b/o").await;
    assert_eq!(header(&reply, "ais-version"), "2");
    assert_eq!(reply.text().await.unwrap(), "c");
    let plain = Ais::memory().await;
    plain.create("b").await;
    plain.put("b/o", "c").await;
    let right = header(&plain.send(Method::HEAD, "/s3/b/o").await, "etag").to_owned();
    let stale = header(&ais.send(Method::HEAD, "/s3/b/o").await, "etag").to_owned();
    assert!(stale.starts_with('"') && stale != right, "{stale} {right}");
}

/// Which of the objects cannot be read at the first try.
async fn failing(seed: u32, concurrency: usize) -> BTreeSet<usize> {
    let plan =
        format!("seed = {seed}\n[[fault]]\nkind = \"status\"\nmethod = \"GET\"\nprobability = 0.3");
    let ais = serve(&plan).await;
    for number in 0..60 {
        ais.put(&format!("b/{number}"), "x").await;
    }
    let read = |number: usize| {
        let ais = &ais;
        async move { (number, ais.get(&format!("b/{number}")).await.status().as_u16()) }
    };
    let replies = futures::stream::iter(0..60).map(read).buffer_unordered(concurrency);
    let failed =
        replies.filter_map(|(number, status)| async move { (status == 503).then_some(number) });
    failed.collect().await
}

#[tokio::test]
async fn the_same_seed_fails_the_same() {
    let one = failing(1, 1).await;
    assert!((5..35).contains(&one.len()), "{}", one.len());
    assert_eq!(one, failing(1, 16).await, "however many connections there are");
    assert_ne!(one, failing(2, 1).await);
}

#[tokio::test]
async fn faults_are_counted() {
    let ais = serve(
        "[[fault]]\nname = \"no reads\"\nkind = \"status\"\nmethod = \"GET\"\nafter = 1\nlimit = 2",
    )
    .await;
    ais.put("b/o", "x").await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(ais.get("b/o").await.status().as_u16());
    }
    assert_eq!(statuses, [200, 503, 503, 200, 200]);
    let metrics = ais.send(Method::GET, "/metrics").await.text().await.unwrap();
    for line in [
        "holdall_faults_matched{name=\"no reads\",kind=\"status\"} 5",
        "holdall_faults_injected{name=\"no reads\",kind=\"status\"} 2",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}
