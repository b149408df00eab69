//! `holdall serve`.

use anyhow::{Context as _, Result, ensure};
use holdall::ais_server::{
    Backends, CacheLimits, EtlOptions, Faults, Options, S3Keys, Secret, Server,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::Exit;
use crate::args::{Serve, ServeEtl};
use crate::printer::Printer;

pub(crate) async fn run(args: &Serve, printer: &Printer) -> Result<Exit> {
    start_log(args, printer)?;
    // Before the server says that it is there, so that no signal is missed.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    raise_open_files();
    let server = Server::start(options(args)?).await?;
    tell(&server, args, printer)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tokio::select! {
        () = server.shutdown() => Ok(Exit::Done),
        // Whoever asks twice does not want to wait.
        _ = interrupt.recv() => Ok(Exit::Done),
    }
}

/// Each connection is an open file, and so is each part of an object that is read: a server takes what the system lets
/// it have, which is more than programs get by themselves.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, the server has as many as before.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Says where the server is; a password that was made up is said here and nowhere else.
fn tell(server: &Server, args: &Serve, printer: &Printer) -> Result<()> {
    let password = server.admin_password().map(Secret::expose);
    let json = || {
        let mut told = serde_json::json!({"url": server.url()});
        if let Some(authn) = server.authn_url() {
            told["authn_url"] = authn.into();
        }
        if let Some(password) = password {
            told["admin"] = args.auth.auth_admin.as_str().into();
            told["admin_password"] = password.into();
        }
        told
    };
    printer.data(|| server.url(), json)?;
    printer.flush()?;
    if let Some(password) = password.filter(|_| !printer.is_json()) {
        let name = &args.auth.auth_admin;
        printer.once(&format!("AuthN: the password of {name:?}, shown this once: {password}"));
    }
    Ok(())
}

fn options(args: &Serve) -> Result<Options> {
    Ok(Options {
        data: args.data.clone(),
        listen: args.listen,
        fsync: args.fsync,
        tls: args.tls_cert.clone().zip(args.tls_key.clone()),
        public_host: args.public_host.clone(),
        max_connections: args.max_connections as usize,
        promote_root: args.promote_root.clone(),
        s3_keys: s3_keys(args)?,
        backends: backends(args),
        cache: cache_limits(args)?,
        auth: args.auth.options()?,
        faults: args.faults.as_deref().map(Faults::read).transpose()?,
        etl: args.etl.allow_etl.then(|| etl_options(&args.etl)),
    })
}

fn cache_limits(args: &Serve) -> Result<CacheLimits> {
    let high = args.cache_high;
    let low = args.cache_low.unwrap_or(CacheLimits::default().low.min(high));
    ensure!(
        low <= high,
        "--cache-low {low} is above --cache-high {high}: eviction cannot end above where it begins"
    );
    Ok(CacheLimits { bytes: args.cache_size, high, low })
}

fn s3_keys(args: &Serve) -> Result<S3Keys> {
    let keys = match &args.s3_keys {
        Some(path) => S3Keys::read(path)?,
        None => S3Keys::NONE,
    };
    match (&args.s3_access_key, &args.s3_secret_key) {
        (Some(access), Some(secret)) => {
            let one = S3Keys::new(access, &secret.0);
            Ok(keys.and(one.context("--s3-access-key and --s3-secret-key")?))
        }
        _ => Ok(keys),
    }
}

fn etl_options(args: &ServeEtl) -> EtlOptions {
    EtlOptions {
        python: args.etl_python.clone(),
        images: args.etl_image.clone(),
        memory_bytes: args.etl_memory,
        cpu_seconds: args.etl_cpu_seconds,
        open_files: args.etl_open_files,
        pass_env: args.etl_env.clone(),
    }
}

fn backends(args: &Serve) -> Backends {
    // Every scheme that this program knows, AIStore's own included.
    let none = Backends::of(holdall::registry());
    args.backends.iter().cloned().fold(none, Backends::with)
}

fn start_log(args: &Serve, printer: &Printer) -> Result<()> {
    let filter = EnvFilter::try_new(&args.log)
        .with_context(|| format!("--log: {:?} is no filter", args.log))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if printer.is_json() { log.json().try_init() } else { log.try_init() };
    started.map_err(|e| anyhow::anyhow!("cannot start the log: {e}"))
}
