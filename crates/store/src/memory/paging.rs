//! Listing an ordered map page by page.

use std::collections::VecDeque;
use std::ops::Bound;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, Result};

use super::MemoryStore;

/// Keys taken from the map under one lock.
const PAGE_KEYS: usize = 1000;

/// A position in a listing: the next page starts behind `after`.
pub(crate) struct Pages {
    store: MemoryStore,
    /// Keys start with this text.
    prefix: String,
    after: Bound<String>,
    page: VecDeque<ObjectMeta>,
    done: bool,
}

impl Pages {
    pub(super) fn new(store: MemoryStore, prefix: String, after: Option<String>) -> Self {
        let after = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix.clone()),
        };
        Self { store, prefix, after, page: VecDeque::new(), done: false }
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::iter(self.map(Ok)).boxed()
    }

    fn fill(&mut self) {
        let objects = self.store.read();
        let after = self.after.as_ref().map(String::as_str);
        for (key, entry) in objects.range::<str, _>((after, Bound::Unbounded)).take(PAGE_KEYS) {
            if !key.starts_with(&self.prefix) {
                self.done = true;
                break;
            }
            self.page.push_back(entry.meta(key.0.clone()));
        }
        match self.page.back() {
            Some(last) => self.after = Bound::Excluded(last.location.as_ref().to_owned()),
            None => self.done = true,
        }
    }
}

impl Iterator for Pages {
    type Item = ObjectMeta;

    fn next(&mut self) -> Option<ObjectMeta> {
        if self.page.is_empty() && !self.done {
            self.fill();
        }
        self.page.pop_front()
    }
}

/// `prefix` as the text that the keys below it start with: whole segments.
pub(super) fn segments(prefix: Option<&Path>) -> String {
    match prefix {
        Some(prefix) if !prefix.as_ref().is_empty() => format!("{prefix}/"),
        _ => String::new(),
    }
}

/// One level below `prefix`, skipping over the keys of each common prefix.
pub(super) fn level(
    store: &MemoryStore,
    prefix: &str,
    delimiter: &str,
    after: Option<&str>,
    max: usize,
) -> (ListResult, Option<String>) {
    let objects = store.read();
    let mut result = ListResult {
        common_prefixes: Vec::new(),
        objects: Vec::new(),
        extensions: Default::default(),
    };
    let mut from = match after {
        Some(after) if after >= prefix => Bound::Excluded(after.to_owned()),
        _ => Bound::Included(prefix.to_owned()),
    };
    let mut last = None;
    while let Some((key, entry)) =
        objects.range::<str, _>((from.as_ref().map(String::as_str), Bound::Unbounded)).next()
    {
        let Some(rest) = key.strip_prefix(prefix) else { return (result, None) };
        if result.objects.len() + result.common_prefixes.len() == max {
            return (result, last);
        }
        let common = (!delimiter.is_empty()).then(|| rest.find(delimiter)).flatten();
        match common {
            Some(at) => {
                let common = &key[..prefix.len() + at];
                result.common_prefixes.extend(Path::parse(common));
                // The largest text that starts with the common prefix: no key follows it inside.
                let skip = format!("{common}{delimiter}{}", char::MAX);
                last = Some(skip.clone());
                from = Bound::Excluded(skip);
            }
            None => {
                result.objects.push(entry.meta(key.0.clone()));
                last = Some(key.to_string());
                from = Bound::Excluded(key.to_string());
            }
        }
    }
    (result, None)
}
