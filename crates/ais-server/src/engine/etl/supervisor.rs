//! One ETL: its processes are started, watched, started anew after a crash, and stopped.
//!
//! A process that ends by its own will ends its ETL, as a pod that has run to completion does in AIStore. One that crashes
//! is started anew; [`CRASHES`] of each process in a row without an object in between end the ETL.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time;
use holdall_ais_wire::etl::{Info, InitMsg, MAX_OBJECT_ERRORS, ObjectError, Stage};
use holdall_ais_wire::job::kind;
use tokio::net::TcpListener;
use tokio::sync::{RwLock, watch};
use tokio::time::Instant;

use super::launch::Plan;
use super::logs::Logs;
use super::process::Process;
use super::socket::Socket;
use super::{Allowed, stage_name};
use crate::engine::random;
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::{Job, Jobs, NewJob};

/// Crashes in a row for each process, with no object transformed in between, after which an ETL is given up.
pub(super) const CRASHES: u32 = 5;
/// Status for what a transformer did not do. Not of the 500s: clients send those again, for minutes, after the server has
/// tried enough.
pub(super) const FAILED: u16 = 424;
/// A process that has been well for this long has not crashed "in a row".
const WELL: Duration = Duration::from_secs(60);
/// Time between two looks at a process that starts.
const LOOK: Duration = Duration::from_millis(50);
/// Jobs whose object errors are kept.
const JOBS: usize = 64;
/// Lines of output in the error of a process that did not start.
const TAIL: usize = 12;

/// One ETL.
pub(crate) struct Etl {
    message: InitMsg,
    plan: Plan,
    /// Lets its transformer, and nobody else, fetch and deliver.
    secret: String,
    logs: Arc<Logs>,
    state: Mutex<State>,
    /// Told whenever something of the state has changed.
    changed: watch::Sender<u64>,
    /// Whether it is to run again after a restart of the server.
    wanted: AtomicBool,
    /// Crashes since the last object.
    crashes: AtomicU32,
    objects: AtomicI64,
    in_bytes: AtomicI64,
    out_bytes: AtomicI64,
    errors: Mutex<Failures>,
    /// Objects are transformed side by side; one that may have killed the transformer goes alone.
    pub(super) alone: RwLock<()>,
}

/// Objects that were not transformed, by job, and the jobs, the oldest first; inline ones under the empty name.
#[derive(Default)]
struct Failures {
    by_job: HashMap<String, Vec<ObjectError>>,
    order: VecDeque<String>,
}

struct State {
    stage: Stage,
    /// Why it does not run.
    why: String,
    job: Option<Job>,
    replicas: Vec<Arc<Replica>>,
    stop: watch::Sender<bool>,
    tending: Vec<tokio::task::JoinHandle<()>>,
}

/// One process, over all its lives.
pub(super) struct Replica {
    life: Mutex<Life>,
    /// Objects that it has.
    busy: AtomicUsize,
    /// Web sockets that wait for an object, of this life.
    sockets: Mutex<Vec<(u64, Socket)>>,
}

#[derive(Clone, Copy, Default)]
struct Life {
    /// How many there were before.
    number: u64,
    /// Where it listens; none while it is not ready.
    port: Option<u16>,
    /// The group of its processes.
    group: Option<i32>,
}

/// An object's turn at a process.
pub(super) struct Turn {
    etl: Arc<Etl>,
    replica: Arc<Replica>,
    life: u64,
    pub(super) port: u16,
}

/// How a life ended.
enum End {
    Stopped,
    /// It cannot run at all.
    Fatal(Error),
    Crashed(String),
}

impl Etl {
    pub(super) fn new(message: InitMsg, plan: Plan) -> Result<Arc<Self>> {
        let secret = format!("{}{}", random::word()?, random::word()?);
        Ok(Arc::new(Self {
            message,
            plan,
            secret,
            logs: Arc::default(),
            state: Mutex::new(State {
                stage: Stage::Aborted,
                why: "it was not started".to_owned(),
                job: None,
                replicas: Vec::new(),
                stop: watch::channel(false).0,
                tending: Vec::new(),
            }),
            changed: watch::channel(0).0,
            wanted: AtomicBool::new(false),
            crashes: AtomicU32::new(0),
            objects: AtomicI64::new(0),
            in_bytes: AtomicI64::new(0),
            out_bytes: AtomicI64::new(0),
            errors: Mutex::default(),
            alone: RwLock::default(),
        }))
    }

    pub(super) fn name(&self) -> &str {
        &self.plan.name
    }

    pub(super) fn message(&self) -> &InitMsg {
        &self.message
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn logs(&self) -> &Logs {
        &self.logs
    }

    pub(super) fn is_secret(&self, secret: &str) -> bool {
        // Every byte is looked at, so that the time says nothing.
        constant_time::verify_slices_are_equal(secret.as_bytes(), self.secret.as_bytes()).is_ok()
    }

    pub(super) fn stage(&self) -> Stage {
        self.state().stage
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub(super) fn set_wanted(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
    }

    /// As lists show it.
    pub(super) fn info(&self) -> Info {
        let state = self.state();
        Info {
            id: self.name().to_owned(),
            stage: state.stage,
            xaction_id: state.job.as_ref().map(|job| job.id().to_owned()).unwrap_or_default(),
            obj_count: self.objects.load(Ordering::Relaxed),
            in_bytes: self.in_bytes.load(Ordering::Relaxed),
            out_bytes: self.out_bytes.load(Ordering::Relaxed),
        }
    }

    /// `Running`, `Running (1 of 2 processes)`, or the stage and why.
    pub(super) fn health(&self) -> String {
        let state = self.state();
        let ready = state.replicas.iter().filter(|replica| replica.life().port.is_some()).count();
        match state.stage {
            Stage::Running if ready == state.replicas.len() => "Running".to_owned(),
            Stage::Running => format!("Running ({ready} of {} processes)", state.replicas.len()),
            stage if state.why.is_empty() => stage_name(stage).to_owned(),
            stage => format!("{}: {}", stage_name(stage), state.why),
        }
    }

    /// The groups of its processes.
    pub(super) fn groups(&self) -> Vec<i32> {
        self.state().replicas.iter().filter_map(|replica| replica.life().group).collect()
    }

    /// An object was transformed.
    pub(super) fn done(&self, read: u64, written: u64) {
        self.crashes.store(0, Ordering::Relaxed);
        let add = |to: &AtomicI64, bytes| {
            to.fetch_add(i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
        };
        self.objects.fetch_add(1, Ordering::Relaxed);
        add(&self.in_bytes, read);
        add(&self.out_bytes, written);
        if let Some(job) = &self.state().job {
            job.count(written);
        }
    }

    /// An object was not transformed: in a job, or inline when there is none.
    pub(super) fn failed(&self, job: &str, object: String, error: &Error) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let Failures { by_job, order } = &mut *errors;
        if !by_job.contains_key(job) {
            if order.len() >= JOBS
                && let Some(oldest) = order.pop_front()
            {
                by_job.remove(&oldest);
            }
            order.push_back(job.to_owned());
        }
        let list = by_job.entry(job.to_owned()).or_default();
        if list.len() < MAX_OBJECT_ERRORS {
            let (msg, ecode) = (error.message().to_owned(), i64::from(error.status()));
            list.push(ObjectError { obj_name: object, msg, ecode });
        }
    }

    /// The objects that were not transformed.
    pub(super) fn errors(&self, job: &str) -> Vec<ObjectError> {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.by_job.get(job).cloned().unwrap_or_default()
    }

    /// Enters the stage "Initializing", unless it is there or runs; whether it did.
    pub(super) fn begin_again(&self) -> bool {
        let mut state = self.state();
        if state.stage != Stage::Aborted {
            return false;
        }
        state.stage = Stage::Initializing;
        state.why.clear();
        drop(state);
        self.set_wanted(true);
        self.tell();
        true
    }

    /// Starts its processes and waits until one is ready; the id of the job that it is from now on.
    ///
    /// # Errors
    ///
    /// When none becomes ready within the time that the client gave. The ETL is aborted then.
    pub(super) async fn start(
        self: &Arc<Self>,
        allowed: &Arc<Allowed>,
        jobs: &Jobs,
    ) -> Result<String> {
        let prepared = tokio::time::timeout(self.plan.init_timeout, self.prepare(allowed)).await;
        if let Err(error) = prepared.unwrap_or_else(|_| Err(self.too_slow())) {
            self.abort(error.message());
            return Err(error);
        }
        let job = jobs.begin(
            NewJob { kind: kind::ETL_INLINE, workers: 1, ..NewJob::default() }.about(self.name()),
        );
        let stop = {
            let mut state = self.state();
            if state.stage != Stage::Initializing {
                drop(state);
                job.finish(Ok(()));
                return Err(self.gone());
            }
            state.job = Some(job.clone());
            state.stop = watch::channel(false).0;
            state.replicas = (0..self.plan.workers).map(|_| Arc::new(Replica::new())).collect();
            self.crashes.store(0, Ordering::Relaxed);
            state.tending = state
                .replicas
                .iter()
                .map(|replica| {
                    let (etl, allowed) = (Arc::clone(self), Arc::clone(allowed));
                    tokio::spawn(tend(etl, allowed, Arc::clone(replica), state.stop.subscribe()))
                })
                .collect();
            state.stop.subscribe()
        };
        self.follow(job.clone(), stop);
        // The job ends when the ETL does, and whoever stops the job stops the ETL.
        let mut changes = self.changed.subscribe();
        loop {
            match self.stage() {
                Stage::Initializing => {}
                Stage::Running => return Ok(job.id().to_owned()),
                Stage::Aborted => break,
            }
            if changes.changed().await.is_err() {
                break;
            }
        }
        let why = self.state().why.clone();
        Err(self.error(&why))
    }

    /// Stops the ETL when its job is stopped.
    fn follow(self: &Arc<Self>, job: Job, mut stop: watch::Receiver<bool>) {
        let etl = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = job.stopped() => {
                    etl.set_wanted(false);
                    etl.abort("its job was stopped: user abort");
                }
                () = stopped(&mut stop) => {}
            }
        });
    }

    async fn prepare(&self, allowed: &Allowed) -> Result<()> {
        for note in &self.plan.notes {
            self.logs.say(note);
        }
        let Some(launch) = self.plan.preparation(&allowed.place, &allowed.options)? else {
            return Ok(());
        };
        let mut process = allowed.spawner.start(launch, &self.logs).await?;
        let ended = process.ended().await;
        // Its output comes on another task.
        tokio::time::sleep(LOOK).await;
        if ended.text == "exited with status 0" {
            return Ok(());
        }
        Err(self.error(&self.logs.tail(1)))
    }

    /// Stops it, and waits until its processes have ended.
    pub(super) async fn stop(&self, why: &str) {
        self.abort(why);
        let tending = std::mem::take(&mut self.state().tending);
        for task in tending {
            // A panic in it has been reported.
            let _ = task.await;
        }
    }

    /// Kills its processes at once.
    pub(super) fn kill(&self) {
        self.abort("the server ends");
        for group in self.groups() {
            if let Some(group) = rustix::process::Pid::from_raw(group) {
                // It may have ended.
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
        }
    }

    /// Enters the stage "Aborted".
    fn abort(&self, why: &str) {
        let mut state = self.state();
        if state.stage == Stage::Aborted {
            return;
        }
        state.stage = Stage::Aborted;
        state.why = why.to_owned();
        state.stop.send_replace(true);
        let job = state.job.clone();
        drop(state);
        self.logs.say(&format!("stopped: {why}"));
        if let Some(job) = job {
            let own = ["user abort", "the server ends"].contains(&why);
            job.finish(if own { Ok(()) } else { Err(self.error(why)) });
        }
        self.tell();
    }

    /// The error for whoever wants it to transform while it does not run.
    pub(super) fn gone(&self) -> Error {
        let why = self.state().why.clone();
        let text = format!("[etl={:?}] it does not run ({why}): start it again", self.name());
        Error::new(ErrorKind::Transformer(404), text)
    }

    pub(super) fn error(&self, text: &str) -> Error {
        Error::new(ErrorKind::Transformer(FAILED), format!("[etl={:?}] {text}", self.name()))
    }

    fn too_slow(&self) -> Error {
        let (time, tail) = (self.plan.init_timeout, self.logs.tail(TAIL));
        let text = format!(
            "timeout: it was not ready within {time:?} (init_timeout): it has to answer GET {} on 127.0.0.1 and the port in \
             the variable PORT. Its last output:\n{tail}",
            self.plan.health
        );
        self.error(text.trim_end())
    }

    /// Waits for a process that is ready: the one that has the least to do.
    ///
    /// # Errors
    ///
    /// When the ETL is stopped, or none becomes ready in time.
    pub(super) async fn turn(self: &Arc<Self>) -> Result<Turn> {
        let mut changes = self.changed.subscribe();
        let deadline = Instant::now() + self.plan.init_timeout;
        loop {
            if let Some(turn) = self.try_turn()? {
                return Ok(turn);
            }
            match tokio::time::timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(self.gone()),
                Err(_) => return Err(self.too_slow()),
            }
        }
    }

    fn try_turn(self: &Arc<Self>) -> Result<Option<Turn>> {
        let state = self.state();
        if state.stage == Stage::Aborted {
            drop(state);
            return Err(self.gone());
        }
        let ready = state.replicas.iter().filter(|replica| replica.life().port.is_some());
        let Some(replica) = ready.min_by_key(|replica| replica.busy.load(Ordering::Relaxed)) else {
            return Ok(None);
        };
        let life = replica.life();
        let Some(port) = life.port else { return Ok(None) };
        replica.busy.fetch_add(1, Ordering::Relaxed);
        Ok(Some(Turn {
            etl: Arc::clone(self),
            replica: Arc::clone(replica),
            life: life.number,
            port,
        }))
    }
}

impl Replica {
    fn new() -> Self {
        Self { life: Mutex::default(), busy: AtomicUsize::new(0), sockets: Mutex::default() }
    }

    fn life(&self) -> Life {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, change: impl FnOnce(&mut Life)) {
        change(&mut self.life.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn sockets(&self) -> MutexGuard<'_, Vec<(u64, Socket)>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// A web socket that waits, if one does.
    pub(super) fn socket(&self) -> Option<Socket> {
        let mut sockets = self.replica.sockets();
        sockets.retain(|(life, _)| *life == self.life);
        sockets.pop().map(|(_, socket)| socket)
    }

    /// Gives a web socket back.
    pub(super) fn keep(&self, socket: Socket) {
        self.replica.sockets().push((self.life, socket));
    }

    /// Waits a moment until the end of a process that has just dropped its connections is known.
    pub(super) async fn settle(&self, time: Duration) {
        let mut changes = self.etl.changed.subscribe();
        let over = async {
            while self.replica.life().number == self.life && changes.changed().await.is_ok() {}
        };
        // Late is as good as never: the next turn then finds out.
        drop(tokio::time::timeout(time, over).await);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.replica.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Keeps one process alive until it is stopped.
async fn tend(
    etl: Arc<Etl>,
    allowed: Arc<Allowed>,
    replica: Arc<Replica>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let began = Instant::now();
        let end = live(&etl, &allowed, &replica, &mut stop).await;
        replica.set(|life| *life = Life { number: life.number + 1, ..Life::default() });
        etl.tell();
        let how = match end {
            End::Stopped => return,
            End::Fatal(error) => {
                let marker = format!("[etl={:?}] ", etl.name());
                return etl.abort(error.message().trim_start_matches(&marker));
            }
            End::Crashed(how) => how,
        };
        if began.elapsed() > WELL {
            etl.crashes.store(0, Ordering::Relaxed);
        }
        let crashes = etl.crashes.fetch_add(1, Ordering::Relaxed) + 1;
        if crashes >= CRASHES * u32::try_from(etl.plan.workers).unwrap_or(1) {
            let tail = etl.logs.tail(TAIL);
            return etl.abort(&format!(
                "the transformer {how}, the {crashes}th time without an object in between. Its last output:\n{tail}"
            ));
        }
        etl.logs.say(&format!("the transformer {how}; it is started anew"));
        let pause = Duration::from_millis(100) * 2_u32.pow(crashes.min(CRASHES) - 1);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

async fn live(
    etl: &Arc<Etl>,
    allowed: &Allowed,
    replica: &Replica,
    stop: &mut watch::Receiver<bool>,
) -> End {
    let started = async {
        let port = free_port().await?;
        let launch = etl.plan.launch(&allowed.place, &allowed.options, port, &etl.secret)?;
        Ok((port, allowed.spawner.start(launch, &etl.logs).await?))
    };
    let (port, mut process): (u16, Process) = match started.await {
        Ok(started) => started,
        Err(error) => return End::Fatal(error),
    };
    replica.set(|life| life.group = process.id());
    let ready = tokio::time::timeout(etl.plan.init_timeout, healthy(etl, allowed, port));
    tokio::select! {
        ended = process.ended() => {
            // Where one has been ready, this one can be, too: it may have been killed for memory.
            if etl.stage() != Stage::Initializing {
                return End::Crashed(ended.text);
            }
            tokio::time::sleep(LOOK).await;
            let tail = etl.logs.tail(TAIL);
            let text = format!("the transformer {} before it was ready. Its last output:\n{tail}", ended.text);
            return End::Fatal(etl.error(text.trim_end()));
        }
        ready = ready => if ready.is_err() {
            process.end().await;
            return End::Fatal(etl.too_slow());
        },
        () = stopped(stop) => {
            process.end().await;
            return End::Stopped;
        }
    }
    replica.set(|life| life.port = Some(port));
    {
        let mut state = etl.state();
        if state.stage == Stage::Initializing {
            state.stage = Stage::Running;
        }
    }
    etl.tell();
    tokio::select! {
        ended = process.ended() => {
            if ended.orderly {
                let text = format!("the transformer {}, as if it had nothing more to do", ended.text);
                return End::Fatal(etl.error(&text));
            }
            End::Crashed(ended.text)
        }
        () = stopped(stop) => {
            // Nobody is sent there any more.
            replica.set(|life| life.port = None);
            process.end().await;
            End::Stopped
        }
    }
}

/// Waits until the ETL is stopped.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Without a sender it is over, too.
    drop(stop.wait_for(|stop| *stop).await);
}

/// Waits until the transformer answers.
async fn healthy(etl: &Etl, allowed: &Allowed, port: u16) {
    let url = format!("http://127.0.0.1:{port}{}", etl.plan.health);
    loop {
        let asked = allowed.client.get(&url).timeout(Duration::from_secs(5)).send().await;
        if asked.is_ok_and(|reply| reply.status().as_u16() < 400) {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether the transformer on this port still answers.
pub(super) async fn is_alive(etl: &Etl, allowed: &Allowed, port: u16) -> bool {
    tokio::time::timeout(etl.plan.object_timeout, healthy_once(etl, allowed, port))
        .await
        .unwrap_or(false)
}

async fn healthy_once(etl: &Etl, allowed: &Allowed, port: u16) -> bool {
    let url = format!("http://127.0.0.1:{port}{}", etl.plan.health);
    allowed.client.get(&url).send().await.is_ok_and(|reply| reply.status().as_u16() < 400)
}

/// A port that nobody listens on now.
async fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}
