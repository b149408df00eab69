//! Attributes that cannot be headers, or are headers of other than ASCII characters.

use futures::{StreamExt, stream};
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    Attribute, Attributes, Error as StoreError, GetOptions, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions,
};
use holdall_store::transfer::Job;
use holdall_store::{ErrorKind, OpenOptions, Registry, Store};

use super::loopback::{Loopback, reply};
use super::transfer::{engine, memory};

/// Stores of every cloud provider, and on plain HTTP, whose service is `server`.
fn stores(server: &Loopback) -> Vec<Store> {
    let account = format!(
        r#"{{"gcs_base_url":"{}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}"#,
        server.url
    );
    let key = "aGlkZGVu";
    let settings: [(&str, &[(&str, &str)]); 4] = [
        (
            "s3://bucket",
            &[("region", "us-east-1"), ("access_key_id", "AK"), ("secret_access_key", key)],
        ),
        ("gs://bucket", &[("service_account_key", &account), ("base_url", &server.url)]),
        ("az://box", &[("account_name", "me"), ("account_key", key)]),
        (&server.url, &[]),
    ];
    let open = |(url, settings): (&str, &[(&str, &str)])| {
        let mut options = OpenOptions::default();
        (options.use_env, options.retry.max_retries) = (false, 0);
        if !url.starts_with("http") {
            options = options.with("allow_http", "true");
        }
        if matches!(&url[..2], "s3" | "az") {
            options = options.with("endpoint", &server.url);
        }
        options = settings.iter().fold(options, |options, (key, value)| options.with(*key, *value));
        Registry::default().open(url, &options).unwrap().0
    };
    settings.into_iter().map(open).collect()
}

fn attributes(attribute: Attribute, value: &str) -> Attributes {
    Attributes::from_iter([(attribute, value.to_owned())])
}

#[tokio::test]
async fn an_attribute_that_cannot_be_a_header_is_refused_before_anything_is_sent() {
    let server = Loopback::start(|_| reply("500 Internal Server Error", &[], "")).await;
    let metadata = |key: &'static str| Attribute::Metadata(key.into());
    let bad = [
        (metadata("two words"), "v", "two words"),
        (metadata("käse"), "v", "käse"),
        (metadata("k"), "vä", "\"k\""),
        (metadata("k"), "one\ntwo", "\"k\""),
        (Attribute::ContentType, "text\n/plain", "Content-Type"),
        (Attribute::CacheControl, "no\u{7f}", "Cache-Control"),
        (Attribute::ContentDisposition, "attachment; filename=\"ä\"", "Content-Disposition"),
    ];
    let key = Path::from("some/key");
    for store in stores(&server) {
        // HTTP has no metadata, and sends other characters as they are.
        let is_http = store.provider().scheme() == "http";
        for (attribute, value, named) in &bad {
            if is_http
                && (matches!(attribute, Attribute::Metadata(_))
                    || !value.is_ascii() && *named != "Content-Type")
            {
                continue;
            }
            let attributes = attributes(attribute.clone(), value);
            let refused = |operation: &str, error: StoreError| {
                let error = store.error("put", &key, error);
                assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{operation}: {error}");
                let text = error.to_string().to_lowercase();
                assert!(text.contains(&named.to_lowercase()), "{text}");
                assert!(text.contains("some/key"), "{text}");
            };
            let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
            refused("put", store.put_opts(&key, "x".into(), options).await.unwrap_err());
            let options = || PutMultipartOptions {
                attributes: attributes.clone(),
                ..PutMultipartOptions::default()
            };
            refused("upload", store.put_multipart_opts(&key, options()).await.unwrap_err());
            if let Some(parts) = store.provider().multipart() {
                refused("begin", parts.create_multipart_opts(&key, options()).await.unwrap_err());
            }
        }
    }
    assert_eq!(server.seen().len(), 0, "{:?}", server.seen());
}

#[tokio::test]
async fn an_object_whose_attribute_cannot_be_a_header_fails_alone() {
    let server = Loopback::start(|_| reply("200 OK", &[("ETag", "\"1\"")], "")).await;
    let (source, state) = (memory(), tempfile::tempdir().unwrap());
    for key in ["a", "b", "c"] {
        let value = if key == "b" { "vä" } else { "v" };
        let attributes = attributes(Attribute::Metadata("k".into()), value);
        let options = PutOptions { attributes, ..PutOptions::default() };
        source.put_opts(&key.into(), "x".into(), options).await.unwrap();
    }
    for target in stores(&server).into_iter().take(3) {
        let jobs = stream::iter(["a", "b", "c"].map(|key| Job {
            from: key.into(),
            to: key.into(),
            size: 1,
        }));
        let outcomes = engine(&state).run(&source, &target, jobs.boxed());
        let outcomes: Vec<_> = outcomes.map(|outcome| outcome.result).collect().await;
        let failed: Vec<_> = outcomes.iter().filter_map(|result| result.as_ref().err()).collect();
        assert_eq!((outcomes.len(), failed.len()), (3, 1), "{outcomes:?}");
        assert_eq!(failed[0].kind(), ErrorKind::InvalidArgument, "{}", failed[0]);
        assert!(failed[0].target().ends_with("/b"), "{}", failed[0]);
    }
}

#[tokio::test]
async fn what_is_not_ascii_in_an_attribute_is_percent_encoded_and_hinders_nobody() {
    let server = Loopback::start(|request| {
        let mut reply = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"1\"\r\n\
            Last-Modified: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Disposition: attachment; filename=\""
            .to_vec();
        let utf8 = request.target.ends_with("utf8");
        reply.extend_from_slice(if utf8 { "ä 5%.txt".as_bytes() } else { b"\xe4 5%.txt" });
        for name in ["x-amz-meta-k", "x-goog-meta-k", "x-ms-meta-k", "X-Owner"] {
            reply.extend_from_slice(format!("\"\r\n{name}: \"grün").as_bytes());
        }
        reply.extend_from_slice(b"\"\r\n\r\n");
        if request.method != "HEAD" {
            reply.extend_from_slice(b"hello");
        }
        reply
    })
    .await;
    for store in stores(&server) {
        for key in ["utf8", "latin1"] {
            let result = store.get_opts(&key.into(), GetOptions::default()).await.unwrap();
            let name = result.attributes.get(&Attribute::ContentDisposition).unwrap();
            assert_eq!(&**name, "attachment; filename=\"%C3%A4 5%.txt\"");
            if store.provider().scheme() != "http" {
                let value = result.attributes.get(&Attribute::Metadata("k".into())).unwrap();
                assert_eq!(&**value, "\"gr%C3%BCn\"");
            }
            assert_eq!(result.bytes().await.unwrap(), "hello");
            assert_eq!(store.head(&key.into()).await.unwrap().size, 5);
        }
    }
}
