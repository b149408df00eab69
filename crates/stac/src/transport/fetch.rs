//! One asset from one of its places to its target.

use std::path::Path as FsPath;

use futures::StreamExt;
use holdall_store::Store;
use holdall_store::object_store::path::Path;
use holdall_store::transfer::Budget;

use super::file::Sink;
use super::{Source, Span, Version, engine, pause};
use crate::error::{Error, ErrorKind, Result};
use crate::multihash::{Algorithm, Multihash};
use crate::place::Place;

/// Larger files are the engine's: several requests at once, and continued after the process was killed.
pub(super) const LARGE_BYTES: u64 = 8 << 20;

/// Most memory that a small file needs on its way: what comes in, what is collected, and what is being written.
const WINDOW_BYTES: u64 = 1 << 20;

/// Memory that a file of unknown length is asked for with. Most that is small has its beginning and more in it, and many
/// requests fit into the memory of a run.
const UNKNOWN_BYTES: u64 = 64 << 10;

/// Watches one transfer.
pub(crate) trait Watch: Send + Sync {
    /// The file is being read, and has this length.
    fn opened(&self, name: &str, size: Option<u64>);
    /// So many more bytes have been written; negative when a transfer starts anew.
    fn moved(&self, bytes: i64);
    /// A watch of its own for somebody who outlives this call.
    fn detached(&self) -> Box<dyn Watch>;
}

/// What is to be fetched, and what it must be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) media_type: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) checksum: Option<Multihash>,
    /// A checksum to be computed on the way.
    pub(crate) compute: Option<Algorithm>,
    pub(crate) make_directory: bool,
    pub(crate) budget: Budget,
    /// Keep what was received when it fails.
    pub(crate) keep_partial: bool,
    /// Whether a document will state the length.
    pub(crate) describes: bool,
    /// Whether a file of that name is likely to be there.
    pub(crate) replaces: bool,
}

/// What came of a fetch.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    pub(crate) bytes: u64,
    /// How many files it is, for directories.
    pub(crate) files: Option<u64>,
    /// Whether all of a directory was there already.
    pub(crate) skipped: bool,
    pub(crate) checksum: Option<Multihash>,
    pub(crate) server_side: bool,
    pub(crate) media_type: Option<String>,
    pub(crate) warning: Option<Error>,
}

/// Fetches the first of `ways` that works into `target`.
///
/// # Errors
/// The failure of the first way when all fail: it is the one that the document names.
pub(crate) async fn fetch(
    ways: &[Source],
    target: &Place,
    wanted: &Wanted,
    watch: &dyn Watch,
) -> Result<Fetched> {
    let mut first = None;
    for way in ways {
        let fetched = match target {
            Place::Local(path) => to_file(way, path, wanted, watch).await,
            Place::Store(store, key) => {
                Box::pin(engine::to_store(way, store, key, wanted, watch)).await
            }
        };
        match fetched {
            Ok(fetched) => return Ok(fetched),
            // Another place does not mend what is wrong at this end.
            Err(error) if error.is_final() => return Err(error),
            Err(error) => first = first.or_else(|| Some(way.advise(error))),
        }
    }
    Err(first.unwrap_or_else(|| {
        Error::new(ErrorKind::Href, "download", target.href(), "there is no way to it")
    }))
}

/// What one connection came to.
enum Attempt {
    Whole(Option<String>, Option<Error>),
    /// The file is one for the engine, which reads it here.
    Large((Store, Path)),
}

async fn to_file(
    source: &Source,
    path: &FsPath,
    wanted: &Wanted,
    watch: &dyn Watch,
) -> Result<Fetched> {
    if wanted.size.is_some_and(|size| size > LARGE_BYTES)
        && let Some(place) = source.engine_place()
    {
        return Box::pin(engine::to_file(source, place, path, wanted, watch)).await;
    }
    let mut sink = Sink::new(path, wanted);
    let (mut version, mut attempt, mut furthest) = (None, 0, 0);
    loop {
        attempt += 1;
        let error = match attempt_once(source, &mut sink, &mut version, wanted, watch).await {
            Ok(Attempt::Whole(media_type, warning)) => {
                let (bytes, checksum) = sink.publish().await?;
                return Ok(Fetched { bytes, checksum, media_type, warning, ..Fetched::default() });
            }
            Ok(Attempt::Large(place)) => {
                return Box::pin(engine::to_file(source, place, path, wanted, watch)).await;
            }
            Err(error) => error,
        };
        // Whoever gets further has a right to go on.
        if sink.written() > furthest {
            furthest = sink.written();
            attempt = attempt.min(2);
        }
        if !source.tries_again(&error, attempt) {
            watch.moved(-(sink.written() as i64));
            sink.abandon().await;
            return Err(error.after_attempts(attempt));
        }
        tokio::time::sleep(pause(attempt, error.retry_after())).await;
    }
}

/// One connection: from where the sink is to the end of the file.
async fn attempt_once(
    source: &Source,
    sink: &mut Sink,
    version: &mut Option<Version>,
    wanted: &Wanted,
    watch: &dyn Watch,
) -> Result<Attempt> {
    if version.is_none() && sink.written() > 0 {
        restart(sink, watch).await?;
    }
    let limit = wanted.budget.limits().memory_bytes;
    let window = |size: Option<u64>, unknown| size.unwrap_or(unknown).min(WINDOW_BYTES).min(limit);
    let asked = window(wanted.size, UNKNOWN_BYTES);
    let mut memory = wanted.budget.memory(asked).await?;
    let span = Span { start: sink.written(), end: None };
    let tag = version.as_ref().map(|version| version.tag.as_str());
    let mut opened = source.open(span, tag).await?;
    if let Some(before) = version.take_if(|before| opened.start > 0 && !opened.is_of(before)) {
        // Some servers know ranges, and not on which version they depend.
        return Err(before.changed(&source.name()));
    }
    if opened.start != sink.written() {
        restart(sink, watch).await?;
    }
    let warning =
        source.check_media_type(opened.media_type.as_deref(), wanted.media_type.as_deref())?;
    *version = opened.version.take();
    if opened.start == 0 {
        if opened.size.is_some_and(|size| size > LARGE_BYTES)
            && let Some(place) = source.engine_place()
        {
            return Ok(Attempt::Large(place));
        }
        watch.opened(&source.name(), opened.size);
    }
    let needed = window(opened.size, WINDOW_BYTES);
    if needed > asked {
        // Nobody waits for more while he keeps what another one waits for.
        drop(memory);
        memory = wanted.budget.memory(needed).await?;
    }
    while let Some(piece) = opened.body.next().await {
        let piece = piece?;
        wanted.budget.pace(piece.len()).await;
        watch.moved(piece.len() as i64);
        sink.write(piece).await?;
    }
    if let Some(size) = opened.size
        && size != sink.written()
    {
        let detail = format!("the connection ended after {} of {size} bytes", sink.written());
        return Err(Error::new(ErrorKind::Integrity, "download", source.name(), detail).passing());
    }
    drop(memory);
    Ok(Attempt::Whole(opened.media_type, warning))
}

async fn restart(sink: &mut Sink, watch: &dyn Watch) -> Result<()> {
    watch.moved(-(sink.written() as i64));
    sink.restart().await
}
