//! Conditions of requests: entity tags and times, in the order of RFC 9110, section 13.2.2.

use chrono::{DateTime, Utc};
use holdall_ais_wire::value::from_nanos;
use http::HeaderMap;

use super::fault::Fault;
use crate::http::objects::etag;
use crate::storage::ObjectMeta;

/// The names of the four headers.
pub(super) struct Names {
    if_match: &'static str,
    if_none_match: &'static str,
    if_modified: &'static str,
    if_unmodified: &'static str,
}

/// For what is read.
pub(super) const OBJECT: Names = Names {
    if_match: "if-match",
    if_none_match: "if-none-match",
    if_modified: "if-modified-since",
    if_unmodified: "if-unmodified-since",
};

/// For the source of a copy.
pub(super) const SOURCE: Names = Names {
    if_match: "x-amz-copy-source-if-match",
    if_none_match: "x-amz-copy-source-if-none-match",
    if_modified: "x-amz-copy-source-if-modified-since",
    if_unmodified: "x-amz-copy-source-if-unmodified-since",
};

/// Conditions, as they came.
#[derive(Clone, Default)]
pub(super) struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
    modified: Option<DateTime<Utc>>,
    unmodified: Option<DateTime<Utc>>,
}

/// What they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Go,
    /// The client has it.
    NotModified,
    /// This one does not hold.
    Failed(&'static str),
}

impl Conditions {
    pub(super) fn of(headers: &HeaderMap, names: &Names) -> Self {
        let text = |name| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.map(|text| text.trim().to_owned())
        };
        // Dates that are none are to be ignored.
        let date = |name| {
            let date = DateTime::parse_from_rfc2822(&text(name)?);
            date.ok().map(|date| date.to_utc())
        };
        Self {
            if_match: text(names.if_match),
            if_none_match: text(names.if_none_match),
            modified: date(names.if_modified),
            unmodified: date(names.if_unmodified),
        }
    }

    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.if_match.is_none()
            && self.if_none_match.is_none()
            && self.modified.is_none()
            && self.unmodified.is_none()
    }

    /// For what is to be read.
    pub(super) fn of_read(&self, meta: &ObjectMeta) -> Verdict {
        let tag = etag(meta);
        // HTTP's dates have no fractions of seconds.
        let time = from_nanos(meta.mtime - meta.mtime.rem_euclid(1_000_000_000));
        if let Some(list) = &self.if_match {
            if !lists(list, &tag) {
                return Verdict::Failed("If-Match");
            }
        } else if self.unmodified.is_some_and(|than| time > than) {
            return Verdict::Failed("If-Unmodified-Since");
        }
        if let Some(list) = &self.if_none_match {
            if lists(list, &tag) {
                return Verdict::NotModified;
            }
        } else if self.modified.is_some_and(|than| time <= than) {
            return Verdict::NotModified;
        }
        Verdict::Go
    }

    /// For what is to be replaced, be it there or not.
    ///
    /// # Errors
    ///
    /// When one does not hold.
    pub(super) fn of_write(&self, key: &str, present: Option<&ObjectMeta>) -> Result<(), Fault> {
        if let Some(list) = &self.if_match {
            match present {
                None => return Err(Fault::no_key(key)),
                Some(meta) if !lists(list, &etag(meta)) => {
                    return Err(Fault::precondition("If-Match"));
                }
                Some(_) => {}
            }
        }
        if let (Some(list), Some(meta)) = (&self.if_none_match, present)
            && lists(list, &etag(meta))
        {
            return Err(Fault::precondition("If-None-Match"));
        }
        Ok(())
    }
}

/// Whether a list of entity tags has this one. Clients leave out the quotes, too.
pub(super) fn lists(list: &str, tag: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    list.trim() == "*" || list.split(',').any(|listed| plain(listed) == plain(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(name: &'static str, value: &str) -> Verdict {
        let meta = ObjectMeta {
            checksum_type: "md5".into(),
            checksum: "aa".into(),
            // Half a second past.
            mtime: 1_445_412_480_500_000_000,
            ..ObjectMeta::default()
        };
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Conditions::of(&headers, &OBJECT).of_read(&meta)
    }

    #[test]
    fn verdicts() {
        for (name, value, expected) in [
            ("if-match", "\"aa\"", Verdict::Go),
            ("if-match", "aa", Verdict::Go),
            ("if-match", "*", Verdict::Go),
            ("if-match", "\"bb\"", Verdict::Failed("If-Match")),
            ("if-none-match", "\"bb\", \"aa\"", Verdict::NotModified),
            ("if-none-match", "\"bb\"", Verdict::Go),
            ("if-modified-since", "Wed, 21 Oct 2015 07:28:00 GMT", Verdict::NotModified),
            ("if-modified-since", "Wed, 21 Oct 2015 07:27:59 GMT", Verdict::Go),
            ("if-unmodified-since", "Wed, 21 Oct 2015 07:28:00 GMT", Verdict::Go),
            (
                "if-unmodified-since",
                "Wed, 21 Oct 2015 07:27:59 GMT",
                Verdict::Failed("If-Unmodified-Since"),
            ),
            ("if-modified-since", "yesterday", Verdict::Go),
        ] {
            assert_eq!(verdict(name, value), expected, "{name}: {value}");
        }
    }
}
