//! Making an archive of many objects.

use std::sync::Arc;

use holdall_ais_wire::{Bck, job::kind, multi::ArchiveMsg, name::check_object};
use holdall_archive::{ErrorKind as ArchiveErrorKind, Format, Member, Writer};
use holdall_store::OddKey;

use super::names::{Names, describe};
use crate::{
    engine::{
        Bucket, Engine, PutOptions,
        archive::{archive_error, format_of, format_of_mime, new_format},
        remote::wait_blocking,
    },
    error::{Error, ErrorKind, Result},
    jobs::{Job, NewJob},
};

impl Engine {
    /// Starts to make an archive of objects; the id of the job.
    ///
    /// # Errors
    ///
    /// When the archive's name has no extension of one, or another than the media type; when the template is none.
    pub fn archive_objects(
        self: &Arc<Self>,
        from: &Bucket,
        to: &Bucket,
        message: ArchiveMsg,
    ) -> Result<String> {
        let format = check_archive(&message)?;
        let names = Names::new(&message.selection, !message.non_recursive)?;
        let text = format!("{}=>{} [{}]", from.bck(), to.bck(), describe(&message.selection));
        let new = NewJob::between(kind::ARCHIVE, from.bck(), to.bck()).about(text);
        let (engine, from, to) = (Arc::clone(self), from.clone(), to.clone());
        Ok(self.jobs().spawn(new, |job| async move {
            let turn = engine.archives().turn(&to, &message.archname).await;
            let archiving = Archiving { engine, job, from, to, message, format };
            let done = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                archiving.run(names)
            });
            done.await.map_err(|e| Error::internal("the job ended abnormally").with_source(e))?
        }))
    }
}

/// The format of the archive.
///
/// # Errors
///
/// When the name has no extension of an archive, or another than the media type says.
pub fn check_archive(message: &ArchiveMsg) -> Result<Format> {
    check_object_name(&message.archname)?;
    let format = new_format("", &message.archname)?;
    if !message.mime.is_empty() && format_of_mime(&message.mime)? != format {
        let (mime, extension) = (&message.mime, format.extension());
        return Err(Error::invalid(format!("mime mismatch {mime:?} vs {extension:?}")));
    }
    Ok(format)
}

/// What is not there need not be brought.
fn found(brought: Result<()>) -> Result<()> {
    match brought {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn check_object_name(name: &str) -> Result<()> {
    // An empty one has no extension, and is refused for that.
    if name.is_empty() { Ok(()) } else { Ok(check_object(name)?) }
}

struct Archiving {
    engine: Arc<Engine>,
    job: Job,
    from: Bucket,
    to: Bucket,
    message: ArchiveMsg,
    format: Format,
}

impl Archiving {
    fn run(&self, mut names: Names) -> Result<()> {
        let archname = &self.message.archname;
        let failed = |error| self.explain(error);
        if self.message.aate {
            found(self.engine.bring_blocking(&self.to, archname))?;
        }
        let present = match self.engine.open_blocking(&self.to, archname) {
            Ok(present) if self.message.aate => Some(present),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => None,
        };
        let strict = names.is_list();
        let mut page;
        (page, names) = self.next(names)?;
        let output = self.engine.write_blocking(&self.to, archname, PutOptions::default())?;
        let mut writer = match &present {
            None => Writer::new(output, self.format).map_err(failed)?,
            Some((_, content)) => {
                let format = format_of("", archname, content)?;
                let members: Vec<String> = page.iter().map(|name| self.member_name(name)).collect();
                let replaced: Vec<&str> = members.iter().map(String::as_str).collect();
                Writer::resume(Arc::new(content.clone()), format, &replaced, output)
                    .map_err(failed)?
            }
        };
        while !page.is_empty() {
            for name in page {
                // The archive does not go into itself.
                if self.from.bid() == self.to.bid() && name == *archname {
                    continue;
                }
                match self.add(&mut writer, &name) {
                    Err(error) if error.kind() == ErrorKind::NotFound && !strict => {}
                    Err(error) if error.kind() == ErrorKind::NotFound && self.message.coer => {
                        self.job.record(&error);
                    }
                    // A name that only the listing of a backend can tell keeps no other object from the archive.
                    Err(error)
                        if self.from.is_remote()
                            && (!strict || self.message.coer)
                            && OddKey::is_odd(&name) =>
                    {
                        self.job.record(&error);
                    }
                    result => result?,
                }
            }
            (page, names) = self.next(names)?;
        }
        let sealed = writer.finish().map_err(failed)?.seal()?;
        self.job.check()?;
        match present {
            Some((meta, _)) => sealed.over(Some(&meta)).commit_blocking()?,
            None => sealed.commit_blocking()?,
        };
        Ok(())
    }

    fn next(&self, names: Names) -> Result<(Vec<String>, Names)> {
        wait_blocking(names.page(&self.engine, &self.from))
    }

    fn add(&self, writer: &mut Writer<crate::engine::Writer>, name: &str) -> Result<()> {
        self.job.check()?;
        self.engine.bring_blocking(&self.from, name)?;
        let (meta, content) = self.engine.open_blocking(&self.from, name)?;
        let seconds = u64::try_from(meta.mtime / 1_000_000_000).unwrap_or(0);
        let member = Member::file(self.member_name(name), meta.size).modified_at(seconds);
        writer.append(&member, &mut content.reader()).map_err(|error| self.explain(error))?;
        self.job.count(meta.size);
        Ok(())
    }

    fn member_name(&self, name: &str) -> String {
        let name = match name.rsplit_once('/') {
            Some((_, base)) if self.message.bnonly => base,
            _ => name,
        };
        let Bck { name: bucket, .. } = self.from.bck();
        if self.message.isbn { format!("{bucket}/{name}") } else { name.to_owned() }
    }

    fn explain(&self, error: holdall_archive::Error) -> Error {
        match error.kind() {
            ArchiveErrorKind::InvalidMember => Error::invalid(format!(
                "failed to archive {}/{}: {error}",
                self.to.bck(),
                self.message.archname
            )),
            _ => archive_error(&self.to, &self.message.archname, error),
        }
    }
}
