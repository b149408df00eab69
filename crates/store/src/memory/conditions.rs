//! Conditional reads and the refusal of options that a store without versions cannot honour.

use std::ops::Range;

use object_store::{Error, GetOptions, GetRange, ObjectMeta, Result};

/// Checks the conditions of a read and resolves its range.
///
/// # Errors
/// `Precondition`, `NotModified`, `NotSupported` for a version, or `Generic` for a range outside the object.
pub(crate) fn check(
    store: &'static str,
    options: &GetOptions,
    meta: &ObjectMeta,
) -> Result<Range<u64>> {
    if let Some(version) = &options.version {
        return Err(Error::NotSupported {
            source: format!("{store} stores keep no versions: cannot read version '{version}'")
                .into(),
        });
    }
    options.check_preconditions(meta)?;
    match &options.range {
        None => Ok(0..meta.size),
        Some(range) => self::range(store, range, meta.size),
    }
}

/// Resolves a range of an object that has `size` bytes.
///
/// # Errors
/// `Generic` for a range outside the object.
pub(crate) fn range(store: &'static str, range: &GetRange, size: u64) -> Result<Range<u64>> {
    resolve(range, size).map_err(|detail| Error::Generic { store, source: detail.into() })
}

fn resolve(range: &GetRange, size: u64) -> Result<Range<u64>, String> {
    match range {
        GetRange::Bounded(range) if range.end <= range.start => {
            Err(format!("Range started at {} and ended at {}", range.start, range.end))
        }
        GetRange::Bounded(Range { start, .. }) | GetRange::Offset(start) if *start >= size => {
            Err(format!("Wanted range starting at {start}, but object was only {size} bytes long"))
        }
        GetRange::Bounded(range) => Ok(range.start..range.end.min(size)),
        GetRange::Offset(start) => Ok(*start..size),
        GetRange::Suffix(length) => Ok(size.saturating_sub(*length)..size),
    }
}
