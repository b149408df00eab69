//! Redirects, and what may go along with them.
//!
//! A redirect within an origin keeps everything. To another origin go only headers that say what is wanted: neither
//! the headers that the caller configured, nor credentials, nor anything that a signature stands for.

use http::header::{
    ACCEPT, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LOCATION,
    RANGE,
};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpRequestBody};
use reqwest::redirect::{Attempt, Policy};
use url::Url;

use super::ParsedUrl;

/// Redirects of one request, as browsers count them.
const MOST: usize = 10;

const PLAIN: [HeaderName; 7] =
    [ACCEPT, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE];

/// Counts the origins that a request has been through.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hops(usize);

/// Follows within an origin; the first reply that leaves it comes back as it is.
pub(super) fn within_origin() -> Policy {
    Policy::custom(|attempt: Attempt<'_>| {
        if attempt.previous().len() > MOST {
            return attempt.error("too many redirects");
        }
        let here = attempt.previous().last().map(|url| url.origin());
        if here == Some(attempt.url().origin()) { attempt.follow() } else { attempt.stop() }
    })
}

/// Leaves every redirect to the caller.
pub(super) fn never() -> Policy {
    Policy::none()
}

/// Where a reply sends the client.
pub(super) fn target(status: StatusCode, headers: &HeaderMap, url: &Url) -> Option<Url> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    url.join(headers.get(LOCATION)?.to_str().ok()?).ok()
}

/// Where a redirected request goes.
pub(super) enum Onward {
    /// To another place of the same origin, as it is.
    Within(HttpRequest),
    /// To another origin, with what may be sent there.
    Elsewhere(HttpRequest),
    /// That is not for us to say: it writes something, or the place is not one.
    Unclear,
}

/// Where a request goes that was answered with a redirect.
///
/// # Errors
/// Those of [`Elsewhere::request`].
pub(super) fn onward(
    request: &HttpRequest,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Onward, HttpError> {
    let here = Url::parse(&request.uri().to_string()).ok();
    let there = here.as_ref().and_then(|here| target(status, headers, here));
    let (Some(here), Some(mut there)) = (here, there) else { return Ok(Onward::Unclear) };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(Onward::Unclear);
    }
    if here.origin() != there.origin() {
        let (parts, _) = request.clone().into_parts();
        let next = Elsewhere::of(&parts).request(status, headers, &here)?;
        return Ok(next.map_or(Onward::Unclear, Onward::Elsewhere));
    }
    there.set_fragment(None);
    let Ok(uri) = there.as_str().parse() else { return Ok(Onward::Unclear) };
    let mut next = request.clone();
    *next.uri_mut() = uri;
    next.extensions_mut().remove::<ParsedUrl>();
    Ok(Onward::Within(next))
}

/// What of a request may be sent elsewhere.
#[derive(Debug)]
pub(super) struct Elsewhere {
    method: Method,
    headers: HeaderMap,
    hops: usize,
}

impl Elsewhere {
    pub(super) fn of(parts: &http::request::Parts) -> Self {
        let plain = parts.headers.iter().filter(|(name, _)| PLAIN.contains(name));
        let headers = plain.map(|(name, value)| (name.clone(), value.clone())).collect();
        let hops = parts.extensions.get::<Hops>().copied().unwrap_or_default().0;
        Self { method: parts.method.clone(), headers, hops }
    }

    /// The request that `reply` asks for, when it is a redirect.
    ///
    /// # Errors
    /// For redirects of writes, whose body and credentials were meant for this origin, and for too many.
    pub(super) fn request(
        self,
        status: StatusCode,
        headers: &HeaderMap,
        url: &Url,
    ) -> Result<Option<HttpRequest>, HttpError> {
        let Some(target) = target(status, headers, url) else { return Ok(None) };
        let refuse = |why: &str| {
            let origin = target.origin().ascii_serialization();
            let text = format!("{why} to {origin}");
            Err(HttpError::new(HttpErrorKind::Unknown, std::io::Error::other(text)))
        };
        if self.hops >= MOST {
            return refuse("too many redirects, the last one");
        }
        if !matches!(self.method, Method::GET | Method::HEAD) {
            return refuse(&format!("the server redirects a {} request", self.method));
        }
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() =
            target.as_str().parse().map_err(|e| HttpError::new(HttpErrorKind::Unknown, e))?;
        *request.method_mut() = self.method;
        *request.headers_mut() = self.headers;
        request.extensions_mut().insert(Hops(self.hops + 1));
        Ok(Some(request))
    }
}
