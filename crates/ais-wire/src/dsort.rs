//! dSort: shards sorted into new shards.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::bucket::Bck;
use crate::multi::Selection;
use crate::value::{decimal, null_default};

/// How to sort.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Algorithm {
    /// `alphanumeric` (also when empty), `none`, `md5`, `shuffle` or `content`.
    #[serde(deserialize_with = "null_default")]
    pub kind: String,
    /// Largest first.
    pub decreasing: bool,
    /// Seed of `shuffle`, a number.
    #[serde(deserialize_with = "null_default")]
    pub seed: String,
    /// Of `content`: extension of the files that hold keys.
    #[serde(deserialize_with = "null_default")]
    pub extension: String,
    /// Of `content`: `int`, `float` or `string`.
    #[serde(deserialize_with = "null_default")]
    pub content_key_type: String,
}

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spec {
    /// Where shards are.
    pub input_bck: Bck,
    /// Which they are, without their extension.
    pub input_format: Selection,
    /// Their extension.
    #[serde(deserialize_with = "null_default")]
    pub input_extension: String,
    /// Where new shards go; none for the input's bucket.
    pub output_bck: Option<Bck>,
    /// Their names, a template without their extension.
    #[serde(deserialize_with = "null_default")]
    pub output_format: String,
    /// Their extension; the input's when empty.
    #[serde(deserialize_with = "null_default")]
    pub output_extension: String,
    /// Bytes of a new shard, as text: `1MB`.
    #[serde(deserialize_with = "null_default")]
    pub output_shard_size: String,
    /// For people.
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    /// How to sort.
    pub algorithm: Algorithm,
    /// URL of a map from keys to shards.
    #[serde(deserialize_with = "null_default")]
    pub ekm_file: String,
    /// What separates the columns of such a map that is text; a tab when empty.
    #[serde(deserialize_with = "null_default")]
    pub ekm_file_sep: String,
    /// Memory to use.
    #[serde(deserialize_with = "null_default")]
    pub max_mem_usage: String,
    /// Shards read at once.
    pub extract_concurrency_max_limit: i64,
    /// Shards written at once.
    pub create_concurrency_max_limit: i64,
    /// Where records are kept meanwhile.
    #[serde(deserialize_with = "null_default")]
    pub dsorter_type: String,
    /// Count only.
    pub dry_run: bool,
    /// What to do about what is odd.
    #[serde(flatten)]
    pub reactions: Reactions,
    /// The same, where AIStore itself reads it.
    #[serde(
        rename = "Config",
        deserialize_with = "null_default",
        skip_serializing_if = "Reactions::is_empty"
    )]
    pub config: Reactions,
}

/// What to do about what is odd: `ignore`, `warn` or `abort`; the server's default when empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reactions {
    /// Two files of one name in a shard.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub duplicated_records: String,
    /// A shard that the input names and that is not there.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub missing_shards: String,
    /// A line of the external key map that is not a key and a shard.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub ekm_malformed_line: String,
    /// A record that the external key map does not name.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub ekm_missing_key: String,
}

impl Reactions {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Time and state of a phase.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Phase {
    /// Start.
    pub started_time: DateTime<Utc>,
    /// End.
    pub end_time: DateTime<Utc>,
    /// Seconds since the start, or of the whole phase.
    pub elapsed: i64,
    /// Whether it runs.
    pub running: bool,
    /// Whether it has ended.
    pub finished: bool,
}

/// Times of many requests, as decimal strings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TimeStats {
    /// Sum, milliseconds.
    #[serde(with = "decimal")]
    pub total_ms: i64,
    /// How many.
    #[serde(with = "decimal")]
    pub count: i64,
    /// Shortest.
    #[serde(with = "decimal")]
    pub min_ms: i64,
    /// Longest.
    #[serde(with = "decimal")]
    pub max_ms: i64,
    /// Average.
    #[serde(with = "decimal")]
    pub avg_ms: i64,
}

/// Reading shards.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Extraction {
    /// The phase.
    #[serde(flatten)]
    pub phase: Phase,
    /// Shards to read.
    #[serde(with = "decimal")]
    pub total_count: i64,
    /// Shards read.
    #[serde(with = "decimal")]
    pub extracted_count: i64,
    /// Their bytes.
    #[serde(with = "decimal")]
    pub extracted_size: i64,
    /// Records in them.
    #[serde(with = "decimal")]
    pub extracted_record_count: i64,
    /// Shards kept on disk.
    #[serde(with = "decimal")]
    pub extracted_to_disk_count: i64,
    /// Their bytes.
    #[serde(with = "decimal")]
    pub extracted_to_disk_size: i64,
}

/// Sorting.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sorting {
    /// The phase.
    #[serde(flatten)]
    pub phase: Phase,
    /// Records sent to other targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_stats: Option<TimeStats>,
    /// Records received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recv_stats: Option<TimeStats>,
}

/// Writing shards.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Creation {
    /// The phase.
    #[serde(flatten)]
    pub phase: Phase,
    /// Shards to write.
    #[serde(with = "decimal")]
    pub to_create: i64,
    /// Shards written.
    #[serde(with = "decimal")]
    pub created_count: i64,
    /// Shards sent to other targets.
    #[serde(with = "decimal")]
    pub moved_shard_count: i64,
    /// Requests for records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub req_stats: Option<TimeStats>,
    /// Their replies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resp_stats: Option<TimeStats>,
}

/// How far a job is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// Reading.
    pub local_extraction: Extraction,
    /// Sorting.
    pub meta_sorting: Sorting,
    /// Writing.
    pub shard_creation: Creation,
    /// From the specification.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What was odd.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_default")]
    pub warnings: Vec<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_default")]
    pub errors: Vec<String>,
    /// Whether it was stopped.
    pub aborted: bool,
    /// Whether it is kept for reading only.
    pub archived: bool,
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobInfo {
    /// Id.
    pub id: String,
    /// Input.
    #[serde(rename = "src-bck")]
    pub src_bck: Bck,
    /// Output.
    #[serde(rename = "dst-bck")]
    pub dst_bck: Bck,
    /// Start.
    #[serde(default)]
    pub started_time: DateTime<Utc>,
    /// End.
    #[serde(default)]
    pub finish_time: DateTime<Utc>,
    /// Nanoseconds that extraction took. The names of these three on the wire say something else.
    #[serde(rename = "started_meta_sorting", default, skip_serializing_if = "is_zero")]
    pub extracted_ns: i64,
    /// Nanoseconds that sorting took.
    #[serde(rename = "started_shard_creation", default, skip_serializing_if = "is_zero")]
    pub sorted_ns: i64,
    /// Nanoseconds that creation took.
    #[serde(rename = "finished_shard_creation", default, skip_serializing_if = "is_zero")]
    pub created_ns: i64,
    /// Shards written.
    #[serde(rename = "loc-objs", with = "decimal")]
    pub objs: i64,
    /// Their bytes.
    #[serde(rename = "loc-bytes", with = "decimal")]
    pub bytes: i64,
    /// How far it is.
    #[serde(rename = "Metrics", default)]
    pub metrics: Option<Metrics>,
    /// Whether it was stopped.
    pub aborted: bool,
    /// Whether it is kept for reading only.
    pub archived: bool,
}

/// The answer to a query for one job: by target.
pub type JobInfos = BTreeMap<String, JobInfo>;
