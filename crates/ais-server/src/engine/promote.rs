//! Promotion: files on the server's machine become objects.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use holdall_ais_wire::job::kind;
use holdall_ais_wire::name::check_object;
use holdall_ais_wire::object::PromoteMsg;

use super::{Bucket, Engine, PutOptions, Work as _};
use crate::error::{Error, Result};
use crate::jobs::{Job, NewJob};

/// How long a reply waits for a folder.
const SOON: Duration = Duration::from_secs(5);
/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

fn invalid(source: &str, reason: &str) -> Error {
    Error::invalid(format!("invalid promote source \"{source}\": {reason}"))
        .with_code("errInvalidPromoteSource")
}

impl Engine {
    /// Makes objects of a file or the files of a directory. What is done when this returns has no id; a directory
    /// that takes longer is a job.
    ///
    /// # Errors
    ///
    /// When the source is not under the folder that promotion is allowed from, or is not there.
    pub async fn promote(
        self: &Arc<Self>,
        bucket: &Bucket,
        message: PromoteMsg,
    ) -> Result<Option<String>> {
        if !message.tid.is_empty() && message.tid != self.target_id() {
            return Err(Error::invalid(format!(
                "promote failure: node {} not present in Smap v1",
                message.tid
            ))
            .with_code("errNodeNotFound"));
        }
        let bucket = bucket.clone();
        let (engine, checked) = (Arc::clone(self), message.clone());
        let (source, is_file) = self.blocking(move |_| engine.promote_source(&checked.src)).await?;
        if is_file {
            let name = file_name(&message, &source)?;
            let message = message.clone();
            // The bucket may have a backend to write to, which takes long.
            self.heavy(move |engine| engine.promote_file(&bucket, &name, &source, &message))
                .await?;
            return Ok(None);
        }
        let job = NewJob::on(kind::PROMOTE, bucket.bck()).about(format!("promote {}", message.src));
        let engine = Arc::clone(self);
        let (done, ended) = tokio::sync::oneshot::channel();
        let id = self.jobs().spawn(job, |job| async move {
            let work = tokio::task::spawn_blocking(move || {
                let promoted = engine.promote_folder(&job, &bucket, &source, &message);
                // Nobody waits for it when it took long.
                let _ = done.send(promoted.is_ok());
                promoted
            });
            work.await.map_err(|e| Error::internal("promotion ended early").with_source(e))?
        });
        // Clients expect to find the objects of a small folder when the reply comes, as with AIStore.
        match tokio::time::timeout(SOON, ended).await {
            Ok(Ok(true)) => Ok(None),
            _ => Ok(Some(id)),
        }
    }

    fn promote_source(&self, source: &str) -> Result<(PathBuf, bool)> {
        let path = Path::new(source);
        let root = self.promote_root();
        if !path.is_absolute() {
            return Err(invalid(source, "must be an absolute path"));
        }
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::RootDir);
        if !path.components().all(plain)
            || source.split('/').any(|part| part == "." || part == "..")
        {
            return Err(invalid(source, "must not contain '.' or '..'"));
        }
        let outside = || invalid(source, &format!("must be under {}", root.display()));
        if !path.starts_with(root) {
            return Err(outside());
        }
        let stat = |e: std::io::Error| {
            Error::not_found(format!("stat {source}: {e}")).with_code("PathError").with_source(e)
        };
        // Links may lead out of the folder.
        let real = fs::canonicalize(path).map_err(stat)?;
        let real_root = fs::canonicalize(root).map_err(stat)?;
        if !real.starts_with(&real_root) {
            return Err(outside());
        }
        let is_file = fs::metadata(&real).map_err(stat)?.is_file();
        Ok((real, is_file))
    }

    fn promote_folder(
        self: &Arc<Self>,
        job: &Job,
        bucket: &Bucket,
        source: &Path,
        message: &PromoteMsg,
    ) -> Result<()> {
        let mut folders = vec![source.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                job.check()?;
                let (path, kind) =
                    entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
                if kind.is_dir() {
                    if message.recursive {
                        folders.push(path);
                    }
                } else if kind.is_file() {
                    let relative = path.strip_prefix(source).unwrap_or(&path).to_string_lossy();
                    let name = format!("{}{relative}", message.obj);
                    match self.promote_file(bucket, &name, &path, message) {
                        Ok(size) => job.count(size),
                        Err(error) => job.record(&error),
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes an object of a file; an object that is there stays, unless told otherwise. Returns the bytes written.
    fn promote_file(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        path: &Path,
        message: &PromoteMsg,
    ) -> Result<u64> {
        use std::io::Read as _;

        check_object(name)?;
        if !message.overwrite && self.storage().meta().object(bucket.bid(), name)?.is_some() {
            return Ok(0);
        }
        let mut file = fs::File::open(path)?;
        let mut writer = self.write_blocking(bucket, name, PutOptions::default())?;
        let mut buffer = vec![0; PIECE];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            writer.write(&buffer[..read])?;
        }
        let meta = writer.finish()?;
        if message.delete_source {
            fs::remove_file(path)?;
        }
        Ok(meta.size)
    }
}

/// The name of the object that a single file becomes.
fn file_name(message: &PromoteMsg, source: &Path) -> Result<String> {
    let base =
        source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = match message.obj.as_str() {
        "" => base,
        folder if folder.ends_with('/') => format!("{folder}{base}"),
        name => name.to_owned(),
    };
    check_object(&name)?;
    Ok(name)
}
