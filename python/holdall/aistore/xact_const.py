"""Kinds of jobs."""

from __future__ import annotations

from . import const as _const

XACT_KIND_REBALANCE = "rebalance"
XACT_KIND_RESILVER = "resilver"
XACT_KIND_ELECTION = "election"

XACT_KIND_LRU = "lru"
XACT_KIND_STORE_CLEANUP = "cleanup-store"
XACT_KIND_SUMMARY_BCK = _const.ACT_SUMMARY_BCK
XACT_KIND_SUMMARY_SHARD = "summary-shard"
XACT_KIND_RECHUNK = "rechunk"
XACT_KIND_INDEX_SHARD = "index-shard"

XACT_KIND_EC_GET = "ec-get"
XACT_KIND_EC_PUT = "ec-put"
XACT_KIND_EC_RESP = "ec-resp"
XACT_KIND_EC_ENCODE = "ec-encode"

XACT_KIND_PUT_COPIES = "put-copies"
XACT_KIND_MAKE_NCOPIES = "make-n-copies"

XACT_KIND_ARCHIVE = _const.ACT_ARCHIVE_OBJECTS
XACT_KIND_COPY_OBJECTS = _const.ACT_COPY_OBJECTS
XACT_KIND_ETL_OBJECTS = _const.ACT_TRANSFORM_OBJECTS
XACT_KIND_DELETE_OBJECTS = _const.ACT_DELETE_OBJECTS
XACT_KIND_EVICT_OBJECTS = _const.ACT_EVICT_OBJECTS
XACT_KIND_PREFETCH_OBJECTS = _const.ACT_PREFETCH_OBJECTS

XACT_KIND_BLOB_DL = _const.ACT_BLOB_DOWNLOAD
XACT_KIND_DOWNLOAD = "download"
XACT_KIND_DSORT = "dsort"
XACT_KIND_PROMOTE = _const.ACT_PROMOTE

XACT_KIND_MOVE_BCK = _const.ACT_MOVE_BCK
XACT_KIND_COPY_BCK = _const.ACT_COPY_BCK
XACT_KIND_ETL_BCK = _const.ACT_ETL_BCK
XACT_KIND_ETL_INLINE = "etl-inline"
XACT_KIND_EVICT_REMOTE_BCK = _const.ACT_EVICT_REMOTE_BCK

XACT_KIND_LIST = _const.ACT_LIST
XACT_KIND_GET_BATCH = "get-batch"
XACT_KIND_CREATE_NBI = _const.ACT_CREATE_NBI
XACT_KIND_LOAD_LOM_CACHE = "load-lom-cache"

IDLE_KINDS = frozenset(
    {
        XACT_KIND_EC_GET,
        XACT_KIND_EC_PUT,
        XACT_KIND_EC_RESP,
        XACT_KIND_PUT_COPIES,
        XACT_KIND_ARCHIVE,
        XACT_KIND_COPY_OBJECTS,
        XACT_KIND_ETL_OBJECTS,
        XACT_KIND_DOWNLOAD,
        XACT_KIND_LIST,
        XACT_KIND_GET_BATCH,
    }
)
"""Kinds that wait for more to do before they end."""

KNOWN_KINDS = frozenset(
    value for name, value in list(globals().items()) if name.startswith("XACT_KIND_")
)


def idles_before_finishing(kind: str) -> bool:
    """Whether jobs of this kind wait for more to do before they end."""
    return kind in IDLE_KINDS


def is_valid_kind(kind: str) -> bool:
    """Whether AIStore has such jobs."""
    return kind in KNOWN_KINDS
