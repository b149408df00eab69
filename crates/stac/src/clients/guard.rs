//! What the requests for an asset go through on their way to its server, those of the engine too: a page for logging in is no
//! asset, and a token that was refused is renewed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use holdall_store::client::RedirectedTo;
use holdall_store::object_store::client::{
    HttpClient, HttpError, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use http::StatusCode;

use super::earthdata;
use crate::error::{Error, ErrorKind};

/// What an asset's requests need beyond being sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guard {
    /// The host and port of a login page besides those that are known.
    login: Option<Arc<str>>,
    renewal: Option<Arc<Renewal>>,
}

impl Guard {
    pub(super) fn new(login: &str) -> Self {
        Self { login: Some(login.into()), renewal: None }
    }

    /// For an asset whose requests carry a token that can be renewed.
    pub(crate) fn renew_with(&mut self, renewal: Renewal) {
        self.renewal = Some(Arc::new(renewal));
    }

    /// A client whose requests go through here.
    pub(crate) fn around(&self, http: HttpClient) -> HttpClient {
        HttpClient::new(Guarded { guard: self.clone(), http })
    }

    /// Sends a request.
    pub(crate) async fn execute(
        &self,
        http: &HttpClient,
        request: HttpRequest,
    ) -> Result<HttpResponse, HttpError> {
        let reply = match &self.renewal {
            Some(renewal) => Box::pin(renewal.execute(http, request)).await?,
            None => http.execute(request).await?,
        };
        Ok(if self.is_login(&reply) { unauthenticated() } else { reply })
    }

    /// Whether a redirect led to the page on which users of Earthdata log in: the reply is for people, whatever its status.
    fn is_login(&self, reply: &HttpResponse) -> bool {
        let Some(RedirectedTo(uri)) = reply.extensions().get() else { return false };
        let (status, login) = (reply.status(), self.login.as_deref());
        let is_page = uri.host().is_some_and(earthdata::is_login_host)
            || uri.authority().is_some_and(|at| Some(at.as_str()) == login);
        // What is wrong with the page passes.
        is_page && !(status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS)
    }
}

/// What is answered to a request that ended at a page for logging in.
fn unauthenticated() -> HttpResponse {
    let mut reply = HttpResponse::new(HttpResponseBody::from(earthdata::login_page()));
    *reply.status_mut() = StatusCode::UNAUTHORIZED;
    reply
}

/// The error of a request that ended at a page for logging in, out of what was made of it on its way.
pub(crate) fn as_login(error: &Error) -> Option<Error> {
    error.detail().contains(earthdata::LOGIN_PAGE).then(|| {
        let (operation, target) = (error.operation(), error.target());
        Error::new(ErrorKind::Authentication, operation, target, earthdata::login_page())
    })
}

/// A client whose requests go through a guard.
#[derive(Debug)]
struct Guarded {
    guard: Guard,
    http: HttpClient,
}

#[async_trait]
impl HttpService for Guarded {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.guard.execute(&self.http, request).await
    }
}

/// Gives another token in place of one that was refused, if there is one.
type Renew = Box<dyn Fn(String) -> BoxFuture<'static, Option<String>> + Send + Sync>;

/// How long a token is not renewed that came in place of a refused one: a server that refuses this one as well has other
/// reasons.
pub(super) const RENEWED: Duration = Duration::from_secs(60);

/// How requests are sent anew whose token was refused: each once.
pub(crate) struct Renewal {
    first: String,
    newer: Mutex<Option<String>>,
    /// Replies by which the server refuses a token.
    refusals: &'static [u16],
    put: fn(&mut HttpRequest, &str),
    renew: Renew,
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal").finish_non_exhaustive()
    }
}

impl Renewal {
    /// For requests that carry `token`; `put` puts another one in its place.
    pub(super) fn new(
        token: String,
        refusals: &'static [u16],
        put: fn(&mut HttpRequest, &str),
        renew: Renew,
    ) -> Self {
        Self { first: token, newer: Mutex::default(), refusals, put, renew }
    }

    async fn execute(
        &self,
        http: &HttpClient,
        mut request: HttpRequest,
    ) -> Result<HttpResponse, HttpError> {
        let newer = self.newer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(token) = &newer {
            (self.put)(&mut request, token);
        }
        let mut again = request.clone();
        let reply = http.execute(request).await?;
        if !self.refusals.contains(&reply.status().as_u16()) {
            return Ok(reply);
        }
        let refused = newer.unwrap_or_else(|| self.first.clone());
        let Some(token) = (self.renew)(refused).await else { return Ok(reply) };
        drop(reply);
        (self.put)(&mut again, &token);
        *self.newer.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        http.execute(again).await
    }
}
