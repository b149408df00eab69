//! What the command line can say.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::auth::AuthArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use holdall::ais_server::{Backend, Fsync};
use holdall::store::transfer::{Budget, Filter, Limits, Transfer, TransferOptions, Verify};

/// Move bytes between object stores, HTTP servers and local files.
///
/// A place is a URL (s3://bucket/key, gs://, az://, abfs://, https://, file://, memory://) or a plain path; `-` is
/// standard input or output. A trailing slash says "directory".
///
/// Exit status: 0 done; 1 failed; 2 wrong usage; 3 at least one object failed, the others were done; 130 interrupted, 143 told to end.
#[derive(Debug, Parser)]
#[command(name = "holdall", version, max_term_width = 100)]
#[command(after_help = "\
Environment: AWS_*, GOOGLE_* and AZURE_* give settings of stores, as --config does (--config wins). NO_COLOR turns \
colours off.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of all commands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Common {
    /// Print one JSON object per line, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print errors only.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Print each object as it is done.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// A setting of the stores, as KEY=VALUE: `endpoint=…`, `region=…`, `allow_http=true`; repeatable.
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) config: Vec<(String, String)>,
    /// A setting of the source alone; repeatable.
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) source_config: Vec<(String, String)>,
    /// A setting of the target alone; repeatable.
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) target_config: Vec<(String, String)>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A span of time such as `1h`, `30m`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| e.to_string())
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List objects.
    Ls(Ls),
    /// Write objects to standard output.
    Cat(Cat),
    /// Describe objects.
    Stat(Stat),
    /// Add up sizes.
    Du(Du),
    /// List the objects whose keys match a pattern.
    Find(Find),
    /// Copy from a store to local files.
    Get(Get),
    /// Copy local files to a store.
    Put(Put),
    /// Copy objects.
    Cp(Copy),
    /// Move objects: copy, check, then delete the source.
    Mv(Copy),
    /// Delete objects.
    Rm(Rm),
    /// Make a target like a source, copying only what differs.
    Sync(Sync),
    /// Make presigned URLs.
    Sign(Sign),
    /// Work with STAC items and their assets.
    Stac(Box<crate::commands::stac::args::Stac>),
    /// Work with an AIStore cluster.
    Ais(Box<crate::commands::ais::args::Ais>),
    /// Measure a store: writing, reading, listing, deleting.
    Bench(Bench),
    /// Serve AIStore's API from a folder, or from memory.
    Serve(Box<Serve>),
    /// Print completions for a shell.
    Completions(Completions),
}

/// A text that is never printed.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// A server for one machine: the official clients of AIStore work with it unchanged.
///
/// It prints its URL, and then runs until it is told to stop (Ctrl-C or SIGTERM): then requests have ten seconds to end.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Keep everything in this folder, which is made if it is not there; without it, in memory.
    #[arg(long, value_name = "DIR", env = "HOLDALL_SERVE_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Listen here; port 0 takes a free one. Without --auth, any address but loopback lets everybody who reaches it
    /// read and write.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "HOLDALL_SERVE_LISTEN",
        default_value = "127.0.0.1:8080"
    )]
    pub(crate) listen: SocketAddr,
    /// What survives a loss of power. always: all that was acknowledged. commit: names and properties that were
    /// acknowledged, and contents once the system has written them, within half a minute; a content that was lost is
    /// reported when it is read. never: perhaps nothing. A killed process loses nothing acknowledged in any mode.
    #[arg(long, value_name = "always|commit|never", default_value = "commit")]
    pub(crate) fsync: Fsync,
    /// Serve HTTPS with this certificate chain, a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's key, a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Host that clients reach the server by, where it is not the address it listens on.
    #[arg(long, value_name = "HOST")]
    pub(crate) public_host: Option<String>,
    /// Most connections at once; more wait.
    #[arg(long, value_name = "NUMBER", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: u32,
    /// Folder of this machine whose files clients may promote to objects.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/ais/promote")]
    pub(crate) promote_root: PathBuf,
    /// Access key that requests to /s3 must be signed with; without any, every signature is accepted.
    #[arg(
        long,
        value_name = "KEY",
        env = "HOLDALL_S3_ACCESS_KEY",
        hide_env_values = true,
        requires = "s3_secret_key"
    )]
    pub(crate) s3_access_key: Option<String>,
    /// The secret of that access key. Other users of the machine see arguments: the variable and --s3-keys are safer.
    #[arg(
        long,
        value_name = "SECRET",
        env = "HOLDALL_S3_SECRET_KEY",
        hide_env_values = true,
        requires = "s3_access_key"
    )]
    pub(crate) s3_secret_key: Option<Secret>,
    /// File with such keys: an access key, a space and a secret a line.
    #[arg(long, value_name = "FILE", env = "HOLDALL_S3_KEYS")]
    pub(crate) s3_keys: Option<PathBuf>,
    /// Let clients use buckets of a backend: aws, gcp, azure, ht, or `ais,alias=NAME,endpoint=URL` for another cluster.
    /// Settings follow after commas, as in `aws,endpoint=http://localhost:9000,region=us-east-1`; what they do not say is
    /// looked up in the environment, where secrets belong. May be given more than once.
    #[arg(
        long = "backend",
        value_name = "NAME[,KEY=VALUE…]",
        env = "HOLDALL_SERVE_BACKENDS",
        value_delimiter = ';'
    )]
    pub(crate) backends: Vec<Backend>,
    /// Keep no more than this of what backends have, as in 20GiB: what was read longest ago goes first. Without it, the
    /// shares below are those of the disk.
    #[arg(long, value_name = "SIZE", env = "HOLDALL_SERVE_CACHE_SIZE", value_parser = size)]
    pub(crate) cache_size: Option<u64>,
    /// Begin to evict above this share.
    #[arg(long, value_name = "PERCENT", default_value_t = 90, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) cache_high: u8,
    /// Evict down to this share [default: 75, or that of --cache-high where it is lower].
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) cache_low: Option<u8>,
    /// What to log to standard error: error, warn, info, debug or trace, or a filter such as `holdall_ais_server=debug`.
    #[arg(long, value_name = "FILTER", env = "HOLDALL_LOG", default_value = "info")]
    pub(crate) log: String,
    // Their headings hold for all that follows.
    #[command(flatten)]
    pub(crate) etl: ServeEtl,
    #[command(flatten)]
    pub(crate) auth: AuthArgs,
    /// Let things go wrong on purpose, as this file says (TOML, or JSON in a .json): delays, errors, bodies that are cut or
    /// damaged, wrong ranges, stale versions. For tests of clients; see docs/faults.md.
    #[arg(long, value_name = "FILE", help_heading = "Tests of clients")]
    pub(crate) faults: Option<PathBuf>,
}

/// Transformers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Transformers (ETL)")]
pub(crate) struct ServeEtl {
    /// Let clients start transformers: programs on this machine that run with the server's rights. Whoever may make an
    /// ETL may do what the server's user may do.
    #[arg(long, env = "HOLDALL_SERVE_ALLOW_ETL")]
    pub(crate) allow_etl: bool,
    /// The Python for classes that clients send; else that of the active environment, or the client's version on the PATH.
    #[arg(long, value_name = "PROGRAM", requires = "allow_etl")]
    pub(crate) etl_python: Option<PathBuf>,
    /// A command of this machine that stands for a container image; {port} in it is where to listen. May be repeated.
    #[arg(long, value_name = "IMAGE=COMMAND", requires = "allow_etl", value_parser = image)]
    pub(crate) etl_image: Vec<(String, Vec<String>)>,
    /// Most memory of each process of a transformer, such as 2GiB.
    #[arg(long, value_name = "SIZE", requires = "allow_etl", value_parser = size)]
    pub(crate) etl_memory: Option<u64>,
    /// Most processor time of each process of a transformer, which is started anew after it.
    #[arg(long, value_name = "SECONDS", requires = "allow_etl")]
    pub(crate) etl_cpu_seconds: Option<u64>,
    /// Most open files of each process of a transformer.
    #[arg(long, value_name = "NUMBER", default_value_t = 4096)]
    pub(crate) etl_open_files: u64,
    /// A variable of the server's environment that transformers see. May be repeated.
    #[arg(long, value_name = "NAME", requires = "allow_etl")]
    pub(crate) etl_env: Vec<String>,
}

fn image(text: &str) -> Result<(String, Vec<String>), String> {
    let (image, command) = text.split_once('=').ok_or("expecting IMAGE=COMMAND")?;
    let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    if image.is_empty() || command.is_empty() {
        return Err("expecting IMAGE=COMMAND".to_owned());
    }
    Ok((image.to_owned(), command))
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// What to list; a place without a trailing slash may name one object.
    pub(crate) place: String,
    /// List everything below.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Show size and time.
    #[arg(short, long)]
    pub(crate) long: bool,
    /// Show sizes as 1.2 MiB.
    #[arg(short = 'H', long)]
    pub(crate) human: bool,
    /// Show all versions.
    #[arg(long, conflicts_with = "recursive")]
    pub(crate) versions: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Cat {
    /// The objects.
    #[arg(required = true)]
    pub(crate) places: Vec<String>,
    /// Only this range, as START-END (both in bytes, the end inclusive), START- or -LENGTH.
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(crate) range: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// The objects.
    #[arg(required = true)]
    pub(crate) places: Vec<String>,
    /// Show tags too.
    #[arg(long)]
    pub(crate) tags: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Du {
    /// Below what.
    pub(crate) place: String,
    /// One line per directory down to this depth.
    #[arg(short, long, default_value_t = 0)]
    pub(crate) depth: usize,
    /// Show sizes as 1.2 MiB.
    #[arg(short = 'H', long)]
    pub(crate) human: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Find {
    /// Below what.
    pub(crate) place: String,
    /// The pattern: `*` within a segment, `**` across segments, `{a,b}`, `[a-z]`.
    #[arg(default_value = "**")]
    pub(crate) pattern: String,
    /// Show size and time.
    #[arg(short, long)]
    pub(crate) long: bool,
    /// Show sizes as 1.2 MiB.
    #[arg(short = 'H', long)]
    pub(crate) human: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The object or, with --recursive, the prefix.
    pub(crate) source: String,
    /// A local file or directory; `-` is standard output.
    #[arg(default_value = ".")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// A local file or, with --recursive, a directory; `-` is standard input.
    pub(crate) source: String,
    /// Where to write.
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// The object or, with --recursive, the prefix; `-` is standard input.
    pub(crate) source: String,
    /// Where to write: a key, or a directory (with a trailing slash, or an existing local one); `-` is standard output.
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
}

/// Options of commands that copy.
#[derive(Debug, Args, Clone)]
pub(crate) struct TransferArgs {
    /// Everything below the source.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Say what would be done, and do nothing.
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Leave objects that exist; they count as failed.
    #[arg(long)]
    pub(crate) no_clobber: bool,
    /// Check content against the checksum that the source states, and fail where it states none.
    #[arg(long, conflicts_with = "no_verify")]
    pub(crate) checksum: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// How bytes are moved.
#[derive(Debug, Args, Clone)]
pub(crate) struct EngineArgs {
    /// Objects at once.
    #[arg(long, default_value_t = TransferOptions::default().workers, value_name = "N", value_parser = at_least_one)]
    pub(crate) workers: usize,
    /// Requests at once for one object.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = at_least_one)]
    pub(crate) parts: usize,
    /// Bytes of a part: 8MiB, 64M. Smaller objects are moved by one request [default: 8MiB; large objects are read in
    /// parts of up to 32MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) part_size: Option<u64>,
    /// Most memory for objects on their way.
    #[arg(long, default_value = "256MiB", value_name = "SIZE", value_parser = size)]
    pub(crate) memory: u64,
    /// Most bytes per second: 10MiB, 1G.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) limit_rate: Option<u64>,
    /// Go on with what an interrupted run of this command has left, and keep what this one leaves.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Check lengths only, not the checksums that the source states.
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Force files to the disk before they take their name.
    #[arg(long)]
    pub(crate) fsync: bool,
}

impl EngineArgs {
    /// The engine that works this way, within a budget of its own.
    pub(crate) fn transfer(&self) -> Transfer {
        let limits =
            Limits::default().with_memory_bytes(self.memory).with_bytes_per_second(self.limit_rate);
        let verify = if self.no_verify { Verify::Length } else { Verify::Checksum };
        let options = TransferOptions::default()
            .with_workers(self.workers)
            .with_parts(self.parts)
            .with_resume(self.resume)
            .with_verify(verify)
            .with_fsync(self.fsync);
        let options = match self.part_size {
            Some(bytes) => options.with_part_bytes(bytes),
            None => options,
        };
        Transfer::new().with_budget(Budget::new(limits)).with_options(options)
    }
}

/// What is measured.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Below what; a prefix of its own is made there, and removed at the end.
    pub(crate) place: String,
    /// Bytes of an object, several with commas.
    #[arg(long, value_delimiter = ',', default_value = "4KiB,1MiB,64MiB", value_name = "SIZE", value_parser = size)]
    pub(crate) sizes: Vec<u64>,
    /// Objects at once, several with commas.
    #[arg(long, value_delimiter = ',', default_value = "1,16", value_name = "N", value_parser = at_least_one)]
    pub(crate) concurrency: Vec<usize>,
    /// How long each measurement takes, at most.
    #[arg(long, default_value = "3s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// How much each measurement moves, at most: what is written lies there until the end.
    #[arg(long, default_value = "512MiB", value_name = "SIZE", value_parser = size)]
    pub(crate) max_bytes: u64,
    /// Requests at once for one object.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = at_least_one)]
    pub(crate) parts: usize,
    /// Bytes of a part. Smaller objects are moved by one request.
    #[arg(long, default_value = "8MiB", value_name = "SIZE", value_parser = size)]
    pub(crate) part_size: u64,
    /// Most memory for objects on their way.
    #[arg(long, default_value = "1GiB", value_name = "SIZE", value_parser = size)]
    pub(crate) memory: u64,
    /// Check lengths only, not the checksums that the store states.
    #[arg(long)]
    pub(crate) no_verify: bool,
}

/// A number of things at once.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a whole number, 1 or more".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// A number of bytes with an optional unit: `k`, `M`, `G`, `T` and their `iB` forms are powers of 1024, `kB` and so on
/// of 1000.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim().to_ascii_lowercase());
    let letter = unit.chars().next();
    let power = match letter {
        None | Some('b') => 0,
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some(_) => return Err(format!("`{unit}` is no unit of bytes: use k, M, G or T")),
    };
    let base: f64 = match unit.get(1..).unwrap_or_default() {
        _ if power == 0 => 1.0,
        "" | "ib" => 1024.0,
        "b" => 1000.0,
        _ => return Err(format!("`{unit}` is no unit of bytes: use k, M, G or T")),
    };
    let number: f64 = number.parse().map_err(|_| "give a number of bytes, e.g. 8MiB".to_owned())?;
    let bytes = number * base.powi(power);
    if bytes < 1.0 {
        return Err("give at least one byte".to_owned());
    }
    Ok(bytes as u64)
}

fn pattern(text: &str) -> Result<String, String> {
    let known = Filter::new().include(text);
    known.map(|_| text.to_owned()).map_err(|error| error.detail().to_owned())
}

/// Which keys take part. The first rule that matches decides; inclusions come before exclusions.
#[derive(Debug, Args, Clone, Default)]
pub(crate) struct FilterArgs {
    /// Take in keys that match; alone, only these; repeatable.
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    pub(crate) include: Vec<String>,
    /// Leave out keys that match, unless an inclusion takes them in; repeatable.
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    pub(crate) exclude: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// The objects or, with --recursive, prefixes.
    #[arg(required = true)]
    pub(crate) places: Vec<String>,
    /// Everything below.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Say what would be done, and do nothing.
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Do not mind objects that do not exist.
    #[arg(short, long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// The directory or prefix to copy.
    pub(crate) source: String,
    /// The directory or prefix to be made like it.
    pub(crate) target: String,
    /// Delete in the target what the source does not have, after everything was copied without an error.
    #[arg(long)]
    pub(crate) delete: bool,
    /// Compare content: by MD5 entity tags where both sides have them, by reading otherwise.
    #[arg(long, conflicts_with_all = ["size_only", "etag"])]
    pub(crate) checksum: bool,
    /// Compare sizes and entity tags, for what was copied inside one service.
    #[arg(long, conflicts_with = "size_only")]
    pub(crate) etag: bool,
    /// Compare sizes alone.
    #[arg(long)]
    pub(crate) size_only: bool,
    /// Say what would be done, and do nothing.
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// The method of a presigned request.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum SignMethod {
    Get,
    Put,
    Head,
    Delete,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The objects.
    #[arg(required = true)]
    pub(crate) places: Vec<String>,
    /// How long the URLs are valid: 15m, 1h, 7d.
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub(crate) expires: Duration,
    /// The method they are for.
    #[arg(long, default_value = "GET", ignore_case = true)]
    pub(crate) method: SignMethod,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: Shell,
}
