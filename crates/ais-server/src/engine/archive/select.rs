//! Many members of an archive, as a tar.

use std::{io, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use holdall_archive::{Format, MatchMode, Reader, Selector, Writer, pipe};
use tokio::sync::oneshot;

use super::{archive_error, format_of};
use crate::{
    engine::{Bucket, Engine},
    error::{Error, Result},
};

impl Engine {
    /// The members whose names match, in the order of the archive, as a tar that is made while it is read.
    ///
    /// # Errors
    ///
    /// When the object is not there or no archive; when the pattern is none; when nothing matches.
    pub async fn open_selected(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        mime: &str,
        mode: MatchMode,
        pattern: &str,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>> {
        let cname = format!("{}/{name}", bucket.bck());
        let asked = format!("(archregx={pattern}, archmode={mode})");
        let selector = Selector::new(mode, pattern).map_err(|error| {
            let target = self.target_id();
            Error::invalid(format!(
                "t[{target}]: failed to extract files that match {asked} from {cname}, err: {error}"
            ))
            .with_code("ErrFailedTo")
        })?;
        self.bring_if_remote(bucket, name).await?;
        let engine = Arc::clone(self);
        let (bucket, name, mime) = (bucket.clone(), name.to_owned(), mime.to_owned());
        let (found, answer) = oneshot::channel();
        let work = move || {
            let failed = |error| archive_error(&bucket, &name, error);
            let open = || -> Result<_> {
                let (_, content) = engine.open_blocking(&bucket, &name)?;
                let format = format_of(&mime, &name, &content)?;
                let mut reader = Reader::open(Arc::new(content), format).map_err(failed)?;
                let first = reader.next_selected(&selector).map_err(failed)?.ok_or_else(|| {
                    let target = engine.target_id();
                    Error::not_found(format!("t[{target}]: {asked} in {cname} does not exist"))
                })?;
                Ok((reader, first))
            };
            let (mut reader, first) = match open() {
                Ok(opened) => opened,
                // Who asked is gone, or gets the error.
                Err(error) => return drop(found.send(Err(error))),
            };
            let (chunks, stream) = pipe::channel();
            if found.send(Ok(stream)).is_err() {
                return;
            }
            let write = || -> holdall_archive::Result<()> {
                let mut writer = Writer::new(chunks, Format::Tar)?;
                let mut next = Some(first);
                while let Some(member) = next {
                    writer.append(&member, &mut reader)?;
                    next = reader.next_selected(&selector)?;
                }
                // Who does not read on is not to be told.
                drop(writer.finish()?.finish());
                Ok(())
            };
            // The stream ends with an error of its own then.
            if let Err(error) = write()
                && error.io_kind() != Some(io::ErrorKind::BrokenPipe)
            {
                tracing::warn!(object = cname, %error, "a selection of members broke off");
            }
        };
        self.produce(work);
        let ended = |_| Error::internal("the reading thread ended abnormally");
        Ok(answer.await.map_err(ended)??.boxed())
    }
}
