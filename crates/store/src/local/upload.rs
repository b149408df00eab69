//! Uploads in parts: one staged file, each part written at its place.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use object_store::path::Path;
use object_store::{
    CopyMode, Error, MultipartUpload, PutMultipartOptions, PutPayload, PutResult, Result,
    UploadPart,
};

use super::paths::STORE;
use super::write::{Publish, Staged};
use super::{LocalStore, attributes};
use crate::memory::tags_of;
use crate::provider::CreateNew;

/// An upload whose parts follow each other.
#[derive(Debug)]
pub(super) struct Upload {
    store: LocalStore,
    staged: Arc<Mutex<Option<Arc<Staged>>>>,
    offset: u64,
    mode: CopyMode,
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staged").finish_non_exhaustive()
    }
}

fn ended() -> Error {
    Error::Generic { store: STORE, source: "the upload has been completed or aborted".into() }
}

impl Upload {
    pub(super) async fn start(
        store: &LocalStore,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Self> {
        let location = location.clone();
        let mode = match options.extensions.get::<CreateNew>() {
            Some(CreateNew) => CopyMode::Create,
            None => CopyMode::Overwrite,
        };
        let staged = store
            .run(move |root| {
                let staged = Staged::new(root.file_path(&location)?)?;
                attributes::write(&staged.file, &options.attributes, &tags_of(&options.tags))?;
                Ok(staged)
            })
            .await?;
        let staged = Arc::new(Mutex::new(Some(Arc::new(staged))));
        Ok(Self { store: store.clone(), staged, offset: 0, mode })
    }

    fn take(&self) -> Option<Arc<Staged>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let at = self.offset;
        self.offset += data.content_length() as u64;
        let staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let store = self.store.clone();
        async move {
            let staged = staged.ok_or_else(ended)?;
            store.run(move |_| staged.write_payload(&data, at)).await
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.take().ok_or_else(ended)?;
        let staged = Arc::try_unwrap(staged).map_err(|_| Error::Generic {
            store: STORE,
            source: "a part is still being written".into(),
        })?;
        let mode = Publish::from(self.mode);
        self.store.run(move |root| staged.publish(mode, root.options.fsync)).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.take().map(|staged| staged.discard()).ok_or_else(ended)
    }
}

impl Drop for Upload {
    /// Parts may still be on their way to the disk, from threads that a process does not wait for when it ends.
    fn drop(&mut self) {
        if let Some(staged) = self.take() {
            staged.discard();
        }
    }
}
