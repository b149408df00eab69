//! Listing, deletion and copies beyond the trait.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use holdall_store::local::{LocalOptions, LocalStore};
use holdall_store::memory::MemoryStore;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    Attribute, Attributes, CopyMode, ObjectStore, ObjectStoreExt, PutOptions,
};
use holdall_store::{ErrorKind, ListOptions, Store};

fn memory() -> Store {
    Store::new(Arc::new(MemoryStore::new()))
}

async fn with(keys: &[&str]) -> Store {
    let store = memory();
    for key in keys {
        store.put(&Path::parse(key).unwrap(), (*key).to_owned().into()).await.unwrap();
    }
    store
}

async fn listed(store: &Store, options: ListOptions) -> Vec<String> {
    store.list_with(options).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap()
}

#[tokio::test]
async fn lists_by_substring_and_key_range() {
    let store = with(&["p/2023-12/a", "p/2024-01/a", "p/2024-02/a", "p/2025", "q"]).await;
    let below = store.with_prefix(&"p".into());
    for store in [&store, &below] {
        let root = if store.prefix().as_ref().is_empty() { "p/" } else { "" };
        let key = |key: &str| format!("{root}{key}");
        let options = ListOptions::default().with_prefix(key("2024-0"));
        assert_eq!(listed(store, options.clone()).await, [key("2024-01/a"), key("2024-02/a")]);
        let after = options.clone().with_start_after(key("2024-01/a"));
        assert_eq!(listed(store, after).await, [key("2024-02/a")]);
        let before = options.clone().with_end_before(key("2024-02"));
        assert_eq!(listed(store, before).await, [key("2024-01/a")]);
        assert_eq!(listed(store, options.with_max_items(1)).await, [key("2024-01/a")]);
    }
}

#[tokio::test]
async fn pages_join_without_gap_or_repeat() {
    let store = memory();
    let keys: Vec<String> = (0..3500).map(|i| format!("k/{i:05}")).collect();
    for key in &keys {
        store.put(&Path::from(key.as_str()), "".into()).await.unwrap();
    }
    assert_eq!(listed(&store, ListOptions::default()).await, keys);
}

#[tokio::test]
async fn pages_of_a_service_join_too() {
    let Some(store) =
        super::services::s3("HOLDALL_TEST_S3_ENDPOINT", "operations::pages", "test-bucket")
    else {
        return;
    };
    let keys: Vec<String> = (0..2300).map(|i| format!("k/{i:05}")).collect();
    stream::iter(keys.clone())
        .map(|key| {
            let store = store.clone();
            async move { store.put(&Path::from(key), "".into()).await.unwrap() }
        })
        .buffer_unordered(32)
        .collect::<Vec<_>>()
        .await;
    assert_eq!(listed(&store, ListOptions::default()).await, keys);
    let options = ListOptions::default().with_prefix("k/0").with_start_after("k/00100");
    assert_eq!(listed(&store, options.with_max_items(1500)).await, keys[101..1601]);
    let report = store.delete_prefix(None).await.unwrap();
    assert_eq!((report.deleted, report.failed.len()), (2300, 0));
}

#[tokio::test]
async fn globs_match_whole_keys() {
    let store = with(&["a/x.tif", "a/b/y.tif", "a/z.txt", "c.tif", "a/{q}.tif"]).await;
    for (pattern, wanted) in [
        ("a/*.tif", vec!["a/x.tif", "a/{q}.tif"]),
        ("**/*.tif", vec!["a/b/y.tif", "a/x.tif", "a/{q}.tif", "c.tif"]),
        ("a/{x,z}.t*", vec!["a/x.tif", "a/z.txt"]),
        ("a/\\{q\\}.tif", vec!["a/{q}.tif"]),
        ("nothing/*", vec![]),
    ] {
        let found: Vec<String> = store
            .glob(pattern)
            .unwrap()
            .map_ok(|meta| meta.location.to_string())
            .try_collect()
            .await
            .unwrap();
        assert_eq!(found, wanted, "{pattern}");
    }
    assert_eq!(store.glob("a/[").err().unwrap().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn deletes_a_prefix_of_whole_segments() {
    let store = with(&["a/1", "a/2", "ab/3", "b"]).await;
    let report = store.delete_prefix(Some(&"a".into())).await.unwrap();
    assert_eq!((report.deleted, report.failed.len()), (2, 0));
    assert_eq!(listed(&store, ListOptions::default()).await, ["ab/3", "b"]);
}

#[tokio::test]
async fn reports_on_each_deleted_key() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        Store::new(Arc::new(LocalStore::open(dir.path(), LocalOptions::default()).unwrap()));
    store.put(&"a".into(), "".into()).await.unwrap();
    let keys: Vec<Path> =
        vec!["a".into(), "missing".into(), Path::parse(".x.holdall-staged").unwrap()];
    let outcomes: Vec<_> = store.delete_many(stream::iter(keys).boxed()).collect().await;
    let kinds: Vec<_> = outcomes.iter().map(|(_, o)| o.as_ref().err().map(|e| e.kind())).collect();
    assert_eq!(kinds, [None, None, Some(ErrorKind::InvalidPath)]);
}

#[tokio::test]
async fn copies_between_stores_with_attributes_and_refuses_to_replace() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (
        memory(),
        Store::new(Arc::new(LocalStore::open(dir.path(), LocalOptions::default()).unwrap())),
    );
    for size in [0usize, 5, 8 * 1024 * 1024, 20 * 1024 * 1024 + 3] {
        let data: Vec<u8> = (0..size).map(|i| (i % 253) as u8).collect();
        let attributes: Attributes = [(Attribute::ContentType, "text/x")].into_iter().collect();
        let options = PutOptions { attributes: attributes.clone(), ..Default::default() };
        source.put_opts(&"a".into(), data.clone().into(), options).await.unwrap();
        let to = Path::from(format!("d/{size}"));
        let report = source.copy_to(&"a".into(), &target, &to, CopyMode::Create).await.unwrap();
        assert_eq!((report.bytes, report.server_side), (size as u64, false));
        let copied = target.get(&to).await.unwrap();
        assert_eq!(copied.attributes, attributes);
        assert!(copied.bytes().await.unwrap() == data);
        let error = source.copy_to(&"a".into(), &target, &to, CopyMode::Create).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
}

#[tokio::test]
async fn moves_delete_the_source_last() {
    let (source, target) = (with(&["a"]).await, memory());
    source.move_to(&"a".into(), &target, &"b".into(), CopyMode::Overwrite).await.unwrap();
    assert!(
        !source.exists(&"a".into()).await.unwrap() && target.exists(&"b".into()).await.unwrap()
    );
    let error =
        source.move_to(&"a".into(), &target, &"b".into(), CopyMode::Overwrite).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::NotFound, "move"));
}

#[tokio::test]
async fn what_a_store_lacks_is_refused_by_name() {
    let error = with(&["a"]).await.delete_version(&"a".into(), "1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSupported);
    assert!(error.to_string().contains("delete_version memory:///a"), "{error}");
}

#[tokio::test]
async fn a_move_onto_itself_keeps_the_object() {
    let store = with(&["p/a"]).await;
    let below = store.with_prefix(&"p".into());
    let moved = store.move_to(&"p/a".into(), &below, &"a".into(), CopyMode::Overwrite).await;
    assert_eq!(moved.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(store.exists(&"p/a".into()).await.unwrap());
}
