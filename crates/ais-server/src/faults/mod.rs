//! Faults on purpose, so that users can test what their programs do about them.
//!
//! A [`Faults`] is a seed and a list of rules: which requests, how likely, what goes wrong. `file` reads
//! it; `http::faults` lets it happen.
//!
//! What happens is decided by the seed, the rule, the request (method, path, range, part) and how often this request came
//! before, by nothing else: two runs with the same requests have the same faults, whatever their order and
//! however many connections they use.

mod file;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use globset::GlobMatcher;
use xxhash_rust::xxh64::xxh64;

use crate::error::Result;

/// Different requests whose number is remembered; then counting starts anew.
const REMEMBERED: usize = 1 << 20;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// The answer takes longer, by a time between these two.
    Delay { from: Duration, to: Duration },
    /// The answer is this status, before or after the request did what it asks for.
    Status { status: u16, retry_after: Option<u64>, done: bool },
    /// The body ends early and the connection with it: after so many bytes, or this part of it.
    Cut { at: Position },
    /// The reply to a read of a range is another one's.
    WrongRange(Wrong),
    /// One bit of the body is another: in this byte, or anywhere.
    BitFlip { at: Option<u64> },
    /// Entity tag and version are those of an older version.
    StaleEtag,
}

/// A place in a body.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Position {
    /// After so many bytes.
    Bytes(u64),
    /// After this part of the length, from 0 to 1.
    Fraction(f64),
    /// Anywhere.
    Anywhere,
}

/// How the reply to a range is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wrong {
    /// Another range, moved by so many bytes, and the reply says so.
    Shifted(u64),
    /// Another range, moved by so many bytes, while the reply says that it is the one asked for.
    Lied(u64),
    /// The whole object with status 200.
    Whole,
}

impl Fault {
    /// Its name in files and metrics.
    fn kind(&self) -> &'static str {
        match self {
            Self::Delay { .. } => "delay",
            Self::Status { .. } => "status",
            Self::Cut { .. } => "cut",
            Self::WrongRange(_) => "wrong-range",
            Self::BitFlip { .. } => "bit-flip",
            Self::StaleEtag => "stale-etag",
        }
    }
}

/// When what goes wrong.
#[derive(Debug)]
struct Rule {
    name: String,
    fault: Fault,
    /// Methods; none for all.
    methods: Vec<String>,
    /// Paths; none for all but that of the metrics.
    path: Option<GlobMatcher>,
    /// Parameters that must be there, with this value if there is one.
    query: Vec<(String, Option<String>)>,
    probability: f64,
    /// The first so many requests go well.
    after: u64,
    /// No more than so many faults.
    limit: Option<u64>,
    matched: AtomicU64,
    injected: AtomicU64,
}

/// What rules look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) method: &'a str,
    /// Decoded.
    pub(crate) path: &'a str,
    /// Decoded, names and values.
    pub(crate) query: &'a [(String, String)],
    /// The header.
    pub(crate) range: &'a str,
}

/// A fault that is to happen, with the chance that decides its details.
#[derive(Debug)]
pub(crate) struct Hit {
    faults: Arc<Faults>,
    rule: usize,
    chance: u64,
}

/// How often a rule was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The rule's name.
    pub name: String,
    /// `delay`, `status`, `cut`, `wrong-range`, `bit-flip` or `stale-etag`.
    pub kind: &'static str,
    /// Requests that the rule is about.
    pub matched: u64,
    /// Faults that happened.
    pub injected: u64,
}

/// A plan of faults.
#[derive(Debug)]
pub struct Faults {
    seed: u64,
    rules: Vec<Rule>,
    /// How often a request came, by its hash.
    seen: Mutex<HashMap<u64, u64>>,
}

impl Faults {
    /// The plan in a file: TOML, or JSON where the name ends in `.json`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or says something that cannot be meant, which is told with its place.
    pub fn read(path: &Path) -> Result<Arc<Self>> {
        file::read(path).map(Arc::new)
    }

    /// The plan in a text of JSON; `source` names it in errors.
    ///
    /// # Errors
    ///
    /// When it says something that cannot be meant.
    pub fn parse_json(text: &str, source: &str) -> Result<Arc<Self>> {
        file::parse_json(text, source).map(Arc::new)
    }

    /// The plan in a text of TOML; `source` names it in errors.
    ///
    /// # Errors
    ///
    /// When it says something that cannot be meant, which is told with its place.
    pub fn parse_toml(text: &str, source: &str) -> Result<Arc<Self>> {
        file::parse_toml(text, source).map(Arc::new)
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How often each rule was met, in the order of the file.
    pub fn counts(&self) -> Vec<Count> {
        let count = |rule: &Rule| Count {
            name: rule.name.clone(),
            kind: rule.fault.kind(),
            matched: rule.matched.load(Ordering::Relaxed),
            injected: rule.injected.load(Ordering::Relaxed),
        };
        self.rules.iter().map(count).collect()
    }

    /// What is to happen to this request.
    pub(crate) fn hits(self: &Arc<Self>, seen: &Seen<'_>) -> Vec<Hit> {
        let about: Vec<usize> =
            (0..self.rules.len()).filter(|index| self.rules[*index].is_about(seen)).collect();
        if about.is_empty() {
            return Vec::new();
        }
        let key = seen.key();
        let before = self.count(key);
        let hit = |index: usize| {
            let rule = &self.rules[index];
            let number = rule.matched.fetch_add(1, Ordering::Relaxed);
            let numbers = [self.seed, index as u64, key, before];
            let chance = mixed(&numbers);
            let hits = number >= rule.after && part(chance) < rule.probability;
            hits.then(|| Hit { faults: Arc::clone(self), rule: index, chance })
        };
        about.into_iter().filter_map(hit).collect()
    }

    /// How often the request came before.
    fn count(&self, key: u64) -> u64 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        let number = seen.entry(key).or_default();
        *number += 1;
        *number - 1
    }
}

impl Seen<'_> {
    fn param(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// What makes requests the same, whatever ids the server gave out.
    fn key(&self) -> u64 {
        let parts = [self.method, self.path, self.range, self.param("partNumber")];
        xxh64(parts.join("\0").as_bytes(), 0)
    }
}

impl Rule {
    fn is_about(&self, seen: &Seen<'_>) -> bool {
        let method =
            self.methods.is_empty() || self.methods.iter().any(|method| method == seen.method);
        let path = match &self.path {
            Some(glob) => glob.is_match(seen.path),
            // So that what happened can always be asked for.
            None => seen.path != "/metrics",
        };
        let has = |(name, wanted): &(String, Option<String>)| {
            let same = |(key, value): &(String, String)| {
                key == name && wanted.as_ref().is_none_or(|wanted| wanted == value)
            };
            seen.query.iter().any(same)
        };
        method && path && self.query.iter().all(has)
    }
}

impl Hit {
    fn rule(&self) -> &Rule {
        &self.faults.rules[self.rule]
    }

    /// What goes wrong.
    pub(crate) fn fault(&self) -> &Fault {
        &self.rule().fault
    }

    /// The rule's name.
    pub(crate) fn name(&self) -> &str {
        &self.rule().name
    }

    /// Counts the fault, just before it happens; false when the rule has had all its faults.
    pub(crate) fn take(&self) -> bool {
        let (injected, limit) = (&self.rule().injected, self.rule().limit);
        let one_more = |count| limit.is_none_or(|limit| count < limit).then_some(count + 1);
        injected.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// A number below `end`, the same in every run.
    pub(crate) fn below(&self, end: u64) -> u64 {
        mixed(&[self.chance]).checked_rem(end).unwrap_or(0)
    }

    /// A time between the two, the same in every run.
    pub(crate) fn between(&self, from: Duration, to: Duration) -> Duration {
        from + to.saturating_sub(from).mul_f64(part(mixed(&[self.chance])))
    }
}

/// The numbers as one, in which each bit depends on all of them.
fn mixed(numbers: &[u64]) -> u64 {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    xxh64(&bytes, 0)
}

/// The number as a part of one.
fn part(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Arc<Faults> {
        Faults::parse_toml(text, "plan").unwrap()
    }

    fn get(path: &str) -> Seen<'_> {
        Seen { method: "GET", path, query: &[], range: "" }
    }

    fn pattern(plan: &Arc<Faults>, paths: &[&str]) -> Vec<(String, bool)> {
        paths.iter().map(|path| ((*path).to_owned(), !plan.hits(&get(path)).is_empty())).collect()
    }

    #[test]
    fn faults_depend_on_the_seed_and_the_request_only() {
        let half = |seed: u64| {
            plan(&format!("seed = {seed}\n[[fault]]\nkind = \"stale-etag\"\nprobability = 0.5"))
        };
        let names: Vec<String> = (0..200).map(|n| format!("/v1/objects/b/{}", n % 50)).collect();
        let paths: Vec<&str> = names.iter().map(String::as_str).collect();
        let first = pattern(&half(1), &paths);
        assert_eq!(first, pattern(&half(1), &paths));
        assert_ne!(first, pattern(&half(2), &paths));
        let hits = first.iter().filter(|(_, hit)| *hit).count();
        assert!((60..140).contains(&hits), "{hits}");
        // Another order of different requests changes nothing.
        let backwards: Vec<&str> = paths[..50].iter().rev().copied().collect();
        let mut again = pattern(&half(1), &backwards);
        again.reverse();
        assert_eq!(again, first[..50]);
    }

    #[test]
    fn rules_are_about_what_they_say() {
        let plan = plan(
            r#"
            [[fault]]
            kind = "delay"
            delay = "1ms"
            method = ["GET", "PUT"]
            path = "/v1/objects/train/*.tar"
            query = ["archpath", "x=1"]
            after = 1
            limit = 1
            "#,
        );
        let query = [("archpath".to_owned(), "m".to_owned()), ("x".to_owned(), "1".to_owned())];
        let right = Seen { query: &query, ..get("/v1/objects/train/a.tar") };
        assert!(plan.hits(&right).is_empty(), "after the first");
        let hits = plan.hits(&right);
        assert!(hits.len() == 1 && hits[0].take() && !hits[0].take(), "once");
        for other in [
            Seen { method: "HEAD", ..right },
            Seen { path: "/v1/objects/train/a.zip", ..right },
            Seen { path: "/v1/objects/train/d/a.tar", ..right },
            Seen { query: &query[..1], ..right },
        ] {
            assert!(plan.hits(&other).is_empty(), "{other:?}");
        }
        let count = &plan.counts()[0];
        assert_eq!(
            (count.name.as_str(), count.kind, count.matched, count.injected),
            ("fault-1", "delay", 2, 1)
        );
    }

    #[test]
    fn metrics_are_left_alone_unless_they_are_named() {
        let all = plan("[[fault]]\nkind = \"stale-etag\"");
        assert!(all.hits(&get("/metrics")).is_empty() && !all.hits(&get("/v1/health")).is_empty());
        let named = plan("[[fault]]\nkind = \"stale-etag\"\npath = \"/metrics\"");
        assert!(!named.hits(&get("/metrics")).is_empty());
    }
}
