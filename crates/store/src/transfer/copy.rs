//! From store to store.

use std::os::unix::fs::MetadataExt;
use std::path::Path as FilePath;
use std::sync::atomic::Ordering;

use object_store::path::Path;
use object_store::{CopyMode, CopyOptions, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::object::Object;
use super::partial::Publication;
use super::restart::Restarts;
use super::send::Target;
use super::source::{LocalFile, Source};
use super::{Report, Transfer};
use crate::cache::behind;
use crate::client::is_version;
use crate::error::{Error, ErrorKind, Result};
use crate::local::LocalStore;
use crate::provider::{CopyOutcome, Provider};
use crate::store::Store;

impl Transfer {
    /// Copies an object to another store: inside the service when both stores are its, through this process otherwise,
    /// in bounded memory. Attributes go along where the target can keep them.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] with `CopyMode::Create`; [`ErrorKind::Corrupt`] when what arrives is not what the
    /// source states, [`ErrorKind::Precondition`] when it keeps changing meanwhile; then nothing is published.
    pub async fn copy(
        &self,
        source: &Store,
        from: &Path,
        target: &Store,
        to: &Path,
    ) -> Result<Report> {
        self.tracked(None, self.copy_known(source, from, target, to, None)).await
    }

    /// Moves an object: copies it, checks that the copy has its length and that the object is
    /// still the same, then deletes it.
    pub async fn rename(
        &self,
        source: &Store,
        from: &Path,
        target: &Store,
        to: &Path,
    ) -> Result<Report> {
        self.tracked(None, self.move_known(source, from, target, to, None)).await
    }

    pub(super) async fn copy_known(
        &self,
        source: &Store,
        from: &Path,
        target: &Store,
        to: &Path,
        size: Option<u64>,
    ) -> Result<Report> {
        if self.changes_nothing() && self.in_service(source, from, target, to).await? {
            self.events.moved(size.unwrap_or(0));
            return Ok(Report::of_server());
        }
        let object = Object::new(source, from).of_size(size);
        if let Some(local) = as_local(target) {
            let path = local.file_path(&target.full_path(to));
            let path = path.map_err(|e| target.error("copy", to, e))?;
            let publication = Publication {
                mode: self.options.mode,
                fsync: self.options.fsync || local.options().fsync,
                attributes: self.options.attributes.clone().unwrap_or_default(),
                needs_attributes: self.options.attributes.is_some(),
            };
            let lane = local.lane();
            return self.to_file(&object, size, &path, &publication, Some(&lane)).await;
        }
        let object = object.uncounted();
        let mut restarts = Restarts::new(self);
        loop {
            match self.to_object(&object, size, target, to).await {
                Ok(report) => return Ok(report),
                Err(error) => restarts.again(self, &object, error).await?,
            }
        }
    }

    /// Whether the copy is to be what the source is.
    fn changes_nothing(&self) -> bool {
        self.options.attributes.is_none()
            && self.options.tags.encoded().is_empty()
            && self.inspection.0.is_none()
    }

    /// Asks the service to make the copy; whether it did.
    async fn in_service(
        &self,
        source: &Store,
        from: &Path,
        target: &Store,
        to: &Path,
    ) -> Result<bool> {
        let (full_from, full_to) = (source.full_path(from), target.full_path(to));
        let (one, other) = (source.provider(), target.provider());
        let _request = self.budget.request(target).await;
        if std::ptr::addr_eq(std::sync::Arc::as_ptr(one), std::sync::Arc::as_ptr(other)) {
            let options = CopyOptions::new().with_mode(self.options.mode);
            return match one.copy_opts(&full_from, &full_to, options).await {
                Ok(()) => Ok(true),
                Err(
                    object_store::Error::NotSupported { .. }
                    | object_store::Error::NotImplemented { .. },
                ) => Ok(false),
                Err(error) => Err(source.error("copy", from, error)),
            };
        }
        let outcome = other.copy_from(&**one, &full_from, &full_to, self.options.mode).await;
        Ok(outcome.map_err(|e| target.error("copy", to, e))? == CopyOutcome::Copied)
    }

    async fn to_object(
        &self,
        object: &Object,
        size: Option<u64>,
        target: &Store,
        to: &Path,
    ) -> Result<Report> {
        let part = self.options.part();
        let memory = self.budget.memory(size.unwrap_or(part).min(part)).await?;
        let request = self.budget.request(&object.store).await;
        let opened = self.open(object, size, part).await?;
        let meta = opened.meta.clone();
        // What a listing said may be old, and so may what an attempt before this one found.
        let before = object.size.swap(meta.size, Ordering::Relaxed);
        self.events.corrected(before, meta.size);
        let inspected = self.inspection.begin(&meta, &opened.attributes)?;
        let expected = object.checksum(&opened.integrity, &opened.meta, &self.options).await?;
        let report = Report::of(&meta, expected.clone());
        let attributes =
            self.options.attributes.clone().unwrap_or_else(|| opened.attributes.clone());
        let moved = object.moved.clone();
        let target = Target { transfer: self, store: target, path: to, attributes, moved };
        if meta.size <= part {
            let pieces = self.collect(object, opened, expected, inspected).await?;
            drop(request);
            let sent = target.put(pieces.into_iter().collect()).await?;
            return Ok(report.with_sent(sent));
        }
        if !opened.has_ranges {
            drop((memory, request));
            let parts = self.parts_of_body(object, opened, expected, inspected);
            return Ok(report.with_sent(target.put_stream(parts).await?));
        }
        let source = match as_local(&object.store) {
            Some(local) => {
                let path = local.file_path(&object.store.full_path(&object.path));
                let path = path.map_err(|e| object.error(e))?;
                Source::File(super::place::blocking(move || LocalFile::open(&path)).await??)
            }
            None => Source::Object(object.clone(), meta.clone()),
        };
        let again = || self.inspection.begin(&meta, &opened.attributes);
        drop((memory, request, opened.body));
        let sent = self.parts_or_again(&target, &source, expected, inspected, again).await?;
        Ok(report.with_sent(sent))
    }

    pub(super) async fn move_known(
        &self,
        source: &Store,
        from: &Path,
        target: &Store,
        to: &Path,
        size: Option<u64>,
    ) -> Result<Report> {
        let before = source.head(from).await.map_err(|e| source.error("move", from, e))?;
        let same = if is_same(source, from, target, to) {
            Some("source and target are the same object, which a move would delete".to_owned())
        } else if seems_same(source, &before, target, to).await {
            Some(format!(
                "{} is as long and as old: it seems to be the same object by another name, which a move would delete; \
                 if it is not, copy it and delete the source",
                target.url_of(to)
            ))
        } else {
            None
        };
        if let Some(detail) = same {
            let url = source.url_of(from);
            return Err(Error::new(ErrorKind::InvalidArgument, "move", url, detail));
        }
        let report = self.copy_known(source, from, target, to, size).await?;
        let after = target.head(to).await.map_err(|e| target.error("move", to, e))?;
        // What was written meanwhile may not have been copied, and would be nowhere.
        match source.head(from).await {
            Ok(now) if is_version(&before, &now) => {}
            Ok(_) => {
                let detail = "it changed while it was moved: the source was kept, and the target may have the version before";
                return Err(Error::new(
                    ErrorKind::Precondition,
                    "move",
                    source.url_of(from),
                    detail,
                ));
            }
            Err(object_store::Error::NotFound { .. }) => return Ok(report),
            Err(error) => return Err(source.error("move", from, error)),
        }
        self.check_copy(&before, &after, &target.url_of(to))?;
        let deleted = source.delete_or_again(from, self.options.retries).await;
        deleted.map_err(|e| e.with_operation("move"))?;
        Ok(report)
    }

    fn check_copy(&self, before: &ObjectMeta, after: &ObjectMeta, url: &str) -> Result<()> {
        if before.size == after.size {
            return Ok(());
        }
        let detail =
            format!("the copy has {} bytes of {}; the source was kept", after.size, before.size);
        Err(Error::new(ErrorKind::Corrupt, "move", url, detail))
    }
}

impl Store {
    /// Copies an object to another store with the defaults of a [`Transfer`].
    ///
    /// # Errors
    /// As [`Transfer::copy`].
    pub async fn copy_to(
        &self,
        from: &Path,
        target: &Self,
        to: &Path,
        mode: CopyMode,
    ) -> Result<Report> {
        let options = super::TransferOptions::default().with_mode(mode);
        Transfer::new().with_options(options).copy(self, from, target, to).await
    }

    /// Moves an object: copies it, checks that the copy has its length and that the object is
    /// still the same, then deletes it.
    pub async fn move_to(
        &self,
        from: &Path,
        target: &Self,
        to: &Path,
        mode: CopyMode,
    ) -> Result<Report> {
        let options = super::TransferOptions::default().with_mode(mode);
        Transfer::new().with_options(options).rename(self, from, target, to).await
    }
}

/// The directory behind a store, if it is one.
pub(super) fn as_local(store: &Store) -> Option<&LocalStore> {
    store.provider().as_any().downcast_ref()
}

/// Whether two names are of one object: in stores that were opened twice, or at different roots, too.
fn is_same(source: &Store, from: &Path, target: &Store, to: &Path) -> bool {
    let (full_from, full_to) = (source.full_path(from), target.full_path(to));
    let (one, other) = (behind(&**source.provider()), behind(&**target.provider()));
    if format!("{}/{full_from}", one.identity()) == format!("{}/{full_to}", other.identity()) {
        return true;
    }
    let file = |store: &dyn Provider, path: &Path| {
        store.as_any().downcast_ref::<LocalStore>()?.file_path(path).ok()
    };
    match (file(one, &full_from), file(other, &full_to)) {
        (Some(from), Some(to)) => is_same_file(&from, &to),
        _ => false,
    }
}

/// Whether what is at the target looks like the source in all that is known of it: a service, or a directory that a server
/// shows, may be reached under two names.
async fn seems_same(source: &Store, before: &ObjectMeta, target: &Store, to: &Path) -> bool {
    let (one, other) = (behind(&**source.provider()), behind(&**target.provider()));
    let (scheme, of_target) = (one.scheme(), other.scheme());
    let is_web = scheme == "http" || of_target == "http";
    let may_be = (scheme == of_target && !source.is_embedded()) || is_web;
    // Under one name of a service, other keys are other objects.
    let one_name = origin(one).is_some() && origin(one) == origin(other);
    if !may_be || one_name || before.location.filename() != to.filename() {
        return false;
    }
    let Ok(there) = target.head(to).await else { return false };
    // The same file has another entity tag on a server than on its disk, and less of its time.
    let same_tag = scheme != of_target || is_version(before, &there);
    let same_time = there.last_modified.timestamp() == before.last_modified.timestamp();
    same_tag && same_time && there.size == before.size
}

/// What other keys are other objects of: a bucket under one name of its service, a server with all its directories.
fn origin(store: &dyn Provider) -> Option<String> {
    if store.scheme() != "http" {
        return Some(store.identity());
    }
    url::Url::parse(&store.location()).ok().map(|url| url.origin().ascii_serialization())
}

/// Whether two paths lead to one entry of a directory. Two names of one file are two: to replace the one leaves the other.
fn is_same_file(one: &FilePath, other: &FilePath) -> bool {
    let (Ok(there), Ok(then)) = (one.symlink_metadata(), other.symlink_metadata()) else {
        return false;
    };
    let directory = |path: &FilePath| path.parent().and_then(|parent| parent.canonicalize().ok());
    (there.dev(), there.ino()) == (then.dev(), then.ino())
        && (there.nlink() == 1
            || (one.file_name() == other.file_name() && directory(one) == directory(other)))
}
