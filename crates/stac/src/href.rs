//! Hrefs: absolute and relative ones, and the names in them.

use std::path::Path;

use percent_encoding::percent_decode_str;
use url::Url;

/// The scheme of an href in lower case. A single letter is a drive of Windows, and plain paths have none.
pub fn scheme(href: &str) -> Option<String> {
    let (scheme, rest) = href.split_once(':')?;
    let valid = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    (valid && (rest.starts_with('/') || !rest.contains('/'))).then(|| scheme.to_ascii_lowercase())
}

/// Whether an href says where it is without help: a URL or an absolute path.
pub fn is_absolute(href: &str) -> bool {
    scheme(href).is_some() || Path::new(href).is_absolute() || is_drive(href)
}

fn is_drive(href: &str) -> bool {
    let bytes = href.as_bytes();
    bytes.len() > 2
        && bytes[0].is_ascii_alphabetic()
        && bytes[1] == b':'
        && matches!(bytes[2], b'/' | b'\\')
}

/// `href` as seen from the document at `base`. `None` when it is relative and there is no base.
///
/// The text of absolute hrefs is not touched: signatures cover it.
pub fn absolute(href: &str, base: Option<&str>) -> Option<String> {
    if is_absolute(href) {
        return Some(href.to_owned());
    }
    let base = base?;
    if scheme(base).is_none() {
        let parent = Path::new(base).parent().unwrap_or(Path::new(""));
        return Some(clean(&parent.join(href).to_string_lossy()));
    }
    let (root, path) = split_root(base);
    // A signature or a fragment of the document is not part of where it is.
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let joined = if href.starts_with('/') { href.to_owned() } else { format!("{parent}/{href}") };
    let (path, tail) = match joined.find(['?', '#']) {
        Some(at) if is_web(base) => joined.split_at(at),
        _ => (joined.as_str(), ""),
    };
    Some(format!("{root}{}{tail}", clean(path)))
}

fn is_web(href: &str) -> bool {
    matches!(scheme(href).as_deref(), Some("http" | "https"))
}

/// `scheme://authority` and the rest.
fn split_root(href: &str) -> (&str, &str) {
    let Some(start) = href.find("://").map(|at| at + 3) else { return ("", href) };
    let end = href[start..].find('/').map_or(href.len(), |at| start + at);
    href.split_at(end)
}

/// Takes `.` and `..` out of a path.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.last().is_some_and(|last| *last != "..") {
                    parts.pop();
                } else if !rooted {
                    parts.push(part);
                }
            }
            part => parts.push(part),
        }
    }
    // A directory stays one.
    let end = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    let joined = parts.join("/");
    if rooted { format!("/{joined}{end}") } else { format!("{joined}{end}") }
}

/// `href` as seen from the document at `base`: `./name`, `../dir/name`; `href` itself when the two have no common
/// root.
pub fn relative(href: &str, base: &str) -> String {
    let (href_root, href_path) = split_root(href);
    let (base_root, base_path) = split_root(base);
    if href_root != base_root || href_path.starts_with('/') != base_path.starts_with('/') {
        return href.to_owned();
    }
    let parent = base_path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let (target, from) = (clean(href_path), clean(parent));
    let split = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (target, from) = (split(&target), split(&from));
    let common = target.iter().zip(&from).take_while(|(a, b)| a == b).count();
    let up = from.len() - common;
    let end = if href_path.ends_with('/') && common < target.len() { "/" } else { "" };
    let rest = format!("{}{end}", target[common..].join("/"));
    if up == 0 { format!("./{rest}") } else { format!("{}{rest}", "../".repeat(up)) }
}

/// The host of a URL in lower case, without port.
pub fn host(href: &str) -> Option<String> {
    scheme(href)?;
    let url = Url::parse(href).ok()?;
    url.host_str().filter(|host| !host.is_empty()).map(str::to_ascii_lowercase)
}

/// Whether an href ends in a slash, which is how documents write directories.
pub fn is_directory(href: &str) -> bool {
    let cut = href.split(['?', '#']).next().unwrap_or_default();
    cut.ends_with('/') && !file_name(href).is_empty()
}

/// The decoded path of an href, without query and fragment. Paths without a scheme are taken as they are.
pub fn path(href: &str) -> String {
    if scheme(href).is_none() {
        return href.to_owned();
    }
    let (_, rest) = split_root(href);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// The last segment of the decoded path, that of a directory without the slash at its end.
pub fn file_name(href: &str) -> String {
    let path = path(href);
    let cut =
        if scheme(href).is_none() { path.split(['?', '#']).next().unwrap_or("") } else { &path };
    cut.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}

/// The extension of the file name with its dot, or nothing.
pub fn suffix(href: &str) -> String {
    let name = file_name(href);
    match name.rfind('.') {
        Some(at) if at > 0 && at + 1 < name.len() => name[at..].to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_hrefs_are_resolved_against_the_document() {
        let cases = [
            ("./a.tif", "https://h/d/item.json", "https://h/d/a.tif"),
            ("../a.tif", "https://h/d/e/item.json?sig=x", "https://h/d/a.tif"),
            ("../../../a.tif", "https://h/d/item.json", "https://h/a.tif"),
            ("a b.tif", "/data/d/item.json", "/data/d/a b.tif"),
            ("../a.tif", "d/e/item.json", "d/a.tif"),
            ("./x.zarr/", "https://h/d/item.json", "https://h/d/x.zarr/"),
            ("a.tif?x=../y", "https://h/d/item.json", "https://h/d/a.tif?x=../y"),
            ("https://o/a%2Fb?sig=%2B", "https://h/d/item.json", "https://o/a%2Fb?sig=%2B"),
        ];
        for (href, base, expected) in cases {
            assert_eq!(absolute(href, Some(base)).unwrap(), expected, "{href} at {base}");
        }
        assert_eq!(absolute("./a.tif", None), None);
    }

    #[test]
    fn relative_forms_lead_back() {
        for (href, base, expected) in [
            ("/d/a.tif", "/d/item.json", "./a.tif"),
            ("/d/a.tif", "/d/e/item.json", "../a.tif"),
            ("out/x/a.tif", "out/items.json", "./x/a.tif"),
            ("/d/x.zarr/", "/d/item.json", "./x.zarr/"),
            ("s3://b/d/a.tif", "s3://b/d/item.json", "./a.tif"),
            ("s3://b/d/a.tif", "s3://c/d/item.json", "s3://b/d/a.tif"),
            ("https://h/a.tif", "/d/item.json", "https://h/a.tif"),
        ] {
            assert_eq!(relative(href, base), expected);
        }
    }

    #[test]
    fn names_come_from_the_decoded_path() {
        assert_eq!(file_name("https://h/d/a%20b.tif?sig=1#x"), "a b.tif");
        assert_eq!(file_name("/d/a%20b.tif"), "a%20b.tif");
        assert_eq!(file_name("s3://b/d/x.zarr/"), "x.zarr");
        assert!(is_directory("https://h/d/?sig=a") && !is_directory("https://h/d?a=/"));
        assert_eq!(suffix("https://h/b.tif?sig=1.2"), ".tif");
        assert_eq!(suffix("https://h/.hidden"), "");
        assert_eq!(scheme("C:/x"), None);
        assert_eq!(host("s3://Bucket/x").as_deref(), Some("bucket"));
    }
}
