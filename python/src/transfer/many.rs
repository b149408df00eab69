//! Transfers of many objects.

use futures::stream::{BoxStream, FuturesUnordered};
use futures::{StreamExt, TryStreamExt, future, stream};
use holdall::store::local::LocalStore;
use holdall::store::object_store::path::Path;
use holdall::store::transfer::{
    Action, Compare, Filter, Job, Need, Outcome, Overlap, Reason, Report, Step, SyncOptions,
    Transfer, Verb, plan,
};
use holdall::store::{Error, ErrorKind, ParallelOptions, Result, Store};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::operation::{Done, Many, Operation, Outcomes, Value, oddity};
use super::options::{self, MANY, SYNC};
use crate::ops::key::{self, Key};
use crate::stores::PyStore;

/// Where many objects are, or go.
fn store_below(store: &Bound<'_, PyStore>, prefix: Option<Key>) -> Store {
    let store = &store.get().handle.store;
    prefix.map_or_else(|| store.clone(), |prefix| store.with_prefix(&prefix.0))
}

/// All objects below a prefix to keys below another; with `moves`, the first ones are deleted then.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "called from one place, by position")]
pub(crate) fn _copy_prefix(
    source: &Bound<'_, PyStore>,
    from_: Option<Key>,
    target: &Bound<'_, PyStore>,
    to: Option<Key>,
    moves: bool,
    include: Option<&Bound<'_, PyAny>>,
    exclude: Option<&Bound<'_, PyAny>>,
    tells: bool,
    options: &Bound<'_, PyDict>,
) -> PyResult<Operation> {
    let (source, target) = (store_below(source, from_), store_below(target, to));
    let transfer = options::transfer(options, MANY)?;
    options::check_fsync(&transfer, &target)?;
    let filter = options::filter(include, exclude)?;
    let verb = if moves { Verb::Move } else { Verb::Copy };
    let transfer = with_verb(transfer, verb);
    let events = transfer.events().clone();
    Ok(Operation::of_many(&events, tells, async move |outcomes| {
        let transfer = keep_apart(transfer, &source, &target, false)?;
        let jobs = jobs(&source, filter);
        Ok(Value::Many(run(&transfer, &source, &target, jobs, outcomes).await))
    }))
}

/// What a synchronisation would do.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "called from one place, by position")]
pub(crate) fn _plan(
    source: &Bound<'_, PyStore>,
    from_: Option<Key>,
    target: &Bound<'_, PyStore>,
    to: Option<Key>,
    compare: &str,
    delete: bool,
    include: Option<&Bound<'_, PyAny>>,
    exclude: Option<&Bound<'_, PyAny>>,
) -> PyResult<Operation> {
    let (source, target) = (store_below(source, from_), store_below(target, to));
    let options = sync_options(compare, delete, options::filter(include, exclude)?)?;
    let work = async move {
        keep_apart(Transfer::new(), &source, &target, delete)?;
        check_sync(&source, &target, delete).await?;
        plan(&source, &target, options).try_collect().await.map(Value::Plan)
    };
    Ok(Operation::new(&holdall::store::transfer::Events::new(), work))
}

/// Compares and copies at once; deletes when everything was copied.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "called from one place, by position")]
pub(crate) fn _sync(
    source: &Bound<'_, PyStore>,
    from_: Option<Key>,
    target: &Bound<'_, PyStore>,
    to: Option<Key>,
    compare: &str,
    delete: bool,
    include: Option<&Bound<'_, PyAny>>,
    exclude: Option<&Bound<'_, PyAny>>,
    tells: bool,
    options: &Bound<'_, PyDict>,
) -> PyResult<Operation> {
    let (source, target) = (store_below(source, from_), store_below(target, to));
    let transfer = options::transfer(options, SYNC)?;
    options::check_fsync(&transfer, &target)?;
    let how = sync_options(compare, delete, options::filter(include, exclude)?)?;
    let events = transfer.events().clone();
    Ok(Operation::of_many(&events, tells, async move |outcomes| {
        let transfer = keep_apart(transfer, &source, &target, delete)?;
        check_sync(&source, &target, delete).await?;
        let actions = plan(&source, &target, how);
        Ok(Value::Many(follow(&transfer, &source, &target, actions, outcomes).await))
    }))
}

/// Does what a plan says: kinds, keys, sizes and reasons.
#[pyfunction]
pub(crate) fn _follow(
    source: &Bound<'_, PyStore>,
    from_: Option<Key>,
    target: &Bound<'_, PyStore>,
    to: Option<Key>,
    actions: Vec<(String, String, u64, Option<String>)>,
    tells: bool,
    options: &Bound<'_, PyDict>,
) -> PyResult<Operation> {
    let (source, target) = (store_below(source, from_), store_below(target, to));
    let transfer = options::transfer(options, SYNC)?;
    options::check_fsync(&transfer, &target)?;
    let actions = actions.into_iter().map(|(kind, path, size, reason)| {
        let needs = match kind.as_str() {
            "copy" => Need::Copy,
            "delete" => Need::Delete,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "a plan has actions 'copy' and 'delete', not '{kind}'"
                )));
            }
        };
        if let Some(reason) = reason.as_deref().and_then(oddity) {
            return Ok(Action::Refuse { needs, path, size, reason });
        }
        let path = key::parse(&path)?;
        Ok(match needs {
            Need::Copy => Action::Copy { path, size, reason: Reason::Missing },
            Need::Delete => Action::Delete { path, size },
        })
    });
    let actions = actions.collect::<PyResult<Vec<_>>>()?;
    let events = transfer.events().clone();
    Ok(Operation::of_many(&events, tells, async move |outcomes| {
        let transfer = keep_apart(transfer, &source, &target, false)?;
        let actions = stream::iter(actions).map(Ok).boxed();
        Ok(Value::Many(follow(&transfer, &source, &target, actions, outcomes).await))
    }))
}

fn with_verb(transfer: Transfer, verb: Verb) -> Transfer {
    let options = transfer.options().clone().with_verb(verb);
    transfer.with_options(options)
}

fn sync_options(compare: &str, delete: bool, filter: Filter) -> PyResult<SyncOptions> {
    let compare = match compare {
        "size_and_time" => Compare::SizeAndTime,
        "etag" => Compare::ETag,
        "size" => Compare::Size,
        "checksum" => Compare::Checksum,
        _ => {
            return Err(PyValueError::new_err(format!(
                "compare is 'size_and_time', 'size', 'etag' or 'checksum', not '{compare}'"
            )));
        }
    };
    Ok(SyncOptions::default().with_compare(compare).with_delete(delete).with_filter(filter))
}

/// Refuses to copy a place into itself, which would not end, or not change anything, and to delete the source with what the
/// target has beside it; a transfer that spares a source inside the target otherwise.
fn keep_apart(
    transfer: Transfer,
    source: &Store,
    target: &Store,
    delete: bool,
) -> Result<Transfer> {
    let (from, overlap) = (source.url(), Overlap::of(source, target));
    let detail = match overlap {
        Overlap::Same | Overlap::TargetInside => {
            format!("it is, or lies inside of, the other place {from}: keep them apart")
        }
        // The source is nothing that it has itself.
        Overlap::SourceInside(_) if delete => {
            format!("{from} lies inside of it and would be deleted: keep them apart")
        }
        Overlap::SourceInside(_) | Overlap::Apart => {
            let options = transfer.options().clone().with_spared(overlap.spared());
            return Ok(transfer.with_options(options));
        }
    };
    let operation = if delete { "sync" } else { "copy" };
    Err(Error::new(ErrorKind::InvalidArgument, operation, target.url(), detail))
}

/// Refuses to empty the target of a synchronisation for the sake of a source without objects: stores do not tell an empty
/// prefix from a misspelt one. A local directory exists, or could not have been opened.
async fn check_sync(source: &Store, target: &Store, delete: bool) -> Result<()> {
    if !delete || source.provider().scheme() == "file" {
        return Ok(());
    }
    if source.has_objects(None).await? {
        return Ok(());
    }
    let detail = format!(
        "{} has no objects, and `delete` would empty the target; `delete_prefix` does that",
        source.url()
    );
    Err(Error::new(ErrorKind::InvalidArgument, "sync", target.url(), detail))
}

fn jobs(source: &Store, filter: Filter) -> BoxStream<'static, Result<Job>> {
    source
        .sources(ParallelOptions::default())
        .filter(move |item| future::ready(filter.keeps(item)))
        .map_ok(|meta| Job { from: meta.location.clone(), to: meta.location, size: meta.size })
        .boxed()
}

/// Runs jobs, several at once. When their stream breaks off, those that have begun are finished.
async fn run(
    transfer: &Transfer,
    source: &Store,
    target: &Store,
    mut jobs: BoxStream<'static, Result<Job>>,
    outcomes: Outcomes,
) -> Many {
    let mut many = Many::default();
    let mut running = FuturesUnordered::new();
    let mut ended = false;
    loop {
        tokio::select! {
            biased;
            Some(outcome) = running.next() => outcomes.add(&mut many, done(transfer, outcome)).await,
            job = jobs.next(), if !ended && running.len() < transfer.options().workers => match job {
                Some(Ok(job)) => running.push(transfer.start(source, target, job)),
                Some(Err(error)) if error.odd_key().is_some() => {
                    outcomes.add(&mut many, unnamed(error.with_operation(verb(transfer)))).await;
                }
                Some(Err(error)) => (many.broken, ended) = (Some(error), true),
                None => ended = true,
            },
            else => return many,
        }
    }
}

/// Follows a plan: copies first, and deletes only when all of them went well.
async fn follow(
    transfer: &Transfer,
    source: &Store,
    target: &Store,
    actions: BoxStream<'static, Result<Action>>,
    outcomes: Outcomes,
) -> Many {
    // What is not the target's to delete is told of when the plan has been read so far.
    let (kept, mut refused) = tokio::sync::mpsc::unbounded_channel();
    let to = target.clone();
    let plan = actions.try_filter_map(move |action| {
        let refused = match &action {
            Action::Delete { path, size } => {
                behind_link(&to, path).map(|error| deleted(path.clone(), *size, Err(error)))
            }
            _ => None,
        };
        let action = match refused {
            Some(refused) => {
                // Nobody hears of it when the transfer is given up.
                drop(kept.send(refused));
                None
            }
            None => Some(action),
        };
        future::ready(Ok(action))
    });
    let mut many = Many::default();
    let mut steps = transfer.run_plan(source, target, plan.boxed());
    loop {
        let step = tokio::select! {
            biased;
            Some(refused) = refused.recv() => {
                outcomes.add(&mut many, refused).await;
                continue;
            }
            step = steps.next() => step,
        };
        let ended = match step {
            None => {
                while let Ok(refused) = refused.try_recv() {
                    outcomes.add(&mut many, refused).await;
                }
                return many;
            }
            Some(Ok(Step::Copied(outcome))) => done(transfer, outcome),
            Some(Ok(Step::Deleted { path, size, result })) => deleted(path, size, result),
            Some(Ok(Step::Kept { path, size })) => {
                let detail = "kept, because something could not be copied";
                let url = target.url_of(&path);
                let error = Error::new(ErrorKind::Precondition, "delete", url, detail);
                deleted(path, size, Err(error))
            }
            Some(Ok(Step::Refused(error))) => unnamed(error),
            Some(Ok(Step::Skipped { size, .. })) => {
                many.skipped += 1;
                many.skipped_bytes += size;
                continue;
            }
            Some(Ok(_)) => continue,
            Some(Err(error)) => {
                many.broken = Some(error);
                continue;
            }
        };
        outcomes.add(&mut many, ended).await;
    }
}

fn done(transfer: &Transfer, outcome: Outcome) -> Done {
    let Outcome { job: Job { from, to, size }, result } = outcome;
    Done { action: verb(transfer), from: from.into(), to: to.into(), size, result }
}

/// What no path can name, or nothing can read.
fn unnamed(error: Error) -> Done {
    let (key, size) = error.odd_key().map(|odd| (odd.key.clone(), odd.size)).unwrap_or_default();
    Done { action: error.operation(), from: key.clone(), to: key, size, result: Err(error) }
}

fn verb(transfer: &Transfer) -> &'static str {
    match transfer.options().verb {
        Verb::Copy => "copy",
        Verb::Move => "move",
    }
}

fn deleted(path: Path, size: u64, result: Result<()>) -> Done {
    let result = result.map(|()| Report::default());
    Done { action: "delete", from: path.to_string(), to: path.into(), size, result }
}

/// Refuses to delete what is behind a symbolic link to a directory: it may be somebody else's.
fn behind_link(target: &Store, path: &Path) -> Option<Error> {
    let local = target.provider().as_any().downcast_ref::<LocalStore>()?;
    let root = local.file_path(target.prefix()).ok()?;
    let mut dir = root;
    let (parents, _) = path.as_ref().rsplit_once('/')?;
    let link = parents.split('/').find_map(|segment| {
        dir.push(segment);
        dir.is_symlink().then(|| dir.display().to_string())
    })?;
    let detail = format!("kept: it is behind the symbolic link {link}");
    Some(Error::new(ErrorKind::NotSupported, "delete", target.url_of(path), detail))
}
