//! Making a target like a source.

use std::cmp::Ordering;
use std::pin::Pin;

use futures::stream::{BoxStream, Peekable};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;
use object_store::path::Path;

use super::{Compare, Filter};
use crate::error::Result;
use crate::listing::ParallelOptions;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The target has no such object.
    Missing,
    /// The target's object is another one.
    Different,
}

/// One step of a synchronisation. Keys are relative to both stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Copy from source to target.
    Copy {
        /// The key.
        path: Path,
        /// Length in bytes.
        size: u64,
        /// Why.
        reason: Reason,
    },
    /// Leave the target's object, which is the same.
    Skip {
        /// The key.
        path: Path,
        /// Length in bytes.
        size: u64,
    },
    /// Delete from the target what the source does not have.
    Delete {
        /// The key.
        path: Path,
        /// Length in bytes.
        size: u64,
    },
}

type Listing = Pin<Box<Peekable<BoxStream<'static, Result<ObjectMeta>>>>>;

/// Compares two stores, key by key, in bounded memory: both listings are sorted and read side by side.
///
/// A failed listing ends the plan with its error. Deletions can stand between copies; whoever runs a plan deletes
/// after it has come to its end without an error.
pub fn plan(
    source: &Store,
    target: &Store,
    options: SyncOptions,
) -> BoxStream<'static, Result<Action>> {
    let state = Plan {
        from: listing(source, &options.filter),
        to: listing(target, &options.filter),
        source: source.clone(),
        target: target.clone(),
        options,
    };
    stream::try_unfold(state, |mut state| async move {
        loop {
            match state.step().await? {
                Step::Do(action) => return Ok(Some((action, state))),
                Step::Nothing => {}
                Step::End => return Ok(None),
            }
        }
    })
    .boxed()
}

struct Plan {
    from: Listing,
    to: Listing,
    source: Store,
    target: Store,
    options: SyncOptions,
}

enum Step {
    Do(Action),
    Nothing,
    End,
}

impl Plan {
    async fn step(&mut self) -> Result<Step> {
        let order = match (self.from.as_mut().peek().await, self.to.as_mut().peek().await) {
            (None, None) => return Ok(Step::End),
            // Errors come first, whichever side they are on.
            (Some(Err(_)), _) | (_, None) => Ordering::Less,
            (_, Some(Err(_))) | (None, _) => Ordering::Greater,
            (Some(Ok(a)), Some(Ok(b))) => a.location.as_ref().cmp(b.location.as_ref()),
        };
        let from = if order.is_le() { self.from.next().await.transpose()? } else { None };
        let to = if order.is_ge() { self.to.next().await.transpose()? } else { None };
        Ok(match (from, to) {
            (Some(from), None) => Step::Do(copy(&from, Reason::Missing)),
            (Some(from), Some(to)) => {
                let same = self.options.compare.same(&self.source, &from, &self.target, &to);
                match same.await? {
                    true => Step::Do(Action::Skip { path: from.location, size: from.size }),
                    false => Step::Do(copy(&from, Reason::Different)),
                }
            }
            (None, Some(to)) if self.options.delete => {
                Step::Do(Action::Delete { path: to.location, size: to.size })
            }
            _ => Step::Nothing,
        })
    }
}

fn copy(from: &ObjectMeta, reason: Reason) -> Action {
    Action::Copy { path: from.location.clone(), size: from.size, reason }
}

/// The objects of a store that the filter allows, sorted by key.
fn listing(store: &Store, filter: &Filter) -> Listing {
    let filter = filter.clone();
    let listing = store.objects_parallel(None, ParallelOptions::default());
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
    let wanted = listing
        .try_filter(move |meta| futures::future::ready(filter.allows(meta.location.as_ref())))
        .boxed();
    Box::pin(wanted.peekable())
}
