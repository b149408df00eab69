//! Buckets of real services, and of another server; a kill in the middle of a cold read.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt as _;
use holdall_ais_server::{Backends, Options, Server};
use holdall_store::Registry;
use reqwest::{Client, Method};
use serde_json::json;

use crate::standin;
use crate::support::{Ais, header};

/// The setting of a service; none, and a line that says so, where it does not run.
fn setting(test: &str, name: &str) -> Option<String> {
    let found = std::env::var(name).ok();
    if found.is_none() {
        let say = format!(
            "SKIPPED ais-server::backends::{test}: {name} is not set (run services/up and source .services/env)\n"
        );
        std::io::Write::write_all(&mut std::io::stderr(), say.as_bytes()).expect("stderr");
    }
    found
}

async fn server(backend: &str) -> Ais {
    static REGISTRY: std::sync::LazyLock<Registry> = std::sync::LazyLock::new(Registry::default);
    let backends = Backends::of(&REGISTRY).with(backend.parse().expect("a backend"));
    Ais::with(Options { backends, ..Options::default() }).await
}

/// Writes, evicts, reads, lists and deletes objects of a bucket, a small and a large one.
async fn round(ais: &Ais, bucket: &str, provider: &str) {
    let of = format!("provider={provider}");
    let prefix = format!("ais-server-{:016x}", fastrand::u64(..));
    let large: Vec<u8> = (0..9 << 20).map(|n: u32| (n % 251) as u8).collect();
    for (name, content) in [("small", b"hello".to_vec()), ("large", large)] {
        let path = format!("{bucket}/{prefix}/{name}?{of}");
        let written = ais.put(&path, content.clone()).await;
        assert_eq!(written.status(), 200, "{provider}: {}", written.text().await.expect("text"));
        let evicted = ais
            .act(
                Method::DELETE,
                &format!("/v1/buckets/{bucket}?{of}"),
                "evict-listrange",
                json!({"objnames": [format!("{prefix}/{name}")]}),
            )
            .await;
        ais.ended(&evicted.text().await.expect("an id")).await;
        let head = ais.send(Method::HEAD, &format!("/v1/objects/{path}&props=size,custom")).await;
        assert_eq!((head.status().as_u16(), header(&head, "ais-present")), (200, "false"));
        assert_eq!(ais.get(&path).await.bytes().await.expect("bytes"), content, "{provider}");
        let head = ais.send(Method::HEAD, &format!("/v1/objects/{path}&props=size")).await;
        assert_eq!(header(&head, "ais-present"), "true");
        let same = ais.get(&format!("{path}&latest-ver=true")).await;
        assert_eq!(same.bytes().await.expect("bytes"), content, "{provider}: latest");
    }
    let listed = ais
        .act(Method::GET, &format!("/v1/buckets/{bucket}?{of}"), "list", json!({"prefix": prefix}))
        .await;
    let listed: serde_json::Value = listed.json().await.expect("JSON");
    assert_eq!(listed["entries"].as_array().expect("entries").len(), 2, "{provider}: {listed}");
    for name in ["small", "large"] {
        let path = format!("/v1/objects/{bucket}/{prefix}/{name}?{of}");
        assert_eq!(ais.send(Method::DELETE, &path).await.status(), 200, "{provider}");
        assert_eq!(ais.send(Method::GET, &path).await.status(), 404, "{provider}");
    }
    let missing = ais.get(&format!("no-such-bucket-here/o?{of}")).await;
    assert_eq!(missing.status(), 404, "{provider}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3() {
    let Some(endpoint) = setting("s3", "HOLDALL_TEST_S3_ENDPOINT") else { return };
    let of = |name: &str| std::env::var(name).expect("set with the endpoint");
    let (id, secret) =
        (of("HOLDALL_TEST_S3_ACCESS_KEY_ID"), of("HOLDALL_TEST_S3_SECRET_ACCESS_KEY"));
    let ais = server(&format!(
        "aws,endpoint={endpoint},region=us-east-1,access_key_id={id},secret_access_key={secret}"
    ))
    .await;
    round(&ais, &of("HOLDALL_TEST_S3_BUCKET"), "aws").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gcs() {
    let Some(endpoint) = setting("gcs", "HOLDALL_TEST_GCS_ENDPOINT") else { return };
    let of = |name: &str| std::env::var(name).expect("set with the endpoint");
    let account = of("HOLDALL_TEST_GCS_SERVICE_ACCOUNT");
    let ais = server(&format!("gcp,base_url={endpoint},service_account={account}")).await;
    round(&ais, &of("HOLDALL_TEST_GCS_BUCKET"), "gcp").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure() {
    let Some(endpoint) = setting("azure", "HOLDALL_TEST_AZURE_ENDPOINT") else { return };
    let of = |name: &str| std::env::var(name).expect("set with the endpoint");
    let (account, key) = (of("HOLDALL_TEST_AZURE_ACCOUNT"), of("HOLDALL_TEST_AZURE_KEY"));
    let backend = format!("azure,endpoint={endpoint},account_name={account},account_key={key}");
    round(&server(&backend).await, &of("HOLDALL_TEST_AZURE_CONTAINER"), "azure").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn web_servers() {
    let Some(url) = setting("web_servers", "HOLDALL_TEST_HTTP_URL") else { return };
    let root = std::env::var("HOLDALL_TEST_HTTP_ROOT").expect("set with the URL");
    let name = format!("ais-server-{:016x}.txt", fastrand::u64(..));
    let file = Path::new(&root).join(&name);
    std::fs::write(&file, "from the web").expect("written");
    let ais = server("ht").await;
    let read = ais.get(&format!("web/{name}?provider=ht&original_url={url}")).await;
    assert_eq!(read.text().await.expect("text"), "from the web");
    std::fs::remove_file(&file).expect("removed");
    let again = ais.get(&format!("web/{name}?provider=ht")).await;
    assert_eq!(again.text().await.expect("text"), "from the web", "it is here");
    assert_eq!(ais.get(&format!("web/{name}?provider=ht&latest-ver=true")).await.status(), 404);
    assert_eq!(ais.get("unknown/o?provider=ht").await.status(), 404);
    assert_eq!(Ais::memory().await.get("web/o?provider=ht").await.status(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_no_store_knows_is_refused_at_the_start() {
    static REGISTRY: std::sync::LazyLock<Registry> = std::sync::LazyLock::new(Registry::default);
    let start = async |backend: &str| {
        let backends = Backends::of(&REGISTRY).with(backend.parse().expect("a backend"));
        Server::start(Options { backends, ..Options::default() }).await.map(drop)
    };
    for backend in ["aws,no_such=http://h:1", "ht,no_such=1", "azure,no_such=1", "gcp,no_such=1"] {
        let error = start(backend).await.expect_err(backend).to_string();
        let name = backend.split(',').next().expect("a name");
        assert!(error.starts_with(&format!("backend {name}: ")), "{error}");
    }
    // What else a bucket needs, it may say itself.
    for backend in ["aws", "azure", "gcp", "ht", "aws,endpoint=http://h:1"] {
        start(backend).await.expect(backend);
    }
}

/// Tells the child where its folder is.
const FOLDER: &str = "HOLDALL_COLD_FOLDER";

/// The process that is killed: its backend never ends to send. It does nothing unless it is told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_half_of_an_object() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let (control, mut options) = standin::options();
    control.put("b", "large", vec![7; 14 << 20]).await;
    control.wait_after.store(10 << 20, Ordering::SeqCst);
    options.data = Some(folder.into());
    let server = Server::start(options).await.expect("the server starts");
    let file = std::env::var("HOLDALL_COLD_URL").expect("set with the folder");
    std::fs::write(file, server.url()).expect("written");
    std::future::pending::<()>().await;
}

async fn start(folder: &Path, file: &Path) -> (Child, String) {
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "backends::serves_half_of_an_object"])
        .env(FOLDER, folder)
        .env("HOLDALL_COLD_URL", file)
        .stdout(Stdio::null())
        .spawn()
        .expect("a process");
    loop {
        match std::fs::read_to_string(file) {
            Ok(url) if url.starts_with("http") => return (child, url),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_a_cold_read_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let (mut child, url) = start(&data, &folder.path().join("url")).await;
    let client = Client::new();
    let bucket = format!("{url}/v1/buckets/b?provider=aws");
    assert_eq!(client.head(&bucket).send().await.expect("an answer").status(), 200);
    let stream = json!({"action": "set-bprops", "value": {"features": "4096"}});
    assert_eq!(client.patch(&bucket).json(&stream).send().await.expect("an answer").status(), 200);
    let reply = client.get(format!("{url}/v1/objects/b/large?provider=aws")).send().await;
    let mut body = reply.expect("an answer").bytes_stream();
    assert!(!body.next().await.expect("a piece").expect("bytes").is_empty(), "half is here");
    child.kill().expect("killed");
    child.wait().expect("gone");

    let (control, mut options) = standin::options();
    control.put("b", "large", vec![7; 14 << 20]).await;
    options.data = Some(data.clone());
    let ais = Ais::with(options).await;
    assert_eq!(std::fs::read_dir(data.join("tmp")).expect("a folder").count(), 0);
    let here =
        ais.send(Method::HEAD, "/v1/objects/b/large?provider=aws&props=size&presence=2").await;
    assert_eq!(here.status(), 404);
    let whole = ais.get("b/large?provider=aws").await.bytes().await.expect("bytes");
    assert_eq!(whole, vec![7; 14 << 20]);
}
