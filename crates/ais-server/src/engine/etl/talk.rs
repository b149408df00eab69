//! One object to one transformer, and its answer back.

use std::io;
use std::path::Path;
use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use holdall_ais_wire::etl::{Communication, DIRECT_PUT_TRANSIENT, SocketControl};
use holdall_ais_wire::{header, query};
use http::Method;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Allowed;
use super::socket::{Incoming, Socket, Writer};
use super::supervisor::{Etl, Turn, is_alive};
use crate::engine::Content;
use crate::error::{Error, ErrorKind};

/// Objects up to this size are sent in one piece.
const SMALL: u64 = 1 << 20;
/// Most bytes of an error that a transformer answers with.
const MAX_ERROR: usize = 16 << 10;

/// What a path of a URL may have as it is.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'@');
/// The same for one part of a path, or a value.
const PART: &AsciiSet = &PATH.add(b'/');

/// What to transform.
pub(super) struct Ask<'a> {
    /// `bucket/object`.
    pub(super) path: &'a str,
    /// The object's name.
    pub(super) name: &'a str,
    /// The object's unique name, for who fetches it.
    pub(super) uname: &'a str,
    /// Arguments.
    pub(super) args: &'a str,
    pub(super) content: &'a Content,
    /// The content as a file, for a transformer that wants files.
    pub(super) file: Option<&'a Path>,
    /// Whether the content is the object's own, so that the transformer may fetch it.
    pub(super) stored: bool,
    /// Where to send the result.
    pub(super) deliver: Option<&'a str>,
}

/// The result as it comes.
pub(super) type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// What a transformer answers.
pub(super) enum Answer {
    /// The result.
    Result(Pieces),
    /// It has sent the result to where it was told.
    Delivered,
}

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The transformer went away, or could not be reached: another try may do.
    Lost(String),
    /// The transformer could not deliver, and asks for another try.
    Again(String),
    /// The transformer does not want the object, or something else is wrong.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// Sends the object, and reads the beginning of the answer.
pub(super) async fn talk(
    etl: &std::sync::Arc<Etl>,
    allowed: &std::sync::Arc<Allowed>,
    turn: &std::sync::Arc<Turn>,
    ask: &Ask<'_>,
) -> Result<Answer, Failure> {
    match etl.plan().communication {
        Communication::WebSocket => over_socket(turn, ask).await,
        Communication::Pull if ask.stored => over_http(etl, allowed, turn, Method::GET, ask).await,
        // The following transformers of a chain get what there is no object of.
        Communication::Pull | Communication::Push => {
            over_http(etl, allowed, turn, Method::PUT, ask).await
        }
    }
}

async fn over_http(
    etl: &std::sync::Arc<Etl>,
    allowed: &std::sync::Arc<Allowed>,
    turn: &std::sync::Arc<Turn>,
    method: Method,
    ask: &Ask<'_>,
) -> Result<Answer, Failure> {
    let path = if method == Method::GET {
        utf8_percent_encode(ask.uname, PART).to_string()
    } else {
        utf8_percent_encode(ask.path, PATH).to_string()
    };
    let mut values = Vec::new();
    if let Some(file) = ask.file {
        // Encoded twice: transformers decode the value of the query once more.
        let once = utf8_percent_encode(&file.to_string_lossy(), PART).to_string();
        values.push(format!("{}={}", query::ETL_FQN, utf8_percent_encode(&once, PART)));
    }
    if !ask.args.is_empty() {
        values.push(format!("{}={}", query::ETL_ARGS, utf8_percent_encode(ask.args, PART)));
    }
    let mark = if values.is_empty() { "" } else { "?" };
    let url = format!("http://127.0.0.1:{}/{path}{mark}{}", turn.port, values.join("&"));
    let mut request = allowed.client.request(method.clone(), url);
    if let Some(deliver) = ask.deliver {
        request = request.header(header::NODE_URL, deliver);
    }
    if method == Method::PUT {
        let size = if ask.file.is_some() { 0 } else { ask.content.size() };
        request = request.header(CONTENT_LENGTH, size);
        request = if size <= SMALL {
            let whole = ask.content.stream(0..size);
            request.body(collect(whole).await?)
        } else {
            request.body(reqwest::Body::wrap_stream(ask.content.stream(0..size)))
        };
    }
    let reply = request.send().await.map_err(|e| lost(&e))?;
    let status = reply.status().as_u16();
    if status == 204 {
        return Ok(Answer::Delivered);
    }
    if !(200..300).contains(&status) {
        let transient = status == 503
            && reply
                .headers()
                .get(header::ETL_RETRY_REASON)
                .is_some_and(|r| r == DIRECT_PUT_TRANSIENT);
        let mut text = Vec::new();
        let mut body = reply.bytes_stream();
        while let Some(Ok(piece)) = body.next().await {
            text.extend_from_slice(&piece);
            if text.len() > MAX_ERROR {
                text.truncate(MAX_ERROR);
                break;
            }
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        return Err(if transient { Failure::Again(text) } else { refused(status, &text) });
    }
    // A body that ends where the connection does may have ended because the transformer did.
    let told = reply.headers().contains_key(CONTENT_LENGTH)
        || reply.headers().contains_key(TRANSFER_ENCODING);
    let body = reply.bytes_stream().map(|piece| piece.map_err(|e| lost(&e)));
    if told {
        return Ok(Answer::Result(Box::pin(body)));
    }
    let (etl, allowed, port) =
        (std::sync::Arc::clone(etl), std::sync::Arc::clone(allowed), turn.port);
    let end = futures::stream::once(async move {
        if is_alive(&etl, &allowed, port).await {
            Ok(Bytes::new())
        } else {
            Err(Failure::Lost("it ended while it answered".into()))
        }
    });
    Ok(Answer::Result(Box::pin(body.chain(end))))
}

async fn collect(stream: impl Stream<Item = io::Result<Bytes>>) -> Result<Vec<u8>, Failure> {
    let mut stream = std::pin::pin!(stream);
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece.map_err(|e| Failure::Final(e.into()))?);
    }
    Ok(all)
}

async fn over_socket(turn: &std::sync::Arc<Turn>, ask: &Ask<'_>) -> Result<Answer, Failure> {
    let mut socket = match turn.socket() {
        Some(socket) => socket,
        None => Socket::connect(turn.port, "/ws").await.map_err(|e| lost_socket(&e))?,
    };
    let control = SocketControl {
        pipeline: ask.deliver.unwrap_or_default().to_owned(),
        etl_args: ask.args.to_owned(),
        fqn: ask
            .file
            .map(|file| utf8_percent_encode(&file.to_string_lossy(), PART).to_string())
            .unwrap_or_default(),
        path: ask.name.to_owned(),
    };
    let control = serde_json::to_vec(&control).map_err(|e| Failure::Final(e.into()))?;
    let first = {
        let super::socket::Ends { read, mut write } = socket.ends();
        let send = async {
            write.message(&control).await.map_err(|e| lost_socket(&e))?;
            if ask.file.is_none() { send_content(&mut write, ask.content).await } else { Ok(()) }
        };
        // A transformer may answer before it has read everything, and stop to read until the answer is taken.
        let receive = async { read.next().await.map_err(|e| lost_socket(&e)) };
        let (sent, first) = futures::future::join(send, receive).await;
        match (sent, first) {
            // What it said matters more than that it did not listen to the end.
            (_, Ok(first @ Incoming::Text(_))) => first,
            (Err(failure), _) => return Err(failure),
            (Ok(()), first) => first?,
        }
    };
    answer_pings(&mut socket).await;
    match first {
        Incoming::Text(text) => {
            // A number is the length of what was delivered; everything else is an error.
            if text.trim().parse::<u64>().is_ok() {
                turn.keep(socket);
                return Ok(Answer::Delivered);
            }
            turn.keep(socket);
            Err(refused(500, &text))
        }
        Incoming::Binary(bytes, true) => {
            turn.keep(socket);
            Ok(Answer::Result(Box::pin(futures::stream::iter([Ok(bytes)]))))
        }
        Incoming::Binary(bytes, false) => {
            let rest = futures::stream::unfold(
                Some((socket, std::sync::Arc::clone(turn))),
                |state| async move {
                    let (mut socket, turn) = state?;
                    let next = socket.ends().read.next().await;
                    answer_pings(&mut socket).await;
                    match next {
                        Ok(Incoming::Binary(bytes, last)) => {
                            let state = if last {
                                turn.keep(socket);
                                None
                            } else {
                                Some((socket, turn))
                            };
                            Some((Ok(bytes), state))
                        }
                        Ok(Incoming::Text(text)) => Some((Err(refused(500, &text)), None)),
                        Err(error) => Some((Err(lost_socket(&error)), None)),
                    }
                },
            );
            let first = futures::stream::iter([Ok(bytes)]);
            Ok(Answer::Result(Box::pin(first.chain(rest))))
        }
    }
}

async fn send_content(write: &mut Writer<'_>, content: &Content) -> Result<(), Failure> {
    let mut stream = std::pin::pin!(content.stream(0..content.size()));
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|e| Failure::Final(e.into()))?;
        write.part(&piece, false).await.map_err(|e| lost_socket(&e))?;
    }
    write.part(&[], true).await.map_err(|e| lost_socket(&e))
}

async fn answer_pings(socket: &mut Socket) {
    let mut ends = socket.ends();
    for ping in ends.read.pings() {
        // The next use of the connection fails when this does.
        let _ = ends.write.pong(&ping).await;
    }
}

/// The transformer's own error keeps its status.
fn refused(status: u16, text: &str) -> Failure {
    let status = if (400..600).contains(&status) { status } else { 502 };
    Failure::Final(Error::new(ErrorKind::Transformer(status), format!("ETL error: {text}")))
}

fn lost(error: &reqwest::Error) -> Failure {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    if error.is_builder() {
        return Failure::Final(Error::internal(format!("the transformer cannot be asked: {text}")));
    }
    Failure::Lost(text)
}

fn lost_socket(error: &io::Error) -> Failure {
    Failure::Lost(error.to_string())
}
