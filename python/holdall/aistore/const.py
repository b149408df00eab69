"""Words of AIStore's interface: paths, parameters, actions, headers, and the defaults of clients."""

from __future__ import annotations

# Methods of HTTP, as requests name them.
HTTP_METHOD_GET = "get"
HTTP_METHOD_POST = "post"
HTTP_METHOD_DELETE = "delete"
HTTP_METHOD_PUT = "put"
HTTP_METHOD_HEAD = "head"
HTTP_METHOD_PATCH = "patch"

# Paths below the endpoint's `/v1`.
URL_PATH_CLUSTER = "cluster"
URL_PATH_BUCKETS = "buckets"
URL_PATH_OBJECTS = "objects"
URL_PATH_HEALTH = "health"
URL_PATH_DAEMON = "daemon"
URL_PATH_ETL = "etl"
URL_PATH_ETL_LOGS = "logs"
URL_PATH_DSORT = "sort"
URL_PATH_REVERSE = "reverse"
DSORT_ABORT = "abort"
URL_PATH_AUTHN_USERS = "users"
URL_PATH_AUTHN_CLUSTERS = "clusters"
URL_PATH_AUTHN_ROLES = "roles"
URL_PATH_AUTHN_TOKENS = "tokens"
URL_PATH_GB = "ml/moss"

# Query parameters.
QPARAM_WHAT = "what"
QPARAM_PROVIDER = "provider"
QPARAM_BCK_TO = "bck_to"
QPARAM_FLT_PRESENCE = "presence"
QPARAM_BSUMM_REMOTE = "bsumm_remote"
QPARAM_KEEP_REMOTE = "keep_bck_md"
QPARAM_ARCHPATH = "archpath"
QPARAM_ARCHREGX = "archregx"
QPARAM_ARCHMODE = "archmode"
QPARAM_FORCE = "frc"
QPARAM_PRIMARY_READY_REB = "prr"
QPARAM_NAMESPACE = "namespace"
QPARAM_OBJ_APPEND = "append_type"
QPARAM_OBJ_APPEND_HANDLE = "append_handle"
QPARAM_OBJ_TO = "object_to"
DSORT_UUID = "uuid"
QPARAM_UUID = "uuid"
QPARAM_LATEST = "latest-ver"
QPARAM_SYNC = "synchronize"
QPARAM_NEW_CUSTOM = "set-new-custom"
QPARAM_MPT_UPLOAD_ID = "uploadId"
QPARAM_MPT_PART_NO = "partNumber"
QPARAM_PROPS = "props"
QPARAM_ETL_NAME = "etl_name"
QPARAM_ETL_ARGS = "etl_args"
QPARAM_ETL_PIPELINE = "etl_pipeline"
QPARAM_ETL_FQN = "etl_fqn"
QPARAM_LOG_SEV = "severity"
QPARAM_ALL_LOGS = "all"
QPARAM_COLOC = "coloc"

# What a node or the cluster is asked for: values of `what`.
WHAT_SMAP = "smap"
WHAT_ONE_XACT_STATUS = "status"
WHAT_ALL_XACT_STATUS = "status_all"
WHAT_ALL_RUNNING_STATUS = "running_all"
WHAT_QUERY_XACT_STATS = "qryxstats"
WHAT_NODE_STATS_AND_STATUS = "node_status"
WHAT_LOG = "log"
WHAT_CLUSTER_CONFIG = "cluster_config"
WHAT_NODE_STATS_AND_STATUS_V322 = "status"

# Actions, in the messages of control requests.
ACT_CREATE_BCK = "create-bck"
ACT_DESTROY_BCK = "destroy-bck"
ACT_COPY_BCK = "copy-bck"
ACT_ETL_BCK = "etl-bck"
ACT_EVICT_REMOTE_BCK = "evict-remote-bck"
ACT_LIST = "list"
ACT_MOVE_BCK = "move-bck"
ACT_PROMOTE = "promote"
ACT_SUMMARY_BCK = "summary-bck"
ACT_BLOB_DOWNLOAD = "blob-download"
ACT_CHECK_LOCK = "check-lock"
ACT_CREATE_NBI = "create-inventory"
ACT_DESTROY_NBI = "destroy-inventory"
ACT_SHOW_NBI = "show-inventory"
ACT_DELETE_OBJECTS = "delete-listrange"
ACT_EVICT_OBJECTS = "evict-listrange"
ACT_PREFETCH_OBJECTS = "prefetch-listrange"
ACT_COPY_OBJECTS = "copy-listrange"
ACT_TRANSFORM_OBJECTS = "etl-listrange"
ACT_ARCHIVE_OBJECTS = "archive"
ACT_START = "start"
ACT_XACT_STOP = "stop"
ACT_MPT_UPLOAD = "mpt-upload"
ACT_MPT_COMPLETE = "mpt-complete"
ACT_MPT_ABORT = "mpt-abort"

# Headers of AIStore.
AIS_CHECKSUM_TYPE = "ais-checksum-type"
AIS_CHECKSUM_VALUE = "ais-checksum-value"
AIS_ACCESS_TIME = "ais-atime"
AIS_VERSION = "ais-version"
AIS_CUSTOM_MD = "ais-custom-md"
AIS_BCK_NAME = "ais-bucket-name"
AIS_BCK_PROVIDER = "ais-bucket-provider"
AIS_OBJ_NAME = "ais-name"
AIS_LOCATION = "ais-location"
AIS_MIRROR_PATHS = "ais-mirror-paths"
AIS_MIRROR_COPIES = "ais-mirror-copies"
AIS_EC_GENERATION = "ais-ec-generation"
AIS_EC_DATA = "ais-ec-data"
AIS_EC_PARITY = "ais-ec-parity"
AIS_EC_REPLICATED = "ais-ec-replicated"
AIS_PRESENT = "ais-present"
AIS_CHUNKS_COUNT = "ais-chunks-count"
AIS_CHUNKS_MAX_CHUNK_SIZE = "ais-chunks-max-chunk-size"
HEADER_PREFIX = "Ais-"
HEADER_BUCKET_PROPS = "Ais-Bucket-Props"
HEADER_BUCKET_SUMM = "Ais-Bucket-Summ"
HEADER_XACTION_ID = "Ais-Xaction-Id"
HEADER_NODE_ID = "Ais-Node-Id"
HEADER_NODE_URL = "Ais-Node-Url"
HEADER_INV_NAME = "Ais-Inv-Name"
HEADER_OBJECT_BLOB_DOWNLOAD = "Ais-Blob-Download"
HEADER_OBJECT_BLOB_CHUNK_SIZE = "Ais-Blob-Chunk"
HEADER_OBJECT_BLOB_WORKERS = "Ais-Blob-Workers"
HEADER_OBJECT_APPEND_HANDLE = "Ais-Append-Handle"
HEADER_DIRECT_PUT_LENGTH = "Ais-Direct-Put-Length"
HEADER_ETL_RETRY_REASON = "Ais-Etl-Retry-Reason"

# Headers of HTTP, and values of them.
HEADER_ACCEPT = "Accept"
HEADER_USER_AGENT = "User-Agent"
HEADER_CONTENT_TYPE = "Content-Type"
HEADER_CONTENT_LENGTH = "Content-Length"
HEADER_TRANSFER_ENCODING = "Transfer-Encoding"
HEADER_CONTENT_ENCODING = "Content-Encoding"
HEADER_LOCATION = "Location"
HEADER_CONNECTION = "Connection"
USER_AGENT_BASE = "ais/python"
JSON_CONTENT_TYPE = "application/json"
MSGPACK_CONTENT_TYPE = "application/msgpack"
HEADER_LAST_MODIFIED = "Last-Modified"
HEADER_ETAG = "ETag"
HEADER_RANGE = "Range"
HEADER_AUTHORIZATION = "Authorization"

# Properties that a HEAD can ask for.
PROPS_SIZE = "size"
PROPS_CHUNKED = "chunked"

# Status codes.
STATUS_ACCEPTED = 202
STATUS_NO_CONTENT = 204
STATUS_OK = 200
STATUS_BAD_REQUEST = 400
STATUS_UNAUTHORIZED = 401
STATUS_FORBIDDEN = 403
STATUS_LOCKED = 423
STATUS_PARTIAL_CONTENT = 206
STATUS_REDIRECT_TMP = 307
STATUS_REDIRECT_PERM = 301
STATUS_BAD_GATEWAY = 502
STATUS_SERVICE_UNAVAILABLE = 503
STATUS_INTERNAL_SERVER_ERROR = 500

# Variables of the environment.
AIS_CLIENT_CA = "AIS_CLIENT_CA"
AIS_AUTHN_TOKEN = "AIS_AUTHN_TOKEN"
AIS_CLIENT_CRT = "AIS_CRT"
AIS_CLIENT_KEY = "AIS_CRT_KEY"
AIS_READ_TIMEOUT = "AIS_READ_TIMEOUT"
AIS_CONNECT_TIMEOUT = "AIS_CONNECT_TIMEOUT"
AIS_MAX_CONN_POOL = "AIS_MAX_CONN_POOL"
AIS_SKIP_VERIFY = "AIS_SKIP_VERIFY"
AIS_SKIP_VERIFY_CRT = "AIS_SKIP_VERIFY_CRT"
AIS_DIRECT_PUT_CHUNK_SIZE = "AIS_DIRECT_PUT_CHUNK_SIZE"
AIS_DIRECT_PUT_RETRIES = "AIS_DIRECT_PUT_RETRIES"

# Kinds of archives, by the ends of their names.
EXT_TAR = ".tar"
EXT_TGZ = ".tgz"
EXT_TARGZ = ".tar.gz"
EXT_TARLZ4 = ".tar.lz4"
EXT_ZIP = ".zip"

# Keys of get-batch's messages.
GB_MISSING_FILES_DIR = "__404__"
GB_OBJNAME = "objname"
GB_BCK = "bucket"
GB_PROVIDER = "provider"
GB_UNAME = "uname"
GB_ARCHPATH = "archpath"
GB_START = "start"
GB_LENGTH = "length"
GB_OPAQUE = "opaque"
GB_ERR_MSG = "err_msg"
GB_SIZE = "size"
GB_IN = "in"
GB_OUTPUT_FMT = "mime"
GB_CONTINUE_ERR = "coer"
GB_ONLY_OBJ_NAME = "onob"
GB_STRM_GET = "strm"
GB_COLOC = "coloc"
GB_OUT = "out"
GB_UUID = "uuid"

# Messages of transformers.
ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT = "direct-put-transient"
ETL_WS_PIPELINE = "pipeline"
ETL_WS_FQN = "fqn"
ETL_WS_PATH = "path"

# Sizes, in bytes; GBIT in bytes per second.
GB = 10**9
GBIT = GB // 8
KIB = 2**10
MIB = 2**20

# Defaults: sizes in bytes, times in seconds.
DEFAULT_CHUNK_SIZE = 32768
DEFAULT_PARALLEL_CHUNK_SIZE = 8388608
DEFAULT_JOB_WAIT_TIMEOUT = 300
DEFAULT_DSORT_WAIT_TIMEOUT = 300
DEFAULT_DATASET_MAX_COUNT = 100000
DEFAULT_JOB_POLL_TIME = 0.2
DEFAULT_MAX_BUFFER_SIZE = 65536
DEFAULT_COLD_GET_EST_BPS = 1250000000
DEFAULT_COLD_GET_MAX_WAIT = 180

# Counters that jobs report packed into one number: joggers, workers, entries of full channels, from the low bits up.
JOGGER_COUNT_BITS = 10
WORKER_COUNT_BITS = 10
CHANNEL_COUNT_BITS = 44
JOGGER_COUNT_MASK = 1023
WORKER_COUNT_SHIFT = 10
WORKER_COUNT_MASK = 1047552
CHANNEL_COUNT_SHIFT = 20
CHANNEL_COUNT_MASK = 18446744073708503040

# Bytes of multipart bodies.
HTTP_BOUNDARY_REGEX = "boundary=([^;,\\s]+)"
MULTIPART_MARKER = b"--"
WIN_LINE_END = b"\r\n\r\n"
UNIX_LINE_END = b"\n\n"
ASCII_CR = 13
ASCII_LF = 10
ASCII_SPACE = 32
ASCII_TAB = 9
WHITESPACE_CHARS = {ASCII_CR, ASCII_LF, ASCII_SPACE, ASCII_TAB}

# Texts that tests write.
LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor "
    "incididunt ut labore et dolore magna aliqua. Ut enim ad minim veniam, quis "
    "nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat."
)
DUIS = (
    "Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu "
    "fugiat nulla pariatur. Excepteur sint occaecat cupidatat non proident, sunt in "
    "culpa qui officia deserunt mollit anim id est laborum. Et harum quidem.."
)

# Everything else.
UTF_ENCODING = "utf-8"
HTTP = "http://"
HTTPS = "https://"
AWS_DEFAULT_REGION = "us-east-1"
GO_ZERO_TIME = "0001-01-01T00:00:00Z"
NANOSECONDS_IN_SECOND = 1000000000
DEFAULT_LOG_FORMAT = "%(asctime)s %(levelname)s: %(message)s"
BYTE_RANGE_PREFIX_LENGTH = 6
XX_HASH_SEED = 1103515245
