//! Jobs on many objects, dSort, ETL.

use std::time::Duration;

use futures::TryStreamExt;
use holdall_ais::job::DEFAULT_WAIT;
use holdall_ais::wire::job::kind;
use holdall_ais::wire::multi::{ArchiveMsg, CopyMsg};
use holdall_ais::{Bucket, ErrorKind, ListRequest, PutOptions, Selection};

use crate::support::Ais;

async fn names(bucket: &Bucket) -> Vec<String> {
    bucket.list(ListRequest::default()).map_ok(|e| e.name).try_collect().await.unwrap()
}

fn template(text: &str) -> Selection {
    Selection { template: text.into(), ..Selection::default() }
}

#[tokio::test]
async fn many_objects() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    for i in 0..6 {
        bucket.object(format!("o{i}")).put("x", &PutOptions::default()).await.unwrap();
    }
    let group = bucket.objects(template("o{0..2}"));
    assert_eq!(group.names().unwrap(), ["o0", "o1", "o2"]);
    assert!(bucket.objects(template("o")).names().is_err());
    let to = ais.other("to");
    for job in group.copy(&to, &CopyMsg::default()).await.unwrap() {
        assert_eq!(job.kind(), kind::COPY_OBJECTS);
        assert!(job.wait(DEFAULT_WAIT).await.unwrap().success);
        assert!(!job.snapshots().await.unwrap().is_empty());
        // Of a job that may get more work it is known once it has been idle for a while.
        let ended = job.snapshots().await.unwrap().values().flatten().all(|s| s.end_time.is_some());
        assert!(!ended || job.total_time().await.unwrap().is_some());
    }
    assert_eq!(names(&to).await, ["o0", "o1", "o2"]);
    let options = ArchiveMsg { archname: "a.tar".into(), ..ArchiveMsg::default() };
    for job in group.archive(&to, &options).await.unwrap() {
        assert!(job.wait(DEFAULT_WAIT).await.unwrap().success);
    }
    let job = group.delete().await.unwrap();
    assert!(job.wait(DEFAULT_WAIT).await.unwrap().success);
    assert_eq!(names(&bucket).await, ["o3", "o4", "o5"]);
    assert_eq!(names(&to).await, ["a.tar", "o0", "o1", "o2"]);
    let listed = Selection { objnames: vec!["none".into()], ..Selection::default() };
    let job = bucket.objects(listed).delete().await.unwrap();
    let waited = job.wait(DEFAULT_WAIT).await.unwrap();
    assert!(!waited.success && waited.error.contains("none"), "{waited:?}");
    let prefetch = bucket.objects(template("")).prefetch(&Default::default()).await.unwrap_err();
    assert_eq!(prefetch.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn jobs_by_their_kind() {
    let ais = Ais::start().await;
    let before = chrono::Utc::now() - chrono::TimeDelta::seconds(1);
    let job = ais.client.job("", kind::LRU).start("", false, &[]).await.unwrap();
    assert!(job.wait(DEFAULT_WAIT).await.unwrap().success);
    assert_eq!(job.status().await.unwrap().uuid, job.id());
    let targets = ais.client.cluster().info().await.unwrap().tmap.len();
    assert_eq!(job.within(before, None).await.unwrap().len(), targets);
    let later = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    assert_eq!(job.within(later, None).await.unwrap_err().kind(), ErrorKind::JobNotFound);
    let jobs = ais.client.cluster().list_jobs(kind::LRU, "").await.unwrap();
    assert!(jobs.iter().any(|status| status.uuid == job.id()));
    assert!(ais.client.cluster().list_running_jobs(kind::LRU, "").await.unwrap().is_empty());
    let unknown = ais.client.job("abcdefghi", kind::LRU);
    let error = unknown.wait(Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::JobNotFound);
}

#[tokio::test]
async fn what_needs_kubernetes_says_so() {
    let ais = Ais::start().await;
    let error = ais.client.etl("my-etl").init(&Default::default()).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotSupported | ErrorKind::InvalidArgument),
        "{error:?}"
    );
}
