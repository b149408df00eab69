//! Hrefs: absolute and relative ones, and the names in them.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::path::Path;

use percent_encoding::percent_decode_str;
use url::Url;

/// The scheme of an href in lower case. A single letter is a drive of Windows, and plain paths have none.
pub fn scheme(href: &str) -> Option<String> {
    let (scheme, rest) = href.split_once(':')?;
    let valid = scheme.len() > 1
        && scheme.as_bytes()[0].is_ascii_alphabetic()
        && scheme.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.'));
    let follows =
        rest.starts_with('/') || !rest.contains('/') || scheme.eq_ignore_ascii_case("data");
    (valid && follows).then(|| scheme.to_ascii_lowercase())
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
    if let Some(base) = base.filter(|base| is_web(base) && href.starts_with('/')) {
        return Some(from_root(href, base));
    }
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

/// The same for the href of an asset, for which a path from the root is a file: so they stand in items of a server whose assets
/// were fetched by other means. In a document that came from the web they are paths of the server, see
/// [`Document::read_from`](crate::Document::read_from).
pub(crate) fn of_asset(href: &str, base: Option<&str>) -> Option<String> {
    if Path::new(href).is_absolute() { Some(href.to_owned()) } else { absolute(href, base) }
}

/// `href`, which begins with a slash, on the server of a URL (RFC 3986, 4.2).
fn from_root(href: &str, base: &str) -> String {
    match (href.starts_with("//"), scheme(base)) {
        (true, Some(scheme)) => format!("{scheme}:{href}"),
        _ => format!("{}{href}", split_root(base).0),
    }
}

pub(crate) fn is_web(href: &str) -> bool {
    matches!(scheme(href).as_deref(), Some("http" | "https"))
}

/// `scheme://authority` and the rest.
fn split_root(href: &str) -> (&str, &str) {
    // The first colon is that of a scheme, as a rule.
    let colon = href.find(':').filter(|&at| href[at..].starts_with("://"));
    let Some(start) = colon.or_else(|| href.find("://")).map(|at| at + 3) else {
        return ("", href);
    };
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
    if let Some(host) = plain_host(href) {
        return Some(host.to_ascii_lowercase());
    }
    let url = Url::parse(href).ok()?;
    url.host_str().filter(|host| !host.is_empty()).map(str::to_ascii_lowercase)
}

/// The host where it is what the rules for URLs would make of it, which take twenty times as long to apply: names in ASCII
/// and addresses as they are usually written.
fn plain_host(href: &str) -> Option<&str> {
    let authority = split_root(href).0.split_once("://")?.1;
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    port.parse::<u16>().ok().filter(|_| !port.starts_with('+'))?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let is_name = || {
        let last = host.rsplit('.').next().unwrap_or_default();
        last.starts_with(|c: char| c.is_ascii_alphabetic()) && !host.contains("--")
    };
    (host.chars().all(is_plain) && (is_name() || host.parse::<Ipv4Addr>().is_ok())).then_some(host)
}

/// Whether an href ends in a slash, which is how documents write directories.
pub fn is_directory(href: &str) -> bool {
    let path = path(href);
    path.ends_with('/') && !last_segment(&path).is_empty()
}

/// The decoded path of an href, without query and fragment. Paths without a scheme are taken as they are.
pub fn path(href: &str) -> Cow<'_, str> {
    if scheme(href).is_none() {
        return Cow::Borrowed(href);
    }
    let (_, rest) = split_root(href);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    // What is no text stays encoded: two names of another encoding are not to become one.
    percent_decode_str(path).decode_utf8().unwrap_or(Cow::Borrowed(path))
}

/// The last segment of the decoded path, that of a directory without the slash at its end.
pub fn file_name(href: &str) -> String {
    last_segment(&path(href)).to_owned()
}

fn last_segment(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// The extension of the file name with its dot, or nothing.
pub fn suffix(href: &str) -> String {
    let path = path(href);
    let name = last_segment(&path);
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
            ("/search?page=2", "https://h:1/d/search?page=1", "https://h:1/search?page=2"),
            ("//o/a.tif", "https://h/d/item.json", "https://o/a.tif"),
            ("/d/a.tif", "s3://b/d/item.json", "/d/a.tif"),
        ];
        for (href, base, expected) in cases {
            assert_eq!(absolute(href, Some(base)).unwrap(), expected, "{href} at {base}");
        }
        assert_eq!(absolute("./a.tif", None), None);
        assert_eq!(of_asset("/d/a.tif", Some("https://h/item.json")).unwrap(), "/d/a.tif");
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
        assert_eq!(file_name("https://h/d/%e4%20b.tif"), "%e4%20b.tif");
        assert_eq!(file_name("/d/a%20b.tif"), "a%20b.tif");
        assert_eq!(file_name("/d/a#b?c.tif"), "a#b?c.tif");
        assert_eq!(file_name("s3://b/d/x.zarr/"), "x.zarr");
        assert!(is_directory("https://h/d/?sig=a") && !is_directory("https://h/d?a=/"));
        assert_eq!(suffix("https://h/b.tif?sig=1.2"), ".tif");
        assert_eq!(suffix("https://h/.hidden"), "");
        assert_eq!(scheme("C:/x"), None);
        assert_eq!(scheme("data:image/png;base64,aGk=").as_deref(), Some("data"));
        assert_eq!(host("s3://Bucket/x").as_deref(), Some("bucket"));
    }

    #[test]
    fn plain_hosts_are_those_of_the_parser() {
        for href in [
            "https://Data.Example.org/a.tif",
            "https://h:8080/x",
            "https://h",
            "http://127.0.0.1:80/a",
            "http://127.1/a",
            "http://0x7f.1/a",
            "http://01.2.3.4/",
            "https://u:p@h.org/x",
            "https://h.org?x=/y",
            "https://h.org#y",
            "https://h.org\\@x.org/",
            "https://xn--bcher-kva.de/",
            "https://bücher.de/",
            "https://[::1]/",
            "https://h:99999/",
            "https://h:/x",
            "https://h:+1/x",
            "https://a%2Eb/x",
            "https://h./x",
            "https:///x",
            "s3://Some-Bucket/x",
            "az://c_d/x",
        ] {
            let parsed =
                Url::parse(href).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase));
            let parsed = parsed.filter(|host| !host.is_empty());
            assert_eq!(host(href), parsed, "{href}");
        }
    }
}
