//! The files of a Zarr store on a server that does not list: its consolidated metadata name all of them.
//!
//! Chunks that hold nothing but the fill value need not exist (Zarr 2, "chunks"; Zarr 3, 4.4), so that a chunk that is not
//! there is no failure.

use std::collections::BTreeMap;

use holdall_store::object_store::path::Path;
use holdall_store::transfer::Transfer;
use holdall_store::{ErrorKind, Store};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::json::numbers;

/// What tells a Zarr store or array from other directories, newest format first.
const ROOTS: [&str; 4] = ["zarr.json", ".zmetadata", ".zarray", ".zgroup"];

/// A Zarr store that was found.
#[derive(Debug, Clone)]
pub(super) struct Zarr {
    /// Every file of metadata, the root's first.
    metadata: Vec<String>,
    /// `None` where the metadata do not tell all of them.
    arrays: Option<Vec<Array>>,
}

/// An array and how its chunks are named.
#[derive(Debug, Clone, PartialEq)]
struct Array {
    /// What all of its chunks begin with.
    prefix: String,
    separator: String,
    /// The name of the one chunk of an array without dimensions.
    single: &'static str,
    /// Chunks in each dimension.
    counts: Vec<u64>,
}

impl Zarr {
    /// The Zarr store or array that `store` is; `None` where it is neither.
    ///
    /// # Errors
    /// Metadata that cannot be read or understood.
    pub(super) async fn find(store: &Store) -> Result<Option<Self>> {
        for root in ROOTS {
            let key = Path::from(root);
            let data = match Transfer::new().read(store, &key).await {
                Ok(data) => data,
                // Services that do not let everybody list say 403 of what is not there.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::NotFound | ErrorKind::PermissionDenied
                    ) =>
                {
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let found = Self::parse(root, &data).map_err(|detail| {
                let target = store.url_of(&key);
                let detail = format!("it is not the metadata of a Zarr store: {detail}");
                Error::new(crate::ErrorKind::Document, "read", target, detail)
            })?;
            return Ok(Some(found));
        }
        Ok(None)
    }

    fn parse(root: &str, data: &[u8]) -> Result<Self, String> {
        // Fill values above all.
        let text = numbers::without(&String::from_utf8_lossy(data));
        let failed = |error: serde_json::Error| error.to_string();
        let mut metadata = vec![root.to_owned()];
        let arrays = match root {
            "zarr.json" => {
                let node: Node = serde_json::from_str(&text).map_err(failed)?;
                let below = node.consolidated_metadata.as_ref().map(|all| &all.metadata);
                metadata
                    .extend(below.into_iter().flatten().map(|(at, _)| format!("{at}/zarr.json")));
                match (node.node_type.as_str(), below) {
                    ("array", _) => node.array("").map(|array| vec![array]),
                    (_, Some(nodes)) => {
                        let arrays = nodes.iter().filter(|(_, node)| node.node_type == "array");
                        arrays.map(|(at, node)| node.array(&format!("{at}/"))).collect()
                    }
                    (_, None) => None,
                }
            }
            ".zmetadata" => {
                let all: Consolidated<Value> = serde_json::from_str(&text).map_err(failed)?;
                metadata.extend(all.metadata.keys().cloned());
                let mut arrays = Vec::new();
                for (key, value) in all.metadata {
                    let Some(prefix) = key.strip_suffix(".zarray") else { continue };
                    let array: Array2 = serde_json::from_value(value).map_err(failed)?;
                    arrays.push(array.at(prefix));
                }
                arrays.into_iter().collect()
            }
            ".zarray" => {
                metadata.push(".zattrs".to_owned());
                let array: Array2 = serde_json::from_str(&text).map_err(failed)?;
                array.at("").map(|array| vec![array])
            }
            _ => None,
        };
        Ok(Self { metadata, arrays })
    }

    /// Whether all files are known.
    pub(super) fn is_whole(&self) -> bool {
        self.arrays.is_some()
    }

    /// The file by which it was found.
    pub(super) fn root(&self) -> &str {
        &self.metadata[0]
    }

    /// Whether a file has to be there.
    pub(super) fn needs(&self, key: &str) -> bool {
        self.metadata.iter().any(|known| known == key) && !key.ends_with(".zattrs")
    }

    /// Every file that there can be.
    pub(super) fn keys(&self) -> impl Iterator<Item = String> + Send + 'static {
        let arrays = self.arrays.clone().unwrap_or_default();
        self.metadata.clone().into_iter().chain(arrays.into_iter().flat_map(Array::chunks))
    }
}

impl Array {
    fn chunks(self) -> impl Iterator<Item = String> + Send {
        let total = self.counts.iter().fold(1u64, |total, count| total.saturating_mul(*count));
        (0..total).map(move |number| self.chunk(number))
    }

    /// The name of a chunk by its number, the last dimension running fastest.
    fn chunk(&self, mut number: u64) -> String {
        if self.counts.is_empty() {
            return format!("{}{}", self.prefix, self.single);
        }
        let mut indices = vec![String::new(); self.counts.len()];
        for (index, count) in indices.iter_mut().zip(&self.counts).rev() {
            *index = (number % count).to_string();
            number /= count;
        }
        format!("{}{}", self.prefix, indices.join(&self.separator))
    }
}

/// Chunks in each dimension; `None` where shape and chunks do not fit.
fn counts(shape: &[u64], chunk: &[u64]) -> Option<Vec<u64>> {
    let fits = shape.len() == chunk.len() && chunk.iter().all(|length| *length > 0);
    fits.then(|| shape.iter().zip(chunk).map(|(all, one)| all.div_ceil(*one)).collect())
}

#[derive(Deserialize)]
struct Consolidated<T> {
    metadata: BTreeMap<String, T>,
}

/// An array of format 2.
#[derive(Deserialize)]
struct Array2 {
    shape: Vec<u64>,
    chunks: Vec<u64>,
    dimension_separator: Option<String>,
}

impl Array2 {
    fn at(self, prefix: &str) -> Option<Array> {
        Some(Array {
            prefix: prefix.to_owned(),
            separator: self.dimension_separator.unwrap_or_else(|| ".".to_owned()),
            single: "0",
            counts: counts(&self.shape, &self.chunks)?,
        })
    }
}

/// A group or an array of format 3.
#[derive(Deserialize)]
struct Node {
    node_type: String,
    #[serde(default)]
    shape: Vec<u64>,
    chunk_grid: Option<Named<Grid>>,
    chunk_key_encoding: Option<Named<Encoding>>,
    consolidated_metadata: Option<Consolidated<Node>>,
}

#[derive(Deserialize)]
struct Named<T> {
    name: String,
    configuration: Option<T>,
}

#[derive(Deserialize)]
struct Grid {
    chunk_shape: Option<Vec<u64>>,
}

#[derive(Deserialize)]
struct Encoding {
    separator: Option<String>,
}

impl Node {
    /// The array at this node; `None` where its chunks are laid out in a way that is not known here.
    fn array(&self, prefix: &str) -> Option<Array> {
        let grid = self.chunk_grid.as_ref().filter(|grid| grid.name == "regular")?;
        let chunk = grid.configuration.as_ref()?.chunk_shape.as_ref()?;
        let encoding = self.chunk_key_encoding.as_ref();
        let configured = encoding.and_then(|e| e.configuration.as_ref()?.separator.clone());
        let counts = counts(&self.shape, chunk)?;
        match encoding.map_or("default", |encoding| &encoding.name) {
            "default" => {
                let separator = configured.unwrap_or_else(|| "/".to_owned());
                let prefix = match counts.is_empty() {
                    true => prefix.to_owned(),
                    false => format!("{prefix}c{separator}"),
                };
                Some(Array { prefix, separator, single: "c", counts })
            }
            "v2" => {
                let separator = configured.unwrap_or_else(|| ".".to_owned());
                Some(Array { prefix: prefix.to_owned(), separator, single: "0", counts })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(root: &str, text: &str) -> Option<Vec<String>> {
        let zarr = Zarr::parse(root, text.as_bytes()).unwrap();
        zarr.is_whole().then(|| zarr.keys().collect())
    }

    #[test]
    fn consolidated_metadata_of_format_2_name_every_file() {
        let text = r#"{"metadata": {".zgroup": {"zarr_format": 2}, ".zattrs": {"note": "NaN \" NaN", "fill": NaN},
            "a/.zarray": {"shape": [3, 4], "chunks": [2, 4]}, "a/.zattrs": {"_FillValue": -Infinity},
            "b/.zarray": {"shape": [], "chunks": []}, "c/.zarray": {"shape": [0], "chunks": [5]},
            "d/.zarray": {"shape": [2, 2], "chunks": [1, 2], "dimension_separator": "/"}}}"#;
        let found = keys(".zmetadata", text).unwrap();
        assert_eq!(found.iter().filter(|key| key.contains("/.z")).count(), 5);
        let chunks: Vec<_> = found.iter().filter(|key| !key.contains(".z")).collect();
        assert_eq!(chunks, ["a/0.0", "a/1.0", "b/0", "d/0/0", "d/1/0"]);
    }

    #[test]
    fn consolidated_metadata_of_format_3_name_every_file() {
        let text = r#"{"node_type": "group", "zarr_format": 3, "consolidated_metadata": {"metadata": {
            "g": {"node_type": "group"},
            "g/a": {"node_type": "array", "shape": [3], "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
                    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}},
            "b": {"node_type": "array", "shape": [], "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": []}}},
            "v": {"node_type": "array", "shape": [1, 1], "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 1]}},
                  "chunk_key_encoding": {"name": "v2"}}}}}"#;
        let expected = [
            "zarr.json",
            "b/zarr.json",
            "g/zarr.json",
            "g/a/zarr.json",
            "v/zarr.json",
            "b/c",
            "g/a/c/0",
            "g/a/c/1",
            "v/0.0",
        ];
        assert_eq!(keys("zarr.json", text).unwrap(), expected);
    }

    #[test]
    fn what_does_not_name_its_files_is_not_guessed() {
        assert_eq!(keys("zarr.json", r#"{"node_type": "group"}"#), None);
        assert_eq!(keys(".zgroup", "{}"), None);
        let grid = r#"{"node_type": "array", "shape": [3], "chunk_grid": {"name": "rectilinear"}}"#;
        assert_eq!(keys("zarr.json", grid), None);
        assert!(Zarr::parse(".zarray", b"<html>").is_err());
    }
}
