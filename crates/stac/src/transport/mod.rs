//! Moving bytes: the only part of this crate that does.
//!
//! Large files, copies and uploads are the transfer engine's work ([`holdall_store::transfer`]). Small files are read
//! here, because one request has to tell media type, length and content.

mod checks;
mod engine;
mod fetch;
mod file;
mod http;
mod object;
#[cfg(target_os = "linux")]
mod unnamed;

use std::time::Duration;

use ::http::{HeaderName, HeaderValue, Method};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use holdall_store::Store;
use holdall_store::object_store::path::Path;

pub(crate) use self::engine::{settle, told_transfer, write};
pub(crate) use self::fetch::{Fetched, Wanted, Watch, fetch};
pub(crate) use self::http::{HttpSource, answer, json, post_json, read_json};

use crate::clients::{Head, Renewal, as_login};
use crate::error::{Error, ErrorKind, Result};
use crate::media_type;
use crate::multihash::Multihash;

/// The bytes of one asset at one place, with what it takes to read them.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Http(Box<HttpSource>),
    Object {
        store: Store,
        path: Path,
        /// Whether the store knows media types.
        checks_type: bool,
        /// What to do when it refuses.
        advice: Option<&'static str>,
    },
}

/// A body that begins to arrive.
pub(crate) struct Opened {
    /// Where in the file it begins.
    pub(crate) start: u64,
    /// The length of the whole file.
    pub(crate) size: Option<u64>,
    pub(crate) media_type: Option<String>,
    /// What tells this version of the file from others, if the server says.
    pub(crate) version: Option<Version>,
    pub(crate) body: BoxStream<'static, Result<Bytes>>,
}

impl Opened {
    /// Whether it goes on with a version, as far as the server says.
    pub(crate) fn is_of(&self, before: &Version) -> bool {
        self.may_be(Some(&before.tag), before.size)
    }

    /// Whether it is of a file of which this is known, as far as the server says.
    fn may_be(&self, tag: Option<&str>, size: Option<u64>) -> bool {
        let now = self.version.as_ref().map(|version| version.tag.as_str());
        now.zip(tag).is_none_or(|(now, then)| now == then)
            && self.size.zip(size).is_none_or(|(now, then)| now == then)
    }
}

/// A version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// Its entity tag, or the time at which it was written.
    pub(crate) tag: String,
    /// The length of the whole file.
    pub(crate) size: Option<u64>,
}

impl Version {
    /// The error of a body that would go on with another version: from the beginning it is whole again.
    pub(crate) fn changed(&self, target: &str) -> Error {
        let detail = format!("the file changed while it was read (it was {})", self.tag);
        Error::new(ErrorKind::Integrity, "download", target, detail).passing()
    }
}

/// Bytes of a file: from `start`, up to `end` if that is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) end: Option<u64>,
}

impl Source {
    /// The same, with something to say to whoever is refused.
    pub(crate) fn advised(mut self, text: &'static str) -> Self {
        if let Self::Object { advice, .. } = &mut self {
            *advice = Some(text);
        }
        self
    }

    /// The same, with a token of its requests that is renewed when it is refused.
    pub(crate) fn renewing(mut self, renewal: Renewal) -> Self {
        if let Self::Http(source) = &mut self {
            source.guard.renew_with(renewal);
        }
        self
    }

    /// A failure of this source, with what to do about it.
    pub(crate) fn advise(&self, error: Error) -> Error {
        use holdall_store::ErrorKind::{PermissionDenied, Unauthenticated};
        let refused = matches!(error.store_kind(), Some(PermissionDenied | Unauthenticated));
        match self {
            Self::Object { advice: Some(advice), .. } if refused => error.with_hint(advice),
            Self::Http(_) if refused => as_login(&error).unwrap_or(error),
            _ => error,
        }
    }

    /// How messages name it, without secrets.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Http(source) => source.name(),
            Self::Object { store, path, .. } => store.url_of(path),
        }
    }

    /// One header more for requests to an HTTP server.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what is no header.
    pub(crate) fn add_header(&mut self, name: &str, value: &str) -> Result<()> {
        let Self::Http(source) = self else { return Ok(()) };
        let header =
            HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        let Some((name, value)) = header else {
            let detail = format!("the header `{name}` that the server asks for is none");
            return Err(Error::new(ErrorKind::Config, "open", source.name(), detail));
        };
        source.headers.insert(name, value);
        Ok(())
    }

    /// Begins to read. With the tag of a version, a server that has another one by now sends the whole file, from 0.
    pub(crate) async fn open(&self, span: Span, tag: Option<&str>) -> Result<Opened> {
        match self {
            Self::Http(source) => http::open(source, span, tag).await,
            Self::Object { store, path, .. } => object::open(store, path, span, tag).await,
        }
    }

    /// What is known of the object without its bytes, repeated after passing failures.
    pub(crate) async fn head(&self) -> Result<Head> {
        match self {
            Self::Http(source) => http::head(source).await,
            Self::Object { store, path, .. } => object::head(store, path).await,
        }
    }

    /// The store and key by which the engine reads the same bytes. `None` where a URL is written in a way that a store
    /// would write otherwise, which a signature may not bear.
    pub(crate) fn engine_place(&self) -> Option<(Store, Path)> {
        match self {
            Self::Http(source) => source.engine_place(),
            Self::Object { store, path, .. } => Some((store.clone(), path.clone())),
        }
    }

    /// Whether there is another attempt after so many, of which the last one ended this way. Stores repeat requests on their
    /// own, as often as they were told: what is left to us are bodies that break off.
    pub(crate) fn tries_again(&self, error: &Error, attempts: u32) -> bool {
        let most = match self {
            Self::Http(source) => source.attempts,
            Self::Object { .. } if is_answer(error) => 1,
            Self::Object { .. } => 3,
        };
        error.is_retryable() && attempts < most
    }

    fn check_media_type(
        &self,
        actual: Option<&str>,
        expected: Option<&str>,
    ) -> Result<Option<Error>> {
        let (Some(actual), Some(expected)) = (actual, expected) else { return Ok(None) };
        let Err(error) = media_type::check(&self.name(), actual, expected) else { return Ok(None) };
        // Web servers know nothing of GeoTIFF: the bare type is enough of them.
        let bare = actual.split(';').next().unwrap_or_default();
        if matches!(self, Self::Http(_)) && media_type::check("", bare, expected).is_ok() {
            return Ok(None);
        }
        match self {
            Self::Http(source) if source.asserts_type => Err(error),
            Self::Http(_) => Ok(Some(error)),
            Self::Object { checks_type: true, .. } => Err(error),
            Self::Object { checks_type: false, .. } => Ok(None),
        }
    }
}

/// Whether a request failed as such: the server refused it, or was not there.
fn is_answer(error: &Error) -> bool {
    use holdall_store::ErrorKind::Connection;

    error.status().is_some() || error.store_kind() == Some(Connection)
}

pub(crate) fn wrong_size(target: &str, actual: u64, expected: u64) -> Error {
    let detail = format!("it has {actual} bytes, and its file:size says {expected}");
    Error::new(ErrorKind::Integrity, "verify", target, detail)
}

pub(crate) fn wrong_checksum(target: &str, actual: &Multihash, expected: &Multihash) -> Error {
    let detail = format!("its checksum is {actual}, and its file:checksum says {expected}");
    Error::new(ErrorKind::Integrity, "verify", target, detail)
}

pub(crate) fn unknown_size(target: &str, written: &str) -> Error {
    let detail = format!(
        "its file:size {written} is no number of bytes, so nothing can be compared with it"
    );
    Error::new(ErrorKind::Integrity, "verify", target, detail)
}

pub(crate) fn unknown_checksum(target: &str, written: &str) -> Error {
    let detail = format!(
        "its file:checksum '{written}' is no multihash of an algorithm that is known here, so nothing can be compared with it"
    );
    Error::new(ErrorKind::Integrity, "verify", target, detail)
}

/// The wait before the next attempt: what the server asks for, or longer and longer with some jitter.
pub(crate) fn pause(attempt: u32, asked: Option<Duration>) -> Duration {
    /// Longest wait that a server can ask for.
    const MOST: Duration = Duration::from_secs(300);
    match asked {
        Some(asked) => asked.min(MOST),
        None => {
            let base = (0.1 * 2f64.powi(attempt.min(12) as i32 - 1)).min(30.0);
            Duration::from_secs_f64(base * (0.5 + fastrand::f64()))
        }
    }
}

/// Sends a body to the first of these places that is an HTTP server, and returns its answer; repeated after passing failures.
pub(crate) async fn send(
    ways: &[Source],
    method: Method,
    media_type: &'static str,
    body: String,
) -> Result<Bytes> {
    let http = ways.iter().find_map(|way| match way {
        Source::Http(source) => Some(source),
        Source::Object { .. } => None,
    });
    let Some(source) = http else {
        let target = ways.first().map(Source::name).unwrap_or_default();
        let detail = "only HTTP servers take requests with a body";
        return Err(Error::new(ErrorKind::Href, "send", target, detail));
    };
    answer(source, "send", method, Some((media_type, body))).await
}

/// Reads a file, and no other than `of` where that is given; repeated after passing failures.
pub(crate) async fn read(ways: &[Source], span: Span, of: Option<&Head>) -> Result<Bytes> {
    let mut first = None;
    for way in ways {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match read_once(way, span, of).await {
                Ok(data) => return Ok(data),
                Err(error) if way.tries_again(&error, attempt) => {
                    tokio::time::sleep(pause(attempt, error.retry_after())).await;
                }
                Err(error) => {
                    first = first.or_else(|| Some(way.advise(error.after_attempts(attempt))));
                    break;
                }
            }
        }
    }
    Err(first.unwrap_or_else(|| Error::new(ErrorKind::Href, "read", "", "there is no way to it")))
}

/// Begins to read the file that was found before.
async fn open_of(source: &Source, span: Span, head: &Head) -> Result<Opened> {
    use holdall_store::ErrorKind::{Io, Precondition};

    let opened = source.open(span, head.tag.as_deref()).await;
    let is_other = match &opened {
        Ok(opened) => !opened.may_be(head.tag.as_deref(), head.size),
        // There was something where nothing is any more.
        Err(error) => error.store_kind() == Some(Precondition) || error.status() == Some(416),
    };
    match is_other {
        true => {
            let detail = "it changed while it was read: open it again";
            Err(holdall_store::Error::new(Io, "read", source.name(), detail).into())
        }
        false => opened,
    }
}

async fn read_once(source: &Source, span: Span, of: Option<&Head>) -> Result<Bytes> {
    let mut opened = match of {
        Some(head) => open_of(source, span, head).await?,
        None => source.open(span, None).await?,
    };
    if span == Span::default()
        && opened.size.is_some_and(|size| size > fetch::LARGE_BYTES)
        && let Some((store, key)) = source.engine_place()
    {
        drop(opened);
        return engine::read(&store, &key).await;
    }
    // A server without ranges sends the whole file.
    let mut skip = span.start.saturating_sub(opened.start);
    let mut left = span.end.map(|end| end.saturating_sub(span.start));
    let known = left.or(opened.size.map(|size| size.saturating_sub(span.start)));
    let capacity = usize::try_from(known.unwrap_or(0).min(1 << 30)).unwrap_or_default();
    let mut all = Vec::with_capacity(capacity);
    let mut seen = opened.start;
    while let Some(piece) = opened.body.next().await {
        let mut piece = piece?;
        seen += piece.len() as u64;
        let cut = skip.min(piece.len() as u64);
        skip -= cut;
        piece = piece.slice(cut as usize..);
        if let Some(left) = &mut left {
            piece.truncate((*left).min(piece.len() as u64) as usize);
            *left -= piece.len() as u64;
        }
        all.extend_from_slice(&piece);
        if left == Some(0) {
            return Ok(all.into());
        }
    }
    let end = match (span.end, opened.size) {
        (Some(end), Some(size)) => Some(end.min(size)),
        (end, size) => end.or(size),
    };
    if span.end.is_none() && end.is_some_and(|end| end != seen) {
        let detail = format!("the connection ended at byte {seen} of {}", end.unwrap_or_default());
        return Err(Error::new(ErrorKind::Integrity, "read", source.name(), detail).passing());
    }
    Ok(all.into())
}

impl Source {
    /// Begins to read the whole file for somebody who takes it piece by piece; repeated until the first byte is there.
    pub(crate) async fn begin(&self, media_type: Option<&str>) -> Result<crate::io::Body> {
        let mut attempt = 0;
        let opened = loop {
            attempt += 1;
            match self.open(Span::default(), None).await {
                Ok(opened) => break opened,
                Err(error) if self.tries_again(&error, attempt) => {
                    tokio::time::sleep(pause(attempt, error.retry_after())).await;
                }
                Err(error) => return Err(error.after_attempts(attempt)),
            }
        };
        let warning = self.check_media_type(opened.media_type.as_deref(), media_type)?;
        let (size, media_type) = (opened.size, opened.media_type);
        let pieces = pieces(self.clone(), opened.body, opened.version, size);
        Ok(crate::io::Body { size, media_type, warning, pieces })
    }
}

struct Rest {
    source: Source,
    body: BoxStream<'static, Result<Bytes>>,
    version: Option<Version>,
    size: Option<u64>,
    seen: u64,
    attempt: u32,
}

/// The pieces of a body. After a failure in the middle it goes on where it stopped, if the server can tell that the file
/// is still the same.
fn pieces(
    source: Source,
    body: BoxStream<'static, Result<Bytes>>,
    version: Option<Version>,
    size: Option<u64>,
) -> BoxStream<'static, Result<Bytes>> {
    let rest = Rest { source, body, version, size, seen: 0, attempt: 0 };
    futures::stream::try_unfold(rest, |mut rest| async move {
        loop {
            let error = match rest.body.next().await {
                Some(Ok(piece)) => {
                    rest.seen += piece.len() as u64;
                    rest.attempt = 0;
                    return Ok(Some((piece, rest)));
                }
                None if rest.size.is_none_or(|size| size == rest.seen) => return Ok(None),
                None => {
                    let detail = format!(
                        "the connection ended after {} of {} bytes",
                        rest.seen,
                        rest.size.unwrap_or_default()
                    );
                    let name = rest.source.name();
                    Error::new(ErrorKind::Integrity, "read", name, detail).passing()
                }
                Some(Err(error)) => error,
            };
            rest.attempt += 1;
            if rest.version.is_none() || !rest.source.tries_again(&error, rest.attempt) {
                return Err(error);
            }
            tokio::time::sleep(pause(rest.attempt, error.retry_after())).await;
            let span = Span { start: rest.seen, end: None };
            let tag = rest.version.as_ref().map(|version| version.tag.as_str());
            match rest.source.open(span, tag).await {
                // What was handed out cannot be taken back.
                Ok(opened) if opened.start != rest.seen => return Err(error),
                Ok(opened) if rest.version.as_ref().is_some_and(|v| !opened.is_of(v)) => {
                    return Err(error);
                }
                Ok(opened) => rest.body = opened.body,
                Err(again) if again.is_retryable() => {}
                Err(again) => return Err(again),
            }
        }
    })
    .boxed()
}
