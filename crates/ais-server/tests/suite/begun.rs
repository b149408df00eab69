//! Uploads in parts, appends and jobs: what is there of them after the server was stopped or killed.

use std::process::Child;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::crash::start;
use crate::slow::files;
use crate::support::header;

/// A server that is killed and started again.
struct Killed {
    folder: tempfile::TempDir,
    child: Child,
    url: String,
    client: Client,
}

impl Killed {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (child, url) = start(&folder.path().join("data"), &folder.path().join("url"), "commit");
        Self { folder, child, url, client: Client::new() }
    }

    fn again(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        let (data, url) = (self.folder.path().join("data"), self.folder.path().join("url"));
        (self.child, self.url) = start(&data, &url, "commit");
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    async fn ok(&self, request: RequestBuilder) -> Response {
        let reply = request.send().await.expect("an answer");
        assert!(reply.status().is_success(), "{}: {:?}", reply.status(), reply.text().await);
        reply
    }

    async fn act(&self, method: Method, path: &str, action: &str, value: Value) -> Response {
        let message = json!({"action": action, "name": "", "value": value});
        self.ok(self.request(method, path).json(&message)).await
    }

    async fn put(&self, path: &str, content: &str) -> Response {
        self.ok(self.request(Method::PUT, path).body(content.to_owned())).await
    }

    async fn get(&self, path: &str) -> String {
        self.ok(self.request(Method::GET, path)).await.text().await.expect("a body")
    }

    fn files(&self) -> usize {
        files(&self.folder.path().join("data"))
    }

    async fn wait_for_files(&self, expected: usize) {
        // Content goes away after the reply.
        while self.files() != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[tokio::test]
async fn uploads_go_on_after_a_kill() {
    let mut ais = Killed::new();
    ais.act(Method::POST, "/v1/buckets/b", "create-bck", Value::Null).await;
    let create = |name: &str| format!("/v1/objects/b/{name}");
    let begun = ais
        .ok(ais
            .request(Method::POST, &create("o"))
            .header("ais-custom-md", "k=v")
            .json(&json!({"action": "mpt-upload"})))
        .await;
    let id = begun.text().await.expect("an id");
    let part = |number: u32| format!("/v1/objects/b/o?partNumber={number}&uploadId={id}");
    ais.put(&part(2), "old").await;
    ais.put(&part(2), "-two").await;
    let other = ais.act(Method::POST, &create("p"), "mpt-upload", Value::Null).await;
    let other = other.text().await.expect("an id");
    ais.put(&format!("/v1/objects/b/p?partNumber=1&uploadId={other}"), "gone").await;

    ais.again();
    ais.put(&part(1), "one").await;
    // What is at the S3 face is the same.
    let listed = ais.get("/s3/b?uploads").await;
    assert!(listed.contains(&id) && listed.contains(&other), "{listed}");
    let parts = ais.get(&format!("/s3/b/o?uploadId={id}")).await;
    assert!(parts.contains("<PartNumber>2</PartNumber>"), "{parts}");
    let abort = ais.request(Method::DELETE, &format!("/v1/objects/b/p?uploadId={other}"));
    ais.ok(abort.json(&json!({"action": "mpt-abort"}))).await;

    ais.again();
    let all = json!([{"part-number": 1, "etag": ""}, {"part-number": 2, "etag": ""}]);
    let complete = format!("/v1/objects/b/o?uploadId={id}");
    ais.act(Method::POST, &complete, "mpt-complete", all.clone()).await;
    let reply = ais.ok(ais.request(Method::GET, "/v1/objects/b/o")).await;
    assert_eq!(header(&reply, "ais-custom-md"), "k=v");
    assert_eq!(reply.text().await.expect("a body"), "one-two");

    // An upload that is complete, or was aborted, is over after a kill, too.
    ais.again();
    assert_eq!(ais.get("/v1/objects/b/o").await, "one-two");
    for (target, action) in [(complete.clone(), "mpt-complete"), (part(3), "")] {
        let request = match action {
            "" => ais.request(Method::PUT, &target).body("x"),
            action => {
                let message = json!({"action": action, "value": all});
                ais.request(Method::POST, &target).json(&message)
            }
        };
        assert_eq!(request.send().await.expect("an answer").status(), 404, "{target}");
    }
    assert!(!ais.get("/s3/b?uploads").await.contains(&other));
    ais.wait_for_files(2).await;
}

#[tokio::test]
async fn what_was_begun_goes_with_its_bucket() {
    let mut ais = Killed::new();
    ais.act(Method::POST, "/v1/buckets/b", "create-bck", Value::Null).await;
    let id = ais.act(Method::POST, "/v1/objects/b/o", "mpt-upload", Value::Null).await;
    let id = id.text().await.expect("an id");
    ais.put(&format!("/v1/objects/b/o?partNumber=1&uploadId={id}"), "one").await;
    ais.put("/v1/objects/b/a?append_type=append", "one").await;
    ais.act(Method::DELETE, "/v1/buckets/b", "destroy-bck", Value::Null).await;
    ais.wait_for_files(0).await;
    ais.again();
    assert_eq!(ais.files(), 0);
}

#[tokio::test]
async fn appends_go_on_after_a_kill() {
    let mut ais = Killed::new();
    ais.act(Method::POST, "/v1/buckets/b", "create-bck", Value::Null).await;
    ais.put("/v1/objects/b/old", "0").await;
    ais.put("/v1/objects/b/changed", "0").await;
    let long = "x".repeat(1_500_000);
    let mut handles = Vec::new();
    for name in ["new", "old", "changed"] {
        let reply = ais.put(&format!("/v1/objects/b/{name}?append_type=append"), "1").await;
        let handle = encoded(header(&reply, "ais-append-handle"));
        let more = format!("/v1/objects/b/{name}?append_type=append&append_handle={handle}");
        ais.put(&more, &long).await;
        handles.push((name, handle));
    }
    ais.put("/v1/objects/b/changed", "another").await;

    ais.again();
    for (name, handle) in handles {
        let more = format!("/v1/objects/b/{name}?append_type=append&append_handle={handle}");
        let flush = format!("/v1/objects/b/{name}?append_type=flush&append_handle={handle}");
        if name == "changed" {
            let reply = ais.request(Method::PUT, &more).body("2").send().await.expect("an answer");
            assert_eq!(reply.status(), 409);
            let text = reply.text().await.expect("a body");
            assert!(text.contains("changed after the first append"), "{text}");
            continue;
        }
        ais.put(&more, "2").await;
        let wrong = ais.request(Method::PUT, &flush).header("ais-checksum-type", "md5");
        let wrong = wrong.header("ais-checksum-value", "00").send().await.expect("an answer");
        assert_eq!(wrong.status(), 500, "the handle outlives a flush that fails");
        ais.put(&flush, "").await;
        let before = if name == "old" { "0" } else { "" };
        let expected = format!("{before}1{long}2");
        assert!(ais.get(&format!("/v1/objects/b/{name}")).await == expected, "{name}");
        ais.again();
        assert!(ais.get(&format!("/v1/objects/b/{name}")).await == expected, "{name}");
        let over = ais.request(Method::PUT, &more).body("3").send().await.expect("an answer");
        assert_eq!(over.status(), 400);
        assert!(over.text().await.expect("a body").contains("invalid APPEND handle"));
    }
}

async fn status(ais: &Killed, id: &str) -> Value {
    let query = ais
        .request(Method::GET, "/v1/cluster?what=status")
        .json(&json!({"ID": id, "Kind": "", "DaemonID": "", "Bck": null, "Buckets": null}));
    ais.ok(query).await.json().await.expect("JSON")
}

#[tokio::test]
async fn jobs_are_known_after_a_kill() {
    let mut ais = Killed::new();
    ais.act(Method::POST, "/v1/buckets/b", "create-bck", Value::Null).await;
    for number in 0..3 {
        ais.put(&format!("/v1/objects/b/o{number}"), "x").await;
    }
    let copy = ais.request(Method::POST, "/v1/buckets/b?bck_to=ais%2F%40%23%2Fc%2F");
    let copy = ais.ok(copy.json(&json!({"action": "copy-bck", "value": {}}))).await;
    let id = copy.text().await.expect("an id");
    while status(&ais, &id).await["end_time"] == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Killed at the moment when the end was told.
    ais.again();
    let told = status(&ais, &id).await;
    assert!(told["end_time"] != 0 && told["aborted"] == false, "{told}");
    let query = json!({"ID": id, "Kind": "", "DaemonID": "", "Bck": null, "Buckets": null});
    let query = ais.request(Method::GET, "/v1/cluster?what=qryxstats").json(&query);
    let snaps: Value = ais.ok(query).await.json().await.expect("JSON");
    assert!(snaps.to_string().contains("\"loc-objs\":\"3\""), "{snaps}");
}
