//! Listing by pattern.

use futures::StreamExt;
use futures::stream::BoxStream;
use globset::{GlobBuilder, GlobMatcher};
use object_store::ObjectMeta;

use super::ListOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::listing::{ParallelOptions, key_of};
use crate::store::Store;

impl Store {
    /// The objects whose whole key matches `pattern`: `*` and `?` stay within a segment, `**` crosses them, `[a-z]` and
    /// `{a,b}` are alternatives, a backslash takes the next character as it is.
    ///
    /// Only keys with the literal beginning of the pattern are listed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a pattern that cannot be read. A matching object whose key no path can hold is an
    /// [`Error::odd_key`], after which the listing goes on.
    pub fn glob(&self, pattern: &str) -> Result<BoxStream<'static, Result<ObjectMeta>>> {
        let matcher = matcher(pattern)?;
        let options = ListOptions::default().with_prefix(literal_prefix(pattern));
        let listing = self.list_parallel(options, ParallelOptions::default().with_own_order(true));
        let wanted = move |item: &Result<ObjectMeta>| {
            futures::future::ready(key_of(item).is_none_or(|key| matcher.is_match(key)))
        };
        Ok(listing.filter(wanted).boxed())
    }
}

/// Reads a pattern in the syntax of [`Store::glob`].
pub(crate) fn matcher(pattern: &str) -> Result<GlobMatcher> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|e| Error::new(ErrorKind::InvalidArgument, "glob", pattern, e.to_string()))
}

fn literal_prefix(pattern: &str) -> &str {
    let end = pattern.find(['*', '?', '[', '{', '\\']).unwrap_or(pattern.len());
    &pattern[..end]
}
