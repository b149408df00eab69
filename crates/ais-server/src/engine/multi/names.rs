//! Which objects a job is about.

use std::{ops::Bound, sync::Arc};

use holdall_ais_wire::{
    multi::Selection,
    name::check_prefix,
    template::{Ranges, Template},
};

use crate::{
    engine::{Bucket, Engine, Work as _, remote::RemoteQuery},
    error::{Error, Result},
    storage::ObjectMeta,
};

/// How many names are looked at at once.
const PAGE: usize = 256;

/// The names that a selection stands for, a page at a time.
pub struct Names {
    source: Source,
    /// Only what was written before, in nanoseconds since 1970: for jobs that write to the bucket they read.
    before: Option<i64>,
    /// Only what is here, also of buckets whose objects are elsewhere.
    here: bool,
}

enum Source {
    List(std::vec::IntoIter<String>),
    Ranges {
        ranges: Ranges,
        next: u64,
    },
    Scan {
        prefix: String,
        after: Option<String>,
        ended: bool,
        recursive: bool,
    },
    /// What a backend has; the token of the next page, or none at the end.
    There {
        query: RemoteQuery,
        ended: bool,
    },
}

impl Names {
    /// The names of a selection; `recursive` when names that go on with a `/` after the prefix are meant, too.
    ///
    /// # Errors
    ///
    /// When the template is none, or has no last name.
    pub fn new(selection: &Selection, recursive: bool) -> Result<Self> {
        let source = if selection.is_list() {
            Source::List(selection.objnames.clone().into_iter())
        } else {
            let template = Template::parse(&selection.template).map_err(|error| {
                Error::invalid(error.to_string()).with_code("errTemplateInvalid")
            })?;
            match template {
                Template::Prefix(prefix) => return Self::prefix(&prefix, recursive),
                Template::Ranges(ranges) if ranges.is_open() => {
                    let text =
                        format!("invalid template {:?}: it has no last name", selection.template);
                    return Err(Error::invalid(text).with_code("errTemplateInvalid"));
                }
                Template::Ranges(ranges) => Source::Ranges { ranges, next: 0 },
            }
        };
        Ok(Self { source, before: None, here: false })
    }

    /// The objects whose names begin with this.
    ///
    /// # Errors
    ///
    /// When it leads out of the bucket.
    pub fn prefix(prefix: &str, recursive: bool) -> Result<Self> {
        let prefix = prefix.trim_end_matches('*').to_owned();
        check_prefix(&prefix)?;
        let source = Source::Scan { prefix, after: None, ended: false, recursive };
        Ok(Self { source, before: None, here: false })
    }

    /// The same, but of what is here only.
    #[must_use]
    pub fn here(mut self) -> Self {
        self.here = true;
        self
    }

    /// The next names, and what remains; no names at the end. Names by prefix are those that the bucket's backend has, if it
    /// has one.
    ///
    /// # Errors
    ///
    /// Those of the store and of the backend.
    pub async fn page(
        mut self,
        engine: &Arc<Engine>,
        bucket: &Bucket,
    ) -> Result<(Vec<String>, Self)> {
        if bucket.is_remote()
            && !self.here
            && let Source::Scan { prefix, after: None, ended: false, recursive } = &self.source
        {
            let (prefix, flat) = (prefix.clone(), !*recursive);
            let query = RemoteQuery { prefix, flat, limit: PAGE, ..RemoteQuery::default() };
            self.source = Source::There { query, ended: false };
        }
        while let Source::There { query, ended } = &mut self.source {
            if *ended {
                return Ok((Vec::new(), self));
            }
            let page = engine.list_there(bucket, query).await?;
            *ended = page.token.is_empty();
            query.token = page.token;
            let before = self.before;
            let wanted = |there: &ObjectMeta| before.is_none_or(|before| there.mtime < before);
            let names: Vec<String> = page
                .entries
                .into_iter()
                .filter(|entry| entry.there.as_ref().is_some_and(wanted))
                .map(|entry| entry.name)
                .collect();
            if !names.is_empty() {
                return Ok((names, self));
            }
        }
        let bucket = bucket.clone();
        engine
            .blocking(move |engine| {
                let names = self.next_page(engine, &bucket)?;
                Ok((names, self))
            })
            .await
    }

    /// The same without objects written since: nanoseconds since 1970.
    #[must_use]
    pub fn before(mut self, time: i64) -> Self {
        self.before = Some(time);
        self
    }

    /// Whether names were given one by one, so that one that is not there is an error.
    pub fn is_list(&self) -> bool {
        matches!(self.source, Source::List(_))
    }

    /// The next names of what is here; none at the end. Those of lists and ranges need not be there. Blocks.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn next_page(&mut self, engine: &Engine, bucket: &Bucket) -> Result<Vec<String>> {
        match &mut self.source {
            Source::There { .. } => Ok(Vec::new()),
            Source::List(names) => Ok(names.take(PAGE).collect()),
            Source::Ranges { ranges, next } => {
                let count = ranges.count();
                let end = count.min(*next + PAGE as u64);
                let page = (*next..end).map(|index| name_at(ranges, index)).collect();
                *next = end;
                Ok(page)
            }
            Source::Scan { prefix, after, ended, recursive } => loop {
                if *ended {
                    return Ok(Vec::new());
                }
                let page = engine.storage().meta().scan(
                    bucket.bid(),
                    after.as_deref().map_or(Bound::Unbounded, Bound::Excluded),
                    prefix,
                    PAGE,
                )?;
                *ended = page.len() < PAGE;
                if let Some((last, _)) = page.last() {
                    *after = Some(last.clone());
                }
                let start = prefix.len();
                let wanted = |name: &str, mtime: i64| {
                    (*recursive || !name[start..].contains('/'))
                        && self.before.is_none_or(|before| mtime < before)
                };
                let names: Vec<String> = page
                    .into_iter()
                    .filter(|(name, meta)| wanted(name, meta.mtime))
                    .map(|(name, _)| name)
                    .collect();
                if !names.is_empty() {
                    return Ok(names);
                }
            },
        }
    }
}

/// The name at a position; the last range varies fastest.
fn name_at(ranges: &Ranges, index: u64) -> String {
    let mut left = i128::from(index);
    let mut numbers = Vec::with_capacity(ranges.ranges.len());
    for range in ranges.ranges.iter().rev() {
        let (start, step) = (i128::from(range.start), i128::from(range.step));
        let count = (i128::from(range.end) - start) / step + 1;
        numbers.push(start + left % count * step);
        left /= count;
    }
    let mut name = ranges.prefix.clone();
    for (range, number) in ranges.ranges.iter().zip(numbers.into_iter().rev()) {
        let width = range.width;
        name.push_str(&format!("{number:0width$}{}", range.gap));
    }
    name
}

/// A selection for people, as AIStore prints it in jobs.
pub(in crate::engine) fn describe(selection: &Selection) -> String {
    const SHOWN: usize = 4;
    if !selection.is_list() {
        return match Template::parse(&selection.template) {
            Ok(Template::Prefix(prefix)) if prefix.is_empty() => String::new(),
            Ok(Template::Prefix(prefix)) => format!("prefix:{prefix}"),
            _ => format!("template:{}", selection.template),
        };
    }
    let names = &selection.objnames;
    let more = if names.len() > SHOWN {
        format!(" and {} more", names.len() - SHOWN)
    } else {
        String::new()
    };
    format!("list:[{}{more}]", names[..names.len().min(SHOWN)].join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_position_are_the_names_in_order() {
        for text in ["a-{0..9}", "p{008..120..7}s", "{1..3}-{0..4..2}-{00..11}.tar", "@0012"] {
            let Ok(Template::Ranges(ranges)) = Template::parse(text) else { panic!("{text}") };
            let all: Vec<String> =
                (0..ranges.count()).map(|index| name_at(&ranges, index)).collect();
            assert_eq!(all, ranges.names().collect::<Vec<_>>(), "{text}");
        }
    }
}
