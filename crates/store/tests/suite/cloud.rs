//! Versions, tags, attributes and copies inside the service, against real services.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use holdall_store::aws::S3Store;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    Attribute, Attributes, CopyMode, GetOptions, ObjectStore, ObjectStoreExt, PutOptions,
};
use holdall_store::transfer::{Job, Verb};
use holdall_store::{ErrorKind, OddKey, OpenOptions, Registry, Store};
use http::Method;

use super::loopback::{Loopback, reply};
use super::services;
use super::transfer::{engine, memory};

const S3: &str = "HOLDALL_TEST_S3_ENDPOINT";
const MINIO: &str = "HOLDALL_TEST_MINIO_ENDPOINT";

async fn text(store: &Store, key: &Path) -> String {
    let data = store.get(key).await.unwrap().bytes().await.unwrap();
    String::from_utf8(data.to_vec()).unwrap()
}

/// Writes three versions and a deletion, then lists, reads, restores and deletes them.
async fn keeps_versions(store: Store) {
    let (key, sibling) = (Path::from("dir/a&b c"), Path::from("dir/a&b c2"));
    for content in ["one", "two", "three"] {
        store.put(&key, content.into()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    store.put(&sibling, "other".into()).await.unwrap();
    let list = async |prefix: Option<&Path>| -> Vec<_> {
        store.list_versions(prefix).try_collect().await.unwrap()
    };
    let versions = list(Some(&key)).await;
    assert_eq!(versions.len(), 3, "{versions:?}");
    assert!(versions.iter().all(|version| version.location == key));
    let latest: Vec<_> = versions.iter().filter(|version| version.is_latest).collect();
    assert_eq!(latest.len(), 1);
    assert_eq!(latest[0].size, 5);
    assert_eq!(list(Some(&"dir".into())).await.len(), 4);
    assert_eq!(list(None).await.len(), 4);
    assert_eq!(list(Some(&"di".into())).await.len(), 0);

    let first =
        versions.iter().min_by_key(|version| (version.last_modified, version.size)).unwrap();
    let mut read = Vec::new();
    for version in &versions {
        let options = GetOptions::new().with_version(Some(version.version.clone()));
        let data = store.get_opts(&key, options).await.unwrap().bytes().await.unwrap();
        read.push(String::from_utf8(data.to_vec()).unwrap());
    }
    read.sort();
    assert_eq!(read, ["one", "three", "two"]);

    store.restore_version(&key, &first.version).await.unwrap();
    let restored = text(&store, &key).await;
    assert!(["one", "two"].contains(&restored.as_str()), "{restored}");
    let before = list(Some(&key)).await;
    assert_eq!(before.len(), 4);
    store.delete_version(&key, &latest[0].version).await.unwrap();
    let after = list(Some(&key)).await;
    assert_eq!(after.len(), 3);
    assert!(after.iter().all(|version| version.version != latest[0].version));
}

async fn keeps_tags(store: Store) {
    let key = Path::from("t ä");
    store.put(&key, "x".into()).await.unwrap();
    assert!(store.get_tags(&key).await.unwrap().is_empty());
    let mut tags =
        vec![("color".to_owned(), "blue +".to_owned()), ("n".to_owned(), "1:2".to_owned())];
    store.put_tags(&key, &tags).await.unwrap();
    let mut seen = store.get_tags(&key).await.unwrap();
    seen.sort();
    tags.sort();
    assert_eq!(seen, tags);
    store.put_tags(&key, &Vec::new()).await.unwrap();
    assert!(store.get_tags(&key).await.unwrap().is_empty());
    let error = store.get_tags(&"missing".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(error.operation(), "get_tags");
    assert!(error.target().ends_with("/missing"), "{error}");
}

async fn replaces_attributes(store: Store) {
    let key = Path::from("dir/attributes");
    let before = Attributes::from_iter([
        (Attribute::ContentType, "text/plain"),
        (Attribute::Metadata("gone".into()), "1"),
    ]);
    let options = PutOptions { attributes: before, ..Default::default() };
    store.put_opts(&key, "content".into(), options).await.unwrap();
    let after = Attributes::from_iter([
        (Attribute::ContentType, "application/json"),
        (Attribute::CacheControl, "max-age=60"),
        (Attribute::Metadata("kept".into()), "2 3"),
    ]);
    store.put_attributes(&key, after.clone()).await.unwrap();
    let read = store.get(&key).await.unwrap();
    for (name, value) in &after {
        assert_eq!(read.attributes.get(name), Some(value), "{name:?}");
    }
    assert_eq!(read.attributes.get(&Attribute::Metadata("gone".into())), None);
    assert_eq!(read.bytes().await.unwrap(), "content");
    let error = store.put_attributes(&"missing".into(), after).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

/// Copies between two buckets, with attributes, and without replacing when told so.
async fn copies_beside(source: Store, target: Store) {
    let (from, to) = (Path::from("f/ä +?"), Path::from("t/copy"));
    let attributes = Attributes::from_iter([(Attribute::ContentType, "text/x-test")]);
    let options = PutOptions { attributes, ..Default::default() };
    source.put_opts(&from, "content".into(), options).await.unwrap();
    let report = source.copy_to(&from, &target, &to, CopyMode::Overwrite).await.unwrap();
    assert!(report.server_side);
    let read = target.get(&to).await.unwrap();
    assert_eq!(read.attributes.get(&Attribute::ContentType).unwrap().as_ref(), "text/x-test");
    assert_eq!(read.bytes().await.unwrap(), "content");

    let error = source.copy_to(&from, &target, &to, CopyMode::Create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    let new = Path::from("t/new");
    let report = source.copy_to(&from, &target, &new, CopyMode::Create).await.unwrap();
    assert!(report.server_side);
    assert_eq!(text(&target, &new).await, "content");
    let missing = source.copy_to(&"no".into(), &target, &to, CopyMode::Overwrite).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
}

/// Copies an object of 11 MiB as if one request could copy 5.
async fn copies_in_parts(store: Store) {
    let inner = store.provider().as_any().downcast_ref::<S3Store>().unwrap().clone();
    let small = Store::new(Arc::new(inner.with_copy_limit(5 << 20))).at(store.prefix().clone());
    let (from, to) = (Path::from("large"), Path::from("large copy"));
    let data: Vec<u8> = (0..11 << 20).map(|index: u32| (index / 1000) as u8).collect();
    let attributes = Attributes::from_iter([
        (Attribute::ContentType, "image/x-test"),
        (Attribute::Metadata("m".into()), "v"),
    ]);
    let options = PutOptions { attributes: attributes.clone(), ..Default::default() };
    small.put_opts(&from, data.clone().into(), options).await.unwrap();
    small.put_tags(&from, &vec![("k".to_owned(), "a b".to_owned())]).await.unwrap();
    small.copy(&from, &to).await.unwrap();
    let read = small.get(&to).await.unwrap();
    assert!(read.meta.e_tag.as_ref().unwrap().contains("-3"), "three parts: {:?}", read.meta);
    assert_eq!(read.attributes, attributes);
    assert!(read.bytes().await.unwrap() == data);
    assert_eq!(small.get_tags(&to).await.unwrap(), [("k".to_owned(), "a b".to_owned())]);
    let error = small.copy_if_not_exists(&from, &to).await.unwrap_err();
    assert_eq!(small.error("copy", &to, error).kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn versitygw_versions() {
    if let Some(store) = services::s3(S3, "cloud::versitygw_versions", "test-versioned") {
        keeps_versions(store).await;
    }
}

#[tokio::test]
async fn versitygw_tags() {
    if let Some(store) = services::s3(S3, "cloud::versitygw_tags", "test-bucket") {
        keeps_tags(store).await;
    }
}

#[tokio::test]
async fn versitygw_attributes() {
    if let Some(store) = services::s3(S3, "cloud::versitygw_attributes", "test-bucket") {
        replaces_attributes(store).await;
    }
}

#[tokio::test]
async fn versitygw_copies() {
    let suite = "cloud::versitygw_copies";
    let source = services::s3(S3, suite, "test-bucket");
    if let (Some(source), Some(target)) = (source, services::s3(S3, suite, "test-bucket-2")) {
        copies_beside(source.clone(), target).await;
        copies_in_parts(source).await;
    }
}

#[tokio::test]
async fn minio_versions() {
    if let Some(store) = services::s3(MINIO, "cloud::minio_versions", "test-versioned") {
        keeps_versions(store).await;
    }
}

#[tokio::test]
async fn minio_tags_and_attributes() {
    if let Some(store) = services::s3(MINIO, "cloud::minio_tags_and_attributes", "test-bucket") {
        keeps_tags(store.clone()).await;
        replaces_attributes(store).await;
    }
}

#[tokio::test]
async fn minio_copies() {
    let suite = "cloud::minio_copies";
    let source = services::s3(MINIO, suite, "test-bucket");
    if let (Some(source), Some(target)) = (source, services::s3(MINIO, suite, "test-bucket-2")) {
        copies_beside(source.clone(), target).await;
        copies_in_parts(source).await;
    }
}

#[tokio::test]
async fn azurite_tags_and_attributes() {
    if let Some(store) = services::azure("cloud::azurite_tags_and_attributes") {
        keeps_tags(store.clone()).await;
        replaces_attributes(store).await;
    }
}

#[tokio::test]
async fn azurite_copies() {
    let suite = "cloud::azurite_copies";
    if let (Some(source), Some(target)) =
        (services::azure(suite), services::azure_container(suite, "test-container-2"))
    {
        copies_beside(source, target).await;
    }
}

/// Stores with different settings are of two accounts for all that is known: the source is read with a signed URL.
#[tokio::test]
async fn azurite_copies_across_accounts() {
    let suite = "cloud::azurite_copies_across_accounts";
    if let (Some(source), Some(target)) = (
        services::azure_with(suite, "test-container", &[("disable_tagging", "true")]),
        services::azure_container(suite, "test-container-2"),
    ) {
        copies_beside(source, target).await;
    }
}

#[tokio::test]
async fn azurite_takes_presigned_urls() {
    let Some(store) = services::azure("cloud::azurite_takes_presigned_urls") else { return };
    let client = reqwest::Client::new();
    let day = std::time::Duration::from_secs(86_400);
    for key in ["plain", "a b/ä +&?%41"] {
        let key = Path::parse(key).unwrap();
        let put = store.sign(http::Method::PUT, &key, day).await.unwrap();
        let put = client.put(put).header("x-ms-blob-type", "BlockBlob").body("content");
        assert_eq!(put.send().await.unwrap().status(), 201, "{key}");
        assert_eq!(text(&store, &key).await, "content");
        let get = store.sign(http::Method::GET, &key, day).await.unwrap();
        let read = client.get(get.clone()).send().await.unwrap();
        assert_eq!(read.text().await.unwrap(), "content", "{key}");
        let head = store.sign(http::Method::HEAD, &key, day).await.unwrap();
        assert_eq!(client.head(head).send().await.unwrap().status(), 200, "{key}");
        assert_eq!(client.delete(get).send().await.unwrap().status(), 403, "{key}");
    }
}

#[tokio::test]
async fn gcs_stand_in_attributes() {
    if let Some(store) = services::gcs("cloud::gcs_stand_in_attributes") {
        replaces_attributes(store.clone()).await;
        let error = store.get_tags(&"k".into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSupported);
    }
}

#[tokio::test]
async fn gcs_stand_in_copies() {
    let suite = "cloud::gcs_stand_in_copies";
    if let (Some(source), Some(target)) =
        (services::gcs(suite), services::gcs_bucket(suite, "test-bucket-2"))
    {
        copies_beside(source, target).await;
    }
}

/// A store of `scheme` whose service is `server`.
fn on(server: &Loopback, scheme: &str) -> Store {
    let mut options =
        OpenOptions::default().with("endpoint", &server.url).with("allow_http", "true");
    options = match scheme {
        "az" => options.with("account_name", "a").with("account_key", "a2V5"),
        "s3" => options
            .with("region", "eu-west-1")
            .with("access_key_id", "AK")
            .with("secret_access_key", "hush"),
        _ => options.with("bearer_token", "token"),
    };
    options.use_env = false;
    options.retry.max_retries = 1;
    Registry::default().open(&format!("{scheme}://place"), &options).unwrap().0
}

/// Azurite has no versions: the requests are those of the documentation.
#[tokio::test]
async fn azure_versions_are_asked_for_page_by_page() {
    let server = Loopback::start(|request| {
        let blob = |version: &str, day: u32, current: &str| {
            format!(
                "<Blob><Name>dir/a</Name><VersionId>{version}</VersionId>{current}<Properties><Last-Modified>\
                 Mon, 0{day} Jan 2024 00:00:00 GMT</Last-Modified><Content-Length>1</Content-Length></Properties></Blob>"
            )
        };
        let (blobs, next) = match (request.target.contains("prefix=dir%2F"), request.target.contains("marker=m1")) {
            (true, false) => (blob("v1", 1, ""), "m1"),
            (true, true) => (blob("v2", 8, "<IsCurrentVersion>true</IsCurrentVersion>"), ""),
            (false, _) => (String::new(), ""),
        };
        let text = format!(
            "<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
        );
        let headers = [("x-ms-copy-id", "1"), ("x-ms-copy-status", "success")];
        let status = match request.method.as_str() {
            "GET" => "200 OK",
            _ => "202 Accepted",
        };
        reply(status, &headers, text)
    })
    .await;
    let store = on(&server, "az");
    let versions: Vec<_> = store.list_versions(Some(&"dir".into())).try_collect().await.unwrap();
    let order: Vec<_> = versions.iter().map(|version| version.version.as_str()).collect();
    assert_eq!(order, ["v2", "v1"]);
    store.restore_version(&"dir/a".into(), "v1").await.unwrap();
    store.delete_version(&"dir/a".into(), "v1").await.unwrap();
    let seen = server.seen();
    assert!(seen.iter().all(|request| request.header("authorization").is_some()));
    let [.., restored, deleted] = &seen[..] else { panic!("{seen:?}") };
    let source = restored.header("x-ms-copy-source").unwrap();
    assert!(source.ends_with("/place/dir/a?versionid=v1"), "{source}");
    assert_eq!((restored.method.as_str(), restored.target.as_str()), ("PUT", "/place/dir/a"));
    assert_eq!(
        (deleted.method.as_str(), deleted.target.as_str()),
        ("DELETE", "/place/dir/a?versionid=v1")
    );
}

/// A copy is done when the service says so, not when it has accepted it.
#[tokio::test]
async fn an_azure_copy_waits_for_its_end() {
    let server = Loopback::start(|request| match request.method.as_str() {
        "PUT" => {
            reply("202 Accepted", &[("x-ms-copy-id", "7"), ("x-ms-copy-status", "pending")], "")
        }
        _ => {
            let why = ("x-ms-copy-status-description", "404 the source is gone");
            reply("200 OK", &[("x-ms-copy-id", "7"), ("x-ms-copy-status", "failed"), why], "")
        }
    })
    .await;
    let error = on(&server, "az").copy(&"a".into(), &"b".into()).await.unwrap_err();
    assert!(error.to_string().contains("the source is gone"), "{error}");
}

/// The stand-in numbers versions as its S3 server does: the requests are those of the documentation.
#[tokio::test]
async fn gcs_generations_are_versions() {
    let server = Loopback::start(|request| {
        let version = |generation: &str, day: u32, latest: bool| {
            format!(
                "<Version><Key>k</Key><Generation>{generation}</Generation><MetaGeneration>1</MetaGeneration>\
                 <IsLatest>{latest}</IsLatest><LastModified>2024-01-0{day}T00:00:00.000Z</LastModified>\
                 <ETag>\"e\"</ETag><Size>2</Size></Version>"
            )
        };
        let (versions, rest) = match request.target.contains("generation-marker=11") {
            false => (
                version("11", 1, false),
                "<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>\
                 <NextGenerationMarker>11</NextGenerationMarker>",
            ),
            true => (version("12", 2, true), "<IsTruncated>false</IsTruncated>"),
        };
        reply("200 OK", &[], format!("<ListBucketResult>{versions}{rest}</ListBucketResult>"))
    })
    .await;
    let store = on(&server, "gs");
    let versions: Vec<_> = store.list_versions(None).try_collect().await.unwrap();
    let order: Vec<_> = versions.iter().map(|version| version.version.as_str()).collect();
    assert_eq!(order, ["12", "11"]);
    store.restore_version(&"k".into(), "11").await.unwrap();
    store.delete_version(&"k".into(), "11").await.unwrap();
    let seen = server.seen();
    assert!(seen.iter().all(|request| request.header("authorization") == Some("Bearer token")));
    let [.., restored, deleted] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(restored.header("x-goog-copy-source"), Some("place/k"));
    assert_eq!(restored.header("x-goog-copy-source-generation"), Some("11"));
    assert_eq!(deleted.target, "/place/k?generation=11");
}

#[tokio::test]
async fn a_busy_service_is_asked_again_when_it_says() {
    let busy = std::sync::atomic::AtomicBool::new(true);
    let server =
        Loopback::start(move |_| match busy.swap(false, std::sync::atomic::Ordering::Relaxed) {
            true => reply("503 Slow Down", &[("retry-after", "1")], ""),
            false => reply("200 OK", &[], "<Tagging><TagSet/></Tagging>"),
        })
        .await;
    let begin = std::time::Instant::now();
    assert!(on(&server, "s3").get_tags(&"k".into()).await.unwrap().is_empty());
    assert!(begin.elapsed() >= std::time::Duration::from_secs(1));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn wrong_replies_are_typed_errors() {
    let server = Loopback::start(|request| {
        let malformed = "<Tagging><TagSet><Tag><Key>x</TagSet>";
        let late = |code: &str| {
            format!("<?xml version=\"1.0\"?>{}<Error><Code>{code}</Code></Error>", " ".repeat(500))
        };
        match request.target.split(['/', '?']).nth(2).unwrap() {
            "malformed" => reply("200 OK", &[], malformed),
            "" => reply("200 OK", &[], "<ListVersionsResult><Version>"),
            "denied" => reply("200 OK", &[], late("AccessDenied")),
            "slow" => reply("200 OK", &[], late("SlowDown")),
            "forbidden" => reply("403 Forbidden", &[], late("SignatureDoesNotMatch")),
            _ => reply("404 Not Found", &[], late("NoSuchBucket")),
        }
    })
    .await;
    let store = on(&server, "s3");
    let kind = |error: holdall_store::Error| {
        assert!(error.target().starts_with("s3://place"), "{error}");
        assert!(!error.to_string().contains("hush"), "{error}");
        error.kind()
    };
    assert_eq!(kind(store.get_tags(&"malformed".into()).await.unwrap_err()), ErrorKind::Corrupt);
    let listed: Result<Vec<_>, _> = store.list_versions(None).try_collect().await;
    assert_eq!(kind(listed.unwrap_err()), ErrorKind::Corrupt);
    let copied = async |to: &str| {
        let to = Path::from(to);
        store.copy(&"x".into(), &to).await.map_err(|e| store.error("copy", &to, e)).unwrap_err()
    };
    assert_eq!(kind(copied("denied").await), ErrorKind::PermissionDenied);
    assert_eq!(kind(copied("forbidden").await), ErrorKind::PermissionDenied);
    assert_eq!(kind(copied("missing").await), ErrorKind::NotFound);
    let before = server.seen().len();
    assert!(copied("slow").await.to_string().contains("SlowDown"));
    assert_eq!(server.seen().len() - before, 2, "repeated as often as the policy says");
}

#[tokio::test]
async fn azure_is_not_asked_for_keys_that_it_takes_for_others() {
    let server = Loopback::start(|request| {
        let head = "HTTP/1.1 201 Created\r\nETag: \"1\"\r\nLast-Modified: Sat, 21 Nov 2026 00:00:00 GMT\r\n";
        let length = if request.method == "HEAD" { 1 } else { 0 };
        format!("{head}Content-Length: {length}\r\n\r\n").into_bytes()
    })
    .await;
    let mut options = OpenOptions::default()
        .with("account_name", "me")
        .with("account_key", "aGlkZGVu")
        .with("endpoint", &server.url)
        .with("allow_http", "true");
    (options.use_env, options.retry.max_retries) = (false, 0);
    let store = Registry::default().open("az://box", &options).unwrap().0;
    let (odd, plain) = (Path::parse("a\\b").unwrap(), Path::from("a/b"));
    let provider = store.provider();
    let signer = provider.signer().unwrap();
    let second = std::time::Duration::from_secs(1);
    let outcomes = [
        ("put", store.put(&odd, "x".into()).await.map(drop)),
        ("upload", store.put_multipart(&odd).await.map(drop)),
        ("begin", provider.multipart().unwrap().create_multipart(&odd).await.map(drop)),
        ("get", store.get(&odd).await.map(drop)),
        ("head", store.head(&odd).await.map(drop)),
        ("range", store.get_ranges(&odd, std::slice::from_ref(&(0..1))).await.map(drop)),
        ("delete", store.delete(&odd).await),
        ("copy from", store.copy(&odd, &plain).await),
        ("copy to", store.copy(&plain, &odd).await),
        ("rename", store.rename(&plain, &odd).await),
        ("tags", provider.get_tags(&odd).await.map(drop)),
        ("attributes", provider.put_attributes(&odd, Attributes::new()).await),
        ("delete version", provider.delete_version(&odd, "1").await),
        ("restore version", provider.restore_version(&odd, "1").await),
        ("sign", signer.signed_url(Method::GET, &odd, second).await.map(drop)),
    ];
    for (operation, outcome) in outcomes {
        let error = store.error("test", &odd, outcome.expect_err(operation));
        assert_eq!(error.kind(), ErrorKind::InvalidPath, "{operation}: {error}");
        assert!(error.to_string().contains("backslash"), "{operation}: {error}");
    }
    assert_eq!(server.seen().len(), 0, "{:?}", server.seen());

    // Of many, it fails alone, and a move does not lose it.
    let (source, state) = (memory(), tempfile::tempdir().unwrap());
    for key in [&odd, &plain] {
        source.put(key, "x".into()).await.unwrap();
    }
    let jobs = [odd.clone(), plain].map(|key| Job { from: key.clone(), to: key, size: 1 });
    let engine = engine(&state);
    let options = engine.options().clone().with_verb(Verb::Move);
    let outcomes = engine.with_options(options).run(&source, &store, stream::iter(jobs).boxed());
    let outcomes: Vec<_> = outcomes.map(|outcome| outcome.result).collect().await;
    assert_eq!(outcomes.iter().filter(|result| result.is_ok()).count(), 1, "{outcomes:?}");
    let left: Vec<_> = source.list(None).map_ok(|meta| meta.location).try_collect().await.unwrap();
    assert_eq!(left, [odd]);
}

#[tokio::test]
async fn markers_of_directories_are_deleted_with_their_slash() {
    for (scheme, path) in
        [("s3", "/place/p/a%20b/"), ("gs", "/place/p%2Fa%20b%2F"), ("az", "/place/p/a%20b/")]
    {
        let server = Loopback::start(|_| reply("204 No Content", &[], "")).await;
        let store = on(&server, scheme).with_prefix(&"p".into());
        store.delete_marker(&OddKey::new("a b/".to_owned(), 0)).await.unwrap();
        let seen = server.seen();
        assert_eq!((seen.len(), &*seen[0].method, &*seen[0].target), (1, "DELETE", path));
    }
}
