//! Objects whose keys no path can hold, in a bucket of S3: named as failures, while everything beside them goes its way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use futures::{StreamExt, TryStreamExt};
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{ObjectMeta, ObjectStoreExt};
use holdall_store::transfer::{Action, Filter, Step, SyncOptions, Transfer, plan};
use holdall_store::{
    ErrorKind, ListOptions, OddKey, OpenOptions, ParallelOptions, Registry, Result, Store,
};

use super::loopback::{Loopback, Request, reply};

const ODD: [&str; 6] = ["/slash", "d/../up", "d//double", "d/tab\u{9}", "d/z//", "e/./dot"];
const GOOD: [&str; 5] = ["a", "d/b", "d/c/c", "e/d", "f"];

/// A bucket with these keys; pages have two of them.
async fn bucket(keys: impl IntoIterator<Item = &'static str>) -> (Loopback, Store) {
    let keys: BTreeSet<String> = keys.into_iter().map(str::to_owned).collect();
    let server = Loopback::start(move |request| answer(&keys, request)).await;
    let options = OpenOptions::default()
        .with("endpoint", &server.url)
        .with("allow_http", "true")
        .with("skip_signature", "true")
        .with("region", "us-east-1");
    let (store, _) = Registry::default().open("s3://bucket", &options).unwrap();
    (server, store)
}

fn answer(keys: &BTreeSet<String>, request: &Request) -> Vec<u8> {
    let url = url::Url::parse(&format!("http://host{}", request.target)).unwrap();
    let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let time = [("last-modified", "Fri, 02 Jan 2026 03:04:05 GMT"), ("etag", "\"e\"")];
    match request.method.as_str() {
        "GET" if query.contains_key("versions") => reply("200 OK", &[], versions(keys, &query)),
        "GET" if query.contains_key("list-type") => reply("200 OK", &[], page(keys, &query)),
        "POST" => {
            let deleted: String =
                request.text().split("<Key>").skip(1).fold(String::new(), |all, key| {
                    format!("{all}<Deleted><Key>{}</Key></Deleted>", key.split('<').next().unwrap())
                });
            reply("200 OK", &[], format!("<DeleteResult>{deleted}</DeleteResult>"))
        }
        _ => reply("200 OK", &time, "content"),
    }
}

fn page(keys: &BTreeSet<String>, query: &BTreeMap<String, String>) -> String {
    let prefix = query.get("prefix").cloned().unwrap_or_default();
    let after = query.get("continuation-token").or(query.get("start-after"));
    let mut keys = keys
        .iter()
        .filter(|key| key.starts_with(&prefix) && after.is_none_or(|after| *key > after));
    let page: Vec<&String> = keys.by_ref().take(2).collect();
    let mut xml = String::from("<ListBucketResult>");
    for key in &page {
        let is_marker = key.ends_with('/') && !key.ends_with("full/");
        let (size, key) = (if is_marker { 0 } else { 7 }, key.replace('\t', "&#9;"));
        write!(
            xml,
            "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
             <ETag>&quot;e&quot;</ETag><Size>{size}</Size></Contents>"
        )
        .unwrap();
    }
    if keys.next().is_some() {
        let last = page.last().unwrap();
        write!(xml, "<NextContinuationToken>{last}</NextContinuationToken>").unwrap();
    }
    xml + "</ListBucketResult>"
}

/// A page of versions: one of each object, two objects to a page.
fn versions(keys: &BTreeSet<String>, query: &BTreeMap<String, String>) -> String {
    let prefix = query.get("prefix").cloned().unwrap_or_default();
    let after = query.get("key-marker");
    let mut keys = keys
        .iter()
        .filter(|key| key.starts_with(&prefix) && after.is_none_or(|after| *key > after));
    let page: Vec<&String> = keys.by_ref().take(2).collect();
    let mut xml = String::from("<ListVersionsResult>");
    for key in &page {
        let key = key.replace('\t', "&#9;");
        write!(
            xml,
            "<Version><Key>{key}</Key><VersionId>v</VersionId><IsLatest>true</IsLatest>\
             <LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag>\
             <Size>7</Size></Version>"
        )
        .unwrap();
    }
    if keys.next().is_some() {
        let last = page.last().unwrap();
        write!(xml, "<IsTruncated>true</IsTruncated><NextKeyMarker>{last}</NextKeyMarker>")
            .unwrap();
    }
    xml + "</ListVersionsResult>"
}

fn all() -> impl Iterator<Item = &'static str> {
    GOOD.into_iter().chain(ODD)
}

/// The keys of a listing, and those among them that are odd.
fn told(items: Vec<Result<ObjectMeta>>) -> (Vec<String>, Vec<String>) {
    let (mut keys, mut odd) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Ok(meta) => keys.push(meta.location.to_string()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidPath, "{error}");
                odd.push(error.odd_key().expect("nothing else fails").key.clone());
            }
        }
    }
    (keys, odd)
}

#[tokio::test]
async fn every_listing_names_them_and_goes_on() {
    let (_server, store) = bucket(all()).await;
    let how = ParallelOptions::default();
    let below = |prefix: &str| ListOptions::default().with_prefix(prefix);
    for (mut keys, mut odd) in [
        told(store.objects(None).collect().await),
        told(store.list_with(below("")).collect().await),
        told(store.list_parallel(below(""), how.clone()).collect().await),
        told(store.objects_parallel(None, how.clone().with_sorted(false)).collect().await),
        told(store.glob("**").unwrap().collect().await),
    ] {
        keys.sort();
        odd.sort();
        assert_eq!((keys, odd), (GOOD.map(str::to_owned).into(), ODD.map(str::to_owned).into()));
    }
    let inside = store.with_prefix(&"d".into());
    let (keys, odd) = told(inside.objects_parallel(None, how).collect().await);
    assert_eq!((keys, odd.len()), (vec!["b".to_owned(), "c/c".to_owned()], 4));
    assert!(odd.contains(&"/double".to_owned()), "relative, but not to be mistaken: {odd:?}");
    let (_, odd) = told(store.list_with(below("d/").with_end_before("d//e")).collect().await);
    assert_eq!(odd, ["d/../up", "d//double"]);
    let items: Vec<_> = inside.objects(None).collect().await;
    let error = items.into_iter().find_map(Result::err).unwrap();
    let text = error.to_string();
    assert!(
        text.starts_with("list s3://bucket/d/../up: invalid path: the key '../up' has"),
        "{text}"
    );
    assert!(inside.has_objects(None).await.unwrap());
    let (_server, only) = bucket(["x//y"]).await;
    assert!(only.has_objects(None).await.unwrap());
}

#[tokio::test]
async fn listings_of_versions_name_them_and_go_on() {
    let (_server, store) = bucket(all()).await;
    let (mut keys, mut odd) = (Vec::new(), Vec::new());
    let mut versions = store.list_versions(None);
    while let Some(item) = versions.next().await {
        match OddKey::or_item(item).unwrap() {
            Ok(version) => keys.push(version.location.to_string()),
            Err(found) => {
                let which = found.version.unwrap();
                assert_eq!((which.id.as_str(), which.is_latest, found.size), ("v", true, 7));
                odd.push(found.key);
            }
        }
    }
    assert_eq!((keys, odd), (GOOD.map(str::to_owned).into(), ODD.map(str::to_owned).into()));
    let inside = store.with_prefix(&"d".into());
    let items: Vec<_> = inside.list_versions(None).collect().await;
    let errors: Vec<_> = items.into_iter().filter_map(Result::err).collect();
    assert_eq!(errors.len(), 4);
    assert_eq!(errors[0].odd_key().unwrap().key, "../up");
    let text = errors[0].to_string();
    assert!(text.starts_with("list_versions s3://bucket/d/../up: invalid path: "), "{text}");
}

#[tokio::test]
async fn a_plan_is_data_that_has_them() {
    let (_server, source) = bucket(["a", "x//y"]).await;
    let (_server, target) = bucket(["b", "x//z"]).await;
    let options = SyncOptions::default().with_delete(true);
    let plan: Vec<Action> = plan(&source, &target, options).try_collect().await.unwrap();
    let texts: Vec<_> = plan.iter().map(|action| serde_json::to_value(action).unwrap()).collect();
    let refuse = |needs, key| serde_json::json!({"action": "refuse", "needs": needs, "path": key, "size": 7, "reason": "odd_key"});
    let expected = [
        serde_json::json!({"action": "copy", "path": "a", "size": 7, "reason": "missing"}),
        serde_json::json!({"action": "delete", "path": "b", "size": 7}),
        refuse("copy", "x//y"),
        refuse("delete", "x//z"),
    ];
    assert_eq!(texts, expected);
    let (target, _) = Registry::default().open("memory:///", &OpenOptions::default()).unwrap();
    target.put(&Path::from("b"), "b".into()).await.unwrap();
    let plan = futures::stream::iter(plan).map(Ok).boxed();
    let steps: Vec<_> =
        Transfer::new().run_plan(&source, &target, plan).try_collect().await.unwrap();
    let kept = steps.iter().filter(|step| matches!(step, Step::Kept { .. })).count();
    let refused: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Refused(error) => Some(error.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!((kept, refused.len()), (1, 2), "{steps:?}");
    assert!(refused[0].starts_with("copy s3://bucket/x//y: invalid path: "), "{}", refused[0]);
    assert!(refused[1].starts_with("delete memory:///x//z: invalid path: "), "{}", refused[1]);
}

#[tokio::test]
async fn synchronising_copies_the_rest_and_deletes_nothing_on_half_the_truth() {
    let (_server, source) = bucket(all()).await;
    let (target, _) = Registry::default().open("memory:///", &OpenOptions::default()).unwrap();
    target.put(&Path::from("old"), "old".into()).await.unwrap();
    let options = SyncOptions::default().with_delete(true);
    let run = |options| Transfer::new().sync(&source, &target, options).try_collect::<Vec<_>>();
    let (mut refused, mut copied, mut kept) = (Vec::new(), 0, 0);
    for step in run(options.clone()).await.unwrap() {
        match step {
            Step::Refused(error) => {
                assert_eq!(error.operation(), "copy");
                refused.push(error.odd_key().unwrap().key.clone());
            }
            Step::Copied(outcome) => copied += u64::from(outcome.result.is_ok()),
            Step::Kept { .. } => kept += 1,
            other => panic!("{other:?}"),
        }
    }
    refused.sort();
    assert_eq!((refused, copied, kept), (ODD.map(str::to_owned).into(), GOOD.len() as u64, 1));
    // What nobody asked for is not told of.
    let filter = ODD.iter().fold(Filter::new(), |filter, key| filter.exclude(key).unwrap());
    let steps = run(options.with_filter(filter)).await.unwrap();
    assert!(steps.iter().all(|step| !matches!(step, Step::Refused(_))), "{steps:?}");
    assert!(!target.exists(&Path::from("old")).await.unwrap());
}

#[tokio::test]
async fn of_a_target_they_are_deletions_that_fail_unless_the_source_has_them_too() {
    let (_server, source) = bucket(["a", "x//y"]).await;
    let (server, target) = bucket(["a", "b", "x//y", "x//z"]).await;
    let options = SyncOptions::default().with_delete(true);
    let mut steps = Transfer::new().sync(&source, &target, options.clone());
    let mut refused = Vec::new();
    while let Some(step) = steps.next().await {
        if let Step::Refused(error) = step.unwrap() {
            refused.push((error.operation(), error.odd_key().unwrap().key.clone()));
        }
    }
    assert_eq!(refused, [("copy", "x//y".to_owned()), ("delete", "x//z".to_owned())]);
    assert!(server.seen().iter().all(|request| request.method == "GET"), "a copy failed");
    let (_server, source) = bucket(["a"]).await;
    let steps: Vec<_> = Transfer::new().sync(&source, &target, options).collect().await;
    let deleted =
        steps.iter().filter(|step| matches!(step, Ok(Step::Deleted { result: Ok(()), .. })));
    assert_eq!(deleted.count(), 1, "{steps:?}");
    assert_eq!(steps.iter().filter(|step| matches!(step, Ok(Step::Refused(_)))).count(), 2);
}

#[tokio::test]
async fn deleting_a_prefix_deletes_the_rest() {
    let (_server, store) = bucket(all()).await;
    let report = store.delete_prefix(None).await.unwrap();
    let mut failed: Vec<_> = report.failed.iter().map(|(key, _)| key.as_str()).collect();
    failed.sort_unstable();
    assert_eq!((report.deleted, failed), (GOOD.len() as u64, ODD.into()));
    let (_, error) = &report.failed[0];
    assert!(error.to_string().starts_with("delete s3://bucket/"), "{error}");
}

/// `a` and the marker of the directory `a`, as consoles make them; and what only looks like one.
const MARKED: [&str; 7] = ["a", "a/", "d/", "d/b", "d/empty/", "d/full", "d/full/"];

#[tokio::test]
async fn markers_of_directories_are_no_objects_to_be_copied_or_compared() {
    let (server, store) = bucket(MARKED).await;
    let (other, _) = Registry::default().open("memory:///", &OpenOptions::default()).unwrap();
    for (key, content) in [("a", "precious"), ("d/b", "content"), ("d/full", "content")] {
        other.put(&Path::from(key), content.into()).await.unwrap();
    }
    let options = SyncOptions::default().with_delete(true);
    // The same objects, in either direction: nothing is deleted, nothing made, and one key is odd, for it has content.
    for (source, target) in [(&store, &other), (&other, &store)] {
        let steps: Vec<_> = plan(source, target, options.clone()).try_collect().await.unwrap();
        let touched: Vec<_> = steps
            .iter()
            .filter(|step| !matches!(step, Action::Copy { .. } | Action::Skip { .. }))
            .map(|step| match step {
                Action::Refuse { path, .. } => path.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((touched, steps.len()), (vec!["d/full/"], 4), "{steps:?}");
    }
    let moved: Vec<_> = store.sources(ParallelOptions::default()).collect().await;
    let (keys, odd) = told(moved);
    assert_eq!(
        (keys, odd),
        (
            vec!["a", "d/b", "d/full"].into_iter().map(str::to_owned).collect(),
            vec!["d/full/".to_owned()]
        )
    );
    assert!(server.seen().iter().all(|request| request.method == "GET"));
    let (_server, only) = bucket(["d/"]).await;
    let within = only.with_prefix(&"d".into());
    assert!(within.has_objects(None).await.unwrap(), "somebody has made the directory");
}

#[tokio::test]
async fn markers_of_directories_go_with_all_of_it_under_their_own_keys() {
    let (server, store) = bucket(MARKED).await;
    let report = store.with_prefix(&"d".into()).delete_prefix(None).await.unwrap();
    let failed: Vec<_> =
        report.failed.iter().map(|(key, error)| (key.as_str(), error.to_string())).collect();
    assert_eq!((report.deleted, failed.len(), failed[0].0), (4, 1, "full/"));
    assert!(failed[0].1.contains("ends with a slash"), "{}", failed[0].1);
    let seen = server.seen();
    let mut deleted: Vec<_> = seen
        .iter()
        .filter(|request| request.method == "DELETE")
        .map(|request| request.target.as_str())
        .collect();
    deleted.sort_unstable();
    assert_eq!(deleted, ["/bucket/d/", "/bucket/d/empty/"]);
    let bulk: Vec<_> = seen.iter().filter(|request| request.method == "POST").collect();
    for request in bulk {
        assert!(!request.text().contains("/</Key>") && !request.text().contains("<Key>a<"));
    }
    let no_marker = store.delete_marker(&OddKey::new("d/full/".to_owned(), 7)).await.unwrap_err();
    assert_eq!(no_marker.kind(), ErrorKind::InvalidPath);
}

#[cfg(unix)]
#[tokio::test]
async fn links_that_lead_nowhere_are_no_objects_and_keep_a_copy_from_looking_whole() {
    use std::os::unix::fs::symlink;

    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("d/only")).unwrap();
    std::fs::write(dir.path().join("a"), "a").unwrap();
    std::fs::write(dir.path().join("d/b"), "b").unwrap();
    symlink("a", dir.path().join("link")).unwrap();
    for (to, link) in [("nowhere", "d/broken"), ("round", "round"), ("../gone", "d/only/broken")] {
        symlink(to, dir.path().join(link)).unwrap();
    }
    let url = format!("file://{}", dir.path().display());
    let (files, path) = Registry::default().open(&url, &OpenOptions::default()).unwrap();
    let source = files.with_prefix(&path);
    let listed: Vec<_> = source.objects(None).try_collect().await.unwrap();
    let keys: Vec<_> = listed.iter().map(|meta| meta.location.as_ref()).collect();
    assert_eq!(keys, ["a", "d/b", "link"]);
    let level = source.list_level(Some(&Path::from("d"))).await.unwrap();
    assert_eq!((level.objects.len(), level.odd.len(), level.common_prefixes.len()), (1, 0, 0));
    let (mut keys, mut broken) = (Vec::new(), Vec::new());
    let mut sources = source.sources(ParallelOptions::default());
    while let Some(item) = sources.next().await {
        match OddKey::or_item(item).unwrap() {
            Ok(meta) => keys.push(meta.location.to_string()),
            Err(odd) => broken.push(odd.key),
        }
    }
    assert_eq!(keys, ["a", "d/b", "link"]);
    assert_eq!(broken, ["d/broken", "d/only/broken", "round"]);

    let (target, _) = Registry::default().open("memory:///", &OpenOptions::default()).unwrap();
    for kept in ["old", "round"] {
        target.put(&Path::from(kept), "old".into()).await.unwrap();
    }
    let options = SyncOptions::default().with_delete(true);
    let run = |options| Transfer::new().sync(&source, &target, options).try_collect::<Vec<_>>();
    let mut errors = Vec::new();
    for step in run(options.clone()).await.unwrap() {
        match step {
            Step::Refused(error) => errors.push(error),
            Step::Copied(outcome) => drop(outcome.result.unwrap()),
            Step::Kept { path, .. } => assert_eq!(path.as_ref(), "old"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(errors.len(), 3);
    for error in errors {
        let key = &error.odd_key().unwrap().key;
        let text = format!("copy {url}/{key}: not found: the symbolic link leads nowhere: ");
        assert!(error.to_string().starts_with(&text), "{error}");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    let kept = target.get(&Path::from("round")).await.unwrap().bytes().await.unwrap();
    assert_eq!(kept, "old", "what the source has, if only as a broken link, is not deleted");

    let filter = Filter::new().exclude("broken").unwrap().exclude("round").unwrap();
    run(options.with_filter(filter)).await.unwrap();
    assert!(!target.exists(&Path::from("old")).await.unwrap());
}
