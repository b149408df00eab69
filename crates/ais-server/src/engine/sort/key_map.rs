//! Where external key maps come from: an object of this server, or a web server.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures::StreamExt as _;
use holdall_ais_wire::{Bck, Namespace, query};
use percent_encoding::percent_decode_str;
use tokio::runtime::Handle;

use crate::error::{Error, Result};

/// Largest map, in bytes.
const LIMIT: u64 = 256 << 20;

/// Silence after which a web server is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// Fails when a map is too large.
pub(super) fn check_size(size: u64) -> Result<()> {
    if size <= LIMIT {
        return Ok(());
    }
    Err(Error::invalid(format!("dsort: the external key map has more than {LIMIT} bytes")))
}

/// The bucket and the name of the object that a URL of this server stands for; none when it is not of this server.
pub(super) fn own_object(own: &str, url: &str) -> Result<Option<(Bck, String)>> {
    let wrong = |reason: &str| Error::invalid(format!("dsort: ekm_file {url:?}: {reason}"));
    let uri: http::Uri = url.parse().map_err(|_| wrong("it is no URL"))?;
    let own: http::Uri = match own.parse() {
        Ok(own) => own,
        Err(_) => return Ok(None),
    };
    let is_local = |host: Option<&str>| {
        host.is_some_and(|host| {
            let ip: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
            host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
        })
    };
    let same_host = uri.host() == own.host() || (is_local(uri.host()) && is_local(own.host()));
    if !same_host || port(&uri) != port(&own) {
        return Ok(None);
    }
    let Some(path) = uri.path().strip_prefix("/v1/objects/") else {
        return Err(wrong("it is no object of this server"));
    };
    let decoded =
        |text: &str| percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
    let (bucket, name) = path.split_once('/').ok_or_else(|| wrong("it names no object"))?;
    let name = decoded(name).map_err(|_| wrong("the object's name is not UTF-8"))?;
    let mut bck = Bck::ais(bucket);
    for pair in uri.query().unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value).map_err(|_| wrong("a parameter is not UTF-8"))?;
        match key {
            query::PROVIDER => {
                bck.provider = value.parse().map_err(|_| wrong("unknown provider"))?
            }
            query::NAMESPACE => bck.namespace = Namespace::parse(&value),
            _ => {}
        }
    }
    Ok(Some((bck, name)))
}

fn port(uri: &http::Uri) -> u16 {
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    uri.port_u16().unwrap_or(default)
}

/// Reads a map from a web server. Blocks.
///
/// # Errors
///
/// When the server is on this machine or its link, cannot be reached, or has no such map; when the map is too large.
pub(super) fn fetch(url: &str) -> Result<Vec<u8>> {
    Handle::current().block_on(fetch_async(url))
}

async fn fetch_async(url: &str) -> Result<Vec<u8>> {
    let failed =
        |reason: String| Error::invalid(format!("dsort: cannot read ekm_file {url:?}: {reason}"));
    let uri: http::Uri = url.parse().map_err(|_| failed("it is no URL".into()))?;
    let host = uri.host().ok_or_else(|| failed("it has no host".into()))?.to_owned();
    let bare = host.trim_matches(['[', ']']).to_owned();
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((bare.as_str(), port(&uri)))
        .await
        .map_err(|error| failed(error.to_string()))?
        .collect();
    // A client must not have this server look around where only the server can.
    if let Some(blocked) = addresses.iter().find(|address| is_blocked(address.ip())) {
        return Err(failed(format!("{} is not a public or site address", blocked.ip())));
    }
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(SILENCE)
        .read_timeout(SILENCE)
        .resolve_to_addrs(&host, &addresses)
        .no_proxy()
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let reply =
        client.get(url).send().await.map_err(|error| failed(error.without_url().to_string()))?;
    if reply.status() != http::StatusCode::OK {
        return Err(failed(format!("unexpected status code ({})", reply.status().as_u16())));
    }
    let mut content = Vec::new();
    let mut chunks = reply.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| failed(error.without_url().to_string()))?;
        check_size((content.len() + chunk.len()) as u64)?;
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

fn is_blocked(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || ip.is_multicast()
        }
        IpAddr::V6(ip) => {
            let link_local = ip.segments()[0] & 0xffc0 == 0xfe80;
            let mapped = ip.to_ipv4_mapped().is_some_and(|ip| is_blocked(ip.into()));
            ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || link_local || mapped
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_this_server() {
        let own = "http://127.0.0.1:4321";
        let object = |url: &str| own_object(own, url).unwrap();
        let found =
            object("http://127.0.0.1:4321/v1/objects/b/dir/a%20b.json?provider=ais&archpath=");
        assert_eq!(found, Some((Bck::ais("b"), "dir/a b.json".into())));
        assert!(object("http://localhost:4321/v1/objects/b/o").is_some());
        assert_eq!(object("http://127.0.0.1:1/v1/objects/b/o"), None);
        assert_eq!(object("http://example.org/v1/objects/b/o"), None);
        for bad in ["http://127.0.0.1:4321/x", "http://127.0.0.1:4321/v1/objects/b", "not a url"] {
            assert!(own_object(own, bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn this_machine_is_not_asked() {
        for url in [
            "http://127.0.0.1:9/x",
            "http://[::1]:9/x",
            "http://169.254.169.254/latest",
            "http://0.0.0.0/",
        ] {
            let error = fetch_async(url).await.unwrap_err();
            assert!(error.message().contains("site address"), "{error}");
        }
    }
}
