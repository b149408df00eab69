//! Uploads in parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use holdall_store::object_store::multipart::{MultipartStore, PartId};
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    Error, MultipartId, MultipartUpload, PutMultipartOptions, PutPayload, PutResult, Result,
    UploadPart,
};

use super::{AisStore, meta};
use crate::object::{Object, PutOptions};
use crate::upload;

impl AisStore {
    pub(super) async fn begin_upload(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let custom = meta::custom(options.attributes, &options.tags)?;
        let object = self.object(location);
        let id = object.create_upload(&custom).await?;
        Ok(Box::new(Upload { object, id, parts: 0, done: Arc::default() }))
    }
}

/// An upload whose parts are numbered in the order in which they are handed in.
#[derive(Debug)]
struct Upload {
    object: Object,
    id: String,
    parts: u32,
    done: Arc<AtomicU32>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        if data.content_length() == 0 {
            // AIStore has no empty parts, and an object is the same without them.
            return Box::pin(std::future::ready(Ok(())));
        }
        self.parts += 1;
        let (object, id, number, done) =
            (self.object.clone(), self.id.clone(), self.parts, self.done.clone());
        Box::pin(async move {
            object.put_part(&id, number, data).await?;
            done.fetch_add(1, Ordering::AcqRel);
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let done = self.done.load(Ordering::Acquire);
        if done != self.parts {
            let source = format!("only {done} of {} parts were put", self.parts).into();
            return Err(Error::Generic { store: "AIStore", source });
        }
        finish(&self.object, &self.id, self.parts).await
    }

    async fn abort(&mut self) -> Result<()> {
        Ok(self.object.abort_upload(&self.id).await?)
    }
}

/// Completes an upload; one without parts becomes an empty object.
async fn finish(object: &Object, id: &str, parts: u32) -> Result<PutResult> {
    if parts == 0 {
        object.abort_upload(id).await?;
        let options = PutOptions { custom: upload::split(id).1, checksum: None };
        return Ok(meta::put_result(&object.put(PutPayload::new(), &options).await?));
    }
    Ok(meta::put_result(&object.complete_upload(id, parts).await?))
}

/// The number of a part, which is not zero-based.
fn number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

#[async_trait]
impl MultipartStore for AisStore {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        Ok(self.object(path).create_upload(&[]).await?)
    }

    async fn create_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<MultipartId> {
        let custom = meta::custom(options.attributes, &options.tags)?;
        Ok(self.object(path).create_upload(&custom).await?)
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        index: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let number = number(index);
        self.object(path).put_part(id, number, data).await?;
        Ok(PartId { content_id: number.to_string() })
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let parts = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        finish(&self.object(path), id, parts).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        Ok(self.object(path).abort_upload(id).await?)
    }
}
