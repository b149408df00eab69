//! What documents say of access: the `storage` and `authentication` extensions.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::earthdata;
use super::signed_url::SigningFlow;
use crate::asset::{StorageHints, StorageScheme, text};
use crate::json::Json;
use crate::plan::property_hints;

/// What a document says of access to one location.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// The region of the bucket.
    pub region: Option<String>,
    /// The endpoint of an S3-compatible service, with `{bucket}` where that belongs, if it is not behind it.
    pub endpoint: Option<String>,
    /// Whether whoever asks pays.
    pub requester_pays: bool,
    /// The storage account of Azure, for hrefs that name a container only.
    pub account: Option<String>,
    /// How one proves who one is.
    pub auth: Vec<AuthScheme>,
    /// Whether it is said to be Zarr.
    pub is_zarr: bool,
    /// Servers of NASA's that hand out the files of buckets, by bucket.
    pub(super) archives: Arc<BTreeMap<String, String>>,
    own: StorageHints,
    schemes: BTreeMap<String, StorageScheme>,
    auth_schemes: BTreeMap<String, AuthScheme>,
}

/// A member of `auth:schemes`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthScheme {
    /// Its key.
    pub key: String,
    /// `http`, `s3`, `signedUrl`, `oauth2`, `apiKey`, `openIdConnect`.
    pub kind: String,
    /// `basic` or `bearer`, for `http`.
    pub scheme: Option<String>,
    /// The name of the header, parameter or cookie, for `apiKey`.
    pub name: Option<String>,
    /// `header`, `query` or `cookie`, for `apiKey`.
    pub place: Option<String>,
    /// Who signs hrefs, for `signedUrl`.
    pub signing: Option<SigningFlow>,
}

impl AuthScheme {
    fn of(key: &str, json: &Json) -> Self {
        let member = |key: &str| json.get(key).and_then(text);
        Self {
            key: key.to_owned(),
            kind: member("type").unwrap_or_default(),
            scheme: member("scheme"),
            name: member("name"),
            place: member("in"),
            signing: SigningFlow::of(json)
                .filter(|_| json.get("type").and_then(text).as_deref() == Some("signedUrl")),
        }
    }

    /// Whether it is user and password.
    pub fn is_basic(&self) -> bool {
        self.kind == "http"
            && self.scheme.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("basic"))
    }
}

impl Hints {
    /// What an item, collection or catalog says for all of its assets.
    pub fn of_object(object: &Json) -> Self {
        // Items have the schemes among their properties, collections and catalogs at the top.
        let find = |key: &str| {
            let of_item = object.get("properties").and_then(|properties| properties.get(key));
            of_item.or_else(|| object.get(key)).and_then(Json::as_object)
        };
        let schemes = find("storage:schemes").into_iter().flatten();
        let auth = find("auth:schemes").into_iter().flatten();
        Self {
            own: property_hints(object),
            archives: Arc::new(earthdata::archives(object)),
            schemes: schemes.map(|(key, value)| (key.clone(), StorageScheme::of(value))).collect(),
            auth_schemes: auth.map(|(k, v)| (k.clone(), AuthScheme::of(k, v))).collect(),
            ..Self::default()
        }
    }

    /// The same for one location with hints of its own.
    #[must_use]
    pub fn with(&self, storage: &StorageHints, auth: &[String]) -> Self {
        let storage = storage.or(&self.own);
        let scheme = storage.refs.iter().find_map(|name| self.schemes.get(name));
        let of_scheme = |pick: fn(&StorageScheme) -> Option<String>| scheme.and_then(pick);
        Self {
            region: storage.region.clone().or_else(|| of_scheme(|s| s.region.clone())),
            endpoint: of_scheme(StorageScheme::endpoint),
            requester_pays: storage
                .requester_pays
                .or_else(|| scheme.and_then(|s| s.requester_pays))
                .unwrap_or(false),
            account: storage.account.clone().or_else(|| of_scheme(StorageScheme::account)),
            auth: auth.iter().filter_map(|name| self.auth_schemes.get(name).cloned()).collect(),
            archives: self.archives.clone(),
            ..Self::default()
        }
    }

    /// The same for an asset that is, or is not, said to be Zarr.
    #[must_use]
    pub fn with_zarr(mut self, is_zarr: bool) -> Self {
        self.is_zarr = is_zarr;
        self
    }

    /// What is needed to read, in a word or two, for people.
    pub fn describe(&self) -> Option<String> {
        let mut words: Vec<String> = self
            .auth
            .iter()
            .map(|scheme| match (&scheme.scheme, scheme.kind.as_str()) {
                (Some(scheme), "http") => scheme.clone(),
                (_, kind) => kind.to_owned(),
            })
            .collect();
        if self.requester_pays {
            words.push("requester pays".to_owned());
        }
        (!words.is_empty()).then(|| words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_the_storage_extension_are_read() {
        let item = Json::parse(
            r#"{"properties": {"storage:region": "us-west-2", "storage:requester_pays": true,
                "storage:schemes": {"own": {"type": "custom-s3", "platform": "https://s3.example.com", "requester_pays": false}},
                "auth:schemes": {"login": {"type": "http", "scheme": "basic"}}}}"#,
        );
        let context = Hints::of_object(&item.unwrap());
        let plain = context.with(&StorageHints::default(), &[]);
        assert_eq!((plain.region.as_deref(), plain.requester_pays), (Some("us-west-2"), true));
        let own = StorageHints {
            refs: vec!["own".into()],
            requester_pays: Some(false),
            ..Default::default()
        };
        let own = context.with(&own, &["login".into(), "unknown".into()]);
        assert_eq!(own.endpoint.as_deref(), Some("https://s3.example.com"));
        assert!(!own.requester_pays && own.auth[0].is_basic());
        assert_eq!(own.describe().as_deref(), Some("basic"));
    }
}
