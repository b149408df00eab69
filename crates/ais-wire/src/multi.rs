//! Values of actions on many objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bucket::Bck;
use crate::value::null_default;

/// Which objects: a list of names, or a template; neither means the whole bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Names.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_default")]
    pub objnames: Vec<String>,
    /// A template of [`crate::template`].
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub template: String,
}

impl Selection {
    /// Whether these are names.
    pub fn is_list(&self) -> bool {
        !self.objnames.is_empty()
    }
}

/// How to copy: the value of `copy-bck`, and part of `copy-listrange`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyMsg {
    /// Extensions to change, without regard to a leading dot.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_default"
    )]
    pub ext: BTreeMap<String, String>,
    /// Workers; 0 for the default, negative for none.
    #[serde(rename = "num-workers", default, skip_serializing_if = "is_zero")]
    pub num_workers: i64,
    /// Go on after errors.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub coer: bool,
    /// Only names with this prefix.
    #[serde(default, deserialize_with = "null_default")]
    pub prefix: String,
    /// Put before destination names.
    #[serde(default, deserialize_with = "null_default")]
    pub prepend: String,
    /// Count only.
    #[serde(default)]
    pub dry_run: bool,
    /// Go on although other jobs run.
    #[serde(default)]
    pub force: bool,
    /// Compare with the remote version first.
    #[serde(rename = "latest-ver", default)]
    pub latest: bool,
    /// Delete what the source lacks.
    #[serde(default)]
    pub synchronize: bool,
    /// One level only.
    #[serde(rename = "non-recurs", default, skip_serializing_if = "std::ops::Not::not")]
    pub non_recursive: bool,
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

impl CopyMsg {
    /// The destination's name: prefix put before, extension changed.
    pub fn destination(&self, name: &str) -> String {
        let renamed = self.rename_extension(name);
        format!("{}{}", self.prepend, renamed.as_deref().unwrap_or(name))
    }

    fn rename_extension(&self, name: &str) -> Option<String> {
        let (stem, extension) = name.rsplit_once('.')?;
        if extension.contains('/') {
            return None;
        }
        let to = self.ext.iter().find(|(from, _)| from.trim_start_matches('.') == extension)?.1;
        Some(format!("{stem}.{}", to.trim_start_matches('.')))
    }
}

/// How to transform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtlMsg {
    /// The ETL.
    #[serde(default, deserialize_with = "null_default")]
    pub id: String,
    /// Time for one object, a Go duration.
    #[serde(default, deserialize_with = "null_default")]
    pub request_timeout: String,
    /// ETLs that follow.
    #[serde(default, deserialize_with = "null_default")]
    pub pipeline: Vec<String>,
}

/// The value of `copy-bck` and `etl-bck`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketCopyMsg {
    /// How to copy.
    #[serde(flatten)]
    pub copy: CopyMsg,
    /// How to transform; empty for a copy.
    #[serde(flatten)]
    pub etl: EtlMsg,
}

/// The value of `copy-listrange` and `etl-listrange`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectsCopyMsg {
    /// Which objects.
    #[serde(flatten)]
    pub selection: Selection,
    /// How to copy.
    #[serde(flatten)]
    pub copy: CopyMsg,
    /// How to transform; empty for a copy.
    #[serde(flatten)]
    pub etl: EtlMsg,
    /// Where to.
    #[serde(default)]
    pub tobck: Bck,
}

/// The value of `delete-listrange` and `evict-listrange`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvdMsg {
    /// Which objects.
    #[serde(flatten)]
    pub selection: Selection,
    /// Workers.
    #[serde(rename = "num-workers", default, skip_serializing_if = "is_zero")]
    pub num_workers: i64,
    /// One level only.
    #[serde(rename = "non-recurs", default, skip_serializing_if = "std::ops::Not::not")]
    pub non_recursive: bool,
}

/// The value of `prefetch-listrange`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefetchMsg {
    /// Which objects.
    #[serde(flatten)]
    pub selection: Selection,
    /// Go on after errors.
    #[serde(default)]
    pub coer: bool,
    /// Compare with the remote version first.
    #[serde(rename = "latest-ver", default)]
    pub latest: bool,
    /// Bytes from which objects are read in chunks.
    #[serde(rename = "blob-threshold", default, skip_serializing_if = "is_zero")]
    pub blob_threshold: i64,
    /// Workers.
    #[serde(rename = "num-workers", default, skip_serializing_if = "is_zero")]
    pub num_workers: i64,
}

/// The value of `archive`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveMsg {
    /// Which objects.
    #[serde(flatten)]
    pub selection: Selection,
    /// The archive's name.
    #[serde(default, deserialize_with = "null_default")]
    pub archname: String,
    /// Its format, if not told by the name.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub mime: String,
    /// Members' names begin with the bucket's.
    #[serde(default)]
    pub isbn: bool,
    /// Members' names are base names only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bnonly: bool,
    /// Append to an archive that exists.
    #[serde(default)]
    pub aate: bool,
    /// Go on after errors.
    #[serde(default)]
    pub coer: bool,
    /// One level only.
    #[serde(rename = "non-recurs", default, skip_serializing_if = "std::ops::Not::not")]
    pub non_recursive: bool,
    /// Where to.
    #[serde(default)]
    pub tobck: Bck,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destination_names() {
        let message = CopyMsg {
            prepend: "new/".into(),
            ext: BTreeMap::from([("jpg".into(), "txt".into()), (".a".into(), ".b".into())]),
            ..CopyMsg::default()
        };
        for (from, to) in [
            ("x.jpg", "new/x.txt"),
            ("x.a", "new/x.b"),
            ("x.c", "new/x.c"),
            ("d.jpg/x", "new/d.jpg/x"),
        ] {
            assert_eq!(message.destination(from), to);
        }
    }

    #[test]
    fn messages_of_the_python_client() {
        let text = r#"{"objnames":["a","b"],"prefix":"","prepend":"p-","dry_run":false,"force":false,"latest-ver":false,"synchronize":false,"tobck":{"name":"to","provider":"ais","namespace":null},"coer":true,"num-workers":4}"#;
        let message: ObjectsCopyMsg = serde_json::from_str(text).unwrap();
        assert_eq!(message.tobck, Bck::ais("to"));
        assert!(message.copy.coer && message.selection.is_list() && message.copy.num_workers == 4);
        let archive: ArchiveMsg = serde_json::from_str(
            r#"{"template":"p-{0..3}","archname":"a.tar","isbn":false,"aate":false,"coer":false,"tobck":{"name":"to","provider":"ais"}}"#,
        )
        .unwrap();
        assert_eq!(archive.selection.template, "p-{0..3}");
    }
}
