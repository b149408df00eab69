//! Exchanges about archives, jobs and batches recorded from a real AIStore, sent again to our server, in their order.
//! `golden/differences-jobs.json` lists where ours differ, and why.

use std::collections::BTreeMap;

use holdall_archive::Format;
use reqwest::{Method, Response};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    archives::{files, pack, unpack},
    batches::parts,
    support::{Ais, header},
};

/// One exchange, as a line of `golden/recorded-jobs.jsonl`.
#[derive(Deserialize)]
struct Exchange {
    request: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    status: u16,
    /// Media type.
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    error: Option<Failure>,
    /// Names and sizes of a tar's members.
    #[serde(default)]
    members: Option<Vec<(String, usize)>>,
    /// What a multipart reply says of each entry.
    #[serde(default)]
    out: Option<Value>,
    /// Bytes of the body.
    #[serde(default)]
    length: Option<usize>,
}

#[derive(Deserialize)]
struct Failure {
    tcode: String,
    message: String,
}

/// An intended difference.
#[derive(Deserialize)]
struct Difference {
    /// What the request begins with.
    request: String,
    /// The status that was recorded.
    recorded: u16,
    /// The status of our reply.
    ours: u16,
    /// What our reply contains.
    text: String,
    reason: String,
}

/// Bytes of the object in the other bucket.
const A_SIZE: usize = 10240;

/// The objects that were there when the exchanges were recorded.
async fn as_recorded() -> Ais {
    let ais = Ais::memory().await;
    for bucket in ["golden-a", "golden-b", "golden-copy"] {
        ais.create(bucket).await;
    }
    for number in 0..25 {
        ais.put(&format!("golden-b/l/{number:03}"), "x".repeat(number)).await;
    }
    let members = [("in/one.txt", "1"), ("in/two.txt", "22"), ("in/two.cls", "c"), ("top", "")];
    ais.put("golden-a/o", "x".repeat(A_SIZE)).await;
    // Python's tars have this length at least.
    let mut tar = pack("shard.tar", &files(&members));
    tar.resize(10240, 0);
    ais.put("golden-b/shard.tar", tar).await;
    ais.put("golden-b/shard.zip", pack("shard.zip", &files(&[("in/z.txt", "zip")]))).await;
    ais
}

/// What is other than it was recorded; nothing when nothing is.
async fn compare(ais: &Ais, exchange: &Exchange) -> Option<(u16, String)> {
    let (method, path) = exchange.request.split_once(' ').expect("a method and a path");
    let method: Method = method.parse().expect("a method");
    let mut request = ais.request(method, path).body(exchange.body.clone());
    for (name, value) in &exchange.headers {
        request = request.header(name, value);
    }
    let reply = request.send().await.expect("an answer");
    let status = reply.status().as_u16();
    let kind = header(&reply, "content-type").split(';').next().unwrap_or_default().to_owned();
    if status != exchange.status {
        return Some((status, reply.text().await.unwrap_or_default()));
    }
    if kind != exchange.kind {
        return Some((status, format!("type {kind}")));
    }
    content(ais, exchange, reply).await.map(|text| (status, text))
}

async fn content(ais: &Ais, exchange: &Exchange, reply: Response) -> Option<String> {
    let target = ais.ask_target().await;
    let known = |text: &str| text.replace(&format!("t[{target}]"), "t[ID]");
    if let Some(Failure { tcode, message }) = &exchange.error {
        let ours: Value = reply.json().await.expect("JSON");
        let (code, text) = (ours["tcode"].as_str().unwrap_or_default(), ours["message"].as_str()?);
        let same = code == tcode && known(text) == *message;
        return (!same).then(|| format!("{code}: {}", known(text)));
    }
    let sizes = |bytes: &[u8]| -> Vec<(String, usize)> {
        unpack(Format::Tar, bytes)
            .into_iter()
            .map(|(name, content)| (name, content.len()))
            .collect()
    };
    if let Some(out) = &exchange.out {
        let (described, archive) = parts(reply).await;
        let ours: Value =
            serde_json::from_str(&known(&described["out"].to_string())).expect("JSON");
        if ours != *out {
            return Some(ours.to_string());
        }
        let members = exchange.members.as_ref()?;
        let found = sizes(&archive);
        return (found != *members).then(|| format!("{found:?}"));
    }
    let bytes = match reply.bytes().await {
        Ok(bytes) => bytes,
        Err(error) => return Some(error.to_string()),
    };
    if let Some(members) = &exchange.members {
        let found = sizes(&bytes);
        return (found != *members).then(|| format!("{found:?}"));
    }
    let length = exchange.length?;
    (bytes.len() != length).then(|| format!("{} bytes", bytes.len()))
}

impl Ais {
    async fn ask_target(&self) -> String {
        let map: Value = self.send(Method::GET, "/v1/daemon?what=smap").await.json().await.unwrap();
        map["tmap"].as_object().unwrap().keys().next().unwrap().clone()
    }
}

#[tokio::test]
async fn replies_are_as_recorded() {
    let ais = as_recorded().await;
    let known: Vec<Difference> =
        serde_json::from_str(include_str!("../golden/differences-jobs.json")).unwrap();
    let mut met = vec![false; known.len()];
    let mut odd = Vec::new();
    for line in include_str!("../golden/recorded-jobs.jsonl").lines() {
        let exchange: Exchange = serde_json::from_str(line).expect("an exchange");
        let Some((status, text)) = compare(&ais, &exchange).await else { continue };
        let found = known.iter().position(|known| {
            exchange.request.starts_with(&known.request)
                && (exchange.status, status) == (known.recorded, known.ours)
                && text.contains(&known.text)
        });
        match found {
            Some(index) => met[index] = true,
            None => odd.push(format!(
                "{} {}\n  recorded {} {}, ours {status}: {text}",
                exchange.request,
                exchange.body,
                exchange.status,
                exchange.error.as_ref().map_or("", |error| error.message.as_str())
            )),
        }
    }
    for (difference, met) in known.iter().zip(met) {
        if !met {
            let Difference { request, text, reason, .. } = difference;
            odd.push(format!("no difference any more: {request} {text} ({reason})"));
        }
    }
    assert!(odd.is_empty(), "{} differences:\n{}", odd.len(), odd.join("\n"));
}
