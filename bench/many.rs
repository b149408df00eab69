//! Ten million keys: how long the `holdall` command takes to list, compare and copy them, and how much memory.
//!
//! ```text
//! cargo run --release -p holdall-store --example bench-many -- COMMAND [KEYS] [COPIES]
//! ```
//!
//! The service is this process, on loopback; it makes up its keys. Bucket `keys-N` has N objects of ten bytes, and forgets
//! what is written to it. The command is another process, whose memory is watched from outside.
#![expect(clippy::print_stdout, reason = "a table is what this program is for")]

use std::convert::Infallible;
use std::fmt::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};

const PAGE: usize = 1000;
const CONTENT: &str = "0123456789";
/// The MD5 of the content.
const TAG: &str = "\"781e5e245d69b566979b86e28d23f2c7\"";

/// The keys in order: a thousand to a directory.
fn key(number: usize) -> String {
    format!("part-{:06}/{:03}.bin", number / 1000, number % 1000)
}

/// How many keys, of `count`, come before all for which `after` holds.
fn position(count: usize, after: impl Fn(&str) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = usize::midpoint(low, high);
        if after(&key(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// A page of a listing.
fn page(count: usize, query: &str) -> String {
    let (mut prefix, mut last) = (String::new(), String::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "prefix" => prefix = value.into_owned(),
            "start-after" | "continuation-token" => last = value.into_owned(),
            _ => {}
        }
    }
    let from = position(count, |key| *key > *last && *key >= *prefix);
    let to = position(count, |key| *key > *prefix && !key.starts_with(&prefix)).max(from);
    let end = to.min(from + PAGE);
    let mut xml = String::from("<ListBucketResult>");
    for number in from..end {
        let _ = write!(
            xml,
            "<Contents><Key>{}</Key><LastModified>2026-11-21T00:00:00.000Z</LastModified>\
             <ETag>&quot;781e5e245d69b566979b86e28d23f2c7&quot;</ETag><Size>10</Size></Contents>",
            key(number)
        );
    }
    if end < to {
        let _ = write!(xml, "<NextContinuationToken>{}</NextContinuationToken>", key(end - 1));
    }
    xml.push_str("</ListBucketResult>");
    xml
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // What is written is read to its end and forgotten.
    drop(body.collect().await);
    let mut parts = head.uri.path().trim_start_matches('/').splitn(2, '/');
    let bucket = parts.next().unwrap_or_default();
    let count = bucket.strip_prefix("keys-").and_then(|n| n.parse().ok()).unwrap_or(0);
    let is_object = parts.next().is_some_and(|key| !key.is_empty());
    let reply = Response::builder()
        .header("ETag", TAG)
        .header("Last-Modified", "Sat, 21 Nov 2026 00:00:00 GMT");
    let body = match (&head.method, is_object) {
        (&Method::PUT, _) => Bytes::new(),
        (_, true) => Bytes::from_static(CONTENT.as_bytes()),
        (_, false) => page(count, head.uri.query().unwrap_or_default()).into(),
    };
    Ok(reply.body(Full::new(body)).expect("a reply of fixed headers"))
}

async fn serve() -> std::io::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                drop(server.serve_connection(TokioIo::new(socket), service_fn(answer)).await);
            });
        }
    });
    Ok(url)
}

/// The most memory that a process has had so far, in MiB, where the system says so.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

/// Runs the command to its end: seconds, MiB at most.
fn run(command: &str, arguments: &[&str]) -> (f64, u64) {
    let begin = Instant::now();
    let mut child = Command::new(command)
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {command}: {error}"));
    let mut most = 0;
    let status = loop {
        most = most.max(peak(child.id()));
        if let Some(status) = child.try_wait().expect("it is a child of this process") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{command} {arguments:?} ended with {status}");
    (begin.elapsed().as_secs_f64(), most)
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().expect("the holdall command as the first argument");
    let mut numbers = arguments.map(|text| text.parse::<usize>().expect("a whole number"));
    let keys = numbers.next().unwrap_or(10_000_000);
    let copies = numbers.next().unwrap_or(1_000_000);
    let (from, to) = (serve().await, serve().await);
    let setting =
        |url: std::io::Result<String>| format!("endpoint={}", url.expect("a socket on loopback"));
    let (source, target) = (setting(from), setting(to));
    let common =
        ["--config=allow_http=true", "--config=region=us-east-1", "--config=skip_signature=true"];
    let place = |count: usize| format!("s3://keys-{count}/");
    println!("{:<28} {:>10} {:>9} {:>9} {:>10}", "", "keys", "seconds", "keys/s", "peak MiB");
    let jobs: [(&str, usize, Vec<&str>); 4] = [
        ("list", keys, vec!["ls", "-r"]),
        ("compare two sides", keys, vec!["sync", "-q"]),
        ("copy between services", copies, vec!["cp", "-r", "-q"]),
        ("copy a tenth of that", copies / 10, vec!["cp", "-r", "-q"]),
    ];
    for (name, count, mut job) in jobs {
        let place = place(count);
        job.extend(common);
        let is_listing = job[0] == "ls";
        let ends: &[&str] = match is_listing {
            true => &["--config", &source, &place],
            false => &["--source-config", &source, "--target-config", &target, &place, &place],
        };
        job.extend(ends);
        let command = command.clone();
        let own: Vec<String> = job.iter().map(|text| (*text).to_owned()).collect();
        let run = move || run(&command, &own.iter().map(String::as_str).collect::<Vec<_>>());
        let (seconds, memory) = tokio::task::spawn_blocking(run).await.expect("it is awaited");
        let rate = count as f64 / seconds;
        println!("{name:<28} {count:>10} {seconds:>9.1} {rate:>9.0} {memory:>10}");
    }
}
