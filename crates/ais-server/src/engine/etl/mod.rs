//! ETL: transformers of objects, as supervised processes of this machine.
//!
//! AIStore runs transformers as pods of Kubernetes; here they are children of the server that speak the same contract:
//! they answer `GET /health`, take objects by PUT (`hpush`), fetch them (`hpull`) or get them over a web socket (`ws`),
//! and answer with the result or send it to where the server says (direct put).
//!
//! | module | subject |
//! |---|---|
//! | `options`, `launch`, `pod` | what may run, and what a request makes of it |
//! | `process`, `logs`, `supervisor` | processes: limits, output, health, restarts, end |
//! | `spool` | results between two transformers |
//! | `talk`, `socket` | one object to one transformer and back |
//! | `transform` | an object through a chain of transformers, tried again where that is safe |
//! | `callback` | where transformers fetch objects and deliver results |
//! | `usage` | what processes use |
//!
//! A result becomes an object only once the transformer has said that it is whole, in one commit by the server: an
//! object that was tried several times is written once.

mod callback;
mod launch;
mod logs;
mod options;
mod pod;
mod process;
mod socket;
mod spool;
mod supervisor;
mod talk;
mod transform;
mod usage;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holdall_ais_wire::etl::{Details, Health, Info, InitMsg, Logs, NOT_BUILT, Stage, Usage};
use serde::{Deserialize, Serialize};

pub use options::EtlOptions;
pub(crate) use transform::{Chain, Inline};

use self::launch::{Place, Plan};
use self::supervisor::Etl;
use super::{Engine, Severity};
use crate::error::{Error, ErrorKind, Result};

/// The fact that holds all ETLs.
const FACT: &str = "etls";

/// Transformers of a server; none where they are not allowed.
#[derive(Default)]
pub(super) struct Etls(OnceLock<Arc<Allowed>>);

/// What transformers need of the server.
pub(crate) struct Allowed {
    options: EtlOptions,
    place: Place,
    /// Lives as long as the server where there is no data folder.
    _folder: Option<tempfile::TempDir>,
    spawner: process::Spawner,
    client: reqwest::Client,
    deliveries: callback::Deliveries,
    /// What answers transformers.
    answering: OnceLock<tokio::task::AbortHandle>,
    known: Mutex<BTreeMap<String, Arc<Etl>>>,
    engine: Weak<Engine>,
}

/// An ETL as it is kept over restarts.
#[derive(Serialize, Deserialize)]
struct Kept {
    message: InitMsg,
    /// Whether it is to run.
    runs: bool,
}

impl Engine {
    /// Allows transformers, and starts those that ran when the server last ended. Until they are ready again, they are
    /// in the stage "Initializing".
    ///
    /// # Errors
    ///
    /// When the folder cannot be used or the system gives no port.
    pub(crate) async fn allow_etl(
        self: &Arc<Self>,
        options: EtlOptions,
        data: Option<&Path>,
    ) -> Result<()> {
        let (folder, temporary) = match data {
            Some(data) => (std::path::absolute(data)?.join("etl"), None),
            None => {
                let folder = tempfile::Builder::new().prefix("holdall-etl-").tempdir()?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        std::fs::create_dir_all(&folder)?;
        transform::clean(&folder)?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // Transformers close idle connections when they like, and a request on one of those looks like a crash.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|e| Error::internal("cannot make a client for transformers").with_source(e))?;
        let allowed = Arc::new(Allowed {
            options,
            place: Place { folder, url },
            _folder: temporary,
            spawner: process::Spawner::new()?,
            client,
            deliveries: callback::Deliveries::default(),
            answering: OnceLock::new(),
            known: Mutex::default(),
            engine: Arc::downgrade(self),
        });
        let answering = tokio::spawn(callback::serve(Arc::downgrade(&allowed), listener));
        // It is new.
        let _ = allowed.answering.set(answering.abort_handle());
        for Kept { message, runs } in self.kept_etls()? {
            let name = message.name.clone();
            let plan = Plan::of(&message, &allowed.options);
            let etl = match plan.and_then(|plan| Etl::new(message, plan)) {
                Ok(etl) => etl,
                // It could be made once; a changed option may have taken what it needs.
                Err(error) => {
                    self.log().add(Severity::Warning, format!("ETL {name}: {error}"));
                    continue;
                }
            };
            allowed.known().insert(etl.name().to_owned(), Arc::clone(&etl));
            if runs {
                etl.begin_again();
                let (allowed, engine) = (Arc::clone(&allowed), Arc::clone(self));
                tokio::spawn(async move {
                    if let Err(error) = etl.start(&allowed, engine.jobs()).await {
                        engine.log().add(Severity::Error, format!("ETL {}: {error}", etl.name()));
                    }
                });
            }
        }
        // The first one stays.
        let _ = self.etls().0.set(allowed);
        Ok(())
    }

    /// Ends all transformers, as gently as they let it. They are started again with the server.
    pub(crate) async fn end_etls(&self) {
        let Some(allowed) = self.etls().0.get() else { return };
        let all: Vec<_> = allowed.known().values().cloned().collect();
        futures::future::join_all(all.iter().map(|etl| etl.stop("the server ends"))).await;
    }

    /// Kills all transformers.
    pub(super) fn kill_etls(&self) {
        if let Some(allowed) = self.etls().0.get() {
            for etl in allowed.known().values() {
                etl.kill();
            }
        }
    }

    /// What transformers need, where they are allowed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where they are not.
    pub(crate) fn etl_allowed(&self) -> Result<&Arc<Allowed>> {
        self.etls().0.get().ok_or_else(|| {
            let text = format!(
                "{NOT_BUILT}: transformers are programs that clients start on the server's machine, which this server \
                 does only when started with --allow-etl"
            );
            Error::unsupported(text)
        })
    }

    fn etl(&self, name: &str) -> Result<Arc<Etl>> {
        holdall_ais_wire::etl::check_name(name).map_err(Error::invalid)?;
        let found = self.etl_allowed()?.known().get(name).cloned();
        let proxy = &self.identity().proxy;
        found.ok_or_else(|| Error::not_found(format!("p[{proxy}]: etl job {name} does not exist")))
    }

    /// Makes an ETL and waits until it runs; the id of its job.
    ///
    /// # Errors
    ///
    /// When there is one of this name, when the message asks for nothing that can run here, or when it does not become
    /// ready in time; then it stays, in the stage "Aborted", with its logs.
    pub(crate) async fn init_etl(self: &Arc<Self>, message: InitMsg) -> Result<String> {
        let allowed = Arc::clone(self.etl_allowed()?);
        let plan = Plan::of(&message, &allowed.options)?;
        let etl = Etl::new(message, plan)?;
        {
            let mut known = allowed.known();
            if known.contains_key(etl.name()) {
                let (proxy, name) = (&self.identity().proxy, etl.name());
                let text = format!("p[{proxy}]: etl job {name} already exists");
                return Err(Error::new(ErrorKind::Conflict, text));
            }
            known.insert(etl.name().to_owned(), Arc::clone(&etl));
        }
        etl.begin_again();
        self.run_etl(allowed, etl).await
    }

    /// Starts an ETL that was stopped, and waits until it runs; the id of its job.
    ///
    /// # Errors
    ///
    /// When there is none, when it runs, or when it does not become ready in time.
    pub(crate) async fn start_etl(self: &Arc<Self>, name: &str) -> Result<String> {
        let etl = self.etl(name)?;
        let allowed = Arc::clone(self.etl_allowed()?);
        if !etl.begin_again() {
            let stage = etl.stage();
            let text = format!("invalid action \"can't start ETL[{name}] during {stage:?} stage\"");
            return Err(Error::invalid(text));
        }
        self.run_etl(allowed, etl).await
    }

    /// On a task of its own: whoever asked may go away meanwhile.
    async fn run_etl(self: &Arc<Self>, allowed: Arc<Allowed>, etl: Arc<Etl>) -> Result<String> {
        let engine = Arc::clone(self);
        let running = tokio::spawn(async move {
            engine.keep_etls(&allowed).await?;
            let started = etl.start(&allowed, engine.jobs()).await;
            let line = match &started {
                Ok(_) => format!("ETL {} runs", etl.name()),
                Err(error) => format!("ETL {}: {error}", etl.name()),
            };
            engine.log().add(Severity::Info, line);
            started
        });
        running.await.map_err(|e| Error::internal("starting the ETL ended early").with_source(e))?
    }

    /// Stops an ETL, and the jobs that use it.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) async fn stop_etl(self: &Arc<Self>, name: &str) -> Result<()> {
        let etl = self.etl(name)?;
        etl.stop("user abort").await;
        etl.set_wanted(false);
        self.keep_etls(self.etl_allowed()?).await
    }

    /// Stops and forgets an ETL.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) async fn delete_etl(self: &Arc<Self>, name: &str) -> Result<()> {
        let etl = self.etl(name)?;
        etl.stop("user abort").await;
        let allowed = self.etl_allowed()?;
        allowed.known().remove(name);
        self.keep_etls(allowed).await
    }

    /// All ETLs.
    ///
    /// # Errors
    ///
    /// When transformers are not allowed.
    pub(crate) fn list_etls(&self) -> Result<Vec<Info>> {
        Ok(self.etl_allowed()?.known().values().map(|etl| etl.info()).collect())
    }

    /// How an ETL was made, and the objects that it failed on: in one job, or inline when no job is named.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) fn etl_details(&self, name: &str, job: &str) -> Result<Details> {
        let etl = self.etl(name)?;
        Ok(Details { init_msg: etl.message().clone(), obj_errors: etl.errors(job) })
    }

    /// What an ETL has written lately.
    ///
    /// # Errors
    ///
    /// When there is none, or no such target.
    pub(crate) fn etl_logs(&self, name: &str, target: &str) -> Result<Vec<Logs>> {
        let etl = self.etl(name)?;
        if !target.is_empty() && target != self.target_id() {
            return Err(Error::invalid(format!("unknown target {target:?}")));
        }
        let logs = STANDARD.encode(etl.logs().all());
        Ok(vec![Logs { target_id: self.target_id().to_owned(), logs }])
    }

    /// Whether an ETL is well.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) fn etl_health(&self, name: &str) -> Result<Vec<Health>> {
        let health_status = self.etl(name)?.health();
        Ok(vec![Health { target_id: self.target_id().to_owned(), health_status }])
    }

    /// What an ETL uses, all its processes together.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) async fn etl_usage(&self, name: &str) -> Result<Vec<Usage>> {
        let groups = self.etl(name)?.groups();
        let (cpu, mem) = usage::of(groups).await;
        Ok(vec![Usage { target_id: self.target_id().to_owned(), cpu, mem }])
    }

    fn kept_etls(&self) -> Result<Vec<Kept>> {
        let kept = self.storage().meta().fact(FACT)?;
        kept.map_or_else(|| Ok(Vec::new()), |kept| Ok(serde_json::from_slice(&kept)?))
    }

    async fn keep_etls(&self, allowed: &Allowed) -> Result<()> {
        let of = |etl: &Arc<Etl>| Kept { message: etl.message().clone(), runs: etl.is_wanted() };
        let kept: Vec<Kept> = allowed.known().values().map(of).collect();
        let kept = serde_json::to_vec(&kept)?;
        self.storage().meta().write(move |tx| tx.put_fact(FACT, &kept)).await
    }
}

impl Drop for Allowed {
    fn drop(&mut self) {
        if let Some(answering) = self.answering.get() {
            answering.abort();
        }
    }
}

impl Allowed {
    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Etl>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn engine(&self) -> Result<Arc<Engine>> {
        self.engine.upgrade().ok_or_else(|| Error::internal("the server ends"))
    }
}

/// The stage's name, as AIStore writes it.
fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Initializing => "Initializing",
        Stage::Running => "Running",
        Stage::Aborted => "Aborted",
    }
}
