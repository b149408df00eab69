//! The S3 face: what clients of S3 send, and what they get.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holdall_ais_server::{Options, S3Keys};
use holdall_ais_wire::authn::access;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{self, ObjectStoreExt as _};
use holdall_store::{OpenOptions, Registry, Store};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use crate::support::{Ais, header};
use crate::{standin, users};

/// MD5 of `hello`, as an entity tag.
const HELLO: &str = "\"5d41402abc4b2a76b9719d911017c592\"";

async fn with_bucket() -> Ais {
    let ais = Ais::memory().await;
    assert_eq!(ais.send(Method::PUT, "/s3/bucket").await.status(), 200);
    ais
}

async fn put(ais: &Ais, key: &str, content: &'static str) -> Response {
    let reply = ais.request(Method::PUT, &format!("/s3/bucket/{key}")).body(content).send().await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status(), 200, "{key}");
    reply
}

/// Status and the code in the error's document.
async fn failure(reply: Response) -> (u16, String) {
    let (status, text) = (reply.status().as_u16(), reply.text().await.expect("text"));
    (status, element(&text, "Code").to_owned())
}

/// The text of the first element of this name; empty if there is none.
fn element<'a>(text: &'a str, name: &str) -> &'a str {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let inside = text.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
    inside.map_or("", |(inside, _)| inside)
}

fn elements<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = text.split(open.as_str()).skip(1);
    parts.filter_map(|part| part.split_once(close.as_str())).map(|(inside, _)| inside).collect()
}

#[tokio::test]
async fn buckets_come_and_go() {
    let ais = with_bucket().await;
    ais.create("other").await;
    assert_eq!(
        failure(ais.send(Method::PUT, "/s3/bucket").await).await.1,
        "BucketAlreadyOwnedByYou"
    );
    assert_eq!(
        failure(ais.send(Method::PUT, "/s3/a%23b").await).await,
        (400, "InvalidBucketName".into())
    );
    let text = ais.send(Method::GET, "/s3").await.text().await.unwrap();
    assert_eq!(elements(&text, "Name"), ["bucket", "other"]);
    let text = ais.send(Method::GET, "/s3/?max-buckets=1").await.text().await.unwrap();
    assert_eq!(
        (elements(&text, "Name"), element(&text, "ContinuationToken")),
        (vec!["bucket"], "bucket")
    );
    assert_eq!(ais.send(Method::HEAD, "/s3/bucket").await.status(), 200);
    assert_eq!(ais.send(Method::GET, "/s3/bucket?location").await.status(), 200);
    // As with AIStore, a bucket goes with what is in it.
    put(&ais, "o", "hello").await;
    assert_eq!(ais.send(Method::DELETE, "/s3/bucket").await.status(), 204);
    assert_eq!(
        failure(ais.send(Method::DELETE, "/s3/bucket").await).await,
        (404, "NoSuchBucket".into())
    );
    assert_eq!(ais.send(Method::HEAD, "/s3/bucket").await.status(), 404);
}

#[tokio::test]
async fn objects_are_the_same_on_both_faces() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        ais.create("bucket").await;
        let reply = ais
            .request(Method::PUT, "/s3/bucket/a/b%20c")
            .header("content-type", "text/plain")
            .header("x-amz-meta-Who", "me")
            .body("hello")
            .send()
            .await
            .unwrap();
        assert_eq!((reply.status().as_u16(), header(&reply, "etag")), (200, HELLO));
        let reply = ais.send(Method::GET, "/s3/bucket/a/b%20c").await;
        assert_eq!(header(&reply, "content-type"), "text/plain");
        assert_eq!(header(&reply, "x-amz-meta-who"), "me");
        assert_eq!(header(&reply, "etag"), HELLO);
        assert_eq!(reply.bytes().await.unwrap(), "hello");
        assert_eq!(ais.get("bucket/a/b%20c").await.bytes().await.unwrap(), "hello");
        // And the other way round.
        assert_eq!(ais.put("bucket/o", "from AIStore").await.status(), 200);
        let reply = ais.send(Method::HEAD, "/s3/bucket/o").await;
        assert_eq!(header(&reply, "content-length"), "12");
        assert!(header(&reply, "etag").starts_with("\"v1-"));
        assert_eq!(ais.send(Method::DELETE, "/s3/bucket/o").await.status(), 204);
        assert_eq!(ais.get("bucket/o").await.status(), 404);
        // What is not there is as good as deleted.
        assert_eq!(ais.send(Method::DELETE, "/s3/bucket/o").await.status(), 204);
        assert_eq!(
            failure(ais.send(Method::GET, "/s3/bucket/o").await).await,
            (404, "NoSuchKey".into())
        );
    }
}

#[tokio::test]
async fn ranges_and_conditions() {
    let ais = with_bucket().await;
    put(&ais, "o", "hello").await;
    let get = async |name: &'static str, value: &str| {
        let request = ais.request(Method::GET, "/s3/bucket/o").header(name, value);
        let reply = request.send().await.unwrap();
        let status = reply.status().as_u16();
        (status, header(&reply, "content-range").to_owned(), reply.text().await.unwrap())
    };
    let is = |status, range: &str, text: &str| (status, range.to_owned(), text.to_owned());
    assert_eq!(get("range", "bytes=1-3").await, is(206, "bytes 1-3/5", "ell"));
    assert_eq!(get("range", "bytes=-2").await, is(206, "bytes 3-4/5", "lo"));
    assert_eq!(get("range", "bytes=3-99").await, is(206, "bytes 3-4/5", "lo"));
    // What is no range is ignored, as at AWS.
    assert_eq!(get("range", "bytes=3-1").await, is(200, "", "hello"));
    assert_eq!(get("range", "lines=1").await, is(200, "", "hello"));
    let (status, range, text) = get("range", "bytes=5-").await;
    assert_eq!(
        (status, range.as_str(), element(&text, "Code")),
        (416, "bytes */5", "InvalidRange")
    );
    assert_eq!(get("if-match", HELLO).await.0, 200);
    assert_eq!(get("if-match", "\"other\"").await.0, 412);
    assert_eq!(get("if-none-match", HELLO).await, is(304, "", ""));
    assert_eq!(get("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT").await.0, 304);
    assert_eq!(get("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT").await.0, 412);
    let write = async |name: &'static str, value: &str, key: &str| {
        let request = ais.request(Method::PUT, &format!("/s3/bucket/{key}")).header(name, value);
        request.body("new").send().await.unwrap().status().as_u16()
    };
    assert_eq!(write("if-none-match", "*", "o").await, 412);
    assert_eq!(write("if-match", "\"other\"", "o").await, 412);
    assert_eq!(write("if-match", HELLO, "none").await, 404);
    assert_eq!(write("if-none-match", "*", "fresh").await, 200);
    assert_eq!(write("if-match", HELLO, "o").await, 200);
    assert_eq!(get("range", "bytes=0-").await.2, "new");
    let url = "/s3/bucket/o?response-content-type=text/x&response-content-disposition=attachment";
    let reply = ais.send(Method::GET, url).await;
    assert_eq!(header(&reply, "content-type"), "text/x");
    assert_eq!(header(&reply, "content-disposition"), "attachment");
}

#[tokio::test]
async fn content_is_compared_with_what_was_announced() {
    let ais = with_bucket().await;
    let put = async |name: &'static str, value: &str| {
        let request = ais.request(Method::PUT, "/s3/bucket/o").header(name, value).body("hello");
        failure(request.send().await.unwrap()).await
    };
    let sha = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    for (name, right) in [
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-checksum-crc32c", "mnG7TA=="),
        ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
        ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        ("x-amz-content-sha256", sha),
    ] {
        assert_eq!(put(name, right).await, (200, String::new()), "{name}");
        let mut wrong = right.to_owned().into_bytes();
        wrong[1] = if wrong[1] == b'A' { b'B' } else { b'A' };
        let wrong = String::from_utf8(wrong).unwrap().replace("2Af", "2ff");
        assert_eq!(put(name, &wrong).await.0, 400, "{name}");
    }
    assert_eq!(put("x-amz-checksum-crc32", "!").await, (400, "InvalidArgument".into()));
    let request =
        ais.request(Method::PUT, "/s3/bucket/o").header("x-amz-checksum-crc32", "NhCmhg==");
    let reply = request.body("hello").send().await.unwrap();
    assert_eq!(header(&reply, "x-amz-checksum-crc32"), "NhCmhg==");
    let get = ais.request(Method::GET, "/s3/bucket/o").header("x-amz-checksum-mode", "ENABLED");
    assert_eq!(header(&get.send().await.unwrap(), "x-amz-checksum-crc32"), "NhCmhg==");
}

/// A body in the pieces of AWS's clients.
fn in_pieces(pieces: &[&str], trailer: &str) -> String {
    let mut body = String::new();
    for piece in pieces {
        body.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
    }
    format!("{body}0\r\n{trailer}\r\n")
}

#[tokio::test]
async fn bodies_in_pieces() {
    let ais = with_bucket().await;
    let put = async |body: String, len: usize| {
        let request = ais
            .request(Method::PUT, "/s3/bucket/o")
            .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("content-encoding", "aws-chunked")
            .header("x-amz-trailer", "x-amz-checksum-crc32")
            .header("x-amz-decoded-content-length", len);
        failure(request.body(body).send().await.unwrap()).await
    };
    let right = "x-amz-checksum-crc32:NhCmhg==\r\n";
    assert_eq!(put(in_pieces(&["he", "llo"], right), 5).await, (200, String::new()));
    let reply = ais.send(Method::GET, "/s3/bucket/o").await;
    // The encoding of the transfer is none of the object.
    assert_eq!(header(&reply, "content-encoding"), "");
    assert_eq!(reply.text().await.unwrap(), "hello");
    let wrong = "x-amz-checksum-crc32:AhCmhg==\r\n";
    assert_eq!(put(in_pieces(&["HELLO"], wrong), 5).await, (400, "BadDigest".into()));
    for (body, len) in [
        (in_pieces(&["he"], right), 5),
        (in_pieces(&["hello", "o"], right), 5),
        ("5\r\nhe".to_owned(), 5),
        ("5\r\nhello!\r\n0\r\n\r\n".to_owned(), 5),
        ("x\r\nhello\r\n0\r\n\r\n".to_owned(), 5),
    ] {
        assert_eq!(put(body.clone(), len).await, (400, "IncompleteBody".into()), "{body}");
    }
    assert_eq!(ais.send(Method::GET, "/s3/bucket/o").await.text().await.unwrap(), "hello");
    // Longer than what is read in one go.
    let long = "0123456789abcdef".repeat(100_000);
    let pieces: Vec<&str> =
        (0..long.len()).step_by(65_536).map(|at| &long[at..long.len().min(at + 65_536)]).collect();
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, long.as_bytes());
    let trailer = format!("x-amz-checksum-crc32:{}\r\n", STANDARD.encode(&crc.to_be_bytes()[4..]));
    assert_eq!(put(in_pieces(&pieces, &trailer), long.len()).await, (200, String::new()));
    assert_eq!(ais.send(Method::GET, "/s3/bucket/o").await.text().await.unwrap(), long);
    let reply = put(in_pieces(&pieces, wrong), long.len()).await;
    assert_eq!(reply, (400, "BadDigest".into()));
}

#[tokio::test]
async fn listings() {
    let ais = with_bucket().await;
    for key in ["a", "b/1", "b/2", "b/c/3", "d/", "e%26%20%01", "f"] {
        put(&ais, key, "x").await;
    }
    let list = async |query: &str| {
        ais.send(Method::GET, &format!("/s3/bucket?{query}")).await.text().await.unwrap()
    };
    let text = list("list-type=2&delimiter=/").await;
    assert_eq!(elements(&text, "Key").len(), 3);
    assert_eq!(elements(&text, "KeyCount"), ["5"]);
    assert_eq!(elements(&text, "CommonPrefixes"), ["<Prefix>b/</Prefix>", "<Prefix>d/</Prefix>"]);
    let text = list("prefix=b/&delimiter=/").await;
    assert_eq!(
        (elements(&text, "Key"), elements(&text, "CommonPrefixes")),
        (vec!["b/1", "b/2"], vec!["<Prefix>b/c/</Prefix>"])
    );
    let text = list("encoding-type=url&prefix=e").await;
    assert_eq!(elements(&text, "Key"), ["e%26%20%01"]);
    let text = list("prefix=b/1").await;
    assert_eq!(element(&text, "ETag"), "&quot;9dd4e461268c8034f5c8564e155c67a6&quot;");
    assert_eq!((element(&text, "Size"), element(&text, "StorageClass")), ("1", "STANDARD"));
    assert_eq!(elements(&list("max-keys=0").await, "IsTruncated"), ["false"]);
    assert_eq!(elements(&list("list-type=2&start-after=b/c/3&delimiter=").await, "Key").len(), 3);
    assert_eq!(
        failure(ais.send(Method::GET, "/s3/bucket?max-keys=x").await).await.1,
        "InvalidArgument"
    );
    for key in ["b/1", "d/"] {
        let text = list("versions").await;
        assert!(elements(&text, "Key").contains(&key), "{text}");
    }
}

#[tokio::test]
async fn pages_of_every_size_give_everything_once() {
    let ais = with_bucket().await;
    for key in ["a", "b/1", "b/2", "c--d--1", "c--d--2", "c--e", "d/", "d/1", "z"] {
        put(&ais, key, "x").await;
    }
    let sorted = |mut all: Vec<String>| {
        all.sort();
        all
    };
    for delimiter in ["", "/", "--", "1"] {
        let mut whole = Vec::new();
        for size in [1000, 1, 2, 3] {
            for version in [1, 2] {
                let (mut found, mut from) = (Vec::new(), String::new());
                loop {
                    let query = if version == 1 {
                        format!("marker={from}")
                    } else {
                        format!("list-type=2&continuation-token={from}")
                    };
                    let url = format!("/s3/bucket?{query}&max-keys={size}&delimiter={delimiter}");
                    let text = ais.send(Method::GET, &url).await.text().await.unwrap();
                    let prefixes = elements(&text, "CommonPrefixes");
                    let prefixes = prefixes.iter().map(|text| element(text, "Prefix"));
                    let page: Vec<_> = elements(&text, "Key").into_iter().chain(prefixes).collect();
                    assert!(page.len() <= size);
                    found.extend(page.into_iter().map(str::to_owned));
                    if element(&text, "IsTruncated") == "false" {
                        break;
                    }
                    let next = if version == 1 { "NextMarker" } else { "NextContinuationToken" };
                    from = element(&text, next).to_owned();
                }
                let found = sorted(found);
                if whole.is_empty() {
                    whole.clone_from(&found);
                }
                assert_eq!(found, whole, "{delimiter:?} {size} v{version}");
            }
        }
    }
}

#[tokio::test]
async fn copies_and_tags() {
    let ais = with_bucket().await;
    let request = ais.request(Method::PUT, "/s3/bucket/a").header("x-amz-meta-k", "v");
    let request =
        request.header("x-amz-tagging", "one=1&two=a%20b").header("content-type", "text/x");
    assert_eq!(request.body("hello").send().await.unwrap().status(), 200);
    let copy = async |to: &str, headers: &[(&'static str, &str)]| {
        let mut request = ais.request(Method::PUT, &format!("/s3/bucket/{to}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        failure(request.send().await.unwrap()).await
    };
    let source = ("x-amz-copy-source", "/bucket/a");
    assert_eq!(copy("b", &[source]).await, (200, String::new()));
    let reply = ais.send(Method::HEAD, "/s3/bucket/b").await;
    assert_eq!((header(&reply, "x-amz-meta-k"), header(&reply, "content-type")), ("v", "text/x"));
    assert_eq!((header(&reply, "x-amz-tagging-count"), header(&reply, "etag")), ("2", HELLO));
    assert_eq!(copy("a", &[source]).await, (400, "InvalidRequest".into()));
    let replace = [source, ("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-new", "1")];
    assert_eq!(copy("a", &replace).await.0, 200);
    let reply = ais.send(Method::HEAD, "/s3/bucket/a").await;
    assert_eq!((header(&reply, "x-amz-meta-k"), header(&reply, "x-amz-meta-new")), ("", "1"));
    assert_eq!(header(&reply, "x-amz-tagging-count"), "2");
    let failing = [source, ("x-amz-copy-source-if-match", "\"x\"")];
    assert_eq!(copy("c", &failing).await, (412, "PreconditionFailed".into()));
    assert_eq!(copy("c", &[("x-amz-copy-source", "bucket/none")]).await.1, "NoSuchKey");
    assert_eq!(copy("c", &[("x-amz-copy-source", "none/a")]).await.1, "NoSuchBucket");
    assert_eq!(copy("c", &[("x-amz-copy-source", "a")]).await.1, "InvalidArgument");
    let text = ais.send(Method::GET, "/s3/bucket/a?tagging").await.text().await.unwrap();
    assert_eq!(
        (elements(&text, "Key"), elements(&text, "Value")),
        (vec!["one", "two"], vec!["1", "a b"])
    );
    let tags =
        "<Tagging><TagSet><Tag><Key>x</Key><Value>&lt;y&gt;</Value></Tag></TagSet></Tagging>";
    let reply = ais.request(Method::PUT, "/s3/bucket/a?tagging").body(tags).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    let text = ais.send(Method::GET, "/s3/bucket/a?tagging").await.text().await.unwrap();
    assert_eq!(elements(&text, "Value"), ["&lt;y&gt;"]);
    assert_eq!(ais.send(Method::DELETE, "/s3/bucket/a?tagging").await.status(), 204);
    let reply = ais.send(Method::GET, "/s3/bucket/a").await;
    assert_eq!(header(&reply, "x-amz-tagging-count"), "");
    assert_eq!(reply.text().await.unwrap(), "hello");
}

#[tokio::test]
async fn many_are_deleted_at_once() {
    let ais = with_bucket().await;
    for key in ["a", "%20b%26", "c"] {
        put(&ais, key, "x").await;
    }
    let body = "<Delete><Object><Key>a</Key></Object><Object><Key> b&amp;</Key></Object><Object><Key>none</Key></Object><Object><Key>c</Key><VersionId>7</VersionId></Object></Delete>";
    let reply = ais.request(Method::POST, "/s3/bucket?delete").body(body).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    let text = reply.text().await.unwrap();
    assert_eq!(elements(&text, "Deleted").len(), 3, "{text}");
    assert_eq!(elements(&text, "Code"), ["NoSuchVersion"]);
    let text = ais.send(Method::GET, "/s3/bucket").await.text().await.unwrap();
    assert_eq!(elements(&text, "Key"), ["c"]);
    for bad in ["<Delete>", "<Delete></Delete>", "x"] {
        let reply = ais.request(Method::POST, "/s3/bucket?delete").body(bad).send().await.unwrap();
        assert_eq!(failure(reply).await, (400, "MalformedXML".into()), "{bad}");
    }
}

#[tokio::test]
async fn uploads_in_parts() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        ais.create("bucket").await;
        let create =
            ais.request(Method::POST, "/s3/bucket/big?uploads").header("x-amz-meta-k", "v");
        let create = create.header("x-amz-checksum-algorithm", "CRC32");
        let text = create.send().await.unwrap().text().await.unwrap();
        let id = element(&text, "UploadId").to_owned();
        let url = |number: u32| format!("/s3/bucket/big?partNumber={number}&uploadId={id}");
        let mut tags = Vec::new();
        for (number, content) in [(2, "world"), (1, "hello "), (7, "unused")] {
            let reply = ais.request(Method::PUT, &url(number)).body(content).send().await.unwrap();
            tags.push((number, header(&reply, "etag").to_owned()));
        }
        let reply = ais.request(Method::PUT, &url(3)).header("x-amz-copy-source", "bucket/none");
        assert_eq!(failure(reply.send().await.unwrap()).await.1, "NoSuchKey");
        assert_eq!(ais.put("bucket/source", "0123456789").await.status(), 200);
        let copy = ais.request(Method::PUT, &url(3)).header("x-amz-copy-source", "bucket/source");
        let copy = copy.header("x-amz-copy-source-range", "bytes=2-4").send().await.unwrap();
        let text = copy.text().await.unwrap();
        tags.push((3, element(&text, "ETag").replace("&quot;", "\"")));
        let text =
            ais.send(Method::GET, &format!("/s3/bucket/big?uploadId={id}&max-parts=3")).await;
        let text = text.text().await.unwrap();
        assert_eq!(elements(&text, "PartNumber"), ["1", "2", "3"]);
        assert_eq!(
            (element(&text, "IsTruncated"), element(&text, "NextPartNumberMarker")),
            ("true", "3")
        );
        let text = ais.send(Method::GET, "/s3/bucket?uploads").await.text().await.unwrap();
        assert_eq!(
            (elements(&text, "Key"), elements(&text, "UploadId")),
            (vec!["big"], vec![id.as_str()])
        );
        let complete = async |numbers: &[u32]| {
            let parts = numbers.iter().map(|number| {
                let tag =
                    tags.iter().find(|(known, _)| known == number).map_or("none", |(_, tag)| tag);
                format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
            });
            let body = format!(
                "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
                parts.collect::<String>()
            );
            ais.request(Method::POST, &format!("/s3/bucket/big?uploadId={id}"))
                .body(body)
                .send()
                .await
                .unwrap()
        };
        assert_eq!(failure(complete(&[2, 1]).await).await.1, "InvalidPartOrder");
        assert_eq!(failure(complete(&[1, 5]).await).await.1, "InvalidPart");
        assert_eq!(failure(complete(&[]).await).await.1, "MalformedXML");
        let reply = complete(&[1, 2, 3]).await;
        assert_eq!(reply.status(), 200);
        let text = reply.text().await.unwrap();
        assert!(element(&text, "ETag").ends_with("-3&quot;"), "{text}");
        assert!(element(&text, "ChecksumCRC32").ends_with("-3"), "{text}");
        let reply = ais.send(Method::GET, "/s3/bucket/big").await;
        assert_eq!(header(&reply, "x-amz-meta-k"), "v");
        assert_eq!(reply.text().await.unwrap(), "hello world234");
        let reply = ais.send(Method::GET, "/s3/bucket/big?partNumber=2").await;
        assert_eq!(
            (reply.status(), header(&reply, "x-amz-mp-parts-count")),
            (StatusCode::PARTIAL_CONTENT, "3")
        );
        assert_eq!(reply.text().await.unwrap(), "world");
        assert_eq!(failure(complete(&[1]).await).await, (404, "NoSuchUpload".into()));
        let text = ais.send(Method::POST, "/s3/bucket/x?uploads").await.text().await.unwrap();
        let url = format!("/s3/bucket/x?uploadId={}", element(&text, "UploadId"));
        assert_eq!(ais.send(Method::DELETE, &url).await.status(), 204);
        assert_eq!(failure(ais.send(Method::GET, &url).await).await.1, "NoSuchUpload");
    }
}

#[tokio::test]
async fn with_keys_requests_must_be_signed() {
    let options = Options { s3_keys: S3Keys::new("who", "s3cret").unwrap(), ..Options::default() };
    let ais = Ais::with(options).await;
    ais.create("bucket").await;
    assert_eq!(
        failure(ais.send(Method::GET, "/s3/bucket").await).await,
        (403, "AccessDenied".into())
    );
    assert_eq!(ais.send(Method::PUT, "/s3/other").await.status(), 403);
    let date = chrono::Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
    let reply = ais
        .request(Method::GET, "/s3/bucket")
        .header("x-amz-date", &date)
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        .header("authorization", format!("AWS4-HMAC-SHA256 Credential=who/{}/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=00", &date[..8]))
        .send()
        .await
        .unwrap();
    assert_eq!(failure(reply).await, (403, "SignatureDoesNotMatch".into()));
    // AIStore's API is not what these keys are for.
    assert_eq!(ais.put("bucket/o", "x").await.status(), 200);
}

/// A store that signs with this key.
fn signing(ais: &Ais, key: &str, secret: &str) -> Store {
    let options = [
        ("endpoint", format!("{}/s3", ais.server.url())),
        ("access_key_id", key.to_owned()),
        ("secret_access_key", secret.to_owned()),
        ("region", "us-east-1".to_owned()),
        ("allow_http", "true".to_owned()),
    ];
    let options = options
        .into_iter()
        .fold(OpenOptions::default(), |options, (key, value)| options.with(key, value));
    Registry::default().open("s3://bucket/", &options).expect("a store").0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_users_are_asked_a_key_acts_as_the_user_of_its_name() {
    let keys = S3Keys::parse("admin s1\nreader s2\nnobody s3").unwrap();
    let auth = Some(users::with_password("secret-of-admin"));
    let options = Options { s3_keys: keys, auth, ..Options::default() };
    let users = users::Users { ais: Ais::with(options).await };
    let token = users.admin().await;
    let create = json!({"action": "create-bck"});
    users.done(&token, Method::POST, "buckets/bucket", create).await;
    let may = json!([{"id": users.uuid(), "perm": (access::GET | access::OBJ_HEAD).to_string()}]);
    users.user(&token, "reader", may, json!(null)).await;

    let path = Path::from("o");
    let admin = signing(&users.ais, "admin", "s1");
    admin.put(&path, "hello".into()).await.expect("the administrator writes");
    let reader = signing(&users.ais, "reader", "s2");
    assert_eq!(reader.get(&path).await.unwrap().bytes().await.unwrap(), "hello");
    let denied = |result: object_store::Result<()>| match result {
        Err(object_store::Error::PermissionDenied { source, .. }) => source.to_string(),
        other => panic!("expected a refusal: {other:?}"),
    };
    let refused = denied(reader.put(&path, "x".into()).await.map(drop));
    assert!(refused.contains("user `reader` has insufficient permissions"), "{refused}");
    // A secret that is wrong proves nothing, and a key of nobody may nothing.
    let wrong = denied(signing(&users.ais, "admin", "s2").get(&path).await.map(drop));
    assert!(wrong.contains("SignatureDoesNotMatch"), "{wrong}");
    let nobody = denied(signing(&users.ais, "nobody", "s3").get(&path).await.map(drop));
    assert!(nobody.contains("add a user of this name"), "{nobody}");
    // A user who is gone takes the key along.
    users.done(&token, Method::DELETE, "users/reader", json!(null)).await;
    denied(reader.get(&path).await.map(drop));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listings_of_a_bucket_of_a_backend_show_what_is_there() {
    let (control, options) = standin::options();
    for key in ["a/1", "a/2", "b-1", "b-2", "c"] {
        control.put("b", key, "hello").await;
    }
    let ais = Ais::with(options).await;
    let list = async |query: &str| {
        let reply = ais.send(Method::GET, &format!("/s3/b?{query}")).await;
        assert_eq!(reply.status(), 200, "{query}");
        reply.text().await.unwrap()
    };
    // Nobody has named it before, and nothing is kept here.
    let text = list("list-type=2").await;
    assert_eq!(elements(&text, "Key"), ["a/1", "a/2", "b-1", "b-2", "c"]);
    assert_eq!((element(&text, "Size"), element(&text, "IsTruncated")), ("5", "false"));
    let shown = elements(&text, "ETag")[4].to_owned();
    // Reading one changes nothing of what is shown.
    assert_eq!(ais.send(Method::GET, "/s3/b/c").await.text().await.unwrap(), "hello");
    let text = list("list-type=2").await;
    assert_eq!((elements(&text, "Key").len(), elements(&text, "ETag")[4]), (5, shown.as_str()));

    // Page by page, in all three forms: nothing twice, nothing left out.
    for (form, delimiter, all) in [
        ("list-type=2", "", vec!["a/1", "a/2", "b-1", "b-2", "c"]),
        ("list-type=2", "/", vec!["a/", "b-1", "b-2", "c"]),
        ("list-type=2", "-", vec!["a/1", "a/2", "b-", "c"]),
        ("list-type=1", "", vec!["a/1", "a/2", "b-1", "b-2", "c"]),
        ("list-type=1", "/", vec!["a/", "b-1", "b-2", "c"]),
        ("versions", "/", vec!["a/", "b-1", "b-2", "c"]),
    ] {
        let (mut seen, mut next): (Vec<String>, _) = (Vec::new(), String::new());
        loop {
            let text = list(&format!("{form}&delimiter={delimiter}&max-keys=1{next}")).await;
            let inside = elements(&text, "CommonPrefixes");
            let names = inside.iter().map(|inside| element(inside, "Prefix"));
            seen.extend(elements(&text, "Key").into_iter().chain(names).map(str::to_owned));
            let after = |name| element(&text, name).to_owned();
            next = match form {
                "list-type=2" => format!("&continuation-token={}", after("NextContinuationToken")),
                "list-type=1" => format!("&marker={}", after("NextMarker")),
                _ => format!("&key-marker={}", after("NextKeyMarker")),
            };
            if element(&text, "IsTruncated") == "false" {
                break;
            }
            assert!(seen.len() <= 5, "{form} {delimiter}: {seen:?}");
        }
        assert_eq!(seen, all, "{form} {delimiter}");
    }
    let text = list("list-type=2&start-after=a/1&prefix=a").await;
    assert_eq!(elements(&text, "Key"), ["a/2"]);
    assert_eq!(failure(ais.send(Method::GET, "/s3/nope").await).await.1, "NoSuchBucket");
    assert_eq!(failure(ais.send(Method::DELETE, "/s3/nope").await).await.1, "NoSuchBucket");
}

#[tokio::test]
async fn what_is_not_done_is_refused() {
    let ais = with_bucket().await;
    for (method, url, code) in [
        (Method::PUT, "/s3/bucket?policy", "NotImplemented"),
        (Method::GET, "/s3/bucket?policy", "NoSuchBucketPolicy"),
        (Method::GET, "/s3/bucket?cors", "NoSuchCORSConfiguration"),
        (Method::GET, "/s3/bucket/o?torrent", "NotImplemented"),
        (Method::GET, "/s3/bucket/o?versionId=1", "NoSuchVersion"),
        (Method::POST, "/s3/bucket", "NotImplemented"),
        (Method::PATCH, "/s3/bucket", "MethodNotAllowed"),
        (Method::GET, "/s3/bucket/a%ff", "InvalidURI"),
        (Method::PUT, "/s3/bucket/a/../b%2F..%2Fc", "InvalidArgument"),
    ] {
        let reply = ais.send(method.clone(), url).await;
        assert_eq!(failure(reply).await.1, code, "{method} {url}");
    }
    let versions = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let reply = ais.request(Method::PUT, "/s3/bucket?versioning").body(versions).send().await;
    assert_eq!(failure(reply.unwrap()).await, (501, "NotImplemented".into()));
    let long = "k".repeat(1025);
    let reply = ais.send(Method::PUT, &format!("/s3/bucket/{long}")).await;
    assert_eq!(failure(reply).await, (400, "KeyTooLongError".into()));
    let request = ais.request(Method::PUT, "/s3/bucket/o").header("x-amz-acl", "public-read");
    assert_eq!(failure(request.send().await.unwrap()).await.1, "AccessControlListNotSupported");
}
