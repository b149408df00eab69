//! A server of one's own, and requests to it.

use holdall_ais_server::{Options, Server};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

pub(crate) struct Ais {
    pub(crate) server: Server,
    pub(crate) client: Client,
}

impl Ais {
    /// A server in memory.
    pub(crate) async fn memory() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let server = Server::start(options).await.expect("the server starts");
        Self { server, client: Client::new() }
    }

    /// Both kinds: in memory, and in a folder that lives as long as the second value.
    pub(crate) async fn both() -> (Vec<Self>, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Options { data: Some(folder.path().to_owned()), ..Options::default() };
        (vec![Self::memory().await, Self::with(disk).await], folder)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.server.url()))
    }

    pub(crate) async fn send(&self, method: Method, path: &str) -> Response {
        self.request(method, path).send().await.expect("an answer")
    }

    /// A control request with an action message.
    pub(crate) async fn act(
        &self,
        method: Method,
        path: &str,
        action: &str,
        value: Value,
    ) -> Response {
        self.request(method, path)
            .json(&json!({"action": action, "name": "", "value": value}))
            .send()
            .await
            .expect("an answer")
    }

    pub(crate) async fn create(&self, bucket: &str) {
        let reply = self
            .act(Method::POST, &format!("/v1/buckets/{bucket}"), "create-bck", Value::Null)
            .await;
        assert_eq!(reply.status(), 200);
    }

    pub(crate) async fn put(&self, path: &str, content: impl Into<reqwest::Body>) -> Response {
        let reply =
            self.request(Method::PUT, &format!("/v1/objects/{path}")).body(content).send().await;
        reply.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, &format!("/v1/objects/{path}")).await
    }
}

/// The header as text; empty when it is missing.
pub(crate) fn header<'a>(reply: &'a Response, name: &str) -> &'a str {
    reply.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}
