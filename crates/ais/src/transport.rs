//! How requests reach a cluster: its map, redirects, repetition, the token.
//!
//! * The token goes to the endpoint and to nodes of the cluster map, and nowhere else.
//! * Content of objects is sent once: to those that send it on to others (`crate::content`), the request goes without a
//!   body first, and with it to the target that they name.
//! * Reads go straight to the target that has the object, by the cached map. What fails there goes through the proxy.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use holdall_ais_wire::action::names;
use holdall_ais_wire::{header, hrw, query};
use holdall_store::client::{ClientOptions, shared_client};
use holdall_store::object_store::client::{HttpClient, HttpRequest, HttpRequestBody, HttpResponse};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode, Uri};
use url::Url;

use crate::call::{Call, Response};
use crate::config::{ClientConfig, Repetition, SHORTEST_COLD_PAUSE, Token};
use crate::content::Takers;
use crate::error::{Error, ErrorKind, Result, refusal};
use crate::smap::{ClusterMap, MAP_PATH};

/// Redirects of one request. AIStore has one.
const MOST_HOPS: usize = 5;
/// How long reads go through the proxy after a target could not be reached or did not let them in.
const DIRECT_PAUSE: Duration = Duration::from_secs(60);

/// How many times longer the first pause is when a node that the cluster named cannot be reached, and how much longer each
/// is than the one before. With six repetitions from a tenth of a second on that is 40 seconds: a busy cluster took 25 to
/// see that a target was killed. Nothing of it is left to chance, or some calls would give up earlier.
const GONE_NODE_PAUSES: f64 = 20.0;
const GONE_NODE_GROWTH: f64 = 1.5;

/// Sends requests to one cluster.
pub(crate) struct Transport {
    config: ClientConfig,
    options: ClientOptions,
    http: HttpClient,
    base: Url,
    token: RwLock<Option<Token>>,
    pub(crate) map: ClusterMap,
    takers: Takers,
    /// Until when reads go through the proxy.
    indirect: Mutex<Option<Instant>>,
}

impl Transport {
    pub(crate) fn new(config: ClientConfig) -> Result<Self> {
        let base = config.base()?;
        let mut options = config.http.clone();
        // Whoever writes `http://` has decided against TLS.
        options.allow_http |= base.scheme() == "http";
        options.follow_redirects = false;
        let http = shared_client(&options)?;
        let token = RwLock::new(config.token.clone());
        let map = ClusterMap::default();
        Ok(Self {
            config,
            options,
            http,
            base,
            token,
            map,
            takers: Takers::default(),
            indirect: Mutex::default(),
        })
    }

    pub(crate) fn config(&self) -> &ClientConfig {
        &self.config
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    pub(crate) fn map(&self) -> &ClusterMap {
        &self.map
    }

    pub(crate) fn token(&self) -> Option<Token> {
        self.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_token(&self, token: Option<Token>) {
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// Sends until there is a good reply; its body may still be on its way.
    ///
    /// # Errors
    /// What the server refused, or what stood in the way, once the retries are used up.
    pub(crate) async fn send(&self, call: &Call) -> Result<Response> {
        let mut patience = Patience::new(&self.config);
        loop {
            let error = match self.attempt(call).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            patience.again(self, call, error).await?;
        }
    }

    /// The same with the whole body, for whose sake it is repeated too.
    pub(crate) async fn fetch(&self, call: &Call) -> Result<(http::HeaderMap, StatusCode, Bytes)> {
        let mut patience = Patience::new(&self.config);
        loop {
            let read = async {
                let reply = self.attempt(call).await?;
                let (head, body) = reply.whole().await?;
                Ok((head.headers, head.status, body))
            };
            match read.await {
                Ok(whole) => return Ok(whole),
                Err(error) => patience.again(self, call, error).await?,
            }
        }
    }

    pub(crate) async fn json<T: serde::de::DeserializeOwned>(&self, call: &Call) -> Result<T> {
        let (_, _, body) = self.fetch(call).await?;
        serde_json::from_slice(&body).map_err(|e| {
            call.error(ErrorKind::Corrupt, format!("the reply is not what was expected: {e}"))
        })
    }

    pub(crate) async fn text(&self, call: &Call) -> Result<String> {
        let (_, _, body) = self.fetch(call).await?;
        Ok(String::from_utf8_lossy(&body).trim().to_owned())
    }

    async fn attempt(&self, call: &Call) -> Result<Response> {
        if let Some(reply) = self.straight(call).await {
            return Ok(reply);
        }
        let base = call.endpoint.as_ref().unwrap_or(&self.base);
        let reply = self.follow(call, base).await?;
        checked(call, reply).await
    }

    /// Reads from the target itself, where that is possible and succeeds.
    async fn straight(&self, call: &Call) -> Option<Response> {
        let (bck, object) = call.object.as_ref()?;
        if !self.config.direct_reads || call.endpoint.is_some() || self.is_indirect() {
            return None;
        }
        if self.map.is_one_server() {
            return None;
        }
        let mut tried = None;
        for _ in 0..2 {
            let map = self.map.get(self).await?;
            let node = hrw::target(&map, bck, object)?;
            let url = Url::parse(&node.public_net.direct_url).ok()?;
            // A single server is asked once.
            if url.origin() == self.base.origin() || tried.as_ref() == Some(&node.daemon_id) {
                return None;
            }
            match self.follow(call, &url).await {
                Ok(reply) if reply.head.status.is_success() => return Some(reply),
                // Perhaps it belongs to another one by now.
                Ok(reply) if reply.head.status == StatusCode::NOT_FOUND => {
                    tried = Some(node.daemon_id.clone());
                    self.map.refresh(self).await;
                }
                // The object is the proxy's to tell about; that nobody may ask targets is known now.
                Ok(reply) => {
                    if matches!(reply.status(), 401 | 403) {
                        self.go_indirect();
                    }
                    return None;
                }
                Err(error) => {
                    if matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout) {
                        self.go_indirect();
                        self.map.refresh(self).await;
                    }
                    return None;
                }
            }
        }
        None
    }

    fn is_indirect(&self) -> bool {
        let until = *self.indirect.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn go_indirect(&self) {
        let mut until = self.indirect.lock().unwrap_or_else(PoisonError::into_inner);
        *until = Some(Instant::now() + DIRECT_PAUSE);
    }

    /// Sends to a node and follows redirects; the last reply, whatever it says.
    async fn follow(&self, call: &Call, node: &Url) -> Result<Response> {
        let mut uri = call.uri(node)?;
        let mut node = Cow::Borrowed(node);
        let content = call.is_data && call.body.content_length() > 0;
        let mut with_body = !content || self.takes_content(call, &node).await;
        for hop in 0..=MOST_HOPS {
            let request = self.request(call, &node, uri.clone(), with_body).await?;
            let reply = self.client(call)?.execute(request).await;
            let reply = reply.map_err(|e| {
                let error = Error::transport(call.operation, &call.target, e);
                error.at_named_node(hop > 0)
            })?;
            match redirect(&reply, &uri) {
                Some(next) => {
                    self.check_redirect(call, &node, &next).await?;
                    if content && hop == 0 {
                        self.takers.learn(&node, false);
                    }
                    uri = next.as_str().parse().map_err(|e| {
                        let detail = format!("the redirect to {next} cannot be followed: {e}");
                        call.error(ErrorKind::Redirect, detail)
                    })?;
                    node = Cow::Owned(next);
                    with_body = true;
                }
                // A server that takes content itself, and had none.
                None if !with_body && takes_data(reply.status()) => {
                    self.takers.learn(&node, true);
                    with_body = true;
                }
                None => {
                    if content && hop == 0 && reply.status().is_success() {
                        self.takers.learn(&node, true);
                    }
                    return Ok(Response::of(call, uri, reply));
                }
            }
        }
        Err(call.error(ErrorKind::Redirect, format!("more than {MOST_HOPS} redirects")))
    }

    /// Whether a node keeps content itself: targets and single servers do, proxies do not. Where the map does not tell,
    /// because it is refused or has that node by another name, a HEAD does.
    async fn takes_content(&self, call: &Call, node: &Url) -> bool {
        if let Some(known) = self.takers.known(node) {
            return known;
        }
        if self.map.get(self).await.is_some() && self.map.has(node) {
            return self.map.has_target(node);
        }
        let mut probe = Call::new("head", call.target.clone(), Method::HEAD, call.path.clone());
        probe.query.clone_from(&call.query);
        // Of what is in the cluster: nobody needs to ask a backend.
        let probe = probe.query(query::PRESENCE, "2");
        let Ok(uri) = probe.uri(node) else { return true };
        let Ok(request) = self.request(&probe, node, uri.clone(), false).await else { return true };
        let Ok(reply) = self.http.execute(request).await else { return true };
        if redirect(&reply, &uri).is_some() {
            self.takers.learn(node, false);
            return false;
        }
        // What it refuses, a proxy may have refused, too: the reply to the content will tell.
        true
    }

    fn client(&self, call: &Call) -> Result<HttpClient> {
        match call.timeout {
            None => Ok(self.http.clone()),
            Some(limit) => {
                let mut options = self.options.clone();
                options.timeout = Some(limit);
                Ok(shared_client(&options)?)
            }
        }
    }

    async fn request(
        &self,
        call: &Call,
        node: &Url,
        uri: Uri,
        with_body: bool,
    ) -> Result<HttpRequest> {
        let body = match with_body {
            true => HttpRequestBody::from(call.body.clone()),
            false => HttpRequestBody::empty(),
        };
        let length = body.content_length();
        let mut request = HttpRequest::new(body);
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.clone_from(&call.headers);
        if !matches!(call.method, Method::GET | Method::HEAD) || length > 0 {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        if let Some(token) = self.token()
            && self.is_node(call, node).await
        {
            let value = format!("Bearer {}", token.reveal());
            let mut value = HeaderValue::from_str(&value).map_err(|_| {
                call.error(ErrorKind::Config, "the token has characters that no header can have")
            })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// Whether a URL is the endpoint's, or that of a node of the cluster.
    async fn is_node(&self, call: &Call, url: &Url) -> bool {
        if url.origin() == self.base.origin() || self.map.has(url) {
            return true;
        }
        if call.path == MAP_PATH {
            return false;
        }
        // It may have joined since.
        self.map.refresh(self).await;
        self.map.has(url)
    }

    /// Lets reads go anywhere, without what they must not carry; everything else stays in the cluster. Where the map is not
    /// told, requests for objects go where the endpoint sends them: users who may use a bucket need not be allowed to see it.
    async fn check_redirect(&self, call: &Call, from: &Url, to: &Url) -> Result<()> {
        let reads = matches!(call.method, Method::GET | Method::HEAD);
        if from.origin() == to.origin() || self.is_node(call, to).await || reads {
            return Ok(());
        }
        // Other requests may carry a password, or a token that is to be revoked.
        let is_object = call.path.starts_with("/v1/objects/");
        if is_object && from.origin() == self.base.origin() && self.map.get(self).await.is_none() {
            return Ok(());
        }
        let detail = format!(
            "{} redirects a {} to {}, which is no node of the cluster",
            from.origin().ascii_serialization(),
            call.method,
            to.origin().ascii_serialization()
        );
        Err(call.error(ErrorKind::Redirect, detail))
    }
}

/// Whether a request without its body was taken as it is.
fn takes_data(status: StatusCode) -> bool {
    status.is_success() || status == StatusCode::BAD_REQUEST
}

fn redirect(reply: &HttpResponse, uri: &Uri) -> Option<Url> {
    if !matches!(reply.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = reply.headers().get(LOCATION)?.to_str().ok()?;
    let from = Url::parse(&uri.to_string()).ok()?;
    // Proxies leave backslashes of names as they are, and URLs take them for slashes.
    let mut to = from.join(&location.replace('\\', "%5C")).ok()?;
    // Control characters are left as they are, too: headers and URLs lose them, and the name would be another one.
    if from.path().starts_with("/v1/objects/") && has_control_characters(from.path()) {
        to.set_path(from.path());
    }
    Some(to)
}

/// Whether a path has control characters, encoded.
fn has_control_characters(path: &str) -> bool {
    path.split('%').skip(1).any(|rest| rest.starts_with(['0', '1']) || rest.starts_with("7F"))
}

/// The reply, when it is a good one.
async fn checked(call: &Call, reply: Response) -> Result<Response> {
    let status = reply.head.status;
    if status.is_success() || status.is_redirection() {
        return Ok(reply);
    }
    let url = reply.head.uri.to_string();
    let headers = reply.head.headers.clone();
    let after = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    // A HEAD has no body, and its error in a header.
    let told = headers.get(header::ERROR).map(|v| Bytes::copy_from_slice(v.as_bytes()));
    let body = match told {
        Some(told) => told,
        None => reply.bytes().await.unwrap_or_default(),
    };
    let refused = refusal(status, headers, body, call.method.clone(), &url);
    let error = Error::refused(call.operation, &call.target, refused);
    Err(error.retry_after(after.map(Duration::from_secs)))
}

/// Retries of one call.
struct Patience<'a> {
    config: &'a ClientConfig,
    begin: Instant,
    /// Repetitions after refusals, and after failures of the network.
    attempts: [usize; 2],
    /// The next pause, and the longest, of the same two.
    pauses: [(Duration, Duration); 2],
    cold: Duration,
}

impl<'a> Patience<'a> {
    fn new(config: &'a ClientConfig) -> Self {
        let backoff = &config.retry.backoff;
        let refused = (backoff.init_backoff, backoff.max_backoff);
        let pauses = [refused, config.repetition.network_pauses.unwrap_or(refused)];
        Self { config, begin: Instant::now(), attempts: [0; 2], pauses, cold: Duration::ZERO }
    }

    /// Waits for the next attempt, or gives the error back.
    async fn again(&mut self, transport: &Transport, call: &Call, error: Error) -> Result<()> {
        let retry = &self.config.retry;
        if error.kind() == ErrorKind::Timeout
            && let Some((bck, _)) = call.object.as_ref().filter(|_| call.method == Method::GET)
            && bck.is_remote()
        {
            return self.wait_for_cold(transport, call, error).await;
        }
        let of_network = error.status().is_none();
        let (repetition, attempts) = (&self.config.repetition, &mut self.attempts);
        let (pause, longest) = &mut self.pauses[usize::from(of_network)];
        let asked = error.asked_pause().filter(|_| repetition.keep_retry_after);
        let mut wait = (*pause).max(asked.unwrap_or_default());
        if error.kind() == ErrorKind::Connection && error.is_at_named_node() {
            // It takes a cluster a while to see that a node is gone.
            let growth = GONE_NODE_GROWTH.powi(i32::try_from(attempts[1]).unwrap_or(i32::MAX));
            let longer = retry.backoff.init_backoff.as_secs_f64() * GONE_NODE_PAUSES * growth;
            wait = wait.max(Duration::from_secs_f64(longer.min(longest.as_secs_f64())));
        }
        let most = match repetition.network_retries {
            Some(most) if of_network => most,
            // A count of its own where they have one; otherwise all share one.
            Some(_) => retry.max_retries,
            None => retry.max_retries.saturating_sub(attempts[usize::from(!of_network)]),
        };
        let attempts = &mut attempts[usize::from(of_network)];
        let is_over = *attempts >= most || self.begin.elapsed() + wait > retry.retry_timeout;
        if is_over || !worth_repeating(&error, call, repetition) {
            return Err(error);
        }
        *attempts += 1;
        tracing::debug!(%error, attempt = *attempts, "request is repeated");
        tokio::time::sleep(wait).await;
        let spread = 1.0 + fastrand::f64() * (retry.backoff.base - 1.0).max(0.0);
        *pause = pause.mul_f64(spread).min(*longest);
        Ok(())
    }

    /// The cluster is fetching the object: waits while it is locked for that.
    async fn wait_for_cold(
        &mut self,
        transport: &Transport,
        call: &Call,
        error: Error,
    ) -> Result<()> {
        let cold = &self.config.cold_get;
        let mut pauses = None;
        while self.cold < cold.max_wait {
            let Some(locked) = transport.is_write_locked(call).await else { return Err(error) };
            if !locked {
                // Each attempt counts, or a backend that never answers would be asked for ever.
                self.cold += self.config.http.timeout.unwrap_or(SHORTEST_COLD_PAUSE);
                return Ok(());
            }
            let (pause, longest) = match pauses {
                Some(pauses) => pauses,
                None => cold.pauses(transport.size(call, cold.remote_head).await),
            };
            tokio::time::sleep(pause).await;
            self.cold += pause;
            pauses = Some(((pause * 2).min(longest), longest));
        }
        Err(error)
    }
}

impl Transport {
    /// How long the object of a read is; 0 when that cannot be told. Of what is not in the cluster its backend is asked,
    /// when `remote` says so.
    fn size<'a>(&'a self, read: &'a Call, remote: bool) -> BoxFuture<'a, u64> {
        async move {
            let Some((bck, _)) = &read.object else { return 0 };
            // Anywhere, or with what it has in the cluster.
            let presence = if remote { "0" } else { "2" };
            let call = Call::new("head", read.target.clone(), Method::HEAD, read.path.clone())
                .bck(bck)
                .query(query::PROPS, "size")
                .query(query::PRESENCE, presence);
            let Ok(reply) = self.follow(&call, &self.base).await else { return 0 };
            let length = reply.header(CONTENT_LENGTH).filter(|_| reply.head.status.is_success());
            length.and_then(|text| text.parse().ok()).unwrap_or(0)
        }
        .boxed()
    }

    /// Whether somebody writes the object of a read; none when that cannot be told.
    fn is_write_locked<'a>(&'a self, read: &'a Call) -> BoxFuture<'a, Option<bool>> {
        async move {
            let (bck, _) = read.object.as_ref()?;
            let call =
                Call::new("check-lock", read.target.clone(), Method::POST, read.path.clone())
                    .bck(bck)
                    .action(names::CHECK_LOCK, &serde_json::Value::Null);
            let reply = self.follow(&call, &self.base).await.ok()?;
            match reply.status() {
                423 => Some(true),
                200 | 202 => Some(false),
                _ => None,
            }
        }
        .boxed()
    }
}

fn worth_repeating(error: &Error, call: &Call, repetition: &Repetition) -> bool {
    let listed = |status: u16| repetition.statuses.as_ref().is_none_or(|all| all.contains(&status));
    match error.status() {
        Some(status) if !listed(status) => false,
        // The server said that it did nothing.
        Some(429 | 503) => true,
        Some(408 | 500 | 502 | 504) => {
            let is_missing = error.kind() == ErrorKind::ObjectNotFound;
            let is_bad_luck = error.status() != Some(500) || call.method == Method::GET;
            call.idempotent && is_bad_luck && !is_missing
        }
        Some(_) => false,
        None => match error.kind() {
            ErrorKind::Connection => true,
            ErrorKind::Timeout | ErrorKind::Corrupt => call.idempotent,
            _ => false,
        },
    }
}
