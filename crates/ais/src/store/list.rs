//! Listing: all below a prefix, one level, page by page.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use holdall_ais_wire::list::{Entry, Page, entry_flag, flag};
use holdall_store::object_store::list::{
    PaginatedListOptions, PaginatedListResult, PaginatedListStore,
};
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{Error, ListResult, ObjectMeta, Result};
use holdall_store::{OddKey, OddKeys};

use super::AisStore;
use crate::attributes::identity;
use crate::listing::{ListRequest, has_start_after};

/// What entries are asked for.
const PROPS: &str = "name,size,checksum,version,atime";
/// A layout of the Go language: RFC 3339 with nanoseconds.
const TIMES: &str = "2006-01-02T15:04:05.999999999Z07:00";

impl AisStore {
    fn request(&self, prefix: &str) -> ListRequest {
        let mut request = ListRequest::new(prefix, PROPS);
        TIMES.clone_into(&mut request.message.time_format);
        request
    }

    pub(super) fn list_below(
        &self,
        prefix: Option<&Path>,
        offset: Option<&str>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let mut request = self.request(&directory(prefix));
        let offset = offset.unwrap_or_default().to_owned();
        if has_start_after(&self.bucket.bck) {
            request.message.start_after.clone_from(&offset);
        }
        self.bucket
            .list_pages(request)
            .map_err(Error::from)
            .map_ok(|page| stream::iter(page.entries))
            .map_ok(|entries| entries.filter_map(|e| std::future::ready(meta(e).transpose())))
            .try_flatten()
            .try_filter(move |meta| {
                std::future::ready(offset.is_empty() || meta.location.as_ref() > offset.as_str())
            })
            .boxed()
    }

    pub(super) async fn list_level(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = directory(prefix);
        let request = self.request(&prefix).with_flags(flag::NO_RECURSION);
        let mut pages = self.bucket.list_pages(request);
        let mut level = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: Default::default(),
        };
        while let Some(page) = pages.try_next().await? {
            add_level(page, &prefix, &mut level, None)?;
        }
        Ok(level)
    }
}

/// Adds a page to a level, and keys that no path can hold to the odd ones, where those are asked for.
fn add_level(
    page: Page,
    prefix: &str,
    level: &mut ListResult,
    mut odd: Option<&mut OddKeys>,
) -> Result<()> {
    for entry in page.entries {
        if entry.name == prefix {
            continue;
        }
        let is_directory = entry.flags & entry_flag::DIR != 0;
        let is_odd = match is_directory {
            true => OddKey::is_odd_prefix(&entry.name),
            false => OddKey::is_odd(&entry.name),
        };
        if let Some(odd) = odd.as_mut().filter(|_| is_odd) {
            match is_directory {
                true => odd.prefixes.push(format!("{}/", entry.name.trim_end_matches('/'))),
                false => odd.objects.push((level.objects.len(), odd_key(entry))),
            }
            continue;
        }
        if is_directory || entry.name.ends_with('/') {
            let path = Path::parse(&entry.name)?;
            // Pages may repeat the directory that the page before ended with.
            if level.common_prefixes.last() != Some(&path) {
                level.common_prefixes.push(path);
            }
        } else if let Some(meta) = meta(entry)? {
            level.objects.push(meta);
        }
    }
    Ok(())
}

/// The prefix of everything in a directory.
fn directory(prefix: Option<&Path>) -> String {
    match prefix.map(Path::as_ref).filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => format!("{prefix}/"),
        None => String::new(),
    }
}

/// An entry as metadata; none for what is no object.
fn meta(entry: Entry) -> Result<Option<ObjectMeta>> {
    if entry.flags & entry_flag::DIR != 0 {
        return Ok(None);
    }
    Ok(Some(ObjectMeta {
        location: Path::parse(&entry.name)?,
        last_modified: time(&entry),
        size: u64::try_from(entry.size).unwrap_or_default(),
        e_tag: identity(&entry.version, &entry.checksum),
        version: None,
    }))
}

fn odd_key(entry: Entry) -> OddKey {
    let mut odd = OddKey::new(entry.name.clone(), u64::try_from(entry.size).unwrap_or_default());
    odd.last_modified = time(&entry);
    odd.e_tag = identity(&entry.version, &entry.checksum);
    odd
}

fn time(entry: &Entry) -> DateTime<Utc> {
    let time = DateTime::parse_from_rfc3339(&entry.atime).map(|time| time.to_utc());
    time.unwrap_or(DateTime::<Utc>::UNIX_EPOCH)
}

/// Parts of a page token, which names the listing and where it is.
const BETWEEN: char = '\n';

#[async_trait]
impl PaginatedListStore for AisStore {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        options: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        let prefix = prefix.unwrap_or_default();
        let mut request = self.request(prefix);
        if let Some(delimiter) = &options.delimiter {
            if delimiter != "/" {
                return Err(Self::refused("list with a delimiter that is not a slash"));
            }
            request = request.with_flags(flag::NO_RECURSION);
        }
        if let Some(most) = options.max_keys {
            request = request.with_page_size(most);
        }
        let after = options.offset.filter(|_| options.page_token.is_none()).unwrap_or_default();
        if has_start_after(&self.bucket.bck) {
            request.message.start_after.clone_from(&after);
        }
        if let Some(token) = &options.page_token {
            let (uuid, token) = token.split_once(BETWEEN).unwrap_or(("", token));
            uuid.clone_into(&mut request.message.uuid);
            token.clone_into(&mut request.message.continuation_token);
        }
        let mut page = self.bucket.list_page(&request).await?;
        let page_token = (!page.continuation_token.is_empty())
            .then(|| format!("{}{BETWEEN}{}", page.uuid, page.continuation_token));
        let mut result = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: Default::default(),
        };
        page.entries.retain(|entry| entry.name > after);
        // The directory that a level is of is none of its entries.
        let level = if options.delimiter.is_some() { prefix } else { "" };
        let mut odd = options.extensions.get::<OddKeys>().map(|_| OddKeys::default());
        add_level(page, level, &mut result, odd.as_mut())?;
        if let Some(odd) = odd {
            drop(result.extensions.insert(odd));
        }
        Ok(PaginatedListResult { result, page_token })
    }
}
