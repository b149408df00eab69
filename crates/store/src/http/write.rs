//! Writes beyond a plain PUT: on a condition, and of many parts.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, MultipartUpload, ObjectStoreExt, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, UpdateVersion, UploadPart,
};

use super::HttpStore;
use crate::client::file_body::{TemporaryFile, UploadFile};
use crate::cloud::send::{Call, Refused, Reply, Unsigned};
use crate::error::{Error as OurError, ErrorKind};
use crate::provider::CreateNew;

impl HttpStore {
    /// Creates or replaces on a condition: by asking first, and by the header for it, which makes it safe against
    /// other writers on servers that know the header.
    pub(super) async fn put_if(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.put_call(location, options, |call| call.body(bytes::Bytes::from(payload))).await
    }

    /// Writes the first `length` bytes of a file with one request.
    pub(super) async fn put_from_file(
        &self,
        location: &Path,
        file: UploadFile,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.put_call(location, options, |call| call.file(file)).await
    }

    async fn put_call(
        &self,
        location: &Path,
        options: PutOptions,
        with_body: impl FnOnce(Call) -> Call,
    ) -> Result<PutResult> {
        let call = Call::new(Method::PUT, self.object_url(location))
            .headers(self.attribute_headers(location, &options.attributes)?)
            .idempotent(false);
        let call = with_body(call);
        let call = match &options.mode {
            PutMode::Overwrite => call.idempotent(true),
            PutMode::Create => {
                match self.inner.head(location).await {
                    Ok(_) => return Err(exists(location, "the target exists")),
                    Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
                call.header("if-none-match", "*")?
            }
            PutMode::Update(version) => {
                let wanted = self.check_version(location, version).await?;
                call.header("if-match", &wanted)?
            }
        };
        match self.send_making_parents(location, &call).await {
            Ok(reply) => Ok(result(&reply)),
            Err(Error::Precondition { source, .. }) if options.mode == PutMode::Create => {
                Err(exists(location, source))
            }
            Err(error) => Err(error),
        }
    }

    /// The entity tag that the object must have and has.
    async fn check_version(&self, location: &Path, version: &UpdateVersion) -> Result<String> {
        let Some(wanted) = &version.e_tag else {
            let source = "replacing on a condition needs an entity tag".into();
            return Err(Error::NotSupported { source });
        };
        let changed =
            |why: String| Error::Precondition { path: location.to_string(), source: why.into() };
        match self.inner.head(location).await {
            Ok(meta) if meta.e_tag.as_ref() == Some(wanted) => Ok(wanted.clone()),
            Ok(meta) => Err(changed(format!("the entity tag is {:?}, not {wanted}", meta.e_tag))),
            Err(Error::NotFound { .. }) => Err(changed("there is no object".to_owned())),
            Err(error) => Err(error),
        }
    }

    /// Begins an upload of parts, which a temporary file collects and one request sends.
    pub(super) fn begin_upload(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.attribute_headers(location, &options.attributes)?;
        let mode = match options.extensions.get::<CreateNew>() {
            Some(CreateNew) => PutMode::Create,
            None => PutMode::Overwrite,
        };
        let file = TemporaryFile::create().map_err(local)?;
        Ok(Box::new(Upload {
            store: self.clone(),
            location: location.clone(),
            options: PutOptions { mode, attributes: options.attributes, ..Default::default() },
            file: Arc::new(file),
            length: 0,
            written: Arc::default(),
        }))
    }

    async fn send_making_parents(&self, location: &Path, call: &Call) -> Result<Reply> {
        match self.sender.send(location.as_ref(), call, &Unsigned).await {
            // A missing collection is a conflict (RFC 4918, 9.7.1); some servers say 404.
            Err(error) if is(&error, &[StatusCode::CONFLICT, StatusCode::NOT_FOUND]) => {
                self.make_parents(location).await?;
                self.sender.send(location.as_ref(), call, &Unsigned).await
            }
            done => done,
        }
    }

    async fn make_parents(&self, location: &Path) -> Result<()> {
        let segments: Vec<_> = location.parts().collect();
        let made = Method::from_bytes(b"MKCOL").expect("a token");
        for depth in 1..segments.len() {
            let parent = Path::from_iter(segments[..depth].iter().cloned());
            let call = Call::new(made.clone(), self.object_url(&parent));
            match self.sender.send(parent.as_ref(), &call, &Unsigned).await {
                Ok(_) => {}
                // It exists (RFC 4918, 9.3.1).
                Err(error) if is(&error, &[StatusCode::METHOD_NOT_ALLOWED]) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Headers for the attributes that the protocol has; as in `object_store`, user metadata is not among them.
    pub(super) fn attribute_headers(
        &self,
        location: &Path,
        attributes: &Attributes,
    ) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (attribute, value) in attributes {
            let name = match attribute {
                Attribute::CacheControl => CACHE_CONTROL,
                Attribute::ContentDisposition => CONTENT_DISPOSITION,
                Attribute::ContentEncoding => CONTENT_ENCODING,
                Attribute::ContentLanguage => CONTENT_LANGUAGE,
                Attribute::ContentType => CONTENT_TYPE,
                _ => continue,
            };
            let bad = |_| {
                let detail =
                    format!("the value of `{name}` has characters that headers cannot have");
                OurError::new(ErrorKind::InvalidArgument, "put", location.to_string(), detail)
            };
            let value = HeaderValue::from_str(value).map_err(bad)?;
            headers.insert(name, value);
        }
        if let (None, Some(mime)) = (headers.get(CONTENT_TYPE), &self.default_content_type)
            && let Ok(value) = HeaderValue::from_str(mime)
        {
            headers.insert(CONTENT_TYPE, value);
        }
        Ok(headers)
    }
}

/// An upload in parts.
#[derive(Debug)]
struct Upload {
    store: HttpStore,
    location: Path,
    options: PutOptions,
    file: Arc<TemporaryFile>,
    /// Bytes of all parts that were handed in.
    length: u64,
    /// Bytes of all parts that are in the file.
    written: Arc<std::sync::atomic::AtomicU64>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        use std::sync::atomic::Ordering;
        let (file, written, start) = (self.file.clone(), self.written.clone(), self.length);
        self.length += data.content_length() as u64;
        Box::pin(async move {
            let write = move || {
                let mut offset = start;
                for piece in &data {
                    file.write_at(piece, offset)?;
                    offset += piece.len() as u64;
                }
                written.fetch_add(offset - start, Ordering::AcqRel);
                Ok(())
            };
            let done = tokio::task::spawn_blocking(write).await;
            done.map_err(|e| local(std::io::Error::other(e)))?.map_err(local)
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let written = self.written.load(std::sync::atomic::Ordering::Acquire);
        if written != self.length {
            let source = format!("only {written} of {} bytes were put as parts", self.length);
            return Err(Error::Generic { store: "HTTP", source: source.into() });
        }
        let file = UploadFile { file: self.file.file(), length: self.length };
        self.store.put_from_file(&self.location, file, self.options.clone()).await
    }

    async fn abort(&mut self) -> Result<()> {
        Ok(())
    }
}

fn result(reply: &Reply) -> PutResult {
    let e_tag = reply.header("etag").map(str::to_owned);
    PutResult { e_tag, version: None, extensions: Default::default() }
}

fn is(error: &Error, statuses: &[StatusCode]) -> bool {
    Refused::of(error).is_some_and(|refused| statuses.contains(&refused.status))
}

fn exists(location: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::AlreadyExists { path: location.to_string(), source: source.into() }
}

fn local(error: std::io::Error) -> Error {
    Error::Generic { store: "HTTP", source: error.into() }
}
