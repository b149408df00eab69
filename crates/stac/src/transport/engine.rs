//! What the transfer engine does for this crate: large files, copies, uploads.

use std::io;
use std::path::Path as FsPath;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use holdall_store::Store;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{Attribute, Attributes, ObjectStoreExt};
use holdall_store::transfer::{Events, Transfer, TransferOptions};

use super::checks::Checks;
use super::fetch::{Fetched, Wanted, Watch};
use super::file::{Hashing, Sink, local_error, mismatch, wanted_hash};
use super::{Source, wrong_checksum, wrong_size};
use crate::budget;
use crate::error::{Error, Result};
use crate::multihash::Multihash;
use crate::place::Place;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// A transfer that tells `watch`, with what it had told last.
pub(crate) fn told_transfer(
    watch: &dyn Watch,
    wanted: &Wanted,
    options: TransferOptions,
) -> (Transfer, Arc<Mutex<u64>>) {
    let told = Arc::new(Mutex::new(0u64));
    let (seen, watch) = (told.clone(), watch.detached());
    let events = Events::listened(
        move |now| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            watch.moved(now.bytes_done as i64 - *seen as i64);
            *seen = now.bytes_done;
        },
        TELL_EVERY,
    );
    let budget = wanted.budget.clone();
    (Transfer::new().with_options(options).with_budget(budget).with_events(events), told)
}

/// Tells the rest after the last report, or takes back what was told of a failure.
pub(crate) fn settle(watch: &dyn Watch, told: &Mutex<u64>, done: u64) {
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    watch.moved(done as i64 - *told as i64);
    *told = done;
}

/// A file into a local one. What a killed transfer left is continued; what is wrong never gets its name.
pub(super) async fn to_file(
    source: &Source,
    (store, key): (Store, Path),
    path: &FsPath,
    wanted: &Wanted,
    watch: &dyn Watch,
) -> Result<Fetched> {
    prepare(path, wanted)?;
    let checks = Checks::new(source, wanted);
    let (transfer, told) =
        told_transfer(watch, wanted, TransferOptions::default().with_resume(true));
    let transfer = transfer.with_inspection(checks.inspect(watch));
    match transfer.download(&store, &key, path).await {
        Ok(report) => {
            settle(watch, &told, report.bytes);
            Ok(checks.passed(report.bytes))
        }
        Err(error) => {
            settle(watch, &told, 0);
            Err(checks.failed(error))
        }
    }
}

fn prepare(path: &FsPath, wanted: &Wanted) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Some(parent) = parent else { return Ok(()) };
    let failed = |e: io::Error| local_error(path, wanted, &e);
    if wanted.make_directory {
        return std::fs::create_dir_all(parent).map_err(failed);
    }
    std::fs::metadata(parent).map(drop).map_err(failed)
}

/// A file of any size into an object.
pub(super) async fn to_store(
    source: &Source,
    store: &Store,
    key: &Path,
    wanted: &Wanted,
    watch: &dyn Watch,
) -> Result<Fetched> {
    let reads = wanted.checksum.is_some() || wanted.compute.is_some();
    match (source, source.engine_place()) {
        // A service that can make the copy is asked to; between others, a question before would only cost a round trip.
        (Source::Object { store: from, path, .. }, _) if !reads && same_service(from, store) => {
            copy(source, from, path, store, key, wanted, watch).await
        }
        (_, Some((from, path))) => {
            inspected(source, (&from, &path), (store, key), wanted, watch).await
        }
        (_, None) => stream(source, store, key, wanted, watch).await,
    }
}

/// Whether a service may have both stores, and can copy from one to the other.
fn same_service(one: &Store, other: &Store) -> bool {
    crate::href::scheme(&one.url()) == crate::href::scheme(&other.url())
}

/// Through this process, its parts side by side.
async fn inspected(
    source: &Source,
    (from, path): (&Store, &Path),
    (to, key): (&Store, &Path),
    wanted: &Wanted,
    watch: &dyn Watch,
) -> Result<Fetched> {
    let checks = Checks::new(source, wanted);
    // What a store knows of its object goes along; of a file or a web server's, the document knows more.
    let knows = matches!(source, Source::Object { checks_type: true, .. });
    let own = wanted.media_type.as_deref().filter(|_| !knows);
    let (transfer, told) = told_transfer(watch, wanted, with_attributes(attributes(own)));
    let transfer = transfer.with_inspection(checks.inspect(watch));
    match transfer.copy(from, path, to, key).await {
        Ok(report) => {
            settle(watch, &told, report.bytes);
            Ok(checks.passed(report.bytes))
        }
        Err(error) => {
            settle(watch, &told, 0);
            Err(checks.failed(error))
        }
    }
}

fn attributes(media_type: Option<&str>) -> Option<Attributes> {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::ContentType, media_type?.to_owned().into());
    Some(attributes)
}

fn with_attributes(attributes: Option<Attributes>) -> TransferOptions {
    TransferOptions::default().with_attributes(attributes)
}

/// Object to object, inside the service where it can.
async fn copy(
    source: &Source,
    from: &Store,
    path: &Path,
    to: &Store,
    key: &Path,
    wanted: &Wanted,
    watch: &dyn Watch,
) -> Result<Fetched> {
    let head = source.head().await?;
    let warning =
        source.check_media_type(head.media_type.as_deref(), wanted.media_type.as_deref())?;
    watch.opened(&source.name(), head.size);
    if let (Some(expected), Some(actual)) = (wanted.size, head.size)
        && expected != actual
    {
        return Err(wrong_size(&source.name(), actual, expected));
    }
    // Local files know no media type that could go along.
    let own = head.media_type.is_none().then_some(wanted.media_type.as_deref()).flatten();
    let options = with_attributes(attributes(own));
    let (transfer, told) = told_transfer(watch, wanted, options);
    let copied = transfer.copy(from, path, to, key).await;
    let report = copied.inspect_err(|_| settle(watch, &told, 0))?;
    let bytes = match head.size {
        Some(bytes) => bytes,
        None => to.head(key).await.map_err(|e| Error::from(to.error("copy", key, e)))?.size,
    };
    settle(watch, &told, bytes);
    let server_side = report.server_side;
    Ok(Fetched { bytes, server_side, media_type: head.media_type, warning, ..Fetched::default() })
}

/// Through this process in one stream: for hrefs that no store would write as they are.
async fn stream(
    source: &Source,
    store: &Store,
    key: &Path,
    wanted: &Wanted,
    watch: &dyn Watch,
) -> Result<Fetched> {
    let body = source.begin(wanted.media_type.as_deref()).await?;
    watch.opened(&source.name(), body.size);
    if let (Some(expected), Some(actual)) = (wanted.size, body.size)
        && expected != actual
    {
        return Err(wrong_size(&source.name(), actual, expected));
    }
    let passing =
        Arc::new(Mutex::new(Passing { hashing: Hashing::new(wanted), ..Passing::default() }));
    let (first, last) = (passing.clone(), passing.clone());
    let (name, own) = (source.name(), wanted.clone());
    let pieces = body.pieces.map(move |piece| {
        let mut passing = first.lock().unwrap_or_else(PoisonError::into_inner);
        match piece {
            Ok(piece) => {
                passing.hashing.update(&piece);
                passing.bytes += piece.len() as u64;
                Ok(piece)
            }
            Err(error) => Err(passing.fail(error)),
        }
    });
    // The end of the stream is an error when the content is wrong: nothing is published then.
    let check = futures::stream::once(async move {
        let mut passing = last.lock().unwrap_or_else(PoisonError::into_inner);
        passing.hashes = std::mem::take(&mut passing.hashing).finish();
        if let Some(expected) = own.size.filter(|expected| *expected != passing.bytes) {
            let error = wrong_size(&name, passing.bytes, expected);
            return Err(passing.fail(error));
        }
        let wrong = mismatch(&passing.hashes, &own)
            .map(|(actual, expected)| wrong_checksum(&name, actual, expected));
        match wrong {
            Some(error) => Err(passing.fail(error)),
            None => Ok(Bytes::new()),
        }
    });
    let pieces =
        pieces.chain(check).try_filter(|piece| std::future::ready(!piece.is_empty())).boxed();
    let media_type = wanted.media_type.as_deref().or(body.media_type.as_deref());
    let options = with_attributes(attributes(media_type));
    let (transfer, told) = told_transfer(watch, wanted, options);
    let sent = transfer.upload_stream(pieces, store, key).await;
    let mut passing = passing.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = sent {
        settle(watch, &told, 0);
        return Err(passing.failure.take().unwrap_or_else(|| Error::from(error)));
    }
    settle(watch, &told, passing.bytes);
    let checksum = wanted_hash(std::mem::take(&mut passing.hashes), wanted);
    let (bytes, media_type, warning) = (passing.bytes, body.media_type, body.warning);
    Ok(Fetched { bytes, checksum, media_type, warning, ..Fetched::default() })
}

/// What is learnt of a stream while it passes.
#[derive(Default)]
struct Passing {
    hashing: Hashing,
    hashes: Vec<Multihash>,
    bytes: u64,
    /// The engine reports that its source failed; this is why.
    failure: Option<Error>,
}

impl Passing {
    fn fail(&mut self, error: Error) -> holdall_store::Error {
        let outer = holdall_store::Error::new(
            error.store_kind().unwrap_or(holdall_store::ErrorKind::Corrupt),
            error.operation(),
            error.target(),
            error.detail(),
        );
        self.failure = Some(error);
        outer
    }
}

/// All bytes of a large object, in one piece of memory.
pub(super) async fn read(store: &Store, key: &Path) -> Result<Bytes> {
    Ok(Transfer::new().with_budget(budget::default()).read(store, key).await?)
}

/// Writes a small object.
pub(crate) async fn write(content: Bytes, media_type: &str, place: &Place) -> Result<()> {
    match place {
        Place::Local(path) => {
            let wanted = Wanted { make_directory: true, replaces: true, ..Wanted::default() };
            let mut sink = Sink::new(path, &wanted);
            sink.write(content).await?;
            sink.publish().await.map(drop)
        }
        Place::Store(store, key) => {
            let options = with_attributes(attributes(Some(media_type)));
            let transfer = Transfer::new().with_options(options);
            transfer.write(content, store, key).await?;
            Ok(())
        }
    }
}
