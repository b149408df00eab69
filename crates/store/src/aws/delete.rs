//! Deletion of many objects with one request (`DeleteObjects`). A key counts as deleted when the service says so: one that the
//! reply leaves out has an error.

use std::collections::HashMap;

use futures::stream::{self, BoxStream, TryChunksError};
use futures::{StreamExt, TryStreamExt};
use http::Method;
use object_store::path::Path;
use object_store::{Error, Result};
use quick_xml::escape::escape;
use serde::Deserialize;

use super::S3Store;
use crate::checksum::{Algorithm, Checksum};
use crate::cloud::send::Refused;

/// Most keys of a request.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
const MOST_KEYS: usize = 1000;

/// Requests in flight.
const REQUESTS: usize = 20;

impl S3Store {
    /// Deletes objects, those that are missing too, and answers for each in its order.
    pub(super) fn delete_together(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let deletions = locations.try_chunks(MOST_KEYS).map(move |chunk| {
            let store = store.clone();
            async move {
                let (keys, broken) = match chunk {
                    Ok(keys) => (keys, None),
                    Err(TryChunksError(keys, error)) => (keys, Some(error)),
                };
                let mut answers =
                    store.delete_chunk(keys).await.unwrap_or_else(|error| vec![Err(error)]);
                answers.extend(broken.map(Err));
                stream::iter(answers)
            }
        });
        deletions.buffered(REQUESTS).flatten().boxed()
    }

    async fn delete_chunk(&self, keys: Vec<Path>) -> Result<Vec<Result<Path>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut body = String::from("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for key in &keys {
            body.push_str(&format!("<Object><Key>{}</Key></Object>", escape(key.as_ref())));
        }
        body.push_str("</Delete>");
        // Amazon wants one of them, other services the one or the other.
        let [md5, sha256] = [Algorithm::Md5, Algorithm::Sha256]
            .map(|algorithm| Checksum::of(algorithm, body.as_bytes()).to_base64());
        let call = self
            .request(Method::POST, &Path::default(), &[("delete", "")])
            .await?
            .header("content-type", "application/xml")?
            .header("content-md5", &md5)?
            .header("x-amz-checksum-sha256", &sha256)?
            .body(body)
            .error_in_body()
            // What is gone already is deleted once more.
            .idempotent(true);
        let reply = self.send(&keys[0], &call).await.map_err(of_the_whole)?;
        let document: Document = reply.xml("S3")?;
        let mut answers: HashMap<String, Option<Refused>> = HashMap::new();
        for child in document.children {
            match child {
                Child::Deleted(Deleted { key }) => drop(answers.insert(key, None)),
                // As it was to be.
                Child::Error(Failed { key, code, .. }) if code == "NoSuchKey" => {
                    drop(answers.insert(key, None));
                }
                Child::Error(Failed { key, code, message }) => {
                    drop(answers.insert(key, Some(Refused::in_reply(code, message))));
                }
                Child::Other => {}
            }
        }
        // A key may have been asked for twice.
        let answer = |key: Path| match answers.get(key.as_ref()) {
            Some(None) => Ok(key),
            Some(Some(refused)) => Err(refused.clone().into_error("S3", key.as_ref())),
            None => Err(Error::Generic {
                store: "S3",
                source: format!("the service does not say whether it has deleted {key}").into(),
            }),
        };
        Ok(keys.into_iter().map(answer).collect())
    }
}

/// A refusal of all keys together says of none that it is missing; of the bucket it may.
fn of_the_whole(error: Error) -> Error {
    let is_of_the_bucket =
        Refused::of(&error).is_some_and(|refused| refused.code == "NoSuchBucket");
    match error {
        Error::NotFound { source, .. } if !is_of_the_bucket => {
            Error::Generic { store: "S3", source }
        }
        error => error,
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "$value", default)]
    children: Vec<Child>,
}

#[derive(Deserialize)]
enum Child {
    Deleted(Deleted),
    Error(Failed),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    key: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}
