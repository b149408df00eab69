//! A transformer's process: started with limits and in a group of its own, ended with the server.
//!
//! Nothing of a transformer outlives the server, however that ends:
//!
//! * the process is killed by the kernel when the thread that started it ends (`PR_SET_PDEATHSIG`); threads of a runtime
//!   come and go, so one thread of the server's own starts them all;
//! * what the process has started, it may have started as its own group's members: a guard, which waits for the end of a
//!   pipe that only the server holds, kills the whole group;
//! * where the server may make a process namespace, the transformer has one of its own, and the kernel kills all that is
//!   in it with its first process.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::logs::Logs;
use crate::error::{Error, Result};

/// Time between asking a transformer to end and killing it.
const GRACE: Duration = Duration::from_secs(3);

/// The first process of a namespace: signals have no effect on it but those it asks for, and orphans become its
/// children, which nobody expects of a transformer. So this is a shell that waits for the transformer.
const FIRST: &str = "\"$@\" & child=$!; trap 'kill -TERM $child 2>/dev/null' TERM INT; wait $child; status=$?; \
    while kill -0 $child 2>/dev/null; do wait $child; status=$?; done; exit $status";

/// Limits of each process of a transformer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    pub(super) memory_bytes: Option<u64>,
    pub(super) cpu_seconds: Option<u64>,
    pub(super) open_files: Option<u64>,
}

/// What to start.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// The whole environment.
    pub(super) env: Vec<(String, OsString)>,
    pub(super) folder: PathBuf,
    pub(super) limits: Limits,
}

type Order = (Launch, Arc<Logs>, oneshot::Sender<io::Result<Process>>);

/// The thread that starts all transformers.
pub(super) struct Spawner {
    orders: mpsc::Sender<Order>,
}

impl Spawner {
    /// Starts the thread. It ends with this value, and all transformers with it.
    pub(super) fn new() -> Result<Self> {
        let (orders, waiting) = mpsc::channel::<Order>();
        let runtime = tokio::runtime::Handle::current();
        let isolates = isolates();
        std::thread::Builder::new().name("etl-spawner".to_owned()).spawn(move || {
            let _runtime = runtime.enter();
            for (launch, logs, started) in waiting {
                // Who ordered may have gone; then the process is killed at once.
                let _ = started.send(Process::start(&launch, &logs, isolates));
            }
        })?;
        Ok(Self { orders })
    }

    /// Starts a process, whose output goes to `logs`.
    pub(super) async fn start(&self, launch: Launch, logs: &Arc<Logs>) -> Result<Process> {
        let (sender, started) = oneshot::channel();
        let program = launch.program.display().to_string();
        let gone = || Error::internal("transformers are not started any more: the server ends");
        self.orders.send((launch, Arc::clone(logs), sender)).map_err(|_| gone())?;
        started.await.map_err(|_| gone())?.map_err(|e| {
            Error::invalid(format!("cannot start the transformer {program}: {e}")).with_source(e)
        })
    }
}

/// A process that runs. Dropped, it is killed with its group.
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    /// Kills the group when the server has gone.
    guard: Option<Child>,
}

impl Process {
    fn start(launch: &Launch, logs: &Arc<Logs>, isolates: bool) -> io::Result<Self> {
        let mut command = if isolates {
            let mut command = Command::new("unshare");
            command.args(["--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"]);
            command.args(["/bin/sh", "-c", FIRST, "holdall-etl"]).arg(&launch.program);
            command
        } else {
            Command::new(&launch.program)
        };
        command
            .args(&launch.arguments)
            .env_clear()
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&launch.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        prepare(&mut command, launch.limits);
        let mut child = command.spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        for output in [child.stdout.take().map(Output::Out), child.stderr.take().map(Output::Err)]
            .into_iter()
            .flatten()
        {
            let logs = Arc::clone(logs);
            tokio::spawn(async move {
                match output {
                    Output::Out(from) => logs.follow(from).await,
                    Output::Err(from) => logs.follow(from).await,
                }
            });
        }
        let mut process = Self { child, group, guard: None };
        process.guard = process.start_guard()?;
        Ok(process)
    }

    fn start_guard(&self) -> io::Result<Option<Child>> {
        let Some(group) = self.group else { return Ok(None) };
        let mut guard = Command::new("/bin/sh");
        // `read` ends when the server's end of the pipe is closed, which the kernel does whatever kills the server.
        guard.args(["-c", "read -r _; kill -KILL -- \"-$1\"", "holdall-etl-guard"]);
        guard
            .arg(group.as_raw_pid().to_string())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        guard.spawn().map(Some)
    }

    /// The process's id, which is its group's.
    pub(super) fn id(&self) -> Option<i32> {
        self.group.map(Pid::as_raw_pid)
    }

    /// Waits until the process ends by itself; how it did.
    pub(super) async fn ended(&mut self) -> Ended {
        let ended = match self.child.wait().await {
            Ok(status) => Ended::of(status),
            Err(error) => Ended { orderly: false, text: format!("cannot be waited for: {error}") },
        };
        // What it started does not stay behind.
        self.signal(Signal::KILL);
        ended
    }

    /// Asks the group to end, then kills it.
    pub(super) async fn end(mut self) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            self.signal(Signal::KILL);
            let _ = self.child.wait().await;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // None of the group may be there any more.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if let Some(guard) = &mut self.guard {
            // Before its pipe closes, or it would look for a group whose number may be another's by then.
            let _ = guard.start_kill();
        }
    }
}

enum Output {
    Out(tokio::process::ChildStdout),
    Err(tokio::process::ChildStderr),
}

/// How a process ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// By its own will: with status 0, or because it was asked to (SIGTERM, SIGINT).
    pub(super) orderly: bool,
    /// For people: `exited with status 1`.
    pub(super) text: String,
}

impl Ended {
    fn of(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt as _;

        // A shell tells of a signal as a status above 128.
        let signal =
            status.signal().or_else(|| status.code().filter(|c| *c > 128).map(|c| c - 128));
        let asked = [Signal::TERM, Signal::INT].map(Signal::as_raw);
        let orderly = status.success() || signal.is_some_and(|signal| asked.contains(&signal));
        let text = match (signal, status.code()) {
            (Some(signal), _) => format!("was killed by signal {signal}"),
            (None, Some(code)) => format!("exited with status {code}"),
            (None, None) => status.to_string(),
        };
        Self { orderly, text }
    }
}

/// What the child does to itself before it becomes the transformer.
#[expect(unsafe_code, reason = "only the child itself can ask for its parent's death")]
fn prepare(command: &mut Command, limits: Limits) {
    let parent = rustix::process::getpid();
    let set = move || {
        set_limits(limits)?;
        #[cfg(target_os = "linux")]
        {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            if rustix::process::getppid() != Some(parent) {
                // The server ended meanwhile.
                return Err(rustix::io::Errno::SRCH.into());
            }
        }
        Ok(())
    };
    let _ = parent;
    // SAFETY: between fork and exec the closure makes system calls only: it neither allocates nor locks.
    unsafe {
        command.pre_exec(set);
    }
}

fn set_limits(limits: Limits) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let of = [
        (Resource::Data, limits.memory_bytes),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Nofile, limits.open_files),
        // No dumps of other people's data.
        (Resource::Core, Some(0)),
    ];
    for (resource, limit) in of {
        let Some(limit) = limit else { continue };
        let most = getrlimit(resource).maximum.unwrap_or(u64::MAX).min(limit);
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Whether transformers can have a process namespace: `unshare` is there, and the system lets the server.
fn isolates() -> bool {
    let tried = std::process::Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}
