//! Providers, namespaces, buckets and their names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where the objects of a bucket live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// AIStore itself, or a remote AIStore cluster when the namespace has a uuid.
    #[default]
    Ais,
    /// Amazon S3 and what speaks its API.
    Aws,
    /// Azure Blob Storage.
    Azure,
    /// Google Cloud Storage.
    Gcp,
    /// Plain HTTP(S); AIStore itself dropped it in 5.0.
    Ht,
    /// Oracle Cloud.
    Oci,
}

/// A provider's name that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid backend provider \"{0}\": expecting ais, aws (s3), gcp (gs), azure (az), oci (oc) or ht"
)]
pub struct UnknownProvider(
    /// What was given.
    pub String,
);

impl Provider {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 6] = [Self::Ais, Self::Aws, Self::Azure, Self::Gcp, Self::Ht, Self::Oci];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ais => "ais",
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
            Self::Ht => "ht",
            Self::Oci => "oci",
        }
    }

    /// The scheme of printable names: `s3` for [`Provider::Aws`] and so on.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Ais => "ais",
            Self::Aws => "s3",
            Self::Azure => "az",
            Self::Gcp => "gs",
            Self::Ht => "ht",
            Self::Oci => "oc",
        }
    }

    /// Whether objects live outside AIStore clusters.
    pub fn is_cloud(self) -> bool {
        self != Self::Ais
    }
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    /// Reads a name or an alias; nothing means [`Provider::Ais`].
    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        match text {
            "" | "ais" => Ok(Self::Ais),
            "aws" | "s3" => Ok(Self::Aws),
            "azure" | "az" => Ok(Self::Azure),
            "gcp" | "gs" => Ok(Self::Gcp),
            "ht" => Ok(Self::Ht),
            "oci" | "oc" => Ok(Self::Oci),
            other => Err(UnknownProvider(other.to_owned())),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Provider {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Provider {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A namespace of buckets. The global one has neither part.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Namespace {
    /// The remote cluster's uuid or alias; empty in this cluster.
    #[serde(default)]
    pub uuid: String,
    /// The name.
    #[serde(default)]
    pub name: String,
}

impl Namespace {
    /// Whether this is the global namespace of this cluster.
    pub fn is_global(&self) -> bool {
        self.uuid.is_empty() && self.name.is_empty()
    }

    /// The form of unique names and query parameters: `@uuid#name`, always with both marks.
    pub fn uname(&self) -> String {
        format!("@{}#{}", self.uuid, self.name)
    }

    /// Reads `@uuid#name`, where either part and its mark may be missing; a bare word is a name.
    pub fn parse(text: &str) -> Self {
        let (uuid, name) = match text.strip_prefix('@') {
            Some(rest) => rest.split_once('#').unwrap_or((rest, "")),
            None => ("", text.strip_prefix('#').unwrap_or(text)),
        };
        Self { uuid: uuid.to_owned(), name: name.to_owned() }
    }
}

/// A bucket: its name, provider and namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bck {
    /// The name; may be empty where a message speaks of all buckets.
    #[serde(default)]
    pub name: String,
    /// The provider.
    #[serde(default)]
    pub provider: Provider,
    /// The namespace; clients send `null` for the global one.
    #[serde(default, deserialize_with = "crate::value::null_default")]
    pub namespace: Namespace,
}

impl Bck {
    /// A bucket of this cluster in the global namespace.
    pub fn ais(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Whether objects live elsewhere: in a cloud or in another cluster.
    pub fn is_remote(&self) -> bool {
        self.provider.is_cloud() || !self.namespace.uuid.is_empty()
    }

    /// Whether this is a bucket of another AIStore cluster.
    pub fn is_remote_ais(&self) -> bool {
        self.provider == Provider::Ais && !self.namespace.uuid.is_empty()
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.name.is_empty() && self.provider == Provider::Ais && self.namespace.is_global()
    }

    /// The unique name, `ais/@#/name/`; with `object`, the object's.
    pub fn uname(&self, object: &str) -> String {
        let Namespace { uuid, name } = &self.namespace;
        [self.provider.as_str(), "/@", uuid, "#", name, "/", &self.name, "/", object].concat()
    }

    /// The name that messages print: `ais://name`, `s3://name`, `ais://@uuid#ns/name`.
    pub fn cname(&self) -> String {
        self.to_string()
    }

    /// Reads a unique name, `ais/@#/name/object`: the bucket, and the object's name, empty if there is none.
    ///
    /// # Errors
    ///
    /// When parts are missing, the provider is unknown or the bucket has no name.
    pub fn parse_uname(text: &str) -> Result<(Self, String), InvalidUname> {
        let invalid = || InvalidUname(text.to_owned());
        let mut parts = text.splitn(4, '/');
        let provider = parts.next().filter(|p| !p.is_empty()).ok_or_else(invalid)?;
        let provider = provider.parse().map_err(|_| invalid())?;
        let namespace = Namespace::parse(parts.next().ok_or_else(invalid)?);
        let name = parts.next().filter(|name| !name.is_empty()).ok_or_else(invalid)?.to_owned();
        let object = parts.next().unwrap_or_default().to_owned();
        Ok((Self { name, provider, namespace }, object))
    }
}

impl fmt::Display for Bck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Namespace { uuid, name } = &self.namespace;
        f.write_str(self.provider.scheme())?;
        f.write_str("://")?;
        for (mark, part) in [("@", uuid), ("#", name)] {
            if !part.is_empty() {
                f.write_str(mark)?;
                f.write_str(part)?;
            }
        }
        if !self.namespace.is_global() {
            f.write_str("/")?;
        }
        f.write_str(&self.name)
    }
}

/// A text that is not a unique name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid unique name \"{0}\": expecting provider/@uuid#namespace/bucket/[object]")]
pub struct InvalidUname(
    /// What was given.
    pub String,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_names_read_back() {
        let plain = Bck::ais("b");
        assert_eq!(plain.uname(""), "ais/@#/b/");
        let deep = Bck {
            name: "b".into(),
            provider: Provider::Aws,
            namespace: Namespace { uuid: "U".into(), name: "n".into() },
        };
        for (bck, object) in [(plain, ""), (deep, "dir/a b#1")] {
            assert_eq!(Bck::parse_uname(&bck.uname(object)).unwrap(), (bck, object.to_owned()));
        }
        for bad in ["", "/", "ais", "ais/@#", "ais/@#/", "nope/@#/b/"] {
            assert!(Bck::parse_uname(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn printable_names() {
        let name = |uuid: &str, name: &str| Bck {
            namespace: Namespace { uuid: uuid.into(), name: name.into() },
            ..Bck::ais("b")
        };
        assert_eq!(name("", "").cname(), "ais://b");
        assert_eq!(name("u", "").cname(), "ais://@u/b");
        assert_eq!(name("", "n").cname(), "ais://#n/b");
        assert_eq!(name("u", "n").cname(), "ais://@u#n/b");
        assert_eq!(Bck { provider: Provider::Aws, ..Bck::ais("b") }.cname(), "s3://b");
    }

    #[test]
    fn both_generations_of_bucket_messages() {
        let new: Bck =
            serde_json::from_str(r#"{"name":"b","provider":"ais","namespace":null}"#).unwrap();
        let old: Bck = serde_json::from_str(r#"{"name":"b","provider":"ais"}"#).unwrap();
        assert_eq!(new, old);
        assert_eq!(
            serde_json::to_string(&new).unwrap(),
            r#"{"name":"b","provider":"ais","namespace":{"uuid":"","name":""}}"#
        );
    }
}
