//! HTTPS.

use holdall_ais_server::Options;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method};
use serde_json::Value;

use crate::support::{Ais, header};

async fn https() -> (Ais, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])
        .unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut ais = Ais::with(Options { tls: Some((cert, key)), ..Options::default() }).await;
    let root = Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    ais.client = Client::builder().tls_certs_only([root]).redirect(Policy::none()).build().unwrap();
    (ais, folder)
}

#[tokio::test]
async fn writes_are_redirected_before_their_body_is_sent() {
    let (ais, _folder) = https().await;
    assert!(ais.server.url().starts_with("https://"));
    assert_eq!(
        ais.act(Method::POST, "/v1/buckets/b", "create-bck", Value::Null).await.status(),
        200
    );
    // As the official client does: the first request has no body, though its headers announce one.
    let first = ais.send(Method::PUT, "/v1/objects/b/o%20x?provider=ais").await;
    assert_eq!(first.status(), 307);
    let location = header(&first, "location").to_owned();
    assert!(
        location.starts_with(&ais.server.url()) && location.contains("o%20x?provider=ais&pid="),
        "{location}"
    );
    assert_eq!(ais.get("b/o%20x").await.status(), 404);
    let second = ais.client.put(&location).body("abc").send().await.unwrap();
    assert_eq!(second.status(), 200);
    assert_eq!(ais.get("b/o%20x").await.text().await.unwrap(), "abc");
}

#[tokio::test]
async fn a_certificate_that_is_none_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none.pem");
    let options = Options { tls: Some((file.clone(), file)), ..Options::default() };
    let error = holdall_ais_server::Server::start(options).await.err().expect("no server");
    assert!(error.to_string().contains("none.pem"), "{error}");
}
