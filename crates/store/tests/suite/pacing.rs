//! Hosts that ask for fewer requests get fewer, and all of them are answered in the end.
//!
//! Time is Tokio's and paused: it passes when nothing else can happen, so that a busy machine changes no rate.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use holdall_store::object_store::ObjectStoreExt;
use holdall_store::{OpenOptions, Registry, Store};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::Instant;

/// How a service decides whom it answers.
#[derive(Debug, Clone, Copy)]
enum Allows {
    /// So many per second, and it saves up some.
    Rate { per_second: f64, burst: f64 },
    /// So many in each second of the clock, the first that come.
    Quota(usize),
}

/// How long a request takes that is answered.
const LATENCY: Duration = Duration::from_millis(20);

impl Allows {
    /// Requests per second, at most.
    fn per_second(self) -> f64 {
        match self {
            Self::Rate { per_second, .. } => per_second,
            Self::Quota(count) => count as f64,
        }
    }
}

/// A service that refuses what it does not allow.
#[derive(Clone)]
struct Throttling(Arc<Inner>);

struct Inner {
    status: u16,
    retry_after: Option<&'static str>,
    begin: Instant,
    state: Mutex<State>,
}

struct State {
    allows: Allows,
    tokens: f64,
    last: Instant,
    /// When requests were accepted and refused, in seconds of its life.
    accepted: Vec<f64>,
    refused: Vec<f64>,
}

impl Throttling {
    async fn start(
        allows: Allows,
        status: u16,
        retry_after: Option<&'static str>,
    ) -> (Self, Store) {
        Self::start_with(allows, status, retry_after, None).await
    }

    async fn start_with(
        allows: Allows,
        status: u16,
        retry_after: Option<&'static str>,
        max_retries: Option<usize>,
    ) -> (Self, Store) {
        let now = Instant::now();
        let state = State {
            allows,
            tokens: if let Allows::Rate { burst, .. } = allows { burst } else { 0.0 },
            last: now,
            accepted: Vec::new(),
            refused: Vec::new(),
        };
        let service =
            Self(Arc::new(Inner { status, retry_after, begin: now, state: Mutex::new(state) }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = service.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let server = server.clone();
                let answer = service_fn(move |_: hyper::Request<Incoming>| {
                    let server = server.clone();
                    async move { Ok::<_, Infallible>(server.answer().await) }
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

    async fn answer(&self) -> hyper::Response<Full<Bytes>> {
        if self.admit() {
            tokio::time::sleep(LATENCY).await;
            let reply = hyper::Response::builder()
                .header("etag", "\"1\"")
                .header("last-modified", "Sat, 21 Nov 2026 00:00:00 GMT");
            return reply.body(Full::from("content")).unwrap();
        }
        let mut reply = hyper::Response::builder().status(self.0.status);
        if let Some(after) = &self.0.retry_after {
            reply = reply.header("retry-after", *after);
        }
        reply.body(Full::from("<Error><Code>SlowDown</Code></Error>")).unwrap()
    }

    fn admit(&self) -> bool {
        let now = self.age();
        let mut state = self.state();
        let enough = match state.allows {
            Allows::Rate { per_second, burst } => {
                let gained = state.last.elapsed().as_secs_f64() * per_second;
                state.tokens = (state.tokens + gained).min(burst);
                state.last = Instant::now();
                let enough = state.tokens >= 1.0;
                state.tokens -= if enough { 1.0 } else { 0.0 };
                enough
            }
            Allows::Quota(count) => {
                let second = now.floor();
                state.accepted.iter().rev().take_while(|at| **at >= second).count() < count
            }
        };
        match enough {
            true => state.accepted.push(now),
            false => state.refused.push(now),
        }
        enough
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn age(&self) -> f64 {
        self.0.begin.elapsed().as_secs_f64()
    }

    /// What it accepted and refused between two moments of its life, as shares of what it allowed.
    fn shares(&self, seconds: &Range<f64>) -> (f64, f64) {
        let state = self.state();
        let allowed = state.allows.per_second() * (seconds.end - seconds.start);
        let share =
            |of: &[f64]| of.iter().filter(|at| seconds.contains(*at)).count() as f64 / allowed;
        (share(&state.accepted), share(&state.refused))
    }
}

/// Lets no more than a millisecond pass while bytes are between two sockets.
fn tick() {
    tokio::spawn(async {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}

/// Reads with 64 workers for so many seconds; every read has to succeed.
async fn read(store: &Store, seconds: f64) {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let workers = (0..64).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            while Instant::now() < end {
                let content = store.get(&"k".into()).await.unwrap().bytes().await.unwrap();
                assert_eq!(content, "content");
            }
        })
    });
    futures::future::join_all(workers).await.into_iter().for_each(Result::unwrap);
}

#[tokio::test(start_paused = true)]
async fn hosts_give_nearly_all_they_allow_and_nothing_fails() {
    tick();
    for (allows, status) in [
        (Allows::Rate { per_second: 50.0, burst: 5.0 }, 503),
        (Allows::Rate { per_second: 50.0, burst: 75.0 }, 429),
        (Allows::Rate { per_second: 15.0, burst: 5.0 }, 503),
        (Allows::Quota(50), 429),
        (Allows::Quota(20), 503),
    ] {
        let (service, store) = Throttling::start(allows, status, None).await;
        read(&store, 30.0).await;
        let (accepted, refused) = service.shares(&(0.0..30.0));
        assert!(accepted >= 0.9, "{allows:?}: {accepted} accepted, {refused} refused");
        let (_, refused) = service.shares(&(5.0..30.0));
        assert!(refused < 0.1, "{allows:?}: {refused} refused");
    }
}

#[tokio::test(start_paused = true)]
async fn each_of_several_hosts_gives_nearly_all_it_allows() {
    tick();
    let many = Allows::Quota(60);
    let few = Allows::Rate { per_second: 30.0, burst: 10.0 };
    let (one, other) =
        (Throttling::start(many, 429, None).await, Throttling::start(few, 503, None).await);
    futures::future::join(read(&one.1, 30.0), read(&other.1, 30.0)).await;
    for (service, _) in [one, other] {
        let (accepted, refused) = service.shares(&(0.0..30.0));
        assert!(accepted >= 0.9, "{accepted} accepted, {refused} refused");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_allows_more_is_found_out() {
    tick();
    let allows = |per_second| Allows::Rate { per_second, burst: per_second / 5.0 };
    let (service, store) = Throttling::start(allows(40.0), 503, None).await;
    read(&store, 10.0).await;
    service.state().allows = allows(120.0);
    read(&store, 25.0).await;
    let (accepted, _) = service.shares(&(25.0..35.0));
    assert!(accepted >= 0.9, "{accepted} accepted");
}

#[tokio::test(start_paused = true)]
async fn hosts_that_name_a_time_give_nearly_all_they_allow() {
    tick();
    for (allows, after) in [
        (Allows::Rate { per_second: 50.0, burst: 5.0 }, "30"),
        (Allows::Quota(50), "1"),
        (Allows::Quota(20), "10"),
    ] {
        let (service, store) = Throttling::start(allows, 429, Some(after)).await;
        read(&store, 40.0).await;
        let (accepted, refused) = service.shares(&(5.0..40.0));
        assert!(accepted >= 0.9, "{allows:?}, {after}: {accepted} accepted, {refused} refused");
        assert!(refused < 0.1, "{allows:?}, {after}: {refused} refused");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_closed_is_asked_seldom_until_the_time_it_names() {
    tick();
    let (service, store) = Throttling::start(Allows::Quota(0), 429, Some("20")).await;
    let reading = tokio::spawn(async move { read(&store, 5.0).await });
    tokio::time::sleep(Duration::from_secs(18)).await;
    // Those that were on their way when the first refusal came apart.
    let asked = service.state().refused.iter().filter(|at| **at > 0.5).count();
    assert!((1..10).contains(&asked), "{asked}");
    service.state().allows = Allows::Quota(50);
    reading.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_host_that_refuses_everything() {
    tick();
    let (service, store) = Throttling::start(Allows::Quota(0), 503, None).await;
    let reads = (0..300).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.get(&"k".into()).await.map(drop).unwrap_err() })
    });
    let errors = futures::future::join_all(reads).await;
    // One after the other, each repeated ten times, they would take hours.
    assert!(service.age() < 300.0, "{} s", service.age());
    for error in errors {
        let error = store.error("get", &"k".into(), error.unwrap());
        assert_eq!(error.status(), Some(503), "{error}");
    }
    // It is asked all the same now and then, and found to be open.
    service.state().allows = Allows::Quota(50);
    read(&store, 5.0).await;
}

#[tokio::test]
async fn who_wants_no_repetition_sees_the_refusal() {
    let (service, store) = Throttling::start_with(Allows::Quota(0), 503, None, Some(0)).await;
    for _ in 0..3 {
        let error = store.get(&"k".into()).await.unwrap_err();
        let error = store.error("get", &"k".into(), error);
        assert_eq!(error.status(), Some(503), "{error}");
    }
    assert_eq!(service.state().refused.len(), 3);
}
