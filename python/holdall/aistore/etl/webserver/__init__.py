"""Bases of transformers: web servers that speak AIStore's contract; a subclass says what to do with a content.

| class | over |
|---|---|
| `http_multi_threaded_server.HTTPMultiThreadedServer` | the standard library |
| `flask_server.FlaskServer` | Flask |
| `fastapi_server.FastAPIServer` | FastAPI; the only one that speaks web sockets |

>>> from holdall.aistore.etl.webserver import HTTPMultiThreadedServer
>>> class Upper(HTTPMultiThreadedServer):
...     def transform(self, data, path, etl_args):
...         return data.upper()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base_etl_server import ETLServer
from .http_multi_threaded_server import HTTPMultiThreadedServer
from .utils import serialize_class

if TYPE_CHECKING:
    from .fastapi_server import FastAPIServer
    from .flask_server import FlaskServer

__all__ = [
    "ETLServer",
    "FastAPIServer",
    "FlaskServer",
    "HTTPMultiThreadedServer",
    "serialize_class",
]


def __getattr__(name: str) -> Any:
    # Their frameworks are needed only by who uses them.
    if name == "FlaskServer":
        from .flask_server import FlaskServer

        return FlaskServer
    if name == "FastAPIServer":
        from .fastapi_server import FastAPIServer

        return FastAPIServer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
