//! Listings of what a backend has, with what is here.

use futures::StreamExt as _;
use holdall_store::object_store::list::PaginatedListOptions;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{Attributes, ListResult, ObjectMeta as ThereMeta};
use holdall_store::{ListOptions, OddKey, OddKeys, Store};

use super::{Remote, facts};
use crate::engine::{Bucket, Engine};
use crate::error::Result;
use crate::storage::ObjectMeta;

/// Most keys that services give in one reply.
const SERVICE_PAGE: usize = 1000;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct RemoteQuery {
    /// Literal prefix of names.
    pub prefix: String,
    /// Where the page before ended, as it said; empty for the beginning.
    pub token: String,
    /// Only names after this one, and directories with such names; empty for all.
    pub after: String,
    /// Most entries.
    pub limit: usize,
    /// One level.
    pub flat: bool,
}

impl RemoteQuery {
    fn wants(&self, name: &str) -> bool {
        name > self.after.as_str()
    }

    /// Of a directory that was given itself, nothing more is wanted; of one with the name in it, the rest.
    fn wants_directory(&self, name: &str) -> bool {
        let rest = self.after.strip_prefix(name).and_then(|rest| rest.strip_prefix('/'));
        rest.map_or_else(|| self.wants(name), |rest| !rest.is_empty())
    }
}

/// One line.
#[derive(Debug, Clone)]
pub struct RemoteEntry {
    /// The name; that of a virtual directory ends with a slash.
    pub name: String,
    /// What the backend says of it; none of directories.
    pub there: Option<ObjectMeta>,
    /// What is here.
    pub here: Option<ObjectMeta>,
}

impl RemoteEntry {
    /// The object as readers see it: what is here, if that is what is there; none of directories.
    pub(crate) fn into_meta(self) -> Option<ObjectMeta> {
        let there = self.there?;
        Some(self.here.filter(|here| facts::is_same(here, &there)).unwrap_or(there))
    }
}

/// A page of a listing.
#[derive(Debug, Clone, Default)]
pub struct RemotePage {
    /// Lines, in the order of their names.
    pub entries: Vec<RemoteEntry>,
    /// For the next page; empty at the end.
    pub token: String,
}

impl Engine {
    /// A page of what the backend has.
    ///
    /// # Errors
    ///
    /// Those of the backend.
    pub async fn list_there(&self, bucket: &Bucket, query: &RemoteQuery) -> Result<RemotePage> {
        let remote = self.remote(bucket)?;
        let failed = |error| {
            let error = remote.store.error("list", &Default::default(), error);
            self.backend_error(bucket, "", &error)
        };
        let has_prefix = !remote.store.prefix().as_ref().is_empty();
        let (found, token) = match remote.store.provider().paginated() {
            Some(_) if !has_prefix => service_page(&remote.store, query).await.map_err(failed)?,
            _ => walked_page(&remote.store, query)
                .await
                .map_err(|error| self.backend_error(bucket, "", &error))?,
        };
        let mut entries = lines(&remote, found);
        self.add_here(bucket, &mut entries).await?;
        Ok(RemotePage { entries, token })
    }

    /// Whether the backend of a bucket can be asked at all: one that is known from an earlier start may have none now.
    pub(crate) fn reaches(&self, bucket: &Bucket) -> bool {
        bucket.backing().is_some_and(|bck| bck.is_remote_ais() || self.backends().has(bck.provider))
    }

    /// Adds what is here of each entry.
    pub(super) async fn add_here(
        &self,
        bucket: &Bucket,
        entries: &mut [RemoteEntry],
    ) -> Result<()> {
        let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
        let bid = bucket.bid();
        let here = self
            .storage()
            .meta()
            .blocking(move |meta| meta.objects(names.iter().map(|name| (bid, name.as_str()))))
            .await?;
        for (entry, here) in entries.iter_mut().zip(here) {
            entry.here = here;
        }
        Ok(())
    }
}

/// What a backend has. Names that no path can hold are among them: listings show them, and what is done with one fails.
#[derive(Default)]
struct Found {
    objects: Vec<(String, ThereMeta)>,
    /// Without the slash at their end.
    directories: Vec<String>,
}

impl Found {
    fn len(&self) -> usize {
        self.objects.len() + self.directories.len()
    }

    fn add(&mut self, mut page: ListResult, query: &RemoteQuery) {
        let odd: OddKeys = page.extensions.remove().unwrap_or_default();
        let objects = page.objects.into_iter().map(Ok);
        let objects = objects.chain(odd.objects.into_iter().map(|(_, odd)| Err(odd.into())));
        self.objects.extend(objects.map(named).filter(|(name, _)| query.wants(name)));
        let directories = page.common_prefixes.into_iter().map(String::from);
        let odd = odd.prefixes.into_iter().map(|mut name| {
            // The delimiter, not a slash before it.
            name.pop();
            name
        });
        self.directories.extend(directories.chain(odd).filter(|name| query.wants_directory(name)));
    }
}

/// An object with its name, also one that no path can hold.
fn named(entry: std::result::Result<ThereMeta, Box<OddKey>>) -> (String, ThereMeta) {
    match entry {
        Ok(meta) => (meta.location.to_string(), meta),
        Err(odd) => {
            let meta = ThereMeta {
                location: Path::default(),
                last_modified: odd.last_modified,
                size: odd.size,
                e_tag: odd.e_tag,
                version: None,
            };
            (odd.key, meta)
        }
    }
}

/// Asks the service for keys until the page is full.
async fn service_page(
    store: &Store,
    query: &RemoteQuery,
) -> holdall_store::object_store::Result<(Found, String)> {
    let mut all = Found::default();
    let mut token = (!query.token.is_empty()).then(|| query.token.clone());
    loop {
        // Services know this of the beginning only, and some not at all: what they give is looked at below.
        let offset = (token.is_none() && !query.after.is_empty()).then(|| query.after.clone());
        let mut options = PaginatedListOptions {
            offset,
            delimiter: query.flat.then_some("/".into()),
            max_keys: Some((query.limit - all.len()).min(SERVICE_PAGE)),
            page_token: token.take(),
            ..Default::default()
        };
        drop(options.extensions.insert(OddKeys::default()));
        let provider = store.provider();
        let listing =
            provider.paginated().ok_or_else(|| provider.not_supported("list_paginated"))?;
        let prefix = (!query.prefix.is_empty()).then_some(query.prefix.as_str());
        let page = listing.list_paginated(prefix, options).await?;
        all.add(page.result, query);
        let full = all.len() >= query.limit;
        match page.page_token {
            None => return Ok((all, String::new())),
            Some(next) if full => return Ok((all, next)),
            next => token = next,
        }
    }
}

/// Lists stores without pages: everything is walked, and the page cut out of it. The token is the last name.
async fn walked_page(store: &Store, query: &RemoteQuery) -> holdall_store::Result<(Found, String)> {
    let mut options = ListOptions::default().with_prefix(query.prefix.clone());
    let after = if query.token.is_empty() { &query.after } else { &query.token };
    if !after.is_empty() {
        options = options.with_start_after(after.clone());
    }
    let mut listed = store.list_with(options);
    let mut objects = Vec::new();
    while let Some(item) = listed.next().await {
        objects.push(named(OddKey::or_item(item)?));
    }
    objects.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut found = Found::default();
    let mut token = String::new();
    for (name, object) in objects {
        let directory = query
            .flat
            .then(|| name[query.prefix.len()..].find('/'))
            .flatten()
            .map(|end| name[..query.prefix.len() + end].to_owned());
        if let Some(directory) = &directory
            && (query.token.strip_prefix(directory.as_str()).is_some_and(|r| r.starts_with('/'))
                || !query.wants_directory(directory)
                || found.directories.last().is_some_and(|last| last == directory))
        {
            continue;
        }
        if found.len() == query.limit {
            return Ok((found, token));
        }
        match directory {
            Some(directory) => {
                token = format!("{directory}/");
                found.directories.push(directory);
            }
            None => {
                name.clone_into(&mut token);
                found.objects.push((name, object));
            }
        }
    }
    Ok((found, String::new()))
}

fn lines(remote: &Remote, found: Found) -> Vec<RemoteEntry> {
    let objects = found.objects.into_iter().map(|(name, meta)| RemoteEntry {
        name,
        there: Some(facts::of_remote(remote.provider, &meta, &Attributes::new())),
        here: None,
    });
    let directories = found.directories.into_iter().map(|name| RemoteEntry {
        name: name + "/",
        there: None,
        here: None,
    });
    let mut all: Vec<RemoteEntry> = objects.chain(directories).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}
