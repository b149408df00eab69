//! Uploads in parts. They survive restarts, and are forgotten when no part comes for a day.

use serde::Deserialize;

use super::checksum::{Algorithm, Announced, base64, hex};
use super::conditions::{Conditions, OBJECT};
use super::facts::{self, ETAG, Fact};
use super::fault::{Fault, Result};
use super::get::bad_key;
use super::put::{present, receive_into, tell_checksum};
use super::xml::Xml;
use super::{Call, document, iso_time};
use crate::engine::upload::{PartFacts, UploadEntry, UploadFacts};
use crate::engine::{Bucket, Piece};
use crate::error::{Error, ErrorKind};
use crate::http::Reply;
use crate::http::objects::etag;
use crate::http::reply::{ok, set, status};

/// Most uploads and parts of a page, as in S3.
const MAX_PAGE: usize = 1000;
/// The property of an upload that names its checksum, until it is complete.
const ALGORITHM: &str = "x-amz-checksum-algorithm";
/// The property of an upload that says what its checksum is over.
const TYPE: &str = "x-amz-checksum-type";

pub(super) async fn create(call: &Call) -> Result<Reply> {
    let bucket = call.bucket()?;
    let mut said = facts::of_headers(&call.request.headers)?;
    let (algorithm, kind) = (call.header(ALGORITHM), call.header(TYPE).to_ascii_uppercase());
    if !algorithm.is_empty() {
        let algorithm = Algorithm::parse(algorithm)?;
        let full = match kind.as_str() {
            "" => algorithm.is_full_object(),
            "FULL_OBJECT" if algorithm.combined(&[]).is_some() => true,
            "COMPOSITE" if !algorithm.is_full_object() => false,
            _ => {
                let text =
                    format!("the checksum type {kind} cannot be used with {}", algorithm.as_str());
                return Err(Fault::new(400, "InvalidRequest", text));
            }
        };
        said.push((ALGORITHM.to_owned(), algorithm.as_str().to_owned()));
        let kind = if full { "FULL_OBJECT" } else { "COMPOSITE" };
        said.push((TYPE.to_owned(), kind.to_owned()));
    } else if !kind.is_empty() {
        let text = "x-amz-checksum-type needs x-amz-checksum-algorithm";
        return Err(Fault::new(400, "InvalidRequest", text));
    }
    let facts = said.clone();
    let created = call.request.engine.create_upload_with(&bucket, &call.key, said).await;
    let id = created.map_err(bad_key)?;
    let mut xml = Xml::new("InitiateMultipartUploadResult");
    xml.text("Bucket", &call.bucket).text("Key", &call.key).text("UploadId", &id);
    let mut reply = document(xml);
    for (name, value) in facts.iter().filter(|(name, _)| name == ALGORITHM || name == TYPE) {
        set(&mut reply, name.as_str(), value);
    }
    Ok(reply)
}

/// The error of an upload that is not there, or of a part that cannot be.
fn missing(call: &Call, error: Error) -> Fault {
    match error.kind() {
        ErrorKind::NotFound => Fault::no_upload(call.param("uploadId")),
        _ => bad_key(error),
    }
}

/// The number of the part, of an upload that is there.
pub(super) async fn number(call: &Call, bucket: &Bucket) -> Result<u32> {
    let (id, number) = (call.param("uploadId"), call.param("partNumber"));
    let number = call.request.engine.check_part(bucket, &call.key, id, number).await;
    number.map_err(|error| missing(call, error))
}

/// What an upload was begun with.
pub(super) async fn upload(call: &Call, bucket: &Bucket) -> Result<UploadFacts> {
    let found = call.request.engine.upload(bucket, &call.key, call.param("uploadId")).await;
    found.map_err(|error| missing(call, error))
}

fn said<'a>(upload: &'a UploadFacts, name: &str) -> Option<&'a str> {
    upload.custom.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

pub(super) fn algorithm(upload: &UploadFacts) -> Option<Algorithm> {
    said(upload, ALGORITHM).and_then(|name| Algorithm::parse(name).ok())
}

pub(super) async fn put(call: &mut Call) -> Result<Reply> {
    facts::check_options(&call.request.headers)?;
    let bucket = call.bucket()?;
    let number = number(call, &bucket).await?;
    let mut announced = Announced::of(&call.request.headers)?;
    announced.choose(algorithm(&upload(call, &bucket).await?));
    let engine = call.request.engine.clone();
    let piece = engine.piece().await?;
    let (piece, sums) = receive_into(call, &announced, move || Ok(piece)).await?;
    let mut reply = ok();
    set(&mut reply, http::header::ETAG, format!("\"{}\"", hex(&sums.md5)));
    tell_checksum(&mut reply, &sums);
    keep(call, &bucket, number, piece, &sums).await?;
    Ok(reply)
}

/// Adds a part to its upload.
pub(super) async fn keep(
    call: &Call,
    bucket: &Bucket,
    number: u32,
    piece: Piece,
    sums: &super::checksum::Sums,
) -> Result<()> {
    let facts = PartFacts {
        md5: Some(sums.md5),
        sum: sums.chosen.as_ref().map(|(kind, value)| (kind.header().to_owned(), value.clone())),
        ..PartFacts::default()
    };
    let id = call.param("uploadId");
    let kept = call.request.engine.put_part_with(bucket, &call.key, id, number, piece, facts);
    kept.await.map_err(|error| missing(call, error))
}

fn page_of(call: &Call, name: &str) -> Result<usize> {
    match call.param(name) {
        "" => Ok(MAX_PAGE),
        text => {
            let number = text.parse::<usize>().ok();
            let number =
                number.ok_or_else(|| Fault::invalid(format!("{name} must be a number")))?;
            Ok(number.min(MAX_PAGE))
        }
    }
}

/// The entity tag of a part. Those that AIStore's clients wrote have no MD5: then it is of their own.
fn part_etag(part: &PartFacts) -> String {
    match &part.md5 {
        Some(md5) => format!("\"{}\"", hex(md5)),
        None => format!("\"part-{}-{}\"", part.size, part.time),
    }
}

fn tell_part_sum(xml: &mut Xml, part: &PartFacts) {
    if let Some((header, value)) = &part.sum
        && let Some(algorithm) = Algorithm::of_header(header)
    {
        xml.text(algorithm.element(), base64(value));
    }
}

pub(super) async fn parts(call: &Call) -> Result<Reply> {
    let bucket = call.bucket()?;
    let upload = upload(call, &bucket).await?;
    let most = page_of(call, "max-parts")?;
    let after = match call.param("part-number-marker") {
        "" => 0,
        text => text.parse().map_err(|_| Fault::invalid("part-number-marker must be a number"))?,
    };
    let mut left =
        upload.parts.range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded));
    let shown: Vec<_> = left.by_ref().take(most).collect();
    let is_truncated = left.next().is_some() && most > 0;
    let mut xml = Xml::new("ListPartsResult");
    xml.text("Bucket", &call.bucket).text("Key", &call.key);
    xml.text("UploadId", call.param("uploadId")).value("PartNumberMarker", after);
    if let Some((last, _)) = shown.last().filter(|_| is_truncated) {
        xml.value("NextPartNumberMarker", last);
    }
    xml.value("MaxParts", most).value("IsTruncated", is_truncated);
    for (number, part) in shown {
        xml.within("Part", |xml| {
            xml.value("PartNumber", number).text("LastModified", iso_time(part.time));
            xml.text("ETag", part_etag(part)).value("Size", part.size);
            tell_part_sum(xml, part);
        });
    }
    xml.owner("Initiator").owner("Owner").text("StorageClass", "STANDARD");
    if let (Some(algorithm), Some(kind)) = (algorithm(&upload), said(&upload, TYPE)) {
        xml.text("ChecksumAlgorithm", algorithm.as_str()).text("ChecksumType", kind);
    }
    Ok(document(xml))
}

pub(super) async fn uploads(call: &Call) -> Result<Reply> {
    let bucket = call.bucket()?;
    let most = page_of(call, "max-uploads")?;
    let (prefix, delimiter) = (call.param("prefix"), call.param("delimiter"));
    let encode = super::list::encoding(call)?;
    let marker = (call.param("key-marker"), call.param("upload-id-marker"));
    // Without the id, all uploads of the key are over.
    let is_over = |key: &str, id: &str| match marker {
        ("", _) => false,
        (name, "") => key <= name,
        marker => (key, id) <= marker,
    };
    let (mut shown, mut common) = (Vec::new(), std::collections::BTreeSet::new());
    let mut is_truncated = false;
    for UploadEntry { name: key, id, begun } in call.request.engine.uploads(&bucket).await? {
        if !key.starts_with(prefix) || is_over(&key, &id) {
            continue;
        }
        let end = if delimiter.is_empty() { None } else { key[prefix.len()..].find(delimiter) };
        let group = end.map(|end| key[..prefix.len() + end + delimiter.len()].to_owned());
        if group.as_ref().is_some_and(|group| common.contains(group)) {
            continue;
        }
        if shown.len() + common.len() == most {
            is_truncated = most > 0;
            break;
        }
        match group {
            Some(group) => drop(common.insert(group)),
            None => shown.push((key, id, begun)),
        }
    }
    let mut xml = Xml::new("ListMultipartUploadsResult");
    xml.text("Bucket", &call.bucket).text("KeyMarker", encode(marker.0));
    xml.text("UploadIdMarker", marker.1);
    if is_truncated {
        let last = shown.last().map(|(key, id, _)| (key.as_str(), id.as_str()));
        let group = common.last().map(|group| (group.as_str(), ""));
        let (key, id) = last.max(group).unwrap_or_default();
        xml.text("NextKeyMarker", encode(key)).text("NextUploadIdMarker", id);
    }
    xml.text("Prefix", encode(prefix)).value("MaxUploads", most).value("IsTruncated", is_truncated);
    if !delimiter.is_empty() {
        xml.text("Delimiter", encode(delimiter));
    }
    if !call.param("encoding-type").is_empty() {
        xml.text("EncodingType", "url");
    }
    for (key, id, begun) in &shown {
        xml.within("Upload", |xml| {
            xml.text("Key", encode(key)).text("UploadId", id).text("Initiated", iso_time(*begun));
            xml.text("StorageClass", "STANDARD").owner("Initiator").owner("Owner");
        });
    }
    for group in &common {
        xml.within("CommonPrefixes", |xml| {
            xml.text("Prefix", encode(group));
        });
    }
    Ok(document(xml))
}

#[derive(Deserialize)]
struct Complete {
    #[serde(rename = "Part", default)]
    parts: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    part_number: u32,
    #[serde(rename = "ETag", default)]
    etag: String,
}

pub(super) async fn complete(call: &mut Call) -> Result<Reply> {
    let bucket = call.bucket()?;
    let id = call.param("uploadId").to_owned();
    let message: Complete = call.document().await?;
    let upload = upload(call, &bucket).await?;
    let chosen = choose(&upload, &message)?;
    let conditions = Conditions::of(&call.request.headers, &OBJECT);
    let present = present(call, &bucket, &conditions).await?;
    let mut said = upload.custom.clone();
    said.retain(|(name, _)| name != ALGORITHM && name != TYPE);
    said.extend(etag_of_parts(&upload, &chosen));
    let sum = checksum_of_parts(call, &upload, &chosen)?;
    said.extend(sum.clone());
    let engine = &call.request.engine;
    let sealed = engine.assemble_upload(&bucket, &call.key, &id, &chosen, said).await;
    let sealed = sealed.map_err(|error| missing(call, error))?;
    let sealed = match &present {
        Some(present) => sealed.over(present.as_ref()),
        None => sealed,
    };
    let meta = match sealed.commit().await {
        Err(error) if error.kind() == ErrorKind::Conflict => {
            return Err(Fault::new(409, "ConditionalRequestConflict", error.message()));
        }
        other => other?,
    };
    let mut xml = Xml::new("CompleteMultipartUploadResult");
    xml.text("Location", format!("{}/s3/{}/{}", engine.url(), call.bucket, call.key));
    xml.text("Bucket", &call.bucket).text("Key", &call.key).text("ETag", etag(&meta));
    if let Some((header, value)) = &sum
        && let Some(algorithm) = Algorithm::of_header(header)
    {
        xml.text(algorithm.element(), value);
        let kind = if value.contains('-') { "COMPOSITE" } else { "FULL_OBJECT" };
        xml.text("ChecksumType", kind);
    }
    let mut reply = document(xml);
    // AIStore tells these in headers.
    set(&mut reply, http::header::ETAG, etag(&meta));
    set(&mut reply, http::header::LAST_MODIFIED, facts::http_time(meta.mtime));
    Ok(reply)
}

/// The numbers of the parts that make the object. Parts that are not named are left out, as in S3.
///
/// # Errors
///
/// When they are not in order, or one is not there as named.
fn choose(upload: &UploadFacts, message: &Complete) -> Result<Vec<u32>> {
    if message.parts.is_empty() {
        return Err(Fault::malformed("expecting at least one part"));
    }
    for pair in message.parts.windows(2) {
        if pair[0].part_number >= pair[1].part_number {
            let text = "the list of parts was not in ascending order: parts must be ordered by part number";
            return Err(Fault::new(400, "InvalidPartOrder", text));
        }
    }
    for part in &message.parts {
        let have = upload.parts.get(&part.part_number);
        let fits = have.is_some_and(|have| {
            let tag = part.etag.trim().trim_matches('"');
            tag.is_empty() || tag == part_etag(have).trim_matches('"')
        });
        if !fits {
            let text = format!(
                "part {} could not be found, or its entity tag is another one",
                part.part_number
            );
            return Err(Fault::new(400, "InvalidPart", text));
        }
    }
    Ok(message.parts.iter().map(|part| part.part_number).collect())
}

/// The MD5 of the parts' MD5s, and their number; none when AIStore's clients wrote one of them.
fn etag_of_parts(upload: &UploadFacts, chosen: &[u32]) -> Option<Fact> {
    use md5::Digest as _;

    let mut all = md5::Md5::new();
    for number in chosen {
        all.update(upload.parts.get(number)?.md5?);
    }
    Some((ETAG.to_owned(), format!("{}-{}", hex(&all.finalize()), chosen.len())))
}

/// The checksum that the upload was begun with, over all parts.
///
/// # Errors
///
/// When the client announced another one.
fn checksum_of_parts(call: &Call, upload: &UploadFacts, chosen: &[u32]) -> Result<Option<Fact>> {
    let Some(algorithm) = algorithm(upload) else { return Ok(None) };
    let sums: Option<Vec<(Vec<u8>, u64)>> = chosen
        .iter()
        .map(|number| {
            let part = upload.parts.get(number)?;
            let (header, value) = part.sum.as_ref()?;
            (*header == algorithm.header()).then(|| (value.clone(), part.size))
        })
        .collect();
    // A part was sent with another checksum than was said: then there is none of the whole.
    let Some(sums) = sums else { return Ok(None) };
    let full = said(upload, TYPE) == Some("FULL_OBJECT");
    let value = match algorithm.combined(&sums).filter(|_| full) {
        Some(whole) => base64(&whole),
        None => format!("{}-{}", base64(&algorithm.composite(&sums)), sums.len()),
    };
    let announced = call.header(algorithm.header());
    if !announced.is_empty()
        && announced != value
        && announced != value.split('-').next().unwrap_or_default()
    {
        let text = format!(
            "the {} that you specified did not match the one of the parts",
            algorithm.as_str()
        );
        return Err(Fault::new(400, "BadDigest", text));
    }
    Ok(Some((algorithm.header().to_owned(), value)))
}

pub(super) async fn abort(call: &Call) -> Result<Reply> {
    let bucket = call.bucket()?;
    let aborted = call.request.engine.abort_upload(&bucket, &call.key, call.param("uploadId"));
    aborted.await.map_err(|error| missing(call, error))?;
    Ok(status(http::StatusCode::NO_CONTENT))
}
