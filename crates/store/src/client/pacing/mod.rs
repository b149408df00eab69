//! How fast requests may go to a host that asks for less.
//!
//! Requests flow freely, at the cost of one atomic load, until a host answers 429 or 503. From then on it has a pace in
//! this process:
//!
//! 1. For a moment the host's replies are counted, nothing is slowed down. What it accepts while it refuses is what it
//!    allows. When hardly anything was refused, the refusal was an accident and the host is let go. When hardly anything was
//!    accepted, that tells nothing (perhaps the host counts by the second, and this one is used up): a rate is looked for
//!    that doubles until the host has had a second to show what it allows.
//! 2. Requests go out evenly at nearly that rate, which grows along a cubic curve: fast while it is far below the rate
//!    that was too much, flat around it, then faster and faster, so that a host that allows more is found out.
//! 3. When the host refuses again, what it accepted since tells the new rate. Replies to requests that were sent before a
//!    reduction belong to the same burst and reduce nothing.
//! 4. `Retry-After` speaks of one request. While the host accepts others, it is a refusal like any other: waiting for as
//!    long as it says would leave unused what the host allows meanwhile. A host that names a time and refuses several in a
//!    row is taken at its word: no requests until then, for a minute at most, but for one now and then, less and less
//!    often, that finds out whether it is open again (hosts that count by the second often name longer times). Afterwards
//!    the rate stays below the one that was too much for forty times as long as it was closed, because each attempt at more
//!    costs another stop.
//! 5. A host that has refused everything for three minutes is out of order, and who has a thousand objects there is not to
//!    wait for each. Whoever has no turn within a second is refused in its name; the turns that come find out whether it
//!    accepts something again.
//! 6. A host that refuses the same share of fewer and fewer requests is ill, or others ask too much of it. To go slower helps
//!    nobody then: its rate rises again, and goes down when it refuses more than that share.
//!
//! A few refusals in a hundred are taken as they come: they cost a repetition each, which is cheaper than going slower. The
//! reply of a refused request goes to whoever sent it; repeating is up to the retry policy of the store.

mod control;
mod replies;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use object_store::client::HttpResponse;
use tokio::time::Instant;

use control::Control;

/// Longest sleep of who waits for a turn: the rate may change meanwhile. And the shortest: of a turn, no more may be missing
/// than what sums are rounded by, which no time makes up for.
const RECONSIDER: Duration = Duration::from_millis(100);
const LEAST_SLEEP: Duration = Duration::from_micros(100);

/// How long a turn at such a host is waited for: who repeats what was refused is to see it when it is in order again.
const MOST_WAIT: Duration = Duration::from_secs(1);

type Hosts = HashMap<String, Arc<Host>>;

static HOSTS: LazyLock<ArcSwap<Mutex<Hosts>>> = LazyLock::new(ArcSwap::default);

/// How many hosts have a pace.
static PACED: AtomicUsize = AtomicUsize::new(0);

/// A request that was let through.
#[derive(Debug)]
pub(super) struct Pass(Option<(Arc<Host>, u64)>);

/// Waits until a request may be sent to `authority`.
///
/// # Errors
/// The host refuses everything, and has for so long that this request is not sent either.
pub(super) async fn enter(authority: &str) -> Result<Pass, OutOfOrder> {
    if PACED.load(Ordering::Relaxed) == 0 {
        return Ok(Pass(None));
    }
    let host = locked(&HOSTS.load()).get(authority).cloned();
    match host {
        Some(host) => {
            let epoch = host.turn().await?;
            Ok(Pass(Some((host, epoch))))
        }
        None => Ok(Pass(None)),
    }
}

/// How long a host has refused everything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct OutOfOrder(Duration);

impl OutOfOrder {
    /// The refusal that the host would have sent, saying that it did not.
    pub(super) fn into_reply(self, authority: &str) -> HttpResponse {
        let message = format!(
            "{authority} has refused every request for {} s; this one was not sent",
            self.0.as_secs()
        );
        let body = format!("<Error><Code>SlowDown</Code><Message>{message}</Message></Error>");
        let mut reply = HttpResponse::new(body.into());
        *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        reply
    }
}

impl Pass {
    /// Learns from the reply.
    pub(super) fn replied(self, authority: &str, status: StatusCode, headers: &HeaderMap) {
        let refused =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if self.0.is_none() && !refused {
            return;
        }
        let (host, epoch) = match self.0 {
            Some(known) => known,
            None => (host(authority), 0),
        };
        let now = Instant::now();
        let mut control = locked(&host.control);
        match refused {
            true => control.refused(now, epoch, retry_after(headers)),
            false => control.accepted(now, epoch),
        }
        if control.is_over() {
            drop(control);
            forget(authority, &host);
        }
    }
}

/// Forgets every pace; to be called in a forked child, where no thread of the parent releases a lock or ends a wait.
pub(super) fn reset_after_fork() {
    std::mem::forget(HOSTS.swap(Arc::default()));
    PACED.store(0, Ordering::Relaxed);
}

/// When the server wants to be asked again (RFC 9110, 10.2.3): seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    (date.to_utc() - chrono::Utc::now()).to_std().ok()
}

fn host(authority: &str) -> Arc<Host> {
    let hosts = HOSTS.load();
    let mut hosts = locked(&hosts);
    if let Some(host) = hosts.get(authority) {
        return host.clone();
    }
    let host = Arc::new(Host::new(Instant::now()));
    hosts.insert(authority.to_owned(), host.clone());
    PACED.store(hosts.len(), Ordering::Relaxed);
    tracing::debug!(authority, "the host refuses requests: they get a pace");
    host
}

fn forget(authority: &str, host: &Arc<Host>) {
    let hosts = HOSTS.load();
    let mut hosts = locked(&hosts);
    if hosts.get(authority).is_some_and(|known| Arc::ptr_eq(known, host)) {
        hosts.remove(authority);
        PACED.store(hosts.len(), Ordering::Relaxed);
        tracing::debug!(authority, "requests to the host flow freely again");
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Host {
    control: Mutex<Control>,
}

impl Host {
    fn new(now: Instant) -> Self {
        Self { control: Mutex::new(Control::new(now)) }
    }

    /// Waits for a turn; returns the epoch in which it came. Who waits holds nothing: a task that nobody drives any more
    /// keeps no other from its turn.
    async fn turn(&self) -> Result<u64, OutOfOrder> {
        let (ticket, begun) = (locked(&self.control).ticket(), Instant::now());
        loop {
            let wait = {
                let (mut control, now) = (locked(&self.control), Instant::now());
                match control.take(now, ticket) {
                    Ok(epoch) => return Ok(epoch),
                    Err(wait) => match control.out_of_order(now) {
                        Some(refused) if now - begun >= MOST_WAIT => {
                            control.renounce();
                            return Err(refused);
                        }
                        _ => wait,
                    },
                }
            };
            tokio::time::sleep(wait.clamp(LEAST_SLEEP, RECONSIDER)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let headers = |text: &str| HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        assert_eq!(retry_after(&headers("7")), Some(Duration::from_secs(7)));
        let date = headers("Fri, 31 Dec 2100 23:59:59 GMT");
        assert!(retry_after(&date).unwrap() > Duration::from_secs(3600));
        assert_eq!(retry_after(&headers("soon")), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
