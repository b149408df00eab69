//! S3: with credentials where there are any, without them where the bucket is public.

use std::sync::OnceLock;

use super::{Clients, Hints};
use crate::config::DEFAULT_S3_REGION;
use crate::error::Result;
use crate::transport::Source;

/// What is known of this machine once somebody has asked.
#[derive(Debug, Default)]
pub(super) struct Machine {
    has_credentials: OnceLock<bool>,
    on_amazon: OnceLock<bool>,
}

impl Machine {
    fn has_credentials(&self) -> bool {
        *self.has_credentials.get_or_init(has_credentials)
    }

    fn on_amazon(&self) -> bool {
        *self.on_amazon.get_or_init(on_amazon)
    }
}

/// Endpoint and region of a bucket, as stores take them.
pub(super) fn settings(clients: &Clients, hints: &Hints) -> Vec<(String, String)> {
    let config = clients.config();
    let endpoint = config.s3_endpoint_url.clone().or_else(|| hints.endpoint.clone());
    let mut settings = Vec::new();
    let mut set = |key: &str, value: String| settings.push((key.to_owned(), value));
    match endpoint {
        Some(endpoint) => {
            set("allow_http", endpoint.starts_with("http://").to_string());
            set("endpoint", endpoint);
        }
        // Whoever sets an endpoint without TLS up means it.
        None if plain_endpoint() => set("allow_http", "true".to_owned()),
        None => {}
    }
    // stac-asset's default is a guess, which a bucket's own answer beats.
    let configured = config.s3_region.clone().filter(|region| region != DEFAULT_S3_REGION);
    if let Some(region) = configured.or_else(|| hints.region.clone()) {
        set("region", region);
    }
    settings
}

/// The ways to an object, best first. Whoever has set credentials up means them; a machine's own are asked for only when
/// the bucket refuses strangers.
pub(super) fn ways(clients: &Clients, href: &str, hints: &Hints) -> Result<Vec<Source>> {
    let config = clients.config();
    let requester_pays = config.s3_requester_pays || hints.requester_pays;
    let settings = settings(clients, hints);
    let signed = |mut settings: Vec<(String, String)>| {
        if requester_pays {
            settings.push(("request_payer".to_owned(), "true".to_owned()));
        }
        clients.store(href, &settings)
    };
    let unsigned = |mut settings: Vec<(String, String)>| {
        settings.push(("skip_signature".to_owned(), "true".to_owned()));
        clients.store(href, &settings)
    };
    let machine = &clients.0.s3;
    let set_up = machine.has_credentials()
        || config.store_settings.iter().any(|(key, _)| key.contains("access_key_id"));
    // Without credentials there is nobody who could pay, and the unsigned request says so plainly.
    if requester_pays && (set_up || machine.on_amazon()) {
        return Ok(vec![signed(settings)?]);
    }
    Ok(match set_up {
        true => vec![signed(settings.clone())?, unsigned(settings)?],
        false if machine.on_amazon() => vec![unsigned(settings.clone())?, signed(settings)?],
        false => vec![unsigned(settings)?],
    })
}

/// Whether somebody has set credentials up on this machine.
pub(super) fn has_credentials() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let named = [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    let file = std::env::var_os("AWS_SHARED_CREDENTIALS_FILE").map_or_else(
        || std::env::home_dir().map(|home| home.join(".aws/credentials")),
        |file| Some(file.into()),
    );
    named.into_iter().any(set) || file.is_some_and(|file| file.is_file())
}

/// Whether the environment names an endpoint without TLS.
fn plain_endpoint() -> bool {
    let names = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    let endpoint = names.into_iter().find_map(|name| std::env::var(name).ok());
    endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"))
}

/// Whether this is one of Amazon's machines, which has a metadata service; asking for it elsewhere takes long.
fn on_amazon() -> bool {
    let vendor = std::fs::read_to_string("/sys/class/dmi/id/sys_vendor");
    vendor.is_ok_and(|vendor| vendor.contains("Amazon"))
}
