//! `/ui`: pages to look at buckets, objects, jobs and throughput with, and the data behind them, `/ui/api`.
//!
//! The pages are plain files inside the program. They load nothing from elsewhere, run no code but their own, and never
//! make markup of text: names and contents of objects are strangers' words. The data are small JSON documents for GETs
//! without a body, which is all that a browser can send; contents come from `/v1/objects`.

use holdall_ais_wire::Bck;
use holdall_ais_wire::authn::access;
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::access::allow;
use super::reply::{self, not_allowed, ok, set, status};
use super::{Body, Reply, Request};
use crate::engine::list::{Item, Query};
use crate::engine::remote::{RemoteEntry, RemoteQuery};
use crate::engine::{Bucket, Work as _};
use crate::error::{Error, Result};
use crate::storage::ObjectMeta;

/// The files: name, type, content.
const FILES: [(&str, &str, &str); 13] = [
    ("", "text/html; charset=utf-8", include_str!("../../ui/index.html")),
    ("style.css", "text/css; charset=utf-8", include_str!("../../ui/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("../../ui/icon.svg")),
    ("main.js", JS, include_str!("../../ui/main.js")),
    ("api.js", JS, include_str!("../../ui/api.js")),
    ("dom.js", JS, include_str!("../../ui/dom.js")),
    ("format.js", JS, include_str!("../../ui/format.js")),
    ("buckets.js", JS, include_str!("../../ui/buckets.js")),
    ("objects.js", JS, include_str!("../../ui/objects.js")),
    ("object.js", JS, include_str!("../../ui/object.js")),
    ("stac.js", JS, include_str!("../../ui/stac.js")),
    ("jobs.js", JS, include_str!("../../ui/jobs.js")),
    ("activity.js", JS, include_str!("../../ui/activity.js")),
];
const JS: &str = "text/javascript; charset=utf-8";

/// Only this server's own code, style and data; pictures that the page made of objects.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Most items of a page of a listing.
const MAX_ITEMS: usize = 1000;
/// Objects that are counted for the size of a bucket; a larger one is shown as "more than".
const MAX_COUNTED: usize = 20_000;
/// The same for a bucket of a backend, which is asked: that may take its time, and cost money.
const MAX_COUNTED_THERE: usize = 2000;
/// Jobs that are shown, the latest first.
const MAX_JOBS: usize = 200;

/// Whether a path belongs to the pages or their data.
pub(super) fn is_path(path: &str) -> bool {
    path == "/ui" || path.starts_with("/ui/")
}

/// Sends browsers that ask for nothing in particular to the pages.
pub(super) fn welcome(request: &Request) -> Option<Reply> {
    let is_browser = request.path == "/"
        && request.method == Method::GET
        && request.header("accept").contains("text/html");
    is_browser.then(to_pages)
}

fn to_pages() -> Reply {
    let mut reply = status(StatusCode::FOUND);
    set(&mut reply, http::header::LOCATION, "/ui/");
    reply
}

pub(super) async fn route(request: Request) -> Result<Reply> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(not_allowed("GET, HEAD"));
    }
    let Some(name) = request.path.strip_prefix("/ui/") else { return Ok(to_pages()) };
    let Some(what) = name.strip_prefix("api/") else { return file(name) };
    let mut reply = reply::json(&data(&request, what).await?)?;
    set(&mut reply, http::header::CACHE_CONTROL, "no-store");
    set(&mut reply, http::header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    Ok(reply)
}

fn file(name: &str) -> Result<Reply> {
    let found = FILES.iter().find(|(known, _, _)| *known == name);
    let (_, kind, content) =
        found.ok_or_else(|| Error::not_found(format!("/ui/{name} does not exist")))?;
    let mut reply = ok();
    set(&mut reply, http::header::CONTENT_TYPE, kind);
    set(&mut reply, http::header::CONTENT_SECURITY_POLICY, POLICY);
    set(&mut reply, http::header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(&mut reply, http::header::REFERRER_POLICY, "no-referrer");
    // Another version of the program has other files.
    set(&mut reply, http::header::CACHE_CONTROL, "no-cache");
    *reply.body_mut() = Body::whole(*content);
    Ok(reply)
}

/// A document, for who has the permission that AIStore's API would ask for.
async fn data(request: &Request, what: &str) -> Result<Value> {
    let of_cluster = |perms| allow(request, None, perms);
    match what {
        "status" => {
            of_cluster(access::SHOW_CLUSTER)?;
            server(request).await
        }
        "jobs" => {
            of_cluster(access::SHOW_CLUSTER)?;
            Ok(jobs(request))
        }
        "buckets" => {
            of_cluster(access::LIST_BUCKETS)?;
            Ok(json!(buckets(request)))
        }
        "size" => size(request, &bucket(request, access::OBJ_LIST)?).await,
        "objects" => objects(request, &bucket(request, access::OBJ_LIST)?).await,
        "object" => one(request, &bucket(request, access::OBJ_HEAD)?).await,
        _ => Err(Error::not_found(format!("/ui/api/{what} does not exist"))),
    }
}

/// What the server is and did: samples after `since`, in milliseconds since 1970.
async fn server(request: &Request) -> Result<Value> {
    let engine = &request.engine;
    let since = request.params.get("since").parse().unwrap_or(0);
    let space = engine.blocking(|engine| Ok(engine.storage().blobs().space()?)).await?;
    Ok(json!({
        "url": engine.url(),
        "version": env!("CARGO_PKG_VERSION"),
        "node": engine.target_id(),
        "path": engine.mountpath(),
        "uptime_seconds": engine.counters().uptime().as_secs(),
        "used_bytes": space.used,
        "free_bytes": space.avail,
        "now": engine.sample(),
        "samples": engine.history().since(since),
    }))
}

#[derive(Serialize)]
struct BucketRow {
    name: String,
    provider: &'static str,
    namespace: String,
    created_millis: i64,
}

fn buckets(request: &Request) -> Vec<BucketRow> {
    let all = request.engine.list_buckets(None);
    let row = |bucket: &Bucket| {
        let bck = bucket.bck();
        BucketRow {
            name: bck.name.clone(),
            provider: bck.provider.as_str(),
            namespace: if bck.namespace.is_global() {
                String::new()
            } else {
                bck.namespace.uname()
            },
            created_millis: bucket.props().created / 1_000_000,
        }
    };
    all.iter().map(row).collect()
}

/// The bucket that is asked about, for who has these permissions of it.
fn bucket(request: &Request, perms: u64) -> Result<Bucket> {
    let bck: Bck = request.params.bck(request.params.get("bucket"))?;
    allow(request, Some(&bck), perms)?;
    request.engine.bucket(&bck)
}

/// How much a bucket holds, as far as it is quickly counted.
async fn size(request: &Request, bucket: &Bucket) -> Result<Value> {
    if request.engine.reaches(bucket) {
        let query = RemoteQuery { limit: MAX_COUNTED_THERE, ..RemoteQuery::default() };
        let page = request.engine.list_there(bucket, &query).await?;
        let bytes: u64 =
            page.entries.iter().filter_map(|entry| Some(entry.there.as_ref()?.size)).sum();
        let is_more = !page.token.is_empty();
        return Ok(json!({"objects": page.entries.len(), "bytes": bytes, "is_more": is_more}));
    }
    let rows = request.engine.scan(bucket, "", None, MAX_COUNTED + 1).await?;
    let is_more = rows.len() > MAX_COUNTED;
    let counted = &rows[..rows.len().min(MAX_COUNTED)];
    let bytes: u64 = counted.iter().map(|(_, meta)| meta.size).sum();
    Ok(json!({"objects": counted.len(), "bytes": bytes, "is_more": is_more}))
}

/// A page of one level of a bucket.
async fn objects(request: &Request, bucket: &Bucket) -> Result<Value> {
    let params = &request.params;
    let limit = params.get("limit").parse().unwrap_or(100).clamp(1, MAX_ITEMS);
    if request.engine.reaches(bucket) {
        return objects_there(request, bucket, limit).await;
    }
    let query = Query {
        prefix: params.get("prefix").to_owned(),
        after: params.get("after").to_owned(),
        limit: limit + 1,
        flat: true,
        archives: false,
        names: false,
    };
    let mut items = request.engine.list(bucket, query).await?;
    let is_more = items.len() > limit;
    items.truncate(limit);
    let after = items.last().filter(|_| is_more).map(|item| item.name().to_owned());
    let rows: Vec<Value> = items.into_iter().map(row).collect();
    // What is known from a time when there was a backend is not all of the bucket.
    Ok(json!({"items": rows, "after": after, "is_part": bucket.is_remote()}))
}

/// A page of one level of what a backend has, with what is kept here of it.
async fn objects_there(request: &Request, bucket: &Bucket, limit: usize) -> Result<Value> {
    let query = RemoteQuery {
        prefix: request.params.get("prefix").to_owned(),
        token: request.params.get("after").to_owned(),
        after: String::new(),
        limit,
        flat: true,
    };
    let page = request.engine.list_there(bucket, &query).await?;
    let after = Some(page.token).filter(|token| !token.is_empty());
    let row = |entry: RemoteEntry| {
        let (name, is_kept) = (entry.name.clone(), entry.here.is_some());
        let Some(meta) = entry.into_meta() else { return folder(&name) };
        let mut row = object(&name, &meta);
        row["is_kept"] = is_kept.into();
        row
    };
    let rows: Vec<Value> = page.entries.into_iter().map(row).collect();
    Ok(json!({"items": rows, "after": after}))
}

/// What is known of one object.
async fn one(request: &Request, bucket: &Bucket) -> Result<Value> {
    let name = request.params.get("name");
    let meta = request.engine.head(bucket, name).await?;
    Ok(object(name, &meta))
}

fn row(item: Item) -> Value {
    match item {
        Item::Object { name, meta: Some(meta), .. } => object(&name, &meta),
        Item::Object { name, meta: None, .. } => json!({"name": name}),
        Item::Directory(name) | Item::Member { name, .. } => folder(&name),
    }
}

fn folder(name: &str) -> Value {
    json!({"name": name, "is_folder": true})
}

fn object(name: &str, meta: &ObjectMeta) -> Value {
    json!({
        "name": name,
        "size": meta.size,
        "modified_millis": meta.mtime / 1_000_000,
        "version": meta.version,
        "checksum_type": meta.checksum_type,
        "checksum": meta.checksum,
        "etag": super::objects::etag(meta),
        "parts": meta.content.len(),
        "custom": meta.custom,
    })
}

/// Jobs, the latest first.
fn jobs(request: &Request) -> Value {
    let jobs = request.engine.jobs();
    let mut all = jobs.all();
    all.sort_by_key(|job| std::cmp::Reverse(job.started()));
    all.truncate(MAX_JOBS);
    let name = |bck: &Option<Bck>| bck.as_ref().map(Bck::cname);
    let rows = all.iter().map(|job| {
        let snap = job.snap();
        json!({
            "id": snap.id,
            "kind": snap.kind,
            "about": snap.ctlmsg,
            "bucket": name(&snap.bck),
            "from": name(&snap.src_bck),
            "to": name(&snap.dst_bck),
            "started_millis": snap.start_time.map(|time| time.timestamp_millis()),
            "ended_millis": snap.end_time.map(|time| time.timestamp_millis()),
            "is_running": snap.end_time.is_none(),
            "is_stopped": snap.aborted,
            "objects": snap.stats.loc_objs,
            "bytes": snap.stats.loc_bytes,
            "error": if snap.abort_err.is_empty() { snap.err } else { snap.abort_err },
        })
    });
    rows.collect()
}
