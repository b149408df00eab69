//! Copies from store to store.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, WriteMultipart,
};

use crate::error::{Error, ErrorKind, Result};
use crate::provider::CopyOutcome;
use crate::store::Store;

/// Objects below this size are written with one request.
const SINGLE_PUT_BYTES: u64 = 8 * 1024 * 1024;

/// Parts of one upload in flight.
const PARTS_IN_FLIGHT: usize = 4;

/// Most parts of an upload; all providers allow 10,000 or more.
const MOST_PARTS: u64 = 10_000;

/// What came of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyReport {
    /// Length of the object in bytes; unknown (0) for copies made by the service.
    pub bytes: u64,
    /// Whether the service made the copy, with no byte passing through this process.
    pub server_side: bool,
}

impl Store {
    /// Copies an object to another store: inside the service when both stores are its, through this process
    /// otherwise, in bounded memory. Attributes go along where the target can keep them.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] with `CopyMode::Create`, [`ErrorKind::Corrupt`] when the source delivers another
    /// length than it announced; then nothing is published.
    pub async fn copy_to(
        &self,
        from: &Path,
        target: &Self,
        to: &Path,
        mode: CopyMode,
    ) -> Result<CopyReport> {
        let (full_from, full_to) = (self.full_path(from), target.full_path(to));
        let failed = |e| target.error("copy", to, e);
        if std::ptr::addr_eq(
            std::sync::Arc::as_ptr(self.provider()),
            std::sync::Arc::as_ptr(target.provider()),
        ) {
            let options = CopyOptions::new().with_mode(mode);
            match self.provider().copy_opts(&full_from, &full_to, options).await {
                Ok(()) => return Ok(CopyReport { bytes: 0, server_side: true }),
                Err(
                    object_store::Error::NotSupported { .. }
                    | object_store::Error::NotImplemented { .. },
                ) => {}
                Err(error) => return Err(self.error("copy", from, error)),
            }
        } else {
            let source = &**self.provider();
            let outcome = target.provider().copy_from(source, &full_from, &full_to, mode).await;
            if outcome.map_err(failed)? == CopyOutcome::Copied {
                return Ok(CopyReport { bytes: 0, server_side: true });
            }
        }
        self.stream_to(from, target, to, mode).await
    }

    /// Moves an object: copies it, checks that the copy has its length, then deletes it.
    pub async fn move_to(
        &self,
        from: &Path,
        target: &Self,
        to: &Path,
        mode: CopyMode,
    ) -> Result<CopyReport> {
        let before = self.head(from).await.map_err(|e| self.error("move", from, e))?;
        if std::sync::Arc::ptr_eq(self.provider(), target.provider())
            && self.full_path(from) == target.full_path(to)
        {
            let detail = "source and target are the same object, which a move would delete";
            return Err(Error::new(ErrorKind::InvalidArgument, "move", self.url_of(from), detail));
        }
        let report = self.copy_to(from, target, to, mode).await?;
        let after = target.head(to).await.map_err(|e| target.error("move", to, e))?;
        if before.size != after.size {
            let detail = format!(
                "the copy has {} bytes of {}; the source was kept",
                after.size, before.size
            );
            return Err(Error::new(ErrorKind::Corrupt, "move", target.url_of(to), detail));
        }
        self.delete(from).await.map_err(|e| self.error("move", from, e))?;
        Ok(report)
    }

    async fn stream_to(
        &self,
        from: &Path,
        target: &Self,
        to: &Path,
        mode: CopyMode,
    ) -> Result<CopyReport> {
        let read = |e| self.error("copy", from, e);
        let write = |e| target.error("copy", to, e);
        let object = self.get_opts(from, GetOptions::default()).await.map_err(read)?;
        let (size, attributes) = (object.meta.size, object.attributes.clone());
        let put_mode = match mode {
            CopyMode::Overwrite => PutMode::Overwrite,
            CopyMode::Create => PutMode::Create,
        };
        if size < SINGLE_PUT_BYTES {
            let data = object.bytes().await.map_err(read)?;
            self.check_length(from, size, data.len() as u64)?;
            let options = PutOptions { mode: put_mode, attributes, ..Default::default() };
            put_with_fallback(target, to, data, options).await.map_err(write)?;
            return Ok(CopyReport { bytes: size, server_side: false });
        }
        if mode == CopyMode::Create && target.exists(to).await? {
            let detail = "the target exists";
            return Err(Error::new(ErrorKind::AlreadyExists, "copy", target.url_of(to), detail));
        }
        let upload = start_upload(target, to, attributes).await.map_err(write)?;
        let part_bytes = SINGLE_PUT_BYTES.max(size.div_ceil(MOST_PARTS)) as usize;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, part_bytes);
        let mut stream = object.into_stream();
        let mut received = 0;
        let copied = async {
            while let Some(piece) = stream.try_next().await.map_err(read)? {
                writer.wait_for_capacity(PARTS_IN_FLIGHT).await.map_err(write)?;
                received += piece.len() as u64;
                writer.put(piece);
            }
            self.check_length(from, size, received)
        }
        .await;
        match copied {
            Ok(()) => writer.finish().await.map_err(write)?,
            Err(error) => {
                // The first error is the one to report.
                drop(writer.abort().await);
                return Err(error);
            }
        };
        Ok(CopyReport { bytes: size, server_side: false })
    }

    fn check_length(&self, location: &Path, expected: u64, received: u64) -> Result<()> {
        if expected == received {
            return Ok(());
        }
        let detail = format!("received {received} bytes of {expected}");
        Err(Error::new(ErrorKind::Corrupt, "copy", self.url_of(location), detail))
    }
}

/// Stores that cannot keep attributes get the content without them.
async fn put_with_fallback(
    target: &Store,
    to: &Path,
    data: Bytes,
    options: PutOptions,
) -> object_store::Result<()> {
    let bare = PutOptions { mode: options.mode.clone(), ..Default::default() };
    match target.put_opts(to, PutPayload::from(data.clone()), options).await {
        Err(object_store::Error::NotSupported { .. }) if bare.mode == PutMode::Overwrite => {
            target.put_opts(to, PutPayload::from(data), bare).await.map(drop)
        }
        other => other.map(drop),
    }
}

async fn start_upload(
    target: &Store,
    to: &Path,
    attributes: object_store::Attributes,
) -> object_store::Result<Box<dyn MultipartUpload>> {
    let options = PutMultipartOptions { attributes, ..Default::default() };
    match target.put_multipart_opts(to, options).await {
        Err(object_store::Error::NotSupported { .. }) => {
            target.put_multipart_opts(to, PutMultipartOptions::default()).await
        }
        other => other,
    }
}
