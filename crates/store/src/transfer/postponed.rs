//! Objects that are to be deleted when everything else has been done: few in memory, many in a file without a name.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;

use super::place::blocking;
use crate::error::{Error, ErrorKind, Result};

/// Objects in memory; those beyond go to the file, as many at a time.
const KEYS: usize = 16 * 1024;

/// A key, and the length of its object in bytes.
type Entry = (Path, u64);

/// Objects in the order they came in.
#[derive(Debug, Default)]
pub(super) struct Postponed {
    latest: Vec<Entry>,
    file: Option<File>,
}

impl Postponed {
    pub(super) async fn push(&mut self, path: Path, size: u64) -> Result<()> {
        self.latest.push((path, size));
        if self.latest.len() < KEYS {
            return Ok(());
        }
        let (keys, file) = (std::mem::take(&mut self.latest), self.file.take());
        let file = blocking(move || spill(file, &keys)).await?;
        self.file = Some(file.map_err(|e| failed("note", &e))?);
        Ok(())
    }

    /// All objects; none are left.
    pub(super) fn take(&mut self) -> BoxStream<'static, Result<Entry>> {
        let latest = stream::iter(std::mem::take(&mut self.latest)).map(Ok);
        let Some(file) = self.file.take() else { return latest.boxed() };
        let start = async move {
            let rewound = blocking(move || {
                let mut file = file;
                file.rewind().map(|()| BufReader::new(file))
            });
            rewound.await?.map_err(|e| failed("read", &e))
        };
        let spilled = stream::once(start).map_ok(|file| {
            stream::try_unfold(file, |file| async move {
                let read = blocking(move || read(file)).await?;
                let (keys, file) = read.map_err(|e| failed("read", &e))?;
                Ok::<_, Error>((!keys.is_empty()).then_some((stream::iter(keys).map(Ok), file)))
            })
            .try_flatten()
        });
        spilled.try_flatten().chain(latest).boxed()
    }
}

/// Adds objects to a file: the length of the object, the length of its key, the key.
fn spill(file: Option<File>, entries: &[Entry]) -> io::Result<File> {
    let mut file = match file {
        Some(file) => file,
        None => tempfile::tempfile()?,
    };
    let mut bytes = Vec::new();
    for (key, size) in entries {
        let key = key.as_ref().as_bytes();
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(&(key.len() as u64).to_le_bytes());
        bytes.extend_from_slice(key);
    }
    file.write_all(&bytes)?;
    Ok(file)
}

/// The next objects; none at the end.
fn read(mut file: BufReader<File>) -> io::Result<(Vec<Entry>, BufReader<File>)> {
    let mut keys = Vec::new();
    while keys.len() < KEYS {
        let mut number = [0; 8];
        match file.read_exact(&mut number) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(e),
        }
        let size = u64::from_le_bytes(number);
        file.read_exact(&mut number)?;
        let length = usize::try_from(u64::from_le_bytes(number)).map_err(io::Error::other)?;
        let mut key = vec![0; length];
        file.read_exact(&mut key)?;
        let key = String::from_utf8(key).map_err(io::Error::other)?;
        keys.push((Path::parse(key).map_err(io::Error::other)?, size));
    }
    Ok((keys, file))
}

fn failed(what: &str, error: &io::Error) -> Error {
    let detail = format!("cannot {what} the keys to be deleted: {error}");
    Error::new(ErrorKind::Io, "sync", std::env::temp_dir().display().to_string(), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_come_back_in_order() {
        for count in [0, 3, KEYS, 3 * KEYS + 7] {
            let name = |n| Path::from(format!("dir/å {n:08}"));
            let keys: Vec<_> = (0..count).map(|n| (name(n), n as u64)).collect();
            let mut postponed = Postponed::default();
            for (key, size) in &keys {
                postponed.push(key.clone(), *size).await.unwrap();
            }
            assert!(postponed.latest.len() < KEYS);
            let found: Vec<_> = postponed.take().try_collect().await.unwrap();
            assert_eq!(found, keys);
            assert!(postponed.take().next().await.is_none());
        }
    }
}
