//! Bucket summaries.

use serde::{Deserialize, Serialize};

use crate::bucket::Bck;
use crate::value::{decimal, null_default};

/// The value of `summary-bck`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryMsg {
    /// The job that was started; empty starts one.
    #[serde(default, deserialize_with = "null_default")]
    pub uuid: String,
    /// Only names with this prefix.
    #[serde(default, deserialize_with = "null_default")]
    pub prefix: String,
    /// Only what is in the cluster.
    #[serde(default)]
    pub cached: bool,
    /// Only buckets that the cluster knows.
    #[serde(default)]
    pub present: bool,
}

/// Objects of a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjCount {
    /// In the cluster.
    #[serde(rename = "obj_count_present", with = "decimal")]
    pub present: u64,
    /// Not in the cluster.
    #[serde(rename = "obj_count_remote", with = "decimal")]
    pub remote: u64,
}

/// Sizes of objects, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjSize {
    /// Smallest; 0 of none.
    #[serde(rename = "obj_min_size")]
    pub min: i64,
    /// Rounded average.
    #[serde(rename = "obj_avg_size")]
    pub avg: i64,
    /// Largest.
    #[serde(rename = "obj_max_size")]
    pub max: i64,
}

/// Sums, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalSize {
    /// On disk.
    #[serde(rename = "size_on_disk", with = "decimal")]
    pub on_disk: u64,
    /// Of objects in the cluster.
    #[serde(rename = "size_all_present_objs", with = "decimal")]
    pub present: u64,
    /// Of the others.
    #[serde(rename = "size_all_remote_objs", with = "decimal")]
    pub remote: u64,
    /// Of all disks.
    #[serde(rename = "total_disks_size", with = "decimal")]
    pub disks: u64,
}

/// The summary of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The bucket.
    #[serde(flatten)]
    pub bck: Bck,
    /// Counts.
    #[serde(rename = "ObjCount")]
    pub count: ObjCount,
    /// Sizes.
    #[serde(rename = "ObjSize")]
    pub size: ObjSize,
    /// Sums.
    #[serde(rename = "TotalSize")]
    pub total: TotalSize,
    /// Share of the disks, percent.
    pub used_pct: u64,
    /// Whether the cluster knows the bucket.
    pub is_present: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded() {
        let text = r#"{"name":"b","provider":"ais","namespace":{"uuid":"","name":""},"ObjCount":{"obj_count_present":"4","obj_count_remote":"0"},"ObjSize":{"obj_min_size":12,"obj_avg_size":12,"obj_max_size":12},"TotalSize":{"size_on_disk":"36912","size_all_present_objs":"48","size_all_remote_objs":"0","total_disks_size":"270553174016"},"used_pct":0,"is_present":false}"#;
        let summary: Summary = serde_json::from_str(text).unwrap();
        assert_eq!((summary.count.present, summary.total.present), (4, 48));
        assert_eq!(serde_json::to_string(&summary).unwrap(), text);
    }
}
