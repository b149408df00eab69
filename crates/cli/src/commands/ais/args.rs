//! What `holdall ais` can be told.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::auth::AuthCommand;
use super::bucket::BucketCommand;
use super::cluster::ClusterCommand;
use super::dsort::DsortCommand;
use super::etl::EtlCommand;
use super::job::JobCommand;
use super::object::ObjectCommand;

/// Work with an AIStore cluster: buckets, objects, jobs, nodes, ETLs, dSort, users.
///
/// Buckets are written ais://name, aws://name, gs://name, azure://name, ais://@remote#namespace/name, or as a bare name
/// for ais://name; objects as bucket/key. To move bytes, the other commands take such places as well: `holdall cp data
/// ais://bucket/data -r`.
#[derive(Debug, Args)]
#[command(after_help = "\
Environment: AIS_ENDPOINT, AIS_AUTHN_TOKEN, AIS_AUTHN_TOKEN_FILE, AIS_AUTHN_URL, AIS_CLIENT_CA, AIS_CRT, AIS_CRT_KEY, \
AIS_SKIP_VERIFY_CRT, AIS_CONNECT_TIMEOUT, AIS_READ_TIMEOUT. Options win, and so does --config.")]
pub(crate) struct Ais {
    /// URL of the cluster [default: http://localhost:8080].
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// A file with the token to show: the token itself, or JSON with a `token`.
    #[arg(long, global = true, value_name = "FILE", env = "AIS_AUTHN_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: AisCommand,
}

/// What to work with.
#[derive(Debug, Subcommand)]
pub(crate) enum AisCommand {
    /// Buckets.
    #[command(subcommand, visible_alias = "b")]
    Bucket(BucketCommand),
    /// Objects, as AIStore sees them.
    #[command(subcommand, visible_alias = "o")]
    Object(ObjectCommand),
    /// Jobs.
    #[command(subcommand, visible_alias = "j")]
    Job(JobCommand),
    /// The cluster and its nodes.
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Transformers of objects.
    #[command(subcommand)]
    Etl(EtlCommand),
    /// Shards sorted into new shards.
    #[command(subcommand)]
    Dsort(DsortCommand),
    /// The AuthN service: tokens, users, roles, clusters.
    Auth(AuthArgs),
}

/// `holdall ais auth`.
#[derive(Debug, Args)]
pub(crate) struct AuthArgs {
    /// URL of the service.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "AIS_AUTHN_URL",
        default_value = "http://localhost:52001"
    )]
    pub(crate) authn: String,
    #[command(subcommand)]
    pub(crate) command: AuthCommand,
}

/// Whether to wait for the job that a command starts.
#[derive(Debug, Args, Clone)]
pub(crate) struct WaitArgs {
    /// Wait until the job has ended, and show how far it is. Exit status 3 when it failed.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Longest wait.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = crate::args::duration)]
    pub(crate) timeout: Duration,
}

/// Which objects of a bucket.
#[derive(Debug, Args, Clone)]
#[group(required = true, multiple = false)]
pub(crate) struct SelectArgs {
    /// Names, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) list: Vec<String>,
    /// A template: `shard-{000..999}.tar`, or a prefix.
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) template: Option<String>,
}

impl From<SelectArgs> for holdall::ais::Selection {
    fn from(args: SelectArgs) -> Self {
        Self { objnames: args.list, template: args.template.unwrap_or_default() }
    }
}
