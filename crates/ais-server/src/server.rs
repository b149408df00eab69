//! The listener: connections in, graceful end.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::engine::authn::{AuthOptions, Secret};
use crate::engine::remote::{Backends, CacheLimits};
use crate::engine::{Engine, EtlOptions, Severity, Work as _};
use crate::error::{Error, Result};
use crate::faults::Faults;
use crate::http::{self, Face};
use crate::quiet::Quiet;
use crate::s3_keys::S3Keys;
use crate::storage::{Fsync, Storage};

/// Time that requests have to end once the server stops.
const GRACE: Duration = Duration::from_secs(10);
/// Time between two rounds of housekeeping.
const TIDY: Duration = Duration::from_secs(10);
/// Rounds of housekeeping between two of what is done more rarely: ten minutes.
const SWEEP: u64 = 60;
/// Time for a request's headers, and for a TLS handshake.
const HEADERS: Duration = Duration::from_secs(30);

/// How to serve. The default: memory, loopback, a free port.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder for everything; none for memory.
    pub data: Option<PathBuf>,
    /// Where to listen; port 0 for a free one.
    pub listen: SocketAddr,
    /// What survives a loss of power.
    pub fsync: Fsync,
    /// PEM files of the certificate chain and its key, to serve HTTPS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Host that clients reach the server by, for the URLs in the cluster map; the address when not told.
    pub public_host: Option<String>,
    /// Most connections at once; more wait to be accepted.
    pub max_connections: usize,
    /// Folder of this machine that clients may make objects of files from.
    pub promote_root: PathBuf,
    /// Keys that clients of S3 sign their requests with; without any, every signature is accepted.
    pub s3_keys: S3Keys,
    /// Who may do what; none for everybody everything.
    pub auth: Option<AuthOptions>,
    /// What goes wrong on purpose, for tests of clients.
    pub faults: Option<Arc<Faults>>,
    /// How transformers run; none to refuse them. Whoever may make one runs programs on this machine.
    pub etl: Option<EtlOptions>,
    /// Backends that buckets of other providers may be reached by; by default none.
    pub backends: Backends,
    /// How much is kept of what backends have.
    pub cache: CacheLimits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data: None,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            fsync: Fsync::default(),
            tls: None,
            public_host: None,
            max_connections: 4096,
            promote_root: PathBuf::from("/var/lib/ais/promote"),
            s3_keys: S3Keys::NONE,
            auth: None,
            faults: None,
            etl: None,
            backends: Backends::default(),
            cache: CacheLimits::default(),
        }
    }
}

/// A running server. Dropped, it stops at once; [`shutdown`](Self::shutdown) lets requests end.
pub struct Server {
    engine: Arc<Engine>,
    address: SocketAddr,
    admin_password: Option<Secret>,
    stop: watch::Sender<bool>,
    /// One for each listener.
    serving: Vec<tokio::task::JoinHandle<()>>,
}

impl Server {
    /// Starts a server on the runtime of the caller. It answers when this returns.
    ///
    /// # Errors
    ///
    /// When the folder, the address or the certificate cannot be used.
    pub async fn start(options: Options) -> Result<Self> {
        let tls = options
            .tls
            .as_ref()
            .map(|(certificate, key)| acceptor(certificate, key))
            .transpose()?;
        if let Some(auth) = &options.auth {
            check_exposure(&options, auth)?;
        }
        options.backends.check()?;
        let listener = listen(options.listen).await?;
        let authn_listener = match options.auth.as_ref().and_then(|auth| auth.listen) {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let address = listener.local_addr()?;
        let (data, fsync) = (options.data.clone(), options.fsync);
        let promote_root = options.promote_root.clone();
        let auth = options.auth.clone();
        let (backends, cache) = (options.backends.clone(), options.cache);
        let open = move || {
            let storage = match data {
                Some(folder) => {
                    let storage = Storage::open(&folder, fsync)?;
                    if auth.is_some() {
                        Storage::keep_private(&folder)?;
                    }
                    storage
                }
                None => Storage::memory()?,
            };
            let engine = Engine::new(storage, promote_root)?;
            engine.set_backends(backends);
            engine.set_limits(cache);
            let password = auth.map(|auth| engine.ask_who(&auth)).transpose()?.flatten();
            Ok::<_, Error>((engine, password))
        };
        let (engine, admin_password) = tokio::task::spawn_blocking(open)
            .await
            .map_err(|e| Error::internal("opening the storage ended early").with_source(e))??;
        engine.set_s3_keys(options.s3_keys.clone());
        engine.watch();
        engine.set_url(url(&options, address, tls.is_some()));
        if let Some(etl) = &options.etl {
            engine.allow_etl(etl.clone(), options.data.as_deref()).await?;
        }
        let place = options
            .data
            .as_ref()
            .map_or_else(|| "memory".to_owned(), |data| data.display().to_string());
        engine.log().add(Severity::Info, format!("serving {place} at {}", engine.url()));
        if let Some(faults) = &options.faults {
            let (seed, rules) = (faults.seed(), faults.counts().len());
            let line =
                format!("things go wrong on purpose here: {rules} kinds of faults, seed {seed}");
            engine.log().add(Severity::Warning, line);
            engine.set_faults(Arc::clone(faults));
        }
        if let Some(authn) = engine.authn() {
            let at = authn_listener.as_ref().map_or(Ok(address), TcpListener::local_addr)?;
            authn.set_issuer(url(&options, at, tls.is_some()));
            engine.log().add(Severity::Info, format!("AuthN at {}", authn.url()));
        }
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(tidy(Arc::downgrade(&engine)));
        // All listeners together have so many connections.
        let slots = Arc::new(Semaphore::new(options.max_connections));
        let start = |face, listener| {
            let serve = Serve { engine: Arc::clone(&engine), face, tls: tls.clone() };
            tokio::spawn(accept(serve, listener, Arc::clone(&slots), stopped.clone()))
        };
        let serving = match authn_listener {
            None => vec![start(Face::Both, listener)],
            Some(authn) => vec![start(Face::Cluster, listener), start(Face::Authn, authn)],
        };
        Ok(Self { engine, address, admin_password, stop, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.engine.url().to_owned()
    }

    /// The URL of AuthN: that of the server, or of its own port; none where nobody is asked.
    pub fn authn_url(&self) -> Option<String> {
        self.engine.authn().map(|authn| authn.url().to_owned())
    }

    /// The administrator's password, if it was made up by this start. It is kept nowhere else.
    pub fn admin_password(&self) -> Option<&Secret> {
        self.admin_password.as_ref()
    }

    /// The server without HTTP.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Stops: no new connections, ten seconds for requests to end, then everything is committed.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        for serving in std::mem::take(&mut self.serving) {
            // A panic in it has been reported.
            let _ = serving.await;
        }
        self.engine.end_etls().await;
        let engine = Arc::clone(&self.engine);
        let _ = tokio::task::spawn_blocking(move || engine.close()).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Empty once it was shut down.
        let serving = std::mem::take(&mut self.serving);
        if !serving.is_empty() {
            serving.iter().for_each(tokio::task::JoinHandle::abort);
            self.engine.close();
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|e| Error::internal(format!("cannot listen on {address}")).with_source(e))
}

/// Fewest characters of an administrator's password that others can try.
const SHORTEST_PASSWORD: usize = 8;

/// Refuses passwords that are known or soon found where others than this machine can try them.
fn check_exposure(options: &Options, auth: &AuthOptions) -> Result<()> {
    let local =
        [Some(options.listen), auth.listen].iter().flatten().all(|at| at.ip().is_loopback());
    let Some(password) = &auth.password else { return Ok(()) };
    if local
        || (password.expose().chars().count() >= SHORTEST_PASSWORD
            && password.expose() != auth.admin)
    {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "AuthN: the administrator's password has fewer than {SHORTEST_PASSWORD} characters or is the name: choose a \
         better one, or listen on a loopback address"
    )))
}

/// Does what is to be done now and then, as long as there is a server.
async fn tidy(engine: Weak<Engine>) {
    if let Some(engine) = engine.upgrade() {
        let counted = engine.heavy(|engine| engine.count_copies()).await;
        if let Err(error) = counted {
            engine.log().add(Severity::Warning, format!("what is kept was not counted: {error}"));
        }
    }
    for round in 0_u64.. {
        {
            let Some(engine) = engine.upgrade() else { return };
            let mut done = if round == 0 { Ok(()) } else { engine.tidy().await };
            if round.is_multiple_of(SWEEP) {
                done = done.and(engine.sweep().await);
            }
            if let Err(error) = done {
                tracing::warn!(%error, "housekeeping failed");
            }
        }
        tokio::time::sleep(TIDY).await;
    }
}

fn url(options: &Options, address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    let host = options.public_host.clone().unwrap_or_else(|| match address.ip() {
        // Clients cannot connect to "any address".
        ip if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
        IpAddr::V4(ip) => ip.to_string(),
    });
    format!("{scheme}://{host}:{}", address.port())
}

fn acceptor(certificate: &std::path::Path, key: &std::path::Path) -> Result<TlsAcceptor> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let at = |path: &std::path::Path| {
        let path = path.display().to_string();
        move |e: rustls::pki_types::pem::Error| Error::internal(format!("cannot read {path}: {e}"))
    };
    let chain = CertificateDer::pem_file_iter(certificate).map_err(at(certificate))?;
    let chain = chain.collect::<std::result::Result<Vec<_>, _>>().map_err(at(certificate))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(at(key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|e| {
            Error::internal(format!("cannot use the certificate {}", certificate.display()))
                .with_source(e)
        })?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What a listener serves.
#[derive(Clone)]
struct Serve {
    engine: Arc<Engine>,
    face: Face,
    tls: Option<TlsAcceptor>,
}

async fn accept(
    serve: Serve,
    listener: TcpListener,
    slots: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = next(&listener, &slots) => accepted,
        };
        let (stream, remote, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, for one; some will be closed soon.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let connection = connection(serve.clone(), stream, remote, stopped.clone());
        connections.spawn(Quiet::new(async move {
            connection.await;
            drop(slot);
        }));
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all_ended).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "closed connections whose requests did not end"
        );
        connections.abort_all();
    }
}

async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, remote) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, remote, slot))
}

async fn connection(
    to: Serve,
    stream: TcpStream,
    remote: SocketAddr,
    stopped: watch::Receiver<bool>,
) {
    match to.tls.clone() {
        None => serve(to, stream, (remote, false), stopped).await,
        Some(tls) => match tokio::time::timeout(HEADERS, tls.accept(stream)).await {
            Ok(Ok(stream)) => serve(to, stream, (remote, true), stopped).await,
            Ok(Err(error)) => tracing::debug!(%remote, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(%remote, "TLS handshake took too long"),
        },
    }
}

async fn serve<S>(
    to: Serve,
    stream: S,
    (remote, tls): (SocketAddr, bool),
    mut stopped: watch::Receiver<bool>,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let (engine, face) = (Arc::clone(&to.engine), to.face);
        async move {
            Ok::<_, std::convert::Infallible>(
                http::handle(engine, face, request, remote, tls).await,
            )
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(256 << 10)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let stops = async move { drop(stopped.wait_for(|stop| *stop).await) };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stops => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%remote, %error, "connection ended");
    }
}
