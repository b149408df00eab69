//! Reading objects of stores.

use futures::{StreamExt, TryStreamExt};
use holdall_store::Store;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{Attribute, GetOptions, GetRange, GetResult, ObjectStore};

use super::{Opened, Span};
use crate::clients::Head;
use crate::error::{Error, Result};

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
    let result = store.get_opts(path, options).await.map_err(failed)?;
    let size = result.meta.size;
    let (start, media_type) = (result.range.start, media_type(&result));
    let version = result.meta.e_tag.clone();
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
    let result = store.get_opts(path, options).await;
    let result = result.map_err(|e| Error::from(store.error("head", path, e)))?;
    Ok(Head { size: Some(result.meta.size), media_type: media_type(&result), ..Head::default() })
}
