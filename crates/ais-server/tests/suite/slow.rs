//! Clients that are slow, or silent: senders hold nothing but their connections, and readers get what they began to read.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use holdall_ais_server::Options;
use reqwest::Method;
use serde_json::{Value, json};

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
        let id = ais.act(Method::POST, "/v1/objects/b/parts", "mpt-upload", ().into());
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

/// Bytes of a part, and how many there are: more than connections hold on their way.
const PART: usize = 1 << 20;
const PARTS: usize = 40;

#[tokio::test]
async fn parts_are_there_for_who_reads_them() {
    let (servers, folder) = Ais::both().await;
    for ais in servers {
        ais.create("b").await;
        let id = ais.act(Method::POST, "/v1/objects/b/o", "mpt-upload", Value::Null).await;
        let id = id.text().await.expect("an id");
        let mut named = Vec::new();
        for number in 1..=PARTS {
            let target = format!("b/o?partNumber={number}&uploadId={id}");
            let letter = b'a' + (number % 26) as u8;
            assert_eq!(ais.put(&target, vec![letter; PART]).await.status(), 200);
            named.push(json!({"part-number": number, "etag": ""}));
        }
        let complete = format!("/v1/objects/b/o?uploadId={id}");
        let reply = ais.act(Method::POST, &complete, "mpt-complete", json!(named)).await;
        assert_eq!(reply.status(), 200);
        let lock =
            async || ais.act(Method::POST, "/v1/objects/b/o", "check-lock", Value::Null).await;
        assert_eq!(lock().await.status(), 200);

        let mut reading = ais.get("b/o").await;
        let mut whole = reading.chunk().await.expect("bytes").expect("a beginning").to_vec();
        assert_eq!(lock().await.status(), 202, "it is read");
        assert_eq!(ais.put("b/o", "new").await.status(), 200);
        assert_eq!(ais.get("b/o").await.text().await.expect("a body"), "new");
        assert_eq!(ais.send(Method::DELETE, "/v1/objects/b/o").await.status(), 200);
        while let Some(bytes) = reading.chunk().await.expect("all of it") {
            whole.extend_from_slice(&bytes);
        }
        assert_eq!(whole.len(), PARTS * PART);
        for (index, part) in whole.chunks(PART).enumerate() {
            let letter = b'a' + ((index + 1) % 26) as u8;
            assert!(part.iter().all(|byte| *byte == letter), "part {}", index + 1);
        }
        drop(reading);
        // The last reader takes the files along.
        while files(folder.path()) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        ais.server.shutdown().await;
    }
}

/// Files of content in a data folder.
pub(crate) fn files(data: &std::path::Path) -> usize {
    let mut folders = vec![data.join("blobs"), data.join("tmp")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files += 1 }
        }
    }
    files
}
