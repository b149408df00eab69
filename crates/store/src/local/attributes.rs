//! Attributes and tags in extended attributes.

use std::fs::File;

use object_store::{Attribute, Attributes, Error, Result};
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;

use super::paths::STORE;
use crate::provider::Tags;

const PREFIX: &str = "user.holdall.";
const TAGS: &str = "user.holdall.tags";
const META: &str = "user.holdall.meta.";

/// Enough for the names of most files, on the stack.
const FEW_BYTES: usize = 512;

/// Extended attributes may be 64 KiB in all on Linux.
const LIST_BYTES: usize = 64 * 1024;

/// The attributes and tags of a file; none on file systems without them.
pub(super) fn read(file: &File) -> (Attributes, Tags) {
    let (mut attributes, mut tags) = (Attributes::new(), Tags::new());
    for name in names(file) {
        let Some(value) = value(file, &name) else { continue };
        if name == TAGS {
            tags = url::form_urlencoded::parse(value.as_bytes()).into_owned().collect();
        } else if let Some(attribute) = attribute_of(&name) {
            attributes.insert(attribute, value.into());
        }
    }
    (attributes, tags)
}

fn names(file: &File) -> Vec<String> {
    let mut few = [0; FEW_BYTES];
    match flistxattr(file, &mut few[..]) {
        Ok(length) => ours(&few[..length]),
        Err(Errno::RANGE) => {
            let mut all = vec![0; LIST_BYTES];
            let length = flistxattr(file, all.as_mut_slice()).unwrap_or_default();
            ours(&all[..length])
        }
        Err(_) => Vec::new(),
    }
}

fn ours(list: &[u8]) -> Vec<String> {
    list.split(|byte| *byte == 0)
        .filter_map(|name| std::str::from_utf8(name).ok())
        .filter(|name| name.starts_with(PREFIX))
        .map(str::to_owned)
        .collect()
}

fn value(file: &File, name: &str) -> Option<String> {
    let mut buffer = vec![0; LIST_BYTES];
    let length = fgetxattr(file, name, buffer.as_mut_slice()).ok()?;
    buffer.truncate(length);
    String::from_utf8(buffer).ok()
}

/// Writes attributes and tags of a new file.
pub(super) fn write(file: &File, attributes: &Attributes, tags: &Tags) -> Result<()> {
    for (attribute, value) in attributes {
        set(file, &name_of(attribute), value)?;
    }
    if tags.is_empty() { Ok(()) } else { write_tags(file, tags) }
}

/// Writes the attributes of a new file.
pub(crate) fn write_attributes(file: &File, attributes: &Attributes) -> Result<()> {
    write(file, attributes, &Tags::new())
}

/// Replaces the attributes of a file, leaving its tags.
pub(super) fn replace(file: &File, attributes: &Attributes) -> Result<()> {
    for name in names(file).into_iter().filter(|name| name != TAGS) {
        fremovexattr(file, name.as_str()).map_err(failed)?;
    }
    write(file, attributes, &Tags::new())
}

/// Replaces the tags of a file.
pub(super) fn write_tags(file: &File, tags: &Tags) -> Result<()> {
    if tags.is_empty() {
        return match fremovexattr(file, TAGS) {
            Ok(()) | Err(Errno::NODATA | Errno::NOTSUP) => Ok(()),
            Err(error) => Err(failed(error)),
        };
    }
    let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(tags).finish();
    set(file, TAGS, &text)
}

/// Copies attributes and tags from one file to another.
pub(super) fn copy(from: &File, to: &File) -> Result<()> {
    let (attributes, tags) = read(from);
    write(to, &attributes, &tags)
}

fn set(file: &File, name: &str, value: &str) -> Result<()> {
    fsetxattr(file, name, value.as_bytes(), XattrFlags::empty()).map_err(failed)
}

fn failed(error: Errno) -> Error {
    match error {
        Errno::NOTSUP => Error::NotSupported {
            source:
                "this file system has no extended attributes: write without attributes and tags"
                    .into(),
        },
        _ => Error::Generic { store: STORE, source: std::io::Error::from(error).into() },
    }
}

/// The name of the extended attribute for an attribute.
pub(crate) fn name_of(attribute: &Attribute) -> String {
    match attribute {
        Attribute::ContentDisposition => format!("{PREFIX}content-disposition"),
        Attribute::ContentEncoding => format!("{PREFIX}content-encoding"),
        Attribute::ContentLanguage => format!("{PREFIX}content-language"),
        Attribute::ContentType => format!("{PREFIX}content-type"),
        Attribute::CacheControl => format!("{PREFIX}cache-control"),
        Attribute::StorageClass => format!("{PREFIX}storage-class"),
        Attribute::Metadata(key) => format!("{META}{key}"),
        other => format!("{META}{other:?}"),
    }
}

/// The attribute of an extended attribute's name.
pub(crate) fn attribute_of(name: &str) -> Option<Attribute> {
    if let Some(key) = name.strip_prefix(META) {
        return Some(Attribute::Metadata(key.to_owned().into()));
    }
    Some(match name.strip_prefix(PREFIX)? {
        "content-disposition" => Attribute::ContentDisposition,
        "content-encoding" => Attribute::ContentEncoding,
        "content-language" => Attribute::ContentLanguage,
        "content-type" => Attribute::ContentType,
        "cache-control" => Attribute::CacheControl,
        "storage-class" => Attribute::StorageClass,
        _ => return None,
    })
}
