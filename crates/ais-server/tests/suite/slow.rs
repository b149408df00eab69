//! Senders that are slow, or silent: they hold nothing but their connections.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use holdall_ais_server::Options;

use crate::support::Ais;

/// Threads for blocking work that the server gets here.
const THREADS: usize = 3;
/// Uploads that are under way at the same time.
const UPLOADS: usize = 24;

#[test]
fn more_uploads_than_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(THREADS)
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { data: Some(folder.path().to_owned()), ..Options::default() };
    let (ais, id) = runtime.block_on(async {
        let ais = Ais::with(options).await;
        ais.create("b").await;
        let id = ais.act(reqwest::Method::POST, "/v1/objects/b/parts", "mpt-upload", ().into());
        let id = id.await.text().await.expect("an id");
        (ais, id)
    });
    let first = vec![b'a'; 600_000];
    let rest = vec![b'b'; 900_000];
    let length = first.len() + rest.len();
    let targets = (0..UPLOADS).map(|number| match number % 4 {
        0 => format!("/v1/objects/b/parts?partNumber={}&uploadId={id}", number + 1),
        1 => format!("/v1/objects/b/append{number}?append_type=append"),
        2 => format!("/s3/b/o{number}"),
        _ => format!("/v1/objects/b/o{number}"),
    });
    let mut senders: Vec<TcpStream> = targets
        .map(|target| {
            let mut stream = TcpStream::connect(ais.server.address()).expect("a connection");
            write!(stream, "PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
                .expect("sent");
            stream.write_all(&first).expect("sent");
            stream
        })
        .collect();
    // All of them are in the middle now; others are served all the same.
    runtime.block_on(async {
        assert_eq!(ais.put("b/quick", vec![b'q'; 2_000_000]).await.status(), 200);
        assert_eq!(ais.get("b/quick").await.bytes().await.expect("a body").len(), 2_000_000);
    });
    for sender in &mut senders {
        sender.write_all(&rest).expect("sent");
        let mut reply = [0; 15];
        sender.read_exact(&mut reply).expect("an answer");
        assert_eq!(&reply, b"HTTP/1.1 200 OK");
    }
    runtime.block_on(async {
        let whole = ais.get("b/o3").await.bytes().await.expect("a body");
        assert!(whole[..first.len()] == first && whole[first.len()..] == rest);
        ais.server.shutdown().await;
    });
}
