//! A service with many keys and nothing else, whose pages take their time and can be wrong.

use std::any::Any;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use holdall_store::object_store::list::{
    PaginatedListOptions, PaginatedListResult, PaginatedListStore,
};
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use holdall_store::{OddKey, OddKeys, Provider, Store};

/// What a wrong service makes of its nth page.
pub(crate) type Fault =
    Arc<dyn Fn(usize, PaginatedListResult) -> PaginatedListResult + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Paged {
    keys: Arc<BTreeSet<String>>,
    page_keys: usize,
    delay: Duration,
    fault: Option<Fault>,
    pages: Arc<AtomicUsize>,
}

impl Paged {
    pub(crate) fn new(keys: impl IntoIterator<Item = String>, page_keys: usize) -> Self {
        Self {
            keys: Arc::new(keys.into_iter().collect()),
            page_keys,
            delay: Duration::from_millis(50),
            fault: None,
            pages: Arc::default(),
        }
    }

    pub(crate) fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(Arc::new(self.clone()))
    }

    /// Pages asked for until now.
    pub(crate) fn pages(&self) -> usize {
        self.pages.load(Ordering::SeqCst)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    fn page(&self, prefix: &str, options: &PaginatedListOptions) -> PaginatedListResult {
        let after = options.page_token.as_ref().or(options.offset.as_ref());
        let from = match after {
            Some(after) if after.as_str() >= prefix => Bound::Excluded(after.as_str()),
            _ => Bound::Included(prefix),
        };
        let mut keys = self
            .keys
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|key| key.starts_with(prefix));
        let page: Vec<&String> = keys.by_ref().take(self.page_keys).collect();
        let page_token = keys.next().and(page.last().map(ToString::to_string));
        let mut result = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: Default::default(),
        };
        let mut odd = OddKeys::default();
        for key in page {
            match OddKey::is_odd(key) {
                true => odd.objects.push((result.objects.len(), OddKey::new(key.clone(), 1))),
                false => result.objects.push(meta(key)),
            }
        }
        drop(result.extensions.insert(odd));
        PaginatedListResult { result, page_token }
    }
}

fn meta(key: &str) -> ObjectMeta {
    ObjectMeta {
        location: Path::parse(key).unwrap(),
        last_modified: Default::default(),
        size: 1,
        e_tag: None,
        version: None,
    }
}

#[async_trait]
impl PaginatedListStore for Paged {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        options: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        let number = self.pages.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.delay).await;
        let page = self.page(prefix.unwrap_or_default(), &options);
        Ok(match &self.fault {
            Some(fault) => fault(number, page),
            None => page,
        })
    }
}

impl Provider for Paged {
    fn scheme(&self) -> &'static str {
        "paged"
    }

    fn location(&self) -> String {
        "paged://keys".to_owned()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn paginated(&self) -> Option<&dyn PaginatedListStore> {
        Some(self)
    }

    fn lists_from_any_key(&self) -> bool {
        true
    }
}

impl std::fmt::Debug for Paged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Paged").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Display for Paged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("paged")
    }
}

fn only_lists<T>() -> Result<T> {
    Err(Error::NotSupported { source: "this service only lists".into() })
}

#[async_trait]
impl ObjectStore for Paged {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        only_lists()
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        only_lists()
    }

    async fn get_opts(&self, _: &Path, _: GetOptions) -> Result<GetResult> {
        only_lists()
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        stream::iter([only_lists()]).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
        let found: Vec<_> =
            self.keys().filter(|key| key.starts_with(&prefix)).map(|key| Ok(meta(key))).collect();
        stream::iter(found).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        only_lists()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        only_lists()
    }
}
