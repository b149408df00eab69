//! Bodies that are as long as their reply said, or end in an error.
//!
//! The transport checks a body against its Content-Length. Nothing checks the Content-Length against the range that the
//! reply claims to carry.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::{Error, GetResult, GetResultPayload, Result};

use crate::error::{Error as OurError, ErrorKind};

/// The same result, whose body ends in an error unless it has as many bytes as its range.
pub(crate) fn checked(mut result: GetResult) -> GetResult {
    let expected = result.range.end - result.range.start;
    if let GetResultPayload::Stream(body) = result.payload {
        let key = result.meta.location.to_string();
        result.payload = GetResultPayload::Stream(counted(body, expected, key));
    }
    result
}

fn counted(
    body: BoxStream<'static, Result<Bytes>>,
    expected: u64,
    key: String,
) -> BoxStream<'static, Result<Bytes>> {
    stream::unfold(Some((body, 0)), move |state| {
        let key = key.clone();
        async move {
            let (mut body, received) = state?;
            let next = body.next().await;
            let received = received
                + next.as_ref().map_or(0, |piece| piece.as_ref().map_or(0, |p| p.len() as u64));
            match next {
                Some(Ok(piece)) if received <= expected => {
                    Some((Ok(piece), Some((body, received))))
                }
                Some(Err(error)) => Some((Err(error), None)),
                None if received == expected => None,
                _ => Some((Err(wrong_length(key, received, expected)), None)),
            }
        }
    })
    .fuse()
    .boxed()
}

fn wrong_length(key: String, received: u64, expected: u64) -> Error {
    let than = if received < expected { "fewer" } else { "more" };
    let detail =
        format!("the reply has {than} bytes ({received}) than the range it names ({expected})");
    OurError::new(ErrorKind::Corrupt, "get", key, detail).into()
}
