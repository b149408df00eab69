//! Services that misbehave: every fault ends, within the retry policy, in a typed error that names operation and target.
//!
//! This file is a module three times: as `faults_alone` its requests are those of a thread that does nothing else, and as
//! `faults_proxied` the service is its own proxy, whose connections are driven by tasks of their own.

use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use holdall_store::client;
use holdall_store::object_store::multipart::PartId;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{ObjectStore, ObjectStoreExt, RetryConfig};
use holdall_store::{Error, ErrorKind, ListOptions, OpenOptions, ParallelOptions, Registry, Store};

use super::misbehave::{Reply, Server};

const DATE: (&str, &str) = ("Last-Modified", "Sat, 21 Nov 2026 00:00:00 GMT");

/// A store on the server, as S3, with two quick retries and half a second of patience.
fn s3(server: &Server) -> Store {
    open(&format!("http://{}", server.address))
}

fn open(endpoint: &str) -> Store {
    let mut options = OpenOptions::default()
        .with("endpoint", endpoint)
        .with("allow_http", "true")
        .with("region", "us-east-1")
        .with("access_key_id", "AK")
        .with("secret_access_key", "hunter2");
    options.use_env = false;
    options.client.proxy_url = module_path!().ends_with("proxied").then(|| endpoint.to_owned());
    options.client.timeout = Some(Duration::from_millis(500));
    options.retry = RetryConfig {
        max_retries: 2,
        retry_timeout: Duration::from_secs(10),
        ..RetryConfig::default()
    };
    options.retry.backoff.init_backoff = Duration::from_millis(1);
    Registry::default().open("s3://bucket", &options).unwrap().0
}

/// Runs an operation as this module does.
async fn run<T>(operation: impl Future<Output = T>) -> T {
    let mut operation = pin!(operation);
    let alone = module_path!().ends_with("alone");
    std::future::poll_fn(|cx| match alone {
        true => client::alone(|| operation.as_mut().poll(cx)),
        false => operation.as_mut().poll(cx),
    })
    .await
}

async fn read(store: &Store) -> Result<Vec<u8>, Error> {
    let key = Path::from("some/key");
    let read = async { Ok(store.get(&key).await?.bytes().await?.to_vec()) };
    run(read).await.map_err(|e| store.error("get", &key, e))
}

async fn read_range(store: &Store) -> Result<Vec<u8>, Error> {
    let key = Path::from("some/key");
    let read = run(store.get_range(&key, 2..6)).await;
    read.map(|data| data.to_vec()).map_err(|e| store.error("get_range", &key, e))
}

fn check(error: &Error, kind: ErrorKind, operation: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.operation(), operation);
    let text = error.to_string();
    assert!(text.starts_with(&format!("{operation} s3://bucket")), "{text}");
    assert!(!text.contains("hunter2") && !text.contains('\n'), "{text}");
}

#[tokio::test]
async fn refusals_have_their_kinds() {
    let document = |code: &str| {
        format!(
            "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>because</Message></Error>"
        )
    };
    for (status, code, kind) in [
        ("401 Unauthorized", "InvalidAccessKeyId", ErrorKind::Unauthenticated),
        ("403 Forbidden", "AccessDenied", ErrorKind::PermissionDenied),
        ("404 Not Found", "NoSuchBucket", ErrorKind::NotFound),
        ("412 Precondition Failed", "PreconditionFailed", ErrorKind::Precondition),
        ("400 Bad Request", "InvalidRequest", ErrorKind::Other),
    ] {
        let server = Server::start(vec![Reply::http(status, &[], &document(code))]).await;
        let error = read(&s3(&server)).await.unwrap_err();
        check(&error, kind, "get");
        assert!(error.to_string().contains(code), "{error}");
        assert_eq!(server.requests(), 1, "{status} is not repeated");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn an_error_with_status_200_is_one_of_the_service() {
    let document = "<Error><Code>InternalError</Code><Message>try again</Message></Error>";
    let server = Server::start(vec![Reply::http("200 OK", &[], document)]).await;
    let store = s3(&server);
    let error = run(store.copy(&"from".into(), &"to".into())).await.unwrap_err();
    let error = store.error("copy", &"from".into(), error);
    check(&error, ErrorKind::Other, "copy");
    assert!(error.to_string().contains("InternalError"), "{error}");
    assert!(error.is_retryable());
    let asked = server.requests();
    let keys = futures::stream::iter([Ok(Path::from("k"))]).boxed();
    let error = run(store.delete_stream(keys).try_collect::<Vec<_>>()).await.unwrap_err();
    assert!(error.to_string().contains("InternalError"), "{error}");
    assert_eq!(server.requests() - asked, 3);
}

#[tokio::test]
async fn a_copy_that_nobody_confirms_is_none() {
    for body in ["", "<html><body>Please log in</body></html>"] {
        let server = Server::start(vec![Reply::http("200 OK", &[], body)]).await;
        let error = run(s3(&server).copy(&"k".into(), &"l".into())).await.unwrap_err();
        assert!(error.to_string().contains("no document of the service"), "{body}: {error}");
    }
}

#[tokio::test]
async fn a_completion_that_is_refused_with_status_200_says_why() {
    let refusal = "<Error><Code>AccessDenied</Code><Message>not you</Message></Error>";
    let server = Server::start(vec![Reply::http("200 OK", &[], refusal)]).await;
    let store = s3(&server);
    let parts = vec![PartId { content_id: "\"1\"".into() }];
    let uploads = store.provider().multipart().unwrap();
    let error =
        run(uploads.complete_multipart(&"k".into(), &"id".into(), parts)).await.unwrap_err();
    assert!(matches!(error, object_store::Error::PermissionDenied { .. }), "{error}");
    assert!(error.to_string().contains("not you"), "{error}");
}

#[tokio::test]
async fn keys_that_the_reply_to_a_deletion_leaves_out_are_not_deleted() {
    let body = "<?xml version=\"1.0\"?>\n<DeleteResult xmlns=\"x\">\n <Error><Key>b</Key><Code>AccessDenied</Code>\n\
                <Message>not b</Message></Error>\n <Deleted>\n<Key>a&amp; </Key></Deleted>\n\
                <Error><Key>d</Key><Code>NoSuchKey</Code></Error>\n</DeleteResult>\n";
    let server = Server::start(vec![Reply::http("200 OK", &[], body)]).await;
    let keys = ["a& ", "b", "c", "d", "a& "].map(|key| Ok(Path::parse(key).unwrap()));
    let deletions = s3(&server).delete_stream(futures::stream::iter(keys).boxed());
    let answers = run(deletions.collect::<Vec<_>>()).await;
    let [Ok(a), Err(b), Err(c), Ok(d), Ok(_)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((a.as_ref(), d.as_ref()), ("a& ", "d"));
    assert!(b.to_string().contains("not b"), "{b}");
    assert!(c.to_string().contains("does not say whether it has deleted c"), "{c}");
}

#[tokio::test]
async fn a_deletion_that_is_not_found_as_a_whole_says_of_no_key_that_it_is_gone() {
    let refusal = "<Error><Code>NoSuchKey</Code><Message>nothing here</Message></Error>";
    let server = Server::start(vec![Reply::http("404 Not Found", &[], refusal)]).await;
    let error = run(s3(&server).delete(&"k".into())).await.unwrap_err();
    assert!(matches!(error, object_store::Error::Generic { .. }), "{error:?}");
    assert!(error.to_string().contains("nothing here"), "{error}");
}

#[tokio::test]
async fn a_redirect_without_a_place_is_an_error() {
    let server = Server::start(vec![Reply::http("301 Moved Permanently", &[], "")]).await;
    let error = read(&s3(&server)).await.unwrap_err();
    check(&error, ErrorKind::Other, "get");
}

#[tokio::test]
async fn overload_is_waited_out() {
    for status in ["503 Slow Down", "429 Too Many Requests", "500 Internal Server Error"] {
        let busy = Reply::http(status, &[], "");
        let fine = Reply::http("200 OK", &[DATE, ("ETag", "\"1\"")], "content");
        let server = Server::start(vec![busy.clone(), busy.clone(), fine]).await;
        assert_eq!(read(&s3(&server)).await.unwrap(), b"content");
        let server = Server::start(vec![busy]).await;
        let error = read(&s3(&server)).await.unwrap_err();
        check(&error, ErrorKind::Other, "get");
        assert!(error.is_retryable(), "{error}");
        assert_eq!(server.requests(), 3, "{status}");
    }
}

#[tokio::test]
async fn a_body_cut_short_is_never_a_result() {
    let cut = Reply::announced("200 OK", &[DATE, ("ETag", "\"1\"")], "cont", 7);
    let server = Server::start(vec![cut]).await;
    let error = read(&s3(&server)).await.unwrap_err();
    check(&error, ErrorKind::Corrupt, "get");
}

#[tokio::test]
async fn a_body_cut_short_is_gone_on_with() {
    let cut = Reply::announced("200 OK", &[DATE, ("ETag", "\"1\"")], "cont", 7);
    let rest = Reply::http(
        "206 Partial Content",
        &[DATE, ("ETag", "\"1\""), ("Content-Range", "bytes 4-6/7")],
        "ent",
    );
    let server = Server::start(vec![cut, rest]).await;
    assert_eq!(read(&s3(&server)).await.unwrap(), b"content");
}

#[tokio::test]
async fn ranges_that_were_not_asked_for_are_errors() {
    let partial = |range: &str, body: &str| {
        Reply::http(
            "206 Partial Content",
            &[DATE, ("ETag", "\"1\""), ("Content-Range", range)],
            body,
        )
    };
    for wrong in [
        partial("bytes 3-6/10", "3456"),
        partial("bytes 0-3/10", "0123"),
        partial("nonsense", "2345"),
        // The whole object in place of a range.
        Reply::http("200 OK", &[DATE, ("ETag", "\"1\"")], "0123456789"),
        // A range that is announced rightly and delivered short.
        Reply::announced(
            "206 Partial Content",
            &[DATE, ("ETag", "\"1\""), ("Content-Range", "bytes 2-5/10")],
            "23",
            4,
        ),
        // Fewer bytes than the range that is announced.
        partial("bytes 2-5/10", "23"),
    ] {
        let server = Server::start(vec![wrong]).await;
        let error = read_range(&s3(&server)).await.unwrap_err();
        check(&error, error.kind(), "get_range");
        assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Other), "{error}");
    }
    let server = Server::start(vec![partial("bytes 2-5/10", "2345")]).await;
    assert_eq!(read_range(&s3(&server)).await.unwrap(), b"2345");
}

#[tokio::test]
async fn a_listing_cut_short_is_asked_for_again() {
    let page = "<ListBucketResult><Contents><Key>k</Key><LastModified>2026-11-21T00:00:00.000Z</LastModified>\
                <ETag>&quot;1&quot;</ETag><Size>7</Size></Contents></ListBucketResult>";
    for how in [ParallelOptions::default(), ParallelOptions::default().with_workers(1)] {
        let cut = Reply::announced("200 OK", &[], &page[..60], page.len());
        let server = Server::start(vec![cut, Reply::http("200 OK", &[], page)]).await;
        let listing = s3(&server).list_parallel(ListOptions::default(), how);
        let listed = run(listing.try_collect::<Vec<_>>()).await.unwrap();
        assert_eq!(listed.iter().map(|meta| meta.location.as_ref()).collect::<Vec<_>>(), ["k"]);
    }
}

#[tokio::test]
async fn a_page_of_versions_that_leads_to_itself_ends_the_listing() {
    let page = Reply::http(
        "200 OK",
        &[],
        "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>\
         <NextVersionIdMarker>1</NextVersionIdMarker></ListVersionsResult>",
    );
    let server = Server::start(vec![page]).await;
    let store = s3(&server);
    let error = run(store.list_versions(None).try_collect::<Vec<_>>()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("names itself as the next page"), "{error}");
}

#[tokio::test]
async fn a_page_that_leads_to_itself_ends_the_listing() {
    let page = "<ListBucketResult><NextContinuationToken>again</NextContinuationToken>\
                <Contents><Key>k</Key><LastModified>2026-11-21T00:00:00.000Z</LastModified>\
                <ETag>&quot;1&quot;</ETag><Size>7</Size></Contents></ListBucketResult>";
    let server = Server::start(vec![Reply::http("200 OK", &[], page)]).await;
    let store = s3(&server);
    for listing in [store.objects(None), store.list_with(ListOptions::default())] {
        let error = run(listing.try_collect::<Vec<_>>()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("names itself as the next page"), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_listing_is_an_error_and_not_an_empty_one() {
    const TRUNCATED: &str = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    for (body, told) in [
        ("", "endpoint"),
        ("not XML at all", "not XML at all"),
        ("<!DOCTYPE html><html><body>Please log in</body></html>", "Please log in"),
        ("<Other/>", "endpoint"),
        ("<Error><Code>InternalError</Code></Error>", "InternalError"),
        ("<ListBucketResult><Contents><Key>a", ""),
        (TRUNCATED, "NextContinuationToken"),
    ] {
        let server = Server::start(vec![Reply::http("200 OK", &[], body)]).await;
        let store = s3(&server);
        for listing in [store.objects(None), store.list_with(ListOptions::default())] {
            let error = run(listing.try_collect::<Vec<_>>()).await.unwrap_err();
            check(&error, ErrorKind::Corrupt, "list");
            assert!(error.to_string().contains(told), "{body}: {error}");
        }
        let error = run(store.list_with_delimiter(None)).await.unwrap_err();
        assert!(error.to_string().contains(told), "{body}: {error}");
        let versions = run(store.list_versions(None).try_collect::<Vec<_>>()).await;
        assert!(versions.is_err(), "{body}: {versions:?}");
    }
}

#[tokio::test]
async fn silence_ends_and_movement_does_not() {
    let server = Server::start(vec![Reply::Silence]).await;
    let error = read(&s3(&server)).await.unwrap_err();
    check(&error, ErrorKind::Timeout, "get");
    assert!(error.is_retryable());

    let head = |length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\n{}: {}\r\nETag: \"1\"\r\nContent-Length: {length}\r\n\r\n",
            DATE.0, DATE.1
        )
        .into_bytes()
    };
    // Eight pieces, 200 ms apart: three times the patience in all, and never that long without a byte.
    let pieces: Vec<Vec<u8>> = (0..8).map(|_| b"x".to_vec()).collect();
    let slow = Reply::Slowly(head(8), pieces, Duration::from_millis(200));
    let server = Server::start(vec![slow]).await;
    assert_eq!(read(&s3(&server)).await.unwrap(), b"xxxxxxxx");

    let stalled =
        Reply::Slowly(head(8), vec![b"x".to_vec(), b"y".to_vec()], Duration::from_secs(3600));
    let server = Server::start(vec![stalled, Reply::Silence]).await;
    let error = read(&s3(&server)).await.unwrap_err();
    check(&error, ErrorKind::Timeout, "get");
}

#[tokio::test]
async fn a_service_that_is_not_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = read(&open(&endpoint)).await.unwrap_err();
    check(&error, ErrorKind::Connection, "get");
    let error = read(&open("http://no-such-host.invalid")).await.unwrap_err();
    check(&error, ErrorKind::Connection, "get");
}

#[tokio::test]
async fn certificates_are_checked() {
    let server = Server::start_tls(vec![Reply::http("200 OK", &[DATE], "secret")]).await;
    let error =
        read(&open(&format!("https://localhost:{}", server.address.port()))).await.unwrap_err();
    check(&error, ErrorKind::Connection, "get");
    assert!(error.to_string().contains("certificate"), "{error}");
    // It will not be another one at the next attempt.
    assert_eq!((server.connections(), server.requests()), (1, 0));
}

#[tokio::test]
async fn plain_http_is_refused_unless_it_is_allowed() {
    let server = Server::start(vec![Reply::http("200 OK", &[DATE], "x")]).await;
    let mut options = OpenOptions::default()
        .with("endpoint", server.url())
        .with("region", "r")
        .with("skip_signature", "true");
    options.use_env = false;
    options.retry.max_retries = 0;
    let (store, _) = Registry::default().open("s3://bucket", &options).unwrap();
    let error = read(&store).await.unwrap_err();
    check(&error, ErrorKind::Config, "get");
    assert!(error.to_string().contains("allow_http"), "{error}");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_failed_upload_leaves_no_success() {
    let server = Server::start(vec![Reply::http("500 Internal Server Error", &[], "")]).await;
    let store = s3(&server);
    let key = Path::from("k");
    let error = run(store.put(&key, "x".into())).await.unwrap_err();
    let error = store.error("put", &key, error);
    check(&error, ErrorKind::Other, "put");
    assert_eq!(error.status(), Some(500));
    assert!(
        store
            .delete_stream(futures::stream::iter([Ok(key)]).boxed())
            .try_collect::<Vec<_>>()
            .await
            .is_err()
    );
}
