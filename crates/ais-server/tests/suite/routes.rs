//! Requests that are nearly right, to every route: each is answered, and none with an internal error.
//!
//! They are made of the requests of `permissions` by a fixed seed. `HOLDALL_ROUTE_ROUNDS` says how many; a thousand or so by
//! default.

use fastrand::Rng;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::permissions::routes;
use crate::support::Ais;

/// What stands where something else is expected.
const ODD: [&str; 16] = [
    "",
    "-1",
    "0",
    "99999999999999999999",
    "true",
    "a/../b",
    "%00",
    "%ff%fe",
    "{0..99999999}",
    "\u{fffd}\u{202e}",
    "ais://@#/",
    "1h",
    ".tar",
    "@uuid#ns",
    "null",
    "x",
];
const QUERIES: [&str; 24] = [
    "provider",
    "namespace",
    "what",
    "archpath",
    "archmime",
    "archregx",
    "archmode",
    "props",
    "uuid",
    "append_type",
    "append_handle",
    "partNumber",
    "uploadId",
    "object_to",
    "bck_to",
    "fltPresence",
    "etl_name",
    "latest-ver",
    "list-type",
    "max-keys",
    "continuation-token",
    "delimiter",
    "prefix",
    "marker",
];
const HEADERS: [&str; 8] = [
    "range",
    "ais-checksum-type",
    "ais-checksum-value",
    "ais-custom-md",
    "if-match",
    "x-amz-copy-source",
    "content-md5",
    "x-amz-content-sha256",
];

fn odd(random: &mut Rng) -> &'static str {
    ODD[random.usize(..ODD.len())]
}

fn odd_value(random: &mut Rng) -> Value {
    match random.u8(..8) {
        0 => Value::Null,
        1 => json!(-1),
        2 => json!(u64::MAX),
        3 => json!(1.5),
        4 => json!([]),
        5 => json!({}),
        6 => json!([odd(random), null, {"name": odd(random)}]),
        _ => json!(odd(random)),
    }
}

/// Puts something odd in one place of a value.
fn spoil(value: &mut Value, random: &mut Rng) {
    match value {
        Value::Object(fields) if !fields.is_empty() && random.u8(..5) > 0 => {
            let at = random.usize(..fields.len());
            if let Some(field) = fields.values_mut().nth(at) {
                spoil(field, random);
            }
        }
        Value::Array(items) if !items.is_empty() && random.u8(..5) > 0 => {
            let at = random.usize(..items.len());
            spoil(&mut items[at], random);
        }
        other => *other = odd_value(random),
    }
}

fn spoiled_path(path: &str, random: &mut Rng) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut parts: Vec<&str> = path.split('/').collect();
    match random.u8(..6) {
        0 => {
            let at = random.usize(1..parts.len());
            parts[at] = odd(random);
        }
        1 => parts.push(odd(random)),
        2 => drop(parts.pop()),
        _ => {}
    }
    let mut path = parts.join("/");
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    let mut mark = if query.is_empty() { '?' } else { '&' };
    if !query.is_empty() {
        path = format!("{path}?{query}");
    }
    for _ in 0..random.u8(..3) {
        path = format!("{path}{mark}{}={}", QUERIES[random.usize(..QUERIES.len())], odd(random));
        mark = '&';
    }
    path
}

fn request(ais: &Ais, random: &mut Rng) -> (String, RequestBuilder) {
    let mut all = routes();
    let route = all.swap_remove(random.usize(..all.len()));
    let path = spoiled_path(&route.full_path(), random);
    let method = match random.u8(..12) {
        0 => Method::OPTIONS,
        1 => Method::PATCH,
        2 => Method::POST,
        _ => route.method,
    };
    let mut body = route.body;
    if random.bool() {
        spoil(&mut body, random);
    }
    let mut text = if body.is_null() { odd(random).to_owned() } else { body.to_string() };
    if random.u8(..8) == 0 {
        let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(middle.unwrap_or_default());
    }
    let mut said = format!("{method} {path} {text}");
    let mut request = ais.request(method, &path).body(text);
    if random.u8(..3) == 0 {
        let (name, value) = (HEADERS[random.usize(..HEADERS.len())], odd(random));
        if let Ok(value) = http::HeaderValue::from_bytes(value.as_bytes()) {
            said = format!("{said} {name}: {value:?}");
            request = request.header(name, value);
        }
    }
    (said, request)
}

#[tokio::test]
async fn whatever_comes_is_answered() {
    let rounds: usize = std::env::var("HOLDALL_ROUTE_ROUNDS")
        .map_or(1200, |rounds| rounds.parse().expect("a number"));
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        let mut random = Rng::with_seed(7);
        for round in 0..rounds / 2 {
            if round % 20 == 0 {
                for bucket in ["src", "dst"] {
                    let made = json!({"action": "create-bck"});
                    let path = format!("/v1/buckets/{bucket}");
                    ais.request(Method::POST, &path).json(&made).send().await.expect("an answer");
                }
                ais.put("src/o", "content").await;
            }
            let (said, request) = request(&ais, &mut random);
            let reply = request.send().await;
            let reply = reply.unwrap_or_else(|error| panic!("round {round}: {said}: {error}"));
            let status = reply.status();
            let text = reply.text().await.unwrap_or_else(|e| panic!("round {round}: {said}: {e}"));
            // A checksum that differs is AIStore's only mistake of clients with this status.
            let is_known = text.contains("BAD DATA CHECKSUM");
            assert!(status != 500 || is_known, "round {round}: {said}: {text}");
        }
    }
}
