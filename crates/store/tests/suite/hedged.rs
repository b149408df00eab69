//! Reads that ask a second time when an answer is slow.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::TryStreamExt;
use holdall_store::object_store::path::Path;
use holdall_store::transfer::{Budget, Limits, Transfer, TransferOptions};
use holdall_store::{OpenOptions, Registry, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const PART: u64 = 5 << 20;

/// What a service has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    /// How often each range was asked for, by its first byte.
    asked: HashMap<u64, usize>,
    in_flight: usize,
    most_in_flight: usize,
    /// Requests whose connection was closed before they were answered.
    given_up: usize,
}

impl Seen {
    fn requests(&self) -> usize {
        self.asked.values().sum()
    }
}

/// How long an answer takes, by how often its range was asked for before; none for ever.
type Delay = fn(usize) -> Option<Duration>;

/// A service with one object that answers as slowly as it is told.
struct Slow {
    content: Vec<u8>,
    delay: Delay,
    seen: Mutex<watch::Sender<Seen>>,
}

impl Slow {
    async fn start(length: usize, delay: Delay) -> (Arc<Self>, Store) {
        let content: Vec<u8> = (0..length as u64).map(|n| ((n * 31) >> 7) as u8).collect();
        let slow = Arc::new(Self { content, delay, seen: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = slow.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move { while service.serve(&mut socket).await.is_some() {} });
            }
        });
        let mut options = OpenOptions::default();
        options.client.allow_http = true;
        (slow, Registry::default().open(&url, &options).unwrap().0)
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        self.seen.lock().unwrap().send_modify(change);
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap().borrow().clone()
    }

    /// Waits until what was seen is so; whoever gives a request up is not heard of at once.
    async fn until(&self, is_so: impl Fn(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.lock().unwrap().subscribe();
        seen.wait_for(|seen| is_so(seen)).await.unwrap().clone()
    }

    /// Answers one request.
    async fn serve(&self, socket: &mut TcpStream) -> Option<()> {
        let range = self.request(socket).await?;
        let mut before = 0;
        self.note(|seen| {
            before = *seen.asked.entry(range.start).and_modify(|n| *n += 1).or_insert(1) - 1;
            seen.in_flight += 1;
            seen.most_in_flight = seen.most_in_flight.max(seen.in_flight);
        });
        let wait = async {
            match (self.delay)(before) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => std::future::pending().await,
            }
        };
        let is_awaited = tokio::select! {
            () = wait => true,
            _ = socket.read_u8() => false,
        };
        self.note(|seen| {
            seen.in_flight -= 1;
            seen.given_up += usize::from(!is_awaited);
        });
        is_awaited.then_some(())?;
        let body = &self.content[range.start as usize..range.end as usize];
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\nETag: \"e\"\r\n\
             Last-Modified: Sat, 21 Nov 2026 00:00:00 GMT\r\n\r\n",
            body.len(),
            range.start,
            range.end - 1,
            self.content.len()
        );
        socket.write_all(head.as_bytes()).await.ok()?;
        socket.write_all(body).await.ok()
    }

    /// The range that the next request is for.
    async fn request(&self, socket: &mut TcpStream) -> Option<Range<u64>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let (_, range) = head.split_once("range: bytes=").expect("parts are asked for");
        let (from, to) = range.lines().next().unwrap().split_once('-').unwrap();
        let end: u64 = to.parse::<u64>().unwrap() + 1;
        Some(from.parse().unwrap()..end.min(self.content.len() as u64))
    }
}

fn transfer(hedge: Option<Duration>, requests: usize) -> Transfer {
    let limits = Limits::default().with_requests(requests).with_requests_per_host(requests);
    let options = TransferOptions::default().with_part_bytes(PART).with_hedge(hedge);
    Transfer::new().with_budget(Budget::new(limits)).with_options(options)
}

const SOON: Option<Duration> = Some(Duration::from_millis(20));

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_a_second_time_overtakes_what_is_not_answered() {
    let delay: Delay = |before| (before > 0).then_some(Duration::ZERO);
    // Of one part, whose request opens the object, and of several.
    for length in [1000, 3 * PART as usize + 77] {
        let (service, store) = Slow::start(length, delay).await;
        let key = Path::from("k");
        let read = transfer(SOON, 64).read(&store, &key).await.unwrap();
        assert!(read == service.content);
        let seen = service.until(|seen| seen.in_flight == 0).await;
        assert!(seen.asked.values().all(|asked| *asked == 2), "{seen:?}");
        assert_eq!(seen.given_up, seen.asked.len(), "whoever is overtaken is given up");

        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        let (service, store) = Slow::start(length, delay).await;
        transfer(SOON, 64).download(&store, &key, &file).await.unwrap();
        assert!(std::fs::read(&file).unwrap() == service.content);
        let seen = service.until(|seen| seen.in_flight == 0).await;
        assert!(seen.asked.values().all(|asked| *asked == 2), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_twice_unless_it_is_slow_and_somebody_wants_it() {
    let late: Delay = |_| Some(Duration::from_millis(100));
    let at_once: Delay = |_| Some(Duration::ZERO);
    for (hedge, delay) in [(None, late), (Some(Duration::from_secs(3600)), at_once)] {
        let (service, store) = Slow::start(3 * PART as usize, delay).await;
        let read = transfer(hedge, 64).read(&store, &Path::from("k")).await.unwrap();
        assert!(read == service.content);
        let seen = service.seen();
        assert!(seen.asked.values().all(|asked| *asked == 1), "{seen:?}");
        assert_eq!(seen.given_up, 0);
    }
    assert_eq!(TransferOptions::default().hedge, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_request_is_one_of_those_that_the_budget_allows() {
    let delay: Delay = |_| Some(Duration::from_millis(100));
    for requests in [1, 3] {
        let (service, store) = Slow::start(8 * PART as usize, delay).await;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        transfer(SOON, requests).download(&store, &Path::from("k"), &file).await.unwrap();
        assert!(std::fs::read(&file).unwrap() == service.content);
        let seen = service.until(|seen| seen.in_flight == 0).await;
        assert!(seen.most_in_flight <= requests, "{seen:?}");
        assert!(seen.asked.values().all(|asked| *asked <= 2), "{seen:?}");
        // The first one, whose object nobody knows yet, is alone: there is room beside it unless there is none at all.
        assert_eq!(seen.requests() > seen.asked.len(), requests > 1, "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_objects_takes_of_the_requests_that_the_budget_allows() {
    let delay: Delay = |_| Some(Duration::from_millis(20));
    for length in [1000, 2 * PART as usize + 77] {
        let (service, store) = Slow::start(length, delay).await;
        let transfer = transfer(None, 2);
        let key = Path::from("k");
        let read = (0..6).map(|_| transfer.read(&store, &key));
        for read in futures::future::join_all(read).await {
            assert!(read.unwrap() == service.content);
        }
        let streams = (0..6).map(|_| async {
            let (_, stream) = transfer.stream(&store, &key).await.unwrap();
            stream.try_collect::<Vec<_>>().await.unwrap().concat()
        });
        for read in futures::future::join_all(streams).await {
            assert!(read == service.content);
        }
        let mut buffers = vec![vec![0; length]; 6];
        let read = buffers.iter_mut().map(|buffer| transfer.read_into(&store, &key, buffer));
        futures::future::try_join_all(read).await.unwrap();
        assert!(buffers.iter().all(|buffer| *buffer == service.content));
        let seen = service.until(|seen| seen.in_flight == 0).await;
        assert_eq!(seen.most_in_flight, 2, "{seen:?}");
    }
}
