//! Names of query parameters.

/// Provider of the bucket.
pub const PROVIDER: &str = "provider";
/// Namespace of the bucket, `@uuid#name`.
pub const NAMESPACE: &str = "namespace";
/// Destination bucket, as a unique name.
pub const BCK_TO: &str = "bck_to";
/// Destination object, as a unique name.
pub const OBJECT_TO: &str = "object_to";
/// What is asked of a node or the cluster.
pub const WHAT: &str = "what";
/// Id of a job.
pub const UUID: &str = "uuid";
/// Properties that a HEAD asks for.
pub const PROPS: &str = "props";
/// Which objects or buckets count, 0 to 5.
pub const PRESENCE: &str = "presence";
/// Whether a summary counts remote objects; its presence starts one.
pub const BSUMM_REMOTE: &str = "bsumm_remote";
/// Path in an archive.
pub const ARCHPATH: &str = "archpath";
/// Format of an archive, if not told by the extension.
pub const ARCHMIME: &str = "archmime";
/// Pattern of members of an archive.
pub const ARCHREGX: &str = "archregx";
/// How to match that pattern.
pub const ARCHMODE: &str = "archmode";
/// `append` or `flush`.
pub const APPEND_TYPE: &str = "append_type";
/// Handle of the append.
pub const APPEND_HANDLE: &str = "append_handle";
/// Whether custom properties are replaced.
pub const SET_NEW_CUSTOM: &str = "set-new-custom";
/// Id of a multipart upload.
pub const UPLOAD_ID: &str = "uploadId";
/// Number of a part.
pub const PART_NUMBER: &str = "partNumber";
/// Compare with the remote version first.
pub const LATEST: &str = "latest-ver";
/// Also delete what is gone remotely.
pub const SYNC: &str = "synchronize";
/// Keep the bucket's metadata when evicting.
pub const KEEP_MD: &str = "keep_bck_md";
/// Do not remember a bucket of a backend that was not known.
pub const DONT_ADD_REMOTE: &str = "dont_add_remote_bck_md";
/// Do not ask the backend for the bucket.
pub const DONT_HEAD_REMOTE: &str = "dont_head_remote_bck";
/// The URL that a bucket of an HTTP server stands for.
pub const ORIGINAL_URL: &str = "original_url";
/// Transform on the way.
pub const ETL_NAME: &str = "etl_name";
/// Transformers that follow.
pub const ETL_PIPELINE: &str = "etl_pipeline";
/// Arguments of the transformer.
pub const ETL_ARGS: &str = "etl_args";
/// The file with the object, for a transformer.
pub const ETL_FQN: &str = "etl_fqn";
/// The proxy that redirected.
pub const PROXY_ID: &str = "pid";
/// When it did.
pub const UNIX_TIME: &str = "utm";
/// Severity of log lines.
pub const SEVERITY: &str = "severity";
/// All logs, as an archive.
pub const ALL: &str = "all";
/// Force.
pub const FORCE: &str = "frc";
/// Where batch entries are assembled.
pub const COLOC: &str = "coloc";
/// Filter by a regular expression.
pub const REGEX: &str = "regex";
/// Only what is not finished.
pub const ONLY_ACTIVE: &str = "only_active";
/// Whether the primary is ready.
pub const PRIMARY_READY: &str = "prr";
/// Whether this is the primary.
pub const ASK_PRIMARY: &str = "apr";
/// Whether the node is ready.
pub const READINESS: &str = "readiness";
/// State of the node.
pub const CLUSTER_INFO: &str = "cii";

/// Values of [`ARCHMODE`].
pub const ARCHMODES: [&str; 6] = ["regexp", "prefix", "suffix", "substr", "wdskey", "*"];
