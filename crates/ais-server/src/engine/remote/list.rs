//! Listings of what a backend has, with what is here.

use futures::TryStreamExt as _;
use holdall_store::object_store::list::PaginatedListOptions;
use holdall_store::object_store::{Attributes, ListResult, ObjectMeta as ThereMeta};
use holdall_store::{ListOptions, Store};

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

/// Asks the service for keys until the page is full.
async fn service_page(
    store: &Store,
    query: &RemoteQuery,
) -> holdall_store::object_store::Result<(ListResult, String)> {
    let mut all = ListResult {
        common_prefixes: Vec::new(),
        objects: Vec::new(),
        extensions: Default::default(),
    };
    let mut token = (!query.token.is_empty()).then(|| query.token.clone());
    loop {
        let have = all.objects.len() + all.common_prefixes.len();
        // Services know this of the beginning only, and some not at all: what they give is looked at below.
        let offset = (token.is_none() && !query.after.is_empty()).then(|| query.after.clone());
        let options = PaginatedListOptions {
            offset,
            delimiter: query.flat.then_some("/".into()),
            max_keys: Some((query.limit - have).min(SERVICE_PAGE)),
            page_token: token.take(),
            ..Default::default()
        };
        let provider = store.provider();
        let listing =
            provider.paginated().ok_or_else(|| provider.not_supported("list_paginated"))?;
        let prefix = (!query.prefix.is_empty()).then_some(query.prefix.as_str());
        let page = listing.list_paginated(prefix, options).await?;
        let (objects, directories) = (page.result.objects, page.result.common_prefixes);
        all.objects.extend(objects.into_iter().filter(|of| query.wants(of.location.as_ref())));
        all.common_prefixes
            .extend(directories.into_iter().filter(|of| query.wants_directory(of.as_ref())));
        let full = all.objects.len() + all.common_prefixes.len() >= query.limit;
        match page.page_token {
            None => return Ok((all, String::new())),
            Some(next) if full => return Ok((all, next)),
            next => token = next,
        }
    }
}

/// Lists stores without pages: everything is walked, and the page cut out of it. The token is the last name.
async fn walked_page(
    store: &Store,
    query: &RemoteQuery,
) -> holdall_store::Result<(ListResult, String)> {
    let mut options = ListOptions::default().with_prefix(query.prefix.clone());
    let after = if query.token.is_empty() { &query.after } else { &query.token };
    if !after.is_empty() {
        options = options.with_start_after(after.clone());
    }
    let mut objects: Vec<ThereMeta> = store.list_with(options).try_collect().await?;
    objects.sort_by(|a, b| a.location.as_ref().cmp(b.location.as_ref()));
    let mut result = ListResult {
        common_prefixes: Vec::new(),
        objects: Vec::new(),
        extensions: Default::default(),
    };
    let mut token = String::new();
    for object in objects {
        let name = object.location.as_ref();
        let directory = query
            .flat
            .then(|| name[query.prefix.len()..].find('/'))
            .flatten()
            .map(|end| name[..query.prefix.len() + end].to_owned());
        if let Some(directory) = &directory
            && (query.token.strip_prefix(directory.as_str()).is_some_and(|r| r.starts_with('/'))
                || !query.wants_directory(directory)
                || result.common_prefixes.last().is_some_and(|p| p.as_ref() == directory))
        {
            continue;
        }
        if result.objects.len() + result.common_prefixes.len() == query.limit {
            return Ok((result, token));
        }
        match directory {
            Some(directory) => {
                token = format!("{directory}/");
                result.common_prefixes.push(directory.as_str().into());
            }
            None => {
                name.clone_into(&mut token);
                result.objects.push(object);
            }
        }
    }
    Ok((result, String::new()))
}

fn lines(remote: &Remote, found: ListResult) -> Vec<RemoteEntry> {
    let objects = found.objects.into_iter().map(|meta| RemoteEntry {
        name: meta.location.to_string(),
        there: Some(facts::of_remote(remote.provider, &meta, &Attributes::new())),
        here: None,
    });
    let directories = found.common_prefixes.into_iter().map(|path| RemoteEntry {
        name: format!("{path}/"),
        there: None,
        here: None,
    });
    let mut all: Vec<RemoteEntry> = objects.chain(directories).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}
