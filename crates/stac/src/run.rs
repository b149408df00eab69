//! Runs planned jobs: several at once, in bounded memory, with an outcome for each.

use std::collections::HashMap;
use std::path::Path as FsPath;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use holdall_store::transfer::{Budget, clear_neighbours};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::budget;
use crate::clients::Clients;
use crate::directory::{self, Found};
use crate::error::{Error, Result};
use crate::multihash::{Algorithm, Multihash};
use crate::plan::{Job, Location};
use crate::present::{self, Present};
use crate::transport::{self, Fetched, Wanted, Watch, unknown_checksum, unknown_size};

/// Most transfers at once, whatever is asked for: more connections than this slow each other down.
const MOST_AT_ONCE: usize = 128;

/// Transfers at once in the beginning: they keep a machine busy whose servers are near.
const FIRST_AT_ONCE: usize = 32;

/// How often it is seen whether more at once would help: that is so while fewer end in this time than there are.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How jobs are run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Fetch files that are there already, and replace directories. Default no: what is there and complete is skipped.
    pub overwrite: bool,
    /// Make directories that do not exist. Default yes.
    pub make_directory: bool,
    /// Remove what was received of a small file when its transfer fails. Default yes. Files never get their final name before
    /// they are whole; what was received of a large one stays beside it, hidden, where the next run goes on with it.
    pub clean: bool,
    /// Stop everything at the first failure. Default no.
    pub fail_fast: bool,
    /// Compare with `file:size` and `file:checksum`. Default yes.
    pub verify: bool,
    /// Compute a checksum of every file, also of those that are there already. Default none.
    pub compute: Option<Algorithm>,
    /// Compare what is there already with its source where the document states no checksum that says more: the length where
    /// the document has no `file:size`, and the age where the source is a local file. Default no: what is there is complete.
    pub compare_source: bool,
    /// Whether a document will state the lengths. Then a directory that has files at its target which its source does not have
    /// is a failure, and else a warning; with [`overwrite`](Self::overwrite) such files go. Default no; transfers know it.
    pub describes: bool,
    /// Most transfers at once; 128 at most.
    pub max_concurrent: usize,
    /// What files may use on their way. Default: the limits of the process where they were set
    /// ([`Budget::set_global`]), else 24 MiB of memory.
    pub budget: Option<Budget>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            overwrite: false,
            make_directory: true,
            clean: true,
            fail_fast: false,
            verify: true,
            compute: None,
            compare_source: false,
            describes: false,
            max_concurrent: 500,
            budget: None,
        }
    }
}

/// What happens to one job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// It begins.
    Start,
    /// Its file is being read, from this place and with this length in bytes.
    Open(String, Option<u64>),
    /// So many more bytes are written; negative when it starts anew.
    Write(i64),
    /// It is done.
    Finish,
    /// Its file is there already.
    Skip,
    /// It failed.
    Error(Error),
}

/// Takes what happens, by the number of the job. Called from many threads; it must not block.
pub type Observer = Arc<dyn Fn(usize, Event) + Send + Sync>;

/// A job that was done.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Bytes of the file, or of all files of a directory.
    pub bytes: u64,
    /// How many files it is, for directories.
    pub files: Option<u64>,
    /// Whether it was there already.
    pub skipped: bool,
    /// Whether the service made the copy, with no byte passing through this process.
    pub server_side: bool,
    /// The checksum, where one was computed.
    pub checksum: Option<Multihash>,
    /// The media type that the server gave.
    pub media_type: Option<String>,
    /// What is suspicious, but no failure.
    pub warning: Option<Error>,
}

/// What came of a job.
pub type Outcome = Result<Done>;

/// Runs `jobs` and returns an outcome for each, in their order.
///
/// # Errors
/// With [`RunOptions::fail_fast`], the first failure; everything else is cancelled then, and nothing partial is shown.
pub async fn run(
    clients: &Clients,
    jobs: Arc<Vec<Job>>,
    options: &RunOptions,
    observer: Observer,
) -> Result<Vec<Outcome>> {
    let limit = options.max_concurrent.clamp(1, MOST_AT_ONCE);
    let first = limit.min(FIRST_AT_ONCE);
    let work = Arc::new(Work {
        order: (0..jobs.len()).filter(|&at| jobs[at].same_as.is_none()).collect(),
        next: AtomicUsize::new(0),
        ended: AtomicUsize::new(0),
        turns: Semaphore::new(first),
        is_fresh: is_fresh(&jobs),
        clients: clients.clone(),
        jobs: jobs.clone(),
        options: options.clone(),
        observer: observer.clone(),
    });
    let mut outcomes: HashMap<usize, Outcome> = HashMap::with_capacity(jobs.len());
    // Dropping the set aborts what is in it.
    let mut workers: JoinSet<Result<Vec<(usize, Outcome)>>> = JoinSet::new();
    for _ in 0..limit.min(work.order.len()) {
        workers.spawn(worker(work.clone()));
    }
    let (mut admitted, mut seen) = (first, 0);
    // The first files wait for connections, however near their servers are.
    let mut look = interval_at(Instant::now() + 2 * LOOK_EVERY, LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let ended = tokio::select! {
            ended = workers.join_next() => ended,
            _ = look.tick(), if admitted < limit => {
                let now = work.ended.load(Relaxed);
                // They wait for servers that are far away, or for much data.
                if now - seen < admitted {
                    let more = admitted.min(limit - admitted);
                    work.turns.add_permits(more);
                    admitted += more;
                }
                seen = now;
                continue;
            }
        };
        match ended {
            None => break,
            Some(Ok(Ok(ended))) => outcomes.extend(ended),
            Some(Ok(Err(error))) => {
                workers.shutdown().await;
                return Err(error);
            }
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(_)) => {}
        }
    }
    let outcome = |at: usize| {
        let first = jobs[at].same_as.unwrap_or(at);
        let outcome = outcomes.get(&first).cloned().unwrap_or_else(|| {
            let detail = "it did not run";
            Err(Error::new(crate::ErrorKind::Store, "download", jobs[at].href(), detail))
        });
        if first != at {
            let event = match &outcome {
                Ok(_) => Event::Skip,
                Err(error) => Event::Error(error.clone()),
            };
            observer(at, event);
        }
        outcome
    };
    Ok((0..jobs.len()).map(outcome).collect())
}

/// What the workers of a run share.
struct Work {
    /// The numbers of the jobs that are run.
    order: Vec<usize>,
    next: AtomicUsize,
    ended: AtomicUsize,
    /// A worker that has one runs jobs until there are no more.
    turns: Semaphore,
    /// Whether no file can be there already.
    is_fresh: bool,
    clients: Clients,
    jobs: Arc<Vec<Job>>,
    options: RunOptions,
    observer: Observer,
}

/// Runs one job after the other. The error is that of a job which was to end everything.
async fn worker(work: Arc<Work>) -> Result<Vec<(usize, Outcome)>> {
    let mut outcomes = Vec::new();
    // Nobody closes the semaphore.
    let _turn = work.turns.acquire().await;
    while let Some(&at) = work.order.get(work.next.fetch_add(1, Relaxed)) {
        let (job, options) = (&work.jobs[at], &work.options);
        match one(&work, at, job, options).await {
            Err(error) if options.fail_fast => return Err(error),
            outcome => outcomes.push((at, outcome)),
        }
        work.ended.fetch_add(1, Relaxed);
    }
    Ok(outcomes)
}

async fn one(work: &Work, at: usize, job: &Job, options: &RunOptions) -> Outcome {
    let observer = &work.observer;
    if let Some(error) = &job.refused {
        observer(at, Event::Error(error.clone()));
        return Err(error.clone());
    }
    if !(options.overwrite || work.is_fresh)
        && let Some(Present { bytes, checksum }) =
            present::complete(&work.clients, job, options).await
    {
        if let Some(path) = job.target.local() {
            clear_neighbours(path);
        }
        observer(at, Event::Skip);
        let warning = uncompared(job, options);
        return Ok(Done { bytes, skipped: true, checksum, warning, ..Done::default() });
    }
    if !options.make_directory {
        // Nothing begins, and no server is asked, where there is no place for the file.
        check_directory(job)?;
    }
    observer(at, Event::Start);
    let fetched = fetch(work, at, job).await;
    observer(
        at,
        match &fetched {
            Ok(fetched) if fetched.skipped => Event::Skip,
            Ok(_) => Event::Finish,
            Err(error) => Event::Error(error.clone()),
        },
    );
    let Fetched { bytes, files, skipped, checksum, server_side, media_type, warning } = fetched?;
    let warning = warning.or_else(|| uncompared(job, options));
    Ok(Done { bytes, files, skipped, server_side, checksum, media_type, warning })
}

/// What is to be said of a length or a checksum that was not compared.
fn uncompared(job: &Job, options: &RunOptions) -> Option<Error> {
    if !options.verify {
        return None;
    }
    let size = job.unknown_size.as_deref().map(|written| unknown_size(job.href(), written));
    let written = job.unknown_checksum.as_deref();
    size.or_else(|| written.map(|written| unknown_checksum(job.href(), written)))
}

fn check_directory(job: &Job) -> Result<()> {
    let parent = job.target.local().and_then(FsPath::parent);
    let Some(parent) = parent.filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir())
    else {
        return Ok(());
    };
    let detail = format!("output directory does not exist: {}", parent.display());
    Err(Error::new(crate::ErrorKind::Directory, "write", job.target.href(), detail))
}

struct Watcher(usize, Observer);

impl Watch for Watcher {
    fn opened(&self, name: &str, size: Option<u64>) {
        (self.1)(self.0, Event::Open(name.to_owned(), size));
    }

    fn moved(&self, bytes: i64) {
        if bytes != 0 {
            (self.1)(self.0, Event::Write(bytes));
        }
    }

    fn detached(&self) -> Box<dyn Watch> {
        Box::new(Self(self.0, self.1.clone()))
    }
}

async fn fetch(work: &Work, at: usize, job: &Job) -> Result<Fetched> {
    let options = &work.options;
    let wanted = Wanted {
        media_type: job.media_type.clone(),
        size: job.size.filter(|_| options.verify),
        checksum: job.checksum.clone().filter(|_| options.verify),
        compute: options.compute,
        make_directory: options.make_directory,
        budget: options.budget.clone().unwrap_or_else(budget::default),
        keep_partial: !options.clean,
        describes: options.describes,
        replaces: options.overwrite,
    };
    let watcher = Watcher(at, work.observer.clone());
    let mut first = None;
    for location in &job.sources {
        match fetch_from(work, location, job, &wanted, &watcher).await {
            Ok(fetched) => return Ok(fetched),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| {
        Error::new(crate::ErrorKind::Href, "download", job.target.href(), "there is no href")
    }))
}

/// From one place: a file, or all that a directory holds.
async fn fetch_from(
    work: &Work,
    location: &Location,
    job: &Job,
    wanted: &Wanted,
    watch: &dyn Watch,
) -> Result<Fetched> {
    let clients = &work.clients;
    let file = async {
        let ways = clients.ways(location).await?;
        transport::fetch(&ways, &job.target, wanted, watch).await
    };
    match directory::or_file(clients, location, job.media_type.as_deref(), file).await? {
        Found::File(fetched) => Ok(fetched),
        Found::Directory(found) => {
            let below = |other: &Job| other.target.key_below(&job.target);
            let assets = || work.jobs.iter().filter_map(below).collect();
            let overwrite = work.options.overwrite;
            Box::pin(found.copy_to(&job.target, wanted, overwrite, &assets, watch)).await
        }
    }
}

/// Whether all files go into one directory that does not exist: none of them has to be looked for.
fn is_fresh(jobs: &[Job]) -> bool {
    let mut common: Option<&FsPath> = None;
    for job in jobs {
        let Some(parent) = job.target.local().and_then(FsPath::parent) else { return false };
        let mut shared = common.unwrap_or(parent);
        while !parent.starts_with(shared) {
            let Some(above) = shared.parent() else { return false };
            shared = above;
        }
        common = Some(shared);
    }
    // An empty path is the working directory.
    let found = common.filter(|path| !path.as_os_str().is_empty()).map(FsPath::symlink_metadata);
    found.is_some_and(|found| found.is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;

    fn jobs(targets: &[&str], dir: &FsPath) -> Vec<Job> {
        let job = |target: &&str| Job {
            object: 0,
            owner: None,
            key: String::new(),
            sources: Vec::new(),
            target: Place::Local(dir.join(target)),
            media_type: None,
            size: None,
            unknown_size: None,
            checksum: None,
            unknown_checksum: None,
            same_as: None,
            refused: None,
        };
        targets.iter().map(job).collect()
    }

    #[test]
    fn files_are_looked_for_wherever_one_can_be() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("there")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
        for (targets, fresh) in [
            (&["out/a/x", "out/b/y", "out/z"][..], true),
            (&["out/a/x", "out/a/y"], true),
            (&["out/x", "outer/y"], false),
            (&["there/x"], false),
            (&["there/new/x", "there/new/y"], true),
            (&["there/new/x", "there/y"], false),
            (&["link/x"], false),
            (&[], false),
        ] {
            assert_eq!(is_fresh(&jobs(targets, dir.path())), fresh, "{targets:?}");
        }
        assert!(!is_fresh(&jobs(&["x"], FsPath::new(""))));
    }
}
