//! `holdall ais object`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use futures::TryStreamExt;
use holdall::ais::read::Members;
use holdall::ais::wire::list::{entry_flag, flag};
use holdall::ais::wire::multi::{ArchiveMsg, CopyMsg, EtlMsg, PrefetchMsg};
use holdall::ais::wire::object::{BlobMsg, PromoteMsg};
use holdall::ais::{
    CopyOptions, EtlOptions, GetOptions, ListRequest, Object, ObjectAttributes, PutOptions,
    Selection,
};
use holdall::store::transfer::Transfer;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::args::{SelectArgs, WaitArgs};
use super::table::properties;
use super::{Session, each, job, new_object_name, place};
use crate::Exit;
use crate::printer::size;

const PROPS: &str = "checksum,atime,version,custom,copies,location,chunked,last-modified,etag";

/// What to do with objects.
#[derive(Debug, Subcommand)]
pub(crate) enum ObjectCommand {
    /// List the objects of a bucket.
    Ls(Ls),
    /// Show what the cluster knows of an object.
    Show {
        /// Object: `ais://BUCKET/NAME`.
        object: String,
    },
    /// Read an object, or a member of one, transformed if wanted.
    Get(Get),
    /// Write an object from standard input or a file.
    Put {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// Object: `ais://BUCKET/NAME`.
        object: String,
        /// Metadata to keep with it, as NAME=VALUE; repeatable.
        #[arg(long, value_name = "NAME=VALUE")]
        custom: Vec<String>,
    },
    /// Delete objects.
    Rm {
        /// Objects: `ais://BUCKET/NAME`.
        #[arg(required = true)]
        objects: Vec<String>,
    },
    /// Copy an object inside the cluster; with --etl, transformed.
    Cp {
        /// Object: `ais://BUCKET/NAME`.
        from: String,
        /// The object to copy it to: `ais://BUCKET/NAME`.
        to: String,
        /// The ETL to pass through.
        #[arg(long, value_name = "NAME")]
        etl: Option<String>,
        /// Fetch a remote object that has changed.
        #[arg(long)]
        latest: bool,
    },
    /// Rename an object in its bucket.
    Mv {
        /// Object: `ais://BUCKET/NAME`.
        object: String,
        /// The new name, or a URL in the same bucket.
        name: String,
    },
    /// Set metadata of an object.
    Set {
        /// Object: `ais://BUCKET/NAME`.
        object: String,
        /// NAME=VALUE.
        #[arg(required = true, value_name = "NAME=VALUE")]
        custom: Vec<String>,
        /// Drop what it had.
        #[arg(long)]
        replace: bool,
    },
    /// Make objects of files that the target can read itself.
    Promote {
        /// File or folder on the target's machine.
        path: String,
        /// Bucket, or bucket/prefix.
        target: String,
        /// With all folders below.
        #[arg(short, long)]
        recursive: bool,
        /// Overwrite objects that are there.
        #[arg(long)]
        overwrite: bool,
        /// Delete the files afterwards.
        #[arg(long)]
        delete_source: bool,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Fetch a large remote object in chunks.
    BlobDownload {
        /// Object: `ais://BUCKET/NAME`.
        object: String,
        /// Bytes of a chunk.
        #[arg(long, value_name = "BYTES")]
        chunk_size: Option<i64>,
        /// Workers.
        #[arg(long, value_name = "NUMBER")]
        num_workers: Option<i64>,
        /// Compare with the backend first.
        #[arg(long)]
        latest: bool,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Fetch remote objects, so that reads find them.
    Prefetch {
        /// Bucket: `ais://NAME`, `s3://NAME`, …, or a name.
        bucket: String,
        #[command(flatten)]
        select: SelectArgs,
        /// Compare with the backend first.
        #[arg(long)]
        latest: bool,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Remove what the cluster holds of remote objects.
    Evict(Many),
    /// Delete many objects by a job.
    DeleteMany(Many),
    /// Copy many objects into a bucket by a job; with --etl, transformed.
    CopyMany {
        #[command(flatten)]
        many: Many,
        /// The bucket to copy to.
        to: String,
        /// What new names begin with.
        #[arg(long, default_value = "")]
        prepend: String,
        /// ETL to transform with.
        #[arg(long, value_name = "NAME")]
        etl: Option<String>,
        #[arg(long)]
        cont_on_err: bool,
    },
    /// Put many objects into an archive by a job.
    Archive {
        #[command(flatten)]
        many: Many,
        /// The archive: bucket/name.tar, .tgz, .tar.lz4 or .zip.
        archive: String,
        /// Add to an archive that is there.
        #[arg(long)]
        append: bool,
        #[arg(long)]
        cont_on_err: bool,
    },
}

/// `holdall ais object ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Bucket, or bucket/prefix.
    place: String,
    /// Show size, version, checksum and time of access.
    #[arg(short, long)]
    long: bool,
    /// Show sizes as 1.2 MiB.
    #[arg(short = 'H', long)]
    human: bool,
    /// Only what the cluster holds itself.
    #[arg(long)]
    cached: bool,
    /// Only one level; prefixes stand for what is below.
    #[arg(long)]
    non_recursive: bool,
    /// Members of archives, too.
    #[arg(long)]
    archive: bool,
    /// Only names after this one.
    #[arg(long, default_value = "", value_name = "NAME")]
    start_after: String,
    /// At most so many.
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
}

/// `holdall ais object get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Object: `ais://BUCKET/NAME`.
    object: String,
    /// Where to; `-` is standard output.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// A member of the object, which is an archive.
    #[arg(long, value_name = "PATH", conflicts_with = "range")]
    archpath: Option<String>,
    /// Only this range, as START-END (both in bytes, the end inclusive), START- or -LENGTH.
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    range: Option<String>,
    /// The ETL to pass through; several, separated by commas, one after the other.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    etl: Vec<String>,
    /// Arguments of the ETL.
    #[arg(long, default_value = "", requires = "etl")]
    etl_args: String,
    /// Fetch a remote object that has changed.
    #[arg(long)]
    latest: bool,
}

/// Many objects of one bucket.
#[derive(Debug, Args)]
pub(crate) struct Many {
    /// Bucket: `ais://NAME`, `s3://NAME`, …, or a name.
    bucket: String,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(super) async fn run(ais: &Session<'_>, command: &ObjectCommand) -> Result<Exit> {
    let printer = ais.context.printer;
    match command {
        ObjectCommand::Ls(args) => ls(ais, args).await?,
        ObjectCommand::Show { object } => {
            let object = ais.object(object)?;
            let known = object.head(PROPS).await?;
            properties(printer, &shown(&object.cname(), &known))?;
        }
        ObjectCommand::Get(args) => get(ais, args).await?,
        ObjectCommand::Put { file, object, custom } => {
            let options = PutOptions { custom: pairs(custom)?, ..PutOptions::default() };
            put(ais, file, object, &options).await?;
        }
        ObjectCommand::Rm { objects } => {
            let delete = async |object: &Object| Ok(object.delete().await?);
            return each(ais, ais.objects(objects)?, delete).await;
        }
        ObjectCommand::Cp { from, to, etl, latest } => {
            let etl = etl.as_ref().map(EtlOptions::new);
            let options = CopyOptions { etl, latest: *latest, ..CopyOptions::default() };
            ais.object(from)?.copy(&ais.object(to)?, &options).await?;
        }
        ObjectCommand::Mv { object, name } => {
            let object = ais.object(object)?;
            let name = new_object_name(object.bucket().bck(), name)?;
            object.rename(&name).await?;
        }
        ObjectCommand::Set { object, custom, replace } => {
            ais.object(object)?.set_custom(&pairs(custom)?, *replace).await?;
        }
        ObjectCommand::Promote { path, target, recursive, overwrite, delete_source, wait } => {
            let (bck, prefix) = place(target)?;
            let message = PromoteMsg {
                src: path.clone(),
                obj: prefix.clone(),
                recursive: *recursive,
                overwrite: *overwrite,
                delete_source: *delete_source,
                ..PromoteMsg::default()
            };
            let started = ais.client.bucket_of(bck).object(prefix).promote(&message).await?;
            return job::started(ais, started.as_slice(), wait).await;
        }
        ObjectCommand::BlobDownload { object, chunk_size, num_workers, latest, wait } => {
            let message =
                BlobMsg { latest: *latest, chunk_size: *chunk_size, num_workers: *num_workers };
            let started = ais.object(object)?.blob_download(&message).await?;
            return job::started(ais, &[started], wait).await;
        }
        ObjectCommand::Prefetch { bucket, select, latest, wait } => {
            let group = ais.bucket(bucket)?.objects(select.clone().into());
            let message = PrefetchMsg { latest: *latest, ..PrefetchMsg::default() };
            return job::started(ais, &[group.prefetch(&message).await?], wait).await;
        }
        ObjectCommand::Evict(many) => {
            let started = many.group(ais)?.evict().await?;
            return job::started(ais, &[started], &many.wait).await;
        }
        ObjectCommand::DeleteMany(many) => {
            let started = many.group(ais)?.delete().await?;
            return job::started(ais, &[started], &many.wait).await;
        }
        ObjectCommand::CopyMany { many, to, prepend, etl, cont_on_err } => {
            let message =
                CopyMsg { prepend: prepend.clone(), coer: *cont_on_err, ..CopyMsg::default() };
            let (group, to) = (many.group(ais)?, ais.bucket(to)?);
            let started = match etl {
                None => group.copy(&to, &message).await?,
                Some(etl) => {
                    let etl = EtlMsg { id: etl.clone(), ..EtlMsg::default() };
                    vec![group.transform(&to, &etl, &message).await?]
                }
            };
            return job::started(ais, &started, &many.wait).await;
        }
        ObjectCommand::Archive { many, archive, append, cont_on_err } => {
            let archive = ais.object(archive)?;
            let message = ArchiveMsg {
                archname: archive.name().to_owned(),
                aate: *append,
                coer: *cont_on_err,
                ..ArchiveMsg::default()
            };
            let started = many.group(ais)?.archive(archive.bucket(), &message).await?;
            return job::started(ais, &started, &many.wait).await;
        }
    }
    Ok(Exit::Done)
}

impl Many {
    fn group(&self, ais: &Session<'_>) -> Result<holdall::ais::ObjectGroup> {
        Ok(ais.bucket(&self.bucket)?.objects(Selection::from(self.select.clone())))
    }
}

fn pairs(texts: &[String]) -> Result<Vec<(String, String)>> {
    let pair = |text: &String| {
        let (name, value) =
            text.split_once('=').with_context(|| format!("{text}: expected NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    texts.iter().map(pair).collect()
}

fn shown(name: &str, known: &ObjectAttributes) -> Value {
    let custom: serde_json::Map<_, _> =
        known.custom.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "object": name,
        "size": known.size,
        "version": known.version,
        "checksum": {"type": known.checksum_type, "value": known.checksum_value},
        "accessed": super::time(known.accessed()),
        "modified": super::time(known.modified()),
        "e_tag": known.e_tag,
        "present": known.present,
        "location": known.location,
        "copies": known.mirror_copies,
        "chunks": known.chunks.map(|(count, largest)| json!({"count": count, "largest": largest})),
        "custom": custom,
    })
}

async fn ls(ais: &Session<'_>, args: &Ls) -> Result<()> {
    let (bck, prefix) = place(&args.place)?;
    let mut flags = 0;
    for (wanted, bit) in [
        (args.cached, flag::CACHED),
        (args.non_recursive, flag::NO_RECURSION),
        (args.archive, flag::ARCH_DIR),
        (!args.long, flag::NAME_ONLY),
    ] {
        flags |= if wanted { bit } else { 0 };
    }
    let props = if args.long { "name,size,version,checksum,atime" } else { "name" };
    let request = ListRequest::new(prefix, props)
        .with_flags(flags)
        .with_start_after(args.start_after.clone());
    let mut entries = ais.client.bucket_of(bck).list(request);
    let mut left = args.limit.unwrap_or(usize::MAX);
    while left > 0 {
        let Some(entry) = entries.try_next().await? else { break };
        left -= 1;
        let bytes = u64::try_from(entry.size).unwrap_or_default();
        let text = || match args.long {
            true => format!(
                "{:>12}  {:>4}  {:16}  {:19}  {}",
                size(bytes, args.human),
                entry.version,
                entry.checksum,
                entry.atime,
                entry.name
            ),
            false => entry.name.clone(),
        };
        let json = || {
            let mut object = json!({"name": entry.name});
            if args.long {
                object["size"] = json!(bytes);
                object["version"] = json!(entry.version);
                object["checksum"] = json!(entry.checksum);
                object["atime"] = json!(entry.atime);
                object["cached"] = json!(entry.flags & entry_flag::CACHED != 0);
            }
            object
        };
        ais.context.printer.data(text, json)?;
    }
    Ok(())
}

async fn get(ais: &Session<'_>, args: &Get) -> Result<()> {
    let etl = args.etl.split_first().map(|(first, rest)| EtlOptions {
        name: first.clone(),
        pipeline: rest.to_vec(),
        args: args.etl_args.clone(),
    });
    let options = GetOptions {
        range: args.range.as_ref().map(|range| format!("bytes={range}")),
        members: args.archpath.clone().map(Members::Path),
        etl,
        latest: args.latest,
        blob: None,
    };
    let object = ais.object(&args.object)?;
    if options == GetOptions::default() && args.file.as_os_str() != "-" {
        object.download(&args.file, &Transfer::default()).await?;
        return Ok(());
    }
    let reader = object.get(options).await?;
    let mut pieces = reader.stream();
    if args.file.as_os_str() == "-" {
        while let Some(piece) = pieces.try_next().await? {
            ais.context.printer.bytes(&piece)?;
        }
        return Ok(());
    }
    // Beside its place, so that nobody ever finds half of it there.
    let name =
        args.file.file_name().with_context(|| format!("{}: no file", args.file.display()))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{:08x}", fastrand::u32(..)));
    let partial = args.file.with_file_name(hidden);
    let written = async {
        let mut file = tokio::fs::File::create_new(&partial).await?;
        while let Some(piece) = pieces.try_next().await? {
            file.write_all(&piece).await?;
        }
        file.flush().await?;
        tokio::fs::rename(&partial, &args.file).await?;
        anyhow::Ok(())
    };
    let written = written.await;
    if written.is_err() {
        drop(std::fs::remove_file(&partial));
    }
    written.with_context(|| args.file.display().to_string())
}

async fn put(
    ais: &Session<'_>,
    file: &std::path::Path,
    object: &str,
    options: &PutOptions,
) -> Result<()> {
    let object = ais.object(object)?;
    let shown = file.display();
    let is_input = file.as_os_str() == "-";
    if !is_input && options.custom.is_empty() {
        object.put_file(file, &Transfer::default()).await?;
        return Ok(());
    }
    let mut content = Vec::new();
    if is_input {
        tokio::io::stdin().take(MOST_AT_ONCE + 1).read_to_end(&mut content).await?;
    } else {
        let file = tokio::fs::File::open(file).await.with_context(|| shown.to_string())?;
        file.take(MOST_AT_ONCE + 1).read_to_end(&mut content).await?;
    }
    if content.len() as u64 > MOST_AT_ONCE {
        bail!(
            "{shown}: with metadata or from standard input, at most 5 GiB: write more with `holdall put`, and set \
             metadata afterwards"
        );
    }
    object.put(content, options).await?;
    Ok(())
}

/// One request carries no more.
const MOST_AT_ONCE: u64 = 5 << 30;
