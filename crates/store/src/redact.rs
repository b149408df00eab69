//! Takes secrets out of text before anybody can see it.

use std::sync::LazyLock;

use regex::{Captures, Regex};

static URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>)]+"#).expect("a constant"));

/// Query parameters whose values say where, not who; all others are hidden.
const PLAIN_PARAMETERS: &[&str] = &[
    "comp",
    "delimiter",
    "encoding-type",
    "list-type",
    "marker",
    "max-keys",
    "maxresults",
    "partNumber",
    "partnumber",
    "prefix",
    "restype",
    "start-after",
    "uploads",
    "versionId",
    "versions",
];

/// The same text with user information and the values of query parameters removed from every URL in it.
pub fn text(input: &str) -> String {
    owned(input.to_owned())
}

/// As [`text`], without a copy of what has no secret.
pub(crate) fn owned(input: String) -> String {
    // Secrets stand in the user information and in the query. Most errors name URLs that have neither.
    if !input.bytes().any(|byte| matches!(byte, b'@' | b'?')) || !input.contains("://") {
        return input;
    }
    URL.replace_all(&input, |found: &Captures<'_>| url(&found[0])).into_owned()
}

fn url(input: &str) -> String {
    let (base, query) = match input.split_once('?') {
        Some((base, query)) => (base, Some(query)),
        None => (input, None),
    };
    let base = match base.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = match rest.find('/') {
                Some(at) => rest.split_at(at),
                None => (rest, ""),
            };
            // `abfs://container@account…` names a container before the `@`, not a user.
            let authority = match authority.rsplit_once('@') {
                // Nor is there a user in `ais://@cluster#namespace/bucket`.
                Some(("", _)) => authority,
                Some((user, host)) if user.contains(':') || !scheme.starts_with("abfs") => host,
                _ => authority,
            };
            format!("{scheme}://{authority}{path}")
        }
        None => base.to_owned(),
    };
    let Some(query) = query else { return base };
    let query: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if !PLAIN_PARAMETERS.contains(&name) => format!("{name}=…"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{base}?{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn hides_user_information_and_signatures_only() {
        assert_eq!(
            text("GET https://u:p@h/a?list-type=2&X-Amz-Signature=1 failed"),
            "GET https://h/a?list-type=2&X-Amz-Signature=… failed"
        );
        assert_eq!(
            text("abfs://c@acc.dfs.core.windows.net/x"),
            "abfs://c@acc.dfs.core.windows.net/x"
        );
        assert_eq!(text("plain text"), "plain text");
    }
}
