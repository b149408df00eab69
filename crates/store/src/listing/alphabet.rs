//! Which characters keys have, and where.

use std::collections::BTreeSet;

/// Positions told apart; what is deeper counts as anywhere.
const POSITIONS: usize = 256;

/// Keys looked at in one page: enough to see the digits of a counter.
const SAMPLE: usize = 100;

/// The characters seen in keys.
#[derive(Debug, Default)]
pub(super) struct Alphabet {
    anywhere: BTreeSet<char>,
    at: Vec<BTreeSet<char>>,
}

impl Alphabet {
    /// Looks at some keys of a page.
    pub(super) fn learn<'a>(&mut self, keys: impl ExactSizeIterator<Item = &'a str>) {
        let step = keys.len().div_ceil(SAMPLE).max(1);
        // An odd step meets all last digits of consecutive numbers.
        for key in keys.step_by(step | 1) {
            for (at, character) in key.chars().enumerate() {
                if at < POSITIONS {
                    if self.at.len() <= at {
                        self.at.resize_with(at + 1, BTreeSet::new);
                    }
                    self.at[at].insert(character);
                }
                self.anywhere.insert(character);
            }
        }
    }

    /// A character that few keys have anything beyond.
    pub(super) fn top(&self) -> char {
        self.anywhere.last().copied().unwrap_or('~').max('~')
    }

    /// The characters to expect at a position where keys have `known` ones: those seen there, and those of the same kind
    /// seen elsewhere, because digits that did not come yet will.
    pub(super) fn expected(&self, at: usize, known: &[char]) -> Vec<char> {
        let mut found: BTreeSet<char> = known.iter().copied().collect();
        found.extend(self.at.get(at).into_iter().flatten());
        let kinds: Vec<Kind> = found.iter().map(|c| kind(*c)).collect();
        found.extend(self.anywhere.iter().filter(|c| kinds.contains(&kind(**c))));
        found.into_iter().collect()
    }

    /// All characters seen anywhere and all printable ones of ASCII. (A start key with control characters could not be
    /// echoed in XML.)
    pub(super) fn possible(&self, known: &[char]) -> Vec<char> {
        let seen = self.anywhere.iter().chain(known).copied();
        let all: BTreeSet<char> = seen.chain('!'..='~').collect();
        all.into_iter().collect()
    }
}

#[derive(PartialEq, Eq)]
enum Kind {
    Digit,
    Lower,
    Upper,
    Other(char),
    /// Beyond ASCII, alphabets are runs of neighbouring code points.
    Run(u32),
}

fn kind(c: char) -> Kind {
    match c {
        '0'..='9' => Kind::Digit,
        'a'..='z' => Kind::Lower,
        'A'..='Z' => Kind::Upper,
        c if c.is_ascii() => Kind::Other(c),
        c => Kind::Run(u32::from(c) >> 8),
    }
}
