//! The `Range` header, as AIStore reads it.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};

/// A range as it was asked for, before the size is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// From a byte to a byte, or to the end.
    From(u64, Option<u64>),
    /// So many bytes at the end.
    Last(u64),
}

/// Reads the header. None where it says nothing.
///
/// # Errors
///
/// [`ErrorKind::Range`] for what is no range, and for several ranges.
pub(crate) fn parse(header: &str, what: &str) -> Result<Option<Asked>> {
    if header.is_empty() {
        return Ok(None);
    }
    let invalid = |text: &str, part: &str| {
        Error::new(ErrorKind::Range, format!("read range \"{text}\" is invalid ({part})"))
    };
    let list = header.strip_prefix("bytes=").ok_or_else(|| invalid(header, "prefix"))?;
    let mut ranges = list.split(',').map(str::trim).filter(|text| !text.is_empty());
    // AIStore itself fails on an empty list, in a way that nobody can want.
    let Some(text) = ranges.next() else { return Ok(None) };
    if ranges.next().is_some() {
        let text = format!("cannot multi-range read {what} - operation not supported");
        return Err(Error::new(ErrorKind::Range, text).with_code("ErrUnsupp"));
    }
    let (start, end) = text.split_once('-').ok_or_else(|| invalid(text, "syntax"))?;
    let (start, end) = (start.trim(), end.trim());
    let number = |digits: &str, part| {
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        // AIStore's numbers are signed.
        let number = digits.parse::<u64>().ok().filter(|n| plain && i64::try_from(*n).is_ok());
        number.ok_or_else(|| invalid(text, part))
    };
    if start.is_empty() {
        if end.is_empty() {
            let text = format!("read range \"{text}\" is invalid as per RFC 7233 Section 2.1");
            return Err(Error::new(ErrorKind::Range, text));
        }
        return Ok(Some(Asked::Last(number(end, "end")?)));
    }
    let start = number(start, "start")?;
    let end = if end.is_empty() { None } else { Some(number(end, "end")?) };
    if end.is_some_and(|end| end < start) {
        return Err(invalid(text, "end"));
    }
    Ok(Some(Asked::From(start, end)))
}

impl Asked {
    /// The bytes of an object of this size.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Range`] when the range begins at the end or beyond it.
    pub(crate) fn resolve(self, size: u64) -> Result<Range<u64>> {
        match self {
            Self::Last(len) => Ok(size.saturating_sub(len)..size),
            Self::From(start, end) if start < size => {
                Ok(start..end.map_or(size, |end| end.saturating_add(1).min(size)))
            }
            Self::From(start, end) => {
                let end = end.map(|end| end.to_string()).unwrap_or_default();
                let text = format!("size={size}: not satisfiable range [{start}-{end}]");
                Err(Error::new(ErrorKind::Range, text).with_code("ErrRangeNotSatisfiable"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(header: &str, size: u64) -> Option<(u64, u64)> {
        let range = parse(header, "o").ok()??.resolve(size).ok()?;
        Some((range.start, range.end))
    }

    #[test]
    fn as_recorded() {
        for (header, range) in [
            ("bytes=0-0", Some((0, 1))),
            ("bytes=5-100", Some((5, 101))),
            ("bytes=10239-", Some((10239, 10240))),
            ("bytes=-1", Some((10239, 10240))),
            ("bytes=-99999", Some((0, 10240))),
            ("bytes=-0", Some((10240, 10240))),
            ("bytes=  3-7", Some((3, 8))),
            ("bytes=0-99999", Some((0, 10240))),
            ("bytes=10240-", None),
            ("bytes=5-4", None),
            ("bytes=a-b", None),
            ("bytes=-", None),
            ("bytes=0-1,4-5", None),
            ("items=0-5", None),
            ("0-5", None),
            ("bytes=0-99999999999999999999", None),
            ("BYTES=0-3", None),
        ] {
            assert_eq!(of(header, 10240), range, "{header}");
        }
        assert_eq!(parse("bytes=", "o").unwrap(), None);
        assert_eq!(of("bytes=0-0", 0), None);
    }

    proptest! {
        #[test]
        fn never_panics_and_stays_inside(header in "(bytes=)?[-0-9, ]{0,24}", size in 0..u64::MAX) {
            if let Ok(Some(asked)) = parse(&header, "o")
                && let Ok(range) = asked.resolve(size)
            {
                prop_assert!(range.start <= range.end && range.end <= size);
            }
        }
    }
}
