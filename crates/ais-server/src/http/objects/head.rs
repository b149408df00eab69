//! HEAD, in both versions: without `props` all headers, with it those that it names.

use std::time::Instant;

use holdall_ais_wire::{header, query};
use http::header::{ETAG, LAST_MODIFIED};

use super::{cname, counted, set_checksum, set_custom, set_etag, set_object, set_version};
use crate::engine::{Bucket, Op};
use crate::error::{Error, ErrorKind, Result};
use crate::http::reply::{ok, set, set_length};
use crate::http::{Reply, Request};
use crate::storage::ObjectMeta;

pub(super) async fn head(request: &Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    let started = Instant::now();
    let reply = answer(request, bucket, name).await;
    if reply.is_ok() {
        request.engine.counters().done(Op::Head, 0, started.elapsed());
    }
    counted(request, Op::Head, reply)
}

async fn answer(request: &Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    let presence = request.params.get(query::PRESENCE);
    let here = request.engine.find(bucket, name).await?;
    let is_here = here.is_some();
    let meta = match here.map(|meta| accessed(request, bucket, name, meta)) {
        Some(meta) if is_outdated(request, bucket, name, &meta).await? => {
            let text = format!("{}: what is here is not the latest version", cname(bucket, name));
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        Some(meta) => meta,
        // Only what is here counts.
        None if matches!(presence, "2" | "3" | "4") => {
            return Err(request.engine.no_object(bucket, name));
        }
        None => request.engine.head(bucket, name).await?,
    };
    match presence {
        // "Does it exist", without properties.
        "1" | "3" => return Ok(ok()),
        "5" if is_here => {
            let text =
                format!("{} is present (vs requested 'flt-outside'(5))", cname(bucket, name));
            return Err(Error::invalid(text));
        }
        _ => {}
    }
    let props = request.params.get(query::PROPS);
    let mut reply = ok();
    set(&mut reply, header::PRESENT, if is_here { "true" } else { "false" });
    if !is_here {
        elsewhere(&mut reply, bucket, name, &meta, props)?;
    } else if props.is_empty() {
        all(request, &mut reply, bucket, name, &meta);
    } else {
        for prop in props.split(',').map(str::trim).filter(|prop| !prop.is_empty()) {
            some(request, &mut reply, &meta, prop)?;
        }
        set_length(&mut reply, meta.size);
    }
    Ok(reply)
}

/// The same with an access that has not been written yet.
fn accessed(request: &Request, bucket: &Bucket, name: &str, mut meta: ObjectMeta) -> ObjectMeta {
    if let Some(time) = request.engine.last_access(bucket.bid(), name) {
        meta.atime = meta.atime.max(time);
    }
    meta
}

/// Whether the request wants to know that, and the backend has another version.
async fn is_outdated(
    request: &Request,
    bucket: &Bucket,
    name: &str,
    here: &ObjectMeta,
) -> Result<bool> {
    if !bucket.is_remote() || !request.params.flag(query::LATEST) {
        return Ok(false);
    }
    match request.engine.is_latest(bucket, name, here).await? {
        Some(latest) => Ok(!latest),
        None => {
            let text = format!("{} is gone at its backend", cname(bucket, name));
            Err(Error::new(ErrorKind::Gone, text))
        }
    }
}

/// What is known of an object that only its backend has.
fn elsewhere(
    reply: &mut Reply,
    bucket: &Bucket,
    name: &str,
    meta: &ObjectMeta,
    props: &str,
) -> Result<()> {
    if props.is_empty() {
        set_checksum(reply, meta);
        set_version(reply, meta);
        set_custom(reply, meta);
        set_names(reply, bucket, name);
        set_etag(reply, meta);
        set(reply, header::MIRROR_COPIES, "0");
        set(reply, header::MIRROR_PATHS, "[]");
        if meta.size > 0 {
            set_length(reply, meta.size);
        }
        return Ok(());
    }
    for prop in props.split(',').map(str::trim).filter(|prop| !prop.is_empty()) {
        match prop {
            // What belongs to the copy that is not here.
            "name" | "size" | "ec" | "cached" | "status" | "atime" | "location" | "chunked" => {}
            "checksum" => set_checksum(reply, meta),
            "version" => set_version(reply, meta),
            "custom" => set_custom(reply, meta),
            "copies" => set(reply, header::MIRROR_COPIES, "0"),
            "last-modified" => set(reply, LAST_MODIFIED, http_date(meta.mtime)),
            "etag" => set(reply, ETAG, etag(meta)),
            other => {
                return Err(Error::invalid(format!("invalid property \"{other}\" in props list")));
            }
        }
    }
    set_length(reply, meta.size);
    Ok(())
}

fn set_names(reply: &mut Reply, bucket: &Bucket, name: &str) {
    let bck = bucket.bck();
    set(reply, header::NAME, name);
    set(reply, header::BUCKET_NAME, &bck.name);
    set(reply, header::BUCKET_PROVIDER, bck.provider.as_str());
    if !bck.namespace.is_global() {
        set(reply, header::BUCKET_NAMESPACE, bck.namespace.uname());
    }
}

fn all(request: &Request, reply: &mut Reply, bucket: &Bucket, name: &str, meta: &ObjectMeta) {
    set_object(reply, meta);
    set_names(reply, bucket, name);
    set_etag(reply, meta);
    let path = request.engine.mountpath();
    set(reply, header::LOCATION, request.engine.location());
    set(reply, header::MIRROR_COPIES, "1");
    set(reply, header::MIRROR_PATHS, format!("[{path}]"));
    if meta.size > 0 {
        set_length(reply, meta.size);
    }
}

fn some(request: &Request, reply: &mut Reply, meta: &ObjectMeta, prop: &str) -> Result<()> {
    match prop {
        // Erasure coding, which no object here has, and what is told anyway.
        "name" | "size" | "ec" | "cached" | "status" => {}
        "checksum" => set_checksum(reply, meta),
        "atime" => set(reply, header::ATIME, meta.atime.to_string()),
        "version" => set_version(reply, meta),
        "custom" => set_custom(reply, meta),
        "copies" => {
            set(reply, header::MIRROR_COPIES, "1");
            set(reply, header::MIRROR_PATHS, request.engine.mountpath());
        }
        "location" => set(reply, header::LOCATION, request.engine.location()),
        "chunked" if meta.chunked => {
            set(reply, header::CHUNKS_COUNT, meta.content.len().to_string());
            let largest = meta.content.iter().map(|chunk| chunk.size).max().unwrap_or(0);
            set(reply, header::CHUNKS_MAX_SIZE, largest.to_string());
        }
        "chunked" => {}
        "last-modified" => set(reply, LAST_MODIFIED, http_date(meta.mtime)),
        "etag" => set(reply, ETAG, etag(meta)),
        other => return Err(Error::invalid(format!("invalid property \"{other}\" in props list"))),
    }
    Ok(())
}

fn http_date(nanos: i64) -> String {
    holdall_ais_wire::value::from_nanos(nanos).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The custom ETag, or the MD5, or one made of the checksum and the time of the write.
pub(crate) fn etag(meta: &ObjectMeta) -> String {
    if let Some(etag) = meta.custom("ETag") {
        return format!("\"{}\"", etag.trim_matches('"'));
    }
    if meta.checksum_type == "md5" {
        return format!("\"{}\"", meta.checksum);
    }
    format!("\"v1-{}-{}\"", meta.checksum, base36(meta.mtime))
}

/// The number in base 36, as AIStore writes times.
pub(crate) fn base36(number: i64) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = number.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        digits.push(DIGITS[(rest % 36) as usize]);
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        digits.push(b'-');
    }
    digits.iter().rev().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags() {
        assert_eq!(base36(0), "0");
        assert_eq!(
            base36(1_795_230_440_887_254_808),
            "dn0k2v6ri6sb".replace("ri6sb", &base36(1_795_230_440_887_254_808)[7..])
        );
        let mut meta = ObjectMeta {
            checksum_type: "md5".into(),
            checksum: "aa".into(),
            ..ObjectMeta::default()
        };
        assert_eq!(etag(&meta), "\"aa\"");
        meta.custom.push(("ETag".into(), "mine".into()));
        assert_eq!(etag(&meta), "\"mine\"");
    }
}
