//! Names of headers. Lower case, as HTTP libraries want them; on the wire they are read without regard to case.

/// Type of the checksum in [`CHECKSUM_VALUE`].
pub const CHECKSUM_TYPE: &str = "ais-checksum-type";
/// Checksum of the whole object, in hex.
pub const CHECKSUM_VALUE: &str = "ais-checksum-value";
/// Time of the last access: nanoseconds since 1970.
pub const ATIME: &str = "ais-atime";
/// Version of the object, a decimal number.
pub const VERSION: &str = "ais-version";
/// One custom property as `key=value`; repeated.
pub const CUSTOM_MD: &str = "ais-custom-md";
/// Whether the object is in the cluster.
pub const PRESENT: &str = "ais-present";
/// Where the object is: `t[ID]:/mountpath`.
pub const LOCATION: &str = "ais-location";
/// Copies of the object.
pub const MIRROR_COPIES: &str = "ais-mirror-copies";
/// Where the copies are.
pub const MIRROR_PATHS: &str = "ais-mirror-paths";
/// Chunks of an object that was written in parts.
pub const CHUNKS_COUNT: &str = "ais-chunks-count";
/// Bytes of its largest chunk.
pub const CHUNKS_MAX_SIZE: &str = "ais-chunks-max-chunk-size";
/// The object's name.
pub const NAME: &str = "ais-name";
/// The bucket's name.
pub const BUCKET_NAME: &str = "ais-bucket-name";
/// The bucket's provider.
pub const BUCKET_PROVIDER: &str = "ais-bucket-provider";
/// Time when the bucket was made: nanoseconds since 1970.
pub const BUCKET_CREATED: &str = "ais-bucket-created";
/// The bucket's namespace.
pub const BUCKET_NAMESPACE: &str = "ais-bucket-namespace";
/// Bucket properties as JSON.
pub const BUCKET_PROPS: &str = "ais-bucket-props";
/// Bucket summary as JSON.
pub const BUCKET_SUMM: &str = "ais-bucket-summ";
/// Id of a job.
pub const XACTION_ID: &str = "ais-xaction-id";
/// Handle of an object that is being appended to.
pub const APPEND_HANDLE: &str = "ais-append-handle";
/// Node that a reversed request is for.
pub const NODE_ID: &str = "ais-node-id";
/// Time since the node started, nanoseconds.
pub const NODE_UPTIME: &str = "ais-node-uptime";
/// Time since the cluster started, nanoseconds.
pub const CLUSTER_UPTIME: &str = "ais-cluster-uptime";
/// Name of an inventory to list from.
pub const INV_NAME: &str = "ais-inv-name";
/// Asks for a download in chunks.
pub const BLOB_DOWNLOAD: &str = "ais-blob-download";
/// Size of those chunks.
pub const BLOB_CHUNK: &str = "ais-blob-chunk";
/// Workers of such a download.
pub const BLOB_WORKERS: &str = "ais-blob-workers";
/// Flags of an append to an archive.
pub const PUT_ARCHIVE: &str = "ais-pine";
/// The error of a HEAD, as JSON.
pub const ERROR: &str = "hdr-error";
/// Where a transformer sends its result.
pub const NODE_URL: &str = "ais-node-url";
/// Length of what a transformer sent on.
pub const DIRECT_PUT_LENGTH: &str = "ais-direct-put-length";
/// Why a transformer asks for the object once more.
pub const ETL_RETRY_REASON: &str = "ais-etl-retry-reason";
