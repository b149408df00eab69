use std::time::Duration;

use holdall_ais_wire::{
    Bck,
    job::{JobArgs, kind},
};

use super::{Jobs, NewJob, query::startable};
use crate::error::{Error, ErrorKind};

fn args(id: &str, kind: &str) -> JobArgs {
    JobArgs { id: id.into(), kind: kind.into(), ..JobArgs::default() }
}

#[tokio::test]
async fn a_job_from_its_start_to_its_end() {
    let jobs = Jobs::default();
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let bck = Bck::ais("b");
    let id = jobs.spawn(NewJob::on(kind::DELETE_OBJECTS, &bck), |job| async move {
        wait.await.unwrap();
        job.count(5);
        job.record(&Error::not_found("one does not exist"));
        job.record(&Error::not_found("another"));
        Ok(())
    });
    let status = jobs.status(&args(&id, "")).unwrap();
    assert_eq!((status.end_time, status.aborted), (0, false));
    assert_eq!(jobs.running(&args("", "")), [format!("delete-listrange[{id}]")]);
    assert_eq!(jobs.snapshots(&args(&id, "")).unwrap()[0].end_time, None);

    go.send(()).unwrap();
    while jobs.status(&args(&id, "")).unwrap().end_time == 0 {
        tokio::task::yield_now().await;
    }
    let snap = jobs.snapshots(&args("", "delete-objects")).unwrap().remove(0);
    assert!(snap.is_idle && snap.end_time.is_some() && !snap.aborted);
    assert_eq!((snap.stats.loc_objs, snap.stats.loc_bytes), (1, 5));
    assert_eq!(snap.err, "one does not exist (and 1 more error)");
    assert!(jobs.running(&args("", "")).is_empty(), "its kind does not idle");
    assert_eq!(jobs.status(&args(&id, kind::LRU)).unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_stopped_job_ends_at_once() {
    let jobs = Jobs::default();
    let id = jobs.spawn(NewJob::on(kind::COPY_BCK, &Bck::ais("b")), |_| std::future::pending());
    jobs.stop(&args(&id, "")).unwrap();
    let status = jobs.status(&args(&id, "")).unwrap();
    assert!(status.aborted && status.end_time != 0);
    assert_eq!(status.err, "user abort");
    let job = jobs.get(&id).unwrap();
    assert!(job.check().unwrap_err().message().contains(&id));
    job.stopped().await;
    jobs.stop(&args("", "copy-bucket")).unwrap();
    assert_eq!(jobs.stop(&args("", "")).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(jobs.stop(&args("nope!", "")).unwrap_err().kind(), ErrorKind::Invalid);
    jobs.stop(&args("Ab3456789", "")).unwrap();
}

#[tokio::test]
async fn kinds_that_idle_run_for_a_while_after_their_work() {
    for (idle_time, runs) in [(Duration::from_secs(60), true), (Duration::ZERO, false)] {
        let jobs = Jobs::new(idle_time);
        let (from, to) = (Bck::ais("a"), Bck::ais("b"));
        let job = jobs.begin(NewJob::between(kind::COPY_OBJECTS, &from, &to));
        job.finish(Ok(()));
        let status = jobs.status(&args(job.id(), "")).unwrap();
        assert_eq!(status.is_idle, runs);
        assert!(status.end_time != 0, "older clients wait for this");
        assert_eq!(jobs.running(&args("", "copy-listrange")).len(), usize::from(runs));
        assert!(jobs.running(&args("", kind::LRU)).is_empty());
        jobs.stop(&args(job.id(), "")).unwrap();
        assert_eq!(job.snap().aborted, runs, "what has ended cannot be stopped");
    }
}

#[tokio::test]
async fn requests_share_a_job() {
    let jobs = Jobs::default();
    let batch = |bck: &str| NewJob::on(kind::GET_BATCH, &Bck::ais(bck));
    let first = jobs.join(batch("a"));
    let (one, two) = (first.enter(), first.enter());
    assert_eq!(jobs.join(batch("a")).id(), first.id());
    assert_ne!(jobs.join(batch("b")).id(), first.id());
    assert!(!first.snap().is_idle);
    drop(one);
    assert!(!first.snap().is_idle);
    drop(two);
    assert!(first.snap().is_idle);
    assert!(first.id().starts_with("gbt-"));
    jobs.stop(&args(first.id(), "")).unwrap();
    assert_ne!(jobs.join(batch("a")).id(), first.id(), "a stopped one is not joined");
}

#[tokio::test]
async fn a_panic_fails_the_job_only() {
    let jobs = Jobs::default();
    let id = jobs.spawn(NewJob::on(kind::COPY_BCK, &Bck::ais("b")), |_| async { panic!("oh") });
    while jobs.status(&args(&id, "")).unwrap().end_time == 0 {
        tokio::task::yield_now().await;
    }
    assert!(jobs.status(&args(&id, "")).unwrap().err.contains("abnormally"));
}

#[test]
fn what_can_be_asked_for() {
    let jobs = Jobs::default();
    assert_eq!(jobs.status(&args("", "")).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(jobs.status(&args("", "lru")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(jobs.status(&args("Ab3456789", "lru")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(jobs.status_all(&args("", "lru")), None);
    assert!(jobs.snapshots(&args("", "get-batch")).unwrap().is_empty());
    assert_eq!(jobs.snapshots(&args("nope", "")).unwrap_err().kind(), ErrorKind::Invalid);
    let error = jobs.snapshots(&args("Ab3456789", "")).unwrap_err();
    assert_eq!(error.message(), "\"x-[Ab3456789]\" not found");
}

#[test]
fn what_can_be_started() {
    let start = |kind: &str, bck: Option<&str>| {
        startable(&JobArgs { bck: bck.map(Bck::ais), ..args("", kind) })
            .map_err(|error| error.status())
    };
    assert_eq!(start("lru", None).unwrap().0.name, "lru");
    assert_eq!(start("cleanup", None).unwrap().0.name, "cleanup-store");
    assert!(start("prefetch-listrange", Some("b")).is_ok());
    for (kind, status) in [
        ("nope", 400),
        ("", 400),
        ("resilver", 501),
        ("rebalance", 400),
        ("rechunk", 400),
        ("copy-bck", 400),
        ("list", 400),
        ("download", 400),
        ("get-batch", 501),
        ("summary-bck", 501),
        ("blob-download", 400),
    ] {
        assert_eq!(start(kind, None).unwrap_err(), status, "{kind}");
    }
}

#[test]
fn the_oldest_are_forgotten() {
    let jobs = Jobs::default();
    let running = jobs.begin(NewJob::on(kind::LRU, &Bck::ais("b")));
    let first = jobs.begin(NewJob::on(kind::LRU, &Bck::ais("b")));
    first.finish(Ok(()));
    for _ in 0..super::KEPT {
        jobs.begin(NewJob::on(kind::LRU, &Bck::ais("b"))).finish(Ok(()));
    }
    assert!(jobs.get(first.id()).is_none());
    assert!(jobs.get(running.id()).is_some());
    assert_eq!(jobs.all().len(), super::KEPT);
}
