//! Bodies of objects, wherever they come from.

use std::fs::File;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use holdall::store::local::read_at;
use holdall::store::object_store::{Error, GetResult, GetResultPayload, Result};

/// One read of a local file.
const READ_BYTES: u64 = 4 * 1024 * 1024;

/// A body that has not been read yet.
pub(super) enum Body {
    /// A local file, read by the thread that asks.
    File(File, Range<u64>),
    Stream(BoxStream<'static, Result<Bytes>>, u64),
}

impl Body {
    pub(super) fn of(result: GetResult) -> Self {
        Self::new(result.payload, result.range)
    }

    pub(super) fn new(payload: GetResultPayload, range: Range<u64>) -> Self {
        match payload {
            GetResultPayload::File(file, _) => Self::File(file, range),
            GetResultPayload::Stream(stream) => Self::Stream(stream, range.end - range.start),
        }
    }

    /// The whole body, in one piece.
    pub(super) async fn bytes(self) -> Result<Bytes> {
        match self {
            Self::File(file, range) => read_at(&file, range),
            Self::Stream(mut stream, length) => {
                let Some(first) = stream.next().await.transpose()? else { return Ok(Bytes::new()) };
                let Some(second) = stream.next().await.transpose()? else { return Ok(first) };
                let length = usize::try_from(length).unwrap_or_default();
                let mut all = BytesMut::with_capacity(length.max(first.len() + second.len()));
                all.extend_from_slice(&first);
                all.extend_from_slice(&second);
                while let Some(piece) = stream.next().await {
                    all.extend_from_slice(&piece?);
                }
                Ok(all.freeze())
            }
        }
    }

    /// The whole body into memory of its length.
    pub(super) async fn read_into(self, target: &mut [u8]) -> Result<()> {
        let mut pieces = self.pieces(0);
        let mut at = 0;
        while let Some(piece) = pieces.next().await.transpose()? {
            let room = target.get_mut(at..at + piece.len()).ok_or_else(|| other_length(at))?;
            room.copy_from_slice(&piece);
            at += piece.len();
        }
        if at == target.len() { Ok(()) } else { Err(other_length(at)) }
    }

    /// The body in pieces of at least `min_bytes`, but for the last.
    pub(super) fn pieces(self, min_bytes: usize) -> BoxStream<'static, Result<Bytes>> {
        match self {
            Self::File(file, range) => {
                let step = READ_BYTES.max(min_bytes as u64);
                let state = (file, range);
                stream::try_unfold(state, move |(file, range)| async move {
                    if range.start >= range.end {
                        return Ok(None);
                    }
                    let end = range.end.min(range.start + step);
                    let piece = read_at(&file, range.start..end)?;
                    Ok(Some((piece, (file, end..range.end))))
                })
                .boxed()
            }
            Self::Stream(stream, _) => at_least(stream, min_bytes),
        }
    }
}

fn at_least(
    stream: BoxStream<'static, Result<Bytes>>,
    min_bytes: usize,
) -> BoxStream<'static, Result<Bytes>> {
    stream::try_unfold(stream, move |mut stream| async move {
        let first = loop {
            match stream.next().await.transpose()? {
                Some(piece) if piece.is_empty() => {}
                Some(piece) => break piece,
                None => return Ok(None),
            }
        };
        if first.len() >= min_bytes {
            return Ok(Some((first, stream)));
        }
        let mut all = BytesMut::from(first);
        while all.len() < min_bytes {
            match stream.next().await.transpose()? {
                Some(piece) => all.extend_from_slice(&piece),
                None => break,
            }
        }
        Ok(Some((all.freeze(), stream)))
    })
    .boxed()
}

fn other_length(at: usize) -> Error {
    let source = format!("the body has another length than was said: byte {at}").into();
    Error::Generic { store: "holdall", source }
}
