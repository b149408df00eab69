//! Buckets as stores: by URL, with the transfer engine, and what is refused.

use chrono::{TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt};
use holdall_ais::wire::{Bck, Namespace};
use holdall_store::memory::MemoryStore;
use holdall_store::transfer::{Transfer, TransferOptions, Verify};
use holdall_store::{ErrorKind, ListOptions, OpenOptions, Registry, Store};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};

use crate::support::{Ais, content};

fn opened(ais: &Ais, url: &str) -> (Store, Path) {
    let registry = Registry::default();
    holdall_ais::register(&registry);
    let options = OpenOptions::default().with("endpoint", ais.url());
    registry.open(url, &options).unwrap()
}

#[tokio::test]
async fn by_url() {
    let ais = Ais::start().await;
    let name = ais.bucket().await.bck().name.clone();
    let (store, path) = opened(&ais, &format!("ais://{name}/d/a%231"));
    assert_eq!((path.as_ref(), store.url()), ("d/a#1", format!("ais://{name}")));
    store.put(&path, "x".into()).await.unwrap();
    let again = opened(&ais, &store.url_of(&path));
    assert_eq!(again.0.get(&again.1).await.unwrap().bytes().await.unwrap(), "x");
    let (remote, path) = opened(&ais, "ais://@uuid#ns/b/k");
    assert_eq!((remote.url().as_str(), path.as_ref()), ("ais://@uuid#ns/b", "k"));
    let (cloud, _) = opened(&ais, "ais+s3://b/k");
    assert_eq!(cloud.url(), "ais+s3://b");
    let error = cloud.head(&"k".into()).await.unwrap_err();
    assert!(matches!(error, object_store::Error::NotFound { .. }), "{error:?}");
    let registry = Registry::default();
    holdall_ais::register(&registry);
    for (options, kind) in [
        (OpenOptions::default().with("nope", "1"), ErrorKind::UnknownConfigurationKey),
        (OpenOptions::default().with("endpoint", "nope"), ErrorKind::Config),
    ] {
        assert_eq!(registry.open("ais://b", &options).unwrap_err().kind(), kind);
    }
    let error = registry.open("ais:///k", &OpenOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidUrl);
}

#[tokio::test]
async fn what_aistore_lacks_is_refused() {
    let ais = Ais::start().await;
    let store = ais.bucket().await.as_store();
    let path = Path::from("a");
    for mode in [PutMode::Create, PutMode::Update(UpdateVersion { e_tag: None, version: None })] {
        let options = PutOptions { mode, ..PutOptions::default() };
        let error = store.put_opts(&path, "x".into(), options).await.unwrap_err();
        assert!(matches!(error, object_store::Error::NotSupported { .. }), "{error:?}");
    }
    store.put(&path, "x".into()).await.unwrap();
    let copied = store.copy_if_not_exists(&path, &"b".into()).await.unwrap_err();
    assert!(matches!(copied, object_store::Error::NotSupported { .. }), "{copied:?}");
    let old = GetOptions { version: Some("1".into()), ..GetOptions::default() };
    let old = store.get_opts(&path, old).await.unwrap_err();
    assert!(matches!(old, object_store::Error::NotSupported { .. }), "{old:?}");
    assert!(store.put_tags(&path, &vec![("k".into(), "v".into())]).await.is_err());
}

#[tokio::test]
async fn transfers_are_checked() {
    let ais = Ais::start().await;
    let store = ais.bucket().await.as_store();
    let memory = Store::new(std::sync::Arc::new(MemoryStore::new()));
    let options = TransferOptions::default().with_verify(Verify::Required);
    let transfer = Transfer::new().with_options(options);
    for length in [0, 1, 1 << 20, 40 << 20] {
        let (path, back) = (Path::from(format!("o{length}")), Path::from("back"));
        let bytes = content(length);
        memory.put(&path, bytes.clone().into()).await.unwrap();
        Transfer::new().copy(&memory, &path, &store, &path).await.unwrap();
        transfer.copy(&store, &path, &store, &back).await.unwrap();
        assert!(transfer.read(&store, &back).await.unwrap() == bytes, "{length}");
    }
}

#[tokio::test]
async fn ranges_of_buckets_that_state_the_checksum_of_ranges() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    let changes = serde_json::json!({"checksum": {"enable_read_range": true}});
    bucket.set_props(&changes).await.unwrap();
    let store = bucket.as_store();
    let bytes = content(20 << 20);
    store.put(&"a".into(), bytes.clone().into()).await.unwrap();
    assert!(Transfer::new().read(&store, &"a".into()).await.unwrap() == bytes);
}

#[tokio::test]
async fn listings_begin_anywhere() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    let store = bucket.as_store().with_prefix(&"p".into());
    for key in ["2024-01/a", "2024-02/a", "2024-02/b", "2025-01/a"] {
        store.put(&key.into(), "x".into()).await.unwrap();
    }
    let list = |options: ListOptions| {
        let keys = store.list_with(options).map_ok(|meta| meta.location.to_string());
        async move { keys.try_collect::<Vec<_>>().await.unwrap() }
    };
    let found = list(ListOptions::default().with_prefix("2024-0")).await;
    assert_eq!(found, ["2024-01/a", "2024-02/a", "2024-02/b"]);
    let found =
        list(ListOptions::default().with_prefix("2024").with_start_after("2024-02/a")).await;
    assert_eq!(found, ["2024-02/b"]);
    let level = store.list_with_delimiter(None).await.unwrap();
    let dirs: Vec<_> = level.common_prefixes.iter().map(Path::as_ref).collect();
    assert_eq!(dirs, ["2024-01", "2024-02", "2025-01"]);
    assert_eq!(level.objects.len(), 0);
}

#[tokio::test]
async fn keys_that_no_path_can_hold_are_listed() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    let store = bucket.as_store();
    store.put(&"d/good".into(), "x".into()).await.unwrap();
    bucket.object("d/tab\there").put("xyz", &Default::default()).await.unwrap();
    let inside = store.with_prefix(&"d".into());
    let (mut good, mut odd) = (Vec::new(), Vec::new());
    for item in inside.objects(None).collect::<Vec<_>>().await {
        match item {
            Ok(meta) => good.push(meta.location.to_string()),
            Err(error) => odd.extend(error.odd_key().map(|odd| (odd.key.clone(), odd.size))),
        }
    }
    assert_eq!((good, odd), (vec!["good".to_owned()], vec![("tab\there".to_owned(), 3)]));
    let level = store.list_level(Some(&"d".into())).await.unwrap();
    assert_eq!((level.objects.len(), level.odd[0].key.as_str()), (1, "d/tab\there"));
    let level = store.list_level(None).await.unwrap();
    assert_eq!((level.common_prefixes, level.odd.len()), (vec![Path::from("d")], 0));
}

#[tokio::test]
async fn uploads_that_have_not_ended_are_found() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    let (store, name) = (bucket.as_store(), "a b/k&");
    let (key, beside) = (Path::from(name), Path::from("a b/k&2"));
    let parts = store.provider().multipart().unwrap();
    let before = Utc::now() - TimeDelta::seconds(5);
    let id = parts.create_multipart(&key).await.unwrap();
    let other = parts.create_multipart(&beside).await.unwrap();
    let open = store.provider().open_uploads(&key).await.unwrap();
    assert_eq!(open.iter().map(|upload| &upload.id).collect::<Vec<_>>(), [&id]);
    assert!(open[0].begun.unwrap() >= before, "{open:?}");
    parts.abort_multipart(&key, &id).await.unwrap();
    assert!(store.provider().open_uploads(&key).await.unwrap().is_empty());
    parts.abort_multipart(&beside, &other).await.unwrap();
    // S3 has no name for buckets of other namespaces.
    let bck = Bck { namespace: Namespace::parse("n"), ..bucket.bck().clone() };
    let elsewhere = ais.client.bucket_of(bck).object(name).open_uploads().await.unwrap();
    assert!(elsewhere.is_empty());
}
