//! A server of one's own, and a client of it.

use holdall_ais::{Bucket, Client, ClientConfig};
use holdall_ais_server::{Options, Server};

pub(crate) struct Ais {
    pub(crate) server: Server,
    pub(crate) client: Client,
}

impl Ais {
    /// A server in memory.
    pub(crate) async fn start() -> Self {
        let server = Server::start(Options::default()).await.expect("the server starts");
        let client = Client::new(ClientConfig::new(server.url())).expect("the settings are right");
        Self { server, client }
    }

    /// The bucket `b`, newly made.
    pub(crate) async fn bucket(&self) -> Bucket {
        let bucket = self.client.bucket("b");
        bucket.create(Default::default()).await.expect("it can be made");
        bucket
    }
}

/// Content of some length that is not the same everywhere.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i / 251 + i % 253) as u8).collect()
}
