//! Listing objects.

use std::time::Instant;

use holdall_ais_wire::action::ActMsg;
use holdall_ais_wire::list::{DEFAULT_PAGE_SIZE, Entry, LsoMsg, Page, entry_flag, flag};
use holdall_ais_wire::name::check_prefix;
use holdall_ais_wire::value::{from_nanos, go_layout};
use holdall_ais_wire::{header, id};
use http::header::{ACCEPT, CONTENT_TYPE};

use super::reply::{json, ok, set};
use super::request::value;
use super::{Body, Reply, Request};
use crate::engine::list::{Item, Query};
use crate::engine::{Bucket, Op};
use crate::error::{Error, Result};

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
    let bucket = request.bucket(name)?;
    check(request, &bucket, &lsmsg)?;
    let size = usize::try_from(lsmsg.pagesize)
        .map_err(|_| Error::invalid(format!("invalid page size {}", lsmsg.pagesize)))?;
    let size = if size == 0 { DEFAULT_PAGE_SIZE } else { size.min(MAX_PAGE) };
    let query = Query {
        prefix: lsmsg.prefix.trim_end_matches('*').to_owned(),
        after: lsmsg.continuation_token.clone().max(lsmsg.start_after.clone()),
        limit: size,
        flat: lsmsg.has(flag::NO_RECURSION),
        archives: lsmsg.has(flag::ARCH_DIR),
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

fn check(request: &Request, bucket: &Bucket, lsmsg: &LsoMsg) -> Result<()> {
    let bck = bucket.bck();
    check_prefix(&lsmsg.prefix).map_err(|e| {
        Error::invalid(format!("bad list-objects request: {e}")).with_code("errInvalidPath")
    })?;
    if !lsmsg.uuid.is_empty() && !id::is_valid(&lsmsg.uuid) {
        return Err(Error::invalid(format!("list-objects: invalid UUID \"{}\"", lsmsg.uuid)));
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
        let names = lsmsg.has(flag::NAME_ONLY) || lsmsg.props == "name";
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

    fn entry(&self, item: Item) -> Entry {
        let signed =
            |size: u64| if self.size { i64::try_from(size).unwrap_or(i64::MAX) } else { 0 };
        match item {
            Item::Directory(name) => Entry { name, flags: entry_flag::DIR, ..Entry::default() },
            Item::Member { name, size } => {
                let flags = entry_flag::CACHED | entry_flag::IN_ARCHIVE;
                Entry { name, size: signed(size), flags, ..Entry::default() }
            }
            Item::Object { name, meta, archive } => {
                let mut entry = Entry {
                    name,
                    size: signed(meta.size),
                    flags: entry_flag::CACHED,
                    ..Entry::default()
                };
                if archive {
                    entry.flags |= entry_flag::ARCHIVE;
                }
                if self.chunked && meta.chunked {
                    entry.flags |= entry_flag::CHUNKED;
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
                if self.custom && !meta.custom.is_empty() {
                    let pairs: Vec<_> =
                        meta.custom.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                    entry.custom = format!("[{}]", pairs.join(" "));
                }
                entry
            }
        }
    }
}
