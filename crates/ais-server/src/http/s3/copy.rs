//! Copies inside the server: of objects, and of a range of one as a part of an upload.

use std::ops::Range;
use std::time::Instant;

use percent_encoding::percent_decode_str;

use super::checksum::{Algorithm, Announced, Digests, Sums, base64, hex};
use super::conditions::{Conditions, OBJECT, SOURCE, Verdict};
use super::facts::{self, Fact};
use super::fault::{Fault, Result};
use super::get::bad_key;
use super::put::present;
use super::xml::Xml;
use super::{Call, check_version, document, find_bucket, iso_time, multipart, permissions};
use crate::engine::content::PIECE;
use crate::engine::pour::Sink;
use crate::engine::{Content, Op, PutOptions, Work as _};
use crate::error::{Error, ErrorKind};
use crate::http::Reply;
use crate::http::objects::etag;
use crate::storage::ObjectMeta;

/// The source of a copy, open.
struct Source {
    meta: ObjectMeta,
    content: Content,
    /// Whether it is the destination, too.
    is_same: bool,
}

async fn open(call: &Call) -> Result<Source> {
    let text = call.header("x-amz-copy-source");
    let invalid = || {
        Fault::invalid("copy source must have the form bucket/key, with the key percent-encoded")
    };
    let (path, version) = match text.split_once("?versionId=") {
        Some((path, version)) => (path, version),
        None => (text, ""),
    };
    check_version(version)?;
    let path = percent_decode_str(path).decode_utf8().map_err(|_| invalid())?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    let (bucket, key) = path.split_once('/').ok_or_else(invalid)?;
    if bucket.is_empty() || key.is_empty() {
        return Err(invalid());
    }
    let source = find_bucket(&call.request, bucket)?;
    permissions::check_source(call, &source)?;
    let opened = call.request.engine.open(&source, key).await;
    let (meta, content) = opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Fault::no_key(key),
        _ => bad_key(error),
    })?;
    match Conditions::of(&call.request.headers, &SOURCE).of_read(&meta) {
        Verdict::Go => {}
        Verdict::NotModified => return Err(Fault::precondition("of the copy source")),
        Verdict::Failed(condition) => return Err(Fault::precondition(condition)),
    }
    let is_same = bucket == call.bucket && key == call.key;
    Ok(Source { meta, content, is_same })
}

/// Writes a range of the source into a sink. Blocks.
fn write(
    source: &Content,
    range: Range<u64>,
    sink: &mut impl Sink,
    digests: &mut Digests,
) -> crate::Result<()> {
    let mut at = range.start;
    while at < range.end {
        let len = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(PIECE);
        let bytes = source.read_at(at, len)?;
        if bytes.is_empty() {
            return Err(Error::internal("the source of a copy ended early"));
        }
        at += bytes.len() as u64;
        digests.update(&bytes);
        sink.write_bytes(bytes)?;
    }
    Ok(())
}

fn digests(algorithm: Option<Algorithm>) -> Digests {
    let mut announced = Announced::default();
    announced.choose(algorithm);
    Digests::new(&announced)
}

pub(super) async fn copy(call: &Call) -> Result<Reply> {
    let started = Instant::now();
    let engine = &call.request.engine;
    match copied(call).await {
        Ok(meta) => {
            engine.counters().done(Op::Put, meta.size, started.elapsed());
            Ok(result("CopyObjectResult", meta.mtime, &etag(&meta), &sums_of(&meta)))
        }
        Err(fault) => {
            engine.counters().failed(Op::Put);
            Err(fault)
        }
    }
}

async fn copied(call: &Call) -> Result<ObjectMeta> {
    let bucket = call.bucket()?;
    let replaces = |name: &str| match call.header(name) {
        "" | "COPY" => Ok(false),
        "REPLACE" => Ok(true),
        other => Err(Fault::invalid(format!("{name} must be COPY or REPLACE, not {other:?}"))),
    };
    let (new_facts, new_tags) =
        (replaces("x-amz-metadata-directive")?, replaces("x-amz-tagging-directive")?);
    let said = facts::of_headers(&call.request.headers)?;
    let algorithm = match call.header("x-amz-checksum-algorithm") {
        "" => None,
        name => Some(Algorithm::parse(name)?),
    };
    let source = open(call).await?;
    if source.is_same && !new_facts && !new_tags {
        let text = "this copy request is illegal because it is trying to copy an object to itself without changing the object's metadata";
        return Err(Fault::new(400, "InvalidRequest", text));
    }
    let conditions = Conditions::of(&call.request.headers, &OBJECT);
    let present = present(call, &bucket, &conditions).await?;
    let mut custom = kept(&source.meta, said, new_facts, new_tags);
    // Content that was written without a checksum, or with another one, gets the one that is asked for.
    let known = Algorithm::ALL.into_iter().find(|kind| source.meta.custom(kind.header()).is_some());
    let algorithm = algorithm.or(known);
    let (key, size) = (call.key.clone(), source.content.size());
    let written = call.request.engine.heavy(move |engine| {
        let mut writer = engine.write_blocking(&bucket, &key, PutOptions::default())?;
        let mut digests = digests(algorithm);
        write(&source.content, 0..size, &mut writer, &mut digests)?;
        Ok((writer.seal()?, digests.finish()))
    });
    let (sealed, sums) = written.await.map_err(bad_key)?;
    custom.extend(facts::facts_of(sealed.meta(), &sums));
    let sealed = sealed.with_custom(custom);
    let sealed = match &present {
        Some(present) => sealed.over(present.as_ref()),
        None => sealed,
    };
    match sealed.commit().await {
        Err(error) if error.kind() == ErrorKind::Conflict => {
            Err(Fault::new(409, "ConditionalRequestConflict", error.message()))
        }
        other => Ok(other?),
    }
}

/// What is said of the copy: what was said of the source, or what the request says.
fn kept(source: &ObjectMeta, said: Vec<Fact>, new_facts: bool, new_tags: bool) -> Vec<Fact> {
    let is_tags = |fact: &Fact| fact.0 == facts::TAGGING;
    let is_new = |fact: &Fact| if is_tags(fact) { new_tags } else { new_facts };
    let old = source.custom.iter().filter(|fact| facts::is_said(&fact.0) && !is_new(fact)).cloned();
    old.chain(said.into_iter().filter(|fact| is_new(fact))).collect()
}

/// The part of an upload that is a range of an object.
pub(super) async fn part(call: &Call) -> Result<Reply> {
    let bucket = call.bucket()?;
    let number = multipart::number(call, &bucket).await?;
    let source = open(call).await?;
    let range = range(call.header("x-amz-copy-source-range"), source.content.size())?;
    let algorithm = multipart::algorithm(&multipart::upload(call, &bucket).await?);
    let mut piece = call.request.engine.piece().await?;
    let written = call.request.engine.heavy(move |_| {
        let mut digests = digests(algorithm);
        write(&source.content, range, &mut piece, &mut digests)?;
        Ok((piece, digests.finish()))
    });
    let (piece, sums) = written.await?;
    multipart::keep(call, &bucket, number, piece, &sums).await?;
    let tag = format!("\"{}\"", hex(&sums.md5));
    Ok(result("CopyPartResult", crate::engine::now(), &tag, &sums_of_part(&sums)))
}

/// `bytes=first-last`: nothing else is possible here.
fn range(text: &str, size: u64) -> Result<Range<u64>> {
    if text.is_empty() {
        return Ok(0..size);
    }
    let parsed = text.strip_prefix("bytes=").and_then(|text| text.split_once('-'));
    let parsed = parsed.and_then(|(first, last)| {
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?.checked_add(1)?))
    });
    match parsed {
        Some((first, end)) if first < end && end <= size => Ok(first..end),
        _ => {
            let text = format!(
                "x-amz-copy-source-range must be bytes=first-last, inside the {size} bytes of the source"
            );
            Err(Fault::invalid(text))
        }
    }
}

fn sums_of(meta: &ObjectMeta) -> Option<(Algorithm, String)> {
    let mut all = Algorithm::ALL.into_iter();
    all.find_map(|kind| Some((kind, meta.custom(kind.header())?.to_owned())))
}

fn sums_of_part(sums: &Sums) -> Option<(Algorithm, String)> {
    sums.chosen.as_ref().map(|(kind, value)| (*kind, base64(value)))
}

fn result(root: &'static str, time: i64, tag: &str, sum: &Option<(Algorithm, String)>) -> Reply {
    let mut xml = Xml::new(root);
    xml.text("LastModified", iso_time(time)).text("ETag", tag);
    if let Some((algorithm, value)) = sum {
        xml.text(algorithm.element(), value);
    }
    document(xml)
}
