//! NASA's Earthdata: a bearer token for its hosts, which redirect to signed URLs of other hosts.
//!
//! The token goes to the host of the href and not along with the redirect: S3 refuses requests with two proofs of
//! identity.

mod direct;

use holdall_store::object_store::client::HttpClient;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use url::Url;

pub(super) use self::direct::{archives, ways as s3_ways};
use super::answer::Answer;
use super::{Clients, basic, bearer, href, netrc};
use crate::config::ClientConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{HttpSource, Source, post_json};

/// Where Earthdata's users log in. The systems of its tests have names below this one.
const LOGIN: &str = "urs.earthdata.nasa.gov";

/// What is said of a request that ended there.
pub(super) const LOGIN_PAGE: &str = "Earthdata's login page came in place of the file, as for those without a token, or with \
                                     one that has expired";

/// What to do about it.
const REMEDY: &str = "make a new token at https://urs.earthdata.nasa.gov/profile for EARTHDATA_TOKEN (EARTHDATA_PAT goes \
                      before it), or set neither and put the login of urs.earthdata.nasa.gov into ~/.netrc";

/// Attempts of a login, the first included.
const LOGIN_ATTEMPTS: u32 = 3;

/// Hosts of NASA's data centres that ask for the same login and have no `earthdata` in their names.
const OTHER_HOSTS: [&str; 6] = [
    ".nsidc.org",
    ".asf.alaska.edu",
    ".gesdisc.eosdis.nasa.gov",
    ".podaac.jpl.nasa.gov",
    ".larc.nasa.gov",
    ".modaps.eosdis.nasa.gov",
];

/// Whether a host asks for Earthdata's login. Anybody can have `earthdata` in the name of a host, and would be sent the token:
/// only NASA's own are asked with it.
pub(super) fn is_host(host: &str) -> bool {
    let of_nasa = || host.ends_with(".nasa.gov") && host.contains("earthdata");
    of_nasa() || OTHER_HOSTS.iter().any(|end| host.ends_with(end))
}

/// Whether a host is one on which users of Earthdata log in.
pub(super) fn is_login_host(host: &str) -> bool {
    host.strip_suffix(LOGIN).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// What is said to whoever was sent to log in, in full.
pub(super) fn login_page() -> String {
    format!("{LOGIN_PAGE}: {REMEDY}")
}

/// The token of a run.
pub(super) struct Tokens {
    given: Option<String>,
    login: Url,
    http: HttpClient,
    found: Answer<Option<String>>,
    keys: direct::Cache,
}

#[derive(Deserialize)]
struct Created {
    access_token: String,
}

impl Tokens {
    /// # Errors
    /// [`ErrorKind::Config`] for a login page that is no URL.
    pub(super) fn new(config: &ClientConfig, http: HttpClient) -> Result<Self> {
        let login = match &config.earthdata_login {
            Some(url) => Url::parse(url).map_err(|e| {
                Error::new(ErrorKind::Config, "configure Earthdata", url, e.to_string())
            })?,
            None => Url::parse(&format!("https://{LOGIN}")).expect("a constant"),
        };
        let given = config.earthdata_token.clone();
        let (found, keys) = (Answer::default(), direct::Cache::default());
        Ok(Self { given, login, http, found, keys })
    }

    /// The host and port on which users log in.
    pub(super) fn login(&self) -> &str {
        self.login.authority()
    }

    /// The token given, or that of the environment, or one made with the login of the environment or the netrc file.
    async fn get(&self) -> Result<Option<String>> {
        let ask = async |_| {
            let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            let token = self
                .given
                .clone()
                .or_else(|| set("EARTHDATA_PAT"))
                .or_else(|| set("EARTHDATA_TOKEN"));
            if token.is_some() {
                return Ok(token);
            }
            let login = set("EARTHDATA_USERNAME").zip(set("EARTHDATA_PASSWORD"));
            match login.or_else(|| netrc::lookup(self.login.host_str().unwrap_or_default())) {
                Some((user, password)) => self.create(&user, &password).await.map(Some),
                None => Ok(None),
            }
        };
        self.found.get(|_| true, ask).await
    }

    async fn create(&self, user: &str, password: &str) -> Result<String> {
        let mut url = self.login.clone();
        url.set_path("/api/users/find_or_create_token");
        let mut headers = http::HeaderMap::new();
        headers.insert(AUTHORIZATION, basic(user, password)?);
        let source = HttpSource::of_service(url, headers, self.http.clone(), LOGIN_ATTEMPTS);
        let created: Result<Created> = post_json(&source, "log in", None).await;
        let created = created.map_err(|error| match error.status() {
            Some(400 | 401 | 403) => error.with_kind(ErrorKind::Authentication).with_hint(
                "check EARTHDATA_USERNAME and EARTHDATA_PASSWORD, or the login of \
                 urs.earthdata.nasa.gov in ~/.netrc where these are not set; EARTHDATA_TOKEN needs neither",
            ),
            _ => error,
        });
        Ok(created?.access_token)
    }
}

pub(super) async fn ways(clients: &Clients, href: &str) -> Result<Vec<Source>> {
    let url = clients.url(href)?;
    let mut headers = clients.headers().clone();
    match clients.0.earthdata.get().await? {
        Some(token) => {
            headers.insert(AUTHORIZATION, bearer(&token)?);
        }
        None if headers.contains_key(AUTHORIZATION) => {}
        // Some files of the data centres are open to all, and their servers will say when they are not.
        None if !href::host(href).unwrap_or_default().contains("earthdata")
            && clients.config().client_override.is_none() => {}
        None => {
            let detail = "token was not provided, and EARTHDATA_PAT environment variable not set; make a token at \
                          https://urs.earthdata.nasa.gov/profile, or put the login of urs.earthdata.nasa.gov into \
                          ~/.netrc";
            return Err(Error::new(ErrorKind::Authentication, "log in", href, detail));
        }
    }
    Ok(vec![clients.http_source(url, headers)])
}
