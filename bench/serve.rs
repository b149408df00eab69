//! The AIS server under load, beside a ceiling: a server of the same HTTP library that answers every GET with the same
//! bytes from memory and forgets every PUT. Client and server share the machine, so that only the ratio tells much.
//!
//! `cargo run --release -p holdall-ais-server --example bench-serve [-- SECONDS [CONNECTIONS]]`

#![expect(clippy::print_stdout, reason = "the numbers are what the program is for")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use holdall_ais_server::{Fsync, Options, Server};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Error = Box<dyn std::error::Error + Send + Sync>;

const SIZES: [(&str, usize); 4] =
    [("1 KiB", 1 << 10), ("10 KiB", 10 << 10), ("64 KiB", 64 << 10), ("1 MiB", 1 << 20)];
/// Objects that are read in turn.
const OBJECTS: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let connections: usize = arguments.next().map_or(Ok(16), |text| text.parse())?;
    let span = Duration::from_secs(seconds);
    let folder = tempfile::tempdir()?;
    let started = Instant::now();
    let memory = Server::start(Options::default()).await?;
    println!("start in memory: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    let started = Instant::now();
    let options = Options {
        data: Some(folder.path().to_owned()),
        fsync: Fsync::Commit,
        ..Options::default()
    };
    let disk = Server::start(options).await?;
    println!("start in a folder: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    println!("{connections} connections, {seconds} s each; requests per second, and bytes");
    println!("{:<14}{:>22}{:>22}{:>22}", "", "ceiling", "memory", "folder");
    for (name, size) in SIZES {
        let content = vec![7; size];
        let ceiling = ceiling(content.clone()).await?;
        for server in [memory.address(), disk.address()] {
            fill(server, &content).await?;
        }
        for method in ["GET", "PUT"] {
            let mut row = format!("{:<14}", format!("{method} {name}"));
            let mut best = 0.0;
            for address in [ceiling, memory.address(), disk.address()] {
                let rate = load(address, method, &content, connections, span).await?;
                if address == ceiling {
                    best = rate;
                }
                let percent = rate / best * 100.0;
                row +=
                    &format!("{rate:>9.0}/s {:>5.2} GB {percent:>3.0}%", rate * size as f64 / 1e9);
            }
            println!("{row}");
        }
    }
    memory.shutdown().await;
    disk.shutdown().await;
    Ok(())
}

/// The server that does nothing else.
async fn ceiling(content: Vec<u8>) -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let content = Bytes::from(content);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let content = content.clone();
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let content = content.clone();
                async move {
                    let put = request.method() == http::Method::PUT;
                    let mut body = request.into_body();
                    while let Some(Ok(_)) = body.frame().await {}
                    let reply = if put { Bytes::new() } else { content };
                    Ok::<_, Infallible>(http::Response::new(Full::new(reply)))
                }
            });
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving);
        }
    });
    Ok(address)
}

async fn fill(address: SocketAddr, content: &[u8]) -> Result<(), Error> {
    let mut stream = TcpStream::connect(address).await?;
    let made = r#"{"action":"create-bck"}"#;
    // The bucket is there from the second size on.
    request(&mut stream, "POST", "/v1/buckets/bench", made.as_bytes()).await?;
    for number in 0..OBJECTS {
        request(
            &mut stream,
            "PUT",
            &format!("/v1/objects/bench/{}/{number}", content.len()),
            content,
        )
        .await?;
    }
    Ok(())
}

/// Requests per second of all connections together.
async fn load(
    address: SocketAddr,
    method: &'static str,
    content: &[u8],
    connections: usize,
    span: Duration,
) -> Result<f64, Error> {
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let content: Arc<[u8]> = content.into();
    let started = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..connections {
        let (stop, done, content) = (Arc::clone(&stop), Arc::clone(&done), Arc::clone(&content));
        workers.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let mut number = worker;
            while !stop.load(Ordering::Relaxed) {
                number = (number + 7) % OBJECTS;
                let body: &[u8] = if method == "PUT" { &content } else { &[] };
                let target = format!("/v1/objects/bench/{}/{number}", content.len());
                let status = request(&mut stream, method, &target, body).await?;
                if status != 200 {
                    return Err::<(), Error>(format!("{method} {target}: {status}").into());
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
    }
    tokio::time::sleep(span).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64())
}

/// Sends a request, reads its reply, and tells the status. Written by hand, to cost less than what is measured.
async fn request(
    stream: &mut TcpStream,
    method: &str,
    target: &str,
    body: &[u8],
) -> Result<u16, Error> {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut buffer = vec![0; 64 << 10];
    let mut have = 0;
    let end = loop {
        let read = stream.read(&mut buffer[have..]).await?;
        if read == 0 {
            return Err("the server closed the connection".into());
        }
        have += read;
        if let Some(end) = buffer[..have].windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
    let status = head.get(9..12).ok_or("no status")?.parse()?;
    let length = head
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next())
        .ok_or("no length")?;
    let mut left = length.parse::<usize>()?.saturating_sub(have - end);
    while left > 0 {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Err("the reply ended early".into());
        }
        left -= read;
    }
    Ok(status)
}
