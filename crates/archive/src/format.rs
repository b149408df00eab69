//! The formats, and how they are recognised.

use std::fmt;

/// A format of archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `.tar`
    Tar,
    /// `.tgz`, `.tar.gz`
    TarGz,
    /// `.tar.lz4`: a tar in LZ4 frames
    TarLz4,
    /// `.zip`
    Zip,
}

/// A name, or a media type, that belongs to no [`Format`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unrecognized or unsupported file format: {0:?} (expecting one of: {list})", list = Format::EXTENSIONS.join(" "))]
pub struct UnknownFormat(pub String);

impl Format {
    /// Every extension that is recognised.
    pub const EXTENSIONS: [&'static str; 5] = [".tar", ".tgz", ".tar.gz", ".zip", ".tar.lz4"];

    /// How many first bytes [`Self::of_content`] wants to see.
    pub const DETECTION_BYTES: usize = 512;

    /// The format that the extension of `name` says. Case matters, as it does to AIStore.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::EXTENSIONS
            .into_iter()
            .find(|extension| name.ends_with(extension))
            .and_then(Self::of_extension)
    }

    /// The format that the first bytes of an archive show.
    pub fn of_content(first: &[u8]) -> Option<Self> {
        match first {
            _ if first.get(257..262) == Some(b"ustar") => Some(Self::Tar),
            [0x1f, 0x8b, ..] => Some(Self::TarGz),
            [0x50, 0x4b, ..] => Some(Self::Zip),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::TarLz4),
            _ => None,
        }
    }

    /// The format that a media type, or an extension with or without its dot, stands for:
    /// `application/x-tar`, `.tgz`, `tar.lz4`.
    ///
    /// # Errors
    /// [`UnknownFormat`] when it stands for none.
    pub fn of_mime(mime: &str) -> Result<Self, UnknownFormat> {
        match mime {
            // Here, because "gzip" contains "zip".
            "application/gzip" | "application/x-gzip" => return Ok(Self::TarGz),
            "application/x-lz4" | "application/lz4" => return Ok(Self::TarLz4),
            _ => {}
        }
        // The longer ones first: both contain "tar".
        [".tar.gz", ".tar.lz4", ".tar", ".tgz", ".zip"]
            .into_iter()
            .find(|extension| mime.contains(&extension[1..]))
            .and_then(Self::of_extension)
            .ok_or_else(|| UnknownFormat(mime.to_owned()))
    }

    /// The format of an archive called `name`: `mime` decides where it is given, else the extension, else the first
    /// bytes, which are asked for only then.
    ///
    /// # Errors
    /// [`UnknownFormat`] when `mime` is none of ours or nothing tells; and what `first` fails with.
    pub fn resolve<E: From<UnknownFormat>>(
        mime: &str,
        name: &str,
        first: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        if !mime.is_empty() {
            return Ok(Self::of_mime(mime)?);
        }
        if let Some(format) = Self::of_name(name) {
            return Ok(format);
        }
        Ok(Self::of_content(&first()?).ok_or_else(|| UnknownFormat(name.to_owned()))?)
    }

    fn of_extension(extension: &str) -> Option<Self> {
        match extension {
            ".tar" => Some(Self::Tar),
            ".tgz" | ".tar.gz" => Some(Self::TarGz),
            ".tar.lz4" => Some(Self::TarLz4),
            ".zip" => Some(Self::Zip),
            _ => None,
        }
    }

    /// The usual extension, with its dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Tar => ".tar",
            Self::TarGz => ".tar.gz",
            Self::TarLz4 => ".tar.lz4",
            Self::Zip => ".zip",
        }
    }

    /// The media type for `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Tar => "application/x-tar",
            Self::TarGz => "application/gzip",
            Self::TarLz4 => "application/x-lz4",
            Self::Zip => "application/zip",
        }
    }

    /// Whether members can be reached without reading those before them (given a [`crate::Source`]).
    pub fn is_seekable(self) -> bool {
        matches!(self, Self::Tar | Self::Zip)
    }

    /// Splits `shard.tar/inner/name` into the name of the archive and the name in it. `None` where no component
    /// but the last one has the extension of an archive.
    pub fn split_path(path: &str) -> Option<(&str, &str)> {
        path.match_indices('/')
            .map(|(at, _)| (&path[..at], &path[at + 1..]))
            .find(|(shard, _)| Self::of_name(shard).is_some())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_media_types_and_first_bytes() {
        assert_eq!(Format::of_name("a/b.tar"), Some(Format::Tar));
        assert_eq!(Format::of_name("b.tar.gz"), Some(Format::TarGz));
        assert_eq!(Format::of_name("b.tgz"), Some(Format::TarGz));
        assert_eq!(Format::of_name("b.tar.lz4"), Some(Format::TarLz4));
        assert_eq!(Format::of_name("b.gz"), None);
        assert_eq!(Format::of_mime("application/x-tar"), Ok(Format::Tar));
        assert_eq!(Format::of_mime("tar.gz"), Ok(Format::TarGz));
        assert_eq!(Format::of_mime("application/gzip"), Ok(Format::TarGz));
        assert_eq!(Format::of_mime("application/x-lz4"), Ok(Format::TarLz4));
        assert_eq!(Format::of_mime(".zip"), Ok(Format::Zip));
        assert!(Format::of_mime(".nope").unwrap_err().to_string().contains(".nope"));
        assert_eq!(Format::of_content(b"PK\x03\x04"), Some(Format::Zip));
        assert_eq!(Format::of_content(&[]), None);
        for format in [Format::Tar, Format::TarGz, Format::TarLz4, Format::Zip] {
            assert_eq!(Format::of_name(format.extension()), Some(format));
            assert_eq!(Format::of_mime(format.content_type()), Ok(format));
        }
    }

    #[test]
    fn resolution_asks_for_content_last() {
        let never = || -> Result<Vec<u8>, UnknownFormat> { panic!("not needed") };
        assert_eq!(Format::resolve(".zip", "x.tar", never), Ok(Format::Zip));
        assert_eq!(Format::resolve("", "x.tgz", never), Ok(Format::TarGz));
        assert!(Format::resolve("nope", "x.tgz", never).is_err());
        let zip = || Ok::<_, UnknownFormat>(b"PK..".to_vec());
        assert_eq!(Format::resolve("", "plain", zip), Ok(Format::Zip));
        let none = || Ok::<_, UnknownFormat>(vec![1, 2]);
        assert_eq!(Format::resolve("", "plain", none), Err(UnknownFormat("plain".into())));
    }

    #[test]
    fn paths_into_archives() {
        assert_eq!(Format::split_path("d/a.tar/x/y"), Some(("d/a.tar", "x/y")));
        assert_eq!(Format::split_path("a.tar.gz/x"), Some(("a.tar.gz", "x")));
        assert_eq!(Format::split_path("a.tar"), None);
        assert_eq!(Format::split_path("a/b"), None);
    }
}
