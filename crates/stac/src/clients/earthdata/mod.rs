//! NASA's Earthdata: a bearer token for its hosts, which redirect to signed URLs of other hosts.
//!
//! The token goes to the host of the href and not along with the redirect: S3 refuses requests with two proofs of
//! identity.

mod direct;

use holdall_store::client::ClientOptions;
use holdall_store::object_store::client::HttpClient;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use tokio::sync::OnceCell;
use url::Url;

pub(super) use self::direct::{archives, ways as s3_ways};
use super::{Clients, basic, bearer, href, netrc};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{HttpSource, Source, post_json};

/// Where Earthdata's users log in.
const LOGIN: &str = "urs.earthdata.nasa.gov";

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

/// The token of a run.
pub(super) struct Tokens {
    given: Option<String>,
    http: HttpClient,
    found: OnceCell<Option<String>>,
    keys: direct::Cache,
}

#[derive(Deserialize)]
struct Created {
    access_token: String,
}

impl Tokens {
    pub(super) fn new(given: Option<String>, http: HttpClient) -> Self {
        Self { given, http, found: OnceCell::new(), keys: direct::Cache::default() }
    }

    /// The token given, or that of the environment, or one made with the login of the environment or the netrc file.
    async fn get(&self) -> Result<Option<&str>> {
        let found = self.found.get_or_try_init(async || {
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
            match login.or_else(|| netrc::lookup(LOGIN)) {
                Some((user, password)) => self.create(&user, &password).await.map(Some),
                None => Ok(None),
            }
        });
        Ok(found.await?.as_deref())
    }

    async fn create(&self, user: &str, password: &str) -> Result<String> {
        let url = format!("https://{LOGIN}/api/users/find_or_create_token");
        let url = Url::parse(&url).expect("a constant");
        let mut headers = http::HeaderMap::new();
        headers.insert(AUTHORIZATION, basic(user, password)?);
        let http = self.http.clone();
        let client = ClientOptions::default();
        let source = HttpSource { url, headers, http, asserts_type: false, attempts: 3, client };
        let created: Created = post_json(&source, "log in", None).await?;
        Ok(created.access_token)
    }
}

pub(super) async fn ways(clients: &Clients, href: &str) -> Result<Vec<Source>> {
    let url = clients.url(href)?;
    let mut headers = clients.headers().clone();
    match clients.0.earthdata.get().await? {
        Some(token) => {
            headers.insert(AUTHORIZATION, bearer(token)?);
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
