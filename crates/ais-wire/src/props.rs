//! Properties of buckets.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::bucket::Bck;
use crate::value::decimal;

/// Name of the default checksum.
pub const DEFAULT_CHECKSUM: &str = "xxhash2";

/// When writes reach the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WritePolicy {
    /// Content.
    pub data: String,
    /// Metadata.
    pub md: String,
}

/// Checksums of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecksumConf {
    /// `xxhash2`, `xxhash`, `md5`, `crc32c`, `sha256`, `sha512` or `none`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Check what is read from a remote backend.
    pub validate_cold_get: bool,
    /// Check what is read from the cluster.
    pub validate_warm_get: bool,
    /// Check what moves between targets.
    pub validate_obj_move: bool,
    /// Replies to range reads carry the checksum of the range.
    pub enable_read_range: bool,
}

/// Versions of a bucket's objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersioningConf {
    /// Count versions.
    pub enabled: bool,
    /// Compare with the remote version at every read.
    pub validate_warm_get: bool,
    /// Also delete what is gone remotely.
    pub synchronize: bool,
}

/// Copies of a bucket's objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorConf {
    /// Copies.
    pub copies: i64,
    /// Requests that may wait.
    pub burst_buffer: i64,
    /// Whether there are any.
    pub enabled: bool,
}

/// All properties, in the order of AIStore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketProps {
    /// The bucket behind this one; its name is empty if there is none.
    pub backend_bck: Value,
    /// When writes reach the disk.
    pub write_policy: WritePolicy,
    /// Provider.
    pub provider: crate::Provider,
    /// What the bucket was called, while it is renamed.
    #[serde(rename = "Renamed")]
    pub renamed: String,
    /// Checksums.
    pub checksum: ChecksumConf,
    /// What providers add.
    pub extra: Value,
    /// Limits.
    pub rate_limit: Value,
    /// Erasure coding.
    pub ec: Value,
    /// Objects in chunks.
    pub chunks: Value,
    /// Copies.
    pub mirror: MirrorConf,
    /// Eviction.
    pub lru: Value,
    /// Permissions, a bit mask.
    #[serde(with = "decimal")]
    pub access: u64,
    /// Features, a bit mask.
    #[serde(with = "decimal")]
    pub features: u64,
    /// Id of the bucket; a bucket of the same name made later has another.
    #[serde(with = "decimal")]
    pub bid: u64,
    /// When it was made: nanoseconds since 1970.
    #[serde(with = "decimal")]
    pub created: i64,
    /// Versions.
    pub versioning: VersioningConf,
}

impl BucketProps {
    /// The properties of a new bucket.
    pub fn new(bck: &Bck, bid: u64, created: i64) -> Self {
        Self {
            backend_bck: json!({"name": "", "provider": "", "namespace": {"uuid": "", "name": ""}}),
            write_policy: WritePolicy { data: "immediate".into(), md: "immediate".into() },
            provider: bck.provider,
            renamed: String::new(),
            checksum: ChecksumConf {
                kind: DEFAULT_CHECKSUM.into(),
                validate_cold_get: false,
                validate_warm_get: false,
                validate_obj_move: false,
                enable_read_range: false,
            },
            extra: json!({"aws": {}, "gcp": {}, "oci": {}}),
            rate_limit: json!({
                "backend": {"interval": "1m", "max_tokens": 1000, "enabled": false, "num_retries": 3},
                "frontend": {"interval": "1m", "max_tokens": 1000, "enabled": false, "burst_size": 375},
            }),
            ec: json!({
                "compression": "never", "bundle_multiplier": 2, "burst_buffer": 512, "objsize_limit": 262_144,
                "data_slices": 2, "parity_slices": 2, "enabled": false, "disk_only": false,
            }),
            chunks: json!({"objsize_limit": "0B", "max_monolithic_size": "1TiB", "chunk_size": "1GiB"}),
            mirror: MirrorConf { copies: 2, burst_buffer: 512, enabled: false },
            lru: json!({
                "dont_evict_time": "2h0m", "capacity_upd_time": "10m", "batch_size": 32768, "enabled": bck.is_remote(),
            }),
            access: u64::MAX,
            features: 0,
            bid,
            created,
            versioning: VersioningConf {
                enabled: true,
                validate_warm_get: false,
                synchronize: false,
            },
        }
    }

    /// The properties with some of them changed, as `set-bprops` says: nested objects, of which what is not named
    /// stays.
    ///
    /// # Errors
    ///
    /// When a key is unknown, cannot be changed, or its value is of the wrong type.
    pub fn updated(&self, changes: &Value) -> Result<Self, InvalidProps> {
        let Value::Object(changes) = changes else {
            return Err(InvalidProps("expecting an object of properties".into()));
        };
        for fixed in ["provider", "bid", "created", "Renamed"] {
            if changes.get(fixed).is_some_and(|value| !value.is_null()) {
                return Err(InvalidProps(format!("property \"{fixed}\" cannot be changed")));
            }
        }
        let mut all = serde_json::to_value(self).map_err(|e| InvalidProps(e.to_string()))?;
        if let Value::Object(all) = &mut all {
            merge(all, changes, "")?;
        }
        let updated: Self = serde_json::from_value(all).map_err(|e| InvalidProps(e.to_string()))?;
        const KINDS: [&str; 7] = ["crc32c", "md5", "sha256", "sha512", "xxhash", "xxhash2", "none"];
        if !KINDS.contains(&updated.checksum.kind.as_str()) {
            return Err(InvalidProps(format!(
                "invalid checksum type \"{}\" (expecting [{}])",
                updated.checksum.kind,
                KINDS.join(" ")
            )));
        }
        Ok(updated)
    }
}

fn merge(
    into: &mut Map<String, Value>,
    changes: &Map<String, Value>,
    path: &str,
) -> Result<(), InvalidProps> {
    for (key, change) in changes {
        if change.is_null() {
            continue;
        }
        let here = format!("{path}{key}");
        let Some(old) = into.get_mut(key) else {
            // What providers add is open.
            if path.starts_with("extra.") {
                into.insert(key.clone(), change.clone());
                continue;
            }
            return Err(InvalidProps(format!(
                "invalid set-bucket-props request: unknown property \"{here}\""
            )));
        };
        match (old, change) {
            (Value::Object(old), Value::Object(change)) => merge(old, change, &format!("{here}."))?,
            (Value::String(old), Value::Number(number)) => *old = number.to_string(),
            (Value::Bool(old), Value::String(text))
                if matches!(text.to_ascii_lowercase().as_str(), "true" | "false") =>
            {
                *old = text.eq_ignore_ascii_case("true");
            }
            (old, change) if kind(old) == kind(change) => *old = change.clone(),
            (old, change) => {
                return Err(InvalidProps(format!(
                    "invalid set-bucket-props request: property \"{here}\" is {}, not {change}",
                    kind(old)
                )));
            }
        }
    }
    Ok(())
}

/// What sort of value it is, for messages.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Properties that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidProps(
    /// Why.
    pub String,
);

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = r#"{"backend_bck":{"name":"","provider":"","namespace":{"uuid":"","name":""}},"write_policy":{"data":"immediate","md":"immediate"},"provider":"ais","Renamed":"","checksum":{"type":"xxhash2","validate_cold_get":false,"validate_warm_get":false,"validate_obj_move":false,"enable_read_range":false},"extra":{"aws":{},"gcp":{},"oci":{}},"rate_limit":{"backend":{"interval":"1m","max_tokens":1000,"enabled":false,"num_retries":3},"frontend":{"interval":"1m","max_tokens":1000,"enabled":false,"burst_size":375}},"ec":{"compression":"never","bundle_multiplier":2,"burst_buffer":512,"objsize_limit":262144,"data_slices":2,"parity_slices":2,"enabled":false,"disk_only":false},"chunks":{"objsize_limit":"0B","max_monolithic_size":"1TiB","chunk_size":"1GiB"},"mirror":{"copies":2,"burst_buffer":512,"enabled":false},"lru":{"dont_evict_time":"2h0m","capacity_upd_time":"10m","batch_size":32768,"enabled":false},"access":"18446744073709551615","features":"0","bid":"9223372036854775809","created":"1795230440171804050","versioning":{"enabled":true,"validate_warm_get":false,"synchronize":false}}"#;

    #[test]
    fn defaults_are_those_of_a_recorded_bucket() {
        let props =
            BucketProps::new(&Bck::ais("b"), 9_223_372_036_854_775_809, 1_795_230_440_171_804_050);
        assert_eq!(serde_json::to_string(&props).unwrap(), RECORDED);
    }

    #[test]
    fn updates_change_what_they_name() {
        let props = BucketProps::new(&Bck::ais("b"), 1, 2);
        let updated = props
            .updated(&json!({"checksum": {"type": "md5"}, "versioning": {"enabled": false}, "features": 4096}))
            .unwrap();
        assert_eq!(
            (updated.checksum.kind.as_str(), updated.versioning.enabled, updated.features),
            ("md5", false, 4096)
        );
        assert_eq!(updated.mirror, props.mirror);
        let updated =
            props.updated(&json!({"mirror": {"enabled": "True", "copies": null}})).unwrap();
        assert_eq!((updated.mirror.enabled, updated.mirror.copies), (true, 2));
        for bad in [
            json!({"nope": 1}),
            json!({"checksum": {"nope": 1}}),
            json!({"checksum": {"type": "x"}}),
            json!({"bid": "3"}),
            json!(3),
            json!({"mirror": 3}),
            json!({"mirror": {"enabled": "maybe"}}),
            json!({"mirror": {"enabled": 1}}),
            json!({"mirror": {"copies": "2"}}),
            json!({"ec": {"data_slices": "a"}}),
            json!({"ec": {"compression": true}}),
            json!({"lru": {"dont_evict_time": ["2h"]}}),
        ] {
            assert!(props.updated(&bad).is_err(), "{bad}");
        }
    }
}
