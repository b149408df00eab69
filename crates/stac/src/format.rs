//! The forms in which documents are written to files.

use std::borrow::Cow;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::document::{Document, Kind};
use crate::error::{Error, ErrorKind, Result};

/// How a Parquet file begins.
pub(crate) const PARQUET: &[u8] = b"PAR1";

/// How a compressed file begins: what a server sends with `Content-Encoding: gzip` unasked, and `….json.gz`.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Most bytes of a document that was compressed. A text of them is all in memory, and few bytes can unpack to very many.
const UNPACKED_BYTES: u64 = 4 << 30;

/// What a compressed document holds.
fn unpack(input: &[u8]) -> Result<Vec<u8>> {
    let failed = |detail: String| Error::new(ErrorKind::Document, "read document", "", detail);
    let mut output = Vec::new();
    MultiGzDecoder::new(input)
        .take(UNPACKED_BYTES + 1)
        .read_to_end(&mut output)
        .map_err(|error| failed(format!("it is not a whole gzip file: {error}")))?;
    match output.len() as u64 > UNPACKED_BYTES {
        true => Err(failed("it unpacks to more than 4 GiB".to_owned())),
        false => Ok(output),
    }
}

/// What a file holds that may be compressed.
pub(crate) fn unpacked(input: &[u8]) -> Result<Cow<'_, [u8]>> {
    match input.starts_with(GZIP) {
        true => unpack(input).map(Cow::Owned),
        false => Ok(Cow::Borrowed(input)),
    }
}

/// A form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Format {
    /// JSON, or lines of items where the document was read as such: the document as it is.
    #[default]
    Json,
    /// One item per line.
    Lines,
    /// stac-geoparquet.
    GeoParquet,
}

impl Format {
    /// The form that the extension of a name stands for: `.parquet` and `.geoparquet`, `.ndjson` and `.jsonl`; JSON for all
    /// others. A `.gz` after it says nothing of the form.
    pub fn of_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let ends = |of: &str| name.strip_suffix(".gz").unwrap_or(&name).ends_with(of);
        match () {
            () if ends(".parquet") || ends(".geoparquet") => Self::GeoParquet,
            () if ends(".ndjson") || ends(".jsonl") => Self::Lines,
            () => Self::Json,
        }
    }

    /// Whether a file of this name is compressed with gzip.
    pub fn is_packed(name: &str) -> bool {
        name.to_ascii_lowercase().ends_with(".gz")
    }

    /// The media type of a file.
    pub fn media_type(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::GeoParquet, _) => "application/vnd.apache.parquet",
            (Self::Lines, _) => "application/x-ndjson",
            (Self::Json, Kind::Item | Kind::ItemCollection) => "application/geo+json",
            (Self::Json, _) => "application/json",
        }
    }

    /// Whether documents of a kind can be written.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when they cannot.
    pub fn check(self, kind: Kind) -> Result<()> {
        let has_items = matches!(kind, Kind::Item | Kind::ItemCollection);
        let detail = match self {
            Self::Json => return Ok(()),
            Self::GeoParquet if !cfg!(feature = "geoparquet") => WITHOUT.to_owned(),
            _ if has_items => return Ok(()),
            _ => format!("a {kind} is written as JSON: only items are lines or rows"),
        };
        Err(Error::new(ErrorKind::Config, "write document", "", detail))
    }
}

const WITHOUT: &str =
    "Parquet (stac-geoparquet) is left out of this build: build it with the feature 'geoparquet'";

#[cfg(feature = "geoparquet")]
pub(crate) use crate::geoparquet::read as read_parquet;

#[cfg(not(feature = "geoparquet"))]
pub(crate) fn read_parquet(_: &[u8]) -> Result<Document> {
    Err(Error::new(ErrorKind::Config, "read document", "", WITHOUT))
}

impl Document {
    /// The content of a file of this document.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a form that this kind of document or this build does not have, [`ErrorKind::Document`] for
    /// items that do not fit a table.
    pub fn to_format(&self, format: Format) -> Result<Vec<u8>> {
        format.check(self.kind())?;
        match format {
            Format::Json => Ok(self.to_text().into_bytes()),
            Format::Lines => {
                let lines = self.objects().iter();
                let lines = lines.map(|item| item.to_text(self.style()).replace('\n', " ") + "\n");
                Ok(lines.collect::<String>().into_bytes())
            }
            #[cfg(feature = "geoparquet")]
            Format::GeoParquet => crate::geoparquet::write(self),
            #[cfg(not(feature = "geoparquet"))]
            Format::GeoParquet => unreachable!("refused by the check"),
        }
    }

    /// The content of a file of this name, in the form that the name stands for and compressed if it says so, and its media type.
    ///
    /// # Errors
    /// Those of [`to_format`](Self::to_format).
    pub fn to_file(&self, name: &str) -> Result<(Vec<u8>, &'static str)> {
        let format = Format::of_name(name);
        let content = self.to_format(format)?;
        if !Format::is_packed(name) {
            return Ok((content, format.media_type(self.kind())));
        }
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        let packed = packed.write_all(&content).and_then(|()| packed.finish());
        let failed = |e: std::io::Error| {
            Error::new(ErrorKind::Document, "write document", name, e.to_string())
        };
        Ok((packed.map_err(failed)?, "application/gzip"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_form() {
        assert_eq!(Format::of_name("a/items.PARQUET"), Format::GeoParquet);
        assert_eq!(Format::of_name("items.geoparquet"), Format::GeoParquet);
        assert_eq!(Format::of_name("items.ndjson"), Format::Lines);
        assert_eq!(Format::of_name("item.json"), Format::Json);
        assert_eq!(Format::of_name("items.NDJSON.gz"), Format::Lines);
        assert!(Format::is_packed("items.json.GZ") && !Format::is_packed("items.json"));
        assert!(Format::Lines.check(Kind::Collection).is_err());
        assert!(Format::Json.check(Kind::Catalog).is_ok());
    }

    #[test]
    fn items_are_lines() {
        let item = r#"{"type": "Feature", "id": "a", "assets": {}}"#;
        let document = Document::parse(&format!(
            "{{\"type\": \"FeatureCollection\", \"features\": [{item}, {item}]}}"
        ));
        let lines = document.unwrap().to_format(Format::Lines).unwrap();
        assert_eq!(String::from_utf8(lines).unwrap(), format!("{item}\n{item}\n"));
    }

    #[test]
    fn a_name_may_say_that_a_file_is_compressed() {
        let text = r#"{"type": "Feature", "id": "a", "assets": {}}"#;
        let document = Document::parse(text).unwrap();
        for name in ["a.json.gz", "a.ndjson.gz"] {
            let (content, media_type) = document.to_file(name).unwrap();
            assert!(content.starts_with(GZIP) && media_type == "application/gzip");
            let read = Document::from_file(name, &content).unwrap();
            assert_eq!((read.objects().len(), read.to_text().trim_end()), (1, text));
        }
        assert_eq!(document.to_file("a.json").unwrap().0, text.as_bytes());
    }
}
