//! Where to cut a span whose keys are not known, and how many pages it may have.
//!
//! Keys are read as fractions: a character is a digit, and the base of a position is the number of characters expected
//! there. Cuts are evenly spaced fractions. The estimate is as good as the characters are evenly used; it decides how many
//! requests are tried, never which keys are listed.

use std::collections::BTreeSet;

use super::alphabet::Alphabet;

/// Digits of a fraction: beyond them lie no differences that matter.
const DIGITS: usize = 8;

/// Characters that the keys of a page share beyond what they share with the end of the gap, from which on the page is
/// taken to be one of many places.
const WIDE: usize = 3;

/// Levels asked about at once.
const MOST_LEVELS: usize = 6;

/// A part of the key space that is still to be listed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap<'a> {
    /// The first and the last key of the page before the gap: all that is to come follows the last.
    pub(super) page: (&'a str, &'a str),
    /// The last key that may come; `None` when everything with the prefix may.
    pub(super) high: Option<&'a str>,
    /// The prefix of the listing.
    pub(super) prefix: &'a str,
}

impl Gap<'_> {
    /// How many pages like the one before are to come, roughly.
    pub(super) fn pages(&self, alphabet: &Alphabet) -> f64 {
        let (first, last) = self.page;
        let scale = self.high.filter(|high| !self.is_wide(high));
        let Some(scale) = scale.and_then(|high| Scale::new(last, high, alphabet)) else {
            return f64::INFINITY;
        };
        let page = scale.high_of(last) - scale.value(first);
        (scale.high - scale.low) / page.max(f64::MIN_POSITIVE)
    }

    /// Whether the gap reaches so much further than the page that the page tells nothing about most of it.
    fn is_wide(&self, high: &str) -> bool {
        shared(self.page.0, self.page.1) >= shared(self.page.1, high) + WIDE
    }

    /// Up to `most` keys to cut at, all of them inside the gap; none when there is no room.
    pub(super) fn cuts(&self, alphabet: &Alphabet, most: usize) -> BTreeSet<String> {
        let low = self.page.1;
        let mut found = match self.high {
            None => self.climb(self.prefix.chars().count(), alphabet, most.min(MOST_LEVELS)),
            Some(high) if self.is_wide(high) => {
                self.climb(shared(low, high), alphabet, most.min(MOST_LEVELS))
            }
            Some(high) => match Scale::new(low, high, alphabet) {
                Some(scale) => scale.cuts(most),
                None => BTreeSet::new(),
            },
        };
        found.retain(|cut| {
            cut.as_str() > low
                && self.high.is_none_or(|high| cut.as_str() < high)
                && cut.as_str() > self.prefix
        });
        found
    }

    /// Nothing is known of what comes: asks, level by level from the place where the keys of the page begin to differ up
    /// to the `root`, whether there is anything beside it.
    fn climb(&self, root: usize, alphabet: &Alphabet, most: usize) -> BTreeSet<String> {
        let (first, low) = self.page;
        let common = shared(first, low);
        let low: Vec<char> = low.chars().collect();
        let top = alphabet.top();
        let mut levels = BTreeSet::from([root]);
        let (mut at, mut step) = (common.min(low.len().saturating_sub(1)), 1);
        while at > root && levels.len() < most {
            // The level of a slash is that of the name before it.
            if low[at] != '/' {
                levels.insert(at);
            }
            at = at.saturating_sub(step);
            step *= 2;
        }
        let beside = |at: usize| low[..at.min(low.len())].iter().chain([&top]).collect();
        levels.into_iter().map(beside).collect()
    }
}

/// How many characters two keys have in common at their beginning.
fn shared(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// Keys between two others as fractions.
struct Scale {
    /// What both have in common.
    common: String,
    /// The characters of each position behind it, in order.
    digits: Vec<Vec<char>>,
    low: f64,
    high: f64,
}

impl Scale {
    /// `None` when there is nothing between the two.
    fn new(low: &str, high: &str, alphabet: &Alphabet) -> Option<Self> {
        let at = shared(low, high);
        let known = |position: usize| {
            [low, high].into_iter().filter_map(|key| key.chars().nth(position)).collect::<Vec<_>>()
        };
        let common = low.chars().take(at).collect();
        let digits = (at..at + DIGITS).map(|at| alphabet.expected(at, &known(at))).collect();
        let mut scale = Self { common, digits, low: 0.0, high: 0.0 };
        if scale.between(low, high) < 2 {
            scale.digits[0] = alphabet.possible(&known(at));
        }
        (scale.low, scale.high) = (scale.value(low), scale.value(high));
        (scale.high > scale.low).then_some(scale)
    }

    /// How many keys of two digits lie between two keys, up to a few.
    fn between(&self, low: &str, high: &str) -> usize {
        let [first, second, ..] = &self.digits[..] else { return 0 };
        let keys = first.iter().flat_map(|a| second.iter().map(move |b| (a, b)));
        let keys = keys.map(|(a, b)| format!("{}{a}{b}", self.common));
        keys.filter(|key| key.as_str() > low && key.as_str() < high).take(4).count()
    }

    /// A key as a fraction; keys outside of what is common are at an end.
    fn value(&self, key: &str) -> f64 {
        let Some(rest) = key.strip_prefix(&self.common) else {
            return if key < self.common.as_str() { 0.0 } else { 1.0 };
        };
        let (mut value, mut unit) = (0.0, 1.0);
        // Of positions that no key has been seen to reach, nothing is known.
        for (c, digits) in rest.chars().zip(&self.digits).take_while(|(_, d)| !d.is_empty()) {
            unit /= (digits.len() + 1) as f64;
            // Nothing is the smallest digit.
            let digit = 1 + digits.partition_point(|digit| *digit < c).min(digits.len() - 1);
            value += digit as f64 * unit;
        }
        value
    }

    /// The end of what begins like `key`.
    fn high_of(&self, key: &str) -> f64 {
        let unit: f64 = self.digits.iter().map(|digits| 1.0 / (digits.len() + 1) as f64).product();
        self.value(key) + unit
    }

    fn cuts(&self, most: usize) -> BTreeSet<String> {
        let step = (self.high - self.low) / (most + 1) as f64;
        (1..=most).map(|i| self.key(self.low + step * i as f64, step)).collect()
    }

    /// The shortest key for a fraction that is as exact as cuts so far apart need it.
    fn key(&self, mut value: f64, step: f64) -> String {
        let (mut key, mut unit) = (self.common.clone(), 1.0);
        for digits in &self.digits {
            let base = (digits.len() + 1) as f64;
            value *= base;
            unit /= base;
            let digit = (value.floor() as usize).min(digits.len());
            value -= digit as f64;
            let Some(at) = digit.checked_sub(1) else { break };
            key.push(digits[at]);
            if unit * 4.0 < step {
                break;
            }
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alphabet(keys: &[&str]) -> Alphabet {
        let mut alphabet = Alphabet::default();
        alphabet.learn(keys.iter().copied());
        alphabet
    }

    #[test]
    fn numbers_are_cut_evenly() {
        let alphabet = alphabet(&["n/0123", "n/0456", "n/0789"]);
        let gap = Gap { page: ("n/0700", "n/0789"), high: Some("n/9"), prefix: "" };
        let cuts: Vec<String> = gap.cuts(&alphabet, 3).into_iter().collect();
        assert_eq!(cuts.len(), 3);
        for (cut, around) in cuts.iter().zip(["n/3", "n/5", "n/7"]) {
            assert!(cut.starts_with(&around[..2]) && cut.len() <= 5, "{cut}");
        }
        assert!(cuts.is_sorted());
        let pages = gap.pages(&alphabet);
        assert!((50.0..200.0).contains(&pages), "{pages} pages of 90 keys for 8211");
    }

    #[test]
    fn the_end_is_looked_for_level_by_level() {
        let alphabet = alphabet(&["data/2024/0999"]);
        let gap = Gap { page: ("data/2024/0000", "data/2024/0999"), high: None, prefix: "" };
        let cuts = gap.cuts(&alphabet, 8);
        assert!(cuts.contains("~"), "{cuts:?}");
        assert!(cuts.iter().any(|cut| cut.starts_with("data/2024/")), "{cuts:?}");
    }

    #[test]
    fn where_there_is_no_room_there_is_no_cut() {
        for (low, high) in [("a", "a"), ("a", "a!"), ("zz~", "zz~~"), ("b", "c"), ("é", "𝄞")] {
            let alphabet = alphabet(&[low, high]);
            let gap = Gap { page: (low, low), high: Some(high), prefix: "" };
            for cut in gap.cuts(&alphabet, 8) {
                assert!(cut.as_str() > low && cut.as_str() < high, "{cut}");
            }
        }
    }
}
