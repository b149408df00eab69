//! PAX extension records: `"<length> <key>=<value>\n"`, where the length counts the whole record.

/// The attributes that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// Whole seconds since the Unix epoch; earlier times are 0.
    pub(super) modified: Option<u64>,
    /// The content is in one of GNU's sparse formats.
    pub(super) sparse: bool,
}

/// `None` when the records are not well formed.
pub(super) fn parse(mut records: &[u8]) -> Option<Attributes> {
    let mut attributes = Attributes::default();
    while !records.is_empty() {
        let space = records.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
        let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => attributes.path = Some(value.to_vec()),
            b"size" => attributes.size = Some(text(value)?.parse().ok()?),
            b"mtime" => attributes.modified = Some(seconds(text(value)?)?),
            _ if key.starts_with(b"GNU.sparse.") => attributes.sparse = true,
            _ => {}
        }
        records = &records[length..];
    }
    Some(attributes)
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// `1700000000.123456789`, possibly negative.
fn seconds(value: &str) -> Option<u64> {
    let whole = value.split('.').next()?;
    Some(u64::try_from(whole.parse::<i64>().ok()?).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_records() {
        let record = b"14 path=a b=c\n18 mtime=17000.55\n11 size=77\n20 GNU.sparse.map=1\n";
        let attributes = parse(record).unwrap();
        assert_eq!(attributes.path.as_deref(), Some(&b"a b=c"[..]));
        assert_eq!((attributes.modified, attributes.size), (Some(17000), Some(77)));
        assert!(attributes.sparse);
        assert_eq!(parse(b"").unwrap(), Attributes::default());
        assert_eq!(parse(b"12 mtime=-5\n").unwrap().modified, Some(0));
    }

    #[test]
    fn damaged_records() {
        for record in [
            &b"x"[..],
            b"5 a=b",
            b"0 a=b\n",
            b"1 a=b\n",
            b"99 a=b\n",
            b"13 path=a b=c\n",
            b"6 abc\n",
            b"9 size=x\n",
        ] {
            assert_eq!(parse(record), None, "{record:?}");
        }
    }
}
