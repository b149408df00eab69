//! The client's side of a web socket (RFC 6455), as far as transformers need it: binary messages that are streamed in
//! fragments, answers that are streamed as they come.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, Bytes, BytesMut};
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Appended to the key before it is hashed (RFC 6455, 1.3).
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Most bytes of the answer to the handshake.
const MAX_HANDSHAKE: usize = 16 << 10;
/// Most bytes of one fragment that is read: longer ones are handed on in pieces.
const PIECE: u64 = 256 << 10;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A connection.
pub(super) struct Socket {
    read: Reader,
    write: OwnedWriteHalf,
}

/// Both ends, to be used at the same time.
pub(super) struct Ends<'a> {
    pub(super) read: &'a mut Reader,
    pub(super) write: Writer<'a>,
}

impl Socket {
    /// Connects to a transformer of this machine.
    pub(super) async fn connect(port: u16, path: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (read, mut write) = stream.into_split();
        let key = STANDARD.encode(fastrand::u128(..).to_ne_bytes());
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        write.write_all(request.as_bytes()).await?;
        let mut read =
            Reader { stream: read, buffer: BytesMut::new(), left: None, pongs: Vec::new() };
        read.handshake(&key).await?;
        Ok(Self { read, write })
    }

    /// Both ends.
    pub(super) fn ends(&mut self) -> Ends<'_> {
        Ends { read: &mut self.read, write: Writer { stream: &mut self.write, begun: false } }
    }
}

/// Writes messages.
pub(super) struct Writer<'a> {
    stream: &'a mut OwnedWriteHalf,
    /// Whether a fragment of the present message has been written.
    begun: bool,
}

impl Writer<'_> {
    /// A whole binary message.
    pub(super) async fn message(&mut self, content: &[u8]) -> io::Result<()> {
        self.frame(BINARY, true, content).await
    }

    /// The next part of a binary message; an empty last part ends it.
    pub(super) async fn part(&mut self, content: &[u8], last: bool) -> io::Result<()> {
        let opcode = if self.begun { CONTINUATION } else { BINARY };
        self.begun = !last;
        self.frame(opcode, last, content).await
    }

    /// Answers pings.
    pub(super) async fn pong(&mut self, content: &[u8]) -> io::Result<()> {
        self.frame(PONG, true, content).await
    }

    async fn frame(&mut self, opcode: u8, last: bool, content: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(content.len() + 14);
        frame.push(if last { 0x80 | opcode } else { opcode });
        match content.len() {
            len @ 0..126 => frame.push(0x80 | len as u8),
            len @ 126..0x1_0000 => {
                frame.push(0x80 | 126);
                frame.extend((len as u16).to_be_bytes());
            }
            len => {
                frame.push(0x80 | 127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        // Clients mask, so that no proxy takes content for a request; there is none here.
        let mask = fastrand::u32(..).to_ne_bytes();
        frame.extend(mask);
        frame.extend(content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.stream.write_all(&frame).await
    }
}

/// What comes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// A whole text.
    Text(String),
    /// Some of a binary message, and whether it is its end.
    Binary(Bytes, bool),
}

/// Reads messages.
pub(super) struct Reader {
    stream: OwnedReadHalf,
    buffer: BytesMut,
    /// Within a message: its kind, bytes left in the fragment, and whether that is the last one.
    left: Option<(u8, u64, bool)>,
    /// Pings that want an answer.
    pongs: Vec<Vec<u8>>,
}

impl Reader {
    /// Pings that came since the last call.
    pub(super) fn pings(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.pongs)
    }

    async fn handshake(&mut self, key: &str) -> io::Result<()> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if self.buffer.len() > MAX_HANDSHAKE {
                return Err(broken("its answer to the handshake is too long"));
            }
            self.more().await?;
        };
        let head = self.buffer.split_to(end);
        let head = String::from_utf8_lossy(&head);
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default();
        if status.split(' ').nth(1) != Some("101") {
            return Err(broken(&format!("it speaks no web socket: {status}")));
        }
        let accept = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
            name.trim()
                .eq_ignore_ascii_case("sec-websocket-accept")
                .then(|| value.trim().to_owned())
        });
        let expected = STANDARD.encode(Sha1::digest(format!("{key}{MAGIC}")));
        if accept.as_deref() != Some(&expected) {
            return Err(broken("its answer to the handshake is wrong"));
        }
        Ok(())
    }

    async fn more(&mut self) -> io::Result<()> {
        self.buffer.reserve(64 << 10);
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    async fn take(&mut self, len: usize) -> io::Result<BytesMut> {
        while self.buffer.len() < len {
            self.more().await?;
        }
        Ok(self.buffer.split_to(len))
    }

    /// The next piece of a message. Texts come whole.
    pub(super) async fn next(&mut self) -> io::Result<Incoming> {
        let mut text = Vec::new();
        loop {
            let (kind, left, last) = match self.left.take() {
                Some(left) => left,
                None => self.header(None).await?,
            };
            let now = left.min(PIECE);
            let piece = self.take(usize::try_from(now).unwrap_or(usize::MAX)).await?;
            let ended = now == left;
            if !ended {
                self.left = Some((kind, left - now, last));
            } else if !last {
                self.left = Some(self.header(Some(kind)).await?);
            }
            let whole = ended && last;
            if kind == BINARY {
                return Ok(Incoming::Binary(piece.freeze(), whole));
            }
            text.extend_from_slice(&piece);
            if text.len() > 1 << 20 {
                return Err(broken("it sent a text of more than 1 MiB"));
            }
            if whole {
                return Ok(Incoming::Text(String::from_utf8_lossy(&text).into_owned()));
            }
        }
    }

    /// The header of the next fragment: of a new message, or of the one that was begun.
    async fn header(&mut self, begun: Option<u8>) -> io::Result<(u8, u64, bool)> {
        loop {
            let first = self.take(2).await?;
            let (opcode, last) = (first[0] & 0x0f, first[0] & 0x80 != 0);
            if first[0] & 0x70 != 0 || first[1] & 0x80 != 0 {
                return Err(broken("it sent a frame that no server may send"));
            }
            let len = match first[1] {
                126 => u64::from(self.take(2).await?.get_u16()),
                127 => self.take(8).await?.get_u64(),
                len => u64::from(len),
            };
            match (opcode, begun) {
                (PING | PONG, _) if len <= 125 => {
                    let content = self.take(len as usize).await?;
                    if opcode == PING {
                        self.pongs.push(content.to_vec());
                    }
                }
                (CLOSE, _) => return Err(io::ErrorKind::ConnectionReset.into()),
                (CONTINUATION, Some(kind)) => return Ok((kind, len, last)),
                (TEXT | BINARY, None) => return Ok((opcode, len, last)),
                _ => return Err(broken("it sent frames in a wrong order")),
            }
        }
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A server that answers the handshake and sends these bytes.
    async fn against(answer: Vec<u8>) -> Socket {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap();
            let key = request.lines().find_map(|l| l.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
            let accept = STANDARD.encode(Sha1::digest(format!("{key}{MAGIC}")));
            let head = format!("HTTP/1.1 101 Switching\r\nsec-websocket-accept: {accept}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        });
        Socket::connect(port, "/ws").await.unwrap()
    }

    #[tokio::test]
    async fn fragments_and_pings() {
        let mut answer = vec![0x02, 2, b'a', b'b', 0x89, 1, b'p', 0x80, 1, b'c'];
        answer.extend([0x81, 2, b'o', b'k', 0x82, 0]);
        let mut socket = against(answer).await;
        let read = socket.ends().read;
        assert_eq!(read.next().await.unwrap(), Incoming::Binary("ab".into(), false));
        assert_eq!(read.next().await.unwrap(), Incoming::Binary("c".into(), true));
        assert_eq!(read.pings(), [b"p".to_vec()]);
        assert_eq!(read.next().await.unwrap(), Incoming::Text("ok".into()));
        assert_eq!(read.next().await.unwrap(), Incoming::Binary(Bytes::new(), true));
        assert!(read.next().await.is_err());
    }

    #[tokio::test]
    async fn nonsense_is_an_error() {
        for answer in [
            vec![0x80, 0],
            vec![0x82, 0x81, 0],
            vec![0xf2, 0],
            vec![0x88, 0],
            vec![0x02, 0, 0x82, 0],
        ] {
            let mut socket = against(answer.clone()).await;
            let read = socket.ends().read;
            let mut result = read.next().await;
            while result.is_ok() {
                result = read.next().await;
            }
            assert!(result.is_err(), "{answer:?}");
        }
    }
}
