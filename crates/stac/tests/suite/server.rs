//! A server on loopback: files with ranges, and functions for paths that need more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    /// A header by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the connection ends in the middle of the body.
    pub(crate) breaks: bool,
}

impl Reply {
    pub(crate) fn json(body: &serde_json::Value) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self { status: 200, headers, body: body.to_string().into(), ..Self::default() }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }
}

type Handler = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

#[derive(Default)]
struct Site {
    files: Mutex<HashMap<String, (Vec<u8>, String)>>,
    handlers: Mutex<HashMap<String, Handler>>,
    seen: Mutex<Vec<Request>>,
    together: Mutex<Option<Arc<Barrier>>>,
}

/// The server; it ends with the runtime of the test.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    site: Arc<Site>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let site = Arc::new(Site::default());
        let own = site.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, own.clone()));
            }
        });
        Self { url, site }
    }

    /// Adds a file and returns its URL.
    pub(crate) fn add(&self, path: &str, data: impl Into<Vec<u8>>, media_type: &str) -> String {
        let file = (data.into(), media_type.to_owned());
        self.site.files.lock().unwrap().insert(path.to_owned(), file);
        format!("{}{path}", self.url)
    }

    /// Answers requests for a path.
    pub(crate) fn on(
        &self,
        path: &str,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) {
        self.site.handlers.lock().unwrap().insert(path.to_owned(), Box::new(answer));
    }

    /// From now on no request is answered before so many of them wait at once.
    pub(crate) fn answer_together(&self, count: usize) {
        *self.site.together.lock().unwrap() = Some(Arc::new(Barrier::new(count)));
    }

    /// The requests for a path until now.
    pub(crate) fn seen(&self, path: &str) -> Vec<Request> {
        let seen = self.site.seen.lock().unwrap();
        seen.iter().filter(|request| request.path() == path).cloned().collect()
    }
}

async fn serve(mut stream: TcpStream, site: Arc<Site>) {
    let mut waiting = Vec::new();
    while let Some(request) = read(&mut stream, &mut waiting).await {
        site.seen.lock().unwrap().push(request.clone());
        let together = site.together.lock().unwrap().clone();
        if let Some(others) = together {
            others.wait().await;
        }
        let reply = site.answer(&request);
        let mut head =
            format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
        for (name, value) in &reply.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let body = if request.method == "HEAD" { &[][..] } else { &reply.body };
        let body = if reply.breaks { &body[..body.len() / 2] } else { body };
        if stream.write_all(&[head.as_bytes(), body].concat()).await.is_err() || reply.breaks {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream, waiting: &mut Vec<u8>) -> Option<Request> {
    let mut buffer = [0; 16 * 1024];
    loop {
        if let Some(end) = waiting.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&waiting[..end]).into_owned();
            let mut lines = head.lines();
            let mut first = lines.next()?.split(' ').map(str::to_owned);
            let headers: HashMap<String, String> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
            if waiting.len() >= end + 4 + length {
                let body =
                    String::from_utf8_lossy(&waiting[end + 4..end + 4 + length]).into_owned();
                waiting.drain(..end + 4 + length);
                return Some(Request {
                    method: first.next()?,
                    target: first.next()?,
                    headers,
                    body,
                });
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => waiting.extend_from_slice(&buffer[..length]),
        }
    }
}

impl Site {
    fn answer(&self, request: &Request) -> Reply {
        if request.method == "PROPFIND" {
            return Reply::status(405);
        }
        if let Some(answer) = self.handlers.lock().unwrap().get(request.path()) {
            return answer(request);
        }
        let files = self.files.lock().unwrap();
        let Some((data, media_type)) = files.get(request.path()) else {
            return Reply::status(404);
        };
        let mut headers = vec![
            ("ETag".to_owned(), format!("\"{}\"", data.len())),
            ("Accept-Ranges".to_owned(), "bytes".to_owned()),
            ("Content-Type".to_owned(), media_type.clone()),
        ];
        let span = request.header("range").and_then(|range| range.strip_prefix("bytes="));
        let Some((first, last)) = span.and_then(|span| span.split_once('-')) else {
            return Reply { status: 200, headers, body: data.clone(), ..Reply::default() };
        };
        let start: usize = first.parse().unwrap();
        let end = last.parse::<usize>().map_or(data.len(), |last| data.len().min(last + 1));
        if start >= end {
            return Reply::status(416);
        }
        let range = format!("bytes {start}-{}/{}", end - 1, data.len());
        headers.push(("Content-Range".to_owned(), range));
        Reply { status: 206, headers, body: data[start..end].to_vec(), ..Reply::default() }
    }
}
