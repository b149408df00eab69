//! In which region a bucket is.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use object_store::Result;
use object_store::client::{HttpClient, HttpErrorKind, HttpRequest, HttpRequestBody};

use crate::config::{S3Key, Settings};
use crate::error::{Error, ErrorKind};

/// The region when nothing else is known, as `object_store` has it.
pub(super) const FALLBACK: &str = "us-east-1";

/// Answers for the buckets of all regions, except those of other partitions.
const ENDPOINT: &str = "https://s3.us-east-1.amazonaws.com";

/// How often the question is asked; it costs one round trip.
const ATTEMPTS: u32 = 3;

static KNOWN: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);

/// Whether the region may be asked for: the endpoint is Amazon's own, and the bucket is a plain one.
pub(super) fn is_detectable(settings: &Settings<S3Key>) -> crate::Result<bool> {
    let own = settings.get(S3Key::Endpoint).is_none() && settings.get(S3Key::S3Endpoint).is_none();
    Ok(own && !settings.flag(S3Key::S3Express)?)
}

/// The region that this process has learnt before.
pub(super) fn remembered(bucket: &str) -> Option<String> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(bucket).cloned()
}

/// The region of a bucket of Amazon's. [`FALLBACK`] when the service does not say; then the first request tells more.
///
/// # Errors
/// When the service cannot be reached.
pub(super) async fn of_bucket(http: &HttpClient, bucket: &str) -> Result<String> {
    if let Some(region) = remembered(bucket) {
        return Ok(region);
    }
    let Some(region) = ask(http, ENDPOINT, bucket).await? else {
        tracing::warn!(
            bucket,
            "the service does not name the region of the bucket; trying {FALLBACK}"
        );
        return Ok(FALLBACK.to_owned());
    };
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.to_owned(), region.clone());
    Ok(region)
}

/// Asks without a signature: the answer names the region even when it is 301, 400 or 403.
async fn ask(http: &HttpClient, endpoint: &str, bucket: &str) -> Result<Option<String>> {
    let mut attempt = 1;
    loop {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = Method::HEAD;
        *request.uri_mut() = format!("{endpoint}/{bucket}").parse().map_err(|_| {
            let detail = format!("'{bucket}' cannot be the name of a bucket");
            Error::new(ErrorKind::Config, "open", format!("s3://{bucket}"), detail)
        })?;
        let error = match http.execute(request).await {
            Ok(reply) => {
                let region = reply.headers().get("x-amz-bucket-region");
                return Ok(region.and_then(|region| region.to_str().ok()).map(str::to_owned));
            }
            Err(error) => error,
        };
        if attempt == ATTEMPTS {
            let kind = match error.kind() {
                HttpErrorKind::Timeout => ErrorKind::Timeout,
                _ => ErrorKind::Connection,
            };
            let detail = format!(
                "cannot ask for the region of the bucket ({}): give `region`",
                innermost(&error)
            );
            return Err(Error::new(kind, "open", format!("s3://{bucket}"), detail).into());
        }
        tokio::time::sleep(Duration::from_millis(100) * attempt).await;
        attempt += 1;
    }
}

/// What went wrong at last: the layers above it only say that something did.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::client::{ClientOptions, shared_client};

    async fn answering(head: &'static str) -> (String, HttpClient) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let read = socket.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..read]).to_lowercase();
                assert!(request.starts_with("head /the-bucket http/1.1"), "{request}");
                assert!(!request.contains("authorization"), "{request}");
                socket.write_all(head.as_bytes()).await.unwrap();
            }
        });
        let options = ClientOptions { allow_http: true, ..ClientOptions::default() };
        (endpoint, shared_client(&options).unwrap())
    }

    #[tokio::test]
    async fn the_region_is_read_from_redirects_and_refusals() {
        for status in ["200 OK", "301 Moved Permanently", "400 Bad Request", "403 Forbidden"] {
            let head = format!(
                "HTTP/1.1 {status}\r\nx-amz-bucket-region: eu-central-1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let (endpoint, http) = answering(head.leak()).await;
            let region = ask(&http, &endpoint, "the-bucket").await.unwrap();
            assert_eq!(region.as_deref(), Some("eu-central-1"), "{status}");
        }
    }

    #[tokio::test]
    async fn a_bucket_that_does_not_exist_has_no_region() {
        let head = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let (endpoint, http) = answering(head).await;
        assert_eq!(ask(&http, &endpoint, "the-bucket").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_service_out_of_reach_is_an_error_that_names_the_remedy() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let (_, http) = answering("").await;
        let error = ask(&http, &endpoint, "the-bucket").await.unwrap_err();
        let error = Error::from_store("get", "s3://the-bucket/k", error);
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(error.to_string().contains("give `region`"), "{error}");
    }

    #[test]
    fn an_endpoint_of_another_service_is_not_asked() {
        let own = Settings::new();
        assert!(is_detectable(&own).unwrap());
        assert!(!is_detectable(&own.clone().with(S3Key::Endpoint, "http://x")).unwrap());
        assert!(!is_detectable(&own.with(S3Key::S3Express, "true")).unwrap());
    }
}
