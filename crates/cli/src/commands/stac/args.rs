//! What `holdall stac` can be told.

use std::ffi::OsString;

use clap::{Args, Subcommand, ValueEnum};
use holdall::stac::ClientKind;

use super::oauth::OAuthArgs;
use crate::args::size;

/// Work with STAC items, item collections, collections and catalogs, and with the assets they point to.
///
/// HREF is a file, a URL of any store or server, or `-` (the default) for standard input: JSON, items line by line, or
/// stac-geoparquet. Names of written documents that end with `.parquet` or `.ndjson` get that form.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct Stac {
    /// How much is logged, as stac-asset has it. Errors are always printed; see also --quiet and --verbose.
    #[arg(long, value_name = "LVL", ignore_case = true)]
    pub(crate) verbosity: Option<Verbosity>,
    #[command(subcommand)]
    pub(crate) command: StacCommand,
}

impl Stac {
    /// Whether each asset is to be named as it is done.
    pub(crate) fn is_talkative(&self) -> bool {
        matches!(self.verbosity, Some(Verbosity::Debug | Verbosity::Info))
    }

    /// Whether warnings are to be left out.
    pub(crate) fn is_taciturn(&self) -> bool {
        matches!(self.verbosity, Some(Verbosity::Error | Verbosity::Critical))
    }
}

/// Arguments with `-v LEVEL` before the sub-command, as scripts of stac-asset have it, spelled out: `-v` alone is a switch of all
/// commands here.
pub(crate) fn spelled(mut args: Vec<OsString>) -> Vec<OsString> {
    let command = args.iter().skip(1).position(|arg| arg == "stac").map(|at| at + 1);
    if let Some(at) = command
        && args.get(at + 1).is_some_and(|arg| arg == "-v")
        && let Some(level) = args.get(at + 2).and_then(|arg| arg.to_str())
        && Verbosity::from_str(level, true).is_ok()
    {
        args[at + 1] = "--verbosity".into();
    }
    args
}

/// Python's names of log levels.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum Verbosity {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum StacCommand {
    /// Download assets into a directory and print the document that points to them.
    Download(Download),
    /// Put assets and their document into a store, with sizes and checksums written down.
    Upload(Publish),
    /// Copy assets and their document from store to store, with no local disk in between.
    Copy(Publish),
    /// Show the assets of a document, and whether they exist.
    Info(Info),
    /// Check that assets exist and are what their document says.
    Verify(Verify),
    /// Search a STAC API and print what it finds as one item collection.
    Search(Search),
}

/// Which assets.
#[derive(Debug, Args, Clone, Default)]
#[command(next_help_heading = "Assets")]
pub(crate) struct SelectArgs {
    /// Assets to take, by key or pattern (`B*`); repeatable. Not with --exclude.
    #[arg(short, long, value_name = "KEY")]
    pub(crate) include: Vec<String>,
    /// Assets to leave out, by key or pattern; repeatable.
    #[arg(short = 'x', long, value_name = "KEY")]
    pub(crate) exclude: Vec<String>,
    /// Only assets with this role; repeatable.
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Vec<String>,
    /// Only assets whose media type fits this pattern (`image/*`); repeatable.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) media_type: Vec<String>,
    /// Only assets with a band of this name or common name; repeatable.
    #[arg(long, value_name = "NAME")]
    pub(crate) band: Vec<String>,
    /// Only assets of at most so many bytes (`10MiB`) by their `file:size`, and those that state none.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_size: Option<u64>,
    /// Alternate asset hrefs to prefer, if available; repeatable, in the order of preference.
    #[arg(short, long, value_name = "KEY")]
    pub(crate) alternate_assets: Vec<String>,
    /// Try the other alternates when an href fails.
    #[arg(long)]
    pub(crate) fallback: bool,
}

/// How assets are reached.
#[derive(Debug, Args, Clone)]
#[command(next_help_heading = "Access")]
pub(crate) struct ClientArgs {
    /// The client for every href: http, s3, filesystem, planetary-computer, earthdata, store. Default: by href.
    #[arg(short, long, value_name = "NAME", value_parser = ClientKind::NAMES, hide_possible_values = true)]
    pub(crate) client: Option<String>,
    /// Accept to pay for requests to S3.
    #[arg(long)]
    pub(crate) s3_requester_pays: bool,
    /// Names that stac-asset knows; requests are repeated with growing pauses under each of them.
    #[arg(long, default_value = "adaptive", value_parser = ["adaptive", "standard", "legacy"])]
    pub(crate) s3_retry_mode: String,
    /// Attempts per request to S3 and other stores that assets are read from.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) s3_max_attempts: u32,
    /// The region of the S3 buckets that assets are read from. Default: the bucket is asked.
    #[arg(long, value_name = "REGION")]
    pub(crate) s3_region: Option<String>,
    /// The URL of the S3-compatible service that assets are read from; a target has its own in --target-config.
    #[arg(long, value_name = "URL")]
    pub(crate) s3_endpoint_url: Option<String>,
    /// Attempts per HTTP request.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) http_max_attempts: u32,
    /// Longest silence of an HTTP request in seconds; a body that is moving is never cut.
    #[arg(long, default_value_t = 300.0, value_name = "SECONDS")]
    pub(crate) http_timeout: f64,
    /// A header for every HTTP request, as NAME=VALUE; repeatable. It does not follow redirects to other hosts.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) http_header: Vec<String>,
    /// A media type that is not the asset's is an error; a warning otherwise.
    #[arg(long)]
    pub(crate) http_assert_content_type: bool,
    /// Credentials for an authentication scheme, a HOST or HOST:PORT, as KEY=bearer:TOKEN, KEY=basic:USER:PASSWORD or KEY=key:VALUE;
    /// repeatable. Shells keep their history: the variable HOLDALL_STAC_CREDENTIALS takes the same, one per line.
    #[arg(
        long,
        value_name = "KEY=…",
        env = "HOLDALL_STAC_CREDENTIALS",
        value_delimiter = '\n',
        hide_env_values = true
    )]
    pub(crate) credential: Vec<String>,
    /// Where the Planetary Computer gives tokens.
    #[arg(long, value_name = "URL", env = "PC_SDK_SAS_URL")]
    pub(crate) sas_token_endpoint: Option<String>,
    /// Who gives Earthdata's users keys for S3 (`https://…/s3credentials`). Default: known for NASA's buckets, and for those
    /// whose files the same document has with https hrefs as well.
    #[arg(long, value_name = "URL")]
    pub(crate) earthdata_s3_credentials: Option<String>,
    #[command(flatten)]
    pub(crate) oauth2: OAuthArgs,
}

/// How files are placed and moved.
#[derive(Debug, Args, Clone)]
#[command(next_help_heading = "Moving")]
pub(crate) struct MoveArgs {
    /// The directory of each item: `${collection}/${year}/${id}`. Default `${id}` for item collections.
    #[arg(short, long, value_name = "TEMPLATE")]
    pub(crate) path_template: Option<String>,
    /// How files are called: `file-name` (as in the href), `key`, `local-path` (`file:local_path`), or a template with
    /// `${asset.key}`, `${asset.stem}`, `${asset.ext}`.
    #[arg(long, default_value = "file-name", value_name = "HOW")]
    pub(crate) naming: String,
    /// Slashes in keys make sub-directories; they become underscores otherwise.
    #[arg(long)]
    pub(crate) subdirectories: bool,
    /// Rename files that would overwrite each other; refused otherwise.
    #[arg(long)]
    pub(crate) rename: bool,
    /// Keep assets that failed, with their old hrefs; they are removed from the document otherwise.
    #[arg(short, long)]
    pub(crate) keep: bool,
    /// Stop everything at the first failure.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Write files that exist, and replace directories; they are skipped if they have the length and checksum of the document otherwise.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Transfers at once; 128 at most.
    #[arg(long, default_value_t = 500, value_name = "N")]
    pub(crate) max_concurrent_downloads: usize,
    /// Most memory for files on their way.
    #[arg(long, default_value = "24MiB", value_name = "SIZE", value_parser = size)]
    pub(crate) memory: u64,
    /// Most bytes per second: 10MiB, 1G.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) limit_rate: Option<u64>,
    /// Accepted for scripts of stac-asset; files are never held in memory as a whole.
    #[arg(long, default_value = "defer", value_parser = ["true", "false", "defer"])]
    pub(crate) stream: String,
    /// Do not compare with `file:size` and `file:checksum`.
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Compute this checksum of every file and write it down: sha2-256, blake3, md5, … `upload` computes sha2-256 if nothing
    /// is said; `none` is none.
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) checksum: Option<String>,
    /// Say what would be moved, and move nothing. Lengths that the document does not have are asked for.
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Write what came of each asset into this file, one JSON object per line.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<String>,
    /// Exit with 0 even if assets failed, as stac-asset does.
    #[arg(long)]
    pub(crate) lenient: bool,
    /// All items below a catalog or a collection, and all pages of a search.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Keep the old href of each asset as an alternate of this name.
    #[arg(long, value_name = "NAME")]
    pub(crate) keep_alternate: Option<String>,
    /// Write each item beside its assets, and a catalog.json that links them, all with relative hrefs.
    #[arg(long)]
    pub(crate) self_contained: bool,
}

/// Which assets are reached, and how.
#[derive(Debug, Args, Clone)]
pub(crate) struct AssetArgs {
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Download {
    /// The document; `-` is standard input.
    #[arg(value_name = "HREF")]
    pub(crate) href: Option<String>,
    /// Where to put the files: a local directory or a place in any store. Default: the working directory.
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directory: Option<String>,
    /// Write the document under this name in DIRECTORY; it is printed otherwise.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) file_name: Option<String>,
    /// Keep assets that were not selected in the document.
    #[arg(long)]
    pub(crate) keep_non_downloaded: bool,
    #[command(flatten)]
    pub(crate) assets: AssetArgs,
    #[command(flatten)]
    pub(crate) moving: MoveArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The document; `-` is standard input.
    #[arg(value_name = "HREF")]
    pub(crate) href: String,
    /// Where to put assets and document.
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// The name of the document in TARGET. Default: the id of an item, or item-collection.json, collection.json, catalog.json.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) file_name: Option<String>,
    /// Hrefs in the document as seen from where it is put; absolute otherwise.
    #[arg(long)]
    pub(crate) relative: bool,
    #[command(flatten)]
    pub(crate) assets: AssetArgs,
    #[command(flatten)]
    pub(crate) moving: MoveArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Info {
    /// The document; `-` is standard input.
    #[arg(value_name = "HREF")]
    pub(crate) href: Option<String>,
    /// Show sizes, alternates and what access needs, one line per asset of each item.
    #[arg(short, long)]
    pub(crate) long: bool,
    /// Ask no server: show what the document says.
    #[arg(long)]
    pub(crate) offline: bool,
    /// All items below a catalog or a collection, and all pages of a search.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    #[command(flatten)]
    pub(crate) assets: AssetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The document; `-` is standard input.
    #[arg(value_name = "HREF")]
    pub(crate) href: Option<String>,
    /// Compare lengths only; contents with a `file:checksum` are read otherwise.
    #[arg(long)]
    pub(crate) size_only: bool,
    /// All items below a catalog or a collection, and all pages of a search.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    #[command(flatten)]
    pub(crate) assets: AssetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// The root of a STAC API, its search, or the URL of a page.
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// Only items of this collection; repeatable.
    #[arg(long, value_name = "ID")]
    pub(crate) collection: Vec<String>,
    /// Only these items; repeatable.
    #[arg(long, value_name = "ID")]
    pub(crate) id: Vec<String>,
    /// Only items that touch this box: WEST,SOUTH,EAST,NORTH.
    #[arg(long, value_name = "BOX", allow_hyphen_values = true, value_delimiter = ',')]
    pub(crate) bbox: Vec<f64>,
    /// Only items of this time or span of time: 2024-01-01T00:00:00Z/..
    #[arg(long, value_name = "TIME")]
    pub(crate) datetime: Option<String>,
    /// Only items that touch this GeoJSON geometry.
    #[arg(long, value_name = "JSON")]
    pub(crate) intersects: Option<String>,
    /// A filter in CQL2, as text or JSON.
    #[arg(long, value_name = "CQL2")]
    pub(crate) filter: Option<String>,
    /// Further fields of the search, as a JSON object.
    #[arg(long, value_name = "JSON")]
    pub(crate) body: Option<String>,
    /// Items per page.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Items at most; with --resume, so many more with each run.
    #[arg(long, value_name = "N")]
    pub(crate) max_items: Option<usize>,
    /// Print one item per line.
    #[arg(long, conflicts_with = "output")]
    pub(crate) ndjson: bool,
    /// Write the items to this file or place in any store, in place of printing them: `.parquet` is stac-geoparquet, `.ndjson`
    /// one item per line, all else JSON.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<String>,
    /// Keep in this file where the search stopped, and go on from there if it exists: the same command adds the rest to
    /// what --output has. When a page fails, what was found before is written; for a run that is killed it is written
    /// every second or more.
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}
