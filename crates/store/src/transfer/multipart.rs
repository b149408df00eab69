//! Uploads in parts that a service keeps open between requests.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{MultipartId, ObjectMeta, ObjectStoreExt, PutPayload, PutResult};
use serde::Serialize;

use super::backoff::Backoff;
use super::budget::Held;
use super::cleaning::Cleaning;
use super::fetch::Grid;
use super::journal::{COMPLETING, Journal, UploadEntry, UploadHead};
use super::leftover::{Slot, not_remembered};
use super::place::blocking;
use super::send::{Sent, Target};
use crate::checksum::{Algorithm, Checksum};
use crate::client::stated;
use crate::error::{Error, ErrorKind, Result};
use crate::provider::OpenUpload;
use crate::store::Store;

/// How far the clock of a service may be behind that of this machine.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(5);

/// After which pauses is looked for an upload again that was aborted while the service may still have been at one of its parts:
/// a part that is stored then brings the upload back.
const LATE: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
];

/// How often in a row it is to be gone then.
const GONE: usize = 2;

/// An upload that the service keeps open between requests.
pub(super) struct Upload {
    store: Store,
    full: Path,
    id: MultipartId,
    /// Bytes that this process has sent.
    sent: AtomicU64,
    /// Whether a request for a part has had no answer.
    unanswered: AtomicBool,
    /// The parts that the service has, by index.
    parts: Mutex<Vec<Option<String>>>,
    journal: Option<Journal>,
    /// What the journal says of it; when it began is by the clock of this machine.
    head: UploadHead,
    /// Holds the lock on the journal.
    slot: Option<Slot>,
    /// What a killed process began here, and until when the service may have begun it.
    left: Option<(UploadHead, DateTime<Utc>)>,
    keep: bool,
    ended: bool,
}

impl Upload {
    /// Begins an upload, or goes on with the one that was left.
    pub(super) async fn begin(
        target: &Target<'_>,
        identity: Option<String>,
        grid: &Grid,
    ) -> Result<Self> {
        let full = target.store.full_path(target.path);
        let url = target.store.url_of(target.path);
        let options = &target.transfer.options;
        let (claim, dir) = (url.clone(), options.state_dir.clone());
        let slot = match target.store.is_embedded() {
            true => None,
            false => blocking(move || Slot::claim(&claim, dir)).await?,
        };
        let keep = options.resume && identity.is_some();
        let mut upload = Self {
            store: target.store.clone(),
            full,
            id: MultipartId::new(),
            sent: AtomicU64::new(0),
            unanswered: AtomicBool::new(false),
            parts: Mutex::default(),
            journal: None,
            head: UploadHead {
                target: url,
                source: identity.unwrap_or_default(),
                size: grid.range.end,
                part_bytes: grid.part,
                upload: String::new(),
                begun: DateTime::UNIX_EPOCH,
            },
            slot,
            left: None,
            keep,
            ended: false,
        };
        if let Some((left, parts)) = upload.slot.as_mut().and_then(|slot| slot.left.take()) {
            upload.head.upload.clone_from(&left.upload);
            upload.head.begun = left.begun;
            upload.id.clone_from(&left.upload);
            let goes_on = upload.keep && !left.upload.is_empty() && left == upload.head;
            upload.left = Some((left, Utc::now()));
            if goes_on && upload.take_over(&parts, grid).await {
                return Ok(upload);
            }
            upload.clear_left().await;
        }
        // Noted before it begins: a process that is killed in between leaves an upload whose name nobody knows.
        upload.head.upload.clear();
        upload.head.begun = Utc::now();
        upload.note();
        upload.id = upload.create_once_or_again(target).await?;
        upload.id.clone_into(&mut upload.head.upload);
        upload.note();
        Ok(upload)
    }

    /// Removes what a killed process has left of an upload in parts to an object that has been written with one request since.
    pub(super) async fn clear(target: &Target<'_>) {
        let store = target.store;
        if store.is_embedded() || store.provider().multipart().is_none() {
            return;
        }
        let (url, dir) = (store.url_of(target.path), target.transfer.options.state_dir.clone());
        if !Slot::is_left(&url, dir.as_deref()) {
            return;
        }
        // Whoever has claimed it is at work there.
        let Ok(Some(mut slot)) = blocking(move || Slot::claim(&url, dir)).await else { return };
        let Some((left, _)) = slot.left.take() else { return };
        let journal = slot.resume().ok();
        let upload = Self {
            store: store.clone(),
            full: store.full_path(target.path),
            id: left.upload.clone(),
            sent: AtomicU64::new(0),
            unanswered: AtomicBool::new(false),
            parts: Mutex::default(),
            journal: None,
            head: left.clone(),
            slot: Some(slot),
            left: Some((left, Utc::now())),
            keep: false,
            // What is left here the next upload finds.
            ended: true,
        };
        let is_gone = upload.clear_left().await;
        if let Some(journal) = journal.filter(|_| is_gone) {
            journal.remove();
        }
    }

    fn note(&mut self) {
        self.journal = self.slot.as_ref().and_then(|slot| slot.begin(&self.head));
    }

    /// Aborts what a killed process has left here; whether nothing is left of it.
    ///
    /// This is done once more when the upload in its place has ended: what the process had sent may reach the service late,
    /// and then an upload begins, or a part brings one back, after it was aborted.
    async fn clear_left(&self) -> bool {
        match &self.left {
            Some((left, until)) if left.upload.is_empty() => {
                self.abort_unnamed(left.begun, *until).await;
                true
            }
            Some((left, _)) => self.abort_named(&left.upload).await,
            None => true,
        }
    }

    /// Aborts the upload that a process began and was killed before it knew the name: the one to this key that was begun
    /// between these times. Only one process of a user uploads to a key at a time; the journal is locked.
    async fn abort_unnamed(&self, begun: DateTime<Utc>, until: DateTime<Utc>) {
        let open = match self.store.provider().open_uploads(&self.full).await {
            Ok(open) => open,
            Err(error) => {
                let key = self.full.as_ref();
                tracing::warn!(%error, key, "an upload that was cut off may be left");
                return;
            }
        };
        let then = begun - CLOCKS_DIFFER..=until + CLOCKS_DIFFER;
        let is_it = |upload: &OpenUpload| upload.begun.is_some_and(|at| then.contains(&at));
        for upload in open.into_iter().filter(is_it) {
            self.abort_named(&upload.id).await;
        }
    }

    fn service(&self) -> &dyn MultipartStore {
        let service = self.store.provider().multipart();
        service.expect("an upload is begun only with a service that takes parts")
    }

    async fn create_once_or_again(&self, target: &Target<'_>) -> Result<MultipartId> {
        let mut backoff = Backoff::new(target.transfer.options.retries);
        loop {
            match self.create(target).await {
                Ok(id) => return Ok(id),
                Err(error) => backoff.again(error).await?,
            }
            target.transfer.events.retried();
            // Perhaps it had begun, and the answer was lost.
            self.abort_unnamed(self.head.begun, Utc::now()).await;
        }
    }

    async fn create(&self, target: &Target<'_>) -> Result<MultipartId> {
        let options = target.multipart_options(true);
        let created = match self.service().create_multipart_opts(&self.full, options).await {
            Err(object_store::Error::NotSupported { .. }) if target.may_drop_attributes() => {
                self.service().create_multipart(&self.full).await
            }
            created => created,
        };
        created.map_err(|e| target.error(e))
    }

    /// Goes on with an upload that was left. Whether the service still has it shows at the next part.
    async fn take_over(&mut self, left: &[UploadEntry], grid: &Grid) -> bool {
        let Some(Ok(journal)) = self.slot.as_ref().map(Slot::resume) else { return false };
        let mut parts = vec![None; grid.len()];
        for (index, id) in left {
            if let Some(part) = parts.get_mut(*index) {
                *part = Some(id.clone());
            }
        }
        self.parts = Mutex::new(parts);
        self.journal = Some(journal);
        true
    }

    pub(super) fn has(&self, index: usize) -> bool {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.get(index).is_some_and(Option::is_some)
    }

    pub(super) fn put<'a>(
        &'a self,
        target: &'a Target<'_>,
        index: usize,
        payload: PutPayload,
        held: Held,
    ) -> BoxFuture<'a, Result<()>> {
        async move {
            let length = payload.content_length() as u64;
            let id = self.put_once_or_again(target, index, payload).await?;
            drop(held);
            self.remember(&(index, &id.content_id));
            let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
            if parts.len() <= index {
                parts.resize(index + 1, None);
            }
            parts[index] = Some(id.content_id);
            target.moved(length);
            self.sent.fetch_add(length, Ordering::Relaxed);
            Ok(())
        }
        .boxed()
    }

    fn remember(&self, achieved: &impl Serialize) {
        if let Some(journal) = &self.journal
            && let Err(error) = journal.append(achieved)
        {
            not_remembered(journal.dir(), &error);
        }
    }

    async fn put_once_or_again(
        &self,
        target: &Target<'_>,
        index: usize,
        payload: PutPayload,
    ) -> Result<PartId> {
        let transfer = target.transfer;
        let mut backoff = Backoff::new(transfer.options.retries);
        loop {
            let request = transfer.budget.request(&self.store).await;
            transfer.budget.pace(payload.content_length()).await;
            let asked = Asked(&self.unanswered);
            let put = self.service().put_part(&self.full, &self.id, index, payload.clone());
            let (result, said) = stated(put).await;
            drop(request);
            let result = result.map_err(|error| target.error(error));
            if result.as_ref().err().is_none_or(|error| error.status().is_some()) {
                asked.answered();
            }
            let checked = result.and_then(|part| {
                target.check(&payload, &said, Some(&part.content_id)).map(|()| part)
            });
            match checked {
                Ok(part) => return Ok(part),
                Err(error) => backoff.again(error).await?,
            }
            transfer.events.retried();
        }
    }

    pub(super) async fn complete(mut self, target: &Target<'_>) -> Result<Sent> {
        let parts = std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
        let parts: Option<Vec<_>> =
            parts.into_iter().map(|part| part.map(|content_id| PartId { content_id })).collect();
        let Some(parts) = parts else {
            let detail = "a part is missing";
            let url = self.store.url_of(target.path);
            return Err(Error::new(ErrorKind::Corrupt, "put", url, detail));
        };
        self.remember(&COMPLETING);
        // Parts take their time, and not all services know the condition that the upload ends on.
        let done = match target.check_absent().await {
            Ok(()) => self.finish(target, parts).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(done) => {
                self.ended = true;
                self.clear_left().await;
                if let Some(journal) = self.journal.take() {
                    journal.remove();
                }
                Ok(done.into())
            }
            Err(error) => {
                self.abandon(target, &error).await;
                Err(error)
            }
        }
    }

    async fn finish(&self, target: &Target<'_>, parts: Vec<PartId>) -> Result<PutResult> {
        let mut backoff = Backoff::new(target.transfer.options.retries);
        let mut asked_before = false;
        loop {
            let request = target.transfer.budget.request(&self.store).await;
            let done = self.end(target.creates(), &parts).await;
            drop(request);
            let error = match done {
                Ok(result) => return Ok(result),
                Err(error) => target.error(error),
            };
            let is_there = error.kind() == ErrorKind::AlreadyExists && asked_before;
            if is_there || error.kind() == ErrorKind::NotFound {
                // Perhaps an answer was lost, to us or to the client of the service, which repeats by itself: the upload is
                // gone because it is complete.
                let Ok(meta) = self.store.head(target.path).await else { return Err(error) };
                let sent = self.sent.load(Ordering::Relaxed);
                // Zero where nobody knew before the end.
                let size = if self.head.size > 0 { self.head.size } else { sent };
                let is_ours = (asked_before && !target.creates())
                    || is_made_of(&meta, &parts, self.head.begun);
                if meta.size != size || !is_ours {
                    return Err(error);
                }
                return Ok(PutResult {
                    e_tag: meta.e_tag,
                    version: meta.version,
                    extensions: Default::default(),
                });
            }
            asked_before = true;
            backoff.again(error).await?;
            target.transfer.events.retried();
        }
    }

    async fn end(&self, creates: bool, parts: &[PartId]) -> object_store::Result<PutResult> {
        if creates {
            let provider = self.store.provider();
            if let Some(done) = provider.complete_new(&self.full, &self.id, parts).await? {
                return Ok(done);
            }
        }
        self.service().complete_multipart(&self.full, &self.id, parts.to_vec()).await
    }

    pub(super) async fn abandon(mut self, target: &Target<'_>, why: &Error) {
        // Parts of another version of the source, or of an upload that the service has forgotten, are of no use.
        let useless = matches!(
            why.kind(),
            ErrorKind::Precondition | ErrorKind::NotFound | ErrorKind::AlreadyExists
        );
        self.keep = self.keep && !useless && target.transfer.options.resume;
        // What could not be aborted stays in the journal, for the next upload to this key.
        if !self.keep
            && self.abort().await
            && self.clear_left().await
            && let Some(journal) = self.journal.take()
        {
            forget(journal, &self.head, self.unanswered.load(Ordering::Acquire));
        }
        self.ended = true;
    }

    /// Drops what the service has; whether nothing is left there.
    async fn abort(&self) -> bool {
        let is_unanswered = self.unanswered.load(Ordering::Acquire);
        abort_for_good(&self.store, &self.full, &self.id, is_unanswered).await
    }

    async fn abort_named(&self, id: &MultipartId) -> bool {
        abort(&self.store, &self.full, id).await
    }
}

/// Aborts an upload; whether it was.
async fn abort(store: &Store, full: &Path, id: &MultipartId) -> bool {
    let Some(service) = store.provider().multipart() else { return false };
    match service.abort_multipart(full, id).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => true,
        Err(error) => {
            let key = full.as_ref();
            tracing::warn!(%error, key, "an upload could not be aborted: its parts are left");
            false
        }
    }
}

/// The same, and once more when the service has come to the end of what it was at; whether nothing is left there.
async fn abort_for_good(store: &Store, full: &Path, id: &MultipartId, is_unanswered: bool) -> bool {
    let mut is_aborted = abort(store, full, id).await;
    let mut gone = 0;
    for pause in LATE.iter().take_while(|_| is_unanswered) {
        if !is_aborted || gone == GONE {
            break;
        }
        tokio::time::sleep(*pause).await;
        // Where the service does not tell it is asked once more to no effect.
        let open = store.provider().open_uploads(full).await;
        let is_back = open.as_ref().map_or(true, |open| open.iter().any(|upload| upload.id == *id));
        if is_back {
            is_aborted = abort(store, full, id).await;
        }
        gone = if is_back && open.is_ok() { 0 } else { gone + 1 };
    }
    is_aborted && (gone > 0 || !is_unanswered)
}

/// Ends the journal of an upload that was aborted. Where a request for a part had no answer the service may still come to it,
/// whenever that is: then the journal stays, so that the next upload to the key looks for this one once more. No upload goes on
/// with it.
fn forget(journal: Journal, head: &UploadHead, is_unanswered: bool) {
    let aborted = UploadHead { source: String::new(), ..head.clone() };
    if !is_unanswered || journal.restart(&aborted).is_err() {
        journal.remove();
    }
}

/// A request for a part, until it is answered.
struct Asked<'a>(&'a AtomicBool);

impl Asked<'_> {
    fn answered(self) {
        std::mem::forget(self);
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Whether an object is what became of these parts, of an upload that had `begun` then. Where entity tags say nothing of the
/// content (encrypted objects), they still say of how many parts it is.
fn is_made_of(meta: &ObjectMeta, parts: &[PartId], begun: DateTime<Utc>) -> bool {
    let Some(tag) = meta.e_tag.as_deref().map(|tag| tag.trim_matches('"')) else { return false };
    let is_new = meta.last_modified >= begun - CLOCKS_DIFFER;
    let has_as_many =
        tag.rsplit_once('-').is_some_and(|(_, count)| count == parts.len().to_string());
    tag_of_parts(parts).is_some_and(|of_parts| of_parts == tag) || (is_new && has_as_many)
}

/// The entity tag that S3 gives an object of these parts: the MD5 of their MD5s, and how many they are.
fn tag_of_parts(parts: &[PartId]) -> Option<String> {
    let md5 = |part: &PartId| Checksum::from_hex(Algorithm::Md5, part.content_id.trim_matches('"'));
    let sums = parts.iter().map(md5).collect::<Option<Vec<_>>>()?;
    let all = sums.iter().flat_map(Checksum::as_bytes).copied().collect::<Vec<_>>();
    Some(format!("{}-{}", Checksum::of(Algorithm::Md5, &all).to_hex(), parts.len()))
}

impl Drop for Upload {
    /// A cancelled upload is aborted in the background; should the process end before, its journal tells the next one.
    fn drop(&mut self) {
        if self.ended || self.keep || self.id.is_empty() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (store, full, id) =
            (self.store.clone(), self.full.clone(), std::mem::take(&mut self.id));
        let (journal, slot) = (self.journal.take(), self.slot.take());
        let head = self.head.clone();
        let is_unanswered = self.unanswered.load(Ordering::Acquire);
        let cleaning = Cleaning::begin();
        runtime.spawn(async move {
            let _cleaning = cleaning;
            if abort_for_good(&store, &full, &id, is_unanswered).await
                && let Some(journal) = journal
            {
                forget(journal, &head, is_unanswered);
            }
            drop(slot);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_tells_of_which_parts_it_is() {
        let parts: Vec<_> = [b"a", b"b"]
            .map(|data| PartId { content_id: Checksum::of(Algorithm::Md5, data).to_hex() })
            .into();
        let begun = Utc::now();
        let is = |tag: &str, modified: DateTime<Utc>| {
            let meta = ObjectMeta {
                location: Path::from("k"),
                last_modified: modified,
                size: 2,
                e_tag: Some(tag.to_owned()),
                version: None,
            };
            is_made_of(&meta, &parts, begun)
        };
        let (new, old) = (begun, begun - TimeDelta::hours(1));
        let ours = tag_of_parts(&parts).unwrap();
        assert!(is(&format!("\"{ours}\""), old));
        // An encrypted object: nothing but the number of its parts.
        let opaque = "\"0123456789abcdef0123456789abcdef-2\"";
        assert!(is(opaque, new) && !is(opaque, old));
        assert!(!is(&opaque.replace("-2", "-3"), new) && !is("\"0123456789abcdef\"", new));
    }
}
