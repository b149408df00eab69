//! Jobs, which AIStore calls xactions: their kinds, and how clients ask for them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::bucket::Bck;
use crate::value::{self, decimal};

/// A kind of job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Name on the wire.
    pub name: &'static str,
    /// The name users know it by; mostly the same.
    pub display: &'static str,
    /// Whether the job stays for a while after its work, idle, in case more comes.
    pub idles: bool,
    /// Whether it works on one bucket.
    pub bucket: bool,
    /// Whether users can start it by its kind.
    pub startable: bool,
}

/// Names of kinds.
pub mod kind {
    #![allow(missing_docs, reason = "the names are the wire's own words")]

    pub const ARCHIVE: &str = "archive";
    pub const BLOB_DOWNLOAD: &str = "blob-download";
    pub const CLEANUP: &str = "cleanup-store";
    pub const COPY_BCK: &str = "copy-bck";
    pub const COPY_OBJECTS: &str = "copy-listrange";
    pub const CREATE_INVENTORY: &str = "create-inventory";
    pub const DELETE_OBJECTS: &str = "delete-listrange";
    pub const DOWNLOAD: &str = "download";
    pub const DSORT: &str = "dsort";
    pub const EC_ENCODE: &str = "ec-encode";
    pub const ELECTION: &str = "election";
    pub const ETL_BCK: &str = "etl-bck";
    pub const ETL_INLINE: &str = "etl-inline";
    pub const ETL_OBJECTS: &str = "etl-listrange";
    pub const EVICT_OBJECTS: &str = "evict-listrange";
    pub const EVICT_REMOTE_BCK: &str = "evict-remote-bck";
    pub const GET_BATCH: &str = "get-batch";
    pub const INDEX_SHARD: &str = "index-shard";
    pub const LIST: &str = "list";
    pub const LOAD_LOM_CACHE: &str = "load-lom-cache";
    pub const LRU: &str = "lru";
    pub const MAKE_N_COPIES: &str = "make-n-copies";
    pub const MOVE_BCK: &str = "move-bck";
    pub const PREFETCH: &str = "prefetch-listrange";
    pub const PROMOTE: &str = "promote";
    pub const PUT_COPIES: &str = "put-copies";
    pub const REBALANCE: &str = "rebalance";
    pub const RECHUNK: &str = "rechunk";
    pub const RESILVER: &str = "resilver";
    pub const SUMMARY_BCK: &str = "summary-bck";
    pub const SUMMARY_SHARD: &str = "summary-shard";
}

const fn row(
    name: &'static str,
    display: &'static str,
    idles: bool,
    bucket: bool,
    startable: bool,
) -> Kind {
    Kind { name, display, idles, bucket, startable }
}

/// All kinds.
pub const KINDS: [Kind; 34] = [
    row(kind::ARCHIVE, "archive", true, true, false),
    row(kind::BLOB_DOWNLOAD, "blob-download", false, true, true),
    row(kind::CLEANUP, "cleanup", false, false, true),
    row(kind::COPY_BCK, "copy-bucket", false, true, false),
    row(kind::COPY_OBJECTS, "copy-objects", true, true, false),
    row(kind::CREATE_INVENTORY, "create-inventory", false, true, false),
    row(kind::DELETE_OBJECTS, "delete-objects", false, true, false),
    row(kind::DOWNLOAD, "download", true, false, false),
    row(kind::DSORT, "dsort", false, false, false),
    row(kind::EC_ENCODE, "ec-bucket", false, true, false),
    row("ec-get", "ec-get", true, true, false),
    row("ec-put", "ec-put", true, true, false),
    row("ec-resp", "ec-resp", true, true, false),
    row(kind::ELECTION, "elect-primary", false, false, false),
    row(kind::ETL_BCK, "etl-bucket", false, true, false),
    row(kind::ETL_INLINE, "etl-inline", false, false, false),
    row(kind::ETL_OBJECTS, "etl-objects", true, true, false),
    row(kind::EVICT_OBJECTS, "evict-objects", false, true, false),
    row(kind::EVICT_REMOTE_BCK, "evict-remote-bucket", false, true, false),
    row(kind::GET_BATCH, "get-batch", true, false, false),
    row(kind::INDEX_SHARD, "shard-index", false, true, false),
    row(kind::LIST, "list", true, true, false),
    row(kind::LOAD_LOM_CACHE, "warm-up-metadata", false, true, true),
    row(kind::LRU, "lru-eviction", false, false, true),
    row(kind::MAKE_N_COPIES, "mirror", false, true, false),
    row(kind::MOVE_BCK, "rename-bucket", false, true, false),
    row(kind::PREFETCH, "prefetch-objects", false, true, true),
    row(kind::PROMOTE, "promote-files", false, true, false),
    row(kind::PUT_COPIES, "put-copies", true, true, false),
    row(kind::REBALANCE, "rebalance", false, false, true),
    row(kind::RECHUNK, "rechunk", false, true, true),
    row(kind::RESILVER, "resilver", false, false, true),
    row(kind::SUMMARY_BCK, "summary", false, true, false),
    row(kind::SUMMARY_SHARD, "shard-summary", false, true, false),
];

/// The kind with this name, of either sort.
pub fn find_kind(name: &str) -> Option<Kind> {
    KINDS.iter().find(|kind| kind.name == name || kind.display == name).copied()
}

/// What a client says of the jobs it means: the body of job queries, and the value of `start` and `stop`. The
/// spellings of clients and servers differ; all are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobArgs {
    /// Id.
    #[serde(
        rename = "ID",
        alias = "id",
        alias = "uuid",
        default,
        deserialize_with = "value::null_default"
    )]
    pub id: String,
    /// Kind, by either name.
    #[serde(rename = "Kind", alias = "kind", default, deserialize_with = "value::null_default")]
    pub kind: String,
    /// One target only.
    #[serde(
        rename = "DaemonID",
        alias = "node",
        alias = "daemon_id",
        default,
        deserialize_with = "value::null_default"
    )]
    pub node: String,
    /// One bucket.
    #[serde(rename = "Bck", alias = "bck", default)]
    pub bck: Option<Bck>,
    /// Several buckets.
    #[serde(rename = "Buckets", alias = "buckets", default)]
    pub buckets: Option<Vec<Bck>>,
    /// Only those that run; only those that do not; or all.
    #[serde(alias = "OnlyRunning", default, skip_serializing_if = "Option::is_none")]
    pub show_active: Option<bool>,
}

/// What became of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// Kind.
    pub kind: String,
    /// Id.
    pub uuid: String,
    /// What went wrong.
    #[serde(default)]
    pub err: String,
    /// End in nanoseconds since 1970; 0 while it runs.
    #[serde(default)]
    pub end_time: i64,
    /// Whether it was stopped.
    #[serde(default)]
    pub aborted: bool,
    /// Whether it waits for more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_idle: bool,
}

/// Work of a job, as decimal strings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Stats {
    /// Objects done here.
    #[serde(with = "decimal")]
    pub loc_objs: i64,
    /// Their bytes.
    #[serde(with = "decimal")]
    pub loc_bytes: i64,
    /// Objects sent to other targets.
    #[serde(with = "decimal")]
    pub out_objs: i64,
    /// Their bytes.
    #[serde(with = "decimal")]
    pub out_bytes: i64,
    /// Objects received.
    #[serde(with = "decimal")]
    pub in_objs: i64,
    /// Their bytes.
    #[serde(with = "decimal")]
    pub in_bytes: i64,
}

/// A job as a target sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Snap {
    /// What the kind adds.
    #[serde(default)]
    pub ext: Value,
    /// Start.
    #[serde(with = "time")]
    pub start_time: Option<DateTime<Utc>>,
    /// End; none while it runs.
    #[serde(with = "time")]
    pub end_time: Option<DateTime<Utc>>,
    /// The bucket.
    #[serde(default, with = "optional_bck")]
    pub bck: Option<Bck>,
    /// Where objects come from.
    #[serde(default, with = "optional_bck")]
    pub src_bck: Option<Bck>,
    /// Where they go.
    #[serde(default, with = "optional_bck")]
    pub dst_bck: Option<Bck>,
    /// Id.
    pub id: String,
    /// Kind.
    pub kind: String,
    /// What was asked, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ctlmsg: String,
    /// Why it was stopped.
    #[serde(default)]
    pub abort_err: String,
    /// What went wrong.
    #[serde(default)]
    pub err: String,
    /// Workers, packed: [`pack_workers`].
    #[serde(rename = "glob.id", default, with = "decimal")]
    pub packed: u64,
    /// Work so far.
    #[serde(default)]
    pub stats: Stats,
    /// Whether it was stopped.
    #[serde(default)]
    pub aborted: bool,
    /// Whether it waits for more.
    #[serde(rename = "is_idle", default)]
    pub is_idle: bool,
}

/// [`Snap::packed`]: joggers in bits 0 to 9, workers in 10 to 19.
pub fn pack_workers(joggers: u64, workers: u64) -> u64 {
    (joggers & 0x3ff) | ((workers & 0x3ff) << 10)
}

mod time {
    use super::{DateTime, Deserialize, Deserializer, Serializer, Utc, value};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value::rfc3339(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text == value::ZERO_TIME {
            return Ok(None);
        }
        let time = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
        Ok(Some(time.to_utc()))
    }
}

/// Buckets that may be missing: an object with empty strings.
mod optional_bck {
    use super::{Bck, Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bck: &Option<Bck>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Empty {
            name: &'static str,
            provider: &'static str,
            namespace: crate::Namespace,
        }
        match bck {
            Some(bck) => bck.serialize(serializer),
            None => Empty { name: "", provider: "", namespace: crate::Namespace::default() }
                .serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Bck>, D::Error> {
        let bck = Option::<Bck>::deserialize(deserializer)?;
        Ok(bck.filter(|bck| !bck.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_snapshot() {
        let text = r#"{"ext":null,"start-time":"2026-11-21T02:24:08.305062937Z","end-time":"0001-01-01T00:00:00Z","bck":{"name":"d","provider":"ais","namespace":{"uuid":"","name":""}},"src-bck":{"name":"","provider":"","namespace":{"uuid":"","name":""}},"dst-bck":{"name":"d","provider":"ais","namespace":{"uuid":"","name":""}},"id":"sUSQ6TT2a","kind":"copy-bck","ctlmsg":"cp","abort-err":"","err":"","glob.id":"1","stats":{"loc-objs":"1","loc-bytes":"5","out-objs":"0","out-bytes":"0","in-objs":"0","in-bytes":"0"},"aborted":false,"is_idle":false}"#;
        let snap: Snap = serde_json::from_str(text).unwrap();
        assert_eq!((snap.end_time, snap.src_bck.as_ref(), snap.stats.loc_bytes), (None, None, 5));
        assert_eq!(serde_json::to_string(&snap).unwrap(), text);
    }

    #[test]
    fn all_spellings_of_queries() {
        let python = r#"{"ID":"a","Kind":"lru","DaemonID":"","Bck":null,"Buckets":null}"#;
        let go = r#"{"id":"a","kind":"lru","node":"","show_active":true,"bck":{"name":"","provider":"","namespace":{}}}"#;
        let python: JobArgs = serde_json::from_str(python).unwrap();
        let go: JobArgs = serde_json::from_str(go).unwrap();
        assert_eq!((&python.id, &python.kind), (&go.id, &go.kind));
        assert_eq!(go.show_active, Some(true));
    }

    #[test]
    fn kinds_by_either_name() {
        assert_eq!(find_kind("copy-objects"), find_kind(kind::COPY_OBJECTS));
        assert!(find_kind("copy-objects").unwrap().idles);
        assert!(find_kind("nope").is_none());
    }
}
