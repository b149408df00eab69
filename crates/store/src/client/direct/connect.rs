//! Connections to hosts, by whichever of their addresses answers first.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::client::{HttpError, HttpErrorKind};
use tokio::net::TcpStream;

use super::idle::Host;

/// After this time without an answer, the next address is tried beside the one before (RFC 8305, 5).
const NEXT: Duration = Duration::from_millis(250);

/// Connects to the first address of a host that answers, within `limit`.
pub(super) async fn connect(
    host: &Host,
    limit: Option<Duration>,
    shuffle: bool,
) -> Result<TcpStream, HttpError> {
    let connecting = async {
        let found = tokio::net::lookup_host((host.name(), host.port())).await?;
        let mut addresses: Vec<SocketAddr> = found.collect();
        if shuffle {
            fastrand::shuffle(&mut addresses);
        }
        first_of(addresses).await
    };
    let connected = match limit {
        Some(limit) => tokio::time::timeout(limit, connecting)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        None => connecting.await,
    };
    connected.map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::TimedOut => HttpErrorKind::Timeout,
            _ => HttpErrorKind::Connect,
        };
        HttpError::new(kind, error)
    })
}

async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    if let [address] = addresses[..] {
        return TcpStream::connect(address).await;
    }
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut addresses = addresses.into_iter();
    loop {
        match addresses.next() {
            Some(address) => attempts.push(TcpStream::connect(address)),
            None if attempts.is_empty() => return Err(last),
            None => {}
        }
        let ended = match addresses.len() {
            0 => attempts.next().await,
            // None when the time is over.
            _ => tokio::time::timeout(NEXT, attempts.next()).await.unwrap_or(None),
        };
        match ended {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => last = error,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpSocket};

    #[tokio::test]
    async fn an_address_that_does_not_answer_keeps_nobody_from_the_next() {
        // A service whose queue is full does not answer.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = socket.listen(1).unwrap();
        let silent = full.local_addr().unwrap();
        let mut others = Vec::new();
        while let Ok(connected) = tokio::time::timeout(NEXT, TcpStream::connect(silent)).await {
            others.push(connected.unwrap());
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let stream = first_of(vec![silent, silent, good]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }

    #[tokio::test]
    async fn the_last_refusal_is_the_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let stream = first_of(vec![closed, good]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        let error = first_of(vec![closed, closed]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(first_of(Vec::new()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
