//! Uploads in parts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, Error, MultipartId, MultipartUpload, PutMultipartOptions, PutPayload,
    PutResult, Result, UploadPart,
};

use super::{Key, MemoryStore, quoted};
use crate::provider::Tags;

/// The parts of an upload in progress, by their index.
#[derive(Default, Clone)]
pub(super) struct Upload {
    parts: BTreeMap<usize, Bytes>,
    attributes: Attributes,
    tags: Tags,
}

impl Upload {
    fn join(&self) -> Bytes {
        if self.parts.len() == 1 {
            return self.parts.values().next().cloned().unwrap_or_default();
        }
        let mut data = BytesMut::with_capacity(self.parts.values().map(Bytes::len).sum());
        self.parts.values().for_each(|part| data.extend_from_slice(part));
        data.freeze()
    }
}

impl MemoryStore {
    fn finish(&self, location: &Path, upload: Upload, mode: CopyMode) -> Result<PutResult> {
        let data = upload.join();
        let entry = self.entry(data, upload.attributes, upload.tags);
        let e_tag = Some(quoted(entry.e_tag));
        let mut objects = self.write();
        if mode == CopyMode::Create && objects.contains_key(location.as_ref()) {
            return Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "the target exists".into(),
            });
        }
        objects.insert(Key(location.clone()), entry);
        Ok(PutResult { e_tag, version: None, extensions: Default::default() })
    }

    pub(super) fn complete(
        &self,
        location: &Path,
        id: &MultipartId,
        mode: CopyMode,
    ) -> Result<PutResult> {
        let mut uploads = self.shared.uploads.write().unwrap_or_else(PoisonError::into_inner);
        let upload = uploads.remove(id).ok_or_else(|| unknown(id))?;
        drop(uploads);
        self.finish(location, upload, mode)
    }
}

fn unknown(id: &MultipartId) -> Error {
    Error::NotFound { path: id.clone(), source: "there is no such upload".into() }
}

#[async_trait]
impl MultipartStore for MemoryStore {
    async fn create_multipart(&self, location: &Path) -> Result<MultipartId> {
        self.create_multipart_opts(location, PutMultipartOptions::default()).await
    }

    async fn create_multipart_opts(
        &self,
        _location: &Path,
        options: PutMultipartOptions,
    ) -> Result<MultipartId> {
        let id = self.next().to_string();
        let upload = Upload {
            parts: BTreeMap::new(),
            attributes: options.attributes,
            tags: super::object_store_impl::tags_of(&options.tags),
        };
        self.shared
            .uploads
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.clone(), upload);
        Ok(id)
    }

    async fn put_part(
        &self,
        _location: &Path,
        id: &MultipartId,
        index: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let mut uploads = self.shared.uploads.write().unwrap_or_else(PoisonError::into_inner);
        let upload = uploads.get_mut(id).ok_or_else(|| unknown(id))?;
        upload.parts.insert(index, data.into());
        Ok(PartId { content_id: index.to_string() })
    }

    async fn complete_multipart(
        &self,
        location: &Path,
        id: &MultipartId,
        _parts: Vec<PartId>,
    ) -> Result<PutResult> {
        self.complete(location, id, CopyMode::Overwrite)
    }

    async fn abort_multipart(&self, _location: &Path, id: &MultipartId) -> Result<()> {
        self.shared.uploads.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        Ok(())
    }
}

/// An upload whose parts are numbered by the order of `put_part`.
pub(super) struct Ordered {
    pub(super) store: MemoryStore,
    pub(super) location: Path,
    pub(super) upload: Arc<Mutex<Upload>>,
    pub(super) next: usize,
}

impl Ordered {
    pub(super) fn new(store: MemoryStore, location: Path, options: PutMultipartOptions) -> Self {
        let upload = Upload {
            parts: BTreeMap::new(),
            attributes: options.attributes,
            tags: super::object_store_impl::tags_of(&options.tags),
        };
        Self { store, location, upload: Arc::new(Mutex::new(upload)), next: 0 }
    }
}

impl std::fmt::Debug for Ordered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryUpload").field("location", &self.location).finish_non_exhaustive()
    }
}

#[async_trait]
impl MultipartUpload for Ordered {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (upload, index) = (self.upload.clone(), self.next);
        self.next += 1;
        async move {
            upload.lock().unwrap_or_else(PoisonError::into_inner).parts.insert(index, data.into());
            Ok(())
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let upload =
            std::mem::take(&mut *self.upload.lock().unwrap_or_else(PoisonError::into_inner));
        self.store.finish(&self.location, upload, CopyMode::Overwrite)
    }

    async fn abort(&mut self) -> Result<()> {
        *self.upload.lock().unwrap_or_else(PoisonError::into_inner) = Upload::default();
        Ok(())
    }
}
