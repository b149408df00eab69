//! Plans of faults as text.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use globset::GlobBuilder;
use holdall_ais_wire::value::parse_duration;
use serde::Deserialize;

use super::{Fault, Faults, Position, Rule, Wrong};
use crate::error::{Error, Result};

/// Longest delay: longer ones are a mistake, such as milliseconds that were meant.
const LONGEST: Duration = Duration::from_secs(3600);
/// Bytes that a wrong range is moved by, when the plan does not say.
const SHIFT: u64 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    #[serde(default)]
    seed: u64,
    #[serde(default, rename = "fault")]
    faults: Vec<Entry>,
}

/// A value or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn all(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Delay,
    Status,
    Cut,
    WrongRange,
    BitFlip,
    StaleEtag,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: Kind,
    name: Option<String>,
    method: Option<OneOrMany>,
    path: Option<String>,
    query: Option<OneOrMany>,
    probability: Option<f64>,
    after: Option<u64>,
    limit: Option<u64>,
    // Of single kinds:
    delay: Option<OneOrMany>,
    status: Option<u16>,
    retry_after: Option<u64>,
    when: Option<String>,
    bytes: Option<u64>,
    fraction: Option<f64>,
    how: Option<String>,
    shift: Option<u64>,
    byte: Option<u64>,
}

pub(super) fn read(path: &Path) -> Result<Faults> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| {
        Error::invalid(format!("the plan of faults {shown} cannot be read: {e}")).with_source(e)
    })?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => parse_json(&text, &shown),
        Some("yaml" | "yml") => Err(Error::invalid(format!(
            "the plan of faults {shown} is YAML by its name: TOML and JSON (.json) are read"
        ))),
        _ => parse_toml(&text, &shown),
    }
}

pub(super) fn parse_toml(text: &str, source: &str) -> Result<Faults> {
    let plan = toml::from_str(text).map_err(|e| broken(source, e.to_string().trim_end()))?;
    build(plan, source)
}

pub(super) fn parse_json(text: &str, source: &str) -> Result<Faults> {
    let plan = serde_json::from_str(text).map_err(|e| broken(source, &e.to_string()))?;
    build(plan, source)
}

fn broken(source: &str, reason: &str) -> Error {
    Error::invalid(format!("the plan of faults {source} is wrong: {reason}"))
}

fn build(plan: Plan, source: &str) -> Result<Faults> {
    if plan.faults.is_empty() {
        return Err(broken(source, "it has no [[fault]]"));
    }
    let mut rules: Vec<Rule> = Vec::new();
    for (index, entry) in plan.faults.into_iter().enumerate() {
        let name = entry.name.clone().unwrap_or_else(|| format!("fault-{}", index + 1));
        let place =
            |reason: String| broken(source, &format!("fault {} ({name:?}): {reason}", index + 1));
        if rules.iter().any(|rule| rule.name == name) {
            return Err(place("another one has this name".into()));
        }
        rules.push(rule(entry, name.clone()).map_err(place)?);
    }
    Ok(Faults { seed: plan.seed, rules, seen: Mutex::new(HashMap::new()) })
}

fn rule(mut entry: Entry, name: String) -> Result<Rule, String> {
    let bad = |c: char| c.is_control() || c == '"' || c == '\\';
    if name.is_empty() || name.contains(bad) {
        return Err(
            "a name is not empty, and without quotes, backslashes and control characters".into()
        );
    }
    let methods = entry.method.take().map(OneOrMany::all).unwrap_or_default();
    for method in &methods {
        const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];
        if !METHODS.contains(&method.as_str()) {
            return Err(format!("method {method:?} is none of {}", METHODS.join(", ")));
        }
    }
    let path = entry.path.take().map(|path| glob(&path)).transpose()?;
    let query = entry.query.take().map(OneOrMany::all).unwrap_or_default();
    let query = query.into_iter().map(|text| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text, None),
    });
    let probability = entry.probability.take().unwrap_or(1.0);
    if !(0.0..=1.0).contains(&probability) {
        return Err(format!("probability {probability} is not between 0 and 1"));
    }
    let (after, limit) = (entry.after.take().unwrap_or(0), entry.limit.take());
    Ok(Rule {
        name,
        fault: fault(entry)?,
        methods,
        path,
        query: query.collect(),
        probability,
        after,
        limit,
        matched: AtomicU64::new(0),
        injected: AtomicU64::new(0),
    })
}

fn glob(path: &str) -> Result<globset::GlobMatcher, String> {
    if !path.starts_with(['/', '*', '{', '?', '[']) {
        return Err(format!(
            "path {path:?} matches nothing: paths begin with a slash, as in /v1/objects/BUCKET/**"
        ));
    }
    let glob = GlobBuilder::new(path).literal_separator(true).build();
    Ok(glob.map_err(|e| format!("path: {e}"))?.compile_matcher())
}

/// What the entry says goes wrong. What it says beyond that is refused.
fn fault(mut entry: Entry) -> Result<Fault, String> {
    let (fault, kind) = match entry.kind {
        Kind::Delay => (delay(entry.delay.take())?, "delay"),
        Kind::Status => (status(&mut entry)?, "status"),
        Kind::Cut => (Fault::Cut { at: position(&mut entry)? }, "cut"),
        Kind::WrongRange => (wrong_range(&mut entry)?, "wrong-range"),
        Kind::BitFlip => (Fault::BitFlip { at: entry.byte.take() }, "bit-flip"),
        Kind::StaleEtag => (Fault::StaleEtag, "stale-etag"),
    };
    let left = [
        ("delay", entry.delay.is_some()),
        ("status", entry.status.is_some()),
        ("retry_after", entry.retry_after.is_some()),
        ("when", entry.when.is_some()),
        ("bytes", entry.bytes.is_some()),
        ("fraction", entry.fraction.is_some()),
        ("how", entry.how.is_some()),
        ("shift", entry.shift.is_some()),
        ("byte", entry.byte.is_some()),
    ];
    match left.iter().find(|(_, is_left)| *is_left) {
        Some((key, _)) => Err(format!("{key} has no meaning for kind = \"{kind}\"")),
        None => Ok(fault),
    }
}

fn delay(text: Option<OneOrMany>) -> Result<Fault, String> {
    let all =
        text.ok_or("kind = \"delay\" needs delay, such as \"50ms\" or [\"10ms\", \"2s\"]")?.all();
    let time = |text: &String| {
        let time = parse_duration(text).map_err(|e| format!("delay: {e}"))?;
        if time > LONGEST {
            Err(format!("delay {text:?} is longer than an hour"))
        } else {
            Ok(time)
        }
    };
    match all.as_slice() {
        [one] => time(one).map(|time| Fault::Delay { from: time, to: time }),
        [from, to] => {
            let (from, to) = (time(from)?, time(to)?);
            if from > to {
                Err("delay: the first time is longer than the second".into())
            } else {
                Ok(Fault::Delay { from, to })
            }
        }
        _ => Err("delay is one time, or the shortest and the longest".into()),
    }
}

fn status(entry: &mut Entry) -> Result<Fault, String> {
    let status = entry.status.take().unwrap_or(503);
    if !(400..=599).contains(&status) {
        return Err(format!("status {status} is no error: it is between 400 and 599"));
    }
    let done = match entry.when.take().as_deref() {
        None | Some("before") => false,
        Some("after") => true,
        Some(other) => return Err(format!("when {other:?} is none of \"before\" and \"after\"")),
    };
    Ok(Fault::Status { status, retry_after: entry.retry_after.take(), done })
}

fn position(entry: &mut Entry) -> Result<Position, String> {
    match (entry.bytes.take(), entry.fraction.take()) {
        (None, None) => Ok(Position::Anywhere),
        (Some(bytes), None) => Ok(Position::Bytes(bytes)),
        (None, Some(fraction)) if (0.0..1.0).contains(&fraction) => {
            Ok(Position::Fraction(fraction))
        }
        (None, Some(fraction)) => Err(format!("fraction {fraction} is not between 0 and 1")),
        (Some(_), Some(_)) => Err("bytes and fraction say the same: give one of them".into()),
    }
}

fn wrong_range(entry: &mut Entry) -> Result<Fault, String> {
    let (how, shift) = (entry.how.take(), entry.shift.take());
    let by = shift.unwrap_or(SHIFT);
    if by == 0 {
        return Err("shift 0 is no shift".into());
    }
    match how.as_deref() {
        None | Some("shifted") => Ok(Fault::WrongRange(Wrong::Shifted(by))),
        Some("lied") => Ok(Fault::WrongRange(Wrong::Lied(by))),
        Some("whole") if shift.is_none() => Ok(Fault::WrongRange(Wrong::Whole)),
        Some("whole") => Err("shift has no meaning for how = \"whole\"".into()),
        Some(other) => Err(format!("how {other:?} is none of \"shifted\", \"lied\" and \"whole\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let error = parse_toml(text, "plan.toml").expect_err("refused").to_string();
        assert!(error.starts_with("the plan of faults plan.toml is wrong: "), "{error}");
        error
    }

    #[test]
    fn all_kinds() {
        let plan = parse_toml(
            r#"
            seed = 7
            [[fault]]
            kind = "delay"
            delay = ["10ms", "1s"]
            [[fault]]
            kind = "status"
            status = 500
            retry_after = 2
            when = "after"
            [[fault]]
            kind = "cut"
            fraction = 0.5
            [[fault]]
            kind = "cut"
            bytes = 3
            [[fault]]
            kind = "wrong-range"
            how = "lied"
            shift = 4
            [[fault]]
            kind = "bit-flip"
            byte = 0
            [[fault]]
            kind = "stale-etag"
            "#,
            "plan",
        )
        .unwrap();
        let faults: Vec<_> = plan.rules.iter().map(|rule| rule.fault.clone()).collect();
        assert_eq!(
            faults,
            [
                Fault::Delay { from: Duration::from_millis(10), to: Duration::from_secs(1) },
                Fault::Status { status: 500, retry_after: Some(2), done: true },
                Fault::Cut { at: Position::Fraction(0.5) },
                Fault::Cut { at: Position::Bytes(3) },
                Fault::WrongRange(Wrong::Lied(4)),
                Fault::BitFlip { at: Some(0) },
                Fault::StaleEtag,
            ]
        );
        assert_eq!(plan.seed, 7);
        let json =
            r#"{"seed": 7, "fault": [{"kind": "cut", "name": "c", "method": "GET", "limit": 2}]}"#;
        assert_eq!(parse_json(json, "plan").unwrap().rules[0].methods, ["GET"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (text, says) in [
            ("", "no [[fault]]"),
            ("seed = -1", "line 1"),
            ("[[fault]]\nkind = \"nope\"", "line 2"),
            ("[[fault]]\nkind = \"cut\"\nbites = 3", "bites"),
            ("[[fault]]\nname = \"x\"", "kind"),
            (
                "[[fault]]\nkind = \"cut\"\nstatus = 500",
                "fault 1 (\"fault-1\"): status has no meaning for kind = \"cut\"",
            ),
            ("[[fault]]\nkind = \"cut\"\nbytes = 1\nfraction = 0.1", "give one of them"),
            ("[[fault]]\nkind = \"cut\"\nfraction = 1.5", "fraction 1.5"),
            ("[[fault]]\nkind = \"delay\"", "needs delay"),
            ("[[fault]]\nkind = \"delay\"\ndelay = \"soon\"", "delay: "),
            ("[[fault]]\nkind = \"delay\"\ndelay = \"2h\"", "longer than an hour"),
            ("[[fault]]\nkind = \"delay\"\ndelay = [\"2s\", \"1s\"]", "the first time"),
            ("[[fault]]\nkind = \"status\"\nstatus = 200", "status 200"),
            ("[[fault]]\nkind = \"status\"\nwhen = \"never\"", "when \"never\""),
            ("[[fault]]\nkind = \"wrong-range\"\nhow = \"odd\"", "how \"odd\""),
            ("[[fault]]\nkind = \"wrong-range\"\nshift = 0", "shift 0"),
            ("[[fault]]\nkind = \"cut\"\nprobability = 2", "probability 2"),
            ("[[fault]]\nkind = \"cut\"\nmethod = \"get\"", "method \"get\""),
            ("[[fault]]\nkind = \"cut\"\npath = \"v1/objects\"", "begin with a slash"),
            ("[[fault]]\nkind = \"cut\"\npath = \"/[\"", "path: "),
            (
                "[[fault]]\nkind = \"cut\"\nname = \"a\"\n[[fault]]\nkind = \"cut\"\nname = \"a\"",
                "another one",
            ),
        ] {
            let error = refused(text);
            assert!(error.contains(says), "{text}\n{error}");
        }
        assert!(
            read(Path::new("/no/such.toml"))
                .expect_err("refused")
                .to_string()
                .contains("/no/such.toml")
        );
    }
}
