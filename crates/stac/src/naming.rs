//! How files are called where they are put.

use crate::asset::AssetView;
use crate::error::{Error, ErrorKind, Result};
use crate::href;
use crate::json::Json;
use crate::template::Template;

/// How the file of an asset is called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Naming {
    /// As the last segment of its href. Two assets of one item may collide.
    #[default]
    FileName,
    /// As its key, with the extension of its href.
    Key,
    /// As `file:local_path` says, in sub-directories; as the href where it says nothing.
    LocalPath,
    /// As a template says, which knows `${asset.key}`, `${asset.name}` (the name in the href), `${asset.stem}` and
    /// `${asset.ext}` (with its dot) besides all of the item. Slashes make sub-directories.
    Template(Template),
}

/// The name for an asset, below the directory of its item.
///
/// # Errors
/// [`ErrorKind::PathEscape`] for a name that leads out of the directory, [`ErrorKind::Href`] for an href that names
/// no file, as a host alone does, [`ErrorKind::Template`] for what a template needs and the item lacks.
pub(crate) fn name(
    naming: &Naming,
    item: &Json,
    key: &str,
    asset: &AssetView,
    href: &str,
    subdirectories: bool,
) -> Result<String> {
    let from_href = || {
        let name = href::file_name(href);
        if name.is_empty() {
            let detail = format!("asset '{key}' has no file name in its href: name files by key");
            return Err(Error::new(ErrorKind::Href, "name", href, detail));
        }
        Ok(name)
    };
    let name = match naming {
        Naming::FileName => from_href()?,
        Naming::Key => {
            let key = if subdirectories { key.to_owned() } else { flat(key) };
            format!("{key}{}", href::suffix(href))
        }
        Naming::LocalPath => match &asset.local_path {
            Some(path) => path.strip_prefix("./").unwrap_or(path).to_owned(),
            None => from_href()?,
        },
        Naming::Template(template) => template.fill(item, &|variable| {
            let name = href::file_name(href);
            let suffix = href::suffix(href);
            match variable {
                "asset.key" => Some(if subdirectories { key.to_owned() } else { flat(key) }),
                "asset.stem" => Some(name[..name.len() - suffix.len()].to_owned()),
                "asset.ext" => Some(suffix),
                "asset.name" => Some(name),
                _ => None,
            }
        })?,
    };
    inside(&name, key)?;
    Ok(name)
}

/// Refuses a relative path that leads out of where it starts; `of` is named in the message.
///
/// # Errors
/// [`ErrorKind::PathEscape`].
pub fn check_name(path: &str, of: &str) -> Result<()> {
    inside(path, of)
}

/// A key as one segment. Keys with `..` keep it, and are refused.
fn flat(key: &str) -> String {
    if key.split('/').any(|part| part == "..") {
        key.to_owned()
    } else {
        key.replace(['/', '\\'], "_")
    }
}

/// Checks that a relative path stays below where it starts.
///
/// # Errors
/// [`ErrorKind::PathEscape`].
pub(crate) fn inside(path: &str, of: &str) -> Result<()> {
    let escape = |detail: &str| {
        let detail =
            format!("'{path}' {detail}, so '{of}' would be written outside of the directory");
        Err(Error::new(ErrorKind::PathEscape, "name", "", detail))
    };
    if path.starts_with(['/', '\\']) || path.get(1..2) == Some(":") && cfg!(windows) {
        return escape("is absolute");
    }
    if path.split(['/', '\\']).any(|part| part == "..") {
        return escape("has a segment `..`");
    }
    if path.contains('\0') {
        return escape("has a zero byte");
    }
    if is_here(path) {
        return escape("names no file");
    }
    Ok(())
}

/// Whether a relative path leads nowhere else.
pub(crate) fn is_here(path: &str) -> bool {
    !path.starts_with('/') && path.split('/').all(|part| part.is_empty() || part == ".")
}

/// `name` with something before its extension that tells it apart.
pub(crate) fn told_apart(name: &str, by: &str) -> String {
    let (directory, file) = match name.rsplit_once('/') {
        Some((directory, file)) => (format!("{directory}/"), file),
        None => (String::new(), name),
    };
    match file.rfind('.') {
        Some(at) if at > 0 => format!("{directory}{}-{by}{}", &file[..at], &file[at..]),
        _ => format!("{directory}{file}-{by}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(naming: &Naming, key: &str, href: &str, subdirectories: bool) -> Result<String> {
        let item = Json::parse(r#"{"id": "i", "properties": {}}"#).unwrap();
        let asset = AssetView { local_path: Some("./a/b.xml".into()), ..AssetView::default() };
        name(naming, &item, key, &asset, href, subdirectories)
    }

    #[test]
    fn every_way_of_naming() {
        let template = Naming::Template(
            Template::parse("${id}/${asset.key}-${asset.stem}${asset.ext}").unwrap(),
        );
        for (naming, key, expected) in [
            (&Naming::FileName, "k", "x y.tif"),
            (&Naming::Key, "k", "k.tif"),
            (&Naming::Key, "a/k", "a_k.tif"),
            (&Naming::LocalPath, "k", "a/b.xml"),
            (&template, "k", "i/k-x y.tif"),
        ] {
            assert_eq!(
                named(naming, key, "https://h/d/x%20y.tif?sig=a/b.c", false).unwrap(),
                expected
            );
        }
        assert_eq!(named(&Naming::Key, "a/k", "/d/x.tif", true).unwrap(), "a/k.tif");
    }

    #[test]
    fn nothing_leads_out_of_the_directory() {
        for key in ["../../evil", "/evil", "a/../../evil"] {
            let error = named(&Naming::Key, key, "/d/x.tif", true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PathEscape, "{key}");
        }
        assert!(named(&Naming::Key, "../evil", "/d/x.tif", false).is_err());
        assert!(named(&Naming::FileName, "k", "https://h/%2e%2e", false).is_err());
        assert_eq!(named(&Naming::FileName, "k", "https://h/d/?sig=x", false).unwrap(), "d");
        assert!(named(&Naming::FileName, "k", "https://h/", false).is_err());
    }

    #[test]
    fn names_are_told_apart_before_their_extension() {
        assert_eq!(told_apart("d/x.tif", "2"), "d/x-2.tif");
        assert_eq!(told_apart("x", "2"), "x-2");
    }
}
