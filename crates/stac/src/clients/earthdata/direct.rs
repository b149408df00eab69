//! NASA's buckets, read directly: the archives give whoever is logged in keys for an hour, which hold in the region of the
//! buckets.
//!
//! `GET https://ARCHIVE/s3credentials` gives `{"accessKeyId": …, "secretAccessKey": …, "sessionToken": …, "expiration": …}`.
//! The login goes to the archive, the keys to the bucket; a document can name neither an archive that is not NASA's nor an
//! endpoint for the bucket.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use url::Url;

use super::super::answer::Answers;
use super::super::{Clients, Hints, bearer, href, s3};
use super::{REMEDY, Tokens, is_host};
use crate::asset::text;
use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::transport::{HttpSource, Source, read_json};

/// Where the buckets are, and the only region from which they can be read with these keys.
const REGION: &str = "us-west-2";

/// Keys that expire sooner are not used any more: a file has to arrive with them.
const SHORTEST_LIFE: TimeDelta = TimeDelta::minutes(5);

const ADVICE: &str = "NASA's buckets are open to machines in the AWS region us-west-2 only: elsewhere, take the https \
                      hrefs of the same files";

/// How long keys are taken to hold that do not say so in a way that can be read; NASA's hold an hour.
const UNKNOWN_LIFE: TimeDelta = TimeDelta::minutes(15);

/// Which archive gives keys for buckets whose names begin like this, as the guides of the data centres list them.
const ARCHIVES: [(&str, &str); 12] = [
    ("lp-prod-", "data.lpdaac.earthdatacloud.nasa.gov"),
    ("podaac-swot-", "archive.swot.podaac.earthdata.nasa.gov"),
    ("podaac-", "archive.podaac.earthdata.nasa.gov"),
    ("nsidc-cumulus-prod-", "data.nsidc.earthdatacloud.nasa.gov"),
    ("gesdisc-cumulus-prod-", "data.gesdisc.earthdata.nasa.gov"),
    ("ornl-cumulus-prod-", "data.ornldaac.earthdata.nasa.gov"),
    ("ghrcw-", "data.ghrc.earthdata.nasa.gov"),
    ("ghrc-cumulus-prod-", "data.ghrc.earthdata.nasa.gov"),
    ("asf-cumulus-prod-", "cumulus.asf.alaska.edu"),
    ("asdc-prod-", "data.asdc.earthdata.nasa.gov"),
    ("ob-cumulus-prod-", "obdaac-tea.earthdatacloud.nasa.gov"),
    ("prod-lads", "data.laadsdaac.earthdatacloud.nasa.gov"),
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

#[derive(Clone)]
pub(super) struct Keys {
    /// As stores take them.
    settings: Vec<(String, String)>,
    expires: DateTime<Utc>,
}

impl Keys {
    fn hold(&self) -> bool {
        self.expires - Utc::now() > SHORTEST_LIFE
    }
}

/// Keys by the URL that gives them.
pub(super) type Cache = Answers<String, Keys>;

/// The buckets of an object of which a server of NASA's hands out files: its hrefs are `https://ARCHIVE/BUCKET/KEY`.
pub(crate) fn archives(object: &Json) -> BTreeMap<String, String> {
    let assets = object.get("assets").and_then(Json::as_object).into_iter().flatten();
    let hrefs = assets.flat_map(|(_, asset)| {
        let alternates = asset.get("alternate").and_then(Json::as_object).into_iter().flatten();
        alternates.map(|(_, alternate)| alternate).chain([asset]).filter_map(|at| at.get("href"))
    });
    hrefs
        .filter_map(text)
        .filter_map(|href| {
            let (host, path) = href.strip_prefix("https://")?.split_once('/')?;
            let bucket = path.split('/').next().filter(|bucket| !bucket.is_empty())?;
            is_host(host).then(|| (bucket.to_owned(), host.to_owned()))
        })
        .collect()
}

/// Who gives keys for the bucket of an href.
fn service(clients: &Clients, href: &str, hints: &Hints) -> Option<String> {
    let config = clients.config();
    let own_keys = config.store_settings.iter().any(|(key, _)| key.contains("access_key_id"));
    if own_keys || hints.endpoint.is_some() {
        return None;
    }
    if let Some(url) = &config.earthdata_s3_credentials {
        return Some(url.clone());
    }
    let bucket = href::host(href)?;
    let known = || ARCHIVES.iter().find(|(start, _)| bucket.starts_with(start)).map(|(_, at)| *at);
    let host = hints.archives.get(&bucket).map(String::as_str).or_else(known)?;
    Some(format!("https://{host}/s3credentials"))
}

/// The ways to an object of a bucket, which may be one of NASA's.
pub(in super::super) async fn ways(
    clients: &Clients,
    href: &str,
    hints: &Hints,
) -> Result<Vec<Source>> {
    let own = s3::ways(clients, href, hints)?;
    let Some(service) = service(clients, href, hints) else { return Ok(own) };
    let keys = match clients.0.earthdata.keys(&service, clients.config().http_max_attempts).await {
        Ok(Some(keys)) => keys,
        Ok(None) => return Ok(own),
        // Whoever names a service wants its keys.
        Err(error)
            if clients.config().earthdata_s3_credentials.is_none() && s3::has_credentials() =>
        {
            tracing::warn!("{error}; going on with the credentials of the environment");
            return Ok(own);
        }
        Err(error) => return Err(error),
    };
    let mut settings = s3::settings(clients, href, hints);
    if !settings.iter().any(|(key, _)| key == "region") {
        settings.push(("region".to_owned(), REGION.to_owned()));
    }
    settings.extend(keys.settings);
    let direct = clients.store(href, &settings)?.advised(ADVICE);
    Ok([direct].into_iter().chain(own).collect())
}

impl Tokens {
    /// Keys of an archive that hold; `None` when nobody is logged in.
    async fn keys(&self, service: &str, attempts: u32) -> Result<Option<Keys>> {
        let Some(token) = self.get().await? else { return Ok(None) };
        let keys = self.keys.of(service.to_owned());
        let ask = async |_| self.ask_keys(service, &token, attempts).await;
        keys.get(Keys::hold, ask).await.map(Some)
    }

    async fn ask_keys(&self, service: &str, token: &str, attempts: u32) -> Result<Keys> {
        let bad =
            |detail: String| Error::new(ErrorKind::Authentication, "get S3 keys", service, detail);
        let url = Url::parse(service).map_err(|e| bad(e.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer(token)?);
        let source = HttpSource::of_service(url, headers, self.http.clone(), attempts);
        let reply: Result<Reply> = read_json(&source, "get S3 keys").await;
        let reply = reply.map_err(|error| match (error.kind(), error.status()) {
            // Whoever is not logged in is sent to a page for people.
            (ErrorKind::Document, _) | (_, Some(401)) => {
                bad(format!("it did not take the login of Earthdata: {REMEDY}"))
            }
            _ => error,
        })?;
        let pair = |key: &str, value: String| (key.to_owned(), value);
        Ok(Keys {
            expires: time(&reply.expiration).unwrap_or_else(|| Utc::now() + UNKNOWN_LIFE),
            settings: vec![
                pair("access_key_id", reply.access_key_id),
                pair("secret_access_key", reply.secret_access_key),
                pair("session_token", reply.session_token),
            ],
        })
    }
}

/// A time of RFC 3339, or the same with a space between day and time.
fn time(text: &str) -> Option<DateTime<Utc>> {
    text.parse::<DateTime<FixedOffset>>().ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_of_a_document_tell_its_buckets() {
        let item = Json::parse(
            r#"{"assets": {
                "a": {"href": "https://data.lpdaac.earthdatacloud.nasa.gov/some-bucket/HLSL30/x.tif",
                      "alternate": {"s3": {"href": "s3://some-bucket/HLSL30/x.tif"},
                                    "other": {"href": "https://sentinel1.asf.alaska.edu/mirror/x.tif"}}},
                "b": {"href": "https://earthdata.example.com/stolen/x.tif"}}}"#,
        );
        let found = archives(&item.unwrap());
        let expected = [
            ("mirror", "sentinel1.asf.alaska.edu"),
            ("some-bucket", "data.lpdaac.earthdatacloud.nasa.gov"),
        ];
        assert!(found.iter().map(|(bucket, host)| (&**bucket, &**host)).eq(expected));
    }

    #[test]
    fn both_forms_of_times_are_read() {
        assert_eq!(time("2999-02-27 23:26:56+00:00"), time("2999-02-27T23:26:56Z"));
        assert!(time("2999-02-27 23:26:56+00:00").is_some() && time("tomorrow").is_none());
    }
}
