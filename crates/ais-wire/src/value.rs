//! Forms of single values on the wire.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer};

/// The zero time, which says "not yet". Clients compare with this literal.
pub const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// A field that may be `null` for its default.
///
/// # Errors
///
/// When the value is neither `null` nor a `T`.
pub fn null_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Numbers as decimal strings, `"12"`; plain numbers are read too.
pub mod decimal {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the number as a string.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer, T: Display>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads a string, or a number.
    ///
    /// # Errors
    ///
    /// When the text is no number of this type. The empty text is zero.
    pub fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr + Default,
        T::Err: std::fmt::Display,
    {
        let value = serde_json::Value::deserialize(deserializer)?;
        let text = match value {
            serde_json::Value::Null => return Ok(T::default()),
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) => number.to_string(),
            other => return Err(D::Error::custom(format!("expecting a number, have {other}"))),
        };
        if text.is_empty() {
            return Ok(T::default());
        }
        text.parse().map_err(|e| D::Error::custom(format!("invalid number \"{text}\": {e}")))
    }
}

/// A boolean as clients write it in queries: `1 t T true True TRUE y yes on` are true, nothing and the rest false.
pub fn truthy(text: &str) -> bool {
    matches!(
        text.trim(),
        "1" | "t"
            | "T"
            | "true"
            | "True"
            | "TRUE"
            | "y"
            | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
    )
}

/// The time as RFC 3339 with nanoseconds, in UTC; [`ZERO_TIME`] for none.
pub fn rfc3339(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(
        || ZERO_TIME.to_owned(),
        |time| time.to_rfc3339_opts(SecondsFormat::Nanos, true),
    )
}

/// The time as listings print it: RFC 822 with a zone, `02 Jan 06 15:04 UTC`.
pub fn rfc822(time: DateTime<Utc>) -> String {
    time.format("%d %b %y %H:%M UTC").to_string()
}

/// Nanoseconds since 1970 as a time.
pub fn from_nanos(nanos: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(nanos)
}

/// The time in a layout of the Go language, which names the reference time `Mon Jan 2 15:04:05 MST 2006`; the
/// empty layout is [`rfc822`].
pub fn go_layout(layout: &str, time: DateTime<Utc>) -> String {
    if layout.is_empty() {
        return rfc822(time);
    }
    // Longest first, so that `2006` is not read as `2` and `006`.
    const VERBS: [(&str, &str); 30] = [
        ("January", "%B"),
        ("Monday", "%A"),
        (".000000000", "%.9f"),
        (".999999999", "%.9f"),
        (".000000", "%.6f"),
        (".999999", "%.6f"),
        (".000", "%.3f"),
        (".999", "%.3f"),
        ("Z07:00", "Z"),
        ("-07:00", "+00:00"),
        ("-0700", "+0000"),
        ("2006", "%Y"),
        ("Jan", "%b"),
        ("Mon", "%a"),
        ("MST", "UTC"),
        ("002", "%j"),
        ("_2", "%e"),
        ("01", "%m"),
        ("02", "%d"),
        ("03", "%I"),
        ("04", "%M"),
        ("05", "%S"),
        ("06", "%y"),
        ("15", "%H"),
        ("PM", "%p"),
        ("pm", "%P"),
        ("1", "%-m"),
        ("2", "%-d"),
        ("3", "%-I"),
        ("4", "%-M"),
    ];
    let mut out = String::with_capacity(layout.len() * 2);
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        if let Some((verb, format)) = VERBS.iter().find(|(verb, _)| rest.starts_with(verb)) {
            out.push_str(format);
            rest = &rest[verb.len()..];
        } else if first == '5' {
            out.push_str("%-S");
            rest = &rest[1..];
        } else {
            if first == '%' {
                out.push('%');
            }
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    time.format(&out).to_string()
}

/// A text that is not a duration or a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} \"{text}\": expecting {expecting}")]
pub struct InvalidValue {
    what: &'static str,
    text: String,
    expecting: &'static str,
}

/// Reads a duration of the Go language: `5m`, `1h30m`, `1.5s`, `300ms`.
///
/// # Errors
///
/// When the text is none, or negative.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidValue> {
    let invalid = || InvalidValue {
        what: "duration",
        text: text.to_owned(),
        expecting: "a form like 300ms, 45s or 1h30m",
    };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(invalid());
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(invalid)?;
        let number: f64 = rest[..end].parse().map_err(|_| invalid())?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(invalid()),
        };
        seconds += number * unit;
        rest = &rest[end..];
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| invalid())
}

/// Reads a size in bytes: `1024`, `10B`, `1MB` (10⁶), `1MiB` (2²⁰), `8m` and `8k` (binary, as AIStore reads them).
///
/// # Errors
///
/// When the text is none, or does not fit 64 bits.
pub fn parse_size(text: &str) -> Result<u64, InvalidValue> {
    let invalid = || InvalidValue {
        what: "size",
        text: text.to_owned(),
        expecting: "a form like 1024, 10KiB, 1MB or 8m",
    };
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(invalid()),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(invalid);
    }
    let number: f64 = number.parse().map_err(|_| invalid())?;
    let bytes = number * factor as f64;
    if bytes.is_finite() && bytes < 9e18 { Ok(bytes as u64) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("5m").unwrap(), Duration::from_secs(300));
        assert_eq!(parse_duration("1h30m").unwrap(), Duration::from_secs(5400));
        assert_eq!(parse_duration("1.5s").unwrap(), Duration::from_millis(1500));
        assert_eq!(parse_duration("0").unwrap(), Duration::ZERO);
        for bad in ["", "5", "m", "-1s", "1x", "1e9h", "..s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("12", 12),
            ("1mb", 1_000_000),
            ("1MiB", 1 << 20),
            ("3m", 3 << 20),
            ("1.5KiB", 1536),
        ] {
            assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
        }
        for bad in ["", "x", "1x", "-1", "99999999999GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn layouts_of_times() {
        let time = DateTime::parse_from_rfc3339("2026-11-21T02:24:05.25Z").unwrap().to_utc();
        assert_eq!(go_layout("", time), "21 Nov 26 02:24 UTC");
        assert_eq!(go_layout("02 Jan 06 15:04 MST", time), "21 Nov 26 02:24 UTC");
        assert_eq!(
            go_layout("2006-01-02T15:04:05.999999999Z07:00", time),
            "2026-11-21T02:24:05.250000000Z"
        );
        assert_eq!(rfc3339(None), ZERO_TIME);
    }

    #[test]
    fn booleans() {
        assert!(["1", "t", "True", "yes", "on"].iter().all(|t| truthy(t)));
        assert!(["", "0", "False", "no", "off", "2"].iter().all(|t| !truthy(t)));
    }
}
