//! Hosts that ask for fewer requests get fewer, and all of them are answered in the end.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use holdall_store::object_store::ObjectStoreExt;
use holdall_store::{OpenOptions, Registry, Store};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

/// A service that allows so many requests per second and answers 503 to the others.
#[derive(Clone)]
struct Throttling(Arc<Inner>);

struct Inner {
    /// Requests per second.
    rate: AtomicU64,
    retry_after: Option<String>,
    tokens: Mutex<(f64, Instant)>,
    begin: Instant,
    /// Accepted and refused requests of each tenth of a second.
    seen: Mutex<BTreeMap<u64, (u64, u64)>>,
}

impl Throttling {
    async fn start(rate: u64, retry_after: Option<&str>) -> (Self, Store) {
        Self::start_with(rate, retry_after, None).await
    }

    async fn start_with(
        rate: u64,
        retry_after: Option<&str>,
        max_retries: Option<usize>,
    ) -> (Self, Store) {
        let inner = Inner {
            rate: rate.into(),
            retry_after: retry_after.map(str::to_owned),
            tokens: Mutex::new((rate as f64 / 5.0, Instant::now())),
            begin: Instant::now(),
            seen: Mutex::default(),
        };
        let service = Self(Arc::new(inner));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = service.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let server = server.clone();
                let answer = service_fn(move |_: hyper::Request<Incoming>| {
                    let reply = server.answer();
                    async { Ok::<_, Infallible>(reply) }
                });
                tokio::spawn(async move {
                    let http = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    drop(http.serve_connection(TokioIo::new(socket), answer).await);
                });
            }
        });
        let mut options = OpenOptions::default()
            .with("endpoint", endpoint)
            .with("allow_http", "true")
            .with("region", "us-east-1")
            .with("skip_signature", "true");
        options.use_env = false;
        if let Some(most) = max_retries {
            options.retry.max_retries = most;
        }
        (service, Registry::default().open("s3://bucket", &options).unwrap().0)
    }

    fn answer(&self) -> hyper::Response<Full<Bytes>> {
        let allowed = {
            let rate = self.0.rate.load(Ordering::Relaxed) as f64;
            let mut tokens = self.0.tokens.lock().unwrap();
            let gained = tokens.1.elapsed().as_secs_f64() * rate;
            *tokens = ((tokens.0 + gained).min(rate / 5.0), Instant::now());
            let allowed = tokens.0 >= 1.0;
            tokens.0 -= if allowed { 1.0 } else { 0.0 };
            allowed
        };
        let tenth = self.0.begin.elapsed().as_millis() as u64 / 100;
        let mut seen = self.0.seen.lock().unwrap();
        let counts = seen.entry(tenth).or_default();
        if allowed {
            counts.0 += 1;
            let reply = hyper::Response::builder()
                .header("etag", "\"1\"")
                .header("last-modified", "Sat, 21 Nov 2026 00:00:00 GMT");
            return reply.body(Full::from("content")).unwrap();
        }
        counts.1 += 1;
        let mut reply = hyper::Response::builder().status(503);
        if let Some(after) = &self.0.retry_after {
            reply = reply.header("retry-after", after);
        }
        reply.body(Full::from("<Error><Code>SlowDown</Code></Error>")).unwrap()
    }

    /// Accepted and refused requests per second between two moments of its life, in tenths of a second.
    fn rates(&self, from: u64, to: u64) -> (f64, f64) {
        let seen = self.0.seen.lock().unwrap();
        let counts: Vec<_> = seen.range(from..to).map(|(_, counts)| *counts).collect();
        let seconds = (to - from) as f64 / 10.0;
        let sum = |pick: fn(&(u64, u64)) -> u64| counts.iter().map(pick).sum::<u64>() as f64;
        (sum(|c| c.0) / seconds, sum(|c| c.1) / seconds)
    }

    fn tenths(&self) -> u64 {
        self.0.begin.elapsed().as_millis() as u64 / 100
    }
}

/// Reads with 64 workers until `end`; every read has to succeed.
async fn read(store: &Store, end: Instant) -> usize {
    let workers = (0..64).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut done = 0;
            while Instant::now() < end {
                let content = store.get(&"k".into()).await.unwrap().bytes().await.unwrap();
                assert_eq!(content, "content");
                done += 1;
            }
            done
        })
    });
    futures::future::join_all(workers).await.into_iter().map(Result::unwrap).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_gives_nearly_all_it_allows_and_nothing_fails() {
    let (service, store) = Throttling::start(60, None).await;
    read(&store, Instant::now() + Duration::from_secs(9)).await;
    let (accepted, refused) = service.rates(10, 90);
    assert!(accepted >= 0.8 * 60.0, "{accepted}/s accepted, {refused}/s refused of 60/s");
    assert!(refused < 0.3 * 60.0, "{refused}/s refused");

    service.0.rate.store(180, Ordering::Relaxed);
    read(&store, Instant::now() + Duration::from_secs(12)).await;
    let now = service.tenths();
    let (accepted, _) = service.rates(now - 40, now - 10);
    assert!(accepted >= 0.7 * 180.0, "{accepted}/s accepted after the host allows 180/s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_names_a_time_is_left_alone_until_then() {
    let (service, store) = Throttling::start(100, Some("1")).await;
    read(&store, Instant::now() + Duration::from_secs(3)).await;
    let seen = service.0.seen.lock().unwrap().clone();
    // The burst that is on its way when the first refusal comes, then nothing for nearly a second.
    let first = *seen.iter().find(|(_, counts)| counts.1 > 0).unwrap().0;
    let quiet =
        seen.range(first + 2..first + 9).map(|(_, counts)| counts.0 + counts.1).sum::<u64>();
    assert_eq!(quiet, 0, "{seen:?}");
}

#[tokio::test]
async fn who_wants_no_repetition_sees_the_refusal() {
    let (service, store) = Throttling::start_with(0, None, Some(0)).await;
    for _ in 0..3 {
        let error = store.get(&"k".into()).await.unwrap_err();
        let error = store.error("get", &"k".into(), error);
        assert_eq!(error.status(), Some(503), "{error}");
    }
    assert_eq!(service.0.seen.lock().unwrap().values().map(|counts| counts.1).sum::<u64>(), 3);
}
