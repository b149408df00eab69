//! What a document says of an asset, as far as moving it needs it.

use std::collections::BTreeMap;

use crate::json::Json;
use crate::multihash::Multihash;

/// What one asset says of itself. Members of a wrong type count as absent: a title that is a number must not keep
/// anybody from a file.
#[derive(Debug, Clone, Default)]
pub struct AssetView {
    /// Where it is, as written.
    pub href: Option<String>,
    /// The media type.
    pub media_type: Option<String>,
    /// The title.
    pub title: Option<String>,
    /// What it is for.
    pub roles: Vec<String>,
    /// `file:size`, in bytes.
    pub size: Option<u64>,
    /// `file:size` as written, where it is no number of bytes.
    pub unknown_size: Option<String>,
    /// `file:checksum`, or the older `checksum:multihash`.
    pub checksum: Option<Multihash>,
    /// The checksum as written, when there is one.
    pub checksum_text: Option<String>,
    /// `file:header_size`, in bytes.
    pub header_size: Option<u64>,
    /// `file:local_path`.
    pub local_path: Option<String>,
    /// Names and common names of bands.
    pub bands: Vec<String>,
    /// `storage:refs`, or version 1 of the extension.
    pub storage: StorageHints,
    /// `auth:refs`.
    pub auth: Vec<String>,
    /// The same bytes elsewhere.
    pub alternates: Vec<Alternate>,
    /// Whether it is said to be Zarr: by its media type, the `zarr` extension, or the `engine` of `xarray:open_kwargs`.
    pub is_zarr: bool,
}

/// The same bytes elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Alternate {
    /// Its key.
    pub key: String,
    /// Where it is, as written; alternates without one are malformed.
    pub href: Option<String>,
    /// What is said of its storage.
    pub storage: StorageHints,
    /// `auth:refs`.
    pub auth: Vec<String>,
}

/// What a document says of the storage of an asset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageHints {
    /// Keys of `storage:schemes` (version 2).
    pub refs: Vec<String>,
    /// `storage:platform`: `AWS`, `AZURE`, … (version 1).
    pub platform: Option<String>,
    /// `storage:region` (version 1).
    pub region: Option<String>,
    /// `storage:requester_pays` (version 1).
    pub requester_pays: Option<bool>,
    /// The account of Azure that readers of tables and arrays are told: `account_name` of `table:storage_options`,
    /// `xarray:storage_options` or the `storage_options` of `xarray:open_kwargs`.
    pub account: Option<String>,
}

impl AssetView {
    /// Reads an asset.
    pub fn of(asset: &Json) -> Self {
        let Some(members) = asset.as_object() else { return Self::default() };
        let mut view = Self { storage: StorageHints::of(asset), ..Self::default() };
        for (key, value) in members {
            match key.as_str() {
                "href" => view.href = text(value),
                "type" => view.media_type = text(value),
                "title" => view.title = text(value),
                "roles" => view.roles = texts(value),
                "file:size" => view.set_size(value),
                "file:header_size" => view.header_size = value.as_u64(),
                "file:local_path" => view.local_path = text(value),
                "file:checksum" => view.set_checksum(value),
                "checksum:multihash" if view.checksum.is_none() => view.set_checksum(value),
                "bands" | "eo:bands" | "raster:bands" => view.bands.extend(bands(value)),
                "auth:refs" => view.auth = texts(value),
                "alternate" => view.alternates = alternates(value),
                "xarray:open_kwargs" => {
                    view.is_zarr |=
                        value.get("engine").and_then(text).is_some_and(|engine| engine == "zarr");
                }
                other => view.is_zarr |= other.starts_with("zarr:"),
            }
        }
        view.is_zarr |= view.media_type.as_deref().is_some_and(crate::media_type::is_zarr);
        view
    }

    fn set_size(&mut self, value: &Json) {
        self.size = value.as_u64();
        let is_none = self.size.is_some() || value.is_null();
        self.unknown_size = (!is_none).then(|| value.to_value().to_string());
    }

    fn set_checksum(&mut self, value: &Json) {
        self.checksum_text = match value.is_null() {
            true => None,
            false => Some(text(value).unwrap_or_else(|| value.to_value().to_string())),
        };
        self.checksum = self.checksum_text.as_deref().and_then(Multihash::parse);
    }
}

impl StorageHints {
    /// Reads the hints of an asset, an alternate, or the properties of an item.
    pub fn of(json: &Json) -> Self {
        let member = |key: &str| json.get(key);
        Self {
            refs: member("storage:refs").map(texts).unwrap_or_default(),
            platform: member("storage:platform").and_then(text),
            region: member("storage:region").and_then(text),
            requester_pays: member("storage:requester_pays").and_then(Json::as_bool),
            account: account(json),
        }
    }

    /// These hints, with what they do not say taken from `outer`.
    #[must_use]
    pub fn or(&self, outer: &Self) -> Self {
        Self {
            refs: if self.refs.is_empty() { outer.refs.clone() } else { self.refs.clone() },
            platform: self.platform.clone().or_else(|| outer.platform.clone()),
            region: self.region.clone().or_else(|| outer.region.clone()),
            requester_pays: self.requester_pays.or(outer.requester_pays),
            account: self.account.clone().or_else(|| outer.account.clone()),
        }
    }
}

fn account(json: &Json) -> Option<String> {
    let arguments = json.get("xarray:open_kwargs");
    let deeper = arguments.and_then(|arguments| arguments.get("backend_kwargs"));
    let options = [
        json.get("table:storage_options"),
        json.get("xarray:storage_options"),
        arguments.and_then(|arguments| arguments.get("storage_options")),
        deeper.and_then(|arguments| arguments.get("storage_options")),
    ];
    options.into_iter().flatten().find_map(|options| options.get("account_name").and_then(text))
}

pub(crate) fn text(value: &Json) -> Option<String> {
    value.as_str().map(|text| text.into_owned())
}

pub(crate) fn texts(value: &Json) -> Vec<String> {
    value.as_array().map(|values| values.iter().filter_map(text).collect()).unwrap_or_default()
}

fn bands(value: &Json) -> Vec<String> {
    let Some(bands) = value.as_array() else { return Vec::new() };
    let names = ["name", "common_name", "eo:common_name"];
    bands
        .iter()
        .flat_map(|band| names.map(|name| band.get(name).and_then(text)))
        .flatten()
        .collect()
}

fn alternates(value: &Json) -> Vec<Alternate> {
    let Some(members) = value.as_object() else { return Vec::new() };
    members
        .iter()
        .map(|(key, value)| Alternate {
            key: key.clone(),
            href: value.get("href").and_then(text),
            storage: StorageHints::of(value),
            auth: value.get("auth:refs").map(texts).unwrap_or_default(),
        })
        .collect()
}

/// A storage scheme of version 2.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageScheme {
    /// `aws-s3`, `custom-s3`, `ms-azure`, …
    pub kind: String,
    /// A URI template that gives the endpoint.
    pub platform: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Whether whoever asks pays.
    pub requester_pays: Option<bool>,
    /// The variables of the template: every other member that is a string.
    pub variables: BTreeMap<String, String>,
}

impl StorageScheme {
    /// Reads a member of `storage:schemes`.
    pub fn of(json: &Json) -> Self {
        let member = |key: &str| json.get(key).and_then(text);
        let variables = json.as_object().into_iter().flatten();
        Self {
            kind: member("type").unwrap_or_default(),
            platform: member("platform"),
            region: member("region"),
            requester_pays: json.get("requester_pays").and_then(Json::as_bool),
            variables: variables.filter_map(|(k, v)| Some((k.clone(), text(v)?))).collect(),
        }
    }

    /// The storage account of Azure.
    pub fn account(&self) -> Option<String> {
        self.variables.get("account").filter(|_| self.kind == "ms-azure").cloned()
    }

    /// The endpoint of an S3-compatible service, when the scheme names one that is not Amazon's. `{bucket}` stays in it: the
    /// href says which one it is.
    pub fn endpoint(&self) -> Option<String> {
        let template = self.platform.as_deref()?;
        let host = crate::href::host(template).unwrap_or_default();
        if matches!(&*self.kind, "aws-s3" | "ms-azure")
            || host.ends_with("amazonaws.com")
            || !template.contains("://")
        {
            return None;
        }
        let mut endpoint = template.to_owned();
        for (name, value) in self.variables.iter().filter(|(name, _)| *name != "bucket") {
            endpoint = endpoint.replace(&format!("{{{name}}}"), value);
        }
        (!endpoint.replace("{bucket}", "").contains('{'))
            .then(|| endpoint.trim_end_matches('/').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_extensions_and_skips_what_is_malformed() {
        let asset = Json::parse(
            r#"{"href": "s3://b/k", "title": 5, "roles": ["data", 1], "file:size": 12, "file:checksum": "1204e3b0c442",
                "storage:platform": "AWS", "storage:requester_pays": true, "eo:bands": [{"name": "B4", "common_name": "red"}],
                "alternate": {"https": {"href": "https://h/k", "auth:refs": ["login"]}, "bad": 3}}"#,
        )
        .unwrap();
        let view = AssetView::of(&asset);
        assert_eq!((view.title, view.roles.len(), view.size), (None, 1, Some(12)));
        assert_eq!(view.bands, ["B4", "red"]);
        assert_eq!(view.storage.requester_pays, Some(true));
        assert_eq!(view.alternates[0].auth, ["login"]);
        assert_eq!(view.alternates[1].href, None);
        assert!(view.checksum.is_some());
    }

    #[test]
    fn the_platform_of_a_scheme_is_the_endpoint_of_its_service() {
        let scheme = |text: &str| StorageScheme::of(&Json::parse(text).unwrap());
        let custom = scheme(
            r#"{"type": "custom-s3", "platform": "https://{region}.s3.example.com", "region": "eu"}"#,
        );
        assert_eq!(custom.endpoint().as_deref(), Some("https://eu.s3.example.com"));
        let aws = scheme(
            r#"{"type": "aws-s3", "platform": "https://{bucket}.s3.{region}.amazonaws.com", "bucket": "b"}"#,
        );
        assert_eq!(aws.endpoint(), None);
        let hosted = scheme(
            r#"{"type": "custom-s3", "platform": "https://{bucket}.{region}.h/", "bucket": "b", "region": "eu"}"#,
        );
        assert_eq!(hosted.endpoint().as_deref(), Some("https://{bucket}.eu.h"));
    }
}
