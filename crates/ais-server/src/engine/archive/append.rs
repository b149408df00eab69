//! A member added to an archive.

use std::{
    io::{self, Read},
    sync::Arc,
};

use bytes::Bytes;
use futures::Stream;
use holdall_archive::{ErrorKind as ArchiveErrorKind, Member, Writer, pipe::StreamReader};

use super::{archive_error, format_of, format_of_mime};
use crate::{
    engine::{Bucket, Content, Engine, PutOptions, now},
    error::{Error, ErrorKind, Result},
    storage::ObjectMeta,
};

/// What becomes of the archive that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfPresent {
    /// It is replaced.
    Replace,
    /// It is appended to, and has to be there.
    Existing,
    /// It is appended to if it is there.
    IfExists,
}

/// A member to write.
#[derive(Debug, Clone)]
pub struct PutMember {
    /// Its name in the archive.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// The archive's format, where its name does not tell.
    pub mime: String,
    /// What becomes of the archive that is there.
    pub append: IfPresent,
}

impl Engine {
    /// Writes a member to an archive. The archive is rewritten: readers see the old one or the new one.
    ///
    /// # Errors
    ///
    /// When the archive has to be there and is not, or is none; when the content has another length; when the object
    /// was written by others meanwhile.
    pub async fn put_member<S>(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        member: PutMember,
        content: S,
    ) -> Result<ObjectMeta>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let turn = self.archives().turn(bucket, name).await;
        let (engine, bucket, name) = (Arc::clone(self), bucket.clone(), name.to_owned());
        let content = StreamReader::new(content);
        let written = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            engine.put_member_blocking(&bucket, &name, &member, content)
        });
        written.await.map_err(|e| Error::internal("writing ended early").with_source(e))?
    }

    fn put_member_blocking(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        member: &PutMember,
        mut content: impl Read,
    ) -> Result<ObjectMeta> {
        let failed = |error: holdall_archive::Error| match error.kind() {
            ArchiveErrorKind::InvalidMember => {
                Error::invalid(format!("failed to archive {}/{name}: {error}", bucket.bck()))
            }
            _ => archive_error(bucket, name, error),
        };
        if member.append != IfPresent::Replace {
            match self.bring_blocking(bucket, name) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let present = match self.open_blocking(bucket, name) {
            Ok(present) => Some(present),
            Err(error)
                if error.kind() == ErrorKind::NotFound && member.append != IfPresent::Existing =>
            {
                None
            }
            Err(error) => return Err(error),
        };
        let old = present.as_ref().filter(|_| member.append != IfPresent::Replace);
        let format = match old {
            Some((_, content)) => format_of(&member.mime, name, content)?,
            None => new_format(&member.mime, name)?,
        };
        let custom = old.map(|(meta, _)| meta.custom.clone()).unwrap_or_default();
        let options = PutOptions { custom, ..PutOptions::default() };
        let output = self.write_blocking(bucket, name, options)?;
        let mut writer = match old {
            Some((_, content)) => {
                let content: Content = content.clone();
                Writer::resume(Arc::new(content), format, &[&member.path], output)
                    .map_err(failed)?
            }
            None => Writer::new(output, format).map_err(failed)?,
        };
        let seconds = u64::try_from(now() / 1_000_000_000).unwrap_or(0);
        let header = Member::file(&member.path, member.size).modified_at(seconds);
        writer.append(&header, &mut content).map_err(failed)?;
        let sealed = writer.finish().map_err(failed)?.seal()?;
        match member.append {
            IfPresent::Replace => sealed.commit_blocking(),
            _ => sealed.over(present.as_ref().map(|(meta, _)| meta)).commit_blocking(),
        }
    }
}

/// The format of an archive that is not there yet.
///
/// # Errors
///
/// When neither the media type nor the name tells.
pub(in crate::engine) fn new_format(mime: &str, name: &str) -> Result<holdall_archive::Format> {
    if !mime.is_empty() {
        return format_of_mime(mime);
    }
    holdall_archive::Format::of_name(name).ok_or_else(|| {
        let extension = name.rfind('.').map_or("", |dot| &name[dot..]);
        Error::invalid(format!("unknown filename extension ({name:?}, {extension:?})"))
            .with_code("errUnknownFileExt")
    })
}
