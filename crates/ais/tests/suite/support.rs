//! A cluster, and a client of it: a server of one's own, or the real one whose address is in
//! `HOLDALL_TEST_AIS_ENDPOINT`.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use holdall_ais::{Bucket, Client, ClientConfig};
use holdall_ais_server::{Options, Server};

pub(crate) struct Ais {
    /// None of a cluster that others use, too.
    server: Option<Server>,
    pub(crate) client: Client,
    url: String,
    /// Buckets that are named, to be removed from a cluster that stays.
    named: Mutex<Vec<String>>,
}

impl Ais {
    /// A server in memory, unless a cluster is named.
    pub(crate) async fn start() -> Self {
        let (server, url) = match std::env::var("HOLDALL_TEST_AIS_ENDPOINT") {
            Ok(url) => (None, url),
            Err(_) => {
                let server = Server::start(Options::default()).await.expect("the server starts");
                let url = server.url().to_owned();
                (Some(server), url)
            }
        };
        let client = Client::new(ClientConfig::new(&url)).expect("the settings are right");
        Self { server, client, url, named: Mutex::default() }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The name of a bucket of this test alone.
    pub(crate) fn name(&self, name: &str) -> String {
        let name = match self.server {
            Some(_) => name.to_owned(),
            None => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970");
                format!("{name}-{:x}-{:x}", std::process::id(), now.as_nanos())
            }
        };
        self.named.lock().expect("nobody panics here").push(name.clone());
        name
    }

    /// A bucket of this test alone, which is not made.
    pub(crate) fn other(&self, name: &str) -> Bucket {
        self.client.bucket(self.name(name))
    }

    /// A bucket, newly made.
    pub(crate) async fn bucket(&self) -> Bucket {
        let bucket = self.other("b");
        bucket.create(Default::default()).await.expect("it can be made");
        bucket
    }
}

impl Drop for Ais {
    fn drop(&mut self) {
        if self.server.is_some() {
            return;
        }
        let names = std::mem::take(&mut *self.named.lock().expect("nobody panics here"));
        let client = self.client.clone();
        let removed = std::thread::spawn(move || {
            for name in names {
                // Most were not made, or are gone.
                drop(holdall_ais::blocking::wait(client.bucket(name).delete()));
            }
        });
        removed.join().expect("removing does not panic");
    }
}

/// Content of some length that is not the same everywhere.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i / 251 + i % 253) as u8).collect()
}
