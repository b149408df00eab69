//! Making a target like a source.

use std::cmp::Ordering;
use std::pin::Pin;

use futures::future;
use futures::stream::{BoxStream, FuturesUnordered, Peekable};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;
use object_store::path::Path;
use serde::Serialize;
use tokio::sync::oneshot;

use super::postponed::Postponed;
use super::swap::Swaps;
use super::{Compare, Filter, Job, Outcome, Running, Transfer};
use crate::error::{Error, Result};
use crate::listing::{Entry, OddKey, Oddity, ParallelOptions, key_of};
use crate::store::Store;

/// What a synchronisation compares and deletes.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SyncOptions {
    /// How objects are compared.
    pub compare: Compare,
    /// Whether objects that only the target has are deleted. Objects that the filter leaves out are not.
    pub delete: bool,
    /// Which keys take part.
    pub filter: Filter,
}

impl SyncOptions {
    /// Sets [`compare`](Self::compare).
    #[must_use]
    pub fn with_compare(mut self, compare: Compare) -> Self {
        self.compare = compare;
        self
    }

    /// Sets [`delete`](Self::delete).
    #[must_use]
    pub fn with_delete(mut self, delete: bool) -> Self {
        self.delete = delete;
        self
    }

    /// Sets [`filter`](Self::filter).
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }
}

/// Why an object is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// The target has no such object.
    Missing,
    /// The target's object is another one.
    Different,
}

/// One step of a synchronisation. Keys are relative to both stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Action {
    /// Copy from source to target.
    Copy {
        /// The key.
        #[serde(serialize_with = "text")]
        path: Path,
        /// Length in bytes.
        size: u64,
        /// Why.
        reason: Reason,
    },
    /// Leave the target's object, which is the same.
    Skip {
        /// The key.
        #[serde(serialize_with = "text")]
        path: Path,
        /// Length in bytes.
        size: u64,
    },
    /// Delete from the target what the source does not have.
    Delete {
        /// The key.
        #[serde(serialize_with = "text")]
        path: Path,
        /// Length in bytes.
        size: u64,
    },
    /// Do nothing of what an object needs, because no path can hold its key, or it is a link that leads nowhere. Where the plan is
    /// carried out, it is a failure.
    Refuse {
        /// What the object needs.
        needs: Need,
        /// The key.
        path: String,
        /// Length in bytes.
        size: u64,
        /// Why.
        reason: Oddity,
    },
}

/// What an object needs that nothing can be done of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// To be copied: it is in the source.
    Copy,
    /// To be deleted: it is in the target alone.
    Delete,
}

impl Action {
    /// Why nothing is done of an object: an [`Error::odd_key`], in the operation that it needs; none of all other actions.
    pub fn refusal(&self, source: &Store, target: &Store) -> Option<Error> {
        let Self::Refuse { needs, path, size, reason } = self else { return None };
        let (store, operation) = match needs {
            Need::Copy => (source, "copy"),
            Need::Delete => (target, "delete"),
        };
        let odd = OddKey { oddity: *reason, ..OddKey::new(path.clone(), *size) };
        Some(store.odd_key_below(Box::new(odd)).with_operation(operation))
    }
}

fn text<S: serde::Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(path.as_ref())
}

/// What became of one step.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// The object was copied, or could not be.
    Copied(Outcome),
    /// The target's object is the same.
    Skipped {
        /// The key.
        path: Path,
        /// Length in bytes.
        size: u64,
    },
    /// The target's object was deleted, or could not be.
    Deleted {
        /// The key.
        path: Path,
        /// Length in bytes, as the plan says.
        size: u64,
        /// Why it is still there.
        result: Result<()>,
    },
    /// The object has a key that no path can hold, or cannot be read ([`Error::odd_key`]); the operation of the error is the one that it needs.
    Refused(Error),
    /// The target's object was to be deleted, and was kept because a copy failed.
    Kept {
        /// The key.
        path: Path,
        /// Length in bytes, as the plan says.
        size: u64,
    },
}

type Listing = Pin<Box<Peekable<BoxStream<'static, Result<ObjectMeta>>>>>;

/// Compares two stores, key by key, in bounded memory: both listings are sorted and read side by side.
///
/// An object of the source whose key no path can hold, or a link that leads nowhere, is an [`Action::Refuse`], and so is one of the target that would be
/// deleted; the plan goes on. A failed listing ends it with its error. Deletions can stand between copies; whoever runs a plan deletes
/// after it has come to its end without an error, as [`Transfer::run_plan`] does.
pub fn plan(
    source: &Store,
    target: &Store,
    options: SyncOptions,
) -> BoxStream<'static, Result<Action>> {
    let how = ParallelOptions::default;
    let (from, to) = (source.sources(how()), target.objects_without_markers(how()));
    let both = Both {
        from: listing(source, from, &options.filter),
        to: listing(target, to, &options.filter),
    };
    let pairs = stream::try_unfold(both, |mut both| async move {
        Ok::<_, Error>(both.next().await?.map(|pair| (pair, both)))
    });
    let (source, target) = (source.clone(), target.clone());
    let (compare, delete) = (options.compare, options.delete);
    pairs
        .map_ok(move |pair| {
            let (source, target) = (source.clone(), target.clone());
            async move {
                Ok(match pair {
                    (Some(Err(odd)), _) => Some(refuse(*odd, Need::Copy)),
                    (None, Some(Err(odd))) if delete => Some(refuse(*odd, Need::Delete)),
                    (Some(Ok(from)), None | Some(Err(_))) => Some(copy(from, Reason::Missing)),
                    (Some(Ok(from)), Some(Ok(to))) => {
                        Some(match compare.same(&source, &from, &target, &to).await? {
                            true => Action::Skip { path: from.location, size: from.size },
                            false => copy(from, Reason::Different),
                        })
                    }
                    (None, Some(Ok(to))) if delete => {
                        Some(Action::Delete { path: to.location, size: to.size })
                    }
                    (None, _) => None,
                })
            }
        })
        .try_buffered(COMPARISONS)
        .try_filter_map(future::ok)
        .boxed()
}

/// Objects compared at once, where comparing takes requests.
const COMPARISONS: usize = 16;

type Pair = (Option<Entry>, Option<Entry>);

/// Two sorted listings, side by side.
struct Both {
    from: Listing,
    to: Listing,
}

impl Both {
    /// What both have of the next key.
    async fn next(&mut self) -> Result<Option<Pair>> {
        let order = match (self.from.as_mut().peek().await, self.to.as_mut().peek().await) {
            (None, None) => return Ok(None),
            (_, None) => Ordering::Less,
            (None, _) => Ordering::Greater,
            (Some(a), Some(b)) => match (key_of(a), key_of(b)) {
                // Errors come first, whichever side they are on.
                (None, _) => Ordering::Less,
                (_, None) => Ordering::Greater,
                (Some(a), Some(b)) => a.cmp(b),
            },
        };
        let from = if order.is_le() { self.from.next().await } else { None };
        let to = if order.is_ge() { self.to.next().await } else { None };
        let (from, to) = (from.map(OddKey::or_item), to.map(OddKey::or_item));
        Ok(Some((from.transpose()?, to.transpose()?)))
    }
}

fn refuse(odd: OddKey, needs: Need) -> Action {
    Action::Refuse { needs, path: odd.key, size: odd.size, reason: odd.oddity }
}

fn copy(from: ObjectMeta, reason: Reason) -> Action {
    Action::Copy { path: from.location, size: from.size, reason }
}

impl Transfer {
    /// Makes `target` like `source`: copies what differs and, when asked, deletes what only the target has.
    pub fn sync(
        &self,
        source: &Store,
        target: &Store,
        options: SyncOptions,
    ) -> BoxStream<'static, Result<Step>> {
        self.run_plan(source, target, plan(source, target, options))
    }

    /// Carries out a plan, several copies at once; deletions come last, and only when everything was copied. Where a file takes
    /// the place of a directory or a directory that of a file, what stands there is deleted before, when all else was copied.
    ///
    /// An error of the plan itself is the last item, after the copies that were under way.
    pub fn run_plan(
        &self,
        source: &Store,
        target: &Store,
        plan: BoxStream<'static, Result<Action>>,
    ) -> BoxStream<'static, Result<Step>> {
        let run = Run {
            transfer: self.clone(),
            source: source.clone(),
            target: target.clone(),
            plan: Some(plan),
            running: FuturesUnordered::new(),
            deletions: Postponed::default(),
            swaps: Swaps::of(target),
            room: None,
            has_failed: false,
            error: None,
            rest: None,
        };
        stream::unfold(run, |mut run| async move { run.step().await.map(|step| (step, run)) })
            .boxed()
    }
}

/// A plan that is being carried out.
struct Run {
    transfer: Transfer,
    source: Store,
    target: Store,
    /// What is still to be looked at.
    plan: Option<BoxStream<'static, Result<Action>>>,
    running: FuturesUnordered<Running>,
    deletions: Postponed,
    /// Copies that something stands in the way of; none when that was deleted.
    swaps: Option<Swaps>,
    /// What deletes it.
    room: Option<BoxStream<'static, Result<Step>>>,
    has_failed: bool,
    error: Option<Error>,
    /// What comes after the copies.
    rest: Option<BoxStream<'static, Result<Step>>>,
}

impl Run {
    async fn step(&mut self) -> Option<Result<Step>> {
        loop {
            let may_start = self.running.len() < self.transfer.options().workers;
            let action = match self.plan.as_mut().filter(|_| may_start) {
                Some(plan) => tokio::select! {
                    biased;
                    Some(outcome) = self.running.next() => return Some(Ok(self.ended(outcome))),
                    action = plan.next() => action,
                },
                None => match self.running.next().await {
                    Some(outcome) => return Some(Ok(self.ended(outcome))),
                    None => match self.make_room().await {
                        Ok(Some(step)) => return Some(step),
                        Ok(None) if self.plan.is_some() => continue,
                        Ok(None) => return self.after_copies().await,
                        Err(error) => {
                            self.error = Some(error);
                            return self.after_copies().await;
                        }
                    },
                },
            };
            match action {
                Some(Ok(Action::Copy { path, size, reason })) => {
                    if let (Reason::Missing, Some(swaps)) = (reason, &mut self.swaps) {
                        match swaps.keep(&path, size).await {
                            Ok(true) => continue,
                            Ok(false) => {}
                            Err(error) => {
                                self.error = Some(error);
                                self.plan = None;
                                continue;
                            }
                        }
                    }
                    let job = Job { from: path.clone(), to: path, size };
                    self.running.push(self.transfer.start(&self.source, &self.target, job));
                }
                Some(Ok(Action::Skip { path, size })) => {
                    return Some(Ok(Step::Skipped { path, size }));
                }
                Some(Ok(Action::Delete { path, size })) => {
                    if let Err(error) = self.deletions.push(path, size).await {
                        self.error = Some(error);
                        self.plan = None;
                    }
                }
                Some(Ok(action @ Action::Refuse { needs, .. })) => {
                    // What could not be deleted keeps nothing else from being deleted.
                    self.has_failed |= needs == Need::Copy;
                    if let Some(error) = action.refusal(&self.source, &self.target) {
                        return Some(Ok(Step::Refused(error)));
                    }
                }
                Some(Err(error)) => {
                    self.error = Some(error);
                    self.plan = None;
                }
                None => self.plan = None,
            }
        }
    }

    fn ended(&mut self, outcome: Outcome) -> Step {
        self.has_failed |= outcome.result.is_err();
        Step::Copied(outcome)
    }

    /// Deletes what stands in the way of copies, step by step, then takes these up.
    async fn make_room(&mut self) -> Result<Option<Result<Step>>> {
        let Some(swaps) = self.swaps.take_if(|swaps| !swaps.is_empty() && self.error.is_none())
        else {
            return Ok(None);
        };
        if !self.has_failed && self.room.is_none() {
            let in_the_way = swaps.part(&mut self.deletions).await?.take();
            self.room = Some(delete(&self.target, in_the_way));
        }
        if let Some(room) = &mut self.room
            && let Some(step) = room.next().await
        {
            self.swaps = Some(swaps);
            return Ok(Some(step));
        }
        self.plan = Some(swaps.copies().await?);
        Ok(None)
    }

    async fn after_copies(&mut self) -> Option<Result<Step>> {
        if let Some(error) = self.error.take() {
            // Half a plan deletes nothing: what it had not seen yet might be what is missing.
            self.deletions = Postponed::default();
            return Some(Err(error));
        }
        if self.rest.is_none() {
            let deletions = self.deletions.take();
            self.rest = Some(match self.has_failed {
                true => deletions.map_ok(|(path, size)| Step::Kept { path, size }).boxed(),
                false => delete(&self.target, deletions),
            });
        }
        self.rest.as_mut()?.next().await
    }
}

/// Deletes objects; an error of their keys themselves comes last.
fn delete(
    target: &Store,
    entries: BoxStream<'static, Result<(Path, u64)>>,
) -> BoxStream<'static, Result<Step>> {
    let (broken, error) = oneshot::channel();
    // Outcomes come in the order of the keys.
    let (sizes, size) = futures::channel::mpsc::unbounded();
    let keys = entries.scan((Some(broken), sizes), |(broken, sizes), entry| {
        future::ready(match entry {
            Ok((key, size)) => sizes.unbounded_send(size).is_ok().then_some(key),
            Err(error) => {
                drop(broken.take().map(|broken| broken.send(error)));
                None
            }
        })
    });
    let deleted = target.delete_many(keys.boxed()).zip(size);
    let deleted = deleted.map(|((path, result), size)| Ok(Step::Deleted { path, size, result }));
    let error = stream::once(error).filter_map(|error| future::ready(error.ok().map(Err)));
    deleted.chain(error).boxed()
}

/// What the filter allows of a listing of a store, sorted by key.
fn listing(
    store: &Store,
    listing: BoxStream<'static, Result<ObjectMeta>>,
    filter: &Filter,
) -> Listing {
    let filter = filter.clone();
    let listing = match store.provider().scheme() {
        // WebDAV servers list in any order: there is no way around taking it all first.
        "http" => stream::once(listing.try_collect::<Vec<_>>())
            .map_ok(|mut objects| {
                objects.sort_unstable_by(|a, b| a.location.as_ref().cmp(b.location.as_ref()));
                stream::iter(objects).map(Ok)
            })
            .try_flatten()
            .boxed(),
        _ => listing,
    };
    let wanted = listing.filter(move |item| future::ready(filter.keeps(item))).boxed();
    Box::pin(wanted.peekable())
}
