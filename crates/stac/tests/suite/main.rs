//! Documents and their assets from end to end, against servers on loopback.
//!
//! * `moving`: downloads and copies: what is there afterwards, and what is refused.
//! * `directories`: assets of many files.
//! * `access`: who is told which secret, and logins.
//! * `refusals`: logins and tokens that are refused, or run out.
//! * `documents`: searches, catalogs, tables; what is not touched stays as it was.

mod access;
mod directories;
mod documents;
mod moving;
mod refusals;
mod server;

use std::sync::Arc;

use holdall_stac::{ClientConfig, Clients, Document, Observer, Place};
use serde_json::{Value, json};

/// An item with the given assets.
fn item(id: &str, assets: Value) -> Value {
    json!({
        "type": "Feature", "stac_version": "1.1.0", "stac_extensions": [], "id": id, "geometry": null,
        "properties": {"datetime": "2024-03-05T10:20:30Z"}, "links": [], "assets": assets,
    })
}

fn document(json: &Value) -> Document {
    Document::parse(&json.to_string()).unwrap()
}

fn clients() -> Clients {
    Clients::new(ClientConfig::default()).unwrap()
}

fn nobody() -> Observer {
    Arc::new(|_, _| {})
}

fn place(dir: &tempfile::TempDir) -> Place {
    Place::Local(dir.path().to_owned())
}

/// Every file below a directory, hidden ones too.
fn names(dir: &tempfile::TempDir) -> Vec<String> {
    let mut found: Vec<String> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    found
}
