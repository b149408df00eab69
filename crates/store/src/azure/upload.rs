//! Uploads in blocks, with properties, metadata and tags: the client inside takes these only for uploads that it leads from
//! the first block to the last by itself.
//!
//! The service has no name for such an upload. Blocks wait beside the blob until a list of blocks is written; those that it
//! does not name are dropped then, and all are after a week. So nothing has to be found again or aborted: what a killed
//! process has left goes with the next write to the same blob, or by itself. What we call the name of an upload is what the
//! blob shall be besides its content, which the list of blocks says.

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{Error, MultipartId, PutMultipartOptions, PutPayload, PutResult, Result};

use super::{AzureStore, attributes};
use crate::cloud::attributes::check;
use crate::cloud::send::{Call, Refused};
use crate::config::AzureKey;

/// Begins the names of uploads; headers of the list of blocks follow.
const NAME: &str = "blocks";

#[async_trait]
impl MultipartStore for AzureStore {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.check_key(path)?;
        Ok(NAME.to_owned())
    }

    async fn create_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<MultipartId> {
        let PutMultipartOptions { tags, attributes, .. } = options;
        if tags.is_empty() && attributes.is_empty() {
            return self.create_multipart(path).await;
        }
        self.check_key(path)?;
        check(path, &attributes)?;
        self.without_customer_key("multipart upload with attributes or tags")?;
        let mut headers = url::form_urlencoded::Serializer::new(format!("{NAME}?"));
        for (attribute, value) in &attributes {
            headers.append_pair(&attributes::header(attribute)?, value);
        }
        if !tags.is_empty() && !self.settings.flag(AzureKey::DisableTagging)? {
            headers.append_pair("x-ms-tags", tags.encoded());
        }
        Ok(headers.finish())
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        index: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        self.check_key(path)?;
        self.inner.put_part(path, id, index, data).await
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        self.check_key(path)?;
        if self.settings.get(AzureKey::EncryptionKey).is_some() {
            return self.inner.complete_multipart(path, id, parts).await;
        }
        self.write_list(path, self.block_list(path, id, &parts)?).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.inner.abort_multipart(path, id).await
    }
}

impl AzureStore {
    /// Completes an upload where there is no blob.
    pub(super) async fn write_new(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: &[PartId],
    ) -> Result<Option<PutResult>> {
        self.check_key(path)?;
        if self.settings.get(AzureKey::EncryptionKey).is_some() {
            return Ok(None);
        }
        // A repetition would find the blob of its predecessor.
        let call = self.block_list(path, id, parts)?;
        let call = call.header("if-none-match", "*")?.idempotent(false);
        match self.write_list(path, call).await {
            Err(Error::Precondition { path, source }) => Err(Error::AlreadyExists { path, source }),
            done => done.map(Some),
        }
    }

    async fn write_list(&self, path: &Path, list: Call) -> Result<PutResult> {
        let reply = match self.send(path, &list).await {
            Err(error) if Refused::of(&error).is_some_and(|r| r.code == "InvalidBlockList") => {
                let source = "the service does not have all blocks any more: another writer has \
                              replaced the blob, or a week has passed";
                return Err(Error::NotFound { path: path.to_string(), source: source.into() });
            }
            sent => sent?,
        };
        Ok(PutResult {
            e_tag: reply.header("etag").map(str::to_owned),
            version: reply.header("x-ms-version-id").map(str::to_owned),
            extensions: Default::default(),
        })
    }

    fn block_list(&self, path: &Path, id: &str, parts: &[PartId]) -> Result<Call> {
        let mut call = self
            .request(Method::PUT, path, &[("comp", "blocklist")])
            .header("content-type", "application/xml; charset=UTF-8")?;
        let headers = id.split_once('?').map_or("", |(_, headers)| headers);
        for (name, value) in url::form_urlencoded::parse(headers.as_bytes()) {
            call = call.header(&name, &value)?;
        }
        let mut list = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>".to_owned();
        for part in parts {
            // `Latest` finds a block in the blob, too, where the answer to an earlier attempt was lost.
            let block = BASE64_STANDARD.encode(&part.content_id);
            list.push_str(&format!("<Latest>{block}</Latest>"));
        }
        list.push_str("</BlockList>");
        Ok(call.body(list))
    }
}
