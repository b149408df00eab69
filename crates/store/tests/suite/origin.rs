//! An origin of objects for the transfer engine: ranges, conditions and checksums as S3 has them, and faults on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdall_store::checksum::{Algorithm, Checksum};
use holdall_store::object_store::RetryConfig;
use holdall_store::{OpenOptions, Registry, Store};

use super::loopback::{Loopback, Request};

/// What goes wrong with one reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The body ends early, and so does the connection.
    CutBody,
    /// The connection ends before anything is said.
    Reset,
    /// Another range than the one that was asked for, and named so.
    OtherRange,
    /// One bit of the body is another one.
    FlippedBit,
    /// `503 SlowDown`.
    Busy,
    /// `500 InternalError`.
    Broken,
    /// The entity tag of another version.
    StaleTag,
}

pub(crate) const FAULTS: [Fault; 7] = [
    Fault::CutBody,
    Fault::Reset,
    Fault::OtherRange,
    Fault::FlippedBit,
    Fault::Busy,
    Fault::Broken,
    Fault::StaleTag,
];

pub(crate) type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;
type Pick = dyn Fn(&Request) -> Option<Fault> + Send + Sync;

/// A bucket that behaves as it is told.
pub(crate) struct Origin {
    pub(crate) server: Loopback,
    objects: Objects,
}

impl Origin {
    /// Starts an origin whose replies go wrong as `pick` says.
    pub(crate) async fn start(
        pick: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        Self::over(Arc::default(), pick).await
    }

    /// The same over objects that the test holds too.
    pub(crate) async fn over(
        objects: Objects,
        pick: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let (own, pick): (_, Box<Pick>) = (objects.clone(), Box::new(pick));
        let state = Mutex::default();
        let server = Loopback::start(move |request| {
            let reply = answer(&own, &state, request);
            spoil(reply, request, pick(request))
        })
        .await;
        Self { server, objects }
    }

    pub(crate) async fn good() -> Self {
        Self::start(|_| None).await
    }

    pub(crate) fn put(&self, key: &str, data: Vec<u8>) {
        self.objects.lock().unwrap().insert(key.to_owned(), data);
    }

    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.objects.lock().unwrap().get(key).cloned()
    }

    /// The bucket as a store that retries quickly.
    pub(crate) fn store(&self) -> Store {
        self.store_at(&self.server.url)
    }

    /// The same by another name of this machine.
    pub(crate) fn store_at(&self, endpoint: &str) -> Store {
        let mut options = OpenOptions::default()
            .with("endpoint", endpoint)
            .with("allow_http", "true")
            .with("region", "us-east-1")
            .with("access_key_id", "AK")
            .with("secret_access_key", "secret");
        options.use_env = false;
        // Longer than a busy machine is silent.
        options.client.timeout = Some(Duration::from_secs(60));
        options.retry = RetryConfig { max_retries: 8, ..RetryConfig::default() };
        options.retry.backoff.init_backoff = Duration::from_millis(1);
        options.retry.backoff.max_backoff = Duration::from_millis(10);
        Registry::default().open("s3://bucket", &options).unwrap().0
    }
}

struct Reply {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn new(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn bytes(&self, length: usize) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {}\r\nContent-Length: {length}\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn md5(data: &[u8]) -> String {
    format!("\"{}\"", Checksum::of(Algorithm::Md5, data).to_hex())
}

/// What a bucket knows beside its objects.
#[derive(Default)]
struct State {
    /// Parts of uploads, by their numbers.
    uploads: BTreeMap<String, BTreeMap<usize, Vec<u8>>>,
    /// Entity tags of objects that were uploaded in parts.
    tags: BTreeMap<String, String>,
}

/// The entity tag of S3 for an object of parts.
fn tag_of_parts(parts: &BTreeMap<usize, Vec<u8>>) -> String {
    let sums = parts.values().map(|part| Checksum::of(Algorithm::Md5, part));
    let all: Vec<u8> = sums.flat_map(|sum| sum.as_bytes().to_vec()).collect();
    format!("\"{}-{}\"", Checksum::of(Algorithm::Md5, &all).to_hex(), parts.len())
}

fn answer(
    objects: &Mutex<BTreeMap<String, Vec<u8>>>,
    state: &Mutex<State>,
    request: &Request,
) -> Reply {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let key = path.trim_start_matches("/bucket/").to_owned();
    let param = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(k, _)| *k == name).map(|(_, v)| v.to_owned())
    };
    let mut objects = objects.lock().unwrap();
    let State { uploads, tags } = &mut *state.lock().unwrap();
    let upload = param("uploadId");
    match (request.method.as_str(), upload) {
        ("POST", None) if query == "delete" => {
            let text = request.text();
            let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split('<').next());
            let deleted = keys.fold(String::new(), |all, key| {
                objects.remove(key);
                format!("{all}<Deleted><Key>{key}</Key></Deleted>")
            });
            Reply::new("200 OK", format!("<DeleteResult>{deleted}</DeleteResult>"))
        }
        ("POST", None) => {
            let id = format!("upload-{}", uploads.len() + 1);
            let body = format!(
                "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            );
            uploads.insert(id, BTreeMap::new());
            Reply::new("200 OK", body)
        }
        ("PUT", Some(id)) => {
            let number = param("partNumber").and_then(|n| n.parse().ok()).unwrap_or(0);
            let Some(upload) = uploads.get_mut(&id) else { return no_such_upload() };
            upload.insert(number, request.body.clone());
            Reply::new("200 OK", "").with("ETag", md5(&request.body))
        }
        ("POST", Some(id)) => {
            let Some(parts) = uploads.remove(&id) else { return no_such_upload() };
            let tag = tag_of_parts(&parts);
            let body = format!(
                "<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"
            );
            tags.insert(key.clone(), tag);
            objects.insert(key, parts.into_values().flatten().collect());
            Reply::new("200 OK", body)
        }
        ("DELETE", Some(id)) => {
            uploads.remove(&id);
            Reply::new("204 No Content", "")
        }
        ("PUT", None) => {
            let tag = md5(&request.body);
            tags.remove(&key);
            objects.insert(key, request.body.clone());
            Reply::new("200 OK", "").with("ETag", tag)
        }
        ("GET" | "HEAD", _) => match objects.get(&key) {
            Some(data) => {
                let tag = tags.get(&key).cloned().unwrap_or_else(|| md5(data));
                read(request, data, tag)
            }
            None => Reply::new("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>"),
        },
        _ => Reply::new("405 Method Not Allowed", ""),
    }
}

fn no_such_upload() -> Reply {
    Reply::new("404 Not Found", "<Error><Code>NoSuchUpload</Code></Error>")
}

fn read(request: &Request, data: &[u8], tag: String) -> Reply {
    if request.header("if-match").is_some_and(|wanted| wanted != tag) {
        return Reply::new("412 Precondition Failed", "");
    }
    let range = request.header("range").and_then(|range| {
        let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some((start.parse::<usize>().ok()?, end.parse::<usize>().ok()?))
    });
    let reply = match range {
        Some((start, _)) if start >= data.len() => {
            return Reply::new("416 Requested Range Not Satisfiable", "");
        }
        Some((start, end)) => {
            let end = end.min(data.len() - 1);
            Reply::new("206 Partial Content", &data[start..=end])
                .with("Content-Range", format!("bytes {start}-{end}/{}", data.len()))
        }
        None => Reply::new("200 OK", data),
    };
    reply.with("ETag", tag).with("Last-Modified", "Sat, 21 Nov 2026 00:00:00 GMT")
}

fn spoil(mut reply: Reply, request: &Request, fault: Option<Fault>) -> Vec<u8> {
    let length = reply.body.len();
    let head = request.method == "HEAD";
    let announced = |reply: &mut Reply| {
        if head {
            reply.body.clear();
        }
        reply.bytes(length)
    };
    match fault {
        None => announced(&mut reply),
        Some(Fault::Reset) => Vec::new(),
        Some(Fault::Busy) => {
            let code = "<Error><Code>SlowDown</Code></Error>";
            let reply = Reply::new("503 Slow Down", if head { "" } else { code });
            reply.bytes(reply.body.len())
        }
        Some(Fault::Broken) => {
            let reply = Reply::new("500 Internal Server Error", "");
            reply.bytes(0)
        }
        Some(Fault::CutBody) if length > 0 && !head => {
            reply.body.truncate(length / 2);
            reply.with("Connection", "close").bytes(length)
        }
        Some(Fault::FlippedBit) if length > 0 && request.method == "GET" => {
            let at = fastrand::usize(..length);
            reply.body[at] ^= 1 << fastrand::u32(..8);
            reply.bytes(length)
        }
        Some(Fault::OtherRange) => {
            for (name, value) in &mut reply.headers {
                if *name == "Content-Range" {
                    *value = value.replacen("bytes ", "bytes 1", 1);
                }
            }
            announced(&mut reply)
        }
        Some(Fault::StaleTag) => {
            for (name, value) in &mut reply.headers {
                if *name == "ETag" && request.method == "GET" {
                    *value = "\"00000000000000000000000000000000\"".to_owned();
                }
            }
            announced(&mut reply)
        }
        Some(_) => announced(&mut reply),
    }
}
