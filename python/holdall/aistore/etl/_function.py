"""A function as a transformer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .webserver.base_etl_server import ETLServer
from .webserver.http_multi_threaded_server import HTTPMultiThreadedServer


def server_class(transform: Callable[[Any], bytes], modules: list[str]) -> type[ETLServer]:
    """A server class whose ``transform`` is the function; the modules are imported before the first call."""

    def start(self: Any) -> None:
        import importlib

        for module in modules:
            importlib.import_module(module)
        HTTPMultiThreadedServer.start(self)

    def call(self: Any, data: Any, path: str, etl_args: str) -> bytes:
        return transform(data)

    return type("FunctionServer", (HTTPMultiThreadedServer,), {"transform": call, "start": start})
