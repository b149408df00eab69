//! Replies of two parts, `multipart/mixed`: a description, and the archive, which is passed on as it comes.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use crate::error::{Error, ErrorKind, Result};

/// Longest description. A million entries have some hundred bytes each.
const MOST_HEAD_BYTES: usize = 1 << 30;

/// The boundary of a reply's content type, when it has parts.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    if !content_type.starts_with("multipart/") {
        return None;
    }
    let (_, rest) = content_type.split_once("boundary=")?;
    let end = rest.find([';', ',', ' ']).unwrap_or(rest.len());
    Some(rest[..end].trim_matches('"').to_owned())
}

type Body = BoxStream<'static, Result<Bytes>>;

/// What has come and was not taken, and what is to come.
struct Input {
    buffer: BytesMut,
    body: Body,
}

impl Input {
    async fn more(&mut self) -> Result<bool> {
        match self.body.try_next().await? {
            Some(piece) => {
                self.buffer.extend_from_slice(&piece);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Takes everything before `mark`, and the mark.
    async fn until(&mut self, mark: &[&[u8]]) -> Result<Bytes> {
        let mut from = 0;
        loop {
            let found = mark.iter().filter_map(|m| Some((find(&self.buffer, m, from)?, m.len())));
            if let Some((at, length)) = found.min() {
                let before = self.buffer.split_to(at).freeze();
                let _ = self.buffer.split_to(length);
                return Ok(before);
            }
            from =
                self.buffer.len().saturating_sub(mark.iter().map(|m| m.len()).max().unwrap_or(1));
            if self.buffer.len() > MOST_HEAD_BYTES || !self.more().await? {
                return Err(cut());
            }
        }
    }
}

fn find(within: &[u8], what: &[u8], from: usize) -> Option<usize> {
    within[from..].windows(what.len()).position(|window| window == what).map(|at| at + from)
}

fn cut() -> Error {
    Error::new(ErrorKind::Corrupt, "batch", "", "the reply ended within its parts")
}

const BLANK: [&[u8]; 2] = [b"\r\n\r\n", b"\n\n"];

/// The first part, and the second as a stream. The stream fails when the reply ends without the closing boundary.
pub(super) async fn parts(body: Body, boundary: &str) -> Result<(Bytes, Body)> {
    let mut input = Input { buffer: BytesMut::new(), body };
    let line = format!("--{boundary}");
    input.until(&[line.as_bytes()]).await?;
    input.until(&BLANK).await?;
    let (crlf, lf) = (format!("\r\n--{boundary}"), format!("\n--{boundary}"));
    let head = input.until(&[crlf.as_bytes(), lf.as_bytes()]).await?;
    input.until(&BLANK).await?;
    let end = format!("\r\n--{boundary}--").into_bytes();
    let archive = stream::try_unfold(Some((input, end)), |state| async move {
        let Some((mut input, end)) = state else { return Ok(None) };
        loop {
            if let Some(at) = find(&input.buffer, &end, 0) {
                let rest = input.buffer.split_to(at).freeze();
                return Ok((!rest.is_empty()).then_some((rest, None)));
            }
            // The last bytes may be the beginning of the boundary.
            let sure = input.buffer.len().saturating_sub(end.len());
            if sure > 0 {
                let piece = input.buffer.split_to(sure).freeze();
                return Ok(Some((piece, Some((input, end)))));
            }
            if !input.more().await? {
                return Err(cut());
            }
        }
    });
    Ok((head, archive.boxed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn taken_apart(text: &str, piece: usize) -> Result<(Bytes, Vec<u8>)> {
        let text = text.as_bytes().to_vec();
        let pieces: Vec<_> = text.chunks(piece).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        let (head, archive) = parts(stream::iter(pieces).boxed(), "XX").await?;
        Ok((head, archive.try_collect::<Vec<_>>().await?.concat()))
    }

    #[tokio::test]
    async fn however_it_is_cut_it_is_taken_apart_the_same_way() {
        for nl in ["\r\n", "\n"] {
            let text = format!(
                "--XX{nl}A: b{nl}{nl}{{}}{nl}--XX{nl}C: d{nl}{nl}archive\r\n--XY\r\n--XX--{nl}"
            );
            for piece in [1, 2, 7, 1000] {
                let (head, archive) = taken_apart(&text, piece).await.unwrap();
                assert_eq!((&head[..], &archive[..]), (&b"{}"[..], &b"archive\r\n--XY"[..]));
            }
        }
        let cut = "--XX\r\n\r\n{}\r\n--XX\r\n\r\narch";
        assert_eq!(taken_apart(cut, 3).await.unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn boundaries() {
        assert_eq!(boundary("multipart/mixed; boundary=a1").as_deref(), Some("a1"));
        assert_eq!(boundary("multipart/mixed; boundary=\"a1\"; x=y").as_deref(), Some("a1"));
        assert_eq!(boundary("application/x-tar"), None);
    }
}
