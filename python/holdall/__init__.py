"""One data-access layer for object stores.

Open a store with `holdall.store.from_url`, or with a class of `holdall.store`; then use the functions of this module, or
the methods of the same names:

>>> import holdall
>>> store = holdall.store.MemoryStore()
>>> _ = holdall.put(store, "a/b.txt", b"hello")
>>> holdall.get(store, "a/b.txt").bytes().decode()
'hello'

Functions with the suffix ``_async`` return awaitables.
"""

from __future__ import annotations

import os as _os

from . import _files as _files
from . import _holdall, exceptions, store
from . import _ops as _ops
from ._files import *  # noqa: F403
from ._files import open as open  # a builtin's name, which a star does not make plain
from ._holdall import (
    Bytes,
    BytesStream,
    GetResult,
    ListStream,
    __version__,
    _object_store_source,
    _object_store_version,
    parse_scheme,
)
from ._ops import *  # noqa: F403
from ._ops import list as list

# What is imported when somebody asks for it: it needs `dataclasses` and `asyncio`, which take longer than all of this.
_TRANSFERS = (
    "Limits",
    "Outcome",
    "Snapshot",
    "SyncAction",
    "SyncPlan",
    "TransferReport",
    "TransferResult",
    "copy_prefix",
    "copy_prefix_async",
    "download",
    "download_async",
    "download_prefix",
    "download_prefix_async",
    "get_limits",
    "move",
    "move_async",
    "plan_sync",
    "plan_sync_async",
    "read_into",
    "read_into_async",
    "set_limits",
    "sync",
    "sync_async",
    "upload",
    "upload_async",
    "upload_dir",
    "upload_dir_async",
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import progress
    from ._transfer import *  # noqa: F403
    from ._types import (
        HTTP_METHOD,
        Attribute,
        Attributes,
        Buffer,
        CopyOptions,
        CopyReport,
        DeleteReport,
        DownloadOptions,
        GetOptions,
        ListChunkType,
        ListResult,
        ManyOptions,
        ObjectMeta,
        ObjectVersion,
        OffsetRange,
        PutMode,
        PutResult,
        ReadOptions,
        SuffixRange,
        SyncOptions,
        UpdateVersion,
        UploadOptions,
    )
else:

    def __getattr__(name: str) -> object:
        """Import transfers, and the types of arguments and results, when somebody asks for one."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name == "progress":
            from importlib import import_module

            return import_module(f"{__name__}.progress")
        if name in _TRANSFERS:
            from . import _transfer as module
        else:
            from . import _types as module
        return globals().setdefault(name, getattr(module, name))

    def __dir__() -> object:
        return sorted({*globals(), *__all__})


_store = store
SignCapableStore = store.AzureStore | store.GCSStore | store.S3Store
"""The stores that make presigned URLs."""

if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_holdall._after_fork)


def _register_protocols() -> None:
    from collections.abc import Coroutine, Sequence

    Sequence.register(Bytes)
    Coroutine.register(_holdall.Awaitable)


_register_protocols()

__all__ = [
    "HTTP_METHOD",
    "Attribute",
    "Attributes",
    "Buffer",
    "Bytes",
    "BytesStream",
    "CopyOptions",
    "CopyReport",
    "DeleteReport",
    "DownloadOptions",
    "GetOptions",
    "GetResult",
    "ListChunkType",
    "ListResult",
    "ListStream",
    "ManyOptions",
    "ObjectMeta",
    "ObjectVersion",
    "OffsetRange",
    "PutMode",
    "PutResult",
    "ReadOptions",
    "SignCapableStore",
    "SuffixRange",
    "SyncOptions",
    "UpdateVersion",
    "UploadOptions",
    "__version__",
    "_object_store_source",
    "_object_store_version",
    "_store",
    "exceptions",
    "parse_scheme",
    "progress",
    "store",
    *_files.__all__,
    *_ops.__all__,
    *_TRANSFERS,
]
