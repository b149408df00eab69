//! Reading objects of stores.

use futures::{StreamExt, TryStreamExt};
use holdall_store::Store;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{Attribute, GetOptions, GetRange, GetResult, ObjectStore};
use holdall_store::object_store::{Error as StoreError, Result as StoreResult};

use super::{Opened, Span, Version};
use crate::clients::Head;
use crate::error::{Error, Result};

/// The root of a store is no file, whatever a service answers to who asks for it: S3 sends a page of its listing.
fn must_name_a_file(store: &Store, path: &Path) -> StoreResult<()> {
    if !store.full_path(path).as_ref().is_empty() {
        return Ok(());
    }
    let source = "the href names a whole bucket".into();
    Err(StoreError::NotFound { path: store.url_of(path), source })
}

pub(super) async fn open(
    store: &Store,
    path: &Path,
    span: Span,
    version: Option<&str>,
) -> Result<Opened> {
    let range = match span {
        Span { start: 0, end: None } => None,
        Span { start, end: None } => Some(GetRange::Offset(start)),
        Span { start, end: Some(end) } => Some(GetRange::Bounded(start..end)),
    };
    let if_match = version.map(str::to_owned);
    let options = GetOptions { range, if_match, ..GetOptions::default() };
    let failed = |e| Error::from(store.error("download", path, e));
    must_name_a_file(store, path).map_err(failed)?;
    let result = store.get_opts(path, options).await.map_err(failed)?;
    let size = result.meta.size;
    let (start, media_type) = (result.range.start, media_type(&result));
    let version = result.meta.e_tag.clone().map(|tag| Version { tag, size: Some(size) });
    let (store, path) = (store.clone(), path.clone());
    let body = result
        .into_stream()
        .map_err(move |e| Error::from(store.error("download", &path, e)).passing())
        .boxed();
    Ok(Opened { start, size: Some(size), media_type, version, body })
}

fn media_type(result: &GetResult) -> Option<String> {
    result.attributes.get(&Attribute::ContentType).map(|value| value.to_string())
}

pub(super) async fn head(store: &Store, path: &Path) -> Result<Head> {
    let options = GetOptions { head: true, ..GetOptions::default() };
    let failed = |e| Error::from(store.error("head", path, e));
    must_name_a_file(store, path).map_err(failed)?;
    let result = store.get_opts(path, options).await.map_err(failed)?;
    let (size, media_type) = (Some(result.meta.size), media_type(&result));
    Ok(Head { size, media_type, tag: result.meta.e_tag, ..Head::default() })
}
