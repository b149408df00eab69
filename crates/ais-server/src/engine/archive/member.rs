//! One member of an archive.

use std::{
    io::{self, Read as _},
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use holdall_archive::{Format, Reader, pipe};

use super::{archive_error, format_of};
use crate::{
    engine::{Bucket, Content, Engine, Work as _},
    error::{Error, Result},
    storage::ObjectMeta,
};

/// A member that was found.
pub enum Found {
    /// In one piece in the content of the object.
    At {
        /// Its first byte.
        offset: u64,
        /// Bytes.
        size: u64,
    },
    /// To be read from where the reader is.
    Next {
        /// Positioned at the member.
        reader: Box<Reader>,
        /// Bytes.
        size: u64,
    },
}

impl Found {
    /// Bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::At { size, .. } | Self::Next { size, .. } => *size,
        }
    }

    /// The content from `start` on, `len` bytes. Blocks.
    ///
    /// # Errors
    ///
    /// Those of reading what comes before.
    pub fn reader(
        self,
        content: &Content,
        start: u64,
        len: u64,
    ) -> io::Result<Box<dyn io::Read + Send>> {
        Ok(match self {
            Self::At { offset, .. } => {
                Box::new(holdall_archive::read_at(Arc::new(content.clone()), offset + start, len)?)
            }
            Self::Next { mut reader, .. } => {
                io::copy(&mut reader.by_ref().take(start), &mut io::sink())?;
                Box::new(reader.take(len))
            }
        })
    }
}

/// The content of a member.
pub struct MemberContent {
    /// Bytes.
    pub size: u64,
    /// The bytes, from the first to the last.
    pub stream: BoxStream<'static, io::Result<Bytes>>,
}

impl Engine {
    /// The error for a member that is not there.
    pub fn no_member(&self, bucket: &Bucket, name: &str, path: &str) -> Error {
        let target = self.target_id();
        Error::not_found(format!("t[{target}]: {path} in {}/{name} does not exist", bucket.bck()))
    }

    /// Finds a member of an opened object. Blocks.
    ///
    /// # Errors
    ///
    /// When the object is no archive, or has no such member.
    pub fn find_member_blocking(
        &self,
        (bucket, name): (&Bucket, &str),
        (meta, content): (&ObjectMeta, &Content),
        format: Format,
        path: &str,
        eager: bool,
    ) -> Result<Found> {
        let missing = || self.no_member(bucket, name, path);
        let shards = &self.archives().shards;
        if let Some(index) = shards.index((bucket, name), meta, content, format, eager)? {
            let key = path.strip_prefix('/').unwrap_or(path);
            match index.get(key) {
                None => return Err(missing()),
                Some((Some(offset), size)) => {
                    return Ok(Found::At { offset: *offset, size: *size });
                }
                // Compressed, so it has to be read from the reader.
                Some((None, _)) => {}
            }
        }
        let failed = |error| archive_error(bucket, name, error);
        let mut reader = Reader::open(Arc::new(content.clone()), format).map_err(failed)?;
        let member = reader.find(path).map_err(failed)?.ok_or_else(missing)?;
        Ok(match member.offset {
            Some(offset) => Found::At { offset, size: member.size },
            None => Found::Next { reader: Box::new(reader), size: member.size },
        })
    }

    /// Opens a member of an object.
    ///
    /// # Errors
    ///
    /// When the object is not there or no archive, or has no such member.
    pub async fn open_member(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        mime: &str,
        path: &str,
    ) -> Result<MemberContent> {
        self.bring_if_remote(bucket, name).await?;
        let (bucket, name) = (bucket.clone(), name.to_owned());
        let (mime, path) = (mime.to_owned(), path.to_owned());
        let (content, found) = self
            .blocking(move |engine| {
                let (meta, content) = engine.open_blocking(&bucket, &name)?;
                let format = format_of(&mime, &name, &content)?;
                let opened = (&meta, &content);
                let found =
                    engine.find_member_blocking((&bucket, &name), opened, format, &path, false)?;
                Ok((content, found))
            })
            .await?;
        let size = found.size();
        let stream = match found {
            Found::At { offset, size } => content.stream(offset..offset + size).boxed(),
            Found::Next { reader, size } => self.stream_member(reader, size).await?,
        };
        Ok(MemberContent { size, stream })
    }

    /// What is left of the present member.
    async fn stream_member(
        &self,
        mut reader: Box<Reader>,
        size: u64,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>> {
        let (mut chunks, stream) = pipe::channel();
        let work = move || match pipe::copy(&mut reader, &mut chunks, size) {
            // Who does not read on is not to be told.
            Ok(_) => drop(chunks.finish()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => chunks.fail(reader.explain(error).into()),
        };
        self.produce(work);
        Ok(stream.boxed())
    }
}
