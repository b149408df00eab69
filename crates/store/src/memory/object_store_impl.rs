//! The trait of object stores over the ordered map.

use std::ops::Range;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result, TagSet,
};

use super::{
    Key, MemoryStore, Pages, check_conditions, conditions, missing, multipart, paging, quoted,
};
use crate::provider::Tags;

/// The pairs of a tag set, which is kept in its encoded form.
pub(crate) fn tags_of(tags: &TagSet) -> Tags {
    if tags.encoded().is_empty() {
        return Tags::default();
    }
    url::form_urlencoded::parse(tags.encoded().as_bytes()).into_owned().collect()
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let entry = self.entry(payload.into(), options.attributes, tags_of(&options.tags));
        let e_tag = Some(quoted(entry.e_tag));
        let mut objects = self.write();
        let present = objects.get(location.as_ref());
        match options.mode {
            PutMode::Overwrite => {}
            PutMode::Create if present.is_some() => return Err(exists(location)),
            PutMode::Create => {}
            PutMode::Update(expected) => {
                let found = present.map(|entry| quoted(entry.e_tag));
                if found.is_none() || expected.e_tag.is_none() || found != expected.e_tag {
                    return Err(changed(location, found, expected.e_tag));
                }
            }
        }
        let replaced = objects.insert(Key(location.clone()), entry);
        drop(objects);
        // Content can be an object of another language, whose end may run code that uses this store.
        drop(replaced);
        Ok(PutResult { e_tag, version: None, extensions: Default::default() })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(multipart::Ordered::new(self.clone(), location.clone(), options)))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let objects = self.read();
        let entry = objects.get(location.as_ref()).ok_or_else(|| missing(location))?;
        let meta = entry.meta(location.clone());
        let range = check_conditions("memory", &options, &meta)?;
        let data = match options.head {
            true => Bytes::new(),
            // Within the object, whose length fits the address space.
            false => entry.data.slice(range.start as usize..range.end as usize),
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream::iter([Ok(data)]).boxed()),
            meta,
            range,
            attributes: entry.attributes.clone(),
            extensions: Default::default(),
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let objects = self.read();
        let entry = objects.get(location.as_ref()).ok_or_else(|| missing(location))?;
        let size = entry.data.len() as u64;
        ranges
            .iter()
            .map(|range| {
                let range = conditions::range("memory", &range.clone().into(), size)?;
                Ok(entry.data.slice(range.start as usize..range.end as usize))
            })
            .collect()
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .map(move |location| {
                let location = location?;
                // As on S3, a missing object is as good as a deleted one.
                let removed = store.write().remove(location.as_ref());
                drop(removed);
                Ok(location)
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        Pages::new(self.clone(), paging::segments(prefix), None).into_stream()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let offset = Some(offset.to_string());
        Pages::new(self.clone(), paging::segments(prefix), offset).into_stream()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        Ok(paging::level(self, &paging::segments(prefix), "/", None, usize::MAX).0)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let mut objects = self.write();
        let mut entry = objects.get(from.as_ref()).cloned().ok_or_else(|| missing(from))?;
        if options.mode == CopyMode::Create && objects.contains_key(to.as_ref()) {
            return Err(exists(to));
        }
        entry.e_tag = self.shared.next.fetch_add(1, Ordering::Relaxed);
        entry.last_modified = chrono::Utc::now();
        objects.insert(Key(to.clone()), entry);
        Ok(())
    }
}

#[async_trait]
impl PaginatedListStore for MemoryStore {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        options: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        let after = options.page_token.or(options.offset);
        let delimiter = options.delimiter.as_deref().unwrap_or_default();
        let max = options.max_keys.unwrap_or(1000);
        let prefix = prefix.unwrap_or_default();
        let (result, page_token) = paging::level(self, prefix, delimiter, after.as_deref(), max);
        Ok(PaginatedListResult { result, page_token })
    }
}

fn exists(location: &Path) -> Error {
    Error::AlreadyExists { path: location.to_string(), source: "an object has this key".into() }
}

fn changed(location: &Path, found: Option<String>, expected: Option<String>) -> Error {
    let text = |e_tag: Option<String>| e_tag.unwrap_or_else(|| "none".to_owned());
    Error::Precondition {
        path: location.to_string(),
        source: format!("the ETag is {}, expected {}", text(found), text(expected)).into(),
    }
}
