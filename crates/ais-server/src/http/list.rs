//! Listing objects.

use std::time::Instant;

use holdall_ais_wire::Bck;
use holdall_ais_wire::action::ActMsg;
use holdall_ais_wire::list::{DEFAULT_PAGE_SIZE, Entry, LsoMsg, Page, entry_flag, flag};
use holdall_ais_wire::name::check_prefix;
use holdall_ais_wire::value::{from_nanos, go_layout};
use holdall_ais_wire::{header, id};
use http::header::{ACCEPT, CONTENT_TYPE};

use super::reply::{json, ok, set};
use super::request::value;
use super::{Body, Reply, Request, remote};
use crate::engine::list::{Item, Query};
use crate::engine::remote::{RemoteEntry, RemoteQuery, is_same};
use crate::engine::{Bucket, Op};
use crate::error::{Error, Result};
use crate::storage::ObjectMeta;

/// Names in a page of a backend when the request does not say: what services give in one reply.
const REMOTE_PAGE_SIZE: usize = 1000;
/// Most names in a page, whatever the client asks for.
const MAX_PAGE: usize = 100_000;

pub(super) async fn objects(request: &Request, name: &str, message: &ActMsg) -> Result<Reply> {
    let started = Instant::now();
    let page = page(request, name, message).await;
    if page.is_err() {
        request.engine.counters().failed(Op::List);
    }
    let page = page?;
    request.engine.counters().done(Op::List, 0, started.elapsed());
    if !wants_msgpack(request) {
        return json(&page.to_json());
    }
    let bytes = page
        .to_msgpack()
        .map_err(|e| Error::internal("the page cannot be written").with_source(e))?;
    let mut reply = ok();
    set(&mut reply, CONTENT_TYPE, "application/msgpack");
    *reply.body_mut() = Body::whole(bytes);
    Ok(reply)
}

fn wants_msgpack(request: &Request) -> bool {
    let all = request.headers.get_all(ACCEPT);
    let mut kinds =
        all.iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    kinds.any(|kind| kind.trim() == "application/msgpack")
}

async fn page(request: &Request, name: &str, message: &ActMsg) -> Result<Page> {
    if message.value.is_null() {
        return Err(Error::invalid(format!("bad list-buckets request: \"{name}\" vs \"\"")));
    }
    let lsmsg: LsoMsg = value(message)?;
    let bucket = remote::bucket_to_list(request, name, &lsmsg).await?;
    check(request, &bucket, &lsmsg)?;
    let size = usize::try_from(lsmsg.pagesize)
        .map_err(|_| Error::invalid(format!("invalid page size {}", lsmsg.pagesize)))?;
    if bucket.is_remote() && !lsmsg.has(flag::CACHED) && !lsmsg.has(flag::ARCH_DIR) {
        return page_of_backend(request, &bucket, lsmsg, size).await;
    }
    let size = if size == 0 { DEFAULT_PAGE_SIZE } else { size.min(MAX_PAGE) };
    let query = Query {
        prefix: lsmsg.prefix.trim_end_matches('*').to_owned(),
        after: lsmsg.continuation_token.clone().max(lsmsg.start_after.clone()),
        limit: size,
        flat: lsmsg.has(flag::NO_RECURSION),
        archives: lsmsg.has(flag::ARCH_DIR),
        names: names_only(&lsmsg),
    };
    let items = request.engine.list(&bucket, query).await?;
    let last = items.last().filter(|_| items.len() >= size).map(|item| item.name().to_owned());
    let wanted = Wanted::new(request, &lsmsg);
    Ok(Page {
        uuid: if lsmsg.uuid.is_empty() { id::new() } else { lsmsg.uuid },
        continuation_token: last.unwrap_or_default(),
        entries: items.into_iter().map(|item| wanted.entry(item)).collect(),
        flags: 0,
    })
}

/// A page of what the backend has, or of an inventory of it.
async fn page_of_backend(
    request: &Request,
    bucket: &Bucket,
    lsmsg: LsoMsg,
    size: usize,
) -> Result<Page> {
    let query = RemoteQuery {
        prefix: lsmsg.prefix.trim_end_matches('*').to_owned(),
        token: lsmsg.continuation_token.clone(),
        after: String::new(),
        limit: if size == 0 { REMOTE_PAGE_SIZE } else { size.min(MAX_PAGE) },
        flat: lsmsg.has(flag::NO_RECURSION),
    };
    let inventory = request.header(header::INV_NAME);
    let page = if lsmsg.has(flag::NBI) || !inventory.is_empty() {
        request.engine.list_inventory(bucket, inventory, &query).await?
    } else {
        request.engine.list_there(bucket, &query).await?
    };
    let mut entries = page.entries;
    if lsmsg.has(flag::NOT_CACHED) {
        entries.retain(|entry| entry.here.is_none());
    }
    let (wanted, diff) = (Wanted::new(request, &lsmsg), lsmsg.has(flag::DIFF));
    Ok(Page {
        uuid: if lsmsg.uuid.is_empty() { id::new() } else { lsmsg.uuid },
        continuation_token: page.token,
        entries: entries.into_iter().map(|entry| wanted.remote_entry(entry, diff)).collect(),
        flags: 0,
    })
}

fn check(request: &Request, bucket: &Bucket, lsmsg: &LsoMsg) -> Result<()> {
    let bck = bucket.bck();
    check_prefix(&lsmsg.prefix).map_err(|e| {
        Error::invalid(format!("bad list-objects request: {e}")).with_code("errInvalidPath")
    })?;
    if !lsmsg.uuid.is_empty() && !id::is_valid(&lsmsg.uuid) {
        return Err(Error::invalid(format!("list-objects: invalid UUID \"{}\"", lsmsg.uuid)));
    }
    if bucket.is_remote() {
        return check_remote(bck, lsmsg);
    }
    if lsmsg.has(flag::NOT_CACHED) {
        return Err(Error::invalid(format!(
            "{bck} is not a remote bucket - cannot list 'not cached' objects"
        )));
    }
    if lsmsg.has(flag::DIFF) {
        return Err(Error::invalid(format!(
            "cannot perform remote versions check (or diff vs remote bucket): bucket {bck} does not provide remote versioning"
        )));
    }
    if lsmsg.has(flag::NBI) || !request.header(header::INV_NAME).is_empty() {
        return Err(Error::invalid(format!("bucket \"{bck}\" has no inventories")));
    }
    Ok(())
}

fn check_remote(bck: &Bck, lsmsg: &LsoMsg) -> Result<()> {
    if !lsmsg.start_after.is_empty() {
        return Err(Error::invalid(format!(
            "list-objects option --start_after ({}) not yet supported for remote buckets ({bck})",
            lsmsg.start_after
        )));
    }
    if lsmsg.has(flag::CACHED) && lsmsg.has(flag::NOT_CACHED) {
        return Err(Error::invalid(format!(
            "{bck}: 'cached' and 'not cached' objects cannot both be the only ones to list"
        )));
    }
    let nothing_to_compare = lsmsg.has(flag::CACHED)
        || lsmsg.has(flag::NAME_ONLY)
        || lsmsg.has(flag::NAME_SIZE)
        || !lsmsg.wants("custom");
    if lsmsg.has(flag::DIFF) && nothing_to_compare {
        return Err(Error::invalid(format!(
            "cannot perform remote versions check (or diff vs remote bucket) of {bck}: it needs the property 'custom', and not only names, sizes or cached objects"
        )));
    }
    Ok(())
}

fn names_only(lsmsg: &LsoMsg) -> bool {
    lsmsg.has(flag::NAME_ONLY) || lsmsg.props == "name"
}

/// What entries tell.
struct Wanted {
    size: bool,
    checksum: bool,
    atime: bool,
    version: bool,
    location: Option<String>,
    copies: bool,
    custom: bool,
    chunked: bool,
    layout: String,
}

impl Wanted {
    fn new(request: &Request, lsmsg: &LsoMsg) -> Self {
        let names = names_only(lsmsg);
        let sizes = lsmsg.has(flag::NAME_SIZE) || lsmsg.props == "name,size";
        let default = lsmsg.props.is_empty();
        let cached = lsmsg.has(flag::CACHED);
        let more = !names && !sizes;
        let wants = |prop: &str| more && lsmsg.wants(prop);
        Self {
            size: !names && (sizes || default || lsmsg.wants("size")),
            checksum: wants("checksum") || (more && default && cached),
            atime: wants("atime") || (more && default && cached),
            version: wants("version"),
            location: wants("location").then(|| request.engine.location()),
            copies: wants("copies"),
            custom: wants("custom"),
            chunked: wants("chunked"),
            layout: lsmsg.time_format.clone(),
        }
    }

    /// An object as its backend tells it, and what is here of it.
    fn remote_entry(&self, of: RemoteEntry, diff: bool) -> Entry {
        let RemoteEntry { name, there, here } = of;
        let Some(there) = there else {
            return Entry { name, flags: entry_flag::DIR, ..Entry::default() };
        };
        let changed = here.as_ref().is_some_and(|here| !is_same(here, &there));
        let mut entry = Entry { name, ..Entry::default() };
        if let Some(here) = here {
            // Times and places are those of the copy.
            entry.flags = entry_flag::CACHED;
            self.describe(&mut entry, here);
        }
        if self.size {
            entry.size = i64::try_from(there.size).unwrap_or(i64::MAX);
        }
        if self.checksum {
            let checksum = there.custom("md5").unwrap_or(&there.checksum);
            checksum.clone_into(&mut entry.checksum);
        }
        if self.version {
            there.custom("version").unwrap_or_default().clone_into(&mut entry.version);
        }
        if self.custom {
            entry.custom = custom_text(&there);
        }
        if diff && changed {
            entry.flags |= entry_flag::VERSION_CHANGED;
        }
        entry
    }

    fn entry(&self, item: Item) -> Entry {
        match item {
            Item::Directory(name) => Entry { name, flags: entry_flag::DIR, ..Entry::default() },
            Item::Member { name, size } => {
                let flags = entry_flag::CACHED | entry_flag::IN_ARCHIVE;
                Entry { name, size: self.size_of(size), flags, ..Entry::default() }
            }
            Item::Object { name, meta, archive } => {
                let mut entry = Entry { name, flags: entry_flag::CACHED, ..Entry::default() };
                if archive {
                    entry.flags |= entry_flag::ARCHIVE;
                }
                if let Some(meta) = meta {
                    self.describe(&mut entry, *meta);
                }
                entry
            }
        }
    }

    fn size_of(&self, size: u64) -> i64 {
        if self.size { i64::try_from(size).unwrap_or(i64::MAX) } else { 0 }
    }

    fn describe(&self, entry: &mut Entry, meta: ObjectMeta) {
        entry.size = self.size_of(meta.size);
        if self.chunked && meta.chunked {
            entry.flags |= entry_flag::CHUNKED;
        }
        if self.custom {
            entry.custom = custom_text(&meta);
        }
        if self.checksum {
            entry.checksum = meta.checksum;
        }
        if self.atime {
            entry.atime = go_layout(&self.layout, from_nanos(meta.atime));
        }
        if self.version && meta.version > 0 {
            entry.version = meta.version.to_string();
        }
        if let Some(location) = &self.location {
            entry.location.clone_from(location);
        }
        if self.copies {
            entry.copies = 1;
        }
    }
}

/// Custom properties as AIStore lists them.
fn custom_text(meta: &ObjectMeta) -> String {
    if meta.custom.is_empty() {
        return String::new();
    }
    let pairs: Vec<_> = meta.custom.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("[{}]", pairs.join(" "))
}
