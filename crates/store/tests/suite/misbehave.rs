//! A server that answers what it is told to, right or wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What comes back for a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, and the connection is closed.
    Bytes(Vec<u8>),
    /// The first bytes, then the rest in pieces, with a pause before each.
    Slowly(Vec<u8>, Vec<Vec<u8>>, Duration),
    /// Nothing, for ever.
    Silence,
}

impl Reply {
    /// A reply with a status, headers and a body whose length is announced.
    pub(crate) fn http(status: &str, headers: &[(&str, &str)], body: &str) -> Self {
        Self::announced(status, headers, body, body.len())
    }

    /// The same with another length announced.
    pub(crate) fn announced(
        status: &str,
        headers: &[(&str, &str)],
        body: &str,
        length: usize,
    ) -> Self {
        let mut text =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body);
        Self::Bytes(text.into_bytes())
    }
}

/// A running server; it ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Answers the nth request with the nth reply, and all further ones with the last.
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        Self::run(replies, None).await
    }

    /// The same behind a certificate that nobody trusts.
    pub(crate) async fn start_tls(replies: Vec<Reply>) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        Self::run(replies, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn run(replies: Vec<Reply>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        let connections = Arc::new(AtomicUsize::new(0));
        let accepted = connections.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let (replies, counter, tls) = (replies.clone(), counter.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(socket, &replies, &counter).await,
                        // The client breaks off when it sees the certificate.
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                answer(socket, &replies, &counter).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, connections, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many requests there have been.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn answer(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    replies: &[Reply],
    counter: &AtomicUsize,
) {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut buffer = [0; 4096];
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(&buffer[..read]),
        }
    }
    let number = counter.fetch_add(1, Ordering::SeqCst);
    let reply = replies.get(number).or(replies.last()).expect("at least one reply").clone();
    // The client may have gone meanwhile; that is its right.
    match reply {
        Reply::Bytes(bytes) => drop(socket.write_all(&bytes).await),
        Reply::Slowly(first, rest, pause) => {
            drop(socket.write_all(&first).await);
            for piece in rest {
                tokio::time::sleep(pause).await;
                drop(socket.write_all(&piece).await);
            }
        }
        Reply::Silence => std::future::pending().await,
    }
    drop(socket.shutdown().await);
}
