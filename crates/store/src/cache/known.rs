//! What is known of an object: its description, and when the service gave it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{Attributes, ObjectMeta};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::client::{is_version, is_weak};
use crate::local::attributes::{attribute_of, name_of};

/// A name in the cache: of an object, or of one version of its content.
pub(super) type Digest = [u8; 32];

/// A digest of texts that are told apart.
pub(super) fn digest(parts: &[&str]) -> Digest {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The description of an object.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) meta: ObjectMeta,
    pub(super) attributes: Attributes,
    /// By the clock of the machine, which all processes share.
    pub(super) validated: SystemTime,
    /// Whether all that is read of it has to come with one reply: then nothing of it is kept.
    pub(super) is_one_piece: bool,
}

impl Known {
    /// Whether the description can be trusted. One of the future, after the clock was set back, cannot.
    pub(super) fn is_fresh(&self, ttl: Duration) -> bool {
        self.validated.elapsed().is_ok_and(|age| age < ttl)
    }

    /// Text that differs between two contents of one key. Entity tags that are weak (RFC 9110, 8.8.1) stand for contents
    /// that may differ in their bytes.
    pub(super) fn version(&self) -> String {
        let meta = &self.meta;
        let time = meta.last_modified.timestamp_nanos_opt().unwrap_or_default();
        match (&meta.version, &meta.e_tag) {
            (Some(version), _) => format!("version {version}"),
            (None, Some(tag)) if !is_weak(tag) => format!("tag {tag} {}", meta.size),
            (None, tag) => format!("{} {time} {}", tag.as_deref().unwrap_or_default(), meta.size),
        }
    }

    /// Whether `meta` describes the same content.
    pub(super) fn is_same(&self, meta: &ObjectMeta) -> bool {
        is_version(&self.meta, meta)
    }

    /// An entity tag that pins requests to this content.
    pub(super) fn pin(&self) -> Option<String> {
        self.meta.e_tag.clone().filter(|tag| !is_weak(tag))
    }

    pub(super) fn to_bytes(&self) -> Option<Bytes> {
        let since = self.validated.duration_since(UNIX_EPOCH).ok()?;
        let written = Written {
            key: self.meta.location.to_string(),
            last_modified: self.meta.last_modified,
            size: self.meta.size,
            e_tag: self.meta.e_tag.clone(),
            version: self.meta.version.clone(),
            attributes: self
                .attributes
                .iter()
                .map(|(name, value)| (name_of(name), value.to_string()))
                .collect(),
            validated_nanos: u64::try_from(since.as_nanos()).ok()?,
        };
        serde_json::to_vec(&written).ok().map(Bytes::from)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let written: Written = serde_json::from_slice(bytes).ok()?;
        let mut attributes = Attributes::new();
        for (name, value) in written.attributes {
            attributes.insert(attribute_of(&name)?, value.into());
        }
        let meta = ObjectMeta {
            location: Path::parse(written.key).ok()?,
            last_modified: written.last_modified,
            size: written.size,
            e_tag: written.e_tag,
            version: written.version,
        };
        let validated = UNIX_EPOCH + Duration::from_nanos(written.validated_nanos);
        Some(Self { meta, attributes, validated, is_one_piece: false })
    }
}

/// A description as it is written to disk.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    key: String,
    last_modified: DateTime<Utc>,
    size: u64,
    e_tag: Option<String>,
    version: Option<String>,
    attributes: Vec<(String, String)>,
    validated_nanos: u64,
}
