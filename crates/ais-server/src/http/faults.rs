//! Faults on purpose: what a plan says goes wrong with a request, or with its reply.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use holdall_ais_wire::header;
use http::header::{CONTENT_RANGE, ETAG, HeaderValue, RANGE, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use http_body::Body as _;
use xxhash_rust::xxh64::xxh64;

use super::reply::set;
use super::request::Params;
use super::{Body, Reply};
use crate::faults::{Fault, Faults, Hit, Position, Seen, Wrong};

/// Time for what was sent before a cut to reach the client: with the connection, it could be lost, too.
const FLUSH: Duration = Duration::from_millis(20);

/// What is to go wrong with a request.
pub(super) struct Planned {
    hits: Vec<Hit>,
    /// The range that the client asked for, where it gets another one and is not told.
    lied: Option<String>,
}

impl Planned {
    /// What the plan says about a request.
    pub(super) fn of(plan: &Arc<Faults>, parts: &http::request::Parts) -> Self {
        let query = Params::pairs(parts.uri.query().unwrap_or_default());
        let path = percent_encoding::percent_decode_str(parts.uri.path()).decode_utf8_lossy();
        let range =
            parts.headers.get(RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let seen = Seen { method: parts.method.as_str(), path: &path, query: &query, range };
        Self { hits: plan.hits(&seen), lied: None }
    }

    /// Before the request is looked at: delays, other ranges, and failures in its place.
    pub(super) async fn before(&mut self, parts: &mut http::request::Parts) -> Result<(), Refusal> {
        for hit in &self.hits {
            match hit.fault() {
                Fault::Delay { from, to } if hit.take() => {
                    tokio::time::sleep(hit.between(*from, *to)).await;
                }
                Fault::WrongRange(wrong) if parts.method == Method::GET => {
                    let Some(asked) =
                        parts.headers.get(RANGE).and_then(|value| value.to_str().ok())
                    else {
                        continue;
                    };
                    let other = match wrong {
                        Wrong::Whole => None,
                        Wrong::Shifted(by) | Wrong::Lied(by) => match shifted(asked, *by) {
                            Some(other) => Some(other),
                            // One that is none is the client's own fault.
                            None => continue,
                        },
                    };
                    if hit.take() {
                        self.lied = matches!(wrong, Wrong::Lied(_)).then(|| asked.to_owned());
                        replace_range(&mut parts.headers, other);
                    }
                }
                Fault::Status { status, retry_after, done: false } if hit.take() => {
                    return Err(Refusal::new(hit, *status, *retry_after));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// After the request was answered: failures in the place of the reply, and what is wrong with it.
    pub(super) fn after(self, mut reply: Reply) -> Result<Reply, Refusal> {
        if let Some(asked) = &self.lied {
            lie(&mut reply, asked);
        }
        for hit in &self.hits {
            match hit.fault() {
                Fault::Status { status, retry_after, done: true } if hit.take() => {
                    return Err(Refusal::new(hit, *status, *retry_after));
                }
                Fault::StaleEtag => stale(&mut reply, hit),
                Fault::Cut { at } => reply = cut(reply, hit, *at),
                Fault::BitFlip { at } => reply = flipped(reply, hit, *at),
                _ => {}
            }
        }
        Ok(reply)
    }
}

/// A failure in the place of an answer.
pub(super) struct Refusal {
    text: String,
    status: StatusCode,
    retry_after: Option<u64>,
}

impl Refusal {
    fn new(hit: &Hit, status: u16, retry_after: Option<u64>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let text = format!(
            "{} on purpose: fault {:?}",
            status.canonical_reason().unwrap_or("failed"),
            hit.name()
        );
        Self { text, status, retry_after }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The reply that says it, with status and headers.
    pub(super) fn finish(&self, mut said: Reply) -> Reply {
        *said.status_mut() = self.status;
        if let Some(seconds) = self.retry_after {
            set(&mut said, RETRY_AFTER, seconds.to_string());
        }
        said
    }
}

/// Another range of the same length: before the one asked for, or behind it where there is no room before.
fn shifted(asked: &str, by: u64) -> Option<String> {
    let (start, end) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let other = |number: u64, back: bool| {
        if back { number.checked_sub(by) } else { number.checked_add(by) }
    };
    if start.is_empty() {
        return Some(format!("bytes=-{}", other(end.parse().ok()?, false)?));
    }
    let start: u64 = start.parse().ok()?;
    let back = start >= by;
    let first = other(start, back)?;
    if end.is_empty() {
        return Some(format!("bytes={first}-"));
    }
    Some(format!("bytes={first}-{}", other(end.parse().ok()?, back)?))
}

fn replace_range(headers: &mut HeaderMap, other: Option<String>) {
    headers.remove(RANGE);
    if let Some(value) = other.and_then(|other| HeaderValue::try_from(other).ok()) {
        headers.insert(RANGE, value);
    }
}

/// Says that the range is the one asked for.
fn lie(reply: &mut Reply, asked: &str) {
    let told = reply.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let Some(size) = told.and_then(|told| told.rsplit('/').next()).map(str::to_owned) else {
        return;
    };
    let Some(start) =
        asked.strip_prefix("bytes=").and_then(|range| range.split('-').next()?.parse::<u64>().ok())
    else {
        return;
    };
    let len = reply.body().size_hint().exact().unwrap_or(0);
    set(reply, CONTENT_RANGE, format!("bytes {start}-{}/{size}", start + len.saturating_sub(1)));
}

/// Whether the reply carries something whose body or version can be wrong.
fn is_good(reply: &Reply) -> bool {
    reply.status().is_success()
}

fn stale(reply: &mut Reply, hit: &Hit) {
    let version = reply.headers().get(header::VERSION).and_then(|value| value.to_str().ok());
    let older = version
        .and_then(|version| version.parse::<u64>().ok())
        .map(|version| version.saturating_sub(1));
    let etag = reply.headers().get(ETAG).map(|etag| xxh64(etag.as_bytes(), 0));
    if !is_good(reply) || (older.is_none() && etag.is_none()) || !hit.take() {
        return;
    }
    if let Some(older) = older {
        set(reply, header::VERSION, older.to_string());
    }
    if let Some(etag) = etag {
        set(reply, ETAG, format!("\"{etag:016x}\""));
    }
}

/// The length of the body, if it is known and there is one.
fn length(reply: &Reply) -> Option<u64> {
    reply.body().size_hint().exact()
}

fn cut(reply: Reply, hit: &Hit, at: Position) -> Reply {
    let len = length(&reply);
    if !is_good(&reply) || len == Some(0) {
        return reply;
    }
    let at = match (at, len) {
        (Position::Bytes(bytes), _) => bytes,
        (Position::Fraction(fraction), Some(len)) => (len as f64 * fraction) as u64,
        (Position::Anywhere, Some(len)) => hit.below(len),
        // Nobody knows how long it will be: some of the first bytes are there.
        (Position::Fraction(_) | Position::Anywhere, None) => hit.below(4096),
    };
    if len.is_some_and(|len| at >= len) || !hit.take() {
        return reply;
    }
    let (head, body) = reply.into_parts();
    let some = body.into_stream().scan(at, |left, next| {
        futures::future::ready(match next {
            Ok(bytes) if *left > 0 => {
                let keep = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= keep as u64;
                Some(Ok(bytes.slice(..keep)))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    });
    let broken = futures::stream::once(async {
        tokio::time::sleep(FLUSH).await;
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut on purpose"))
    });
    Reply::from_parts(head, Body::stream(some.chain(broken), len))
}

fn flipped(reply: Reply, hit: &Hit, at: Option<u64>) -> Reply {
    let len = length(&reply);
    let at = at.unwrap_or_else(|| hit.below(len.unwrap_or(4096)));
    if !is_good(&reply) || len.is_some_and(|len| at >= len) || !hit.take() {
        return reply;
    }
    let bit = 1_u8 << (hit.below(u64::MAX) >> 32 & 7);
    let (head, body) = reply.into_parts();
    Reply::from_parts(head, Body::stream(with_flip(body.into_stream(), at, bit), len))
}

fn with_flip(
    stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    at: u64,
    bit: u8,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let mut before = 0_u64;
    stream.map(move |next| {
        let bytes = next?;
        let here = at.checked_sub(before).and_then(|here| usize::try_from(here).ok());
        before += bytes.len() as u64;
        let Some(here) = here.filter(|here| *here < bytes.len()) else { return Ok(bytes) };
        let mut bytes = BytesMut::from(&bytes[..]);
        bytes[here] ^= bit;
        Ok(bytes.freeze())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_moved() {
        for (asked, by, other) in [
            ("bytes=10-19", 1, Some("bytes=9-18")),
            ("bytes=0-9", 5, Some("bytes=5-14")),
            ("bytes=3-", 1, Some("bytes=2-")),
            ("bytes=-5", 2, Some("bytes=-7")),
            ("bytes=a-b", 1, None),
            ("items=1-2", 1, None),
        ] {
            assert_eq!(shifted(asked, by).as_deref(), other, "{asked}");
        }
    }
}
