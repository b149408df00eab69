//! Buckets: make, list, sum up, rename, copy, delete; properties; pages.

use futures::TryStreamExt;
use holdall_ais::wire::Provider;
use holdall_ais::wire::list::flag;
use holdall_ais::wire::multi::CopyMsg;
use holdall_ais::{ErrorKind, ListRequest, Nodes, PutOptions};
use serde_json::json;

use crate::support::Ais;

#[tokio::test]
async fn a_bucket_lives() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    let cluster = ais.client.cluster();
    assert!(cluster.list_buckets(Some(Provider::Ais)).await.unwrap().contains(bucket.bck()));
    assert_eq!(bucket.create(json!(null)).await.unwrap_err().kind(), ErrorKind::BucketExists);
    assert!(!bucket.create_if_missing(json!(null)).await.unwrap());
    bucket.set_props(&json!({"checksum": {"type": "md5"}})).await.unwrap();
    assert_eq!(bucket.props().await.unwrap().checksum.kind, "md5");
    bucket.reset_props().await.unwrap();
    assert_eq!(bucket.props().await.unwrap().checksum.kind, "xxhash2");
    assert_eq!(
        bucket.rename(&bucket.bck().name).await.unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
    let renamed = ais.other("c");
    let job = bucket.rename(&renamed.bck().name).await.unwrap();
    assert!(job.wait(holdall_ais::job::DEFAULT_WAIT).await.unwrap().success);
    renamed.head().await.unwrap();
    assert_eq!(bucket.head().await.unwrap_err().kind(), ErrorKind::BucketNotFound);
    renamed.delete().await.unwrap();
    assert_eq!(renamed.delete().await.unwrap_err().kind(), ErrorKind::BucketNotFound);
    let remote = ais.client.object_from_url("s3://none/x").unwrap();
    let error = remote.bucket().head().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RemoteBucketNotFound);
    bucket.create(json!(null)).await.unwrap();
    assert_eq!(bucket.evict(true).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn pages_prefixes_and_starts() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    let names: Vec<String> = (0..25).map(|i| format!("d{}/{i:02}", i % 2)).collect();
    for name in &names {
        bucket.object(name).put("x", &PutOptions::default()).await.unwrap();
    }
    let mut sorted = names.clone();
    sorted.sort();
    let list = |request: ListRequest| {
        let entries = bucket.list(request).map_ok(|entry| entry.name);
        async move { entries.try_collect::<Vec<_>>().await.unwrap() }
    };
    for size in [0, 1, 5, 7, 25, 100] {
        assert_eq!(list(ListRequest::new("", "").with_page_size(size)).await, sorted, "{size}");
    }
    let after = list(ListRequest::new("d0/", "").with_start_after("d0/20")).await;
    assert_eq!(after, ["d0/22", "d0/24"]);
    let level = list(ListRequest::new("", "").with_flags(flag::NO_RECURSION)).await;
    assert_eq!(level, ["d0/", "d1/"]);
    let entry = bucket.list(ListRequest::new("d1/01", "checksum,version,size,atime"));
    let entry = entry.try_collect::<Vec<_>>().await.unwrap().remove(0);
    assert_eq!((entry.size, entry.version.as_str(), entry.checksum.len()), (1, "1", 16));
    let urls: Vec<_> = bucket.list_urls("d1/01").try_collect().await.unwrap();
    let end = format!("/v1/objects/{}/d1/01?provider=ais", bucket.bck().name);
    assert!(urls[0].ends_with(&end), "{urls:?}");
}

#[tokio::test]
async fn sums_and_copies() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    for name in ["a/1.jpg", "a/2.jpg", "b/3"] {
        bucket.object(name).put("12345", &PutOptions::default()).await.unwrap();
    }
    let summary = bucket.summary("a/", true, true).await.unwrap();
    assert_eq!((summary.count.present, summary.total.present), (2, 10));
    let info = bucket.info(0, true, "").await.unwrap();
    assert_eq!(info.summary.unwrap().count.present, 3);
    assert!(info.props.contains("\"provider\":\"ais\""));
    let to = ais.other("to");
    let options = CopyMsg {
        prefix: "a/".into(),
        prepend: "new/".into(),
        ext: [("jpg".to_owned(), "txt".to_owned())].into(),
        ..CopyMsg::default()
    };
    let job = bucket.copy(&to, &options).await.unwrap();
    assert!(job.wait(holdall_ais::job::DEFAULT_WAIT).await.unwrap().success);
    let names = to.list(ListRequest::default()).map_ok(|e| e.name);
    assert_eq!(names.try_collect::<Vec<_>>().await.unwrap(), ["new/a/1.txt", "new/a/2.txt"]);
}

#[tokio::test]
async fn the_cluster_tells_of_itself() {
    let ais = Ais::start().await;
    let cluster = ais.client.cluster();
    assert!(cluster.is_ready().await);
    let map = cluster.info().await.unwrap();
    assert_eq!(cluster.primary_url().await.unwrap(), ais.url());
    assert_eq!(cluster.performance().await.unwrap().len(), map.tmap.len());
    let target = map.tmap.keys().next().unwrap();
    assert!(!cluster.node_log(target, "info").await.unwrap().is_empty());
    assert!(!cluster.node_log_archive(target, "info").await.unwrap().is_empty());
    assert_eq!(cluster.logs("info", Nodes::Targets).await.unwrap().len(), map.tmap.len());
    assert!(cluster.node_log("nobody", "info").await.unwrap_err().kind().is_not_found());
}
