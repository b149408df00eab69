//! Who takes content of objects, and who sends it on to others.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use url::{Position, Url};

/// What nodes showed by their replies.
///
/// The cluster map alone cannot tell: users who may write need not be allowed to see it, and it has nodes by the names
/// that they gave themselves, which are others behind a load balancer, a forwarded port, or for `localhost`. A server
/// that is wrongly taken for a proxy would store an empty object before the right one.
#[derive(Default)]
pub(crate) struct Takers {
    /// By scheme, host and port.
    seen: RwLock<HashMap<String, bool>>,
}

impl Takers {
    /// Whether the node at `url` keeps content itself; none when it never showed.
    pub(crate) fn known(&self, url: &Url) -> Option<bool> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).get(place(url)).copied()
    }

    /// Remembers that the node at `url` kept content, or sent it on.
    pub(crate) fn learn(&self, url: &Url, takes: bool) {
        if self.known(url) != Some(takes) {
            let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
            seen.insert(place(url).to_owned(), takes);
        }
    }
}

fn place(url: &Url) -> &str {
    &url[..Position::BeforePath]
}
