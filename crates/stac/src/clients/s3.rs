//! S3: with credentials where there are any, without them where the bucket is public.

use std::sync::OnceLock;

use holdall_store::config::{ClientKey, ConfigKey, S3Key};
use url::Url;

use super::{Clients, Hints};
use crate::config::{ClientConfig, DEFAULT_S3_REGION};
use crate::error::Result;
use crate::transport::Source;

/// Where an endpoint has the bucket.
const BUCKET: &str = "{bucket}";

/// For whoever is refused by a server that only a document names.
const STRANGER: &str = "the document names this server, which gets no sessions and profiles of AWS therefore: where it is \
    meant to have them, name it with --s3-endpoint-url (Config.s3_endpoint_url) or AWS_ENDPOINT_URL";

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

/// The endpoint that a document names, where nobody has set one by hand; with `{bucket}` where the bucket belongs, if that
/// is not behind it.
fn hinted<'a>(config: &ClientConfig, hints: &'a Hints) -> Option<&'a str> {
    let by_hand = config.s3_endpoint_url.is_some()
        || is_set(config, S3Key::Endpoint)
        || is_set(config, S3Key::S3Endpoint);
    hints.endpoint.as_deref().filter(|_| !by_hand)
}

/// Endpoint and region of the bucket of an href, as stores take them.
pub(super) fn settings(clients: &Clients, href: &str, hints: &Hints) -> Vec<(String, String)> {
    let config = clients.config();
    let hinted_endpoint = hinted(config, hints);
    let has_bucket = hinted_endpoint.is_some_and(|endpoint| endpoint.contains(BUCKET));
    let bucket = crate::href::host(href).unwrap_or_default();
    let filled = hinted_endpoint.map(|endpoint| endpoint.replace(BUCKET, &bucket));
    let endpoint = config.s3_endpoint_url.clone().or(filled);
    let mut settings = Vec::new();
    let mut set = |key: &str, value: String| settings.push((key.to_owned(), value));
    let allows = config.store_settings.iter().any(|(key, _)| {
        key.to_ascii_lowercase().trim_start_matches("aws_") == ClientKey::AllowHttp.name()
    });
    match &endpoint {
        Some(endpoint) if !allows => {
            set("allow_http", endpoint.starts_with("http://").to_string());
        }
        // Whoever sets an endpoint without TLS up means it.
        None if !allows && plain_endpoint() => set("allow_http", "true".to_owned()),
        _ => {}
    }
    if let Some(endpoint) = endpoint {
        set("endpoint_url_s3", endpoint);
    }
    if has_bucket {
        // The store puts it nowhere else.
        set("virtual_hosted_style_request", "true".to_owned());
    }
    // stac-asset's default is a guess, which a bucket's own answer beats.
    let configured = config.s3_region.clone().filter(|region| region != DEFAULT_S3_REGION);
    let hinted = || hints.region.clone().filter(|_| !is_set(config, S3Key::Region));
    if let Some(region) = configured.or_else(hinted) {
        set("region", region);
    }
    settings
}

/// Whether a setting was given by hand, which beats what a document says and what follows from other settings.
fn is_set(config: &ClientConfig, key: S3Key) -> bool {
    config.store_settings.iter().any(|(spelling, _)| S3Key::parse(spelling).is_ok_and(|k| k == key))
}

/// The ways to an object, best first. Whoever has set credentials up means them; a machine's own are asked for only when
/// the bucket refuses strangers.
pub(super) fn ways(clients: &Clients, href: &str, hints: &Hints) -> Result<Vec<Source>> {
    let config = clients.config();
    let requester_pays = config.s3_requester_pays || hints.requester_pays;
    let settings = settings(clients, href, hints);
    let signed = |mut settings: Vec<(String, String)>| {
        if requester_pays && !is_set(config, S3Key::RequestPayer) {
            settings.push(("request_payer".to_owned(), "true".to_owned()));
        }
        clients.store(href, &settings)
    };
    let unsigned = |mut settings: Vec<(String, String)>| {
        settings.push(("skip_signature".to_owned(), "true".to_owned()));
        clients.store(href, &settings)
    };
    if is_set(config, S3Key::SkipSignature) {
        return Ok(vec![signed(settings)?]);
    }
    let machine = &clients.0.s3;
    let given = config.store_settings.iter().any(|(key, _)| key.contains("access_key_id"));
    if !given && hinted(config, hints).is_some_and(|endpoint| !is_in_environment(endpoint)) {
        // Who writes a document does not choose who gets the session of its readers. A signature tells nothing of the key.
        let anonymous = unsigned(settings.clone())?.advised(STRANGER);
        return Ok(match has_lasting_keys() {
            true => vec![anonymous, signed(settings)?],
            false => vec![anonymous],
        });
    }
    let set_up = machine.has_credentials() || given;
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

fn set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Whether the environment has keys that are no session's: requests that they sign say who asks, and nothing secret.
fn has_lasting_keys() -> bool {
    set("AWS_ACCESS_KEY_ID") && set("AWS_SECRET_ACCESS_KEY") && !set("AWS_SESSION_TOKEN")
}

/// Whether somebody has set credentials up on this machine.
pub(super) fn has_credentials() -> bool {
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

/// The endpoint of the environment.
fn environment() -> Option<String> {
    let names = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    names.into_iter().find_map(|name| std::env::var(name).ok())
}

/// Whether the environment names an endpoint without TLS.
fn plain_endpoint() -> bool {
    environment().is_some_and(|endpoint| endpoint.starts_with("http://"))
}

/// Whether the environment names the server of an endpoint, for whatever bucket.
fn is_in_environment(endpoint: &str) -> bool {
    let server = |text: &str| {
        let url = Url::parse(&text.replace(&format!("{BUCKET}."), "")).ok()?;
        Some((url.scheme().to_owned(), url.host_str()?.to_owned(), url.port_or_known_default()))
    };
    environment().is_some_and(|own| server(&own).is_some_and(|own| Some(own) == server(endpoint)))
}

/// Whether this is one of Amazon's machines, which has a metadata service; asking for it elsewhere takes long.
fn on_amazon() -> bool {
    let vendor = std::fs::read_to_string("/sys/class/dmi/id/sys_vendor");
    vendor.is_ok_and(|vendor| vendor.contains("Amazon"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_by_hand_beat_documents_and_what_follows_from_others() {
        let mut hints = Hints::default();
        hints.endpoint = Some("http://hinted".to_owned());
        hints.region = Some("hinted".to_owned());
        let given = |pairs: &[(&str, &str)], endpoint: Option<&str>| {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            let config = ClientConfig {
                store_settings: pairs.iter().map(owned).collect(),
                s3_endpoint_url: endpoint.map(str::to_owned),
                ..ClientConfig::default()
            };
            let clients = Clients::new(config).unwrap();
            settings(&clients, "s3://b/k", &hints)
                .into_iter()
                .map(|(key, _)| key)
                .collect::<Vec<_>>()
        };
        assert_eq!(given(&[], None), ["allow_http", "endpoint_url_s3", "region"]);
        assert_eq!(given(&[("AWS_REGION", "own")], None), ["allow_http", "endpoint_url_s3"]);
        let own = [("aws_allow_http", "true"), ("region", "own")];
        assert_eq!(given(&own, Some("http://own")), ["endpoint_url_s3"]);
        let own = [("endpoint_url", "http://own"), ("allow_http", "true"), ("region", "own")];
        assert!(given(&own, None).is_empty());
    }

    #[test]
    fn a_bucket_is_in_its_endpoint_once() {
        let clients = Clients::new(ClientConfig::default()).unwrap();
        let url = |endpoint: &str| {
            let mut hints = Hints::default();
            hints.endpoint = Some(endpoint.to_owned());
            let ways = ways(&clients, "s3://b/deep/k", &hints).unwrap();
            assert_eq!(ways.len(), 1);
            let settings = settings(&clients, "s3://b/deep/k", &hints);
            let find = |key: &str| settings.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
            (find("endpoint_url_s3").unwrap(), find("virtual_hosted_style_request").is_some())
        };
        assert_eq!(url("https://{bucket}.h"), ("https://b.h".to_owned(), true));
        assert_eq!(url("https://h/{bucket}"), ("https://h/b".to_owned(), true));
        assert_eq!(url("https://h"), ("https://h".to_owned(), false));
    }
}
