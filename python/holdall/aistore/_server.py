"""The AIS server in this process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Literal

from .._holdall import _AisServer, _serve_ais

Path = str | os.PathLike[str]


class Server:
    """A running server; made by `serve`. As a context manager it closes at the end.

    It runs on threads of its own, without the interpreter. A forked child has none of them: there, only the URL is of
    use, as long as the parent serves.
    """

    def __init__(self, server: _AisServer) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """The endpoint for clients, such as ``http://127.0.0.1:41234``."""
        return self._server.url

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._server.closed

    def close(self) -> None:
        """Stop. Requests that are being answered have ten seconds to end; what was acknowledged is kept."""
        self._server.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<holdall.aistore.Server {self.url}{' (closed)' if self.closed else ''}>"


def serve(
    path: Path | None = None,
    *,
    listen: str = "127.0.0.1:0",
    fsync: Literal["always", "commit", "never"] = "commit",
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    public_host: str | None = None,
    max_connections: int = 4096,
    promote_root: Path = "/var/lib/ais/promote",
    s3_keys: Mapping[str, str] | None = None,
) -> Server:
    """Start a server for AIStore's API in this process. It answers when this returns.

    Args:
        path: Folder for everything; it is made if it is not there, and belongs to one server at a time. None keeps
            everything in memory, gone with the server.
        listen: Address and port; port 0 takes a free one. Any address but loopback lets everybody who reaches it read
            and write.
        fsync: What survives a loss of power. ``always``: all that was acknowledged. ``commit``: names and properties
            that were acknowledged, and contents once the system has written them, within half a minute; a content
            that was lost is reported when it is read. ``never``: perhaps nothing. A killed process loses nothing
            acknowledged in any mode.
        tls_cert: Certificate chain, a PEM file, to serve HTTPS.
        tls_key: The certificate's key, a PEM file.
        public_host: Host that clients reach the server by, where it is not the address.
        max_connections: Most connections at once; more wait.
        promote_root: Folder of this machine whose files clients may promote to objects.
        s3_keys: Access keys and their secrets, one of which requests to ``/s3`` must be signed with. Without any,
            every signature is accepted.

    Raises:
        OSError: When the folder, the address or the certificate cannot be used.
        ValueError: When an argument cannot be.
    """
    return Server(
        _serve_ais(
            path,
            listen,
            fsync,
            tls_cert,
            tls_key,
            public_host,
            max_connections,
            promote_root,
            dict(s3_keys or {}),
        )
    )
