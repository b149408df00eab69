//! What every operation makes of a service that refuses or sends it elsewhere: an error that names the operation's
//! object, of the right kind, and no secret of it anywhere else.

use futures::{StreamExt, TryStreamExt, stream};
use holdall_store::object_store::ObjectStoreExt;
use holdall_store::object_store::path::Path;
use holdall_store::transfer::{Step, SyncOptions, Transfer};
use holdall_store::{ErrorKind, OpenOptions, Registry, Result, Store};

use super::loopback::{Loopback, reply};

const MIB: usize = 1024 * 1024;

fn store(server: &Loopback) -> Store {
    let options = OpenOptions::default()
        .with("endpoint", &server.url)
        .with("allow_http", "true")
        .with("region", "us-east-1")
        .with("access_key_id", "hunter1")
        .with("secret_access_key", "hunter2")
        .with("session_token", "hunter3");
    Registry::default().open("s3://bucket", &options).unwrap().0
}

fn key() -> Path {
    Path::from("k")
}

const OPERATIONS: [&str; 16] = [
    "get",
    "head",
    "range",
    "put",
    "delete",
    "delete many",
    "delete prefix",
    "copy",
    "list",
    "level",
    "versions",
    "tags",
    "download",
    "upload",
    "write in parts",
    "sync",
];

async fn run(operation: &str, store: &Store, dir: &std::path::Path) -> Result<()> {
    let named = |e| store.error("do", &key(), e);
    let engine = Transfer::new();
    match operation {
        "get" => drop(store.get(&key()).await.map_err(named)?),
        "head" => drop(store.head(&key()).await.map_err(named)?),
        "range" => drop(store.get_range(&key(), 1..3).await.map_err(named)?),
        "put" => drop(store.put(&key(), "x".into()).await.map_err(named)?),
        "delete" => store.delete(&key()).await.map_err(named)?,
        "delete many" => {
            let keys = stream::iter([key(), "other".into()]).boxed();
            return store.delete_many(keys).map(|(_, result)| result).try_collect().await;
        }
        "delete prefix" => drop(store.delete_prefix(None).await?),
        "copy" => store.copy(&key(), &"to".into()).await.map_err(named)?,
        "list" => drop(store.objects(None).try_collect::<Vec<_>>().await?),
        "level" => drop(store.list_level(None).await?),
        "versions" => drop(store.list_versions(None).try_collect::<Vec<_>>().await?),
        "tags" => drop(store.get_tags(&key()).await?),
        "download" => {
            let file = dir.join("file");
            let done = engine.download(store, &key(), &file).await;
            assert_eq!(file.exists(), done.is_ok());
            done?;
        }
        "upload" => {
            let file = dir.join("source");
            std::fs::write(&file, "content").unwrap();
            engine.upload(&file, store, &key()).await?;
        }
        "write in parts" => drop(engine.write(vec![1; 12 * MIB].into(), store, &key()).await?),
        "sync" => {
            let (target, _) = Registry::default().open("memory:///", &OpenOptions::default())?;
            let steps = engine.sync(store, &target, SyncOptions::default());
            drop(steps.try_collect::<Vec<Step>>().await?);
        }
        _ => unreachable!("{operation}"),
    }
    Ok(())
}

#[tokio::test]
async fn credentials_that_have_expired_are_told_of_by_every_operation() {
    let document = "<Error><Code>ExpiredToken</Code><Message>because</Message></Error>";
    let server = Loopback::start(move |_| reply("400 Bad Request", &[], document)).await;
    let dir = tempfile::tempdir().unwrap();
    for name in OPERATIONS {
        let error = run(name, &store(&server), dir.path()).await.expect_err(name);
        // The answer to a HEAD has no text that could say so.
        let kinds = match name {
            "head" | "download" => [ErrorKind::Unauthenticated, ErrorKind::Other],
            _ => [ErrorKind::Unauthenticated; 2],
        };
        assert!(kinds.contains(&error.kind()), "{name}: {error}");
        let text = error.to_string();
        assert!(text.contains("s3://bucket") && !text.contains("hunter"), "{name}: {text}");
    }
}

#[tokio::test]
async fn who_answers_in_the_place_of_the_service_is_believed_by_no_operation() {
    let page = "<html><body>Please log in</body></html>";
    for (status, body) in [("200 OK", page), ("200 OK", ""), ("202 Accepted", "")] {
        let server = Loopback::start(move |_| reply(status, &[], body)).await;
        let dir = tempfile::tempdir().unwrap();
        for name in OPERATIONS {
            // There is nothing in the reply to the deletion of one object.
            if name != "delete" {
                let error = run(name, &store(&server), dir.path()).await.expect_err(name);
                assert!(error.to_string().contains("s3://bucket"), "{name}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn no_operation_takes_its_secrets_to_another_origin() {
    let other =
        Loopback::start(|_| reply("200 OK", &[("etag", "\"e\"")], "not what was asked for")).await;
    let to = other.url.clone();
    let server = Loopback::start(move |request| {
        reply("307 Temporary Redirect", &[("location", &format!("{to}{}", request.target))], "")
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    for name in OPERATIONS {
        if let Err(error) = run(name, &store(&server), dir.path()).await {
            assert!(!error.to_string().contains("hunter"), "{name}: {error}");
        }
    }
    for request in other.seen() {
        let secret = request.headers.iter().find(|(_, value)| value.contains("hunter"));
        assert!(secret.is_none(), "{} {}: {secret:?}", request.method, request.target);
        assert!(request.header("authorization").is_none(), "{request:?}");
        assert!(request.body.is_empty(), "{} {}", request.method, request.target);
    }
}
