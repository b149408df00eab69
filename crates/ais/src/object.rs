//! One object: everything but reading it, which is in [`crate::read`], and copying it, which is in [`crate::copy`].

use bytes::Bytes;
use holdall_ais_wire::action::{ActMsg, names};
use holdall_ais_wire::object::{BlobMsg, Part, PromoteMsg};
use holdall_ais_wire::{header, query};
use holdall_store::OpenUpload;
use holdall_store::object_store::PutPayload;
use holdall_store::object_store::path::Path;
use holdall_store::transfer::{Report, Transfer};
use http::{HeaderMap, HeaderName, Method};
use serde_json::{Map, Value};
use url::Url;

use crate::attributes::ObjectAttributes;
use crate::bucket::Bucket;
use crate::call::{Call, encode_path};
use crate::error::{Error, ErrorKind, Result};
use crate::job::Job;
use crate::upload;

/// An object of a bucket. A cheap handle.
#[derive(Debug, Clone)]
pub struct Object {
    bucket: Bucket,
    name: String,
}

/// How to write an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// Type and value of a checksum that the server compares the content with. When the object has it already, nothing is
    /// written.
    pub checksum: Option<(String, String)>,
    /// Custom properties.
    pub custom: Vec<(String, String)>,
}

/// Whether an object is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It is not.
    Free,
    /// Somebody reads it.
    Read,
    /// Somebody writes it.
    Write,
}

impl Object {
    pub(crate) fn new(bucket: Bucket, name: String) -> Self {
        Self { bucket, name }
    }

    /// The bucket.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The unique name, `ais/@#/bucket/name`.
    pub fn uname(&self) -> String {
        self.bucket.bck.uname(&self.name)
    }

    /// The name that messages print: `ais://bucket/name`.
    pub fn cname(&self) -> String {
        format!("{}/{}", self.bucket.bck, self.name)
    }

    /// The URL to read the object by HTTP, at the endpoint. It holds no token.
    pub fn url(&self) -> Url {
        self.call("url", Method::GET).url(self.bucket.client.endpoint())
    }

    pub(crate) fn call(&self, operation: &'static str, method: Method) -> Call {
        let bucket = encode_path(&self.bucket.bck.name);
        let path = format!("/v1/objects/{bucket}/{}", encode_path(&self.name));
        Call::new(operation, self.cname(), method, path).bck(&self.bucket.bck)
    }

    pub(crate) fn transport(&self) -> &crate::transport::Transport {
        &self.bucket.client.transport
    }

    /// What the server tells of the object: `props` names what, comma separated (`checksum`, `atime`, `version`, `custom`,
    /// `copies`, `ec`, `location`, `chunked`, `last-modified`, `etag`); the empty text asks the old way, for all but the last
    /// three.
    ///
    /// # Errors
    /// [`ErrorKind::ObjectNotFound`], [`ErrorKind::BucketNotFound`].
    pub async fn head(&self, props: &str) -> Result<ObjectAttributes> {
        Ok(ObjectAttributes::of(&self.headers(props).await?))
    }

    /// The headers that [`Self::head`] reads.
    pub(crate) async fn headers(&self, props: &str) -> Result<HeaderMap> {
        let mut call = self.call("head", Method::HEAD);
        if !props.is_empty() {
            call = call.query(query::PROPS, props);
        }
        Ok(self.transport().fetch(&call).await?.0)
    }

    /// Writes the object with one request. What the server says of it afterwards.
    ///
    /// # Errors
    /// [`ErrorKind::BucketNotFound`]; [`ErrorKind::Corrupt`] when the checksum does not fit; [`ErrorKind::NoSpace`].
    pub async fn put(
        &self,
        content: impl Into<PutPayload>,
        options: &PutOptions,
    ) -> Result<ObjectAttributes> {
        let mut call = self.call("put", Method::PUT).data(content);
        if let Some((kind, value)) = &options.checksum {
            call = call
                .header(HeaderName::from_static(header::CHECKSUM_TYPE), kind)?
                .header(HeaderName::from_static(header::CHECKSUM_VALUE), value)?;
        }
        let size = call.body.content_length() as u64;
        let call = with_custom(call, &options.custom)?;
        let mut written = ObjectAttributes::of(&self.transport().fetch(&call).await?.0);
        written.size = size;
        Ok(written)
    }

    /// Writes a file, in parts side by side when it is long; checks what the server has against what was read.
    ///
    /// # Errors
    /// Those of the file and of the server.
    pub async fn put_file(&self, file: &std::path::Path, transfer: &Transfer) -> Result<Report> {
        Ok(transfer.upload(file, &self.bucket.as_store(), &self.path()?).await?)
    }

    /// Adds a file to an archive, or makes the archive: `member` is its path in there. `append` keeps what the archive
    /// has, which must exist for [`ArchiveAppend::Append`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the object's name is no archive's or the content is empty.
    pub async fn put_member(
        &self,
        member: &str,
        content: impl Into<PutPayload>,
        append: ArchiveAppend,
    ) -> Result<()> {
        let flags = match append {
            ArchiveAppend::Replace => "0",
            ArchiveAppend::Append => "1",
            ArchiveAppend::AppendOrCreate => "2",
        };
        let call = self
            .call("put member", Method::PUT)
            .query(query::ARCHPATH, member)
            .header(HeaderName::from_static(header::PUT_ARCHIVE), flags)?
            .data(content)
            .idempotent(append == ArchiveAppend::Replace);
        self.transport().fetch(&call).await.map(drop)
    }

    /// Appends to what will become the object with [`Self::flush`]: the empty handle begins, with the object's present
    /// content. The handle to go on with.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for handles that are none.
    pub async fn append(&self, content: impl Into<PutPayload>, handle: &str) -> Result<String> {
        let call = self.append_call("append", handle).data(content);
        let headers = self.transport().fetch(&call).await?.0;
        let handle = headers.get(header::APPEND_HANDLE).and_then(|v| v.to_str().ok());
        Ok(handle.unwrap_or_default().to_owned())
    }

    /// Makes what was appended the object.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for handles that are none.
    pub async fn flush(&self, handle: &str) -> Result<()> {
        self.transport().fetch(&self.append_call("flush", handle)).await.map(drop)
    }

    fn append_call(&self, kind: &'static str, handle: &str) -> Call {
        self.call(kind, Method::PUT)
            .query(query::APPEND_TYPE, kind)
            .query(query::APPEND_HANDLE, handle)
            .idempotent(false)
    }

    /// Adds custom properties, or replaces all.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when they are too long or have characters that cannot be kept.
    pub async fn set_custom(&self, custom: &[(String, String)], replace: bool) -> Result<()> {
        let value: Map<String, Value> =
            custom.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
        let mut call =
            self.call("set custom properties", Method::PATCH).action("", &Value::Object(value));
        if replace {
            call = call.query(query::SET_NEW_CUSTOM, "true");
        }
        self.transport().fetch(&call.idempotent(true)).await.map(drop)
    }

    /// Deletes the object.
    ///
    /// # Errors
    /// [`ErrorKind::ObjectNotFound`].
    pub async fn delete(&self) -> Result<()> {
        self.transport().fetch(&self.call("delete", Method::DELETE)).await.map(drop)
    }

    /// Makes objects of files on the server's machine; this object's name is theirs, or the prefix of theirs. The job,
    /// or none when it was done at once.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for paths that the server does not allow.
    pub async fn promote(&self, options: &PromoteMsg) -> Result<Option<Job>> {
        let value = PromoteMsg { obj: self.name.clone(), ..options.clone() };
        let message = ActMsg {
            action: names::PROMOTE.to_owned(),
            name: value.src.clone(),
            value: serde_json::to_value(&value).unwrap_or_default(),
        };
        let id = self.transport().text(&self.bucket_call("promote").json(&message)).await?;
        Ok((!id.is_empty()).then(|| self.bucket.client.job(id, names::PROMOTE)))
    }

    /// Fetches the object of a remote bucket into the cluster, in chunks.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for buckets that are not remote.
    pub async fn blob_download(&self, options: &BlobMsg) -> Result<Job> {
        let message = ActMsg {
            action: names::BLOB_DOWNLOAD.to_owned(),
            name: self.name.clone(),
            value: serde_json::to_value(options).unwrap_or_default(),
        };
        let id = self.transport().text(&self.bucket_call("blob download").json(&message)).await?;
        Ok(self.bucket.client.job(id, names::BLOB_DOWNLOAD))
    }

    fn bucket_call(&self, operation: &'static str) -> Call {
        let path = format!("/v1/objects/{}", encode_path(&self.bucket.bck.name));
        Call::new(operation, self.cname(), Method::POST, path).bck(&self.bucket.bck)
    }

    /// Whether the object is locked.
    ///
    /// # Errors
    /// [`ErrorKind::ObjectNotFound`].
    pub async fn check_lock(&self) -> Result<Lock> {
        let call = self.call("check lock", Method::POST).action(names::CHECK_LOCK, &Value::Null);
        match self.transport().fetch(&call).await {
            Ok((_, status, _)) if status.as_u16() == 202 => Ok(Lock::Read),
            Ok(_) => Ok(Lock::Free),
            Err(error) if error.status() == Some(423) => Ok(Lock::Write),
            Err(error) => Err(error),
        }
    }

    /// Begins an upload in parts; its id, which holds the custom properties, too.
    ///
    /// # Errors
    /// [`ErrorKind::BucketNotFound`].
    pub async fn create_upload(&self, custom: &[(String, String)]) -> Result<String> {
        let call = self.call("create upload", Method::POST).action(names::MPT_UPLOAD, &Value::Null);
        let id = self.transport().text(&with_custom(call, custom)?).await?;
        Ok(upload::id(id, custom))
    }

    /// Puts part `number`, from 1 on, in place of an earlier one of that number. Parts are not empty.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such upload.
    pub async fn put_part(
        &self,
        upload: &str,
        number: u32,
        content: impl Into<PutPayload>,
    ) -> Result<()> {
        let call = self
            .call("put part", Method::PUT)
            .query(query::UPLOAD_ID, upload::split(upload).0)
            .query(query::PART_NUMBER, number.to_string())
            .data(content);
        self.transport().fetch(&call).await.map(drop)
    }

    /// Makes the parts the object: all that were put, 1 to `parts`. What the server says of it then.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when these are not all parts.
    pub async fn complete_upload(&self, upload: &str, parts: u32) -> Result<ObjectAttributes> {
        let (upload, custom) = upload::split(upload);
        let parts: Vec<Part> =
            (1..=parts).map(|n| Part { number: i64::from(n), etag: String::new() }).collect();
        let call = self
            .call("complete upload", Method::POST)
            .query(query::UPLOAD_ID, upload)
            .action(names::MPT_COMPLETE, &parts);
        self.transport().fetch(&call).await?;
        let mut of = self.head(COMPLETED).await?;
        // AIStore 5.0 forgets the custom properties that an upload to one of its own buckets began with.
        if !custom.iter().all(|pair| of.custom.contains(pair)) {
            self.set_custom(&custom, false).await?;
            of.custom.extend(custom);
        }
        Ok(of)
    }

    /// Ends an upload without an object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such upload.
    pub async fn abort_upload(&self, upload: &str) -> Result<()> {
        let call = self
            .call("abort upload", Method::DELETE)
            .query(query::UPLOAD_ID, upload::split(upload).0)
            .action(names::MPT_ABORT, &Value::Null);
        self.transport().fetch(&call).await.map(drop)
    }

    /// The uploads to this object that have begun and not ended, as the cluster's S3 interface tells: its own has no such
    /// request. None for buckets of other namespaces, which S3 has no names for.
    ///
    /// # Errors
    /// When there is no such bucket, or it shares its name with one of another provider.
    pub async fn open_uploads(&self) -> Result<Vec<OpenUpload>> {
        let bck = &self.bucket.bck;
        if !bck.namespace.is_global() {
            return Ok(Vec::new());
        }
        let path = format!("/s3/{}", encode_path(&bck.name));
        let call = Call::new("list uploads", self.cname(), Method::GET, path)
            .query("uploads", "")
            .query("prefix", &self.name);
        let (_, _, listing) = self.transport().fetch(&call).await?;
        OpenUpload::of_listing(&listing, &self.name, "AIStore")
            .map_err(|e| call.error(ErrorKind::Corrupt, e.to_string()))
    }

    /// The whole content, read in parts side by side when it is long, and checked.
    ///
    /// # Errors
    /// [`ErrorKind::ObjectNotFound`]; [`ErrorKind::Corrupt`] when the checksum does not fit.
    pub async fn read(&self, transfer: &Transfer) -> Result<Bytes> {
        Ok(transfer.read(&self.bucket.as_store(), &self.path()?).await?)
    }

    /// The content as a file, read in parts side by side when it is long, and checked.
    ///
    /// # Errors
    /// Those of the server and of the file.
    pub async fn download(&self, to: &std::path::Path, transfer: &Transfer) -> Result<Report> {
        Ok(transfer.download(&self.bucket.as_store(), &self.path()?, to).await?)
    }

    /// The name as the key of a store.
    pub(crate) fn path(&self) -> Result<Path> {
        Path::parse(&self.name).map_err(|e| {
            Error::new(ErrorKind::InvalidArgument, "name", self.cname(), e.to_string())
        })
    }
}

/// What is asked of an object that was uploaded in parts.
const COMPLETED: &str = "checksum,atime,version,custom,last-modified";

/// How a file gets into an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveAppend {
    /// A new archive, in place of the present one.
    Replace,
    /// To the archive, which must exist.
    Append,
    /// To the archive, or a new one.
    AppendOrCreate,
}

fn with_custom(mut call: Call, custom: &[(String, String)]) -> Result<Call> {
    for (key, value) in custom {
        call =
            call.header(HeaderName::from_static(header::CUSTOM_MD), &format!("{key}={value}"))?;
    }
    Ok(call)
}
