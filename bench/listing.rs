//! How long it takes to list a million keys of an S3 service whose pages take 50 ms: page by page, and with many requests at
//! once.
//!
//! ```text
//! cargo run --release -p holdall-store --example bench-listing -- [KEYS] [MILLISECONDS]
//! ```
//!
//! The service runs in the same process, on loopback: the time it takes to write a page is part of what is measured.
#![expect(clippy::print_stdout, reason = "a table is what this program is for")]

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use holdall_store::{ListOptions, OpenOptions, ParallelOptions, Registry, Store};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

/// Keys of one page, as S3 gives them.
const PAGE: usize = 1000;

/// Keys in order, and what a page of them costs.
struct Service {
    keys: Vec<String>,
    delay: Duration,
    pages: AtomicUsize,
}

impl Service {
    async fn answer(&self, query: &str) -> String {
        self.pages.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.delay).await;
        let (mut prefix, mut after) = (String::new(), String::new());
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "prefix" => prefix = value.into_owned(),
                "start-after" | "continuation-token" => after = value.into_owned(),
                _ => {}
            }
        }
        let from = self.keys.partition_point(|key| *key <= after || *key < prefix);
        let found = self.keys[from..].iter().take_while(|key| key.starts_with(&prefix));
        let page: Vec<&String> = found.take(PAGE).collect();
        let more = self.keys.get(from + PAGE).is_some_and(|key| key.starts_with(&prefix));
        let mut xml = String::from("<ListBucketResult>");
        for key in &page {
            let _ = write!(
                xml,
                "<Contents><Key>{key}</Key><LastModified>2026-11-21T00:00:00.000Z</LastModified>\
                 <ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>1024</Size></Contents>"
            );
        }
        if let (true, Some(last)) = (more, page.last()) {
            let _ = write!(xml, "<NextContinuationToken>{last}</NextContinuationToken>");
        }
        xml.push_str("</ListBucketResult>");
        xml
    }
}

async fn serve(service: Arc<Service>) -> std::io::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            let answer = service_fn(move |request: hyper::Request<Incoming>| {
                let service = service.clone();
                async move {
                    let page = service.answer(request.uri().query().unwrap_or_default()).await;
                    Ok::<_, Infallible>(hyper::Response::new(Full::new(Bytes::from(page))))
                }
            });
            tokio::spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                drop(server.serve_connection(TokioIo::new(socket), answer).await);
            });
        }
    });
    Ok(url)
}

async fn seconds(store: &Store, how: ParallelOptions, count: usize) -> f64 {
    let begin = Instant::now();
    let mut listing = store.list_parallel(ListOptions::default(), how);
    let mut found = 0;
    while listing.try_next().await.expect("the service does not fail").is_some() {
        found += 1;
    }
    assert_eq!(found, count, "a key is missing or came twice");
    begin.elapsed().as_secs_f64()
}

/// The most memory this process had, in MiB, where the system says so.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse().expect("a whole number"));
    let count: usize = numbers.next().unwrap_or(1_000_000);
    let delay = Duration::from_millis(numbers.next().unwrap_or(50) as u64);
    println!("{count} keys, {delay:?} per page of {PAGE}");
    println!(
        "{:<14} {:<22} {:>9} {:>12} {:>8} {:>7}",
        "keys", "listing", "seconds", "keys/s", "pages", "ratio"
    );
    let hash = |i: usize| (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    type Name = Box<dyn Fn(usize) -> String>;
    let names: [(&str, Name); 3] = [
        ("numbers", Box::new(|i| format!("data/{i:012}"))),
        ("hashes", Box::new(move |i| format!("{:016x}", hash(i)))),
        (
            "directories",
            Box::new(|i| format!("year/{:02}/{:03}/{}.tif", i / 80_000, i / 500 % 160, i % 500)),
        ),
    ];
    for (name, key) in names {
        let mut keys: Vec<String> = (0..count).map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        let count = keys.len();
        let service = Arc::new(Service { keys, delay, pages: AtomicUsize::new(0) });
        let url = serve(service.clone()).await.expect("a socket on loopback");
        let mut options = OpenOptions::default()
            .with("endpoint", url)
            .with("allow_http", "true")
            .with("region", "us-east-1")
            .with("skip_signature", "true");
        options.use_env = false;
        let store = Registry::default().open("s3://bucket", &options).expect("it opens").0;
        let mut plain = None;
        for (listing, how) in [
            ("page by page", ParallelOptions::default().with_workers(1)),
            ("32 requests, sorted", ParallelOptions::default()),
            ("32 requests, any order", ParallelOptions::default().with_sorted(false)),
        ] {
            service.pages.store(0, Ordering::Relaxed);
            let seconds = seconds(&store, how, count).await;
            let ratio = *plain.get_or_insert(seconds) / seconds;
            let pages = service.pages.load(Ordering::Relaxed);
            let rate = count as f64 / seconds;
            println!(
                "{name:<14} {listing:<22} {seconds:>9.2} {rate:>12.0} {pages:>8} {ratio:>6.1}x"
            );
        }
    }
    println!("peak memory, with the keys of the service: {} MiB", peak());
}
