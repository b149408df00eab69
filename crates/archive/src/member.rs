//! What an archive says about one of its members.

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file: the only kind with content.
    File,
    /// A directory.
    Directory,
    /// A link, a device, a volume label.
    Other,
}

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name as it is stored. Bytes that are not UTF-8 are replaced (zip: read as CP437, where it says so).
    pub name: String,
    /// Bytes of content, uncompressed. 0 for all but files.
    pub size: u64,
    /// What it is.
    pub kind: Kind,
    /// Seconds since the Unix epoch; 0 where the archive does not say.
    pub modified: u64,
    /// Unix permission bits.
    pub mode: u32,
    /// Where the content lies in the source, uncompressed and in one piece: plain tar, and stored members of a zip.
    pub offset: Option<u64>,
}

impl Member {
    /// A regular file of `size` bytes with the permissions `rw-r--r--` and no time.
    pub fn file(name: impl Into<String>, size: u64) -> Self {
        Self { name: name.into(), size, kind: Kind::File, modified: 0, mode: 0o644, offset: None }
    }

    /// The same, last modified at `modified` (seconds since the Unix epoch).
    #[must_use]
    pub fn modified_at(mut self, modified: u64) -> Self {
        self.modified = modified;
        self
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == Kind::File
    }
}
