//! Requests that drive their connections themselves: when those are used again, and when not.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdall_store::client;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use holdall_store::{OpenOptions, Registry, Store};
use tokio::runtime::{Builder, Runtime, RuntimeFlavor};

/// What the server does with one request.
enum Answer {
    /// These bytes, and the connection stays open.
    Keep(Vec<u8>),
    /// These bytes, and the connection is closed.
    Close(Vec<u8>),
}

/// A server with a thread for each connection, which the sleep of a client does not stop.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers requests in turn, whichever connection they come through, and all further ones with an empty object.
    fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers: Arc<Mutex<VecDeque<_>>> = Arc::new(Mutex::new(answers.into_iter().collect()));
        let (connections, requests) =
            (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
        let server = Self { address, connections: connections.clone(), requests: requests.clone() };
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (answers, requests) = (answers.clone(), requests.clone());
                std::thread::spawn(move || serve(socket.unwrap(), &answers, &requests));
            }
        });
        server
    }

    fn store(&self) -> Store {
        self.store_with(|_| {})
    }

    fn store_with(&self, change: impl FnOnce(&mut OpenOptions)) -> Store {
        let mut options = OpenOptions::default();
        options.client.allow_http = true;
        options.retry.max_retries = 0;
        // Every test has its own pool.
        options.client.user_agent = format!("test of {}", self.address);
        change(&mut options);
        Registry::default().open(&format!("http://{}", self.address), &options).unwrap().0
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut socket: TcpStream, answers: &Mutex<VecDeque<Answer>>, requests: &Mutex<Vec<String>>) {
    let mut received = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        let end = loop {
            if let Some(at) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            match socket.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(count) => received.extend_from_slice(&buffer[..count]),
            }
        };
        let head = String::from_utf8(received[..end].to_vec()).unwrap().to_lowercase();
        let length = head.split("content-length: ").nth(1);
        let length: usize =
            length.map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
        requests.lock().unwrap().push(head);
        let answer = answers.lock().unwrap().pop_front();
        match answer.unwrap_or_else(|| Answer::Keep(object(b""))) {
            Answer::Keep(bytes) => {
                while received.len() < end + length {
                    match socket.read(&mut buffer) {
                        Ok(0) | Err(_) => return,
                        Ok(count) => received.extend_from_slice(&buffer[..count]),
                    }
                }
                received.drain(..end + length);
                if socket.write_all(&bytes).is_err() {
                    return;
                }
            }
            Answer::Close(bytes) => {
                // What the client still sends is taken, so that the answer is not lost in a reset.
                drop(socket.write_all(&bytes));
                drop(socket.shutdown(std::net::Shutdown::Write));
                while matches!(socket.read(&mut buffer), Ok(1..)) {}
                return;
            }
        }
    }
}

fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nLast-Modified: Sat, 21 Nov 2026 00:00:00 GMT\r\n{headers}\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn object(body: &[u8]) -> Vec<u8> {
    reply("200 OK", &format!("Content-Length: {}\r\n", body.len()), body)
}

/// Somebody who waits for operations.
struct Caller {
    runtime: Runtime,
    /// Whether he has nothing else to do.
    alone: bool,
}

impl Caller {
    fn wait<T>(&self, operation: impl Future<Output = T>) -> T {
        let mut operation = pin!(operation);
        self.runtime.block_on(std::future::poll_fn(|cx| match self.alone {
            true => client::alone(|| operation.as_mut().poll(cx)),
            false => operation.as_mut().poll(cx),
        }))
    }
}

/// A thread that waits for one reply and does nothing else, and tasks of both kinds of runtimes.
fn each(test: impl Fn(&Caller)) {
    let one = || Builder::new_current_thread().enable_all().build().unwrap();
    let many = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for (runtime, alone) in [(one(), true), (one(), false), (many, false)] {
        test(&Caller { runtime, alone });
    }
}

async fn read(store: &Store, key: &str) -> holdall_store::object_store::Result<Vec<u8>> {
    let got = store.get_opts(&Path::from(key), GetOptions::default()).await?;
    Ok(got.bytes().await?.to_vec())
}

#[test]
fn a_connection_is_used_again() {
    each(|caller| {
        let server = Server::start([]);
        let store = server.store();
        for _ in 0..20 {
            caller.wait(read(&store, "k")).unwrap();
        }
        assert_eq!(server.connections(), 1);
        let request = &server.requests()[0];
        assert!(request.starts_with("get /k http/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("host: {}\r\n", server.address)), "{request}");
        assert!(request.contains("user-agent: test of "), "{request}");
    });
}

#[test]
fn threads_share_connections() {
    each(|caller| {
        let server = Server::start([]);
        let store = server.store();
        for _ in 0..5 {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        (0..10).for_each(|_| drop(caller.wait(read(&store, "k")).unwrap()))
                    });
                }
            });
        }
        assert_eq!(server.requests().len(), 200);
        // A task gives up the connection that it is opening for one that is handed back meanwhile.
        let most = if caller.alone { 4 } else { 40 };
        assert!(server.connections() <= most, "{}", server.connections());
    });
}

#[test]
fn a_connection_that_was_closed_while_idle_is_not_used() {
    each(|caller| {
        let closing = (0..5).map(|_| Answer::Close(object(b"x")));
        let server = Server::start(closing);
        let store = server.store();
        for _ in 0..5 {
            // Nothing is repeated: these must not fail for a connection that has gone.
            caller.wait(store.put(&Path::from("k"), "data".into())).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(server.connections(), 5);
    });
}

#[test]
fn bodies_end_as_they_say() {
    each(|caller| {
        let chunked = reply(
            "200 OK",
            "Transfer-Encoding: chunked\r\n",
            b"4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\nTrailer: t\r\n\r\n",
        );
        let endless = reply("200 OK", "Connection: close\r\n", b"to the end");
        let interim =
            [b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".as_slice(), &object(b"late")];
        let server = Server::start([
            Answer::Keep(chunked),
            Answer::Keep(interim.concat()),
            Answer::Close(endless),
        ]);
        let store = server.store();
        assert_eq!(caller.wait(read(&store, "k")).unwrap(), b"abcdefg");
        assert_eq!(caller.wait(read(&store, "k")).unwrap(), b"late");
        assert_eq!(server.connections(), 1);
        assert_eq!(caller.wait(read(&store, "k")).unwrap(), b"to the end");
        assert_eq!(caller.wait(read(&store, "k")).unwrap(), b"");
        assert_eq!(server.connections(), 2);
    });
}

#[test]
fn refusals_and_descriptions_leave_the_connection_open() {
    each(|caller| {
        let missing = reply("404 Not Found", "Content-Length: 7\r\n", b"no such");
        let described = reply("200 OK", "Content-Length: 5000\r\n", b"");
        let server = Server::start([Answer::Keep(missing), Answer::Keep(described)]);
        let store = server.store();
        assert!(caller.wait(read(&store, "k")).is_err());
        assert_eq!(caller.wait(store.head(&Path::from("k"))).unwrap().size, 5000);
        caller.wait(read(&store, "k")).unwrap();
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn a_body_that_nobody_reads_does_not_spoil_the_next() {
    each(|caller| {
        let long = vec![b'x'; 8 << 20];
        let server = Server::start([Answer::Keep(object(b"short")), Answer::Keep(object(&long))]);
        let store = server.store();
        let key = Path::from("k");
        drop(caller.wait(store.get(&key)).unwrap());
        drop(caller.wait(store.get(&key)).unwrap());
        assert_eq!(caller.wait(read(&store, "k")).unwrap(), b"");
    });
}

#[test]
fn a_body_can_be_read_by_another_thread_and_by_a_busy_one() {
    each(|caller| {
        let long: Vec<u8> = (0..3_000_000u32).map(|i| i as u8).collect();
        let server = Server::start((0..2).map(|_| Answer::Keep(object(&long))));
        let store = server.store();
        let key = Path::from("k");
        let got = caller.wait(store.get(&key)).unwrap();
        let read = std::thread::scope(|scope| {
            scope.spawn(move || caller.wait(got.bytes()).unwrap()).join().unwrap()
        });
        assert!(read == long);

        if !caller.alone && caller.runtime.handle().runtime_flavor() == RuntimeFlavor::CurrentThread
        {
            // Nobody would watch its sockets meanwhile.
            return;
        }
        let got = caller.wait(store.get(&key)).unwrap();
        let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
        assert!(runtime.block_on(got.bytes()).unwrap() == long);
    });
}

#[test]
fn long_bodies_go_both_ways() {
    each(|caller| {
        let long: Vec<u8> = (0..20_000_000u32).map(|i| (i / 7) as u8).collect();
        let server = Server::start([Answer::Keep(object(b"")), Answer::Keep(object(&long))]);
        let store = server.store();
        caller.wait(store.put(&Path::from("k"), long.clone().into())).unwrap();
        assert!(caller.wait(read(&store, "k")).unwrap() == long);
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn an_answer_that_comes_before_the_end_of_the_request_counts() {
    each(|caller| {
        let full = reply("507 Insufficient Storage", "Content-Length: 0\r\n", b"");
        let server = Server::start([Answer::Close(full)]);
        let error = caller.wait(server.store().put(&Path::from("k"), vec![0; 30_000_000].into()));
        assert!(error.unwrap_err().to_string().contains("507"));
    });
}

#[test]
fn redirects_are_followed() {
    each(|caller| {
        let there = Server::start((0..2).map(|_| Answer::Keep(object(b"there"))));
        let location = format!("Location: http://{}/k\r\nContent-Length: 0\r\n", there.address);
        let moved = || Answer::Keep(reply("307 Temporary Redirect", &location, b""));
        let here = Server::start((0..2).map(|_| moved()));
        let store = here.store();
        assert_eq!(caller.wait(read(&store, "k")).unwrap(), b"there");
        assert_eq!(caller.wait(read(&store, "k")).unwrap(), b"there");
        assert_eq!(here.requests().len(), 2);

        let moved = reply("302 Found", "Location: /other?x=1#y\r\nContent-Length: 0\r\n", b"");
        let server = Server::start([Answer::Keep(moved), Answer::Keep(object(b"here"))]);
        assert_eq!(caller.wait(read(&server.store(), "k")).unwrap(), b"here");
        let requests = server.requests();
        assert!(requests[1].starts_with("get /other?x=1 http/1.1\r\n"), "{requests:?}");
        assert_eq!(requests.len(), 2);
    });
}

#[test]
fn idle_connections_are_kept_as_the_options_say() {
    each(|caller| {
        let server = Server::start([]);
        let store = server.store_with(|options| options.client.pool_max_idle_per_host = Some(0));
        (0..3).for_each(|_| drop(caller.wait(read(&store, "k")).unwrap()));
        assert_eq!(server.connections(), 3);

        let store = server.store_with(|options| {
            options.client.pool_idle_timeout = Some(Duration::from_millis(1));
        });
        for _ in 0..3 {
            caller.wait(read(&store, "k")).unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(server.connections(), 6);
    });
}

#[test]
fn silence_and_dropping_take_no_longer_than_they_should() {
    each(|caller| {
        let server =
            Server::start([Answer::Keep(reply("200 OK", "Content-Length: 10\r\n", b"part"))]);
        let store = server.store_with(|options| {
            options.client.timeout = Some(Duration::from_millis(100));
        });
        let error = caller.wait(read(&store, "k")).unwrap_err();
        let error = store.error("get", &Path::from("k"), error);
        assert_eq!(error.kind(), holdall_store::ErrorKind::Timeout, "{error}");
        caller.wait(read(&store, "k")).unwrap();
    });
}
