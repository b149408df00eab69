//! A service that takes no further connections, while those it has are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use holdall_store::object_store::ObjectStoreExt;
use holdall_store::object_store::path::Path;
use holdall_store::{OpenOptions, Registry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// Operations at once.
const AT_ONCE: usize = 20;

/// Connections to a port of this machine that are being opened.
fn opening(port: u16) -> usize {
    // proc_pid_net(5): the remote address and the state are the third and the fourth field; 02 is SYN_SENT.
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let to = format!(":{port:04X}");
    let is_opening = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next().is_some_and(|remote| remote.ends_with(&to)) && fields.next() == Some("02")
    };
    table.lines().filter(is_opening).count()
}

/// Serves one connection, and sees how many are being opened meanwhile.
async fn serve(listener: &TcpListener, most: &AtomicUsize) {
    let port = listener.local_addr().unwrap().port();
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while socket.read_buf(&mut request).await.unwrap_or(0) > 0 {
        if request.ends_with(b"\r\n\r\n") {
            // What was given up goes when its task has its turn, which takes a moment beside other tests.
            tokio::time::sleep(Duration::from_millis(1)).await;
            most.fetch_max(opening(port), Ordering::Relaxed);
            let reply = "HTTP/1.1 200 OK\r\nLast-Modified: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n";
            socket.write_all(reply.as_bytes()).await.unwrap();
            request.clear();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn few_connections_are_opened_that_nobody_waits_for() {
    crowd(false).await;
}

/// Connections to a proxy are not those of whoever waits, but of tasks of their own.
#[tokio::test(flavor = "multi_thread")]
async fn nor_are_they_by_way_of_a_proxy() {
    crowd(true).await;
}

async fn crowd(proxied: bool) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let most = Arc::<AtomicUsize>::default();
    let service = tokio::spawn({
        let most = most.clone();
        async move { serve(&listener, &most).await }
    });

    let mut options = OpenOptions::default();
    options.client.allow_http = true;
    options.client.proxy_url = proxied.then(|| format!("http://{address}"));
    let store = Registry::default().open(&format!("http://{address}"), &options).unwrap().0;
    let read = |i: usize| {
        let store = store.clone();
        async move { store.head(&Path::from(format!("{i}"))).await }
    };
    read(0).await.unwrap();

    // The queue of the service is filled; the others wait outside.
    let others: Vec<_> = (0..8).map(|_| tokio::spawn(TcpStream::connect(address))).collect();
    while opening(address.port()) == 0 {
        assert!(!others.iter().all(JoinHandle::is_finished), "the queue has room for all");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    most.store(0, Ordering::Relaxed);
    let all = futures::stream::iter(0..500).map(read).buffer_unordered(AT_ONCE);
    let done = all.try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(done.len(), 500);
    // Those of the operations that wait, and the few that are opened for later ones.
    let most = most.load(Ordering::Relaxed);
    assert!(most <= AT_ONCE + 16 + others.len(), "{most} connections");
    service.abort();
}
