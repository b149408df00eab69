//! Content that is written while it comes in.
//!
//! What is written to is handed to a thread that may block together with what has come so far, and comes back. So a
//! sender that is slow, or silent, holds no thread: any number of them cost connections only.

use std::io;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::{Piece, Writer};
use crate::error::{Error, Result};

/// Bytes that wait to be written, above which the sender waits.
const WAITING: usize = 1 << 20;

/// Where content comes from.
pub(crate) trait Source: Send {
    /// What goes wrong there.
    type Error: From<Error>;

    /// The next bytes; none at the end.
    ///
    /// # Errors
    ///
    /// When they cannot be had.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Self::Error>> + Send;
}

/// What content is written to, on threads that may block.
pub(crate) trait Sink: Send + 'static {
    /// Adds bytes.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()>;
}

impl Sink for Writer {
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        Self::write_bytes(self, bytes)
    }
}

impl Sink for Piece {
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        Self::write_bytes(self, bytes)
    }
}

/// Writes everything from a source to what `begin` makes.
///
/// # Errors
///
/// Those of `begin`, of the sink and of the source: then what was made is dropped.
pub(crate) async fn pour<R: Source, S: Sink>(
    source: &mut R,
    begin: impl FnOnce() -> Result<S> + Send + 'static,
) -> Result<S, R::Error> {
    let mut writing = tokio::task::spawn_blocking(begin);
    let (mut waiting, mut size) = (Vec::new(), 0);
    let read = loop {
        match source.next().await {
            Ok(Some(bytes)) => {
                size += bytes.len();
                waiting.push(bytes);
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        if size >= WAITING || writing.is_finished() {
            // An error of the sink ends it here; nobody needs the rest.
            let sink = written(writing).await?;
            writing = write(sink, std::mem::take(&mut waiting));
            size = 0;
        }
    };
    // The sink comes back in any case, so that it is dropped when this has failed, and not later.
    let sink = written(writing).await?;
    read?;
    if waiting.is_empty() {
        return Ok(sink);
    }
    Ok(written(write(sink, waiting)).await?)
}

fn write<S: Sink>(mut sink: S, waiting: Vec<Bytes>) -> JoinHandle<Result<S>> {
    tokio::task::spawn_blocking(move || {
        waiting.into_iter().try_for_each(|bytes| sink.write_bytes(bytes))?;
        Ok(sink)
    })
}

async fn written<S>(writing: JoinHandle<Result<S>>) -> Result<S> {
    writing.await.map_err(|e| Error::internal("writing ended early").with_source(e))?
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Script(std::vec::IntoIter<Result<&'static str>>);

    impl Source for Script {
        type Error = Error;

        async fn next(&mut self) -> Result<Option<Bytes>> {
            tokio::task::yield_now().await;
            Ok(self.0.next().transpose()?.map(|text| Bytes::from_static(text.as_bytes())))
        }
    }

    fn script(pieces: Vec<Result<&'static str>>) -> Script {
        Script(pieces.into_iter())
    }

    /// Fails at bytes that hold an `!`.
    impl Sink for Vec<u8> {
        fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
            if bytes.contains(&b'!') {
                return Err(io::Error::other("it is full"));
            }
            self.extend_from_slice(&bytes);
            Ok(())
        }
    }

    #[tokio::test]
    async fn all_arrives_in_order_or_an_error_is_told() {
        let all = pour(&mut script(vec![Ok("a"), Ok("bc"), Ok("d")]), || Ok(Vec::new())).await;
        assert_eq!(all.unwrap(), b"abcd");
        let none = pour(&mut script(vec![]), || Ok(vec![b'x'])).await;
        assert_eq!(none.unwrap(), b"x");
        let gone = vec![Ok("a"), Err(Error::invalid("the sender went away")), Ok("b")];
        let error = pour(&mut script(gone), || Ok(Vec::new())).await.unwrap_err();
        assert!(error.to_string().contains("went away"), "{error}");
        for pieces in [vec![Ok("!")], vec![Ok("a"), Ok("!"), Ok("b"), Ok("c")]] {
            let error = pour(&mut script(pieces), || Ok(Vec::new())).await.unwrap_err();
            assert!(error.to_string().contains("it is full"), "{error}");
        }
        let begin = || Err::<Vec<u8>, _>(Error::invalid("no place"));
        let error = pour(&mut script(vec![Ok("a")]), begin).await.unwrap_err();
        assert!(error.to_string().contains("no place"), "{error}");
    }
}
