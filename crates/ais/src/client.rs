//! The client: where everything begins.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use holdall_ais_wire::cluster::Smap;
use holdall_ais_wire::{Bck, Namespace, Provider};
use http::{HeaderMap, StatusCode};
use url::Url;

use crate::batch::Batch;
use crate::bucket::Bucket;
use crate::call::Response;
use crate::cluster::Cluster;
use crate::config::{ClientConfig, Token};
use crate::dsort::Dsort;
use crate::error::{Error, ErrorKind, Result};
use crate::etl::Etl;
use crate::job::Job;
use crate::object::Object;
use crate::read::Reader;
use crate::request::Request;
use crate::transport::Transport;

/// A client of one cluster. Cloning is cheap; clones share token, cluster map and connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) transport: Arc<Transport>,
}

impl Client {
    /// A client with these settings. No request is made.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the endpoint is no URL or a certificate cannot be used.
    pub fn new(config: ClientConfig) -> Result<Self> {
        Ok(Self { transport: Arc::new(Transport::new(config)?) })
    }

    /// A client with the settings of the environment: [`ClientConfig::from_env`].
    ///
    /// # Errors
    /// As [`ClientConfig::from_env`] and [`Client::new`].
    pub fn from_env() -> Result<Self> {
        Self::new(ClientConfig::from_env()?)
    }

    /// The settings.
    pub fn config(&self) -> &ClientConfig {
        self.transport.config()
    }

    /// The endpoint, with a slash at its end.
    pub fn endpoint(&self) -> &Url {
        self.transport.base()
    }

    /// The token that is shown.
    pub fn token(&self) -> Option<Token> {
        self.transport.token()
    }

    /// Shows another token from now on, or none. Applies to all clones.
    pub fn set_token(&self, token: Option<Token>) {
        self.transport.set_token(token);
    }

    /// A bucket of this cluster in the global namespace.
    pub fn bucket(&self, name: impl Into<String>) -> Bucket {
        self.bucket_of(Bck::ais(name))
    }

    /// Any bucket.
    pub fn bucket_of(&self, bck: Bck) -> Bucket {
        Bucket::new(self.clone(), bck)
    }

    /// The object of a URL: `ais://bucket/name`, `s3://…`, `gs://…`, `az://…`, `oc://…`; a namespace comes first, as in
    /// `ais://@cluster#name/bucket/name`. The name is taken as it is written.
    ///
    /// # Errors
    /// When a part is missing or the scheme is none of AIStore's.
    pub fn object_from_url(&self, url: &str) -> Result<Object> {
        let (bck, name) = parse_url(url)?;
        if name.is_empty() {
            let detail = "the name of the object is missing: write provider://bucket/name";
            return Err(Error::new(ErrorKind::InvalidArgument, "open", url, detail));
        }
        Ok(self.bucket_of(bck).object(name))
    }

    /// A job by its id and kind; either may be empty.
    pub fn job(&self, id: impl Into<String>, kind: impl Into<String>) -> Job {
        Job::new(self.clone(), id, kind)
    }

    /// The cluster.
    pub fn cluster(&self) -> Cluster {
        Cluster::new(self.clone())
    }

    /// A dSort job; the id is empty for one that is to be started.
    pub fn dsort(&self, id: impl Into<String>) -> Dsort {
        Dsort::new(self.clone(), id)
    }

    /// An ETL by its name.
    pub fn etl(&self, name: impl Into<String>) -> Etl {
        Etl::new(self.clone(), name)
    }

    /// A batch: many objects with one request. With a bucket, entries need none.
    pub fn batch(&self, bucket: Option<&Bucket>) -> Batch {
        Batch::new(self.clone(), bucket.map(|bucket| bucket.bck().clone()))
    }

    /// The cluster map: the cached one, or a new one.
    ///
    /// # Errors
    /// Those of the request.
    pub async fn smap(&self, refresh: bool) -> Result<Arc<Smap>> {
        match self.transport.map().get(&self.transport).await.filter(|_| !refresh) {
            Some(map) => Ok(map),
            None => self.transport.map().fetch(&self.transport).await,
        }
    }

    /// Any request, in the words of the protocol. The reply's body may still be on its way.
    ///
    /// # Errors
    /// Refusals, with the whole reply in [`Error::refusal`], after the client's retries.
    pub async fn request(&self, request: Request) -> Result<Response> {
        self.transport.send(&request.call()).await
    }

    /// The same with the whole body, for whose sake it is repeated too.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn fetch(&self, request: Request) -> Result<(StatusCode, HeaderMap, Bytes)> {
        let (headers, status, body) = self.transport.fetch(&request.call()).await?;
        Ok((status, headers, body))
    }

    /// Begins to read what a request asks for: an object, or a part of one. See [`Reader`].
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn read(&self, request: Request) -> Result<Reader> {
        Reader::of(self.transport.clone(), request.call()).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint().as_str())
            .finish_non_exhaustive()
    }
}

/// The bucket of a URL, and what follows it, as it is written.
///
/// # Errors
/// When the bucket is missing or the scheme is none of AIStore's.
pub fn parse_url(url: &str) -> Result<(Bck, String)> {
    let wrong = |detail: String| Error::new(ErrorKind::InvalidArgument, "open", url, detail);
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| wrong("it is no URL: write provider://bucket/name".to_owned()))?;
    let provider: Provider = match scheme {
        "" => {
            return Err(wrong("the provider is missing: write provider://bucket/name".to_owned()));
        }
        scheme => scheme.parse().map_err(|e| wrong(format!("{e}")))?,
    };
    let (namespace, rest) = match rest.starts_with(['@', '#']) {
        true => {
            let (text, rest) = rest.split_once('/').unwrap_or((rest, ""));
            (Namespace::parse(text), rest)
        }
        false => (Namespace::default(), rest),
    };
    let (name, object) = rest.split_once('/').unwrap_or((rest, ""));
    if name.is_empty() {
        return Err(wrong(format!(
            "the name of the bucket is missing: write {scheme}://bucket/name"
        )));
    }
    Ok((Bck { name: name.to_owned(), provider, namespace }, object.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let (bck, name) = parse_url("ais://@u#n/b/d/o#1").unwrap();
        assert_eq!((bck.cname().as_str(), name.as_str()), ("ais://@u#n/b", "d/o#1"));
        let (bck, name) = parse_url("s3://b").unwrap();
        assert_eq!((bck.provider, name.as_str()), (Provider::Aws, ""));
        for bad in ["b/o", "://b", "ais://", "ais://@u", "ftp://b/o", "ais:///o"] {
            assert_eq!(parse_url(bad).unwrap_err().kind(), ErrorKind::InvalidArgument, "{bad}");
        }
    }
}
