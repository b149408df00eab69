//! URLs that are signed the old way (Signature Version 2): boto3 still makes them for the region `us-east-1`.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::access::{Message, denied, header, pairs, same};
use super::fault::Result;
use crate::s3_keys::S3Keys;

/// Parameters that are signed, because they make the request another one.
const SIGNED: [&str; 33] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
];

/// The parameters of a query, decoded.
fn parameters(query: &str) -> BTreeMap<String, String> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    pairs(query).map(|(name, value)| (text(name), text(value))).collect()
}

/// Whether the URL is signed in this way.
pub(super) fn is_signed(query: &str) -> bool {
    let all = parameters(query);
    all.contains_key("AWSAccessKeyId") && all.contains_key("Signature")
}

/// Checks the signature; the access key it was made with.
///
/// # Errors
///
/// When it is wrong or too late.
pub(super) fn verify(message: &Message<'_>, keys: &S3Keys, now: DateTime<Utc>) -> Result<String> {
    let all = parameters(message.query);
    let get = |name: &str| all.get(name).map(String::as_str).unwrap_or_default();
    let expires: i64 = get("Expires")
        .parse()
        .map_err(|_| denied("AccessDenied", "Expires must be seconds since 1970"))?;
    if now.timestamp() > expires {
        return Err(denied("AccessDenied", "Request has expired"));
    }
    let access = get("AWSAccessKeyId");
    let secret = keys.secret(access).ok_or_else(|| {
        denied("InvalidAccessKeyId", "the access key that you provided is not known here")
    })?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    // Some sign what the server sees, others the bucket and the key, whatever the endpoint begins with.
    let paths = [message.path, message.path.strip_prefix("/s3").unwrap_or(message.path)];
    for path in paths {
        let signature = hmac::sign(&key, text(message, path, &all).as_bytes());
        if same(&STANDARD.encode(signature), get("Signature")) {
            return Ok(access.to_owned());
        }
    }
    let text = "the signature in the URL does not match the one computed here: check the secret key, the path, and the content type, which is signed";
    Err(denied("SignatureDoesNotMatch", text))
}

/// The text that is signed. What the signer knew as headers may have become parameters of the URL.
fn text(message: &Message<'_>, path: &str, all: &BTreeMap<String, String>) -> String {
    let either = |name: &str| match all.get(name) {
        Some(value) => value.clone(),
        None => header(message.headers, name).to_owned(),
    };
    let mut amz: BTreeMap<String, String> = message
        .headers
        .keys()
        .map(|name| (name.as_str().to_owned(), header(message.headers, name.as_str()).to_owned()))
        .collect();
    amz.extend(all.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
    amz.retain(|name, _| name.starts_with("x-amz-"));
    let amz: String =
        amz.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let signed = all.iter().filter(|(name, _)| SIGNED.contains(&name.as_str()));
    let signed: Vec<String> = signed
        .map(
            |(name, value)| if value.is_empty() { name.clone() } else { format!("{name}={value}") },
        )
        .collect();
    let mark = if signed.is_empty() { "" } else { "?" };
    format!(
        "{}\n{}\n{}\n{}\n{amz}{path}{mark}{}",
        message.method,
        either("content-md5"),
        either("content-type"),
        all.get("Expires").map(String::as_str).unwrap_or_default(),
        signed.join("&")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of "Signing and Authenticating REST Requests" in the reference of Amazon S3.
    #[test]
    fn a_url() {
        let keys = S3Keys::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
            .unwrap();
        let query = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620";
        assert!(is_signed(query) && !is_signed("X-Amz-Signature=1"));
        let headers = http::HeaderMap::new();
        let check = |path, at| {
            let message = Message { method: "GET", path, query, headers: &headers };
            let now = DateTime::from_timestamp(at, 0).unwrap();
            verify(&message, &keys, now).map(drop).map_err(|fault| fault.code)
        };
        assert_eq!(check("/johnsmith/photos/puppy.jpg", 1_175_139_620), Ok(()));
        assert_eq!(check("/johnsmith/photos/puppy.jpg", 1_175_139_621), Err("AccessDenied"));
        assert_eq!(check("/johnsmith/photos/kitten.jpg", 0), Err("SignatureDoesNotMatch"));
    }
}
