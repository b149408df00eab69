//! Templates of names: `shard-{000..999..2}.tar`, `shard-@00999`, `shard-%04d`, and plain prefixes.

use std::fmt;

/// Most names that a template may stand for.
pub const MAX_NAMES: u64 = 10_000_000;

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// All names with this prefix; the empty one stands for everything.
    Prefix(String),
    /// Names made of text and numbers.
    Ranges(Ranges),
}

/// Text and the ranges of numbers in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges {
    /// Text before the first range.
    pub prefix: String,
    /// The ranges, each with the text that follows it; the last varies fastest.
    pub ranges: Vec<Range>,
}

/// A range of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// First number.
    pub start: i64,
    /// Last number, inclusive; [`i64::MAX`] when open.
    pub end: i64,
    /// Distance between numbers.
    pub step: i64,
    /// Digits, with leading zeros.
    pub width: usize,
    /// Text after the number.
    pub gap: String,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid template \"{text}\": {reason}")]
pub struct InvalidTemplate {
    text: String,
    reason: &'static str,
}

impl Template {
    /// Reads a template: braces, else `@N`, else `%0Nd`, else a prefix. A `*` at the end of a prefix means nothing.
    ///
    /// # Errors
    ///
    /// When a range is not `start..end[..step]` of decimal numbers with `start <= end` and a positive step, or there
    /// are more than [`MAX_NAMES`] names.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let invalid = |reason| InvalidTemplate { text: text.to_owned(), reason };
        let ranges = if text.contains(['{', '}']) {
            braces(text).map_err(invalid)?
        } else if let Some(ranges) = at(text).map_err(invalid)? {
            ranges
        } else if let Some(ranges) = percent(text) {
            ranges
        } else {
            return Ok(Self::Prefix(text.trim_end_matches('*').to_owned()));
        };
        if !ranges.is_open() && ranges.count() > MAX_NAMES {
            return Err(invalid("more than 10,000,000 names"));
        }
        Ok(Self::Ranges(ranges))
    }
}

impl Range {
    fn count(&self) -> u64 {
        let span = i128::from(self.end) - i128::from(self.start);
        u64::try_from(span / i128::from(self.step) + 1).unwrap_or(u64::MAX)
    }
}

impl Ranges {
    /// Whether the last number is not told: `%0Nd` stands for as many names as needed.
    pub fn is_open(&self) -> bool {
        self.ranges.iter().any(|range| range.end == i64::MAX)
    }

    /// How many names there are.
    pub fn count(&self) -> u64 {
        self.ranges.iter().fold(1, |count, range| count.saturating_mul(range.count()))
    }

    /// The names, in order.
    pub fn names(&self) -> Names<'_> {
        Names { ranges: self, next: Some(self.ranges.iter().map(|range| range.start).collect()) }
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix)?;
        for Range { start, end, step, width, gap } in &self.ranges {
            write!(f, "{{{start:0width$}..{end:0width$}..{step}}}{gap}")?;
        }
        Ok(())
    }
}

/// The names of [`Ranges`].
#[derive(Debug, Clone)]
pub struct Names<'a> {
    ranges: &'a Ranges,
    next: Option<Vec<i64>>,
}

impl Iterator for Names<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        use fmt::Write as _;

        let at = self.next.as_mut()?;
        let mut name = self.ranges.prefix.clone();
        for (number, range) in at.iter().zip(&self.ranges.ranges) {
            let width = range.width;
            // Writing to a string does not fail.
            let _ = write!(name, "{number:0width$}{}", range.gap);
        }
        let mut more = false;
        for (number, range) in at.iter_mut().zip(&self.ranges.ranges).rev() {
            match number.checked_add(range.step).filter(|next| *next <= range.end) {
                Some(next) => {
                    *number = next;
                    more = true;
                    break;
                }
                None => *number = range.start,
            }
        }
        if !more {
            self.next = None;
        }
        Some(name)
    }
}

fn number(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn braces(text: &str) -> Result<Ranges, &'static str> {
    let (prefix, mut rest) =
        text.split_once('{').ok_or("a closing brace without an opening one")?;
    if prefix.contains('}') {
        return Err("a closing brace without an opening one");
    }
    let mut ranges = Vec::new();
    loop {
        let (inside, after) =
            rest.split_once('}').ok_or("an opening brace without a closing one")?;
        let next = after.split_once('{');
        let gap = next.map_or(after, |(gap, _)| gap);
        if gap.contains('}') {
            return Err("a closing brace without an opening one");
        }
        ranges.push(brace(inside, gap)?);
        match next {
            Some((_, more)) => rest = more,
            None => return Ok(Ranges { prefix: prefix.to_owned(), ranges }),
        }
    }
}

fn brace(inside: &str, gap: &str) -> Result<Range, &'static str> {
    let parts: Vec<&str> = inside.split("..").collect();
    let (start, end, step) = match parts[..] {
        [start, end] => (start, end, "1"),
        [start, end, step] => (start, end, step),
        _ => return Err("expecting {start..end} or {start..end..step}"),
    };
    let width = start.len().min(end.len());
    let start = number(start).ok_or("the start of a range is no decimal number")?;
    let end = number(end).ok_or("the end of a range is no decimal number")?;
    let step = number(step)
        .filter(|step| *step > 0)
        .ok_or("the step of a range is no positive decimal number")?;
    if start > end {
        return Err("a range starts after its end");
    }
    Ok(Range { start, end, step, width, gap: gap.to_owned() })
}

fn at(text: &str) -> Result<Option<Ranges>, &'static str> {
    let Some((prefix, rest)) = text.split_once('@') else { return Ok(None) };
    let mut ranges = Vec::new();
    for piece in rest.split('@') {
        let digits = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
        if digits == 0 {
            // An ordinary at sign, as in a prefix.
            return Ok(None);
        }
        let end = number(&piece[..digits]).ok_or("the number after @ is too large")?;
        ranges.push(Range {
            start: 0,
            end,
            step: 1,
            width: digits,
            gap: piece[digits..].to_owned(),
        });
    }
    Ok(Some(Ranges { prefix: prefix.to_owned(), ranges }))
}

fn percent(text: &str) -> Option<Ranges> {
    let (prefix, rest) = text.split_once('%')?;
    let (digits, gap) = rest.split_once('d')?;
    let width = match digits {
        "" => 0,
        digits => digits.strip_prefix('0').filter(|d| d.len() <= 2)?.parse().ok()?,
    };
    let range = Range { start: 0, end: i64::MAX, step: 1, width, gap: gap.to_owned() };
    Some(Ranges { prefix: prefix.to_owned(), ranges: vec![range] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(text: &str) -> Vec<String> {
        match Template::parse(text).unwrap() {
            Template::Ranges(ranges) => ranges.names().take(100).collect(),
            Template::Prefix(prefix) => panic!("{prefix} is a prefix"),
        }
    }

    #[test]
    fn braces_expand_like_a_shell() {
        assert_eq!(names("p-{000..009..4}.x"), ["p-000.x", "p-004.x", "p-008.x"]);
        assert_eq!(
            names("{1..2}-{a}".replace("{a}", "{8..10}").as_str())[..4],
            ["1-8", "1-9", "1-10", "2-8"]
        );
        assert_eq!(names("a{0..10}b").len(), 11);
        assert_eq!(names("{08..11}")[..3], ["08", "09", "10"]);
    }

    #[test]
    fn at_and_percent() {
        assert_eq!(names("s-@00002.tar"), ["s-00000.tar", "s-00001.tar", "s-00002.tar"]);
        assert_eq!(names("s-%03d")[..2], ["s-000", "s-001"]);
        assert!(matches!(Template::parse("me@x").unwrap(), Template::Prefix(_)));
    }

    #[test]
    fn prefixes() {
        for (text, prefix) in
            [("", ""), ("*", ""), ("abc", "abc"), ("a/b*", "a/b"), ("100%", "100%")]
        {
            assert_eq!(Template::parse(text).unwrap(), Template::Prefix(prefix.into()), "{text}");
        }
    }

    #[test]
    fn refused() {
        for bad in [
            "{",
            "}",
            "{}",
            "{1}",
            "{1..}",
            "{a..b}",
            "{2..1}",
            "{0..1..0}",
            "{0..1..-1}",
            "{0..1..2..3}",
            "a}{0..1}",
            "{0..1}}",
            "{0..10000000}",
            "{0..9999}{0..9999}",
        ] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            if let Ok(Template::Ranges(ranges)) = Template::parse(&text) {
                prop_assert!(ranges.names().take(1000).count() >= 1);
            }
        }

        #[test]
        fn never_panics_on_what_looks_right(text in "[a@%{}.0-9d*-]{0,24}") {
            if let Ok(Template::Ranges(ranges)) = Template::parse(&text) {
                let count = ranges.names().take(2000).count() as u64;
                prop_assert!(ranges.is_open() || count == ranges.count().min(2000));
            }
        }

        #[test]
        fn printing_reads_back(start in 0..500_i64, len in 0..50_i64, step in 1..9_i64, pad in 0..5_usize) {
            let end = start + len;
            let width = pad.max(start.to_string().len());
            let text = format!("p{{{start:0width$}..{end:0width$}..{step}}}s");
            let parsed = Template::parse(&text).unwrap();
            let Template::Ranges(ranges) = &parsed else { panic!() };
            prop_assert_eq!(Template::parse(&ranges.to_string()).unwrap(), parsed.clone());
            prop_assert_eq!(ranges.count() as usize, ranges.names().count());
        }
    }
}
