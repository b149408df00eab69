//! Keys that are to be deleted when everything else has been done: few in memory, many in a file without a name.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;

use super::place::blocking;
use crate::error::{Error, ErrorKind, Result};

/// Keys in memory; those beyond go to the file, as many at a time.
const KEYS: usize = 16 * 1024;

/// Keys in the order they came in.
#[derive(Debug, Default)]
pub(super) struct Postponed {
    latest: Vec<Path>,
    file: Option<File>,
}

impl Postponed {
    pub(super) async fn push(&mut self, path: Path) -> Result<()> {
        self.latest.push(path);
        if self.latest.len() < KEYS {
            return Ok(());
        }
        let (keys, file) = (std::mem::take(&mut self.latest), self.file.take());
        let file = blocking(move || spill(file, &keys)).await?;
        self.file = Some(file.map_err(|e| failed("note", &e))?);
        Ok(())
    }

    /// All keys; none are left.
    pub(super) fn take(&mut self) -> BoxStream<'static, Result<Path>> {
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

/// Adds keys to a file, each behind its length.
fn spill(file: Option<File>, keys: &[Path]) -> io::Result<File> {
    let mut file = match file {
        Some(file) => file,
        None => tempfile::tempfile()?,
    };
    let mut bytes = Vec::new();
    for key in keys {
        let key = key.as_ref().as_bytes();
        bytes.extend_from_slice(&(key.len() as u64).to_le_bytes());
        bytes.extend_from_slice(key);
    }
    file.write_all(&bytes)?;
    Ok(file)
}

/// The next keys; none at the end.
fn read(mut file: BufReader<File>) -> io::Result<(Vec<Path>, BufReader<File>)> {
    let mut keys = Vec::new();
    while keys.len() < KEYS {
        let mut length = [0; 8];
        match file.read_exact(&mut length) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(e),
        }
        let mut key =
            vec![0; usize::try_from(u64::from_le_bytes(length)).map_err(io::Error::other)?];
        file.read_exact(&mut key)?;
        let key = String::from_utf8(key).map_err(io::Error::other)?;
        keys.push(Path::parse(key).map_err(io::Error::other)?);
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
            let keys: Vec<_> = (0..count).map(|n| Path::from(format!("dir/å {n:08}"))).collect();
            let mut postponed = Postponed::default();
            for key in &keys {
                postponed.push(key.clone()).await.unwrap();
            }
            assert!(postponed.latest.len() < KEYS);
            let found: Vec<_> = postponed.take().try_collect().await.unwrap();
            assert_eq!(found, keys);
            assert!(postponed.take().next().await.is_none());
        }
    }
}
