//! `holdall ais bucket`.

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use holdall::ais::wire::Provider;
use holdall::ais::wire::multi::{CopyMsg, EtlMsg};
use holdall::ais::wire::summary::Summary;
use holdall::ais::{Bucket, ErrorKind};
use serde_json::{Value, json};

use super::args::WaitArgs;
use super::table::{Table, properties};
use super::{Session, each, job, new_bucket_name};
use crate::Exit;
use crate::printer::size;

/// What to do with buckets.
#[derive(Debug, Subcommand)]
pub(crate) enum BucketCommand {
    /// List buckets.
    Ls {
        /// Only those of this provider: ais, aws, gcp, azure, oci.
        #[arg(value_parser = super::provider)]
        provider: Option<Provider>,
        /// Count objects and bytes, too.
        #[arg(long)]
        summary: bool,
        /// Show sizes as 1.2 MiB.
        #[arg(short = 'H', long)]
        human: bool,
    },
    /// Make buckets.
    Create {
        /// Buckets: `ais://NAME`, `s3://NAME`, …, or names.
        #[arg(required = true)]
        buckets: Vec<String>,
        /// A property, as NAME=VALUE: `mirror.enabled=true`; repeatable.
        #[arg(long = "set", value_name = "NAME=VALUE")]
        props: Vec<String>,
        /// Buckets that are there already are fine.
        #[arg(long)]
        exist_ok: bool,
    },
    /// Delete buckets and all in them.
    Rm {
        /// Buckets: `ais://NAME`, `s3://NAME`, …, or names.
        #[arg(required = true)]
        buckets: Vec<String>,
        /// Buckets that are not there are fine.
        #[arg(long)]
        missing_ok: bool,
    },
    /// Rename a bucket.
    Mv {
        /// Bucket: `ais://NAME`, `s3://NAME`, …, or a name.
        bucket: String,
        /// The new name, or the URL.
        name: String,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Show the properties of a bucket.
    Show {
        /// Bucket: `ais://NAME`, `s3://NAME`, …, or a name.
        bucket: String,
    },
    /// Change properties of a bucket.
    Set {
        /// Bucket: `ais://NAME`, `s3://NAME`, …, or a name.
        bucket: String,
        /// NAME=VALUE, such as `lru.enabled=false`.
        #[arg(required = true, value_name = "NAME=VALUE")]
        props: Vec<String>,
    },
    /// Give a bucket the properties of new ones.
    Reset {
        /// Bucket: `ais://NAME`, `s3://NAME`, …, or a name.
        bucket: String,
    },
    /// Count objects and bytes.
    Summary {
        /// Bucket: `ais://NAME`, `s3://NAME`, …, or a name.
        bucket: String,
        /// Only objects whose names begin so.
        #[arg(long, default_value = "")]
        prefix: String,
        /// Only what the cluster holds itself.
        #[arg(long)]
        cached: bool,
        /// Show sizes as 1.2 MiB.
        #[arg(short = 'H', long)]
        human: bool,
    },
    /// Copy a bucket into another, inside the cluster; with --etl, transformed.
    Cp(Copy),
    /// Remove what the cluster holds of a remote bucket.
    Evict {
        /// Bucket: `ais://NAME`, `s3://NAME`, …, or a name.
        bucket: String,
        /// Go on knowing the bucket and its properties.
        #[arg(long)]
        keep_md: bool,
    },
}

/// `holdall ais bucket cp`.
#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// Bucket: `ais://NAME`, `s3://NAME`, …, or a name.
    from: String,
    /// The bucket to copy to.
    to: String,
    /// Only objects whose names begin so.
    #[arg(long, default_value = "")]
    prefix: String,
    /// What new names begin with.
    #[arg(long, default_value = "")]
    prepend: String,
    /// An extension to change, as OLD=NEW; repeatable.
    #[arg(long, value_name = "OLD=NEW")]
    ext: Vec<String>,
    /// Count only.
    #[arg(long)]
    dry_run: bool,
    /// Start although a job is in the way.
    #[arg(long)]
    force: bool,
    /// Fetch remote objects that have changed.
    #[arg(long)]
    latest: bool,
    /// Delete what is gone from the remote bucket.
    #[arg(long)]
    sync: bool,
    /// Workers per target.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    num_workers: i64,
    /// The ETL to pass through; several, separated by commas, one after the other.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    etl: Vec<String>,
    /// Go on when objects fail.
    #[arg(long)]
    cont_on_err: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(super) async fn run(ais: &Session<'_>, command: &BucketCommand) -> Result<Exit> {
    let printer = ais.context.printer;
    match command {
        BucketCommand::Ls { provider, summary, human } => {
            return ls(ais, *provider, *summary, *human).await;
        }
        BucketCommand::Create { buckets, props, exist_ok } => {
            let props = settings(props)?;
            let create = async |bucket: &Bucket| {
                match exist_ok {
                    true => drop(bucket.create_if_missing(props.clone()).await?),
                    false => bucket.create(props.clone()).await?,
                }
                printer.note(&format!("{} is there", bucket.bck()));
                Ok(())
            };
            return each(ais, ais.buckets(buckets)?, create).await;
        }
        BucketCommand::Rm { buckets, missing_ok } => {
            let delete = async |bucket: &Bucket| {
                match bucket.delete().await {
                    Err(error) if *missing_ok && is_missing(error.kind()) => {}
                    ended => ended?,
                }
                printer.note(&format!("{} is gone", bucket.bck()));
                Ok(())
            };
            return each(ais, ais.buckets(buckets)?, delete).await;
        }
        BucketCommand::Mv { bucket, name, wait } => {
            let bucket = ais.bucket(bucket)?;
            let name = new_bucket_name(bucket.bck(), name)?;
            let renamed = bucket.rename(&name).await?;
            return job::started(ais, &[renamed], wait).await;
        }
        BucketCommand::Show { bucket } => {
            let info = ais.bucket(bucket)?.info(0, false, "").await?;
            let props: Value =
                serde_json::from_str(&info.props).context("the properties of the bucket")?;
            properties(printer, &props)?;
        }
        BucketCommand::Set { bucket, props } => {
            ais.bucket(bucket)?.set_props(&settings(props)?).await?;
        }
        BucketCommand::Reset { bucket } => drop(ais.bucket(bucket)?.reset_props().await?),
        BucketCommand::Summary { bucket, prefix, cached, human } => {
            let summary = ais.bucket(bucket)?.summary(prefix, *cached, true).await?;
            let mut table = summary_table();
            summary_row(&mut table, &summary, *human);
            table.print(printer)?;
        }
        BucketCommand::Cp(args) => return copy(ais, args).await,
        BucketCommand::Evict { bucket, keep_md } => {
            let bucket: Bucket = ais.bucket(bucket)?;
            bucket.evict(*keep_md).await?;
        }
    }
    Ok(Exit::Done)
}

fn is_missing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BucketNotFound | ErrorKind::RemoteBucketNotFound)
}

async fn ls(
    ais: &Session<'_>,
    provider: Option<Provider>,
    with_summary: bool,
    human: bool,
) -> Result<Exit> {
    let mut buckets = ais.client.cluster().list_buckets(provider).await?;
    buckets.sort_by_cached_key(ToString::to_string);
    if !with_summary {
        let mut table = Table::new(&["Bucket"]);
        for bck in buckets {
            table.row(vec![bck.to_string()], json!({"bucket": bck.to_string(), "name": bck.name, "provider": bck.provider.as_str()}));
        }
        table.print(ais.context.printer)?;
        return Ok(Exit::Done);
    }
    let mut table = summary_table();
    for bck in buckets {
        let summary = ais.client.bucket_of(bck).summary("", false, true).await?;
        summary_row(&mut table, &summary, human);
    }
    table.print(ais.context.printer)?;
    Ok(Exit::Done)
}

fn summary_table() -> Table {
    Table::new(&["Bucket", "Objects", "Size", "Smallest", "Average", "Largest", "Used %"])
}

fn summary_row(table: &mut Table, summary: &Summary, human: bool) {
    let shown = |bytes: i64| size(u64::try_from(bytes).unwrap_or_default(), human);
    let (count, total) = (summary.count, summary.total);
    let objects = count.present + count.remote;
    table.row(
        vec![
            summary.bck.to_string(),
            objects.to_string(),
            size(total.present + total.remote, human),
            shown(summary.size.min),
            shown(summary.size.avg),
            shown(summary.size.max),
            summary.used_pct.to_string(),
        ],
        json!({
            "bucket": summary.bck.to_string(),
            "objects": {"present": count.present, "remote": count.remote},
            "size": {"present": total.present, "remote": total.remote, "on_disk": total.on_disk},
            "object_size": {"min": summary.size.min, "avg": summary.size.avg, "max": summary.size.max},
            "used_pct": summary.used_pct,
        }),
    );
}

async fn copy(ais: &Session<'_>, args: &Copy) -> Result<Exit> {
    let (from, to) = (ais.bucket(&args.from)?, ais.bucket(&args.to)?);
    let ext = args.ext.iter().map(|pair| {
        let (old, new) =
            pair.split_once('=').with_context(|| format!("--ext {pair}: expected OLD=NEW"))?;
        Ok((old.to_owned(), new.to_owned()))
    });
    let message = CopyMsg {
        ext: ext.collect::<Result<_>>()?,
        num_workers: args.num_workers,
        coer: args.cont_on_err,
        prefix: args.prefix.clone(),
        prepend: args.prepend.clone(),
        dry_run: args.dry_run,
        force: args.force,
        latest: args.latest,
        synchronize: args.sync,
        ..CopyMsg::default()
    };
    let started = match args.etl.split_first() {
        None => from.copy(&to, &message).await?,
        Some((first, rest)) => {
            let etl = EtlMsg { id: first.clone(), pipeline: rest.to_vec(), ..EtlMsg::default() };
            from.transform(&to, &etl, &message).await?
        }
    };
    job::started(ais, &[started], &args.wait).await
}

/// Properties as JSON, nested where their names have dots. Values are JSON where they can be, else text.
fn settings(pairs: &[String]) -> Result<Value> {
    let mut all = json!({});
    for pair in pairs {
        let (name, value) =
            pair.split_once('=').with_context(|| format!("{pair}: expected NAME=VALUE"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        let mut place = &mut all;
        for part in name.split('.') {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[part];
        }
        *place = value;
    }
    Ok(if pairs.is_empty() { Value::Null } else { all })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_names_nest() {
        let pairs = ["lru.enabled=false", "mirror.copies=2", "lru.dont_evict_time=10m"];
        let settings = settings(&pairs.map(str::to_owned)).unwrap();
        let wanted =
            json!({"lru": {"enabled": false, "dont_evict_time": "10m"}, "mirror": {"copies": 2}});
        assert_eq!(settings, wanted);
    }
}
