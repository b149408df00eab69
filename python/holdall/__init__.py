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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._types import (
        HTTP_METHOD,
        Attribute,
        Attributes,
        Buffer,
        CopyReport,
        DeleteReport,
        GetOptions,
        ListChunkType,
        ListResult,
        ObjectMeta,
        ObjectVersion,
        OffsetRange,
        PutMode,
        PutResult,
        SuffixRange,
        UpdateVersion,
    )
else:

    def __getattr__(name: str) -> object:
        """Import the types of arguments and results when somebody asks for one."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import _types

        return getattr(_types, name)


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
    "CopyReport",
    "DeleteReport",
    "GetOptions",
    "GetResult",
    "ListChunkType",
    "ListResult",
    "ListStream",
    "ObjectMeta",
    "ObjectVersion",
    "OffsetRange",
    "PutMode",
    "PutResult",
    "SignCapableStore",
    "SuffixRange",
    "UpdateVersion",
    "__version__",
    "_object_store_source",
    "_object_store_version",
    "_store",
    "exceptions",
    "parse_scheme",
    "store",
    *_files.__all__,
    *_ops.__all__,
]
