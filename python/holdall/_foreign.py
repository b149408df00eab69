"""Stores of other packages.

Packages built on obstore's Rust bindings rebuild each other's stores from the name of the class and what
``__getnewargs_ex__`` returns. Ours follow that contract, and this module takes theirs.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from . import _holdall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CLASSES = {
    "AzureStore": _holdall.AzureStore,
    "GCSStore": _holdall.GCSStore,
    "HTTPStore": _holdall.HTTPStore,
    "LocalStore": _holdall.LocalStore,
    "S3Store": _holdall.S3Store,
}

OURS = frozenset(
    {*_CLASSES.values(), _holdall.AISStore, _holdall.CachedStore, _holdall.MemoryStore}
)
"""The classes of this package, for a look that is quicker than calling `as_store`."""

_KEPT = 64
_rebuilt: OrderedDict[int, tuple[Any, _holdall.ObjectStoreMethods]] = OrderedDict()
_lock = threading.Lock()


def as_store(store: Any) -> _holdall.ObjectStoreMethods:
    """Return `store`, or a store of this package that does the same.

    Raises:
        ValueError: it is no store, or one that cannot be rebuilt (a MemoryStore of another package).
    """
    if isinstance(store, _holdall.ObjectStoreMethods):
        return store
    with _lock:
        known = _rebuilt.get(id(store))
        # The original is kept beside its twin, so that its id cannot go to another object.
        if known is not None and known[0] is store:
            _rebuilt.move_to_end(id(store))
            return known[1]
    ours = _rebuild(store)
    with _lock:
        _rebuilt[id(store)] = (store, ours)
        while len(_rebuilt) > _KEPT:
            _rebuilt.popitem(last=False)
    return ours


def _rebuild(store: Any) -> _holdall.ObjectStoreMethods:
    wrapped = getattr(store, "_holdall_store", None)
    if wrapped is not None:
        return wrapped
    name = next((cls.__name__ for cls in type(store).__mro__ if cls.__name__ in _CLASSES), None)
    if name is None and type(store).__name__ == "MemoryStore":
        raise ValueError(
            "a MemoryStore of another package cannot be used here: its content lives in that package; "
            "use holdall.store.MemoryStore"
        )
    if name is None or not hasattr(store, "__getnewargs_ex__"):
        raise ValueError(f"expected a store, such as holdall.store.S3Store, got {store!r}")
    args, kwargs = store.__getnewargs_ex__()
    return _CLASSES[name](*args, **kwargs)
