//! What is checked of a file while the engine moves it: media type, length, checksum.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdall_store::object_store::{Attribute, Attributes, ObjectMeta};
use holdall_store::transfer::{Inspect, Inspector};

use super::fetch::{Fetched, Wanted, Watch};
use super::file::{Hashing, mismatch, wanted_hash};
use super::{Source, wrong_checksum, wrong_size};
use crate::error::Error;
use crate::multihash::Multihash;

/// The checks of one file, and what they found.
pub(super) struct Checks {
    source: Source,
    wanted: Wanted,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    media_type: Option<String>,
    warning: Option<Error>,
    hashes: Vec<Multihash>,
    /// The engine reports that somebody refused; this is why.
    failure: Option<Error>,
}

impl Checks {
    pub(super) fn new(source: &Source, wanted: &Wanted) -> Self {
        Self { source: source.clone(), wanted: wanted.clone(), seen: Arc::default() }
    }

    /// For the engine: a look at the file, and the last word on it.
    pub(super) fn inspect(&self, watch: &dyn Watch) -> Inspect {
        let (source, wanted, seen) = (self.source.clone(), self.wanted.clone(), self.seen.clone());
        let watch: Arc<dyn Watch> = watch.detached().into();
        Arc::new(move || {
            Box::new(Look {
                source: source.clone(),
                hashing: Hashing::new(&wanted),
                wanted: wanted.clone(),
                seen: seen.clone(),
                watch: watch.clone(),
            })
        })
    }

    /// What came of a file that was moved.
    pub(super) fn passed(self, bytes: u64) -> Fetched {
        let seen = std::mem::take(&mut *lock(&self.seen));
        Fetched {
            bytes,
            checksum: wanted_hash(seen.hashes, &self.wanted),
            media_type: seen.media_type,
            warning: seen.warning,
            ..Fetched::default()
        }
    }

    /// Why a file was not moved.
    pub(super) fn failed(self, error: holdall_store::Error) -> Error {
        let own = lock(&self.seen).failure.take();
        own.unwrap_or_else(|| Error::from(error).with_target(&self.source.name()))
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One pass of a file.
struct Look {
    source: Source,
    wanted: Wanted,
    hashing: Hashing,
    seen: Arc<Mutex<Seen>>,
    watch: Arc<dyn Watch>,
}

impl Look {
    fn refuse(&self, error: Error) -> holdall_store::Error {
        let kind = error.store_kind().unwrap_or(holdall_store::ErrorKind::Corrupt);
        let (operation, detail) = (error.operation(), error.detail());
        let outer = holdall_store::Error::new(kind, operation, error.target(), detail);
        lock(&self.seen).failure = Some(error);
        outer
    }
}

impl Inspector for Look {
    fn begin(
        &mut self,
        meta: &ObjectMeta,
        attributes: &Attributes,
    ) -> Result<(), holdall_store::Error> {
        self.watch.opened(&self.source.name(), Some(meta.size));
        if let Some(expected) = self.wanted.size.filter(|expected| *expected != meta.size) {
            return Err(self.refuse(wrong_size(&self.source.name(), meta.size, expected)));
        }
        let media_type = attributes.get(&Attribute::ContentType).map(|value| value.to_string());
        let expected = self.wanted.media_type.as_deref();
        let warning = self.source.check_media_type(media_type.as_deref(), expected);
        let warning = warning.map_err(|error| self.refuse(error))?;
        let mut seen = lock(&self.seen);
        (seen.media_type, seen.warning) = (media_type, warning);
        Ok(())
    }

    fn sees_content(&self) -> bool {
        !self.hashing.is_empty()
    }

    fn update(&mut self, data: &[u8]) {
        self.hashing.update(data);
    }

    fn finish(mut self: Box<Self>) -> Result<(), holdall_store::Error> {
        let hashes = std::mem::take(&mut self.hashing).finish();
        if let Some((actual, expected)) = mismatch(&hashes, &self.wanted) {
            return Err(self.refuse(wrong_checksum(&self.source.name(), actual, expected)));
        }
        lock(&self.seen).hashes = hashes;
        Ok(())
    }
}
