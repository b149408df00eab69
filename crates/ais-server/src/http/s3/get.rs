//! GET and HEAD of objects.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::StatusCode;

use super::Call;
use super::conditions::{Conditions, OBJECT, Verdict};
use super::facts;
use super::fault::{Fault, Result};
use crate::engine::{Op, Reading};
use crate::error::{Error, ErrorKind};
use crate::http::objects::body_of;
use crate::http::range::{self, Asked};
use crate::http::reply::{ok, set, set_length};
use crate::http::{Reply, Request};
use crate::storage::ObjectMeta;

/// What is asked of an object.
#[derive(Clone)]
struct Asks {
    conditions: Conditions,
    range: Option<Asked>,
    if_range: String,
    /// Number of a part.
    part: Option<usize>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Whole,
    Part(Range<u64>),
}

impl Asks {
    fn of(call: &Call) -> Result<Self> {
        call.check_version()?;
        let part =
            match call.param("partNumber") {
                "" => None,
                text => Some(text.parse().ok().filter(|n| (1..=10_000).contains(n)).ok_or_else(
                    || Fault::invalid("partNumber must be a number from 1 to 10000"),
                )?),
            };
        // As at AWS, what is no range, and a list of ranges, is answered with the whole.
        let range = range::parse(call.header("range"), "").unwrap_or_default();
        if part.is_some() && range.is_some() {
            let text = "cannot specify both Range header and partNumber query parameter";
            return Err(Fault::new(400, "InvalidRequest", text));
        }
        Ok(Self {
            conditions: Conditions::of(&call.request.headers, &OBJECT),
            range,
            if_range: call.header("if-range").to_owned(),
            part,
        })
    }

    fn answer(&self, meta: &ObjectMeta) -> Result<Answer> {
        match self.conditions.of_read(meta) {
            Verdict::Go => {}
            Verdict::Failed(condition) => return Err(Fault::precondition(condition)),
            Verdict::NotModified => {
                return Err(Fault::new(304, "NotModified", "")
                    .with_header("etag", crate::http::objects::etag(meta))
                    .with_header("last-modified", facts::http_time(meta.mtime)));
            }
        }
        if let Some(number) = self.part {
            return part_of(meta, number).map(Answer::Part);
        }
        let is_same = || {
            let asked = &self.if_range;
            asked.is_empty()
                || super::conditions::lists(asked, &crate::http::objects::etag(meta))
                || *asked == facts::http_time(meta.mtime)
        };
        let Some(asked) = self.range.filter(|_| is_same()) else { return Ok(Answer::Whole) };
        match asked.resolve(meta.size) {
            // No last bytes is no range either.
            Ok(range) if !range.is_empty() => Ok(Answer::Part(range)),
            _ => Err(Fault::new(416, "InvalidRange", "the requested range is not satisfiable")
                .with_header("content-range", format!("bytes */{}", meta.size))),
        }
    }
}

/// The bytes of a part: those of an upload in parts, else the first is everything.
fn part_of(meta: &ObjectMeta, number: usize) -> Result<Range<u64>> {
    if !meta.chunked && number == 1 {
        return Ok(0..meta.size);
    }
    let chunk = meta.content.get(number - 1).filter(|_| meta.chunked);
    let chunk = chunk.ok_or_else(|| {
        Fault::new(416, "InvalidPartNumber", "the requested partnumber is not satisfiable")
    })?;
    let start = meta.content[..number - 1].iter().map(|chunk| chunk.size).sum();
    Ok(start..start + chunk.size)
}

pub(super) async fn get(call: &Call) -> Result<Reply> {
    let started = Instant::now();
    let engine = &call.request.engine;
    let read = read(call).await;
    if read.is_err() {
        engine.counters().failed(Op::Get);
    }
    let (reading, answer, asks) = read?;
    let mut reply = headers(&call.request, &reading.meta, &answer, &asks);
    let len = reading.range.end - reading.range.start;
    *reply.body_mut() = body_of(reading);
    engine.counters().done(Op::Get, len, started.elapsed());
    Ok(reply)
}

async fn read(call: &Call) -> Result<(Reading, Answer, Asks)> {
    let asks = Asks::of(call)?;
    let bucket = call.bucket()?;
    let decided = Arc::new(OnceLock::new());
    let (told, asked) = (Arc::clone(&decided), asks.clone());
    let read = call.request.engine.read(&bucket, &call.key, move |meta| {
        let answer = asked.answer(meta);
        let range = match &answer {
            Ok(Answer::Whole) => Ok(0..meta.size),
            Ok(Answer::Part(range)) => Ok(range.clone()),
            Err(_) => Err(Error::invalid("answered without content")),
        };
        // The closure runs once.
        let _ = told.set(answer);
        range
    });
    let read = read.await;
    let decided = Arc::into_inner(decided).and_then(OnceLock::into_inner);
    match (decided, read) {
        (Some(Err(fault)), _) => Err(fault),
        (Some(Ok(answer)), Ok(reading)) => Ok((reading, answer, asks)),
        (_, Err(error)) => Err(missing(call, error)),
        (None, Ok(_)) => Err(Error::internal("the object was read without being asked for").into()),
    }
}

/// The error of an object that is not there, or of its name.
pub(super) fn missing(call: &Call, error: Error) -> Fault {
    match error.kind() {
        ErrorKind::NotFound => Fault::no_key(&call.key),
        _ => bad_key(error),
    }
}

/// The error of a name that cannot be.
pub(super) fn bad_key(error: Error) -> Fault {
    if error.code() == holdall_ais_wire::error::code::INVALID_PATH
        && error.message().contains("bytes are more than")
    {
        return Fault::new(400, "KeyTooLongError", error.message());
    }
    error.into()
}

fn headers(request: &Request, meta: &ObjectMeta, answer: &Answer, asks: &Asks) -> Reply {
    let mut reply = ok();
    // A checksum of the whole is no checksum of a part of it.
    let with_checksum = request.header("x-amz-checksum-mode").eq_ignore_ascii_case("enabled")
        && *answer == Answer::Whole;
    facts::tell(&mut reply, meta, |name| request.params.get(name), with_checksum);
    // Whoever writes objects chooses their types: a page among them must not act as a page of this server.
    set(&mut reply, http::header::CONTENT_SECURITY_POLICY, "sandbox");
    set(&mut reply, http::header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if let Answer::Part(range) = answer {
        *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
        if !range.is_empty() {
            let (start, end) = (range.start, range.end - 1);
            set(
                &mut reply,
                http::header::CONTENT_RANGE,
                format!("bytes {start}-{end}/{}", meta.size),
            );
        }
    }
    if asks.part.is_some() && meta.chunked {
        set(&mut reply, "x-amz-mp-parts-count", meta.content.len().to_string());
    }
    reply
}

pub(super) async fn head(call: &Call) -> Result<Reply> {
    let started = Instant::now();
    let engine = &call.request.engine;
    let result = describe(call).await;
    match &result {
        Ok(_) => engine.counters().done(Op::Head, 0, started.elapsed()),
        Err(_) => engine.counters().failed(Op::Head),
    }
    result
}

async fn describe(call: &Call) -> Result<Reply> {
    let asks = Asks::of(call)?;
    let bucket = call.bucket()?;
    let meta = call.request.engine.head(&bucket, &call.key).await;
    let meta = meta.map_err(|error| missing(call, error))?;
    let answer = asks.answer(&meta)?;
    let mut reply = headers(&call.request, &meta, &answer, &asks);
    let len = match &answer {
        Answer::Whole => meta.size,
        Answer::Part(range) => range.end - range.start,
    };
    set_length(&mut reply, len);
    Ok(reply)
}

pub(super) async fn acl(call: &Call) -> Result<Reply> {
    let bucket = call.bucket()?;
    let found = call.request.engine.head(&bucket, &call.key).await;
    found.map_err(|error| missing(call, error))?;
    Ok(super::buckets::acl())
}
