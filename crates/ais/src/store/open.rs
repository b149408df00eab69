//! From `ais://` URLs to stores.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use holdall_ais_wire::Bck;
use holdall_store::object_store::path::Path;
use holdall_store::{Error, ErrorKind, OpenOptions, Registry, Result, Store};
use percent_encoding::percent_decode_str;

use super::AisStore;
use crate::client::{Client, parse_url};
use crate::config::ClientConfig;
use crate::error;

/// Clients by their process and what they were made of, so that stores of one cluster share its map.
static CLIENTS: LazyLock<Mutex<HashMap<String, Client>>> = LazyLock::new(Mutex::default);

/// Most clients that are remembered.
const MOST_CLIENTS: usize = 64;

/// Schemes of buckets: AIStore's own, and those of clouds that a cluster stands before.
const SCHEMES: [&str; 5] = ["ais", "ais+s3", "ais+gs", "ais+az", "ais+oc"];

/// Adds `ais://` to a registry, and `ais+s3://`, `ais+gs://`, `ais+az://`, `ais+oc://` for buckets of clouds that are read and
/// written through a cluster.
pub fn register(registry: &Registry) {
    for scheme in SCHEMES {
        registry.register(scheme, Arc::new(open));
    }
}

/// Opens the store of `ais://bucket/key`, `ais+s3://bucket/key` or `ais://@cluster#namespace/bucket/key`, and gives the key with it. Settings are
/// those of [`ClientConfig::from_pairs`]; what they do not say is the environment's to say: the endpoint is that of
/// `AIS_ENDPOINT`, or `http://localhost:8080`.
///
/// # Errors
/// [`ErrorKind::InvalidUrl`] when the bucket is missing; [`ErrorKind::Config`] for settings that cannot be.
pub fn open(url: &str, options: &OpenOptions) -> Result<(Store, Path)> {
    let invalid = |detail: &str| Error::new(ErrorKind::InvalidUrl, "open", url, detail);
    let (bck, key) =
        parse_url(url.strip_prefix("ais+").unwrap_or(url)).map_err(|e| invalid(e.detail()))?;
    let key = percent_decode_str(&key).decode_utf8().map_err(|e| invalid(&e.to_string()))?;
    let key = Path::parse(key.trim_end_matches('/')).map_err(|e| invalid(&e.to_string()))?;
    let store = Store::new(Arc::new(AisStore::new(client(options)?.bucket_of(decoded(bck)))));
    Ok((store, key))
}

/// Buckets and namespaces have no characters that need it, but URLs may be written by programs that encode `@` and `#`.
fn decoded(bck: Bck) -> Bck {
    let decode = |text: String| percent_decode_str(&text).decode_utf8_lossy().into_owned();
    Bck { name: decode(bck.name), ..bck }
}

fn client(options: &OpenOptions) -> Result<Client> {
    let mut config =
        ClientConfig::from_pairs(options.use_env, options.config.iter().map(|(k, v)| (k, v)))
            .map_err(config_error)?;
    let given = &options.client;
    if *given != holdall_store::client::ClientOptions::default() {
        // What was set there is meant for every store; what is AIStore's own stays.
        let own = std::mem::replace(&mut config.http, given.clone());
        config.http.allow_invalid_certificates |= own.allow_invalid_certificates;
        config.http.root_certificate = own.root_certificate.or(config.http.root_certificate);
        config.http.identity = own.identity.or(config.http.identity);
    }
    // The type has no comparison.
    let standard = format!("{:?}", holdall_store::object_store::RetryConfig::default());
    if format!("{:?}", options.retry) != standard {
        config.retry = options.retry.clone();
    }
    // Tokens are part of the name, and the name is not printed.
    let token = config.token.as_ref().map(|token| token.reveal().to_owned());
    let name = format!("{} {config:?} {token:?}", std::process::id());
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = clients.get(&name) {
        return Ok(client.clone());
    }
    let client = Client::new(config).map_err(config_error)?;
    if clients.len() >= MOST_CLIENTS {
        clients.clear();
    }
    clients.insert(name, client.clone());
    Ok(client)
}

fn config_error(error: error::Error) -> Error {
    let kind = match error.detail().contains("unknown setting") {
        true => ErrorKind::UnknownConfigurationKey,
        false => ErrorKind::Config,
    };
    Error::new(kind, "open", error.target(), error.detail())
}
