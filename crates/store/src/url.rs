//! One grammar for every place where objects live.
//!
//! | URL | store | prefix or key |
//! |---|---|---|
//! | `s3://BUCKET/PATH`, `s3a://…` | S3 | `PATH` |
//! | `https://BUCKET.s3.REGION.amazonaws.com/PATH`, `https://s3.REGION.amazonaws.com/BUCKET/PATH` (`dualstack` too) | S3 | `PATH` |
//! | `https://ACCOUNT.r2.cloudflarestorage.com/BUCKET/PATH` (with a jurisdiction too) | S3 | `PATH` |
//! | `gs://BUCKET/PATH`, `gcs://…` | Google Cloud Storage | `PATH` |
//! | `az://CONTAINER/PATH`, `azure://…`, `adl://…`, `abfs://…`, `abfss://…` | Azure | `PATH` |
//! | `abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH`, `abfss://…` | Azure | `PATH` |
//! | `https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH`, `dfs`, Fabric hosts | Azure | `PATH` |
//! | any other `http://`, `https://` | HTTP or WebDAV | all of the path |
//! | `file:///PATH`, `/PATH`, `./PATH`, `PATH` | local files | the path |
//! | `ais://BUCKET/PATH`, `ais://@CLUSTER#NAMESPACE/BUCKET/PATH` | AIStore, by an extension | `PATH` |
//! | `memory:///PATH`, `memory://NAME/PATH` | memory: a new store, or the process-wide store `NAME` | `PATH` |
//!
//! Paths of URLs are percent-decoded, and `.` and `..` in them are resolved, as in every URL; plain paths are taken as they
//! are.

use std::borrow::Cow;
use std::path::PathBuf;

use object_store::path::Path;
use url::Url;

use crate::config::{AzureKey, GcsKey, S3Key, Settings};
use crate::error::{Error, ErrorKind, Result};

/// A parsed URL: which back end, its settings as far as the URL tells them, and the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl {
    /// The back end and what the URL says of it.
    pub backend: Backend,
    /// The path inside the back end: a key or a prefix.
    pub path: Path,
    /// Whether the path was written with a slash at its end, which says "directory".
    pub trailing_slash: bool,
}

/// A back end and what a URL says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// S3 and its relatives.
    S3(Settings<S3Key>),
    /// Google Cloud Storage.
    Gcs(Settings<GcsKey>),
    /// Azure.
    Azure(Settings<AzureKey>),
    /// An HTTP server; the URL ends before the path.
    Http(Url),
    /// Local files; the path is absolute or relative to the working directory.
    Local(PathBuf),
    /// Memory, with the name of a process-wide store.
    Memory(Option<String>),
    /// A scheme that an extension handles.
    Other(Url),
}

impl Backend {
    /// The canonical scheme: `s3`, `gs`, `az`, `http`, `file`, `memory`, or the extension's.
    pub fn scheme(&self) -> &str {
        match self {
            Self::S3(_) => "s3",
            Self::Gcs(_) => "gs",
            Self::Azure(_) => "az",
            Self::Http(_) => "http",
            Self::Local(_) => "file",
            Self::Memory(_) => "memory",
            Self::Other(url) => url.scheme(),
        }
    }
}

impl StoreUrl {
    /// Parses a URL or a plain path.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUrl`] for what the grammar does not know; the message says what was expected.
    pub fn parse(input: &str) -> Result<Self> {
        let Some((scheme, rest)) = split_scheme(input) else { return Self::plain_path(input) };
        let url = Url::parse(&kept(input, &scheme));
        let url = url.map_err(|e| invalid(input, &e.to_string()))?;
        let trailing_slash = match scheme.as_str() {
            "ais" | "ais+s3" | "ais+gs" | "ais+az" | "ais+oc" => ends_as_directory(rest),
            _ => url.path().ends_with('/') || url.path().is_empty(),
        };
        let (backend, path) = match scheme.as_str() {
            "file" => return Self::file(input, &url, rest),
            "memory" => {
                let name = url.host_str().filter(|host| !host.is_empty()).map(str::to_owned);
                (Backend::Memory(name), url.path())
            }
            "s3" | "s3a" => (
                Backend::S3(Settings::new().with(S3Key::Bucket, authority(input, &url)?)),
                url.path(),
            ),
            "gs" | "gcs" => (
                Backend::Gcs(Settings::new().with(GcsKey::Bucket, authority(input, &url)?)),
                url.path(),
            ),
            "az" | "azure" | "adl" | "abfs" | "abfss" => {
                (Backend::Azure(azure_scheme(input, &url)?), url.path())
            }
            "http" | "https" => web(input, &url)?,
            _ => (Backend::Other(url.clone()), url.path()),
        };
        let path = Path::from_url_path(path).map_err(|e| invalid(input, &e.to_string()))?;
        Ok(Self { backend, path, trailing_slash })
    }

    fn plain_path(input: &str) -> Result<Self> {
        if input.is_empty() {
            return Err(invalid(input, "the URL is empty"));
        }
        let trailing_slash =
            input.ends_with(std::path::is_separator) || input == "." || input == "..";
        Ok(Self {
            backend: Backend::Local(PathBuf::from(input)),
            path: Path::default(),
            trailing_slash,
        })
    }

    fn file(input: &str, url: &Url, rest: &str) -> Result<Self> {
        if rest.starts_with("//") && url.host_str().is_some_and(|host| host != "localhost") {
            return Err(invalid(
                input,
                "a file URL has three slashes before its absolute path: file:///path",
            ));
        }
        let path =
            url.to_file_path().map_err(|()| invalid(input, "it is not a path of this system"))?;
        let trailing_slash = url.path().ends_with('/');
        Ok(Self { backend: Backend::Local(path), path: Path::default(), trailing_slash })
    }
}

/// Whether the part of an extension's URL behind its colon names a bucket or a directory. What begins with `@` or `#` is a
/// cluster and a namespace before the name of the bucket.
fn ends_as_directory(rest: &str) -> bool {
    let rest = rest.trim_start_matches('/');
    let bucket = match rest.starts_with(['@', '#']) {
        true => rest.split_once('/').map_or("", |(_, bucket)| bucket),
        false => rest,
    };
    bucket.ends_with('/') || !bucket.contains('/')
}

/// The scheme of `input` in lower case, and what follows the colon. A single letter is a Windows drive, and a colon
/// after a slash belongs to a path.
fn split_scheme(input: &str) -> Option<(String, &str)> {
    let (scheme, rest) = input.split_once(':')?;
    let valid = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let hierarchical = rest.starts_with("//")
        || scheme.eq_ignore_ascii_case("file")
        || scheme.eq_ignore_ascii_case("memory");
    (valid && hierarchical).then(|| (scheme.to_ascii_lowercase(), rest))
}

/// The URL with all that its parser would leave out or take for something else, and that may be part of a key: spaces at the
/// end, tabs and line breaks, backslashes of file names.
fn kept<'a>(input: &'a str, scheme: &str) -> Cow<'a, str> {
    let end = input.trim_end_matches(|c: char| c <= ' ').len();
    let is_lost = |at: usize, c: char| {
        at >= end || matches!(c, '\t' | '\n' | '\r') || (c == '\\' && scheme == "file")
    };
    if !input.char_indices().any(|(at, c)| is_lost(at, c)) {
        return Cow::Borrowed(input);
    }
    let mut kept = String::with_capacity(input.len() + 8);
    for (at, c) in input.char_indices() {
        match is_lost(at, c) {
            true => kept.push_str(&format!("%{:02X}", u32::from(c))),
            false => kept.push(c),
        }
    }
    Cow::Owned(kept)
}

fn invalid(input: &str, detail: &str) -> Error {
    Error::new(ErrorKind::InvalidUrl, "parse", input, detail)
}

/// The host of a URL as it was written: bucket names keep their letter case.
fn authority<'a>(input: &'a str, url: &Url) -> Result<&'a str> {
    let after = input.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let host = &after[..end];
    if host.is_empty() {
        return Err(invalid(
            input,
            &format!("the name of the bucket is missing: {}://NAME/path", url.scheme()),
        ));
    }
    if host.contains('@') {
        return Err(invalid(input, "credentials do not belong into a URL: give them as settings"));
    }
    Ok(host)
}

fn azure_scheme(input: &str, url: &Url) -> Result<Settings<AzureKey>> {
    let host = url.host_str().unwrap_or_default();
    if host.is_empty() {
        return Err(invalid(input, "the name of the container is missing: az://CONTAINER/path"));
    }
    if url.username().is_empty() {
        if host.contains('.') {
            return Err(invalid(
                input,
                "a container has no dot: write abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/path",
            ));
        }
        return Ok(Settings::new().with(AzureKey::ContainerName, host));
    }
    let account = azure_host(host).ok_or_else(|| {
        invalid(input, "the host is none of Azure's: ACCOUNT.dfs.core.windows.net, ACCOUNT.blob.core.windows.net, …fabric.microsoft.com")
    })?;
    Ok(account.with(AzureKey::ContainerName, url.username()))
}

/// Settings told by one of Azure's host names.
fn azure_host(host: &str) -> Option<Settings<AzureKey>> {
    let (first, rest) = host.split_once('.')?;
    // "{workspace}.z12.dfs.fabric.microsoft.com" is a private link of a workspace.
    if rest.starts_with('z') && rest.ends_with("fabric.microsoft.com") {
        let zone = rest.split_once('.').map_or(rest, |(zone, _)| zone);
        return Some(
            Settings::new()
                .with(AzureKey::AccountName, format!("{first}.{zone}"))
                .with(AzureKey::Endpoint, format!("https://{host}"))
                .with(AzureKey::UseFabricEndpoint, "true"),
        );
    }
    let account = Settings::new().with(AzureKey::AccountName, first);
    match rest {
        "dfs.core.windows.net" | "blob.core.windows.net" => Some(account),
        "dfs.fabric.microsoft.com" | "blob.fabric.microsoft.com" => {
            Some(account.with(AzureKey::UseFabricEndpoint, "true"))
        }
        _ => None,
    }
}

/// A web URL: the cloud stores have well-known hosts, all others are HTTP servers.
fn web<'a>(input: &str, url: &'a Url) -> Result<(Backend, &'a str)> {
    let host = url.host_str().unwrap_or_default();
    let path = url.path();
    let (first, below_first) = match path.trim_start_matches('/').split_once('/') {
        Some((first, rest)) => (first, rest),
        None => (path.trim_start_matches('/'), ""),
    };
    if url.scheme() == "https" {
        if let Some(settings) = azure_host(host) {
            let settings = match first {
                "" => settings,
                container => settings.with(AzureKey::ContainerName, container),
            };
            return Ok((Backend::Azure(settings), below_first));
        }
        if let Some(account) = host.strip_suffix(".r2.cloudflarestorage.com") {
            let settings = Settings::new()
                .with(S3Key::Endpoint, format!("https://{account}.r2.cloudflarestorage.com"))
                .with(S3Key::Region, "auto")
                .with(S3Key::Bucket, first);
            return Ok((Backend::S3(settings), below_first));
        }
        if let Some(labels) =
            host.strip_suffix(".amazonaws.com").or(host.strip_suffix(".amazonaws.com.cn"))
        {
            return amazon(input, host, labels, first, path, below_first);
        }
    }
    let mut root = url.clone();
    root.set_path("");
    root.set_fragment(None);
    Ok((Backend::Http(root), path))
}

fn amazon<'a>(
    input: &str,
    host: &str,
    labels: &str,
    first: &str,
    path: &'a str,
    below_first: &'a str,
) -> Result<(Backend, &'a str)> {
    let unknown = || invalid(input, &format!("the host '{host}' is none of S3's"));
    let labels: Vec<&str> = labels.split('.').filter(|label| *label != "dualstack").collect();
    let at = labels
        .iter()
        .rposition(|label| *label == "s3" || label.starts_with("s3-"))
        .ok_or_else(unknown)?;
    let region = match (labels[at], labels.get(at + 1)) {
        (_, Some(region)) => Some(*region),
        // The older form `s3-eu-west-1` carries the region itself.
        (label, None) => label.strip_prefix("s3-"),
    };
    let mut settings = Settings::new();
    if let Some(region) = region {
        settings = settings.with(S3Key::Region, region);
    }
    if at == 0 {
        return Ok((Backend::S3(settings.with(S3Key::Bucket, first)), below_first));
    }
    let bucket = labels[..at].join(".");
    let settings =
        settings.with(S3Key::Bucket, bucket).with(S3Key::VirtualHostedStyleRequest, "true");
    Ok((Backend::S3(settings), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(url: &str) -> (String, Option<String>, String) {
        let parsed = StoreUrl::parse(url).unwrap();
        let Backend::S3(settings) = &parsed.backend else { panic!("{url}: {parsed:?}") };
        (
            settings.get(S3Key::Bucket).unwrap().to_owned(),
            settings.get(S3Key::Region).map(str::to_owned),
            parsed.path.to_string(),
        )
    }

    #[test]
    fn every_form_of_s3() {
        let eu = Some("eu-west-1".to_owned());
        for (url, bucket, region, path) in [
            ("s3://Bucket/a/b", "Bucket", None, "a/b"),
            ("s3a://b", "b", None, ""),
            ("https://s3.eu-west-1.amazonaws.com/b/a", "b", eu.clone(), "a"),
            ("https://b.s3.eu-west-1.amazonaws.com/a", "b", eu.clone(), "a"),
            ("https://b.s3.amazonaws.com/a/c", "b", None, "a/c"),
            ("https://b.s3.dualstack.eu-west-1.amazonaws.com/a", "b", eu.clone(), "a"),
            ("https://s3.dualstack.eu-west-1.amazonaws.com/b/a", "b", eu.clone(), "a"),
            ("https://b.with.dots.s3.eu-west-1.amazonaws.com/a", "b.with.dots", eu, "a"),
            ("https://acc.eu.r2.cloudflarestorage.com/b/a", "b", Some("auto".into()), "a"),
        ] {
            assert_eq!(s3(url), (bucket.to_owned(), region, path.to_owned()), "{url}");
        }
    }

    #[test]
    fn what_may_be_part_of_a_key_is_kept() {
        let path = |url: &str| match StoreUrl::parse(url).unwrap() {
            StoreUrl { backend: Backend::Local(path), .. } => path.to_str().unwrap().to_owned(),
            parsed => parsed.path.to_string(),
        };
        for (url, expected) in [
            ("s3://b/report ", "report "),
            ("gs://b/a b/  ", "a b/  "),
            ("az://c/report%20", "report "),
            ("memory://m/report ", "report "),
            ("https://h/report ", "report "),
            ("file:///d/report ", "/d/report "),
            ("file:///d/a\\b", "/d/a\\b"),
            ("file:///d/two\nlines\t", "/d/two\nlines\t"),
            ("s3://b/a\\b", "a\\b"),
        ] {
            assert_eq!(path(url), expected, "{url:?}");
        }
        // No key has a line break.
        assert!(StoreUrl::parse("s3://b/a\nb").is_err());
    }

    #[test]
    fn every_form_of_azure() {
        for (url, account, container, path) in [
            ("az://c/p", None, "c", "p"),
            ("abfss://c@acc.dfs.core.windows.net/p/q", Some("acc"), "c", "p/q"),
            ("https://acc.blob.core.windows.net/c/p", Some("acc"), "c", "p"),
            ("https://w.z12.dfs.fabric.microsoft.com/c/p", Some("w.z12"), "c", "p"),
        ] {
            let parsed = StoreUrl::parse(url).unwrap();
            let Backend::Azure(settings) = &parsed.backend else { panic!("{url}") };
            assert_eq!(settings.get(AzureKey::AccountName), account, "{url}");
            assert_eq!(settings.get(AzureKey::ContainerName), Some(container), "{url}");
            assert_eq!(parsed.path.as_ref(), path, "{url}");
        }
    }

    #[test]
    fn local_paths_and_files() {
        let local = |url: &str| match StoreUrl::parse(url).unwrap().backend {
            Backend::Local(path) => path.to_str().unwrap().to_owned(),
            other => panic!("{url}: {other:?}"),
        };
        assert_eq!(local("/a/b%20c"), "/a/b%20c");
        assert_eq!(local("file:///a/b%20c"), "/a/b c");
        assert_eq!(local("data/x:y"), "data/x:y");
        assert_eq!(local("file:/a"), "/a");
        assert!(StoreUrl::parse("file://host/a").is_err());
    }

    #[test]
    fn others_and_refusals() {
        assert!(matches!(StoreUrl::parse("gcs://b/k").unwrap().backend, Backend::Gcs(_)));
        assert!(matches!(StoreUrl::parse("ais://b/k").unwrap().backend, Backend::Other(_)));
        let http = StoreUrl::parse("http://h:8080/a/b%20c").unwrap();
        assert_eq!((http.backend.scheme(), http.path.as_ref()), ("http", "a/b c"));
        assert!(StoreUrl::parse("s3:///key").is_err());
        assert!(StoreUrl::parse("s3://AK:SK@bucket/key").is_err());
        assert!(StoreUrl::parse("az://a.b/c").is_err());
    }
}
