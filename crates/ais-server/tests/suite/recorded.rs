//! Exchanges recorded from a real AIStore, sent again to our server: its replies have the same status, headers and
//! bodies, but for names and times. `golden/differences*.json` list where ours differ, and why.
//!
//! Of the exchanges on its face of S3, and with a bucket of S3 behind it, the recording has no more than three of a kind;
//! what a later one needs is made by lines that the recording left out as repetitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::standin;
use crate::support::Ais;

/// One exchange, as a line of `golden/recorded*.jsonl`.
#[derive(Deserialize)]
struct Exchange {
    /// What happens at the backend instead of a request.
    #[serde(default)]
    there: Option<There>,
    /// Method and target.
    request: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<Body>,
    status: u16,
    /// Headers whose values are the same.
    #[serde(default)]
    reply_headers: Vec<(String, String)>,
    /// Headers that are there, with other values.
    #[serde(default)]
    has: Vec<String>,
    #[serde(default)]
    error: Option<Failure>,
    /// A list, without its id.
    #[serde(default)]
    json: Option<Value>,
    /// Bytes of the body.
    #[serde(default)]
    length: Option<usize>,
    /// The body.
    #[serde(default)]
    text: Option<String>,
    /// The code of S3's error.
    #[serde(default)]
    code: Option<String>,
    /// Elements that S3's document has.
    #[serde(default)]
    elements: Vec<String>,
    /// The recorded id of the upload that is begun.
    #[serde(default)]
    upload: Option<String>,
}

#[derive(Deserialize)]
struct There {
    key: String,
    /// What is written; none to delete.
    #[serde(default)]
    content: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    b64: Option<String>,
    /// The bytes 0 to 255, again and again, up to this length.
    #[serde(default)]
    pattern: Option<usize>,
    /// One character, again and again, up to `len`.
    #[serde(default)]
    fill: Option<String>,
    #[serde(default)]
    len: Option<usize>,
}

#[derive(Deserialize)]
struct Failure {
    tcode: String,
    message: String,
}

/// Where our reply differs.
#[derive(Deserialize)]
struct Difference {
    /// What the request begins with.
    request: String,
    /// What its body holds; a request without a body has none.
    #[serde(default)]
    body: String,
    /// Our status, if it is another.
    #[serde(default)]
    status: Option<u16>,
    /// Why.
    reason: String,
}

impl Body {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = if let Some(text) = &self.text {
            text.clone().into_bytes()
        } else if let Some(base64) = &self.b64 {
            base64::engine::general_purpose::STANDARD.decode(base64).expect("base64")
        } else if let Some(len) = self.pattern {
            (0..len).map(|n| (n % 256) as u8).collect()
        } else {
            self.fill.clone().unwrap_or_default().into_bytes().repeat(self.len.unwrap_or(0))
        };
        if let Some(len) = self.len {
            bytes.resize(len, 0);
        }
        bytes
    }
}

/// Ids of nodes and addresses of clients as in the recordings.
fn without_names(text: &str, ais: &Ais) -> String {
    let identity = ais.server.engine().identity();
    let nodes = [format!("t[{}]", identity.target), format!("p[{}]", identity.proxy)];
    let text = nodes.iter().fold(text.to_owned(), |text, node| text.replace(node.as_str(), "NODE"));
    match text.split_once("from 127.0.0.1:") {
        Some((before, _)) => format!("{before}from CLIENT"),
        None => text,
    }
}

/// What differs between the reply and the recorded one; nothing when all is as it should be.
async fn replay(ais: &Ais, exchange: &Exchange, ids: &mut BTreeMap<String, String>) -> Vec<String> {
    let (method, target) = exchange.request.split_once(' ').expect("a method");
    let target = ids.iter().fold(target.to_owned(), |target, (old, new)| target.replace(old, new));
    let mut request =
        ais.request(Method::from_bytes(method.as_bytes()).expect("a method"), &target);
    for (name, value) in &exchange.headers {
        request = request.header(name, value);
    }
    if let Some(body) = &exchange.body {
        request = request.body(body.bytes());
    }
    let reply = request.send().await.expect("an answer");
    let mut differences = Vec::new();
    let mut differs = |what: &str, recorded: String, ours: String| {
        if recorded != ours {
            differences.push(format!("{what}: {recorded} recorded, {ours} here"));
        }
    };
    differs("status", exchange.status.to_string(), reply.status().as_u16().to_string());
    if exchange.status != reply.status().as_u16() {
        return differences;
    }
    let headers = reply.headers().clone();
    let mut recorded: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in &exchange.reply_headers {
        recorded.entry(name).or_default().push(value);
    }
    for (name, mut values) in recorded {
        let mut ours: Vec<_> =
            headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect();
        values.sort_unstable();
        ours.sort_unstable();
        differs(name, values.join(", "), ours.join(", "));
    }
    for name in &exchange.has {
        differs(
            name,
            "there".into(),
            if headers.contains_key(name) { "there" } else { "missing" }.into(),
        );
    }
    let error_header = headers.get("hdr-error").map(|value| value.as_bytes().to_vec());
    let body = reply.bytes().await.expect("a body");
    if let Some(error) = &exchange.error {
        let text = error_header.unwrap_or_else(|| body.to_vec());
        let ours: Value = serde_json::from_slice(&text).unwrap_or_default();
        let field = |name: &str| ours[name].as_str().unwrap_or_default().to_owned();
        differs("tcode", error.tcode.clone(), field("tcode"));
        differs("message", error.message.clone(), without_names(&field("message"), ais));
    }
    if let Some(recorded) = &exchange.json {
        let mut ours: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Value::Object(fields) = &mut ours {
            fields.remove("uuid");
        }
        let (recorded, ours) = (without_times(recorded), without_times(&ours));
        if recorded != ours {
            differs("body", recorded.to_string(), ours.to_string());
        }
    }
    if let Some(length) = exchange.length
        && method == "GET"
    {
        differs("length", length.to_string(), body.len().to_string());
    }
    let text = String::from_utf8_lossy(&body);
    if let Some(recorded) = &exchange.text {
        differs("text", recorded.clone(), text.to_string());
    }
    if let Some(code) = &exchange.code {
        differs("code", code.clone(), inside(&text, "Code").to_owned());
    }
    for element in &exchange.elements {
        let here = text.contains(&format!("<{element}>")) || text.contains(&format!("<{element} "));
        differs(element, "there".into(), if here { "there" } else { "missing" }.into());
    }
    if let Some(recorded) = &exchange.upload {
        let ours = if text.starts_with('<') { inside(&text, "UploadId") } else { text.trim() };
        ids.insert(recorded.clone(), ours.to_owned());
    }
    remember(exchange, &body, ids);
    differences
}

/// The text of an element; empty if there is none.
fn inside<'a>(text: &'a str, element: &str) -> &'a str {
    let rest = text.split_once(&format!("<{element}>")).map_or("", |(_, rest)| rest);
    rest.split_once("</").map_or("", |(inside, _)| inside)
}

/// Times and places differ between machines: only whether they are told counts.
fn without_times(list: &Value) -> Value {
    let mut list = list.clone();
    for entry in list.get_mut("entries").and_then(Value::as_array_mut).into_iter().flatten() {
        for name in ["atime", "location"] {
            if let Some(value) = entry.get_mut(name) {
                *value = Value::Bool(true);
            }
        }
    }
    list
}

/// Ids of uploads are the server's: later requests of the recording name the recorded ones.
fn remember(exchange: &Exchange, body: &[u8], ids: &mut BTreeMap<String, String>) {
    let asks = exchange.body.as_ref().and_then(|body| body.text.as_deref()).unwrap_or_default();
    if asks.contains("mpt-upload") && exchange.request.contains("/mp?") {
        // The recording has one upload of this object.
        ids.insert("XqzKp6YwM".into(), String::from_utf8_lossy(body).into_owned());
    }
}

#[tokio::test]
async fn replies_are_as_recorded() {
    let differences = include_str!("../golden/differences.json");
    replies(&Ais::memory().await, None, include_str!("../golden/recorded.jsonl"), differences)
        .await;
}

#[tokio::test]
async fn replies_of_the_face_of_s3_are_as_recorded() {
    let differences = include_str!("../golden/differences-s3.json");
    let recorded = include_str!("../golden/recorded-s3.jsonl");
    replies(&Ais::memory().await, None, recorded, differences).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_about_a_bucket_of_a_backend_are_as_recorded() {
    let (control, options) = standin::options();
    control.bucket("ais-remote");
    let differences = include_str!("../golden/differences-remote.json");
    let recorded = include_str!("../golden/recorded-remote.jsonl");
    replies(&Ais::with(options).await, Some(&control), recorded, differences).await;
}

async fn replies(
    ais: &Ais,
    backend: Option<&Arc<standin::Control>>,
    recorded: &str,
    differences: &str,
) {
    let differences: Vec<Difference> =
        serde_json::from_str(differences).expect("a list of differences");
    let (mut wrong, mut ids, mut used) =
        (Vec::new(), BTreeMap::new(), vec![false; differences.len()]);
    for (number, line) in recorded.lines().enumerate() {
        let exchange: Exchange = serde_json::from_str(line).expect("an exchange");
        if let Some(There { key, content }) = &exchange.there {
            let backend = backend.expect("a backend");
            match content {
                Some(content) => backend.put("ais-remote", key, content.clone()).await,
                None => backend.delete("ais-remote", key).await,
            }
            continue;
        }
        let found = replay(ais, &exchange, &mut ids).await;
        let text = exchange.body.as_ref().and_then(|body| body.text.as_deref()).unwrap_or_default();
        let known = differences.iter().position(|known| {
            exchange.request.starts_with(&known.request)
                && text.contains(&known.body)
                && known.body.is_empty() == text.is_empty()
        });
        match known {
            Some(known) if !found.is_empty() => {
                used[known] = true;
                if let Some(status) = differences[known].status
                    && !found[0].ends_with(&format!("{status} here"))
                {
                    wrong.push(format!(
                        "line {}: {}\n  {}",
                        number + 1,
                        exchange.request,
                        found.join("\n  ")
                    ));
                }
            }
            _ if found.is_empty() => {}
            _ => wrong.push(format!(
                "line {}: {} {text:.160}\n  {}",
                number + 1,
                exchange.request,
                found.join("\n  ")
            )),
        }
    }
    for (difference, used) in differences.iter().zip(used) {
        assert!(!difference.reason.is_empty());
        if !used {
            wrong.push(format!(
                "listed as different, but is not: {} {}",
                difference.request, difference.body
            ));
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
