//! A span of the key space: what has come of it, and what is still to come.

use std::collections::{BTreeSet, VecDeque};

use object_store::Error;
use object_store::list::PaginatedListResult;

use super::alphabet::Alphabet;
use super::cut::Gap;
use super::odd::{self, Entry};
use super::rising::Raw;

/// Cuts without a hit after which a span is read on before it is cut again.
const MOST_MISSES: u32 = 12;

/// Pages that a span should have at least.
const PAGES_PER_SPAN: f64 = 2.0;

/// Where the next page of a span begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// After a key; `None` at the beginning of the prefix.
    Key(Option<String>),
    /// Where the service said.
    Token(String),
}

/// What a span is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// A page can be asked for.
    Waiting(Start),
    /// A page was asked for.
    Asked(Start),
    /// All its keys have come.
    Done {
        /// The service said that nothing follows, rather than showing a key beyond the span.
        said_so: bool,
    },
}

/// The keys after `after` and up to `until`.
#[derive(Debug)]
pub(super) struct Span {
    /// Names the span while others come and go.
    pub(super) id: u64,
    /// Exclusive; `None` at the beginning of the prefix.
    pub(super) after: Option<String>,
    /// Inclusive; `None` at the end of the prefix.
    pub(super) until: Option<String>,
    pub(super) state: State,
    /// What waits for the consumer.
    pub(super) pages: VecDeque<Vec<Entry>>,
    /// The first key of the last page.
    first: Option<String>,
    last: Option<String>,
    /// Cuts that were asked for and have not come.
    pub(super) cutting: usize,
    misses: u32,
    /// Pages that came since it was cut.
    fresh: usize,
}

/// A page as it came, checked.
#[derive(Debug)]
pub(super) struct Checked {
    entries: Vec<Entry>,
    first: Option<String>,
    last: Option<String>,
    state: State,
}

impl Checked {
    /// Checks that the keys of a page rise, beginning after `after`, and leaves out those beyond `until`.
    pub(super) fn new(
        mut page: PaginatedListResult,
        prefix: &str,
        asked: &Start,
        after: Option<&str>,
        until: Option<&str>,
    ) -> Result<Self, Error> {
        let mut entries = odd::entries(&mut page);
        let state = next(page.page_token, asked)?;
        let mut before = after.map(Raw::text);
        let (mut first, mut last, mut keep) = (None, None, 0);
        for (at, entry) in entries.iter().enumerate() {
            let key = odd::key(entry);
            let raw = match entry {
                Ok(meta) => {
                    // The same path once more is its directory marker, or the same object once more.
                    let again = at > 0 && meta.size > 0 && *entry == entries[at - 1];
                    Raw::after(key, prefix, before).filter(|_| !again)
                }
                // It has the slashes that it has.
                Err(_) => Raw::text(key).following(prefix, before),
            };
            let Some(raw) = raw else { return Err(out_of_order(key, prefix, before)) };
            before = Some(raw);
            // What lies beyond belongs to the next span, but has to be in order too.
            if until.is_none_or(|until| !raw.is_beyond(until)) {
                (last, keep) = (before, at + 1);
                first.get_or_insert(raw);
            }
        }
        let (first, last) = (first.map(|raw| raw.to_string()), last.map(|raw| raw.to_string()));
        let passed = keep < entries.len();
        entries.truncate(keep);
        let state = if passed { State::Done { said_so: false } } else { state };
        Ok(Self { entries, first, last, state })
    }

    /// Takes a page of a service that lists in no order.
    pub(super) fn unordered(
        mut page: PaginatedListResult,
        prefix: &str,
        asked: &Start,
    ) -> Result<Self, Error> {
        let entries = odd::entries(&mut page);
        let state = next(page.page_token, asked)?;
        for key in entries.iter().map(odd::key) {
            if Raw::after(key, prefix, None).is_none() {
                return Err(out_of_order(key, prefix, None));
            }
        }
        let last = entries.last().map(|entry| odd::key(entry).to_owned());
        Ok(Self { entries, first: last.clone(), last, state })
    }

    /// Whether the first page of a listing is in order.
    pub(super) fn is_ordered(page: &PaginatedListResult) -> bool {
        let mut before = None;
        page.result.objects.iter().all(|meta| {
            before = Raw::after(meta.location.as_ref(), "", before);
            before.is_some()
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_end(&self) -> bool {
        matches!(self.state, State::Done { .. })
    }

    /// Whether the service said that nothing follows.
    pub(super) fn said_so(&self) -> bool {
        self.state == State::Done { said_so: true }
    }

    /// The paths of its objects; nothing of odd keys, at whose characters nobody is to be asked to begin.
    pub(super) fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.iter().map(|entry| entry.as_ref().map_or("", |meta| meta.location.as_ref()))
    }
}

impl Span {
    pub(super) fn new(id: u64, after: Option<String>, until: Option<String>) -> Self {
        let state = State::Waiting(Start::Key(after.clone()));
        let pages = VecDeque::new();
        Self {
            id,
            after,
            until,
            state,
            pages,
            first: None,
            last: None,
            cutting: 0,
            misses: 0,
            fresh: 0,
        }
    }

    /// The key that everything still to come follows.
    pub(super) fn reached(&self) -> Option<&str> {
        self.last.as_deref().or(self.after.as_deref())
    }

    pub(super) fn is_asked(&self) -> bool {
        matches!(self.state, State::Asked(_))
    }

    /// Keys that wait for the consumer.
    pub(super) fn waiting(&self) -> usize {
        self.pages.iter().map(Vec::len).sum()
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done { .. })
    }

    /// Whether any key of it has been seen.
    pub(super) fn has_keys(&self) -> bool {
        self.last.is_some()
    }

    /// Takes the beginning of the next page, when one can be asked for.
    pub(super) fn ask(&mut self) -> Option<Start> {
        let State::Waiting(from) = &self.state else { return None };
        let from = from.clone();
        self.state = State::Asked(from.clone());
        Some(from)
    }

    /// Adds the page that was asked for.
    pub(super) fn add(&mut self, page: Checked) {
        self.state = page.state;
        if page.last.is_some() {
            self.misses = 0;
            self.fresh += 1;
            self.last = page.last;
            self.first = page.first;
            self.pages.push_back(page.entries);
        }
    }

    /// Asks again after the last key, because the service said that nothing follows and something does.
    pub(super) fn ask_again(&mut self) {
        self.state = State::Waiting(Start::Key(self.reached().map(str::to_owned)));
    }

    /// Keys to cut at, up to `most` of them.
    pub(super) fn cuts(
        &mut self,
        prefix: &str,
        alphabet: &Alphabet,
        most: usize,
    ) -> BTreeSet<String> {
        let (Some(first), Some(last)) = (&self.first, &self.last) else { return BTreeSet::new() };
        if self.is_done() || self.cutting > 0 || self.misses >= MOST_MISSES {
            return BTreeSet::new();
        }
        let gap = Gap { page: (first, last), high: self.until.as_deref(), prefix };
        let pages = gap.pages(alphabet);
        let most = match self.fresh {
            // The end of the span cuts a page short: with fewer pages, more would be cut than is left.
            _ if pages >= 2.0 * PAGES_PER_SPAN => most.min((pages / PAGES_PER_SPAN) as usize),
            fresh if fresh as f64 >= 2.0 * PAGES_PER_SPAN => 1,
            _ => return BTreeSet::new(),
        };
        let cuts = gap.cuts(alphabet, most);
        if cuts.is_empty() {
            // There will be none before something more is known.
            self.misses = MOST_MISSES;
        }
        cuts
    }

    /// Adds what the next span was, when nothing is left of both.
    pub(super) fn join(&mut self, next: Self) {
        (self.until, self.state, self.last) =
            (next.until, next.state, next.last.or(self.last.take()));
    }

    /// Whether a page that begins after `key` begins in this span, behind what has come.
    pub(super) fn is_ahead(&self, key: &str) -> bool {
        !self.is_done()
            && self.reached().is_none_or(|reached| key > reached)
            && self.until.as_deref().is_none_or(|until| key < until)
    }

    /// Nothing lies between `key` and the end of the span.
    pub(super) fn end_at(&mut self, key: &str) {
        self.misses += 1;
        self.until = Some(key.to_owned());
    }

    /// Cuts the span at `key`: what `page` began is the right part, which is returned.
    pub(super) fn split(&mut self, id: u64, key: &str, page: Checked) -> Self {
        let mut right = Self::new(id, Some(key.to_owned()), self.until.replace(key.to_owned()));
        right.add(page);
        self.misses = 0;
        self.fresh = 0;
        right
    }
}

fn next(token: Option<String>, asked: &Start) -> Result<State, Error> {
    match token {
        None => Ok(State::Done { said_so: true }),
        Some(token) if *asked == Start::Token(token.clone()) => {
            Err(corrupt("a page names itself as the next page".to_owned()))
        }
        Some(token) => Ok(State::Waiting(Start::Token(token))),
    }
}

fn out_of_order(key: &str, prefix: &str, before: Option<Raw<'_>>) -> Error {
    match before {
        _ if !key.starts_with(prefix.trim_end_matches('/')) => {
            corrupt(format!("the key '{key}' does not begin with the prefix '{prefix}'"))
        }
        Some(before) => corrupt(format!(
            "the key '{key}' came after '{before}': keys are repeated or out of order"
        )),
        None => corrupt(format!("the key '{key}' does not begin with the prefix '{prefix}'")),
    }
}

/// A listing that contradicts itself.
pub(super) fn corrupt(detail: String) -> Error {
    let text = format!("{detail} (a listing with one worker takes pages as they come)");
    let error = crate::Error::new(crate::ErrorKind::Corrupt, "list", "", text);
    Error::Generic { store: "holdall", source: Box::new(error) }
}
