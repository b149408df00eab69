//! Ranges of servers that give none: taken out of the whole, which streams by.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpRequest, HttpResponse, HttpResponseBody};

use super::adapt::length_of;
use crate::client::Integrity;

/// A range as a request asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// From this byte on, to that byte or the end.
    From(u64, Option<u64>),
    /// The last bytes.
    Last(u64),
}

impl Asked {
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        Self::parse(request.headers().get(RANGE)?.to_str().ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        Some(match (first, last) {
            ("", last) => Self::Last(last.parse().ok()?),
            (first, "") => Self::From(first.parse().ok()?, None),
            (first, last) => Self::From(first.parse().ok()?, Some(last.parse().ok()?)),
        })
    }

    /// The bytes that it is of an object of `total` bytes; none where there are none.
    fn within(self, total: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first, last) => {
                first..last.map_or(total, |last| last.saturating_add(1).min(total))
            }
            Self::Last(count) => total.saturating_sub(count)..total,
        };
        (range.start < range.end).then_some(range)
    }

    /// Makes a reply with the whole object the one that was asked for.
    pub(super) fn take_out(self, reply: HttpResponse) -> HttpResponse {
        let Some(total) = length_of(reply.headers()) else { return reply };
        let (mut parts, body) = reply.into_parts();
        let Some(range) = self.within(total) else {
            parts.status = StatusCode::RANGE_NOT_SATISFIABLE;
            parts.headers.insert(CONTENT_LENGTH, 0.into());
            return HttpResponse::from_parts(parts, HttpResponseBody::from(Bytes::new()));
        };
        parts.status = StatusCode::PARTIAL_CONTENT;
        name_range(&mut parts.headers, &range, total);
        parts.extensions.get_or_insert_default::<Integrity>().is_taken_out = true;
        let left = range.end - range.start;
        let taken = Taken { body: Some(body), skip: range.start, left };
        HttpResponse::from_parts(parts, HttpResponseBody::new(taken))
    }
}

/// Says in `headers` which bytes of how many a reply has.
pub(super) fn name_range(headers: &mut HeaderMap, range: &Range<u64>, total: u64) {
    let text = format!("bytes {}-{}/{total}", range.start, range.end - 1);
    let value = HeaderValue::from_str(&text).expect("digits are plain text");
    headers.insert(CONTENT_RANGE, value);
    headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
}

/// Some bytes of a body: what comes before them is dropped as it comes, what comes after them is not waited for.
struct Taken {
    body: Option<HttpResponseBody>,
    skip: u64,
    left: u64,
}

impl Body for Taken {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        loop {
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            let Some(frame) = ready!(Pin::new(body).poll_frame(cx)) else {
                self.body = None;
                return Poll::Ready(None);
            };
            let Ok(mut data) = frame?.into_data() else { continue };
            let skipped = self.skip.min(data.len() as u64);
            drop(data.split_to(skipped as usize));
            self.skip -= skipped;
            data.truncate(self.left.min(data.len() as u64) as usize);
            self.left -= data.len() as u64;
            if self.left == 0 {
                self.body = None;
            }
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::Asked;

    #[test]
    fn a_range_is_cut_at_the_end_of_the_object() {
        let within = |text, total| Asked::parse(text).unwrap().within(total);
        assert_eq!(within("bytes=2-3", 10), Some(2..4));
        assert_eq!(within("bytes=2-30", 10), Some(2..10));
        assert_eq!(within("bytes=4-", 10), Some(4..10));
        assert_eq!(within("bytes=-3", 10), Some(7..10));
        assert_eq!(within("bytes=-30", 10), Some(0..10));
        assert_eq!(within("bytes=10-12", 10), None);
        assert_eq!(within("bytes=-3", 0), None);
        assert_eq!(Asked::parse("bytes=0-1,3-4"), None);
    }
}
